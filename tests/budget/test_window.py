"""Do windows follow the calendar of their time zone?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.budget.window import PERIODS, Period, Window, checked_zone, window_of
from lc_costkit.errors import ConfigurationError

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = sorted(name for name in available_timezones() if "/" in name)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "zone", "moment", "start", "end"),
    [
        ("day", UTC, "2026-11-21T23:59:59", "2026-11-21T00:00", "2026-11-22T00:00"),
        ("day", ZoneInfo("Asia/Seoul"), "2026-11-21T14:59:59", "2026-11-20T15:00", "2026-11-21T15:00"),
        ("day", BERLIN, "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("day", BERLIN, "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("month", UTC, "2026-02-28T23:59", "2026-02-01T00:00", "2026-03-01T00:00"),
        ("month", ZoneInfo("America/New_York"), "2027-01-01T03:00", "2026-12-01T05:00", "2027-01-01T05:00"),
        ("hour", ZoneInfo("Asia/Kathmandu"), "2026-11-21T12:20", "2026-11-21T12:15", "2026-11-21T13:15"),
        ("minute", UTC, "2026-11-21T12:20:59.999999", "2026-11-21T12:20", "2026-11-21T12:21"),
    ],
)
def test_windows(period: Period, zone: tzinfo, moment: str, start: str, end: str) -> None:
    assert window_of(period, zone, utc(moment)) == Window(start=utc(start), end=utc(end))


def test_the_hour_that_comes_twice_is_two() -> None:
    first, second = (window_of("hour", BERLIN, utc(f"2026-10-25T0{hour}:30")) for hour in (0, 1))
    assert first.end == second.start


def test_total_never_ends() -> None:
    assert window_of("total", UTC, utc("2026-11-21T12:00")) == Window()


@given(
    moment=st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from(ZONES),
    period=st.sampled_from([period for period in PERIODS if period != "total"]),
)
def test_a_moment_is_in_its_window_and_the_next_window_begins_where_it_ends(
    moment: datetime, zone: str, period: Period
) -> None:
    where = checked_zone(zone)
    window = window_of(period, where, moment)
    assert window.start is not None and window.end is not None
    assert window.start <= moment < window.end
    assert window_of(period, where, window.end).start == window.end
    assert window_of(period, where, window.end - timedelta(seconds=1)) == window


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "  ", 3, None, "../etc/passwd"])
def test_unknown_time_zones_are_refused_by_name(zone: object) -> None:
    with pytest.raises(ConfigurationError, match=r"time.zone"):
        checked_zone(zone)  # type: ignore[arg-type]
