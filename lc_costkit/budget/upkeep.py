"""What happens to reservations that nobody settles, and to rows that nobody needs any more?"""

from __future__ import annotations

from collections import Counter

from lc_costkit.budget.parts import Account
from lc_costkit.budget.schema import HELD, OVER, OVER_KEPT_SECONDS, SWEPT, SWEPT_KEPT_SECONDS, key_of
from lc_costkit.budget.transactions import Hand

_BATCH = 500
"""Rows in one go: some milliseconds, which others wait for."""

_EXPIRED = (
    "SELECT a.budget, a.starts_at, a.scope, r.account, r.amount, r.reservation "
    "FROM costkit_budget_reservations r LEFT JOIN costkit_budget_accounts a ON a.id = r.account "
    "WHERE r.state = ? AND r.expires_at <= ?"
)
_OF_ACCOUNT = "AND a.budget = ? AND a.starts_at = ? AND a.scope = ?"
_SPEND = (
    "UPDATE costkit_budget_accounts SET held = MAX(held - ?, 0), spent = spent + ?, unsettled = unsettled + ? "
    "WHERE id = ?"
)
_MARK = "UPDATE costkit_budget_reservations SET state = ? WHERE reservation = ? AND account = ?"
_OLD_RESERVATIONS = (
    "SELECT reservation, account FROM costkit_budget_reservations WHERE state = ? AND expires_at <= ? "
    "ORDER BY expires_at LIMIT ?"
)
_DROP_RESERVATION = "DELETE FROM costkit_budget_reservations WHERE reservation = ? AND account = ?"
_OLD_ACCOUNTS = (
    "SELECT id, budget, ends_at FROM costkit_budget_accounts WHERE kept_until <= ? AND held = 0 "
    "ORDER BY kept_until LIMIT ?"
)
_DROP_ACCOUNT = "DELETE FROM costkit_budget_accounts WHERE id = ?"
_PRUNED = (
    "INSERT INTO costkit_budget_pruned (budget, until) VALUES (?, ?) ON CONFLICT (budget) DO UPDATE "
    "SET until = CASE WHEN excluded.until > costkit_budget_pruned.until THEN excluded.until "
    "ELSE costkit_budget_pruned.until END"
)


def sweep(hand: Hand, now: float, *, account: Account | None = None) -> int:
    """Count as spent what is held by calls whose lease ran out.

    Args:
        hand: of the transaction.
        now: seconds since 1970.
        account: all that is held of it; otherwise some of whatever there is.

    Returns:
        How many holds were counted.
    """
    query = _EXPIRED
    values: list[int | float | str] = [HELD, now]
    if account is None:
        query += " ORDER BY r.expires_at LIMIT ?"
        values.append(_BATCH)
    else:
        query += f" {_OF_ACCOUNT}"
        values += key_of(account)
    rows = hand.rows(query, values, locking="FOR UPDATE OF r SKIP LOCKED")
    if not rows:
        return 0
    sums: Counter[tuple[str, int, str, int]] = Counter()
    for budget, starts_at, scope, number, amount, _ in rows:
        if budget is not None:  # else its account was pruned: it held nothing
            sums[budget, starts_at, scope, number] += amount
    hand.many(_MARK, [(SWEPT, reservation, number) for _, _, _, number, _, reservation in rows])
    # In the order in which reservations take accounts, so that neither waits for the other.
    hand.many(_SPEND, [(total, total, total, number) for (_, _, _, number), total in sorted(sums.items())])
    return len(rows)


def keep_up(hand: Hand, now: float) -> None:
    """Do some of both; see ``sweep`` and ``prune``."""
    sweep(hand, now)
    prune(hand, now)


def prune(hand: Hand, now: float) -> None:
    """Delete some of the rows that nobody needs any more; never an account of which something is held.

    Args:
        hand: of the transaction.
        now: seconds since 1970.
    """
    for state, kept_seconds in ((OVER, OVER_KEPT_SECONDS), (SWEPT, SWEPT_KEPT_SECONDS)):
        values = (state, now - kept_seconds, _BATCH)
        old = hand.rows(_OLD_RESERVATIONS, values, locking="FOR UPDATE SKIP LOCKED")
        if old:
            hand.many(_DROP_RESERVATION, old)
    accounts = hand.rows(_OLD_ACCOUNTS, (now, _BATCH), locking="FOR UPDATE SKIP LOCKED")
    if not accounts:
        return
    latest: dict[str, int] = {}
    for _, budget, ends_at in accounts:
        latest[budget] = max(ends_at, latest.get(budget, ends_at))
    hand.many(_PRUNED, sorted(latest.items()))
    hand.many(_DROP_ACCOUNT, [(number,) for number, _, _ in accounts])
