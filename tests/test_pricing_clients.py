"""What the kit says a call cost is what the provider billed, through the real LangChain clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_openai")
pytest.importorskip("langchain_anthropic")

from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI

from lc_costkit.pricing import PriceBook
from lc_costkit.readers import find_cache_ttl, read_langchain
from lc_costkit.testing import FakeProvider
from tests.support.traps import reports_openais_writes

POLICY = "Policy: a card can be frozen in the app at any time, and thawed there too. " * 400


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


def chat_openai(provider: FakeProvider, **settings: Any) -> ChatOpenAI:
    return ChatOpenAI(base_url=provider.openai_base_url, api_key="test", max_retries=0, stream_usage=True, **settings)


def answer(model: BaseChatModel, messages: list[BaseMessage], stream: bool) -> AIMessage:
    if not stream:
        message = model.invoke(messages)
        assert isinstance(message, AIMessage)
        return message
    whole: AIMessageChunk | None = None
    for chunk in model.stream(messages):
        assert isinstance(chunk, AIMessageChunk)
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    return whole


def billed_and_priced(provider: FakeProvider, model: BaseChatModel, system: Any, stream: bool) -> None:
    """Ask twice, so that the second call reads what the first one wrote."""
    for question in ("How do I freeze my card?", "And how do I thaw it?"):
        messages: list[BaseMessage] = [SystemMessage(system), HumanMessage(question)]
        before = provider.billed_usd
        message = answer(model, messages, stream)
        lifetime = find_cache_ttl([part.content for part in messages])
        reading = read_langchain(dict(message.usage_metadata or {}), message.response_metadata, cache_ttl=lifetime)
        assert reading is not None
        cost = PriceBook().price(reading)
        billed = provider.billed_usd - before
        if cost.basis == "estimated" and not reports_openais_writes():
            assert cost.low is not None and cost.high is not None
            assert cost.low <= billed <= cost.high
        else:
            assert (cost.usd, cost.basis) == (billed, "exact")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {"model": "gpt-4o-mini"},
        {"model": "gpt-5.6-sol"},
        {"model": "gpt-5.6-sol", "use_responses_api": True},
        {"model": "gpt-5", "service_tier": "flex"},
        {"model": "gpt-5.6-terra", "service_tier": "priority"},
    ],
)
def test_openai_calls_cost_what_was_billed(provider: FakeProvider, settings: dict[str, Any], stream: bool) -> None:
    billed_and_priced(provider, chat_openai(provider, **settings), f"{settings}{stream} {POLICY}", stream)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("lifetime", [None, "5m", "1h"])
def test_anthropic_calls_cost_what_was_billed(provider: FakeProvider, lifetime: str | None, stream: bool) -> None:
    block: dict[str, Any] = {"type": "text", "text": f"{lifetime}{stream} {POLICY}"}
    if lifetime:
        block["cache_control"] = {"type": "ephemeral", "ttl": lifetime}
    model = ChatAnthropic(
        model="claude-sonnet-4-6", base_url=provider.anthropic_base_url, api_key="test", max_retries=0
    )
    billed_and_priced(provider, model, [block], stream)


def test_a_streamed_write_whose_lifetime_is_lost_is_an_estimate_around_the_bill(provider: FakeProvider) -> None:
    block = {"type": "text", "text": f"lost {POLICY}", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    model = ChatAnthropic(
        model="claude-sonnet-4-6", base_url=provider.anthropic_base_url, api_key="test", max_retries=0
    )
    before = provider.billed_usd
    message = answer(model, [SystemMessage([block]), HumanMessage("How do I freeze my card?")], stream=True)
    reading = read_langchain(dict(message.usage_metadata or {}), message.response_metadata)
    assert reading is not None
    cost = PriceBook().price(reading)
    assert cost.basis == "estimated"
    assert cost.low is not None
    assert cost.high is not None
    assert cost.low <= provider.billed_usd - before <= cost.high
