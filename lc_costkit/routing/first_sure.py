"""How do cheap policies decide what is clear, and a better one the rest?"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.calibrated import CalibratedPolicy
from lc_costkit.routing.learned import Learned
from lc_costkit.routing.policy import Policy, RouteDecision, RouteRequest
from lc_costkit.routing.rules import Rules
from lc_costkit.routing.target_model import TargetModel

Band = tuple[float, float]
"""Scores between these two, themselves left out, are unsure; 0 to 1."""

ODDS = 2.0
"""A score is near a threshold if its odds are at most so many times the threshold's, or so much less: 0.11 to 0.33 for
``Rules()`` with its 0.2. A convention, not fitted to data. Between the two lie, of the questions of BANKING77, 29 %, of
CLINC150 11 %, of MMLU 21 % and of GSM8K 27 % (``benchmarks/routing.py``)."""


def first_sure(*policies: Policy, unsure: Band | Sequence[Band | None] | None = None) -> FirstSure:
    """Return a policy that asks several in turn, until one is sure.

    A decision stands if its score lies outside of the unsure band; the last policy's always stands. One without a score
    is not sure. A policy that raises ends it: a router calls its strong target then.

    Without a band it is derived from the policy's threshold. For ``Rules`` and policies of your own: scores whose odds
    are less than twice the threshold's, and more than half (with several thresholds, from half of the lowest's to twice
    the highest's). For ``Learned``: the threshold and so much on both sides as its predictions were out on its labels
    (the calibration errors of the cheapest target and of the worst-known dearer one; a score is half a difference).

    Args:
        *policies: two or more, the cheapest to ask first: ``first_sure(Rules(), LLMClassifier(model))``.
        unsure: ``(low, high)`` for all policies but the last; or one for each of them, ``None`` for the derived one.

    Raises:
        ConfigurationError: fewer than two policies, a band outside 0..1 or upside down, another number of bands, or a
            policy that has neither a threshold nor a band.

    >>> policy = first_sure(Rules(), lambda request: "large")
    >>> policy(RouteRequest(question="Hello!", targets=("small", "large"))).target
    'small'
    >>> asked = policy(RouteRequest(question="Why was I charged twice at a hotel?", targets=("small", "large")))
    >>> asked.target, asked.reasons[0]
    ('large', 'decided by <lambda>')
    """
    return FirstSure(policies, unsure=unsure)


class FirstSure:
    """Several policies in turn; see ``first_sure``, which makes it."""

    def __init__(self, policies: Sequence[Policy], *, unsure: Band | Sequence[Band | None] | None = None) -> None:
        self.policies = tuple(policies)
        if len(self.policies) < 2:
            raise ConfigurationError(f"first_sure needs two policies or more, the cheapest first; got {len(policies)}")
        for policy in self.policies:
            if not callable(policy) or isinstance(policy, type):
                raise ConfigurationError(f"a policy is called with a RouteRequest; {policy!r:.200} cannot be")
        self.unsure = _checked_bands(unsure, self.policies[:-1])

    @property
    def targets(self) -> tuple[str, ...] | None:
        """The targets that the policies name, if any does."""
        named = [name for policy in self.policies for name in getattr(policy, "targets", None) or ()]
        return tuple(dict.fromkeys(named)) or None

    def check(self, targets: Sequence[str]) -> None:
        """Raise ``ConfigurationError`` if one of the policies cannot choose among ``targets``."""
        for policy in self.policies:
            check = getattr(policy, "check", None)
            if check is not None:
                check(targets)

    def check_models(self, models: Mapping[str, TargetModel]) -> None:
        """Raise ``ConfigurationError`` if one of the policies cannot choose among these models."""
        for policy in self.policies:
            check = getattr(policy, "check_models", None)
            if check is not None:
                check(models)

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        """Decide by the first policy that is sure."""
        doubts: list[str] = []
        for policy, band in zip(self.policies, self.unsure, strict=False):
            decision = _sure(policy, _answered(policy, request), band, len(request.targets), doubts)
            if decision is not None:
                return decision
        return _last(self.policies[-1], _answered(self.policies[-1], request), doubts)

    async def acall(self, request: RouteRequest, /) -> RouteDecision:
        """Do the same, by each policy's ``acall`` if it has one."""
        doubts: list[str] = []
        for policy, band in zip(self.policies, self.unsure, strict=False):
            decision = _sure(policy, await _awaited(policy, request), band, len(request.targets), doubts)
            if decision is not None:
                return decision
        return _last(self.policies[-1], await _awaited(self.policies[-1], request), doubts)

    def __repr__(self) -> str:
        return f"first_sure({', '.join(map(repr, self.policies))}, unsure={list(self.unsure)!r})"


def derived_band(policy: object, targets: int) -> Band:
    """Return the band of scores in which a policy with a threshold is not sure; see ``first_sure``.

    Args:
        policy: with a ``threshold``, one or several.
        targets: how many there are to choose among.

    Raises:
        ConfigurationError: it has no threshold.

    >>> tuple(round(one, 3) for one in derived_band(Rules(threshold=0.5), 2))
    (0.333, 0.667)
    """
    inner = policy.policy if isinstance(policy, CalibratedPolicy) else policy
    thresholds = _thresholds(inner)
    if not thresholds:
        raise ConfigurationError(
            f"{_name(policy)} has no threshold to be near to; say which of its scores are unsure: unsure=(0.3, 0.7)"
        )
    if isinstance(inner, Learned):
        errors = [one.calibration_error for one in inner.qualities]
        margin = (errors[0] + max(errors[1:])) / 2
        return max(0.0, inner.threshold - margin), min(1.0, inner.threshold + margin)
    lowest, highest = thresholds[0], thresholds[-1]
    if isinstance(inner, Rules) and len(thresholds) == 1:
        steps = len(inner.targets if inner.targets is not None else range(targets)) - 1
        lowest = highest / max(1, steps)  # the range below its threshold is divided evenly
    return lowest / (lowest + ODDS * (1 - lowest)), ODDS * highest / (ODDS * highest + 1 - highest)


def _thresholds(policy: object) -> list[float]:
    found = getattr(policy, "threshold", None)
    values: list[Any] = list(found) if isinstance(found, tuple | list) else [found]
    return sorted(float(one) for one in values) if all(map(_is_share, values)) else []


def _answered(policy: Policy, request: RouteRequest) -> RouteDecision:
    answer = policy(request)
    if inspect.isawaitable(answer):
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        raise TypeError(f"{_name(policy)} is asynchronous; call the router with ainvoke or astream")
    return _decision(policy, answer)


async def _awaited(policy: Policy, request: RouteRequest) -> RouteDecision:
    answer = getattr(policy, "acall", policy)(request)
    return _decision(policy, await answer if inspect.isawaitable(answer) else answer)


def _decision(policy: Policy, answer: object) -> RouteDecision:
    decision = RouteDecision(target=answer) if isinstance(answer, str) else answer
    if not isinstance(decision, RouteDecision):
        raise TypeError(f"{_name(policy)} answered with {type(answer).__name__}, not a name or a RouteDecision")
    return decision


def _sure(
    policy: Policy, decision: RouteDecision, band: Band | None, targets: int, doubts: list[str]
) -> RouteDecision | None:
    """Return a decision that stands; of another, note in ``doubts`` why it does not."""
    if decision.score is None:
        doubts.append(f"{_name(policy)} gave no score")
        return None
    low, high = band or derived_band(policy, targets)
    if low < decision.score < high:
        doubts.append(f"{_name(policy)} was unsure ({decision.score:.3f}, between {low:.3f} and {high:.3f})")
        return None
    why = f", which is sure ({decision.score:.3f}, not between {low:.3f} and {high:.3f})"
    return replace(decision, reasons=(f"decided by {_name(policy)}{why}", *doubts, *decision.reasons))


def _last(policy: Policy, decision: RouteDecision, doubts: list[str]) -> RouteDecision:
    return replace(decision, reasons=(f"decided by {_name(policy)}", *doubts, *decision.reasons))


def _checked_bands(unsure: object, policies: Sequence[Policy]) -> tuple[Band | None, ...]:
    pair = isinstance(unsure, tuple | list) and any(isinstance(one, int | float) for one in unsure)
    bands = list(unsure) if isinstance(unsure, tuple | list) and not pair else [unsure] * len(policies)
    if len(bands) != len(policies):
        raise ConfigurationError(
            f"unsure must be (low, high), or one for each of the {len(policies)} policies but the last, not {unsure!r}"
        )
    return tuple(_checked_band(band, policy) for band, policy in zip(bands, policies, strict=True))


def _checked_band(band: object, policy: Policy) -> Band | None:
    if band is None:
        derived_band(policy, 2)  # or say now that there is none
        return None
    if isinstance(band, tuple | list) and len(band) == 2 and all(map(_is_share, band)) and band[0] <= band[1]:
        return float(band[0]), float(band[1])
    raise ConfigurationError(f"an unsure band is (low, high) with 0 <= low <= high <= 1, not {band!r}")


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _name(policy: object) -> str:
    return str(getattr(policy, "__name__", None) or type(policy).__name__)
