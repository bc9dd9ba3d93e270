"""What time does the fake provider think it is?"""

from __future__ import annotations

import math
import threading
import time
from datetime import UTC, datetime, timedelta

from lc_costkit.errors import ConfigurationError


class FakeClock:
    """A clock that runs like the real one and can be moved forward by a test.

    Args:
        start: the time it shows first, with a time zone; now by default.

    Raises:
        ConfigurationError: ``start`` has no time zone, or ``advance`` is asked to go back.

    >>> clock = FakeClock(start=datetime(2026, 11, 20, tzinfo=UTC))
    >>> clock.advance(3600)
    >>> clock.now() >= datetime(2026, 11, 20, 1, tzinfo=UTC)
    True
    """

    def __init__(self, *, start: datetime | None = None) -> None:
        if start is not None and start.tzinfo is None:
            raise ConfigurationError(f"start must have a time zone, got {start!r}; add tzinfo=UTC")
        self._start = start if start is not None else datetime.now(UTC)
        self._origin = time.monotonic()
        self._moved = 0.0
        self._lock = threading.Lock()

    def advance(self, seconds: float) -> None:
        """Move the clock forward by ``seconds``."""
        if not math.isfinite(seconds) or seconds < 0:
            raise ConfigurationError(f"a clock moves forward only: advance(seconds={seconds!r}) must be >= 0")
        with self._lock:
            self._moved += seconds

    def now(self) -> datetime:
        """The present moment, with a time zone."""
        with self._lock:
            moved = self._moved
        return self._start + timedelta(seconds=time.monotonic() - self._origin + moved)

    def timestamp(self) -> float:
        """The present moment in seconds since 1970."""
        return self.now().timestamp()
