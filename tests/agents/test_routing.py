"""Does an agent answer each run, or step, with the target that is enough, and does the ledger say so?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware
from langchain.agents.structured_output import StructuredOutputValidationError, ToolStrategy
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.fake_chat_models import FakeListChatModel, FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from lc_costkit import Budget, BudgetExceeded, Ledger, SemanticCache, budgeted
from lc_costkit.agents import RoutingMiddleware
from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain.classifier import LLMClassifier
from lc_costkit.marks import MARK, ROUTE_KEY, RouteMark
from lc_costkit.routing import RouteDecision, RouteRequest
from lc_costkit.routing.sticky import sticky
from lc_costkit.switch import DISABLE_VARIABLE
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall, Fault
from tests.agents.support import (
    CHEAP,
    EASY,
    HARD,
    SOME_WAYS,
    STRONG,
    SUNNY,
    TOOLS,
    WAYS,
    asked,
    assert_agrees,
    called,
    calls,
    get_weather,
    long_answer,
    metered,
    targets_of,
    tool_names,
    two,
    weather_answer,
)
from tests.conftest import chat_anthropic, chat_openai
from tests.whole.support import saved, sent


class Weather(BaseModel):
    """A weather report."""

    city: str
    sunny: bool


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as opened:
        yield opened


def routed(provider: FakeProvider, *middleware: AgentMiddleware[Any, Any, Any], **options: Any) -> Any:
    """An agent on a third model, which only answers where nothing is routed."""
    own = chat_openai(provider, "gpt-4.1")
    return create_agent(own, middleware=middleware, **{"tools": TOOLS, "system_prompt": "You help.", **options})


def two_of_one(provider: FakeProvider) -> dict[str, Any]:
    """Two targets whose prices are near enough for a prompt cache to decide."""
    return {"cheap": chat_openai(provider, "gpt-4.1"), "strong": chat_openai(provider, "gpt-4o")}


def by_step(request: RouteRequest) -> str:
    """The first call of a run goes to the strong target, what follows a tool to the cheap one."""
    return "cheap" if request.turns[-1].role == "tool" else "strong"


# -- per run and per step -----------------------------------------------------------


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_run_keeps_its_target_over_its_tools(way: Any, ledger: Ledger) -> None:
    with FakeProvider(answer=long_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)))
        for text, target, where in ((EASY, "cheap", "openai"), (HARD, "strong", "anthropic")):
            provider.reset()
            messages = await way(agent, text, metered(ledger, user="u1"))
            assert messages[-1].text == SUNNY
            assert targets_of(messages) == [target] * 4
            assert called(provider) == [where] * 4
            assert all(tool_names(call.body) == ["get_weather"] for call in provider.log)
            assert all(("input_schema" in call.body["tools"][0]) == (where == "anthropic") for call in provider.log)


@pytest.mark.parametrize("way", SOME_WAYS, ids=lambda way: way.__name__)
async def test_the_ledger_is_the_bill_with_a_route_on_every_record(way: Any, ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)))
        for text in (EASY, HARD):
            await way(agent, text, metered(ledger, user="u1", feature="agent"))
        records = calls(ledger)
        assert [record.route for record in records] == ["cheap", "cheap", "strong", "strong"]
        assert records[0].route_score is not None
        assert records[1].route_reasons == ("the run has begun at cheap",)
        assert {(record.user, record.feature) for record in records} == {("u1", "agent")}
        assert len({record.trace_id for record in records}) == 2
        assert all((saved(record, "route") or 0) > 0 for record in records[:2])
        assert [saved(record, "route") for record in records[2:]] == [None, None]
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_step_may_go_elsewhere_and_each_provider_reads_the_others_tools(way: Any, ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider), by_step, per="step"))
        messages = await way(agent, EASY, metered(ledger))
        assert messages[-1].text == SUNNY
        assert targets_of(messages) == ["strong", "cheap"]
        first, second = provider.log
        assert (first.provider, second.provider) == ("anthropic", "openai")
        assert first.body["tools"][0]["input_schema"]["required"] == ["city"]
        assert second.body["tools"][0]["function"]["parameters"]["required"] == ["city"]
        call, result = second.body["messages"][-2:]
        assert call["tool_calls"][0]["function"]["name"] == "get_weather"
        assert (result["role"], result["tool_call_id"]) == ("tool", call["tool_calls"][0]["id"])
        assert [record.route for record in calls(ledger)] == ["strong", "cheap"]
        assert_agrees(ledger, provider)


async def test_the_same_way_back_from_openai_to_anthropic(ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        turned = {"strong": chat_openai(provider, CHEAP), "cheap": chat_anthropic(provider, STRONG)}
        agent = routed(provider, RoutingMiddleware(turned, by_step, per="step", strong="strong"))
        assert (await agent.ainvoke(asked(), metered(ledger)))["messages"][-1].text == SUNNY
        assert called(provider) == ["openai", "anthropic"]
        blocks = provider.log[1].body["messages"][-1]["content"]
        assert blocks[0]["type"] == "tool_result"
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_tokens_are_streamed_as_they_come(asynchronous: bool, ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)))
        for text in (EASY, HARD):
            if asynchronous:
                heard = agent.astream(asked(text), metered(ledger), stream_mode="messages")
                pieces = [piece async for piece, about in heard if about["langgraph_node"] == "model"]
            else:
                stream = agent.stream(asked(text), metered(ledger), stream_mode="messages")
                pieces = [piece for piece, about in stream if about["langgraph_node"] == "model"]
            assert "".join(str(piece.text) for piece in pieces) == SUNNY
            assert len([piece for piece in pieces if piece.text]) >= 2
            assert len({piece.id for piece in pieces}) == 2
        assert all(record.streamed for record in calls(ledger))
        assert_agrees(ledger, provider)


async def test_many_runs_at_once_keep_to_themselves(ledger: Ledger) -> None:
    with FakeProvider(answer=long_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)))
        texts = [EASY, HARD] * 8
        answers = agent.batch([asked(text) for text in texts], metered(ledger))
        answers += await agent.abatch([asked(text) for text in texts], metered(ledger))
        assert [targets_of(one["messages"]) for one in answers] == [["cheap"] * 4, ["strong"] * 4] * 16
        assert_agrees(ledger, provider)


# -- conversations, threads, interrupts ---------------------------------------------


def test_every_turn_of_a_conversation_is_decided_anew(ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)), checkpointer=InMemorySaver())
        for text in (EASY, HARD, "Is Rome a sunny city?"):
            messages = agent.invoke(asked(text), metered(ledger, thread="1"))["messages"]
        assert targets_of(messages) == ["cheap"] * 2 + ["strong"] * 2 + ["cheap"] * 2
        assert_agrees(ledger, provider)


def test_a_policy_sees_where_the_conversation_stood() -> None:
    seen: list[str | None] = []

    def stays(request: RouteRequest) -> str:
        seen.append(request.conversation.target if request.conversation else None)
        return request.conversation.target if request.conversation else "cheap"

    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider), stays), checkpointer=InMemorySaver())
        config: Any = {"configurable": {"thread_id": "1"}}
        agent.invoke(asked(EASY), config)
        agent.invoke(asked(HARD), {**config, "metadata": {"route": "strong"}})
        messages = agent.invoke(asked(EASY), config)["messages"]
    assert seen == [None, "strong"]
    assert targets_of(messages) == ["cheap"] * 2 + ["strong"] * 4


@pytest.mark.parametrize("per", ["run", "step"])
def test_a_conversation_stays_where_its_prompt_cache_is_worth_more(per: Any, ledger: Ledger) -> None:
    wanted = iter(("strong", "cheap", "cheap"))

    def turns(request: RouteRequest) -> str:
        return next(wanted)

    system = "You help with the weather. " * 400
    with FakeProvider(answer=weather_answer) as provider:
        policy = sticky(turns, keep_runs=True)
        agent = routed(
            provider,
            RoutingMiddleware(two_of_one(provider), policy, per=per),
            system_prompt=system,
            checkpointer=InMemorySaver(),
        )
        for text in (EASY, "And in Rome?"):
            messages = agent.invoke(asked(text), metered(ledger, thread="1"))["messages"]
        assert targets_of(messages) == ["strong"] * 4
        assert "stays at strong" in calls(ledger)[2].route_reasons[0]
        messages = agent.invoke(asked(EASY), metered(ledger, thread="2"))["messages"]
        assert targets_of(messages) == ["cheap"] * 2, "another conversation has nothing to lose"
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("text", [EASY, HARD])
async def test_an_interrupted_run_goes_on_where_it_began_in_another_process(text: str, ledger: Ledger) -> None:
    saver = InMemorySaver()

    def resumed(provider: FakeProvider) -> Any:
        """All objects anew, as after a restart; only what was saved is the same."""
        approval = cast(Any, HumanInTheLoopMiddleware(interrupt_on={"get_weather": True}))

        def now_the_other(request: RouteRequest) -> str:
            return "strong" if "sunny" in request.question else "cheap"

        policy = None if not provider.calls else now_the_other
        return routed(provider, RoutingMiddleware(two(provider), policy), approval, checkpointer=saver)

    with FakeProvider(answer=weather_answer) as provider:
        config = metered(ledger, thread="1")
        waiting = await resumed(provider).ainvoke(asked(text), config)
        assert waiting["__interrupt__"]
        decisions = {"decisions": [{"type": "approve"}]}
        messages = (await resumed(provider).ainvoke(Command(resume=decisions), config))["messages"]
        assert messages[-1].text == SUNNY
        assert len(set(targets_of(messages))) == 1
        assert len(set(called(provider))) == 1
        assert_agrees(ledger, provider)


def test_the_agents_state_keeps_what_it_was_given() -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)))
        given = [HumanMessage([{"type": "text", "text": HARD, "cache_control": {"type": "ephemeral"}}])]
        cheap: Any = {"metadata": {"route": "cheap"}}
        first = agent.invoke({"messages": given}, cheap)["messages"][0]
        assert first.content == given[0].content
        assert first.content[0]["cache_control"] == {"type": "ephemeral"}
        assert "cache_control" not in str(sent(provider))


# -- structured answers --------------------------------------------------------------


@pytest.mark.parametrize(("text", "key"), [(EASY, "response_format"), (HARD, "output_config")])
@pytest.mark.parametrize("tools", [TOOLS, []], ids=["tools", "no tools"])
async def test_a_schema_is_asked_for_in_each_providers_own_way(text: str, key: str, tools: Any, ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> str | FakeAnswer:
        return weather_answer(request) if request.tools and not request.after_tool_result else '{"city":"P","sunny":1}'

    with FakeProvider(answer=answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)), response_format=Weather, tools=tools)
        state = await agent.ainvoke(asked(text), metered(ledger))
        assert isinstance(state["structured_response"], Weather)
        assert all(key in call.body for call in provider.log)
        assert len(set(targets_of(state["messages"]))) == 1
        assert_agrees(ledger, provider)


@pytest.mark.parametrize(("text", "target"), [(EASY, "cheap"), (HARD, "strong")])
def test_a_structured_answer_that_is_asked_for_again_stays_with_its_target(
    text: str, target: str, ledger: Ledger
) -> None:
    def answer(request: FakeRequest) -> FakeAnswer:
        again = any(message.role == "tool" for message in request.messages)
        arguments: dict[str, Any] = {"city": "Paris", "sunny": True} if again else {"city": "Paris"}
        return FakeAnswer(tool_calls=(FakeToolCall(name="Weather", arguments=arguments),))

    with FakeProvider(answer=answer) as provider:
        middleware = RoutingMiddleware(two(provider))
        agent = routed(provider, middleware, tools=[], response_format=ToolStrategy(Weather))
        state = agent.invoke(asked(text), metered(ledger))
        assert state["structured_response"] == Weather(city="Paris", sunny=True)
        assert targets_of(state["messages"]) == [target] * 2
        assert any(isinstance(message, ToolMessage) for message in state["messages"])
        assert_agrees(ledger, provider)


# -- who has the last word ------------------------------------------------------------


async def test_the_caller_names_the_target(ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)), checkpointer=InMemorySaver())
        config = metered(ledger, thread="1", route="strong")
        assert targets_of((await agent.ainvoke(asked(EASY), config))["messages"]) == ["strong"] * 2
        config = metered(ledger, thread="2", route="cheap")
        assert targets_of(agent.invoke(asked(HARD), config)["messages"]) == ["cheap"] * 2
        assert calls(ledger)[0].route_reasons == ("the caller's metadata says so",)
        assert_agrees(ledger, provider)


def test_a_target_there_is_not_means_the_strong_one() -> None:
    with FakeProvider(answer=weather_answer) as provider:
        middleware = RoutingMiddleware(two(provider))
        messages = routed(provider, middleware).invoke(asked(), {"metadata": {"route": "best"}})["messages"]
        assert targets_of(messages) == ["strong"] * 2
        assert middleware.faults.total == 2


@pytest.mark.parametrize("per", ["run", "step"])
async def test_a_policy_that_fails_means_the_strong_target(per: Any) -> None:
    def broken(request: RouteRequest) -> str:
        raise ZeroDivisionError

    with FakeProvider(answer=weather_answer) as provider:
        middleware = RoutingMiddleware(two(provider), broken, per=per)
        assert targets_of((await routed(provider, middleware).ainvoke(asked()))["messages"]) == ["strong"] * 2
        assert middleware.faults.counts == {"the routing policy: ZeroDivisionError": 1 if per == "run" else 2}


async def test_a_policy_that_waits_is_awaited() -> None:
    async def slow(request: RouteRequest) -> RouteDecision:
        return RouteDecision(target="strong", reasons=("slowly",))

    with FakeProvider(answer=weather_answer) as provider:
        middleware = RoutingMiddleware(two(provider), slow)
        messages = (await routed(provider, middleware).ainvoke(asked()))["messages"]
        assert messages[1].response_metadata[MARK][ROUTE_KEY]["reasons"] == ["slowly"]
        assert middleware.faults.total == 0


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_what_a_policy_asks_a_model_is_in_the_trace_but_in_no_stream(asynchronous: bool, ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> str | FakeAnswer:
        return weather_answer(request) if request.tools else "strong"

    with FakeProvider(answer=answer) as provider:
        middleware = RoutingMiddleware(two(provider), LLMClassifier(chat_openai(provider, "gpt-4.1-nano")))
        agent = routed(provider, middleware)
        if asynchronous:
            pieces = [one async for one, _ in agent.astream(asked(), metered(ledger), stream_mode="messages")]
        else:
            pieces = [one for one, _ in agent.stream(asked(), metered(ledger), stream_mode="messages")]
        text = "".join(str(piece.text) for piece in pieces if not isinstance(piece, ToolMessage))
        assert text == SUNNY
        assert [call.model for call in provider.log] == ["gpt-4.1-nano", STRONG, STRONG]
        records = calls(ledger)
        assert len({record.trace_id for record in records}) == 1
        assert (saved(records[0], "route") or 0) < 0
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_nor_is_what_a_function_asks_a_model_in_the_stream(asynchronous: bool, ledger: Ledger) -> None:
    with FakeProvider(answer=lambda request: "strong" if request.model == "gpt-4.1-nano" else SUNNY) as provider:
        nano = chat_openai(provider, "gpt-4.1-nano")
        middleware = RoutingMiddleware(two(provider), lambda request: str(nano.invoke(request.question).text))
        agent = routed(provider, middleware, tools=[])
        if asynchronous:
            pieces = [one async for one, _ in agent.astream(asked(), metered(ledger), stream_mode="messages")]
        else:
            pieces = [one for one, _ in agent.stream(asked(), metered(ledger), stream_mode="messages")]
        assert "".join(str(piece.text) for piece in pieces) == SUNNY
        assert len({record.trace_id for record in calls(ledger)}) == 1
        assert_agrees(ledger, provider)


# -- when something fails ---------------------------------------------------------------


async def test_a_failed_target_is_an_error_unless_said_otherwise(ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)))
        provider.fail_next(Fault.server_error(), times=2)
        with pytest.raises(Exception, match="The server had an error"):
            agent.invoke(asked(), metered(ledger))
        with pytest.raises(Exception, match="The server had an error"):
            await agent.ainvoke(asked(), metered(ledger))
        assert called(provider) == ["openai"] * 2


@pytest.mark.parametrize("way", SOME_WAYS, ids=lambda way: way.__name__)
async def test_the_next_target_takes_over_and_keeps_the_run(way: Any, ledger: Ledger) -> None:
    with FakeProvider(answer=long_answer) as provider:
        middleware = RoutingMiddleware(two(provider), on_error="next")
        agent = routed(provider, middleware)
        provider.fail_next(Fault.server_error())
        messages = await way(agent, EASY, metered(ledger))
        assert messages[-1].text == SUNNY
        assert targets_of(messages) == ["strong"] * 4
        assert called(provider) == ["openai"] + ["anthropic"] * 4
        records = calls(ledger)
        assert [record.route for record in records] == ["cheap"] + ["strong"] * 4
        assert records[1].route_reasons[0].startswith("cheap failed (")
        assert middleware.faults.total == 1
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_pieces_of_a_stream_that_broke_off_are_told_apart_by_their_id(asynchronous: bool) -> None:
    with FakeProvider(answer=lambda request: "one two three four five six seven eight") as provider:
        agent = routed(provider, RoutingMiddleware(two(provider), on_error="next"), tools=[])
        provider.fail_next(Fault.cut_stream(after_chunks=2))
        if asynchronous:
            pieces = [one async for one, _ in agent.astream(asked(), stream_mode="messages")]
        else:
            pieces = [one for one, _ in agent.stream(asked(), stream_mode="messages")]
        texts: dict[str, str] = {}
        for piece in pieces:
            texts[piece.id] = texts.get(piece.id, "") + str(piece.text)
        assert list(texts.values())[-1] == "one two three four five six seven eight"
        assert called(provider) == ["openai", "anthropic"]


async def test_events_show_the_target_and_its_tokens() -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)))
        events = [event async for event in agent.astream_events(asked(HARD), version="v2")]
        starts = [event["metadata"][ROUTE_KEY] for event in events if event["event"] == "on_chat_model_start"]
        assert [mark["target"] for mark in starts] == ["strong"] * 2
        tokens = [event["data"]["chunk"].text for event in events if event["event"] == "on_chat_model_stream"]
        assert "".join(tokens) == SUNNY


async def test_a_scripted_model_goes_through_its_script() -> None:
    script = [
        AIMessage("", tool_calls=[{"name": "get_weather", "args": {"city": "Paris"}, "id": "1"}]),
        AIMessage("It is sunny."),
    ]

    class Scripted(FakeMessagesListChatModel):
        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            return self.bind(**kwargs)

    with FakeProvider() as provider:
        targets: Any = {"cheap": Scripted(responses=list(script)), "strong": Scripted(responses=list(script))}
        agent = routed(provider, RoutingMiddleware(targets))
        for run in (agent.invoke(asked()), await agent.ainvoke(asked(HARD))):
            assert [message.text for message in run["messages"][1:]] == ["", "Sunny in Paris.", "It is sunny."]
        assert provider.calls == 0


async def test_where_every_target_fails_the_last_error_is_raised() -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider), on_error="next"))
        provider.fail_next(Fault.server_error(), times=2)
        with pytest.raises(Exception, match="server had an error"):
            await agent.ainvoke(asked())
        assert called(provider) == ["openai", "anthropic"]
        provider.fail_next(Fault.server_error())
        assert targets_of((await agent.ainvoke(asked()))["messages"]) == ["strong"] * 2


def test_calls_of_one_step_are_told_to_belong_together() -> None:
    marks: list[RouteMark] = []

    class Listens(BaseCallbackHandler):
        def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
            mark = RouteMark.from_dict(kwargs["metadata"].get(ROUTE_KEY))
            assert mark is not None
            marks.append(mark)

    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider), on_error="next"))
        provider.fail_next(Fault.server_error())
        agent.invoke(asked(), {"callbacks": [Listens()]})
    assert [(mark.target, mark.attempt) for mark in marks] == [("cheap", 1), ("strong", 2), ("strong", 1)]
    assert marks[0].request == marks[1].request != marks[2].request
    assert {mark.baseline_model for mark in marks} == {STRONG}
    assert [mark.chosen_model for mark in marks] == [CHEAP, STRONG, STRONG]


def test_an_answer_that_does_not_fit_the_schema_counts_as_thrown_away(ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> str:
        return '{"city": "Paris"}' if request.provider == "openai" else '{"city": "Paris", "sunny": true}'

    rejected: list[int] = []

    class Listens(BaseCallbackHandler):
        def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
            rejected.append(kwargs["metadata"][ROUTE_KEY]["rejected"])

    with FakeProvider(answer=answer) as provider:
        for on_error in ("raise", "next"):
            middleware = RoutingMiddleware(two(provider), on_error=on_error)  # type: ignore[arg-type]
            agent = routed(provider, middleware, tools=[], response_format=Weather)
            config = metered(ledger)
            config["callbacks"].append(Listens())
            if on_error == "raise":
                with pytest.raises(StructuredOutputValidationError):
                    agent.invoke(asked(), config)
            else:
                assert isinstance(agent.invoke(asked(), config)["structured_response"], Weather)
        assert rejected == [0, 0, 1]
        assert_agrees(ledger, provider)
    last = calls(ledger)[-1]
    total = ledger.report(trace_id=str(last.trace_id)).total
    assert total.usd + total.saved_usd == last.cost.usd, "what the strong target alone would have cost"


@pytest.mark.parametrize("on_error", ["raise", "next"])
async def test_a_budgets_refusal_is_raised(on_error: Any, ledger: Ledger) -> None:
    with FakeProvider(answer=long_answer) as provider:
        budget = Budget(calls=2, per="day")
        targets = {name: budgeted(model, budget, ledger) for name, model in two(provider).items()}
        agent = routed(provider, RoutingMiddleware(targets, on_error=on_error))
        with pytest.raises(BudgetExceeded):
            agent.invoke(asked(), metered(ledger))
        with pytest.raises(BudgetExceeded):
            await agent.ainvoke(asked(), metered(ledger))
        assert called(provider) == ["openai"] * 2
        assert budget.status().spent == 2
        assert [record.error for record in calls(ledger)] == [None, None, "BudgetExceeded", "BudgetExceeded"]
        assert_agrees(ledger, provider)


class Interrupts(AgentMiddleware[Any, Any, Any]):
    """Asks a person before each call of a model."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        assert interrupt("may it?") == "yes"
        return handler(request)

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        assert interrupt("may it?") == "yes"
        return await handler(request)


@pytest.mark.parametrize("per", ["run", "step"])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_policy_may_ask_a_person(per: Any, asynchronous: bool) -> None:
    def person(request: RouteRequest) -> str:
        return str(interrupt("Which one?"))

    with FakeProvider(answer=weather_answer) as provider:
        middleware = RoutingMiddleware(two(provider), person, per=per)
        agent = routed(provider, middleware, checkpointer=InMemorySaver())
        config: Any = {"configurable": {"thread_id": "1"}}
        said: Any = asked()
        for answer in ("strong", "cheap") if per == "step" else ("strong",):
            waiting = (await agent.ainvoke(said, config)) if asynchronous else agent.invoke(said, config)
            assert [one.value for one in waiting["__interrupt__"]] == ["Which one?"]
            said = Command(resume=answer)
        messages = (await agent.ainvoke(said, config))["messages"]
        assert targets_of(messages) == (["strong", "cheap"] if per == "step" else ["strong", "strong"])
        assert middleware.faults.total == 0


async def test_an_interrupt_is_no_failure() -> None:
    with FakeProvider(answer=weather_answer) as provider:
        middleware = RoutingMiddleware(two(provider), on_error="next")
        agent = routed(provider, middleware, Interrupts(), checkpointer=InMemorySaver())
        config: Any = {"configurable": {"thread_id": "1"}}
        assert agent.invoke(asked(), config)["__interrupt__"]
        assert (await agent.ainvoke(Command(resume="yes"), config))["__interrupt__"]
        messages = agent.invoke(Command(resume="yes"), config)["messages"]
        assert targets_of(messages) == ["cheap"] * 2
        assert middleware.faults.total == 0


def test_what_bubbles_up_through_a_graph_is_raised() -> None:
    class Drains(AgentMiddleware[Any, Any, Any]):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            raise GraphBubbleUp

    with FakeProvider(answer=weather_answer) as provider:
        middleware = RoutingMiddleware(two(provider), on_error="next")
        request: Any = None

        def handler(handed: Any) -> Any:
            nonlocal request
            request = handed
            raise GraphBubbleUp

        class Outer(AgentMiddleware[Any, Any, Any]):
            def wrap_model_call(self, request: Any, inner: Any) -> Any:
                with pytest.raises(GraphBubbleUp):
                    middleware.wrap_model_call(request, handler)
                return AIMessage("stopped")

        agent: Any = create_agent(chat_openai(provider), tools=TOOLS, middleware=[Outer()])
        assert agent.invoke(asked())["messages"][-1].text == "stopped"
        assert request.model.model_name == CHEAP
        assert middleware.faults.total == 0
        assert provider.calls == 0


# -- switched off, or only watching -------------------------------------------------------


async def run_both(agent: Any, ledger: Ledger) -> list[Any]:
    found = []
    for text in (EASY, HARD):
        found += agent.invoke(asked(text), metered(ledger))["messages"]
        found += (await agent.ainvoke(asked(text), metered(ledger)))["messages"]
    return found


async def test_switched_off_it_is_not_there(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    monkeypatch.setenv(DISABLE_VARIABLE, "1")
    bodies = []
    for there in (False, True):
        with FakeProvider(answer=weather_answer) as provider:
            middleware = [RoutingMiddleware(two(provider))] if there else []
            messages = await run_both(routed(provider, *middleware), ledger)
            assert set(targets_of(messages)) == {None}
            assert not [message for message in messages if MARK in message.response_metadata]
            bodies.append(sent(provider))
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("per", ["run", "step"])
async def test_watching_changes_nothing_and_records_what_would_have_been(per: Any, ledger: Ledger) -> None:
    bodies = []
    for watched in (False, True):
        with FakeProvider(answer=long_answer) as provider:
            middleware = RoutingMiddleware(two(provider), mode="observe", per=per, on_error="next")
            messages = await run_both(routed(provider, *[middleware] if watched else []), ledger)
            assert not [message for message in messages if MARK in message.response_metadata]
            bodies.append(sent(provider))
    assert bodies[0] == bodies[1]
    unwatched, records = calls(ledger)[:16], calls(ledger)[16:]
    assert [record.route for record in unwatched] == [None] * 16
    assert {(record.route, record.model.startswith("gpt-4.1")) for record in records} == {("the agent's own", True)}
    assert [record.metadata["route_observed"] for record in records] == (["cheap"] * 8 + ["strong"] * 8)
    for record in records:
        would = saved(record, "route", hypothetical=True)
        assert would is not None
        assert (would > 0) == (record.metadata["route_observed"] == "cheap"), "sonnet is dearer than the agent's own"
    assert ledger.report().total.saved_usd == 0


@pytest.mark.parametrize("other_object", [False, True])
def test_the_agents_own_model_may_be_one_of_the_targets(other_object: bool, ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        targets = two(provider)
        own = chat_anthropic(provider, STRONG) if other_object else targets["strong"]
        agent: Any = create_agent(own, tools=TOOLS, middleware=[RoutingMiddleware(targets, mode="observe")])
        agent.invoke(asked(HARD), metered(ledger))
        assert [(record.route, record.saved) for record in calls(ledger)] == [("strong", ())] * 2


def test_a_failure_under_observation_is_the_agents_own() -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider), mode="observe", on_error="next"))
        provider.fail_next(Fault.server_error())
        with pytest.raises(Exception, match="server had an error"):
            agent.invoke(asked())
        assert provider.calls == 1


# -- targets of all kinds -----------------------------------------------------------------


async def test_a_target_keeps_its_own_metadata_and_callbacks(ledger: Ledger) -> None:
    started: list[str] = []

    class Starts(BaseCallbackHandler):
        def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
            started.append(kwargs["metadata"]["feature"])

    with FakeProvider(answer=weather_answer) as provider:
        targets = two(provider, metadata={"feature": "helper"}, callbacks=[Starts()])
        agent = routed(provider, RoutingMiddleware(targets))
        agent.invoke(asked(EASY), metered(ledger))
        await agent.ainvoke(asked(HARD), metered(ledger))
        assert started == ["helper"] * 4
        assert {record.feature for record in calls(ledger)} == {"helper"}
        assert [record.route for record in calls(ledger)] == ["cheap"] * 2 + ["strong"] * 2
        for model in targets.values():
            assert ROUTE_KEY not in model.metadata
            assert len(model.callbacks) == 1


async def test_a_cache_on_the_targets_is_not_blinded_by_the_decision(ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider, SemanticCache() as cache:
        agent = routed(provider, RoutingMiddleware(two(provider, cache=cache), on_error="next"))
        for text in (EASY, HARD) * 2:
            messages = (await agent.ainvoke(asked(text), metered(ledger)))["messages"]
            assert len(set(targets_of(messages))) == 1
        records = calls(ledger)
        assert [record.cache for record in records] == ["miss", "skipped"] * 2 + ["hit", "skipped"] * 2
        assert_agrees(ledger, provider)


async def test_an_agents_tool_that_calls_an_agent(ledger: Ledger) -> None:
    """The inner agent decides for itself: the outer one's decision is no word of the caller's."""
    with FakeProvider(answer=weather_answer) as provider:
        inner = routed(provider, RoutingMiddleware(two(provider)))

        def ask(city: str) -> str:
            """Say what the weather is in a city."""
            return str(inner.invoke(asked(f"Is {city} a sunny city?"))["messages"][-1].text)

        ask.__name__ = "get_weather"
        agent = routed(provider, RoutingMiddleware(two(provider)), tools=[ask])
        messages = (await agent.ainvoke(asked(HARD), metered(ledger)))["messages"]
        assert targets_of(messages) == ["strong"] * 2
        assert called(provider) == ["anthropic", "openai", "openai", "anthropic"]
        assert len({record.trace_id for record in calls(ledger)}) == 1
        assert_agrees(ledger, provider)


class Toolless(FakeListChatModel):
    """A chat model without tools."""


@pytest.mark.parametrize("override", [None, "simple"])
async def test_a_target_without_tools_is_left_out_where_the_agent_has_some(override: str | None) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        targets = {"simple": Toolless(responses=["hello"]), **two(provider)}
        middleware = RoutingMiddleware(targets, lambda request: "simple", per="step")
        config: Any = {"metadata": {"route": override} if override else {}}
        messages = (await routed(provider, middleware).ainvoke(asked(), config))["messages"]
        assert targets_of(messages) == ["strong"] * 2
        reasons = messages[1].response_metadata[MARK][ROUTE_KEY]["reasons"]
        assert reasons[0] == "simple takes no tools"
        assert middleware.faults.counts == {"target 'simple': ConfigurationError": 2}
        assert routed(provider, middleware, tools=[]).invoke(asked(), config)["messages"][-1].text == "hello"


def test_a_conversation_is_remembered_where_it_went_instead() -> None:
    seen: list[str | None] = []

    def simple(request: RouteRequest) -> str:
        # what the answers tell is left out: this asks for what is remembered
        seen.append(request.conversation.target if request.conversation else None)
        return "simple"

    with FakeProvider(answer=lambda request: SUNNY) as provider:
        middleware = RoutingMiddleware({"simple": Toolless(responses=["hello"]), **two(provider)}, simple)
        agent = routed(provider, middleware)
        first = agent.invoke(asked())["messages"]
        bare = [HumanMessage(first[0].content), AIMessage(first[1].content), HumanMessage("And in Rome?")]
        agent.invoke({"messages": bare})
    assert seen == [None, "strong"]


def test_nor_does_such_a_target_take_over_from_one_that_failed() -> None:
    attempts: list[tuple[str, int]] = []

    class Listens(BaseCallbackHandler):
        def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
            mark = kwargs["metadata"][ROUTE_KEY]
            attempts.append((mark["target"], mark["attempt"]))

    with FakeProvider(answer=weather_answer) as provider:
        both = two(provider)
        targets = {"cheap": both["cheap"], "simple": Toolless(responses=["hello"]), "strong": both["strong"]}
        agent = routed(provider, RoutingMiddleware(targets, lambda request: "cheap", on_error="next"))
        provider.fail_next(Fault.server_error())
        assert targets_of(agent.invoke(asked(), {"callbacks": [Listens()]})["messages"]) == ["strong"] * 2
        assert attempts == [("cheap", 1), ("strong", 2), ("strong", 1)]
        provider.fail_next(Fault.server_error(), times=2)
        with pytest.raises(Exception, match="server had an error"):
            agent.invoke(asked())
        assert called(provider)[3:] == ["openai", "anthropic"]


@pytest.mark.parametrize("response_format", [Weather, ToolStrategy(Weather)], ids=["schema", "tool"])
def test_a_target_without_structured_answers_is_left_out_where_one_is_asked_for(response_format: Any) -> None:
    def answer(request: FakeRequest) -> str | FakeAnswer:
        report: dict[str, Any] = {"city": "Paris", "sunny": True}
        called = FakeAnswer(tool_calls=(FakeToolCall(name="Weather", arguments=report),))
        return called if request.tools else '{"city": "Paris", "sunny": true}'

    with FakeProvider(answer=answer) as provider:
        targets = {"simple": Toolless(responses=["hello"]), **two(provider)}
        middleware = RoutingMiddleware(targets, lambda request: "simple")
        agent = routed(provider, middleware, tools=[], response_format=response_format)
        state = agent.invoke(asked())
        assert state["structured_response"] == Weather(city="Paris", sunny=True)
        assert targets_of(state["messages"]) == ["strong"]
        assert "simple takes no response format" in str(state["messages"])


@pytest.mark.parametrize("format", ["openai", "anthropic", "schema", "own"])
async def test_only_its_provider_is_given_a_tool_that_the_provider_runs(format: str) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools: dict[str, Any] = {
        "openai": {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": parameters}},
        "anthropic": {"name": "look", "description": "Look.", "input_schema": parameters},
        "schema": {"title": "look", "description": "Look.", **parameters},
        "own": {"type": "web_search_20250305", "name": "web_search"},
    }
    with FakeProvider(answer=lambda request: SUNNY) as provider:
        targets = two(provider)
        middleware = RoutingMiddleware(targets)
        agent: Any = create_agent(targets["strong"], tools=[tools[format]], middleware=[middleware])
        messages = (await agent.ainvoke(asked(EASY)))["messages"]
        assert targets_of(messages) == ["strong" if format == "own" else "cheap"]
        assert middleware.faults.total == (format == "own")


def test_a_profile_that_knows_no_tools_counts_too() -> None:
    with FakeProvider(answer=weather_answer) as provider:
        targets = two(provider)
        targets["cheap"] = chat_openai(provider, CHEAP, profile={"tool_calling": False})
        middleware = RoutingMiddleware(targets)
        assert targets_of(routed(provider, middleware).invoke(asked())["messages"]) == ["strong"] * 2


# -- explaining, refusing ---------------------------------------------------------------


def test_it_explains_without_calling_a_target(provider: FakeProvider) -> None:
    middleware = RoutingMiddleware(two(provider))
    assert middleware.explain(EASY).target == "cheap"
    explained = middleware.explain([HumanMessage(HARD)], {"metadata": {"feature": "f"}}, tools=[get_weather])
    assert (explained.target, explained.strong) == ("strong", "strong")
    assert "claude-sonnet-4-6" in str(explained)
    assert provider.calls == 0


def test_a_target_may_be_given_by_its_name(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    middleware = RoutingMiddleware([("cheap", f"openai:{CHEAP}"), ("strong", chat_anthropic(provider))])
    assert middleware.targets["cheap"]._llm_type == "openai-chat"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": {}}, "no targets"),
        ({"targets": 3}, "must be a mapping"),
        ({"targets": {"": "model"}}, "non-empty"),
        ({"targets": [("a", "model"), ("a", "model")]}, "two targets have one name"),
        ({"targets": {"a": lambda x: x}}, "target 'a' must be a chat model, not function"),
        ({"targets": {"a": "model"}, "bind": True}, r"Binding: what is bound .* create_agent\(model=...\)"),
        ({"targets": {"a": "nobody:nothing"}, "text": True}, "target 'a': no chat model can be made of 'nobody:"),
        ({"per": "conversation"}, "per must be 'run' or 'step', not 'conversation'"),
        ({"mode": "watch"}, "mode must be"),
        ({"on_error": "retry"}, "on_error must be"),
        ({"strong": "best"}, "strong='best' is not a target"),
        ({"policy": 3}, "3 cannot be"),
        ({"policy": 3, "per": "step"}, "3 cannot be"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(change: Any, message: str, provider: FakeProvider) -> None:
    options = {"targets": two(provider), **change}
    bind, text = options.pop("bind", False), options.pop("text", False)
    if isinstance(options["targets"], dict) and not text:
        real = chat_openai(provider)
        made: Any = real.bind(temperature=0) if bind else real
        options["targets"] = {k: made if v == "model" else v for k, v in options["targets"].items()}
    with pytest.raises(ConfigurationError, match=message):
        RoutingMiddleware(**options)


def test_without_langchain_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['langchain'] = None\n"
        "from lc_costkit.errors import MissingDependency\n"
        "import lc_costkit\n"
        "try:\n"
        "    import lc_costkit.agents\n"
        "except MissingDependency as error:\n"
        "    assert \"pip install 'lc_costkit[agents]'\" in str(error), error\n"
        "    raise SystemExit(0)\n"
        "raise SystemExit('no MissingDependency')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
