"""How is something taken off what was spent?"""

from __future__ import annotations

import time
from collections.abc import Mapping

from lc_costkit.budget.book import book_of
from lc_costkit.budget.budget import ANY, Budget
from lc_costkit.budget.parting import limit_units, part_of
from lc_costkit.budget.schema import MOST
from lc_costkit.errors import ConfigurationError, refuse_unknown
from lc_costkit.ledger import Ledger


def credit(budget: Budget, ledger: Ledger, scope: Mapping[str, str], units: int | None) -> None:
    """Take ``units`` off what was spent in the present window, all of it by default; see ``Budget.credit``."""
    each = [key for key, wanted in budget.scope.items() if wanted == ANY]
    refuse_unknown(f"the scope of budget {budget.name!r}", scope, each)
    missing = [key for key in each if key not in scope]
    if missing:
        raise ConfigurationError(f"budget {budget.name!r} has an allowance for each {missing[0]}; say whose: scope=")
    values = budget.scope_values({**budget.scope, **scope}) or {}
    account = part_of(budget, values, 0, limit_units(budget), time.time()).account
    book = book_of(ledger)
    book.flush()
    if not book.accounts.credit(account, MOST if units is None else units):
        raise ConfigurationError(f"budget {budget.name!r} has nothing spent in this window for {values or 'all calls'}")
