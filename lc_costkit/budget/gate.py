"""May this call be made, and what did it take in the end?"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from lc_costkit.budget.book import book_of
from lc_costkit.budget.budget import Budget
from lc_costkit.budget.ceiling import Ceiling, ceiling_of
from lc_costkit.budget.claim import Claim
from lc_costkit.budget.counting import Ended, counted
from lc_costkit.budget.limits import Limits, checked
from lc_costkit.budget.messages import refusal, unavailable, unpriced
from lc_costkit.budget.parting import limit_units, part_of
from lc_costkit.budget.parts import Part, Refused, Reserved
from lc_costkit.budget.rate_limit import comes_back, pause_seconds
from lc_costkit.errors import BudgetExceeded, BudgetUnavailable, StoreError
from lc_costkit.faults import Faults
from lc_costkit.ledger import Ledger
from lc_costkit.metering import Meter, OpenCall, Outcome
from lc_costkit.pricing import PriceBook
from lc_costkit.threads import to_its_end

_logger = logging.getLogger(__name__)


class _Cheapest:
    def __repr__(self) -> str:
        return "CHEAPEST"


CHEAPEST: Final = _Cheapest()
"""What ``Admission.instead`` says where the call is to go to the cheapest model."""

_CLOCK_SLACK_SECONDS = 60.0
"""Clocks are set by fractions of a second every day; more than this backwards is told."""


_EASIER = {"cheapest": 1, "wait": 2}
"""Of several budgets that refuse a call the hardest decides: it raises, or asks a function of the application's."""


@dataclass(slots=True)
class _Plan:
    """What one call asks of the budgets it is for."""

    claim: Claim
    call: OpenCall
    cheapest: bool
    budgets: tuple[Budget, ...]
    scopes: tuple[dict[str, str], ...]
    reservation: str = field(default_factory=lambda: uuid.uuid4().hex)
    counted: bool = False
    parts: tuple[Part, ...] = ()
    ceiling: Ceiling | None = None
    began: float = field(default_factory=time.monotonic)
    asked: float = field(default_factory=time.monotonic)
    polls: int = 0


@dataclass(frozen=True, slots=True)
class _Wait:
    """It does not fit now, and may later."""

    seconds: float


class Admission:
    """A call that may be made, or what is to be done instead. Made by ``Gate.admit``.

    Attributes:
        instead: ``None``: make the call, and settle it. ``CHEAPEST``: make it with the cheapest model, which
            asks for an admission of its own. Anything else: what a budget's ``on_exceeded`` returned.
        ceiling: the most the call can take; ``None`` where no budget is for it.
    """

    def __init__(self, gate: Gate, plan: _Plan, *, instead: object = None) -> None:
        self._gate = gate
        self._plan = plan
        self._open = instead is None and bool(plan.parts)
        self.instead = instead
        self.ceiling = plan.ceiling

    def settle(self, outcome: Outcome) -> None:
        """Count what the call took, however it ended. Never raises; a second time does nothing."""
        if self._open:
            self._open = False
            self._gate._settle(self._plan, outcome)

    async def asettle(self, outcome: Outcome) -> None:
        """Do what ``settle`` does without blocking the event loop, to its end even if the task is cancelled."""
        if self._open:
            await to_its_end(self.settle, outcome)

    def release(self) -> None:
        """Give back what was reserved: the provider was not called after all. Never raises."""
        if self._open:
            self._open = False
            self._gate._book.release(self._plan.reservation)


class Gate:
    """Holds calls to budgets: reserves the most each can take, settles what it took.

    Everything a call asks of several budgets is reserved in one transaction, or nothing is. The only error that
    leaves it is ``BudgetExceeded``.

    Args:
        budgets: one or several ``Budget`` or ``RateLimit``.
        ledger: beside whose calls the accounts are kept.
        prices: how calls are priced; the public price list by default.
        can_degrade: whether there is a cheapest model to send calls to.
        clock: gives the seconds since 1970 by which windows are told.

    Raises:
        ConfigurationError: no budget, something that is none, two that contradict each other, or one that wants
            the cheapest model where there is none.
        StoreError: the store cannot be opened, or a newer version wrote it.
    """

    def __init__(
        self,
        budgets: Limits,
        ledger: Ledger,
        *,
        prices: PriceBook | None = None,
        can_degrade: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._meter = Meter(ledger, prices=prices)
        self.ledger = ledger
        self.prices = self._meter.prices
        self.budgets = checked(budgets, can_degrade=can_degrade)
        self.can_degrade = can_degrade
        self.faults = Faults(_logger)
        self._book = book_of(ledger)
        self._limits = {budget.key: limit_units(budget) for budget in self.budgets}
        self._clock = clock
        self._latest = 0.0
        for budget in self.budgets:
            budget.bind(ledger)
            self._book.accounts.register(
                budget.key,
                name=budget.name,
                unit=budget.unit,
                limit_units=self._limits[budget.key],
                per=budget.per,
                time_zone=str(budget.zone),
                scope=budget.scope,
                soft=budget.soft,
                mode="wait" if budget.on_exceeded == "wait" and budget.mode == "on" else budget.mode,
            )

    def admit(self, claim: Claim, call: OpenCall, *, cheapest: bool = False) -> Admission:
        """Reserve for a call, or refuse it; waits where a rate limit says so.

        Args:
            claim: what is known of it.
            call: as it was opened; its start decides which prices hold.
            cheapest: it goes to the cheapest model already.

        Raises:
            BudgetExceeded: a budget does not allow it; ``BudgetUnavailable`` where that cannot be found out.
        """
        plan = self._plan(claim, call, cheapest=cheapest)
        while isinstance(answer := self._attempt(plan), _Wait):
            time.sleep(answer.seconds)
            plan.asked = time.monotonic()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def aadmit(self, claim: Claim, call: OpenCall, *, cheapest: bool = False) -> Admission:
        """Do what ``admit`` does without blocking the event loop.

        A task that is cancelled while its reservation is made gives it back.
        """
        plan = self._plan(claim, call, cheapest=cheapest)
        while True:
            attempt = _Attempt(lambda: self._attempt(plan))
            try:
                answer = await to_its_end(attempt.make)
            except asyncio.CancelledError:
                attempt.leave()
                raise
            if isinstance(answer, _Wait):
                await asyncio.sleep(answer.seconds)
                plan.asked = time.monotonic()
            elif isinstance(answer, BaseException):
                raise answer
            else:
                return answer

    def _plan(self, claim: Claim, call: OpenCall, *, cheapest: bool) -> _Plan:
        known = {**claim.metadata, "model": claim.model, "provider": claim.provider}
        found = [(budget, values) for budget in self.budgets if (values := budget.scope_values(known)) is not None]
        return _Plan(
            claim=claim,
            call=call,
            cheapest=cheapest,
            budgets=tuple(budget for budget, _ in found),
            scopes=tuple(values for _, values in found),
        )

    def _attempt(self, plan: _Plan) -> Admission | _Wait | BaseException:
        """Try once. What is to be raised is returned, so that an error of the thread's is not taken for it."""
        if not plan.budgets:
            return Admission(self, plan)
        try:
            return self._reserve(plan)
        except Exception as error:
            self.faults.record("admitting a call", error, "report it with the traceback, which is logged at DEBUG")
            if all(budget.fail == "open" or budget.mode == "observe" for budget in plan.budgets):
                return Admission(self, plan)
            return BudgetUnavailable(unavailable(plan.budgets[0], error), budget=plan.budgets[0].name)

    def _reserve(self, plan: _Plan) -> Admission | _Wait | BaseException:
        ceiling = self._ceiling(plan)
        if ceiling.usd is None:
            for budget in plan.budgets:
                if budget.unit == "usd" and budget.mode == "on" and not budget.allow_unpriced:
                    return self._react(plan, budget, unpriced(budget, plan.claim))
        self._draw_up(plan, ceiling)
        closed = [budget for budget in plan.budgets if budget.fail == "closed" and budget.mode == "on"]
        if not closed and self._book.resting:
            return Admission(self, plan)
        if closed and self._book.failed_since(plan.asked):
            # Else tasks that waited for a thread would each wait for the store again, one after the other.
            error = StoreError("its store could not be used while this call waited for it")
            return BudgetUnavailable(unavailable(closed[0], error), budget=closed[0].name)
        try:
            answer = self._book.reserve(
                plan.reservation, plan.parts, leases=[budget.lease_seconds for budget in plan.budgets]
            )
        except StoreError as error:
            if closed:
                return BudgetUnavailable(unavailable(closed[0], error), budget=closed[0].name)
            self.faults.record("reserving", error, "the call went on, as fail='open' says, and is counted later")
            return Admission(self, plan)
        if isinstance(answer, Refused):
            return self._refused(plan, answer)
        return self._past_soft(plan, answer) or Admission(self, plan)

    def _refused(self, plan: _Plan, refused: Refused) -> Admission | _Wait | BaseException:
        if not plan.counted:
            plan.counted = True  # so far its bytes were taken for tokens, which is quick, and more than it takes
            return self._reserve(plan)
        places = {part.account: place for place, part in enumerate(plan.parts)}
        found = [(places[one.part.account], one) for one in (refused, *refused.others)]
        # A call does not wait, and goes to no other model, for what another budget refuses in the end.
        place, one = min(found, key=lambda each: _easiness(plan.budgets[each[0]]))
        budget = plan.budgets[place]
        error = refusal(budget, plan.scopes[place], one, plan.ceiling)
        if budget.on_exceeded == "wait":
            left = budget.max_wait_seconds - (time.monotonic() - plan.began)
            if left > 0 and comes_back(one, within=left, now=self._now()):
                plan.polls += 1
                return _Wait(min(pause_seconds(plan.polls), left))
            return error
        return self._react(plan, budget, error)

    def _react(self, plan: _Plan, budget: Budget, error: BudgetExceeded) -> Admission | BaseException:
        # A call that does not fit would take the budget past its soft limit, too.
        if "cheapest" in (budget.on_exceeded, budget.on_soft) and not plan.cheapest:
            return Admission(self, plan, instead=CHEAPEST)
        if callable(budget.on_exceeded):
            try:
                instead = budget.on_exceeded(error)
            except Exception as raised:
                return raised
            if instead is not None:
                return Admission(self, plan, instead=instead)
        return error

    def _past_soft(self, plan: _Plan, reserved: Reserved) -> Admission | None:
        if plan.cheapest:
            return None
        for budget, part, balance in zip(plan.budgets, plan.parts, reserved.balances, strict=True):
            wants = budget.on_soft == "cheapest" and budget.mode == "on"
            if wants and part.soft is not None and balance.spent >= part.soft:
                self._book.release(plan.reservation)
                return Admission(self, plan, instead=CHEAPEST)
        return None

    def _ceiling(self, plan: _Plan) -> Ceiling:
        if plan.ceiling is None or plan.ceiling.counted != plan.counted:
            plan.ceiling = ceiling_of(plan.claim, self.prices, counted=plan.counted, at=plan.call.started_at)
        return plan.ceiling

    def _draw_up(self, plan: _Plan, ceiling: Ceiling) -> None:
        asked: dict[str, Decimal | int] = {
            "usd": ceiling.usd if ceiling.usd is not None else Decimal(0),
            "tokens": ceiling.tokens,
            "calls": 1,
        }
        now = self._now()
        plan.parts = tuple(
            part_of(budget, values, budget.in_units(asked[budget.unit]), self._limits[budget.key], now)
            for budget, values in zip(plan.budgets, plan.scopes, strict=True)
        )

    def _now(self) -> float:
        now = self._clock()
        if now < self._latest - _CLOCK_SLACK_SECONDS:
            error = BudgetUnavailable(f"the clock went back {self._latest - now:.0f} seconds")
            self.faults.record("the clock", error, "windows follow it; what was spent in each of them stays counted")
            self._latest = now
        self._latest = max(self._latest, now)
        return now

    def _settle(self, plan: _Plan, outcome: Outcome) -> None:
        try:
            reading, cost = self._meter.charge(plan.call, outcome)
            ended = Ended(plan.claim, outcome, reading, cost, plan.call.started_at)
            amounts = counted(plan.budgets, plan.parts, ended, self.prices)
        except Exception as error:
            self.faults.record("pricing a call", error, "it is counted at the most that it can have taken")
            amounts = [part.amount for part in plan.parts]
        settled = self._book.settle(plan.reservation, plan.parts, amounts)
        if settled is not None and any(settled.crossed):
            for budget, crossed in zip(plan.budgets, settled.crossed, strict=True):
                if crossed:
                    self._warn(budget)

    def _warn(self, budget: Budget) -> None:
        try:
            status = budget.status(self.ledger)
            _logger.warning("lc_costkit: %s", status)
            if callable(budget.on_soft):
                budget.on_soft(status)
        except Exception as error:
            self.faults.record("on_soft", error, "the call is counted; mend the callback")


def _easiness(budget: Budget) -> int:
    return _EASIER.get(budget.on_exceeded, 0) if isinstance(budget.on_exceeded, str) else 0


class _Attempt:
    """A try on another thread, whose reservation goes back if nobody waits for it any more."""

    def __init__(self, make: Callable[[], Admission | _Wait | BaseException]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._answer: object = None

    def make(self) -> Admission | _Wait | BaseException:
        if self._left.is_set():
            return asyncio.CancelledError()
        answer = self._make()
        with self._lock:
            self._answer = answer
        if self._left.is_set() and isinstance(answer, Admission):
            answer.release()
        return answer

    def leave(self) -> None:
        with self._lock:
            self._left.set()
            answer = self._answer
        if isinstance(answer, Admission):
            try:
                asyncio.get_running_loop().run_in_executor(None, answer.release)
            except RuntimeError:
                answer.release()
