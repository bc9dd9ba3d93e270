"""How are records put into the store, all of a batch or none?"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Engine, insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from lc_costkit.record import CallRecord
from lc_costkit.rows import CALLS, storable, to_row


def inserter(
    engine: Engine, *, record_text: bool, turn: AbstractContextManager[object], wait_seconds: float | None = None
) -> Callable[[list[CallRecord]], None]:
    """Return what writes records in one transaction.

    Args:
        engine: from ``open_engine``.
        record_text: keep questions and answers.
        turn: held while writing (see ``turns.py``).
        wait_seconds: how long to wait for another writer; ``None`` is as the engine was opened.
    """
    execute = _executor(engine, wait_seconds)

    def write(records: list[CallRecord]) -> None:
        rows = [to_row(record) for record in records]
        if not record_text:
            for row in rows:
                row["question"] = row["answer"] = None
        try:
            with turn:
                execute(rows)
        except (UnicodeEncodeError, ValueError, DataError):
            # Lone surrogates anywhere, NUL on PostgreSQL: the call matters more than the character.
            with turn:
                execute([{name: storable(value) for name, value in row.items()} for row in rows])

    return write


def _executor(engine: Engine, wait_seconds: float | None) -> Callable[[list[dict[str, Any]]], None]:
    statement = insert(CALLS)
    if engine.dialect.name != "sqlite":

        def execute(rows: list[dict[str, Any]]) -> None:
            with engine.begin() as connection:
                connection.execute(statement, rows)

        return execute

    # Compiled once and given to the driver as it is: every call waits for this insert, and
    # SQLAlchemy's own work would be two thirds of it.
    columns = [column.name for column in CALLS.columns if column.name != "seq"]
    text = str(statement.values(dict.fromkeys(columns)).compile(dialect=engine.dialect))

    def execute_compiled(rows: list[dict[str, Any]]) -> None:
        values = [tuple([row[name] for name in columns]) for row in rows]
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            usual = None if wait_seconds is None else cursor.execute("PRAGMA busy_timeout").fetchone()[0]
            try:
                if wait_seconds is not None:
                    cursor.execute(f"PRAGMA busy_timeout={int(wait_seconds * 1000)}")
                cursor.executemany(text, values)
                connection.commit()
            finally:
                if usual is not None:
                    cursor.execute(f"PRAGMA busy_timeout={usual}")
        except sqlite3.IntegrityError as error:
            raise IntegrityError(text, None, error) from error
        except sqlite3.Error as error:
            raise DBAPIError(text, None, error) from error
        finally:
            # Back to the pool, which rolls back what was not committed.
            connection.close()

    return execute_compiled
