"""Does a locked store cost one call its patience, and no call its record?"""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from lc_costkit.backoff import LONGEST_REST_SECONDS, REST_SECONDS, Backoff
from lc_costkit.errors import StoreError
from lc_costkit.ledger import Ledger
from lc_costkit.pricing import Cost
from lc_costkit.record import CallRecord
from lc_costkit.writer import BackgroundWriter


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def a_call(number: int) -> CallRecord:
    return CallRecord(call_id=f"c{number}", cost=Cost(usd=Decimal("0.001"), basis="exact"))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may wait for seconds does not in these tests."""
    monkeypatch.setattr("lc_costkit.ledger.PATIENT_SECONDS", 0.05)


def test_rests_double_up_to_a_minute_and_end_with_a_success() -> None:
    clock = Clock()
    backoff = Backoff(clock=clock)
    rests = []
    for _ in range(6):
        assert backoff.may_try()
        backoff.failed()
        rests.append(backoff.seconds_left)
        assert not backoff.may_try()
        clock.now += backoff.seconds_left
    assert rests == [5, 10, 20, 40, 60, 60]
    assert (rests[0], rests[-1]) == (REST_SECONDS, LONGEST_REST_SECONDS)
    assert backoff.may_try()
    backoff.succeeded()
    assert backoff.may_try()
    assert backoff.seconds_left == 0
    backoff.failed()
    assert backoff.seconds_left == REST_SECONDS


def test_failures_of_one_moment_are_one_failure() -> None:
    clock = Clock()
    backoff = Backoff(clock=clock)
    for _ in range(10):
        backoff.failed()
    assert backoff.seconds_left == REST_SECONDS


def test_after_a_rest_one_tries_for_all_and_one_that_never_reports_blocks_nobody_for_long() -> None:
    clock = Clock()
    backoff = Backoff(clock=clock)
    backoff.failed()
    clock.now += REST_SECONDS
    assert [backoff.may_try() for _ in range(5)] == [True, False, False, False, False]
    clock.now += REST_SECONDS
    assert backoff.may_try()


def test_a_locked_ledger_keeps_every_call_and_asks_the_store_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written: list[str] = []
    with Ledger(tmp_path / "l.db") as ledger:
        attempts = 0
        insert = ledger._insert

        def counted(records: list[CallRecord]) -> None:
            nonlocal attempts
            attempts += 1
            insert(records)

        ledger._insert = ledger._writer._line._insert = counted
        ledger.keep(a_call(0), written=lambda record: written.append(record.call_id))
        with locked(tmp_path / "l.db"):
            for number in range(1, 1001):
                ledger.keep(a_call(number), written=lambda record: written.append(record.call_id))
            assert attempts == 2
            assert not ledger.flush()
            assert len(ledger) == 1, "what is written can be read"
            assert ledger.check() == []
        assert ledger.flush()
        assert [call.call_id for call in ledger.records()] == [f"c{number}" for number in range(1001)] == written
        assert ledger.check() == []
        ledger.keep(a_call(1001))
        assert attempts == 3, "it writes at once again"
        assert set(ledger.faults.counts) == {"ledger write: DBAPIError"}
    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == ["WARNING"]


def test_the_background_thread_tries_again_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lc_costkit.backoff.REST_SECONDS", 0.05)
    monkeypatch.setattr("lc_costkit.ledger.BUSY_SECONDS", 0.01)
    import threading

    done = threading.Event()
    with Ledger(tmp_path / "l.db") as ledger:
        with locked(tmp_path / "l.db"):
            ledger.keep(a_call(1), written=lambda _: done.set())
            assert not done.is_set()
        assert done.wait(30)
        with sqlite3.connect(tmp_path / "l.db") as raw:
            assert raw.execute("SELECT call_id FROM costkit_calls").fetchall() == [("c1",)]
        raw.close()


def test_record_says_at_once_that_the_store_is_locked_and_keeps_nothing(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        with locked(tmp_path / "l.db"), pytest.raises(StoreError, match="locked"):
            ledger.record(a_call(1))
        ledger.record(a_call(1))
        with pytest.raises(StoreError, match="already holds a call 'c1'"):
            ledger.keep(a_call(1))
        assert len(ledger) == 1


def test_closing_under_the_lock_says_how_many_are_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(tmp_path / "l.db")
    with locked(tmp_path / "l.db"):
        for number in range(7):
            ledger.keep(a_call(number))
        ledger.close()
    assert ["could not write 7 calls" in record.getMessage() for record in caplog.records] == [False, True]
    with Ledger(tmp_path / "l.db") as again:
        assert len(again) == 0
        assert again.check() == []


def test_closing_after_the_lock_writes_what_was_kept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.db")
    with locked(tmp_path / "l.db"):
        for number in range(1200):
            ledger.keep(a_call(number))
    ledger.close()
    with Ledger(tmp_path / "l.db") as again:
        assert [call.call_id for call in again.records()] == [f"c{number}" for number in range(1200)]


EXITING = """
import sqlite3, sys
from decimal import Decimal
from lc_costkit.ledger import Ledger
from lc_costkit.pricing import Cost
from lc_costkit.record import CallRecord

ledger = Ledger(sys.argv[1])
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN EXCLUSIVE")
for _ in range(20):
    ledger.keep(CallRecord(cost=Cost(usd=Decimal("0.01"), basis="exact")))
other.execute("ROLLBACK")
other.close()
"""


def test_a_normal_exit_writes_what_was_kept(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXITING, str(tmp_path / "l.db")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with Ledger(tmp_path / "l.db") as ledger:
        assert len(ledger) == 20


def busy() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


def test_memory_is_bounded_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lc_costkit.writer.KEPT_LIMIT", 10)
    broken = True
    written: list[str] = []

    def insert(records: list[CallRecord]) -> None:
        if broken:
            raise busy()
        written.extend(record.call_id for record in records)

    with Ledger() as ledger:
        writer = BackgroundWriter(insert, ledger.faults)
        for number in range(25):
            writer.submit(lambda number=number: a_call(number))  # type: ignore[misc]
        assert not writer.flush(30)
        assert writer.retrying
        broken = False
        assert writer.flush(30)
        assert not writer.retrying
        writer.close()
        assert written == [f"c{number}" for number in range(15, 25)]
        assert ledger.faults.counts["keeping calls: OverflowError"] == 15


def test_an_attempt_that_arrived_although_it_failed_is_not_written_twice() -> None:
    """A server may commit and lose the connection before it says so."""
    with Ledger() as ledger:
        insert, first = ledger._insert, True

        def breaks_at_its_end(records: list[CallRecord]) -> None:
            nonlocal first
            insert(records)
            if first:
                first = False
                raise busy()

        told: list[str] = []
        writer = BackgroundWriter(breaks_at_its_end, ledger.faults)
        for number in range(3):
            writer.submit(lambda number=number: a_call(number), lambda record: told.append(record.call_id))  # type: ignore[misc]
        writer.flush(30)
        assert writer.flush(30)
        writer.close()
        assert [call.call_id for call in ledger.records()] == told == ["c0", "c1", "c2"]
        assert sum(ledger.faults.counts.values()) == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_write_what_its_parent_keeps(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        with locked(tmp_path / "l.db"):
            ledger.keep(a_call(1))
        child = os.fork()
        if child == 0:
            try:
                ledger.keep(a_call(2))
                ledger.close()
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert sorted(call.call_id for call in ledger.records()) == ["c1", "c2"]
