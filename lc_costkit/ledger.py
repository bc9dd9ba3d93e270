"""Where is every call kept, and how are they read back?"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import ColumnElement, Engine, Select, func, insert, or_, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from lc_costkit.backoff import Backoff
from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.faults import Faults
from lc_costkit.insert import Inserter
from lc_costkit.record import CallRecord, Score
from lc_costkit.report import Report
from lc_costkit.rows import CALLS, LEDGER_SCHEMA, LEDGER_TABLES, SCORES, from_row, instant_text
from lc_costkit.store import (
    BUSY_SECONDS,
    PATIENT_SECONDS,
    describe,
    open_engine,
    passing,
    patiently,
    problems,
    writing,
)
from lc_costkit.tally import REPORT_COLUMNS, checked_group, tally
from lc_costkit.turns import turn_of
from lc_costkit.versions import prepare_schema
from lc_costkit.writer import KEPT, KEPT_ADVICE, BackgroundWriter

_logger = logging.getLogger(__name__)

_PAGE = 1000

_FILTERS: dict[str, Callable[[str], ColumnElement[bool]]] = {
    "call_id": lambda value: CALLS.c.call_id == value,
    "trace_id": lambda value: CALLS.c.trace_id == value,
    "model": lambda value: or_(CALLS.c.model_answered == value, CALLS.c.model_asked == value),
    "provider": lambda value: CALLS.c.provider == value,
    "feature": lambda value: CALLS.c.feature == value,
    "user": lambda value: CALLS.c.user_id == value,
    "team": lambda value: CALLS.c.team == value,
    "route": lambda value: CALLS.c.route == value,
    "cache": lambda value: CALLS.c.cache == value,
    "framework": lambda value: CALLS.c.framework == value,
    "operation": lambda value: CALLS.c.operation == value,
    "error": lambda value: CALLS.c.error == value,
}
"""What ``records`` and ``report`` can be narrowed to, beside ``since`` and ``until``."""


class Ledger:
    """An append-only record of model calls, in a SQLite file, in memory, or on a server.

    Writes are synchronous: when ``record`` has returned, killing the process loses
    nothing. What the kit meters takes ``keep``, which never makes a call wait: it writes at
    once, too, but while the store is locked, full or out of reach it holds up to 100,000
    records in memory, in order, and writes them on a background thread when the store can
    be used again. ``flush()``, ``close()``, every reading method and a normal exit write
    them if that can be done within 5 seconds. A process that is killed (``kill -9``) while
    the store is locked loses what it held: every record since the store was last written.

    With ``buffered=True`` a background thread writes in batches: ``record``
    returns at once, and a process that is killed (or a ``multiprocessing`` worker that
    ends without ``close()``) loses the calls of about the last 10 milliseconds, more
    while the disk is slow. ``flush()``, ``close()`` and a normal exit write everything.

    Several threads and processes may use one file. It may also hold a cache.

    Args:
        path_or_url: a file path, ``":memory:"``, or a SQLAlchemy URL.
        record_text: keep questions and answers; otherwise only their hashes and lengths.
        buffered: write in the background.

    Raises:
        ConfigurationError: ``path_or_url`` is neither a path nor a URL.
        StoreError: the store cannot be opened, or a newer version wrote it.
        MissingDependency: the PostgreSQL driver is not installed.

    >>> from decimal import Decimal
    >>> from lc_costkit.pricing import Cost
    >>> with Ledger() as ledger:
    ...     ledger.record(CallRecord(model_asked="gpt-4o", cost=Cost(usd=Decimal("0.0042"), basis="exact")))
    ...     len(ledger), ledger.report().total.usd
    (1, Decimal('0.0042'))
    """

    def __init__(
        self, path_or_url: str | Path | URL = ":memory:", *, record_text: bool = False, buffered: bool = False
    ) -> None:
        self._engine = open_engine(path_or_url, busy_seconds=BUSY_SECONDS)
        try:
            prepare_schema(self._engine, "ledger", LEDGER_SCHEMA, LEDGER_TABLES)
        except StoreError:
            self._engine.dispose()
            raise
        self.record_text = record_text
        self.buffered = buffered
        self.faults = Faults(_logger)
        self._closed = False
        # Bound to the engine, not to this object, so that a forgotten ledger can be collected.
        self._turn = turn_of(self._engine)
        self._inserter = Inserter(self._engine, record_text=record_text, turn=self._turn)
        self._insert = self._inserter.insert
        self._backoff = Backoff()
        self._writer = BackgroundWriter(
            self._insert,
            self.faults,
            backoff=self._backoff,
            patient=partial(self._insert, wait_seconds=PATIENT_SECONDS),
        )

    @property
    def engine(self) -> Engine:
        """The database the calls are in, for parts of the kit that keep tables of their own beside them.

        Follow the rules of ``store``; disposed of by ``close()``.
        """
        return self._engine

    def record(self, record: CallRecord) -> None:
        """Add one call.

        Raises:
            StoreError: the ledger is closed, the store cannot be written to, or it
                already holds a call of this id (not when buffered: those are logged and
                counted in ``faults``).
        """
        self._open()
        if self.buffered:
            self._writer.submit(lambda: record)
            return
        try:
            self._insert([record])
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._refused(record, error) from error

    def keep(self, record: CallRecord, *, written: Callable[[CallRecord], None] | None = None) -> None:
        """Add one call without making it wait: now, or when the store can be used again.

        Args:
            record: the call.
            written: called with it once it is in the store, on the background thread where
                that writes it; must not raise.

        Raises:
            StoreError: the ledger is closed, or the store refuses the record for good: it
                holds a call of this id, or its tables are gone.
        """
        self._open()
        if not self._written_now(record):
            self._writer.submit(lambda: record, written)
        elif written is not None:
            written(record)

    def _written_now(self, record: CallRecord) -> bool:
        if self.buffered:
            return False
        with self._turn:  # whoever waited for a turn learns first how the one before fared
            if self._writer.retrying or not self._backoff.may_try():
                return False
            try:
                self._insert([record])
            except (SQLAlchemyError, sqlite3.Error) as error:
                if not passing(error):
                    raise self._refused(record, error) from error
                self._backoff.failed()
                self.faults.record(KEPT, error, KEPT_ADVICE)
                return False
            self._backoff.succeeded()
            return True

    def record_later(
        self, make: Callable[[], CallRecord | None], *, written: Callable[[CallRecord], None] | None = None
    ) -> None:
        """Make and add a record on the background thread; for callers on an event loop.

        Args:
            make: gives the record; ``None`` adds nothing.
            written: called with it on that thread once it is in the store; must not raise.

        Raises:
            StoreError: the ledger is closed.
        """
        self._open()
        self._writer.submit(make, written)

    def flush(self) -> bool:
        """Wait until every call handed over so far is in the store.

        Returns:
            False where the store is locked for longer than 5 seconds, or full: what waits is
            kept, and written later.
        """
        return self._writer.flush()

    def records(
        self, *, since: datetime | date | None = None, until: datetime | date | None = None, **equal: str
    ) -> Iterator[CallRecord]:
        """Yield calls in the order they were recorded.

        Args:
            since: the earliest start (aware, or a UTC date).
            until: the first moment not included.
            **equal: ``feature="support"`` and the like; also ``tag``.

        Raises:
            ConfigurationError: an unknown filter, or a time without a zone.
            StoreError: the store cannot be read.
        """
        query = _narrowed(select(CALLS), since, until, equal)
        tag = equal.get("tag")
        return (record for record in map(from_row, self._rows(query)) if tag is None or tag in record.tags)

    def report(
        self,
        by: str | None = None,
        *,
        since: datetime | date | None = None,
        until: datetime | date | None = None,
        **equal: str,
    ) -> Report:
        """Sum calls up: requests, tokens, USD, savings.

        Args:
            by: what a row stands for: ``model``, ``feature``, ``user``, ``team``, ``tag``,
                ``day``, ``route``, ... or ``metadata:KEY``; ``None`` gives the total only.
            since: the earliest start (aware, or a UTC date).
            until: the first moment not included.
            **equal: ``feature="support"`` and the like, as in ``records``.

        Raises:
            ConfigurationError: an unknown ``by`` or filter, or a time without a zone.
            StoreError: the store cannot be read.
        """
        checked_group(by)
        columns = [CALLS.c[name] for name in ("seq", *REPORT_COLUMNS)]
        query = _narrowed(select(*columns), since, until, equal)
        rows, total = tally(self._rows(query), by=by, tag=equal.get("tag"))
        return Report(by=by, rows=rows, total=total)

    def score(self, call_id: str, value: float, *, note: str | None = None) -> None:
        """Attach feedback to a call; several scores of one call are all kept.

        Raises:
            ConfigurationError: ``value`` is not a finite number, or no such call is recorded.
            StoreError: the store cannot be written to.
        """
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ConfigurationError(f"a score must be a finite number, not {value!r}")
        self._open()
        self.flush()
        try:
            with writing(self._engine, wait_seconds=PATIENT_SECONDS) as connection:
                known = connection.execute(select(CALLS.c.seq).where(CALLS.c.call_id == call_id)).first()
                if known is None:
                    raise ConfigurationError(
                        f"no call {call_id!r} in {describe(self._engine)}; call ids are on the records"
                    )
                row = {"call_id": call_id, "value": value, "note": note, "scored_at": instant_text(datetime.now(UTC))}
                connection.execute(insert(SCORES), row)
        except SQLAlchemyError as error:
            raise StoreError(f"{describe(self._engine)} cannot be written to: {_cause(error)}") from error

    def scores(self, call_id: str | None = None) -> list[Score]:
        """Return the feedback on one call, or on all, in the order it came."""
        query = select(SCORES)
        if call_id is not None:
            query = query.where(SCORES.c.call_id == call_id)
        return [
            Score(
                call_id=row["call_id"],
                value=row["value"],
                note=row["note"],
                scored_at=datetime.fromisoformat(row["scored_at"]),
            )
            for row in self._rows(query)
        ]

    def check(self) -> list[str]:
        """Return what is wrong with the store, in words; an empty list is a clean one."""
        found = problems(self._engine)
        if found:
            return found
        try:
            for row in self._rows(select(CALLS)):
                found.extend(_row_problems(row))
            orphans = (
                select(SCORES)
                .join(CALLS, CALLS.c.call_id == SCORES.c.call_id, isouter=True)
                .where(CALLS.c.call_id.is_(None))
            )
            found.extend(
                f"a score of {row['value']} is for call {row['call_id']!r}, which is not there"
                for row in self._rows(orphans)
            )
        except StoreError as error:
            found.append(str(error))
        return found

    def close(self) -> None:
        """Write what waits, for 5 seconds at most where the store is locked, and close; a second time does nothing."""
        if not self._closed:
            # First, so that no call is taken that nobody would write any more.
            self._closed = True
            self._writer.close()
            self._inserter.close()
            self._engine.dispose()

    def __len__(self) -> int:
        return int(next(self._rows(select(func.count().label("calls")).select_from(CALLS)))["calls"])

    def __bool__(self) -> bool:
        # An empty ledger is still a ledger: ``if ledger`` asks whether there is one.
        return True

    def __repr__(self) -> str:
        state = ", closed" if self._closed else ", buffered" if self.buffered else ""
        return f"Ledger({describe(self._engine)!r}{state})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _refused(self, record: CallRecord, error: Exception) -> StoreError:
        if isinstance(error, IntegrityError):
            return StoreError(f"{describe(self._engine)} already holds a call {record.call_id!r}")
        return StoreError(f"{describe(self._engine)} cannot be written to: {_cause(error)}")

    def _open(self) -> None:
        if self._closed:
            raise StoreError(f"the ledger {describe(self._engine)} is closed")

    def _rows(self, query: Select[Any]) -> Iterator[Mapping[str, Any]]:
        # In pages, so that no connection is held while the caller does something with a row.
        self._open()
        self.flush()
        paged = "seq" in query.selected_columns
        last = 0
        while True:
            page = query
            if paged:
                seq = query.selected_columns["seq"]
                page = query.where(seq > last).order_by(seq).limit(_PAGE)
            try:
                with self._engine.connect() as connection, patiently(connection):
                    rows = [dict(row) for row in connection.execute(page).mappings()]
            except SQLAlchemyError as error:
                raise StoreError(f"{describe(self._engine)} cannot be read: {_cause(error)}") from error
            yield from rows
            if not paged or len(rows) < _PAGE:
                return
            last = rows[-1]["seq"]


def _narrowed(
    query: Select[Any], since: datetime | date | None, until: datetime | date | None, equal: Mapping[str, str]
) -> Select[Any]:
    if since is not None:
        query = query.where(CALLS.c.started_at >= _instant("since", since))
    if until is not None:
        query = query.where(CALLS.c.started_at < _instant("until", until))
    for name, value in equal.items():
        if name == "tag":
            continue
        if name not in _FILTERS:
            raise ConfigurationError(
                f"cannot filter calls by {name!r}; use since, until, tag, {', '.join(sorted(_FILTERS))}"
            )
        query = query.where(_FILTERS[name](value))
    return query


def _instant(name: str, moment: datetime | date) -> str:
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ConfigurationError(f"{name} needs a time zone: {moment!r}; use datetime(..., tzinfo=UTC)")
        return instant_text(moment)
    if isinstance(moment, date):
        return instant_text(datetime(moment.year, moment.month, moment.day, tzinfo=UTC))
    raise ConfigurationError(f"{name} must be a datetime with a time zone or a date, not {moment!r}")


def _row_problems(row: Mapping[str, Any]) -> list[str]:
    call = f"call {row['call_id']!r} (row {row['seq']})"
    try:
        record = from_row(row)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return [f"{call} cannot be read: {error}"]
    found = []
    if (record.cost.usd is None) != (record.cost.basis == "unpriced"):
        found.append(f"{call} has basis {record.cost.basis!r} and cost {record.cost.usd}")
    if (record.usage.total_input, record.usage.total_output) != (row["input_tokens"], row["output_tokens"]):
        found.append(f"{call} has token totals that are not the sum of its usage")
    return found


def _cause(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    return str(original).strip().partition("\n")[0] or type(original).__name__
