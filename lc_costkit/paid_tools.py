"""Which of the provider's own tools, billed by the request, ran in a call?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lc_costkit.payloads import as_mapping
from lc_costkit.usage import UsageReading

_STANDARD_TOOLS = ("web_search", "file_search", "code_interpreter", "image_generation")


def tools_used(blocks: object) -> tuple[tuple[str, int], ...]:
    """Return how often the provider's own paid tools ran, by what an answer holds of them.

    OpenAI never counts them in its usage report, and Anthropic's count does not outlive
    LangChain's streams. A search that failed is not billed and not counted.

    >>> tools_used([{"type": "web_search_call", "action": {"type": "search"}}, {"type": "text", "text": "Yes."}])
    (('web_search', 1),)
    """
    entries = [inside for block in _sequence(blocks) if (inside := as_mapping(block)) is not None]
    failed = [entry.get("tool_call_id") for entry in entries if entry.get("status") == "error"]
    counts: defaultdict[str, int] = defaultdict(int)
    results: list[bool] = []
    for entry in entries:
        kind, name = entry.get("type"), entry.get("name")
        if kind == "web_search_call":
            counts["web_search"] += _searched(entry.get("action")) and entry.get("status") != "failed"
        elif kind == "web_search_tool_result":
            results.append(isinstance(entry.get("content"), (list, tuple)))
        elif kind in ("file_search_call", "code_interpreter_call", "image_generation_call"):
            counts[kind.removesuffix("_call")] += entry.get("status") != "failed"
        elif kind == "server_tool_call" and name in _STANDARD_TOOLS:  # LangChain's output_version="v1"
            searched = name != "web_search" or _searched(entry.get("args"))
            counts[name] += searched and entry.get("id") not in failed
        elif kind == "server_tool_result":  # the same, of Anthropic's tools, whose calls may lose their type in streams
            origin = as_mapping(entry.get("extras")) or {}
            if origin.get("block_type") == "web_search_tool_result":
                results.append(entry.get("status") == "success")
    if results:
        counts["web_search"] = sum(results)
    return tuple((tool, count) for tool, count in counts.items() if count)


def _sequence(blocks: object) -> Iterable[object]:
    return blocks if isinstance(blocks, (list, tuple)) else ()


def _searched(action: object) -> bool:
    """Tell a search from what may follow it for free: opening a page, or finding a word in it."""
    return bool((as_mapping(action) or {}).get("type", "search") == "search")


def with_tools(reading: UsageReading | None, blocks: object) -> UsageReading | None:
    """Add the tools that an answer's blocks tell of, where the usage report says nothing of any."""
    if reading is None or reading.usage.tool_requests:
        return reading
    requests = tools_used(blocks)
    return replace(reading, usage=replace(reading.usage, tool_requests=requests)) if requests else reading


def with_grounding(reading: UsageReading | None, candidates: object) -> UsageReading | None:
    """Add Google's searches: since Gemini 3 it bills each query, before that each answer with any.

    The first ones of a day or month are free, which no report tells (ai.google.dev, pricing).
    """
    queries = 0
    for candidate in _sequence(candidates):
        inside = as_mapping(candidate) or {}
        grounding = as_mapping(inside.get("groundingMetadata") or inside.get("grounding_metadata")) or {}
        found = grounding.get("webSearchQueries") or grounding.get("web_search_queries")
        queries += len(found) if isinstance(found, (list, tuple)) else 0
    if reading is None or not queries:
        return reading
    earlier = (reading.model or "").rpartition("/")[2].startswith(("gemini-1", "gemini-2"))
    requests = (("web_search", 1 if earlier else queries),)
    return replace(
        reading,
        usage=replace(reading.usage, tool_requests=requests),
        open_terms=(*reading.open_terms, ("tool_requests", "free")),
    )


def unwrapped(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a block of LangChain's standard content as the provider sent it, where it says so."""
    return as_mapping(block.get("value")) or block if block.get("type") == "non_standard" else block
