"""A store that is locked, full, damaged, gone, newer, or shared: what is said, and that nothing is half done."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from lc_costkit.budget.accounts import Accounts
from lc_costkit.budget.parts import Account, Part, Refused, Reserved
from lc_costkit.budget.schema import OVER
from lc_costkit.budget.transactions import Hand, Transactions
from lc_costkit.cost import Cost
from lc_costkit.errors import StoreError
from lc_costkit.ledger import Ledger
from lc_costkit.record import CallRecord
from lc_costkit.store import open_engine, problems
from lc_costkit.turns import Turn
from tests.support.postgres import start_postgres

ALL = Account(budget="all", scope="{}")
PATIENCE = 0.3


def part(amount: int, limit: int | None = 1000) -> Part:
    return Part(account=ALL, amount=amount, limit=limit)


def reserve(accounts: Accounts, name: str, amount: int = 10) -> Reserved | Refused:
    return accounts.reserve(name, [part(amount)], now=0, lease_seconds=[600])


def standing(accounts: Accounts) -> tuple[int, int]:
    return next(((balance.spent, balance.held) for balance in accounts.balances("all", now=0)), (0, 0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "b.db"


@pytest.fixture
def file_engine(path: Path) -> Iterator[Engine]:
    opened = open_engine(path, busy_seconds=0.25)
    yield opened
    opened.dispose()


@pytest.fixture
def accounts(file_engine: Engine) -> Accounts:
    return Accounts(file_engine, patience_seconds=PATIENCE)


def test_a_file_locked_by_another_process(accounts: Accounts, path: Path) -> None:
    reserve(accounts, "a")
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    for use in (lambda: reserve(accounts, "b"), lambda: accounts.settle("a", [part(10)], [4], now=0)):
        with pytest.raises(StoreError, match=r"locked by another process .*; end it or wait"):
            use()
    blocker.execute("ROLLBACK")
    blocker.close()
    assert standing(accounts) == (0, 10)
    accounts.settle("a", [part(10)], [4], now=0)
    assert standing(accounts) == (4, 0)


def test_a_thread_that_waits_for_a_locked_file_does_not_make_the_others_wait_for_ever(file_engine: Engine) -> None:
    turn = Turn()
    accounts = Accounts(file_engine, turn=turn, patience_seconds=PATIENCE)
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with turn:
            taken.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(30)
    with pytest.raises(StoreError, match=r"in use by other threads of this process for 0\.3 seconds"):
        reserve(accounts, "a")
    done.set()
    thread.join()
    assert isinstance(reserve(accounts, "a"), Reserved)


def test_a_full_disk(path: Path) -> None:
    engine = open_engine(path)
    accounts = Accounts(engine)
    for number in range(20):
        accounts.settle(f"before {number}", [part(0)], [1], now=0)
    pages = {"most": 1}

    @event.listens_for(engine, "connect")
    def limit(connection: sqlite3.Connection, _entry: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages['most']}")

    engine.dispose()
    reserved: list[str] = []
    with pytest.raises(StoreError, match=r"cannot be written to \(database or disk is full\); free some space"):
        for number in range(10_000):
            reserve(accounts, f"{number:0200}", 0)
            reserved.append(f"{number:0200}")
    pages["most"] = 100_000
    for name in reserved:
        accounts.settle(name, [part(0)], [1], now=0)
    assert isinstance(reserve(accounts, "b"), Reserved)
    assert standing(accounts) == (20 + len(reserved), 10)
    engine.dispose()


REALLY_FULL = """
import resource, sys
from pathlib import Path
from lc_costkit.budget.accounts import Accounts
from lc_costkit.cost import Cost
from lc_costkit.errors import StoreError
from lc_costkit.ledger import Ledger
from lc_costkit.record import CallRecord
from lc_costkit.store import open_engine, problems
from tests.budget.test_accounts_faults import part, standing

path = Path(sys.argv[1])
engine = open_engine(path)
accounts = Accounts(engine)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (max(file.stat().st_size for file in path.parent.iterdir()) + 9000, hard))
said, counted = [], 0
for number in range(200):
    try:
        accounts.settle(str(number), [part(0)], [1], now=0)
        counted += 1
    except StoreError as error:
        said.append(str(error))
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
assert said and counted, (said, counted)
assert standing(accounts) == (counted, 0), (standing(accounts), counted)
for number in range(200):
    accounts.settle(str(number), [part(0)], [1], now=0)
assert standing(accounts) == (200, 0), standing(accounts)
assert problems(engine) == []
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_what_a_full_disk_did_not_take_is_not_half_taken(path: Path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", REALLY_FULL, str(path)], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_damaged_file(path: Path) -> None:
    engine = open_engine(path)
    accounts = Accounts(engine)
    for number in range(3000):
        accounts.settle(f"{number:050}", [part(0)], [1], now=0)
    engine.dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    sound = path.read_bytes()
    path.write_bytes(sound[:8192] + b"\xff" * (len(sound) - 8192))
    with pytest.raises(StoreError, match=r"is damaged.*restore it from a copy"):
        accounts.settle("a", [part(0)], [1], now=0)
    path.write_bytes(sound)
    accounts.settle("a", [part(0)], [1], now=0)
    assert standing(accounts) == (3001, 0)
    engine.dispose()


def test_a_file_that_may_only_be_read(accounts: Accounts, file_engine: Engine, path: Path) -> None:
    reserve(accounts, "a")
    read_only = open_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(StoreError, match="cannot be written to"):
        reserve(Accounts(read_only), "b")
    read_only.dispose()
    assert standing(accounts) == (0, 10)


def test_tables_that_are_gone(engine: Engine) -> None:
    accounts = Accounts(engine)
    reserve(accounts, "a")
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE costkit_budget_accounts RENAME TO elsewhere")
    for use in (lambda: reserve(accounts, "b"), lambda: accounts.balances("all", now=0)):
        with pytest.raises(StoreError, match=r"are gone .*restore it from a copy"):
            use()
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO costkit_budget_accounts")
    assert standing(accounts) == (0, 10)


def test_a_file_that_is_deleted_and_put_back(accounts: Accounts, path: Path, tmp_path: Path) -> None:
    reserve(accounts, "a")
    for left in (f"{path}-wal", f"{path}-shm"):
        accounts._engine.dispose()
        Path(left).unlink(missing_ok=True)
    shutil.copy(path, tmp_path / "copy")
    path.unlink()
    with pytest.raises(StoreError, match="was deleted or moved while it was in use; put it back"):
        reserve(accounts, "b")
    assert not path.exists()
    shutil.copy(tmp_path / "copy", path)
    assert isinstance(reserve(accounts, "b"), Reserved)
    assert standing(accounts) == (0, 20)


def test_a_file_that_is_replaced_by_an_empty_one(accounts: Accounts, path: Path, tmp_path: Path) -> None:
    reserve(accounts, "a")
    (tmp_path / "empty").touch()
    (tmp_path / "empty").replace(path)
    for left in (f"{path}-wal", f"{path}-shm"):
        Path(left).unlink(missing_ok=True)
    with pytest.raises(StoreError, match="are gone"):
        reserve(accounts, "b")


def test_a_newer_schema(engine: Engine) -> None:
    Accounts(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE costkit_schema SET version = 2 WHERE component = 'budgets'")
    with pytest.raises(StoreError, match=r"holds a budgets of schema 2, .* up to 1; upgrade"):
        Accounts(engine)


def test_an_old_ledger_gets_accounts_beside_its_calls(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.record(CallRecord(cost=Cost(usd=None, basis="unpriced")))
    with Ledger(path) as ledger:
        assert isinstance(reserve(Accounts(ledger.engine), "a"), Reserved)
        assert len(ledger) == 1
        assert ledger.check() == []


def test_a_fault_in_the_middle_leaves_nothing(engine: Engine) -> None:
    accounts = Accounts(engine)
    reserve(accounts, "a")
    # The second insert breaks: the name is in use for the account that comes last.
    with pytest.raises(Exception, match="in use"):
        accounts.reserve(
            "a",
            [Part(account=Account(budget="aaa", scope="{}"), amount=5), part(10)],
            now=0,
            lease_seconds=[600, 600],
        )
    assert accounts.balances("aaa", now=0) == []
    assert standing(accounts) == (0, 10)


# -- threads, forks and processes ----------------------------------------------


def test_threads_never_pass_the_limit(engine: Engine) -> None:
    accounts = Accounts(engine)
    taken: list[int] = []

    def work(worker: int) -> None:
        for number in range(30):
            name = f"{worker} {number}"
            if isinstance(reserve(accounts, name, 10), Reserved):
                accounts.settle(name, [part(10)], [7], now=0)
                taken.append(7)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent, held = standing(accounts)
    assert (spent, held) == (sum(taken), 0)
    # 141 calls of 7 leave 13, one more leaves 6; the last may be refused only by what another held at that moment.
    assert 1000 - 8 * 10 < spent <= 1000


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_shares_the_limit(accounts: Accounts, file_engine: Engine) -> None:
    reserve(accounts, "before")
    child = os.fork()
    if child == 0:
        try:
            os._exit(sum(isinstance(reserve(accounts, f"child {n}"), Reserved) for n in range(80)))
        except BaseException:
            os._exit(255)
    mine = sum(isinstance(reserve(accounts, f"parent {n}"), Reserved) for n in range(80))
    theirs = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert mine + theirs == 99
    assert standing(accounts) == (0, 1000)
    assert problems(file_engine) == []


def _spend(address: str, worker: int, crossed: multiprocessing.SimpleQueue[int]) -> None:
    engine = open_engine(address, busy_seconds=0.25)
    accounts = Accounts(engine)
    # Each takes the accounts in another order.
    keys = [Account(budget="all", scope=f"{n}") for n in range(4)]
    keys = keys[worker:] + keys[:worker]
    told = 0
    for number in range(25):
        name = f"{worker} {number}"
        parts = [Part(account=key, amount=3, limit=240, soft=100) for key in keys]
        if isinstance(accounts.reserve(name, parts, now=0, lease_seconds=[600] * 4), Reserved):
            told += sum(accounts.settle(name, parts, [3] * 4, now=0).crossed)
    crossed.put(told)
    engine.dispose()


@pytest.mark.parametrize("kind", ["file", "postgresql"])
def test_processes_that_take_many_accounts_at_once(kind: str, path: Path, request: pytest.FixtureRequest) -> None:
    address = str(path) if kind == "file" else request.getfixturevalue("server")
    context = multiprocessing.get_context("spawn")
    crossed: multiprocessing.SimpleQueue[int] = context.SimpleQueue()
    processes = [context.Process(target=_spend, args=(address, worker, crossed)) for worker in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    engine = open_engine(address)
    balances = Accounts(engine).balances("all", now=0)
    # 100 calls of 3 asked for 300; 80 fit.
    assert [(balance.spent, balance.held) for balance in balances] == [(240, 0)] * 4
    assert sum(crossed.get() for _ in processes) == 4
    engine.dispose()


# -- a server ------------------------------------------------------------------


@pytest.fixture
def server_engine(server: str) -> Iterator[Engine]:
    opened = open_engine(server)
    yield opened
    opened.dispose()


def test_a_row_that_a_stopped_process_holds(server_engine: Engine) -> None:
    accounts = Accounts(server_engine, patience_seconds=PATIENCE)
    reserve(accounts, "a")
    with server_engine.connect() as stopped:
        stopped.exec_driver_sql("UPDATE costkit_budget_accounts SET held = held + 1")
        with pytest.raises(StoreError, match=r"locked by another process"):
            reserve(accounts, "b")
        stopped.rollback()
    assert isinstance(reserve(accounts, "b"), Reserved)
    assert standing(accounts) == (0, 20)


def test_a_connection_that_breaks_in_the_middle(server_engine: Engine) -> None:
    accounts = Accounts(server_engine)
    reserve(accounts, "a")

    def work(hand: Hand) -> None:
        hand.execute("UPDATE costkit_budget_accounts SET held = 77")
        hand.rows("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(StoreError, match="cannot be used"):
        Transactions(server_engine, turn=None, patience_seconds=5).run(work)
    assert standing(accounts) == (0, 10)


def test_connections_that_broke_while_nobody_looked(server_engine: Engine) -> None:
    accounts = Accounts(server_engine)
    reserve(accounts, "a")
    other = open_engine(server_engine.url)
    with other.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
        )
    other.dispose()
    assert isinstance(reserve(accounts, "b"), Reserved)


def test_transactions_that_wait_for_one_another_are_made_again(server_engine: Engine) -> None:
    Accounts(server_engine)
    with server_engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO costkit_budget_pruned (budget, until) VALUES ('x', 0), ('y', 0)")
    transactions = Transactions(server_engine, turn=None, patience_seconds=10)
    meet = threading.Barrier(2, timeout=10)
    attempts: list[str] = []

    def crossing(first: str, second: str) -> None:
        def work(hand: Hand) -> None:
            attempts.append(first)
            add = "UPDATE costkit_budget_pruned SET until = until + 1 WHERE budget = ?"
            hand.execute(add, (first,))
            if attempts.count(first) == 1:
                meet.wait()
            hand.execute(add, (second,))

        transactions.run(work)

    threads = [threading.Thread(target=crossing, args=pair) for pair in (("x", "y"), ("y", "x"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(attempts) > 2, "one of them was broken off"
    with server_engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT until FROM costkit_budget_pruned").scalars().all()
    assert found == [2, 2]


def test_a_server_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    server = start_postgres(tmp_path / "pg", cleanup_mode="stop")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        engine = open_engine(server.get_uri())
        accounts = Accounts(engine)
        reserve(accounts, "a")
        server.cleanup()
        for use in (lambda: reserve(accounts, "b"), lambda: accounts.settle("a", [part(10)], [3], now=0)):
            with pytest.raises(StoreError, match=r"cannot be used: .*connection"):
                use()
        server = start_postgres(tmp_path / "pg")
        assert standing(accounts) == (0, 10)
        accounts.settle("a", [part(10)], [3], now=0)
        assert standing(accounts) == (3, 0)
        engine.dispose()
        server.cleanup()


def test_a_ledger_on_the_same_connections_still_writes_all_or_nothing(server: str) -> None:
    engine = open_engine(server)
    accounts = Accounts(engine)
    reserve(accounts, "a")
    assert isinstance(reserve(accounts, "b", 10_000), Refused)
    with pytest.raises(StoreError), engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM costkit_budget_reservations")
        raise StoreError("given up")
    assert standing(accounts) == (0, 10)
    accounts.settle("a", [part(10)], [4], now=0)
    with engine.connect() as connection:
        states = connection.exec_driver_sql("SELECT state FROM costkit_budget_reservations").scalars().all()
        connection.rollback()
        assert connection.connection.dbapi_connection is not None
        assert not connection.connection.dbapi_connection.autocommit
    assert list(states) == [OVER]
    engine.dispose()
