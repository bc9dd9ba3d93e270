"""Does the provider say and bill what an answer is told to have used, in the shapes the real ones have?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from anthropic import Anthropic, BadRequestError
from openai import BadRequestError as OpenAIBadRequestError
from openai import OpenAI

from lc_costkit.errors import ConfigurationError
from lc_costkit.testing import BilledCall, FakeAnswer, FakeIteration, FakeProvider, FakeToolCall

ASKED: list[Any] = [{"role": "user", "content": "How do I freeze my card?"}]
ANSWERS: dict[str, Any] = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": ASKED}


def said(**fields: Any) -> FakeProvider:
    return FakeProvider(answer=lambda request: FakeAnswer("In the app.", **fields))


def anthropic(provider: FakeProvider, **asked: Any) -> tuple[Any, BilledCall]:
    with Anthropic(api_key="test", base_url=provider.anthropic_base_url, max_retries=0) as client:
        answered = client.beta.messages.create(**{**ANSWERS, **asked})
        return (list(answered) if asked.get("stream") else answered), provider.log[-1]


def openai(provider: FakeProvider, model: str = "gpt-5", **asked: Any) -> tuple[Any, BilledCall]:
    with OpenAI(api_key="test", base_url=provider.openai_base_url, max_retries=0) as client:
        return client.responses.create(model=model, input=ASKED, **asked), provider.log[-1]


def at(usage: Any, price_in: str, price_out: str, factor: str = "1") -> Decimal:
    """USD for plain input and output at prices per million."""
    tokens = usage.input_tokens * Decimal(price_in) + usage.output_tokens * Decimal(price_out)
    return tokens * Decimal(factor) / 1_000_000


@pytest.mark.parametrize(
    ("fields", "factor", "told"),
    [
        ({}, "1", {"service_tier": "standard", "inference_geo": "not_available", "speed": None}),
        ({"inference_geo": "us"}, "1.1", {"inference_geo": "us"}),
        ({"inference_geo": "global"}, "1", {"inference_geo": "global"}),
        ({"speed": "fast"}, "2", {"speed": "fast"}),
        ({"service_tier": "batch"}, "0.5", {"service_tier": "batch"}),
        ({"service_tier": "priority"}, "1", {"service_tier": "priority"}),
        ({"speed": "fast", "inference_geo": "us"}, "2.2", {"speed": "fast", "inference_geo": "us"}),
    ],
)
def test_anthropics_terms_are_said_and_billed(fields: dict[str, Any], factor: str, told: dict[str, Any]) -> None:
    with said(**fields) as provider:
        message, billed = anthropic(provider)
    assert {name: getattr(message.usage, name) for name in told} == told
    assert billed.usd == at(message.usage, "4", "20", factor)


def test_anthropic_does_what_the_request_asks_for() -> None:
    with FakeProvider() as provider:
        message, billed = anthropic(provider, inference_geo="us", speed="fast")
        assert (message.usage.inference_geo, message.usage.speed) == ("us", "fast")
        assert billed.usd == at(message.usage, "4", "20", "2.2")
        with pytest.raises(BadRequestError, match="fast mode is not available"):
            anthropic(provider, model="claude-haiku-4-5", speed="fast")


def test_anthropics_tools_are_counted_shown_and_billed() -> None:
    with said(web_searches=2, failed_web_searches=1, web_fetches=1) as provider:
        message, billed = anthropic(provider)
    assert message.usage.server_tool_use.model_dump() == {"web_search_requests": 2, "web_fetch_requests": 1}
    assert [block.type for block in message.content] == [
        *("server_tool_use", "web_search_tool_result") * 3,
        *("server_tool_use", "web_fetch_tool_result"),
        "text",
    ]
    assert billed.usd == at(message.usage, "4", "20") + Decimal("0.02")


def test_anthropics_iterations_add_up() -> None:
    iterations = (
        FakeIteration(kind="compaction", input_tokens=100, cache_write_tokens=1000, output_tokens=10),
        FakeIteration(model="claude-fable-5", input_tokens=500),
        FakeIteration(input_tokens=7, output_tokens=3),
        FakeIteration(kind="advisor_message", model="claude-fable-5", input_tokens=900, output_tokens=9),
    )
    with said(iterations=iterations) as provider:
        message, billed = anthropic(provider)
    usage, listed = message.usage, message.usage.iterations
    assert [one.type for one in listed] == ["compaction", "message", "message", "advisor_message", "message"]
    assert (usage.input_tokens, usage.output_tokens) == (7 + listed[-1].input_tokens, 3 + listed[-1].output_tokens)
    # Opus 5.5: 4 in, 5 written, 20 out; Fable 5: 10 in, 50 out. What was declined is free.
    compaction = Decimal(100 * 4 + 1000 * 5 + 10 * 20) / 1_000_000
    advice = Decimal(900 * 10 + 9 * 50) / 1_000_000
    assert billed.usd == at(usage, "4", "20") + compaction + advice


def test_a_fallback_answers_under_its_own_name_and_price() -> None:
    with said(answered_by="claude-opus-4-8") as provider:
        message, billed = anthropic(provider, model="claude-fable-5")
    assert message.model == "claude-opus-4-8"
    declined, answered = message.usage.iterations
    assert (declined.type, declined.model, declined.output_tokens) == ("message", "claude-fable-5", 0)
    assert (answered.type, answered.model) == ("fallback_message", "claude-opus-4-8")
    assert billed.usd == at(message.usage, "5", "25")


def test_the_last_event_of_a_stream_says_less_than_the_first_and_more() -> None:
    fields = {"inference_geo": "us", "web_searches": 1, "reasoning_tokens": 5, "iterations": (FakeIteration(),)}
    system = [{"type": "text", "text": "Policy. " * 3000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    with said(**fields) as provider:
        events, _ = anthropic(provider, stream=True, system=system)
        start, *_, delta, _stop = (event.model_dump(exclude_none=True) for event in events)
    first, last = start["message"]["usage"], delta["usage"]
    assert {"cache_creation", "service_tier", "inference_geo"} <= first.keys()
    assert not {"cache_creation", "service_tier", "inference_geo", "speed"} & last.keys()
    assert {"iterations", "server_tool_use", "output_tokens_details"} <= last.keys()
    assert not {"iterations", "server_tool_use", "output_tokens_details"} & first.keys()
    assert first["cache_creation"]["ephemeral_1h_input_tokens"] == last["cache_creation_input_tokens"] > 3000
    assert first["output_tokens"] == 1 < last["output_tokens"]


@pytest.mark.parametrize(
    ("asked", "fields", "tier", "factor"),
    [
        ({}, {}, "default", "1"),
        ({"service_tier": "auto"}, {}, "default", "1"),
        ({"service_tier": "flex"}, {}, "flex", "0.5"),
        ({"service_tier": "priority"}, {}, "priority", "2"),
        ({"service_tier": "fast"}, {}, "priority", "2"),
        ({"service_tier": "priority"}, {"service_tier": "default"}, "default", "1"),
        ({}, {"service_tier": "fast"}, "fast", "2"),
        ({}, {"service_tier": "scale"}, "scale", "1"),
    ],
)
def test_openais_tiers_are_said_and_billed(
    asked: dict[str, Any], fields: dict[str, Any], tier: str, factor: str
) -> None:
    with said(**fields) as provider:
        response, billed = openai(provider, **asked)
    assert response.service_tier == billed.service_tier == tier
    assert billed.usd == at(response.usage, "1.25", "10", factor)


def test_openais_tools_are_shown_and_billed() -> None:
    with said(web_searches=1, failed_web_searches=1, file_searches=2) as provider:
        response, billed = openai(provider)
    shown = [(item.type, getattr(item, "status", None)) for item in response.output]
    assert shown[:2] == [("web_search_call", "completed"), ("web_search_call", "failed")]
    assert [item.action.type for item in response.output[:3]] == ["search", "search", "open_page"]
    assert [kind for kind, _ in shown[3:]] == ["file_search_call", "file_search_call", "message"]
    assert billed.usd == at(response.usage, "1.25", "10") + Decimal("0.01") + 2 * Decimal("0.0025")


def test_openais_audio_is_said_and_billed() -> None:
    with said(input_audio_tokens=100, output_audio_tokens=50) as provider:
        with OpenAI(api_key="test", base_url=provider.openai_base_url, max_retries=0) as client:
            usage: Any = client.chat.completions.create(model="gpt-audio", messages=ASKED).usage
        billed = provider.log[-1].usd
    assert (usage.prompt_tokens_details.audio_tokens, usage.completion_tokens_details.audio_tokens) == (100, 50)
    text_in, text_out = usage.prompt_tokens - 100, usage.completion_tokens - 50
    assert billed == (text_in * Decimal("2.5") + 100 * 32 + text_out * 10 + 50 * 64) / 1_000_000


def test_a_write_that_is_kept_for_twelve_hours_is_said_and_billed_apart() -> None:
    with FakeProvider() as provider:
        response, billed = openai(
            provider, "gpt-5.6-sol", instructions="Policy. " * 3000, extra_body={"prompt_cache_options": {"ttl": "12h"}}
        )
    details = response.model_dump()["usage"]["input_tokens_details"]
    written = details["cache_write_tokens"]
    assert details["cache_write_tokens_details"] == {"ttl_12h_tokens": written, "ttl_30m_tokens": 0}
    assert written > 3000
    tokens = (response.usage.input_tokens - written) * 4 + written * 10 + response.usage.output_tokens * 20
    assert billed.usd == Decimal(tokens) / 1_000_000


@pytest.mark.parametrize(
    "fields",
    [{"speed": "fast"}, {"inference_geo": "us"}, {"iterations": (FakeIteration(),)}, {"web_fetches": 1}],
)
def test_what_openai_does_not_have_is_refused(fields: dict[str, Any]) -> None:
    with said(**fields) as provider, pytest.raises(OpenAIBadRequestError, match="openai has no"):
        openai(provider)


def test_what_an_endpoint_does_not_have_is_refused() -> None:
    with said(file_searches=1) as provider, pytest.raises(BadRequestError, match="anthropic has no file_searches"):
        anthropic(provider)
    with (
        said(web_searches=1) as provider,
        OpenAI(api_key="test", base_url=provider.openai_base_url, max_retries=0) as client,
        pytest.raises(OpenAIBadRequestError, match="chat completions have no paid tools"),
    ):
        client.chat.completions.create(model="gpt-5", messages=ASKED)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"web_searches": -1}, "web_searches must be a whole number of at least 0, not -1"),
        ({"reasoning_tokens": 1.5}, "reasoning_tokens must be a whole number"),
        ({"file_searches": True}, "file_searches must be a whole number"),
        ({"speed": "slow"}, "speed must be 'standard' or 'fast', not 'slow'"),
        ({"service_tier": ""}, "service_tier must be text or None"),
        ({"inference_geo": 3}, "inference_geo must be text or None"),
        ({"iterations": [1]}, "iterations must be a tuple of FakeIteration"),
        ({"iterations": FakeIteration()}, "iterations must be a tuple of FakeIteration"),
        ({"tool_calls": ("search",)}, "tool_calls must be a tuple of FakeToolCall"),
        ({"finish_reason": "bored"}, "finish_reason must be one of stop, .*, not 'bored'"),
        ({"finish_reason": ["stop"]}, "finish_reason must be one of"),
    ],
)
def test_an_answer_that_cannot_be_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        FakeAnswer("Yes.", **fields)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"kind": "advisor_message"}, "needs a model"),
        ({"kind": "other"}, "kind must be"),
        ({"output_tokens": -1}, "output_tokens must be a whole number"),
        ({"cache_read_tokens": None}, "cache_read_tokens must be a whole number"),
        ({"model": 5}, "model must be text or None, not 5"),
    ],
)
def test_an_iteration_that_cannot_be_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        FakeIteration(**fields)


def test_text_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="text must be text, not None"):
        FakeAnswer(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": ""}, "needs the name of its tool"),
        ({"name": "search", "arguments": ["rain"]}, "arguments must be a mapping"),
        ({"name": "search", "arguments": {"for": object()}}, "arguments of 'search' must fit into JSON"),
    ],
)
def test_a_tool_call_that_cannot_be_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        FakeToolCall(**fields)


def test_lists_are_taken_as_tuples() -> None:
    call = FakeToolCall(name="search")
    assert FakeAnswer(tool_calls=[call]).tool_calls == (call,)  # type: ignore[arg-type]
