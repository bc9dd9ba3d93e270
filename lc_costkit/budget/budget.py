"""What may be spent, by whom, and what happens when it is?"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_CEILING, Decimal, InvalidOperation, localcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from lc_costkit.budget.scopes import fits
from lc_costkit.budget.window import PERIODS, Period, Window, checked_zone, window_of
from lc_costkit.cost import EXACTLY
from lc_costkit.errors import BudgetExceeded, ConfigurationError
from lc_costkit.switch import Mode, checked_mode

if TYPE_CHECKING:
    from lc_costkit.budget.status import BudgetStatus
    from lc_costkit.ledger import Ledger

Unit = Literal["usd", "tokens", "calls"]
Fail = Literal["open", "closed"]
Amount = Decimal | int | float | str
Reaction = Literal["raise", "cheapest", "wait"] | Callable[[BudgetExceeded], Any]

ANY = "*"
"""In a scope: one allowance for each value."""

NOBODY = "(none)"
"""Whose allowance a call takes that does not say the value a scope asks for."""

NANO = Decimal(1_000_000_000)
"""USD are counted in whole nano-dollars, so that no process rounds as another does."""

SOFT_SHARE = 0.8
"""The share of a limit at which somebody is told."""

LEASE = timedelta(minutes=10)
"""How long a call may take before its reservation counts as spent; openai's and anthropic's clients wait as long."""

MAX_WAIT = timedelta(minutes=1)
"""How long a rate limit makes a call wait: a window of a minute, after which there is room again."""


_LONGEST_VALUE = 128
"""Characters of a value in a scope, of up to four bytes: an index of PostgreSQL takes rows of 2,700 bytes at most."""


class Budget:
    """A limit on what calls may take, in a window of the calendar, for each value of a scope.

    ``Budget(usd=50, per="day", scope={"user": "*"})`` gives each user 50 USD a day. It does nothing by
    itself: ``budgeted(model, [budget], ledger)`` and ``budgeted_llm`` hold calls to it.

    A budget counts what goes through such a gate from then on. Its accounts are kept beside the ledger
    and known by ``name``, unit, ``per``, ``time_zone`` and ``scope``: processes that share them share
    what is left, and another ``limit`` goes on where the last one was.

    Of several budgets that refuse a call, one that raises or asks a function decides, then one that sends to the
    cheapest model, and last one that waits.

    Args:
        usd: the limit in USD.
        tokens: the limit in tokens, input and output together.
        calls: the limit in calls that went to a provider.
        per: ``minute``, ``hour``, ``day``, ``month``, or ``total`` for a window that never ends.
        scope: which calls it is for: metadata key -> value, or ``"*"`` for an allowance of its own for
            each value (calls that do not say one share one). A value may be a pattern (``"team-*"``), of which
            all that fit share one allowance. ``model`` and ``provider`` are keys, too, in anybody's spelling; a
            model fits with and without the date of its snapshot. Nothing means all calls together.
        name: what to call it in messages; made of the other arguments by default.
        time_zone: whose calendar the windows follow.
        soft: the share of the limit at which a warning is logged and ``on_soft`` is called, once in each
            window; ``None`` for never.
        on_soft: called with the ``BudgetStatus`` of that moment, on a thread of the call that reached it;
            or ``"cheapest"``: from then on calls go to the cheapest model.
        on_exceeded: ``"raise"`` a ``BudgetExceeded``; ``"cheapest"``: send the call to the cheapest model,
            if that fits; ``"wait"`` until others give back what they hold, or the window ends, which makes a
            rate limit of a short one (see ``RateLimit``); or a function of
            the ``BudgetExceeded`` that returns an answer or a model, or raises.
        max_wait: how long a call waits at most where ``on_exceeded="wait"``; then it is refused.
        fail: what happens while the store cannot be used: ``"closed"`` refuses calls
            (``BudgetUnavailable``), ``"open"`` lets them through and counts them later. Closed by default.
        mode: ``"observe"`` counts and warns, and never stops a call.
        allow_unpriced: let models through that have no price; their calls count 0 USD.
        lease: how long a call may take before it counts as spent in full; settled late, it is corrected.

    Raises:
        ConfigurationError: not exactly one limit, or one that is negative or no number; an unknown period,
            time zone, mode or reaction; an empty scope key; a share or lease out of range.

    >>> Budget(usd="0.50", per="day", scope={"user": "*"})
    Budget(usd=0.50, per='day', scope={'user': '*'})
    """

    def __init__(
        self,
        *,
        usd: Amount | None = None,
        tokens: int | None = None,
        calls: int | None = None,
        per: Period = "total",
        scope: Mapping[str, str] | None = None,
        name: str | None = None,
        time_zone: str | tzinfo = "UTC",
        soft: float | None = SOFT_SHARE,
        on_soft: Callable[[BudgetStatus], object] | Literal["cheapest"] | None = None,
        on_exceeded: Reaction = "raise",
        max_wait: timedelta | float = MAX_WAIT,
        fail: Fail = "closed",
        mode: Mode = "on",
        allow_unpriced: bool = False,
        lease: timedelta | float = LEASE,
    ) -> None:
        self.unit, self.limit = _limit(usd, tokens, calls)
        if per not in PERIODS:
            raise ConfigurationError(f"per must be one of {', '.join(PERIODS)}, not {per!r}")
        self.per: Period = per
        self.scope = _scope(scope)
        self.zone = checked_zone(time_zone)
        self.soft = _share(soft)
        if on_soft is not None and on_soft != "cheapest" and not callable(on_soft):
            raise ConfigurationError(f"on_soft must be a function, 'cheapest' or None, not {on_soft!r}")
        if inspect.iscoroutinefunction(on_soft) or inspect.iscoroutinefunction(on_exceeded):
            raise ConfigurationError("on_soft and on_exceeded are called, not awaited; give plain functions")
        if on_soft is not None and self.soft is None:
            raise ConfigurationError("on_soft is never called without soft; give soft a share such as 0.8")
        if on_exceeded not in ("raise", "cheapest", "wait") and not callable(on_exceeded):
            raise ConfigurationError(
                f"on_exceeded must be 'raise', 'cheapest', 'wait' or a function, not {on_exceeded!r}"
            )
        if fail not in get_args(Fail):
            raise ConfigurationError(f"fail must be 'open' or 'closed', not {fail!r}")
        self.on_soft = on_soft
        self.on_exceeded = on_exceeded
        self.max_wait_seconds = _seconds("max_wait", max_wait)
        self.fail: Fail = fail
        self.mode: Mode = checked_mode(mode)
        self.allow_unpriced = bool(allow_unpriced)
        self.lease_seconds = _seconds("lease", lease)
        self.name = self._named(name)
        self._ledger: Ledger | None = None

    @cached_property
    def key(self) -> str:
        """What identifies its accounts: the name and what is counted, not how much of it is allowed."""
        zone = "" if self.per == "total" else str(self.zone)
        said = json.dumps([self.name, self.unit, self.per, zone, sorted(self.scope.items())], ensure_ascii=False)
        return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def status(self, ledger: Ledger | None = None) -> BudgetStatus:
        """Return what was spent, is held and is left in the present window, for each value of the scope.

        Args:
            ledger: whose accounts; by default those of the gate the budget was given to.

        Raises:
            ConfigurationError: the budget was given to no gate yet, and ``ledger`` is missing.
            StoreError: the store cannot be read.
        """
        from lc_costkit.budget.status import status_of

        return status_of(self, self._where(ledger))

    def credit(
        self, amount: Amount | None = None, *, scope: Mapping[str, str] | None = None, ledger: Ledger | None = None
    ) -> BudgetStatus:
        """Take something off what was spent in the present window: after a wrong price, or as a courtesy.

        Args:
            amount: USD, tokens or calls, as the budget's limit; all that was spent by default.
            scope: whose allowance, with a value for each key of the budget's scope that is ``"*"``.
            ledger: whose accounts; by default those of the gate the budget was given to.

        Returns:
            How the budget stands then.

        Raises:
            ConfigurationError: an amount that is negative or no number, a value of the scope is missing, or nothing
                was spent there.
            StoreError: the store cannot be written to.
        """
        from lc_costkit.budget.crediting import credit

        where = self._where(ledger)
        units = None if amount is None else self.in_units(_amount(self.unit, amount))
        credit(self, where, scope or {}, units)
        return self.status(where)

    def _where(self, ledger: Ledger | None) -> Ledger:
        where = ledger if ledger is not None else self._ledger
        if where is None:
            raise ConfigurationError(
                f"budget {self.name!r} is in no gate yet; pass it to budgeted(...), or name its ledger: status(ledger)"
            )
        return where

    def bind(self, ledger: Ledger) -> None:
        """Note where the accounts are; a gate does this.

        Raises:
            ConfigurationError: another ledger has them.
        """
        if self._ledger is not None and self._ledger is not ledger:
            raise ConfigurationError(
                f"budget {self.name!r} is kept in {self._ledger!r} already; make another Budget for {ledger!r}"
            )
        self._ledger = ledger

    def window(self, moment: datetime) -> Window:
        """Return the window that holds ``moment``."""
        return window_of(self.per, self.zone, moment)

    def scope_values(self, known: Mapping[str, Any]) -> dict[str, str] | None:
        """Return whose allowance a call takes; ``None`` where the budget is not for it.

        Args:
            known: the call's metadata, with ``model`` and ``provider``.
        """
        values: dict[str, str] = {}
        for name, wanted in self.scope.items():
            value = known.get(name)
            text = NOBODY if value is None or value == "" else str(value)
            if wanted == ANY:
                values[name] = text if len(text) <= _LONGEST_VALUE else _shortened(text)
            elif fits(name, wanted, text):
                values[name] = wanted
            else:
                return None
        return values

    def in_units(self, amount: Decimal | int) -> int:
        """Return an amount (USD, or tokens or calls) as whole units of the accounts, never less than it is."""
        if self.unit != "usd":
            return int(amount)
        return nano(Decimal(amount))

    def amount(self, units: int) -> Decimal | int:
        """Return units of the accounts as USD, tokens or calls."""
        if self.unit != "usd":
            return units
        with localcontext(EXACTLY):
            return (Decimal(units) / NANO).normalize() if units else Decimal(0)

    def __repr__(self) -> str:
        said = [f"{self.unit}={self.limit}", f"per={self.per!r}"]
        said += [f"scope={self.scope!r}"] if self.scope else []
        said += [f"name={self.name!r}"] if self.name != self._named(None) else []
        said += [f"time_zone={str(self.zone)!r}"] if self.zone is not UTC else []
        said += ["mode='observe'"] if self.mode == "observe" else []
        return f"Budget({', '.join(said)})"

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_ledger": None}

    def _named(self, name: str | None) -> str:
        if name is None:
            whom = ", ".join(k if v == ANY else f"{k}={v}" for k, v in sorted(self.scope.items()))
            when = "in total" if self.per == "total" else f"per {self.per}"
            return f"{self.unit} {when}" + (f" by {whom}" if whom else "")
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError(f"name must be text, not {name!r}; leave it out for one made of the arguments")
        return name.strip()


def _shortened(text: str) -> str:
    """Return a text that stands for a longer one, and for no other."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{text[: _LONGEST_VALUE - len(digest) - 3]}...{digest}"


def nano(usd: Decimal) -> int:
    """Return USD in whole nano-dollars, rounded up.

    >>> nano(Decimal("0.0000000001"))
    1
    """
    with localcontext(EXACTLY):
        return int((usd * NANO).to_integral_value(rounding=ROUND_CEILING))


def _limit(usd: Amount | None, tokens: int | None, calls: int | None) -> tuple[Unit, Decimal | int]:
    given = {"usd": usd, "tokens": tokens, "calls": calls}
    named = [unit for unit, value in given.items() if value is not None]
    if len(named) != 1:
        what = "none" if not named else " and ".join(named)
        raise ConfigurationError(
            f"a Budget has exactly one limit (usd, tokens or calls), got {what}; give a model several budgets instead"
        )
    unit: Unit = "usd" if usd is not None else "tokens" if tokens is not None else "calls"
    return unit, _amount(unit, given[unit])


def _amount(unit: Unit, value: object) -> Decimal | int:
    if unit == "usd":
        return _usd(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(f"{unit} must be a whole number of at least 0, not {value!r}")
    return value


def _usd(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, float, str)):
        raise ConfigurationError(f"usd must be an amount of USD, not {value!r}")
    try:
        amount = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise ConfigurationError(f"usd is no number: {value!r}") from None
    if not amount.is_finite() or amount < 0:
        raise ConfigurationError(f"usd must be a finite amount of at least 0, not {value}")
    if amount >= _MOST_USD:
        raise ConfigurationError(f"usd must be below {_MOST_USD}, not {value}")
    return amount


_MOST_USD = Decimal(1_000_000_000)
"""A billion: in nano-dollars, with as much again held, it fits the 64 bits of a database column."""


def _scope(scope: object) -> dict[str, str]:
    if scope is None:
        return {}
    if not isinstance(scope, Mapping):
        raise ConfigurationError(f"scope must map metadata keys to values or '*', not {scope!r}")
    for key, value in scope.items():
        if not isinstance(key, str) or not key.strip():
            raise ConfigurationError(f"scope has an empty key or one that is no text: {key!r}")
        if not isinstance(value, str) or not value.strip():
            raise ConfigurationError(f"scope[{key!r}] must be a value or '*', not {value!r}")
    return dict(scope)


def _share(soft: object) -> float | None:
    if soft is None:
        return None
    if isinstance(soft, bool) or not isinstance(soft, (int, float)) or not 0 < soft <= 1:
        raise ConfigurationError(f"soft must be a share of the limit above 0 and at most 1, or None, not {soft!r}")
    return float(soft)


def _seconds(name: str, value: object) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
        raise ConfigurationError(f"{name} must be a timedelta or seconds, not {value!r}")
    if seconds <= 0:
        raise ConfigurationError(f"{name} must be above 0 seconds, not {value!r}")
    return float(seconds)
