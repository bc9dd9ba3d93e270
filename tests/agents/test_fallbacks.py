"""Do routing and other middleware that asks again get on, in either order?

A router that overrides the model a fallback asks with makes the fallback call what has just failed, for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    SummarizationMiddleware,
)
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from lc_costkit import Budget, BudgetExceeded, Ledger, budgeted
from lc_costkit.agents import RoutingMiddleware
from lc_costkit.testing import FakeProvider, Fault
from tests.agents.support import (
    EASY,
    HARD,
    SUNNY,
    TOOLS,
    asked,
    assert_agrees,
    calls,
    long_answer,
    metered,
    routed,
    targets_of,
    two,
    weather_answer,
)
from tests.conftest import chat_openai

SPARE = "gpt-4o"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as opened:
        yield opened


def models_called(provider: FakeProvider) -> list[str]:
    assert provider.wait_idle()
    return [call.model for call in provider.log]


class AsksAgain(AgentMiddleware[Any, Any, Any]):
    """Asks once more with the same model, as a retry does."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        try:
            return handler(request)
        except Exception:
            return handler(request)

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        try:
            return await handler(request)
        except Exception:
            return await handler(request)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("fallback_outside", [False, True])
async def test_a_fallback_is_called_where_the_routed_target_fails(
    fallback_outside: bool, asynchronous: bool, ledger: Ledger
) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        routing = RoutingMiddleware(two(provider))
        fallback: Any = ModelFallbackMiddleware(chat_openai(provider, SPARE))
        agent = routed(provider, *((fallback, routing) if fallback_outside else (routing, fallback)))
        provider.fail_next(Fault.server_error())
        config = metered(ledger)
        state = (await agent.ainvoke(asked(), config)) if asynchronous else agent.invoke(asked(), config)
        assert state["messages"][-1].text == SUNNY
        assert models_called(provider) == ["gpt-4o-mini", SPARE, "gpt-4o-mini"]
        assert targets_of(state["messages"]) == [None, "cheap"], "who did not answer is not said to have"
        assert [record.route for record in calls(ledger)] == ["cheap", None, "cheap"]
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("fallback_outside", [False, True])
def test_the_next_target_comes_before_or_after_the_fallback_by_the_order(fallback_outside: bool) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        routing = RoutingMiddleware(two(provider), on_error="next")
        fallback: Any = ModelFallbackMiddleware(chat_openai(provider, SPARE))
        agent = routed(provider, *((fallback, routing) if fallback_outside else (routing, fallback)), tools=[])
        provider.fail_next(Fault.server_error(), times=2)
        messages = agent.invoke(asked())["messages"]
        if fallback_outside:
            assert models_called(provider) == ["gpt-4o-mini", "claude-sonnet-4-6", SPARE]
            assert targets_of(messages) == [None]
        else:
            assert models_called(provider) == ["gpt-4o-mini", SPARE, "claude-sonnet-4-6"]
            assert targets_of(messages) == ["strong"]


def test_a_second_fallback_is_called_too(ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        fallback: Any = ModelFallbackMiddleware(chat_openai(provider, SPARE), chat_openai(provider, "gpt-4.1-mini"))
        agent = routed(provider, fallback, RoutingMiddleware(two(provider)), checkpointer=InMemorySaver())
        for text in (EASY, HARD):
            provider.fail_next(Fault.server_error(), times=2)
            messages = agent.invoke(asked(text), metered(ledger, thread="1"))["messages"]
        strong = "claude-sonnet-4-6"
        models = models_called(provider)
        assert models[:4] == ["gpt-4o-mini", SPARE, "gpt-4.1-mini", "gpt-4o-mini"]
        assert models[4:] == [strong, SPARE, "gpt-4.1-mini", strong], "the next step is routed again"
        assert targets_of(messages) == [None, "cheap", None, "strong"]
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("outside", [False, True])
async def test_one_that_asks_again_with_the_same_model_is_routed_again(outside: bool, asynchronous: bool) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        routing = RoutingMiddleware(two(provider))
        agent = routed(provider, *((AsksAgain(), routing) if outside else (routing, AsksAgain())))
        provider.fail_next(Fault.server_error())
        state = (await agent.ainvoke(asked())) if asynchronous else agent.invoke(asked())
        assert targets_of(state["messages"]) == ["cheap"] * 2
        assert models_called(provider) == ["gpt-4o-mini"] * 3


def test_another_agent_that_is_asked_the_message_that_failed_is_routed(provider: FakeProvider) -> None:
    routing, message = RoutingMiddleware(two(provider)), HumanMessage(EASY)
    one, other = routed(provider, routing), create_agent(chat_openai(provider, SPARE), middleware=[routing])
    provider.fail_next(Fault.server_error())
    with pytest.raises(Exception, match="The server had an error"):
        one.invoke({"messages": [message]})
    assert targets_of(other.invoke({"messages": [message]})["messages"]) == ["cheap"]
    assert models_called(provider) == ["gpt-4o-mini"] * 2


def test_middleware_that_answers_by_itself_is_not_said_to_be_a_target() -> None:
    class Answers(AgentMiddleware[Any, Any, Any]):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return AIMessage("Ask me tomorrow.")

    with FakeProvider() as provider:
        messages = routed(provider, RoutingMiddleware(two(provider)), Answers()).invoke(asked())["messages"]
        assert (messages[-1].text, targets_of(messages), provider.calls) == ("Ask me tomorrow.", [None], 0)


@pytest.mark.parametrize("fallback_outside", [False, True])
def test_a_fallback_takes_a_budgets_refusal_for_a_failure_in_either_order(
    fallback_outside: bool, ledger: Ledger
) -> None:
    """LangChain's own: it falls back from whatever is raised. Put the budget on the fallback as well."""
    with FakeProvider(answer=weather_answer) as provider:
        budget = Budget(calls=1, per="day")
        targets = {name: budgeted(model, budget, ledger) for name, model in two(provider).items()}
        for spare, refused in ((budgeted(chat_openai(provider, SPARE), budget, ledger), True), (None, False)):
            spare = spare or chat_openai(provider, SPARE)
            fallback: Any = ModelFallbackMiddleware(spare)
            routing = RoutingMiddleware(targets, on_error="next")
            agent = routed(provider, *((fallback, routing) if fallback_outside else (routing, fallback)))
            if refused:
                with pytest.raises(BudgetExceeded):
                    agent.invoke(asked(), metered(ledger))
                assert models_called(provider) == ["gpt-4o-mini"]
            else:
                assert agent.invoke(asked(), metered(ledger))["messages"][-1].text == SUNNY
                assert models_called(provider)[1:] == [SPARE] * 2


def test_other_middleware_of_langchain_beside_it(ledger: Ledger) -> None:
    with FakeProvider(answer=long_answer) as provider:
        summing: Any = SummarizationMiddleware(
            model=chat_openai(provider, "gpt-4.1-nano"), trigger=("messages", 8), keep=("messages", 4)
        )
        limit: Any = ModelCallLimitMiddleware(run_limit=10)
        agent: Any = create_agent(
            chat_openai(provider, "gpt-4.1"),
            tools=TOOLS,
            middleware=[summing, limit, RoutingMiddleware(two(provider))],
            checkpointer=InMemorySaver(),
        )
        for text in (EASY, HARD, EASY):
            messages = agent.invoke(asked(text), metered(ledger, thread="1"))["messages"]
            assert messages[-1].text == SUNNY
        by_model = models_called(provider)
        assert by_model.count("gpt-4.1-nano") > 0, "the conversation was summed up on the way"
        assert "gpt-4.1" not in by_model
        assert {record.route for record in calls(ledger) if record.model.startswith("gpt-4.1")} == {None}
        assert {record.route for record in calls(ledger) if "nano" not in record.model} == {"cheap", "strong"}
        runs = {
            record.trace_id: {one.route for one in calls(ledger) if one.trace_id == record.trace_id}
            for record in calls(ledger)
        }
        assert sorted(len(routes - {None}) for routes in runs.values()) == [1, 1, 1], (
            "a run keeps its target all the same"
        )
        assert_agrees(ledger, provider)
