"""What does a transaction change for a call that is reserved, settled or released?

Rows are taken in one order by all processes, reservations first and then accounts by their
keys, so that two transactions cannot wait for one another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from lc_costkit.budget.parts import Account, Balance, Part, Refused, Reserved, Settled
from lc_costkit.budget.schema import HELD, MOST, OVER, SWEPT, kept_until, key_of
from lc_costkit.budget.transactions import Hand, Row

_BY_KEY = "WHERE budget = ? AND starts_at = ? AND scope = ?"
_FROM_ACCOUNTS = f"FROM costkit_budget_accounts {_BY_KEY}"
_ACCOUNT = f"SELECT id, spent, held, unsettled, closed {_FROM_ACCOUNTS}"
_HOLD = f"UPDATE costkit_budget_accounts SET held = held + ? {_BY_KEY}"  # noqa: S608
_HOLD_WITHIN = f"{_HOLD} AND closed = 0 AND spent + held + ? <= ?"
_HOLD_AND_KEEP = (
    "WITH changed AS ({hold} RETURNING id, spent, held, unsettled), kept AS ("
    "INSERT INTO costkit_budget_reservations (reservation, account, amount, state, expires_at) "
    "SELECT ?, id, ?, ?, ? FROM changed) SELECT id, spent, held, unsettled FROM changed"
)
"""For a server: one way in place of two, while others wait for the account."""
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
_END_AND_TELL = (
    "WITH mine AS (SELECT reservation, account, amount, state FROM costkit_budget_reservations "
    "WHERE reservation = ? FOR UPDATE), ended AS (UPDATE costkit_budget_reservations r SET state = ?, expires_at = ? "
    "FROM mine WHERE r.reservation = mine.reservation AND r.account = mine.account AND mine.state <> ?) "
    "SELECT a.budget, a.starts_at, a.scope, mine.account, mine.amount, mine.state "
    "FROM mine LEFT JOIN costkit_budget_accounts a ON a.id = mine.account"
)
"""For a server: ``_RESERVED`` and ``_END`` in one."""
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
    refused: dict[int, Refused] = {}
    for place, part, lease in ordered:
        earlier = _earlier(hand, part)
        kept = (reservation, now + lease)
        row = _held(hand, part, earlier, kept)
        if row is None:
            _open_account(hand, part.account)
            row = _held(hand, part, earlier, kept)
        if row is None:
            refused[place] = Refused(part=part, balance=_refused_balance(hand, part, earlier))
            continue
        _, spent, held, unsettled = row
        balances[place] = Balance(account=part.account, spent=spent, held=held, unsettled=unsettled, earlier=earlier)
    if refused:
        first, *others = (refused[place] for place in sorted(refused))
        raise DoesNotFitError(replace(first, others=tuple(others)))
    return Reserved(balances=tuple(balances[place] for place in range(len(ordered))))


def _held(hand: Hand, part: Part, earlier: int, kept: tuple[str, float]) -> Row | None:
    """Hold a part, and note for which reservation and until when."""
    key = key_of(part.account)
    amount = min(part.amount, MOST)
    hold, values = _HOLD, (amount, *key)
    if part.limit is not None and amount:
        hold, values = _HOLD_WITHIN, (amount, *key, amount, min(part.limit, MOST) - earlier)  # type: ignore[assignment]
    reservation, until = kept
    if hand.postgres:
        return hand.row(_HOLD_AND_KEEP.format(hold=hold), (*values, reservation, amount, HELD, until))
    row = hand.changed(hold, values, columns="id, spent, held, unsettled", look=_FROM_ACCOUNTS, key=key)
    if row is not None:
        hand.execute(_KEEP, (reservation, row[0], amount, HELD, until))
    return row


def _refused_balance(hand: Hand, part: Part, earlier: int) -> Balance:
    row = hand.row(_ACCOUNT, key_of(part.account))
    _, spent, held, unsettled, closed = row or (0, 0, 0, 0, 0)
    if closed and part.limit is not None:
        # What had been spent in it was pruned: it counts as all of the limit.
        spent = max(spent, part.limit - held)
    return Balance(account=part.account, spent=spent, held=held, unsettled=unsettled, earlier=earlier)


def settle(hand: Hand, reservation: str, parts: Sequence[Part], amounts: Sequence[int], now: float) -> Settled:
    """Put what a call took in place of what it held; see ``Accounts.settle``."""
    rows = _ended(hand, reservation, now)
    again = any(state == OVER for *_, state in rows)
    if again:
        # Told before: the parts say whose balances to return, and nothing more.
        rows, amounts = [], [0] * len(parts)
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


def _ended(hand: Hand, reservation: str, now: float) -> list[Row]:
    """Return the holds of a reservation as they were, and end them; first, because others wait for the accounts."""
    if hand.postgres:
        return hand.rows(_END_AND_TELL, (reservation, OVER, now, OVER))
    rows = hand.rows(_RESERVED, (reservation,))
    if rows and not any(state == OVER for *_, state in rows):
        hand.execute(_END, (OVER, now, reservation))
    return rows


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
