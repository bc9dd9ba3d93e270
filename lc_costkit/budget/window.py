"""When does the window of a budget begin, and when is it over?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lc_costkit.errors import ConfigurationError

Period = Literal["minute", "hour", "day", "month", "total"]
PERIODS: tuple[str, ...] = get_args(Period)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of the calendar.

    Attributes:
        start: its first moment (UTC); ``None`` for ``total``.
        end: the first moment after it (UTC); ``None`` for ``total``.
    """

    start: datetime | None = None
    end: datetime | None = None


def window_of(period: Period, zone: tzinfo, moment: datetime) -> Window:
    """Return the window that holds ``moment``, as clocks in ``zone`` tell it.

    A day on which the clocks change has 23 or 25 hours, and is one window all the same.

    >>> window_of("day", ZoneInfo("Asia/Seoul"), datetime(2026, 11, 21, 16, tzinfo=UTC)).start.isoformat()
    '2026-11-21T15:00:00+00:00'
    """
    if period == "total":
        return Window()
    local = moment.astimezone(zone)
    if period in ("minute", "hour"):
        # By the seconds that have passed, not by the name of the hour: one that comes twice a year is two.
        length = 60 if period == "minute" else 3600
        offset = int((local.utcoffset() or timedelta()).total_seconds())
        seconds = int(moment.timestamp())
        begun = seconds - (seconds + offset) % length
        return Window(start=datetime.fromtimestamp(begun, UTC), end=datetime.fromtimestamp(begun + length, UTC))
    first = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period == "month":
        first = first.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
    else:
        after = first + timedelta(days=1)
    return Window(start=first.astimezone(UTC), end=after.astimezone(UTC))


def checked_zone(time_zone: str | tzinfo) -> tzinfo:
    """Return the time zone of that name.

    Raises:
        ConfigurationError: there is none, or it is neither a name nor a ``tzinfo``.
    """
    if isinstance(time_zone, tzinfo):
        return time_zone
    if not isinstance(time_zone, str) or not time_zone.strip():
        raise ConfigurationError(f"time_zone must be a name such as 'Europe/Berlin', or a tzinfo, not {time_zone!r}")
    if time_zone.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"unknown time zone {time_zone!r}; use a name such as 'Europe/Berlin' (on Windows, pip install tzdata)"
        ) from error
