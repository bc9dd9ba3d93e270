"""How does a budget stand: what is spent, held and left, and for whom?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from lc_costkit.budget import status_text
from lc_costkit.budget.parts import Balance
from lc_costkit.budget.window import Period, checked_zone, window_of
from lc_costkit.errors import ConfigurationError, MissingDependency

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

    from lc_costkit.budget.accounts import Registered
    from lc_costkit.budget.budget import Budget
    from lc_costkit.ledger import Ledger

_NANO_PLACES = -9


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """How the allowance stands of one value of a budget's scope. Amounts are USD, or whole tokens or calls.

    Attributes:
        scope: whose it is, such as ``{"user": "u42"}``; empty for all calls together.
        limit: what may be spent in the window.
        spent: what was, and what counts as spent because nobody settled it.
        held: what calls under way can still take.
        unsettled: how much of ``spent`` was never settled: the lease of those calls ran out.
        left: what a new call may take, at least 0.
        starts_at: when the window began (UTC); ``None`` for one that never ends.
        resets_at: when the next one begins (UTC); ``None`` for never.
    """

    scope: Mapping[str, str]
    limit: Decimal | int
    spent: Decimal | int
    held: Decimal | int
    unsettled: Decimal | int
    left: Decimal | int
    starts_at: datetime | None = None
    resets_at: datetime | None = None

    @property
    def share(self) -> float:
        """Spent as a share of the limit; above 1 where the limit was lowered, 1 where it is 0."""
        return float(self.spent / self.limit) if self.limit else 1.0

    @property
    def name(self) -> str:
        """Whose it is, as text.

        >>> AccountStatus(scope={"user": "u42"}, limit=9, spent=3, held=0, unsettled=0, left=6).name
        'user=u42'
        """
        return ", ".join(f"{key}={value}" for key, value in self.scope.items()) or "all calls"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values; USD as decimal text."""
        return {
            "scope": dict(self.scope),
            **{name: _plain(getattr(self, name)) for name in ("limit", "spent", "held", "unsettled", "left")},
            "share": self.share,
            "starts_at": None if self.starts_at is None else self.starts_at.isoformat(),
            "resets_at": None if self.resets_at is None else self.resets_at.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BudgetStatus:
    """How a budget stands in the present window, the most used allowance first.

    Prints as text with a bar for each allowance (``#`` spent, ``=`` held, ``|`` the soft limit), shows as
    a table in a notebook.

    Attributes:
        name: the budget's.
        unit: ``usd``, ``tokens`` or ``calls``.
        limit: what each allowance may take in a window.
        per: how long a window is.
        mode: ``on``, ``observe`` for one that only counts, or ``wait`` for one that makes calls wait.
        soft: the share of the limit at which somebody is told; ``None`` for never.
        scope: which calls it is for: metadata key -> value, or ``"*"`` for an allowance of its own for each.
        accounts: one for each value of the scope that was used in the window.
        resets_at: when the next window begins (UTC); ``None`` for never.
    """

    name: str
    unit: str
    limit: Decimal | int
    per: str
    mode: str = "on"
    soft: float | None = None
    scope: Mapping[str, str] = field(default_factory=dict)
    accounts: tuple[AccountStatus, ...] = ()
    resets_at: datetime | None = None

    @property
    def spent(self) -> Decimal | int:
        """Over all allowances."""
        return _sum((account.spent for account in self.accounts), self.limit)

    @property
    def held(self) -> Decimal | int:
        """Over all allowances."""
        return _sum((account.held for account in self.accounts), self.limit)

    @property
    def unsettled(self) -> Decimal | int:
        """Over all allowances: how much of ``spent`` was never settled."""
        return _sum((account.unsettled for account in self.accounts), self.limit)

    @property
    def left(self) -> Decimal | int:
        """Of the allowance with the least left; the whole limit where none was used."""
        return min((account.left for account in self.accounts), default=self.limit)

    @property
    def exhausted(self) -> tuple[AccountStatus, ...]:
        """The allowances with nothing left, whether or not the budget stops calls."""
        return tuple(account for account in self.accounts if account.left <= 0)

    @property
    def past_soft(self) -> tuple[AccountStatus, ...]:
        """The allowances of which at least the soft share is spent."""
        return tuple(one for one in self.accounts if self.soft is not None and one.share >= self.soft)

    def __repr__(self) -> str:
        return status_text.as_text(self)

    def __str__(self) -> str:
        return status_text.as_line(self)

    def _repr_html_(self) -> str:
        return status_text.as_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values; USD as decimal text."""
        return {
            "name": self.name,
            "unit": self.unit,
            "per": self.per,
            "mode": self.mode,
            "soft": self.soft,
            "scope": dict(self.scope),
            **{name: _plain(getattr(self, name)) for name in ("limit", "spent", "held", "unsettled", "left")},
            "resets_at": None if self.resets_at is None else self.resets_at.isoformat(),
            "accounts": [account.to_dict() for account in self.accounts],
        }

    def to_frame(self) -> pandas.DataFrame:
        """Return one line for each allowance, whose as index; USD columns hold ``Decimal``.

        Raises:
            MissingDependency: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingDependency("BudgetStatus.to_frame", "report") from error
        data = [{name: getattr(account, name) for name in _FRAME_COLUMNS} for account in self.accounts]
        index = pandas.Index([account.name for account in self.accounts], name=", ".join(self.scope) or "all calls")
        return pandas.DataFrame(data, index=index, columns=list(_FRAME_COLUMNS))

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw what each allowance spent and holds as bars, with the limits as lines, and return the axes.

        Args:
            ax: where to draw; a new figure by default.

        Raises:
            MissingDependency: matplotlib is not installed.
        """
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise MissingDependency("BudgetStatus.plot", "report") from error
        shown = self.accounts[::-1]
        if ax is None:
            _, ax = pyplot.subplots(figsize=(7, 1.2 + 0.4 * max(1, len(shown))), layout="constrained")
        spent, positions = [float(account.spent) for account in shown], list(range(len(shown)))
        ax.barh(positions, spent, color="#3b6ea5", label="spent")
        ax.barh(positions, [float(account.held) for account in shown], left=spent, color="#a9c1da", label="held")
        # Not mathtext: a user may be called "$x$".
        ax.set_yticks(positions, [status_text.printable(account.name).replace("$", r"\$") for account in shown])
        ax.axvline(float(self.limit), color="#b03030", label="limit")
        if self.soft is not None:
            ax.axvline(float(self.limit) * self.soft, color="#c98a1b", linestyle="--", label="soft limit")
        ax.set_xlabel(status_text.UNITS.get(self.unit, self.unit))
        ax.set_title(status_text.printable(self.name).replace("$", r"\$"), loc="left", pad=22)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, ncols=4, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0)
        return ax


def status_of(budget: Budget, ledger: Ledger) -> BudgetStatus:
    """Return how ``budget`` stands in the accounts beside ``ledger``.

    What calls of this process still have to settle is settled first; what nobody settled in time counts as spent.

    Raises:
        StoreError: the store cannot be read.
    """
    from lc_costkit.budget.book import book_of

    now = time.time()
    return BudgetStatus(
        name=budget.name,
        unit=budget.unit,
        limit=budget.limit,
        per=budget.per,
        mode=budget.mode,
        soft=budget.soft,
        scope=dict(budget.scope),
        accounts=_accounts(book_of(ledger).balances(budget.key), budget.unit, budget.limit),
        resets_at=budget.window(datetime.fromtimestamp(now, UTC)).end,
    )


def registered_statuses(ledger: Ledger) -> list[BudgetStatus]:
    """Return how every budget stands that a gate was ever made with, by name.

    Raises:
        StoreError: the store cannot be read.
    """
    from lc_costkit.budget.book import book_of

    book = book_of(ledger)
    return [_of_registered(one, book.balances(one.budget)) for one in book.accounts.registered()]


def _of_registered(registered: Registered, balances: list[Balance]) -> BudgetStatus:
    limit = _amount(registered.unit, registered.limit_units)
    accounts = _accounts(balances, registered.unit, limit)
    return BudgetStatus(
        name=registered.name,
        unit=registered.unit,
        limit=limit,
        per=registered.per,
        mode=registered.mode,
        soft=registered.soft,
        scope=registered.scope,
        accounts=accounts,
        resets_at=accounts[0].resets_at if accounts else _resets_at(registered),
    )


def _resets_at(registered: Registered) -> datetime | None:
    try:
        zone = checked_zone(registered.time_zone)
    except ConfigurationError:  # a tzinfo of somebody's own, which has no name to find it by
        return None
    return window_of(cast("Period", registered.per), zone, datetime.now(UTC)).end


def _accounts(balances: Iterable[Balance], unit: str, limit: Decimal | int) -> tuple[AccountStatus, ...]:
    accounts = [_account(balance, unit, limit) for balance in balances]
    return tuple(sorted(accounts, key=lambda account: (-account.spent - account.held, account.name)))


def _account(balance: Balance, unit: str, limit: Decimal | int) -> AccountStatus:
    spent, held = _amount(unit, balance.spent + balance.earlier), _amount(unit, balance.held)
    ends_at = balance.account.ends_at
    return AccountStatus(
        scope=json.loads(balance.account.scope),
        limit=limit,
        spent=spent,
        held=held,
        unsettled=_amount(unit, balance.unsettled),
        left=max(limit - spent - held, _zero(limit)),
        starts_at=None if ends_at is None else datetime.fromtimestamp(balance.account.starts_at, UTC),
        resets_at=None if ends_at is None else datetime.fromtimestamp(ends_at, UTC),
    )


def _amount(unit: str, units: int) -> Decimal | int:
    """Return units of the accounts as USD without an exponent, or as they are."""
    if unit != "usd":
        return units
    amount = Decimal(units).scaleb(_NANO_PLACES).normalize()
    return amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount


def _sum(amounts: Iterable[Decimal | int], limit: Decimal | int) -> Decimal | int:
    return sum(amounts, _zero(limit))


def _zero(limit: Decimal | int) -> Decimal | int:
    return Decimal(0) if isinstance(limit, Decimal) else 0


def _plain(amount: Decimal | int) -> str | int:
    return f"{amount:f}" if isinstance(amount, Decimal) else amount


_FRAME_COLUMNS = ("spent", "held", "unsettled", "left", "limit", "share", "starts_at", "resets_at")
