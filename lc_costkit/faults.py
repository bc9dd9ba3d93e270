"""What happens when a part of the kit fails while a call is under way?

The call goes on as it would have without the kit. The fault is logged once for
each place and kind of error, with what to do about it, and every one is counted.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter


class Faults:
    """Counts the faults of one component and logs each kind once.

    Args:
        logger: where the single warning goes; repeats go there at DEBUG.

    >>> import logging
    >>> faults = Faults(logging.getLogger("example"))
    >>> faults.record("update", OSError("disk full"), "free space and call check()")
    >>> faults.counts
    {'update: OSError': 1}
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def record(self, where: str, error: BaseException, advice: str, *, may_quote: bool = False) -> None:
        """Count ``error`` at ``where``; warn the first time this kind is seen there.

        Args:
            where: the place, in words.
            error: what was raised.
            advice: what to do about it.
            may_quote: its message may hold somebody's text, so that it is logged at DEBUG only.
        """
        kind = f"{where}: {type(error).__name__}"
        with self._lock:
            self._counts[kind] += 1
            first = self._counts[kind] == 1
        if first:
            told = "its message is logged at DEBUG" if may_quote else _first_line(error)
            self._logger.warning(
                "lc_costkit %s failed (%s: %s); the call went on without it. %s. "
                "Further faults of this kind are counted, not logged.",
                where,
                type(error).__name__,
                told,
                advice,
            )
        if may_quote or not first:
            self._logger.debug("lc_costkit %s failed", where, exc_info=error)

    @property
    def counts(self) -> dict[str, int]:
        """Faults so far, by ``place: error type``."""
        with self._lock:
            return dict(self._counts)

    @property
    def total(self) -> int:
        """All faults so far."""
        with self._lock:
            return sum(self._counts.values())

    def __repr__(self) -> str:
        counts = ", ".join(f"{kind} x{count}" for kind, count in self.counts.items())
        return f"Faults({counts or 'none'})"

    def __getstate__(self) -> dict[str, object]:
        return {"logger": self._logger.name}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.__init__(logging.getLogger(state["logger"]))  # type: ignore[misc]


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0][:300] if lines else "no message"
