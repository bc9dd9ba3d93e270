"""What is kept of one model call?"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, get_args

from lc_costkit.errors import ConfigurationError
from lc_costkit.marks import CacheVerdict
from lc_costkit.pricing import Cost
from lc_costkit.usage import Basis, TokenUsage

Framework = Literal["langchain", "llama_index", "direct"]
Operation = Literal["chat", "completion", "embedding"]
Plain = str | int | float | bool
"""What a metadata value may be; anything else is left out of the record."""

_VERDICTS = get_args(CacheVerdict)

ASIDE_KEY = "route_aside"
"""Metadata key of calls that were made for a decision (a classifier, a judge, a further sample): the part's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What one part of the kit did not spend on a call.

    Attributes:
        part: ``cache``, ``route``, ``cascade`` or ``prune``.
        usd: saved, net of what saving it cost (USD); negative where it cost more than it
            saved; ``None`` where no price is known.
        basis: how far ``usd`` can be trusted.
        tokens: tokens that were not sent or not generated; below 0 for those that only the kit sent: an answer that
            was thrown away, shown to the next target.
        hypothetical: nothing was saved; observe mode says what would have been.
        model: whose price it was worked out at, besides that of the model that answered.
        provider: the provider of ``model``.
        cached_tokens: input tokens that ``model`` is taken to have read from its provider's prompt cache beyond
            those that were; below 0 for tokens that were read from a cache, and that it would not have.
        lost: the cost of the whole call, which nobody was given the answer of.
        takes_back: the call whose answer this one replaces: what was counted for it, taken back.
    """

    part: str
    usd: Decimal | None
    basis: Basis
    tokens: int = 0
    hypothetical: bool = False
    model: str | None = None
    provider: str | None = None
    cached_tokens: int = 0
    lost: bool = False
    takes_back: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a call was priced at before its price was corrected, and after.

    Attributes:
        call_id: the call.
        corrected_at: when (UTC).
        before: its cost until then.
        after: its cost from then on.
        saved_before: its savings until then.
        saved_after: its savings from then on.
    """

    call_id: str
    corrected_at: datetime
    before: Cost
    after: Cost
    saved_before: tuple[Saving, ...] = ()
    saved_after: tuple[Saving, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One request to a model, answered by a provider or by the cache.

    Attributes:
        call_id: unique in the ledger.
        trace_id: the outermost run this call was part of.
        parent_id: the run that made the call.
        started_at: when it began (aware; kept in UTC).
        latency_seconds: until the answer was complete.
        first_token_seconds: until the first streamed token.
        framework: where it was metered.
        operation: chat, completion or embedding.
        provider: a genai-prices provider id.
        model_asked: as the application named it.
        model_answered: as the provider named it.
        usage: tokens; all 0 where no provider was called.
        cost: what the provider charges for it (USD), how far that can be trusted, and the price used.
        billing: what besides the counts decides the price (service tier, batch, ...), as plain data.
        side_cost_usd: what the kit itself spent on the call: a lookup's embedding, a judge (USD).
        side_cost_basis: the basis of ``side_cost_usd``.
        cache: what the semantic cache did.
        cache_tier: ``exact`` or ``semantic``.
        cache_entry_id: the entry served, or that observe mode would have served.
        similarity: cosine of the two questions, 0 to 1.
        cache_reason: why nothing was served or stored.
        saved: what each part saved, net.
        route: the router's target.
        route_score: the policy's score, 0 to 1.
        route_reasons: why, in words.
        feature: from metadata; who the money is for.
        user: from metadata.
        team: from metadata.
        tags: of the call.
        metadata: other plain values from metadata.
        question_hash: of the last human text.
        prefix_hashes: chained over blocks of the prompt, to see where two prompts part.
        tokens_by_part: input tokens of system, history, context, question and tools (shares of
            the reported input by length, or counted where none was reported).
        error: type name of what the call raised.
        interrupted: it ended before the provider said what it used; its cost is estimated.
        streamed: the answer came in pieces.
        question: its text, only with ``record_text``.
        answer: its text, only with ``record_text``.

    Raises:
        ConfigurationError: a time without a zone, a negative duration, an unknown verdict.
    """

    call_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    trace_id: str | None = None
    parent_id: str | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    latency_seconds: float = 0.0
    first_token_seconds: float | None = None
    framework: Framework = "direct"
    operation: Operation = "chat"
    provider: str | None = None
    model_asked: str | None = None
    model_answered: str | None = None
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost: Cost
    billing: Mapping[str, Any] = field(default_factory=dict)
    side_cost_usd: Decimal = Decimal(0)
    side_cost_basis: Basis = "exact"
    cache: CacheVerdict = "none"
    cache_tier: str | None = None
    cache_entry_id: int | None = None
    similarity: float | None = None
    cache_reason: str | None = None
    saved: tuple[Saving, ...] = ()
    route: str | None = None
    route_score: float | None = None
    route_reasons: tuple[str, ...] = ()
    feature: str | None = None
    user: str | None = None
    team: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Plain] = field(default_factory=dict)
    question_hash: str | None = None
    prefix_hashes: tuple[str, ...] = ()
    tokens_by_part: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    interrupted: bool = False
    streamed: bool = False
    question: str | None = None
    answer: str | None = None

    def __post_init__(self) -> None:
        if not self.call_id:
            raise ConfigurationError("call_id must not be empty; leave it out to get a new one")
        if self.started_at.tzinfo is None:
            raise ConfigurationError(f"started_at needs a time zone: {self.started_at!r}; use datetime.now(UTC)")
        if not (math.isfinite(self.latency_seconds) and self.latency_seconds >= 0):
            raise ConfigurationError(f"latency_seconds must be at least 0, not {self.latency_seconds!r}")
        if self.cache not in _VERDICTS:
            raise ConfigurationError(f"cache must be one of {', '.join(_VERDICTS)}, not {self.cache!r}")

    @property
    def model(self) -> str | None:
        """The model that answered, or else the one that was asked."""
        return self.model_answered or self.model_asked

    @property
    def aside(self) -> bool:
        """The call was made for a decision (a classifier, a judge, a further sample): nobody was given its answer."""
        return ASIDE_KEY in self.metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Feedback on one call.

    Attributes:
        call_id: the call.
        value: the application's own scale.
        note: in words.
        scored_at: when (UTC).
    """

    call_id: str
    value: float
    note: str | None
    scored_at: datetime
