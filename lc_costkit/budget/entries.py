"""What does a transaction change for a call that is reserved, settled or released?

Rows are taken in one order by all processes, reservations first and then accounts by their
keys, so that two transactions cannot wait for one another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lc_costkit.budget.parts import Account, Balance, Part, Refused, Reserved, Settled
from lc_costkit.budget.schema import HELD, MOST, OVER, SWEPT, kept_until, key_of
from lc_costkit.budget.transactions import Hand, Row

_BY_KEY = "WHERE budget = ? AND starts_at = ? AND scope = ?"
_FROM_ACCOUNTS = f"FROM costkit_budget_accounts {_BY_KEY}"
_ACCOUNT = f"SELECT id, spent, held, unsettled, closed {_FROM_ACCOUNTS}"
_HOLD = f"UPDATE costkit_budget_accounts SET held = held + ? {_BY_KEY}"  # noqa: S608
_HOLD_WITHIN = f"{_HOLD} AND closed = 0 AND spent + held + ? <= ?"
_KEEP = (
    "INSERT INTO costkit_budget_reservations (reservation, account, amount, state, expires_at) VALUES (?, ?, ?, ?, ?)"
)
_RESERVED = (
    "SELECT a.budget, a.starts_at, a.scope, r.account, r.amount, r.state "
    "FROM costkit_budget_reservations r LEFT JOIN costkit_budget_accounts a ON a.id = r.account "
    "WHERE r.reservation = ?"
)
_CHANGE = (
    "UPDATE costkit_budget_accounts SET spent = MAX(spent + ?, 0), held = MAX(held - ?, 0), "
    "unsettled = MAX(unsettled - ?, 0) WHERE id = ?"
)
_END = "UPDATE costkit_budget_reservations SET state = ?, expires_at = ? WHERE reservation = ?"
_FORGET = "DELETE FROM costkit_budget_reservations WHERE reservation = ?"
_TELL = "UPDATE costkit_budget_accounts SET soft_told = 1 WHERE id = ?"
_OPEN = (
    "INSERT INTO costkit_budget_accounts "
    "(budget, starts_at, scope, ends_at, kept_until, spent, held, unsettled, soft_told, closed) "
    "VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0, ?) ON CONFLICT (budget, starts_at, scope) DO NOTHING"
)
_PRUNED_UNTIL = "SELECT until FROM costkit_budget_pruned WHERE budget = ?"


class DoesNotFitError(Exception):
    """Ends a transaction without a trace."""

    def __init__(self, refused: Refused) -> None:
        super().__init__()
        self.refused = refused


def reserve(hand: Hand, reservation: str, ordered: Sequence[tuple[int, Part, float]], now: float) -> Reserved:
    """Hold the parts, given with their places and leases in the order of their accounts.

    Raises:
        DoesNotFitError: one does not fit; the transaction is to be given up.
    """
    balances: dict[int, Balance] = {}
    for place, part, lease in ordered:
        earlier = _earlier(hand, part)
        row = _held(hand, part, earlier)
        if row is None:
            _open_account(hand, part.account)
            row = _held(hand, part, earlier)
        if row is None:
            raise DoesNotFitError(Refused(part=part, balance=_refused_balance(hand, part, earlier)))
        account, spent, held, unsettled = row
        hand.execute(_KEEP, (reservation, account, min(part.amount, MOST), HELD, now + lease))
        balances[place] = Balance(account=part.account, spent=spent, held=held, unsettled=unsettled, earlier=earlier)
    return Reserved(balances=tuple(balances[place] for place in range(len(ordered))))


def _held(hand: Hand, part: Part, earlier: int) -> Row | None:
    key = key_of(part.account)
    amount = min(part.amount, MOST)
    columns, look = "id, spent, held, unsettled", _FROM_ACCOUNTS
    if part.limit is None or not amount:
        return hand.changed(_HOLD, (amount, *key), columns=columns, look=look, key=key)
    values = (amount, *key, amount, min(part.limit, MOST) - earlier)
    return hand.changed(_HOLD_WITHIN, values, columns=columns, look=look, key=key)


def _refused_balance(hand: Hand, part: Part, earlier: int) -> Balance:
    row = hand.row(_ACCOUNT, key_of(part.account))
    _, spent, held, unsettled, closed = row or (0, 0, 0, 0, 0)
    if closed and part.limit is not None:
        # What had been spent in it was pruned: it counts as all of the limit.
        spent = max(spent, part.limit - held)
    return Balance(account=part.account, spent=spent, held=held, unsettled=unsettled, earlier=earlier)


def settle(hand: Hand, reservation: str, parts: Sequence[Part], amounts: Sequence[int], now: float) -> Settled:
    """Put what a call took in place of what it held; see ``Accounts.settle``."""
    rows = hand.rows(_RESERVED, (reservation,), locking="FOR UPDATE OF r")
    if any(state == OVER for *_, state in rows):
        # Told before: the parts say whose balances to return, and nothing more.
        rows, amounts, again = [], [0] * len(parts), True
    else:
        again = False
    if rows:
        # Before the accounts, for which others wait.
        hand.execute(_END, (OVER, now, reservation))
    held = {(budget, starts_at, scope): rest for budget, starts_at, scope, *rest in rows if budget is not None}
    places = {key_of(part.account): place for place, part in enumerate(parts)}
    balances: dict[int, Balance] = {}
    crossed: dict[int, bool] = {}
    added: list[int] = []
    for key in sorted(held.keys() | places.keys()):
        place = places.get(key)
        taken = 0 if place is None else amounts[place]
        row = None
        if key in held:
            account, amount, state = held[key]
            change = (taken - amount, 0, amount) if state == SWEPT else (taken, amount, 0)
            row = _changed(hand, account, change)
        if place is None:
            continue
        part = parts[place]
        if row is None:
            account = _open_account(hand, part.account)
            added.append(account)
            row = _changed(hand, account, (taken, 0, 0))
        spent, still_held, unsettled, told = row or (0, 0, 0, 1)
        earlier = _earlier(hand, part)
        balances[place] = Balance(
            account=part.account, spent=spent, held=still_held, unsettled=unsettled, earlier=earlier
        )
        crossed[place] = not again and not told and part.soft is not None and spent >= part.soft
        if crossed[place]:
            hand.execute(_TELL, (account,))
    if not rows and not again:
        hand.many(_KEEP, [(reservation, account, 0, OVER, now) for account in added])
    everywhere = range(len(parts))
    return Settled(
        balances=tuple(balances[place] for place in everywhere), crossed=tuple(crossed[place] for place in everywhere)
    )


def release(hand: Hand, reservation: str) -> None:
    """Give back what a call holds; see ``Accounts.release``."""
    rows = hand.rows(_RESERVED, (reservation,), locking="FOR UPDATE OF r")
    if any(state == OVER for *_, state in rows):
        return
    for *_, account, amount, state in sorted(row for row in rows if row[0] is not None):
        _changed(hand, account, (-amount, 0, amount) if state == SWEPT else (0, amount, 0))
    hand.execute(_FORGET, (reservation,))


def _changed(hand: Hand, account: int, change: tuple[int, int, int]) -> Row | None:
    columns, look = "spent, held, unsettled, soft_told", "FROM costkit_budget_accounts WHERE id = ?"
    return hand.changed(_CHANGE, (*change, account), columns=columns, look=look, key=(account,))


def _open_account(hand: Hand, account: Account) -> int:
    """Return the account's number; make it first where it is missing."""
    key = key_of(account)
    row = hand.row(_ACCOUNT, key)
    if row is None:
        pruned = hand.row(_PRUNED_UNTIL, (account.budget,))
        closed = int(pruned is not None and account.ends_at is not None and account.ends_at <= pruned[0])
        until = kept_until(account.starts_at, account.ends_at)
        hand.execute(_OPEN, (*key, account.ends_at, until, closed))
        row = hand.row(_ACCOUNT, key)
    return 0 if row is None else int(row[0])


def _earlier(hand: Hand, part: Part) -> int:
    if part.earlier is None or part.earlier_share <= 0:
        return 0
    row = hand.row(_ACCOUNT, key_of(part.earlier))
    # What is held in it will be spent in it. Rounded up: a limit that slides is no reason to pass it.
    return 0 if row is None else math.ceil((row[1] + row[2]) * part.earlier_share)
