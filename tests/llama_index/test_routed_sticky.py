"""Does a routed LLM know where its conversations were, though no message tells?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from lc_costkit.llama_index import routed_llm
from lc_costkit.pricing import ModelPrice, PriceBook
from lc_costkit.routing.canary import canary
from lc_costkit.routing.policy import RouteRequest
from lc_costkit.routing.sticky import sticky
from lc_costkit.testing import FakeProvider, Fault

HANDBOOK = ChatMessage(
    "A refund takes five days, once the parcel is back and nothing is missing in it. " * 200, role=MessageRole.SYSTEM
)
NEAR = PriceBook(
    overrides={
        "gpt-4.1-mini": ModelPrice(input_per_million="1.00", output_per_million="4", cache_read_per_million="0.10"),
        "gpt-4.1": ModelPrice(input_per_million="1.50", output_per_million="5", cache_read_per_million="0.15"),
    }
)
"""Two models of nearly one price: a prefix is worth more than a move saves."""


def every_other(request: RouteRequest) -> str:
    """Want the strong model, then the cheap one, and so on."""
    return request.targets[len(request.earlier_questions) % 2 == 0]


@pytest.fixture
def targets(make_llama_llm: Callable[..., Any]) -> dict[str, Any]:
    return {"cheap": make_llama_llm("gpt-4.1-mini"), "strong": make_llama_llm("gpt-4.1")}


def chat(ask: Callable[[list[ChatMessage]], Any], calls: int = 4) -> None:
    messages = [HANDBOOK]
    for number in range(calls):
        messages.append(ChatMessage(f"Question {number}: where is my parcel?"))
        messages.append(ChatMessage(ask(messages).message.content, role=MessageRole.ASSISTANT))


def test_a_conversation_is_kept_where_it_is(provider: FakeProvider, targets: dict[str, Any]) -> None:
    moving, kept = routed_llm(targets, every_other), routed_llm(targets, sticky(every_other, prices=NEAR))
    chat(moving.chat)
    chat(kept.chat)
    models = [call.model for call in provider.log]
    assert models == ["gpt-4.1", "gpt-4.1-mini"] * 2 + ["gpt-4.1"] * 4
    assert kept.faults.total == 0


async def test_asynchronous_calls_and_streams_are_kept(provider: FakeProvider, targets: dict[str, Any]) -> None:
    kept: Any = routed_llm(targets, sticky(every_other, prices=NEAR))
    messages = [HANDBOOK, ChatMessage("Where is my parcel?")]
    said = (await kept.achat(messages)).message.content
    messages += [ChatMessage(said, role=MessageRole.ASSISTANT), ChatMessage("And now?")]
    last = [piece async for piece in await kept.astream_chat(messages)][-1]
    assert last.message.content
    assert [call.model for call in provider.log] == ["gpt-4.1", "gpt-4.1"]


def test_after_a_failure_it_is_kept_where_it_was_answered(provider: FakeProvider, targets: dict[str, Any]) -> None:
    kept = routed_llm(targets, sticky(lambda request: "cheap", prices=NEAR), on_error="next")
    provider.fail_next(Fault.server_error())
    chat(kept.chat, calls=3)
    models = [(call.model, call.status) for call in provider.log]
    assert models == [("gpt-4.1-mini", 500), ("gpt-4.1", 200), ("gpt-4.1", 200), ("gpt-4.1", 200)]


def test_a_trial_goes_by_conversation(provider: FakeProvider, targets: dict[str, Any]) -> None:
    policy = canary(lambda request: "cheap", 0.5)
    for number in range(8):
        before = len(provider.log)
        messages = [ChatMessage(f"Question {number}?")]
        routed = routed_llm(targets, policy)
        messages.append(ChatMessage(routed.chat(messages).message.content, role=MessageRole.ASSISTANT))
        routed.chat([*messages, ChatMessage("And now?")])
        assert len({call.model for call in provider.log[before:]}) == 1
    assert len({call.model for call in provider.log}) == 2
