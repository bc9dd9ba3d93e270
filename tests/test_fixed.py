"""Fixed monthly costs: whole months are whole, and nothing is lost where a period is cut."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.fixed import FixedCost

LINE = FixedCost(name="pinecone", usd_per_month="70", since=date(2026, 1, 1))


def between(line: FixedCost, start: str, end: str) -> Decimal:
    return line.usd_between(datetime.fromisoformat(start), datetime.fromisoformat(end))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-01-01", "2026-02-01", "70"),
        ("2026-02-01", "2026-03-01", "70"),
        ("2026-01-01", "2027-01-01", "840"),
        # A day of a month with 28 days, and one of a month with 31: 70/28 and 70/31.
        ("2026-02-10", "2026-02-11", "2.5"),
        ("2026-01-10", "2026-01-11", "2.258064516129"),
        # Half a day; before the first day nothing.
        ("2026-02-10T12:00", "2026-02-11", "1.25"),
        ("2025-01-01", "2026-01-01", "0"),
        ("2025-12-01", "2026-02-01", "70"),
        ("2026-05-05", "2026-05-05", "0"),
    ],
)
def test_what_falls_into_a_period(start: str, end: str, expected: str) -> None:
    assert between(LINE, start, end) == Decimal(expected)


def test_the_first_day_counts_and_the_last_one_does_not() -> None:
    line = FixedCost(name="redis", usd_per_month=28, since=date(2026, 2, 3), until=date(2026, 2, 5))
    assert between(line, "2026-01-01", "2027-01-01") == 2
    assert between(line, "2026-02-04", "2026-02-10") == 1
    assert between(line, "2026-02-05", "2026-02-10") == 0


def test_the_days_are_those_of_utc() -> None:
    seoul = timezone(timedelta(hours=9))
    line = FixedCost(name="redis", usd_per_month=28, since=date(2026, 2, 3))
    assert line.usd_between(datetime(2026, 2, 3, 9, tzinfo=seoul), datetime(2026, 2, 4, tzinfo=UTC)) == 1
    assert line.usd_between(datetime(2026, 2, 3, tzinfo=seoul), datetime(2026, 2, 3, 9, tzinfo=seoul)) == 0


MOMENTS = st.datetimes(datetime(2023, 11, 1), datetime(2027, 3, 1))


@given(
    st.decimals(0, 10_000, places=2),
    st.dates(date(2024, 1, 1), date(2026, 12, 31)),
    st.none() | st.integers(1, 900),
    st.lists(MOMENTS, min_size=2, max_size=12),
)
def test_periods_that_follow_each_other_add_up_to_the_whole(
    price: Decimal, since: date, days: int | None, cuts: list[datetime]
) -> None:
    until = None if days is None else since + timedelta(days=days)
    line = FixedCost(name="x", usd_per_month=price, since=since, until=until)
    cuts.sort()
    parts = [line.usd_between(start, end) for start, end in pairwise(cuts)]
    assert sum(parts, Decimal(0)) == line.usd_between(cuts[0], cuts[-1])
    assert all(part >= 0 for part in parts)


@given(st.decimals("0.01", 10_000, places=2), st.integers(2024, 2026), st.integers(1, 12))
def test_a_whole_month_costs_the_monthly_price(price: Decimal, year: int, month: int) -> None:
    line = FixedCost(name="x", usd_per_month=price, since=date(2024, 1, 1))
    after = datetime(year + month // 12, month % 12 + 1, 1)
    assert line.usd_between(datetime(year, month, 1), after) == price


def test_the_decimal_context_of_the_caller_plays_no_part() -> None:
    with localcontext() as context:
        context.prec = 3
        assert between(LINE, "2026-01-10", "2026-01-11") == Decimal("2.258064516129")


def test_it_survives_json_and_the_end_of_the_calendar() -> None:
    for until in (None, date(2026, 12, 1)):
        line = FixedCost(name="cache server", usd_per_month=Decimal("12.50"), since=date(2026, 1, 2), until=until)
        assert FixedCost.from_dict(json.loads(json.dumps(line.to_dict()))) == line
    assert LINE.usd_between(datetime(9999, 12, 1), datetime.max) < 70


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": " "}, "name of a FixedCost must be text"),
        ({"usd_per_month": 12.5}, "usd_per_month must be a Decimal, int or str"),
        ({"usd_per_month": -1}, "at least 0 USD"),
        ({"usd_per_month": "1e30"}, "at most"),
        ({"since": "2026-01-01"}, "since must be a datetime.date"),
        ({"since": datetime(2026, 1, 1)}, "since must be a datetime.date"),
        ({"until": date(2026, 1, 1)}, "until=2026-01-01 must be after since=2026-01-01"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    values: dict[str, Any] = {"name": "x", "usd_per_month": 1, "since": date(2026, 1, 1)} | change
    with pytest.raises(ConfigurationError, match=message):
        FixedCost(**values)


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is before start"):
        between(LINE, "2026-02-01", "2026-01-01")
    with pytest.raises(ConfigurationError, match=r"a moment must be a datetime, not datetime.date"):
        LINE.usd_between(date(2026, 1, 1), date(2026, 2, 1))  # type: ignore[arg-type]
