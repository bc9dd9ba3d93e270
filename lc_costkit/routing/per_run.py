"""Where do the steps of an agent's run go that its first step has decided about?"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.policy import Policy, RouteDecision, RouteRequest
from lc_costkit.routing.target_model import TargetModel


class PerRun:
    """A policy that is asked once for each run: for what follows the user's last words.

    Nothing is remembered: an answer that was given since tells its target, wherever the conversation was kept in
    between. Where none tells, the policy is asked again about the conversation up to the user's last words, so that
    every step of the run puts the same question to it.

    Args:
        policy: decides about the first step.

    Raises:
        ConfigurationError: the policy is not callable.
    """

    def __init__(self, policy: Policy) -> None:
        if not callable(policy):
            raise ConfigurationError(
                f"a policy is called with a RouteRequest; {type(policy).__name__} cannot be called"
            )
        self.policy = policy
        self.targets = getattr(policy, "targets", None)

    def __call__(self, request: RouteRequest, /) -> Any:
        """Choose the target that has answered in this run, else ask the policy."""
        begun = _begun(request)
        return begun if begun is not None else self.policy(_first_step(request))

    async def acall(self, request: RouteRequest, /) -> Any:
        """Do the same, by the policy's ``acall`` if it has one."""
        begun = _begun(request)
        if begun is not None:
            return begun
        answer = getattr(self.policy, "acall", self.policy)(_first_step(request))
        return await answer if inspect.isawaitable(answer) else answer

    def check(self, targets: Sequence[str]) -> None:
        """Raise ``ConfigurationError`` if the policy cannot choose among these names."""
        check = getattr(self.policy, "check", None)
        if check is not None:
            check(targets)

    def check_models(self, models: dict[str, TargetModel]) -> None:
        """Raise ``ConfigurationError`` if the policy cannot choose among these models."""
        check = getattr(self.policy, "check_models", None)
        if check is not None:
            check(models)


def _run_begins(request: RouteRequest) -> int:
    """Return how many turns there are up to and with the user's last; 0 where the user said nothing."""
    return max((place for place, turn in enumerate(request.turns, start=1) if turn.role == "human"), default=0)


def _begun(request: RouteRequest) -> RouteDecision | None:
    since = request.turns[_run_begins(request) :]
    told = next((turn.target for turn in reversed(since) if turn.target in request.targets), None)
    return None if told is None else RouteDecision(target=told, reasons=("the run has begun there",))


def _first_step(request: RouteRequest) -> RouteRequest:
    begins = _run_begins(request)
    return request if begins in (0, len(request.turns)) else replace(request, turns=request.turns[:begins])
