"""Opening a store: what each address means, what goes wrong, threads, processes and forks."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.engine import URL

from lc_costkit.errors import ConfigurationError, MissingDependency, StoreError
from lc_costkit.store import describe, open_engine, problems, writing
from lc_costkit.versions import add_columns, prepare_schema

TABLES = MetaData()
NUMBERS = Table("numbers", TABLES, Column("number", Integer, nullable=False))


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(NUMBERS)).scalar_one())


def _add(engine: Engine, number: int) -> None:
    with engine.begin() as connection:
        connection.execute(insert(NUMBERS), {"number": number})


@pytest.mark.parametrize("form", ["str", "path", "url", "url_text"])
def test_a_file_by_any_name_is_the_same_file(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a b.db"
    address = {
        "str": str(path),
        "path": path,
        "url": URL.create("sqlite", database=str(path)),
        "url_text": f"sqlite:///{path}",
    }[form]
    engine = open_engine(address)
    prepare_schema(engine, "test", 1, TABLES)
    _add(engine, 1)
    engine.dispose()
    assert path.is_file()
    again = open_engine(path)
    assert _count(again) == 1
    assert describe(again) == str(path)
    again.dispose()


def test_a_relative_path_survives_a_change_of_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    engine = open_engine("here.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    engine.dispose()
    prepare_schema(engine, "test", 1, TABLES)
    engine.dispose()
    assert (tmp_path / "here.db").stat().st_size > 0
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_is_in_wal_mode_and_waits_for_other_writers(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "s.db", busy_seconds=2.5)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 2500
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


@pytest.mark.parametrize(
    ("address", "error", "word"),
    [
        ("", ConfigurationError, "empty"),
        ("   ", ConfigurationError, "empty"),
        (7, ConfigurationError, "int 7"),
        (None, ConfigurationError, "NoneType"),
        ("://nothing", ConfigurationError, "not a database URL"),
        ("nosuchdb://host/name", ConfigurationError, "nosuchdb"),
        ("postgresql+asyncpg://host/name", ConfigurationError, "async driver"),
        ("sqlite+aiosqlite:///x.db", ConfigurationError, "async driver"),
        ("mysql+pymysql://host/name", StoreError, "pymysql"),
    ],
)
def test_a_bad_address_says_what_is_wrong(address: object, error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        open_engine(address)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_bad_busy_time_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="busy_seconds"):
        open_engine(":memory:", busy_seconds=seconds)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"is a directory; name a file in it"):
        open_engine(tmp_path)


def test_a_missing_folder_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        open_engine(tmp_path / "no" / "s.db")
    assert not (tmp_path / "no").exists()


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, not pages of a database\n" * 40)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a database"):
        open_engine(path)
    assert path.read_bytes() == before


def test_a_server_that_does_not_answer_is_a_store_error() -> None:
    with pytest.raises(StoreError) as caught:
        open_engine("postgresql://someone:secret@127.0.0.1:9/none?connect_timeout=2")
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_a_missing_driver_names_the_extra() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from lc_costkit.errors import MissingDependency\n"
        "from lc_costkit.store import open_engine\n"
        "try:\n"
        "    open_engine('postgresql+psycopg://127.0.0.1/none')\n"
        "except MissingDependency as error:\n"
        "    assert \"pip install 'lc_costkit[postgres]'\" in str(error), error\n"
        "    raise SystemExit(0)\n"
        "raise SystemExit('no MissingDependency')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert issubclass(MissingDependency, ImportError)


def test_memory_is_one_database_for_all_threads() -> None:
    engine = open_engine(":memory:")
    prepare_schema(engine, "test", 1, TABLES)

    def work() -> None:
        for number in range(50):
            _add(engine, number)
            _count(engine)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _count(engine) == 400
    engine.dispose()


def test_two_memory_stores_are_apart() -> None:
    one, two = open_engine(":memory:"), open_engine("sqlite://")
    prepare_schema(one, "test", 1, TABLES)
    prepare_schema(two, "test", 1, TABLES)
    _add(one, 1)
    assert (_count(one), _count(two)) == (1, 0)
    one.dispose()
    two.dispose()


def test_a_rollback_in_one_thread_leaves_the_others_alone() -> None:
    engine = open_engine(":memory:")
    prepare_schema(engine, "test", 1, TABLES)
    inside, go_on = threading.Event(), threading.Event()

    def fail() -> None:
        with pytest.raises(ZeroDivisionError), writing(engine) as connection:
            connection.execute(insert(NUMBERS), {"number": 1})
            inside.set()
            go_on.wait(5)
            raise ZeroDivisionError

    def add() -> None:
        inside.wait(5)
        go_on.set()
        _add(engine, 2)

    threads = [threading.Thread(target=fail), threading.Thread(target=add)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        assert connection.execute(select(NUMBERS.c.number)).scalars().all() == [2]
    engine.dispose()


def _open_and_add(path: str, count: int) -> None:
    engine = open_engine(path)
    prepare_schema(engine, "test", 1, TABLES)
    for _ in range(count):
        with writing(engine) as connection:
            highest = connection.execute(select(func.coalesce(func.max(NUMBERS.c.number), 0))).scalar_one()
            connection.execute(insert(NUMBERS), {"number": highest + 1})
    engine.dispose()


def test_processes_that_open_a_new_file_at_once_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    path = str(tmp_path / "s.db")
    processes = [context.Process(target=_open_and_add, args=(path, 20)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    engine = open_engine(path)
    with engine.connect() as connection:
        # Read-then-write never lost an update.
        assert connection.execute(select(NUMBERS.c.number)).scalars().all() == list(range(1, 81))
    assert problems(engine) == []
    engine.dispose()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_uses_connections_of_its_own(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "s.db")
    prepare_schema(engine, "test", 1, TABLES)
    _add(engine, 1)
    child = os.fork()
    if child == 0:
        try:
            for number in range(20):
                _add(engine, number)
            os._exit(0)
        except BaseException:
            os._exit(1)
    for number in range(20):
        _add(engine, number)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert _count(engine) == 41
    assert problems(engine) == []
    engine.dispose()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_a_copy_of_a_memory_store() -> None:
    engine = open_engine(":memory:")
    prepare_schema(engine, "test", 1, TABLES)
    _add(engine, 1)
    child = os.fork()
    if child == 0:
        try:
            _add(engine, 2)
            os._exit(_count(engine))
        except BaseException:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert _count(engine) == 1
    engine.dispose()


def test_a_newer_schema_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    engine = open_engine(path)
    prepare_schema(engine, "test", 2, TABLES)
    with pytest.raises(StoreError, match=r"schema 2, .* up to 1; upgrade"):
        prepare_schema(engine, "test", 1, TABLES)
    prepare_schema(engine, "other", 1, TABLES)
    prepare_schema(engine, "test", 2, TABLES)
    engine.dispose()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    engine = open_engine(path)
    prepare_schema(engine, "test", 1, TABLES)
    with engine.begin() as connection:
        connection.execute(insert(NUMBERS), [{"number": number} for number in range(20_000)])
    engine.dispose()
    with sqlite3.connect(path) as connection_:
        connection_.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection_.close()
    data = bytearray(path.read_bytes())
    data[8192 : 8192 + 30_000] = b"\xff" * 30_000
    path.write_bytes(bytes(data))
    engine = open_engine(path)
    assert problems(engine) != []
    engine.dispose()


def test_a_file_nobody_may_write_is_a_store_error(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///file:{tmp_path / 's.db'}?mode=rwc&uri=true")
    engine.dispose()
    read_only = open_engine(f"sqlite:///file:{tmp_path / 's.db'}?mode=ro&uri=true")
    with pytest.raises(StoreError, match="cannot be written to"):
        prepare_schema(read_only, "test", 1, TABLES)
    read_only.dispose()


# -- from one version to the next ---------------------------------------------------

OLD = MetaData()
OLD_NUMBERS = Table("numbers", OLD, Column("number", Integer, nullable=False))
NEW = MetaData()
NEW_NUMBERS = Table(
    "numbers",
    NEW,
    Column("number", Integer, nullable=False),
    Column("note", String(20), index=True),
    Column("weight", Integer, nullable=False, server_default="7"),
)
WORDS = Table("words", NEW, Column("word", String(20), nullable=False))


def _add_note(connection: Connection) -> None:
    add_columns(connection, NEW_NUMBERS, "note")


def _add_weight(connection: Connection) -> None:
    add_columns(connection, NEW_NUMBERS, "weight")
    connection.execute(update(NEW_NUMBERS).where(NEW_NUMBERS.c.number > 1).values(note="large"))


STEPS = {2: _add_note, 3: _add_weight}


def _version(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT version FROM costkit_schema").scalar_one())


def _old_file(path: Path) -> None:
    engine = open_engine(path)
    prepare_schema(engine, "test", 1, OLD)
    for number in (1, 2):
        _add(engine, number)
    engine.dispose()


def test_an_older_store_is_brought_up_to_date_with_its_rows(tmp_path: Path) -> None:
    _old_file(tmp_path / "s.db")
    engine = open_engine(tmp_path / "s.db")
    for _ in range(2):
        prepare_schema(engine, "test", 3, NEW, migrations=STEPS)
        assert _version(engine) == 3
        with engine.connect() as connection:
            rows = connection.execute(select(NEW_NUMBERS).order_by(NEW_NUMBERS.c.number)).all()
            assert [tuple(row) for row in rows] == [(1, None, 7), (2, "large", 7)]
            assert connection.execute(select(func.count()).select_from(WORDS)).scalar_one() == 0
            assert [index["name"] for index in inspect(connection).get_indexes("numbers")] == ["ix_numbers_note"]
    engine.dispose()


def test_a_new_store_runs_no_step() -> None:
    def never(connection: Connection) -> None:
        raise AssertionError("there is nothing to bring up to date")

    engine = open_engine(":memory:")
    prepare_schema(engine, "test", 3, NEW, migrations={2: never, 3: never})
    assert _version(engine) == 3
    engine.dispose()


def test_a_step_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    _old_file(tmp_path / "s.db")

    def fail(connection: Connection) -> None:
        raise ZeroDivisionError

    engine = open_engine(tmp_path / "s.db")
    with pytest.raises(ZeroDivisionError):
        prepare_schema(engine, "test", 3, NEW, migrations={2: _add_note, 3: fail})
    assert _version(engine) == 1
    assert set(inspect(engine).get_table_names()) == {"costkit_schema", "numbers"}
    assert [column["name"] for column in inspect(engine).get_columns("numbers")] == ["number"]
    prepare_schema(engine, "test", 3, NEW, migrations=STEPS)
    assert _count(engine) == 2
    engine.dispose()


def test_a_column_that_rows_cannot_have_is_refused(tmp_path: Path) -> None:
    _old_file(tmp_path / "s.db")
    wrong = Table("numbers", MetaData(), Column("number", Integer), Column("must", Integer, nullable=False))
    engine = open_engine(tmp_path / "s.db")
    with pytest.raises(ConfigurationError, match=r"numbers\.must must allow NULL"):
        prepare_schema(engine, "test", 2, OLD, migrations={2: lambda at: add_columns(at, wrong, "must")})
    engine.dispose()


def _migrate(path: str, seconds: float) -> None:
    def slowly(connection: Connection) -> None:
        _add_note(connection)
        time.sleep(seconds)

    engine = open_engine(path)
    prepare_schema(engine, "test", 3, NEW, migrations={2: slowly, 3: _add_weight})
    _add(engine, 3)
    engine.dispose()


def test_processes_that_migrate_one_file_at_once_agree(tmp_path: Path) -> None:
    _old_file(tmp_path / "s.db")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_migrate, args=(str(tmp_path / "s.db"), 0.2)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    engine = open_engine(tmp_path / "s.db")
    assert (_version(engine), _count(engine), problems(engine)) == (3, 6, [])
    engine.dispose()


def test_an_interrupt_in_the_middle_of_a_write_stays_an_interrupt(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "l.db")
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE numbers (n INTEGER)")

    def interrupt(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT"):
            raise KeyboardInterrupt

    event.listen(engine, "after_cursor_execute", interrupt)
    with pytest.raises(KeyboardInterrupt), writing(engine, wait_seconds=1.0) as connection:
        connection.exec_driver_sql("INSERT INTO numbers VALUES (1)")
    event.remove(engine, "after_cursor_execute", interrupt)
    with writing(engine, wait_seconds=1.0) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM numbers").scalar_one() == 0
    engine.dispose()
