"""Does the state of a budget say what its accounts hold, and show it to anybody?"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.budget.budget import Budget
from lc_costkit.budget.gate import Admission, Gate
from lc_costkit.budget.parts import Account, Part
from lc_costkit.budget.rate_limit import RateLimit
from lc_costkit.budget.status import AccountStatus, BudgetStatus, registered_statuses, status_of
from lc_costkit.budget.status_text import ASCII_BAR, BLOCK_BAR, amount_text, bar, share_text
from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.ledger import Ledger
from tests.budget.support import answered, call, claim


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as opened:
        yield opened


def admit(gate: Gate, user: str = "u42", **more: Any) -> Admission:
    return gate.admit(claim(user=user, **more), call())


def account(spent: int, held: int = 0, *, limit: int = 100, user: str = "u", unsettled: int = 0) -> AccountStatus:
    return AccountStatus(
        scope={"user": user},
        limit=limit,
        spent=spent,
        held=held,
        unsettled=unsettled,
        left=max(0, limit - spent - held),
    )


def status(*accounts: AccountStatus, soft: float | None = 0.8, **more: Any) -> BudgetStatus:
    values = {"name": "b", "unit": "tokens", "limit": 100, "per": "total", "scope": {"user": "*"}, "soft": soft, **more}
    return BudgetStatus(accounts=accounts, **values)


# -- what it says ------------------------------------------------------------------------


def test_nothing_was_spent_yet(ledger: Ledger) -> None:
    found = status_of(Budget(usd=50, per="day", scope={"user": "*"}), ledger)
    assert found.accounts == ()
    assert (found.spent, found.held, found.left) == (0, 0, 50)
    assert found.resets_at is not None
    assert found.resets_at - datetime.now(UTC) <= timedelta(days=1)
    assert "nothing spent" in repr(found)
    assert "nothing spent" in str(found)
    assert "nothing spent" in found._repr_html_()


def test_calls_under_way_are_held_and_settled_ones_spent(ledger: Ledger) -> None:
    budget = Budget(usd="0.01", per="day", scope={"user": "*"})
    gate = Gate(budget, ledger)
    admit(gate).settle(answered(1_000, 100))
    under_way = admit(gate)
    admit(gate, "u7").settle(answered(1_000, 100))
    found = budget.status()
    assert [one.scope for one in found.accounts] == [{"user": "u42"}, {"user": "u7"}]
    first = found.accounts[0]
    assert first.spent == Decimal("0.00021")
    assert first.left == Decimal("0.01") - first.spent - first.held
    assert first.share == 0.021
    assert found.spent == Decimal("0.00042")
    assert found.held == first.held > 0
    assert found.left == first.left
    under_way.settle(answered(0, 0))
    assert budget.status().held == 0


def test_tokens_and_calls_are_whole_numbers(ledger: Ledger) -> None:
    budgets = [Budget(tokens=5_000), Budget(calls=3)]
    admit(Gate(budgets, ledger)).settle(answered(10, 100))
    tokens, calls = (budget.status() for budget in budgets)
    assert [type(value) for value in (tokens.spent, tokens.held, tokens.left)] == [int, int, int]
    assert (tokens.spent, tokens.left) == (110, 4_890)
    assert (calls.spent, calls.left) == (1, 2)


def test_usd_are_decimals_without_an_exponent(ledger: Ledger) -> None:
    budget = Budget(usd=2_000)
    gate = Gate(budget, ledger)
    at = Account(budget=budget.key, scope="{}")
    gate._book.settle("a", [Part(account=at, amount=0)], [10**12])
    found = budget.status()
    assert isinstance(found.spent, Decimal)
    assert str(found.spent) == "1000"
    assert str(found.held) == "0"
    assert str(found.left) == "1000"


def test_what_was_never_settled_is_said(ledger: Ledger) -> None:
    budget = Budget(calls=5, lease=0.001)
    admit(Gate(budget, ledger))
    found = budget.status()
    while found.held:
        found = budget.status()
    assert (found.spent, found.unsettled) == (1, 1)
    assert "never settled" in repr(found)
    assert "never settled" in found._repr_html_()


def test_a_window_says_when_it_began_and_ends(ledger: Ledger) -> None:
    budget = Budget(calls=5, per="hour")
    admit(Gate(budget, ledger)).settle(answered())
    one = budget.status().accounts[0]
    assert one.starts_at is not None
    assert one.resets_at == one.starts_at + timedelta(hours=1)
    total = Budget(calls=5, name="total")
    admit(Gate(total, ledger)).settle(answered())
    assert total.status().accounts[0].starts_at is None
    assert total.status().resets_at is None


def test_a_lowered_limit_leaves_nothing_and_not_less(ledger: Ledger) -> None:
    admit(Gate(Budget(tokens=5_000, name="b"), ledger)).settle(answered(10, 990))
    found = Budget(tokens=500, name="b").status(ledger)
    assert found.left == 0
    assert found.accounts[0].share == 2
    assert found.exhausted == found.accounts
    assert "200%" in repr(found)


def test_every_budget_a_gate_was_made_with_is_found_again(ledger: Ledger) -> None:
    budgets = [
        Budget(usd="0.05", per="day", scope={"user": "*", "team": "red"}, time_zone="Asia/Seoul", name="daily"),
        Budget(tokens=10_000, mode="observe", soft=None, name="total"),
    ]
    gate = Gate([*budgets, RateLimit(requests=9)], ledger)
    admit(gate, team="red").settle(answered())
    found = {one.name: one for one in registered_statuses(ledger)}
    assert len(found) == 3
    for budget in budgets:
        assert found[budget.name] == budget.status()
    unused = Budget(calls=5, per="month", time_zone="Asia/Seoul", name="unused")
    Gate(unused, ledger)
    assert {one.name: one for one in registered_statuses(ledger)}["unused"] == unused.status()


def test_accounts_that_a_newer_version_wrote_are_not_read(ledger: Ledger, tmp_path: Path) -> None:
    Gate(Budget(calls=1), ledger)
    with closing(sqlite3.connect(tmp_path / "l.db")) as raw, raw:
        raw.execute("UPDATE costkit_schema SET version = 999 WHERE component = 'budgets'")
    with Ledger(tmp_path / "l.db") as later, pytest.raises(StoreError, match="newer"):
        Budget(calls=1).status(later)


def test_a_budget_in_no_gate_asks_for_a_ledger() -> None:
    with pytest.raises(ConfigurationError, match=r"status\(ledger\)"):
        Budget(calls=1).status()


# -- how it is shown ----------------------------------------------------------------------


def test_the_text_is_aligned_and_has_a_bar_for_each() -> None:
    shown = repr(status(account(90, user="김철수"), account(5, 20, user="b")))
    lines = shown.splitlines()
    assert lines[0].startswith("budget 'b': 100 tokens in total for each user")
    assert "#####################..." in lines[3]
    assert "#=====.............|...." in lines[4]
    assert "all together" in lines[6]
    assert "past the soft limit of 80%: 1 of 2" in lines[-1]


def test_a_line_for_a_log_is_one_line() -> None:
    shown = str(status(account(90, user="a\nb"), account(5)))
    assert "\n" not in shown
    assert "a b spent 90 tokens (90%)" in shown
    assert "1 more" in shown


def test_many_allowances_are_counted_and_not_all_shown() -> None:
    found = status(*(account(number, user=f"u{number}") for number in range(50, 0, -1)))
    assert "30 more not shown" in repr(found)
    assert "30 more not shown" in found._repr_html_()
    assert len(found.to_dict()["accounts"]) == 50


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from([None, 0.01, 0.8, 1.0]))
def test_a_bar_is_full_only_where_nothing_is_left(limit: int, spent: int, held: int, soft: float | None) -> None:
    one = account(spent, held, limit=limit)
    for characters in (ASCII_BAR, BLOCK_BAR):
        drawn = bar(status(one, soft=soft, limit=limit), one, characters)
        assert len(drawn) == 24
        full = drawn.count(characters[0]) + drawn.count(characters[1])
        assert (full == 24) == (one.left == 0)
        assert (full > 0) == (spent + held > 0 or one.left == 0)
        if held and not spent:
            assert characters[0] not in drawn


@given(st.decimals(0, 10**6, places=9))
def test_an_amount_is_written_to_six_places_at_least(amount: Decimal) -> None:
    written = Decimal(amount_text(amount).replace(",", ""))
    assert abs(written - amount) <= Decimal("0.0000005")
    assert (written == 0) == (amount == 0)


@given(st.floats(0, 10))
def test_a_share_is_written_as_0_or_100_only_where_it_is(share: float) -> None:
    assert (share_text(share) == "0%") == (share == 0)
    assert share_text(share) != "100%" or 1 <= share < 1.005


def test_what_a_user_wrote_does_not_run_or_steer() -> None:
    found = status(account(1, user="<script>\x1b[31m"), name="<b>\x1b[2J")
    for shown in (repr(found), str(found), found._repr_html_()):
        assert "\x1b" not in shown
    assert "<script>" not in found._repr_html_()
    assert "<b>\\x1b" not in found._repr_html_()


def test_everything_goes_into_json() -> None:
    found = status(account(1, 2, unsettled=1), unit="usd", limit=Decimal("0.5"), scope={"user": "*"})
    read = json.loads(json.dumps(found.to_dict()))
    assert read["limit"] == "0.5"
    assert read["accounts"][0]["held"] == 2
    assert read["resets_at"] is None


def test_a_frame_has_a_line_for_each_allowance() -> None:
    frame = status(account(5, user="a"), account(3, user="b")).to_frame()
    assert list(frame.index) == ["user=a", "user=b"]
    assert list(frame["spent"]) == [5, 3]
    assert len(status().to_frame()) == 0


def test_a_plot_has_two_bars_for_each_allowance_and_the_limits() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    axes = status(account(50, 10, user="$x$"), account(3)).plot()
    assert [patch.get_width() for patch in axes.patches] == [3, 50, 0, 10]
    assert [line.get_xdata()[0] for line in axes.lines] == [100, 80]
    axes.figure.canvas.draw()
    matplotlib.pyplot.close(axes.figure)
    empty = status().plot()
    assert not empty.patches
    matplotlib.pyplot.close(empty.figure)


def test_printing_needs_neither_pandas_nor_matplotlib() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, lc_costkit; from lc_costkit.budget.budget import Budget\n"
            "print(repr(Budget(usd=1).status(lc_costkit.Ledger())))\n"
            "assert not {'pandas', 'matplotlib', 'rich', 'langchain_core'} & set(sys.modules)",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "1.00 USD" in done.stdout
