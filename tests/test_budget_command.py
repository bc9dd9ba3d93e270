"""What does ``costkit budget`` show, and what does its exit code say?"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from lc_costkit import Ledger
from lc_costkit.budget.budget import Budget
from lc_costkit.budget.gate import Gate
from lc_costkit.versions import components
from tests.budget.support import answered, call, claim
from tests.support.command import run_command


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Two budgets: one USD for each of twelve users, and three calls in all, counted only."""
    path = tmp_path / "costkit.db"
    with Ledger(path) as ledger:
        daily = Budget(usd="0.01", per="day", scope={"user": "*"}, name="daily")
        gate = Gate([daily, Budget(calls=3, mode="observe", name="few")], ledger)
        for number in range(12):
            gate.admit(claim(user=f"u{number}"), call()).settle(answered(10, 1_000 * (number + 1)))
    return path


def test_the_most_used_come_first(database: Path) -> None:
    done = run_command("budget", str(database))
    assert done.returncode == 0, done.stderr
    users = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("user=")]
    assert users == [f"user=u{number}" for number in range(11, 1, -1)]
    assert "2 more (--all)" in done.stdout
    assert "0.01 USD per day for each user, resets" in done.stdout
    assert "few" in done.stdout
    assert "0.0072" in done.stdout


def test_all_and_limit(database: Path) -> None:
    everything = run_command("budget", str(database), "--all").stdout
    assert everything.count("user=") == 12
    assert run_command("budget", str(database), "--limit", "1").stdout.count("user=") == 1


def test_one_budget_by_name(database: Path) -> None:
    shown = run_command("budget", str(database), "--name", "few").stdout
    assert "daily" not in shown
    assert "used up: 1 of 1" in shown
    unknown = run_command("budget", str(database), "--name", "none")
    assert unknown.returncode == 2
    assert "'daily', 'few'" in unknown.stderr
    assert "Traceback" not in unknown.stderr


def test_json_holds_every_allowance(database: Path) -> None:
    done = run_command("budget", str(database), "--json", "--limit", "1", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    daily, few = json.loads(done.stdout)
    assert len(daily["accounts"]) == 12
    assert Decimal(daily["accounts"][0]["spent"]) == Decimal("0.0072015")
    assert (few["mode"], few["spent"], few["left"]) == ("observe", 12, 0)


def test_the_exit_code_tells_that_a_budget_is_used_up(database: Path) -> None:
    with Ledger(database) as ledger:
        gate = Gate(Budget(calls=1, name="once"), ledger)
        gate.admit(claim(), call()).settle(answered())
    for options in ((), ("--json",), ("--name", "once")):
        assert run_command("budget", str(database), *options).returncode == 1
    assert run_command("budget", str(database), "--name", "few").returncode == 0  # it only counts


def test_a_terminal_without_blocks_gets_other_bars(database: Path) -> None:
    done = run_command("budget", str(database), env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "####" in done.stdout


def test_markup_and_control_characters_of_users_are_harmless(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with Ledger(path) as ledger:
        gate = Gate(Budget(calls=9, scope={"user": "*"}, name="[red]x[/red]"), ledger)
        gate.admit(claim(user="[bold]\x1b[31m"), call()).settle(answered())
    done = run_command("budget", str(path))
    assert done.returncode == 0, done.stderr
    assert "[red]x[/red]" in done.stdout
    assert "[bold]?[31m" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_ledger_without_budgets_says_how_to_make_one(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with Ledger(path):
        pass
    done = run_command("budget", str(path))
    assert done.returncode == 0, done.stderr
    assert "budgeted(model" in done.stdout
    assert json.loads(run_command("budget", str(path), "--json").stdout) == []
    assert components(path) == {"ledger"}, "looking made tables"


def test_what_is_no_ledger_is_left_as_it_is(tmp_path: Path) -> None:
    missing, other = tmp_path / "none.db", tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as raw:
        raw.execute("CREATE TABLE mine (x)")
    for path, said in ((missing, "no database"), (other, "no ledger")):
        done = run_command("budget", str(path))
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert not missing.exists()
    with closing(sqlite3.connect(other)) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
