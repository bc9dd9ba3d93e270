"""How many requests and tokens may go out in a minute?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta

from lc_costkit.budget.budget import MAX_WAIT, Budget
from lc_costkit.budget.parts import Refused
from lc_costkit.budget.window import Period
from lc_costkit.errors import ConfigurationError

_FIRST_PAUSE_SECONDS = 0.04
_DOUBLINGS = 5
"""A call that waits asks again after a while that doubles to about a second, a little by chance."""


class RateLimit:
    """A limit at which calls wait instead of failing, over all processes that share a ledger.

    ``budgeted(model, [RateLimit(requests=500, tokens=200_000)], ledger)`` keeps a fleet within what a provider
    allows. The window slides: what was used in the minute before counts for as much of it as the last 60
    seconds still hold, so that no burst of twice the limit goes out where two minutes meet. Tokens are
    reserved at the most the call can take, and given back when it has ended. Calls that wait stand in no queue:
    each asks again within a second or so, and a large one may see smaller ones go first.

    Args:
        requests: calls to the provider in a window.
        tokens: tokens in a window, input and output.
        per: the window.
        scope: as for ``Budget``.
        name: what to call it in messages.
        max_wait: how long a call waits at most; then it is refused with ``BudgetExceeded``.

    Raises:
        ConfigurationError: no limit, a limit that is no whole number above 0, or what ``Budget`` raises.

    >>> RateLimit(requests=500, tokens=200_000).budgets
    (Budget(calls=500, per='minute'), Budget(tokens=200000, per='minute'))
    """

    def __init__(
        self,
        *,
        requests: int | None = None,
        tokens: int | None = None,
        per: Period = "minute",
        scope: Mapping[str, str] | None = None,
        name: str | None = None,
        max_wait: timedelta | float = MAX_WAIT,
    ) -> None:
        if per == "total":
            raise ConfigurationError(
                "a RateLimit needs a window that ends, such as per='minute'; write Budget(calls=...)"
            )
        limits = {"calls": requests, "tokens": tokens}
        if requests is None and tokens is None:
            raise ConfigurationError("a RateLimit needs requests=, tokens=, or both")
        for unit, limit in limits.items():
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
                said = "requests" if unit == "calls" else unit
                raise ConfigurationError(f"{said} must be a whole number of at least 1, not {limit!r}")

        def made(unit: str, limit: int) -> Budget:
            return Budget(
                **{unit: limit},  # type: ignore[arg-type]
                per=per,
                scope=scope,
                name=name and f"{name} ({unit})",
                soft=None,
                on_exceeded="wait",
                max_wait=max_wait,
                fail="open",
            )

        self.budgets = tuple(made(unit, limit) for unit, limit in limits.items() if limit is not None)

    def __repr__(self) -> str:
        return f"RateLimit({', '.join(f'{b.unit}={b.limit}' for b in self.budgets)}, per={self.budgets[0].per!r})"


def comes_back(refused: Refused, *, within: float, now: float) -> bool:
    """Tell whether what a call asks for may be there ``within`` so many seconds.

    What others hold comes back when they end, and what was spent when its window does.
    """
    part, balance = refused.part, refused.balance
    if part.limit is not None and part.amount > part.limit:
        return False
    ends = part.account.ends_at
    return balance.held > 0 or balance.earlier > 0 or (ends is not None and ends - now <= within)


def pause_seconds(polls: int) -> float:
    """Return how long a call waits that has asked so many times."""
    return _FIRST_PAUSE_SECONDS * 2.0 ** min(polls - 1, _DOUBLINGS) * random.uniform(0.5, 1.0)  # noqa: S311
