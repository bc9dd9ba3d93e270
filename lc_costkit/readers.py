"""Which of all the shapes does a usage report have?

Plain mappings (or the SDKs' objects) in, disjoint counts out: a response, the report inside
one, the events of a stream, or LangChain's view of a call, of any provider.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lc_costkit.asked import find_cache_ttl, what_was_asked
from lc_costkit.catalog import provider_id
from lc_costkit.message_reader import read_langchain, refused
from lc_costkit.paid_tools import with_grounding, with_tools
from lc_costkit.payloads import as_mapping, has_any, text
from lc_costkit.provider_readers import GOOGLE_COUNTS, read_anthropic, read_bedrock, read_google, read_openai
from lc_costkit.usage import TERMS, TokenUsage, UsageReading, with_terms

__all__ = [
    "find_cache_ttl",
    "read_anthropic",
    "read_bedrock",
    "read_google",
    "read_langchain",
    "read_openai",
    "read_usage",
    "what_was_asked",
]

_WRAPPERS = ("response", "message", "result", "body", "x_groq", "metadata")
"""Under what a report may be: events of streams, results of batches, Groq's streams, Bedrock's."""

_OPENAI_ONLY = ("prompt_tokens", "completion_tokens", "input_tokens_details")
_ANTHROPIC_ONLY = ("cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation", "server_tool_use")
_REALTIME = ("text_tokens", "audio_tokens", "image_tokens", "cached_tokens")
"""What OpenAI's realtime and transcription reports have in details that go by the same name as LangChain's."""


def read_usage(payload: object, provider: str | None = None, *, model: str | None = None) -> UsageReading | None:
    """Read a response, or the usage report inside one, of any provider, by its shape.

    Args:
        payload: a response body, its ``usage``, the SDK's object for either (for LlamaIndex:
            ``response.raw``), a line of a batch's results, a LangChain message, or the events
            of a stream as a list.
        provider: who answered, in anybody's spelling; without it the price book goes by the model's name.
        model: the model, if the payload does not name it.

    >>> read_usage({"model": "gpt-4o", "usage": {"prompt_tokens": 10, "completion_tokens": 2}}).usage.total
    12
    >>> read_usage("no usage here") is None
    True
    """
    body = _of_stream(payload) if isinstance(payload, (list, tuple)) else as_mapping(payload)
    if body is None:
        return None
    in_batch, body = _is_batch_result(body), _unwrapped(body)
    usage = _usage_of(body) or body
    model = next(
        (name for key in ("model", "modelVersion", "model_version", "modelId") if (name := text(body.get(key)))), model
    )
    reading = _read(body, usage, provider, model)
    if reading is None:
        return None
    # Whoever gives a body may have written beside the report what it leaves out.
    reading = with_terms(reading, {name: text(usage.get(name)) or text(body.get(name)) for name in TERMS})
    return with_terms(reading, {"processing": "batch"}) if in_batch else reading


def _read(
    body: Mapping[str, Any], usage: Mapping[str, Any], provider: str | None, model: str | None
) -> UsageReading | None:
    source = provider_id(provider)
    details = as_mapping(usage.get("input_token_details"))
    told = as_mapping(body.get("response_metadata"))
    if told is not None or (has_any(usage, "input_token_details", "output_token_details") and not _realtime(details)):
        start = {"ls_provider": provider, "ls_model_name": model}
        return read_langchain(usage, told, start_metadata=start, content=body.get("content"))
    if has_any(usage, *GOOGLE_COUNTS):
        return with_grounding(read_google(usage, model=model, provider=source), body.get("candidates"))
    if has_any(usage, "inputTokens", "outputTokens"):
        return _of_bedrock(read_bedrock(usage, model=model, provider=source), body)
    openai = has_any(usage, *_OPENAI_ONLY) or _realtime(details)
    if openai or (source in ("openai", "azure") and not has_any(usage, *_ANTHROPIC_ONLY)):
        return with_tools(read_openai(usage, model=model, provider=source), body.get("output"))
    reading = read_anthropic(usage, model=model, provider=source)
    if reading is not None and refused(reading, body.get("stop_reason"), body.get("content")):
        return replace(reading, usage=TokenUsage())
    return reading


def _of_bedrock(reading: UsageReading | None, body: Mapping[str, Any]) -> UsageReading | None:
    if reading is None:
        return None
    tier = as_mapping(body.get("serviceTier")) or {}
    performance = as_mapping(body.get("performanceConfig")) or {}
    return replace(reading, service_tier=text(tier.get("type")), speed=text(performance.get("latency")))


def _is_batch_result(body: Mapping[str, Any]) -> bool:
    """Tell a line of a batch's results: OpenAI's and Anthropic's name the request, Google's may hold it."""
    if text(body.get("custom_id")) is not None:
        return True
    answer = as_mapping(body.get("response"))
    held = text(body.get("key")) is not None or as_mapping(body.get("request")) is not None
    return held and answer is not None and has_any(answer, "usageMetadata", "usage_metadata")


def _realtime(details: Mapping[str, Any] | None) -> bool:
    return details is not None and has_any(details, *_REALTIME)


def _of_stream(events: Iterable[object]) -> Mapping[str, Any] | None:
    """Return one body for the events of a stream: the last report, over what an Anthropic stream began with.

    Anthropic's last event counts everything again but says nothing of lifetimes, place and speed.
    """
    body: Mapping[str, Any] | None = None
    for event in events:
        inside = as_mapping(event)
        inside = _unwrapped(inside) if inside is not None else None
        usage = _usage_of(inside) if inside is not None else None
        if inside is None or usage is None:
            continue
        known = _usage_of(body) if body is not None else None
        if body is not None and known is not None and inside.get("type") == "message_delta":
            later = {name: value for name, value in usage.items() if value is not None}
            delta = as_mapping(inside.get("delta")) or {}
            body = {**body, "usage": {**known, **later}, "stop_reason": delta.get("stop_reason")}
        else:
            body = inside
    return body


def _unwrapped(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what holds a report inside of ``body``, or ``body`` itself if nothing does."""
    outer: Mapping[str, Any] | None = body
    for _ in _WRAPPERS:
        if outer is None:
            break
        if _usage_of(outer) is not None:
            return outer
        found = (as_mapping(outer.get(wrapper)) for wrapper in _WRAPPERS)
        outer = next((inside for inside in found if inside is not None), None)
    return body


def _usage_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for key in ("usage", "usageMetadata", "usage_metadata"):
        usage = as_mapping(body.get(key))
        if usage is not None:
            return usage
    return None
