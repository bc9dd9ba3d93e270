"""Where does one request go next, after what its targets have said so far?"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lc_costkit.errors import BudgetExceeded
from lc_costkit.marks import ROUTE_KEY
from lc_costkit.routing.answer import Answer, Check, Verdict
from lc_costkit.routing.attempts import Attempt, Draw, Examine, Settled, Step, Tried, Try, Unreadable
from lc_costkit.routing.choose import Choice
from lc_costkit.routing.leaving import leaves_graph
from lc_costkit.routing.next_cost import next_cost
from lc_costkit.routing.policy import RouteRequest

if TYPE_CHECKING:
    from lc_costkit.routing.escalation import Escalation

Run = Generator[Step, Any, Settled]


@dataclass(slots=True)
class Course:
    """One request's way through the targets of an escalation. Not frozen: it gets on.

    Attributes:
        plan: the escalation.
        request: what is asked.
        choice: where to begin, and why.
        unchecked: whatever is answered is accepted.
        told_spent: what all calls have cost so far (USD), if somebody counts.
    """

    plan: Escalation
    request: RouteRequest
    choice: Choice
    unchecked: bool
    told_spent: Callable[[], Decimal | None] | None
    _started: float = field(default_factory=time.monotonic)
    _began: float = 0.0
    _spent: Decimal | None = Decimal(0)
    _spent_before: Decimal | None = Decimal(0)
    _rejected: int = 0
    _draft: Tried | None = None
    _drafted_by: str = ""
    _skipped: str | None = None
    _reasons: tuple[str, ...] = ()
    _attempts: list[Attempt] = field(default_factory=list)

    def run(self) -> Run:
        """Yield steps until the request is settled."""
        names = self.plan.targets
        left = () if self.unchecked else names[names.index(self.choice.target) + 1 :]
        left = tuple(name for name in left if name not in self.choice.decision.unfit) or left
        target = self.choice.target
        while True:
            live = self.unchecked or not left
            self._began, self._spent_before, self._skipped = time.monotonic(), self._spent, None
            try:
                tried = yield self._try(target, live=live)
            except Exception as error:
                left = self._left_after(target, left, error)
                stopped = self._limit(left[0], self._draft) if left else self._reasons[0]
                # A draft that nobody can be given is no better than the error of who was asked after it.
                if not left and (self._draft is None or self._draft.fault):
                    if isinstance(error, Unreadable) and error.__cause__ is not None:
                        raise error.__cause__ from error.__cause__.__cause__
                    raise
            else:
                self._pay(tried.usd)
                if live:
                    self._note(target, passed=None)
                    return self._settled(target, tried)
                reason = tried.fault or (yield from self._examined(target, tried, left[0]))
                if reason is None:
                    self._note(target, passed=None if self._skipped else True)
                    return self._settled(target, tried, self._skipped)
                self._note(target, passed=False, reasons=(reason,))
                self._throw_away(target, tried, reason)
                stopped = self._limit(left[0], self._draft)
            if stopped is not None and self._draft is not None:
                return self._settled(self._drafted_by, self._draft, stopped)
            target, left = left[0], left[1:]

    def _try(self, target: str, *, live: bool) -> Try:
        shown = self._draft.answer if self._draft is not None and self.plan.pass_draft else None
        return Try(
            target=target,
            attempt=len(self._attempts) + 1,
            rejected=self._rejected,
            live=live,
            draft=shown,
            reasons=(*self._reasons, *self.choice.decision.reasons),
            attempts=tuple(self._attempts),
        )

    def _left_after(self, target: str, left: tuple[str, ...], error: Exception) -> tuple[str, ...]:
        """Return the targets that are left after one failed: for want of dearer ones, the cheaper, if nobody has
        answered yet.

        Raises:
            Exception: the error, if it is to be raised.
        """
        kind = type(error.__cause__ if isinstance(error, Unreadable) else error).__name__
        self._note(target, passed=None, error=kind)
        if isinstance(error, BudgetExceeded) or leaves_graph(error):
            raise error
        if not isinstance(error, Unreadable):
            if self.plan.on_error == "raise":
                raise error
            self._fault(f"target {target!r}", error, "another target was asked, or a draft was given")
        self._reasons = (f"{target} failed ({kind})", *self._reasons)
        if left or self._draft is not None or self.request.metadata.get(ROUTE_KEY) == self.choice.target:
            return left
        self.unchecked = True
        tried = {one.target for one in self._attempts}
        return tuple(name for name in reversed(self.plan.targets) if name not in tried)

    def _examined(self, target: str, tried: Tried, following: str) -> Generator[Step, Any, str | None]:
        """Ask the checks; return why the answer is not good enough."""
        answer = replace(tried.answer, target=target)
        for check in self.plan.checks:
            waits = bool(getattr(check, "samples", 0)) or hasattr(check, "acall")
            # What costs something is not asked about an answer that nothing can replace any more.
            if waits and (stopped := self._limit(following, tried)) is not None:
                self._skipped = stopped
                continue
            name = check_name(check)
            try:
                verdict = yield from self._verdict(check, target, answer)
                if not isinstance(verdict, Verdict):
                    raise TypeError(f"check {name} answered with {type(verdict).__name__}, not a Verdict")
            except Exception as error:
                if isinstance(error, BudgetExceeded) or leaves_graph(error):
                    raise
                self._fault(f"check {name}", error, "the answers it should look at are thrown away; mend or replace it")
                return f"check {name} failed ({type(error).__name__})"
            if not verdict.passed:
                return verdict.reason or f"check {name} says no"
        return None

    def _verdict(self, check: Check, target: str, answer: Answer) -> Generator[Step, Any, object]:
        samples = getattr(check, "samples", 0)
        if samples:
            attempt = len(self._attempts) + 1
            drawn = yield Draw(target=target, samples=samples, attempt=attempt, rejected=self._rejected)
            self._pay(drawn.usd)
            answer = replace(answer, samples=tuple(one.text for one in drawn.answers))
        return (yield Examine(check=check, request=self.request, answer=answer))

    def _throw_away(self, target: str, tried: Tried, reason: str) -> None:
        self._rejected += 1
        self._reasons = (f"{target} was not good enough: {reason}", *self._reasons)
        # One that nobody can be given is kept only for want of another.
        if self._draft is None or self._draft.fault or not tried.fault:
            self._draft, self._drafted_by = tried, target

    def _limit(self, following: str, answered: Tried | None) -> str | None:
        """Say why no further target is asked; ``None`` if it may be, or if there is no answer yet."""
        if answered is None:
            return None
        seconds = self.plan.max_seconds
        if seconds is not None and time.monotonic() - self._started >= seconds:
            return f"the limit of {seconds:g} s is reached"
        if self.plan.max_usd is None:
            return None
        more = next_cost(
            self.request,
            following,
            draft=answered.answer,
            prices=self.plan.prices,
            shown=self.plan.pass_draft,
        )
        spent = self.told_spent() if self.told_spent is not None else self._spent
        if spent is None or more is None:
            what = "what the calls so far have cost" if spent is None else f"what {following!r} costs"
            unknown = LookupError(f"{what} is not known")
            self._fault("keeping max_usd", unknown, "pass prices=PriceBook(overrides=...)")
        if (spent or 0) + (more or 0) > self.plan.max_usd:
            return f"{following} would take it past {self.plan.max_usd} USD"
        return None

    def _pay(self, usd: Decimal | None) -> None:
        self._spent = None if self._spent is None or usd is None else self._spent + usd

    def _note(
        self, target: str, *, passed: bool | None, reasons: tuple[str, ...] = (), error: str | None = None
    ) -> None:
        before, after = self._spent_before, self._spent
        self._attempts.append(
            Attempt(
                target=target,
                passed=passed,
                reasons=reasons,
                seconds=time.monotonic() - self._began,
                error=error,
                usd=None if before is None or after is None or error is not None else after - before,
            )
        )

    def _settled(self, target: str, tried: Tried, stopped: str | None = None) -> Settled:
        return Settled(
            output=tried.output,
            answer=replace(tried.answer, target=target),
            target=target,
            attempts=tuple(self._attempts),
            stopped=stopped,
            reasons=(*self._reasons, *self.choice.decision.reasons),
            score=self.choice.decision.score,
            observed=self.choice.observed,
        )

    def _fault(self, where: str, error: Exception, advice: str) -> None:
        self.plan.faults.record(where, error, advice, may_quote=True)


def check_name(check: object) -> str:
    """Return what a check is called."""
    return str(getattr(check, "__name__", None) or type(check).__name__)
