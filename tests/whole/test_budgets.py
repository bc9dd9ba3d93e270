"""Does a hard budget stop an agent, a graph and a chain before the next call, and agree with the bill until then?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import BaseModel

from lc_costkit import (
    Budget,
    BudgetExceeded,
    CostCallbackHandler,
    Ledger,
    ModelRouter,
    SemanticCache,
    budgeted,
)
from lc_costkit.marks import MARK
from lc_costkit.switch import DISABLE_VARIABLE
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall
from tests.conftest import chat_anthropic, chat_openai
from tests.whole.support import (
    CHEAP,
    EASY,
    QUESTIONS,
    STRONG,
    ask,
    assert_agrees,
    calls,
    help_centre,
    kit_rag,
    plain_rag,
    rag,
    sent,
)

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


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as opened:
        yield opened


def restless(request: FakeRequest) -> str | FakeAnswer:
    """An agent that never has enough."""
    return FakeAnswer(tool_calls=(FakeToolCall(name="get_weather", arguments={"city": "Paris"}),))


def weather_answer(request: FakeRequest) -> str | FakeAnswer:
    return "It is sunny in Paris." if request.after_tool_result else restless(request)


def asked(text: str = "Is Paris a sunny city?") -> Any:
    return {"messages": [("human", text)]}


def metered(ledger: Ledger, **metadata: Any) -> Any:
    return {"callbacks": [CostCallbackHandler(ledger)], "metadata": metadata}


def assert_counted(budget: Budget, provider: FakeProvider) -> None:
    assert provider.wait_idle()
    assert (budget.status().held, budget.status().unsettled) == (0, 0)
    assert budget.status().spent == provider.billed_usd


async def invoke(agent: Any, config: Any) -> None:
    agent.invoke(asked(), config)


async def ainvoke(agent: Any, config: Any) -> None:
    await agent.ainvoke(asked(), config)


async def stream(agent: Any, config: Any) -> None:
    for _ in agent.stream(asked(), config, stream_mode="messages"):
        pass


async def astream(agent: Any, config: Any) -> None:
    async for _ in agent.astream(asked(), config, stream_mode="messages"):
        pass


@pytest.mark.parametrize("make", [chat_openai, chat_anthropic], ids=["openai", "anthropic"])
@pytest.mark.parametrize("way", [invoke, ainvoke, stream, astream], ids=lambda way: way.__name__)
async def test_an_agent_stops_before_the_call_that_does_not_fit(way: Any, make: Any, ledger: Ledger) -> None:
    with FakeProvider(answer=restless) as provider:
        money, steps = Budget(usd=1), Budget(calls=3, per="day", scope={"user": "*"}, name="steps")
        agent = create_agent(budgeted(make(provider), [money, steps], ledger), tools=[get_weather])
        with pytest.raises(BudgetExceeded, match=r"budget 'steps' for user 'u1': 3 spent .* exceeds 3 calls; resets"):
            await way(agent, metered(ledger, user="u1"))
        assert provider.calls == 3
        assert ran == ["Paris"] * 3
        assert_counted(money, provider)
        done = [record for record in calls(ledger) if record.error is None]
        refused = [record for record in calls(ledger) if record.error is not None]
        assert len(done) == 3
        assert [record.error for record in refused] == ["BudgetExceeded"]
        assert refused[0].cost.usd == 0
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("make", [chat_openai, chat_anthropic], ids=["openai", "anthropic"])
async def test_an_agent_that_fits_is_not_changed(make: Any, ledger: Ledger) -> None:
    bodies, answers = [], []
    for budget in (None, Budget(usd=1)):
        with FakeProvider(answer=weather_answer) as provider:
            plain = make(provider)
            model = plain if budget is None else budgeted(plain, budget, ledger)
            agent: Any = create_agent(
                model, tools=[get_weather], system_prompt="You help.", response_format=ToolStrategy(Weather)
            )
            answers.append([message.text for message in (await agent.ainvoke(asked()))["messages"]])
            bodies.append(sent(provider))
            if budget is not None:
                assert_counted(budget, provider)
    assert bodies[0] == bodies[1]
    assert answers[0] == answers[1]


async def test_a_graph_with_its_own_model_node(ledger: Ledger) -> None:
    with FakeProvider() as provider:
        budget = Budget(usd=1)
        model = budgeted(chat_openai(provider), budget, ledger)

        async def answer(state: MessagesState) -> Any:
            return {"messages": [await model.ainvoke(state["messages"])]}

        graph = StateGraph(MessagesState)
        graph.add_node("model", answer)
        graph.add_edge(START, "model")
        graph.add_edge("model", END)
        app = graph.compile()
        pieces = [piece async for piece, _ in app.astream(asked(), metered(ledger), stream_mode="messages")]
        assert len(pieces) > 3, "streamed through the node"
        await asyncio.gather(*(app.ainvoke(asked(text), metered(ledger)) for text in QUESTIONS))
        assert_counted(budget, provider)
        assert_agrees(ledger, provider)


async def test_an_agent_goes_on_with_another_providers_model(ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        budget = Budget(usd="0.02", on_exceeded="cheapest")
        strong = chat_openai(provider, STRONG, max_tokens=4000)
        cheap = chat_anthropic(provider, max_tokens=100)
        agent: Any = create_agent(budgeted(strong, budget, ledger, cheapest=cheap), tools=[get_weather])
        messages = agent.invoke(asked(), metered(ledger))["messages"]
        assert messages[-1].text == "It is sunny in Paris."
        marks = [message.response_metadata[MARK]["budget"] for message in messages if message.type == "ai"]
        assert marks == [{"answered_by": "claude-haiku-4-5"}] * 2
        assert_counted(budget, provider)
        assert_agrees(ledger, provider)


def test_a_rag_chain_with_every_part_of_the_kit(ledger: Ledger) -> None:
    with FakeProvider() as provider, SemanticCache() as cache:
        budget = Budget(usd=1, per="month", scope={"feature": "support"})
        targets = {name: chat_openai(provider, name, cache=cache) for name in (CHEAP, STRONG)}
        router = budgeted(ModelRouter({"cheap": targets[CHEAP], "strong": targets[STRONG]}), budget, ledger)
        chain = rag(help_centre(), router)
        for question in QUESTIONS * 2:
            assert chain.invoke(ask(question), metered(ledger, feature="support"))
        assert provider.calls < 2 * len(QUESTIONS)
        assert [record.cache for record in calls(ledger)][-1] == "hit"
        assert_counted(budget, provider)
        assert_agrees(ledger, provider)
        # hits are free: the same questions pass when nothing is left
        none = budgeted(ModelRouter({"only": targets[CHEAP]}), Budget(calls=0), ledger)
        assert rag(help_centre(), none).invoke(ask(EASY))
        with pytest.raises(BudgetExceeded):
            rag(help_centre(), none).invoke(ask("Something else altogether?"))


def test_switched_off_it_is_as_if_it_were_not_there(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DISABLE_VARIABLE, "1")
    with FakeProvider() as plain, FakeProvider() as other:
        plain_rag(plain).invoke(ask(EASY))
        model = budgeted(chat_openai(other, STRONG, cache=False), Budget(calls=0), ledger)
        rag(help_centre(), model).invoke(ask(EASY))
        assert sent(plain) == sent(other)


async def test_many_chains_at_once_stay_within_the_limit(ledger: Ledger) -> None:
    with FakeProvider() as provider, SemanticCache() as cache:
        budget = Budget(usd="0.002")
        model = budgeted(chat_openai(provider, CHEAP, max_tokens=200), budget, ledger)
        answers = await asyncio.gather(
            *(model.ainvoke(f"{question} ({number})") for number in range(12) for question in QUESTIONS),
            return_exceptions=True,
        )
        refused = [answer for answer in answers if isinstance(answer, BaseException)]
        assert 0 < len(refused) < len(answers)
        assert {type(error) for error in refused} == {BudgetExceeded}
        assert provider.calls == len(answers) - len(refused)
        assert_counted(budget, provider)
        assert budget.status().spent <= budget.limit
        assert kit_rag(provider, cache).invoke(ask(EASY)), "what is not budgeted goes on"
