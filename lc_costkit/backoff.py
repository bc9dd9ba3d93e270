"""Is it time to try again what has just failed?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from lc_costkit.errors import StoreError

REST_SECONDS = 5.0
"""The first rest: what locked the store for a moment is through by then, and few calls pay for an attempt."""

LONGEST_REST_SECONDS = 60.0
"""The rest doubles up to this, so that a store that came back is in use again within a minute."""


class StoreResting(StoreError):
    """The store failed a moment ago and is left alone, so that calls do not wait for it."""

    def __init__(self) -> None:
        super().__init__("the store could not be used a moment ago and is left alone for some seconds")


class Backoff:
    """Lets everything through until something fails; then one attempt after each rest.

    Args:
        clock: monotonic seconds.

    >>> now = 0.0
    >>> backoff = Backoff(clock=lambda: now)
    >>> backoff.failed(), backoff.may_try()
    (None, False)
    >>> now = REST_SECONDS
    >>> backoff.may_try(), backoff.may_try()
    (True, False)
    >>> backoff.succeeded(), backoff.may_try()
    (None, True)
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rest = 0.0
        self._until = 0.0
        self._trying = False

    def may_try(self) -> bool:
        """Tell whether to try; after a rest only the first to ask may, until it says how it went."""
        if not self._rest:
            return True
        with self._lock:
            now = self._clock()
            if now < self._until:
                return False
            # Whoever never says how it went holds the others up for one more rest only.
            self._until = now + self._rest
            self._trying = True
            return True

    def failed(self) -> None:
        """Rest, twice as long as the last time; attempts that began before the rest do not prolong it."""
        with self._lock:
            now = self._clock()
            if self._rest and not self._trying and now < self._until:
                return
            self._rest = min(self._rest * 2, LONGEST_REST_SECONDS) or REST_SECONDS
            self._until = now + self._rest
            self._trying = False

    def succeeded(self) -> None:
        """Let everything through again."""
        if self._rest:
            with self._lock:
                self._rest = self._until = 0.0
                self._trying = False

    @property
    def seconds_left(self) -> float:
        """How long the rest still takes; 0 where there is none."""
        return max(0.0, self._until - self._clock()) if self._rest else 0.0
