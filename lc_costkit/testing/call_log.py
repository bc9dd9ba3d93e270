"""What has the fake provider been asked, and what would it bill?"""

from __future__ import annotations

import threading
import time
from decimal import Decimal

from lc_costkit.testing.records import BilledCall


class CallLog:
    """The finished calls, in the order they ended, and how many are under way; thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[BilledCall] = []
        self._begun = 0
        self._under_way = 0

    def begin(self) -> int:
        """Count a request in; returns its number, from 1."""
        with self._changed:
            self._begun += 1
            self._under_way += 1
            return self._begun

    def add(self, call: BilledCall) -> None:
        """Keep a call whose outcome is known."""
        with self._changed:
            self._calls.append(call)

    def end(self) -> None:
        """Count a request out."""
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def wait_idle(self, timeout_seconds: float) -> bool:
        """Wait until no request is under way; False when that took too long."""
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            while self._under_way:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return not self._under_way
            return True

    @property
    def calls(self) -> list[BilledCall]:
        """A copy of the calls so far."""
        with self._changed:
            return list(self._calls)

    def clear(self) -> None:
        """Forget the calls so far; those under way are kept when they end."""
        with self._changed:
            self._calls.clear()


def total_usd(calls: list[BilledCall]) -> Decimal:
    """The sum of what is known; calls without a rate are left out."""
    return sum((call.usd for call in calls if call.usd is not None), Decimal(0))
