"""Is what the providers' own clients return read right, whole and streamed, with no framework in between?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.readers import read_usage
from lc_costkit.testing import FakeIteration, FakeProvider
from tests.support.traps import LONG, answering, marked

ASKED: list[Any] = [{"role": "user", "content": "How do I freeze my card?"}]


def price(payload: object, provider: str) -> Cost:
    reading = read_usage(payload, provider)
    assert reading is not None
    return PriceBook().price(reading)


def is_exactly_the_bill(cost: Cost, provider: FakeProvider) -> None:
    assert (cost.usd, cost.basis) == (provider.log[-1].usd, "exact"), (cost, provider.log[-1])
    assert cost.usd


def openai_of(provider: FakeProvider) -> OpenAI:
    return OpenAI(api_key="test", base_url=provider.openai_base_url, max_retries=0)


def anthropic_of(provider: FakeProvider) -> Anthropic:
    return Anthropic(api_key="test", base_url=provider.anthropic_base_url, max_retries=0)


def chat_whole(client: OpenAI, model: str, **asked: Any) -> object:
    return client.chat.completions.create(model=model, messages=ASKED, **asked)


def chat_events(client: OpenAI, model: str, **asked: Any) -> object:
    options: Any = {"include_usage": True}
    return list(
        client.chat.completions.create(model=model, messages=ASKED, stream=True, stream_options=options, **asked)
    )


def chat_last_event(client: OpenAI, model: str, **asked: Any) -> object:
    events: Any = chat_events(client, model, **asked)
    return events[-1].model_dump()


def responses_whole(client: OpenAI, model: str, **asked: Any) -> object:
    return client.responses.create(model=model, input=ASKED, **asked)


def responses_events(client: OpenAI, model: str, **asked: Any) -> object:
    return list(client.responses.create(model=model, input=ASKED, stream=True, **asked))


def responses_last_event(client: OpenAI, model: str, **asked: Any) -> object:
    events: Any = responses_events(client, model, **asked)
    return events[-1]


OPENAI_WAYS = pytest.mark.parametrize(
    "ask", [chat_whole, chat_events, chat_last_event, responses_whole, responses_events, responses_last_event]
)


@OPENAI_WAYS
@pytest.mark.parametrize("model", ["gpt-5-mini", "gpt-5", "gpt-5.6-luna"])
@pytest.mark.parametrize("tier", ["default", "flex", "priority"])
def test_openais_tiers(ask: Callable[..., object], model: str, tier: str) -> None:
    with answering(service_tier=tier, reasoning_tokens=20) as provider, openai_of(provider) as client:
        is_exactly_the_bill(price(ask(client, model), "openai"), provider)


@pytest.mark.parametrize("ask", [responses_whole, responses_events, responses_last_event])
def test_openais_tools(ask: Callable[..., object]) -> None:
    said = {"web_searches": 3, "failed_web_searches": 2, "file_searches": 1}
    with answering(**said) as provider, openai_of(provider) as client:
        is_exactly_the_bill(price(ask(client, "gpt-5"), "openai"), provider)


@pytest.mark.parametrize("ask", [chat_whole, chat_events, chat_last_event])
def test_openais_audio(ask: Callable[..., object]) -> None:
    with answering(input_audio_tokens=50, output_audio_tokens=70) as provider, openai_of(provider) as client:
        is_exactly_the_bill(price(ask(client, "gpt-audio"), "openai"), provider)


def test_openais_writes_that_are_kept_longer() -> None:
    with FakeProvider() as provider, openai_of(provider) as client:
        body = {"prompt_cache_options": {"ttl": "12h"}}
        cost = price(responses_whole(client, "gpt-5.6-sol", instructions=LONG, extra_body=body), "openai")
        assert cost.basis == "estimated"
        assert cost.low is not None and cost.high is not None
        assert cost.low < provider.billed_usd <= cost.high


async def test_openais_asynchronous_client() -> None:
    with answering(service_tier="flex") as provider:
        async with AsyncOpenAI(api_key="test", base_url=provider.openai_base_url, max_retries=0) as client:
            whole = await client.chat.completions.create(model="gpt-5", messages=ASKED)
            is_exactly_the_bill(price(whole, "openai"), provider)
            events = [event async for event in await client.responses.create(model="gpt-5", input=ASKED, stream=True)]
            is_exactly_the_bill(price(events, "openai"), provider)


def message_whole(client: Anthropic, model: str, **asked: Any) -> object:
    return client.beta.messages.create(model=model, max_tokens=500, messages=ASKED, **asked)


def message_plain(client: Anthropic, model: str, **asked: Any) -> object:
    message: Any = message_whole(client, model, **asked)
    return message.model_dump()


def message_events(client: Anthropic, model: str, **asked: Any) -> object:
    return list(client.beta.messages.create(model=model, max_tokens=500, messages=ASKED, stream=True, **asked))


def message_gathered(client: Anthropic, model: str, **asked: Any) -> object:
    with client.beta.messages.stream(model=model, max_tokens=500, messages=ASKED, **asked) as stream:
        return stream.get_final_message()


ANTHROPIC_WAYS = pytest.mark.parametrize("ask", [message_whole, message_plain, message_events, message_gathered])
SAID: dict[str, dict[str, Any]] = {
    "geo": {"inference_geo": "us"},
    "fast": {"speed": "fast"},
    "batch": {"service_tier": "batch"},
    "searches": {"web_searches": 2, "failed_web_searches": 1, "web_fetches": 1},
    "thinking": {"reasoning_tokens": 120},
    "compaction": {
        "iterations": (FakeIteration(kind="compaction", input_tokens=9, cache_write_tokens=55_096, output_tokens=82),)
    },
    "advisor": {
        "iterations": (
            FakeIteration(input_tokens=1128, output_tokens=155),
            FakeIteration(kind="advisor_message", model="claude-fable-5", input_tokens=2564, output_tokens=99),
        )
    },
    "declined": {"iterations": (FakeIteration(model="claude-fable-5", input_tokens=900),)},
    "fallback": {"answered_by": "claude-opus-4-8"},
    "all": {
        "inference_geo": "us",
        "web_searches": 1,
        "reasoning_tokens": 10,
        "iterations": (
            FakeIteration(kind="compaction", input_tokens=9, cache_write_1h_tokens=5000, output_tokens=82),
            FakeIteration(kind="advisor_message", model="claude-fable-5", input_tokens=2564, output_tokens=99),
        ),
    },
}


@ANTHROPIC_WAYS
@pytest.mark.parametrize("said", SAID)
def test_what_anthropic_says_of_a_message(ask: Callable[..., object], said: str) -> None:
    with answering(**SAID[said]) as provider, anthropic_of(provider) as client:
        is_exactly_the_bill(price(ask(client, "claude-opus-5-5"), "anthropic"), provider)


@ANTHROPIC_WAYS
@pytest.mark.parametrize("lifetimes", [("5m",), ("1h",), ("1h", "5m")])
def test_anthropics_cache(ask: Callable[..., object], lifetimes: tuple[str, ...]) -> None:
    with FakeProvider() as provider, anthropic_of(provider) as client:
        for _ in range(2):
            answered = ask(client, "claude-fable-5-1", system=marked(LONG, *lifetimes))
            is_exactly_the_bill(price(answered, "anthropic"), provider)


async def test_anthropics_asynchronous_client() -> None:
    with answering(inference_geo="us", web_searches=1) as provider:
        async with AsyncAnthropic(api_key="test", base_url=provider.anthropic_base_url, max_retries=0) as client:
            created = await client.beta.messages.create(
                model="claude-opus-5-5", max_tokens=100, messages=ASKED, stream=True
            )
            is_exactly_the_bill(price([event async for event in created], "anthropic"), provider)
