"""How are counts taken out of a payload that may be odd?

Usage reports come as dictionaries, as SDK objects, with nulls, with floats, and now and
then with parts larger than their whole. Whatever is wrong is made possible and remembered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from math import isfinite
from operator import index
from typing import Any, SupportsIndex

from lc_costkit.usage import TokenUsage

_MODALITIES = {1: "text", 2: "image", 3: "video", 4: "audio", 5: "document"}
"""Google's modalities by their number, as protocol buffers hold them (its Modality enumeration)."""


_MOST_DIGITS = 18
"""Of a count in words; int64 holds any of so many."""


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
            if type(value) is int and value >= 0:
                return value
            count = _whole(value)
            if count is None:
                self.repaired()
            return count or 0
        return 0

    def most(self, *names: str) -> int:
        """Return the largest of ``names``, which are several words for the same count."""
        return max(self.count(name) for name in names)

    def renamed(self, name: str, prefixes: tuple[str, ...]) -> int:
        """Return ``name`` or, where that is 0, ``<prefix>_<name>``; detail keys overlap and are never added up."""
        if not self.data:
            return 0
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
            name = _MODALITIES.get(label, label) if type(label) is int else label
            counts[str(name).lower()] += entry.count("tokenCount", "token_count")
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


def lifetimes_of(payload: Payload, stated: int, lifetimes: Payload) -> tuple[int, int, int]:
    """Split a count of written tokens by the lifetimes that are said of them: none, five minutes, an hour."""
    hour, minutes = lifetimes.count("ephemeral_1h_input_tokens"), lifetimes.count("ephemeral_5m_input_tokens")
    if stated and hour + minutes > stated:
        hour = payload.at_most(hour, stated)
        minutes = payload.at_most(minutes, stated - hour)
    return max(0, stated - hour - minutes), minutes, hour


def with_output(
    payload: Payload, counts: TokenUsage, *, total: int, reasoning: int = 0, audio: int = 0, image: int = 0
) -> TokenUsage:
    """Add the output to what was counted of the input; ``total`` includes all of it."""
    check_input(payload, counts, total)
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


def check_input(payload: Payload, counts: TokenUsage, output: int) -> None:
    """Mark a report of output without input: it is a part of one (a stream's last event), since no call has none."""
    if output and not counts.total_input:
        payload.repaired()


def _whole(value: object) -> int | None:
    """Return a count that is no ``int``: a whole float, another library's integer, or digits, as JSON has int64."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS else None
    if isinstance(value, bool) or not isinstance(value, (SupportsIndex, float, Decimal)):
        return None
    number = value if isinstance(value, (float, Decimal)) else index(value)
    return int(number) if isfinite(number) and number >= 0 and number == int(number) else None


def has_any(data: Mapping[str, Any], *names: str) -> bool:
    """Tell whether one of ``names`` is there and not null."""
    return any(data.get(name) is not None for name in names)


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
