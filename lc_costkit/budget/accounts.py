"""How much is spent and held of each allowance, whoever asks at the same moment?

Every method is one transaction in the database of the ledger: what it says has happened has
happened in full, for all processes, and what raises has not happened at all.

Windows are found by the clock of whoever calls. Where that clock is set back, a window that
has an account goes on with what was spent in it. A window whose account was pruned, or may
have been, gets a new one in which nothing fits: an allowance is never given twice.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from lc_costkit.budget.entries import DoesNotFitError, release, reserve, settle
from lc_costkit.budget.parts import Account, Balance, Part, Refused, Reserved, Settled
from lc_costkit.budget.schema import BUDGET_SCHEMA, BUDGET_TABLES, MOST, key_of, storable
from lc_costkit.budget.transactions import Transactions
from lc_costkit.budget.upkeep import keep_up, prune, sweep
from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.store import PATIENT_SECONDS, describe
from lc_costkit.turns import Turn
from lc_costkit.versions import prepare_schema

_UPKEEP_CALLS = 64
_UPKEEP_SECONDS = 10.0
"""After so many reservations, or so long, the next one tidies up first: at least as many rows as came since."""

_PRESENT = (
    "SELECT scope, starts_at, ends_at, spent, held, unsettled FROM costkit_budget_accounts "
    "WHERE budget = ? AND starts_at <= ? AND (ends_at IS NULL OR ends_at > ?) ORDER BY scope"
)
_CREDIT = (
    "UPDATE costkit_budget_accounts SET spent = MAX(spent - ?, 0) WHERE budget = ? AND starts_at = ? AND scope = ?"
)
_LATEST = "SELECT starts_at FROM costkit_budget_accounts WHERE budget = ? ORDER BY starts_at DESC LIMIT 1"
_REGISTER = (
    "INSERT INTO costkit_budgets (budget, name, unit, limit_units, per, time_zone, scope, soft, mode) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (budget) DO UPDATE SET name = excluded.name, "
    "unit = excluded.unit, limit_units = excluded.limit_units, per = excluded.per, time_zone = excluded.time_zone, "
    "scope = excluded.scope, soft = excluded.soft, mode = excluded.mode"
)
_REGISTERED = (
    "SELECT budget, name, unit, limit_units, per, time_zone, scope, soft, mode FROM costkit_budgets ORDER BY name"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A budget that a gate was made with, as it was said last.

    Attributes:
        budget: its ``key``.
        name: what it is called.
        unit: ``usd``, ``tokens`` or ``calls``.
        limit_units: the limit, in nano-USD, tokens or calls.
        per: its period.
        time_zone: whose calendar its windows follow.
        scope: metadata key -> value or ``"*"``.
        soft: the share of the limit at which somebody is told; ``None`` for never.
        mode: ``on``, ``observe``, or ``wait`` for one that makes calls wait.
    """

    budget: str
    name: str
    unit: str
    limit_units: int
    per: str
    time_zone: str
    scope: dict[str, str]
    soft: float | None
    mode: str


class Accounts:
    """What is spent and held of every budget kept in one database. Threads and processes may share it.

    Args:
        engine: from ``open_engine``.
        turn: of the writers of this file; found by itself if left out.
        patience_seconds: how long to wait for the threads of this process, and then for another
            process: whoever asks a limit that must hold has to know.

    Raises:
        ConfigurationError: the database is neither SQLite nor PostgreSQL.
        StoreError: it cannot be used, or a newer version wrote the accounts.

    >>> from lc_costkit.store import open_engine
    >>> accounts = Accounts(open_engine(":memory:"))
    >>> part = Part(account=Account(budget="b", scope="{}"), amount=70, limit=100)
    >>> accounts.reserve("call 1", [part], now=0, lease_seconds=[600]).balances[0].held
    70
    >>> type(accounts.reserve("call 2", [part], now=0, lease_seconds=[600])).__name__
    'Refused'
    >>> accounts.settle("call 1", [part], [20], now=1).balances[0].spent
    20
    """

    def __init__(self, engine: Engine, *, turn: Turn | None = None, patience_seconds: float = PATIENT_SECONDS) -> None:
        self._engine = engine
        self._transactions = Transactions(engine, turn=turn, patience_seconds=patience_seconds)
        prepare_schema(engine, "budgets", BUDGET_SCHEMA, BUDGET_TABLES)
        self._closed = False
        self._since_upkeep = 0
        self._next_upkeep = time.monotonic() + _UPKEEP_SECONDS

    def register(
        self,
        budget_key: str,
        *,
        name: str,
        unit: str,
        limit_units: int,
        per: str,
        time_zone: str,
        scope: Mapping[str, str],
        soft: float | None,
        mode: str,
    ) -> None:
        """Note a budget for ``registered``; what was noted of it before is replaced.

        Raises:
            StoreError: the store cannot be used.
        """
        said = json.dumps(dict(scope), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        texts = [storable(text) for text in (name, unit, per, time_zone, said, mode)]
        row = (budget_key, texts[0], texts[1], min(limit_units, MOST), texts[2], texts[3], texts[4], soft, texts[5])
        self._open()
        self._transactions.run(lambda hand: hand.execute(_REGISTER, row))

    def registered(self) -> list[Registered]:
        """Return the budgets that were noted, by name.

        Raises:
            StoreError: the store cannot be used.
        """
        self._open()
        rows = self._transactions.run(lambda hand: hand.rows(_REGISTERED))
        return [
            Registered(
                budget=budget,
                name=name,
                unit=unit,
                limit_units=limit,
                per=per,
                time_zone=zone,
                scope=json.loads(scope),
                soft=soft,
                mode=mode,
            )
            for budget, name, unit, limit, per, zone, scope, soft, mode in rows
        ]

    def reserve(
        self, reservation: str, parts: Sequence[Part], *, now: float, lease_seconds: Sequence[float]
    ) -> Reserved | Refused:
        """Hold what a call can take of each account, or nothing of any.

        Args:
            reservation: a name of its own for the call.
            parts: one for each account; an amount of 0 always fits.
            now: seconds since 1970.
            lease_seconds: for each part, how long until it counts as spent if nobody settles it.

        Raises:
            ConfigurationError: an amount below 0, two parts of one account, a name that is in use.
            StoreError: the store cannot be used; nothing is held.
        """
        _check(parts, lease_seconds)
        self._open()
        self._keep_up(now)
        name = storable(reservation)
        given = zip(range(len(parts)), parts, lease_seconds, strict=True)
        ordered = sorted(given, key=lambda one: key_of(one[1].account))
        try:
            return self._transactions.run(lambda hand: reserve(hand, name, ordered, now))
        except DoesNotFitError as refusal:
            refused = refusal.refused
        # What nobody settled in time is spent, and the answer should say so.
        accounts = sorted({key_of(one.part.account): one.part.account for one in (refused, *refused.others)}.items())
        if not self._transactions.run(lambda hand: sum(sweep(hand, now, account=one) for _, one in accounts)):
            return refused
        try:
            return self._transactions.run(lambda hand: reserve(hand, name, ordered, now))
        except DoesNotFitError as refusal:
            return refusal.refused

    def settle(self, reservation: str, parts: Sequence[Part], amounts: Sequence[int], *, now: float) -> Settled:
        """Count what a call took in place of what it held.

        A second time changes nothing. After its lease ran out, what was counted then is corrected, for a day.
        What was never reserved is added. What was reserved of other accounts is given back.

        Args:
            reservation: as it was reserved.
            parts: one for each account; ``soft`` and ``earlier`` of them are used.
            amounts: what the call took, for each part.
            now: seconds since 1970.

        Raises:
            ConfigurationError: not one amount for each part, or two parts of one account.
            StoreError: the store cannot be used; nothing changed.
        """
        if len(amounts) != len(parts):
            raise ConfigurationError(f"settle needs one amount for each part, got {len(amounts)} for {len(parts)}")
        _check_apart(parts)
        self._open()
        taken = [min(max(int(amount), 0), MOST) for amount in amounts]
        return self._transactions.run(lambda hand: settle(hand, storable(reservation), parts, taken, now))

    def release(self, reservation: str) -> None:
        """Give back what a call holds that was never sent; one that was settled stays as it is.

        Raises:
            StoreError: the store cannot be used; nothing changed.
        """
        self._open()
        self._transactions.run(lambda hand: release(hand, storable(reservation)))

    def credit(self, account: Account, amount: int) -> bool:
        """Take ``amount`` off what was spent, down to 0; tell whether anything was spent there at all.

        Raises:
            StoreError: the store cannot be used; nothing changed.
        """
        self._open()
        values = (min(max(int(amount), 0), MOST), *key_of(account))
        return bool(self._transactions.run(lambda hand: hand.execute(_CREDIT, values)))

    def sweep(self, *, now: float) -> int:
        """Count as spent what is held by calls whose lease ran out, and return how many holds that were.

        Args:
            now: seconds since 1970.

        Raises:
            StoreError: the store cannot be used; what was swept before stays so.
        """
        self._open()
        total = 0
        while swept := self._transactions.run(lambda hand: sweep(hand, now)):
            total += swept
        self._transactions.run(lambda hand: prune(hand, now))
        return total

    def balances(self, budget_key: str, *, now: float) -> list[Balance]:
        """Return how the accounts of a budget stand whose window holds ``now``, by scope.

        Raises:
            StoreError: the store cannot be used.
        """
        self.sweep(now=now)
        rows = self._transactions.run(lambda hand: hand.rows(_PRESENT, (budget_key, math.floor(now), math.floor(now))))
        return [
            Balance(
                account=Account(budget=budget_key, scope=scope, starts_at=starts_at, ends_at=ends_at),
                spent=spent,
                held=held,
                unsettled=unsettled,
            )
            for scope, starts_at, ends_at, spent, held, unsettled in rows
        ]

    def latest_start(self, budget_key: str) -> int | None:
        """Return when the latest window of a budget began, seconds since 1970; ``None`` where it has none.

        A clock that says less than this was set back, or another one goes ahead.

        Raises:
            StoreError: the store cannot be used.
        """
        self._open()
        row = self._transactions.run(lambda hand: hand.row(_LATEST, (budget_key,)))
        return None if row is None else int(row[0])

    def close(self) -> None:
        """Take nothing more; the engine is its owner's to dispose of."""
        self._closed = True

    def _open(self) -> None:
        if self._closed:
            raise StoreError(f"the accounts in {describe(self._engine)} are closed")

    def _keep_up(self, now: float) -> None:
        # Races between threads cost a turn of upkeep more or less.
        self._since_upkeep += 1
        if self._since_upkeep < _UPKEEP_CALLS and time.monotonic() < self._next_upkeep:
            return
        self._since_upkeep = 0
        self._next_upkeep = time.monotonic() + _UPKEEP_SECONDS
        self._transactions.run(lambda hand: keep_up(hand, now))


def _check(parts: Sequence[Part], lease_seconds: Sequence[float]) -> None:
    if len(lease_seconds) != len(parts):
        raise ConfigurationError(f"reserve needs one lease for each part, got {len(lease_seconds)} for {len(parts)}")
    for part in parts:
        if part.amount < 0:
            raise ConfigurationError(f"an amount must be at least 0, not {part.amount}")
    _check_apart(parts)


def _check_apart(parts: Sequence[Part]) -> None:
    if len(parts) > 1 and len({key_of(part.account) for part in parts}) < len(parts):
        raise ConfigurationError("two parts are of one account; give budgets that count the same names of their own")
