"""What does each provider's usage report say?

Providers disagree on what includes what; each reader knows one of them. A reader never
raises: counts that contradict each other are cut to what is possible and the reading is
marked ``estimated``; something that is no usage report at all gives ``None``.
"""

from __future__ import annotations

from dataclasses import replace

from lc_costkit.iterations import answering_model, anthropic_parts, credited_writes
from lc_costkit.payloads import Payload, as_mapping, check_input, has_any, input_split, lifetimes_of, text, with_output
from lc_costkit.usage import TERMS, TokenUsage, UsageReading, with_terms

_TRAFFIC_TIERS = {
    "on_demand_priority": "priority",
    "on_demand_flex": "flex",
    "provisioned_throughput": "provisioned_throughput",
}
"""Vertex AI's ``trafficType`` for anything but plain on-demand traffic."""

GOOGLE_COUNTS = (
    *("promptTokenCount", "prompt_token_count", "candidatesTokenCount", "candidates_token_count"),
    *("totalTokenCount", "total_token_count"),
)
"""Names of which a Gemini report has at least one."""


def read_openai(
    usage: object, *, model: str | None = None, provider: str | None = "openai", service_tier: str | None = None
) -> UsageReading | None:
    """Read the ``usage`` of OpenAI (chat, responses, realtime, embeddings) or of an endpoint compatible with it.

    Prompt tokens include cached and written ones, completion tokens the reasoning; where
    the total shows that reasoning was counted beside the completion (xAI), it is added. What else
    the total holds beside both is output that is not told apart (gateways before models that reason):
    it is added, and the reading ``estimated``.
    """
    data = as_mapping(usage)
    if data is None or not has_any(data, "prompt_tokens", "input_tokens", "completion_tokens", "output_tokens"):
        return None
    payload = Payload(data)
    details = payload.part("prompt_tokens_details", "input_tokens_details", "input_token_details")
    out_details = payload.part("completion_tokens_details", "output_tokens_details", "output_token_details")
    cached_details = details.part("cached_tokens_details")
    output = payload.most("completion_tokens", "output_tokens")
    prompt = payload.most("prompt_tokens", "input_tokens")
    reasoning = out_details.count("reasoning_tokens")
    beside = payload.count("total_tokens") - prompt - output
    if reasoning and beside == reasoning:
        output += reasoning
    elif output and beside > 0:
        output += beside
        payload.repaired()
    write, write_5m, write_1h = _compatible_writes(payload, details)
    # DeepSeek, Moonshot, LiteLLM and Mistral have names of their own for what OpenAI puts in the details.
    elsewhere = payload.most("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens", "num_cached_tokens")
    counts = input_split(
        payload,
        total=prompt,
        read=max(details.count("cached_tokens"), elsewhere),
        write=write,
        write_5m=write_5m,
        write_1h=write_1h,
        audio=details.count("audio_tokens"),
        read_audio=cached_details.count("audio_tokens"),
        image=details.count("image_tokens"),
        read_image=cached_details.count("image_tokens"),
    )
    counts = with_output(
        payload,
        counts,
        total=output,
        reasoning=reasoning,
        audio=out_details.count("audio_tokens"),
        image=out_details.count("image_tokens"),
    )
    sources = payload.count("num_sources_used")  # xAI bills each source of a live search
    if sources:
        counts = replace(counts, tool_requests=(("live_search_source", sources),))
    kept_longer = details.part("cache_write_tokens_details").count("ttl_12h_tokens")
    return UsageReading(
        usage=counts,
        model=model,
        provider=provider,
        service_tier=text(service_tier) or text(data.get("service_tier")),
        estimated=payload.odd,
        open_terms=(("cache_retention", "12h"),) if kept_longer and counts.cache_write_tokens else (),
    )


def read_anthropic(
    usage: object, *, model: str | None = None, provider: str | None = "anthropic"
) -> UsageReading | None:
    """Read the ``usage`` of an Anthropic message.

    Input tokens exclude what was read from or written to the cache. Where there are
    ``iterations`` (compaction, advisors, fallbacks) they are the record of what is billed;
    an attempt without output is not. Iterations of another model, and those that a
    long-context rate must not see together, are returned under ``also``.
    """
    data = as_mapping(usage)
    if data is None or not has_any(data, "input_tokens", "output_tokens"):
        return None
    payload = Payload(data)
    tools = payload.part("server_tool_use")
    requests = tuple((str(name).removesuffix("_requests"), tools.count(name)) for name in tools.data)
    model = answering_model(payload, model)
    main, others = anthropic_parts(payload, model)
    check_input(payload, main, main.total_output)
    counts = main + TokenUsage(tool_requests=requests)
    credited = credited_writes(payload, main)
    reading = UsageReading(
        usage=counts,
        model=model,
        provider=provider,
        estimated=payload.odd,
        open_terms=(("cache_credit", str(credited)),) if credited else (),
    )
    reading = with_terms(reading, {name: text(data.get(name)) for name in TERMS})
    also = tuple(replace(reading, usage=one, model=other or model, open_terms=()) for other, one in others)
    return replace(reading, also=also) if also else reading


def read_google(usage: object, *, model: str | None = None, provider: str | None = "google") -> UsageReading | None:
    """Read Gemini's ``usageMetadata``, camel case or snake case.

    The prompt includes what was cached; tool-use prompts come on top of it, and thoughts
    on top of the candidates. Documents and video are counted as images, as they are billed.
    """
    data = as_mapping(usage)
    if data is None or not has_any(data, *GOOGLE_COUNTS):
        return None
    payload = Payload(data)
    prompt = payload.modalities("promptTokensDetails", "prompt_tokens_details")
    for modality, count in payload.modalities("toolUsePromptTokensDetails", "tool_use_prompt_tokens_details").items():
        prompt[modality] += count
    cached = payload.modalities("cacheTokensDetails", "cache_tokens_details")
    told = bool(cached)
    candidates = payload.modalities(
        *("candidatesTokensDetails", "candidates_tokens_details", "responseTokensDetails", "response_tokens_details")
    )
    thoughts = payload.most("thoughtsTokenCount", "thoughts_token_count")
    sent = payload.most("promptTokenCount", "prompt_token_count")
    sent += payload.most("toolUsePromptTokenCount", "tool_use_prompt_token_count")
    output = payload.most(
        *("candidatesTokenCount", "candidates_token_count", "responseTokenCount", "response_token_count")
    )
    unnamed = payload.most("totalTokenCount", "total_token_count") - sent - output - thoughts
    if unnamed > 0:
        payload.repaired()
        sent, output = (sent, output + unnamed) if sent else (unnamed, output)
    if candidates["video"] or (prompt["video"] and "embedding" in (model or "")):
        payload.repaired()  # billed at rates that nothing here has a count for
    read = payload.most("cachedContentTokenCount", "cached_content_token_count")
    if not told:
        cached["audio"] = min(max(0, read - (sent - prompt["audio"])), prompt["audio"])  # at least so much of it
    counts = input_split(
        payload,
        total=sent,
        read=read,
        audio=prompt["audio"],
        read_audio=cached["audio"],
        image=prompt["image"] + prompt["document"] + prompt["video"],
        read_image=cached["image"] + cached["document"] + cached["video"],
    )
    traffic = (text(data.get("trafficType")) or text(data.get("traffic_type")) or "").lower()
    usage_split = with_output(
        payload,
        counts,
        total=output + thoughts,
        reasoning=thoughts,
        audio=candidates["audio"],
        image=candidates["image"],
    )
    return UsageReading(
        usage=usage_split,
        model=model,
        provider=provider,
        service_tier=text(data.get("serviceTier")) or text(data.get("service_tier")) or _TRAFFIC_TIERS.get(traffic),
        estimated=payload.odd,
        open_terms=(("cache_read", "audio"),) if counts.cache_read_tokens and prompt["audio"] and not told else (),
    )


def read_bedrock(usage: object, *, model: str | None = None, provider: str | None = "aws") -> UsageReading | None:
    """Read the ``usage`` of Bedrock's Converse API: input tokens exclude what was read from or written to the cache."""
    data = as_mapping(usage)
    if data is None or not has_any(data, "inputTokens", "outputTokens"):
        return None
    payload = Payload(data)
    by_lifetime = {"5m": 0, "1h": 0}
    for entry in payload.entries("cacheDetails"):
        lifetime = str(entry.data.get("ttl"))
        if lifetime in by_lifetime:
            by_lifetime[lifetime] += entry.count("inputTokens")
    split = {"ephemeral_5m_input_tokens": by_lifetime["5m"], "ephemeral_1h_input_tokens": by_lifetime["1h"]}
    stated = payload.most("cacheWriteInputTokens", "cacheWriteInputTokensCount", "cacheWriteInputTokenCount")
    write, write_5m, write_1h = lifetimes_of(payload, stated, Payload(split, whole=payload))
    counts = TokenUsage(
        input_tokens=payload.count("inputTokens"),
        cache_read_tokens=payload.most("cacheReadInputTokens", "cacheReadInputTokensCount", "cacheReadInputTokenCount"),
        cache_write_tokens=write,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
    )
    counts = with_output(payload, counts, total=payload.count("outputTokens"))
    return UsageReading(usage=counts, model=model, provider=provider, estimated=payload.odd)


def _compatible_writes(payload: Payload, details: Payload) -> tuple[int, int, int]:
    """Return what was written without a lifetime, for five minutes and for an hour.

    OpenAI and OpenRouter know only the first; LiteLLM's proxy and Qwen say more.
    """
    stated = max(
        details.most("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"),
        payload.most("cache_creation_input_tokens", "cache_write_tokens"),
    )
    lifetimes = details.part("cache_creation_token_details", "cache_creation")
    return lifetimes_of(payload, stated, lifetimes if lifetimes.data else payload.part("cache_creation"))
