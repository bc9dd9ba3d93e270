"""What have the model calls of one request cost so far?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

from llama_index.core.llms import LLM

from lc_costkit.cost import exact_sum
from lc_costkit.llama_index.answered import cost_of
from lc_costkit.llama_index.delegating import R, Request
from lc_costkit.pricing import PriceBook


class Spending:
    """Adds up what the calls made inside ``counted_by`` cost: drafts, samples, judges.

    Args:
        prices: how they are priced.
        within: what the calls are part of, too.
    """

    def __init__(self, prices: PriceBook, *, within: Spending | None = None) -> None:
        self.prices = prices
        self._within = within
        self._lock = threading.Lock()
        self._spent: list[Decimal | None] = []

    def __call__(self) -> Decimal | None:
        """Return the sum (USD); ``None`` if the cost of a call is not known."""
        with self._lock:
            known = [usd for usd in self._spent if usd is not None]
            return exact_sum(known) if len(known) == len(self._spent) else None

    @property
    def is_empty(self) -> bool:
        """Nothing was counted."""
        return not self._spent

    def add(self, usd: Decimal | None) -> None:
        """Add what a call cost (USD); ``None`` if that is not known."""
        with self._lock:
            self._spent.append(usd)
        if self._within is not None:
            self._within.add(usd)


_CURRENT: ContextVar[Spending | None] = ContextVar("lc_costkit_llama_index_spending", default=None)


@contextmanager
def counted_by(spending: Spending | None) -> Iterator[None]:
    """Let what is called in this block be counted; with ``None`` by whoever counts already."""
    token = _CURRENT.set(_CURRENT.get() if spending is None else spending)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def spending_within(prices: PriceBook) -> Spending:
    """Return what counts by itself, and for whoever counts already."""
    return Spending(prices, within=_CURRENT.get())


def send(request: Request[R], llm: LLM) -> R:
    """Ask an LLM for a whole answer, and have counted what that cost."""
    outer = _CURRENT.get()
    if outer is None:
        return request.send(llm)
    call = Spending(outer.prices, within=outer)
    with counted_by(call):
        response = request.send(llm)
    return _counted(call, response, llm, request)


async def asend(request: Request[R], llm: LLM) -> R:
    """Do the same without blocking the event loop."""
    outer = _CURRENT.get()
    if outer is None:
        return await request.asend(llm)
    call = Spending(outer.prices, within=outer)
    with counted_by(call):
        response = await request.asend(llm)
    return _counted(call, response, llm, request)


def _counted(call: Spending, response: R, llm: LLM, request: Request[Any]) -> R:
    if call.is_empty:  # else it is an LLM of several, which has its calls counted one by one
        try:
            call.add(cost_of(response, llm, request, call.prices))
        except Exception:  # an answer is not lost to what cannot be read of its cost: that is not known, and told so
            call.add(None)
    return response
