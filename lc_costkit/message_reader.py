"""What does LangChain say about a call, and what did it rename or drop?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lc_costkit.asked import Asked, with_lifetime, with_what_was_lost
from lc_costkit.catalog import provider_id
from lc_costkit.paid_tools import with_tools
from lc_costkit.payloads import Payload, as_mapping, has_any, input_split, text, with_output
from lc_costkit.provider_readers import GOOGLE_COUNTS, read_anthropic, read_google, read_openai
from lc_costkit.usage import TERMS, TokenUsage, UsageReading, with_terms

_TIERS = ("flex", "priority")
"""Service tiers after which langchain-openai renames the detail keys (``flex_cache_read``)."""

_WRITES_ARE_BILLED = re.compile(r"^(?:.*/)?gpt-(?:5\.(?:[6-9]|\d\d)|[6-9]|\d\d)(?![\d])")
"""OpenAI's models whose cache writes cost more than plain input: from GPT-5.6 on (its prompt-caching guide)."""

_SHORTEST_CACHED_PROMPT = 1024
"""Tokens; a shorter prompt is never cached (the same guide)."""


def read_langchain(
    usage_metadata: Mapping[str, Any] | None,
    response_metadata: Mapping[str, Any] | None,
    *,
    start_metadata: Mapping[str, Any] | None = None,
    cache_ttl: str | None = None,
    content: object = None,
    asked: Asked | None = None,
) -> UsageReading | None:
    """Read what LangChain says about a call.

    The provider's own report is preferred where LangChain kept it (it holds paid tools,
    iterations, cache lifetimes); streams do not.

    Args:
        usage_metadata: the message's ``usage_metadata``.
        response_metadata: the message's ``response_metadata``.
        start_metadata: the callback metadata of the call (``ls_provider``, ``ls_model_name``);
            ``inference_geo`` there says where a workspace runs its calls by default.
        cache_ttl: ``5m`` or ``1h``, the lifetime that the request asked for (see
            ``find_cache_ttl``), for streams that lost it.
        content: the message's content blocks, for paid tools where the counts say nothing of them.
        asked: what the request asked for, for all that streams lose.
    """
    counts = as_mapping(usage_metadata) or {}
    response, start = as_mapping(response_metadata) or {}, as_mapping(start_metadata) or {}
    model = _once(text(response.get("model_name")) or text(response.get("model"))) or text(start.get("ls_model_name"))
    provider = _provider(response, start)
    cached_locally = "total_cost" in counts and counts["total_cost"] == 0
    reading = _raw(response, model, provider)
    complete = reading is not None and _total(reading) >= _stated_total(counts)
    if not complete:
        view = _view(counts, _once(text(response.get("service_tier"))), model, provider)
        complete = reading is not None and (view is None or _total(reading) >= _total(view))
        reading = reading if complete else view
    if reading is None:
        empty = UsageReading(usage=TokenUsage(), model=model, provider=provider, cached_locally=True)
        return empty if cached_locally else None
    asked = asked or Asked(cache_ttl=cache_ttl)
    if asked.inference_geo is None and "inference_geo" in start:
        asked = replace(asked, inference_geo=text(start["inference_geo"]))
    reading = with_terms(reading, {name: _once(text(response.get(name))) for name in TERMS if name in response})
    reading = with_lifetime(reading, asked)
    if not complete:
        reading = _completed(reading, asked, content)
    reading = with_tools(reading, content) or reading
    if refused(reading, response.get("stop_reason"), content):
        reading = replace(reading, usage=TokenUsage())
    return replace(reading, cached_locally=True) if cached_locally else reading


def refused(reading: UsageReading, stop_reason: object, content: object) -> bool:
    """Tell whether Anthropic declined before it said anything: it does not bill that (release notes of 2026-06-02)."""
    said = reading.usage.total_output or reading.also or content
    return stop_reason == "refusal" and not said and reading.provider in (None, "anthropic")


def _completed(reading: UsageReading, asked: Asked, content: object) -> UsageReading:
    if reading.provider == "anthropic":
        return with_what_was_lost(reading, asked, content)
    if reading.service_tier is None and asked.service_tier in ("flex", "priority", "fast"):
        return replace(reading, open_terms=(*reading.open_terms, ("service_tier", asked.service_tier)))
    return reading


def _view(counts: Mapping[str, Any], tier: str | None, model: str | None, provider: str | None) -> UsageReading | None:
    if not has_any(counts, "input_tokens", "output_tokens"):
        return None
    payload = Payload(counts)
    details, out_details = payload.part("input_token_details"), payload.part("output_token_details")
    tier = tier or next((renamed for renamed in _TIERS if renamed in details.data), None)
    read, unstated = details.renamed("cache_read", _TIERS), details.renamed("cache_creation", _TIERS)
    write_5m, write_1h = details.count("ephemeral_5m_input_tokens"), details.count("ephemeral_1h_input_tokens")
    unstated = max(0, unstated - write_5m - write_1h)
    total, output = payload.count("input_tokens"), payload.count("output_tokens")
    whole, reasoning = payload.count("total_tokens"), out_details.renamed("reasoning", _TIERS)
    beside = read + unstated + write_5m + write_1h
    if beside and (whole == total + output + beside or (provider == "aws" and beside > total)):
        total += beside  # some releases of langchain-aws pass Bedrock's input count on, which excludes the cache
    elif reasoning and whole == total + output + reasoning:
        output += reasoning  # and some of langchain-google-genai Gemini's candidates without the thoughts
    elif output and whole > total + output:
        output = whole - total  # not told apart, as by gateways before models that reason
        payload.repaired()
    split = input_split(
        payload,
        total=total,
        read=read,
        write=unstated,
        write_5m=write_5m,
        write_1h=write_1h,
        audio=details.count("audio"),
        image=details.count("image"),
    )
    usage = with_output(
        payload,
        split,
        total=output,
        reasoning=reasoning,
        audio=out_details.count("audio"),
        image=out_details.count("image"),
    )
    return UsageReading(
        usage=usage,
        model=model,
        provider=provider,
        service_tier=tier,
        estimated=payload.odd,
        open_terms=_unseen_writes(details, usage, model, provider),
    )


def _unseen_writes(
    details: Payload, usage: TokenUsage, model: str | None, provider: str | None
) -> tuple[tuple[str, str], ...]:
    """Older langchain-openai drops what was written to the cache, and counts it as plain input."""
    if provider not in ("openai", "azure") or not _WRITES_ARE_BILLED.match(model or ""):
        return ()
    told = any(f"{prefix}cache_creation" in details.data for prefix in ("", *(f"{tier}_" for tier in _TIERS)))
    return () if told or usage.total_input < _SHORTEST_CACHED_PROMPT else (("cache_write", "all"),)


def _raw(response: Mapping[str, Any], model: str | None, provider: str | None) -> UsageReading | None:
    for key, needed, read in (
        ("usage", ("input_tokens",), read_anthropic),
        ("token_usage", ("prompt_tokens",), read_openai),
        ("usage_metadata", GOOGLE_COUNTS, read_google),
    ):
        raw = as_mapping(response.get(key))
        if raw is not None and has_any(raw, *needed):
            return read(raw, model=model, provider=provider)
    return None


def _stated_total(counts: Mapping[str, Any]) -> int:
    payload = Payload(counts)
    return max(payload.count("total_tokens"), payload.count("input_tokens") + payload.count("output_tokens"))


def _total(reading: UsageReading) -> int:
    return reading.usage.total + sum(part.usage.total for part in reading.also)


def _provider(response: Mapping[str, Any], start: Mapping[str, Any]) -> str | None:
    # AzureChatOpenAI and Bedrock answer as "openai" or "anthropic"; only the start says who bills.
    started = provider_id(text(start.get("ls_provider")))
    answered = provider_id(text(response.get("model_provider")))
    return started if started in ("azure", "aws", "google") else answered or started


def _once(name: str | None) -> str | None:
    """Undo what LangChain does to a string that several chunks of a stream carry: it joins them."""
    if name is None:
        return None
    period = (name + name).find(name, 1)
    return name[:period] if period > 3 else name
