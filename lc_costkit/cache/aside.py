"""Is this model call made for the user, or does the cache make it for itself?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from lc_costkit.ledger import Ledger
from lc_costkit.pricing import PriceBook

Purpose = Literal["lookup", "verification"]
"""``lookup``: a question is embedded, or a judge asked, while a caller waits; the cost is part of the lookup's;
``verification``: an answer is checked in the background, by calls that stand for themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A call that the cache makes for itself.

    Attributes:
        purpose: what for.
        ledger: where to record it; ``None`` records it nowhere but where the framework's own meters do.
        prices: how to price it; ``None`` is the public price list.
    """

    purpose: Purpose
    ledger: Ledger | None = None
    prices: PriceBook | None = None


_CURRENT: ContextVar[Aside | None] = ContextVar("lc_costkit_aside", default=None)


@contextmanager
def calling_aside(
    purpose: Purpose, *, ledger: Ledger | None = None, prices: PriceBook | None = None
) -> Iterator[Aside]:
    """Mark every call in this block as the cache's own; caches let such calls pass.

    >>> with calling_aside("lookup") as made:
    ...     current_aside() == made
    True
    >>> current_aside() is None
    True
    """
    made = Aside(purpose=purpose, ledger=ledger, prices=prices)
    token = _CURRENT.set(made)
    try:
        yield made
    finally:
        _CURRENT.reset(token)


def current_aside() -> Aside | None:
    """Return what the call under way is made for, if the cache makes it."""
    return _CURRENT.get()


def in_lookup() -> bool:
    """Tell whether a lookup makes the call under way, and reports what it costs."""
    return (aside := _CURRENT.get()) is not None and aside.purpose == "lookup"
