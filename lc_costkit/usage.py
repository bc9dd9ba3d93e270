"""How many tokens of each price class did a call use?

Providers count in overlapping ways (OpenAI's prompt tokens include the cached ones,
Anthropic's do not). Here every count is disjoint, so a bill is a sum of products and
nothing can be charged twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Literal, Self

from lc_costkit.errors import ConfigurationError

Basis = Literal["exact", "estimated", "unpriced"]
"""How far an amount can be trusted; an unpriced amount is ``None``, never 0."""

_INPUT_FIELDS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "cache_read_audio_tokens",
    "input_image_tokens",
    "cache_read_image_tokens",
)
_OUTPUT_FIELDS = ("output_tokens", "output_audio_tokens", "output_image_tokens")
TERMS = ("service_tier", "processing", "speed", "inference_geo")
"""What besides its counts decides what a call costs: fields of ``UsageReading``."""
_COUNT_FIELDS = (*_INPUT_FIELDS, *_OUTPUT_FIELDS, "reasoning_tokens")
# Each metered call takes these several times.
_INPUTS_OF, _COUNTS_OF = attrgetter(*_INPUT_FIELDS), attrgetter(*_COUNT_FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Disjoint token counts of one call, or of several added together.

    No token is in two fields, except that ``reasoning_tokens`` says how many of
    ``output_tokens`` were reasoning and is never added. All counts are tokens, at least 0.

    Attributes:
        input_tokens: uncached input that is not audio or image.
        cache_read_tokens: input read from the provider's prompt cache (not audio or image).
        cache_write_tokens: input written to it, lifetime not stated.
        cache_write_5m_tokens: input written to it for five minutes.
        cache_write_1h_tokens: input written to it for an hour.
        output_tokens: text output, reasoning included, audio and image excluded.
        reasoning_tokens: how many of ``output_tokens`` were reasoning.
        input_audio_tokens: uncached audio input.
        cache_read_audio_tokens: audio input read from the prompt cache.
        output_audio_tokens: audio output.
        input_image_tokens: uncached image input.
        cache_read_image_tokens: image input read from the prompt cache.
        output_image_tokens: image output.
        tool_requests: requests of tools that the provider bills by the request, by tool name.

    Raises:
        ConfigurationError: a count is negative or not an ``int``, or there are more
            reasoning tokens than output tokens.

    >>> first = TokenUsage(input_tokens=200, cache_read_tokens=800, output_tokens=50)
    >>> both = first + TokenUsage(input_tokens=10, output_tokens=5, reasoning_tokens=5)
    >>> both.total_input, both.total_output, both.total
    (1010, 55, 1065)
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    cache_read_audio_tokens: int = 0
    output_audio_tokens: int = 0
    input_image_tokens: int = 0
    cache_read_image_tokens: int = 0
    output_image_tokens: int = 0
    tool_requests: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        for count in _COUNTS_OF(self):
            if type(count) is not int or count < 0:
                for name in _COUNT_FIELDS:
                    _check_count(name, getattr(self, name))
        if self.reasoning_tokens > self.output_tokens:
            raise ConfigurationError(
                f"reasoning_tokens={self.reasoning_tokens} cannot exceed output_tokens={self.output_tokens}: "
                "reasoning is a part of the output"
            )
        if self.tool_requests:
            object.__setattr__(self, "tool_requests", _merged(self.tool_requests))

    @property
    def total_input(self) -> int:
        """All input tokens, cached or not."""
        return sum(_INPUTS_OF(self))

    @property
    def total_output(self) -> int:
        """All output tokens; reasoning is counted once."""
        return self.output_tokens + self.output_audio_tokens + self.output_image_tokens

    @property
    def total(self) -> int:
        """Input and output tokens together."""
        return self.total_input + self.total_output

    @property
    def priced_counts(self) -> dict[str, int]:
        """The counts that are not 0, each token in exactly one: ``output_tokens`` without the reasoning.

        >>> TokenUsage(input_tokens=9, output_tokens=5, reasoning_tokens=2).priced_counts
        {'input_tokens': 9, 'output_tokens': 3, 'reasoning_tokens': 2}
        """
        counts = self._counts()
        if self.reasoning_tokens:
            counts["output_tokens"] -= self.reasoning_tokens
        return counts

    def _counts(self) -> dict[str, Any]:
        return {name: count for name, count in zip(_COUNT_FIELDS, _COUNTS_OF(self), strict=True) if count}

    def __add__(self, other: TokenUsage) -> TokenUsage:
        if not isinstance(other, TokenUsage):
            return NotImplemented
        counts = {name: getattr(self, name) + getattr(other, name) for name in _COUNT_FIELDS}
        return TokenUsage(**counts, tool_requests=self.tool_requests + other.tool_requests)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values; counts of 0 are left out.

        >>> TokenUsage(input_tokens=3, tool_requests=(("web_search", 1),)).to_dict()
        {'input_tokens': 3, 'tool_requests': {'web_search': 1}}
        """
        values: dict[str, Any] = self._counts()
        if self.tool_requests:
            values["tool_requests"] = dict(self.tool_requests)
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read back what ``to_dict`` wrote; names it does not know are ignored.

        Raises:
            ConfigurationError: a known name holds something that is not a count.
        """
        known = {name: data[name] for name in _COUNT_FIELDS if name in data}
        requests = data.get("tool_requests", ())
        return cls(**known, tool_requests=tuple(requests.items() if isinstance(requests, Mapping) else requests))


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReading:
    """What a provider reported of one call.

    Attributes:
        usage: the counts.
        model: the model as answered, which may be more precise than the one asked for.
        provider: a genai-prices provider id (``openai``, ``anthropic``, ``google``, ``aws``, ``azure``, ...).
        service_tier: ``flex``, ``priority``, ...; ``None`` or ``default`` for the standard one.
        processing: ``batch`` for a batch API.
        speed: ``fast`` where the provider sells a faster mode.
        inference_geo: where the provider says it ran the model (``us`` costs more at Anthropic).
        estimated: the counts are an estimate (a stream that was cut, counts that contradict each other).
        cached_locally: the framework served the answer from its own cache; no provider was called.
        also: calls the provider made on the way and bills at another model's rates.
        open_terms: what else the report leaves possible, as (name, value): a field above that was not
            reported and may have had this value, ``("cache_write", "all")`` for uncached input that may
            have been written to the cache, ``("cache_retention", "12h")`` for writes that may be kept longer,
            ``("cache_credit", "900")`` for so many writes that may be billed as reads.
        open_calls: calls the provider may have made on the way, with the most tokens they can have had.
    """

    usage: TokenUsage
    model: str | None = None
    provider: str | None = None
    service_tier: str | None = None
    processing: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    estimated: bool = False
    cached_locally: bool = False
    also: tuple[UsageReading, ...] = ()
    open_terms: tuple[tuple[str, str], ...] = ()
    open_calls: tuple[UsageReading, ...] = ()

    def alternatives(self) -> Iterator[UsageReading]:
        """Yield the other readings that the report leaves possible; what it leaves open may also come together.

        >>> usage = TokenUsage(input_tokens=10)
        >>> reading = UsageReading(usage=usage, model="claude-opus-5", open_terms=(("inference_geo", "us"),))
        >>> [(other.inference_geo, other.open_terms) for other in reading.alternatives()]
        [('us', ())]
        """
        settled = replace(self, open_terms=(), open_calls=())
        known = [settled]
        for name, value in self.open_terms:
            known += [_with_term(reading, name, value) for reading in known]
        if self.open_calls:
            known += [replace(reading, also=(*reading.also, *self.open_calls)) for reading in known]
        yield from known[1:]


def with_terms(reading: UsageReading, told: Mapping[str, str | None]) -> UsageReading:
    """Add the ``TERMS`` that a reading does not have, to the calls made on the way too.

    Anthropic reports the batch API as a tier.
    """
    if told.get("service_tier") == "batch":
        told = {**told, "service_tier": None, "processing": "batch"}
    known: dict[str, Any] = {name: value for name, value in told.items() if value and getattr(reading, name) is None}
    if not known:
        return reading
    return replace(reading, **known, also=tuple(with_terms(part, known) for part in reading.also))


def _with_term(reading: UsageReading, name: str, value: str) -> UsageReading:
    usage = reading.usage
    if name == "cache_write":
        return replace(
            reading,
            usage=replace(usage, input_tokens=0, cache_write_tokens=usage.cache_write_tokens + usage.input_tokens),
        )
    if name == "cache_retention":
        # No list has a price for it; LiteLLM's table has twice the normal one.
        return replace(reading, usage=replace(usage, cache_write_tokens=2 * usage.cache_write_tokens))
    if name == "cache_credit" and value.isdecimal():
        return replace(reading, usage=_writes_as_reads(usage, int(value)))
    if name == "cache_read":
        moved = min(usage.cache_read_tokens, usage.input_audio_tokens)
        return replace(
            reading,
            usage=replace(
                usage,
                input_tokens=usage.input_tokens + moved,
                cache_read_tokens=usage.cache_read_tokens - moved,
                input_audio_tokens=usage.input_audio_tokens - moved,
                cache_read_audio_tokens=usage.cache_read_audio_tokens + moved,
            ),
        )
    if name == "tool_requests":
        return replace(reading, usage=replace(usage, tool_requests=()))
    if name in (*TERMS, "model"):
        changed: dict[str, Any] = {name: value}
        if name != "model":
            changed["also"] = tuple(_with_term(part, name, value) for part in reading.also)
        return replace(reading, **changed)
    return reading


def _writes_as_reads(usage: TokenUsage, count: int) -> TokenUsage:
    left, written = count, {}
    for name in ("cache_write_1h_tokens", "cache_write_5m_tokens", "cache_write_tokens"):
        taken = min(left, getattr(usage, name))
        written[name] = getattr(usage, name) - taken
        left -= taken
    return replace(usage, **written, cache_read_tokens=usage.cache_read_tokens + count - left)


def _check_count(name: str, count: object) -> None:
    if type(count) is not int:
        raise ConfigurationError(f"{name} must be an int number of tokens, not {count!r} ({type(count).__name__})")
    if count < 0:
        raise ConfigurationError(f"{name} must be at least 0, not {count}")


def _merged(requests: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    merged: dict[str, int] = {}
    for entry in requests:
        if not (isinstance(entry, (tuple, list)) and len(entry) == 2 and isinstance(entry[0], str)):
            raise ConfigurationError(f"tool_requests must hold (tool name, count) pairs, not {entry!r}")
        name, count = entry
        _check_count(f"tool_requests[{name!r}]", count)
        merged[name] = merged.get(name, 0) + count
    return tuple(sorted((name, count) for name, count in merged.items() if count))
