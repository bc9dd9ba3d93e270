"""Does every kind of target work in an agent, and is what it cannot do asked of another?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage

from lc_costkit import Ledger, SemanticCache
from lc_costkit.agents import RoutingMiddleware
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.routing import RouteRequest
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall, Fault
from tests.agents.support import (
    CHEAP,
    EASY,
    HARD,
    SUNNY,
    Weather,
    asked,
    assert_agrees,
    called,
    calls,
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
