"""What does a service that is paid by the month cost in a period?

A vector database or a cache server costs the same whatever is asked of it. Its share of a
period belongs beside the cost of the calls, or the kit would look cheaper than it is.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any, Self

from lc_costkit.amounts import as_utc, check_span, usd_amount, whole_date
from lc_costkit.cost import EXACTLY
from lc_costkit.errors import ConfigurationError

_STEP = Decimal("1e-12")
"""Shares of a month are rounded to this many USD: a thirtieth of 20 USD has no last digit."""

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedCost:
    """A line of the bill that is paid by the calendar month, whatever is used.

    A whole calendar month (UTC) costs exactly ``usd_per_month``, whether it has 28 days or 31;
    a part of one costs its share of that month's time. What has been spent since the first day
    is rounded (half to even, to 1e-12 USD), and a period costs the difference between its two
    ends: so periods that follow each other add up to the whole, to the last digit, however
    they are cut.

    Attributes:
        name: what it is, as it will stand in a report.
        usd_per_month: USD for a calendar month; ``Decimal``, ``int`` or ``str``.
        since: the first day on which it is paid (UTC).
        until: the first day on which it is no longer paid (UTC); ``None`` while it is.

    Raises:
        ConfigurationError: no name, an amount that is a float or negative, or no day between the dates.

    >>> line = FixedCost(name="vector database", usd_per_month="30", since=date(2026, 11, 16))
    >>> line.usd_between(datetime(2026, 11, 1), datetime(2026, 12, 1))
    Decimal('15.000000000000')
    >>> line.usd_between(datetime(2026, 12, 1), datetime(2027, 2, 1)) == 60
    True
    """

    name: str
    usd_per_month: Decimal | int | str
    since: date
    until: date | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ConfigurationError(f"name of a FixedCost must be text, not {self.name!r}")
        object.__setattr__(self, "name", self.name.strip())
        object.__setattr__(self, "usd_per_month", usd_amount("usd_per_month", self.usd_per_month))
        whole_date("since", self.since)
        if self.until is not None:
            check_span(f"FixedCost {self.name!r}", self.since, whole_date("until", self.until))

    def usd_between(self, start: datetime, end: datetime) -> Decimal:
        """Return USD that fall into the period from ``start`` to before ``end``.

        Args:
            start: its beginning; UTC if it has no time zone.
            end: its end, which is not a part of it; UTC if it has no time zone.

        Raises:
            ConfigurationError: ``end`` is before ``start``.
        """
        if as_utc(end) < as_utc(start):
            raise ConfigurationError(f"end={end} is before start={start}")
        with localcontext(EXACTLY):
            return self._spent(as_utc(end)) - self._spent(as_utc(start))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values; the amount is a string."""
        return {
            "name": self.name,
            "usd_per_month": str(self.usd_per_month),
            "since": self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read back what ``to_dict`` wrote."""
        until = data.get("until")
        return cls(
            name=data["name"],
            usd_per_month=data["usd_per_month"],
            since=date.fromisoformat(data["since"]),
            until=None if until is None else date.fromisoformat(until),
        )

    def _spent(self, moment: datetime) -> Decimal:
        """Return USD from the first day to ``moment``, rounded."""
        if self.until is not None:
            moment = min(moment, _midnight(self.until))
        first = _midnight(self.since)
        return self._level(moment) - self._level(first) if moment > first else Decimal(0)

    def _level(self, moment: datetime) -> Decimal:
        """Return USD from the year 0 to ``moment``: whole months are exact, the share of the last one is rounded."""
        begin = datetime(moment.year, moment.month, 1, tzinfo=UTC)
        whole = timedelta(days=monthrange(moment.year, moment.month)[1])
        price = Decimal(self.usd_per_month)
        share = price * ((moment - begin) // _MICROSECOND) / (whole // _MICROSECOND)
        return (moment.year * 12 + moment.month) * price + share.quantize(_STEP, ROUND_HALF_EVEN)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
