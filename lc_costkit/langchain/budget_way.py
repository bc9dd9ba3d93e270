"""Which way does a LangChain call go that is held to budgets: to its model, to another one, or to none?"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import Runnable

from lc_costkit.budget.claim import Claim
from lc_costkit.budget.gate import CHEAPEST, Admission, Gate
from lc_costkit.errors import BudgetExceeded, shown
from lc_costkit.langchain.budget_claim import read_anyhow, read_call
from lc_costkit.langchain.budget_mark import marked
from lc_costkit.langchain.model_call import ModelCall, Result, as_result
from lc_costkit.langchain.stand_ins import call_to, name_of
from lc_costkit.metering import OpenCall, Outcome
from lc_costkit.threads import in_another_thread, off_loop


@dataclass(slots=True)
class Way:
    """One way to have a call answered.

    Attributes:
        call: what is to be called.
        claim: what the gate sees of it.
        opened: the same for the meter.
        by: who answers in place of the model that was asked; ``None`` for itself.
        admission: what the gate said.
        answer: where no model is to be called.
    """

    call: ModelCall
    claim: Claim
    opened: OpenCall
    by: str | None = None
    admission: Admission | None = None
    answer: Result | None = None

    def settle(self, outcome: Outcome) -> None:
        """Count what the call took."""
        if self.admission is not None:
            self.admission.settle(outcome)

    async def asettle(self, outcome: Outcome) -> None:
        """Count what the call took, without blocking the event loop."""
        if self.admission is not None:
            await self.admission.asettle(outcome)

    def fail(self, error: BaseException, outcome: Outcome) -> None:
        """Count what a call took that raised."""
        if self.admission is None:
            return
        if isinstance(error, BudgetExceeded) and not outcome.billed:
            self.admission.release()  # of another gate further in: the provider was not called
        elif isinstance(error, GeneratorExit):
            in_another_thread(self.admission.settle, outcome)
        else:
            self.admission.settle(outcome)

    async def afail(self, error: BaseException, outcome: Outcome) -> None:
        """Count what a call took that raised, without blocking the event loop."""
        if self.admission is None:
            return
        if isinstance(error, BudgetExceeded) and not outcome.billed:
            await off_loop(self.admission.release)
        else:
            await self.admission.asettle(outcome)


class Ways:
    """Asks a gate which way calls may go.

    Args:
        gate: what holds the budgets.
        cheapest: the model calls are sent to where a budget says so.
    """

    def __init__(self, gate: Gate, cheapest: Runnable[Any, Any] | None) -> None:
        self.gate = gate
        self.cheapest = cheapest

    def find(self, call: ModelCall) -> Way:
        """Return the way a call may go.

        Raises:
            BudgetExceeded: there is none.
        """
        way = self._read(call)
        other = self._other(way, self.gate.admit(way.claim, way.opened))
        return way if other is None else self._last(other, self.gate.admit(other.claim, other.opened, cheapest=True))

    async def afind(self, call: ModelCall) -> Way:
        """Do what ``find`` does without blocking the event loop."""
        way = self._read(call)
        other = self._other(way, await self.gate.aadmit(way.claim, way.opened))
        if other is None:
            return way
        return self._last(other, await self.gate.aadmit(other.claim, other.opened, cheapest=True))

    def _read(self, call: ModelCall, *, by: str | None = None) -> Way:
        try:
            claim, opened = read_call(call)
        except Exception as error:
            self.gate.faults.record("reading the call", error, "its bytes are taken for tokens; report it")
            claim, opened = read_anyhow(call)
        return Way(call, claim, opened, by)

    def _other(self, way: Way, admission: Admission) -> Way | None:
        """Return the other way that a call is to go; ``None`` where this one is it, or was answered."""
        way.admission, instead = admission, admission.instead
        model = self.cheapest if instead is CHEAPEST else instead
        if not isinstance(model, Runnable):
            if instead is not None:
                way.answer = _answered(instead, way.call)
            return None
        try:
            return self._read(call_to(model, way.call, within=self.gate), by=name_of(model))
        except Exception as error:
            raise BudgetExceeded(
                f"a budget does not allow the call, and it cannot go to {shown(model)} instead: {error}"
            ) from error

    def _last(self, way: Way, admission: Admission) -> Way:
        if admission.instead is CHEAPEST or isinstance(admission.instead, Runnable):
            raise BudgetExceeded(f"a budget does not allow {way.by} either, which its on_exceeded chose")
        self._other(way, admission)
        return way


def _answered(answer: object, call: ModelCall) -> Result:
    """Return what a function of a budget answered as the model's answer."""
    if inspect.iscoroutine(answer):
        answer.close()  # nobody will await it
    try:
        return marked(as_result(answer, call), "on_exceeded")
    except TypeError as error:
        raise BudgetExceeded(f"a budget does not allow the call, and its on_exceeded is of no use: {error}") from error
