"""What is billed beside the tokens of the answer itself?

Anthropic's rules from platform.claude.com (pricing, compaction, advisor tool, refusals and
fallback, 2026-11-20): web search $10 per 1,000; ``inference_geo="us"`` 1.1x all token prices,
batches 0.5x; compaction and advisors are billed beside the answer, each at its model's
rates; an attempt that was declined before it said anything is free. OpenAI's from
developers.openai.com/api/docs/pricing: web search $10 and file search $2.50 per 1,000 calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from lc_costkit.testing.rates import Metered, ModelRate, bill, find_rate
from lc_costkit.testing.records import FakeAnswer, FakeIteration, FakeRequest
from lc_costkit.testing.wire import WireError

_WEB_SEARCH_USD = Decimal("0.01")
_FILE_SEARCH_USD = Decimal("0.0025")
_US_FACTOR = Decimal("1.1")
_BATCH_FACTOR = Decimal("0.5")
_FREE_IN = {
    "openai": ("speed", "inference_geo", "web_fetches", "iterations", "answered_by"),
    "anthropic": ("input_audio_tokens", "output_audio_tokens", "file_searches"),
}
"""What a provider does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How an answer was made, for its report and its bill."""

    tier: str
    speed: str | None = None
    geo: str | None = None
    batch: bool = False
    web_searches: int = 0
    failed_web_searches: int = 0
    web_fetches: int = 0
    file_searches: int = 0
    input_audio: int = 0
    output_audio: int = 0
    iterations: tuple[FakeIteration, ...] = ()
    answered_by: str | None = None

    @property
    def earlier(self) -> tuple[FakeIteration, ...]:
        """The iterations that the top-level usage includes."""
        return tuple(one for one in self.iterations if one.kind == "message" and one.output_tokens)

    def usd(self, rates: Mapping[str, ModelRate], model: str, metered: Metered) -> Decimal | None:
        """Return the bill; None where a model has no rate. ``metered`` is the answer's own part."""
        tools = self.web_searches * _WEB_SEARCH_USD + self.file_searches * _FILE_SEARCH_USD
        total = Decimal(0)
        for name, counts in [(self.answered_by or model, metered), *self._before(model)]:
            rate = find_rate(rates, name)
            if rate is None:
                return None
            # OpenAI sells one faster tier under two names.
            total += bill(rate, counts, tier="priority" if self.tier == "fast" else self.tier) * self._factor(rate)
        return total + tools

    def top_level(self, metered: Metered) -> Metered:
        """Return what the top of the report counts."""
        total = metered
        for one in self.earlier:
            total = replace(
                total,
                uncached=total.uncached + one.input_tokens,
                cache_read=total.cache_read + one.cache_read_tokens,
                cache_write=total.cache_write + one.cache_write_tokens,
                cache_write_1h=total.cache_write_1h + one.cache_write_1h_tokens,
                output=total.output + one.output_tokens,
            )
        return total

    def _before(self, model: str) -> list[tuple[str, Metered]]:
        return [
            (
                one.model or self.answered_by or model,
                Metered(
                    uncached=one.input_tokens,
                    cache_read=one.cache_read_tokens,
                    cache_write=one.cache_write_tokens,
                    cache_write_1h=one.cache_write_1h_tokens,
                    output=one.output_tokens,
                ),
            )
            for one in self.iterations
            if one.output_tokens
        ]

    def _factor(self, rate: ModelRate) -> Decimal:
        factor = (rate.fast or Decimal(1)) if self.speed == "fast" else Decimal(1)
        if self.geo == "us":
            factor *= _US_FACTOR
        return factor * _BATCH_FACTOR if self.batch else factor


def terms_of(
    answers: Sequence[FakeAnswer], request: FakeRequest, asked_tier: str | None, rates: Mapping[str, ModelRate]
) -> Terms:
    """Work out the terms of all choices of one answer; the first choice decides what is said once.

    Raises:
        WireError: the answer holds what this provider does not have, or fast mode was asked of a
            model without it.
    """
    first, body = answers[0], request.body
    for answer in answers:
        odd = [name for name in _FREE_IN[request.provider] if getattr(answer, name)]
        if odd:
            raise WireError(f"the answer function failed: {request.provider} has no {', '.join(odd)}")
    rate = find_rate(rates, first.answered_by or request.model)
    tier = first.service_tier
    if request.provider == "anthropic":
        speed = first.speed or _text(body, "speed")
        if speed == "fast" and (rate is None or rate.fast is None):
            raise WireError(f"speed: fast mode is not available for {request.model}")
        tier, geo = tier or "standard", first.inference_geo or _text(body, "inference_geo")
    else:
        speed = geo = None
        # OpenAI answers with priority whichever of its two names was asked for.
        wanted = "priority" if asked_tier == "fast" else asked_tier
        tier = tier or (wanted if rate is not None and wanted in rate.tiers else None) or "default"
    return Terms(
        tier=tier,
        speed=speed,
        geo=geo,
        batch=tier == "batch",
        web_searches=sum(one.web_searches for one in answers),
        failed_web_searches=sum(one.failed_web_searches for one in answers),
        web_fetches=sum(one.web_fetches for one in answers),
        file_searches=sum(one.file_searches for one in answers),
        input_audio=first.input_audio_tokens,
        output_audio=sum(one.output_audio_tokens for one in answers),
        iterations=first.iterations,
        answered_by=first.answered_by,
    )


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) else None
