"""How does a cache get at its database: in a call, which does not wait, and between calls?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from lc_costkit.backoff import Backoff, StoreResting
from lc_costkit.cache.schema import PAIRS, SCHEMA_VERSION, TABLES
from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.store import (
    BUSY_SECONDS,
    PATIENT_SECONDS,
    close_engine,
    describe,
    open_engine,
    passing,
    patiently,
    telling,
    writing,
)
from lc_costkit.turns import turn_of
from lc_costkit.versions import add_columns, prepare_schema


class StoreAccess:
    """Opens the database, and says how long whom to let wait.

    What calls wait for (reading an entry, adding one, counting) does not wait for a store that
    is locked or full: after a failure it raises ``StoreResting`` at once for some seconds, reads
    and writes each on their own, since a locked file can often still be read.

    Args:
        path_or_url: a path, ``":memory:"`` or a database URL.

    Raises:
        ConfigurationError: not a path or URL that can be used here.
        StoreError: it cannot be opened, or a newer version wrote it.
    """

    def __init__(self, path_or_url: str | Path) -> None:
        self._engine: Engine = open_engine(path_or_url, busy_seconds=BUSY_SECONDS)
        if self._engine.dialect.name not in ("sqlite", "postgresql"):
            name = self._engine.dialect.name
            self._engine.dispose()
            raise ConfigurationError(f"the cache runs on SQLite or PostgreSQL, not on {name}")
        migrations = {3: lambda connection: add_columns(connection, PAIRS, "crowd")}
        prepare_schema(self._engine, "cache", SCHEMA_VERSION, TABLES, migrations=migrations)
        self._reads = Backoff()
        self._writes = Backoff()
        self._turn = turn_of(self._engine)
        self._closed = False

    @property
    def name(self) -> str:
        """What to call it in a message, without its password."""
        return describe(self._engine)

    def rested(self) -> None:
        """Let the next attempt go to the store, whatever failed before it."""
        self._reads.succeeded()
        self._writes.succeeded()

    def close(self) -> None:
        """Close every connection; whoever is still at work gets an error and not a crash."""
        self._closed = True
        close_engine(self._engine)

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Let whatever somebody asks of the store outside of a call fail with one kind of error.

        Raises:
            StoreError: the store is locked, full or damaged, or it is closed, maybe meanwhile.
        """
        closed = StoreError(f"this cache is closed; make another one at {self.name} to go on")
        if self._closed:
            raise closed
        try:
            with telling(self._engine):
                yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            if self._closed:
                raise closed from error
            raise

    @contextmanager
    def writing_patiently(self) -> Iterator[Connection]:
        """Yield a transaction that somebody asked for: no model call stands behind.

        Raises:
            StoreError: the store is locked, full, damaged or closed.
        """
        with (
            self.asked(),
            self._turn,
            writing(self._engine, wait_seconds=PATIENT_SECONDS) as connection,
        ):
            yield connection

    @contextmanager
    def reading_patiently(self) -> Iterator[Connection]:
        """Yield a connection for what somebody asked for.

        Raises:
            StoreError: the store is locked, damaged or closed.
        """
        with self.asked(), self._engine.connect() as connection, patiently(connection):
            yield connection

    @contextmanager
    def _to_write(self) -> Iterator[Connection]:
        with self._turn, _attempt(self._writes), writing(self._engine) as connection:
            yield connection

    @contextmanager
    def _to_read(self) -> Iterator[Connection]:
        with _attempt(self._reads), self._engine.connect() as connection:
            yield connection


@contextmanager
def _attempt(backoff: Backoff) -> Iterator[None]:
    if not backoff.may_try():
        raise StoreResting
    try:
        yield
    except Exception as error:
        if passing(error):
            backoff.failed()
        raise
    backoff.succeeded()
