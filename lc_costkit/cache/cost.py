"""What does it cost to embed a question, and what did a stored answer cost?"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from lc_costkit.cache.results import LookupCost
from lc_costkit.embedding import Embedder
from lc_costkit.pricing import PriceBook
from lc_costkit.tokens import TokenCounter
from lc_costkit.usage import Basis, TokenUsage, UsageReading


class Costs:
    """Prices what passes through the cache.

    Args:
        prices: where prices come from.
        embedder: whose calls are to be priced. One with a ``priced_model`` costs that model's
            input price on tokens estimated here; every other one runs locally and is free.
    """

    def __init__(self, prices: PriceBook, embedder: Embedder) -> None:
        self._prices = prices
        self._model: str | None = getattr(embedder, "priced_model", None)
        self._counter = TokenCounter(self._model) if self._model is not None else None

    def embedding(self, texts: Sequence[str]) -> LookupCost:
        """Price an embedding call; its basis is at best ``estimated``."""
        if self._model is None or self._counter is None:
            return LookupCost()
        tokens = sum(self._counter.count(text) for text in texts)
        cost = self._prices.cost(self._model, TokenUsage(input_tokens=tokens))
        return LookupCost(usd=cost.usd, basis="unpriced" if cost.usd is None else "estimated")

    def answer(self, reading: UsageReading | None) -> tuple[Decimal | None, Basis]:
        """Price an answer that is about to be stored."""
        if reading is None:
            return None, "unpriced"
        cost = self._prices.price(reading)
        return cost.usd, cost.basis
