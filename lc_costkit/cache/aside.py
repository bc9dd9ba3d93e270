"""Is this model call made for the user, or does the cache make it for itself?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from lc_costkit.ledger import Ledger
from lc_costkit.pricing import PriceBook

Purpose = Literal["lookup", "judging", "verification"]
"""``lookup``: whoever makes the call reports its cost, so that no meter may count it again;
``judging``: a judge is asked while a caller waits, and says itself what it cost;
``verification``: an answer is checked in the background, by calls that stand for themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A call that the cache makes for itself.

    Attributes:
        purpose: what for.
        ledger: where to record it; ``None`` records it nowhere but where the framework's own meters do.
        prices: how to price it; ``None`` is the public price list.
        heard: ids of the calls that a meter of ``ledger`` has taken on: a second one leaves them to it.
    """

    purpose: Purpose
    ledger: Ledger | None = None
    prices: PriceBook | None = None
    heard: set[str] = field(default_factory=set, compare=False, repr=False)

    def takes_on(self, call_id: str, ledger: Ledger) -> bool:
        """Tell whether a meter of ``ledger`` is to record a call that it hears of."""
        if ledger is not self.ledger:
            return self.purpose != "lookup"
        first = call_id not in self.heard
        self.heard.add(call_id)
        return first and self.purpose != "lookup"


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
    """Tell whether whoever makes the call under way reports what it costs."""
    return (aside := _CURRENT.get()) is not None and aside.purpose == "lookup"
