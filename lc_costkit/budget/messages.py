"""What is a caller told whose call is refused?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from lc_costkit.budget.budget import Budget
from lc_costkit.budget.ceiling import Ceiling
from lc_costkit.budget.claim import Claim
from lc_costkit.budget.parts import Refused
from lc_costkit.errors import BudgetExceeded

_UNITS = {"usd": "USD", "tokens": "tokens", "calls": "calls"}


def refusal(budget: Budget, scope: Mapping[str, str], refused: Refused, ceiling: Ceiling | None) -> BudgetExceeded:
    """Return the error for a call that does not fit, with the numbers, when it resets and what to do."""
    balance, asked = refused.balance, budget.amount(refused.part.amount)
    spent, held = budget.amount(balance.spent + balance.earlier), budget.amount(balance.held)
    end = refused.part.account.ends_at
    resets_at = None if end is None else datetime.fromtimestamp(end, UTC)
    resets = "it never resets" if resets_at is None else f"resets {resets_at:%Y-%m-%dT%H:%MZ}"
    output = "" if ceiling is None or budget.unit == "calls" else f" ({ceiling.output_tokens} tokens of output)"
    said = [
        f"budget {budget.name!r}{_whose(scope)}: {_plain(spent)} spent + {_plain(held)} held + up to {_plain(asked)} "
        f"for this call{output} exceeds {_plain(budget.limit)} {_UNITS[budget.unit]}; {resets}"
    ]
    if ceiling is not None and budget.unit != "calls":
        said += ceiling.reasons
    return BudgetExceeded(
        ". ".join(said),
        budget=budget.name,
        scope=scope,
        unit=budget.unit,
        limit=budget.limit,
        spent=spent,
        held=held,
        asked=asked,
        resets_at=resets_at,
    )


def unpriced(budget: Budget, claim: Claim) -> BudgetExceeded:
    """Return the error for a model whose price nobody knows."""
    model = "a model that is not named" if claim.model is None else f"model {claim.model!r}"
    return BudgetExceeded(
        f"budget {budget.name!r} cannot hold {model}: no price is known for it. Give it one with "
        "prices=PriceBook(overrides=...) or aliases=..., or let it through with Budget(allow_unpriced=True)",
        budget=budget.name,
        unit=budget.unit,
        limit=budget.limit,
    )


def unavailable(budget: Budget, error: BaseException) -> str:
    """Say why a budget that fails closed refuses a call it knows nothing of."""
    return f"budget {budget.name!r} cannot be checked ({error}); with fail='open' calls go on and are counted later"


def _whose(scope: Mapping[str, str]) -> str:
    return f" for {', '.join(f'{name} {value!r}' for name, value in scope.items())}" if scope else ""


def _plain(amount: Decimal | int) -> str:
    return f"{amount:f}" if isinstance(amount, Decimal) else str(amount)
