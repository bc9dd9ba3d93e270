"""What happens before and after each call of a LangChain model that is held to budgets?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import Runnable

from lc_costkit.budget.claim import Claim
from lc_costkit.budget.gate import CHEAPEST, Admission, Gate
from lc_costkit.errors import BudgetExceeded
from lc_costkit.langchain.budget_claim import read_anyhow, read_call
from lc_costkit.langchain.budget_mark import marked, marked_chunk
from lc_costkit.langchain.budget_outcome import Came, ended, failed
from lc_costkit.langchain.budget_retry import within_budget
from lc_costkit.langchain.model_call import Chunk, ModelCall, Result, as_chunk, as_result
from lc_costkit.langchain.stand_ins import call_to, name_of, parsed_chunk, with_parsed
from lc_costkit.metering import OpenCall, Outcome
from lc_costkit.streams import aclosing, closing
from lc_costkit.switch import disabled
from lc_costkit.threads import off_loop


@dataclass(slots=True)
class _Way:
    """One way to have a call answered: by the model that was asked, by another one, or without any."""

    call: ModelCall
    claim: Claim
    opened: OpenCall
    by: str | None = None
    admission: Admission | None = None
    answer: Result | None = None

    def settle(self, outcome: Outcome) -> None:
        if self.admission is not None:
            self.admission.settle(outcome)

    async def asettle(self, outcome: Outcome) -> None:
        if self.admission is not None:
            await self.admission.asettle(outcome)

    def fail(self, error: BaseException, outcome: Outcome) -> None:
        if isinstance(error, BudgetExceeded) and self.admission is not None:
            self.admission.release()  # of another gate further in: the provider was not called
        self.settle(outcome)

    async def afail(self, error: BaseException, outcome: Outcome) -> None:
        if isinstance(error, BudgetExceeded) and self.admission is not None:
            await off_loop(self.admission.release)
        await self.asettle(outcome)


class BudgetGuard:
    """Asks a gate before each call, and settles with it what the call took, however it ends.

    Args:
        gate: what holds the budgets.
        cheapest: the model calls are sent to where a budget says so.
    """

    def __init__(self, gate: Gate, cheapest: Runnable[Any, Any] | None = None) -> None:
        self.gate = gate
        self.cheapest = cheapest

    def __repr__(self) -> str:
        return f"budgeted by {', '.join(map(repr, self.gate.budgets))}"

    def retried(self, retry: Any) -> Any:
        """Take refusals out of what is tried again."""
        return within_budget(retry)

    def generate(self, call: ModelCall) -> Result:
        """Answer a call within the budgets."""
        if disabled():
            return call.generate()
        way = self._way(call)
        if way.answer is not None:
            return way.answer
        try:
            result = way.call.generate()
        except BaseException as error:
            way.fail(error, failed(error, way.opened))
            raise
        way.settle(ended(result, way.opened))
        return result if way.by is None else marked(with_parsed(result, call), way.by)

    async def agenerate(self, call: ModelCall) -> Result:
        """Answer a call within the budgets."""
        if disabled():
            return await call.agenerate()
        way = await self._away(call)
        if way.answer is not None:
            return way.answer
        try:
            result = await way.call.agenerate()
        except BaseException as error:
            await way.afail(error, failed(error, way.opened))
            raise
        await way.asettle(ended(result, way.opened))
        return result if way.by is None else marked(with_parsed(result, call), way.by)

    def stream(self, call: ModelCall) -> Iterator[Chunk]:
        """Answer a call within the budgets, in pieces as they come."""
        if disabled():
            yield from call.stream()
            return
        way = self._way(call)
        if way.answer is not None:
            yield as_chunk(way.answer)
            return
        came, by = Came(way.opened), way.by
        try:
            with closing(way.call.stream()) as chunks:
                for chunk in chunks:
                    came.add(chunk)
                    yield chunk if by is None else marked_chunk(chunk, by)
                    by = None
        except BaseException as error:
            way.fail(error, came.failed(error))
            raise
        way.settle(came.ended())
        if way.by is not None and (last := parsed_chunk(came.text, call)) is not None:
            yield last

    async def astream(self, call: ModelCall) -> AsyncIterator[Chunk]:
        """Answer a call within the budgets, in pieces as they come."""
        if disabled():
            async with aclosing(call.astream()) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        way = await self._away(call)
        if way.answer is not None:
            yield as_chunk(way.answer)
            return
        came, by = Came(way.opened), way.by
        try:
            async with aclosing(way.call.astream()) as chunks:
                async for chunk in chunks:
                    came.add(chunk)
                    yield chunk if by is None else marked_chunk(chunk, by)
                    by = None
        except BaseException as error:
            await way.afail(error, came.failed(error))
            raise
        await way.asettle(came.ended())
        if way.by is not None and (last := parsed_chunk(came.text, call)) is not None:
            yield last

    def _way(self, call: ModelCall) -> _Way:
        way = self._read(call)
        other = self._other(way, self.gate.admit(way.claim, way.opened))
        return way if other is None else self._last(other, self.gate.admit(other.claim, other.opened, cheapest=True))

    async def _away(self, call: ModelCall) -> _Way:
        way = self._read(call)
        other = self._other(way, await self.gate.aadmit(way.claim, way.opened))
        if other is None:
            return way
        return self._last(other, await self.gate.aadmit(other.claim, other.opened, cheapest=True))

    def _read(self, call: ModelCall, *, by: str | None = None) -> _Way:
        try:
            claim, opened = read_call(call)
        except Exception as error:
            self.gate.faults.record("reading the call", error, "its bytes are taken for tokens; report it")
            claim, opened = read_anyhow(call)
        return _Way(call, claim, opened, by)

    def _other(self, way: _Way, admission: Admission) -> _Way | None:
        """Return the other way that a call is to go; ``None`` where this one is it, or was answered."""
        way.admission = admission
        instead = admission.instead
        model = self.cheapest if instead is CHEAPEST else instead
        if not isinstance(model, Runnable):
            if instead is not None:
                way.answer = marked(as_result(instead, way.call), "on_exceeded")
            return None
        try:
            name = name_of(model)
            return self._read(call_to(model, way.call), by=name)
        except Exception as error:
            raise BudgetExceeded(
                f"a budget does not allow the call, and it cannot go to {model!r} instead: {error}"
            ) from error

    def _last(self, way: _Way, admission: Admission) -> _Way:
        if admission.instead is CHEAPEST or isinstance(admission.instead, Runnable):
            raise BudgetExceeded(f"a budget does not allow {way.by} either, which its on_exceeded chose")
        self._other(way, admission)
        return way
