"""How much would be served from each score on, and how much of that wrongly, as far as labels tell?"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from lc_costkit.errors import MissingDependency
from lc_costkit.intervals import clopper_pearson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 80
"""Thresholds at which a curve is drawn or listed by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """What serving from one score on means.

    Attributes:
        min_score: least score that is served, 0 to 1.
        served: labelled pairs that reach it.
        wrong: how many of those are wrong.
        hit_rate: share of all pairs that reach it, 0 to 1.
        error_rate: share of wrong ones among the labelled ones served; ``None`` where there are none.
        error_interval: exact (Clopper-Pearson) interval of ``error_rate`` for this one score. Whoever looks
            at many and takes the best needs :func:`lc_costkit.cache.calibration.calibrate`.
    """

    min_score: float
    served: int
    wrong: int
    hit_rate: float
    error_rate: float | None
    error_interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Curve:
    """Hit rate and error rate for every score.

    Attributes:
        scores: of the labelled pairs that the score decides about, highest first.
        wrong: whether the stored answer was wrong for each of those.
        all_scores: of the pairs that count in the hit rate, with a label or without, lowest first.
        pairs: how many pairs count in the hit rate, those refused at any score included.
        confidence: of the intervals, 0 to 1.
    """

    scores: tuple[float, ...]
    wrong: tuple[bool, ...]
    all_scores: tuple[float, ...]
    pairs: int
    confidence: float

    def at(self, min_score: float) -> CurvePoint:
        """Return what serving from a score on means."""
        served = bisect_right(self.scores, -min_score, key=_negated)
        return self._point(min_score, served, sum(self.wrong[:served]))

    def points(self, count: int = _POINTS) -> list[CurvePoint]:
        """Return points at about so many different scores, the strictest first."""
        wrong = [0, *accumulate(map(int, self.wrong))]
        ends = [
            rank
            for rank in range(1, len(self.scores) + 1)
            if rank == len(self.scores) or self.scores[rank - 1] > self.scores[rank]
        ]
        step = max(1, -(-len(ends) // max(1, count)))
        chosen = ends[::-step][::-1]  # the last end is the whole sample, and always in
        return [self._point(self.scores[rank - 1], rank, wrong[rank]) for rank in chosen]

    def plot(self, *, ax: Axes | None = None, max_error_rate: float | None = None, chosen: float | None = None) -> Axes:
        """Draw the error rate, with its interval, against the hit rate, and return the axes.

        Args:
            ax: where to draw; a new figure by default.
            max_error_rate: drawn as a line.
            chosen: a score to mark.

        Raises:
            MissingDependency: matplotlib is not installed.
        """
        ax = new_axes("Curve.plot", 1)[0] if ax is None else ax
        points = self.points()
        hits = [point.hit_rate for point in points]
        ax.fill_between(
            hits,
            [point.error_interval[0] for point in points],
            [point.error_interval[1] for point in points],
            color="#3b6ea5", alpha=0.2, linewidth=0, label=f"{self.confidence:.0%} interval of each point",
        )  # fmt: skip
        ax.plot(hits, [point.error_rate or 0.0 for point in points], color="#3b6ea5", label="wrong, of those served")
        top = max([point.error_rate or 0.0 for point in points], default=0.0)
        if max_error_rate is not None:
            ax.axhline(
                max_error_rate, color="#b5482a", linestyle="--", linewidth=1, label=f"limit {max_error_rate:.1%}"
            )
            top = max(top, 2 * max_error_rate)
        if chosen is not None:
            point = self.at(chosen)
            ax.plot([point.hit_rate], [point.error_rate or 0.0], "o", color="#2e7d32", label="certified point")
        ax.set_ylim(0, min(1.0, 1.25 * top) or 1.0)
        ax.set_xlabel("served by meaning, of all pairs")
        ax.set_ylabel("wrong, of those served")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize="small")
        return ax

    def plot_scores(self, *, ax: Axes | None = None, chosen: float | None = None, name: str = "score") -> Axes:
        """Draw how the scores of right and of wrong answers lie, and return the axes.

        Args:
            ax: where to draw; a new figure by default.
            chosen: a score to mark.
            name: what the scores are.

        Raises:
            MissingDependency: matplotlib is not installed.
        """
        ax = new_axes("Curve.plot_scores", 1)[0] if ax is None else ax
        low, high = (self.scores[-1], self.scores[0]) if self.scores else (0.0, 1.0)
        edges = [low + (max(high - low, 1e-9)) * place / 30 for place in range(31)]
        right = [score for score, wrong in zip(self.scores, self.wrong, strict=True) if not wrong]
        bad = [score for score, wrong in zip(self.scores, self.wrong, strict=True) if wrong]
        ax.hist(right, bins=edges, color="#3b6ea5", alpha=0.6, label=f"same ({len(right)})")
        ax.hist(bad, bins=edges, color="#b5482a", alpha=0.6, label=f"different ({len(bad)})")
        if chosen is not None:
            ax.axvline(chosen, color="#2e7d32", linewidth=1, label=f"served from {chosen:.3f}")
        ax.set_xlabel(name)
        ax.set_ylabel("labelled pairs")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize="small")
        return ax

    def _point(self, min_score: float, served: int, wrong: int) -> CurvePoint:
        reached = len(self.all_scores) - bisect_left(self.all_scores, min_score)
        return CurvePoint(
            min_score=min_score,
            served=served,
            wrong=wrong,
            hit_rate=reached / self.pairs if self.pairs else 0.0,
            error_rate=wrong / served if served else None,
            error_interval=clopper_pearson(wrong, served, confidence=self.confidence),
        )


def new_axes(feature: str, count: int) -> list[Axes]:
    """Return so many axes of a new figure, side by side.

    Raises:
        MissingDependency: matplotlib is not installed; the message names ``feature``.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingDependency(feature, "report") from error
    _, axes = pyplot.subplots(1, count, figsize=(5.5 * count, 4), layout="constrained", squeeze=False)
    return list(axes[0])


def scores_text(points: Sequence[CurvePoint]) -> list[list[str]]:
    """Write points as cells of a table: score, hit rate, wrong of served, interval."""
    return [
        [
            f"{point.min_score:.3f}",
            f"{point.hit_rate:.1%}",
            f"{point.wrong}/{point.served}",
            f"{point.error_interval[0]:.1%} to {point.error_interval[1]:.1%}",
        ]
        for point in points
    ]


def _negated(score: float) -> float:
    return -score
