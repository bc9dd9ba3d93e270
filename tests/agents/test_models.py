"""Do agents run on a router and on a cascade as their model?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from lc_costkit import Cascade, Ledger, ModelRouter
from lc_costkit.agents import RoutingMiddleware
from lc_costkit.routing import Answer, RouteRequest, Verdict
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall
from tests.agents.support import (
    EASY,
    HARD,
    SOME_WAYS,
    SUNNY,
    TOOLS,
    Weather,
    asked,
    assert_agrees,
    called,
    calls,
    long_answer,
    metered,
    targets_of,
    tool_names,
    two,
    weather_answer,
)

DRAFT = "I am not sure, it might rain."


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as opened:
        yield opened


def unsure_if_cheap(request: FakeRequest) -> str | FakeAnswer:
    """The cheap model calls the tool, but its answer is a guess."""
    answer = weather_answer(request)
    return DRAFT if answer == SUNNY and request.provider == "openai" else answer


def sure(request: RouteRequest, answer: Answer) -> Verdict:
    """A check that lets no guess through."""
    return Verdict(passed="not sure" not in answer.text, reason="a guess")


def cascade(provider: FakeProvider) -> Cascade:
    return Cascade(two(provider), [sure])


# -- a router ---------------------------------------------------------------------------


@pytest.mark.parametrize("way", SOME_WAYS, ids=lambda way: way.__name__)
async def test_a_router_is_an_agents_model(way: Any, ledger: Ledger) -> None:
    with FakeProvider(answer=long_answer) as provider:
        agent: Any = create_agent(ModelRouter(two(provider)), tools=TOOLS, system_prompt="You help.")
        for text, where in ((EASY, "openai"), (HARD, "anthropic")):
            provider.reset()
            messages = await way(agent, text, metered(ledger))
            assert messages[-1].text == SUNNY
            assert called(provider)[0] == where
            assert all(tool_names(call.body) == ["get_weather"] for call in provider.log)
        assert None not in [record.route for record in calls(ledger)]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_router_streams_the_tokens_of_its_target(asynchronous: bool, ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent: Any = create_agent(ModelRouter(two(provider)), tools=TOOLS)
        for text in (EASY, HARD):
            pieces = await streamed(agent, text, ledger, asynchronous)
            assert "".join(str(piece.text) for piece in pieces) == SUNNY
            assert len([piece for piece in pieces if piece.text]) >= 2
        assert_agrees(ledger, provider)


async def streamed(agent: Any, text: str, ledger: Ledger, asynchronous: bool) -> list[Any]:
    if asynchronous:
        stream = agent.astream(asked(text), metered(ledger), stream_mode="messages")
        return [piece async for piece, _ in stream if not isinstance(piece, ToolMessage)]
    pieces = [piece for piece, _ in agent.stream(asked(text), metered(ledger), stream_mode="messages")]
    return [piece for piece in pieces if not isinstance(piece, ToolMessage)]


# -- a cascade --------------------------------------------------------------------------


@pytest.mark.parametrize("way", SOME_WAYS, ids=lambda way: way.__name__)
async def test_a_cascade_is_an_agents_model(way: Any, ledger: Ledger) -> None:
    with FakeProvider(answer=unsure_if_cheap) as provider:
        agent: Any = create_agent(cascade(provider), tools=TOOLS, system_prompt="You help.")
        messages = await way(agent, EASY, metered(ledger))
        assert messages[-1].text == SUNNY
        assert DRAFT not in str(messages)
        assert targets_of(messages) == ["cheap", "strong"]
        assert called(provider) == ["openai", "openai", "anthropic"]
        records = calls(ledger)
        assert [record.route for record in records] == ["cheap", "cheap", "strong"]
        assert len({record.trace_id for record in records}) == 1
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_cascade_streams_no_draft_that_is_thrown_away(asynchronous: bool, ledger: Ledger) -> None:
    with FakeProvider(answer=unsure_if_cheap) as provider:
        agent: Any = create_agent(cascade(provider), tools=TOOLS)
        pieces = await streamed(agent, EASY, ledger, asynchronous)
        assert "".join(str(piece.text) for piece in pieces) == SUNNY
        assert_agrees(ledger, provider)


# -- both ---------------------------------------------------------------------------------


def models(provider: FakeProvider) -> list[Any]:
    return [ModelRouter(two(provider)), cascade(provider), ModelRouter(two(provider), on_error="next")]


@pytest.mark.parametrize("number", [0, 1, 2], ids=["router", "cascade", "next"])
@pytest.mark.parametrize(
    "strategy", [Weather, ToolStrategy(Weather), ProviderStrategy(Weather)], ids=["auto", "tool", "own"]
)
@pytest.mark.parametrize("text", [EASY, HARD])
async def test_structured_answers(number: int, strategy: Any, text: str, ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> str | FakeAnswer:
        report = {"city": "Paris", "sunny": True}
        if not any(message.role == "tool" for message in request.messages):
            return FakeAnswer(tool_calls=(FakeToolCall(name="get_weather", arguments={"city": "Paris"}),))
        if "Weather" in [one.name for one in request.tools]:
            return FakeAnswer(tool_calls=(FakeToolCall(name="Weather", arguments=report),))
        return '{"city": "Paris", "sunny": true}'

    with FakeProvider(answer=answer) as provider:
        agent: Any = create_agent(models(provider)[number], tools=TOOLS, response_format=strategy)
        for state in (agent.invoke(asked(text), metered(ledger)), await agent.ainvoke(asked(text), metered(ledger))):
            assert state["structured_response"] == Weather(city="Paris", sunny=True)
        assert None not in [record.route for record in calls(ledger)]
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("number", [0, 1], ids=["router", "cascade"])
async def test_several_turns_of_a_thread(number: int, ledger: Ledger) -> None:
    with FakeProvider(answer=unsure_if_cheap if number else weather_answer) as provider:
        agent: Any = create_agent(models(provider)[number], tools=TOOLS, checkpointer=InMemorySaver())
        config = metered(ledger, thread="1")
        for text in (EASY, HARD, "Is Rome a sunny city?"):
            messages = (await agent.ainvoke(asked(text), config))["messages"]
            assert messages[-1].text == SUNNY
        assert len(messages) == 12
        assert None not in targets_of(messages)
        messages = agent.invoke(asked("And Oslo?"), {**config, "metadata": {"route": "strong"}})["messages"]
        assert targets_of(messages)[-2:] == ["strong", "strong"]
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("number", [0, 1], ids=["router", "cascade"])
def test_middleware_that_only_watches_leaves_the_agents_own_router_alone(number: int, ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        watching = RoutingMiddleware(two(provider), mode="observe")
        agent: Any = create_agent(models(provider)[number], tools=TOOLS, middleware=[watching])
        messages = agent.invoke(asked(EASY), metered(ledger))["messages"]
        assert targets_of(messages) == ["cheap"] * 2
        assert watching.faults.total == 0
        assert [record.route for record in calls(ledger)] == ["cheap"] * 2
