"""Readers: each provider's shape, LangChain's view of it, and payloads that are odd or no payloads at all."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from lc_costkit.asked import Asked
from lc_costkit.pricing import PriceBook
from lc_costkit.readers import (
    find_cache_ttl,
    read_anthropic,
    read_bedrock,
    read_google,
    read_langchain,
    read_openai,
    read_usage,
    what_was_asked,
)
from lc_costkit.usage import TokenUsage, UsageReading


def usage_of(reading: UsageReading | None) -> TokenUsage:
    assert reading is not None
    assert not reading.estimated
    return reading.usage


def test_openai_chat_counts_are_made_disjoint() -> None:
    reading = read_openai(
        {
            "prompt_tokens": 4020,
            "completion_tokens": 120,
            "total_tokens": 4140,
            "prompt_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 2000, "audio_tokens": 20},
            "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 20},
        },
        model="gpt-5.6-sol",
    )
    assert usage_of(reading) == TokenUsage(
        input_tokens=1000,
        cache_read_tokens=1000,
        cache_write_tokens=2000,
        input_audio_tokens=20,
        output_tokens=100,
        reasoning_tokens=64,
        output_audio_tokens=20,
    )


def test_openai_responses() -> None:
    reading = read_openai(
        {
            "input_tokens": 2304,
            "output_tokens": 50,
            "input_tokens_details": {"cached_tokens": 256, "cache_write_tokens": 1024},
            "output_tokens_details": {"reasoning_tokens": 10},
        },
        service_tier="priority",
    )
    assert usage_of(reading) == TokenUsage(
        input_tokens=1024, cache_read_tokens=256, cache_write_tokens=1024, output_tokens=50, reasoning_tokens=10
    )
    assert reading is not None
    assert reading.service_tier == "priority"


def test_audio_that_was_cached_is_counted_once() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 1,
        "prompt_tokens_details": {
            "cached_tokens": 60,
            "audio_tokens": 50,
            "cached_tokens_details": {"text_tokens": 30, "audio_tokens": 30},
        },
    }
    assert usage_of(read_openai(usage)) == TokenUsage(
        input_tokens=20, cache_read_tokens=30, input_audio_tokens=20, cache_read_audio_tokens=30, output_tokens=1
    )


def test_openai_compatible_endpoints() -> None:
    deepseek = {"prompt_tokens": 100, "completion_tokens": 5, "prompt_cache_hit_tokens": 64}
    assert usage_of(read_usage({"model": "deepseek-chat", "usage": deepseek})).cache_read_tokens == 64
    grok = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 35,
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    assert usage_of(read_usage(grok, "xai")) == TokenUsage(input_tokens=10, output_tokens=25, reasoning_tokens=20)
    embedding = {"prompt_tokens": 8, "total_tokens": 8}
    assert usage_of(read_openai(embedding)) == TokenUsage(input_tokens=8)


def test_anthropic_input_excludes_the_cache_and_splits_lifetimes() -> None:
    reading = read_anthropic(
        {
            "input_tokens": 23,
            "cache_read_input_tokens": 300,
            "cache_creation_input_tokens": 150,
            "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 100},
            "output_tokens": 40,
            "output_tokens_details": {"thinking_tokens": 30},
            "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 0},
            "service_tier": "standard",
            "speed": "fast",
            "inference_geo": "us",
        },
        model="claude-opus-5-5",
    )
    assert usage_of(reading) == TokenUsage(
        input_tokens=23,
        cache_read_tokens=300,
        cache_write_5m_tokens=50,
        cache_write_1h_tokens=100,
        output_tokens=40,
        reasoning_tokens=30,
        tool_requests=(("web_search", 3),),
    )
    assert reading is not None
    assert (reading.service_tier, reading.speed, reading.inference_geo) == ("standard", "fast", "us")


def test_anthropic_without_a_split_does_not_guess_the_lifetime() -> None:
    usage = usage_of(read_anthropic({"input_tokens": 1, "cache_creation_input_tokens": 9, "output_tokens": 1}))
    assert (usage.cache_write_tokens, usage.cache_write_5m_tokens) == (9, 0)


def test_anthropic_batch_is_a_way_of_processing() -> None:
    reading = read_anthropic({"input_tokens": 1, "output_tokens": 1, "service_tier": "batch"})
    assert reading is not None
    assert (reading.processing, reading.service_tier) == ("batch", None)


def test_anthropic_compaction_is_billed_though_the_top_level_leaves_it_out() -> None:
    usage = {
        "input_tokens": 180,
        "output_tokens": 8,
        "server_tool_use": {"web_search_requests": 1},
        "iterations": [
            {"type": "compaction", "input_tokens": 100, "cache_creation_input_tokens": 5000, "output_tokens": 82},
            {"type": "message", "input_tokens": 180, "output_tokens": 8},
        ],
    }
    assert usage_of(read_anthropic(usage, model="claude-sonnet-4-6")) == TokenUsage(
        input_tokens=280, cache_write_tokens=5000, output_tokens=90, tool_requests=(("web_search", 1),)
    )


def test_anthropic_advisors_are_billed_at_their_own_rates_and_refused_attempts_are_not_billed() -> None:
    usage = {
        "input_tokens": 30,
        "output_tokens": 3,
        "iterations": [
            {"type": "message", "model": "claude-fable-5", "input_tokens": 500, "output_tokens": 0},
            {"type": "message", "input_tokens": 10, "output_tokens": 1},
            {"type": "advisor_message", "model": "claude-fable-5", "input_tokens": 900, "output_tokens": 9},
            {"type": "message", "model": "claude-sonnet-5", "input_tokens": 20, "output_tokens": 2},
        ],
    }
    reading = read_anthropic(usage, model="claude-sonnet-5")
    assert usage_of(reading) == TokenUsage(input_tokens=30, output_tokens=3)
    assert reading is not None
    assert [(part.model, part.usage.total) for part in reading.also] == [("claude-fable-5", 909)]


def test_gemini_camel_case_snake_case_and_objects_agree() -> None:
    camel = {
        "promptTokenCount": 328,
        "cachedContentTokenCount": 183,
        "candidatesTokenCount": 78,
        "thoughtsTokenCount": 241,
        "toolUsePromptTokenCount": 12,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 70}, {"modality": "IMAGE", "tokenCount": 258}],
        "cacheTokensDetails": [{"modality": "IMAGE", "tokenCount": 144}, {"modality": "TEXT", "tokenCount": 39}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 8}],
        "trafficType": "ON_DEMAND_FLEX",
    }
    expected = TokenUsage(
        input_tokens=43,
        cache_read_tokens=39,
        input_image_tokens=114,
        cache_read_image_tokens=144,
        output_tokens=311,
        reasoning_tokens=241,
        output_audio_tokens=8,
    )
    reading = read_google(camel)
    assert usage_of(reading) == expected
    assert reading is not None
    assert reading.service_tier == "flex"
    snake = {
        "prompt_token_count": 328,
        "cached_content_token_count": 183,
        "candidates_token_count": 78,
        "thoughts_token_count": 241,
        "tool_use_prompt_token_count": 12,
        "prompt_tokens_details": [
            {"modality": "TEXT", "token_count": 70},
            {"modality": "IMAGE", "token_count": 258},
        ],
        "cache_tokens_details": [{"modality": "IMAGE", "token_count": 144}, {"modality": "TEXT", "token_count": 39}],
        "candidates_tokens_details": [{"modality": "AUDIO", "token_count": 8}],
    }
    assert usage_of(read_usage({"model_version": "gemini-2.5-flash", "usage_metadata": snake})) == expected


def test_bedrock_converse() -> None:
    reading = read_bedrock(
        {
            "inputTokens": 10,
            "outputTokens": 5,
            "totalTokens": 115,
            "cacheReadInputTokens": 40,
            "cacheWriteInputTokens": 60,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 50}],
        }
    )
    assert usage_of(reading) == TokenUsage(
        input_tokens=10, cache_read_tokens=40, cache_write_tokens=10, cache_write_1h_tokens=50, output_tokens=5
    )


@pytest.mark.parametrize(
    ("payload", "provider", "model", "read_as"),
    [
        ({"model": "gpt-4o", "usage": {"prompt_tokens": 3, "completion_tokens": 1}}, None, "gpt-4o", None),
        ({"model": "m", "usage": {"input_tokens": 3, "output_tokens": 1}}, "openai", "m", "openai"),
        ({"model": "m", "usage": {"input_tokens": 3, "output_tokens": 1}}, "anthropic", "m", "anthropic"),
        ({"message": {"model": "c", "usage": {"input_tokens": 3, "output_tokens": 1}}}, None, "c", None),
        ({"response": {"model": "r", "usage": {"input_tokens": 3, "output_tokens": 1}}}, "openai", "r", "openai"),
        ({"usage": {"inputTokens": 3, "outputTokens": 1}}, "bedrock_converse", None, "aws"),
        ({"modelVersion": "g", "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1}}, None, "g", None),
        ({"input_tokens": 3, "output_tokens": 1, "input_token_details": {}}, "google_genai", None, "google"),
    ],
)
def test_any_payload_is_read_by_its_shape(
    payload: dict[str, Any], provider: str | None, model: str | None, read_as: str | None
) -> None:
    reading = read_usage(payload, provider)
    assert usage_of(reading) == TokenUsage(input_tokens=3, output_tokens=1)
    assert reading is not None
    assert (reading.model, reading.provider) == (model, read_as)


def test_the_tier_of_the_response_is_read() -> None:
    reading = read_usage({"model": "gpt-5", "service_tier": "flex", "usage": {"prompt_tokens": 1}})
    assert reading is not None
    assert reading.service_tier == "flex"


class _Details(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    model_config = ConfigDict(extra="allow")
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _Details | None = None


class _Response(BaseModel):
    model: str
    usage: _Usage | None = None


def test_objects_of_an_sdk_are_read_like_mappings() -> None:
    counts = _Usage(prompt_tokens=10, completion_tokens=2, prompt_tokens_details=_Details(cached_tokens=4), beta=1)
    expected = TokenUsage(input_tokens=6, cache_read_tokens=4, output_tokens=2)
    assert usage_of(read_usage(_Response(model="gpt-4o", usage=counts))) == expected
    assert usage_of(read_usage({"model": "gpt-4o", "usage": counts})) == expected
    assert read_usage(_Response(model="gpt-4o")) is None


def test_the_real_clients_objects_are_read() -> None:
    anthropic_types = pytest.importorskip("anthropic.types")
    openai_types = pytest.importorskip("openai.types")
    split = anthropic_types.CacheCreation(ephemeral_5m_input_tokens=5, ephemeral_1h_input_tokens=0)
    usage = anthropic_types.Usage(
        input_tokens=1, output_tokens=2, cache_creation=split, cache_creation_input_tokens=5, cache_read_input_tokens=7
    )
    assert usage_of(read_usage({"model": "claude-sonnet-4-5", "usage": usage})) == TokenUsage(
        input_tokens=1, output_tokens=2, cache_write_5m_tokens=5, cache_read_tokens=7
    )
    completion = openai_types.CompletionUsage(prompt_tokens=3, completion_tokens=1, total_tokens=4)
    assert usage_of(read_usage({"model": "gpt-4o", "usage": completion})) == TokenUsage(input_tokens=3, output_tokens=1)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        # Parts larger than their whole are cut.
        (
            {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 99}},
            TokenUsage(cache_read_tokens=10, output_tokens=1),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 8},
            },
            TokenUsage(cache_read_tokens=8, cache_write_tokens=2, output_tokens=1),
        ),
        (
            {"prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 5}},
            TokenUsage(input_tokens=1, output_tokens=2, reasoning_tokens=2),
        ),
        # What is no count is 0.
        ({"prompt_tokens": -5, "completion_tokens": 2}, TokenUsage(output_tokens=2)),
        ({"prompt_tokens": "many", "completion_tokens": 2}, TokenUsage(output_tokens=2)),
        ({"prompt_tokens": True, "completion_tokens": 2}, TokenUsage(output_tokens=2)),
        ({"prompt_tokens": float("nan"), "completion_tokens": 2}, TokenUsage(output_tokens=2)),
        ({"prompt_tokens": float("inf"), "completion_tokens": 2}, TokenUsage(output_tokens=2)),
    ],
)
def test_contradictory_counts_are_cut_and_said_to_be_an_estimate(payload: dict[str, Any], expected: TokenUsage) -> None:
    reading = read_usage(payload)
    assert reading is not None
    assert reading.usage == expected
    assert reading.estimated


def test_nulls_and_whole_floats_are_ordinary() -> None:
    payload = {"prompt_tokens": 3.0, "completion_tokens": 1, "prompt_tokens_details": None, "total_tokens": None}
    assert usage_of(read_usage(payload)) == TokenUsage(input_tokens=3, output_tokens=1)


@pytest.mark.parametrize(
    "payload", [None, "", "text", 3, [], {}, {"usage": None}, {"usage": {}}, {"usage": "x"}, {"model": "m"}, object()]
)
@pytest.mark.parametrize("read", [read_usage, read_openai, read_anthropic, read_google, read_bedrock])
def test_what_reports_no_usage_gives_nothing(read: Any, payload: object) -> None:
    assert read(payload) is None


KEYS = re.findall(
    r"\S+",
    """
    usage usage_metadata usageMetadata response_metadata response message result body x_groq custom_id model
    model_name prompt_tokens completion_tokens input_tokens output_tokens total_tokens prompt_tokens_details
    input_tokens_details input_token_details output_token_details completion_tokens_details cached_tokens
    cached_tokens_details cache_write_tokens cache_write_tokens_details ttl_12h_tokens audio_tokens image_tokens
    audio reasoning_tokens reasoning cache_read cache_creation flex_cache_read priority_cache_creation flex
    ephemeral_5m_input_tokens ephemeral_1h_input_tokens cache_creation_input_tokens cache_read_input_tokens
    prompt_cache_hit_tokens num_sources_used iterations type server_tool_use web_search_requests
    output_tokens_details thinking_tokens service_tier speed inference_geo stop_reason content promptTokenCount
    candidatesTokenCount totalTokenCount thoughtsTokenCount cachedContentTokenCount promptTokensDetails
    cacheTokensDetails toolUsePromptTokensDetails modality tokenCount trafficType candidates groundingMetadata
    webSearchQueries inputTokens outputTokens cacheDetails cacheWriteInputTokens ttl total_cost token_usage
    output action cache_control model_kwargs tools fallbacks prompt_cache_options name status tool_call_id id
    extras block_type value args delta serviceTier
    """,
)
WORDS = st.sampled_from(
    [
        "claude-sonnet-5", "gpt-5.6-sol", "gemini-2.5-flash", "anthropic", "message", "message_delta", "message_start",
        "compaction", "advisor_message", "fallback_message", "refusal", "web_search_call", "web_search_tool_result",
        "server_tool_call", "server_tool_result", "non_standard", "batch", "flex", "fast", "us", "1h", "5m", "AUDIO",
        "", "web_search", "success", "error",
    ]
)  # fmt: skip
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.floats() | st.text(max_size=5) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
        | st.dictionaries(st.integers() | st.none(), inner, max_size=2)
    ),
    max_leaves=25,
)
BOOK = PriceBook()


def is_possible(reading: UsageReading | None) -> None:
    """No count is below 0, and no bound of the price is on the wrong side of it."""
    for part in [] if reading is None else [reading, *reading.also, *reading.open_calls]:
        assert min(part.usage.total_input, part.usage.total_output, *part.usage.priced_counts.values(), 0) >= 0
        assert all(count > 0 for _, count in part.usage.tool_requests)
    cost = BOOK.price(reading) if reading is not None else None
    if cost is not None and cost.low is not None and cost.high is not None and cost.usd is not None:
        assert 0 <= cost.low <= cost.usd <= cost.high


@given(ODD, ODD)
@settings(max_examples=400, deadline=None)
def test_no_payload_makes_a_reader_raise(payload: Any, other: Any) -> None:
    for provider in (None, "openai", "anthropic", "aws", "google"):
        is_possible(read_usage(payload, provider, model="claude-sonnet-5"))
    asked = what_was_asked(payload, [payload, other])
    is_possible(
        read_langchain(
            payload, other, start_metadata=payload, cache_ttl="1h", content=other if other != [] else payload
        )
    )
    is_possible(read_langchain(payload, {"model_provider": "anthropic", "model_name": "m"}, content=other, asked=asked))
    find_cache_ttl(payload)


BLOCK = st.dictionaries(
    st.sampled_from(["type", "name", "id", "tool_call_id", "status", "action", "args", "extras", "content", "value"]),
    WORDS | ODD,
)


@given(st.lists(BLOCK, max_size=5) | ODD)
@settings(max_examples=300, deadline=None)
def test_no_content_makes_a_reader_raise(content: Any) -> None:
    counts = {"input_tokens": 10, "output_tokens": 5}
    for model, provider in (("claude-sonnet-5", "anthropic"), ("gpt-5", "openai")):
        is_possible(
            read_langchain(counts, {"model_name": model, "model_provider": provider}, content=content, asked=Asked())
        )
        is_possible(read_usage({"model": model, "usage": counts, "output": content, "content": content}, provider))


COUNTS = st.integers(0, 10**6) | st.none()


@given(st.dictionaries(st.sampled_from(KEYS), COUNTS), st.dictionaries(st.sampled_from(KEYS), COUNTS), st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_parts_a_report_has_they_never_exceed_the_whole(
    usage: dict[str, Any], details: dict[str, Any], data: st.DataObject
) -> None:
    prompt, completion = data.draw(st.integers(0, 10**6)), data.draw(st.integers(0, 10**6))
    wholes = {"prompt_tokens": prompt, "completion_tokens": completion, "input_tokens": None, "output_tokens": None}
    body = {"usage": usage | wholes | {"prompt_tokens_details": details, "completion_tokens_details": details}}
    body["usage"].pop("total_tokens", None)
    if any(key in body["usage"] for key in ("promptTokenCount", "candidatesTokenCount", "totalTokenCount")):
        return
    reading = read_usage(body, "openai")
    if reading is not None and "inputTokens" not in usage and "outputTokens" not in usage:
        assert reading.usage.total_input == prompt
        assert reading.usage.total_output == completion


def test_langchain_anthropic_split_with_the_generic_count_at_zero() -> None:
    counts = {
        "input_tokens": 414_953,
        "output_tokens": 2029,
        "total_tokens": 416_982,
        "input_token_details": {
            "cache_read": 308_360,
            "cache_creation": 0,
            "ephemeral_5m_input_tokens": 0,
            "ephemeral_1h_input_tokens": 106_570,
        },
    }
    reading = read_langchain(counts, {"model_name": "claude-sonnet-4-6", "model_provider": "anthropic"})
    assert usage_of(reading) == TokenUsage(
        input_tokens=23, cache_read_tokens=308_360, cache_write_1h_tokens=106_570, output_tokens=2029
    )


@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_langchain_renamed_details_are_found_and_never_added_up(tier: str) -> None:
    counts = {
        "input_tokens": 2304,
        "output_tokens": 50,
        "total_tokens": 2354,
        "input_token_details": {f"{tier}_cache_read": 256, f"{tier}_cache_creation": 1024, tier: 2048},
        "output_token_details": {f"{tier}_reasoning": 10, tier: 40},
    }
    reading = read_langchain(counts, {"model_name": "gpt-5.6-sol", "model_provider": "openai"})
    assert usage_of(reading) == TokenUsage(
        input_tokens=1024, cache_read_tokens=256, cache_write_tokens=1024, output_tokens=50, reasoning_tokens=10
    )
    assert reading is not None
    assert reading.service_tier == tier


def test_langchain_keeps_more_in_the_raw_report_where_there_is_one() -> None:
    counts = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    raw = {"input_tokens": 10, "output_tokens": 5, "server_tool_use": {"web_search_requests": 2}, "speed": "fast"}
    response = {"model_name": "claude-opus-5-5", "model_provider": "anthropic", "usage": raw}
    reading = read_langchain(counts, response)
    assert usage_of(reading).tool_requests == (("web_search", 2),)
    assert reading is not None
    assert reading.speed == "fast"
    openai = {
        "model_name": "gpt-4o",
        "token_usage": {"prompt_tokens": 10, "completion_tokens": 5},
        "service_tier": "flex",
    }
    assert read_langchain(None, openai) == UsageReading(
        usage=TokenUsage(input_tokens=10, output_tokens=5), model="gpt-4o", service_tier="flex"
    )
    # A raw report that holds less than LangChain's own counts is a part of a merged stream.
    response["usage"] = {"input_tokens": 1, "output_tokens": 1}
    assert usage_of(read_langchain(counts, response)).total == 15


def test_langchain_lifetime_lost_in_a_stream_is_taken_from_the_request() -> None:
    counts = {"input_tokens": 100, "output_tokens": 5, "input_token_details": {"cache_read": 0, "cache_creation": 90}}
    response = {"model_name": "claude-sonnet-4-5", "model_provider": "anthropic"}
    assert usage_of(read_langchain(counts, response)).cache_write_tokens == 90
    hour = usage_of(read_langchain(counts, response, cache_ttl="1h"))
    assert (hour.cache_write_tokens, hour.cache_write_1h_tokens) == (0, 90)
    assert usage_of(read_langchain(counts, response, cache_ttl="5m")).cache_write_5m_tokens == 90


@pytest.mark.parametrize(
    ("request_parts", "expected"),
    [
        ([{"content": [{"cache_control": {"type": "ephemeral"}}]}], "5m"),
        ({"system": [{"cache_control": {"type": "ephemeral", "ttl": "1h"}}]}, "1h"),
        ([{"cache_control": {"ttl": "1h"}}, {"cache_control": {"ttl": "5m"}}], None),
        ([{"cache_control": {"ttl": "1d"}}], None),
        ([{"content": "no markers"}], None),
        ("text", None),
    ],
)
def test_the_lifetime_a_request_asks_for(request_parts: object, expected: str | None) -> None:
    assert find_cache_ttl(request_parts) == expected


def test_langchain_local_cache_hits_are_recognised() -> None:
    hit = read_langchain({"input_tokens": 10, "output_tokens": 5, "total_cost": 0}, {"model_name": "gpt-4o"})
    assert hit is not None
    assert hit.cached_locally
    assert hit.usage.total == 15
    bare = read_langchain({"total_cost": 0}, {"model_name": "gpt-4o"})
    assert bare is not None
    assert bare.cached_locally
    assert read_langchain(None, None) is None
    assert read_langchain({}, {"model_name": "gpt-4o"}) is None


@pytest.mark.parametrize(
    ("answered", "started", "expected"),
    [
        ("openai", "azure", "azure"),
        ("anthropic", "amazon_bedrock", "aws"),
        ("anthropic", "anthropic", "anthropic"),
        (None, "google_genai", "google"),
        ("bedrock_converse", None, "aws"),
        (None, None, None),
    ],
)
def test_langchain_provider_is_the_one_that_bills(
    answered: str | None, started: str | None, expected: str | None
) -> None:
    response = {"model_provider": answered} if answered else {}
    reading = read_langchain(
        {"input_tokens": 1}, response, start_metadata={"ls_provider": started, "ls_model_name": "m"}
    )
    assert reading is not None
    assert (reading.provider, reading.model) == (expected, "m")


def test_langchain_bedrock_input_that_excludes_the_cache() -> None:
    counts = {"input_tokens": 10, "output_tokens": 5, "input_token_details": {"cache_read": 100, "cache_creation": 0}}
    reading = read_langchain(counts, {"model_provider": "bedrock_converse"})
    assert usage_of(reading) == TokenUsage(input_tokens=10, cache_read_tokens=100, output_tokens=5)


def test_paid_tools_are_read_from_the_answer_where_the_usage_leaves_them_out() -> None:
    usage = {"input_tokens": 10, "output_tokens": 2}
    output = [
        {"type": "web_search_call", "status": "completed", "action": {"type": "search"}},
        {"type": "web_search_call", "status": "failed", "action": {"type": "search"}},
        {"type": "web_search_call", "status": "completed", "action": {"type": "open_page"}},
        {"type": "file_search_call"},
        {"type": "message"},
        "odd",
    ]
    found = (("file_search", 1), ("web_search", 1))
    body = {"model": "gpt-4o", "output": output, "usage": {**usage, "input_tokens_details": {"cached_tokens": 0}}}
    assert usage_of(read_usage(body)).tool_requests == found
    assert usage_of(read_langchain(usage, {"model_name": "gpt-4o"}, content=output)).tool_requests == found
    v1 = [{"type": "server_tool_call", "name": "web_search"}, {"type": "server_tool_call", "name": "own"}]
    assert usage_of(read_langchain(usage, {}, content=v1)).tool_requests == (("web_search", 1),)


def test_anthropic_searches_are_counted_once_and_failed_ones_never() -> None:
    blocks = [
        {"type": "server_tool_use", "name": "web_search"},
        {"type": "web_search_tool_result", "content": [{"type": "web_search_result"}]},
        {"type": "web_search_tool_result", "content": {"type": "web_search_tool_result_error"}},
    ]
    counts = {"input_tokens": 10, "output_tokens": 2}
    streamed = read_langchain(counts, {"model_name": "claude-sonnet-4-6"}, content=blocks)
    assert usage_of(streamed).tool_requests == (("web_search", 1),)
    result = {"type": "server_tool_result", "extras": {"block_type": "web_search_tool_result"}, "status": "success"}
    v1 = [{"type": "server_tool_call", "name": "web_search"}, result]
    assert usage_of(read_langchain(counts, {}, content=v1)).tool_requests == (("web_search", 1),)
    raw = {**counts, "server_tool_use": {"web_search_requests": 1}}
    whole = read_langchain(counts, {"model_name": "claude-sonnet-4-6", "usage": raw}, content=blocks)
    assert usage_of(whole).tool_requests == (("web_search", 1),)


def test_names_that_langchain_joined_over_the_chunks_of_a_stream_are_parted() -> None:
    joined = {"model_name": "gpt-4o-mini" * 2, "service_tier": "flex" * 3}
    reading = read_langchain({"input_tokens": 1, "output_tokens": 1}, joined)
    assert reading is not None
    assert (reading.model, reading.service_tier) == ("gpt-4o-mini", "flex")


def test_litellm_says_what_anthropic_wrote_to_its_cache() -> None:
    usage = {
        "prompt_tokens": 5010,
        "completion_tokens": 10,
        "prompt_tokens_details": {
            "cached_tokens": 1000,
            "cache_creation_tokens": 4000,
            "cache_creation_token_details": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 3000},
        },
        "cache_creation_input_tokens": 4000,
    }
    split = TokenUsage(
        input_tokens=10,
        cache_read_tokens=1000,
        cache_write_5m_tokens=1000,
        cache_write_1h_tokens=3000,
        output_tokens=10,
    )
    assert usage_of(read_usage({"model": "claude-sonnet-4-5", "usage": usage})) == split
    plain = {**usage, "prompt_tokens_details": {"cached_tokens": 1000}}
    assert usage_of(read_openai(plain)).cache_write_tokens == 4000


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "message_delta", "usage": {"output_tokens": 20}},
        {"usage": {"prompt_tokens": 0, "completion_tokens": 20}},
        {"usage": {"outputTokens": 20}},
        {"usageMetadata": {"candidatesTokenCount": 20}},
        {"usage_metadata": {"input_tokens": 0, "output_tokens": 20, "input_token_details": {}}},
    ],
)
def test_output_without_input_is_a_part_of_a_report(payload: dict[str, Any]) -> None:
    reading = read_usage(payload)
    assert reading is not None
    assert reading.estimated


def test_gemini_tokens_that_only_the_total_has_are_not_free() -> None:
    whole = read_google({"totalTokenCount": 60})
    rest = read_google({"promptTokenCount": 10, "totalTokenCount": 60})
    assert whole is not None
    assert rest is not None
    assert (whole.usage, whole.estimated) == (TokenUsage(input_tokens=60), True)
    assert (rest.usage, rest.estimated) == (TokenUsage(input_tokens=10, output_tokens=50), True)


def test_anthropic_iterations_are_not_billed_twice_where_the_model_is_not_known() -> None:
    counts = {"input_tokens": 10, "output_tokens": 5}
    reading = read_anthropic({**counts, "iterations": [{"model": "claude-sonnet-4-5", **counts}]})
    assert reading is not None
    assert (reading.usage, reading.also) == (TokenUsage(**counts), ())


@pytest.mark.parametrize(
    ("payload", "model", "expected"),
    [
        (
            {"key": "r1", "response": {"modelVersion": "gemini-2.5-flash", "usageMetadata": {"promptTokenCount": 9}}},
            "gemini-2.5-flash",
            {"processing": "batch"},
        ),
        (
            {"request": {}, "response": {"modelVersion": "gemini-2.5-pro", "usageMetadata": {"promptTokenCount": 9}}},
            "gemini-2.5-pro",
            {"processing": "batch"},
        ),
        (
            {"model": "claude-fable-5-1", "usage": {"input_tokens": 9, "output_tokens": 1}, "inference_geo": "us"},
            "claude-fable-5-1",
            {"inference_geo": "us"},
        ),
        (
            {"model": "claude-opus-5-5", "usage": {"input_tokens": 9, "output_tokens": 1}, "speed": "fast"},
            "claude-opus-5-5",
            {"speed": "fast"},
        ),
        (
            {"model": "gpt-5", "usage": {"prompt_tokens": 9, "completion_tokens": 1, "processing": "batch"}},
            "gpt-5",
            {"processing": "batch"},
        ),
    ],
)
def test_terms_beside_the_counts_are_read(payload: dict[str, Any], model: str, expected: dict[str, str]) -> None:
    reading = read_usage(payload)
    assert reading is not None
    assert (reading.model, reading.usage.total_input) == (model, 9)
    names = ("service_tier", "processing", "speed", "inference_geo")
    assert {name: value for name in names if (value := getattr(reading, name))} == expected


def test_terms_hold_for_the_calls_made_on_the_way() -> None:
    usage = {
        "input_tokens": 1000,
        "output_tokens": 100,
        "iterations": [
            {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 1000, "output_tokens": 100},
            {"type": "message", "input_tokens": 1000, "output_tokens": 100},
        ],
    }
    message = {"model": "claude-haiku-4-5", "usage": usage}
    line = {"custom_id": "one", "result": {"type": "succeeded", "message": message}}
    for reading in (
        read_usage(line, "anthropic"),
        read_usage({**message, "processing": "batch"}, "anthropic"),
        read_langchain(None, {**message, "model_provider": "anthropic", "processing": "batch"}),
    ):
        assert reading is not None
        assert [part.processing for part in (reading, *reading.also)] == ["batch", "batch"]
        # half of 1.5 and 7.5 thousandths
        assert PriceBook().price(reading).usd == Decimal("0.0045")


def test_bedrocks_stream_tells_its_usage_at_the_end() -> None:
    events = [{"messageStart": {}}, {"metadata": {"usage": {"inputTokens": 1000, "outputTokens": 100}}}]
    assert usage_of(read_usage(events, "aws")) == TokenUsage(input_tokens=1000, output_tokens=100)


def test_advice_of_somebody_the_request_does_not_name_makes_an_estimate() -> None:
    counts = {"input_tokens": 400, "output_tokens": 40, "total_tokens": 440}
    response = {"model_name": "claude-haiku-4-5", "model_provider": "anthropic"}
    content = [{"type": "advisor_tool_result", "content": {"type": "advisor_result", "text": "Look again."}}]
    reading = read_langchain(counts, response, content=content)
    assert reading is not None
    cost = PriceBook().price(reading)
    assert (cost.usd, cost.basis, cost.low, cost.high) == (Decimal("0.0006"), "estimated", None, None)


def fallback(*, warm: int, **more: Any) -> dict[str, Any]:
    split = {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600}
    answered = {"input_tokens": 100, "output_tokens": 10, "cache_creation_input_tokens": 1000, "cache_creation": split}
    declined = {"type": "message", "model": "claude-fable-5", "input_tokens": 100, "cache_read_input_tokens": warm}
    served = {"type": "fallback_message", "model": "claude-opus-4-8", **answered}
    return {**answered, "iterations": [{**declined, "output_tokens": 0}, served], **more}


@pytest.mark.parametrize(
    ("usage", "low"),
    [
        (fallback(warm=0), None),
        # Of 1,000 written tokens 700 were warm: 600 not at 10 but at 0.50 USD a million, 100 not at 6.25.
        (fallback(warm=700), "0.002975"),
        (fallback(warm=0, fallback_credit={"status": {"type": "redeemed"}}), "0.00125"),
        (fallback(warm=0, fallback_credit={"status": {"type": "not_applied", "reason": "expired"}}), None),
    ],
)
def test_what_a_fallback_writes_may_be_billed_as_read(usage: dict[str, Any], low: str | None) -> None:
    reading = read_usage({"model": "claude-opus-4-8", "usage": usage}, "anthropic")
    assert reading is not None
    cost = PriceBook().price(reading)
    # 100 at 5, 600 at 10, 400 at 6.25 and 10 at 25 USD a million
    assert cost.usd == Decimal("0.00925")
    if low is None:
        assert cost.basis == "exact"
    else:
        assert (cost.basis, cost.low, cost.high) == ("estimated", Decimal(low), cost.usd)


def test_lifetimes_that_the_iterations_leave_out_are_those_of_the_top_level() -> None:
    written = {"input_tokens": 10, "output_tokens": 10, "cache_creation_input_tokens": 100}
    split = {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 70}
    usage = {**written, "cache_creation": split, "iterations": [{"type": "message", **written}]}
    assert usage_of(read_anthropic(usage, model="claude-opus-4-6")) == TokenUsage(
        input_tokens=10, output_tokens=10, cache_write_5m_tokens=30, cache_write_1h_tokens=70
    )


@pytest.mark.parametrize("three", ["3", Decimal(3), numpy.int64(3), numpy.float64(3), 3.0])
def test_whole_numbers_of_other_kinds_are_counts(three: object) -> None:
    payload = {"promptTokenCount": three, "candidatesTokenCount": three}
    assert usage_of(read_google(payload)) == TokenUsage(input_tokens=3, output_tokens=3)


@pytest.mark.parametrize("odd", ["3.5", "-3", "9" * 30, "³", Decimal("3.5"), Decimal("nan"), numpy.int64(-3), [3]])
def test_what_is_no_whole_number_is_no_count(odd: object) -> None:
    reading = read_openai({"prompt_tokens": odd, "completion_tokens": 2})
    assert reading is not None
    assert (reading.usage, reading.estimated) == (TokenUsage(output_tokens=2), True)


def test_what_a_total_holds_beside_its_parts_is_output() -> None:
    reported = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 372}
    reading = read_usage({"model": "gemini-2.5-flash", "usage": reported})
    assert reading is not None
    assert (reading.usage, reading.estimated) == (TokenUsage(input_tokens=7, output_tokens=365), True)
    view = read_langchain({"input_tokens": 7, "output_tokens": 5, "total_tokens": 372}, {"model_name": "g"})
    assert view is not None
    assert (view.usage, view.estimated) == (TokenUsage(input_tokens=7, output_tokens=365), True)
