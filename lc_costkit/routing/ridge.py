"""Which weights predict outcomes from features, and how well do they predict what they were not fitted on?

Ridge regression. The penalty is the one under which the labels are likeliest (type II maximum
likelihood: D. J. C. MacKay, "Bayesian interpolation", Neural Computation 4, 1992), so that nothing
has to be held back to choose it; on halves of MMLU it ranked as leave-one-out error did, and more
steadily. Each label is also predicted from all others, in closed form (D. M. Allen, "The relationship
between variable selection and data augmentation", Technometrics 16, 1974).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PENALTIES = tuple(float(each) for each in np.geomspace(1.0, 3000.0, 17))
"""Looked through. N-grams of one prompt have a squared length of 3.5, so this goes from nearly free to nearly fixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridge:
    """Weights of several outcomes.

    Attributes:
        weights: one column for each outcome.
        intercepts: one for each outcome.
        unseen: each label predicted from all others, a row for each prompt.
        penalties: the penalty of each outcome.
    """

    weights: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    unseen: NDArray[np.float64]
    penalties: tuple[float, ...]


def fit_ridge(rows: NDArray[np.float32], outcomes: NDArray[np.float64]) -> Ridge:
    """Fit every column of ``outcomes``, each with a penalty of its own.

    Time grows with the smaller of prompts and features, cubed: a second for a thousand prompts.

    Args:
        rows: features, a row for each prompt.
        outcomes: a row for each prompt, a column for each outcome; any finite values.
    """
    centre = rows.mean(axis=0, dtype=np.float64)
    centred = rows - centre.astype(np.float32)
    level = outcomes.mean(axis=0)
    solve = _by_prompts if len(rows) <= rows.shape[1] else _by_features
    weights, unseen, penalties = solve(centred, outcomes - level)
    return Ridge(weights=weights, intercepts=level - centre @ weights, unseen=unseen + level, penalties=penalties)


_Solution = tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, ...]]


def _by_prompts(rows: NDArray[np.float32], outcomes: NDArray[np.float64]) -> _Solution:
    values, vectors = np.linalg.eigh((rows @ rows.T).astype(np.float64))
    values = np.maximum(values, 0.0)
    turned = vectors.T @ outcomes
    count = len(rows)
    penalties, duals, unseen = [], [], []
    for column in range(outcomes.shape[1]):
        squares = turned[:, column] ** 2

        def unlikeliness(penalty: float, squares: NDArray[np.float64] = squares) -> float:
            misfit = penalty * float((squares / (values + penalty)).sum())
            return count * math.log(max(misfit, 1e-12)) + float(np.log1p(values / penalty).sum())

        penalty = min(PENALTIES, key=unlikeliness)
        shrunk = 1.0 / (values + penalty)
        dual = vectors @ (shrunk * turned[:, column])
        # The mean of the outcomes was fitted as well: a row's own part in it is 1 / count of its residual.
        inverse = (vectors * vectors) @ shrunk
        leverage = np.minimum(1.0 - penalty * inverse + 1.0 / count, 0.999)
        penalties.append(penalty)
        duals.append(dual)
        unseen.append(outcomes[:, column] - penalty * dual / (1.0 - leverage))
    weights = rows.T.astype(np.float64) @ np.stack(duals, axis=1)
    return weights, np.stack(unseen, axis=1), tuple(penalties)


def _by_features(rows: NDArray[np.float32], outcomes: NDArray[np.float64]) -> _Solution:
    values, vectors = np.linalg.eigh((rows.T @ rows).astype(np.float64))
    values = np.maximum(values, 0.0)
    turned = vectors.T @ (rows.T @ outcomes)
    count = len(rows)
    projected = (rows @ vectors.astype(np.float32)).astype(np.float64)
    penalties, weights, unseen = [], [], []
    for column in range(outcomes.shape[1]):
        own, squares = outcomes[:, column], turned[:, column] ** 2
        whole = float(own @ own)

        def unlikeliness(penalty: float, squares: NDArray[np.float64] = squares, whole: float = whole) -> float:
            misfit = whole - float((squares / (values + penalty)).sum())
            return count * math.log(max(misfit, 1e-12)) + float(np.log1p(values / penalty).sum())

        penalty = min(PENALTIES, key=unlikeliness)
        shrunk = 1.0 / (values + penalty)
        fitted = projected @ (shrunk * turned[:, column])
        leverage = np.minimum((projected * projected) @ shrunk + 1.0 / count, 0.999)
        penalties.append(penalty)
        weights.append(vectors @ (shrunk * turned[:, column]))
        unseen.append(own - (own - fitted) / (1.0 - leverage))
    return np.stack(weights, axis=1), np.stack(unseen, axis=1), tuple(penalties)
