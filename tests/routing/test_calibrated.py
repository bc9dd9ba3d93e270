"""Does a calibrated policy pass on what its policy can do, and count what was decided alone?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import CalibratedPolicy, RouteDecision, RouteRequest, Rules, TargetModel, calibrate
from lc_costkit.routing.canary import canary
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.first_sure import first_sure
from lc_costkit.routing.policy import Policy
from lc_costkit.routing.sticky import sticky
from tests.routing.parallel import HARD, SIMPLE

TARGETS = ("small", "large")


class Remote:
    """A policy with a threshold that waits for something, and wants to know its models."""

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        return RouteDecision(target=request.targets[0], score=0.4, reasons=("blocking",))

    async def acall(self, request: RouteRequest, /) -> RouteDecision:
        return RouteDecision(target=request.targets[0], score=0.4, reasons=("awaited",))

    def check_models(self, models: Mapping[str, TargetModel]) -> None:
        if not all(model.model for model in models.values()):
            raise ConfigurationError("which models are these?")

    def needs(self, question: str, targets: int) -> tuple[float, ...]:
        return (min(1.0, len(question) / 200),) * (targets - 1)

    def at(self, threshold: float) -> Self:
        return type(self)(threshold)


def calibrated(policy: Any) -> CalibratedPolicy:
    return calibrate(policy, [text for pair in (*SIMPLE, *HARD) for text in pair] * 4, share=0.3, window=20)


WRAPPED = [
    calibrated(Remote()),
    canary(calibrated(Remote()), 1.0),
    first_sure(Rules(), calibrated(Remote()), unsure=(0.0, 1.0)),
    sticky(canary(first_sure(Rules(), calibrated(Remote()), unsure=(0.0, 1.0)), 1.0)),
]


@pytest.mark.parametrize("policy", WRAPPED)
async def test_a_policy_inside_is_awaited_by_its_acall(policy: Policy) -> None:
    chooser = TargetChooser(TARGETS, policy=policy)
    asked = RouteRequest(question="Why was I charged twice?")
    assert (await chooser.achoose(asked)).decision.reasons[-1] == "awaited"
    assert chooser.choose(asked).decision.reasons[-1] == "blocking"


@pytest.mark.parametrize("policy", WRAPPED)
def test_a_policy_inside_is_shown_the_models(policy: Policy) -> None:
    chooser = TargetChooser(TARGETS, policy=policy)
    with pytest.raises(ConfigurationError, match="which models are these"):
        chooser.check_models({"small": TargetModel(), "large": TargetModel("gpt-4o")})


def test_what_is_only_explained_is_no_traffic() -> None:
    policy = calibrated(Rules())
    chooser = TargetChooser(TARGETS, policy=policy)
    for _ in range(30):
        chooser.choose(RouteRequest(question=HARD[0][0]), remember=False)
    assert policy.drift().decisions == 0
    for _ in range(30):
        chooser.choose(RouteRequest(question=HARD[0][0]))
    assert (policy.drift().decisions, policy.drift().drifted) == (30, True)


@pytest.mark.parametrize("policy", [sticky(Rules()), canary(Rules(), 0.5), first_sure(Rules(), Rules())])
def test_what_stands_around_a_policy_is_not_calibrated(policy: Any) -> None:
    with pytest.raises(ConfigurationError, match="calibrate the policy inside it"):
        calibrate(policy, ["Hello"] * 60, share=0.3)
