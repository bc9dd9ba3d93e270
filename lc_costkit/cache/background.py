"""How does work that no caller waits for get done?"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lc_costkit.faults import Faults

MOST_WAITING = 256
"""Jobs that may wait. Where a model takes a second to answer, this is four minutes of work."""

_ADVICE = "The check is left out; see that the model and the judge work"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to be done off the critical path.

    Attributes:
        run: does it.
        give_up: called instead where there is no time or room for it.
    """

    run: Callable[[], None]
    give_up: Callable[[], None] = lambda: None


class Background:
    """One daemon thread and a queue of jobs; nothing here raises or keeps a process alive.

    The thread starts with the first job. After a fork the child starts with an empty queue: the
    parent does what waits.

    Args:
        faults: where failures of jobs go.
        most_waiting: jobs that may wait; what comes on top is given up at once.
    """

    def __init__(self, faults: Faults, *, most_waiting: int = MOST_WAITING) -> None:
        self._faults = faults
        self._most_waiting = most_waiting
        self._closed = False
        self.renew()
        if hasattr(os, "register_at_fork"):
            reference = weakref.ref(self)

            def renew() -> None:
                alive = reference()
                if alive is not None:
                    alive.renew()

            os.register_at_fork(after_in_child=renew)

    def renew(self) -> None:
        """Start empty, with locks that nobody holds."""
        self._line = _Line(self._faults)

    def submit(self, job: Job) -> bool:
        """Queue a job and return at once; tell whether there was room."""
        line = self._line
        with line.changed:
            taken = not self._closed and len(line.jobs) < self._most_waiting
            if taken:
                line.jobs.append(job)
                try:
                    line.be_alive()
                except RuntimeError:
                    # No thread is to be had at the end of the interpreter.
                    line.jobs.pop()
                    taken = False
                line.changed.notify_all()
        if not taken:
            _do(job.give_up, self._faults)
        return taken

    def flush(self, timeout_seconds: float | None = None) -> bool:
        """Wait until every job is done, and tell whether that came to be in time."""
        line = self._line
        if threading.current_thread() is line.thread:
            return True  # a job cannot wait for itself
        with line.changed:
            return line.changed.wait_for(lambda: not line.jobs and not line.busy, timeout_seconds)

    def close(self, timeout_seconds: float) -> bool:
        """Take no more jobs, wait for those there are, and give up what is left; tell whether all were done."""
        self._closed = True
        done = self.flush(timeout_seconds)
        self.give_up()
        return done

    def give_up(self) -> None:
        """Give up every job that has not begun, and end the thread after the one under way."""
        line = self._line
        with line.changed:
            left = list(line.jobs)
            line.jobs.clear()
            line.ended = True
            line.changed.notify_all()
        for job in left:
            _do(job.give_up, self._faults)


class _Line:
    """The queue and its thread; the thread knows nothing else, so that a forgotten cache can be collected."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        # Reentrant: the collector may run a finalizer that gives up, in the middle of a submit.
        self.changed = threading.Condition(threading.RLock())
        self.jobs: deque[Job] = deque()
        self.busy = False
        self.ended = False
        self.thread: threading.Thread | None = None

    def be_alive(self) -> None:
        if self.thread is None or not self.thread.is_alive():
            self.thread = threading.Thread(target=self.work, name="lc_costkit-checks", daemon=True)
            self.thread.start()

    def work(self) -> None:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.jobs or self.ended)
                if not self.jobs:
                    return
                job = self.jobs.popleft()
                self.busy = True
            try:
                _do(job.run, self.faults)
            finally:
                del job
                with self.changed:
                    self.busy = False
                    self.changed.notify_all()


def _do(what: Callable[[], None], faults: Faults) -> None:
    try:
        what()
    except Exception as error:
        faults.record("checking an answer", error, _ADVICE)
    except BaseException as error:  # sys.exit() in somebody's judge must not end the thread
        if threading.current_thread() is threading.main_thread():
            raise
        faults.record("checking an answer", error, _ADVICE)
