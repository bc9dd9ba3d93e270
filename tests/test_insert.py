"""Is the connection that is kept for writing given back, and does nothing of it cross a fork?"""

from __future__ import annotations

import gc
import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from lc_costkit.insert import Inserter
from lc_costkit.ledger import Ledger
from lc_costkit.rows import CALLS, COLUMNS, LEDGER_SCHEMA, LEDGER_TABLES, from_row, to_values
from lc_costkit.store import open_engine
from lc_costkit.turns import turn_of
from lc_costkit.versions import prepare_schema
from tests.test_ledger import a_call, full_call


@pytest.fixture(params=["file", "memory"])
def inserter(request: pytest.FixtureRequest, tmp_path: Path) -> Inserter:
    engine = open_engine(tmp_path / "l.db" if request.param == "file" else ":memory:")
    prepare_schema(engine, "ledger", LEDGER_SCHEMA, LEDGER_TABLES)
    return Inserter(engine, record_text=True, turn=turn_of(engine))


def stored(inserter: Inserter) -> list[str]:
    with inserter._engine.connect() as connection:
        return [row.call_id for row in connection.execute(CALLS.select().order_by(CALLS.c.seq))]


def test_the_columns_are_those_of_the_table() -> None:
    assert sorted(COLUMNS) == sorted(column.name for column in CALLS.columns if column.name != "seq")
    call = full_call()
    assert from_row(dict(zip(COLUMNS, to_values(call), strict=True))) == call


def test_a_batch_is_written_whole_or_not_at_all(inserter: Inserter) -> None:
    inserter.insert([a_call(call_id="a"), a_call(call_id="b")])
    inserter.insert([a_call(call_id="c")])
    for batch in (["d", "e", "a", "f"], ["a"]):
        with pytest.raises(IntegrityError):
            inserter.insert([a_call(call_id=name) for name in batch])
    inserter.insert([a_call(call_id="d")])
    assert stored(inserter) == ["a", "b", "c", "d"]


def test_a_write_in_the_middle_of_a_batch_is_a_part_of_it(tmp_path: Path) -> None:
    """The collector may run a finalizer that writes on the same thread."""
    engine = open_engine(tmp_path / "l.db")
    prepare_schema(engine, "ledger", LEDGER_SCHEMA, LEDGER_TABLES)
    inserter = Inserter(engine, record_text=False, turn=turn_of(engine))
    assert inserter._own is not None
    own = inserter._own.get()
    own.execute("BEGIN")
    inserter.insert([a_call(call_id="inner"), a_call(call_id="other")])
    inserter.insert([a_call(call_id="one")])
    assert own.in_transaction
    own.execute("COMMIT")
    assert stored(inserter) == ["inner", "other", "one"]
    inserter.close()
    engine.dispose()


@pytest.mark.parametrize("calls", [1, 2])
def test_a_lock_is_waited_for_as_long_as_is_said(tmp_path: Path, calls: int) -> None:
    engine = open_engine(tmp_path / "l.db", busy_seconds=0.02)
    prepare_schema(engine, "ledger", LEDGER_SCHEMA, LEDGER_TABLES)
    inserter = Inserter(engine, record_text=False, turn=turn_of(engine))
    batch = [a_call() for _ in range(calls)]
    blocker = sqlite3.connect(tmp_path / "l.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    for wait in (None, 0.05):
        with pytest.raises(DBAPIError, match="locked"):
            inserter.insert(batch, wait_seconds=wait)
    assert inserter._own is not None
    assert inserter._own.get().execute("PRAGMA busy_timeout").fetchone() == (20,)
    blocker.execute("ROLLBACK")
    blocker.close()
    inserter.insert(batch)
    assert len(stored(inserter)) == calls
    inserter.close()
    engine.dispose()


def test_closing_gives_the_connection_back_and_leaves_one_file(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        ledger.record(a_call())
        assert ledger.engine.pool.checkedout() == 1  # type: ignore[attr-defined]
    assert [one.name for one in tmp_path.iterdir()] == ["l.db"]


def test_a_forgotten_ledger_gives_the_connection_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.db")
    ledger.record(a_call())
    engine = ledger.engine
    del ledger
    gc.collect()
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    engine.dispose()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_writes_on_a_connection_of_its_own(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        ledger.record(a_call("0.01"))
        assert ledger._inserter._own is not None
        before = ledger._inserter._own.get()
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                try:
                    for _ in range(20):
                        ledger.record(a_call("0.01"))
                    own = ledger._inserter._own.get() is not before
                    ledger.close()
                    gc.collect()
                    os._exit(0 if own else 2)
                except BaseException:
                    os._exit(1)
            children.append(child)
        for _ in range(20):
            ledger.record(a_call("0.01"))
        assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 3
        assert ledger._inserter._own.get() is before
        assert len(ledger) == 81
        assert ledger.check() == []
