"""What is kept of budgets in the database, and for how long?

Amounts are whole numbers of a budget's unit: nano-USD, tokens or calls.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

from lc_costkit.budget.parts import Account

BUDGET_SCHEMA = 1
"""Raised with every change of the tables below."""

BUDGET_TABLES = MetaData()

HELD = 0
"""A reservation of a call under way."""

SWEPT = 1
"""Its lease ran out: the amount counts as spent until somebody settles it."""

OVER = 2
"""Settled. Kept for a while, so that settling it again changes nothing."""

MINUTE, HOUR, DAY = 60, 3600, 86400

SWEPT_KEPT_SECONDS = DAY
"""How long a call may come back after its lease ran out and still be corrected: as long as a batch API may take."""

OVER_KEPT_SECONDS = 10 * MINUTE
"""Who could not be told that a settlement arrived tries again within seconds; a minute's rest is the longest."""

MOST = 10**18
"""No amount is larger: nine of them fit the 64 bits of a column, and a billion USD is as much."""

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

BUDGETS = Table(
    "costkit_budgets",
    BUDGET_TABLES,
    Column("budget", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("unit", String(16), nullable=False),
    Column("limit_units", BigInteger, nullable=False),
    Column("per", String(16), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("scope", Text, nullable=False),
    Column("soft", Float(53)),
    Column("mode", String(16), nullable=False),
)
"""The budgets that gates were made with, so that they can be listed without the program that has them."""

ACCOUNTS = Table(
    "costkit_budget_accounts",
    BUDGET_TABLES,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("budget", String(64), nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("scope", Text, nullable=False),
    Column("ends_at", BigInteger),
    # When nobody needs the row any more; empty for "never".
    Column("kept_until", BigInteger, index=True),
    Column("spent", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("unsettled", BigInteger, nullable=False),
    Column("soft_told", Integer, nullable=False),
    # 1 where an account of this window was pruned before: what had been spent is not known, so nothing fits.
    Column("closed", Integer, nullable=False),
    UniqueConstraint("budget", "starts_at", "scope"),
    # A number that is never given again, so that an old reservation cannot meet another account.
    sqlite_autoincrement=True,
)

RESERVATIONS = Table(
    "costkit_budget_reservations",
    BUDGET_TABLES,
    Column("reservation", String(64), primary_key=True),
    Column("account", BigInteger, primary_key=True),
    Column("amount", BigInteger, nullable=False),
    Column("state", Integer, nullable=False),
    # When the lease runs out; once the reservation is over, when that was. Seconds since 1970.
    Column("expires_at", Float(53), nullable=False),
    Index("costkit_budget_reservations_state", "state", "expires_at"),
    sqlite_with_rowid=False,
)

PRUNED = Table(
    "costkit_budget_pruned",
    BUDGET_TABLES,
    Column("budget", String(64), primary_key=True),
    # The latest end of a window whose account was pruned, seconds since 1970.
    Column("until", BigInteger, nullable=False),
)


def kept_until(starts_at: int, ends_at: int | None) -> int | None:
    """Return when an account may be pruned; ``None`` for never.

    Long enough for a look at what was, and for a clock that is set back: minutes are kept for an
    hour, hours for a week, days for 400 days, longer windows for good.

    >>> kept_until(0, 60), kept_until(0, 3600), kept_until(0, 90_000), kept_until(0, None)
    (3660, 608400, 34650000, None)
    """
    if ends_at is None:
        return None
    length = ends_at - starts_at
    if length <= MINUTE:
        return ends_at + HOUR
    if length <= HOUR:
        return ends_at + 7 * DAY
    # The longest day has 25 hours.
    return ends_at + 400 * DAY if length <= DAY + HOUR else None


def key_of(account: Account) -> tuple[str, int, str]:
    """Return what finds an account, in the order in which accounts are taken."""
    return account.budget, account.starts_at, storable(account.scope)


def storable(text: str) -> str:
    """Return text that both databases take; the same text stays the same."""
    if text.isascii() and "\x00" not in text:
        return text
    # A lone surrogate has no place in UTF-8, and PostgreSQL refuses NUL.
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
