"""Which version do the tables of a store have, and how do they get to the one that is needed?

A schema grows by additions only: new tables, new columns that may be empty, new indexes. A
process that still runs the version before goes on with the tables it knows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateColumn

from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.store import PATIENT_SECONDS, cannot_open, connect_to_read, describe, patiently, writing

# Any constant will do, as long as every process takes the same one.
_POSTGRES_SCHEMA_LOCK = 0x1C_C057

_SCHEMA = MetaData()
_VERSIONS = Table(
    "costkit_schema",
    _SCHEMA,
    Column("component", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
)


Migration = Callable[[Connection], None]
"""Brings the tables of one version to the next; runs inside the transaction that notes the new version."""


def prepare_schema(
    engine: Engine,
    component: str,
    version: int,
    tables: MetaData,
    *,
    migrations: Mapping[int, Migration] | None = None,
) -> None:
    """Create the tables of ``component``, or bring those of an older version up to this one.

    All of it is one transaction, whatever number of processes opens the store: one of them
    migrates, the others wait and find it done. Where a step fails, the store is as it was.

    Args:
        engine: from ``open_engine``.
        component: ``"ledger"``, ``"cache"`` ...; each has its own version number.
        version: the schema this code reads and writes.
        tables: what to create where it is missing; done before the steps.
        migrations: version -> the step that leads to it from the one before. A version that only
            has new tables needs none. A step must leave alone what is there already: a table made
            by ``tables`` has all of its columns (see ``add_columns``).

    Raises:
        StoreError: the store was written by a newer version, or cannot be written to.
    """
    try:
        if _is_prepared(engine, component, version, tables):
            return  # without the write lock: others may hold it, and the file may be read-only
        with writing(engine, wait_seconds=PATIENT_SECONDS) as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_POSTGRES_SCHEMA_LOCK})"))
            _SCHEMA.create_all(connection)
            mine = _VERSIONS.c.component == component
            found = connection.execute(select(_VERSIONS.c.version).where(mine)).scalar_one_or_none()
            if found is not None and found > version:
                raise _too_new(engine, component, found, version)
            tables.create_all(connection)
            if found is None:
                connection.execute(_VERSIONS.insert().values(component=component, version=version))
            elif found < version:
                steps = {} if migrations is None else migrations
                for step in (steps[number] for number in range(found + 1, version + 1) if number in steps):
                    step(connection)
                connection.execute(update(_VERSIONS).where(mine).values(version=version))
    except SQLAlchemyError as error:
        raise StoreError(cannot_open(engine.url, error)) from error


def checked_version(engine: Engine, component: str, version: int) -> int:
    """Return which version the tables of ``component`` have, without changing anything.

    Raises:
        StoreError: there are none, a newer version than this one wrote them, or they cannot be read.
    """
    try:
        with engine.connect() as connection, patiently(connection):
            found = None
            if inspect(connection).has_table(_VERSIONS.name):
                wanted = select(_VERSIONS.c.version).where(_VERSIONS.c.component == component)
                found = connection.execute(wanted).scalar_one_or_none()
    except SQLAlchemyError as error:
        raise StoreError(cannot_open(engine.url, error)) from error
    if found is None:
        raise StoreError(f"{describe(engine)} holds no {component}")
    if found > version:
        raise _too_new(engine, component, found, version)
    return int(found)


def _too_new(engine: Engine, component: str, found: int, version: int) -> StoreError:
    return StoreError(
        f"{describe(engine)} holds a {component} of schema {found}, but this version of lc_costkit "
        f"knows schemas up to {version}; upgrade lc_costkit or name another file"
    )


def _is_prepared(engine: Engine, component: str, version: int, tables: MetaData) -> bool:
    with engine.connect() as connection, patiently(connection):
        present = set(inspect(connection).get_table_names())
        if not present >= {_VERSIONS.name, *tables.tables}:
            return False
        wanted = select(_VERSIONS.c.version).where(_VERSIONS.c.component == component)
        return bool(connection.execute(wanted).scalar_one_or_none() == version)


def add_columns(connection: Connection, table: Table, *names: str) -> None:
    """Add columns that the stored table lacks, and the indexes on them; for a step of ``prepare_schema``.

    Args:
        connection: of the migration.
        table: as it is now.
        names: its new columns; each may be empty or has a ``server_default``, since rows are there.

    Raises:
        ConfigurationError: a column may not be empty and has no default.
    """
    present = {column["name"] for column in inspect(connection).get_columns(table.name)}
    for name in names:
        column = table.c[name]
        if not column.nullable and column.server_default is None:
            raise ConfigurationError(f"column {table.name}.{name} must allow NULL or have a server_default to be added")
        if name not in present:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            quoted = connection.dialect.identifier_preparer.format_table(table)
            connection.exec_driver_sql(f"ALTER TABLE {quoted} ADD COLUMN {definition}")
    for index in table.indexes:
        if any(column.name in names for column in index.columns):
            index.create(connection, checkfirst=True)


def components(path: str | Path) -> frozenset[str]:
    """Return which parts of the kit keep data in a SQLite file; nothing in it is changed.

    Raises:
        StoreError: the file cannot be read, or is not a database.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as empty:
    ...     components(empty.name)
    frozenset()
    """
    url = URL.create("sqlite", database=str(Path(path).expanduser().absolute()))
    try:
        with closing(connect_to_read(Path(str(url.database)))) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [_VERSIONS.name]).fetchone():
                return frozenset()
            return frozenset(name for (name,) in connection.execute(f"SELECT component FROM {_VERSIONS.name}"))  # noqa: S608
    except sqlite3.Error as error:
        raise StoreError(cannot_open(url, error)) from error
