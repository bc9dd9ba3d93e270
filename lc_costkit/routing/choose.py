"""Which target is called, whatever the policy does?

A policy that raises, waits where it cannot, or names a target there is not never loses the
request: the strong target is called, the fault is counted and the reason recorded.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from lc_costkit.errors import ConfigurationError
from lc_costkit.faults import Faults
from lc_costkit.marks import ROUTE_KEY, RouteMark
from lc_costkit.routing.able import surely_missing_at
from lc_costkit.routing.around import ask, ask_async, check_policy
from lc_costkit.routing.conversations import Conversations, Seen
from lc_costkit.routing.leaving import leaves_graph
from lc_costkit.routing.policy import Conversation, Policy, RouteDecision, RouteRequest
from lc_costkit.routing.price_order import warn_if_dear_first
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.switch import Mode, checked_mode

T = TypeVar("T")

_LONGEST_MESSAGE = 300
"""Characters of an error's message in an explanation: its first lines."""

OnError = Literal["raise", "next"]
"""What happens when a target fails: the error is raised, or another target is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Where a request goes.

    Attributes:
        target: the target to call.
        decision: what the policy decided; names another target than ``target`` in observe mode only.
        observed: the decision was recorded, not acted on.
        seconds: how long the policy took.
        conversation: where the request's conversation stood before.
        seen: what is remembered of the request; ``None`` where it is not to be.
        attempt: which try at the request this is, from 1.
        cache_marked: the request asks the provider to cache parts of it.
    """

    target: str
    decision: RouteDecision
    observed: bool = False
    seconds: float = 0.0
    conversation: Conversation | None = None
    seen: Seen | None = field(default=None, repr=False, compare=False)
    attempt: int = 1
    cache_marked: bool = False

    @property
    def warm(self) -> float:
        """Part of the request that the strong target would have read from its provider's cache, 0 to 1."""
        if self.seen is not None:
            return self.seen.warm
        return self.conversation.warm if self.conversation is not None else 0.0

    def warm_at(self, target: str) -> float:
        """Return the part of the request that a target's provider may have in its cache, 0 to 1."""
        known = self.seen if self.seen is not None else self.conversation
        return known.warm_at.get(target, 0.0) if known is not None else 0.0


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
        self.conversations = Conversations()

    def choose(self, source: RouteRequest | Callable[[], RouteRequest], *, remember: bool = True) -> Choice:
        """Ask the policy about a request, or about what ``source()`` reads; raises nothing but an interrupt of a graph.

        Args:
            source: the request, or what reads it.
            remember: the choice is acted on: the conversation goes on from it. Otherwise it is only explained.
        """
        started = time.perf_counter()
        request, seen, decision = self._settled(source, explained=not remember)
        if decision is None:
            try:
                decision = self._able(request, seen, self._checked(ask(self.policy, request)))
            except Exception as error:
                if leaves_graph(error):
                    raise
                decision = self._strong(error, explained=not remember)
        return self._choice(request, seen if remember else None, decision, started)

    async def achoose(self, source: RouteRequest | Callable[[], RouteRequest], *, remember: bool = True) -> Choice:
        """Do the same, by the policy's ``acall`` if it has one."""
        started = time.perf_counter()
        request, seen, decision = self._settled(source, explained=not remember)
        if decision is None:
            try:
                decision = self._able(request, seen, self._checked(await ask_async(self.policy, request)))
            except Exception as error:
                if leaves_graph(error):
                    raise
                decision = self._strong(error, explained=not remember)
        return self._choice(request, seen if remember else None, decision, started)

    def instead(self, choice: Choice, failed: Sequence[str], error: BaseException) -> Choice | None:
        """Return where a request goes after targets failed: the next dearer one, else the next cheaper, of those the
        policy finds fit before the others; ``None`` if there is none left.

        Args:
            choice: the first.
            failed: the targets that were called, ``choice.target`` first.
            error: of the last.
        """
        place = self.targets.index(failed[0])
        left = [name for name in (*self.targets[place + 1 :], *self.targets[:place][::-1]) if name not in failed]
        if not left:
            return None
        left.sort(key=choice.decision.unfit.__contains__)
        # An answer that did not fit a schema is quoted in the error.
        self.faults.record(f"target {failed[-1]!r}", error, f"{left[0]!r} was asked instead", may_quote=True)
        reason = f"{failed[-1]} failed ({type(error).__name__})"
        reasons = (reason, *choice.decision.reasons)
        decision = replace(choice.decision, target=left[0], reasons=reasons, expected_cost=None)
        if choice.seen is not None and not choice.observed:
            self.conversations.instead(choice.seen, left[0])
        return replace(choice, target=left[0], decision=decision, attempt=len(failed) + 1)

    def check_models(self, models: Mapping[str, TargetModel]) -> None:
        """Raise ``ConfigurationError`` if the policy cannot choose among these; warn if the first is the dearer one."""
        check = getattr(self.policy, "check_models", None)
        if check is not None:
            check(models)
        first, last = self.targets[0], self.targets[-1]
        warn_if_dear_first(first, models.get(first, TargetModel()), last, models.get(last, TargetModel()))

    def _settled(
        self, source: RouteRequest | Callable[[], RouteRequest], *, explained: bool
    ) -> tuple[RouteRequest, Seen | None, RouteDecision | None]:
        """Read the request, and decide what needs no policy.

        What cannot be read goes to the strong target, which will say what it thinks of it.
        """
        try:
            request = source if isinstance(source, RouteRequest) else source()
        except Exception as error:
            return RouteRequest(question=""), None, self._strong(error, "reading the input", explained=explained)
        request = replace(request, targets=request.targets or self.targets, explained=explained)
        seen = self.conversations.look(request)
        request = replace(request, conversation=request.conversation or seen.conversation)
        name = request.metadata.get(ROUTE_KEY)
        if not isinstance(name, str):
            return request, seen, None
        if name in self.targets:
            return request, seen, RouteDecision(target=name, reasons=("the caller's metadata says so",))
        # The application may have a key of this name for itself.
        unknown = LookupError(f"it is {name[:40]!r}, and the targets are {list(self.targets)!r}")
        advice = "the policy decides; name a target there, or give the key another name if it is your own"
        self.faults.record('reading metadata["route"]', unknown, advice)
        return request, seen, None

    def _checked(self, decision: RouteDecision) -> RouteDecision:
        if decision.target not in self.targets:
            raise LookupError(f"the policy named {decision.target!r}; the targets are {list(self.targets)!r}")
        if decision.fault:
            advice = "if it goes on, what the policy asks is paid for in vain: mend or replace that part"
            self.faults.record("part of the routing policy", LookupError(decision.fault), advice)
        return decision

    def _able(self, request: RouteRequest, seen: Seen | None, decision: RouteDecision) -> RouteDecision:
        """Return the decision, or the next dearer target's where the model's profile says that it cannot do it."""
        tokens = seen.tokens[-1] if seen is not None else 0
        missing = {name: surely_missing_at(name, request, tokens=tokens) for name in self.targets}
        unable = [name for name in self.targets if missing[name]]
        if not unable or len(unable) == len(self.targets):
            return decision
        decision = replace(decision, unfit=tuple(dict.fromkeys((*decision.unfit, *unable))))
        if not missing[decision.target]:
            return decision
        place = self.targets.index(decision.target)
        others = (*self.targets[place + 1 :], *self.targets[:place][::-1])
        able = next(name for name in others if not missing[name])
        reasons = (f"{decision.target} cannot do it: {missing[decision.target]}", *decision.reasons)
        return replace(decision, target=able, reasons=reasons, expected_cost=None)

    def _strong(self, error: Exception, where: str = "the routing policy", *, explained: bool = False) -> RouteDecision:
        advice = f"every such request goes to {self.strong!r}; mend or replace the policy"
        self.faults.record(where, error, advice, may_quote=True)
        # Reasons are stored, and a message may hold the user's text; an explanation is for who wrote the policy.
        told = type(error).__name__ + (f": {str(error)[:_LONGEST_MESSAGE]}" if explained else "")
        return RouteDecision(target=self.strong, reasons=(f"{where} failed ({told})",))

    def _choice(self, request: RouteRequest, seen: Seen | None, decision: RouteDecision, started: float) -> Choice:
        if request.notes:
            decision = replace(decision, reasons=(*decision.reasons, *request.notes))
        observed = self.mode == "observe"
        target = self.strong if observed else decision.target
        if seen is not None:
            # In observe mode too, where the conversation would stand: a policy is to be seen as it would be.
            self.conversations.note(seen, decision.target, waited_usd=decision.waited_usd)
        return Choice(
            target=target,
            decision=decision,
            observed=observed,
            seconds=time.perf_counter() - started,
            conversation=request.conversation,
            seen=seen,
            cache_marked=request.cache_marked,
        )


def route_mark(choice: Choice, *, strong: str, baseline: TargetModel, chosen: TargetModel) -> RouteMark:
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
        # Another target than the strong one is called in observe mode where that failed: this is acted on.
        observed=choice.observed and choice.target == strong,
        decision_seconds=choice.seconds,
        attempt=choice.attempt,
        warm=choice.warm,
        kept=choice.warm_at(strong),
        before=choice.conversation.target if choice.conversation is not None else None,
        cache_marked=choice.cache_marked,
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
        raise ConfigurationError(
            f"targets must be a mapping of names to models, or pairs, not {kind}; "
            'write {"cheap": ..., "strong": ...}, the cheapest first'
        ) from None
    named = dict(pairs)
    if len(named) < len(pairs):
        names = [name for name, _ in pairs]
        raise ConfigurationError(f"two targets have one name: {names!r}; give each its own")
    return named


def checked_on_error(on_error: str) -> OnError:
    """Return ``on_error`` if it is one.

    Raises:
        ConfigurationError: it is neither ``raise`` nor ``next``.
    """
    if on_error == "raise":
        return "raise"
    if on_error == "next":
        return "next"
    raise ConfigurationError(f"on_error must be 'raise' or 'next', not {on_error!r}")


def _checked_names(targets: Sequence[str]) -> tuple[str, ...]:
    if not targets:
        raise ConfigurationError("there are no targets; name at least one, cheapest first")
    for name in targets:
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError(f"a target's name must be a non-empty string, not {name!r}")
    return tuple(targets)


def _checked_policy(policy: Policy, targets: tuple[str, ...]) -> Policy:
    check_policy(policy)
    declared = getattr(policy, "targets", None)
    unknown = [name for name in declared or () if name not in targets]
    if unknown:
        raise ConfigurationError(f"the policy names {unknown!r}, which are no targets; there are {list(targets)!r}")
    check = getattr(policy, "check", None)
    if check is not None:
        check(targets)
    return policy
