"""How do cheap policies decide what is clear, and a better one the rest?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.around import Around, ask, ask_async, name_of
from lc_costkit.routing.policy import Policy, RouteDecision, RouteRequest
from lc_costkit.routing.unsure import Band, derived_band, is_share


def first_sure(*policies: Policy, unsure: Band | Sequence[Band | None] | None = None) -> FirstSure:
    """Return a policy that asks several in turn, until one is sure.

    A decision stands if its score lies outside of the unsure band; the last policy's always stands. One without a score
    is not sure. A policy that raises ends it: a router calls its strong target then.

    Without a band it is derived from the policy's threshold (``derived_band``). How much of your traffic lies in it
    depends on that: ``benchmarks/first_sure.py`` found 11 to 29 % of support questions for ``Rules()``, and more than
    half for thresholds that lie amid most scores. ``unsure_band(policy, prompts, share=0.2)`` makes one of your size.

    Args:
        *policies: two or more, the cheapest to ask first: ``first_sure(Rules(), LLMClassifier(model))``.
        unsure: ``(low, high)`` for all policies but the last; or one for each of them, ``None`` for the derived one.

    Raises:
        ConfigurationError: fewer than two policies, a band outside 0..1 or upside down, another number of bands, or a
            policy that has neither a threshold nor a band.

    >>> from lc_costkit.routing.rules import Rules
    >>> policy = first_sure(Rules(), lambda request: "large")
    >>> policy(RouteRequest(question="Hello!", targets=("small", "large"))).target
    'small'
    >>> asked = policy(RouteRequest(question="Why was I charged twice at a hotel?", targets=("small", "large")))
    >>> asked.target, asked.reasons[0]
    ('large', 'decided by <lambda>')
    """
    return FirstSure(policies, unsure=unsure)


class FirstSure(Around):
    """Several policies in turn; see ``first_sure``, which makes it."""

    def __init__(self, policies: Sequence[Policy], *, unsure: Band | Sequence[Band | None] | None = None) -> None:
        self.policies = tuple(policies)
        super().__init__(*self.policies)
        if len(self.policies) < 2:
            given = len(self.policies)
            raise ConfigurationError(f"first_sure needs two policies or more, the cheapest first; got {given}")
        self.unsure = _checked_bands(unsure, self.policies[:-1])

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        """Decide by the first policy that is sure."""
        doubts = _Doubts()
        for policy, band in zip(self.policies, self.unsure, strict=False):
            decision = _sure(policy, ask(policy, request), band, len(request.targets), doubts)
            if decision is not None:
                return decision
        return _last(self.policies[-1], ask(self.policies[-1], request), doubts)

    async def acall(self, request: RouteRequest, /) -> RouteDecision:
        """Do the same, by each policy's ``acall`` if it has one."""
        doubts = _Doubts()
        for policy, band in zip(self.policies, self.unsure, strict=False):
            decision = _sure(policy, await ask_async(policy, request), band, len(request.targets), doubts)
            if decision is not None:
                return decision
        return _last(self.policies[-1], await ask_async(self.policies[-1], request), doubts)

    def __repr__(self) -> str:
        return f"first_sure({', '.join(map(repr, self.policies))}, unsure={list(self.unsure)!r})"


class _Doubts:
    """Why the policies asked so far were not sure, and what failed on the way."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.fault = ""

    def added_to(self, decision: RouteDecision, decided: str) -> RouteDecision:
        reasons = (decided, *self.reasons, *decision.reasons)
        return replace(decision, reasons=reasons, fault=decision.fault or self.fault)


def _sure(
    policy: Policy, decision: RouteDecision, band: Band | None, targets: int, doubts: _Doubts
) -> RouteDecision | None:
    """Return a decision that stands; of another, note in ``doubts`` why it does not."""
    doubts.fault = doubts.fault or decision.fault
    if decision.score is None:
        doubts.reasons.append(f"{name_of(policy)} gave no score")
        return None
    low, high = band or derived_band(policy, targets)
    if low < decision.score < high:
        doubts.reasons.append(f"{name_of(policy)} was unsure ({decision.score:.3f}, between {low:.3f} and {high:.3f})")
        return None
    why = f", which is sure ({decision.score:.3f}, not between {low:.3f} and {high:.3f})"
    return doubts.added_to(decision, f"decided by {name_of(policy)}{why}")


def _last(policy: Policy, decision: RouteDecision, doubts: _Doubts) -> RouteDecision:
    return doubts.added_to(decision, f"decided by {name_of(policy)}")


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
    if isinstance(band, tuple | list) and len(band) == 2 and all(map(is_share, band)) and band[0] <= band[1]:
        return float(band[0]), float(band[1])
    raise ConfigurationError(f"an unsure band is (low, high) with 0 <= low <= high <= 1, not {band!r}")
