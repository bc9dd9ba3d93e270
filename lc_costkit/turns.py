"""Whose turn is it to write, among the threads of this process?

SQLite lets writers that wait try again at random times, and under load one of them can wait for
ever. All writers of one file in this process, cache and ledger, take turns before they ask it.
"""

from __future__ import annotations

import os
import threading
from types import TracebackType
from weakref import WeakSet, WeakValueDictionary

from sqlalchemy import Engine


class Turn:
    """A lock that one thread may take several times; free again in a forked child."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _ALL.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()

    def taken_within(self, seconds: float) -> bool:
        """Wait at most this long for the turn; whoever gets it calls ``give_back``."""
        return self._lock.acquire(timeout=seconds)

    def give_back(self) -> None:
        """Let the next one have it."""
        self._lock.release()

    def renew(self) -> None:
        """Forget who holds it: after a fork nobody does."""
        self._lock = threading.RLock()


# State of the process, as the files are: two parts that write one file must find the same lock.
_ALL: WeakSet[Turn] = WeakSet()
_BY_FILE: WeakValueDictionary[str, Turn] = WeakValueDictionary()
_GUARD = threading.Lock()


def turn_of(engine: Engine) -> Turn:
    """Return the turn of the engine's file; one of its own for a store in memory or on a server."""
    if engine.dialect.name != "sqlite" or not engine.url.database or engine.url.database == ":memory:":
        return Turn()
    file = os.path.realpath(engine.url.database)
    with _GUARD:
        turn = _BY_FILE.get(file)
        if turn is None:
            turn = _BY_FILE[file] = Turn()
        return turn


def _after_fork() -> None:
    global _GUARD
    _GUARD = threading.Lock()
    for turn in list(_ALL):
        turn.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
