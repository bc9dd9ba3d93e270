"""How are counts taken out of a payload that may be odd?

Usage reports come as dictionaries, as SDK objects, with nulls, with floats, and now and
then with parts larger than their whole. Whatever is wrong is made possible and remembered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from lc_costkit.usage import TokenUsage


class Payload:
    """A mapping of counts; ``odd`` tells whether any of them had to be repaired."""

    def __init__(self, data: Mapping[str, Any], *, whole: Payload | None = None) -> None:
        self.data = data
        self._whole = whole
        self._odd = False

    @property
    def odd(self) -> bool:
        """Whether a count here or in a part of it was no count, or larger than its whole."""
        return self._odd

    def repaired(self) -> None:
        """Remember that a count had to be changed."""
        self._odd = True
        if self._whole is not None:
            self._whole.repaired()

    def count(self, *names: str) -> int:
        """Return the first of ``names`` that is there, 0 if none is."""
        for name in names:
            value = self.data.get(name)
            if value is None:
                continue
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 and value == value // 1:
                return int(value)
            self.repaired()
            return 0
        return 0

    def renamed(self, name: str, prefixes: tuple[str, ...]) -> int:
        """Return ``name`` or, where that is 0, ``<prefix>_<name>``; detail keys overlap and are never added up."""
        return next((count for key in (name, *(f"{p}_{name}" for p in prefixes)) if (count := self.count(key))), 0)

    def part(self, *names: str) -> Payload:
        """Return the mapping under the first of ``names`` that holds one, an empty one if none does."""
        for name in names:
            inside = as_mapping(self.data.get(name))
            if inside is not None:
                return Payload(inside, whole=self)
        return Payload({}, whole=self)

    def entries(self, *names: str) -> Iterator[Payload]:
        """Yield the mappings in the list under the first of ``names`` that holds one."""
        for name in names:
            value = self.data.get(name)
            if isinstance(value, (list, tuple)):
                for entry in value:
                    inside = as_mapping(entry)
                    if inside is not None:
                        yield Payload(inside, whole=self)
                return

    def modalities(self, *names: str) -> defaultdict[str, int]:
        """Return Gemini's token counts by lower-case modality."""
        counts: defaultdict[str, int] = defaultdict(int)
        for entry in self.entries(*names):
            modality = entry.data.get("modality")
            label = getattr(modality, "value", modality)
            counts[str(label).lower()] += entry.count("tokenCount", "token_count")
        return counts

    def at_most(self, count: int, limit: int) -> int:
        """Return ``count``, cut to ``limit``."""
        if count <= limit:
            return count
        self.repaired()
        return max(0, limit)


def input_split(
    payload: Payload,
    *,
    total: int,
    read: int = 0,
    write: int = 0,
    write_5m: int = 0,
    write_1h: int = 0,
    audio: int = 0,
    read_audio: int = 0,
    image: int = 0,
    read_image: int = 0,
) -> TokenUsage:
    """Split a total that includes everything; ``audio`` and ``image`` include what of them was cached."""
    read = payload.at_most(read, total)
    read_audio = payload.at_most(read_audio, min(read, audio))
    read_image = payload.at_most(read_image, min(read - read_audio, image))
    left = total - read
    taken = []
    for count in (write_1h, write_5m, write, audio - read_audio, image - read_image):
        taken.append(payload.at_most(count, left))
        left -= taken[-1]
    return TokenUsage(
        input_tokens=left,
        cache_read_tokens=read - read_audio - read_image,
        cache_write_1h_tokens=taken[0],
        cache_write_5m_tokens=taken[1],
        cache_write_tokens=taken[2],
        input_audio_tokens=taken[3],
        cache_read_audio_tokens=read_audio,
        input_image_tokens=taken[4],
        cache_read_image_tokens=read_image,
    )


_STANDARD_TOOLS = ("web_search", "file_search", "code_interpreter", "image_generation")


def tools_used(blocks: object) -> tuple[tuple[str, int], ...]:
    """Return how often the provider's own paid tools ran, by what an answer holds of them.

    OpenAI never counts them in its usage report, and Anthropic's count does not outlive
    LangChain's streams. A search that failed is not billed and not counted.

    >>> tools_used([{"type": "web_search_call", "action": {"type": "search"}}, {"type": "text", "text": "Yes."}])
    (('web_search', 1),)
    """
    counts: defaultdict[str, int] = defaultdict(int)
    found = 0
    for block in blocks if isinstance(blocks, (list, tuple)) else ():
        inside = as_mapping(block) or {}
        kind = inside.get("type")
        if kind == "web_search_call":
            action = as_mapping(inside.get("action")) or {}
            counts["web_search"] += action.get("type", "search") == "search" and inside.get("status") != "failed"
        elif kind == "web_search_tool_result":
            found += isinstance(inside.get("content"), (list, tuple))
        elif kind in ("file_search_call", "code_interpreter_call", "image_generation_call"):
            counts[kind.removesuffix("_call")] += 1
        elif kind == "server_tool_call" and inside.get("name") in _STANDARD_TOOLS:  # LangChain's output_version="v1"
            counts[inside["name"]] += 1
        elif kind == "server_tool_result":  # the same, of Anthropic's tools, whose calls lose their type in streams
            origin = (as_mapping(inside.get("extras")) or {}).get("block_type")
            found += origin == "web_search_tool_result" and inside.get("status") == "success"
    counts["web_search"] = found or counts["web_search"]
    return tuple((tool, count) for tool, count in counts.items() if count)


def anthropic_parts(payload: Payload, model: str | None) -> tuple[TokenUsage, list[tuple[str, TokenUsage]]]:
    """Return what is billed at the answering model's rates, and what at those of others."""
    top = _anthropic_counts(payload)
    main: TokenUsage | None = None
    others: list[tuple[str, TokenUsage]] = []
    for iteration in payload.entries("iterations"):
        counts = _anthropic_counts(iteration)
        own = text(iteration.data.get("model"))
        if not counts.total_output:
            continue
        if own is None or model is None or own == model:
            main = counts if main is None else main + counts
        else:
            others.append((own, counts))
    if main is None:
        return top, others
    if main.total_input < top.total_input or main.total_output < top.total_output:
        payload.repaired()
    # Only the top level tells how much of the output was reasoning.
    reasoning = min(max(main.reasoning_tokens, top.reasoning_tokens), main.output_tokens)
    return replace(main, reasoning_tokens=reasoning), others


def _anthropic_counts(payload: Payload) -> TokenUsage:
    split = payload.part("cache_creation")
    write_5m, write_1h = split.count("ephemeral_5m_input_tokens"), split.count("ephemeral_1h_input_tokens")
    output = payload.count("output_tokens")
    return TokenUsage(
        input_tokens=payload.count("input_tokens"),
        cache_read_tokens=payload.count("cache_read_input_tokens"),
        cache_write_tokens=max(0, payload.count("cache_creation_input_tokens") - write_5m - write_1h),
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        output_tokens=output,
        reasoning_tokens=payload.at_most(payload.part("output_tokens_details").count("thinking_tokens"), output),
    )


def as_mapping(value: object) -> Mapping[str, Any] | None:
    """Return a mapping for a mapping or an SDK's (pydantic) object, ``None`` for anything else."""
    if value is None or isinstance(value, (str, bytes, int, float)):
        return None
    if isinstance(value, Mapping):
        return value
    if isinstance(getattr(type(value), "model_fields", None), Mapping):
        extra = getattr(value, "model_extra", None)
        return {**vars(value), **(extra or {})}
    dump = getattr(value, "model_dump", None)
    if not callable(dump):
        return None
    try:
        dumped = dump()
    except Exception:  # an object that cannot describe itself is no usage report
        return None
    return dumped if isinstance(dumped, Mapping) else None


def text(value: object) -> str | None:
    """Return a string (or the value of a string enumeration) that is not empty, else ``None``."""
    value = getattr(value, "value", value)
    return value if isinstance(value, str) and value.strip() else None
