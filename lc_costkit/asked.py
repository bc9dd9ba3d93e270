"""What of a report was lost on the way, and what does the request say of it?

LangChain's streams of Anthropic drop where and how fast a message ran, how long a cache
write lives, and what compaction and advisors used. The request settles most of that; what it
leaves open is said in the reading, whose cost is then an estimate with bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lc_costkit.paid_tools import unwrapped
from lc_costkit.payloads import as_mapping, text
from lc_costkit.usage import TokenUsage, UsageReading

_DEPTH = 12

_CONTEXT_WINDOW = 1_000_000
_LONGEST_OUTPUT = 128_000
"""The most tokens any of Anthropic's models takes in and gives out (platform.claude.com, models overview)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request says that its price depends on; ``None`` for what it does not say.

    Attributes:
        cache_ttl: the one cache lifetime that it asks for (``5m`` or ``1h``).
        inference_geo: where to run.
        speed: ``fast``.
        service_tier: as asked for, which is not always what is given.
        cache_retention: OpenAI's lifetime of cache writes (``30m`` or ``12h``).
        fallbacks: models that may answer instead.
        advisors: for each advisor, its model and the most it may say (tokens).
    """

    cache_ttl: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    service_tier: str | None = None
    cache_retention: str | None = None
    fallbacks: tuple[str, ...] = ()
    advisors: tuple[tuple[str | None, int], ...] = ()


def find_cache_ttl(request: object) -> str | None:
    """Return the one cache lifetime that a request asks for: ``5m``, ``1h`` or ``None`` (none, or several).

    Args:
        request: messages, tools and parameters as plain mappings, sequences and pydantic objects, in any nesting.

    >>> find_cache_ttl([{"content": [{"text": "...", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}])
    '1h'
    """
    found: set[str] = set()
    for item in _mappings(request):
        control = as_mapping(item.get("cache_control"))
        if control is not None:
            found.add(str(control.get("ttl") or "5m"))
    return found.pop() if len(found) == 1 and found <= {"5m", "1h"} else None


_READ = ("prompt_cache_options", "fallbacks", "tools", "inference_geo", "speed", "service_tier")


def what_was_asked(request: object, parameters: Iterable[object]) -> Asked:
    """Read a request.

    Args:
        request: all of it, in any nesting, for cache lifetimes.
        parameters: mappings of its parameters, the one that decides first.
    """
    known: dict[str, Any] = {}
    for source in parameters:
        for values in _levels(as_mapping(source)):
            for name in _READ:
                if values.get(name) is not None:
                    known.setdefault(name, values[name])
    if not known:
        return Asked(cache_ttl=find_cache_ttl(request))
    options = as_mapping(known.get("prompt_cache_options")) or {}
    fallbacks = [text(one.get("model")) for one in _entries(known.get("fallbacks"))]
    advisors = [tool for tool in _entries(known.get("tools")) if str(tool.get("type")).startswith("advisor_")]
    limits = [tool.get("max_tokens") for tool in advisors]
    return Asked(
        cache_ttl=find_cache_ttl(request),
        inference_geo=text(known.get("inference_geo")),
        speed=text(known.get("speed")),
        service_tier=text(known.get("service_tier")),
        cache_retention=text(options.get("ttl")),
        fallbacks=tuple(name for name in fallbacks if name),
        advisors=tuple(
            (text(tool.get("model")), limit if type(limit) is int else _LONGEST_OUTPUT)
            for tool, limit in zip(advisors, limits, strict=True)
        ),
    )


def with_lifetime(reading: UsageReading, asked: Asked) -> UsageReading:
    """Say of cache writes without a lifetime what the request asked for."""
    written, kept = reading.usage.cache_write_tokens, ("cache_retention", "12h")
    may_have_written = any(name == "cache_write" for name, _ in reading.open_terms)
    if asked.cache_retention == kept[1] and (written or may_have_written) and kept not in reading.open_terms:
        return replace(reading, open_terms=(*reading.open_terms, kept))
    if not written:
        return reading
    if asked.cache_ttl not in ("5m", "1h"):
        return reading
    hour = asked.cache_ttl == "1h"
    known = TokenUsage(cache_write_1h_tokens=written) if hour else TokenUsage(cache_write_5m_tokens=written)
    return replace(reading, usage=replace(reading.usage, cache_write_tokens=0) + known)


def with_what_was_lost(reading: UsageReading, asked: Asked, content: object) -> UsageReading:
    """Complete the reading of an Anthropic stream from the request, and say what stays open.

    Args:
        reading: of a report that holds token counts only.
        asked: the request.
        content: the answer's blocks, which tell of compaction and of advisors that were heard.
    """
    unsettled: list[tuple[str, str]] = []
    tier = reading.service_tier or asked.service_tier
    if tier == "auto":
        unsettled.append(("service_tier", "priority"))
    unsettled += [("model", name) for name in asked.fallbacks if name != reading.model]
    kinds = [unwrapped(block).get("type") for block in _entries(content)]
    reading = replace(
        reading,
        inference_geo=reading.inference_geo or asked.inference_geo,
        speed=reading.speed or asked.speed,
        open_terms=(*reading.open_terms, *unsettled),
    )
    calls: list[tuple[str | None, int]] = [(reading.model, _LONGEST_OUTPUT)] * kinds.count("compaction")
    heard = kinds.count("advisor_tool_result")
    calls += asked.advisors[:1] * heard
    if heard and not asked.advisors:
        reading = replace(reading, estimated=True)  # nothing says whom it asked, so nothing bounds what that cost
    return replace(reading, open_calls=tuple(_at_most(reading, model, output) for model, output in calls))


def _at_most(reading: UsageReading, model: str | None, output: int) -> UsageReading:
    """Return the dearest call of a model: all that it takes in, written to the cache, and all that it gives out."""
    most = TokenUsage(cache_write_1h_tokens=_CONTEXT_WINDOW, output_tokens=output)
    return replace(reading, usage=most, model=model, also=(), open_terms=(), open_calls=())


def _levels(values: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """Yield parameters, and those that clients keep a level deeper, the one that decides first."""
    if values is not None:
        deeper = [as_mapping(values.get(name)) for name in ("extra_body", "model_kwargs", "additional_kwargs")]
        yield from (level for level in (deeper[0], values, *deeper[1:]) if level is not None)


def _entries(value: object) -> Iterator[Mapping[str, Any]]:
    for entry in value if isinstance(value, (list, tuple)) else ():
        inside = as_mapping(entry)
        if inside is not None:
            yield inside


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    pending: list[tuple[object, int]] = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        inside: Iterable[object]
        if isinstance(item, (list, tuple)):
            inside = item
        else:
            found = as_mapping(item)
            if found is None:
                continue
            yield found
            inside = found.values()
        if depth < _DEPTH:
            pending.extend((one, depth + 1) for one in inside)
