"""What is counted for a call, against which allowance?

Amounts are whole numbers of a budget's unit: nano-USD, tokens or calls. The store knows
nothing else of budgets.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The allowance of one budget, for one value of its scope, in one window.

    Attributes:
        budget: the budget's ``key``.
        scope: whom it is for, as canonical JSON, such as ``{"user":"u42"}``.
        starts_at: when the window begins, seconds since 1970; 0 for ``total``.
        ends_at: when it ends; ``None`` for ``total``.
    """

    budget: str
    scope: str
    starts_at: int = 0
    ends_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one call takes of one account.

    Attributes:
        account: whose allowance.
        amount: the most that the call can take, at least 0.
        limit: what the account may not pass; ``None`` counts only and never refuses.
        soft: from which amount spent on somebody is to be told, once; ``None`` for nobody.
        earlier: for a limit that slides, the window before.
        earlier_share: how much of what was spent in it still counts, 0 to 1.
    """

    account: Account
    amount: int
    limit: int | None = None
    soft: int | None = None
    earlier: Account | None = None
    earlier_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How an account stands.

    Attributes:
        account: which one.
        spent: settled, and what was counted in full because nobody settled it.
        held: reserved for calls under way.
        unsettled: how much of ``spent`` was never settled: its lease ran out.
        earlier: what still counts of the window before, for a limit that slides.
    """

    account: Account
    spent: int
    held: int
    unsettled: int = 0
    earlier: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """All parts of a call were reserved.

    Attributes:
        balances: of each part's account, this call included, in the order of the parts.
    """

    balances: tuple[Balance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Nothing was reserved.

    Attributes:
        part: the first part that did not fit.
        balance: how its account stands, this call not included.
        others: the other parts that did not fit either, in the order of the parts.
    """

    part: Part
    balance: Balance
    others: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A call was settled.

    Attributes:
        balances: of each part's account, in the order of the parts.
        crossed: for each part, whether this was the call with which its ``soft`` was reached first,
            over all processes.
    """

    balances: tuple[Balance, ...]
    crossed: tuple[bool, ...]
