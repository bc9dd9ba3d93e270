"""Which calls are under way, and which trace do they belong to?

Frameworks tell the start and the end of a call apart, sometimes on different threads,
and now and then never tell the end. Everything here is bounded.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lc_costkit.errors import ConfigurationError
from lc_costkit.failure import AnswerLost
from lc_costkit.marks import PruneMark
from lc_costkit.metering import Meter, OpenCall, Outcome, failed

OPEN_LIMIT = 10_000
"""Calls and runs kept at once by default; the oldest are given up past it."""

PATIENCE_SECONDS = 3600.0
"""A call nothing was heard of for so long has ended: clients wait 10 minutes, and try three times."""

_PRUNES_LIMIT = 64


@dataclass(slots=True)
class Running:
    """A call under way and what has been seen of it."""

    call: OpenCall
    group: Group | None = None
    first_token: float | None = None
    last_heard: float = field(default_factory=time.monotonic)
    came: list[str] = field(default_factory=list)
    last_piece: object = None
    usage_piece: object = None

    def token(self, text: str) -> None:
        """Note a piece of a stream."""
        self.last_heard = time.monotonic()
        if self.first_token is None:
            self.first_token = self.last_heard
        self.came.append(text)

    def failed(self, error: BaseException, *, came: str = "", **values: Any) -> Outcome:
        """Return the outcome of this call if it ends in ``error`` now."""
        return failed(
            error,
            came=came or "".join(self.came),
            first_token=self.first_token,
            streamed=self.first_token is not None,
            **values,
        )


@dataclass(slots=True)
class Group:
    """Calls that one blocking request for several prompts started, in the order it makes them.

    Attributes:
        key: the object that all their start events share; kept so that its identity is not reused.
        thread: where they were started.
        reported: the usage of them all was reported with one of them.
    """

    key: object
    thread: int
    members: list[str] = field(default_factory=list)
    reported: bool = False


class CallsUnderWay:
    """Joins starts and ends, finds the trace of a call, and matches prunings to the next call of it.

    Args:
        meter: where calls go that will not be told the end of.
        limit: how many calls, and how many runs, are remembered.

    Raises:
        ConfigurationError: ``limit`` is below 1.
    """

    def __init__(self, meter: Meter, *, limit: int = OPEN_LIMIT) -> None:
        if limit < 1:
            raise ConfigurationError(f"the number of open calls must be at least 1, not {limit}")
        self._meter = meter
        self._limit = limit
        self._start_over()

    def _start_over(self) -> None:
        self._process_id = os.getpid()
        self._lock = threading.Lock()
        self._roots: OrderedDict[str, str] = OrderedDict()
        self._running: OrderedDict[str, Running] = OrderedDict()
        self._prunes: OrderedDict[str, list[PruneMark]] = OrderedDict()
        self._groups: OrderedDict[int, Group] = OrderedDict()
        # At the end of the process, or when the adapter that owns this is collected.
        weakref.finalize(self, _give_up_all, self._meter, self._running, self._process_id)

    def _alone(self) -> threading.Lock:
        """Return the lock; in a forked child a new one, since a thread that stayed behind may hold the old."""
        if self._process_id != os.getpid():
            self._start_over()
        return self._lock

    def __len__(self) -> int:
        return len(self._running)

    def enter(self, run: str, parent: str | None) -> str:
        """Note that ``run`` is part of ``parent``; return the root of its trace."""
        with self._alone():
            return self._enter(run, parent)

    def _enter(self, run: str, parent: str | None) -> str:
        root = self._roots.get(parent, parent) if parent is not None else run
        self._roots[run] = root
        while len(self._roots) > self._limit:
            self._roots.popitem(last=False)
        return root

    def root(self, run: str) -> str:
        """Return the root of the trace ``run`` is part of."""
        return self._roots.get(run, run)

    def leave(self, run: str) -> None:
        """Note that ``run`` is over."""
        with self._alone():
            if self._roots.pop(run, None) == run:
                self._prunes.pop(run, None)

    def prune(self, run: str | None, mark: PruneMark) -> None:
        """Keep a pruning for the next call of the same trace."""
        if run is None:
            return
        with self._alone():
            self._return(self._roots.get(run, run), (mark,))

    def use_up(self, run: str) -> None:
        """Forget the prunings that wait in the trace of ``run``: what they were for was answered without a call."""
        with self._alone():
            self._prunes.pop(self._roots.get(run, run), None)

    def _return(self, root: str, marks: tuple[PruneMark, ...]) -> None:
        kept = self._prunes.setdefault(root, [])
        kept.extend(marks)
        del kept[:-_PRUNES_LIMIT]
        while len(self._prunes) > self._limit:
            self._prunes.popitem(last=False)

    def start(self, call: OpenCall, *, together: object = None) -> None:
        """Note that a call began; it takes the prunings of its trace, unless it is made for a decision only.

        Args:
            call: as it was opened.
            together: what it shares with the other calls of one request for several prompts.
        """
        with self._alone():
            root = self._roots.get(call.call_id) or self._enter(call.call_id, call.parent_id)
            call.trace_id = root
            # A call made to decide is not what the context was pruned for.
            if call.route is None or not call.route.aside:
                call.prunes = tuple(self._prunes.pop(root, ()))
            running = Running(call)
            if together is not None:
                running.group = self._group(together)
                running.group.members.append(call.call_id)
            self._running[call.call_id] = running
            given_up = self._overdue()
        for lost in given_up:
            _give_up(self._meter, lost)

    def _overdue(self) -> list[Running]:
        given_up = []
        if len(self._running) > self._limit:
            pushed_out = self._running.popitem(last=False)[1]
            # One that has not begun to answer may end yet, and then is recorded all the same.
            given_up += [pushed_out] if pushed_out.came else []
        while self._running:
            oldest = next(iter(self._running.values()))
            if time.monotonic() - oldest.last_heard < PATIENCE_SECONDS:
                break
            given_up.append(self._running.popitem(last=False)[1])
        return given_up

    def drop(self, call_id: str) -> bool:
        """Forget a call without a record, because another event stands for it; its prunings go back.

        What it was part of is kept: it may make further calls.
        """
        with self._alone():
            running = self._take(call_id)
        if running is not None and running.call.prunes and running.call.trace_id is not None:
            with self._alone():
                self._return(running.call.trace_id, running.call.prunes)
        return running is not None

    def cancel(self, parent: str, error: BaseException) -> None:
        """Finish the calls that ``parent`` made and that were cancelled with it."""
        with self._alone():
            cancelled = [call_id for call_id, running in self._running.items() if running.call.parent_id == parent]
        for call_id in cancelled:
            self.fail(call_id, lambda running: running.failed(error))

    def settle(self) -> None:
        """Write down every call under way as one whose answer was lost."""
        with self._alone():
            given_up = list(self._running.values())
            self._running.clear()
        for running in given_up:
            _give_up(self._meter, running)

    def _group(self, key: object) -> Group:
        group = self._groups.get(id(key))
        if group is None or group.key is not key:
            group = self._groups[id(key)] = Group(key, threading.get_ident())
            while len(self._groups) > self._limit:
                self._groups.popitem(last=False)
        return group

    def running(self, call_id: str) -> Running | None:
        """Return a call under way."""
        return self._running.get(call_id)

    def end(self, call_id: str) -> Running | None:
        """Return a call that ended, and forget it."""
        with self._alone():
            self._roots.pop(call_id, None)
            return self._take(call_id)

    def _take(self, call_id: str) -> Running | None:
        running = self._running.pop(call_id, None)
        if running is not None and running.group is not None:
            group = running.group
            if not any(member in self._running for member in group.members):
                self._groups.pop(id(group.key), None)
        return running

    def fail(self, call_id: str, outcome: Callable[[Running], Outcome], *, later: bool = False) -> Running | None:
        """Finish a call that raised; its prunings go to the next try.

        Where it was one of several prompts of a blocking request, the answers to the
        prompts before it are lost although they were paid for, and those after it
        were never sent: the framework tells the end of neither.
        """
        running = self.end(call_id)
        if running is None:
            return None
        ended = outcome(running)
        if not ended.billed and running.call.prunes and running.call.trace_id is not None:
            with self._alone():
                self._return(running.call.trace_id, running.call.prunes)
        self._meter.finish(running.call, ended, later=later)
        if running.group is not None and self._is_blocking(running.group):
            before = running.group.members.index(call_id)
            for position, member in enumerate(running.group.members):
                other = self.end(member)
                if other is not None and position < before:
                    _give_up(self._meter, other)
        return running

    @staticmethod
    def _is_blocking(group: Group) -> bool:
        # An event loop runs handlers on threads of its pool, and tells the end of every prompt.
        thread = threading.current_thread()
        return thread.ident == group.thread and not thread.name.startswith("asyncio_")


def _give_up(meter: Meter, running: Running, *, later: bool = False) -> None:
    meter.finish(running.call, running.failed(AnswerLost()), later=later)


def _give_up_all(meter: Meter, running: OrderedDict[str, Running], process_id: int) -> None:
    # What was under way at a fork ends in the parent, which writes it.
    # Not on this thread: the collector may have interrupted somebody who holds the store.
    while running and process_id == os.getpid():
        _give_up(meter, running.popitem(last=False)[1], later=True)
