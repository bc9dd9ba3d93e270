"""Why does somebody else come to another amount?

Nothing is known beforehand of any case. The call is priced again as if it had been read wrongly in one way, or in
two: where that is the other's amount, that is what it overlooks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import combinations

from lc_costkit.pricing import PriceBook
from lc_costkit.usage import TokenUsage, UsageReading

Misreading = Callable[[UsageReading], UsageReading]

_CLOSE = Decimal("1e-11")
"""USD: floats of several rivals are that far off."""


def _usage(change: Callable[[TokenUsage], TokenUsage]) -> Misreading:
    return lambda reading: replace(reading, usage=change(reading.usage))


def _moved(usage: TokenUsage, to: str, *names: str) -> TokenUsage:
    moved = sum(getattr(usage, name) for name in names)
    return replace(usage, **{**dict.fromkeys(names, 0), to: getattr(usage, to) + moved})  # type: ignore[arg-type]


_WRITES = ("cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
_READS = ("cache_read_tokens", "cache_read_audio_tokens", "cache_read_image_tokens")

MISREADINGS: dict[str, Misreading] = {
    "knows no place of inference": lambda reading: replace(reading, inference_geo=None),
    "leaves the batch discount out": lambda reading: replace(reading, processing=None),
    "leaves the service tier out": lambda reading: replace(reading, service_tier=None),
    "leaves the fast mode out": lambda reading: replace(reading, speed=None),
    "bills an answer of the local cache": lambda reading: replace(reading, cached_locally=False),
    "leaves out the calls made on the way (iterations)": lambda reading: replace(reading, also=()),
    "prices an hour's cache write as one of five minutes": _usage(
        lambda usage: _moved(usage, "cache_write_5m_tokens", "cache_write_1h_tokens")
    ),
    "prices a cache write as one of an hour": _usage(
        lambda usage: _moved(usage, "cache_write_1h_tokens", "cache_write_tokens", "cache_write_5m_tokens")
    ),
    "prices cache writes as plain input": _usage(lambda usage: _moved(usage, "input_tokens", *_WRITES)),
    "prices cache reads as plain input": _usage(lambda usage: _moved(usage, "input_tokens", *_READS)),
    "leaves cache writes out": _usage(lambda usage: replace(usage, **dict.fromkeys(_WRITES, 0))),  # type: ignore[arg-type]
    "leaves cache reads out": _usage(lambda usage: replace(usage, **dict.fromkeys(_READS, 0))),  # type: ignore[arg-type]
    "counts cache reads twice, at the input rate too": _usage(
        lambda usage: replace(usage, input_tokens=usage.input_tokens + sum(getattr(usage, name) for name in _READS))
    ),
    "counts cache writes twice, at the input rate too": _usage(
        lambda usage: replace(usage, input_tokens=usage.input_tokens + sum(getattr(usage, name) for name in _WRITES))
    ),
    "leaves paid tools out": _usage(lambda usage: replace(usage, tool_requests=())),
    "prices audio as text": _usage(
        lambda usage: _moved(
            _moved(usage, "input_tokens", "input_audio_tokens"), "output_tokens", "output_audio_tokens"
        )
    ),
    "prices images as text": _usage(
        lambda usage: _moved(
            _moved(usage, "input_tokens", "input_image_tokens"), "output_tokens", "output_image_tokens"
        )
    ),
    "leaves audio and image input out": _usage(
        lambda usage: replace(usage, input_audio_tokens=0, input_image_tokens=0)
    ),
    "counts reasoning twice": _usage(
        lambda usage: replace(usage, output_tokens=usage.output_tokens + usage.reasoning_tokens)
    ),
    "leaves reasoning out": _usage(
        lambda usage: replace(usage, output_tokens=usage.output_tokens - usage.reasoning_tokens, reasoning_tokens=0)
    ),
    "does not know that the region costs more": lambda reading: replace(
        reading,
        model=(reading.model or "").partition(".")[2] and "global." + (reading.model or "").partition(".")[2],
    ),
}


def explain(
    book: PriceBook, reading: UsageReading, at: datetime, expected: Decimal | None, theirs: Decimal | str
) -> str | None:
    """Return in words why an amount is another one than the expected; ``None`` where it is not."""
    if isinstance(theirs, str):
        return None if expected is None else f"has no price ({theirs})"
    if expected is not None and abs(theirs - expected) < _CLOSE:
        return None
    if expected is None:
        return "returns 0 for a model it does not know" if theirs == 0 else "has a price for a model that is not known"
    if theirs == 0:
        return "returns 0, without a word, for a model it does not know"
    for moment, when in ((at, ""), (datetime.now(UTC), "prices at today's rates")):
        for words, misread in _misreadings(reading):
            usd = book.price(misread, at=moment).usd
            if usd is not None and abs(usd - theirs) < _CLOSE:
                return " and ".join(word for word in (when, words) if word)
    # Half a batch, or no long-context rate, shows in what a token costs.
    short = _at_short_rate(book, reading, at)
    if short is not None and abs(short - theirs) < _CLOSE:
        return "has no higher rate for long prompts"
    ours = book.price(reading, at=at)
    if ours.basis == "estimated":
        inside = ours.low is not None and ours.high is not None and ours.low <= theirs <= ours.high
        where = "within the bounds of" if inside else f"{theirs / expected:.4g} times"
        return f"{where} the kit's own estimate: {'; '.join(ours.reasons)}"
    return f"{theirs / expected:.4g} times the amount; no single or double misreading gives it: another price table"


def _misreadings(reading: UsageReading) -> Iterator[tuple[str, UsageReading]]:
    yield "", reading
    changed = [(words, misread(reading)) for words, misread in MISREADINGS.items()]
    single = [(words, other) for words, other in changed if other != reading]
    yield from single
    for (first, _), (second, _) in combinations(single, 2):
        both = MISREADINGS[second](MISREADINGS[first](reading))
        if all(both != other for _, other in single):
            yield f"{first} and {second}", both


def _at_short_rate(book: PriceBook, reading: UsageReading, at: datetime) -> Decimal | None:
    """Return what the call would cost if each of its tokens were billed as in a prompt of one token."""
    tools = replace(reading, usage=TokenUsage(tool_requests=reading.usage.tool_requests), also=())
    total = book.price(tools, at=at).usd or Decimal(0)
    for name, count in reading.usage.priced_counts.items():
        if name == "reasoning_tokens":
            name = "output_tokens"
        usd = book.price(replace(reading, usage=TokenUsage(**{name: 1}), also=()), at=at).usd  # type: ignore[arg-type]
        if usd is None:
            return None
        total += count * usd
    return total
