"""Is each shape of a provider's report split right, by hand? One row, one payload."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from lc_costkit.readers import read_usage
from lc_costkit.usage import TokenUsage, UsageReading


class Row(NamedTuple):
    name: str
    payload: Any
    split: TokenUsage
    provider: str | None = None
    terms: dict[str, Any] = {}  # noqa: RUF012 - never changed


def tokens(input_tokens: int = 0, output_tokens: int = 0, **counts: Any) -> TokenUsage:
    return TokenUsage(input_tokens=input_tokens, output_tokens=output_tokens, **counts)


def chat(prompt: int, completion: int, *, into: Any = None, out: Any = None, **more: Any) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    usage |= {"prompt_tokens_details": into} if into is not None else {}
    usage |= {"completion_tokens_details": out} if out is not None else {}
    return {"model": "m", "usage": usage | more}


def response(sent: int, said: int, *, into: Any = None, out: Any = None, **body: Any) -> dict[str, Any]:
    usage = {"input_tokens": sent, "output_tokens": said, "total_tokens": sent + said}
    details = {"input_tokens_details": into or {"cached_tokens": 0}, "output_tokens_details": out or {}}
    return {"model": "m", "usage": usage | details, **body}


def message(sent: int, said: int, **usage: Any) -> dict[str, Any]:
    return {"model": "claude-sonnet-5", "usage": {"input_tokens": sent, "output_tokens": said, **usage}}


def written(minutes: int, hour: int) -> dict[str, Any]:
    split = {"ephemeral_5m_input_tokens": minutes, "ephemeral_1h_input_tokens": hour}
    return {"cache_creation_input_tokens": minutes + hour, "cache_creation": split}


def gemini(**usage: Any) -> dict[str, Any]:
    return {"modelVersion": "gemini-2.5-flash", "usageMetadata": usage}


def parts(**counts: int) -> list[dict[str, Any]]:
    return [{"modality": name.upper(), "tokenCount": count} for name, count in counts.items()]


OPENAI = [
    Row("plain", chat(10, 5), tokens(10, 5)),
    Row("null details", chat(10, 5, into=None, out=None, prompt_tokens_details=None), tokens(10, 5)),
    Row("zero details", chat(10, 5, into={"cached_tokens": 0, "audio_tokens": 0}), tokens(10, 5)),
    Row("cached", chat(2000, 5, into={"cached_tokens": 1536}), tokens(464, 5, cache_read_tokens=1536)),
    Row("all cached", chat(1024, 5, into={"cached_tokens": 1024}), tokens(0, 5, cache_read_tokens=1024)),
    Row(
        "read and written",
        chat(5000, 7, into={"cached_tokens": 1024, "cache_write_tokens": 3000, "audio_tokens": 0}),
        tokens(976, 7, cache_read_tokens=1024, cache_write_tokens=3000),
    ),
    Row("reasoning", chat(10, 900, out={"reasoning_tokens": 832}), tokens(10, 900, reasoning_tokens=832)),
    Row(
        "predictions are in the completion",
        chat(10, 90, out={"accepted_prediction_tokens": 20, "rejected_prediction_tokens": 30}),
        tokens(10, 90),
    ),
    Row(
        "audio both ways",
        chat(110, 90, into={"audio_tokens": 100, "text_tokens": 10}, out={"audio_tokens": 70, "text_tokens": 20}),
        tokens(10, 20, input_audio_tokens=100, output_audio_tokens=70),
    ),
    Row(
        "audio and cache",
        chat(110, 5, into={"audio_tokens": 60, "cached_tokens": 40, "cached_tokens_details": {"audio_tokens": 30}}),
        tokens(40, 5, cache_read_tokens=10, input_audio_tokens=30, cache_read_audio_tokens=30),
    ),
    Row("image tokens", chat(110, 5, into={"image_tokens": 100}), tokens(10, 5, input_image_tokens=100)),
    Row("embedding", {"model": "m", "usage": {"prompt_tokens": 8, "total_tokens": 8}}, tokens(8)),
    Row("tier", chat(1, 1) | {"service_tier": "priority"}, tokens(1, 1), None, {"service_tier": "priority"}),
    Row("a gateway's additions", chat(9, 1, pydantic_ai_gateway={"cost_estimate": 0.1}), tokens(9, 1)),
    Row("responses", response(300, 40, out={"reasoning_tokens": 30}), tokens(300, 40, reasoning_tokens=30)),
    Row(
        "responses, written",
        response(2304, 50, into={"cached_tokens": 256, "cache_write_tokens": 1024}, service_tier="flex"),
        tokens(1024, 50, cache_read_tokens=256, cache_write_tokens=1024),
        None,
        {"service_tier": "flex"},
    ),
    Row(
        "responses, written for long",
        response(
            2000,
            5,
            into={
                "cached_tokens": 0,
                "cache_write_tokens": 1500,
                "cache_write_tokens_details": {"ttl_12h_tokens": 1500, "ttl_30m_tokens": 0},
            },
        ),
        tokens(500, 5, cache_write_tokens=1500),
        None,
        {"open_terms": (("cache_retention", "12h"),)},
    ),
    Row(
        "responses, tools",
        response(
            5, 5, output=[{"type": "web_search_call", "action": {"type": "search"}}, {"type": "file_search_call"}]
        ),
        tokens(5, 5, tool_requests=(("file_search", 1), ("web_search", 1))),
    ),
    Row("the last event of a stream", {"type": "response.completed", "response": response(5, 6)}, tokens(5, 6)),
    Row(
        "a line of a batch's results",
        {"custom_id": "a", "response": {"status_code": 200, "body": chat(5, 6)}},
        tokens(5, 6),
        "openai",
        {"processing": "batch", "model": "m"},
    ),
    Row(
        "realtime",
        {
            "input_tokens": 200,
            "output_tokens": 90,
            "total_tokens": 290,
            "input_token_details": {
                "text_tokens": 60,
                "audio_tokens": 120,
                "image_tokens": 20,
                "cached_tokens": 64,
                "cached_tokens_details": {"text_tokens": 14, "audio_tokens": 50},
            },
            "output_token_details": {"text_tokens": 30, "audio_tokens": 60},
        },
        tokens(
            46,
            30,
            cache_read_tokens=14,
            input_audio_tokens=70,
            cache_read_audio_tokens=50,
            input_image_tokens=20,
            output_audio_tokens=60,
        ),
    ),
    Row(
        "transcription",
        {
            "text": "hello",
            "usage": {
                "type": "tokens",
                "input_tokens": 14,
                "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
                "output_tokens": 45,
            },
        },
        tokens(0, 45, input_audio_tokens=14),
    ),
    Row(
        "image generation",
        {
            "usage": {
                "input_tokens": 50,
                "input_tokens_details": {"image_tokens": 40, "text_tokens": 10},
                "output_tokens": 272,
                "output_tokens_details": {"image_tokens": 272, "text_tokens": 0},
            }
        },
        tokens(10, 0, input_image_tokens=40, output_image_tokens=272),
    ),
]

COMPATIBLE = [
    Row(
        "deepseek",
        chat(100, 5, prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=36),
        tokens(36, 5, cache_read_tokens=64),
    ),
    Row(
        "deepseek, both ways of saying it",
        chat(100, 5, into={"cached_tokens": 64}, prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=36),
        tokens(36, 5, cache_read_tokens=64),
    ),
    Row("deepseek, none read", chat(100, 5, prompt_cache_hit_tokens=0, prompt_cache_miss_tokens=100), tokens(100, 5)),
    Row("moonshot", chat(100, 5, cached_tokens=48), tokens(52, 5, cache_read_tokens=48)),
    Row(
        "xai, reasoning beside the completion",
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        tokens(32, 103, reasoning_tokens=94),
        "xai",
        {"provider": "x-ai"},
    ),
    Row(
        "xai, live search",
        chat(32, 9, num_sources_used=7),
        tokens(32, 9, tool_requests=(("live_search_source", 7),)),
        "xai",
    ),
    Row(
        "openrouter",
        chat(
            4010,
            5,
            into={"cached_tokens": 1000, "cache_write_tokens": 3000, "video_tokens": 0},
            cost=0.01,
            is_byok=False,
        ),
        tokens(10, 5, cache_read_tokens=1000, cache_write_tokens=3000),
        "openrouter",
    ),
    Row(
        "groq",
        chat(40, 5, into={"cached_tokens": 32}, queue_time=0.01, total_time=0.5),
        tokens(8, 5, cache_read_tokens=32),
    ),
    Row(
        "groq, streamed",
        {"model": "m", "choices": [], "x_groq": {"id": "r", "usage": chat(40, 5)["usage"]}},
        tokens(40, 5),
        "groq",
    ),
    Row(
        "groq, on demand",
        chat(4, 5) | {"service_tier": "on_demand"},
        tokens(4, 5),
        "groq",
        {"service_tier": "on_demand"},
    ),
    Row("mistral", chat(40, 5, prompt_audio_seconds=None, num_cached_tokens=16), tokens(24, 5, cache_read_tokens=16)),
    Row("mistral, an object for no audio", chat(40, 5, prompt_audio_seconds={}), tokens(40, 5)),
    Row("azure", chat(40, 5) | {"prompt_filter_results": []}, tokens(40, 5), "azure_openai", {"provider": "azure"}),
    Row(
        "azure, responses",
        {"input_tokens": 40, "output_tokens": 5, "total_tokens": 45},
        tokens(40, 5),
        "azure",
        {"provider": "azure"},
    ),
    Row(
        "litellm of anthropic",
        chat(
            5010,
            10,
            into={
                "cached_tokens": 1000,
                "cache_creation_tokens": 4000,
                "cache_creation_token_details": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 3000},
            },
            cache_creation_input_tokens=4000,
            cache_read_input_tokens=1000,
        ),
        tokens(10, 10, cache_read_tokens=1000, cache_write_5m_tokens=1000, cache_write_1h_tokens=3000),
    ),
    Row(
        "litellm, with the counts at the top only",
        chat(5010, 10, into={"cached_tokens": None}, cache_creation_input_tokens=4000, cache_read_input_tokens=1000),
        tokens(10, 10, cache_read_tokens=1000, cache_write_tokens=4000),
    ),
    Row(
        "qwen",
        chat(
            3000,
            10,
            into={
                "cached_tokens": 1000,
                "cache_creation_input_tokens": 1500,
                "cache_creation": {"ephemeral_5m_input_tokens": 1500},
                "cache_type": "ephemeral",
            },
        ),
        tokens(500, 10, cache_read_tokens=1000, cache_write_5m_tokens=1500),
    ),
    Row("vllm", chat(7, 3, into=None, prompt_tokens_details=None), tokens(7, 3)),
    Row(
        "bedrock converse",
        {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 115, "cacheReadInputTokens": 100}},
        tokens(10, 5, cache_read_tokens=100),
        "bedrock_converse",
        {"provider": "aws"},
    ),
    Row(
        "bedrock converse, both lifetimes",
        {
            "usage": {
                "inputTokens": 10,
                "outputTokens": 5,
                "cacheWriteInputTokens": 60,
                "cacheDetails": [{"ttl": "5m", "inputTokens": 20}, {"ttl": "1h", "inputTokens": 40}],
            },
            "serviceTier": {"type": "flex"},
            "performanceConfig": {"latency": "standard"},
        },
        tokens(10, 5, cache_write_5m_tokens=20, cache_write_1h_tokens=40),
        "aws",
        {"service_tier": "flex", "speed": "standard"},
    ),
    Row(
        "nova",
        {
            "usage": {
                "inputTokens": 10,
                "outputTokens": 5,
                "cacheReadInputTokenCount": 7,
                "cacheWriteInputTokenCount": 3,
            }
        },
        tokens(10, 5, cache_read_tokens=7, cache_write_tokens=3),
        "aws",
    ),
]

ANTHROPIC = [
    Row("plain", message(9, 4), tokens(9, 4)),
    Row("read", message(9, 4, cache_read_input_tokens=100), tokens(9, 4, cache_read_tokens=100)),
    Row(
        "lifetimes",
        message(9, 4, **written(50, 100)),
        tokens(9, 4, cache_write_5m_tokens=50, cache_write_1h_tokens=100),
    ),
    Row(
        "a write of no known lifetime",
        message(9, 4, cache_creation_input_tokens=50),
        tokens(9, 4, cache_write_tokens=50),
    ),
    Row(
        "a part of a write of known lifetime",
        message(9, 4, cache_creation_input_tokens=50, cache_creation={"ephemeral_1h_input_tokens": 20}),
        tokens(9, 4, cache_write_tokens=30, cache_write_1h_tokens=20),
    ),
    Row(
        "lifetimes alone",
        message(9, 4, cache_creation={"ephemeral_1h_input_tokens": 20, "ephemeral_5m_input_tokens": 0}),
        tokens(9, 4, cache_write_1h_tokens=20),
    ),
    Row("nothing written", message(9, 4, **written(0, 0), server_tool_use=None, service_tier=None), tokens(9, 4)),
    Row("thinking", message(9, 40, output_tokens_details={"thinking_tokens": 30}), tokens(9, 40, reasoning_tokens=30)),
    Row(
        "tools",
        message(9, 4, server_tool_use={"web_search_requests": 2, "web_fetch_requests": 1}),
        tokens(9, 4, tool_requests=(("web_fetch", 1), ("web_search", 2))),
    ),
    Row("place", message(9, 4, inference_geo="us"), tokens(9, 4), "anthropic", {"inference_geo": "us"}),
    Row("fast", message(9, 4, speed="fast"), tokens(9, 4), "anthropic", {"speed": "fast"}),
    Row(
        "batch", message(9, 4, service_tier="batch"), tokens(9, 4), None, {"processing": "batch", "service_tier": None}
    ),
    Row(
        "a line of a batch's results",
        {"custom_id": "a", "result": {"type": "succeeded", "message": message(9, 4, service_tier="batch")}},
        tokens(9, 4),
        "anthropic",
        {"processing": "batch", "model": "claude-sonnet-5"},
    ),
    Row("the first event of a stream", {"type": "message_start", "message": message(9, 1)}, tokens(9, 1)),
    Row(
        "the events of a stream",
        [
            {"type": "message_start", "message": message(9, 1, **written(0, 30), inference_geo="us", speed="fast")},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"input_tokens": 9, "cache_creation_input_tokens": 30, "output_tokens": 44},
            },
            {"type": "message_stop"},
        ],
        tokens(9, 44, cache_write_1h_tokens=30),
        "anthropic",
        {"inference_geo": "us", "speed": "fast", "model": "claude-sonnet-5"},
    ),
    Row(
        "the end of an old stream, which counts output alone",
        [
            {"type": "message_start", "message": message(9, 1, cache_read_input_tokens=70)},
            {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 44}},
        ],
        tokens(9, 44, cache_read_tokens=70),
    ),
    Row(
        "compaction",
        message(
            180,
            8,
            iterations=[
                {"type": "compaction", "input_tokens": 100, "output_tokens": 82, **written(5000, 0)},
                {"type": "message", "input_tokens": 180, "output_tokens": 8},
            ],
        ),
        tokens(280, 90, cache_write_5m_tokens=5000),
    ),
    Row(
        "compaction, and the answer not listed",
        message(180, 8, iterations=[{"type": "compaction", "input_tokens": 100, "output_tokens": 82}]),
        tokens(280, 90),
    ),
    Row(
        "several turns, of which the top has the sum",
        message(
            30,
            3,
            iterations=[
                {"type": "message", "input_tokens": 10, "output_tokens": 1},
                {"type": "message", "input_tokens": 20, "output_tokens": 2},
            ],
        ),
        tokens(30, 3),
    ),
    Row(
        "several turns, of which the top has the last",
        message(
            20,
            2,
            iterations=[
                {"type": "message", "input_tokens": 10, "output_tokens": 1},
                {"type": "message", "input_tokens": 20, "output_tokens": 2},
            ],
        ),
        tokens(30, 3),
    ),
    Row(
        "iterations under the dated name of the model",
        message(
            20,
            2,
            iterations=[
                {"type": "message", "model": "claude-sonnet-5-20260801", "input_tokens": 20, "output_tokens": 2}
            ],
        ),
        tokens(20, 2),
    ),
    Row(
        "a declined attempt",
        message(
            20,
            2,
            iterations=[
                {"type": "message", "model": "claude-fable-5", "input_tokens": 500, "output_tokens": 0},
                {"type": "message", "input_tokens": 20, "output_tokens": 2},
            ],
        ),
        tokens(20, 2),
    ),
    Row(
        "a fallback, reported under the name of the model asked",
        message(
            20,
            2,
            iterations=[
                {"type": "message", "model": "claude-sonnet-5", "input_tokens": 20, "output_tokens": 0},
                {"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 20, "output_tokens": 2},
            ],
        ),
        tokens(20, 2),
        "anthropic",
        {"model": "claude-opus-4-8"},
    ),
    Row("no iterations", message(20, 2, iterations=[]), tokens(20, 2)),
    Row("null iterations", message(20, 2, iterations=None), tokens(20, 2)),
    Row("declined before a word", message(20, 0) | {"stop_reason": "refusal", "content": []}, tokens()),
    Row(
        "declined after a word",
        message(20, 1) | {"stop_reason": "refusal", "content": [{"type": "text"}]},
        tokens(20, 1),
    ),
]

GOOGLE = [
    Row("plain", gemini(promptTokenCount=10, candidatesTokenCount=5, totalTokenCount=15), tokens(10, 5)),
    Row("no candidates", gemini(promptTokenCount=10, totalTokenCount=10), tokens(10)),
    Row(
        "thoughts",
        gemini(promptTokenCount=10, candidatesTokenCount=5, thoughtsTokenCount=100, totalTokenCount=115),
        tokens(10, 105, reasoning_tokens=100),
    ),
    Row(
        "thoughts alone",
        gemini(promptTokenCount=10, thoughtsTokenCount=100, totalTokenCount=110),
        tokens(10, 100, reasoning_tokens=100),
    ),
    Row(
        "cached",
        gemini(promptTokenCount=3000, cachedContentTokenCount=2048, candidatesTokenCount=5, totalTokenCount=3005),
        tokens(952, 5, cache_read_tokens=2048),
    ),
    Row(
        "audio",
        gemini(promptTokenCount=110, candidatesTokenCount=5, promptTokensDetails=parts(text=10, audio=100)),
        tokens(10, 5, input_audio_tokens=100),
    ),
    Row(
        "cached audio",
        gemini(
            promptTokenCount=110,
            cachedContentTokenCount=60,
            candidatesTokenCount=5,
            promptTokensDetails=parts(text=10, audio=100),
            cacheTokensDetails=parts(text=5, audio=55),
        ),
        tokens(5, 5, cache_read_tokens=5, input_audio_tokens=45, cache_read_audio_tokens=55),
    ),
    Row(
        "something cached, perhaps the audio",
        gemini(
            promptTokenCount=110,
            cachedContentTokenCount=60,
            candidatesTokenCount=5,
            promptTokensDetails=parts(text=10, audio=100),
        ),
        tokens(0, 5, cache_read_tokens=10, input_audio_tokens=50, cache_read_audio_tokens=50),
        None,
        {"open_terms": (("cache_read", "audio"),)},
    ),
    Row(
        "images, documents and video",
        gemini(
            promptTokenCount=100,
            candidatesTokenCount=5,
            promptTokensDetails=parts(text=10, image=20, document=30, video=40),
        ),
        tokens(10, 5, input_image_tokens=90),
    ),
    Row(
        "prompts of tools",
        gemini(
            promptTokenCount=100,
            toolUsePromptTokenCount=50,
            candidatesTokenCount=5,
            totalTokenCount=155,
            promptTokensDetails=parts(text=100),
            toolUsePromptTokensDetails=parts(text=20, audio=30),
        ),
        tokens(120, 5, input_audio_tokens=30),
    ),
    Row(
        "an image in the answer",
        gemini(promptTokenCount=10, candidatesTokenCount=1290, candidatesTokensDetails=parts(image=1290)),
        tokens(10, 0, output_image_tokens=1290),
    ),
    Row(
        "live",
        gemini(
            promptTokenCount=100,
            responseTokenCount=40,
            totalTokenCount=140,
            promptTokensDetails=parts(audio=90, text=10),
            responseTokensDetails=parts(audio=40),
        ),
        tokens(10, 0, input_audio_tokens=90, output_audio_tokens=40),
    ),
    Row(
        "snake case",
        {
            "model_version": "gemini-2.5-pro",
            "usage_metadata": {
                "prompt_token_count": 10,
                "candidates_token_count": 5,
                "thoughts_token_count": 7,
                "tool_use_prompt_token_count": 3,
                "total_token_count": 25,
                "prompt_tokens_details": [{"modality": "TEXT", "token_count": 10}],
            },
        },
        tokens(13, 12, reasoning_tokens=7),
        "google_genai",
        {"model": "gemini-2.5-pro", "provider": "google"},
    ),
    Row(
        "tier",
        gemini(promptTokenCount=1, candidatesTokenCount=1, serviceTier="flex"),
        tokens(1, 1),
        None,
        {"service_tier": "flex"},
    ),
    Row(
        "traffic",
        gemini(promptTokenCount=1, candidatesTokenCount=1, trafficType="ON_DEMAND_PRIORITY"),
        tokens(1, 1),
        None,
        {"service_tier": "priority"},
    ),
    Row("ordinary traffic", gemini(promptTokenCount=1, candidatesTokenCount=1, trafficType="ON_DEMAND"), tokens(1, 1)),
    Row(
        "grounding, by the answer",
        gemini(promptTokenCount=1, candidatesTokenCount=1)
        | {"candidates": [{"groundingMetadata": {"webSearchQueries": ["a", "b"]}}]},
        tokens(1, 1, tool_requests=(("web_search", 1),)),
        None,
        {"open_terms": (("tool_requests", "free"),)},
    ),
    Row(
        "grounding, by the query",
        gemini(promptTokenCount=1, candidatesTokenCount=1)
        | {"modelVersion": "gemini-3-flash", "candidates": [{"groundingMetadata": {"webSearchQueries": ["a", "b"]}}]},
        tokens(1, 1, tool_requests=(("web_search", 2),)),
        None,
        {"open_terms": (("tool_requests", "free"),)},
    ),
]

ROWS = [
    pytest.param(row, id=f"{family}: {row.name}")
    for family, rows in (("openai", OPENAI), ("compatible", COMPATIBLE), ("anthropic", ANTHROPIC), ("google", GOOGLE))
    for row in rows
]


@pytest.mark.parametrize("row", ROWS)
def test_a_payload_is_split_as_by_hand(row: Row) -> None:
    reading = read_usage(row.payload, row.provider)
    assert reading is not None
    assert reading.usage == row.split
    assert not reading.estimated
    assert {name: getattr(reading, name) for name in row.terms} == row.terms
    expected = UsageReading(usage=row.split, model=reading.model, provider=reading.provider)
    untold = {"service_tier", "processing", "speed", "inference_geo", "open_terms"} - set(row.terms)
    untold -= {"service_tier", "processing"} if row.name.startswith("a line of a batch") else set()
    assert [getattr(reading, name) for name in untold] == [getattr(expected, name) for name in untold]


@pytest.mark.parametrize(
    ("payload", "split"),
    [
        # Parts larger than their whole.
        (
            chat(10, 5, into={"cached_tokens": 6, "cache_write_tokens": 9}),
            tokens(0, 5, cache_read_tokens=6, cache_write_tokens=4),
        ),
        (chat(10, 5, into={"audio_tokens": 30}), tokens(0, 5, input_audio_tokens=10)),
        (chat(10, 5, out={"audio_tokens": 30}), tokens(10, 0, output_audio_tokens=5)),
        (chat(10, 5, prompt_cache_hit_tokens=11), tokens(0, 5, cache_read_tokens=10)),
        (
            message(9, 4, cache_creation_input_tokens=100, cache_creation=written(80, 70)["cache_creation"]),
            tokens(9, 4, cache_write_5m_tokens=30, cache_write_1h_tokens=70),
        ),
        (message(9, 4, output_tokens_details={"thinking_tokens": 5}), tokens(9, 4, reasoning_tokens=4)),
        (
            gemini(promptTokenCount=10, candidatesTokenCount=5, cachedContentTokenCount=11),
            tokens(0, 5, cache_read_tokens=10),
        ),
        (
            gemini(promptTokenCount=10, candidatesTokenCount=5, promptTokensDetails=parts(audio=8, image=8)),
            tokens(0, 5, input_audio_tokens=8, input_image_tokens=2),
        ),
        (
            {
                "usage": {
                    "inputTokens": 1,
                    "outputTokens": 1,
                    "cacheWriteInputTokens": 5,
                    "cacheDetails": [{"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 4}],
                }
            },
            tokens(1, 1, cache_write_1h_tokens=4, cache_write_5m_tokens=1),
        ),
        # Iterations that do not add up to the answer.
        (message(50, 9, iterations=[{"type": "message", "input_tokens": 20, "output_tokens": 2}]), tokens(50, 9)),
        # Counts that are none.
        (message(-9, 4), tokens(0, 4)),
        (message(9, "four"), tokens(9)),
        (message(9, 4, cache_read_input_tokens=-1), tokens(9, 4)),
        (message(9, 4, server_tool_use={"web_search_requests": 1.5}), tokens(9, 4)),
        (gemini(promptTokenCount=1.5, candidatesTokenCount=4), tokens(0, 4)),
        (chat(10, 5, into={"cached_tokens": True}), tokens(10, 5)),
        # What is billed at a rate that nothing has a count for.
        (gemini(promptTokenCount=10, candidatesTokenCount=90, candidatesTokensDetails=parts(video=90)), tokens(10, 90)),
    ],
)
def test_what_cannot_be_is_cut_and_doubted(payload: Any, split: TokenUsage) -> None:
    reading = read_usage(payload)
    assert reading is not None
    assert reading.usage == split
    assert reading.estimated


def test_what_long_context_rates_must_not_see_together_is_kept_apart() -> None:
    iterations = [
        {"type": "compaction", "input_tokens": 90_000, "output_tokens": 400},
        {"type": "message", "input_tokens": 60_000, "output_tokens": 10},
        {"type": "message", "input_tokens": 61_000, "output_tokens": 20},
    ]
    reading = read_usage(message(121_000, 30, iterations=iterations))
    assert reading is not None
    assert reading.usage == tokens(61_000, 20)
    assert [(part.model, part.usage) for part in reading.also] == [
        ("claude-sonnet-5", tokens(90_000, 400)),
        ("claude-sonnet-5", tokens(60_000, 10)),
    ]


def test_an_advisor_is_apart_and_shares_the_terms_of_the_message() -> None:
    iterations = [
        {"type": "message", "input_tokens": 10, "output_tokens": 1},
        {"type": "advisor_message", "model": "claude-fable-5", "input_tokens": 900, "output_tokens": 9},
    ]
    reading = read_usage(message(10, 1, iterations=iterations, inference_geo="us"))
    assert reading is not None
    assert reading.usage == tokens(10, 1)
    assert [(part.model, part.usage, part.inference_geo) for part in reading.also] == [
        ("claude-fable-5", tokens(900, 9), "us")
    ]
