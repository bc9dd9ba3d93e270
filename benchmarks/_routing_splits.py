"""How well does a learned policy rank prompts it was not fitted on?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from _routing_sets import Numbers, Outcomes
from numpy.typing import NDArray

from lc_costkit.routing import Rules
from lc_costkit.routing.curve import GapCurve
from lc_costkit.routing.features import Features, read_features
from lc_costkit.routing.learned_model import QualityModel, fit_features, needs_from
from lc_costkit.routing.outcomes import OutcomeTable

DRAWS = 20
"""Resamples of the test prompts of each split, for the intervals."""

Places = NDArray[np.int64]


class Prepared:
    """Outcomes with what policies read in each prompt, read once."""

    def __init__(self, outcomes: Outcomes) -> None:
        self.outcomes = outcomes
        self.features: list[Features] = [read_features(prompt) for prompt in outcomes.prompts]
        rules = Rules()
        self.rules = np.array([rules.score(prompt) for prompt in outcomes.prompts])
        self.length = np.array([len(prompt) for prompt in outcomes.prompts], dtype=float)

    def fit(self, places: Places) -> QualityModel:
        """Fit on some of the prompts."""
        found = np.stack([self.outcomes.weak[places], self.outcomes.strong[places]], axis=1)
        return fit_features([self.features[place] for place in places], OutcomeTable(("weak", "strong"), found))

    def scores(self, model: QualityModel, places: Places) -> Numbers:
        """Score some of the prompts."""
        expected = np.array([model.expected(self.features[place]) for place in places])
        return needs_from(expected)[:, 0]


@dataclass(frozen=True, slots=True)
class Split:
    """What a model is fitted on, and what it is judged on."""

    fit: tuple[Prepared, Places]
    test: tuple[Prepared, Places]


def random_splits(data: Prepared, labels: int, splits: int) -> Iterator[Split]:
    """Fit on so many prompts, judge on all others."""
    for number in range(splits):
        order = np.random.default_rng(number).permutation(len(data.features))
        yield Split((data, order[:labels]), (data, order[labels:]))


def subject_splits(data: Prepared, labels: int, splits: int) -> Iterator[Split]:
    """Judge on a third of the subjects, of which no prompt is in the fit."""
    subjects = np.unique(data.outcomes.subjects)
    for number in range(splits):
        chance = np.random.default_rng(number)
        held = np.isin(data.outcomes.subjects, chance.permutation(subjects)[: len(subjects) // 3])
        yield Split((data, chance.permutation(np.flatnonzero(~held))[:labels]), (data, np.flatnonzero(held)))


def cross_splits(one: Prepared, other: Prepared, labels: int, splits: int) -> Iterator[Split]:
    """Fit on so many prompts of one benchmark, judge on all of another."""
    for number in range(splits):
        order = np.random.default_rng(number).permutation(len(one.features))
        yield Split((one, order[:labels]), (other, np.arange(len(other.features))))


def show_splits(name: str, splits: Iterator[Split]) -> None:
    """Print the means over splits, and how far each is above ``len(prompt)``, in pairs."""
    areas: dict[str, list[tuple[float, float, float]]] = {}
    above: dict[str, list[float]] = {}
    errors: list[tuple[float, float]] = []
    count = 0
    for number, split in enumerate(splits):
        count += 1
        source, fitted = split.fit
        data, places = split.test
        model = source.fit(fitted)
        errors.append((model.qualities[0].calibration_error, model.qualities[1].calibration_error))
        scores = {
            "Learned": data.scores(model, places),
            "Rules (no labels)": data.rules[places],
            "len(prompt)": data.length[places],
        }
        strong, weak = data.outcomes.strong[places], data.outcomes.weak[places]
        for key, own in scores.items():
            curve = GapCurve.of(own, strong, weak)
            areas.setdefault(key, []).append((curve.apgr, curve.share_for(0.5), curve.share_for(0.8)))
        chance = np.random.default_rng(1000 + number)
        for _ in range(DRAWS):
            drawn = chance.integers(0, len(places), len(places))
            apgr = {key: GapCurve.of(own[drawn], strong[drawn], weak[drawn]).apgr for key, own in scores.items()}
            for key in scores:
                above.setdefault(key, []).append(apgr[key] - apgr["len(prompt)"])
    error = np.mean(errors, axis=0)
    print(f"\n{name}; means over {count} splits; calibration error weak {error[0]:.3f}, strong {error[1]:.3f}")
    print(f"  {'policy':<20}{'APGR':>7}{'sd':>7}{'CPT50':>8}{'CPT80':>8}   above len(prompt)")
    for key, rows in areas.items():
        apgr, half, most = np.mean(rows, axis=0)
        low, high = np.percentile(above[key], (2.5, 97.5))
        line = f"  {key:<20}{apgr:7.3f}{np.std([row[0] for row in rows]):7.3f}{half:8.1%}{most:8.1%}"
        print(line if key == "len(prompt)" else f"{line}   {np.mean(above[key]):+.3f} [{low:+.3f}, {high:+.3f}]")
