"""How are calls written without making the caller wait?

One daemon thread takes jobs from a queue, turns them into records and writes them in
batches. A ledger that is buffered, or that is fed from an event loop, uses it, and every
ledger while its store cannot be written to: records are then kept and tried again.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue

from sqlalchemy.exc import IntegrityError

from lc_costkit.backoff import Backoff
from lc_costkit.faults import Faults
from lc_costkit.record import CallRecord
from lc_costkit.store import passing

_logger = logging.getLogger(__name__)

Job = Callable[[], CallRecord | None]
"""Makes a record on the writer's thread; ``None`` writes nothing."""

Written = Callable[[CallRecord], None]
"""Told of a record once it is in the store."""

Insert = Callable[[list[CallRecord]], None]

BATCH_LIMIT = 500
"""Records in one transaction at most."""

LINGER_SECONDS = 0.01
"""How long the thread waits for company before it writes; what ``kill -9`` can lose."""

WAITING_LIMIT = 10_000
"""Jobs that may wait; past it the caller does its own, so that memory stays bounded."""

KEPT_LIMIT = 100_000
"""Records kept while the store cannot be written to, some hundred megabytes; past it the oldest are dropped."""

KEPT = "ledger write"
KEPT_ADVICE = (
    "the calls are kept in memory and written when the store can be; end what locks it, or see to its permissions "
    "and free space"
)

_CLOSING_SECONDS = 30.0
"""How long the end of the process waits for the last batch."""


class BackgroundWriter:
    """Writes records on a thread of its own, in the order they came.

    Args:
        insert: writes a batch in one transaction.
        faults: where failures to make or to write a record are counted.
        backoff: says when to try again while the store cannot be written to.
        patient: an ``insert`` that waits longer for a lock, for when somebody waits for all to be written.
    """

    def __init__(
        self, insert: Insert, faults: Faults, *, backoff: Backoff | None = None, patient: Insert | None = None
    ) -> None:
        self._line = _Line(insert, faults, backoff or Backoff(), patient or insert)
        # Runs when this object is collected or the process exits, whichever is first.
        self._end = weakref.finalize(self, _Line.finish, self._line)

    @property
    def retrying(self) -> bool:
        """Whether records are kept that could not be written; what comes now must queue behind them."""
        return self._line.retrying

    def submit(self, job: Job, written: Written | None = None) -> None:
        """Queue one job; returns at once. ``written`` is called on the writer's thread."""
        self._line.submit(_Order(job, written))

    def flush(self, timeout: float | None = None) -> bool:
        """Try to write everything submitted so far, now and patiently; tell whether it was done in ``timeout`` seconds.

        On the writer's own thread there is nothing to wait for: it would be for itself.
        """
        return self._line.flush(timeout)

    def close(self) -> None:
        """Write what waits and stop the thread."""
        self._end()


@dataclass(frozen=True, slots=True)
class _Order:
    """A job, and who is told when its record is written."""

    make: Job
    written: Written | None = None


@dataclass(slots=True)
class _Kept:
    """A record on its way to the store, and whether it may have arrived in an attempt that failed."""

    record: CallRecord
    written: Written | None
    tried: bool = False


class _Flush(threading.Event):
    """Set when all that was submitted before it has been tried; ``done`` if it was written."""

    done = False


class _Line:
    """The queue and its thread; knows nothing of its owner, so that the owner can be collected."""

    def __init__(self, insert: Insert, faults: Faults, backoff: Backoff, patient: Insert) -> None:
        self._insert = insert
        self._faults = faults
        self._backoff = backoff
        self._patient = patient
        self._start_over()

    def _start_over(self) -> None:
        self._process_id = os.getpid()
        self._jobs: SimpleQueue[_Order | _Flush | None] = SimpleQueue()
        # Only the thread changes it.
        self._kept: deque[_Kept] = deque()
        self._retrying = False
        self._given_up = False
        self._hurry = threading.Event()
        # Reentrant: the collector may run a finalizer that submits, in the middle of a submit.
        self._starting = threading.RLock()
        self._thread: threading.Thread | None = None

    @property
    def retrying(self) -> bool:
        return self._retrying and self._process_id == os.getpid()

    def submit(self, order: _Order) -> None:
        self._be_alive()
        if self._jobs.qsize() < WAITING_LIMIT or self._retrying:
            self._jobs.put(order)
        else:
            self._write_here(order)

    def flush(self, timeout: float | None) -> bool:
        if self._process_id != os.getpid() or self._thread is None or self._is_here():
            return True
        flush = _Flush()
        self._be_alive()
        self._jobs.put(flush)
        self._hurry.set()
        return flush.wait(timeout) and flush.done

    def finish(self) -> None:
        if self._process_id != os.getpid() or self._thread is None:
            return
        # The last reference to a ledger may be let go by its own thread, which cannot wait for itself.
        if not self.flush(_CLOSING_SECONDS):
            self._given_up = True
            _logger.warning(
                "lc_costkit could not write %d calls to the ledger before it was closed; they are lost. "
                "See what locks the store, its permissions and free space.",
                self._jobs.qsize() + len(self._kept),
            )
        self._jobs.put(None)

    def _is_here(self) -> bool:
        return threading.current_thread() is self._thread

    def _be_alive(self) -> None:
        if self._process_id != os.getpid():
            # Forked: the thread stayed behind with the parent, which writes what waited.
            self._start_over()
        if self._thread is None or not self._thread.is_alive():
            with self._starting:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._work, name="lc_costkit-writer", daemon=True)
                    self._thread.start()

    def _work(self) -> None:
        stop = False
        while not stop:
            flushes: list[_Flush] = []
            orders: list[_Order] = []
            with suppress(Empty):
                # Until there is something to do; with records kept, until they may be tried again.
                patience = self._backoff.seconds_left + LINGER_SECONDS if self._kept else None
                # Not held in a variable: what is done with may be all that keeps a ledger alive.
                stop = self._take(self._jobs.get(timeout=patience), orders, flushes)
                if not stop and not flushes:
                    self._hurry.wait(LINGER_SECONDS)
                self._hurry.clear()
                while not stop and len(orders) < BATCH_LIMIT:
                    stop = self._take(self._jobs.get_nowait(), orders, flushes)
            self._keep(orders)
            if flushes or (stop and not self._given_up):
                self._write_kept(self._patient)
            elif not stop and self._backoff.may_try():
                self._write_kept(self._insert)
            self._retrying = bool(self._kept)
            for flush in flushes:
                flush.done = not self._kept
                flush.set()

    @staticmethod
    def _take(item: _Order | _Flush | None, orders: list[_Order], flushes: list[_Flush]) -> bool:
        if isinstance(item, _Flush):
            flushes.append(item)
        elif item is not None:
            orders.append(item)
        return item is None

    def _keep(self, orders: list[_Order]) -> None:
        for order in orders:
            record = self._made(order.make)
            if record is not None:
                self._kept.append(_Kept(record, order.written))
        while len(self._kept) > KEPT_LIMIT:
            lost = self._kept.popleft()
            self._faults.record(
                "keeping calls",
                OverflowError(f"more than {KEPT_LIMIT:,} calls wait; the oldest is dropped"),
                f"call {lost.record.call_id} and those counted here are not in the ledger; make the store writable",
            )

    def _write_kept(self, insert: Insert) -> None:
        one_by_one = 0
        while self._kept:
            batch = list(islice(self._kept, 1 if one_by_one else BATCH_LIMIT))
            try:
                insert([kept.record for kept in batch])
            except Exception as error:
                if passing(error):
                    self._rest(batch, error)
                    return
                if len(batch) > 1:
                    # One bad record must not take the others with it.
                    _logger.debug("lc_costkit writes a batch of %d one by one", len(batch), exc_info=True)
                    one_by_one = len(batch)
                    continue
                # A failed attempt may have arrived after all, where the connection broke at its end.
                if batch[0].tried and isinstance(error, IntegrityError):
                    self._tell(batch)
                else:
                    self._refused(error)
            else:
                self._tell(batch)
            for _ in batch:
                self._kept.popleft()
            one_by_one = max(0, one_by_one - 1)
        self._backoff.succeeded()

    def _rest(self, batch: list[_Kept], error: Exception) -> None:
        for kept in batch:
            kept.tried = True
        self._backoff.failed()
        self._faults.record(KEPT, error, KEPT_ADVICE)

    @staticmethod
    def _tell(batch: list[_Kept]) -> None:
        for kept in batch:
            if kept.written is not None:
                kept.written(kept.record)

    def _write_here(self, order: _Order) -> None:
        record = self._made(order.make)
        if record is None:
            return
        try:
            self._insert([record])
        except Exception as error:
            if passing(error):
                self._jobs.put(_Order(lambda: record, order.written))
            else:
                self._refused(error)
        else:
            self._tell([_Kept(record, order.written)])

    def _refused(self, error: Exception) -> None:
        self._faults.record("ledger write", error, "the call is not in the ledger; check free space and ledger.check()")

    def _made(self, job: Job) -> CallRecord | None:
        try:
            return job()
        except Exception as error:
            self._faults.record("metering", error, "please report it: the call is not in the ledger")
            return None
