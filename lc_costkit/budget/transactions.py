"""How is a transaction made that either happens in full or ends in a ``StoreError``?

The two databases speak the same statements, given to the driver as text: every call of a
model waits for two of these transactions, and SQLAlchemy's own work would be most of them.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.store import MEMORY, cannot_use, describe
from lc_costkit.turns import Turn, turn_of

T = TypeVar("T")
Row = tuple[Any, ...]

_RETURNING_SINCE = (3, 35)
"""https://www.sqlite.org/lang_returning.html"""

_SQLITE_TABLE_GONE = "no such table"
# https://www.sqlite.org/rescode.html
_SQLITE_WAITING = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED
_SQLITE_HARMLESS = _SQLITE_WAITING | {1, 19}  # SQLITE_ERROR, as a table that is gone; SQLITE_CONSTRAINT

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES_AGAIN = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
_POSTGRES_TABLE_GONE = "42P01"
_POSTGRES_LOCKED = "55P03"

_ATTEMPTS = 10
"""How often a transaction that PostgreSQL broke off for another one is made; each time one of them gets through."""


class Hand:
    """What a transaction writes with.

    Args:
        cursor: of the driver.
        postgres: whether it is a server, to which every statement is a way.
        returning: whether an ``UPDATE`` can say what it made.
    """

    __slots__ = ("_cursor", "_returning", "postgres")

    def __init__(self, cursor: Any, *, postgres: bool, returning: bool) -> None:
        self._cursor = cursor
        self.postgres = postgres
        self._returning = returning

    def execute(self, text: str, values: Sequence[Any] = ()) -> int:
        """Run a statement and return how many rows it changed."""
        self._cursor.execute(self._said(text), values)
        return int(self._cursor.rowcount)

    def many(self, text: str, values: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each of ``values``."""
        self._cursor.executemany(self._said(text), values)

    def rows(self, text: str, values: Sequence[Any] = (), *, locking: str = "") -> list[Row]:
        """Return what a query finds; ``locking`` is added where rows, not the whole file, are locked."""
        self._cursor.execute(self._said(f"{text} {locking}" if self.postgres and locking else text), values)
        found: list[Row] = self._cursor.fetchall()
        return found

    def row(self, text: str, values: Sequence[Any] = ()) -> Row | None:
        """Return the first row that a query finds."""
        found = self.rows(text, values)
        return found[0] if found else None

    def changed(self, update: str, values: Sequence[Any], *, columns: str, look: str, key: Sequence[Any]) -> Row | None:
        """Change one row and return ``columns`` of it as they are then; ``None`` where none was changed.

        Args:
            update: the statement.
            values: of it.
            columns: what to return.
            look: finds the row by ``key`` where the database cannot return it at once.
            key: of the row.
        """
        if self._returning:
            return self.row(f"{update} RETURNING {columns}", values)
        if not self.execute(update, values):
            return None
        return self.row(f"SELECT {columns} {look}", key)

    def _said(self, text: str) -> str:
        return text.replace("?", "%s").replace("MAX(", "GREATEST(") if self.postgres else text


class Transactions:
    """Makes transactions in one database, one at a time in this process where it is SQLite.

    Args:
        engine: from ``open_engine``.
        turn: of the writers of this file; found by itself if left out.
        patience_seconds: how long to wait for the threads of this process, and then for another process.

    Raises:
        ConfigurationError: the database is neither SQLite nor PostgreSQL, or the patience is not above 0.
    """

    def __init__(self, engine: Engine, *, turn: Turn | None, patience_seconds: float) -> None:
        if engine.dialect.name not in ("sqlite", "postgresql"):
            raise ConfigurationError(
                f"budgets need SQLite or PostgreSQL, not {engine.dialect.name}; keep the ledger in one of them"
            )
        if not patience_seconds > 0:
            raise ConfigurationError(f"patience_seconds must be above 0, not {patience_seconds!r}")
        self._engine = engine
        self._postgres = engine.dialect.name == "postgresql"
        # Its one connection is the database.
        self._memory = engine.dialect.name == "sqlite" and engine.url.database in (None, "", MEMORY)
        plain = engine.dialect.name == "sqlite" and not self._memory and "uri" not in engine.url.query
        self._file = Path(str(engine.url.database)) if plain else None
        self._identity: tuple[int, int] | None = None
        self._returning = self._postgres or sqlite3.sqlite_version_info >= _RETURNING_SINCE
        self._turn = turn if turn is not None else turn_of(engine)
        self._patience = patience_seconds
        self._broken: type[Exception] = engine.dialect.loaded_dbapi.IntegrityError
        self._errors: tuple[type[Exception], ...] = (SQLAlchemyError, engine.dialect.loaded_dbapi.Error, OSError)

    def run(self, work: Callable[[Hand], T]) -> T:
        """Return what ``work`` returns, once all it did is in the database; if it raises, nothing is.

        Raises:
            ConfigurationError: a row is there that ``work`` wanted to add.
            StoreError: the database cannot be used, or not within the patience.
        """
        try:
            return self._on_server(work) if self._postgres else self._in_file(work)
        except self._errors as error:
            if isinstance(error, self._broken):
                raise ConfigurationError("that name is in use; give each call a name of its own") from error
            raise self._told(error) from error

    def _in_file(self, work: Callable[[Hand], T]) -> T:
        if not self._turn.taken_within(self._patience):
            raise StoreError(
                f"{describe(self._engine)} was in use by other threads of this process for {self._patience:g} seconds; "
                "it may be locked by another process: end it or wait"
            )
        try:
            self._same_file()
            raw = self._engine.raw_connection()
            try:
                cursor = raw.cursor()
                self._begin(cursor)
                answer = work(Hand(cursor, postgres=False, returning=self._returning))
                cursor.execute("COMMIT")
                return answer
            except sqlite3.Error as error:
                if not self._memory and getattr(error, "sqlite_errorcode", 0) & 0xFF not in _SQLITE_HARMLESS:
                    # A connection that met a full disk or a damaged page may not find out that it is better now.
                    _give_up(raw)
                raise
            finally:
                raw.close()  # to the pool, which rolls back what was not committed
        finally:
            self._turn.give_back()

    def _same_file(self) -> None:
        # A connection goes on with a file that was deleted, while other processes begin with an empty one.
        if self._file is None:
            return
        try:
            found = self._file.stat()
        except FileNotFoundError:
            raise StoreError(
                f"{self._file} was deleted or moved while it was in use; put it back, "
                "or open it again to begin with nothing spent"
            ) from None
        identity = (found.st_dev, found.st_ino)
        if identity != self._identity:
            if self._identity is not None:
                self._engine.dispose()
            self._identity = identity

    def _begin(self, cursor: Any) -> None:
        # The write lock at once: nothing that is read can change before it is written.
        deadline = time.monotonic() + self._patience
        while True:
            try:
                cursor.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                # SQLite itself waits for as long as the engine was opened with; several times that is the patience.
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                if code not in _SQLITE_WAITING or time.monotonic() >= deadline:
                    raise

    def _on_server(self, work: Callable[[Hand], T]) -> T:
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._once_on_server(work)
            except self._errors as error:
                if _state(error) not in _POSTGRES_AGAIN:
                    raise
        return self._once_on_server(work)

    def _once_on_server(self, work: Callable[[Hand], T]) -> T:
        raw = self._engine.raw_connection()
        connection: Any = raw.dbapi_connection
        try:
            cursor = raw.cursor()
            # Driver and pool begin no transaction of their own, so that both statements are one way to the server.
            connection.autocommit = True
            # A process that was stopped in the middle holds its locks for as long as it is stopped.
            cursor.execute(f"BEGIN; SET LOCAL lock_timeout = {int(self._patience * 1000)}")
            answer = work(Hand(cursor, postgres=True, returning=True))
            cursor.execute("COMMIT")
            return answer
        except self._errors as error:
            if not _state(error):
                _give_up(raw)  # the server did not answer: this connection never will
            raise
        finally:
            try:
                self._as_it_was(raw, connection)
            finally:
                raw.close()

    def _as_it_was(self, raw: PoolProxiedConnection, connection: Any) -> None:
        if not raw.is_valid:
            return
        try:
            if connection.info.transaction_status:  # 0 is "idle"
                with connection.cursor() as cursor:
                    cursor.execute("ROLLBACK")
            connection.autocommit = False
        except self._errors:
            _give_up(raw)

    def _told(self, error: Exception) -> StoreError:
        name = describe(self._engine)
        if _state(error) == _POSTGRES_TABLE_GONE or _SQLITE_TABLE_GONE in str(error):
            return StoreError(
                f"the budgets of {name} are gone ({_first_line(error)}); restore it from a copy, "
                "or open it again to begin with nothing spent"
            )
        if _state(error) == _POSTGRES_LOCKED:
            return StoreError(f"{name} is locked by another process ({_first_line(error)}); end it or wait")
        return StoreError(cannot_use(self._engine.url, error))


def _give_up(raw: PoolProxiedConnection) -> None:
    raw.invalidate()


def _state(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or "")


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
