"""Can a ledger be reported on where nothing may be written, and is what is wrong with a file said?"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from lc_costkit import CallRecord, Cost, Ledger, ModelPrice, PriceBook
from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.fixed import FixedCost
from lc_costkit.metering import Meter, OpenCall, Outcome
from lc_costkit.prompt import Prompt
from lc_costkit.usage import TokenUsage
from tests.support.command import run_command
from tests.test_ledger import a_call

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Ledger(tmp_path / "l.db") as ledger:
        for _ in range(3):
            ledger.record(a_call("0.01", feature="support"))
    return tmp_path / "l.db"


def test_a_ledger_opened_to_read_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    with Ledger(path, read_only=True) as ledger:
        assert repr(ledger) == f"Ledger({str(path)!r}, read-only)"
        assert (len(ledger), ledger.report("feature").total.usd) == (3, Decimal("0.03"))
        assert ledger.check() == []
        for write in (
            lambda: ledger.record(a_call()),
            lambda: ledger.keep(a_call()),
            lambda: ledger.record_later(a_call),
            lambda: ledger.score("c", 1),
            lambda: ledger.remove_fixed_cost("x"),
            ledger.reprice,
        ):
            with pytest.raises(StoreError, match="read_only=True, which writes nothing"):
                write()
        with pytest.raises(sqlite3.OperationalError), closing(ledger.engine.raw_connection()) as raw:
            raw.cursor().execute("DELETE FROM costkit_calls")
    assert path.read_bytes() == before


def test_it_sees_what_others_write_meanwhile(path: Path) -> None:
    with Ledger(path) as writer, Ledger(path, read_only=True) as reader:
        writer.record(a_call("1"))
        assert reader.report().total.usd == Decimal("1.03")


READ_AS_NOBODY = f"""
import os, sys
from lc_costkit import Ledger
from lc_costkit.errors import StoreError
with Ledger() as ledger:
    ledger.report("feature"), ledger.check()  # what is imported late, while that can be read
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
path = sys.argv[1]
try:
    open(path, "r+b")
    raise SystemExit("this user may write")
except PermissionError:
    pass
try:
    with Ledger(path, read_only=True) as ledger:
        print(ledger.report("feature").total.usd, ledger.check())
except StoreError as error:
    print(error)
try:
    Ledger(path).close()
except StoreError as error:
    print("read_only=True" in str(error), error)
"""


def as_nobody(path: Path) -> list[str]:
    """Read a ledger as a user who can write neither the file nor its folder."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only the superuser can become another user")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        Path(folder).chmod(0o755)
        for one in path.parent.iterdir():
            if one.is_file():
                shutil.copy(one, folder)
                (Path(folder) / one.name).chmod(0o644)
        there = Path(folder) / path.name
        done = subprocess.run(
            [sys.executable, "-c", READ_AS_NOBODY, str(there)], capture_output=True, text=True, check=False, cwd="/"
        )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_somebody_elses_ledger_is_read(path: Path) -> None:
    read, refused = as_nobody(path)
    assert read == "0.03 []"
    assert refused.startswith("True ")


def test_a_backup_with_writes_beside_it_says_what_to_do(path: Path, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    with Ledger(path) as ledger:
        ledger.record(a_call())
        for name in ("l.db", "l.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / "backup" / name)
    lines = as_nobody(tmp_path / "backup" / "l.db")
    assert "copy both files to a folder of your own" in lines[0]


@pytest.mark.parametrize("options", [{"buffered": True}, {"record_text": True}])
def test_options_that_contradict_each_other_are_refused(path: Path, options: dict[str, bool]) -> None:
    with pytest.raises(ConfigurationError, match="writes nothing"):
        Ledger(path, read_only=True, **options)


def test_what_is_no_ledger_is_not_made_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database at"):
        Ledger(tmp_path / "none.db", read_only=True)
    with closing(sqlite3.connect(tmp_path / "other.db")) as raw:
        raw.execute("CREATE TABLE t (x)")
    with pytest.raises(StoreError, match="holds no ledger"):
        Ledger(tmp_path / "other.db", read_only=True)
    (tmp_path / "notes.txt").write_text("these are notes, not pages of a database\n" * 40)
    with pytest.raises(StoreError, match="is not a database"):
        Ledger(tmp_path / "notes.txt", read_only=True)
    with pytest.raises(StoreError, match="holds no ledger"):
        Ledger(read_only=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["notes.txt", "other.db"]


@pytest.mark.parametrize("read_only", [False, True])
def test_a_ledger_of_a_newer_version_is_left_alone(path: Path, read_only: bool) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE costkit_schema SET version = 99")
        raw.commit()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"schema 99, .* upgrade lc_costkit"):
        Ledger(path, read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
def test_a_damaged_ledger_is_told_and_left_as_it_is(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "l.db"
    with Ledger(path) as ledger:
        for _ in range(300):
            ledger.record(a_call(feature="x" * 500))
    data = bytearray(path.read_bytes())
    data[60_000:160_000] = b"\xff" * 100_000
    path.write_bytes(bytes(data))
    with Ledger(path, read_only=read_only) as ledger:
        assert ledger.check() != []
        with pytest.raises(StoreError, match=r"is damaged \(.*\); restore it from a copy"):
            ledger.report()
        with pytest.raises(StoreError, match="is damaged"):
            list(ledger.records())
    done = run_command("report", str(path))
    assert (done.returncode, "is damaged" in done.stderr, "Traceback" in done.stderr) == (2, True, False)
    assert path.read_bytes() == bytes(data)


def test_a_clock_that_is_set_back_loses_no_call(tmp_path: Path) -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    with Ledger(tmp_path / "l.db") as ledger:
        meter = Meter(ledger)
        for number, moved in enumerate((0, -3600, 60)):
            call = OpenCall(
                prompt=Prompt(turns=(("human", "x"),)), call_id=f"c{number}", started_at=noon + timedelta(seconds=moved)
            )
            # The monotonic clock of another machine: an end before the beginning, and before the first token.
            meter.finish(call, Outcome(ended=call.started - 5, first_token=call.started - 9))
        records = list(ledger.records())
        assert [record.call_id for record in records] == ["c0", "c1", "c2"], "in the order they were written"
        assert {(record.latency_seconds, record.first_token_seconds) for record in records} == {(0.0, 0.0)}
        assert [record.call_id for record in ledger.records(until=noon)] == ["c1"]
        assert [row.group for row in ledger.report("hour").rows] == ["2026-11-20T11:00Z", "2026-11-20T12:00Z"]
        assert ledger.check() == []


def _work(ledger: Ledger, begun: threading.Barrier, unexpected: list[BaseException]) -> None:
    begun.wait()
    try:
        for _ in range(200):
            ledger.record(a_call())
            ledger.report()
    except StoreError:
        return
    except BaseException as error:
        unexpected.append(error)


def test_closing_while_others_are_at_work_is_an_error_for_them_and_no_crash() -> None:
    for _ in range(20):
        ledger = Ledger()
        for _ in range(20):
            ledger.record(CallRecord(cost=Cost(usd=Decimal(1), basis="exact")))
        unexpected: list[BaseException] = []
        begun = threading.Barrier(5)

        threads = [threading.Thread(target=_work, args=(ledger, begun, unexpected)) for _ in range(4)]
        for thread in threads:
            thread.start()
        begun.wait()
        ledger.close()
        for thread in threads:
            thread.join()
        assert unexpected == []


DAMAGE = {
    "calls": [
        "started_at = 'yesterday'",
        "cost_usd = 'NaN'",
        "cost_usd = 'Infinity'",
        "cost_basis = 'free'",
        "billing = '[1]'",
        """billing = '{"also": [{}]}'""",
        """billing = '{"open_terms": [1]}'""",
        "tags = '['",
    ],
    "corrections": ["before = '{'", "call_id = 'gone'"],
    "fixed_costs": ["usd_per_month = 'much'", "since = '2026'"],
}


@pytest.mark.parametrize(
    ("table", "change"), [(table, change) for table, listed in DAMAGE.items() for change in listed]
)
def test_a_row_that_was_damaged_is_named_by_check_and_never_a_bare_error(
    tmp_path: Path, table: str, change: str
) -> None:
    own = PriceBook(overrides={"gpt-4o": ModelPrice(input_per_million=1, output_per_million=1)})
    usage = TokenUsage(input_tokens=10, output_tokens=1)
    with Ledger(tmp_path / "l.db") as ledger:
        for _ in range(2):
            ledger.record(CallRecord(model_asked="gpt-4o", usage=usage, cost=PriceBook().cost("gpt-4o", usage)))
        ledger.set_fixed_cost(FixedCost(name="database", usd_per_month="30", since=date(2026, 1, 1)))
        assert ledger.reprice(own).changed == 2
        assert ledger.check() == []
        with closing(sqlite3.connect(tmp_path / "l.db")) as raw:
            raw.execute(f"UPDATE costkit_{table} SET {change} WHERE seq = 1")  # noqa: S608
            raw.commit()
        (problem,) = ledger.check()
        assert "(row 1)" in problem
        read: list[Callable[[], object]] = [
            lambda: list(ledger.records()),
            lambda: ledger.report("tag"),
            lambda: list(ledger.corrections()),
            ledger.fixed_costs,
        ]
        for one in read:
            with suppress(StoreError):
                one()
        result = ledger.reprice()
        assert result.calls + result.unreadable == 2
