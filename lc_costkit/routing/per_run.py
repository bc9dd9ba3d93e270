"""Where do the steps of an agent's run go that its first step has decided about?"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from lc_costkit.routing.able import missing_at
from lc_costkit.routing.around import Around, ask, ask_async
from lc_costkit.routing.policy import Policy, RouteDecision, RouteRequest
from lc_costkit.routing.prompt_tokens import prompt_tokens


class PerRun(Around):
    """A policy that is asked once for each run: for what follows the user's last words.

    Nothing is remembered: an answer that was given since tells its target, wherever the conversation was kept in
    between. Where none tells, the policy is asked again about the conversation up to the user's last words, so that
    every step of the run puts the same question to it. Once a run has grown too long for its target, or needs what that
    cannot do, the policy is asked about all of it.

    Args:
        policy: decides about the first step.

    Raises:
        ConfigurationError: the policy cannot be called.
    """

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self.policy = policy

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        """Choose the target that has answered in this run, else ask the policy."""
        begun = _begun(request)
        return begun if isinstance(begun, RouteDecision) else ask(self.policy, begun)

    async def acall(self, request: RouteRequest, /) -> RouteDecision:
        """Do the same, by the policy's ``acall`` if it has one."""
        begun = _begun(request)
        return begun if isinstance(begun, RouteDecision) else await ask_async(self.policy, begun)


def _run_begins(request: RouteRequest) -> int:
    """Return how many turns there are up to and with the user's last; 0 where the user said nothing."""
    return max((place for place, turn in enumerate(request.turns, start=1) if turn.role == "human"), default=0)


def _begun(request: RouteRequest) -> RouteDecision | RouteRequest:
    """Return where the run goes on; or what the policy is to be asked."""
    since = request.turns[_run_begins(request) :]
    told = next((turn.target for turn in reversed(since) if turn.target in request.targets), None)
    if told is None:
        return _first_step(request)
    tokens, most = prompt_tokens(request), request.max_output_tokens or 0
    if missing_at(told, request, input_tokens=tokens, output_tokens=most):
        return request
    waited = request.conversation.waited_usd if request.conversation is not None else Decimal(0)
    return RouteDecision(target=told, reasons=(f"the run has begun at {told}",), waited_usd=waited)


def _first_step(request: RouteRequest) -> RouteRequest:
    begins = _run_begins(request)
    return request if begins in (0, len(request.turns)) else replace(request, turns=request.turns[:begins])
