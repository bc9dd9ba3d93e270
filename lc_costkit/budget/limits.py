"""Do the budgets of a gate fit together?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lc_costkit.budget.budget import Budget
from lc_costkit.budget.rate_limit import RateLimit
from lc_costkit.errors import ConfigurationError

Limits = Budget | RateLimit | Iterable[Budget | RateLimit]


def checked(budgets: Limits, *, can_degrade: bool) -> tuple[Budget, ...]:
    """Return the budgets one by one.

    Raises:
        ConfigurationError: there is none, something is none, two contradict each other, or one wants the cheapest
            model and there is none.
    """
    given = [budgets] if isinstance(budgets, (Budget, RateLimit)) else budgets
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise ConfigurationError(
            f"budgets must be a Budget, a RateLimit or several, not {budgets!r}; write Budget(usd=50)"
        )
    found: list[Budget] = []
    for one in given:
        if not isinstance(one, (Budget, RateLimit)):
            raise ConfigurationError(f"budgets must hold Budget and RateLimit only, not {one!r}; write Budget(usd=50)")
        found += one.budgets if isinstance(one, RateLimit) else (one,)
    if not found:
        raise ConfigurationError("budgets is empty; give at least one Budget or RateLimit")
    by_key: dict[str, Budget] = {}
    for budget in found:
        other = by_key.setdefault(budget.key, budget)
        if other is not budget:
            raise ConfigurationError(
                f"{other!r} and {budget!r} share one account and contradict each other; keep one, or give them names"
            )
        if "cheapest" in (budget.on_exceeded, budget.on_soft) and not can_degrade:
            raise ConfigurationError(f"{budget!r} sends calls to the cheapest model, and there is none; give cheapest=")
    return tuple(by_key.values())
