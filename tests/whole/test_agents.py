"""Do agents and query engines run on the kit's models, and does the ledger say what they cost?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.tools import tool
from llama_index.core import VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import LLM
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool, QueryEngineTool
from llama_index_instrumentation.dispatcher import instrument_tags
from pydantic import BaseModel

from lc_costkit import CostCallbackHandler, Ledger, ModelPrice, ModelRouter, PriceBook, SemanticCache, question
from lc_costkit.cache import Cache
from lc_costkit.embedding import bundled_embedder
from lc_costkit.llama_index.events import instrument
from lc_costkit.llama_index.llm import cached_llm
from lc_costkit.llama_index.postprocessor import PruningPostprocessor
from lc_costkit.llama_index.routed import routed_llm
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall
from tests.conftest import chat_anthropic, chat_openai
from tests.support.llama_openai import OpenAIFunctionLLM
from tests.whole.support import ARTICLES, CHEAP, EASY, HARD, STRONG, assert_agrees, calls, saved

ran: list[str] = []
"""Cities the tool was called with; emptied before each test."""


@tool
def get_weather(city: str) -> str:
    """Say what the weather is in a city."""
    ran.append(city)
    return f"Sunny in {city}."


class Weather(BaseModel):
    """A weather report."""

    city: str
    sunny: bool


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """LangChain only logs what a handler raises: a warning is a failure here."""
    yield
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as opened:
        yield opened


def weather_answer(request: FakeRequest) -> str | FakeAnswer:
    if request.after_tool_result:
        return "It is sunny in Paris."
    return FakeAnswer(tool_calls=(FakeToolCall(name="get_weather", arguments={"city": "Paris"}),))


def asked(text: str = "Is Paris a sunny city?") -> Any:
    return {"messages": [("human", text)]}


# -- LangChain ----------------------------------------------------------------------


async def invoke(agent: Any, config: Any) -> str:
    return str(agent.invoke(asked(), config)["messages"][-1].text)


async def ainvoke(agent: Any, config: Any) -> str:
    return str((await agent.ainvoke(asked(), config))["messages"][-1].text)


async def stream(agent: Any, config: Any) -> str:
    pieces = agent.stream(asked(), config, stream_mode="messages")
    return "".join(str(piece.text) for piece, about in pieces if about["langgraph_node"] == "model")


async def astream(agent: Any, config: Any) -> str:
    pieces = agent.astream(asked(), config, stream_mode="messages")
    return "".join([str(piece.text) async for piece, about in pieces if about["langgraph_node"] == "model"])


@pytest.mark.parametrize("make", [chat_openai, chat_anthropic], ids=["openai", "anthropic"])
@pytest.mark.parametrize("way", [invoke, ainvoke, stream, astream], ids=lambda way: way.__name__)
async def test_an_agent_on_a_model_with_the_cache(way: Any, make: Any, ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider, SemanticCache() as cache:
        agent = create_agent(make(provider, cache=cache), tools=[get_weather], system_prompt="You help.")
        config = {"callbacks": [CostCallbackHandler(ledger)], "metadata": {"feature": "agent", "user": "u1"}}
        answers = [await way(agent, config) for _ in range(2)]
        assert answers == ["It is sunny in Paris."] * 2
        assert ran == ["Paris"] * 2, "a served call still runs the tool"
        records = calls(ledger)
        verdicts = [record.cache for record in records]
        in_pieces = way in (stream, astream)
        assert verdicts == ["miss", "skipped", "hit", "skipped"], "an agent asks the cache in a stream too"
        assert provider.calls == 4 - verdicts.count("hit")
        assert len({record.trace_id for record in records}) == 2
        assert {(record.feature, record.user) for record in records} == {("agent", "u1")}
        assert all(record.streamed == (in_pieces and record.cache != "hit") for record in records)
        assert records[1].tokens_by_part["tools"] > 0
        assert (records[2].cost.usd, saved(records[2], "cache")) == (0, records[0].cost.usd)
        assert_agrees(ledger, provider)


async def test_an_agent_on_a_router_over_two_providers_with_the_cache(ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider, SemanticCache() as cache:
        targets = {"cheap": chat_openai(provider, cache=cache), "strong": chat_anthropic(provider, cache=cache)}
        agent = create_agent(ModelRouter(targets), tools=[get_weather], system_prompt="You help.")
        config: Any = {"callbacks": [CostCallbackHandler(ledger)]}
        for text in ("Is Paris a sunny city?", HARD) * 2:
            messages = (await agent.ainvoke(asked(text), config))["messages"]
            assert messages[-1].text == "It is sunny in Paris."
            identifiers = [message.id for message in messages]
            assert len(set(identifiers)) == len(identifiers)
        records = calls(ledger)
        assert [record.cache for record in records] == ["miss", "skipped"] * 2 + ["hit", "skipped"] * 2
        # after the tool's result the rules see the same question again, in a longer conversation
        assert [record.route for record in records[::2]] == ["cheap", "strong"] * 2
        assert {record.provider for record in records} == {"openai", "anthropic"}
        assert len(ran) == 4
        assert_agrees(ledger, provider)


def test_a_model_called_inside_a_tool_belongs_to_the_agents_trace(ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> str | FakeAnswer:
        return weather_answer(request) if request.tools else "Paris is sunny, says the other model."

    with FakeProvider(answer=answer) as provider:
        inner = chat_anthropic(provider)

        @tool("get_weather")
        def asks_a_model(city: str) -> str:
            """Say what the weather is in a city."""
            return str(inner.invoke(f"Is {city} a sunny city?").text)

        agent = create_agent(chat_openai(provider), tools=[asks_a_model])
        agent.invoke(asked(), {"callbacks": [CostCallbackHandler(ledger)], "metadata": {"user": "u9"}})
        records = calls(ledger)
        assert [record.provider for record in records] == ["openai", "anthropic", "openai"]
        assert len({record.trace_id for record in records}) == 1
        assert [row.requests for row in ledger.report(by="trace").rows] == [3]
        assert {record.user for record in records} == {"u9"}
        assert_agrees(ledger, provider)


def test_an_agent_with_structured_answers(ledger: Ledger, provider: FakeProvider) -> None:
    with SemanticCache() as cache:
        targets = {"cheap": chat_openai(provider, cache=cache), "strong": chat_anthropic(provider, cache=cache)}
        agent = create_agent(ModelRouter(targets), tools=[], response_format=ToolStrategy(Weather))
        config: Any = {"callbacks": [CostCallbackHandler(ledger)]}
        for text in ("Is it sunny in Rome?", HARD) * 2:
            assert isinstance(agent.invoke(asked(text), config)["structured_response"], Weather)
        assert [record.cache for record in calls(ledger)] == ["miss", "miss", "hit", "hit"]
        assert_agrees(ledger, provider)


# -- LlamaIndex ---------------------------------------------------------------------

# The agent's own base looks at every attribute of itself, pydantic's deprecated ones among them.
agent_warnings = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def mark(test: Callable[..., Any]) -> Callable[..., Any]:
    for one in agent_warnings:
        test = one(test)
    return test


class Embedded(BaseEmbedding):
    """The bundled embedder as a LlamaIndex embedding."""

    model_name: str = "lc_costkit-bundled"

    def _get_text_embedding(self, text: str) -> list[float]:
        return [float(x) for x in bundled_embedder().embed([text])[0]]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


FREE = PriceBook(overrides={Embedded().model_name: ModelPrice(input_per_million="0", output_per_million="0")})
"""The embedder runs here and costs nothing; said so, the report has no unpriced calls."""


def llama(provider: FakeProvider, model: str) -> OpenAIFunctionLLM:
    return OpenAIFunctionLLM(model=model, base_url=provider.openai_base_url)


def llama_kit(provider: FakeProvider, cache: Cache) -> LLM:
    return cached_llm(routed_llm({"cheap": llama(provider, CHEAP), "strong": llama(provider, STRONG)}), cache)


def query_engine(llm: LLM, **options: Any) -> Any:
    nodes = [TextNode(text=text, id_=title, metadata={"title": title}) for title, text in ARTICLES.items()]
    index = VectorStoreIndex(nodes, embed_model=Embedded())
    pruning = PruningPostprocessor(max_tokens=45)
    return index.as_query_engine(llm=llm, similarity_top_k=3, node_postprocessors=[pruning], **options)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["query", "aquery"])
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
async def test_a_query_engine_with_all_four_parts(
    streaming: bool, asynchronous: bool, provider: FakeProvider, tmp_path: Path, ledger: Ledger
) -> None:
    async def run(text: str) -> str:
        with question(text), instrument_tags({"feature": "docs", "user": "u7", "tags": ["web"]}):
            if not asynchronous:
                return str(engine.query(text))
            response = await engine.aquery(text)
            return str(await response.get_response()) if streaming else str(response)

    with Cache(tmp_path / "l.db") as cache, instrument(ledger, prices=FREE):
        engine = query_engine(llama_kit(provider, cache), streaming=streaming)
        first = [await run(text) for text in (EASY, HARD)]
        assert "refunds" in first[0]
        assert [await run(text) for text in (EASY, HARD)] == first
    assert provider.calls == 2
    chats = [record for record in calls(ledger) if record.operation == "chat"]
    assert [record.cache for record in chats] == ["miss", "miss", "hit", "hit"]
    for live, hit, route in zip(chats, chats[2:], ("cheap", "strong"), strict=False):
        assert live.route == route
        assert (live.feature, live.user, live.tags, live.streamed) == ("docs", "u7", ("web",), streaming)
        assert (hit.feature, hit.user, hit.cost.usd, hit.usage.total) == ("docs", "u7", 0, 0)
        assert saved(hit, "cache") == live.cost.usd
        assert hit.model == live.model
        # newer query engines stream after their query has ended: which pruning was for which call is lost then
        assert streaming or saved(live, "prune") is not None
    assert (saved(chats[0], "route") or 0) > 0
    assert_agrees(ledger, provider, operation="chat")


@mark
async def test_a_function_agent_with_a_query_engine_as_a_tool(tmp_path: Path, ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> str | FakeAnswer:
        if request.after_tool_result or not request.tools:
            return "Five working days."
        name = "help_centre" if "refund" in request.question else "add"
        arguments = {"input": EASY} if name == "help_centre" else {"a": 2, "b": 3}
        return FakeAnswer(tool_calls=(FakeToolCall(name=name, arguments=arguments),))

    added: list[tuple[int, int]] = []

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        added.append((a, b))
        return a + b

    with FakeProvider(answer=answer) as provider, Cache(tmp_path / "l.db") as cache, instrument(ledger, prices=FREE):
        llm: Any = llama_kit(provider, cache)
        search = QueryEngineTool.from_defaults(query_engine(llm), name="help_centre", description="Finds articles.")
        tools: Any = [FunctionTool.from_defaults(add), search]
        for text in ("Add 2 and 3.", "How long does a refund take?") * 2:
            with instrument_tags({"feature": "agent"}):
                agent = FunctionAgent(tools=tools, llm=llm, system_prompt="You help.")
                assert "Five working days" in str(await agent.run(text))
        assert added == [(2, 3)] * 2
        chats = [record for record in calls(ledger) if record.operation == "chat"]
        verdicts = [record.cache for record in chats]
        assert verdicts == ["miss", "skipped", "miss", "miss", "skipped", "hit", "skipped", "hit", "hit", "skipped"]
        assert provider.calls == verdicts.count("miss") + verdicts.count("skipped")
        assert {record.feature for record in chats} == {"agent"}
        assert all(record.cost.usd == 0 for record in chats if record.cache == "hit")
        assert ledger.report().total.saved_by_part["cache"] == sum(
            record.cost.usd or 0 for record in chats if record.cache == "miss"
        )
        assert_agrees(ledger, provider, operation="chat")
