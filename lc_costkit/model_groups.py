"""Under which name are calls of one model summed up?

Providers answer with a dated name in one place and without the date in another. The price
list knows both as one model, at one price: its name stands for them all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lc_costkit.catalog import Catalog, provider_id
from lc_costkit.cost import AppliedPrice

LIST = "genai-prices"
"""How the source of a public price begins."""

UNNAMED = "(none)"


class ModelNames:
    """Finds the name for a call: that of the price it was priced at, or else of the price list.

    A model that neither knows keeps the name that was answered, or else asked for.

    >>> names = ModelNames()
    >>> names.named("gpt-4o-2024-08-06", "openai"), names.named("house-model", None)
    ('gpt-4o', 'house-model')
    """

    def __init__(self) -> None:
        self._catalog = Catalog()
        self._named: dict[tuple[str, str | None], str] = {}

    def of(self, row: Mapping[str, Any], *, price: AppliedPrice | None = None) -> str:
        """Return the name for a row of the ledger.

        Args:
            row: with ``price``, ``model_answered``, ``model_asked`` and ``provider``.
            price: if it was read from the row, or is a newer one.
        """
        if price is not None:
            model, provider, source = price.model, price.provider, price.source
        elif row["price"]:
            data = json.loads(row["price"])[0]
            model, provider, source = data["model"], data["provider"], data["source"]
        else:
            model, provider, source = row["model_answered"] or row["model_asked"], row["provider"], ""
        if not model:
            return UNNAMED
        return str(model) if source.startswith(LIST) else self.named(model, provider or row["provider"])

    def named(self, model: str, provider: str | None) -> str:
        """Return what the price list calls a model; the name itself where it does not know it for certain."""
        key = (model, provider)
        if key not in self._named:
            entry = self._catalog.find(model, provider_id(provider))
            self._named[key] = model if entry is None or getattr(entry, "doubt", None) else entry.model.id
        return self._named[key]
