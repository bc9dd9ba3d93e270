"""How are calls written without making the caller wait?

One daemon thread takes jobs from a queue, turns them into records and writes them in
batches. A ledger that is buffered, or that is fed from an event loop, uses it.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from lc_costkit.faults import Faults
from lc_costkit.record import CallRecord

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

_CLOSING_SECONDS = 30.0
"""How long the end of the process waits for the last batch."""


class BackgroundWriter:
    """Writes records on a thread of its own, in the order they came.

    Args:
        insert: writes a batch in one transaction.
        faults: where failures to make or to write a record are counted.
    """

    def __init__(self, insert: Insert, faults: Faults) -> None:
        self._line = _Line(insert, faults)
        # Runs when this object is collected or the process exits, whichever is first.
        self._end = weakref.finalize(self, _Line.finish, self._line)

    def submit(self, job: Job, written: Written | None = None) -> None:
        """Queue one job; returns at once. ``written`` is called on the writer's thread."""
        self._line.submit(_Order(job, written))

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything submitted so far is written; false after ``timeout`` seconds.

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


class _Line:
    """The queue and its thread; knows nothing of its owner, so that the owner can be collected."""

    def __init__(self, insert: Insert, faults: Faults) -> None:
        self._insert = insert
        self._faults = faults
        self._start_over()

    def _start_over(self) -> None:
        self._process_id = os.getpid()
        self._jobs: SimpleQueue[_Order | threading.Event | None] = SimpleQueue()
        self._hurry = threading.Event()
        # Reentrant: the collector may run a finalizer that submits, in the middle of a submit.
        self._starting = threading.RLock()
        self._thread: threading.Thread | None = None

    def submit(self, order: _Order) -> None:
        self._be_alive()
        if self._jobs.qsize() >= WAITING_LIMIT:
            self._write([order])
        else:
            self._jobs.put(order)

    def flush(self, timeout: float | None) -> bool:
        if self._process_id != os.getpid() or self._thread is None or self._is_here():
            return True
        done = threading.Event()
        self._be_alive()
        self._jobs.put(done)
        self._hurry.set()
        return done.wait(timeout)

    def finish(self) -> None:
        if self._process_id != os.getpid() or self._thread is None:
            return
        # The last reference to a ledger may be let go by its own thread, which cannot wait for itself.
        if not self.flush(_CLOSING_SECONDS):
            _logger.warning(
                "lc_costkit could not write %d calls within %g s; they are lost", self._jobs.qsize(), _CLOSING_SECONDS
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
        while True:
            batch: list[_Order] = []
            waiting: list[threading.Event] = []
            stop = self._take(self._jobs.get(), batch, waiting)
            if not stop and not waiting:
                self._hurry.wait(LINGER_SECONDS)
            self._hurry.clear()
            while not stop and len(batch) < BATCH_LIMIT:
                try:
                    stop = self._take(self._jobs.get_nowait(), batch, waiting)
                except Empty:
                    break
            self._write(batch)
            for event in waiting:
                event.set()
            if stop:
                return

    @staticmethod
    def _take(item: _Order | threading.Event | None, batch: list[_Order], waiting: list[threading.Event]) -> bool:
        if isinstance(item, threading.Event):
            waiting.append(item)
        elif item is not None:
            batch.append(item)
        return item is None

    def _write(self, batch: list[_Order]) -> None:
        made = [(record, order.written) for order in batch if (record := self._made(order.make)) is not None]
        if not made:
            return
        try:
            self._insert([record for record, _ in made])
        except Exception:
            # One bad record must not take the others with it.
            _logger.debug("lc_costkit writes a batch of %d one by one", len(made), exc_info=True)
            made = [(record, written) for record, written in made if self._insert_one(record)]
        for record, written in made:
            if written is not None:
                written(record)

    def _insert_one(self, record: CallRecord) -> bool:
        try:
            self._insert([record])
        except Exception as error:
            self._faults.record(
                "ledger write", error, "the call is not in the ledger; check free space and ledger.check()"
            )
            return False
        return True

    def _made(self, job: Job) -> CallRecord | None:
        try:
            return job()
        except Exception as error:
            self._faults.record("metering", error, "please report it: the call is not in the ledger")
            return None
