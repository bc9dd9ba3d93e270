"""What happens before and after each call of a LangChain model that is held to budgets?"""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.runnables import Runnable

from lc_costkit.budget.gate import Gate
from lc_costkit.langchain.budget_mark import marked, marked_chunk
from lc_costkit.langchain.budget_outcome import Came, ended, failed
from lc_costkit.langchain.budget_retry import within_budget
from lc_costkit.langchain.budget_way import Way, Ways
from lc_costkit.langchain.model_call import Chunk, ModelCall, Result, as_chunk
from lc_costkit.langchain.stand_ins import parsed_chunk, with_parsed
from lc_costkit.ledger import Ledger
from lc_costkit.streams import aclosing, closing
from lc_costkit.switch import disabled


class BudgetGuard:
    """Asks a gate before each call, and settles with it what the call took, however it ends.

    Args:
        gate: what holds the budgets.
        cheapest: the model calls are sent to where a budget says so.
    """

    def __init__(self, gate: Gate, cheapest: Runnable[Any, Any] | None = None) -> None:
        self.gate = gate
        self._ways = Ways(gate, cheapest)

    def __repr__(self) -> str:
        return f"budgeted by {', '.join(map(repr, self.gate.budgets))}"

    def retried(self, retry: Any) -> Any:
        """Take refusals out of what is tried again."""
        return within_budget(retry)

    def generate(self, call: ModelCall) -> Result:
        """Answer a call within the budgets."""
        if disabled():
            return call.generate()
        way = self._ways.find(call)
        if way.answer is not None:
            return way.answer
        try:
            result = way.call.generate()
        except BaseException as error:
            way.fail(error, failed(error, way.opened))
            raise
        way.settle(ended(result, way.opened))
        return self._shown(result, call, way)

    async def agenerate(self, call: ModelCall) -> Result:
        """Answer a call within the budgets."""
        if disabled():
            return await call.agenerate()
        way = await self._ways.afind(call)
        if way.answer is not None:
            return way.answer
        try:
            result = await way.call.agenerate()
        except BaseException as error:
            await way.afail(error, failed(error, way.opened))
            raise
        await way.asettle(ended(result, way.opened))
        return self._shown(result, call, way)

    def stream(self, call: ModelCall) -> Iterator[Chunk]:
        """Answer a call within the budgets, in pieces as they come."""
        if disabled():
            yield from call.stream()
            return
        way = self._ways.find(call)
        if way.answer is not None:
            yield as_chunk(way.answer)
            return
        came, by = Came(way.opened), way.by
        try:
            with closing(way.call.stream()) as chunks:
                for chunk in chunks:
                    came.add(chunk)
                    yield chunk if by is None else marked_chunk(chunk, by)
                    came.asked()
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
        way = await self._ways.afind(call)
        if way.answer is not None:
            yield as_chunk(way.answer)
            return
        came, by = Came(way.opened), way.by
        try:
            async with aclosing(way.call.astream()) as chunks:
                async for chunk in chunks:
                    came.add(chunk)
                    yield chunk if by is None else marked_chunk(chunk, by)
                    came.asked()
                    by = None
        except BaseException as error:
            await way.afail(error, came.failed(error))
            raise
        await way.asettle(came.ended())
        if way.by is not None and (last := parsed_chunk(came.text, call)) is not None:
            yield last

    def _shown(self, result: Result, call: ModelCall, way: Way) -> Result:
        """Return an answer with who gave it in place of the model; one that cannot be marked is not lost to that."""
        if way.by is None:
            return result
        try:
            return marked(with_parsed(result, call), way.by)
        except Exception as error:
            self.gate.faults.record("marking an answer", error, "it does not say that another model gave it")
            return result

    def __reduce__(self) -> Any:
        url = self.gate.ledger.engine.url
        if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
            raise pickle.PicklingError(
                "a budget that is kept in memory cannot be pickled with its model; give its ledger a file or a server"
            )
        address = url.render_as_string(hide_password=False)
        return _reopened, (self.gate.budgets, address, self.gate.prices, self._ways.cheapest)


def _reopened(budgets: Any, address: str, prices: Any, cheapest: Any) -> BudgetGuard:
    gate = Gate(budgets, Ledger(address), prices=prices, can_degrade=cheapest is not None)
    return BudgetGuard(gate, cheapest)
