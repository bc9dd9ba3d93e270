"""What does a ledger know of each target?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from lc_costkit.errors import StoreError
from lc_costkit.marks import VERIFICATION_FEATURE
from lc_costkit.record import ASIDE_KEY
from lc_costkit.tables import html_table, text_table

if TYPE_CHECKING:
    from lc_costkit.ledger import Ledger

CONFIDENCE = 0.95
"""Of the lower limit of a mean score, as in ``calibrate``."""

SLOW = 0.95
"""Which part of the calls is faster than the latency called slow."""

_STEPS = 40
"""Halvings in the search for a limit: to 1e-12."""

_COLUMNS = (
    "call_id",
    "route",
    "model_asked",
    "model_answered",
    "started_at",
    "latency_seconds",
    "output_tokens",
    "operation",
    "cache",
    "feature",
    "metadata",
    "error",
    "interrupted",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetExperience:
    """What is known of one target with one model, or of a model that no router sent calls to.

    Attributes:
        route: the target's name; ``None`` for calls that no router sent.
        model: the model as the application named it.
        answered: other names that it answered with.
        calls: how many were answered to the end; latency and tokens are of these.
        failed: how many raised or were broken off.
        last: when the last of all these began (UTC).
        median_seconds: half of the calls took at most so long.
        slow_seconds: 95 % of the calls took at most so long.
        mean_seconds: how long a call took on average.
        mean_output_tokens: of an answer, reasoning included.
        scores: how many calls have a score.
        mean_score: of their last scores; ``None`` without any.
        score_at_least: a lower limit of the mean that a great many such calls would have: it is above the true one
            with a chance of at most 5 % (see ``lower_limit``). ``None`` without a score, or with one outside 0..1.
    """

    route: str | None
    model: str | None
    answered: tuple[str, ...] = ()
    calls: int = 0
    failed: int = 0
    last: datetime
    median_seconds: float | None = None
    slow_seconds: float | None = None
    mean_seconds: float | None = None
    mean_output_tokens: float | None = None
    scores: int = 0
    mean_score: float | None = None
    score_at_least: float | None = None

    def is_of(self, model: str) -> bool:
        """Tell whether it is about a model of this name."""
        return model.lower() in (name.lower() for name in (self.model, *self.answered) if name)


@dataclass(frozen=True, slots=True, repr=False)
class Experience:
    """What a ledger knew of targets and models when it was read.

    Attributes:
        rows: by target and model, targets first.
    """

    rows: tuple[TargetExperience, ...] = ()

    def of(self, target: str, model: str | None = None) -> TargetExperience | None:
        """Return what is known of a target, else of its model by calls that no router sent.

        Args:
            target: its name.
            model: its model; calls of the target while it was another one are left out. ``None`` takes the model
                that it was last.
        """
        known = [row for row in self.rows if row.route == target and (model is None or row.is_of(model))]
        if not known and model is not None:
            known = [row for row in self.rows if row.route is None and row.is_of(model)]
        return max(known, key=lambda row: row.last, default=None)

    def __repr__(self) -> str:
        return f"Experience({len(self.rows)} targets)\n{text_table(_HEADER, self._lines(), footers=0)}"

    def _repr_html_(self) -> str:
        return html_table(_HEADER, self._lines(), notes=[_NOTE], footers=0)

    def _lines(self) -> list[list[str]]:
        return [
            [
                row.route or "(no router)",
                row.model or "-",
                f"{row.calls:,}",
                f"{row.failed:,}",
                _number(row.median_seconds, 2),
                _number(row.slow_seconds, 2),
                _number(row.mean_output_tokens, 0),
                f"{row.scores:,}",
                _number(row.mean_score, 3),
                _number(row.score_at_least, 3),
            ]
            for row in self.rows
        ]


def experience(
    ledger: Ledger, *, since: datetime | date | None = None, until: datetime | date | None = None, **equal: str
) -> Experience:
    """Read what a ledger knows of each target.

    Calls that failed or were broken off are counted apart, their latency and tokens are not. Not looked at: calls
    that the cache answered, embeddings, and what the kit asked for itself (a classifier, a judge, a check of a hit).

    Scores of a target are of requests that a router sent there, and say nothing of those it did not. Scores of a
    random part of the traffic do.

    Args:
        ledger: to read.
        since: the earliest start (aware, or a UTC date).
        until: the first moment not included.
        **equal: ``feature="support"`` and the like, as in ``Ledger.records``.

    Raises:
        ConfigurationError: an unknown filter, or a time without a zone.
        StoreError: the ledger cannot be read.
    """
    columns = (*_COLUMNS, "tags") if "tag" in equal else _COLUMNS
    scores = {score.call_id: score.value for score in ledger.scores()}
    found: dict[tuple[str | None, str | None], _Sums] = {}
    for row in ledger.columns(*columns, since=since, until=until, **equal):
        try:
            if _counts(row):
                key = (row["route"], row["model_asked"] or row["model_answered"])
                found.setdefault(key, _Sums()).add(row, scores.get(row["call_id"]))
        except (ValueError, TypeError, AttributeError) as error:
            raise StoreError(
                f"call {row['call_id']!r} cannot be read: {error}; see what the ledger's check() says of it"
            ) from error
    rows = [sums.finish(route, model) for (route, model), sums in found.items()]
    return Experience(tuple(sorted(rows, key=lambda row: (row.route is None, row.route or "", row.model or ""))))


@dataclass(frozen=True, slots=True)
class MeanOutput:
    """How long answers are.

    Attributes:
        tokens: of one, on average.
        calls: how many it is the mean of.
    """

    tokens: int
    calls: int


def mean_output(known: Iterable[TargetExperience | None], *, least_calls: int) -> MeanOutput | None:
    """Return how long answers of targets are, all calls together; ``None`` where that is not known.

    Args:
        known: of the targets.
        least_calls: a target of fewer is left out.
    """
    enough = [one for one in known if one is not None and one.calls >= least_calls]
    calls = sum(one.calls for one in enough)
    if not calls:
        return None
    return MeanOutput(round(sum(one.calls * (one.mean_output_tokens or 0.0) for one in enough) / calls), calls)


def lower_limit(mean: float, scores: int) -> float:
    """Return a lower limit of the mean of the distribution that scores between 0 and 1 are drawn from.

    The least mean under which as good an average is not too unlikely (W. Hoeffding, "Probability inequalities for sums
    of bounded random variables", Journal of the American Statistical Association 58, 1963, theorem 1). For any
    distribution and any number of independent scores, the true mean is below it with a chance of at most 5 %.

    Args:
        mean: of the scores, 0 to 1.
        scores: how many.

    >>> round(lower_limit(1.0, 20), 2), round(lower_limit(0.8, 20), 2), round(lower_limit(0.8, 1000), 2)
    (0.86, 0.54, 0.77)
    """
    enough = -math.log(1 - CONFIDENCE) / max(1, scores)
    low, high = 0.0, mean
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _divergence(mean, middle) >= enough:
            low = middle
        else:
            high = middle
    return low


def _divergence(mean: float, lower: float) -> float:
    """Return how much an average of ``mean`` speaks against ``lower`` (Kullback and Leibler): nats for each draw."""
    hit = mean * math.log(mean / lower) if mean > 0 and lower > 0 else math.inf if mean > 0 else 0.0
    return hit + ((1 - mean) * math.log((1 - mean) / (1 - lower)) if mean < 1 else 0.0)


@dataclass(slots=True)
class _Sums:
    """What is being added up of one target."""

    seconds: list[float] = field(default_factory=list)
    tokens: int = 0
    failed: int = 0
    scores: list[float] = field(default_factory=list)
    answered: dict[str, None] = field(default_factory=dict)
    last: str = ""

    def add(self, row: Mapping[str, Any], score: float | None) -> None:
        self.last = max(self.last, row["started_at"])
        if row["model_answered"]:
            self.answered[row["model_answered"]] = None
        if score is not None:
            self.scores.append(score)
        if row["error"] or row["interrupted"]:
            self.failed += 1
            return
        self.seconds.append(row["latency_seconds"])
        self.tokens += row["output_tokens"]

    def finish(self, route: str | None, model: str | None) -> TargetExperience:
        seconds, calls = sorted(self.seconds), len(self.seconds)
        measured: dict[str, Any] = {}
        if calls:
            measured = {
                "median_seconds": median(seconds),
                "slow_seconds": seconds[math.ceil(SLOW * calls) - 1],
                "mean_seconds": sum(seconds) / calls,
                "mean_output_tokens": self.tokens / calls,
            }
        if self.scores:
            between = all(0.0 <= score <= 1.0 for score in self.scores)
            measured |= {
                "mean_score": sum(self.scores) / len(self.scores),
                "score_at_least": lower_limit(sum(self.scores) / len(self.scores), len(self.scores))
                if between
                else None,
            }
        return TargetExperience(
            route=route,
            model=model,
            answered=tuple(name for name in self.answered if name != model),
            calls=calls,
            failed=self.failed,
            last=datetime.fromisoformat(self.last),
            scores=len(self.scores),
            **measured,
        )


def _counts(row: Mapping[str, Any]) -> bool:
    """Tell whether a call was made to give somebody a model's answer."""
    if row["operation"] == "embedding" or row["cache"] == "hit" or row["feature"] == VERIFICATION_FEATURE:
        return False
    metadata = row["metadata"] or ""
    return ASIDE_KEY not in metadata or ASIDE_KEY not in json.loads(metadata)


def _number(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:,.{places}f}"


_HEADER = [
    "target",
    "model",
    "calls",
    "failed",
    "median s",
    "95 % s",
    "output tokens",
    "scores",
    "mean score",
    "at least",
]
_NOTE = "'At least': the true mean of the scores is below it with a chance of at most 5 %."
