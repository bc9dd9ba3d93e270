"""What has been learned about decisions since this process last looked, by whichever process?"""

from __future__ import annotations

import threading

from lc_costkit.cache.accept import Acceptor
from lc_costkit.cache.pair_log import PairLog
from lc_costkit.cache.points import Learned, PointStore
from lc_costkit.cache.seen_pairs import pair_hash

REJECTED = "rejected"
"""``gate`` of a candidate whose answer was called wrong for this question before."""

REJECTED_REASON = "this answer was rejected for this question"


class Learning:
    """Keeps rejected pairs and the operating point in step with the store.

    A namespace counts its changes, and every read of a candidate brings that number along: what
    another process learned holds here from the next candidate on, and costs a comparison.

    Args:
        log: where rejections are kept.
        points: where the operating point and the veto are kept.
        acceptor: whose operating point and veto to move.
        max_error_rate: what the user accepts; a point that was certified for more is not taken.
    """

    def __init__(self, log: PairLog, points: PointStore, acceptor: Acceptor, *, max_error_rate: float) -> None:
        self._log = log
        self._points = points
        self._acceptor = acceptor
        self._max_error_rate = max_error_rate
        self._lock = threading.Lock()
        self._changes: int | None = None
        self._rejected: frozenset[str] = frozenset()

    def catch_up(self, changes: int) -> None:
        """Read again what was learned, if the count of changes is not the one seen last.

        Raises:
            StoreError: it cannot be read; the candidate must not be served then.
        """
        if changes == self._changes:
            return
        with self._lock:
            if changes != self._changes:
                self._rejected = self._log.rejected_hashes()
                self._take_in(self._points.load())
                self._changes = changes

    def refuses(self, cached: str, new: str) -> bool:
        """Tell whether one of the two questions must not get the answer to the other."""
        rejected = self._rejected
        return bool(rejected) and (pair_hash(cached, new) in rejected or pair_hash(new, cached) in rejected)

    def _take_in(self, learned: Learned | None) -> None:
        """Move the acceptor to what was learned."""
