"""How good will the answer of each target be, as far as labels tell?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.features import BUCKETS, Features, Scaling, matrix, read_features
from lc_costkit.routing.link import Link
from lc_costkit.routing.needs import chosen, middles
from lc_costkit.routing.outcomes import OutcomeTable, outcome_table
from lc_costkit.routing.quality import TargetQuality, judge_quality
from lc_costkit.routing.ridge import fit_ridge
from lc_costkit.routing.target_order import explicit_order, refuse_accidental_order

FEWEST_LABELS = 50
"""Outcomes of each target that a fit asks for; below, a tenth of them is too few to show a calibration error on."""

QUALITY_KEPT = 0.95
"""Of the strongest target's quality, that the threshold found by a fit keeps on the labels; without a bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityModel:
    """A linear model of each target's outcome.

    Attributes:
        targets: cheapest first.
        scaling: of the surface measures.
        weights: a row for each target.
        intercepts: one for each target.
        links: from the linear model to a quality, for each target.
        threshold: the one that keeps ``QUALITY_KEPT`` on the labels, each prompt predicted without its own.
        qualities: what was found and predicted, target by target.
        labels: prompts it was fitted on.
    """

    targets: tuple[str, ...]
    scaling: Scaling
    weights: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    links: tuple[Link, ...]
    threshold: float
    qualities: tuple[TargetQuality, ...]
    labels: int

    def predict(self, text: str) -> NDArray[np.float64]:
        """Return the expected outcome of each target, 0 to 1."""
        return self.expected(read_features(text))

    def expected(self, features: Features) -> NDArray[np.float64]:
        """Return the same for a prompt that was read."""
        hashed = self.weights[:, features.buckets] @ features.values
        measured = self.weights[:, BUCKETS:] @ self.scaling.apply(features.surface)
        linear = self.intercepts + hashed + measured
        return np.array([link.quality(one) for link, one in zip(self.links, linear, strict=True)])


def fit_model(
    prompts: Sequence[str], outcomes: Mapping[str, Sequence[float | None]], *, targets: Sequence[str] | None = None
) -> QualityModel:
    """Fit a model of each target's outcome.

    Where every target has an outcome for every prompt, the mean over the targets and the differences between
    them are fitted, each with a penalty of its own: what a prompt asks of all is easier to learn than what
    sets them apart, and only the differences rank. Else each target is fitted on what there is of it.

    Raises:
        ConfigurationError: fewer than two targets, too few outcomes of one, an order that only ``outcomes`` tell and
            that has a strongest target clearly worse than another, or see ``outcome_table`` and ``explicit_order``.
    """
    if targets is None:
        table = outcome_table(prompts, outcomes)
        refuse_accidental_order(table)
    else:
        table = outcome_table(prompts, {name: outcomes[name] for name in explicit_order(targets, outcomes)})
    return fit_features([read_features(prompt) for prompt in prompts], table)


def fit_features(features: Sequence[Features], table: OutcomeTable) -> QualityModel:
    """Do the same with prompts that were read."""
    counts = (~np.isnan(table.found)).sum(axis=0)
    if len(table.targets) < 2:
        raise ConfigurationError(f"there is nothing to choose between: outcomes of {list(table.targets)!r} alone")
    for name, count in zip(table.targets, counts, strict=True):
        if count < FEWEST_LABELS:
            raise ConfigurationError(
                f"{name!r} has outcomes for {count} prompts; a fit needs {FEWEST_LABELS}, and 200 to be worth it"
            )
    scaling = Scaling.of(features)
    rows = matrix(features, scaling)
    weights, intercepts, unseen = _together(rows, table.found) if table.complete else _apart(rows, table.found)
    links, qualities = [], []
    for place, name in enumerate(table.targets):
        own = ~np.isnan(table.found[:, place])
        links.append(Link.fit(unseen[own, place], table.found[own, place]))
        unseen[:, place] = links[place].quality(unseen[:, place])
        qualities.append(judge_quality(name, unseen[own, place], table.found[own, place]))
    return QualityModel(
        targets=table.targets,
        scaling=scaling,
        # What is saved has single precision: a model that is loaded answers exactly as the one that was saved.
        weights=weights.T.astype(np.float32).astype(np.float64),
        intercepts=intercepts,
        links=tuple(links),
        threshold=_keeping(unseen, table),
        qualities=tuple(qualities),
        labels=len(features),
    )


def needs_from(expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the threshold above which each target but the last is enough, from expected outcomes (last axis).

    Half of one plus what the best of the dearer targets is expected to gain: 0.5 is no gain.

    >>> needs_from(np.array([0.5, 0.75, 0.7])).tolist()
    [0.625, 0.475]
    """
    best = np.maximum.accumulate(expected[..., ::-1], axis=-1)[..., ::-1]
    return np.clip((1.0 + best[..., 1:] - expected[..., :-1]) / 2.0, 0.0, 1.0)


_Fit = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _together(rows: NDArray[np.float32], found: NDArray[np.float64]) -> _Fit:
    contrasts = _contrasts(found.shape[1])
    ridge = fit_ridge(rows, found @ contrasts.T)
    back = np.linalg.inv(contrasts).T
    return ridge.weights @ back, ridge.intercepts @ back, ridge.unseen @ back


def _apart(rows: NDArray[np.float32], found: NDArray[np.float64]) -> _Fit:
    weights = np.zeros((rows.shape[1], found.shape[1]))
    intercepts = np.zeros(found.shape[1])
    unseen = np.zeros(found.shape)
    for place in range(found.shape[1]):
        own = ~np.isnan(found[:, place])
        ridge = fit_ridge(rows[own], found[own, place, None])
        weights[:, place], intercepts[place] = ridge.weights[:, 0], ridge.intercepts[0]
        unseen[:, place] = rows @ ridge.weights[:, 0] + ridge.intercepts[0]
        unseen[own, place] = ridge.unseen[:, 0]
    return weights, intercepts, unseen


def _contrasts(targets: int) -> NDArray[np.float64]:
    """Return the mean, and each target's difference from the mean of the cheaper ones, as rows."""
    rows = np.zeros((targets, targets))
    rows[0] = 1.0 / targets
    for place in range(1, targets):
        rows[place, :place] = -1.0 / place
        rows[place, place] = 1.0
    return rows


def _keeping(unseen: NDArray[np.float64], table: OutcomeTable) -> float:
    """Return the highest threshold that keeps the quality; outcomes that nobody knows are taken as predicted."""
    needs = needs_from(unseen)
    quality = np.where(np.isnan(table.found), unseen, table.found)
    asked = QUALITY_KEPT * float(quality[:, -1].mean())
    places = np.arange(len(quality))
    best = 0.0
    for threshold in middles(needs[:, 0], most=100):
        if float(quality[places, chosen(needs, threshold)].mean()) >= asked:
            best = max(best, threshold)
    return best
