"""How does a linear prediction become a quality between 0 and 1?

A logistic curve with the tangent of the straight line: its slope is what the linear model says at the mean outcome, and
its height is such that the mean quality is the mean outcome. Where a target is nearly always right there is little
left to gain, which a straight line does not know. On halves of MMLU that raised the APGR of 200, 500 and 1,500 labels
by 0.016 to 0.018 and took the calibration error from 0.04 to 0.03; on fourteen other tasks and on GSM8K it changed
neither. Fitting the slope as well gained nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_DOUBT = 0.01
"""How near to 0 or 1 a mean is taken to be at most: a target that was right on all labels may still fail."""

_HALVINGS = 60
_FARTHEST = 30.0


@dataclass(frozen=True, slots=True)
class Link:
    """The curve of one target.

    Attributes:
        level: its mean outcome, kept from 0 and 1.
        height: log-odds at the mean.
    """

    level: float
    height: float

    @classmethod
    def fit(cls, predicted: NDArray[np.float64], found: NDArray[np.float64]) -> Link:
        """Return the curve for linear predictions, each for a prompt that it was not fitted on, and their outcomes."""
        level = float(np.clip(found.mean(), LEAST_DOUBT, 1.0 - LEAST_DOUBT))
        reach = _FARTHEST + float(np.abs(predicted - level).max()) / (level * (1.0 - level))
        low, high = -reach, reach
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if cls(level, middle).quality(predicted).mean() < level:
                low = middle
            else:
                high = middle
        return cls(level, (low + high) / 2)

    def quality(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return qualities, 0 to 1.

        >>> Link(0.8, 1.386).quality(np.array([0.8, 0.9, 1.2])).round(3).tolist()
        [0.8, 0.882, 0.98]
        """
        odds = self.height + (predicted - self.level) / (self.level * (1.0 - self.level))
        quality: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(odds, -_FARTHEST, _FARTHEST)))
        return quality
