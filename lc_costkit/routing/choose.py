"""Which target is called, whatever the policy does?

A policy that raises, waits where it cannot, or names a target there is not never loses the
request: the strong target is called, the fault is counted and the reason recorded.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from lc_costkit.errors import ConfigurationError
from lc_costkit.faults import Faults
from lc_costkit.marks import RouteMark
from lc_costkit.routing.policy import Policy, RouteDecision, RouteRequest
from lc_costkit.switch import Mode, checked_mode

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model a target is, as price lists name it; ``None`` where the target does not say."""

    model: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Where a request goes.

    Attributes:
        target: the target to call.
        decision: what the policy decided; names another target than ``target`` in observe mode only.
        observed: the decision was recorded, not acted on.
        seconds: how long the policy took.
    """

    target: str
    decision: RouteDecision
    observed: bool = False
    seconds: float = 0.0


class TargetChooser:
    """Asks a policy, and answers with a target that exists.

    Args:
        targets: names of the targets, cheapest first.
        policy: a ``Policy``, or any function from a ``RouteRequest`` to a name or a ``RouteDecision``.
        strong: the target for whatever the policy cannot decide; by default the one called ``strong``,
            else the last. A policy sees it as the last, whatever the order given.
        mode: ``observe`` calls the strong target every time and records what the policy said.

    Raises:
        ConfigurationError: no targets, an empty name, ``strong`` or a name the policy declares is not
            among them, the policy is not callable, or an unknown mode.

    >>> chooser = TargetChooser(["small", "large"], policy=lambda request: "small")
    >>> chooser.choose(RouteRequest(question="Hello")).target
    'small'
    """

    def __init__(self, targets: Sequence[str], *, policy: Policy, strong: str | None = None, mode: Mode = "on") -> None:
        names = _checked_names(targets)
        if strong is None:
            strong = "strong" if "strong" in names else names[-1]
        if strong not in names:
            raise ConfigurationError(f"strong={strong!r} is not a target; there are {list(names)!r}")
        self.strong = strong
        self.targets = (*(name for name in names if name != strong), strong)
        self.policy = _checked_policy(policy, self.targets)
        self.mode = checked_mode(mode)
        self.faults = Faults(logging.getLogger(__name__))

    def choose(self, source: RouteRequest | Callable[[], RouteRequest]) -> Choice:
        """Ask the policy about a request, or about what ``source()`` reads; never raises."""
        started = time.perf_counter()
        request = self._read(source)
        if isinstance(request, RouteDecision):
            return self._choice((), request, started)
        try:
            answer = self.policy(request)
            if inspect.isawaitable(answer):
                _discard(answer)
                raise TypeError("the policy is asynchronous; call the router with ainvoke or astream")
            decision = self._checked(answer)
        except Exception as error:
            decision = self._strong(error)
        return self._choice(request.notes, decision, started)

    async def achoose(self, source: RouteRequest | Callable[[], RouteRequest]) -> Choice:
        """Do the same, by the policy's ``acall`` if it has one."""
        started = time.perf_counter()
        request = self._read(source)
        if isinstance(request, RouteDecision):
            return self._choice((), request, started)
        try:
            answer = getattr(self.policy, "acall", self.policy)(request)
            decision = self._checked(await answer if inspect.isawaitable(answer) else answer)
        except Exception as error:
            decision = self._strong(error)
        return self._choice(request.notes, decision, started)

    def _read(self, source: RouteRequest | Callable[[], RouteRequest]) -> RouteRequest | RouteDecision:
        """Read the request; what cannot be read goes to the strong target, which will say what it thinks of it."""
        try:
            request = source if isinstance(source, RouteRequest) else source()
        except Exception as error:
            return self._strong(error, "reading the input")
        return request if request.targets else replace(request, targets=self.targets)

    def _checked(self, answer: object) -> RouteDecision:
        decision = RouteDecision(target=answer) if isinstance(answer, str) else answer
        if not isinstance(decision, RouteDecision):
            raise TypeError(f"the policy answered with {type(answer).__name__}, not a target's name or a RouteDecision")
        if decision.target not in self.targets:
            raise LookupError(f"the policy named {decision.target!r}; the targets are {list(self.targets)!r}")
        return decision

    def _strong(self, error: Exception, where: str = "the routing policy") -> RouteDecision:
        advice = f"every such request goes to {self.strong!r}; mend or replace the policy"
        self.faults.record(where, error, advice, may_quote=True)
        return RouteDecision(target=self.strong, reasons=(f"{where} failed ({type(error).__name__})",))

    def _choice(self, notes: tuple[str, ...], decision: RouteDecision, started: float) -> Choice:
        if notes:
            decision = replace(decision, reasons=(*decision.reasons, *notes))
        observed = self.mode == "observe"
        return Choice(
            target=self.strong if observed else decision.target,
            decision=decision,
            observed=observed,
            seconds=time.perf_counter() - started,
        )


def route_mark(choice: Choice, *, strong: str, baseline: ModelIdentity, chosen: ModelIdentity) -> RouteMark:
    """Say what was decided, as the meter reads it.

    Args:
        choice: the decision.
        strong: the strong target.
        baseline: the strong target's model, to price what was saved.
        chosen: the model of the target the policy chose.
    """
    return RouteMark(
        target=choice.target,
        score=choice.decision.score,
        reasons=choice.decision.reasons,
        chosen=choice.decision.target,
        strong=strong,
        baseline_model=baseline.model,
        baseline_provider=baseline.provider,
        chosen_model=chosen.model,
        chosen_provider=chosen.provider,
        observed=choice.observed,
        decision_seconds=choice.seconds,
    )


def named_targets(targets: Mapping[str, T] | Iterable[tuple[str, T]]) -> dict[str, T]:
    """Return targets by name, in order, from a mapping or from pairs.

    Raises:
        ConfigurationError: two pairs have one name, or it is neither a mapping nor pairs.
    """
    try:
        pairs = list(targets.items()) if isinstance(targets, Mapping) else [(name, target) for name, target in targets]
    except (TypeError, ValueError):
        kind = type(targets).__name__
        raise ConfigurationError(f"targets must be a mapping of names to models, or pairs, not {kind}") from None
    named = dict(pairs)
    if len(named) < len(pairs):
        names = [name for name, _ in pairs]
        raise ConfigurationError(f"two targets have one name: {names!r}; give each its own")
    return named


def _checked_names(targets: Sequence[str]) -> tuple[str, ...]:
    if not targets:
        raise ConfigurationError("there are no targets; name at least one, cheapest first")
    for name in targets:
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError(f"a target's name must be a non-empty string, not {name!r}")
    return tuple(targets)


def _checked_policy(policy: Policy, targets: tuple[str, ...]) -> Policy:
    if not callable(policy):
        raise ConfigurationError(f"a policy is called with a RouteRequest; {type(policy).__name__} cannot be called")
    declared = getattr(policy, "targets", None)
    unknown = [name for name in declared or () if name not in targets]
    if unknown:
        raise ConfigurationError(f"the policy names {unknown!r}, which are no targets; there are {list(targets)!r}")
    check = getattr(policy, "check", None)
    if check is not None:
        check(targets)
    return policy


def _discard(answer: Any) -> None:
    close = getattr(answer, "close", None)
    if close is not None:
        close()
