"""Is a dear LLM asked only where a cheap one was not good enough, and is nobody given what was thrown away?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest
from llama_index.core import Document, MockEmbedding, PromptTemplate, VectorStoreIndex
from llama_index.core.agent.workflow import AgentStream, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMCompletionEndEvent,
    LLMCompletionInProgressEvent,
)
from llama_index.core.llms import LLM, MockLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import instrument_tags
from pydantic import BaseModel, Field

from lc_costkit.budget.budget import Budget
from lc_costkit.cache import Cache
from lc_costkit.errors import BudgetExceeded, ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index import budgeted_llm, cached_llm, cascade_llm, instrument, routed_llm
from lc_costkit.llama_index.cascade import CascadeLLM
from lc_costkit.llama_index.routed import RouteEvent
from lc_costkit.marks import MARK, ROUTE_KEY, RouteMark
from lc_costkit.routing import Answer, RouteRequest, Rules, Verdict
from lc_costkit.routing.answer import PASSED, failed
from lc_costkit.routing.checks import SelfConsistent, complete
from lc_costkit.switch import DISABLE_VARIABLE
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall, Fault
from tests.llama_index.support import spent
from tests.support.llama_anthropic import AnthropicFunctionLLM
from tests.support.llama_openai import OpenAIFunctionLLM

CHEAP, STRONG = "gpt-4o-mini", "claude-sonnet-4-6"
GOOD = "Berlin is the capital."
HELLO = [ChatMessage("What is the capital?")]
HARD = "Prove that there are infinitely many primes."
WORKFLOWS = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""LlamaIndex's workflows use what pydantic has deprecated."""

Make = Callable[..., OpenAIFunctionLLM]


class Script:
    """What the cheap model says; the strong one is right."""

    def __init__(self) -> None:
        self.cheap: Any = lambda request: "I am sorry, but I cannot help with that."
        self.asked: list[FakeRequest] = []

    def __call__(self, request: FakeRequest) -> Any:
        self.asked.append(request)
        if request.model == CHEAP:
            return self.cheap(request)
        tool = next((tool for tool in request.tools if tool.name == "City"), None)
        if tool is not None:
            return FakeAnswer(tool_calls=(FakeToolCall(name="City", arguments={"name": "Berlin"}),))
        if request.tools and not any(message.role == "tool" for message in request.messages):
            return FakeAnswer(tool_calls=(FakeToolCall(name="weather", arguments={"city": "Berlin"}),))
        return GOOD


class Watcher(BaseEventHandler):
    """Keeps all events."""

    events: list[BaseEvent] = Field(default_factory=list)

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        self.events.append(event)

    def of(self, *kinds: type[BaseEvent]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]


def weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


WEATHER = FunctionTool.from_defaults(weather)


class City(BaseModel):
    """A city."""

    name: str


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def provider(script: Script) -> Iterator[FakeProvider]:
    with FakeProvider(answer=script) as running:
        yield running


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    handler = Watcher()
    root = get_dispatcher()
    root.add_event_handler(handler)
    yield handler
    root.event_handlers.remove(handler)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as made, instrument(made):
        yield made


@pytest.fixture
def targets(provider: FakeProvider, make_llama_llm: Make) -> dict[str, LLM]:
    return {
        "cheap": make_llama_llm(CHEAP),
        "strong": AnthropicFunctionLLM(model=STRONG, base_url=provider.anthropic_base_url),
    }


@pytest.fixture
def llm(targets: dict[str, LLM]) -> Any:
    return cascade_llm(targets)


async def drained(stream: Any) -> Any:
    return [chunk async for chunk in await stream]


async def finished(answer: Any) -> Any:
    return await answer if hasattr(answer, "__await__") else answer


def text_of(answer: Any) -> str:
    last = answer[-1] if isinstance(answer, list) else answer
    return str(getattr(last, "text", None) or last.message.content)


def route_of(answer: Any) -> dict[str, Any]:
    last = answer[-1] if isinstance(answer, list) else answer
    route = last.additional_kwargs[MARK][ROUTE_KEY]
    assert isinstance(route, dict)
    return route


def asked(provider: FakeProvider) -> list[str | None]:
    return [call.model for call in provider.log]


WAYS: list[Callable[[Any], Any]] = [
    lambda llm: llm.chat(HELLO),
    lambda llm: llm.complete("What is the capital?"),
    lambda llm: list(llm.stream_chat(HELLO)),
    lambda llm: list(llm.stream_complete("What is the capital?")),
    lambda llm: llm.achat(HELLO),
    lambda llm: llm.acomplete("What is the capital?"),
    lambda llm: drained(llm.astream_chat(HELLO)),
    lambda llm: drained(llm.astream_complete("What is the capital?")),
]


# -- every way of calling ------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_a_draft_that_is_not_good_enough_is_seen_by_nobody(
    llm: Any, provider: FakeProvider, ledger: Ledger, watcher: Watcher, way: Callable[[Any], Any]
) -> None:
    answer = await finished(way(llm))
    assert text_of(answer) == GOOD
    for chunk in answer if isinstance(answer, list) else [answer]:
        assert "sorry" not in str(chunk)
    assert asked(provider) == [CHEAP, STRONG]
    route = route_of(answer)
    assert (route["target"], len(route["attempts"])) == ("strong", 2)
    assert route["reasons"][0].startswith("cheap was not good enough: it declines")
    assert [one["passed"] for one in route["attempts"]] == [False, None]
    for event in watcher.of(LLMChatInProgressEvent, LLMCompletionInProgressEvent):
        assert "sorry" not in str(event.response)
    ends = watcher.of(LLMChatEndEvent, LLMCompletionEndEvent)
    marks = [RouteMark.from_dict(event.tags[MARK][ROUTE_KEY]) for event in ends if MARK in event.tags]
    if not isinstance(answer, list):
        assert [(mark.target, mark.part, mark.attempt, mark.rejected) for mark in marks if mark] == [
            ("cheap", "cascade", 1, 0),
            ("strong", "cascade", 2, 1),
        ]


@pytest.mark.parametrize("way", WAYS)
async def test_all_attempts_are_metered_in_one_trace_as_billed(
    llm: Any, provider: FakeProvider, ledger: Ledger, watcher: Watcher, way: Callable[[Any], Any]
) -> None:
    with instrument_tags({"user": "u42", "feature": "help"}):
        await finished(way(llm))
    records = list(ledger.records())
    assert [record.route for record in records] == ["cheap", "strong"]
    assert {(record.user, record.feature) for record in records} == {("u42", "help")}
    assert len({record.trace_id for record in records}) == 1
    assert sum(record.cost.usd or 0 for record in records) == provider.billed_usd > 0
    marks = [RouteMark.from_dict(event.mark) for event in watcher.of(RouteEvent)]
    assert len({mark.request for mark in marks if mark}) == 1
    assert [mark.baseline_model for mark in marks if mark] == [STRONG] * 2


@pytest.mark.parametrize("way", WAYS)
async def test_a_draft_that_passes_is_the_answer(
    llm: Any, provider: FakeProvider, script: Script, way: Callable[[Any], Any]
) -> None:
    script.cheap = lambda request: "Bonn was it, and Berlin is."
    answer = await finished(way(llm))
    assert text_of(answer) == "Bonn was it, and Berlin is."
    if isinstance(answer, list):
        assert [chunk.delta for chunk in answer] == ["Bonn was it, and Berlin is."]
    assert asked(provider) == [CHEAP]
    assert route_of(answer)["attempts"] == [{"target": "cheap", "passed": True}]


async def test_requests_at_once_do_not_mix(
    llm: Any, provider: FakeProvider, script: Script, ledger: Ledger, watcher: Watcher
) -> None:
    script.cheap = lambda request: f"It is {request.question}." if "even" in request.question else ""
    asked_for = [f"{number} {'even' if number % 2 == 0 else 'odd'}" for number in range(16)]
    streams = [drained(llm.astream_chat([ChatMessage(text)])) for text in asked_for[:8]]
    wholes = [llm.achat([ChatMessage(text)]) for text in asked_for[8:]]
    answers = await asyncio.gather(*streams, *wholes)
    for text, answer in zip(asked_for, answers, strict=True):
        assert text_of(answer) == (f"It is {text}." if "even" in text else GOOD)
        assert route_of(answer)["target"] == ("cheap" if "even" in text else "strong")
    records = list(ledger.records())
    assert len(records) == provider.calls == 24
    assert sum(record.cost.usd or 0 for record in records) == provider.billed_usd
    traces = [record.trace_id for record in records]
    assert sorted(traces.count(trace) for trace in set(traces)) == [1] * 8 + [2] * 8
    assert len({event.mark["request"] for event in watcher.of(RouteEvent)}) == 16


async def test_the_last_targets_answer_is_streamed_as_it_is_made() -> None:
    def answer(request: FakeRequest) -> str:
        return "" if request.model == CHEAP else "one two three four"

    with FakeProvider(answer=answer, chunk_seconds=0.02) as provider:
        url = provider.openai_base_url
        llm = cascade_llm(
            {"a": OpenAIFunctionLLM(model=CHEAP, base_url=url), "b": OpenAIFunctionLLM(base_url=url, model="gpt-4o")}
        )
        stream = llm.stream_chat(HELLO)
        assert next(stream) is not None
        assert asked(provider) == [CHEAP]
        rest = list(stream)
        assert rest[-1].message.content == "one two three four"
        assert {route_of(chunk)["target"] for chunk in rest} == {"b"}


async def test_a_stream_may_come_from_the_target_that_a_policy_names(
    targets: dict[str, LLM], provider: FakeProvider
) -> None:
    llm = cascade_llm(targets, stream_first=True)
    assert "sorry" in text_of(list(llm.stream_chat(HELLO)))
    assert text_of(await drained(llm.astream_complete(HARD))) == GOOD
    assert text_of(llm.chat(HELLO)) == GOOD
    assert asked(provider) == [CHEAP, STRONG, CHEAP, STRONG]


# -- tools and schemas ---------------------------------------------------------------------------

TOOL_WAYS: list[Callable[[Any], Any]] = [
    lambda llm: llm.chat_with_tools([WEATHER], user_msg="How is it in Berlin?", tool_required=True),
    lambda llm: list(llm.stream_chat_with_tools([WEATHER], user_msg="How is it?", tool_required=True))[-1],
    lambda llm: llm.achat_with_tools([WEATHER], user_msg="How is it in Berlin?", tool_required=True),
]


@pytest.mark.parametrize("way", TOOL_WAYS)
async def test_each_attempt_gets_tools_in_its_own_format(
    llm: Any, provider: FakeProvider, way: Callable[[Any], Any]
) -> None:
    assert isinstance(llm, FunctionCallingLLM)
    answer = await finished(way(llm))
    assert asked(provider) == [CHEAP, STRONG]
    first, second = (call.body or {} for call in provider.log)
    assert "function" in first["tools"][0]
    assert "input_schema" in second["tools"][0]
    assert all("lc_costkit" not in str(body) for body in (first, second))
    if answer.message.additional_kwargs:  # the Anthropic client of the tests reads no tools of a stream
        (call,) = llm.get_tool_calls_from_response(answer)
        assert (call.tool_name, call.tool_kwargs) == ("weather", {"city": "Berlin"})


def test_a_draft_without_the_tool_that_is_required_is_not_good_enough(
    llm: Any, script: Script, provider: FakeProvider
) -> None:
    script.cheap = lambda request: "It is fine there."
    answer = llm.chat_with_tools([WEATHER], user_msg="How is it?", tool_required=True)
    assert route_of(answer)["attempts"][0]["reasons"] == ["it calls no tool, and one is required"]
    assert asked(provider) == [CHEAP, STRONG]
    llm.chat_with_tools([WEATHER], user_msg="How is it?")
    assert asked(provider) == [CHEAP, STRONG, CHEAP]


async def test_checks_see_the_tools_a_draft_calls(targets: dict[str, LLM], script: Script) -> None:
    seen: list[tuple[RouteRequest, Answer]] = []

    def check(request: RouteRequest, answer: Answer) -> Verdict:
        seen.append((request, answer))
        return PASSED

    script.cheap = lambda request: FakeAnswer(tool_calls=(FakeToolCall(name="weather", arguments={"city": "Rome"}),))
    llm: Any = cascade_llm(targets, [check])
    answer = llm.chat_with_tools([WEATHER], user_msg="How is it?")
    (call,) = llm.get_tool_calls_from_response(answer)
    assert call.tool_kwargs == {"city": "Rome"}
    ((request, draft),) = seen
    assert [(one.name, one.arguments) for one in draft.tool_calls] == [("weather", {"city": "Rome"})]
    assert (draft.target, draft.finish_reason, request.tools) == ("cheap", "tool_calls", ("weather",))


@pytest.mark.parametrize("arguments", [{"name": ["Rome"]}, {}, None])
async def test_a_draft_that_breaks_the_schema_is_not_good_enough(
    llm: Any, script: Script, provider: FakeProvider, arguments: Any
) -> None:
    script.cheap = lambda request: (
        "Rome" if arguments is None else FakeAnswer(tool_calls=(FakeToolCall(name="City", arguments=arguments),))
    )
    prompt = PromptTemplate("What is the capital of {land}?")
    cities = [
        llm.structured_predict(City, prompt, land="Germany"),
        await llm.astructured_predict(City, prompt, land="Germany"),
        llm.as_structured_llm(City).chat(HELLO).raw,
        (await llm.as_structured_llm(City).achat(HELLO)).raw,
    ]
    assert cities == [City(name="Berlin")] * 4
    assert asked(provider) == [CHEAP, STRONG] * 4


def test_the_reason_tells_what_is_wrong_with_a_structure(llm: Any, script: Script, watcher: Watcher) -> None:
    for said in (FakeAnswer(tool_calls=(FakeToolCall(name="City", arguments={}),)), "Rome"):
        script.cheap = lambda request, said=said: said
        llm.structured_predict(City, PromptTemplate("What is the capital?"))
    assert [event.mark["reasons"][:1] for event in watcher.of(RouteEvent)] == [
        [],
        ["cheap was not good enough: it does not parse (ValidationError)"],
        [],
        ["cheap was not good enough: it does not answer in the schema"],
    ]


@pytest.mark.parametrize("on_error", ["next", "raise"])
async def test_structured_llms_are_targets(
    targets: dict[str, LLM], script: Script, provider: FakeProvider, ledger: Ledger, on_error: Any
) -> None:
    script.cheap = lambda request: FakeAnswer(tool_calls=(FakeToolCall(name="City", arguments={}),))
    structured = {name: target.as_structured_llm(City) for name, target in targets.items()}
    llm = cascade_llm(structured, [complete], on_error=on_error)
    assert llm.chat(HELLO).raw == (await llm.achat(HELLO)).raw == City(name="Berlin")
    assert asked(provider) == [CHEAP, STRONG] * 2
    assert not llm.faults.counts
    assert sum(record.cost.usd or 0 for record in ledger.records()) == provider.billed_usd > 0
    script.cheap = lambda request: FakeAnswer(tool_calls=(FakeToolCall(name="City", arguments={"name": "Rome"}),))
    assert llm.chat(HELLO).raw == City(name="Rome")


def test_a_draft_in_the_schema_is_accepted(llm: Any, script: Script, provider: FakeProvider) -> None:
    script.cheap = lambda request: FakeAnswer(tool_calls=(FakeToolCall(name="City", arguments={"name": "Rome"}),))
    assert llm.structured_predict(City, PromptTemplate("What is the capital?")) == City(name="Rome")
    (streamed,) = list(llm.stream_structured_predict(City, PromptTemplate("What is the capital?")))
    assert streamed.name == "Rome"
    assert asked(provider) == [CHEAP] * 2


@WORKFLOWS
@pytest.mark.parametrize("streaming", [True, False])
async def test_a_function_agent_runs_through_it(
    targets: dict[str, LLM], provider: FakeProvider, script: Script, ledger: Ledger, streaming: bool
) -> None:
    def cheap(request: FakeRequest) -> Any:
        if any(message.role == "tool" for message in request.messages):
            return "I cannot help with that."
        return FakeAnswer(tool_calls=(FakeToolCall(name="weather", arguments={"city": "Rome"}),))

    script.cheap = cheap
    # Both speak one provider's format: an agent's memory keeps tool calls as they were written.
    url = provider.openai_base_url
    llm = cascade_llm({"cheap": targets["cheap"], "strong": OpenAIFunctionLLM(model="gpt-4o", base_url=url)})
    agent = FunctionAgent(tools=[WEATHER], llm=llm, streaming=streaming)
    handler = agent.run("How is it in Rome?")
    streamed = [event async for event in handler.stream_events() if isinstance(event, AgentStream)]
    answer: Any = await handler
    assert str(answer) == GOOD
    assert [call.tool_kwargs for call in answer.tool_calls] == [{"city": "Rome"}]
    assert asked(provider) == [CHEAP, CHEAP, "gpt-4o"]
    assert all("cannot" not in event.response for event in streamed)
    assert bool(streamed) == streaming
    assert sum(record.cost.usd or 0 for record in ledger.records()) == provider.billed_usd > 0
    assert len({record.trace_id for record in ledger.records()}) == 1


def test_a_query_engine_runs_through_it(llm: Any, provider: FakeProvider) -> None:
    index = VectorStoreIndex.from_documents([Document(text="Cards arrive in a week.")], embed_model=MockEmbedding(8))
    assert str(index.as_query_engine(llm=llm).query("When does my card arrive?")) == GOOD
    assert asked(provider) == [CHEAP, STRONG]


# -- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [*WAYS[:2], *TOOL_WAYS[:1]])
async def test_a_draft_may_be_passed_on(targets: dict[str, LLM], script: Script, way: Callable[[Any], Any]) -> None:
    await finished(way(cascade_llm(targets, pass_draft=True)))
    first, second = script.asked
    assert "Another model answered" not in str(first.messages)
    assert "I am sorry, but I cannot help with that." in str(second.messages[-1].text)
    assert "This was not accepted (cheap was not good enough: it " in second.messages[-1].text
    assert second.messages[-1].role == "user"
    assert ("capital" in str(second.messages)) or ("How is it in Berlin?" in str(second.messages))


def test_a_limit_keeps_the_draft(targets: dict[str, LLM], provider: FakeProvider) -> None:
    answer = cascade_llm(targets, max_seconds=0).chat(HELLO)
    assert "sorry" in text_of(answer)
    assert route_of(answer)["stopped"] == "the limit of 0 s is reached"
    answer = cascade_llm(targets, max_usd="0.00001").chat(HELLO)
    assert "sorry" in text_of(answer)
    assert "0.00001 USD" in route_of(answer)["stopped"]
    assert text_of(cascade_llm(targets, max_usd=1).chat(HELLO)) == GOOD
    assert asked(provider) == [CHEAP, CHEAP, CHEAP, STRONG]


async def test_samples_are_counted_against_the_limit_and_come_from_no_cache(
    targets: dict[str, LLM], provider: FakeProvider, ledger: Ledger, script: Script, watcher: Watcher
) -> None:
    numbers = iter(["4", "4", "4", "5", "6", "7"])
    script.cheap = lambda request: next(numbers)
    targets["cheap"] = cached_llm(targets["cheap"], Cache())
    llm = cascade_llm(targets, [complete, SelfConsistent(samples=2)])
    assert text_of(llm.chat(HELLO)) == "4"
    assert text_of(await llm.achat([ChatMessage("And another one?")])) == GOOD
    assert asked(provider) == [CHEAP] * 6 + [STRONG]
    records = list(ledger.records())
    assert sum(record.cost.usd or 0 for record in records) == provider.billed_usd > 0
    assert [record.route for record in records] == ["cheap", None, None, "cheap", None, None, "strong"]
    assert len({record.trace_id for record in records}) == 2
    assert len(watcher.of(RouteEvent)) == 3
    usual = [call.usd or Decimal(0) for call in provider.log]
    # A draft with two samples and the strong call: what fits without the samples does not with them.
    script.cheap = lambda request: str(len(script.asked))
    tight = cascade_llm(targets, [SelfConsistent(samples=2)], max_usd=str(usual[0] * 2))
    answer = tight.chat([ChatMessage("One more?")])
    assert route_of(answer)["stopped"]


def test_a_check_that_raises_sends_the_request_on(targets: dict[str, LLM], provider: FakeProvider) -> None:
    def broken(request: RouteRequest, answer: Answer) -> Verdict:
        raise KeyError("gone")

    llm = cascade_llm(targets, [broken])
    assert text_of(llm.chat(HELLO)) == GOOD
    assert llm.faults.counts == {"check broken: KeyError": 1}
    assert asked(provider) == [CHEAP, STRONG]


class Waits:
    """A check that waits for something."""

    def __call__(self, request: RouteRequest, answer: Answer) -> Verdict:
        raise AssertionError("asynchronous calls await acall")

    async def acall(self, request: RouteRequest, answer: Answer) -> Verdict:
        return failed("it is not good")


async def test_checks_and_policies_that_wait_are_awaited(targets: dict[str, LLM], provider: FakeProvider) -> None:
    async def policy(request: RouteRequest) -> str:
        return "cheap"

    llm: Any = cascade_llm(targets, [Waits()], policy=policy)
    for way in (*WAYS[4:], TOOL_WAYS[2]):
        await finished(way(llm))
    assert asked(provider) == [CHEAP, STRONG] * 5
    assert not llm.faults.counts


def test_a_policy_names_where_to_begin(targets: dict[str, LLM], provider: FakeProvider) -> None:
    llm = cascade_llm(targets, policy=Rules())
    llm.complete("hi")
    llm.complete(HARD)
    assert asked(provider) == [CHEAP, STRONG, STRONG]
    assert llm.explain("hi").target == "cheap"
    assert llm.explain(HARD).target == "strong"


def test_a_policy_that_raises_begins_with_the_strong_target(targets: dict[str, LLM], provider: FakeProvider) -> None:
    def broken(request: RouteRequest) -> str:
        raise KeyError("gone")

    llm = cascade_llm(targets, policy=broken)
    assert text_of(llm.chat(HELLO)) == GOOD
    assert asked(provider) == [STRONG]
    assert llm.faults.counts == {"the routing policy: KeyError": 1}


@pytest.mark.parametrize("name", ["cheap", "strong"])
async def test_the_callers_tag_names_the_only_target(llm: Any, provider: FakeProvider, name: str) -> None:
    with instrument_tags({"route": name}):
        answers = [await finished(way(llm)) for way in WAYS]
    assert asked(provider) == [CHEAP if name == "cheap" else STRONG] * 8
    assert {route_of(answer)["target"] for answer in answers} == {name}


async def test_observe_mode_asks_the_strong_target_alone(
    targets: dict[str, LLM], provider: FakeProvider, watcher: Watcher
) -> None:
    llm = cascade_llm(targets, mode="observe")
    for way in WAYS:
        answer = await finished(way(llm))
        assert MARK not in (answer[-1] if isinstance(answer, list) else answer).additional_kwargs
    assert asked(provider) == [STRONG] * 8
    assert all(event.mark["observed"] and event.mark.get("chosen") is None for event in watcher.of(RouteEvent))


async def test_switched_off_the_strong_target_answers_without_a_mark(
    llm: Any, provider: FakeProvider, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DISABLE_VARIABLE, "1")
    for way in (*WAYS, *TOOL_WAYS):
        answer = await finished(way(llm))
        assert MARK not in (answer[-1] if isinstance(answer, list) else answer).additional_kwargs
    assert asked(provider) == [STRONG] * 11
    assert watcher.of(RouteEvent) == []


# -- failures ------------------------------------------------------------------------------------


def cheap_one(request: FakeRequest) -> bool:
    return request.model == CHEAP


@pytest.mark.parametrize("way", WAYS)
async def test_a_target_that_fails_sends_the_request_on(
    llm: Any, provider: FakeProvider, ledger: Ledger, way: Callable[[Any], Any]
) -> None:
    provider.fail_next(Fault.server_error(), match=cheap_one)
    answer = await finished(way(llm))
    assert text_of(answer) == GOOD
    assert route_of(answer)["attempts"][0] == {"target": "cheap", "passed": None, "error": "InternalServerError"}
    assert llm.faults.counts == {"target 'cheap': InternalServerError": 1}
    assert sum(record.cost.usd or 0 for record in ledger.records()) == provider.billed_usd > 0


@pytest.mark.parametrize("way", WAYS)
async def test_where_the_last_target_fails_the_draft_is_the_answer(
    llm: Any, provider: FakeProvider, way: Callable[[Any], Any]
) -> None:
    provider.fail_next(Fault.overloaded(), match=lambda request: request.model == STRONG)
    answer = await finished(way(llm))
    assert "sorry" in text_of(answer)
    assert route_of(answer)["stopped"].startswith("strong failed")


@pytest.mark.parametrize("way", WAYS)
async def test_where_all_fail_the_error_is_raised(llm: Any, provider: FakeProvider, way: Callable[[Any], Any]) -> None:
    provider.fail_next(Fault.server_error(), times=2)
    with pytest.raises(anthropic.APIStatusError):
        await finished(way(llm))
    assert asked(provider) == [CHEAP, STRONG]


async def test_errors_are_raised_if_asked_for(targets: dict[str, LLM], provider: FakeProvider) -> None:
    llm = cascade_llm(targets, on_error="raise")
    for way in WAYS:
        provider.fail_next(Fault.server_error())
        with pytest.raises(openai.InternalServerError):
            await finished(way(llm))
    assert asked(provider) == [CHEAP] * 8


def test_a_budgets_refusal_is_raised(llm: Any, provider: FakeProvider, ledger: Ledger) -> None:
    budget = Budget(calls=3)
    held: Any = budgeted_llm(llm, budget, ledger)
    assert isinstance(held, CascadeLLM)
    held.chat(HELLO)
    with pytest.raises(BudgetExceeded):
        held.chat(HELLO)
    for way in (*WAYS[:4], *TOOL_WAYS[:2]):
        with pytest.raises(BudgetExceeded):
            way(held)
    assert asked(provider) == [CHEAP, STRONG, CHEAP]
    assert spent(budget, ledger) == 3


def test_what_a_cascade_takes_is_held_to_budgets(llm: Any, provider: FakeProvider, ledger: Ledger) -> None:
    budget = Budget(usd=1)
    held: Any = budgeted_llm(llm, budget, ledger)
    held.chat(HELLO)
    held.chat_with_tools([WEATHER], user_msg="How is it?", tool_required=True)
    list(held.stream_chat(HELLO))
    assert spent(budget, ledger) == provider.billed_usd == ledger.report().total.usd


def test_a_cache_before_it_keeps_what_was_accepted(llm: Any, provider: FakeProvider) -> None:
    cached = cached_llm(llm, Cache())
    assert [text_of(cached.chat(HELLO)) for _ in range(2)] == [GOOD] * 2
    assert asked(provider) == [CHEAP, STRONG]


def test_a_router_before_it(targets: dict[str, LLM], provider: FakeProvider, make_llama_llm: Make) -> None:
    outer: Any = routed_llm({"x": make_llama_llm("gpt-4.1"), "strong": cascade_llm(targets)}, lambda request: "strong")
    answer = outer.chat_with_tools([WEATHER], user_msg="How is it?", tool_required=True)
    (call,) = outer.get_tool_calls_from_response(answer)
    assert call.tool_kwargs == {"city": "Berlin"}
    assert asked(provider) == [CHEAP, STRONG]
    assert (route_of(answer)["target"], route_of(answer)["inner"]["target"]) == ("strong", "strong")


def test_targets_that_call_no_tools_complete_and_chat() -> None:
    llm = cascade_llm(
        {"small": MockLLM(max_tokens=2), "large": MockLLM(max_tokens=4)}, [lambda request, answer: failed("x")]
    )
    assert not isinstance(llm, FunctionCallingLLM)
    assert llm.complete("hi").text == "text text text text"
    assert list(llm.stream_complete("hi"))[-1].text.startswith("text text text")


# -- bad input -----------------------------------------------------------------------------------


def _llms() -> Sequence[tuple[str, LLM]]:
    return [("small", MockLLM()), ("large", MockLLM())]


class UnpricedLLM(OpenAIFunctionLLM):
    """Of a model that no price list has."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": {}}, "there are no targets"),
        ({"targets": [*_llms(), *_llms()]}, "two targets have one name"),
        ({"targets": {"a": "gpt-4o"}}, "target 'a' must be a LlamaIndex LLM, not 'gpt-4o'"),
        ({"strong": "huge"}, "strong='huge' is not a target"),
        ({"mode": "off"}, "mode must be"),
        ({"on_error": "retry"}, "on_error must be"),
        ({"policy": Rules(targets=("small", "huge"))}, r"names \['huge'\]"),
        ({"checks": []}, "there are no checks"),
        ({"checks": ["complete"]}, "'complete' cannot be called"),
        ({"max_seconds": -1}, "max_seconds must be"),
        ({"max_usd": -1}, "max_usd"),
        ({"pass_draft": "yes"}, "pass_draft must be True or False"),
        ({"prices": {}}, "prices must be a PriceBook"),
        (
            {"max_usd": 1, "targets": [("a", UnpricedLLM(model="nobodys-model", base_url="http://127.0.0.1"))]},
            "max_usd needs prices, and target 'a'",
        ),
    ],
)
def test_bad_input_is_refused_at_construction(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        cascade_llm(**{"targets": _llms(), **arguments})


@WORKFLOWS
@pytest.mark.parametrize("make", [routed_llm, cascade_llm])
async def test_targets_without_tools_are_refused_where_tools_are_given(
    make: Callable[..., Any], targets: dict[str, LLM]
) -> None:
    mixed = make({"small": MockLLM(), "large": targets["cheap"]})
    assert not mixed.metadata.is_function_calling_model
    with pytest.raises(Exception, match="FunctionCallingLLM"):
        await FunctionAgent(tools=[WEATHER], llm=mixed).run("hi")
    for ask in ("chat_with_tools", "stream_chat_with_tools"):
        with pytest.raises(AttributeError, match=r"target 'small' \(MockLLM\) calls no tools"):
            getattr(mixed, ask)([WEATHER], user_msg="hi")
