"""Does what leaves a graph get out of policies, checks and targets, and does everything else stay a fault?"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from lc_costkit import Cascade, ModelRouter
from lc_costkit.routing import Answer, RouteRequest, Verdict
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.leaving import leaves_graph
from lc_costkit.testing import FakeProvider
from tests.conftest import chat_openai

ASKED = RouteRequest(question="Hello", targets=("small", "large"))


@pytest.mark.parametrize("error", [GraphInterrupt(()), GraphBubbleUp("stop")])
async def test_a_chooser_raises_what_leaves_a_graph(error: Exception) -> None:
    def policy(request: RouteRequest) -> str:
        raise error

    chooser = TargetChooser(["small", "large"], policy=policy)
    with pytest.raises(type(error)) as caught:
        chooser.choose(ASKED)
    assert caught.value is error
    with pytest.raises(type(error)) as caught:
        await chooser.achoose(ASKED)
    assert caught.value is error
    assert chooser.faults.total == 0


def test_other_errors_are_failures() -> None:
    assert leaves_graph(GraphInterrupt(()))
    assert not any(leaves_graph(error) for error in (ValueError(), KeyboardInterrupt(), RuntimeError("GraphBubbleUp")))


def in_a_graph(model: Runnable[Any, Any], asynchronous: bool) -> Any:
    """A graph with one node, which calls the model, or awaits it."""

    def call(state: MessagesState) -> Any:
        return {"messages": [model.invoke(state["messages"])]}

    async def acall(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("model", RunnableLambda(call, acall))
    graph.add_edge(START, "model")
    return graph.compile(checkpointer=InMemorySaver())


def asks_a_person(request: RouteRequest, answer: Answer) -> Verdict:
    """A check."""
    return Verdict(passed=interrupt("Good enough?") == "yes")


def asks_before(messages: Any) -> AIMessage:
    """A target."""
    return AIMessage("done" if interrupt("May it?") == "yes" else "not done")


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kind", ["check", "cascade", "router", "policy"])
async def test_a_person_can_be_asked(kind: str, asynchronous: bool, provider: FakeProvider) -> None:
    model, target = chat_openai(provider), RunnableLambda(asks_before)
    made: Cascade | ModelRouter
    if kind == "check":
        made = Cascade({"cheap": model, "strong": model}, [asks_a_person])
    elif kind == "cascade":
        made = Cascade({"cheap": target, "strong": model}, [lambda request, answer: Verdict(passed=True)])
    elif kind == "router":
        made = ModelRouter({"cheap": target, "strong": model}, policy=lambda request: "cheap", on_error="next")
    else:
        made = ModelRouter(
            {"cheap": model, "strong": model},
            policy=lambda request: "cheap" if interrupt("Which?") == "yes" else "strong",
        )
    graph, config = in_a_graph(made, asynchronous), {"configurable": {"thread_id": "1"}}
    asked: Any = {"messages": [("human", "Hello")]}
    for given in (asked, Command(resume="yes")):
        state = (await graph.ainvoke(given, config)) if asynchronous else graph.invoke(given, config)
        assert bool(state.get("__interrupt__")) == (given is asked)
    assert (
        state["messages"][-1].response_metadata.get("lc_costkit", {"route": {"target": "cheap"}})["route"]["target"]
        == "cheap"
    )
    assert made.faults.total == 0
