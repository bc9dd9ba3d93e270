"""Is the provider's bill lower where a router keeps conversations where they are, and are failures remembered?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool

from lc_costkit.langchain.router import ModelRouter
from lc_costkit.routing.canary import canary
from lc_costkit.routing.conversations import Conversations
from lc_costkit.routing.policy import Policy, RouteRequest
from lc_costkit.routing.sticky import sticky
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall, Fault
from tests.conftest import chat_anthropic

HANDBOOK = SystemMessage("A refund takes five days, once the parcel is back and nothing is missing in it. " * 300)
MARKED = {"cache_control": {"type": "ephemeral"}}


@tool
def look_up(order: int) -> str:
    """Look up an order."""
    return f"Order {order} was sent and has not come back. " * 40


def answer(request: FakeRequest) -> str | FakeAnswer:
    """Look up five orders if asked for it, else answer in a few words."""
    done = sum(message.role == "tool" for message in request.messages)
    if request.tools and "orders" in request.question and done < 5:
        return FakeAnswer(tool_calls=(FakeToolCall(name="look_up", arguments={"order": done}),))
    return "It is on its way."


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer) as running:
        yield running


def every_other(request: RouteRequest) -> str:
    """Want the strong model, then the cheap one, and so on, with each call."""
    said = sum(turn.role != "assistant" for turn in request.turns)
    return request.targets[said % 2]


def routed(provider: FakeProvider, policy: Policy, **options: Any) -> Any:
    models = {
        "cheap": chat_anthropic(provider, "claude-sonnet-4-6"),
        "strong": chat_anthropic(provider, "claude-opus-4-8"),
    }
    router = ModelRouter(models, policy=policy, **options)
    # What time it is, is the provider's matter: tests move its clock.
    router._chooser.conversations = Conversations(clock=provider.clock.timestamp)
    return router


def chat(
    ask: Callable[[LanguageModelInput], Any], provider: FakeProvider, *, calls: int = 6, pause: float = 30
) -> None:
    messages: list[Any] = [HANDBOOK]
    for number in range(calls):
        messages.append(HumanMessage(f"Question {number}: where is my parcel?"))
        messages.append(ask(messages))
        provider.clock.advance(pause)


def billed(provider: FakeProvider, work: Callable[[], None]) -> tuple[Decimal, list[str | None]]:
    """Return what some work is billed (USD), with the provider's cache empty at first, and the models it called."""
    provider.clock.advance(7_200)
    before = len(provider.log)
    work()
    calls = provider.log[before:]
    return sum((call.usd or Decimal(0) for call in calls), Decimal(0)), [call.model for call in calls]


def test_a_chat_costs_less_where_it_is_kept(provider: FakeProvider) -> None:
    moving, kept = routed(provider, every_other), routed(provider, sticky(every_other))
    moved_usd, moved = billed(provider, lambda: chat(moving.bind(**MARKED).invoke, provider))
    kept_usd, stayed = billed(provider, lambda: chat(kept.bind(**MARKED).invoke, provider))
    assert moved == ["claude-opus-4-8", "claude-sonnet-4-6"] * 3
    assert stayed == ["claude-opus-4-8"] * 6
    assert kept_usd < moved_usd
    assert kept._chooser.faults.total == 0


def test_a_chat_that_goes_on_gets_down_in_the_end(provider: FakeProvider) -> None:
    """Hard at first, then easy for long: what is not saved adds up."""
    hard_first = sticky(lambda request: request.targets[len(request.turns) == 1])
    strong, kept = routed(provider, lambda request: "strong"), routed(provider, hard_first)
    strong_usd, _ = billed(provider, lambda: chat(strong.bind(**MARKED).invoke, provider, calls=25))
    kept_usd, models = billed(provider, lambda: chat(kept.bind(**MARKED).invoke, provider, calls=25))
    place = models.index("claude-sonnet-4-6")
    assert 2 <= place < 25
    assert models == ["claude-opus-4-8"] * place + ["claude-sonnet-4-6"] * (25 - place)
    assert kept_usd < strong_usd * Decimal("1.25")


def test_a_chat_that_rests_is_the_policys(provider: FakeProvider) -> None:
    kept = routed(provider, sticky(every_other)).bind(**MARKED)
    _, models = billed(provider, lambda: chat(kept.invoke, provider, pause=400))
    assert models == ["claude-opus-4-8", "claude-sonnet-4-6"] * 3


def test_a_chat_that_is_not_marked_for_caching_is_the_policys(provider: FakeProvider) -> None:
    _, models = billed(provider, lambda: chat(routed(provider, sticky(every_other)).invoke, provider))
    assert models == ["claude-opus-4-8", "claude-sonnet-4-6"] * 3


def test_an_hours_mark_keeps_it_for_an_hour(provider: FakeProvider) -> None:
    kept = routed(provider, sticky(every_other)).bind(cache_control={"type": "ephemeral", "ttl": "1h"})
    _, models = billed(provider, lambda: chat(kept.invoke, provider, pause=400))
    assert models == ["claude-opus-4-8"] * 6


def test_what_the_reasons_say_is_about_what_is_billed(provider: FakeProvider) -> None:
    """Expected for staying, and what the provider then billed; the prompt's tokens are an estimate."""
    kept = routed(provider, sticky(every_other, output_tokens=5)).bind(**MARKED)
    told: list[Decimal] = []

    def ask(messages: LanguageModelInput) -> Any:
        expected = kept.explain(messages).choice.decision.expected_cost
        told.append(expected if expected is not None else Decimal(0))
        return kept.invoke(messages)

    before = len(provider.log)
    chat(ask, provider)
    for expected, call in zip(told[1::2], provider.log[before + 1 :: 2], strict=True):
        assert call.usd is not None
        assert expected == pytest.approx(call.usd, rel=Decimal("0.25"))


async def test_streams_and_asynchronous_calls_are_kept_alike(provider: FakeProvider) -> None:
    kept = routed(provider, sticky(every_other)).bind(**MARKED)
    messages: list[Any] = [HANDBOOK, HumanMessage("Where is my parcel?")]
    messages += [await kept.ainvoke(messages), HumanMessage("And now?")]
    text = "".join([str(chunk.text) for chunk in kept.stream(messages)])
    messages += [AIMessage(text), HumanMessage("And now?")]
    text = "".join([str(chunk.text) async for chunk in kept.astream(messages)])
    messages += [AIMessage(text), HumanMessage("And now?")]
    (last,) = await kept.abatch([messages])
    assert {call.model for call in provider.log} == {"claude-opus-4-8"}
    assert last.response_metadata["lc_costkit"]["route"]["reasons"][0].startswith("stays at strong")


def test_a_conversation_that_is_sent_as_plain_text_is_known_again(provider: FakeProvider) -> None:
    """Whoever keeps no metadata of the answers has the memory."""
    kept = routed(provider, sticky(every_other)).bind(**MARKED)
    _, models = billed(provider, lambda: chat(lambda m: AIMessage(kept.invoke(m).text), provider))
    assert models == ["claude-opus-4-8"] * 6


def test_an_agents_run_costs_less_where_it_is_kept(provider: FakeProvider) -> None:
    def run(router: Any) -> None:
        agent = create_agent(model=router.bind(**MARKED), tools=[look_up], system_prompt=str(HANDBOOK.content))
        state = agent.invoke({"messages": [HumanMessage("Look at all my orders.")]})
        assert len(state["messages"]) == 12

    moved_usd, moved = billed(provider, lambda: run(routed(provider, every_other)))
    kept_usd, stayed = billed(provider, lambda: run(routed(provider, sticky(every_other))))
    assert set(moved) == {"claude-opus-4-8", "claude-sonnet-4-6"}
    assert stayed == ["claude-opus-4-8"] * 6
    assert kept_usd < moved_usd


def test_steps_may_be_weighed_one_by_one(provider: FakeProvider) -> None:
    router = routed(provider, sticky(every_other, keep_runs=False, expected_calls=50))
    agent = create_agent(model=router.bind(**MARKED), tools=[look_up], system_prompt=str(HANDBOOK.content))
    agent.invoke({"messages": [HumanMessage("Look at all my orders.")]})
    assert {call.model for call in provider.log} == {"claude-opus-4-8", "claude-sonnet-4-6"}


def test_copies_with_tools_share_the_memory_and_begin_other_prompts(provider: FakeProvider) -> None:
    plain = routed(provider, sticky(every_other)).bind(**MARKED)
    tooled = plain.bind_tools([look_up])
    first = [HANDBOOK, HumanMessage("Where is my parcel?")]
    again = [*first, AIMessage("It is on its way."), HumanMessage("And now?")]
    tooled.invoke(first)
    assert tooled.explain(again).target == "strong"
    assert plain.bind_tools([look_up]).explain(again).target == "strong"
    assert plain.explain(again).target == "cheap"  # without the tools it is another prompt


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_conversation_is_kept_where_it_was_answered_after_a_failure(
    provider: FakeProvider, asynchronous: bool
) -> None:
    """The cheap model fails once; the strong one answers, and has the conversation in its cache from then on."""
    kept = routed(provider, sticky(lambda request: "cheap"), on_error="next").bind(**MARKED)
    provider.fail_next(Fault.server_error())

    def ask(messages: LanguageModelInput) -> AIMessage:
        message = asyncio.run(kept.ainvoke(messages)) if asynchronous else kept.invoke(messages)
        return AIMessage(message.text)  # so that only the memory knows

    chat(ask, provider, calls=3)
    assert [(call.model, call.status) for call in provider.log] == [
        ("claude-sonnet-4-6", 500),
        ("claude-opus-4-8", 200),
        ("claude-opus-4-8", 200),
        ("claude-opus-4-8", 200),
    ]


def test_a_trial_is_the_same_for_all_calls_of_a_user(provider: FakeProvider) -> None:
    router = routed(provider, canary(lambda request: "cheap", 0.5))
    for user in ("ann", "bob", "cleo", "dora", "emil", "fritz"):
        said = [
            router.invoke(f"Question {n}", {"metadata": {"user": user}}).response_metadata["lc_costkit"]["route"]
            for n in range(3)
        ]
        assert said[0] == said[1] == said[2]
        trial = said[0]["target"] == "cheap"
        assert said[0]["reasons"] == ["in the trial (user)" if trial else "outside the trial (user)"]
    assert {call.model for call in provider.log} == {"claude-opus-4-8", "claude-sonnet-4-6"}


def test_where_only_the_system_prompt_is_marked_only_that_is_warm(provider: FakeProvider) -> None:
    marked = SystemMessage([{"type": "text", "text": HANDBOOK.content, **MARKED}])
    seen: list[RouteRequest] = []

    def policy(request: RouteRequest) -> str:
        seen.append(request)
        return "strong"

    router = routed(provider, policy)
    messages: list[Any] = [marked]
    for number in range(3):
        messages.append(HumanMessage(f"Question {number}: where is my parcel? " * 200))
        messages.append(router.invoke(messages))
    read = [(call.usage or {}).get("cache_read_input_tokens", 0) for call in provider.log]
    assert [request.cache_turns for request in seen] == [0, 0, 0]
    for request, tokens, call in zip(seen[1:], read[1:], provider.log[1:], strict=True):
        assert request.conversation is not None
        usage = call.usage or {}
        whole = sum(usage[name] for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"))
        assert request.conversation.warm_at["strong"] == pytest.approx(tokens / whole, abs=0.08)  # of estimates
