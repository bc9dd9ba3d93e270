"""What did the provider report?

Plain mappings (or the SDKs' objects) in, disjoint counts out. Providers disagree on what
includes what; each reader knows one of them. A reader never raises: counts that
contradict each other are cut to what is possible and the reading is marked ``estimated``;
something that is no usage report at all gives ``None``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lc_costkit.catalog import provider_id
from lc_costkit.payloads import Payload, anthropic_parts, as_mapping, input_split, text, tools_used
from lc_costkit.usage import TokenUsage, UsageReading

_TRAFFIC_TIERS = {
    "on_demand_priority": "priority",
    "on_demand_flex": "flex",
    "provisioned_throughput": "provisioned_throughput",
}
"""Vertex AI's ``trafficType`` for anything but plain on-demand traffic."""

_GOOGLE_COUNTS = (
    *("promptTokenCount", "prompt_token_count", "candidatesTokenCount", "candidates_token_count"),
    *("totalTokenCount", "total_token_count"),
)

_TIERS = ("flex", "priority")
"""Service tiers after which langchain-openai renames the detail keys (``flex_cache_read``)."""


def read_openai(
    usage: object, *, model: str | None = None, provider: str | None = "openai", service_tier: str | None = None
) -> UsageReading | None:
    """Read the ``usage`` of OpenAI (chat, responses, embeddings) or of an endpoint compatible with it.

    Prompt tokens include cached and written ones, completion tokens the reasoning; where
    the total shows that reasoning was counted beside the completion (xAI), it is added.
    """
    data = as_mapping(usage)
    if data is None or not _has_any(data, "prompt_tokens", "input_tokens", "completion_tokens", "output_tokens"):
        return None
    payload = Payload(data)
    details = payload.part("prompt_tokens_details", "input_tokens_details")
    cached_details = details.part("cached_tokens_details")
    out_details = payload.part("completion_tokens_details", "output_tokens_details")
    prompt = payload.count("prompt_tokens", "input_tokens")
    output = payload.count("completion_tokens", "output_tokens")
    reasoning = out_details.count("reasoning_tokens")
    if reasoning and payload.count("total_tokens") == prompt + output + reasoning:
        output += reasoning
    # LiteLLM's proxy says so much more of Anthropic's cache; OpenAI and OpenRouter only the first.
    write = details.count("cache_write_tokens", "cache_creation_tokens") or payload.count("cache_creation_input_tokens")
    lifetimes = details.part("cache_creation_token_details")
    write_5m, write_1h = lifetimes.count("ephemeral_5m_input_tokens"), lifetimes.count("ephemeral_1h_input_tokens")
    counts = input_split(
        payload,
        total=prompt,
        read=details.count("cached_tokens") or payload.count("prompt_cache_hit_tokens", "cached_tokens"),
        write=max(0, write - write_5m - write_1h),
        write_5m=write_5m,
        write_1h=write_1h,
        audio=details.count("audio_tokens"),
        read_audio=cached_details.count("audio_tokens"),
        image=details.count("image_tokens"),
        read_image=cached_details.count("image_tokens"),
    )
    return UsageReading(
        usage=_with_output(
            payload,
            counts,
            total=output,
            reasoning=reasoning,
            audio=out_details.count("audio_tokens"),
            image=out_details.count("image_tokens"),
        ),
        model=model,
        provider=provider,
        service_tier=text(service_tier) or text(data.get("service_tier")),
        estimated=payload.odd,
    )


def read_anthropic(
    usage: object, *, model: str | None = None, provider: str | None = "anthropic"
) -> UsageReading | None:
    """Read the ``usage`` of an Anthropic message.

    Input tokens exclude what was read from or written to the cache. Where there are
    ``iterations`` (compaction, advisors, fallbacks) they are the record of what is billed
    and the top level is only the last of them; an attempt without output is not billed.
    Iterations of another model are returned under ``also``.
    """
    data = as_mapping(usage)
    if data is None or not _has_any(data, "input_tokens", "output_tokens"):
        return None
    payload = Payload(data)
    tools = payload.part("server_tool_use")
    requests = tuple((str(name).removesuffix("_requests"), tools.count(name)) for name in tools.data)
    main, others = anthropic_parts(payload, model)
    _check_input(payload, main, main.total_output)
    tier = text(data.get("service_tier"))
    reading = UsageReading(
        usage=main + TokenUsage(tool_requests=requests),
        model=model,
        provider=provider,
        service_tier=None if tier == "batch" else tier,
        processing="batch" if tier == "batch" else None,
        speed=text(data.get("speed")),
        inference_geo=text(data.get("inference_geo")),
        estimated=payload.odd,
    )
    also = tuple(replace(reading, usage=counts, model=other, also=()) for other, counts in others)
    return replace(reading, also=also) if also else reading


def read_google(usage: object, *, model: str | None = None, provider: str | None = "google") -> UsageReading | None:
    """Read Gemini's ``usageMetadata``, camel case or snake case.

    The prompt includes what was cached; tool-use prompts come on top of it, and thoughts
    on top of the candidates. Documents are counted as images, as they are billed.
    """
    data = as_mapping(usage)
    if data is None or not _has_any(data, *_GOOGLE_COUNTS):
        return None
    payload = Payload(data)
    prompt = payload.modalities("promptTokensDetails", "prompt_tokens_details")
    cached = payload.modalities("cacheTokensDetails", "cache_tokens_details")
    candidates = payload.modalities("candidatesTokensDetails", "candidates_tokens_details", "responseTokensDetails")
    thoughts = payload.count("thoughtsTokenCount", "thoughts_token_count")
    sent = payload.count("promptTokenCount", "prompt_token_count")
    sent += payload.count("toolUsePromptTokenCount", "tool_use_prompt_token_count")
    output = payload.count(
        "candidatesTokenCount", "candidates_token_count", "responseTokenCount", "response_token_count"
    )
    unnamed = payload.count("totalTokenCount", "total_token_count") - sent - output - thoughts
    if unnamed > 0:
        payload.repaired()
        sent, output = (sent, output + unnamed) if sent else (unnamed, output)
    counts = input_split(
        payload,
        total=sent,
        read=payload.count("cachedContentTokenCount", "cached_content_token_count"),
        audio=prompt["audio"],
        read_audio=cached["audio"],
        image=prompt["image"] + prompt["document"],
        read_image=cached["image"] + cached["document"],
    )
    traffic = (text(data.get("trafficType")) or text(data.get("traffic_type")) or "").lower()
    return UsageReading(
        usage=_with_output(
            payload,
            counts,
            total=output + thoughts,
            reasoning=thoughts,
            audio=candidates["audio"],
            image=candidates["image"],
        ),
        model=model,
        provider=provider,
        service_tier=text(data.get("serviceTier")) or text(data.get("service_tier")) or _TRAFFIC_TIERS.get(traffic),
        estimated=payload.odd,
    )


def read_bedrock(usage: object, *, model: str | None = None, provider: str | None = "aws") -> UsageReading | None:
    """Read the ``usage`` of Bedrock's Converse API: input tokens exclude what was read from or written to the cache."""
    data = as_mapping(usage)
    if data is None or not _has_any(data, "inputTokens", "outputTokens"):
        return None
    payload = Payload(data)
    lifetimes = {"5m": 0, "1h": 0}
    for entry in payload.entries("cacheDetails"):
        lifetime = str(entry.data.get("ttl"))
        if lifetime in lifetimes:
            lifetimes[lifetime] += entry.count("inputTokens")
    write = payload.count("cacheWriteInputTokens", "cacheWriteInputTokensCount")
    counts = TokenUsage(
        input_tokens=payload.count("inputTokens"),
        cache_read_tokens=payload.count("cacheReadInputTokens", "cacheReadInputTokensCount"),
        cache_write_tokens=max(0, write - sum(lifetimes.values())),
        cache_write_5m_tokens=lifetimes["5m"],
        cache_write_1h_tokens=lifetimes["1h"],
    )
    counts = _with_output(payload, counts, total=payload.count("outputTokens"))
    return UsageReading(usage=counts, model=model, provider=provider, estimated=payload.odd)


def read_usage(payload: object, provider: str | None = None, *, model: str | None = None) -> UsageReading | None:
    """Read a response, or the usage report inside one, of any provider, by its shape.

    Args:
        payload: a response body, its ``usage``, or the SDK's object for either (for
            LlamaIndex: ``response.raw``).
        provider: who answered, in anybody's spelling; without it the price book goes by the model's name.
        model: the model, if the payload does not name it.

    >>> read_usage({"model": "gpt-4o", "usage": {"prompt_tokens": 10, "completion_tokens": 2}}).usage.total
    12
    >>> read_usage("no usage here") is None
    True
    """
    body = as_mapping(payload)
    if body is None:
        return None
    for wrapper in ("response", "message"):
        inner = as_mapping(body.get(wrapper))
        if inner is not None and _usage_of(body) is None and _usage_of(inner) is not None:
            body = inner
    usage = _usage_of(body) or body
    model = next(
        (name for key in ("model", "modelVersion", "model_version", "modelId") if (name := text(body.get(key)))), model
    )
    source = provider_id(provider)
    if _has_any(usage, "input_token_details", "output_token_details"):
        start = {"ls_provider": provider, "ls_model_name": model}
        return read_langchain(usage, as_mapping(body.get("response_metadata")), start_metadata=start)
    if _has_any(usage, *_GOOGLE_COUNTS):
        return read_google(usage, model=model, provider=source)
    if _has_any(usage, "inputTokens", "outputTokens"):
        return read_bedrock(usage, model=model, provider=source)
    openai_only = ("prompt_tokens", "completion_tokens", "input_tokens_details")
    anthropic_only = ("cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation", "server_tool_use")
    if _has_any(usage, *openai_only) or (source in ("openai", "azure") and not _has_any(usage, *anthropic_only)):
        tier = text(body.get("service_tier"))
        return _with_tools(read_openai(usage, model=model, provider=source, service_tier=tier), body.get("output"))
    return read_anthropic(usage, model=model, provider=source)


def read_langchain(
    usage_metadata: Mapping[str, Any] | None,
    response_metadata: Mapping[str, Any] | None,
    *,
    start_metadata: Mapping[str, Any] | None = None,
    cache_ttl: str | None = None,
    content: object = None,
) -> UsageReading | None:
    """Read what LangChain says about a call.

    The provider's own report is preferred where LangChain kept it (it holds paid tools,
    iterations, cache lifetimes); streams do not.

    Args:
        usage_metadata: the message's ``usage_metadata``.
        response_metadata: the message's ``response_metadata``.
        start_metadata: the callback metadata of the call (``ls_provider``, ``ls_model_name``).
        cache_ttl: ``5m`` or ``1h``, the lifetime that the request asked for (see
            ``find_cache_ttl``), for streams that lost it.
        content: the message's content blocks, for paid tools where the counts say nothing of them.
    """
    counts = as_mapping(usage_metadata) or {}
    response, start = as_mapping(response_metadata) or {}, as_mapping(start_metadata) or {}
    model = _once(text(response.get("model_name")) or text(response.get("model"))) or text(start.get("ls_model_name"))
    provider = _langchain_provider(response, start)
    cached_locally = "total_cost" in counts and counts["total_cost"] == 0
    tier = _once(text(response.get("service_tier")))
    reading = _langchain_view(counts, tier, model, provider)
    raw = _langchain_raw(response, tier, model, provider)
    if raw is not None and (reading is None or raw.usage.total >= reading.usage.total):
        reading = raw
    if reading is None:
        empty = UsageReading(usage=TokenUsage(), model=model, provider=provider, cached_locally=True)
        return empty if cached_locally else None
    if cache_ttl in ("5m", "1h"):
        reading = replace(reading, usage=_with_lifetime(reading.usage, cache_ttl))
    reading = _with_tools(reading, content) or reading
    return replace(reading, cached_locally=True) if cached_locally else reading


def find_cache_ttl(request: object) -> str | None:
    """Return the one cache lifetime that a request asks for: ``5m``, ``1h`` or ``None`` (none, or several).

    Args:
        request: messages, tools and parameters as plain mappings and sequences, in any nesting.

    >>> find_cache_ttl([{"content": [{"text": "...", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}])
    '1h'
    """
    found: set[str] = set()
    pending: list[tuple[object, int]] = [(request, 0)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, Mapping):
            control = item.get("cache_control")
            if isinstance(control, Mapping):
                found.add(str(control.get("ttl") or "5m"))
            inside: Iterable[object] = item.values()
        elif isinstance(item, (list, tuple)):
            inside = item
        else:
            continue
        if depth < 12:
            pending.extend((value, depth + 1) for value in inside)
    return found.pop() if len(found) == 1 and found <= {"5m", "1h"} else None


def _langchain_view(
    counts: Mapping[str, Any], tier: str | None, model: str | None, provider: str | None
) -> UsageReading | None:
    if not _has_any(counts, "input_tokens", "output_tokens"):
        return None
    payload = Payload(counts)
    details, out_details = payload.part("input_token_details"), payload.part("output_token_details")
    tier = tier or next((renamed for renamed in _TIERS if renamed in details.data), None)
    read, unstated = details.renamed("cache_read", _TIERS), details.renamed("cache_creation", _TIERS)
    write_5m, write_1h = details.count("ephemeral_5m_input_tokens"), details.count("ephemeral_1h_input_tokens")
    unstated = max(0, unstated - write_5m - write_1h)
    audio = details.count("audio")
    total = payload.count("input_tokens")
    beside = read + unstated + write_5m + write_1h
    if provider == "aws" and beside > total:
        total += beside  # some releases of langchain-aws pass Bedrock's input count on, which excludes the cache
    split = input_split(
        payload, total=total, read=read, write=unstated, write_5m=write_5m, write_1h=write_1h, audio=audio
    )
    usage = _with_output(
        payload,
        split,
        total=payload.count("output_tokens"),
        reasoning=out_details.renamed("reasoning", _TIERS),
        audio=out_details.count("audio"),
    )
    return UsageReading(usage=usage, model=model, provider=provider, service_tier=tier, estimated=payload.odd)


def _langchain_raw(
    response: Mapping[str, Any], tier: str | None, model: str | None, provider: str | None
) -> UsageReading | None:
    for key, needed, read in (("usage", "input_tokens", read_anthropic), ("token_usage", "prompt_tokens", read_openai)):
        raw = as_mapping(response.get(key))
        if raw is not None and needed in raw:
            reading = read(raw, model=model, provider=provider)
            return replace(reading, service_tier=tier) if reading is not None and tier else reading
    return None


def _langchain_provider(response: Mapping[str, Any], start: Mapping[str, Any]) -> str | None:
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


def _with_tools(reading: UsageReading | None, blocks: object) -> UsageReading | None:
    if reading is None or reading.usage.tool_requests:
        return reading
    requests = tools_used(blocks)
    return replace(reading, usage=replace(reading.usage, tool_requests=requests)) if requests else reading


def _with_lifetime(usage: TokenUsage, lifetime: str) -> TokenUsage:
    written = usage.cache_write_tokens
    known = TokenUsage(cache_write_1h_tokens=written) if lifetime == "1h" else TokenUsage(cache_write_5m_tokens=written)
    return replace(usage, cache_write_tokens=0) + known


def _check_input(payload: Payload, counts: TokenUsage, output: int) -> None:
    """Mark a report of output without input: it is a part of one (a stream's last event), since no call has none."""
    if output and not counts.total_input:
        payload.repaired()


def _with_output(
    payload: Payload, counts: TokenUsage, *, total: int, reasoning: int = 0, audio: int = 0, image: int = 0
) -> TokenUsage:
    _check_input(payload, counts, total)
    audio = payload.at_most(audio, total)
    image = payload.at_most(image, total - audio)
    plain = total - audio - image
    return replace(
        counts,
        output_tokens=plain,
        reasoning_tokens=payload.at_most(reasoning, plain),
        output_audio_tokens=audio,
        output_image_tokens=image,
    )


def _usage_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for key in ("usage", "usageMetadata", "usage_metadata"):
        usage = as_mapping(body.get(key))
        if usage is not None:
            return usage
    return None


def _has_any(data: Mapping[str, Any], *names: str) -> bool:
    return any(data.get(name) is not None for name in names)
