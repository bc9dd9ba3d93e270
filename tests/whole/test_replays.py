"""Is an answer served again after a restart, in conversations and graphs, and never to somebody else?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from lc_costkit import Ledger, ModelRouter, SemanticCache
from lc_costkit.testing import FakeProvider
from tests.conftest import chat_anthropic, chat_openai
from tests.whole.support import (
    CHEAP,
    EASY,
    EASY_TOO,
    STRONG,
    ask,
    assert_agrees,
    calls,
    kit_rag,
    metered,
    saved,
    without_kit,
)

AFTERWARDS = "And for a business account?"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "costkit.db") as opened:
        yield opened


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[SemanticCache]:
    with SemanticCache(tmp_path / "costkit.db") as opened:
        yield opened


def routed(provider: FakeProvider, cache: SemanticCache) -> ModelRouter:
    return ModelRouter(
        {"cheap": chat_openai(provider, CHEAP, cache=cache), "strong": chat_openai(provider, STRONG, cache=cache)}
    )


def test_the_whole_chain_is_served_after_a_restart(provider: FakeProvider, tmp_path: Path) -> None:
    answers, records = [], []
    for _ in range(3):
        with SemanticCache(tmp_path / "c.db") as cache, Ledger(tmp_path / "c.db") as ledger:
            chain = kit_rag(provider, cache)
            answers += [chain.invoke(ask(EASY), metered(ledger)) for _ in range(2)]
            records = calls(ledger)
            assert cache.check() == ()
    assert len(set(answers)) == 1
    assert provider.calls == 1
    assert [record.cache for record in records] == ["miss"] + ["hit"] * 5
    assert all(saved(record, "cache") == without_kit(records[0]) for record in records[1:])
    with Ledger(tmp_path / "c.db") as ledger, SemanticCache(tmp_path / "c.db") as cache:
        assert_agrees(ledger, provider)
        assert cache.stats().hits == 5
        # the cache does not know what stood before it
        assert 0 < cache.stats().saved_usd < ledger.report().total.saved_by_part["cache"]


@pytest.mark.parametrize("make", [chat_openai, chat_anthropic], ids=["openai", "anthropic"])
def test_a_returned_message_is_the_applications_own(make: Any, provider: FakeProvider, cache: SemanticCache) -> None:
    model = make(provider, cache=cache)
    original = model.invoke(EASY).text
    for _ in range(3):
        message: AIMessage = model.invoke(EASY)
        assert message.text == original
        message.content = "spoiled"
        message.response_metadata.clear()
        message.additional_kwargs["spoiled"] = True
        message.tool_calls.append({"name": "spoiled", "args": {}, "id": "1", "type": "tool_call"})
        if message.usage_metadata is not None:
            message.usage_metadata["input_tokens"] = 10**9
    one, other = model.invoke(EASY), model.invoke(EASY)
    assert one == other
    assert one is not other
    assert one.content is not None
    assert not one.tool_calls
    assert "spoiled" not in one.additional_kwargs
    assert provider.calls == 1


class Conversation:
    """A chain that remembers what was said, as applications write it by hand."""

    def __init__(self, model: Any) -> None:
        prompt = ChatPromptTemplate.from_messages(
            [("system", "You are the support assistant of a bank."), ("placeholder", "{history}"), ("human", "{q}")]
        )
        self.chain = prompt | model
        self.history: list[BaseMessage] = []

    def say(self, text: str, config: Any) -> None:
        """One turn."""
        self.history += [HumanMessage(text), self.chain.invoke({"q": text, "history": self.history}, config)]

    async def asay(self, text: str, config: Any) -> None:
        """One turn, async."""
        answer = await self.chain.ainvoke({"q": text, "history": self.history}, config)
        self.history += [HumanMessage(text), answer]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_a_conversation_that_is_led_again_costs_nothing(
    asynchronous: bool, provider: FakeProvider, cache: SemanticCache, ledger: Ledger
) -> None:
    router, transcripts = routed(provider, cache), []
    for user in ("first", "second", "third"):
        talk, config = Conversation(router), metered(ledger, user=user)
        for text in (EASY, AFTERWARDS, EASY_TOO):
            if asynchronous:
                await talk.asay(text, config)
            else:
                talk.say(text, config)
        transcripts.append([message.text for message in talk.history])
    assert transcripts[0] == transcripts[1] == transcripts[2]
    assert provider.calls == 3
    assert [record.cache for record in calls(ledger)] == ["miss"] * 3 + ["hit"] * 6
    assert {row.group: row.usd for row in ledger.report(by="user").rows if row.usd} == {"first": provider.billed_usd}
    assert_agrees(ledger, provider)


def test_another_history_is_never_served(provider: FakeProvider, cache: SemanticCache, ledger: Ledger) -> None:
    router = routed(provider, cache)
    for before in (EASY, EASY_TOO, "Which fees are there abroad?"):
        talk = Conversation(router)
        talk.say(before, metered(ledger))
        talk.say(AFTERWARDS, metered(ledger))
    talk.say(AFTERWARDS, metered(ledger))
    Conversation(router).say(AFTERWARDS, metered(ledger))
    assert {record.cache for record in calls(ledger)} == {"miss"}
    assert provider.calls == 8
    # an answer that differs is another history too
    spoken = [HumanMessage(EASY), AIMessage("Five days."), HumanMessage(AFTERWARDS)]
    other = [HumanMessage(EASY), AIMessage("Nine days."), HumanMessage(AFTERWARDS)]
    model = chat_openai(provider, cache=cache)
    for messages in (spoken, other, spoken):
        model.invoke(messages, metered(ledger))
    assert [record.cache for record in calls(ledger)][-3:] == ["miss", "miss", "hit"]
    assert_agrees(ledger, provider)


def graph(model: Any) -> Any:
    """One node that answers, with a checkpoint for each thread."""

    def answer(state: MessagesState) -> dict[str, list[BaseMessage]]:
        return {"messages": [model.invoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    return builder.compile(checkpointer=InMemorySaver())


@pytest.mark.parametrize("make", [chat_openai, chat_anthropic], ids=["openai", "anthropic"])
def test_a_graph_keeps_every_served_message(make: Any, provider: FakeProvider, ledger: Ledger) -> None:
    """LangGraph replaces messages by id: two servings of one answer must not share an id."""
    with SemanticCache(context="last") as cache:  # so that one thread can be served the same answer twice
        app = graph(make(provider, cache=cache))
        for thread in ("one", "two"):
            for _ in range(3):
                config = {**metered(ledger), "configurable": {"thread_id": thread}}
                state = app.invoke({"messages": [("human", EASY)]}, config)
            messages = state["messages"]
            assert [message.type for message in messages] == ["human", "ai"] * 3
            assert len({message.id for message in messages}) == 6
            assert len({message.text for message in messages if message.type == "ai"}) == 1
        assert provider.calls == 1
        assert [record.cache for record in calls(ledger)] == ["miss"] + ["hit"] * 5
        assert_agrees(ledger, provider)


def test_a_threads_history_in_a_graph_is_part_of_the_question(
    provider: FakeProvider, cache: SemanticCache, ledger: Ledger
) -> None:
    app = graph(routed(provider, cache))
    for thread in ("one", "two"):
        config = {**metered(ledger), "configurable": {"thread_id": thread}}
        for text in (EASY, AFTERWARDS, EASY):
            state = app.invoke({"messages": [("human", text)]}, config)
        assert len(state["messages"]) == 6
    assert [record.cache for record in calls(ledger)] == ["miss"] * 3 + ["hit"] * 3
    assert_agrees(ledger, provider)
