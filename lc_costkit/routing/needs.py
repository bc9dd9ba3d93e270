"""From which threshold on is each target enough for a question?

A policy with one knob, a threshold, can be calibrated without being asked about every setting: for each
target but the strongest it says above which threshold that target is enough. The cheapest target that is
enough is called, and if none is, the strongest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lc_costkit.routing.policy import RouteDecision, RouteRequest


@runtime_checkable
class ThresholdPolicy(Protocol):
    """A policy with a threshold, 0 to 1: ``Rules``, ``Learned``, or one of your own."""

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        """Choose one of ``request.targets``."""
        ...

    def needs(self, question: str, targets: int) -> Sequence[float]:
        """Return, for each of so many targets but the last, the threshold above which it is enough.

        The first is the question's score: at a threshold up to it, the cheapest target is not enough.
        """
        ...

    def at(self, threshold: float) -> Self:
        """Return this policy with another threshold."""
        ...


def chosen(needs: NDArray[np.float64], threshold: float) -> NDArray[np.intp]:
    """Return the place of the target called for each question, the strongest being the last.

    Args:
        needs: a row for each question, a column for each target but the strongest.
        threshold: of the policy.

    >>> chosen(np.array([[0.2, 0.1], [0.6, 0.3], [0.9, 0.8]]), 0.5).tolist()
    [0, 1, 2]
    """
    enough = needs < threshold
    places: NDArray[np.intp] = np.where(enough.any(axis=1), enough.argmax(axis=1), needs.shape[1])
    return places


def needs_of(policy: ThresholdPolicy, questions: Sequence[str], targets: int) -> NDArray[np.float64]:
    """Ask a policy about many questions: a row for each, a column for each of so many targets but the last."""
    rows = [tuple(policy.needs(question, targets)) for question in questions]
    return np.array(rows, dtype=np.float64).reshape(len(questions), targets - 1)


def middles(scores: NDArray[np.float64], *, most: int | None = None) -> list[float]:
    """Return thresholds that tell scores apart, ascending: halfway between two that differ, and one below them all.

    Args:
        scores: 0 to 1.
        most: how many at most, evenly spread over the ranks; ``None`` for all.

    >>> middles(np.array([0.2, 0.6, 0.6, 0.8]))
    [0.0, 0.4, 0.7]
    """
    different, first = np.unique(np.sort(scores), return_index=True)
    between = (different[:-1] + different[1:]) / 2
    if most is not None and len(between) > most:
        wanted = np.linspace(0, len(scores), most, endpoint=False)
        between = between[np.unique(np.minimum(np.searchsorted(first[1:], wanted), len(between) - 1))]
    return [0.0, *(round(float(one), 12) for one in between)]
