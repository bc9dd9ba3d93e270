"""Where does the data live, and how is it opened safely?

One argument decides: a path (a SQLite file), ``":memory:"``, or a SQLAlchemy URL such
as ``postgresql+psycopg://host/name``. The ledger and the cache may share one file.

Rules for code that uses an engine from here:

* Use ``with engine.connect()`` or ``with writing(engine)``, and never hold two
  connections of one engine at once: a memory database has exactly one.
* Start with ``writing(engine)`` whenever a transaction reads before it writes.
"""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import ConnectionPoolEntry, Pool, QueuePool

from lc_costkit.errors import ConfigurationError, MissingDependency, StoreError

MEMORY = ":memory:"

BUSY_SECONDS = 0.25
"""How long a call waits for another writer: some hundred transactions of the kit, and less than a model takes."""

PATIENT_SECONDS = 5.0
"""How long opening, reports, checks and clearing wait: somebody asked for them, and no model call stands behind."""

# What may be otherwise in a moment: SQLITE_BUSY, LOCKED, READONLY, IOERR, FULL and CANTOPEN.
_PASSING_CODES = frozenset({5, 6, 8, 10, 13, 14})

# What SQLite says of a WAL file beside which it can make no other: SQLITE_READONLY and CANTOPEN.
_UNSHARED_CODES = frozenset({8, 14})

_ASYNC_DRIVERS = frozenset({"aiosqlite", "asyncpg", "psycopg_async", "aiomysql", "asyncmy"})


def open_engine(
    path_or_url: str | Path | URL, *, busy_seconds: float = PATIENT_SECONDS, read_only: bool = False
) -> Engine:
    """Open a database for one part of the kit.

    SQLite files run in WAL mode with ``synchronous=NORMAL``: what was committed survives
    the death of the process, though not always a power cut. ``":memory:"`` is one
    database shared by all threads of the process. An engine carried through ``fork``
    opens connections of its own in the child.

    Args:
        path_or_url: a file path, ``":memory:"``, or a SQLAlchemy URL.
        busy_seconds: how long a statement waits for another writer of a SQLite file, where
            ``writing`` or ``patiently`` does not say otherwise.
        read_only: write nothing to a SQLite file and make none, also where nothing can be written:
            on a read-only disk, in somebody else's folder.

    Raises:
        ConfigurationError: the argument is neither a path nor a usable URL.
        StoreError: the path is a directory, its folder is missing, or the file is not a database.
        MissingDependency: the PostgreSQL driver is not installed.

    >>> with open_engine(":memory:").connect() as connection:
    ...     connection.exec_driver_sql("SELECT 1").scalar()
    1
    """
    if busy_seconds <= 0:
        raise ConfigurationError(f"busy_seconds must be above 0, not {busy_seconds!r}")
    url = _as_url(path_or_url)
    if url.get_backend_name() != "sqlite":
        engine = _open_server(url)
    elif _is_memory(url):
        engine = _open_memory()
    elif read_only and url.query.get("uri") is None:
        engine = _open_to_read(url, busy_seconds)
    else:
        engine = _open_file(url, busy_seconds)
    _survive_fork(engine)
    try:
        with engine.connect():
            pass
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        engine.dispose()
        raise StoreError(cannot_open(url, error)) from error
    except StoreError:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine, *, wait_seconds: float | None = None) -> Iterator[Connection]:
    """Yield a connection in a transaction that may read and then write.

    On SQLite the write lock is taken at the start, so that two processes that read
    before they write wait for one another instead of failing. Commits at the end,
    rolls back on an exception.

    Args:
        engine: from ``open_engine``.
        wait_seconds: how long to wait for another writer; ``None`` is as the engine was opened.
    """
    with engine.begin() as connection, patiently(connection, wait_seconds):
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


@contextmanager
def patiently(connection: Connection, wait_seconds: float | None = PATIENT_SECONDS) -> Iterator[None]:
    """Let the statements inside wait this long for another writer of a SQLite file; ``None`` changes nothing."""
    if wait_seconds is None or connection.dialect.name != "sqlite":
        yield
        return
    usual = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.exec_driver_sql(f"PRAGMA busy_timeout={int(wait_seconds * 1000)}")
    try:
        yield
    finally:
        # Ctrl-C within a statement closes the connection; what was raised must not be hidden by a second error.
        if not connection.invalidated:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={usual}")


def passing(error: BaseException) -> bool:
    """Tell whether the same statement may succeed later: the store is locked, full, read-only or out of reach."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _PASSING_CODES
    return isinstance(error, OperationalError)


@contextmanager
def telling(engine: Engine) -> Iterator[None]:
    """Turn what a store that is locked, full or damaged raises into a ``StoreError`` that says what to do."""
    try:
        yield
    except DatabaseError as error:
        # Its own kinds (a broken constraint, say) are faults of the caller, not of the store.
        if isinstance(error, OperationalError) or type(error) is DatabaseError:
            raise StoreError(cannot_use(engine.url, error)) from error
        raise


def describe(engine: Engine) -> str:
    """Name the store for a message, without its password."""
    return _describe_url(engine.url)


def problems(engine: Engine) -> list[str]:
    """Ask the database itself whether it is sound; an empty list is a clean one."""
    try:
        with engine.connect() as connection, patiently(connection):
            if engine.dialect.name != "sqlite":
                connection.execute(text("SELECT 1"))
                return []
            answers = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    except (SQLAlchemyError, sqlite3.Error) as error:
        return [cannot_open(engine.url, error)]
    return [f"{describe(engine)}: {answer}" for answer in answers if answer != "ok"]


def _as_url(path_or_url: str | Path | URL) -> URL:
    if isinstance(path_or_url, URL):
        url = path_or_url
    elif isinstance(path_or_url, Path) and "\x00" not in str(path_or_url):
        url = URL.create("sqlite", database=str(path_or_url))
    elif not isinstance(path_or_url, str | Path):
        raise ConfigurationError(
            f"a store is a path, ':memory:' or a database URL, not {type(path_or_url).__name__} {path_or_url!r}"
        )
    elif isinstance(path_or_url, Path) or "\x00" in path_or_url:
        raise ConfigurationError(f"a store is a path, ':memory:' or a database URL, without NUL; got {path_or_url!r}")
    elif not path_or_url.strip():
        raise ConfigurationError("a store needs a path, ':memory:' or a database URL; got an empty string")
    elif "://" in path_or_url:
        try:
            url = make_url(path_or_url)
        except ArgumentError as error:
            raise ConfigurationError(f"not a database URL: {path_or_url.split('@')[-1]!r}") from error
    else:
        url = URL.create("sqlite", database=path_or_url)
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    driver = url.drivername.partition("+")[2]
    if driver in _ASYNC_DRIVERS:
        raise ConfigurationError(
            f"{url.drivername} is an async driver; name a synchronous one (the kit keeps writes off the event loop)"
        )
    return url


def _is_memory(url: URL) -> bool:
    return url.database in (None, "", MEMORY)


def _open_server(url: URL) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        if url.get_backend_name() == "postgresql":
            raise MissingDependency(f"a store at {url.drivername}://", "postgres") from error
        raise StoreError(f"{url.drivername} needs the Python module {error.name!r}; install it") from error
    except (NoSuchModuleError, ArgumentError) as error:
        raise ConfigurationError(f"unknown kind of database {url.drivername!r}: {error}") from error


def _open_memory() -> Engine:
    # One connection, handed to one thread at a time: a pool of one is the lock. The closure
    # keeps it alive, so that a child after fork goes on with its copy of the data.
    connection = sqlite3.connect(MEMORY, check_same_thread=False)
    engine = create_engine(
        "sqlite://",
        creator=lambda: connection,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=30,
    )
    connection.execute("PRAGMA foreign_keys=ON")
    return engine


def _open_file(url: URL, busy_seconds: float) -> Engine:
    plain = url.query.get("uri") is None
    if plain:
        path = Path(url.database or "").expanduser()
        if path.is_dir():
            raise StoreError(f"{path} is a directory; name a file in it, such as {path / 'costkit.db'}")
        if not path.parent.is_dir():
            raise StoreError(f"{path} cannot be created: the folder {path.parent} does not exist; make it first")
        # Absolute: a later chdir must not move the store.
        url = url.set(database=str(path.absolute()))
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=5,
        max_overflow=10,
        connect_args={"check_same_thread": False, "timeout": PATIENT_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # A file that is in WAL mode already does not make anybody wait here.
        _use_wal(connection, time.monotonic() + PATIENT_SECONDS)
        connection.execute(f"PRAGMA busy_timeout={int(busy_seconds * 1000)}")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def _open_to_read(url: URL, busy_seconds: float) -> Engine:
    path = Path(url.database or "").expanduser().absolute()
    if not path.is_file():
        raise StoreError(f"there is no database at {path}")

    def connect() -> sqlite3.Connection:
        connection = connect_to_read(path)
        connection.execute(f"PRAGMA busy_timeout={int(busy_seconds * 1000)}")
        return connection

    return create_engine(url.set(database=str(path)), creator=connect, poolclass=QueuePool, pool_size=5)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a SQLite file that is not to be changed, wherever it is.

    Raises:
        sqlite3.Error: it cannot be read, or is not a database.
        StoreError: it cannot be read where it is, but a copy of it can.
    """
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF not in _UNSHARED_CODES:
            raise
        return _open_unshared(path)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _open_unshared(path: Path) -> sqlite3.Connection:
    """Open a file in WAL mode where the files that share it with other processes cannot be made."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise StoreError(
            f"{path} has writes that are still in {log.name}, and nothing can be written to its folder to read them; "
            "copy both files to a folder of your own and read the copy"
        )
    # Nobody can write to it, so there is nothing to agree on with others.
    return sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True, check_same_thread=False)


def close_engine(engine: Engine) -> None:
    """Close every connection; whoever is still at work gets an error and not a crash."""
    if not _is_memory(engine.url):
        engine.dispose()
        return
    # In memory all threads share one connection. Whoever holds it may close it: SQLite breaks
    # down when another one does, or when a renewed pool hands it out twice.
    held = engine.raw_connection()
    if held.dbapi_connection is not None:
        held.dbapi_connection.close()
    held.invalidate()


def _use_wal(connection: sqlite3.Connection, deadline: float) -> None:
    # SQLite does not wait for the busy timeout while it changes the journal mode.
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _survive_fork(engine: Engine) -> None:
    if not hasattr(os, "register_at_fork"):
        return
    reference = weakref.ref(engine)
    inherited: list[Pool] = []

    def renew() -> None:
        alive = reference()
        if alive is not None:
            # The parent's connections must not be used here, and closing a SQLite file of
            # the parent would drop its locks: keep them open, out of reach.
            inherited.append(alive.pool)
            alive.dispose(close=False)

    os.register_at_fork(after_in_child=renew)


def cannot_open(url: URL, error: BaseException) -> str:
    """Say why a store cannot be opened, and what to do."""
    return cannot_use(url, error, verb="opened")


def cannot_use(url: URL, error: BaseException, *, verb: str = "used") -> str:
    """Say why a store cannot be used, and what to do."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    name = _describe_url(url)
    reason = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    if "not a database" in reason:
        return f"{name} is not a database (or is damaged); name another file or restore it from a copy"
    if "malformed" in reason:
        return f"{name} is damaged ({reason}); restore it from a copy, or move it away to start a new one"
    if "readonly" in reason:
        return f"{name} cannot be written to ({reason}); check the permissions of the file and its folder{_TO_READ}"
    if "locked" in reason:
        return f"{name} is locked by another process ({reason}); end it or wait"
    if "disk is full" in reason or "No space left" in reason:
        return f"{name} cannot be written to ({reason}); free some space"
    if "unable to open" in reason:
        return f"{name} cannot be {verb}: {reason}; check the permissions of the file and its folder{_TO_READ}"
    return f"{name} cannot be {verb}: {reason}"


_TO_READ = "; Ledger(..., read_only=True) reads a ledger without writing"


def _describe_url(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return url.database or MEMORY
    return url.render_as_string(hide_password=True)
