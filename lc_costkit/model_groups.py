"""Under which name are calls of one model summed up?

Providers answer with a dated name in one place and without the date in another. Where the price
list has one price for both, they are one model. Names that differ by more than a date stay apart,
at whatever price: a report must not say ``gpt-5`` of what was asked as ``gpt-5-codex``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lc_costkit.catalog import Catalog, provider_id

UNNAMED = "(none)"

_DATED = re.compile(r"[-@](?:\d{8}|\d{4}-\d\d-\d\d|\d\d-\d{4}|\d\d-\d\d|\d{3,4}|latest)$")
"""How names of models end that say a version: ``-20250929``, ``-2024-08-06``, ``-08-2024``, ``-04-17``, ``-0314``."""


class ModelNames:
    """Finds the name for a call: that of the price list, or else the one that was answered or asked for.

    >>> names = ModelNames()
    >>> names.named("gpt-4o-2024-08-06", "openai"), names.named("gpt-4o-2024-05-13", "openai")
    ('gpt-4o', 'gpt-4o-2024-05-13')
    >>> names.named("gpt-5-codex", "openai"), names.named("house-model", None)
    ('gpt-5-codex', 'house-model')
    """

    def __init__(self) -> None:
        self._catalog = Catalog()
        self._named: dict[tuple[str, str | None], str] = {}

    def of(self, row: Mapping[str, Any]) -> str:
        """Return the name for a row of the ledger with ``model_answered``, ``model_asked`` and ``provider``."""
        model = row["model_answered"] or row["model_asked"]
        return self.named(model, row["provider"]) if model else UNNAMED

    def named(self, model: str, provider: str | None) -> str:
        """Return what the price list calls a model; the name itself where it does not know it for certain."""
        key = (model, provider)
        if key not in self._named:
            entry = self._catalog.find(model.lower(), provider_id(provider))
            listed = None if entry is None or entry.doubt is not None else entry.model.id
            self._named[key] = listed if listed is not None and _undated(listed) == _undated(model) else model
        return self._named[key]


def _undated(model: str) -> str:
    """Return a name without its provider and its date."""
    return _DATED.sub("", model.lower().rpartition("/")[2])
