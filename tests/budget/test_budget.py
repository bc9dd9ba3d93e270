"""Is a budget what it says, and is one that makes no sense refused in words that help?"""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.budget.budget import NOBODY, Budget, nano
from lc_costkit.budget.limits import checked
from lc_costkit.budget.rate_limit import RateLimit
from lc_costkit.errors import BudgetExceeded, BudgetUnavailable, ConfigurationError
from lc_costkit.ledger import Ledger


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "exactly one limit"),
        ({"usd": 1, "tokens": 5}, "got usd and tokens"),
        ({"usd": -1}, "at least 0, not -1"),
        ({"usd": float("nan")}, "finite"),
        ({"usd": "a lot"}, "no number: 'a lot'"),
        ({"usd": True}, "amount of USD"),
        ({"usd": 10**9}, "below 1000000000"),
        ({"tokens": 1.5}, "whole number"),
        ({"tokens": -1}, "whole number of at least 0"),
        ({"calls": True}, "whole number"),
        ({"usd": 1, "per": "week"}, "minute, hour, day, month, total, not 'week'"),
        ({"usd": 1, "per": "day", "time_zone": "Mars/Olympus"}, "unknown time zone 'Mars/Olympus'"),
        ({"usd": 1, "scope": {"": "*"}}, "empty key"),
        ({"usd": 1, "scope": {"user": ""}}, "must be a value or '\\*'"),
        ({"usd": 1, "scope": {"user": 3}}, "must be a value or '\\*'"),
        ({"usd": 1, "scope": "user"}, "must map metadata keys"),
        ({"usd": 1, "soft": 0}, "above 0 and at most 1"),
        ({"usd": 1, "soft": 1.2}, "above 0 and at most 1"),
        ({"usd": 1, "soft": None, "on_soft": print}, "never called without soft"),
        ({"usd": 1, "on_soft": "shout"}, "on_soft must be"),
        ({"usd": 1, "on_exceeded": "ignore"}, "on_exceeded must be"),
        ({"usd": 1, "fail": "maybe"}, "'open' or 'closed'"),
        ({"usd": 1, "mode": "off"}, "mode must be"),
        ({"usd": 1, "name": " "}, "name must be text"),
        ({"usd": 1, "lease": 0}, "lease must be above 0"),
        ({"usd": 1, "lease": "long"}, "timedelta or seconds"),
        ({"usd": 1, "max_wait": timedelta(0)}, "max_wait must be above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Budget(**arguments)


@pytest.mark.parametrize("value", [0.1, "0.1", Decimal("0.1")])
def test_an_amount_is_what_was_written(value: Any) -> None:
    budget = Budget(usd=value)
    assert budget.limit == Decimal("0.1")
    assert budget.in_units(budget.limit) == 100_000_000


@given(st.decimals(min_value=0, max_value=10**6, places=12))
def test_nano_dollars_are_never_less_than_the_amount_and_never_one_more(usd: Decimal) -> None:
    units = nano(usd)
    assert usd <= Decimal(units) / 10**9 < usd + Decimal("1e-9")


def test_whose_allowance_a_call_takes() -> None:
    budget = Budget(usd=1, scope={"user": "*", "team": "search"})
    assert budget.scope_values({"user": "u1", "team": "search", "more": 1}) == {"user": "u1", "team": "search"}
    assert budget.scope_values({"team": "search"}) == {"user": NOBODY, "team": "search"}
    assert budget.scope_values({"user": "", "team": "search"}) == {"user": NOBODY, "team": "search"}
    assert budget.scope_values({"user": "u1", "team": "ads"}) is None
    assert Budget(usd=1, scope={"tier": "3"}).scope_values({"tier": 3}) == {"tier": "3"}
    assert Budget(usd=1).scope_values({"user": "u1"}) == {}


@pytest.mark.parametrize(
    ("key", "wanted", "value", "fits"),
    [
        ("model", "gpt-4o", "GPT-4O", True),
        ("model", "gpt-4o", "gpt-4o-2024-08-06", True),
        ("model", "gpt-4o-2024-08-06", "gpt-4o", True),
        ("model", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20", False),
        ("model", "gpt-4o", "openai/gpt-4o", True),
        ("model", "gpt-4o", "gpt-4o-mini", False),
        ("model", "gpt-4o*", "gpt-4o-mini", True),
        ("model", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", True),
        ("provider", "OpenAI", "openai", True),
        ("provider", "bedrock", "amazon_bedrock", True),
        ("provider", "openai", "azure", False),
        ("team", "team-*", "team-ads", True),
        ("team", "ads", "Ads", False),
    ],
)
def test_a_scope_names_models_and_providers_in_anybodys_spelling(key: str, wanted: str, value: str, fits: bool) -> None:
    assert Budget(usd=1, scope={key: wanted}).scope_values({key: value}) == ({key: wanted} if fits else None)


def test_the_account_is_known_by_what_is_counted_not_by_the_limit() -> None:
    assert Budget(usd=5, per="day").key == Budget(usd=50, per="day", soft=None).key
    others = [
        Budget(usd=5, per="month"),
        Budget(tokens=5, per="day"),
        Budget(usd=5, per="day", scope={"user": "*"}),
        Budget(usd=5, per="day", time_zone="Asia/Seoul"),
        Budget(usd=5, per="day", name="ours"),
    ]
    assert len({budget.key for budget in [Budget(usd=5, per="day"), *others]}) == 6


def test_it_shows_what_it_is() -> None:
    assert repr(Budget(usd=5)) == "Budget(usd=5, per='total')"
    shown = Budget(tokens=9, per="hour", scope={"user": "*"}, name="x", time_zone="Asia/Seoul", mode="observe")
    assert repr(shown) == (
        "Budget(tokens=9, per='hour', scope={'user': '*'}, name='x', time_zone='Asia/Seoul', mode='observe')"
    )
    assert Budget(usd=1, per="day", scope={"user": "*", "team": "a"}).name == "usd per day by team=a, user"


def test_a_budget_belongs_to_one_ledger() -> None:
    budget = Budget(usd=1)
    with pytest.raises(ConfigurationError, match="in no gate yet"):
        budget.status()
    with Ledger() as one, Ledger() as other:
        budget.bind(one)
        budget.bind(one)
        with pytest.raises(ConfigurationError, match="make another Budget"):
            budget.bind(other)


def test_it_survives_a_pickle_without_the_ledger() -> None:
    budget = Budget(usd="0.5", per="day", time_zone="Europe/Berlin", scope={"user": "*"})
    with Ledger() as ledger:
        budget.bind(ledger)
        again = pickle.loads(pickle.dumps(budget))  # noqa: S301
    assert (again.key, again.limit, again.zone) == (budget.key, budget.limit, budget.zone)
    with pytest.raises(ConfigurationError, match="in no gate yet"):
        again.status()


def test_the_error_survives_a_pickle() -> None:
    error = BudgetUnavailable(
        "no", budget="b", scope={"user": "u"}, limit=Decimal(5), asked=3, resets_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is BudgetUnavailable and isinstance(again, BudgetExceeded)
    assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "needs requests=, tokens="),
        ({"requests": 0}, "requests must be a whole number of at least 1"),
        ({"tokens": -5}, "tokens must be a whole number"),
        ({"requests": 1, "per": "total"}, "a window that ends"),
    ],
)
def test_rate_limits_that_make_no_sense_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        RateLimit(**arguments)


@pytest.mark.parametrize(
    ("budgets", "said"),
    [
        ([], "empty"),
        (50, "write Budget\\(usd=50\\)"),
        ("50", "write Budget\\(usd=50\\)"),
        ([Budget(usd=1), 5], "hold Budget and RateLimit only, not 5"),
        ([Budget(usd=1, per="day"), Budget(usd=2, per="day")], "contradict each other"),
        ([Budget(usd=1, on_exceeded="cheapest")], "give cheapest="),
        ([Budget(usd=1, on_soft="cheapest")], "give cheapest="),
    ],
)
def test_budgets_that_do_not_fit_together_are_refused(budgets: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        checked(budgets, can_degrade=False)


def test_one_or_several_budgets_and_rate_limits() -> None:
    day, rate = Budget(usd=1, per="day"), RateLimit(requests=5, tokens=100)
    assert checked(day, can_degrade=False) == (day,)
    assert checked([day, rate], can_degrade=False) == (day, *rate.budgets)
    assert checked((one for one in [day, day]), can_degrade=False) == (day,)


def test_a_long_value_of_a_scope_is_shortened_and_stays_apart_from_others() -> None:
    budget = Budget(usd=1, scope={"user": "*"})
    one, other = (budget.scope_values({"user": "x" * 100_000 + end}) for end in "ab")
    assert one is not None and other is not None and one != other
    assert len(one["user"]) == len(other["user"]) == 128
    assert budget.scope_values({"user": "y" * 128}) == {"user": "y" * 128}
    named = Budget(usd=1, scope={"user": "z" * 1000})
    assert named.scope_values({"user": "z" * 1000}) is not None
    assert named.scope_values({"user": "z" * 999}) is None


@pytest.mark.parametrize(("value", "text"), [(7, "7"), (True, "True"), ("*", "*"), ("", "(none)"), (None, "(none)")])
def test_values_of_other_kinds_are_taken_as_text(value: object, text: str) -> None:
    assert Budget(usd=1, scope={"user": "*"}).scope_values({"user": value}) == {"user": text}
