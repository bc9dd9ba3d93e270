"""Can a model fitted on the user's own labels tell wrong answers apart that the score cannot?

A logistic regression on a dozen named properties of a pair. It may only refuse what everything else let pass.
Models fitted on public pairs rank other pairs worse than the plain cosine does, so none is shipped: it is fitted
on labels from the traffic it is used on, and where it is no better than the score alone it says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lc_costkit.cache.align import align
from lc_costkit.cache.gates import Prepared, prepare
from lc_costkit.cache.pairs import ScoredPair
from lc_costkit.cache.score import PairReading
from lc_costkit.errors import ConfigurationError

FEATURES = (
    "score",
    "similarity",
    "coverage of the new question",
    "coverage of the stored question",
    "length ratio",
    "words",
    "unmatched in the new question",
    "unmatched in the stored question",
    "replaced",
    "order",
)
"""Names of the features, in order."""

VERSION = 1
"""Changes whenever a pair would get other features."""

LEAST_OF_EACH = 5 * len(FEATURES)
"""Pairs of the rarer kind that a fit takes: five for each feature (E. Vittinghoff and C. E. McCulloch, "Relaxing
the rule of ten events per variable in logistic and Cox regression", American Journal of Epidemiology 165, 2007)."""

_PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""What is tried for L2, in units of one labelled pair; features are standardised."""
_FOLDS = 5
_STEPS = 30
_MOST_UNMATCHED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What a veto adds to the score, on labels that it was not fitted on (cross-validated).

    Attributes:
        score_auc: chance that the score ranks a right pair above a wrong one, 0 to 1.
        veto_auc: the same for the veto.
        low: lower end of the 95 % interval of the difference (E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson,
            "Comparing the areas under two or more correlated receiver operating characteristic curves",
            Biometrics 44, 1988).
        high: the upper end.
    """

    score_auc: float
    veto_auc: float
    low: float
    high: float

    @property
    def helps(self) -> bool:
        """Whether the veto ranks better than the score by more than chance explains."""
        return self.low > 0

    def __str__(self) -> str:
        verdict = "helps" if self.helps else "does not help"
        return (
            f"{verdict}: AUC {self.veto_auc:.3f}, the score alone {self.score_auc:.3f} "
            f"(difference {self.low:+.3f} to {self.high:+.3f}, cross-validated)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedVeto:
    """Refuses pairs that are probably wrong, by labels of the traffic it is used on; see :func:`fit_veto`.

    Attributes:
        weights: of each feature after it was standardised; above 0 it speaks for "same answer".
        bias: what is added.
        means: of each feature over the labels.
        scales: the standard deviation of each.
        threshold: probability of "same answer" below which it refuses, 0 to 1.
        labels: labelled pairs that fitted it.
        penalty: the L2 penalty that cross-validation chose.
        gain: what it adds to the score.
    """

    weights: tuple[float, ...]
    bias: float
    means: tuple[float, ...]
    scales: tuple[float, ...]
    threshold: float
    labels: int
    penalty: float
    gain: Gain

    def probability(self, cached: str, new: str, *, similarity: float, score: float) -> float:
        """Return how probably the stored answer is right, 0 to 1."""
        return _logistic(self.bias + sum(self._parts(cached, new, similarity, score).values()))

    def refuses(self, cached: str, new: str, reading: PairReading) -> str | None:
        """Return why a pair is refused, or ``None`` where it passes."""
        parts = self._parts(cached, new, reading.similarity, reading.score)
        probability = _logistic(self.bias + sum(parts.values()))
        if probability >= self.threshold:
            return None
        worst = min(parts, key=lambda name: parts[name])
        return (
            f"the learned veto gives {probability:.3f} for the same answer, below {self.threshold:.3f}; "
            f"most against it: {worst}"
        )

    __call__ = refuses

    def contributions(self, cached: str, new: str, *, similarity: float, score: float) -> dict[str, float]:
        """Return what each feature adds to the log odds of "same answer", for an explanation."""
        return self._parts(cached, new, similarity, score)

    def moved(self, threshold: float) -> Self:
        """Return the same veto with another threshold."""
        return replace(self, threshold=threshold)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return {"version": VERSION, "features": list(FEATURES), **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a stored veto back.

        Raises:
            ValueError: it is not whole, or was made of other features.
        """
        values = dict(data)
        if values.pop("version", None) != VERSION or values.pop("features", None) != list(FEATURES):
            raise ValueError("the veto was fitted on other features; calibrate again")
        try:
            for name in ("weights", "means", "scales"):
                values[name] = tuple(map(float, values[name]))
                if len(values[name]) != len(FEATURES) or not all(map(math.isfinite, values[name])):
                    raise ValueError(f"its {name} are not {len(FEATURES)} numbers")
            return cls(**{**values, "gain": Gain(**values["gain"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"the veto cannot be read ({error})") from error

    def __str__(self) -> str:
        return f"refuses below {self.threshold:.3f}, fitted on {self.labels:,} labels; {self.gain}"

    def _parts(self, cached: str, new: str, similarity: float, score: float) -> dict[str, float]:
        found = features(prepare(cached), prepare(new), similarity=similarity, score=score)
        rows = zip(FEATURES, found, self.weights, self.means, self.scales, strict=True)
        return {name: weight * (value - mean) / scale for name, value, weight, mean, scale in rows}


def features(cached: Prepared, new: Prepared, *, similarity: float, score: float) -> tuple[float, ...]:
    """Return the features of a pair, as named in ``FEATURES``."""
    laid = align(cached, new)
    missing_new, missing_cached = len(laid.only_new), len(laid.only_cached)
    shorter, longer = sorted((len(cached.tokens), len(new.tokens)))
    return (
        score,
        similarity,
        1 - missing_new / max(1, missing_new, len(new.content)),
        1 - missing_cached / max(1, missing_cached, len(cached.content)),
        shorter / max(1, longer),
        math.log1p(shorter),
        float(min(_MOST_UNMATCHED, missing_new)),
        float(min(_MOST_UNMATCHED, missing_cached)),
        float(min(_MOST_UNMATCHED, sum(1 for one, other in laid.replaced if one and other))),
        laid.order,
    )


def fit_veto(scored: Sequence[ScoredPair]) -> LearnedVeto:
    """Fit a veto on labelled pairs, those that are refused at any score left out.

    Deterministic. The threshold it comes with refuses nothing: ``calibrate(..., learn=True)`` sets one, on labels
    that did not fit it.

    Raises:
        ConfigurationError: there are fewer than ``LEAST_OF_EACH`` right or wrong pairs.
    """
    pairs = [pair for pair in scored if pair.same is not None and pair.refused_by is None]
    right = sum(pair.same is True for pair in pairs)
    if min(right, len(pairs) - right) < LEAST_OF_EACH:
        raise ConfigurationError(
            f"a veto is fitted on at least {LEAST_OF_EACH} right and {LEAST_OF_EACH} wrong pairs that no gate refuses; "
            f"here are {right} and {len(pairs) - right}. Label more pairs, at lower scores too, or leave learn=True out"
        )
    rows = np.array(
        [
            features(prepare(pair.cached), prepare(pair.new), similarity=pair.similarity, score=pair.score)
            for pair in pairs
        ]
    )
    same = np.array([bool(pair.same) for pair in pairs])
    scores = rows[:, 0]
    best = max((_held_out(rows, same, penalty) for penalty in _PENALTIES), key=lambda tried: tried.likelihood)
    model = _fitted(rows, same, best.penalty)
    return LearnedVeto(
        weights=tuple(map(float, model.weights)),
        bias=model.bias,
        means=tuple(map(float, model.means)),
        scales=tuple(map(float, model.scales)),
        threshold=0.0,
        labels=len(pairs),
        penalty=best.penalty,
        gain=compare(scores, best.predicted, same),
    )


def compare(scores: NDArray[np.float64], learned: NDArray[np.float64], same: NDArray[np.bool_]) -> Gain:
    """Compare how two scores rank right above wrong pairs, with an interval of the difference."""
    placed = [_placements(values, same) for values in (scores, learned)]
    areas = [float(above.mean()) for above, _ in placed]
    of_right, of_wrong = (placed[1][side] - placed[0][side] for side in (0, 1))
    spread = math.sqrt(of_right.var(ddof=1) / len(of_right) + of_wrong.var(ddof=1) / len(of_wrong))
    difference = areas[1] - areas[0]
    # 1.96: 95 % of a normal distribution.
    return Gain(score_auc=areas[0], veto_auc=areas[1], low=difference - 1.96 * spread, high=difference + 1.96 * spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    weights: NDArray[np.float64]
    bias: float
    means: NDArray[np.float64]
    scales: NDArray[np.float64]

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = _probabilities((rows - self.means) / self.scales @ self.weights + self.bias)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    penalty: float
    likelihood: float
    predicted: NDArray[np.float64]


def _held_out(rows: NDArray[np.float64], same: NDArray[np.bool_], penalty: float) -> _Tried:
    """Predict every pair by a model that has not seen it; the folds go round, right and wrong pairs apart."""
    folds = np.empty(len(same), dtype=np.int64)
    for kind in (True, False):
        places = np.flatnonzero(same == kind)
        folds[places] = np.arange(len(places)) % _FOLDS
    predicted = np.empty(len(same))
    for fold in range(_FOLDS):
        inside = folds != fold
        predicted[~inside] = _fitted(rows[inside], same[inside], penalty).predict(rows[~inside])
    said = np.clip(np.where(same, predicted, 1 - predicted), 1e-9, 1)
    return _Tried(penalty=penalty, likelihood=float(np.log(said).mean()), predicted=predicted)


def _fitted(rows: NDArray[np.float64], same: NDArray[np.bool_], penalty: float) -> _Model:
    """Fit by Newton's method; the penalised likelihood is concave, so it ends at its one maximum."""
    means, scales = rows.mean(axis=0), rows.std(axis=0)
    scales[scales < 1e-9] = 1.0
    design = np.column_stack(((rows - means) / scales, np.ones(len(rows))))
    ridge = np.diag([penalty] * rows.shape[1] + [1e-6])
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        predicted = _probabilities(design @ weights)
        slope = design.T @ (same - predicted) - ridge @ weights
        curvature = (design * (predicted * (1 - predicted))[:, None]).T @ design + ridge
        step = np.linalg.solve(curvature, slope)
        weights += step * min(1.0, 5.0 / (np.abs(step).max() + 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    return _Model(weights=weights[:-1], bias=float(weights[-1]), means=means, scales=scales)


def _placements(
    values: NDArray[np.float64], same: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each right pair the share of wrong ones below it, and for each wrong one that of right ones above."""
    right, wrong = values[same], values[~same]
    return _share_below(right, np.sort(wrong)), 1 - _share_below(wrong, np.sort(right))


def _share_below(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    below = np.searchsorted(others, values, side="left") + np.searchsorted(others, values, side="right")
    found: NDArray[np.float64] = below / (2 * len(others))
    return found


def _probabilities(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
    return found


def _logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-min(500.0, max(-500.0, odds))))
