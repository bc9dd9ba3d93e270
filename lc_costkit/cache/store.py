"""Where do cached answers live? SQL is the truth: whatever is in memory can be rebuilt from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, Table, bindparam, delete, exists, func, or_, select, union, update
from sqlalchemy.dialects import postgresql, sqlite

from lc_costkit.cache.access import StoreAccess
from lc_costkit.cache.entry_rows import (
    Entry,
    NewEntry,
    VectorRow,
    entry_of,
    entry_problems,
    entry_values,
    storable,
    vector_problems,
)
from lc_costkit.cache.schema import COUNTERS, ENTRIES, PAIRS, VECTORS
from lc_costkit.store import patiently, problems

__all__ = ["CHANGES", "Counts", "Entry", "EntryStore", "NewEntry", "Passenger", "Touches", "VectorRow"]

# Expired entries deleted in one transaction, for which other writers have to wait.
_MOST_EXPIRED = 5_000

# SQLite has a limit on the number of variables in one statement.
_CHUNK = 500

_T = TypeVar("_T")


Touches = Mapping[int, tuple[int, float]]
"""Entry id -> hits to add, time of the last one."""

Counts = Mapping[tuple[str, str], int]
"""(namespace, counter) -> what to add."""

Passenger = Callable[[Connection], None]
"""Writes more in the commit of the counts; one that raises would lose an answer, so it must not."""

CHANGES = "decision_changes"
"""Counter of a namespace: how often its rejections or operating points were changed, by whichever process."""


class EntryStore(StoreAccess):
    """Reads and writes entries, their vectors and the counters of the statistics.

    Args:
        path_or_url: a path, ``":memory:"`` or a database URL.

    Raises:
        ConfigurationError: not a path or URL that can be used here.
        StoreError: it cannot be opened, or a newer version wrote it.
    """

    passenger: Passenger | None = None
    """Who else writes in the commit of the counts."""

    def add(self, entry: NewEntry, embedder: str, *, touches: Touches, counts: Counts) -> int:
        """Write an answer, its vector and pending counts in one commit; return the entry's id.

        An entry with the same exact key is refreshed in place: same id, new answer. One whose time
        was over gets a new id, by which processes that have dropped the old one learn of it.
        """
        values = entry_values(entry)
        statement = self._insert(ENTRIES).values(**values)
        kept = ("namespace", "exact")
        refreshed = {name: statement.excluded[name] for name in values if name not in kept}
        statement = statement.on_conflict_do_update(index_elements=kept, set_=refreshed)
        with self._to_write() as connection:
            if entry.expires_at is not None:
                connection.execute(
                    _DROP_EXPIRED, {"space": entry.namespace, "key": entry.exact, "now": entry.created_at}
                )
            entry_id = int(connection.execute(statement.returning(ENTRIES.c.id)).scalar_one())
            if entry.vector is not None:
                self._write_vectors(connection, embedder, [(entry_id, entry.vector)])
            self._write_tally(connection, touches, counts)
            self._board(connection)
        return entry_id

    def add_vectors(self, embedder: str, rows: Sequence[tuple[int, NDArray[np.float32]]]) -> None:
        """Write vectors for entries that another embedder stored; entries gone meanwhile are skipped."""
        with self._to_write() as connection:
            for chunk in _chunks(rows):
                ids = [row[0] for row in chunk]
                alive = set(connection.execute(select(ENTRIES.c.id).where(ENTRIES.c.id.in_(ids))).scalars())
                self._write_vectors(connection, embedder, [row for row in chunk if row[0] in alive])

    def tally(self, *, touches: Touches, counts: Counts) -> None:
        """Write pending hit times and counts in one commit."""
        if touches or counts:
            with self._to_write() as connection:
                self._write_tally(connection, touches, counts)
                self._board(connection)

    def by_exact(self, namespace: str, exact: str) -> Entry | None:
        """Return the entry with this exact key."""
        return self._one(_BY_EXACT, {"namespace": namespace, "exact": exact})

    def by_id(self, namespace: str, entry_id: int) -> Entry | None:
        """Return the entry, or ``None`` if it is gone."""
        return self._one(_BY_ID, {"namespace": namespace, "id": entry_id})

    def held(self, namespace: str, ids: Sequence[int]) -> list[Entry]:
        """Return those of these entries that are there, for somebody who asks outside of a call."""
        found: list[Entry] = []
        with self.reading_patiently() as connection:
            for chunk in _chunks(ids):
                statement = select(ENTRIES).where(ENTRIES.c.namespace == namespace, ENTRIES.c.id.in_(chunk))
                found += [entry_of(row) for row in connection.execute(statement.order_by(ENTRIES.c.id))]
        return found

    def candidate(self, namespace: str, entry_id: int) -> tuple[Entry | None, int]:
        """Return the entry, and how often the decisions of its namespace were changed by somebody."""
        with self._to_read() as connection:
            row = connection.execute(_CANDIDATE, {"namespace": namespace, "id": entry_id}).one_or_none()
        return (None, 0) if row is None else (entry_of(row), row.changes or 0)

    def changed(self, connection: Connection, namespace: str) -> None:
        """Let every process know, from its next candidate on, that decisions of this namespace have changed."""
        self._write_tally(connection, {}, {(namespace, CHANGES): 1})

    def vectors(self, namespace: str, scope: str, embedder: str, *, after: int) -> list[VectorRow]:
        """Return a scope's rows for the semantic tier with ids above ``after``, in the order of their ids."""
        values = {"namespace": namespace, "scope": scope, "embedder": embedder, "after": after}
        with self._to_read() as connection:
            rows = connection.execute(_VECTORS_AFTER, values).all()
        return [
            VectorRow(row.id, None if row.vector is None else np.frombuffer(row.vector, dtype=np.float32))
            for row in rows
        ]

    def answer_usd(self, namespace: str, ids: Sequence[int]) -> dict[int, Decimal]:
        """Return what the answers of these entries cost (USD), where they are there and priced."""
        found: dict[int, Decimal] = {}
        with self.reading_patiently() as connection:
            for chunk in _chunks(ids):
                statement = select(ENTRIES.c.id, ENTRIES.c.answer_usd).where(
                    ENTRIES.c.namespace == namespace, ENTRIES.c.id.in_(chunk), ENTRIES.c.answer_usd.is_not(None)
                )
                found.update({row.id: Decimal(row.answer_usd) for row in connection.execute(statement)})
        return found

    def find(self, namespace: str, question_hash: str) -> list[int]:
        """Return the ids of every entry that answers this question, in any scope."""
        statement = select(ENTRIES.c.id).where(
            ENTRIES.c.namespace == namespace, ENTRIES.c.question_hash == question_hash
        )
        with self.reading_patiently() as connection:
            return list(connection.execute(statement).scalars())

    def holding(self, namespace: str, fragment: str, is_it: Callable[[str], bool]) -> list[int]:
        """Return the ids of the entries whose payload holds a text as a JSON string, and is the one looked for."""
        # What json.dumps writes, in both spellings of other scripts; LIKE has a limit on the length of its pattern.
        within = func.instr if self._engine.dialect.name == "sqlite" else func.strpos
        forms = {json.dumps(fragment), json.dumps(fragment, ensure_ascii=False)}
        held = or_(*(within(ENTRIES.c.payload, storable(form)) > 0 for form in sorted(forms)))
        statement = (
            select(ENTRIES.c.id, ENTRIES.c.payload).where(ENTRIES.c.namespace == namespace, held).order_by(ENTRIES.c.id)
        )
        with self.reading_patiently() as connection:
            rows = connection.execute(statement).all()
        return [row.id for row in rows if _decided(is_it, row.payload)]

    def remove(self, namespace: str, ids: Iterable[int]) -> int:
        """Delete entries by id; return how many there were."""
        with self.writing_patiently() as connection:
            return self._delete(connection, namespace, list(ids))

    def demote(self, namespace: str, entry_id: int) -> bool:
        """Let an entry answer its own question only, to the letter; tell whether it did more before."""
        statement = (
            update(ENTRIES)
            .where(ENTRIES.c.namespace == namespace, ENTRIES.c.id == entry_id, ENTRIES.c.semantic)
            .values(semantic=False)
        )
        with self.writing_patiently() as connection:
            return bool(connection.execute(statement).rowcount)

    def clear(self, namespace: str | None) -> int:
        """Delete every entry of a namespace, or of all of them; the counters stay."""
        within = select(ENTRIES.c.id)
        if namespace is not None:
            within = within.where(ENTRIES.c.namespace == namespace)
        with self.writing_patiently() as connection:
            connection.execute(delete(VECTORS).where(VECTORS.c.entry_id.in_(within)))
            return connection.execute(delete(ENTRIES).where(ENTRIES.c.id.in_(within))).rowcount

    def trim(self, namespace: str, *, now: float, limit: int | None, slack: int) -> tuple[list[int], list[int], int]:
        """Delete expired entries, and the least recently used if there are more than ``limit``.

        Args:
            namespace: whose.
            now: seconds since 1970.
            limit: how many may stay.
            slack: how many more to delete once there are too many.

        Returns:
            The ids that expired, the ids that were evicted, and how many are left.
        """
        mine = select(ENTRIES.c.id).where(ENTRIES.c.namespace == namespace)
        with self._to_write() as connection:
            over = mine.where(ENTRIES.c.expires_at <= now).limit(_MOST_EXPIRED)
            expired = list(connection.execute(over).scalars())
            self._delete(connection, namespace, expired)
            if limit is None:
                return expired, [], 0
            held = self._count(connection, namespace)
            evicted: list[int] = []
            if held > limit:
                oldest = mine.order_by(ENTRIES.c.used_at, ENTRIES.c.id).limit(held - limit + slack)
                evicted = list(connection.execute(oldest).scalars())
                self._delete(connection, namespace, evicted)
        return expired, evicted, held - len(evicted)

    def count(self, namespace: str) -> int:
        """Return how many entries a namespace holds."""
        with self._engine.connect() as connection:
            return self._count(connection, namespace)

    def counters(self, namespace: str) -> dict[str, int]:
        """Return the written counters of a namespace."""
        statement = select(COUNTERS.c.name, COUNTERS.c.value).where(COUNTERS.c.namespace == namespace)
        with self._engine.connect() as connection:
            return {row.name: row.value for row in connection.execute(statement)}

    def namespaces(self) -> list[str]:
        """Return the namespaces that anything is kept of."""
        statement = union(*(select(table.c.namespace) for table in (ENTRIES, COUNTERS, PAIRS)))
        with self.reading_patiently() as connection:
            return sorted(connection.execute(statement).scalars())

    def audit(self) -> list[str]:
        """Read everything and say what is wrong with it."""
        found = problems(self._engine)
        if found:
            return found
        with self._engine.connect() as connection, patiently(connection):
            orphans = select(VECTORS.c.entry_id).where(~exists().where(ENTRIES.c.id == VECTORS.c.entry_id))
            found += [f"vector of entry {i}, which does not exist" for i in connection.execute(orphans).scalars()]
            sizes: dict[str, int] = {}
            for row in connection.execute(select(VECTORS)):
                found += vector_problems(row, sizes)
            for row in connection.execute(select(ENTRIES)):
                found += entry_problems(row)
        return found

    def _one(self, statement: Select[Any], values: Mapping[str, object]) -> Entry | None:
        with self._to_read() as connection:
            row = connection.execute(statement, values).one_or_none()
        return None if row is None else entry_of(row)

    def _insert(self, table: Table) -> Any:  # the two dialects share no type that has on_conflict_do_update
        return (sqlite if self._engine.dialect.name == "sqlite" else postgresql).insert(table)

    def _write_vectors(
        self, connection: Connection, embedder: str, rows: Sequence[tuple[int, NDArray[np.float32]]]
    ) -> None:
        if not rows:
            return
        statement = self._insert(VECTORS)
        statement = statement.on_conflict_do_update(
            index_elements=["entry_id", "embedder"], set_={"vector": statement.excluded.vector}
        )
        values = [
            {"entry_id": entry_id, "embedder": embedder, "vector": np.asarray(vector, dtype=np.float32).tobytes()}
            for entry_id, vector in rows
        ]
        connection.execute(statement, values)

    def _write_tally(self, connection: Connection, touches: Touches, counts: Counts) -> None:
        if touches:
            values = [{"touched": i, "more": hits, "at": at} for i, (hits, at) in touches.items()]
            connection.execute(_TOUCH, values)
        if counts:
            statement = self._insert(COUNTERS)
            statement = statement.on_conflict_do_update(
                index_elements=["namespace", "name"], set_={"value": COUNTERS.c.value + statement.excluded.value}
            )
            rows = [{"namespace": space, "name": name, "value": more} for (space, name), more in counts.items()]
            connection.execute(statement, rows)

    def _board(self, connection: Connection) -> None:
        if self.passenger is not None:
            self.passenger(connection)

    @staticmethod
    def _count(connection: Connection, namespace: str) -> int:
        statement = select(func.count()).select_from(ENTRIES).where(ENTRIES.c.namespace == namespace)
        return int(connection.execute(statement).scalar_one())

    @staticmethod
    def _delete(connection: Connection, namespace: str, ids: Sequence[int]) -> int:
        gone = 0
        for chunk in _chunks(ids):
            within = select(ENTRIES.c.id).where(ENTRIES.c.namespace == namespace, ENTRIES.c.id.in_(chunk))
            connection.execute(delete(VECTORS).where(VECTORS.c.entry_id.in_(within)))
            gone += connection.execute(
                delete(ENTRIES).where(ENTRIES.c.namespace == namespace, ENTRIES.c.id.in_(chunk))
            ).rowcount
        return gone


_BY_EXACT = select(ENTRIES).where(ENTRIES.c.namespace == bindparam("namespace"), ENTRIES.c.exact == bindparam("exact"))
_BY_ID = select(ENTRIES).where(ENTRIES.c.namespace == bindparam("namespace"), ENTRIES.c.id == bindparam("id"))
_CANDIDATE = select(
    ENTRIES,
    # The same read tells what another process has learned meanwhile.
    select(COUNTERS.c.value)
    .where(COUNTERS.c.namespace == bindparam("namespace"), COUNTERS.c.name == CHANGES)
    .scalar_subquery()
    .label("changes"),
).where(ENTRIES.c.namespace == bindparam("namespace"), ENTRIES.c.id == bindparam("id"))
_VECTORS_AFTER = (
    select(ENTRIES.c.id, VECTORS.c.vector)
    .outerjoin(VECTORS, (VECTORS.c.entry_id == ENTRIES.c.id) & (VECTORS.c.embedder == bindparam("embedder")))
    .where(
        ENTRIES.c.namespace == bindparam("namespace"),
        ENTRIES.c.scope == bindparam("scope"),
        ENTRIES.c.id > bindparam("after"),
        ENTRIES.c.semantic,
    )
    .order_by(ENTRIES.c.id)
)
_DROP_EXPIRED = delete(ENTRIES).where(
    ENTRIES.c.namespace == bindparam("space"),
    ENTRIES.c.exact == bindparam("key"),
    ENTRIES.c.expires_at <= bindparam("now"),
)
_TOUCH = (
    update(ENTRIES)
    .where(ENTRIES.c.id == bindparam("touched"))
    .values(hits=ENTRIES.c.hits + bindparam("more"), used_at=bindparam("at"))
)


def _decided(is_it: Callable[[str], bool], payload: str) -> bool:
    try:
        return is_it(payload)
    except Exception:
        return False  # written by another adapter, or damaged: check() tells of the latter


def _chunks(rows: Sequence[_T]) -> Iterable[Sequence[_T]]:
    return (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
