"""Which scores of a policy are too near its threshold to be sure of?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.around import name_of
from lc_costkit.routing.calibrated import CalibratedPolicy
from lc_costkit.routing.learned import Learned
from lc_costkit.routing.policy import Policy, RouteDecision, RouteRequest
from lc_costkit.routing.rules import Rules

Band = tuple[float, float]
"""Scores between these two, themselves left out, are unsure; 0 to 1."""

ODDS = 2.0
"""A score is near a threshold if its odds are less than so many times the threshold's, and more than the same part of
them: 0.11 to 0.33 for ``Rules()`` with its 0.2. A convention, not fitted to data; ``benchmarks/first_sure.py`` shows
what lies between."""


def derived_band(policy: object, targets: int) -> Band:
    """Return the band of scores in which a policy with a threshold is not sure.

    For ``Rules`` and policies of your own: scores whose odds are less than twice the threshold's, and more than half;
    with several thresholds, from half of the lowest's to twice the highest's. For ``Learned``: the threshold and so
    much on both sides as its predictions were out on its labels (the calibration errors of the cheapest target and of
    the worst-known dearer one, halved, as a score is half a difference).

    Args:
        policy: with a ``threshold``, one or several.
        targets: how many there are to choose among.

    Raises:
        ConfigurationError: it has no threshold.

    >>> tuple(round(one, 3) for one in derived_band(Rules(threshold=0.5), 2))
    (0.333, 0.667)
    """
    inner = _inner(policy)
    thresholds = _thresholds(inner)
    if isinstance(inner, Learned):
        errors = [one.calibration_error for one in inner.qualities]
        margin = (errors[0] + max(errors[1:])) / 2
        return max(0.0, inner.threshold - margin), min(1.0, inner.threshold + margin)
    lowest, highest = thresholds[0], thresholds[-1]
    if isinstance(inner, Rules) and len(thresholds) == 1:
        steps = len(inner.targets if inner.targets is not None else range(targets)) - 1
        lowest = highest / max(1, steps)  # the range below its threshold is divided evenly
    return lowest / (lowest + ODDS * (1 - lowest)), ODDS * highest / (ODDS * highest + 1 - highest)


def unsure_band(policy: Policy, prompts: Sequence[str], *, share: float) -> Band:
    """Return the band around a policy's threshold that holds a share of your own prompts, half of it on either side.

    No labels are needed. With several thresholds, what lies between the lowest and the highest comes on top, and
    where fewer prompts lie on one side, the band ends there.

    Args:
        policy: with a ``threshold``, one or several, and scores.
        prompts: as users ask them; 300 give the share to about 5 points.
        share: of them that the next policy is to be asked about, above 0, at most 1.

    Raises:
        ConfigurationError: no prompts, a share out of range, or a policy without a threshold or without scores.

    >>> low, high = unsure_band(Rules(), ["Hello!", "Why was I charged twice?", "Prove that it halts."], share=0.5)
    >>> 0 <= low < 0.2 < high <= 1
    True
    """
    if not is_share(share) or not share:
        raise ConfigurationError(f"share must be above 0, at most 1, not {share!r}")
    if isinstance(prompts, str) or not prompts:
        raise ConfigurationError("unsure_band needs prompts, as users ask them")
    inner = _inner(policy)
    thresholds = _thresholds(inner)
    names = tuple(getattr(inner, "targets", None) or map(str, range(len(thresholds) + 1)))
    decisions = [inner(RouteRequest(question=prompt, targets=names)) for prompt in prompts]
    scores = [one.score for one in decisions if isinstance(one, RouteDecision) and one.score is not None]
    if len(scores) < len(prompts):
        raise ConfigurationError(f"{name_of(inner)} gives no score to some prompts: there is no band of scores")
    ranked = np.sort(scores)
    below, above = (float(np.mean(ranked < one)) for one in (thresholds[0], thresholds[-1]))
    low, high = np.quantile(ranked, (max(0.0, below - share / 2), min(1.0, above + share / 2)))
    return min(float(low), thresholds[0]), max(float(high), thresholds[-1])


def is_share(value: object) -> bool:
    """Tell whether this is a number from 0 to 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _inner(policy: Any) -> Any:
    return policy.policy if isinstance(policy, CalibratedPolicy) else policy


def _thresholds(policy: object) -> list[float]:
    found = getattr(policy, "threshold", None)
    values: list[Any] = list(found) if isinstance(found, tuple | list) else [found]
    if not values or not all(map(is_share, values)):
        raise ConfigurationError(
            f"{name_of(policy)} has no threshold to be near to; say which of its scores are unsure: unsure=(0.3, 0.7)"
        )
    return sorted(float(one) for one in values)
