"""The limit under load: many processes and tasks, some calls that fail, some that never come back, some kills."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from benchmarks._budget_load import Load, Seen, run
from lc_costkit.budget.accounts import Accounts
from lc_costkit.budget.schema import HELD, RESERVATIONS
from lc_costkit.store import open_engine, problems
from tests.support.kill import killed_while_writing


def hold(load: Load, folder: Path) -> Seen:
    """Run a load that reserves; what must be true of every one."""
    seen = run(load, folder / "load")
    assert seen.highest <= seen.limit
    assert seen.billed <= seen.spent <= seen.limit, "what the provider charged is counted, and fits"
    assert seen.held == 0
    assert seen.usable >= 0.97
    return seen


def address_of(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    return str(tmp_path / "b.db") if kind == "file" else str(request.getfixturevalue("server"))


KINDS = pytest.mark.parametrize("kind", ["file", "postgresql"])


@KINDS
def test_processes_of_which_one_is_killed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = address_of(kind, tmp_path, request)
    seen = hold(Load(address=address, way="reserve", workers=4, calls=100, kills=1, lease_seconds=1), tmp_path)
    assert seen.killed == 1
    assert seen.unsettled > 0


@KINDS
def test_tasks_of_one_process(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = address_of(kind, tmp_path, request)
    hold(Load(address=address, way="reserve", workers=16, calls=30, in_tasks=True, lease_seconds=1), tmp_path)


def test_this_load_overshoots_where_nothing_is_reserved(tmp_path: Path) -> None:
    """Else the other tests would prove nothing."""
    together = Load(
        address=str(tmp_path / "b.db"),
        way="check",
        workers=16,
        calls=1,
        in_tasks=True,
        limit_share=0.125,
        busiest_seconds=1,
    )
    assert run(together, tmp_path / "load").billed > together.limit


@pytest.mark.soak
@KINDS
def test_sixteen_processes_of_which_four_are_killed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = address_of(kind, tmp_path, request)
    seen = hold(Load(address=address, way="reserve", workers=16, calls=500, kills=4), tmp_path)
    assert seen.killed == 4


@pytest.mark.soak
@KINDS
def test_sixty_four_tasks(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = address_of(kind, tmp_path, request)
    hold(Load(address=address, way="reserve", workers=64, calls=200, in_tasks=True), tmp_path)


SPENDING = """
import os, sys
from lc_costkit.budget.accounts import Accounts
from lc_costkit.budget.parts import Account, Part
from lc_costkit.store import open_engine

accounts = Accounts(open_engine(sys.argv[1]))
parts = [Part(account=Account(budget=name, scope="{}"), amount=5, limit=None) for name in ("one", "two")]
print("ready", flush=True)
number = 0
while True:
    name = f"{os.getpid()} {number}"
    number += 1
    accounts.reserve(name, parts, now=0, lease_seconds=[600, 600])
    print("reserved", flush=True)
    accounts.settle(name, parts, [3, 3], now=0)
    print("settled", flush=True)
"""


def kill_and_count(path: Path, seeds: range) -> int:
    settled = 0
    for killed, seed in enumerate(seeds, start=1):
        settled += killed_while_writing(SPENDING, path, seed=seed).count("settled")
        engine = open_engine(path)
        accounts = Accounts(engine)
        with engine.connect() as connection:
            amounts = select(func.coalesce(func.sum(RESERVATIONS.c.amount), 0)).where(RESERVATIONS.c.state == HELD)
            held = connection.execute(amounts).scalar_one()
        one, two = (accounts.balances(name, now=0)[0] for name in ("one", "two"))
        # Each kill can come between a settlement and the line that tells of it.
        assert 3 * settled <= one.spent <= 3 * (settled + killed)
        assert (one.spent, one.held) == (two.spent, two.held), "both accounts, or neither"
        assert one.held + two.held == held <= 10 * killed
        assert problems(engine) == []
        engine.dispose()
    engine = open_engine(path)
    accounts = Accounts(engine)
    accounts.sweep(now=600)
    for name in ("one", "two"):
        (balance,) = accounts.balances(name, now=600)
        assert (balance.held, balance.unsettled * 2) == (0, held)
    engine.dispose()
    return settled


def test_a_kill_leaves_both_accounts_or_neither_changed(tmp_path: Path) -> None:
    assert kill_and_count(tmp_path / "b.db", range(4)) > 0


@pytest.mark.soak
def test_a_hundred_kills_leave_both_accounts_or_neither_changed(tmp_path: Path) -> None:
    assert kill_and_count(tmp_path / "b.db", range(100, 200)) > 0
