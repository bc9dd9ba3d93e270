"""What has been learned about decisions since this process last looked, by whichever process?"""

from __future__ import annotations

import threading
from dataclasses import replace

from lc_costkit.cache.accept import Acceptor
from lc_costkit.cache.pair_log import PairLog
from lc_costkit.cache.point import OperatingPoint
from lc_costkit.cache.points import Learned, PointStore
from lc_costkit.cache.seen_pairs import pair_hash
from lc_costkit.cache.veto import LearnedVeto
from lc_costkit.faults import Faults

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
        max_error_rate: what the user accepts; a point for a higher rate is taken only where it is stricter.
        faults: where a point that cannot be read is told of.
    """

    def __init__(
        self, log: PairLog, points: PointStore, acceptor: Acceptor, *, max_error_rate: float, faults: Faults
    ) -> None:
        self._log = log
        self._points = points
        self._acceptor = acceptor
        self._max_error_rate = max_error_rate
        self._faults = faults
        self._shipped = acceptor.point
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
                self._load()
                self._changes = changes

    def load(self) -> None:
        """Serve from the operating point that was learned, else from the one that was shipped."""
        # One at a time: two at once could leave the point of one beside the veto of the other.
        with self._lock:
            self._load()

    def _load(self) -> None:
        learned: Learned | None = None
        veto: LearnedVeto | None = None
        try:
            learned = self._points.load()
            veto = None if learned is None or learned.veto is None else LearnedVeto.from_json(learned.veto)
        except ValueError as error:
            # A point that goes with a veto serves too much without it.
            learned = None
            self._faults.record("the operating point", error, "The policy decides alone; calibrate again")
        kept = None if learned is None else learned.point
        # The veto first: there must be no moment in which the point of a veto serves without it.
        if veto is not None:
            self._acceptor.veto = veto
        self._acceptor.move(self._shipped if kept is None else self._allowed(kept))
        self._acceptor.veto = veto

    def refuses(self, cached: str, new: str) -> bool:
        """Tell whether one of the two questions must not get the answer to the other."""
        rejected = self._rejected
        return bool(rejected) and (pair_hash(cached, new) in rejected or pair_hash(new, cached) in rejected)

    def _allowed(self, kept: OperatingPoint) -> OperatingPoint:
        """Return the kept point if the settings of today allow it."""
        shipped = self._shipped
        stricter = kept.min_score >= shipped.min_score
        if shipped.source == "threshold" and not stricter:
            return shipped  # the user named a cosine, and it is the lowest that is served
        if kept.max_error_rate is not None and kept.max_error_rate <= self._max_error_rate:
            return kept
        return replace(kept, certified=False) if stricter else shipped
