"""What did a semantic decision look at, and what is known about it?"""

from __future__ import annotations

import hashlib
import math
import os
import threading
import time
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal, get_args

from lc_costkit.cache.entry_rows import storable
from lc_costkit.cache.text import question_hash

LabelSource = Literal["label", "verified", "observed", "rejected", "given"]
"""``label``: somebody read a logged pair; ``verified``, ``observed``: a judge compared the answers live;
``rejected``: a served answer was called wrong; ``given``: a pair that somebody brought along."""

LABEL_SOURCES: tuple[LabelSource, ...] = get_args(LabelSource)

BY_PEOPLE: tuple[LabelSource, ...] = ("label", "rejected", "given")
"""What a person said holds for the same two questions whenever they meet again; a judge's word for one meeting."""

LIVE: tuple[LabelSource, ...] = ("verified", "observed")
"""What a judge said while the cache was at work."""

REFUSED_BY_SCORE = "score"
"""``refused_by`` of a candidate that every gate let pass, and whose score was too low."""

# Decisions that may wait in memory for the next flush, about a second: as many as one process
# makes under full load. More are let go, so that a flush never holds a call up for long.
MOST_PENDING = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPair:
    """One decision about a candidate, as the traffic brought it: the same two questions may come again.

    Attributes:
        cached: the stored question.
        new: the new question.
        similarity: cosine between the two; ``None`` for a pair that no lookup has compared.
        score: what speaks for "same answer", 0 to 1; ``None`` where nothing was scored.
        crowd: mean cosine of the next ten stored questions, 0 to 1.
        refused_by: the gate that refused it, ``"score"``, or ``None`` where it could be served.
        served: the stored answer was served.
        entry_id: the entry whose answer it was about.
        seen_at: when, seconds since the epoch.
    """

    cached: str
    new: str
    similarity: float | None = None
    score: float | None = None
    crowd: float = 0.0
    refused_by: str | None = None
    served: bool = False
    entry_id: int | None = None
    seen_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedPair(SeenPair):
    """A decision in the store, with its label.

    Attributes:
        id: its number in the log.
        decider: identity of what decided; scores of two deciders do not compare.
        same: the stored answer is right for the new question; ``None`` without a label.
        source: where the label comes from.
        labelled_at: when it was labelled, seconds since the epoch.
        drawn_from: lowest score of the draw that put it to a person; ``None`` for what nobody drew: a
            label for it certifies nothing.
        counted: everything that was seen at its time is still kept, so that it may count in a share of the traffic.
    """

    id: int
    decider: str
    same: bool | None = None
    source: LabelSource | None = None
    labelled_at: float | None = None
    drawn_from: float | None = None
    counted: bool = True

    @property
    def key(self) -> str:
        """What it shares with every other decision about the same two questions."""
        return pair_hash(self.cached, self.new)


def text_hash(question: str) -> str:
    """Return the digest of a question as the log keeps it."""
    return question_hash(storable(question))


def pair_hash(cached: str, new: str) -> str:
    """Return the digest of a pair; which of the two is the stored one matters.

    >>> pair_hash("What is my PIN?", "Where is it?") == pair_hash("what is  my PIN", "Where is it?")
    True
    """
    return joined_hash(text_hash(cached), text_hash(new))


def joined_hash(cached_hash: str, new_hash: str) -> str:
    """Return the digest of a pair whose questions have these digests."""
    return hashlib.sha256(f"{cached_hash} {new_hash}".encode()).hexdigest()


_MOST_FORGOTTEN = 4_096
"""Questions deleted last whose digests are remembered, for checks that were under way then."""


class PendingPairs:
    """Keeps decisions in memory until they are written; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pairs: list[SeenPair] = []
        self._forgotten: OrderedDict[str | None, float] = OrderedDict()
        _forget_in_children(self)

    def add(self, pair: SeenPair) -> None:
        """Keep a decision, unless there are too many."""
        with self._lock:
            if len(self._pairs) < MOST_PENDING:
                self._pairs.append(pair)

    def take(self) -> list[SeenPair]:
        """Hand over what is pending. What cannot be written then is lost, and does not pile up."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        return pairs

    def remove(self, pair: SeenPair) -> bool:
        """Take one decision out; tell whether it was still here."""
        with self._lock:
            for place, waiting in enumerate(self._pairs):
                if waiting is pair:
                    del self._pairs[place]
                    return True
        return False

    def forget(self, question: str | None = None) -> None:
        """Drop what is pending, or only what holds this question."""
        wanted = None if question is None else text_hash(question)
        with self._lock:
            self._forgotten[wanted] = time.time()
            self._forgotten.move_to_end(wanted)
            while len(self._forgotten) > _MOST_FORGOTTEN:
                self._forgotten.popitem(last=False)
            self._pairs = [
                pair
                for pair in self._pairs
                if wanted is not None and wanted not in (text_hash(pair.cached), text_hash(pair.new))
            ]

    def is_forgotten(self, pair: SeenPair) -> bool:
        """Tell whether a decision was made before somebody had it forgotten: a check of it may still be under way."""
        with self._lock:
            times = [
                self._forgotten.get(wanted, -math.inf) for wanted in (None, text_hash(pair.cached), text_hash(pair.new))
            ]
        return pair.seen_at <= max(times)

    def renew(self) -> None:
        """Start empty: after a fork, the parent writes what was pending."""
        self._lock = threading.Lock()
        self._pairs = []


def _forget_in_children(pending: PendingPairs) -> None:
    if hasattr(os, "register_at_fork"):
        reference = weakref.ref(pending)

        def renew() -> None:
            alive = reference()
            if alive is not None:
                alive.renew()

        os.register_at_fork(after_in_child=renew)
