"""How far is a predicted quality from the quality that was found?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GROUPS = 10
"""Groups of equal size, by prediction; the customary number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetQuality:
    """What a target's quality is, and how well it is predicted.

    Attributes:
        target: its name.
        labels: prompts with an outcome of it.
        quality: their mean outcome, 0 to 1.
        predicted: mean prediction, each for a prompt that it was not fitted on, 0 to 1.
        calibration_error: expected calibration error, 0 to 1: how far the mean prediction of a tenth of the
            prompts is from the mean outcome of that tenth, on average. A few hundred labels alone make for
            some hundredths, as a tenth of them is a small sample.
        squared_error: mean squared error of the predictions (Brier score).
        spread: mean squared distance of the outcomes from their mean: what predicting the mean would give.
    """

    target: str
    labels: int
    quality: float
    predicted: float
    calibration_error: float
    squared_error: float
    spread: float


def judge_quality(target: str, predicted: NDArray[np.float64], found: NDArray[np.float64]) -> TargetQuality:
    """Compare predictions with the outcomes of the same prompts; there must be some."""
    shown = np.clip(predicted, 0.0, 1.0)
    return TargetQuality(
        target=target,
        labels=len(found),
        quality=float(found.mean()),
        predicted=float(shown.mean()),
        calibration_error=calibration_error(shown, found),
        squared_error=float(np.mean((shown - found) ** 2)),
        spread=float(found.var()),
    )


def calibration_error(predicted: NDArray[np.float64], found: NDArray[np.float64], *, groups: int = GROUPS) -> float:
    """Return the expected calibration error over groups of equal size, by prediction; nothing gives 0.

    >>> calibration_error(np.array([0.2, 0.2, 0.8, 0.8]), np.array([0.0, 0.0, 1.0, 1.0]), groups=2)
    0.2
    """
    if not len(found):
        return 0.0
    order = np.argsort(predicted, kind="stable")
    error = sum(abs(float(predicted[part].sum()) - float(found[part].sum())) for part in np.array_split(order, groups))
    return round(error / len(found), 12)
