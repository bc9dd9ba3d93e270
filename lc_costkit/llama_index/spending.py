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
from lc_costkit.llama_index.answered import Response, cost_of
from lc_costkit.llama_index.delegating import Request
from lc_costkit.pricing import PriceBook


class Spending:
    """Adds up what the calls made inside ``counted_by`` cost: drafts, samples, judges.

    Args:
        prices: how they are priced.
    """

    def __init__(self, prices: PriceBook) -> None:
        self._prices = prices
        self._lock = threading.Lock()
        self._spent: list[Decimal | None] = []

    def __call__(self) -> Decimal | None:
        """Return the sum (USD); ``None`` if the cost of a call is not known."""
        with self._lock:
            known = [usd for usd in self._spent if usd is not None]
            return exact_sum(known) if len(known) == len(self._spent) else None

    def add(self, response: Response, llm: LLM, request: Request[Any]) -> None:
        """Add what a call cost."""
        usd = cost_of(response, llm, request, self._prices)
        with self._lock:
            self._spent.append(usd)


_CURRENT: ContextVar[Spending | None] = ContextVar("lc_costkit_llama_index_spending", default=None)


@contextmanager
def counted_by(spending: Spending | None) -> Iterator[None]:
    """Let what is called in this block be counted; with ``None`` by nobody."""
    token = _CURRENT.set(spending)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def count(response: Response, llm: LLM, request: Request[Any]) -> None:
    """Tell whoever counts what a call cost."""
    spending = _CURRENT.get()
    if spending is not None:
        spending.add(response, llm, request)
