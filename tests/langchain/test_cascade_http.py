"""Does a cascade work with two real clients at once, over HTTP?"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_anthropic import ChatAnthropic
from langchain_core.exceptions import OutputParserException
from langchain_core.load import dumpd, dumps, loads
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import JsonOutputToolsParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from lc_costkit import Budget, BudgetExceeded, Cascade, CostCallbackHandler, Ledger, ModelRouter, budgeted, canary
from lc_costkit.routing import RouteRequest
from lc_costkit.routing.answer import PASSED, Answer, Verdict, failed
from lc_costkit.routing.checks import GENERAL_CHECKS, SelfConsistent, ToolsValid, complete, no_refusal
from lc_costkit.routing.offered_tools import DEFAULT_CHECKS
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall, Fault
from lc_costkit.testing.answers import default_answer
from tests.conftest import chat_anthropic, chat_openai

EASY = "What is the weather in Paris?"
HARD = "What is the hard weather in Paris?"
EASY_ANSWER = "It is sunny there today."
HARD_ANSWER = "Sun and 20 degrees, with some wind from the west."
REFUSED = "I'm sorry, but I cannot help with that."
PROMPT = ChatPromptTemplate.from_messages([("system", "You help with the weather."), ("human", "{q}")])


@tool
def get_weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


class Report(BaseModel):
    """A weather report."""

    city: str
    warm: bool


class ReportDict(TypedDict):
    """A weather report."""

    city: str
    warm: bool


def is_cheap(request: FakeRequest) -> bool:
    return request.model.startswith("gpt-4o-mini")


def answer(request: FakeRequest) -> str | FakeAnswer:
    """The cheap model refuses what is hard; both do with tools and schemas as they are told."""
    if is_cheap(request) and "hard" in request.question:
        return REFUSED
    if request.tools or request.response_schema is not None:
        return default_answer(request)
    return EASY_ANSWER if is_cheap(request) else HARD_ANSWER


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer) as running:
        yield running


@pytest.fixture
def models(provider: FakeProvider) -> dict[str, Any]:
    return {"cheap": chat_openai(provider, "gpt-4o-mini"), "strong": chat_anthropic(provider, "claude-sonnet-4-6")}


@pytest.fixture
def cascade(models: dict[str, Any]) -> Cascade:
    return Cascade(models)


def told(message: Any) -> dict[str, Any]:
    route: dict[str, Any] = message.response_metadata["lc_costkit"]["route"]
    return route


def asked(provider: FakeProvider) -> list[str]:
    return [call.provider for call in provider.log]


def bodies(provider: FakeProvider) -> list[Any]:
    return [call.body for call in provider.log]


def joined(chunks: Any) -> Any:
    whole = None
    for chunk in chunks:
        whole = chunk if whole is None else whole + chunk
    return whole


# -- answering -----------------------------------------------------------------------------------


async def test_each_way_of_calling_asks_the_strong_model_only_where_it_must(
    provider: FakeProvider, cascade: Cascade
) -> None:
    chain = PROMPT | cascade | StrOutputParser()
    for question, calls in ((EASY, ["openai"]), (HARD, ["openai", "anthropic"])):
        expected = EASY_ANSWER if question == EASY else HARD_ANSWER
        assert chain.invoke({"q": question}) == expected
        assert await chain.ainvoke({"q": question}) == expected
        assert "".join(chain.stream({"q": question})) == expected
        assert "".join([text async for text in chain.astream({"q": question})]) == expected
        assert chain.batch([{"q": question}]) == await chain.abatch([{"q": question}]) == [expected]
        assert asked(provider) == calls * 6
        provider.reset()


async def test_batches_keep_order_over_two_providers(provider: FakeProvider, cascade: Cascade) -> None:
    questions: Any = [f"{HARD if n % 3 == 0 else EASY} {n}" for n in range(9)]
    expected = ["strong" if n % 3 == 0 else "cheap" for n in range(9)]
    for answers in (
        cascade.batch(questions, {"max_concurrency": 4}),
        await cascade.abatch(questions, {"max_concurrency": 2}),
        [message for _, message in sorted(cascade.batch_as_completed(questions), key=lambda one: one[0])],
    ):
        assert [told(message)["target"] for message in answers] == expected
    assert provider.calls == 3 * (9 + 3)


@pytest.mark.parametrize("question", [EASY, HARD])
def test_a_streams_message_is_what_it_is_without_the_cascade(
    provider: FakeProvider, models: dict[str, Any], question: str
) -> None:
    whole = joined(Cascade(models).stream(question))
    direct = models["cheap"].invoke(question) if question == EASY else joined(models["strong"].stream(question))
    assert whole.content == direct.content
    assert whole.usage_metadata == direct.usage_metadata
    assert told(whole)["target"] == ("cheap" if question == EASY else "strong")
    assert set(whole.response_metadata) - {"lc_costkit"} == set(direct.response_metadata)
    assert whole.chunk_position == "last"


def test_an_answer_that_is_cut_short_goes_up(provider: FakeProvider, models: dict[str, Any]) -> None:
    provider.reset()
    with FakeProvider(
        answer=lambda request: FakeAnswer("It is", finish_reason="length") if is_cheap(request) else "It is sunny."
    ) as cutting:
        targets = {"cheap": chat_openai(cutting), "strong": chat_anthropic(cutting, "claude-sonnet-4-6")}
        message = Cascade(targets).invoke(EASY)
        reasons = told(message)["attempts"][0]["reasons"]
        assert (message.content, reasons) == ("It is sunny.", ["it stopped for 'length'"])
        reverse = {"cheap": targets["strong"].bind(), "strong": targets["cheap"]}
        assert told(Cascade(reverse).invoke(EASY))["target"] == "cheap"


def test_the_next_turn_holds_nothing_of_ours(provider: FakeProvider, cascade: Cascade) -> None:
    first = cascade.invoke(HARD)
    cascade.invoke([HumanMessage(HARD), first, HumanMessage(EASY)])
    assert "lc_costkit" not in str(bodies(provider))
    assert REFUSED not in str(bodies(provider))


def test_the_draft_is_passed_on_in_a_form_that_every_provider_takes(provider: FakeProvider, models: Any) -> None:
    model = Cascade(models, [ToolsValid({"other": {}})], pass_draft=True).bind_tools([get_weather])
    model.invoke([("system", "Be brief."), ("human", "get_weather in Paris")])
    (_, strong) = bodies(provider)
    assert [call.status for call in provider.log] == [200, 200]
    assert strong["system"] == "Be brief."
    assert "it asks for a tool that there is not" in str(strong["messages"][-1])
    assert "get_weather" in str(strong["messages"][-1])


# -- tools ---------------------------------------------------------------------------------------


async def test_each_provider_gets_tools_in_its_own_format(provider: FakeProvider, models: dict[str, Any]) -> None:
    schemas = {"get_weather": {"type": "object", "properties": {"city": {"type": "string", "minLength": 99}}}}
    model = Cascade(models, [complete, ToolsValid(schemas)]).bind_tools([get_weather], tool_choice="any")
    chain = PROMPT | model | JsonOutputToolsParser()
    for calls in (chain.invoke({"q": EASY}), await chain.ainvoke({"q": EASY}), list(chain.stream({"q": EASY}))[-1]):
        assert [call["type"] for call in calls] == ["get_weather"]
    for cheap, strong in zip(bodies(provider)[::2], bodies(provider)[1::2], strict=True):
        assert cheap["tools"][0]["function"]["name"] == "get_weather"
        assert "input_schema" in strong["tools"][0]
        assert (cheap["tool_choice"], strong["tool_choice"]["type"]) == ("required", "any")
    assert asked(provider) == ["openai", "anthropic"] * 3


def test_a_tool_call_of_an_accepted_draft_streams_whole(provider: FakeProvider, cascade: Cascade) -> None:
    prepared = cascade.bind_tools([get_weather])
    (chunk,) = prepared.stream("get_weather in Paris")
    assert [call["name"] for call in chunk.tool_calls] == ["get_weather"]
    assert chunk.tool_calls[0]["args"] == prepared.invoke("get_weather in Paris").tool_calls[0]["args"]
    assert json.loads(chunk.tool_call_chunks[0]["args"]) == chunk.tool_calls[0]["args"]
    assert asked(provider) == ["openai", "openai"]


@pytest.mark.parametrize(
    "call", [FakeToolCall(name="get_wether", arguments={"city": "Paris"}), FakeToolCall(name="get_weather")]
)
def test_a_tool_call_that_was_not_offered_so_goes_up(call: FakeToolCall) -> None:
    def slips(request: FakeRequest) -> FakeAnswer:
        return FakeAnswer(tool_calls=(call,)) if is_cheap(request) else default_answer(request)

    with FakeProvider(answer=slips) as provider:
        models = {"cheap": chat_openai(provider), "strong": chat_anthropic(provider, "claude-sonnet-4-6")}
        message = Cascade(models).bind_tools([get_weather]).invoke("get_weather in Paris")
        assert [made["name"] for made in message.tool_calls] == ["get_weather"]
        assert told(message)["target"] == "strong"
        agent = create_agent(model=Cascade(models), tools=[get_weather])
        state = agent.invoke({"messages": [HumanMessage("get_weather in Paris")]})
        assert "Sunny in" in state["messages"][2].text


def test_a_tool_call_whose_arguments_are_no_json_goes_up(provider: FakeProvider, models: dict[str, Any]) -> None:
    seen: list[Answer] = []

    def check(request: RouteRequest, given: Answer) -> Verdict:
        seen.append(given)
        return failed("no") if any(isinstance(call.arguments, str) for call in given.tool_calls) else PASSED

    broken = AIMessage(
        "", invalid_tool_calls=[{"name": "get_weather", "args": '{"city": ', "id": "1", "error": "not JSON"}]
    )

    class Breaks(ChatOpenAI):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            result = super()._generate(*args, **kwargs)
            result.generations[0].message = broken
            return result

    cheap = Breaks(model="gpt-4o-mini", api_key="test", base_url=provider.openai_base_url)
    asking = Cascade({"cheap": cheap, "strong": models["strong"]}, [check]).bind_tools([get_weather])
    assert told(asking.invoke("get_weather in Paris"))["target"] == "strong"
    assert [(call.name, call.arguments) for call in seen[0].tool_calls] == [("get_weather", '{"city": ')]


# -- structured output ---------------------------------------------------------------------------


@pytest.mark.parametrize("schema", [Report, ReportDict])
@pytest.mark.parametrize("include_raw", [False, True])
async def test_structure_is_asked_for_in_each_providers_way(
    provider: FakeProvider, cascade: Cascade, schema: Any, include_raw: bool
) -> None:
    chain: Runnable[Any, Any] = PROMPT | cascade.with_structured_output(schema, include_raw=include_raw)
    for given in (chain.invoke({"q": EASY}), await chain.ainvoke({"q": EASY}), joined(chain.stream({"q": EASY}))):
        parsed = given["parsed"] if include_raw else given
        assert set(parsed if isinstance(parsed, dict) else parsed.model_dump()) == {"city", "warm"}
        if include_raw:
            assert told(given["raw"])["target"] == "cheap"
            assert given["parsing_error"] is None
    assert asked(provider) == ["openai"] * 3
    assert {body["response_format"]["type"] for body in bodies(provider)} == {"json_schema"}


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
async def test_a_draft_that_does_not_parse_goes_up(provider: FakeProvider, cascade: Cascade, method: str) -> None:
    model = cascade.with_structured_output(Report, method=method)
    raw = cascade.with_structured_output(Report, method=method, include_raw=True)
    for given in (model.invoke(HARD), await model.ainvoke(HARD), list(model.stream(HARD))[-1]):
        assert isinstance(given, Report)
    assert asked(provider) == ["openai", "anthropic"] * 3
    trail = told(raw.invoke(HARD)["raw"])
    assert trail["target"] == "strong"
    first = trail["attempts"][0]
    reasons = {"json_schema": None, "function_calling": ["it does not answer in the schema"]}[method]
    assert (first["target"], first.get("reasons")) == ("cheap", reasons)
    assert cascade.faults.total == 0
    strict = Cascade(cascade.targets, on_error="raise").with_structured_output(Report, method=method)
    assert isinstance(strict.invoke(HARD), Report)


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("include_raw", [False, True])
def test_what_the_last_target_cannot_parse_is_what_it_is_without_the_cascade(
    provider: FakeProvider, models: dict[str, Any], method: str, include_raw: bool
) -> None:
    options: Any = {"method": method, "include_raw": include_raw}
    direct = models["cheap"].with_structured_output(Report, **options)
    alone = Cascade({"only": models["cheap"]}).with_structured_output(Report, **options)
    outcomes = []
    for model in (direct, alone):
        try:
            given = model.invoke(HARD)
            outcomes.append((given["parsed"], type(given["parsing_error"])) if include_raw else given)
        except Exception as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("down", [False, True])
def test_what_fails_last_is_raised_where_no_draft_parses(
    provider: FakeProvider, models: dict[str, Any], down: bool
) -> None:
    strong = chat_openai(provider, "gpt-4o", max_retries=0)
    model = Cascade({"cheap": models["cheap"], "strong": strong}).with_structured_output(Report, method="json_mode")
    if down:
        provider.fail_next(Fault.server_error(), match=lambda request: not is_cheap(request))
        alone: Any = "The server had an error"
    else:
        with pytest.raises(OutputParserException) as raised:
            strong.with_structured_output(Report, method="json_mode").invoke(HARD)
        alone = re.escape(str(raised.value)[:40])
        assert alone not in REFUSED
    with pytest.raises(Exception, match=alone):
        model.invoke(HARD)
    assert asked(provider)[-2:] == ["openai", "openai"]


def test_a_draft_that_does_not_parse_is_raised_as_such_where_nothing_else_is_left(
    provider: FakeProvider, models: dict[str, Any]
) -> None:
    targets = {"cheap": models["cheap"], "strong": chat_openai(provider, "gpt-4o")}
    model = Cascade(targets, max_seconds=0).with_structured_output(ReportDict, method="json_mode")
    with pytest.raises(OutputParserException):
        model.invoke(HARD)
    assert asked(provider) == ["openai"]


# -- streams and agents --------------------------------------------------------------------------


async def test_no_draft_that_is_thrown_away_is_streamed(cascade: Cascade) -> None:
    chain = PROMPT | cascade | StrOutputParser()
    events = [event async for event in chain.astream_events({"q": HARD}, version="v2")]
    assert REFUSED not in str(events)
    ends = [event for event in events if event["event"] == "on_chat_model_end"]
    assert [event["name"] for event in ends] == ["ChatAnthropic"]
    assert REFUSED not in "".join(chain.stream({"q": HARD}))


@pytest.mark.parametrize("asks", ["check", "policy", "router"])
async def test_no_stream_shows_what_a_check_or_a_policy_asks_a_model(
    asks: str, provider: FakeProvider, models: dict[str, Any]
) -> None:
    nano = chat_openai(provider, "gpt-4.1-nano")

    def policy(request: RouteRequest) -> str:
        return "cheap" if nano.invoke("Which model?").text else "strong"

    def check(request: RouteRequest, given: Answer) -> Verdict:
        return PASSED if nano.invoke("Is it good?").text else failed("no")

    model: Any = {
        "check": Cascade(models, [check]),
        "policy": Cascade(models, policy=policy),
        "router": ModelRouter(models, policy=policy),
    }[asks]
    ledger = Ledger()
    config: Any = {"callbacks": [CostCallbackHandler(ledger)]}
    agent: Any = create_agent(model, tools=[])
    state = {"messages": [HumanMessage(EASY)]}
    pieces = [piece for piece, _ in agent.stream(state, config, stream_mode="messages")]
    pieces += [piece async for piece, _ in agent.astream(state, config, stream_mode="messages")]
    assert "".join(piece.text for piece in pieces) == EASY_ANSWER * 2
    assert len({call.trace_id for call in ledger.records()}) == 2
    events = [event async for event in model.astream_events(EASY, config, version="v2")]
    assert {event["name"] for event in events if "model" in event["event"]} == {"ChatOpenAI"}
    assert sum(event["event"] == "on_chat_model_start" for event in events) == 1
    assert len(list(ledger.records())) == provider.calls == 6


@pytest.mark.parametrize("question", [f"{EASY} get_weather", f"{HARD} get_weather"])
def test_an_agent_runs_on_a_cascade(provider: FakeProvider, cascade: Cascade, question: str) -> None:
    agent = create_agent(model=cascade, tools=[get_weather], system_prompt="You help with the weather.")
    state = agent.invoke({"messages": [HumanMessage(question)]})
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    hard = "hard" in question
    assert asked(provider) == (["openai", "anthropic"] * 2 if hard else ["openai"] * 2)
    assert told(state["messages"][-1])["target"] == ("strong" if hard else "cheap")


@pytest.mark.parametrize("question", [EASY, HARD])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_agents_messages_hold_the_accepted_answer_alone(
    cascade: Cascade, question: str, asynchronous: bool
) -> None:
    agent = create_agent(model=cascade, tools=[])
    source: Any = {"messages": [HumanMessage(question)]}
    if asynchronous:
        pieces = [chunk async for chunk, _ in agent.astream(source, stream_mode="messages")]
    else:
        pieces = [chunk for chunk, _ in agent.stream(source, stream_mode="messages")]
    text = "".join(piece.text for piece in pieces)
    assert text == (EASY_ANSWER if question == EASY else HARD_ANSWER)
    assert len({piece.id for piece in pieces}) == 1


def test_an_agent_with_structured_answers_runs_on_a_cascade(cascade: Cascade) -> None:
    agent: Any = create_agent(model=cascade, tools=[], response_format=ToolStrategy(Report))
    assert isinstance(agent.invoke({"messages": [HumanMessage(HARD)]})["structured_response"], Report)


# -- money ---------------------------------------------------------------------------------------


async def test_the_ledger_is_the_bill_with_all_attempts_in_one_trace(provider: FakeProvider, models: Any) -> None:
    ledger = Ledger()
    config: RunnableConfig = {"callbacks": [CostCallbackHandler(ledger)], "metadata": {"user": "u1"}}
    cascade = Cascade(models, [*GENERAL_CHECKS, SelfConsistent(samples=2, final=str.strip)])
    cascade.invoke(HARD, config)
    await cascade.ainvoke(EASY, config)
    list(cascade.stream(HARD, config))
    structured = Cascade(models).with_structured_output(Report, method="function_calling")
    structured.invoke(HARD, config)
    calls = list(ledger.records())
    assert len(calls) == provider.calls == 2 + 3 + 2 + 2
    traces: dict[str | None, list[str | None]] = {}
    for call in calls:
        traces.setdefault(call.trace_id, []).append(call.route or None)
    routes = sorted(tuple(route for route in one if route) for one in traces.values())
    assert routes == [("cheap",), ("cheap", "strong"), ("cheap", "strong"), ("cheap", "strong")]
    assert {call.user for call in calls} == {"u1"}
    assert sum(call.cost.usd or 0 for call in calls) == provider.billed_usd > 0
    assert {call.cost.basis for call in calls} == {"exact"}
    assert ledger.report().total.provider_usd == provider.billed_usd


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
async def test_a_draft_that_its_own_client_cannot_read_is_on_the_bill(
    provider: FakeProvider, models: dict[str, Any], method: str
) -> None:
    ledger = Ledger()
    config: RunnableConfig = {"callbacks": [CostCallbackHandler(ledger)]}
    model = Cascade(models, max_usd="1").with_structured_output(Report, method=method)
    assert isinstance(model.invoke(HARD, config), Report)
    assert isinstance(await model.ainvoke(HARD, config), Report)
    assert [call.route for call in ledger.records()] == ["cheap", "strong"] * 2
    assert sum(call.cost.usd or 0 for call in ledger.records()) == provider.billed_usd
    assert {call.cost.basis for call in ledger.records()} == {"exact"}


def test_a_cascade_that_observes_claims_no_saving(provider: FakeProvider, models: dict[str, Any]) -> None:
    ledger = Ledger()
    Cascade(models, mode="observe").invoke(EASY, {"callbacks": [CostCallbackHandler(ledger)]})
    (call,) = ledger.records()
    assert (call.route, call.saved, asked(provider)) == ("strong", (), ["anthropic"])
    assert "route_observed" not in call.metadata, "who would have answered is not known"


def test_a_cascade_can_be_tried_on_a_share_of_the_users(provider: FakeProvider, models: dict[str, Any]) -> None:
    policy = canary(lambda request: "trial", share=0.5)
    trial = ModelRouter({"trial": Cascade(models), "strong": models["strong"]}, policy=policy)
    ledger = Ledger()
    for user in range(12):
        config: Any = {"callbacks": [CostCallbackHandler(ledger)], "metadata": {"user": str(user)}}
        assert trial.invoke(EASY, config).text in (EASY_ANSWER, HARD_ANSWER)
        assert trial.invoke(HARD, config).text == HARD_ANSWER
    ways: dict[str, set[str | None]] = {}
    for call in ledger.records():
        ways.setdefault(str(call.user), set()).add(call.route)
    assert {frozenset(way) for way in ways.values()} == {frozenset({"cheap", "strong"}), frozenset({"strong"})}
    assert ledger.report().total.provider_usd == provider.billed_usd


def test_a_limit_of_cost_counts_what_was_spent_and_what_the_next_call_will_take(
    provider: FakeProvider, models: dict[str, Any]
) -> None:
    assert told(Cascade(models, max_usd="0.01").invoke(HARD))["target"] == "strong"
    provider.reset()
    message = Cascade(models, max_usd="0.00001").invoke(HARD)
    assert message.content == REFUSED
    assert told(message)["stopped"] == "strong would take it past 0.00001 USD"
    assert asked(provider) == ["openai"]
    assert "".join(chunk.content for chunk in Cascade(models, max_usd="0.00001").stream(HARD)) == REFUSED


def test_samples_count_towards_the_limit(provider: FakeProvider, models: dict[str, Any]) -> None:
    one_call = provider_cost(provider, models["cheap"])
    differs: list[int] = []

    def check(request: RouteRequest, given: Answer) -> Verdict:
        differs.append(len(given.samples))
        return failed("no")

    check.samples = 40  # type: ignore[attr-defined]
    strong = {"cheap": models["cheap"], "strong": chat_openai(provider, "gpt-4o")}
    asking = Cascade(strong, [check], max_usd=str(one_call * 40))
    assert told(asking.invoke(EASY))["stopped"].startswith("strong would take it past")
    assert differs == [40]
    assert provider.calls == 42


def provider_cost(provider: FakeProvider, model: Any) -> Any:
    model.invoke(EASY)
    return provider.billed_usd


def test_a_model_without_a_price_is_refused_where_there_is_a_limit(provider: FakeProvider) -> None:
    unknown = {"cheap": chat_openai(provider, "my-own-model"), "strong": chat_openai(provider)}
    with pytest.raises(ValueError, match=r"target 'cheap' \(my-own-model\) has none; pass prices="):
        Cascade(unknown, max_usd="1")
    Cascade(unknown)


@pytest.mark.parametrize("place", ["cheap", "strong"])
async def test_a_budgets_refusal_leaves_the_cascade(provider: FakeProvider, models: dict[str, Any], place: str) -> None:
    targets = {**models, place: budgeted(models[place], Budget(usd="0.0000001"), Ledger())}
    for cascade in (Cascade(targets), Cascade(targets, on_error="raise")):
        with pytest.raises(BudgetExceeded):
            cascade.invoke(HARD)
        with pytest.raises(BudgetExceeded):
            await cascade.ainvoke(HARD)
        with pytest.raises(BudgetExceeded):
            list(cascade.stream(HARD))
    assert set(asked(provider)) == (set() if place == "cheap" else {"openai"})


# -- faults --------------------------------------------------------------------------------------


async def test_a_provider_that_fails_is_passed_over(provider: FakeProvider, cascade: Cascade) -> None:
    for fault in (Fault.server_error(), Fault.rate_limit(), Fault.malformed_json()):
        provider.fail_next(fault)
        assert told(cascade.invoke(EASY))["target"] == "strong"
        provider.fail_next(fault)
        assert told(await cascade.ainvoke(EASY))["target"] == "strong"
    ledger = Ledger()
    provider.fail_next(Fault.server_error(), match=lambda request: not is_cheap(request))
    message = cascade.invoke(HARD, {"callbacks": [CostCallbackHandler(ledger)]})
    cheap, strong = ledger.records()
    assert (cheap.route, cheap.error, strong.route) == ("cheap", None, "strong")
    assert strong.error is not None
    assert (message.content, told(message)["stopped"]) == (REFUSED, f"strong failed ({strong.error})")


def test_retries_are_made_before_another_target_is_asked(provider: FakeProvider, cascade: Cascade) -> None:
    prepared = cascade.with_retry(stop_after_attempt=2, wait_exponential_jitter=False).bind(stop=["END"])
    provider.fail_next(Fault.server_error())
    assert told(prepared.invoke(EASY))["target"] == "cheap"
    assert [(call.provider, call.status) for call in provider.log] == [("openai", 500), ("openai", 200)]
    assert [body["stop"] for body in bodies(provider)] == [["END"]] * 2


def test_a_check_that_fails_is_counted_and_goes_up(provider: FakeProvider, models: dict[str, Any]) -> None:
    cascade = Cascade(models, [lambda request, given: 1 / 0])
    assert told(cascade.invoke(EASY))["target"] == "strong"
    assert cascade.faults.counts == {"check <lambda>: ZeroDivisionError": 1}


async def test_a_cancelled_call_asks_nobody_else_and_is_in_the_ledger() -> None:
    begun = threading.Event()

    def begins(request: FakeRequest) -> str:
        begun.set()
        return REFUSED

    with FakeProvider(answer=begins, latency_seconds=1) as slow:
        ledger = Ledger()
        cascade = Cascade({"cheap": chat_openai(slow), "strong": chat_anthropic(slow)})
        task = asyncio.create_task(cascade.ainvoke(EASY, {"callbacks": [CostCallbackHandler(ledger)]}))
        assert await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cascade.faults.total == 0
        assert [(call.route, call.error) for call in ledger.records()] == [("cheap", "CancelledError")]


# -- being written down --------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
def test_it_is_written_and_read_with_its_targets(provider: FakeProvider, cascade: Cascade) -> None:
    def load(text: str) -> Any:
        allowed: list[Any] = [Cascade, ChatOpenAI, ChatAnthropic]
        secrets = {"OPENAI_API_KEY": "test", "ANTHROPIC_API_KEY": "test"}
        return loads(text, allowed_objects=allowed, valid_namespaces=["lc_costkit"], secrets_map=secrets)

    made = Cascade(cascade.targets, pass_draft=True, max_usd="0.5", on_error="raise").with_config(tags=["t"])
    assert dumpd(made)["id"] == ["lc_costkit", "langchain", "cascade", "Cascade"]
    again = load(dumps(made))
    assert (again.pass_draft, again.max_usd, again.on_error) == (True, "0.5", "raise")
    assert again.bound_config == {"tags": ["t"]}
    assert again.escalation.checks == DEFAULT_CHECKS
    assert told(load(dumps(cascade)).invoke(HARD))["target"] == "strong"
    with pytest.raises(NotImplementedError):
        load(dumps(Cascade(cascade.targets, [no_refusal])))
