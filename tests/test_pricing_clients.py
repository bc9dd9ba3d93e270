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
from langchain_openai.chat_models.base import _create_usage_metadata

from lc_costkit.pricing import PriceBook
from lc_costkit.readers import find_cache_ttl, read_langchain
from lc_costkit.testing import FakeProvider

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


def reports_cache_writes() -> bool:
    """Older langchain-openai reads what was written to the prompt cache as plain input."""
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cache_write_tokens": 5}}
    read = _create_usage_metadata({**usage, "total_tokens": 10})
    return read.get("input_token_details", {}).get("cache_creation") == 5


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
        assert cost.usd == provider.billed_usd - before
        assert cost.basis == "exact"


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
    if "5.6" in settings["model"] and not reports_cache_writes():
        pytest.skip("this langchain-openai does not report what was written to the prompt cache")
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
