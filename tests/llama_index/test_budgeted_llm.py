"""Does a budget stop a LlamaIndex application, and nothing else about it change?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import Document, MockEmbedding, PromptTemplate, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.llm import LLMChatStartEvent, LLMCompletionStartEvent
from llama_index.core.llms import LLM, MockLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool, QueryEngineTool
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import instrument_tags
from pydantic import BaseModel, Field

from lc_costkit.budget.budget import Budget
from lc_costkit.budget.rate_limit import RateLimit
from lc_costkit.cache import Cache
from lc_costkit.errors import BudgetExceeded, ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index import BudgetExceededEvent, budgeted_llm, cached_llm, instrument, routed_llm
from lc_costkit.llama_index.budgeted import BudgetedFunctionCallingLLM, BudgetedLLM
from lc_costkit.llama_index.llm import CachedFunctionCallingLLM
from lc_costkit.llama_index.routed import RoutedFunctionCallingLLM
from lc_costkit.marks import BUDGET_KEY, MARK
from lc_costkit.pricing import ModelPrice, PriceBook
from lc_costkit.switch import DISABLE_VARIABLE
from lc_costkit.testing import FakeProvider
from tests.llama_index.support import spent
from tests.support.llama_anthropic import AnthropicFunctionLLM
from tests.support.llama_openai import OpenAIFunctionLLM

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatResponseGen

Make = Callable[..., OpenAIFunctionLLM]

HARD = "Prove that there are infinitely many primes."
WORKFLOWS = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""LlamaIndex's workflows use what pydantic has deprecated."""


def user(text: str) -> list[ChatMessage]:
    return [ChatMessage(text)]


def weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


WEATHER = FunctionTool.from_defaults(weather)


class City(BaseModel):
    """A city."""

    name: str


class Seen(BaseEventHandler):
    """Keeps every event."""

    events: list[BaseEvent] = Field(default_factory=list)

    def handle(self, event: BaseEvent, **_: Any) -> None:
        self.events.append(event)

    def of(self, *kinds: type[BaseEvent]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]


@pytest.fixture
def seen() -> Iterator[Seen]:
    handler = Seen()
    root = get_dispatcher()
    root.add_event_handler(handler)
    yield handler
    root.event_handlers.remove(handler)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as made:
        yield made


def chats(ledger: Ledger) -> list[Any]:
    return [record for record in ledger.records() if record.operation != "embedding"]


# -- every way of calling ------------------------------------------------------------


async def test_each_way_of_calling_is_counted_once_and_as_the_provider_bills(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger, seen: Seen
) -> None:
    budget = Budget(usd=1)
    llm = budgeted_llm(make_llama_llm(), budget, ledger)
    with instrument(ledger):
        answers: list[Any] = [
            llm.chat(user("hi")),
            await llm.achat(user("hi")),
            list(llm.stream_chat(user("hi")))[-1],
            [chunk async for chunk in await llm.astream_chat(user("hi"))][-1],
            llm.complete("hi"),
            await llm.acomplete("hi"),
            list(llm.stream_complete("hi"))[-1],
            [chunk async for chunk in await llm.astream_complete("hi")][-1],
        ]
    assert {getattr(one, "text", None) or one.message.content for one in answers} == {answers[4].text}
    assert all(MARK not in one.additional_kwargs for one in answers)
    assert provider.calls == len(seen.of(LLMChatStartEvent, LLMCompletionStartEvent)) == len(chats(ledger)) == 8
    assert spent(budget, ledger) == provider.billed_usd == ledger.report().total.usd


async def test_past_the_limit_no_way_of_calling_reaches_the_provider(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger
) -> None:
    llm: Any = budgeted_llm(make_llama_llm(), Budget(calls=1, per="month", name="trial"), ledger)
    llm.chat(user("hi"))

    async def drained(stream: Any) -> None:
        _ = [chunk async for chunk in await stream]

    ways: list[Callable[[], Any]] = [
        lambda: llm.chat(user("hi")),
        lambda: llm.stream_chat(user("hi")),
        lambda: llm.complete("hi"),
        lambda: llm.stream_complete("hi"),
        lambda: llm.predict(PromptTemplate("hi {name}"), name="Ann"),
        lambda: llm.structured_predict(City, PromptTemplate("Where is {name}?"), name="Ann"),
        lambda: llm.as_structured_llm(City).chat(user("hi")),
        lambda: llm.chat_with_tools([WEATHER], user_msg="hi"),
        lambda: llm.stream_chat_with_tools([WEATHER], user_msg="hi"),
        lambda: llm.predict_and_call([WEATHER], user_msg="hi"),
    ]
    for way in ways:
        with pytest.raises(BudgetExceeded, match="budget 'trial': 1 spent"):
            way()
    async_ways: list[Callable[[], Any]] = [
        lambda: llm.achat(user("hi")),
        lambda: drained(llm.astream_chat(user("hi"))),
        lambda: llm.acomplete("hi"),
        lambda: drained(llm.astream_complete("hi")),
        lambda: llm.apredict(PromptTemplate("hi {name}"), name="Ann"),
        lambda: llm.astructured_predict(City, PromptTemplate("Where is {name}?"), name="Ann"),
        lambda: llm.as_structured_llm(City).achat(user("hi")),
        lambda: llm.achat_with_tools([WEATHER], user_msg="hi"),
        lambda: drained(llm.astream_chat_with_tools([WEATHER], user_msg="hi")),
        lambda: llm.apredict_and_call([WEATHER], user_msg="hi"),
    ]
    for async_way in async_ways:
        with pytest.raises(BudgetExceeded, match="budget 'trial': 1 spent"):
            await async_way()
    assert provider.calls == 1


def test_within_the_limit_tools_and_structures_work_as_with_the_llm(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger
) -> None:
    budget = Budget(usd=1)
    plain = make_llama_llm()
    llm: Any = budgeted_llm(plain, budget, ledger)
    assert isinstance(llm, BudgetedFunctionCallingLLM)
    response = llm.chat_with_tools([WEATHER], user_msg="use weather", tool_required=True)
    (call,) = llm.get_tool_calls_from_response(response)
    assert call.tool_name == "weather"
    assert isinstance(llm.structured_predict(City, PromptTemplate("Where is {name}?"), name="Ann"), City)
    assert isinstance(llm.as_structured_llm(City).chat(user("hi")).raw, City)
    guarded = budgeted_llm(plain.as_structured_llm(City), Budget(usd=1, name="other"), ledger)
    assert isinstance(guarded.chat(user("hi")).raw, City)
    assert provider.calls == 4
    assert spent(budget, ledger) == sum(call.usd or 0 for call in provider.log[:3])
    assert all("lc_costkit" not in str(call.body) for call in provider.log)
    assert llm.metadata == plain.metadata


def test_a_streamed_structure_is_counted(provider: FakeProvider, make_llama_llm: Make, ledger: Ledger) -> None:
    budget = Budget(usd=1)
    llm = budgeted_llm(make_llama_llm(), budget, ledger)
    assert list(llm.stream_structured_predict(City, PromptTemplate("Where is {name}?"), name="Ann"))
    assert spent(budget, ledger) == provider.billed_usd > 0


async def test_each_shape_of_anthropics_reports_is_counted_as_billed(provider: FakeProvider, ledger: Ledger) -> None:
    claude = AnthropicFunctionLLM(model="claude-sonnet-4-6", base_url=provider.anthropic_base_url)
    budget = Budget(usd=5)
    llm = budgeted_llm(claude, budget, ledger)
    control = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    with instrument(ledger):
        for number in range(2):
            system = ChatMessage(role="system", content=f"You help {number}. " * 1_500, additional_kwargs=control)
            for text in ("hi", "and now?"):
                messages = [system, *user(text)]
                llm.chat(messages)
                _ = list(llm.stream_chat(messages))
                await llm.achat(messages)
                _ = [chunk async for chunk in await llm.astream_chat(messages)]
    assert provider.calls == 16
    assert provider.billed_usd > Decimal("0.05")
    assert spent(budget, ledger) == provider.billed_usd == ledger.report().total.usd


# -- engines and agents --------------------------------------------------------------


def index() -> VectorStoreIndex:
    return VectorStoreIndex.from_documents([Document(text="Cards arrive in a week.")], embed_model=MockEmbedding(8))


@pytest.mark.parametrize("streaming", [True, False])
def test_a_query_engine_and_a_chat_engine_stop(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger, streaming: bool
) -> None:
    budget = Budget(calls=2)
    dollars = Budget(usd=1)
    llm = budgeted_llm(make_llama_llm(), [budget, dollars], ledger)
    engine = index().as_query_engine(llm=llm, streaming=streaming)
    with instrument(ledger):
        assert str(engine.query("When does my card arrive?"))
        chat = index().as_chat_engine(llm=llm, chat_mode=ChatMode.CONTEXT, memory=ChatMemoryBuffer.from_defaults())
        assert str(chat.chat("When does my card arrive?"))
        with pytest.raises(BudgetExceeded):
            str(engine.query("When does my card arrive?"))
        with pytest.raises(BudgetExceeded):
            chat.chat("And the PIN?")
    assert provider.calls == 2
    assert spent(budget, ledger) == 2
    assert spent(dollars, ledger) == provider.billed_usd == sum(record.cost.usd for record in chats(ledger))
    assert [record.error for record in chats(ledger)] == [None, None, "BudgetExceeded", "BudgetExceeded"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_streaming_chat_engine_raises_where_its_answer_is_read(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger
) -> None:
    llm = budgeted_llm(make_llama_llm(), Budget(calls=1), ledger)
    chat = index().as_chat_engine(llm=llm, chat_mode=ChatMode.CONTEXT, memory=ChatMemoryBuffer.from_defaults())
    assert "".join(chat.stream_chat("When does my card arrive?").response_gen)
    refused = chat.stream_chat("And the PIN?")  # it asks the LLM on a thread of its own
    with pytest.raises(BudgetExceeded):
        list(refused.response_gen)
    assert provider.calls == 1


async def test_an_asynchronous_query_engine_stops(provider: FakeProvider, make_llama_llm: Make, ledger: Ledger) -> None:
    llm = budgeted_llm(make_llama_llm(), Budget(calls=1), ledger)
    engine = index().as_query_engine(llm=llm)
    assert str(await engine.aquery("When does my card arrive?"))
    with pytest.raises(BudgetExceeded):
        await engine.aquery("When does my card arrive?")
    assert provider.calls == 1


@WORKFLOWS
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("workflow", [True, False])
async def test_a_function_agent_stops_and_its_error_can_be_caught(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger, streaming: bool, workflow: bool
) -> None:
    calls, dollars = Budget(calls=3), Budget(usd=1)
    llm: Any = budgeted_llm(make_llama_llm(), [calls, dollars], ledger)
    agent: Any = FunctionAgent(tools=[WEATHER], llm=llm, streaming=streaming, name="one")
    runner = AgentWorkflow(agents=[agent]) if workflow else agent
    with instrument(ledger):
        answer = await runner.run("use weather")
        assert [call.tool_name for call in answer.tool_calls] == ["weather"]
        with pytest.raises(BudgetExceeded) as raised:  # in the middle: after the tool was called
            await runner.run("use weather")
        with pytest.raises(BudgetExceeded):
            await runner.run("use weather")
    assert (raised.value.limit, raised.value.spent, raised.value.unit) == (3, 3, "calls")
    assert provider.calls == spent(calls, ledger) == 3
    assert spent(dollars, ledger) == provider.billed_usd == ledger.report().total.usd


@WORKFLOWS
async def test_a_tool_that_is_refused_tells_the_agent_which_is_refused_itself(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger
) -> None:
    llm: Any = budgeted_llm(make_llama_llm(), Budget(calls=1), ledger)

    def search(query: str) -> str:
        """Search."""
        return str(llm.complete(query))

    agent = FunctionAgent(tools=[FunctionTool.from_defaults(search)], llm=llm, streaming=False)
    with pytest.raises(BudgetExceeded):
        await agent.run("use search")
    assert provider.calls == 1


# -- whose allowance -----------------------------------------------------------------


def test_tags_say_whose_allowance_it_is(provider: FakeProvider, make_llama_llm: Make, ledger: Ledger) -> None:
    mine = Budget(calls=1, scope={"user": "*"})
    llm = budgeted_llm(make_llama_llm(), mine, ledger)
    with instrument(ledger):
        for name in ("ann", "bob"):
            with instrument_tags({"user": name, "feature": "chat", "tier": "free"}):
                llm.chat(user("hi"))
        with instrument_tags({"user": "ann", "feature": "chat", "tier": "free"}), pytest.raises(BudgetExceeded) as no:
            llm.chat(user("hi"))
    assert no.value.scope == {"user": "ann"}
    assert provider.calls == 2
    refused = chats(ledger)[-1]
    assert (refused.error, refused.cost.usd, refused.cost.basis) == ("BudgetExceeded", 0, "exact")
    assert (refused.user, refused.feature, refused.metadata["tier"]) == ("ann", "chat", "free")
    assert (refused.model_asked, refused.provider, refused.operation) == ("gpt-4o-mini", "openai", "chat")
    assert refused.question_hash == chats(ledger)[0].question_hash


def test_a_budget_may_be_for_a_model_alone(provider: FakeProvider, make_llama_llm: Make, ledger: Ledger) -> None:
    large_only = Budget(calls=0, scope={"model": "gpt-4o"})
    llm = budgeted_llm(make_llama_llm(), large_only, ledger)
    llm.chat(user("hi"))
    with pytest.raises(BudgetExceeded):
        llm.chat(user("hi"), model="gpt-4o")
    assert provider.calls == 1


def test_a_refusal_says_so_in_an_event(make_llama_llm: Make, ledger: Ledger, seen: Seen) -> None:
    llm = budgeted_llm(make_llama_llm(), Budget(calls=0), ledger)
    with pytest.raises(BudgetExceeded) as no:
        llm.stream_complete("Why?")
    (event,) = seen.of(BudgetExceededEvent)
    assert (event.error, event.message, event.model) == ("BudgetExceeded", str(no.value), "gpt-4o-mini")
    assert (event.operation, event.streamed, event.question) == ("completion", True, "Why?")
    assert seen.of(LLMChatStartEvent, LLMCompletionStartEvent) == []


# -- what is free --------------------------------------------------------------------


class AtHome(MockLLM):
    """A model that runs on a machine of one's own."""

    model: str = "at-home"


def test_a_free_model_passes_a_spent_budget_and_an_unpriced_one_does_not(ledger: Ledger) -> None:
    free = PriceBook(overrides={"at-home": ModelPrice(input_per_million=0, output_per_million=0)})
    spent_up = Budget(usd=0)
    llm = budgeted_llm(AtHome(max_tokens=3), spent_up, ledger, prices=free)
    assert isinstance(llm, BudgetedLLM)
    assert not isinstance(llm, FunctionCallingLLM)
    assert llm.complete("hi").text == "text text text"
    assert llm.chat(user("hi")).message.content
    assert [chunk.text for chunk in llm.stream_complete("hi")]
    assert spent(spent_up, ledger) == 0


def test_an_unpriced_model_is_refused_unless_let_through(ledger: Ledger) -> None:
    with pytest.raises(BudgetExceeded, match="no price is known"):
        budgeted_llm(MockLLM(), Budget(usd=5), ledger).complete("hi")
    through = budgeted_llm(MockLLM(max_tokens=2), Budget(usd=5, name="b", allow_unpriced=True), ledger)
    assert through.complete("hi").text == "text text"


async def test_hits_of_a_cache_pass_a_spent_budget(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger
) -> None:
    with Cache() as cache:
        plain = cached_llm(make_llama_llm(), cache)
        stored = plain.chat(user("How do I reset my password?")).message.content
        inside = budgeted_llm(plain, Budget(calls=0, name="inside"), ledger)
        around: Any = cached_llm(budgeted_llm(make_llama_llm(), Budget(calls=0, name="around"), ledger), cache)
        assert isinstance(inside, CachedFunctionCallingLLM)
        for llm in (inside, around):
            assert llm.chat(user("How can I reset my password?")).message.content == stored
            assert (await llm.achat(user("How do I reset my password?"))).message.content == stored
            assert [one.delta for one in llm.stream_chat(user("How do I reset my password?"))] == [stored]
            with pytest.raises(BudgetExceeded):
                llm.chat(user("Where is the bank?"))
            with pytest.raises(BudgetExceeded):
                await llm.achat(user("Where is the bank?"))
        assert plain.chat(user("Where is the bank?")).message.content
        assert plain.llm is not inside.llm
        assert cache.stats().faults == {}
    assert provider.calls == 2
    assert Budget(calls=0, name="inside").status(ledger).accounts == ()


def test_misses_of_a_cache_are_counted(provider: FakeProvider, make_llama_llm: Make, ledger: Ledger) -> None:
    budget = Budget(usd=1)
    with Cache() as cache, instrument(ledger):
        llm = budgeted_llm(cached_llm(make_llama_llm(), cache), budget, ledger)
        for _ in range(2):
            llm.chat(user("How do I reset my password?"))
            _ = list(llm.stream_chat(user("Where is the bank?")))
    assert provider.calls == 2
    assert spent(budget, ledger) == provider.billed_usd == ledger.report().total.usd
    assert [record.cache for record in chats(ledger)] == ["miss", "miss", "hit", "hit"]


# -- degrading -----------------------------------------------------------------------


class OtherFormatLLM(OpenAIFunctionLLM):
    """A second integration: it wraps its tools, and its tool calls, in its own way."""

    def _prepare_chat_with_tools(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super()._prepare_chat_with_tools(*args, **kwargs), "user": "other-format"}

    def get_tool_calls_from_response(self, response: Any, *args: Any, **kwargs: Any) -> list[Any]:
        assert response.raw is None or response.raw["model"].startswith("gpt-4o-mini")
        return super().get_tool_calls_from_response(response, *args, **kwargs)


@pytest.fixture
def cheap(provider: FakeProvider) -> OtherFormatLLM:
    return OtherFormatLLM(model="gpt-4o-mini", base_url=provider.openai_base_url, max_tokens=50)


def strong_only(**options: Any) -> Budget:
    return Budget(calls=0, scope={"model": "gpt-4o"}, **options)


def by(answer: Any) -> object:
    return answer.additional_kwargs.get(MARK, {}).get(BUDGET_KEY, {}).get("answered_by")


async def test_the_cheapest_answers_each_way_of_calling(
    provider: FakeProvider, make_llama_llm: Make, cheap: LLM, ledger: Ledger, seen: Seen
) -> None:
    whole = Budget(usd=1)
    llm = budgeted_llm(make_llama_llm("gpt-4o"), [strong_only(on_exceeded="cheapest"), whole], ledger, cheapest=cheap)
    with instrument(ledger):
        answers: list[Any] = [
            llm.chat(user("hi")),
            await llm.achat(user("hi")),
            *llm.stream_chat(user("hi")),
            *[chunk async for chunk in await llm.astream_chat(user("hi"))],
            llm.complete("hi"),
            await llm.acomplete("hi"),
            *llm.stream_complete("hi"),
            *[chunk async for chunk in await llm.astream_complete("hi")],
        ]
    assert {by(one) for one in answers} == {"OpenAIFunctionLLM gpt-4o-mini"}
    assert {call.model for call in provider.log} == {"gpt-4o-mini"}
    assert provider.calls == 8
    assert spent(whole, ledger) == provider.billed_usd == ledger.report().total.usd
    assert len(chats(ledger)) == 8
    assert seen.of(BudgetExceededEvent) == []


@pytest.mark.parametrize("chosen", [True, False], ids=["cheapest", "function"])
async def test_tools_reach_the_llm_that_stands_in_in_its_own_format(
    provider: FakeProvider, make_llama_llm: Make, cheap: LLM, ledger: Ledger, chosen: bool
) -> None:
    budget = strong_only(on_exceeded="cheapest" if chosen else lambda error: cheap)
    llm: Any = budgeted_llm(make_llama_llm("gpt-4o"), budget, ledger, cheapest=cheap)
    for response in (
        llm.chat_with_tools([WEATHER], user_msg="use weather"),
        await llm.achat_with_tools([WEATHER], user_msg="use weather", chat_history=user("hi")),
    ):
        (call,) = llm.get_tool_calls_from_response(response)
        assert call.tool_name == "weather"
    assert [call.body["user"] for call in provider.log if call.body] == ["other-format"] * 2
    assert {call.model for call in provider.log} == {"gpt-4o-mini"}
    assert all("lc_costkit" not in str(call.body) for call in provider.log)


@WORKFLOWS
@pytest.mark.parametrize("streaming", [True, False])
async def test_an_agent_goes_on_with_the_cheapest(
    provider: FakeProvider, make_llama_llm: Make, cheap: LLM, ledger: Ledger, streaming: bool
) -> None:
    first = Budget(calls=1, scope={"model": "gpt-4o"}, on_exceeded="cheapest")
    dollars = Budget(usd=1)
    llm: Any = budgeted_llm(make_llama_llm("gpt-4o"), [first, dollars], ledger, cheapest=cheap)
    with instrument(ledger):
        agent: Any = FunctionAgent(tools=[WEATHER], llm=llm, streaming=streaming)
        answer = await agent.run("use weather")
    assert [call.tool_name for call in answer.tool_calls] == ["weather"]
    assert [(call.model, (call.body or {}).get("user")) for call in provider.log] == [
        ("gpt-4o", None),
        ("gpt-4o-mini", "other-format"),
    ]
    assert spent(dollars, ledger) == provider.billed_usd == ledger.report().total.usd


@pytest.mark.parametrize(
    "given",
    [
        "Come back tomorrow.",
        ChatMessage("Come back tomorrow.", role="assistant"),
        ChatResponse(message=ChatMessage("Come back tomorrow.", role="assistant")),
        CompletionResponse(text="Come back tomorrow."),
    ],
)
async def test_a_function_may_answer_itself(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger, given: object
) -> None:
    asked: list[BudgetExceeded] = []

    def answer(error: BudgetExceeded) -> object:
        asked.append(error)
        return given

    llm: Any = budgeted_llm(make_llama_llm(), Budget(calls=0, on_exceeded=answer), ledger)
    with instrument(ledger):
        answers: list[Any] = [
            llm.chat(user("hi")),
            await llm.achat(user("hi")),
            *llm.stream_chat(user("hi")),
            *[chunk async for chunk in await llm.astream_chat(user("hi"))],
            llm.complete("hi"),
            await llm.acomplete("hi"),
            *llm.stream_complete("hi"),
            *[chunk async for chunk in await llm.astream_complete("hi")],
            llm.chat_with_tools([WEATHER], user_msg="hi"),
        ]
    assert [type(one) for one in answers] == [ChatResponse] * 4 + [CompletionResponse] * 4 + [ChatResponse]
    assert {str(getattr(one, "text", None) or one.message.content) for one in answers} == {"Come back tomorrow."}
    assert answers[2].delta == "Come back tomorrow."
    assert {by(one) for one in answers} == {"on_exceeded"}
    assert provider.calls == 0
    assert {(error.unit, error.limit) for error in asked} == {("calls", 0)}
    assert llm.get_tool_calls_from_response(answers[-1], error_on_no_tool_call=False) == []
    assert {(record.error, record.cost.usd) for record in chats(ledger)} == {("BudgetExceeded", 0)}


@WORKFLOWS
async def test_an_agent_gives_the_answer_of_a_function(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger
) -> None:
    llm: Any = budgeted_llm(make_llama_llm(), Budget(calls=0, on_exceeded=lambda error: "Come back."), ledger)
    assert str(await FunctionAgent(tools=[WEATHER], llm=llm).run("use weather")) == "Come back."
    assert provider.calls == 0


def test_a_function_that_chooses_a_model_that_is_refused_ends(
    provider: FakeProvider, make_llama_llm: Make, cheap: LLM, ledger: Ledger
) -> None:
    chosen: list[LLM] = []

    def choose(error: BudgetExceeded) -> LLM:
        chosen.append(llm if len(chosen) % 2 else cheap)
        return chosen[-1]

    llm = budgeted_llm(make_llama_llm("gpt-4o"), Budget(calls=0, on_exceeded=choose), ledger)
    for _ in range(2):
        with pytest.raises(BudgetExceeded):
            llm.chat(user("hi"))
    assert provider.calls == 0


def test_a_function_that_gives_something_else_is_told(make_llama_llm: Make, ledger: Ledger) -> None:
    llm = budgeted_llm(make_llama_llm(), Budget(calls=0, on_exceeded=lambda error: 42), ledger)
    with pytest.raises(BudgetExceeded, match="its on_exceeded returned 42; return a text"):
        llm.chat(user("hi"))


def test_no_cache_keeps_what_another_answered(
    provider: FakeProvider, make_llama_llm: Make, cheap: LLM, ledger: Ledger
) -> None:
    question = user("How do I reset my password?")
    with Cache() as cache:
        for name, reaction in (("a", "cheapest"), ("b", lambda error: "Come back."), ("c", lambda error: cheap)):
            budget = strong_only(name=name, on_exceeded=reaction)
            llm = budgeted_llm(cached_llm(make_llama_llm("gpt-4o"), cache), budget, ledger, cheapest=cheap)
            llm.chat(question)
            _ = list(llm.stream_chat(question))
        assert cached_llm(make_llama_llm("gpt-4o"), cache).chat(question)
        assert provider.log[-1].model == "gpt-4o"
        assert cache.stats().faults == {}


def test_past_the_soft_limit_the_cheapest_answers(
    provider: FakeProvider, make_llama_llm: Make, cheap: LLM, ledger: Ledger
) -> None:
    budget = Budget(calls=4, soft=0.5, on_soft="cheapest")
    llm = budgeted_llm(make_llama_llm("gpt-4o"), budget, ledger, cheapest=cheap)
    for _ in range(4):
        llm.chat(user("hi"))
    assert [call.model for call in provider.log] == ["gpt-4o", "gpt-4o", "gpt-4o-mini", "gpt-4o-mini"]
    with pytest.raises(BudgetExceeded):
        llm.chat(user("hi"))
    assert spent(budget, ledger) == 4


# -- routed --------------------------------------------------------------------------


def routed(make: Make) -> RoutedFunctionCallingLLM:
    made = routed_llm({"small": make("gpt-4o-mini"), "large": make("gpt-4o")})
    assert isinstance(made, RoutedFunctionCallingLLM)
    return made


def test_targets_share_one_gate_and_the_first_is_the_cheapest(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger
) -> None:
    plain = routed(make_llama_llm)
    dollars = Budget(usd=1)
    llm = budgeted_llm(plain, [strong_only(on_exceeded="cheapest"), dollars], ledger)
    assert isinstance(llm, RoutedFunctionCallingLLM)
    with instrument(ledger):
        assert by(llm.chat(user("hi"))) is None
        assert by(llm.chat(user(HARD))) == "OpenAIFunctionLLM gpt-4o-mini"
        assert by(llm.complete(HARD)) == "OpenAIFunctionLLM gpt-4o-mini"
    assert [call.model for call in provider.log] == ["gpt-4o-mini"] * 3
    assert spent(dollars, ledger) == provider.billed_usd == ledger.report().total.usd
    assert "route" not in ledger.report().total.saved_by_part or chats(ledger)[1].saved == ()
    plain.chat(user(HARD))
    assert provider.log[-1].model == "gpt-4o"
    assert spent(dollars, ledger) < provider.billed_usd


def test_the_cheapest_target_itself_is_refused_in_the_end(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger
) -> None:
    llm = budgeted_llm(routed(make_llama_llm), Budget(calls=1, on_exceeded="cheapest"), ledger)
    llm.chat(user("hi"))
    for text in ("hi", HARD):
        with pytest.raises(BudgetExceeded):
            llm.chat(user(text))
    assert provider.calls == 1


def test_a_cheapest_target_past_the_soft_limit_is_not_called_another(make_llama_llm: Make, ledger: Ledger) -> None:
    budget = Budget(calls=4, soft=0.25, on_soft="cheapest")
    llm = budgeted_llm(routed(make_llama_llm), budget, ledger)
    assert [by(llm.chat(user("hi"))) for _ in range(3)] == [None] * 3


def test_a_cached_routed_llm_is_guarded_inside(provider: FakeProvider, make_llama_llm: Make, ledger: Ledger) -> None:
    with Cache() as cache:
        budget = Budget(calls=1, on_exceeded="cheapest")
        llm = budgeted_llm(cached_llm(routed(make_llama_llm), cache), budget, ledger)
        for _ in range(3):
            llm.chat(user("How do I reset my password?"))
        with pytest.raises(BudgetExceeded):
            llm.chat(user("Where is the bank?"))
    assert provider.calls == spent(budget, ledger) == 1


@WORKFLOWS
async def test_an_agent_with_a_routed_llm_degrades(
    provider: FakeProvider, make_llama_llm: Make, cheap: LLM, ledger: Ledger
) -> None:
    plain = routed_llm({"small": cheap, "large": make_llama_llm("gpt-4o")})
    llm: Any = budgeted_llm(plain, strong_only(on_exceeded="cheapest"), ledger)
    agent: Any = FunctionAgent(tools=[WEATHER], llm=llm)
    answer = await agent.run(f"{HARD} Use weather.")
    assert [call.tool_name for call in answer.tool_calls] == ["weather"]
    assert [(call.body or {}).get("user") for call in provider.log] == ["other-format"] * 2


# -- modes ---------------------------------------------------------------------------


def test_rate_limits_wait(provider: FakeProvider, make_llama_llm: Make, ledger: Ledger) -> None:
    llm = budgeted_llm(make_llama_llm(), RateLimit(requests=1, max_wait=0.05), ledger)
    llm.chat(user("hi"))
    with pytest.raises(BudgetExceeded):
        llm.chat(user("hi"))
    assert provider.calls == 1


def test_observing_counts_and_stops_nothing(
    provider: FakeProvider, make_llama_llm: Make, cheap: LLM, ledger: Ledger
) -> None:
    budget = Budget(usd="0.000001", mode="observe", on_exceeded="cheapest")
    llm = budgeted_llm(make_llama_llm(), budget, ledger, cheapest=cheap)
    for _ in range(3):
        assert by(llm.chat(user("hi"))) is None
    assert provider.calls == 3
    assert spent(budget, ledger) == provider.billed_usd > Decimal("0.000001")


async def test_switched_off_nothing_is_counted_nor_stopped(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DISABLE_VARIABLE, "1")
    llm: Any = budgeted_llm(make_llama_llm(), Budget(calls=0), ledger)
    llm.chat(user("hi"))
    await llm.achat(user("hi"))
    stream: ChatResponseGen = llm.stream_chat(user("hi"))
    assert list(stream)
    assert [chunk async for chunk in await llm.astream_chat_with_tools([WEATHER], user_msg="hi")]
    assert provider.calls == 4
    assert Budget(calls=0).status(ledger).accounts == ()


def test_gates_may_be_nested(provider: FakeProvider, make_llama_llm: Make, ledger: Ledger) -> None:
    outer, inner = Budget(usd=1, name="outer"), Budget(calls=1, name="inner")
    llm = budgeted_llm(budgeted_llm(make_llama_llm(), inner, ledger), outer, ledger)
    llm.chat(user("hi"))
    with pytest.raises(BudgetExceeded, match="inner"):
        llm.chat(user("hi"))
    assert spent(outer, ledger) == provider.billed_usd


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"llm": "gpt-4o"}, "llm must be a LlamaIndex LLM, not 'gpt-4o'"),
        ({"llm": None}, "llm must be a LlamaIndex LLM"),
        ({"cheapest": "gpt-4o-mini"}, "cheapest must be a LlamaIndex LLM, not 'gpt-4o-mini'"),
        ({"budgets": []}, "budgets is empty"),
        ({"budgets": Budget(calls=1, on_exceeded="cheapest")}, "cheapest"),
        ({"ledger": "costkit.db"}, "ledger must be a Ledger"),
    ],
)
def test_bad_input_is_refused_at_construction(ledger: Ledger, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        budgeted_llm(**{"llm": MockLLM(), "budgets": Budget(usd=1), "ledger": ledger, **arguments})


def test_a_cheapest_without_tools_is_refused_for_an_llm_with_them(make_llama_llm: Make, ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="cheapest must call tools, as llm does; MockLLM"):
        budgeted_llm(make_llama_llm(), Budget(usd=1), ledger, cheapest=MockLLM())


# -- all of it at once ---------------------------------------------------------------


@WORKFLOWS
async def test_an_agent_with_a_query_engine_over_a_cached_routed_llm_stays_on_the_bill(
    provider: FakeProvider, make_llama_llm: Make, ledger: Ledger
) -> None:
    calls = Budget(calls=4, scope={"user": "*"})
    dollars = Budget(usd=1, per="day", scope={"user": "*"})
    with Cache() as cache, instrument(ledger):
        llm: Any = budgeted_llm(cached_llm(routed(make_llama_llm), cache), [calls, dollars], ledger)
        search = QueryEngineTool.from_defaults(index().as_query_engine(llm=llm), name="search", description="Finds.")
        agent: Any = FunctionAgent(tools=[search, WEATHER], llm=llm)
        with instrument_tags({"user": "ann"}):
            await agent.run("use search")
            ran = provider.calls
            with pytest.raises(BudgetExceeded):
                for number in range(5):
                    await agent.run(f"use weather {number}")
        with instrument_tags({"user": "bob"}):
            assert await agent.run("use weather")
        assert cache.stats().faults == {}
    assert ran == 3
    by_user = {account.scope["user"]: account for account in calls.status().accounts}
    assert by_user["ann"].spent == 4
    assert provider.calls == by_user["ann"].spent + by_user["bob"].spent
    assert spent(dollars, ledger) == provider.billed_usd
    assert sum(record.cost.usd for record in chats(ledger)) == provider.billed_usd
