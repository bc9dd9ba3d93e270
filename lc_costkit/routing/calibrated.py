"""What does a policy at a chosen threshold do, and does the threshold still fit?"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.around import Around, ask, ask_async
from lc_costkit.routing.drift import WINDOW, Drift, DriftWatch
from lc_costkit.routing.needs import ThresholdPolicy
from lc_costkit.routing.point import RoutingPoint
from lc_costkit.routing.policy import RouteDecision, RouteRequest


class CalibratedPolicy(Around):
    """A policy at the threshold that ``calibrate`` chose; it watches that live traffic is like what it was chosen on.

    Args:
        policy: with the threshold set.
        point: what was chosen.
        window: decisions that the drift check looks at together, at least 20.

    Raises:
        ConfigurationError: the window is smaller.
    """

    def __init__(self, policy: ThresholdPolicy, point: RoutingPoint, *, window: int = WINDOW) -> None:
        if window < 20:
            raise ConfigurationError(f"window must be at least 20 decisions, not {window!r}")
        super().__init__(policy)
        self.policy = policy
        self.point = point
        self._watch = DriftWatch(point.share_interval, window=window)

    @property
    def targets(self) -> tuple[str, ...] | None:
        """The targets that the threshold was chosen for, cheapest first, if they are known."""
        return self.point.targets or super().targets

    def check(self, targets: Sequence[str]) -> None:
        """Raise ``ConfigurationError`` if these are not the targets it was calibrated for, in the same order."""
        if self.point.targets is not None and tuple(targets) != self.point.targets:
            raise ConfigurationError(
                f"the threshold was chosen for the targets {list(self.point.targets)!r}, cheapest first, but the "
                f"router's are {list(targets)!r}; calibrate again with targets={list(targets)!r}"
            )
        super().check(targets)

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        """Decide as the policy does, and count; not where it is only explained."""
        return self._counted(request, ask(self.policy, request))

    async def acall(self, request: RouteRequest, /) -> RouteDecision:
        """Do the same, by the policy's ``acall`` if it has one."""
        return self._counted(request, await ask_async(self.policy, request))

    def drift(self) -> Drift:
        """Return how the live share compares with the calibrated one."""
        return self._watch.read()

    def _counted(self, request: RouteRequest, decision: RouteDecision) -> RouteDecision:
        names = self.targets or request.targets
        if not request.explained:
            self._watch.count(dearer=bool(names) and decision.target != names[0])
        return decision

    def __repr__(self) -> str:
        return "\n".join(["CalibratedPolicy", *(f"  {heading:<19}{text}" for heading, text in self.point.rows())])

    def _repr_html_(self) -> str:
        cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in self.point.rows())
        return f"<table>{cells}</table>"


def uncalibrated(policy: ThresholdPolicy | CalibratedPolicy) -> ThresholdPolicy:
    """Return the policy inside, which has a threshold to move.

    Raises:
        ConfigurationError: it has none.
    """
    inner: object = policy.policy if isinstance(policy, CalibratedPolicy) else policy
    if not isinstance(inner, ThresholdPolicy):
        advice = "give it needs(question, targets) and at(threshold)"
        if isinstance(inner, Around):
            advice = "calibrate the policy inside it, and put it around what comes of that"
        raise ConfigurationError(f"{type(inner).__name__} has no threshold to choose; {advice}")
    return inner
