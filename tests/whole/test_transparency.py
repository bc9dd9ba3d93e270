"""Is an application with the kit switched off, or only observing, the application without it?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import BaseMessage
from langchain_core.tools import tool
from llama_index.core import VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import LLM
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool

from lc_costkit import CostCallbackHandler, Ledger, ModelRouter, SemanticCache, question
from lc_costkit.cache import Cache
from lc_costkit.llama_index.events import instrument
from lc_costkit.llama_index.llm import cached_llm
from lc_costkit.llama_index.postprocessor import PruningPostprocessor
from lc_costkit.llama_index.routed import routed_llm
from lc_costkit.switch import DISABLE_VARIABLE
from lc_costkit.testing import FakeProvider
from tests.conftest import chat_anthropic, chat_openai
from tests.support.llama_openai import OpenAIFunctionLLM
from tests.whole.support import (
    ARTICLES,
    CHEAP,
    EASY,
    HARD,
    QUESTIONS,
    STRONG,
    ask,
    calls,
    kit_rag,
    metered,
    plain_rag,
    sent,
    substance,
)

SWITCHES = ["disable", "observe"]
ASKED = [*QUESTIONS, EASY, HARD]


@pytest.fixture(params=SWITCHES)
def switch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the kit is kept out of the way; gives the mode for its parts."""
    if request.param == "disable":
        monkeypatch.setenv(DISABLE_VARIABLE, "1")
        return "on"
    return "observe"


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as opened:
        yield opened


async def invoke(chain: Any, config: Any) -> list[Any]:
    return [chain.invoke(ask(text), config) for text in ASKED]


async def ainvoke(chain: Any, config: Any) -> list[Any]:
    return [await chain.ainvoke(ask(text), config) for text in ASKED]


async def stream(chain: Any, config: Any) -> list[Any]:
    return [list(chain.stream(ask(text), config)) for text in ASKED]


async def astream(chain: Any, config: Any) -> list[Any]:
    return [[piece async for piece in chain.astream(ask(text), config)] for text in ASKED]


async def batch(chain: Any, config: Any) -> list[Any]:
    return list(chain.batch([ask(text) for text in ASKED], config))


async def abatch(chain: Any, config: Any) -> list[Any]:
    return list(await chain.abatch([ask(text) for text in ASKED], config))


async def astream_events(chain: Any, config: Any) -> list[Any]:
    def shown(event: Any) -> Any:
        data = event["data"].get("chunk")
        return substance(data) if isinstance(data, BaseMessage) else data

    events = [event async for event in chain.astream_events(ask(EASY), config, version="v2")]
    return [shown(event) for event in events if event["event"] in ("on_chat_model_stream", "on_parser_stream")]


@pytest.mark.parametrize(
    "way", [invoke, ainvoke, stream, astream, batch, abatch, astream_events], ids=lambda way: way.__name__
)
async def test_a_rag_chain(way: Any, switch: Any, ledger: Ledger) -> None:
    with FakeProvider() as provider:
        expected = await way(plain_rag(provider), {})
        requests, bill = sent(provider), provider.billed_usd
    with FakeProvider() as provider, SemanticCache(mode=switch) as cache:
        assert await way(kit_rag(provider, cache, mode=switch), metered(ledger)) == expected
        assert sent(provider) == requests
        assert provider.billed_usd == bill > 0
        stats = cache.stats()
    assert stats.hits == 0
    assert stats.faults == {}
    records = calls(ledger)
    if switch == "on":
        assert records == []
        assert (stats.lookups, stats.stored) == (0, 0)
        return
    assert len(records) == provider.calls
    assert {record.model_asked for record in records} == {STRONG}
    assert {record.metadata["route_observed"] for record in records} <= {"cheap", "strong"}
    total = ledger.report().total
    assert (total.usd, total.saved_usd, dict(total.saved_by_part)) == (bill, 0, {})
    parts = {"route", "prune"} if way in (stream, astream, astream_events) else {"cache", "route", "prune"}
    if way not in (batch, abatch):  # the repeats of a batch are asked at once: a hit is a matter of luck
        assert set(total.hypothetical_by_part) == parts
    assert all(usd > 0 for usd in total.hypothetical_by_part.values())
    assert total.hypothetical_usd < total.usd
    assert "observe mode would have saved (in no sum)" in repr(ledger.report(by="model"))


def test_observing_foretells_what_is_saved_when_it_is_switched_on(ledger: Ledger) -> None:
    """No saving is counted twice: a call that would have been served needs no cheaper model."""
    spent = {}
    for mode in ("observe", "on"):
        with FakeProvider(answer=lambda request: "It takes five working days.") as provider, Ledger() as own:
            with SemanticCache(mode=mode) as cache:
                chain = kit_rag(provider, cache, mode=mode)
                for text in ASKED:
                    chain.invoke(ask(text), metered(ledger if mode == "observe" else own))
            spent[mode] = provider.billed_usd
    for record in calls(ledger):
        assert sum(one.usd or 0 for one in record.saved) <= (record.cost.usd or 0)
    foretold, came = ledger.report().total.hypothetical_usd, spent["observe"] - spent["on"]
    # Counted sentence by sentence, a context has a few tokens more or fewer than as a whole.
    assert came > 0
    assert abs(foretold - came) < came / 50


@tool
def get_weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


@pytest.mark.parametrize("make", [chat_openai, chat_anthropic], ids=["openai", "anthropic"])
@pytest.mark.parametrize("streamed", [False, True], ids=["invoke", "stream"])
def test_a_langchain_agent(
    make: Any, streamed: bool, switch: Any, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    def run(provider: FakeProvider, model: Any, config: Any) -> list[Any]:
        agent = create_agent(model, tools=[get_weather], system_prompt="You help with the weather.")
        asked = {"messages": [("human", "get_weather in Paris, please")]}
        answers: list[Any] = []
        for _ in range(2):
            if streamed:
                answers += [substance(piece) for piece, _ in agent.stream(asked, config, stream_mode="messages")]
            else:
                answers += [substance(message) for message in agent.invoke(asked, config)["messages"]]
        return answers

    strong = STRONG if make is chat_openai else "claude-sonnet-4-6"
    with FakeProvider() as provider:
        expected = run(provider, make(provider, strong, cache=False), {})
        requests, bill = sent(provider), provider.billed_usd
    with FakeProvider() as provider, SemanticCache(mode=switch) as cache:
        targets = {"cheap": chat_openai(provider, CHEAP, cache=cache), "strong": make(provider, strong, cache=cache)}
        answers = run(provider, ModelRouter(targets, mode=switch), {"callbacks": [CostCallbackHandler(ledger)]})
        assert answers == expected
        assert sent(provider) == requests
        assert provider.billed_usd == bill
    assert ledger.report().total.usd == (0 if switch == "on" else bill)
    assert ledger.report().total.saved_usd == 0
    assert len(calls(ledger)) == (0 if switch == "on" else 4)
    assert caplog.records == []


def query_engine(llm: LLM, *, streaming: bool, postprocessors: Any = ()) -> Any:
    nodes = [TextNode(text=text, id_=title, metadata={"title": title}) for title, text in ARTICLES.items()]
    index = VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=4))
    return index.as_query_engine(
        llm=llm, similarity_top_k=3, streaming=streaming, node_postprocessors=list(postprocessors)
    )


def llama(provider: FakeProvider, model: str) -> OpenAIFunctionLLM:
    return OpenAIFunctionLLM(model=model, base_url=provider.openai_base_url)


def llama_kit(provider: FakeProvider, cache: Cache, mode: Any) -> LLM:
    return cached_llm(
        routed_llm({"cheap": llama(provider, CHEAP), "strong": llama(provider, STRONG)}, mode=mode), cache
    )


@pytest.mark.parametrize("streaming", [False, True], ids=["query", "stream"])
def test_a_query_engine(streaming: bool, switch: Any, ledger: Ledger) -> None:
    def run(engine: Any) -> list[str]:
        answers = []
        for text in (EASY, HARD, EASY):
            with question(text):  # LlamaIndex puts documents and question into one message
                answers.append(str(engine.query(text)))
        return answers

    with FakeProvider() as provider:
        expected = run(query_engine(llama(provider, STRONG), streaming=streaming))
        requests, bill = sent(provider), provider.billed_usd
    with FakeProvider() as provider, Cache(mode=switch) as cache, instrument(ledger):
        pruning = PruningPostprocessor(max_tokens=45, mode=switch)
        engine = query_engine(llama_kit(provider, cache, switch), streaming=streaming, postprocessors=[pruning])
        assert run(engine) == expected
        assert sent(provider) == requests
        assert provider.billed_usd == bill
        assert cache.stats().hits == 0
        assert cache.stats().faults == {}
    if streaming:  # newer query engines stream after their query has ended, and lose the pruning
        assert_observed(ledger, switch, bill, {"cache", "route"}, perhaps=frozenset({"prune"}))
    else:
        assert_observed(ledger, switch, bill, {"cache", "route", "prune"})


# The agent's own base looks at every attribute of itself, pydantic's deprecated ones among them.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's workflows
async def test_a_function_agent(switch: Any, ledger: Ledger) -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    async def run(llm: Any) -> list[str]:
        agent = FunctionAgent(tools=[FunctionTool.from_defaults(add)], llm=llm, system_prompt="You calculate.")
        return [str(await agent.run("Use add on 2 and 3.")) for _ in range(2)]

    with FakeProvider() as provider:
        expected = await run(llama(provider, STRONG))
        requests, bill = sent(provider), provider.billed_usd
    with FakeProvider() as provider, Cache(mode=switch) as cache, instrument(ledger):
        assert await run(llama_kit(provider, cache, switch)) == expected
        assert sent(provider) == requests
        assert provider.billed_usd == bill
    assert_observed(ledger, switch, bill, {"cache", "route"})


def assert_observed(
    ledger: Ledger, switch: str, bill: Any, parts: set[str], *, perhaps: frozenset[str] = frozenset()
) -> None:
    total = ledger.report(operation="chat").total
    assert ledger.faults.counts == {}
    if switch == "on":
        assert len(ledger) == 0
        return
    assert (total.usd, total.saved_usd, total.hits) == (bill, 0, 0)
    assert set(total.hypothetical_by_part) - perhaps == parts


def test_switched_on_again_in_a_running_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with FakeProvider() as provider, SemanticCache(tmp_path / "c.db") as cache, Ledger(tmp_path / "c.db") as ledger:
        chain, config = kit_rag(provider, cache), metered(ledger)
        chain.invoke(ask(EASY), config)
        monkeypatch.setenv(DISABLE_VARIABLE, "1")
        chain.invoke(ask(EASY), config)
        monkeypatch.delenv(DISABLE_VARIABLE)
        chain.invoke(ask(EASY), config)
        assert provider.calls == 2
        assert [record.cache for record in calls(ledger)] == ["miss", "hit"]
        assert [call.model for call in provider.log] == [CHEAP, STRONG]
