"""How do the parts tell the meter what they did to a call?

A decision travels inside objects the frameworks already carry from one place to
another (generation info, callback metadata, events), under one key, as plain data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Literal, Self

MARK = "lc_costkit"
"""The key under which a mark is stored in somebody else's mapping."""

VERIFICATION_FEATURE = "cache verification"
"""``feature`` of the calls that a cache makes to check its own answers."""

CacheVerdict = Literal["none", "hit", "miss", "observed_hit", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """Plain data that survives JSON: ``Decimal`` travels as a string."""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values; fields at ``None`` are left out."""
        values = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {
            name: str(value) if isinstance(value, Decimal) else list(value) if isinstance(value, tuple) else value
            for name, value in values
            if value is not None
        }

    @classmethod
    def from_dict(cls, data: object) -> Self | None:
        """Read a mark back; anything that is not one gives ``None``."""
        if not isinstance(data, Mapping):
            return None
        known = {f.name: f for f in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        try:
            for name, value in values.items():
                kind = str(known[name].type)
                if kind.startswith("Decimal"):
                    values[name] = Decimal(value)
                elif kind.startswith("tuple"):
                    values[name] = tuple(value)
            return cls(**values)
        except (TypeError, ValueError, ArithmeticError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMark(_Mark):
    """What the semantic cache did with a call.

    Attributes:
        verdict: what happened; ``observed_hit`` is a hit that observe mode did not serve.
        tier: ``exact`` or ``semantic``, for hits.
        entry_id: the entry that was or would have been served.
        similarity: cosine between the two questions, 0 to 1.
        reason: why it was not served, or not stored.
        answer_usd: what the stored answer cost when it was made (USD); ``None`` where unpriced.
        answer_basis: the basis of ``answer_usd``.
        answer_tokens: input and output tokens of the stored answer.
        lookup_usd: what this lookup cost (an embedding call, a judge), USD.
        lookup_basis: the basis of ``lookup_usd``.
        lookup_seconds: how long it took.
    """

    verdict: CacheVerdict
    tier: str | None = None
    entry_id: int | None = None
    similarity: float | None = None
    reason: str | None = None
    answer_usd: Decimal | None = None
    answer_basis: str | None = None
    answer_tokens: int | None = None
    lookup_usd: Decimal | None = None
    lookup_basis: str | None = None
    lookup_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMark(_Mark):
    """Where the router sent a call, in callback metadata under ``route``.

    Attributes:
        target: the target that was called.
        score: the policy's score, 0 to 1.
        reasons: why, in words.
        chosen: the target the policy chose; differs from ``target`` in observe mode or on a fault.
        strong: the target for whatever cannot be decided: what would have been called without a router.
        baseline_model: model name of the strong target, to price what was saved.
        baseline_provider: its provider id.
        chosen_model: model name of ``chosen``.
        chosen_provider: its provider id.
        observed: the decision was recorded, not acted on.
        decision_seconds: how long the policy took.
        part: the part of the kit that made the decision, ``route`` or ``cascade``: what savings are booked under.
        request: shared by all calls that were made to answer one request (drafts, retries on another target).
        attempt: which try at the request this call is, from 1.
        rejected: how many answers to the request were thrown away before this call.
        aside: the call was made for the decision itself (a classifier, a judge, a further sample): nobody is
            given its answer, and all it costs is a cost of the kit. ``target`` is empty then.
        warm: part of the prompt, 0 to 1, that the strong target would have read from its provider's prompt
            cache had it answered the whole conversation.
        kept: part of the prompt, 0 to 1, that the strong target was in fact sent so lately that it may read it there.
        before: the target that answered the conversation before; ``None`` if that is not known.
        cache_marked: the request asks the provider to cache parts of it.
        shown_tokens: about how many tokens of the prompt are an answer that was thrown away, shown to this target.
    """

    target: str
    score: float | None = None
    reasons: tuple[str, ...] = ()
    chosen: str | None = None
    strong: str | None = None
    baseline_model: str | None = None
    baseline_provider: str | None = None
    chosen_model: str | None = None
    chosen_provider: str | None = None
    observed: bool = False
    decision_seconds: float | None = None
    part: str = "route"
    request: str | None = None
    attempt: int = 1
    rejected: int = 0
    aside: bool = False
    warm: float = 0.0
    kept: float = 0.0
    before: str | None = None
    cache_marked: bool = False
    shown_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneMark(_Mark):
    """How much context a pruner took out before a call of the same trace.

    Attributes:
        removed_tokens: tokens taken out.
        kept_tokens: tokens left.
        estimated: the counts come from an approximate counter.
        observed: nothing was changed; the counts say what would have been.
        seconds: how long it took.
    """

    removed_tokens: int
    kept_tokens: int
    estimated: bool = False
    observed: bool = False
    seconds: float | None = None


PRUNE_EVENT = "lc_costkit.prune"
"""Name of the custom event that carries a ``PruneMark`` to the meter."""

ROUTE_KEY = "route"
"""Callback metadata key that carries a ``RouteMark`` as a mapping."""

BUDGET_KEY = "budget"
"""Key under ``MARK`` of an answer that a budget had given in place of the model's: ``{"answered_by": who}``."""
