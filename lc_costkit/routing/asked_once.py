"""How is the same question put to a model only once?"""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from lc_costkit.errors import ConfigurationError

T = TypeVar("T")

REMEMBERED = 10_000
"""Answers kept, those used longest ago are forgotten first; of a name each, they take some 3 MB."""

_Thread = concurrent.futures.Future[T | None]
_Task = asyncio.Future[T | None]


class AskedOnce(Generic[T]):
    """Remembers answers by a digest of what was asked, and lets those who ask the same at once share one answer.

    ``None`` for an answer is passed on and not remembered. Those who wait for another's answer get what that one
    raises. Safe to use from many threads and event loops. Pickled, it is empty.

    Args:
        remembered: answers kept; 0 keeps none, and nobody shares one.
        ttl_seconds: how long; ``None`` for as long as there is room.

    Raises:
        ConfigurationError: fewer than 0 answers, or a time that is not above 0.

    >>> once = AskedOnce[int]()
    >>> once.read(b"key", lambda: 1), once.read(b"key", lambda: 2)
    ((1, False), (1, True))
    """

    def __init__(self, *, remembered: int = REMEMBERED, ttl_seconds: float | None = None) -> None:
        if isinstance(remembered, bool) or not isinstance(remembered, int) or remembered < 0:
            raise ConfigurationError(f"remembered must be a whole number of at least 0, not {remembered!r}")
        if ttl_seconds is not None and not (_is_number(ttl_seconds) and 0 < ttl_seconds < math.inf):
            raise ConfigurationError(f"ttl_seconds must be a number above 0, or None, not {ttl_seconds!r}")
        self.remembered = remembered
        self.ttl_seconds = ttl_seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[T, float]] = OrderedDict()
        self._threads: dict[bytes, _Thread[T]] = {}
        self._tasks: dict[tuple[bytes, asyncio.AbstractEventLoop], _Task[T]] = {}

    def read(self, key: bytes, ask: Callable[[], T | None]) -> tuple[T | None, bool]:
        """Return the answer, and whether somebody else had asked for it.

        Args:
            key: digest of what is asked.
            ask: asks.
        """
        if not self.remembered:
            return ask(), False
        while True:
            with self._lock:
                kept = self._found(key)
                if kept is not None:
                    return kept, True
                other = self._threads.get(key)
                if other is None:
                    mine: _Thread[T] = concurrent.futures.Future()
                    self._threads[key] = mine
            if other is None:
                break
            try:
                return other.result(), True
            except concurrent.futures.CancelledError:  # the one who asked was interrupted: ask again
                continue
        try:
            answer = ask()
            self._keep(key, answer)
        except BaseException as error:
            self._leave(self._threads, key)
            _end(mine, error)
            raise
        self._leave(self._threads, key)
        mine.set_result(answer)
        return answer, False

    async def aread(self, key: bytes, ask: Callable[[], Awaitable[T | None]]) -> tuple[T | None, bool]:
        """Do the same without blocking the event loop; tasks of one loop share an answer.

        Tasks and threads do not wait for each other: the thread may be the one that runs the loop.
        """
        if not self.remembered:
            return await ask(), False
        place = (key, asyncio.get_running_loop())
        while True:
            with self._lock:
                kept = self._found(key)
                if kept is not None:
                    return kept, True
                other = self._tasks.get(place)
                if other is None:
                    mine: _Task[T] = place[1].create_future()
                    self._tasks[place] = mine
            if other is None:
                break
            task = asyncio.current_task()
            before = task.cancelling() if task is not None else 0
            try:
                return await asyncio.shield(other), True
            except asyncio.CancelledError:
                # Both may have been cancelled at once; one that only waited for a cancelled one asks again.
                if not other.cancelled() or (task is not None and task.cancelling() > before):
                    raise
        try:
            answer = await ask()
            self._keep(key, answer)
        except BaseException as error:
            self._leave(self._tasks, place)
            _end(mine, error)
            if not mine.cancelled():
                mine.exception()  # looked at: asyncio complains of errors that nobody waits for
            raise
        self._leave(self._tasks, place)
        mine.set_result(answer)
        return answer, False

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept)

    def _found(self, key: bytes) -> T | None:
        found = self._kept.get(key)
        if found is None:
            return None
        if self.ttl_seconds is not None and time.monotonic() - found[1] > self.ttl_seconds:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return found[0]

    def _keep(self, key: bytes, answer: T | None) -> None:
        if answer is None:
            return
        with self._lock:
            self._kept[key] = (answer, time.monotonic())
            self._kept.move_to_end(key)
            while len(self._kept) > self.remembered:
                self._kept.popitem(last=False)

    def _leave(self, waiting: dict[Any, Any], place: object) -> None:
        with self._lock:
            waiting.pop(place, None)

    def __getstate__(self) -> dict[str, Any]:
        return {"remembered": self.remembered, "ttl_seconds": self.ttl_seconds}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _end(future: _Thread[Any] | _Task[Any], error: BaseException) -> None:
    """Tell those who wait that there is no answer; an interruption is the asker's own."""
    if isinstance(error, Exception):
        future.set_exception(error)
    else:
        future.cancel()
