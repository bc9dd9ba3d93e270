"""How are records put into the store, all of a batch or none?"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

from sqlalchemy import Engine, insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.pool import PoolProxiedConnection

from lc_costkit.record import CallRecord
from lc_costkit.rows import CALLS, COLUMNS, storable, to_values

Values = tuple[Any, ...]
"""One row, in the order of ``COLUMNS``."""

_TEXT_COLUMNS = tuple(place for place, name in enumerate(COLUMNS) if name in ("question", "answer"))


class Inserter:
    """Writes records, each batch in one transaction.

    Args:
        engine: from ``open_engine``.
        record_text: keep questions and answers.
        turn: held while writing (see ``turns.py``).
    """

    def __init__(self, engine: Engine, *, record_text: bool, turn: AbstractContextManager[object]) -> None:
        self._record_text = record_text
        self._turn = turn
        self._engine = engine
        self._own = _OwnConnection(engine) if _is_file(engine) else None
        self._statement = insert(CALLS)
        # Given to the driver as it is: every call waits for this insert, and SQLAlchemy's own work
        # would be most of it.
        self._text = f"INSERT INTO {CALLS.name} ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608

    def insert(self, records: list[CallRecord], *, wait_seconds: float | None = None) -> None:
        """Write records.

        Args:
            records: all of them are written, or none.
            wait_seconds: how long to wait for another writer; ``None`` is as the engine was opened.

        Raises:
            SQLAlchemyError: the store refuses them, or cannot be used now.
        """
        rows = [to_values(record) for record in records]
        if not self._record_text:
            rows = [_without_text(row) for row in rows]
        try:
            with self._turn:
                self._execute(rows, wait_seconds)
        except (UnicodeEncodeError, ValueError, DataError):
            # Lone surrogates anywhere, NUL on PostgreSQL: the call matters more than the character.
            with self._turn:
                self._execute([tuple(map(storable, row)) for row in rows], wait_seconds)

    def close(self) -> None:
        """Close the connection that is kept for writing; writing opens another."""
        if self._own is not None:
            with self._turn:
                self._own.close()

    def _execute(self, rows: list[Values], wait_seconds: float | None) -> None:
        if self._engine.dialect.name != "sqlite":
            with self._engine.begin() as connection:
                connection.execute(self._statement, [dict(zip(COLUMNS, row, strict=True)) for row in rows])
            return
        try:
            if self._own is not None:
                self._write(self._own.get(), rows, wait_seconds)
                return
            pooled = self._engine.raw_connection()
            try:
                self._write(_driver(pooled), rows, wait_seconds)
            finally:
                # Back to the pool, which rolls back what was not committed.
                pooled.close()
        except sqlite3.IntegrityError as error:
            raise IntegrityError(self._text, None, error) from error
        except sqlite3.Error as error:
            raise DBAPIError(self._text, None, error) from error

    def _write(self, connection: sqlite3.Connection, rows: list[Values], wait_seconds: float | None) -> None:
        if wait_seconds is None:
            self._write_now(connection, rows)
            return
        usual = connection.execute("PRAGMA busy_timeout").fetchone()[0]
        connection.execute(f"PRAGMA busy_timeout={int(wait_seconds * 1000)}")
        try:
            self._write_now(connection, rows)
        finally:
            connection.execute(f"PRAGMA busy_timeout={usual}")

    def _write_now(self, connection: sqlite3.Connection, rows: list[Values]) -> None:
        if connection.isolation_level is None and len(rows) == 1:
            connection.execute(self._text, rows[0])  # a transaction of its own
            return
        with _transaction(connection):
            connection.executemany(self._text, rows)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is written inside, or roll it back; inside of another transaction, leave both to that."""
    if _is_open(connection):
        # The collector may run what writes here in the middle of a batch.
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if _is_open(connection):
            connection.execute("ROLLBACK")
        raise


def _is_open(connection: sqlite3.Connection) -> bool:
    return connection.in_transaction


class _OwnConnection:
    """One connection to a SQLite file in autocommit mode, used by one thread at a time.

    Going to the pool and back for every write would cost a third of it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: list[_Held] = []
        # When the ledger is forgotten. Not at the end of the process: its last calls are written then, and a
        # finalizer that another thread makes while Python looks for them keeps all others from being run.
        weakref.finalize(self, _give_back, self._held).atexit = False

    def get(self) -> sqlite3.Connection:
        """Return the connection of this process; in a forked child that is another one."""
        if not self._held or self._held[0].process_id != os.getpid():
            self._held[:] = [_Held(self._engine)]
        return self._held[0].connection

    def close(self) -> None:
        """Give it back to the pool."""
        _give_back(self._held)


class _Held:
    """A connection that is kept out of the pool."""

    def __init__(self, engine: Engine) -> None:
        self.process_id = os.getpid()
        self.pooled = engine.raw_connection()
        self.connection = _driver(self.pooled)
        self.connection.isolation_level = None


def _give_back(kept: list[_Held]) -> None:
    while kept:
        held = kept.pop()
        # What a forked child inherits stays in the pool of the parent, which nobody uses there.
        if held.process_id == os.getpid():
            held.connection.isolation_level = ""  # type: ignore[assignment]  # as sqlite3 has it by default
            held.pooled.close()


def _driver(pooled: PoolProxiedConnection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, pooled.dbapi_connection)


def _is_file(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:")


def _without_text(row: Values) -> Values:
    changed = list(row)
    for place in _TEXT_COLUMNS:
        changed[place] = None
    return tuple(changed)
