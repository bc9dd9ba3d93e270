"""How does a linear prediction become a quality between 0 and 1?

By one step of logistic regression from the mean: the prediction is taken as a step along the tangent of the
logistic curve at the mean outcome. Where a target is nearly always right there is little left to gain, which a
straight line does not know. On halves of MMLU that raised the APGR of 200, 500 and 1,500 labels by 0.016 to 0.018
and took the calibration error from 0.04 to 0.03; on fourteen other tasks and on GSM8K it changed neither. Fitting
the slope as well gained nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_DOUBT = 0.01
"""How near to 0 or 1 a mean is taken to be at most: a target that was right on all labels may still fail."""


def linked(predicted: NDArray[np.float64], level: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return qualities, 0 to 1.

    Args:
        predicted: by a linear model; the last axis is the targets.
        level: mean outcome, of each target.

    >>> linked(np.array([0.8, 0.9, 1.2]), 0.8).round(3).tolist()
    [0.8, 0.882, 0.98]
    """
    mean = np.clip(level, LEAST_DOUBT, 1.0 - LEAST_DOUBT)
    odds = np.log(mean / (1.0 - mean)) + (predicted - mean) / (mean * (1.0 - mean))
    quality: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0)))
    return quality
