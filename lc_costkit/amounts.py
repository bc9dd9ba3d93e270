"""What may be given as an amount of money, a share or a date?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from lc_costkit.errors import ConfigurationError

_MOST = Decimal(10**12)
"""USD that nothing costs: a limit keeps sums within the precision of the arithmetic."""

_DECIMALS = 24


def usd_amount(name: str, value: object) -> Decimal:
    """Return an amount of USD that somebody gave.

    Raises:
        ConfigurationError: it is a float, negative, infinite or no number.

    >>> usd_amount("price", "0.15")
    Decimal('0.15')
    """
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, str)):
        raise ConfigurationError(
            f"{name} must be a Decimal, int or str amount of USD, not {value!r}; "
            f"write Decimal({str(value)!r}) or {str(value)!r} so that the amount is exact"
        )
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise ConfigurationError(f"{name} is no number: {value!r}") from None
    if not amount.is_finite() or amount < 0:
        raise ConfigurationError(f"{name} must be a finite amount of at least 0 USD, not {value}")
    if amount > _MOST:
        raise ConfigurationError(f"{name} must be at most {_MOST} USD, not {value}")
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_DECIMALS:
        raise ConfigurationError(f"{name} must have at most {_DECIMALS} decimals, not {-exponent}")
    return amount


def usd_limit(name: str, value: object) -> Decimal:
    """Return a limit in USD that somebody gave; a float is taken as it is written.

    A price must be exact to the last digit, a limit need not: 0.05 is what was meant by it.

    Raises:
        ConfigurationError: it is negative, infinite or no number.

    >>> usd_limit("max_usd", 0.1), usd_limit("max_usd", "0.002")
    (Decimal('0.1'), Decimal('0.002'))
    """
    return usd_amount(name, repr(float(value)) if isinstance(value, float) else value)


def whole_date(name: str, value: object) -> date:
    """Return a calendar date that somebody gave.

    Raises:
        ConfigurationError: it is not a ``date``, or is a ``datetime``, which would hide a time zone.
    """
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ConfigurationError(f"{name} must be a datetime.date, not {value!r}; write date(2026, 11, 1)")
    return value


def check_span(owner: str, since: date | None, until: date | None) -> None:
    """Refuse a span of days that holds none; ``until`` is the first day that is out of it.

    Raises:
        ConfigurationError: ``until`` is not after ``since``.
    """
    if since is not None and until is not None and until <= since:
        raise ConfigurationError(
            f"{owner}: until={until} must be after since={since}; until is the first day on which it no longer holds"
        )


def spans_overlap(
    first: tuple[date | None, date | None],
    second: tuple[date | None, date | None],
) -> bool:
    """Say whether two spans of days, each from its first day to before its second, share a day.

    >>> may, june, july = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)
    >>> spans_overlap((may, june), (june, july)), spans_overlap((None, july), (june, None))
    (False, True)
    """
    return _before(first[0], second[1]) and _before(second[0], first[1])


def any_overlap(spans: Iterable[tuple[date | None, date | None]]) -> tuple[int, int] | None:
    """Return the positions of two spans that share a day, or ``None``."""
    listed = list(spans)
    for later, span in enumerate(listed):
        for earlier in range(later):
            if spans_overlap(listed[earlier], span):
                return earlier, later
    return None


def as_utc(moment: datetime) -> datetime:
    """Return a moment in UTC; one without a time zone is taken as UTC.

    Raises:
        ConfigurationError: it is no ``datetime``, or one that UTC has no name for.

    >>> as_utc(datetime(2026, 11, 20)).isoformat()
    '2026-11-20T00:00:00+00:00'
    """
    if not isinstance(moment, datetime):
        raise ConfigurationError(
            f"a moment must be a datetime, not {moment!r}; write datetime(2026, 11, 1, tzinfo=UTC)"
        )
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ConfigurationError(f"{moment} is out of range in UTC") from None


def _before(start: date | None, end: date | None) -> bool:
    return start is None or end is None or start < end
