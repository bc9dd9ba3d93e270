"""What do tests of budgeted LLMs look at when a call has ended?"""

from __future__ import annotations

import asyncio
from decimal import Decimal

from lc_costkit.budget.budget import Budget
from lc_costkit.ledger import Ledger


def spent(budget: Budget, ledger: Ledger) -> Decimal | int:
    """Return what was spent, after a look that nothing is held and no lease had to end it."""
    status = budget.status(ledger)
    assert (status.held, status.unsettled) == (0, 0)
    return status.spent


async def settled(budget: Budget, ledger: Ledger) -> Decimal | int:
    """Return what was spent, once the loop has come round to what was left to it."""
    for _ in range(100):
        if not budget.status(ledger).held:
            break
        await asyncio.sleep(0.02)
    return spent(budget, ledger)
