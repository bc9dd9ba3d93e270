"""What happens to an agent's run where a target, a budget or a person says no?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain.agents.structured_output import StructuredOutputValidationError
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command, interrupt

from lc_costkit import Budget, BudgetExceeded, Ledger, budgeted
from lc_costkit.agents import RoutingMiddleware
from lc_costkit.marks import ROUTE_KEY, RouteMark
from lc_costkit.routing import RouteRequest
from lc_costkit.testing import FakeProvider, FakeRequest, Fault
from tests.agents.support import (
    CHEAP,
    EASY,
    HARD,
    SOME_WAYS,
    STRONG,
    SUNNY,
    TOOLS,
    Weather,
    asked,
    assert_agrees,
    called,
    calls,
    long_answer,
    metered,
    routed,
    targets_of,
    two,
    weather_answer,
)
from tests.conftest import chat_openai


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as opened:
        yield opened


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
