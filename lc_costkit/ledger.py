"""Where is every call kept, and how are they read back?"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Engine, func, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from lc_costkit.backoff import Backoff
from lc_costkit.drafts import Drafts
from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.faults import Faults
from lc_costkit.fixed_lines import lines_between
from lc_costkit.insert import Inserter
from lc_costkit.ledger_history import LedgerHistory, cause_of
from lc_costkit.record import CallRecord
from lc_costkit.report import Report
from lc_costkit.rows import CALLS, LEDGER_SCHEMA, LEDGER_TABLES
from lc_costkit.selection import has_tag, instant, narrowed
from lc_costkit.store import BUSY_SECONDS, PATIENT_SECONDS, close_engine, describe, open_engine, passing
from lc_costkit.tally import REPORT_COLUMNS, checked_group, tally
from lc_costkit.turns import turn_of
from lc_costkit.versions import checked_version, prepare_schema
from lc_costkit.writer import KEPT, KEPT_ADVICE, BackgroundWriter

_logger = logging.getLogger(__name__)


class Ledger(LedgerHistory):
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
        read_only: change nothing: for reports on a backup, on a read-only disk, or on somebody
            else's file. A ledger of an older schema is read as it is.

    Raises:
        ConfigurationError: ``path_or_url`` is neither a path nor a URL, or options contradict each other.
        StoreError: the store cannot be opened, a newer version wrote it, or there is no ledger to read.
        MissingDependency: the PostgreSQL driver is not installed.

    >>> from decimal import Decimal
    >>> from lc_costkit.pricing import Cost
    >>> with Ledger() as ledger:
    ...     ledger.record(CallRecord(model_asked="gpt-4o", cost=Cost(usd=Decimal("0.0042"), basis="exact")))
    ...     len(ledger), ledger.report().total.usd
    (1, Decimal('0.0042'))
    """

    def __init__(
        self,
        path_or_url: str | Path | URL = ":memory:",
        *,
        record_text: bool = False,
        buffered: bool = False,
        read_only: bool = False,
    ) -> None:
        if read_only and (buffered or record_text):
            raise ConfigurationError("read_only=True writes nothing; leave buffered= and record_text= out")
        self._engine = open_engine(path_or_url, busy_seconds=BUSY_SECONDS, read_only=read_only)
        self._schema = LEDGER_SCHEMA
        try:
            if read_only:
                self._schema = checked_version(self._engine, "ledger", LEDGER_SCHEMA)
            else:
                # Schema 2 came with new tables only, which need no step.
                prepare_schema(self._engine, "ledger", LEDGER_SCHEMA, LEDGER_TABLES)
        except StoreError:
            self._engine.dispose()
            raise
        self.read_only = read_only
        self.record_text = record_text
        self.buffered = buffered
        self.faults = Faults(_logger)
        # Beside the calls, since a request's targets may each have a meter of their own.
        self.drafts = Drafts()
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
        self._open(to_write=True)
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
        self._open(to_write=True)
        if not self._written_now(record):
            self._writer.submit(lambda: record, written)
        elif written is not None:
            written(record)

    def _written_now(self, record: CallRecord) -> bool:
        if self.buffered:
            return False
        # Somebody may wait longer for a lock: a report, a correction. A call does not wait for them.
        if not self._turn.taken_within(BUSY_SECONDS):
            return False
        try:
            # Whoever waited for a turn learns first how the one before fared.
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
        finally:
            self._turn.give_back()

    def record_later(
        self, make: Callable[[], CallRecord | None], *, written: Callable[[CallRecord], None] | None = None
    ) -> None:
        """Make and add a record on the background thread; for callers on an event loop.

        Args:
            make: gives the record; ``None`` adds nothing.
            written: called with it on that thread once it is in the store; must not raise.

        Raises:
            StoreError: the ledger is closed or read-only.
        """
        self._open(to_write=True)
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
            **equal: ``feature="support"`` and the like; also ``tag``. ``call_id`` may be an answer's ``id`` as
                LangChain gives it (``lc_run--...``).

        Raises:
            ConfigurationError: an unknown filter, or a time without a zone.
            StoreError: the store cannot be read.
        """
        query = narrowed(select(CALLS), since, until, equal)
        tag = equal.get("tag")
        return (record for record in map(self._read, self._rows(query)) if tag is None or tag in record.tags)

    def columns(
        self, *names: str, since: datetime | date | None = None, until: datetime | date | None = None, **equal: str
    ) -> Iterator[Mapping[str, Any]]:
        """Yield columns of calls as they are stored, in the order they were recorded: for sums over many calls.

        Args:
            *names: of columns of ``rows.CALLS``.
            since: the earliest start (aware, or a UTC date).
            until: the first moment not included.
            **equal: ``feature="support"`` and the like, as in ``records``; ``tag`` needs the column ``tags``.

        Raises:
            ConfigurationError: an unknown filter, or a time without a zone.
            StoreError: the store cannot be read.
        """
        query = narrowed(select(*(CALLS.c[name] for name in ("seq", *names))), since, until, equal)
        return (row for row in self._rows(query) if "tag" not in equal or has_tag(row, equal["tag"]))

    def report(
        self,
        by: str | None = None,
        *,
        since: datetime | date | None = None,
        until: datetime | date | None = None,
        **equal: str,
    ) -> Report:
        """Sum calls up: requests, tokens, USD, savings; and beside them what is paid by the month.

        Fixed lines are for all calls: a report that is narrowed to some by ``**equal`` has none.
        They cover the time from ``since``, or else the first call, to ``until``, or else the last call.

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
        query = narrowed(select(*columns), since, until, equal)
        summed = tally(self._rows(query), by=by, tag=equal.get("tag"))
        start = summed.first if since is None else instant("since", since)
        end = summed.last if until is None else instant("until", until)
        period = None if start is None or end is None or end < start else (start, end)
        fixed = () if equal or period is None else lines_between(self.fixed_costs(), period)
        return Report(by=by, rows=summed.rows, total=summed.total, fixed=fixed, period=period)

    def close(self) -> None:
        """Write what waits, for 5 seconds at most where the store is locked, and close; a second time does nothing."""
        if not self._closed:
            # First, so that no call is taken that nobody would write any more.
            self._closed = True
            self._writer.close()
            self._inserter.close()
            close_engine(self._engine)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._engine.dialect.name == "sqlite" and self._engine.url.database in (None, "", ":memory:"):
            raise TypeError("a ledger in memory cannot be pickled: another process would not see it; give it a file")
        options = {"record_text": self.record_text, "buffered": self.buffered, "read_only": self.read_only}
        return partial(type(self), self._engine.url, **options), ()

    def __len__(self) -> int:
        return int(next(self._rows(select(func.count().label("calls")).select_from(CALLS)))["calls"])

    def __bool__(self) -> bool:
        # An empty ledger is still a ledger: ``if ledger`` asks whether there is one.
        return True

    def __repr__(self) -> str:
        kind = ", buffered" if self.buffered else ", read-only" if self.read_only else ""
        state = ", closed" if self._closed else kind
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
        return StoreError(f"{describe(self._engine)} cannot be written to: {cause_of(error)}")
