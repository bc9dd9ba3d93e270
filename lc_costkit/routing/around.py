"""What do policies have in common that stand around others?"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

from lc_costkit.errors import ConfigurationError, shown
from lc_costkit.routing.policy import Policy, RouteDecision, RouteRequest
from lc_costkit.routing.target_model import TargetModel


class Around:
    """A policy that asks others; it may be built into a router where they may.

    Args:
        inner: the others.

    Raises:
        ConfigurationError: one of them cannot be called.
    """

    def __init__(self, *inner: Policy) -> None:
        for policy in inner:
            check_policy(policy)
        self._inner = inner

    @property
    def targets(self) -> tuple[str, ...] | None:
        """The targets that the policies inside name, if any does."""
        named = [name for policy in self._inner for name in getattr(policy, "targets", None) or ()]
        return tuple(dict.fromkeys(named)) or None

    def check(self, targets: Sequence[str]) -> None:
        """Raise ``ConfigurationError`` if a policy inside cannot choose among ``targets``."""
        for policy in self._inner:
            check = getattr(policy, "check", None)
            if check is not None:
                check(targets)

    def check_models(self, models: Mapping[str, TargetModel]) -> None:
        """Raise ``ConfigurationError`` if a policy inside cannot choose among these models."""
        for policy in self._inner:
            check = getattr(policy, "check_models", None)
            if check is not None:
                check(models)


def check_policy(policy: object) -> None:
    """Raise ``ConfigurationError`` if a policy cannot be called, or is a class of policies."""
    if isinstance(policy, type):
        raise ConfigurationError(f"policy {policy.__name__} is a class; make one: {policy.__name__}(...)")
    if not callable(policy):
        raise ConfigurationError(f"a policy is called with a RouteRequest; {shown(policy)} cannot be called")


def ask(policy: Policy, request: RouteRequest) -> RouteDecision:
    """Ask a policy.

    Raises:
        TypeError: it has to be awaited, or its answer is neither a name nor a decision.
    """
    answer = policy(request)
    if inspect.isawaitable(answer):
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        raise TypeError(f"{name_of(policy)} is asynchronous; call the router with ainvoke or astream")
    return _decision(policy, answer)


async def ask_async(policy: Policy, request: RouteRequest) -> RouteDecision:
    """Ask a policy by its ``acall``, if it has one.

    Raises:
        TypeError: its answer is neither a name nor a decision.
    """
    answer = getattr(policy, "acall", policy)(request)
    return _decision(policy, await answer if inspect.isawaitable(answer) else answer)


def name_of(policy: object) -> str:
    """Return a name for a policy."""
    return str(getattr(policy, "__name__", None) or type(policy).__name__)


def _decision(policy: Policy, answer: object) -> RouteDecision:
    decision = RouteDecision(target=answer) if isinstance(answer, str) else answer
    if not isinstance(decision, RouteDecision):
        raise TypeError(f"{name_of(policy)} answered with {type(answer).__name__}, not a name or a RouteDecision")
    return decision
