"""What does a call ask of one budget, at this moment?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from lc_costkit.budget.budget import Budget
from lc_costkit.budget.parts import Account, Part
from lc_costkit.budget.window import Window


def part_of(budget: Budget, scope: Mapping[str, str], amount: int, limit: int, now: float) -> Part:
    """Return the part of a call that one budget holds.

    Args:
        budget: the budget.
        scope: whose allowance the call takes.
        amount: the most that it can take, in the budget's units.
        limit: the budget's, from ``limit_units``.
        now: seconds since 1970.
    """
    window = budget.window(datetime.fromtimestamp(now, UTC))
    said = json.dumps(scope, ensure_ascii=False, sort_keys=True)
    earlier, share = None, 0.0
    if budget.on_exceeded == "wait" and window.start is not None and window.end is not None:
        length = (window.end - window.start).total_seconds()
        gone = now - window.start.timestamp()
        before = budget.window(datetime.fromtimestamp(window.start.timestamp() - 1, UTC))
        earlier = _account(budget, said, before)
        share = min(1.0, max(0.0, 1 - gone / length))
    return Part(
        account=_account(budget, said, window),
        amount=amount,
        limit=limit if budget.mode == "on" else None,
        soft=None if budget.soft is None else -int(-limit * budget.soft // 1),
        earlier=earlier,
        earlier_share=share,
    )


def limit_units(budget: Budget) -> int:
    """Return the limit in whole units, never more than it is."""
    units = budget.in_units(budget.limit)
    return units if budget.amount(units) <= budget.limit else units - 1


def _account(budget: Budget, scope: str, window: Window) -> Account:
    return Account(
        budget=budget.key,
        scope=scope,
        starts_at=0 if window.start is None else int(window.start.timestamp()),
        ends_at=None if window.end is None else int(window.end.timestamp()),
    )
