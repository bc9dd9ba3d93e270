"""What happens when somebody says that an answer was wrong, or that two questions are the same?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lc_costkit.cache.matcher import Matcher
from lc_costkit.cache.pair_log import PairLog
from lc_costkit.cache.results import Hit
from lc_costkit.cache.seen_pairs import SeenPair, text_hash
from lc_costkit.cache.store import Entry, EntryStore
from lc_costkit.errors import ConfigurationError
from lc_costkit.marks import MARK, CacheMark

Rejectable = int | Hit | CacheMark | Mapping[str, object] | Sequence[int]
"""What names a served answer: an entry's id or several, a ``Hit``, or the mark a hit carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """Which entries are meant, and what is known of how they were served."""

    ids: tuple[int, ...]
    question: str | None = None
    similarity: float | None = None
    to_the_letter: bool = False
    proven: bool = False


class Feedback:
    """Takes in what people say about served answers.

    Args:
        store: where entries are.
        log: where pairs are.
        matcher: to be told of entries that went.
        namespace: whose.
        flush: writes down what lookups have seen and not written yet.
    """

    def __init__(
        self, store: EntryStore, log: PairLog, matcher: Matcher, *, namespace: str, flush: Callable[[], None]
    ) -> None:
        self._store = store
        self._log = log
        self._matcher = matcher
        self._namespace = namespace
        self._flush = flush

    def reject(self, wrong: Rejectable, *, question: str | None = None) -> int:
        """Remove a wrong answer and remember for which question it was wrong; see ``Cache.reject``."""
        if question is not None and (not isinstance(question, str) or not question.strip()):
            raise ConfigurationError(
                f"reject(question=...) is the question that was answered wrongly, not {question!r}"
            )
        served = _read(wrong)
        self._flush()
        asked = served.question if question is None else question
        ids = self._meant(served.ids, asked)
        held = self._store.held(self._namespace, ids)
        pair = self._pair(served, ids, asked, held)
        if not held and pair is None and not served.proven:
            raise ConfigurationError(
                f"entry {', '.join(map(str, served.ids)) or 'none'} was never served from namespace "
                f"{self._namespace!r}, or is gone and forgotten; pass the answer as it was served, or its entry_id"
            )
        if pair is not None:
            # First: if the process dies now, the wrong answer is still held but not served to that question.
            self._log.reject(pair)
        gone = self._store.remove(self._namespace, [entry.id for entry in held])
        self._matcher.forget(list(ids))
        return gone

    def label(self, cached: str, new: str, *, same: bool) -> int:
        """Keep a pair with its label; see ``Cache.label``."""
        for name, text in (("cached", cached), ("new", new)):
            if not isinstance(text, str) or not text.strip():
                raise ConfigurationError(f"label() needs {name} as the text of a question, not {text!r}")
        if not isinstance(same, bool):
            raise ConfigurationError(f"label(same=...) must be True or False, not {same!r}")
        if same:
            self._log.allow(cached, new)
        seen = SeenPair(cached=cached, new=new, seen_at=time.time())
        return self._log.add_many([seen], same=same, source="given")[0]

    def _meant(self, ids: Sequence[int], question: str | None) -> tuple[int, ...]:
        """Of several entries with one answer, take those that were served to the question, if the log knows."""
        if len(ids) < 2 or question is None:
            return tuple(ids)
        return tuple(i for i in ids if self._log.last_served([i], new=question) is not None) or tuple(ids)

    def _pair(self, served: _Served, ids: Sequence[int], asked: str | None, held: Sequence[Entry]) -> SeenPair | None:
        """Return the pair for which the answer was wrong; none where an answer is wrong for its own question."""
        if asked is None:
            if served.to_the_letter:
                return None
            return self._log.last_served(ids, similarity=served.similarity) or self._log.last_served(ids)
        seen = self._log.last_served(ids, new=asked)
        if seen is not None:
            return seen
        before = self._log.last_served(ids)
        cached = held[0].question if held else None if before is None else before.cached
        if cached is None or text_hash(cached) == text_hash(asked):
            return None
        return SeenPair(
            cached=cached,
            new=asked,
            similarity=served.similarity,
            served=True,
            entry_id=ids[0],
            seen_at=time.time(),
        )


def _read(wrong: object) -> _Served:
    if isinstance(wrong, Hit):
        asked = None if wrong.tier == "exact" else wrong.key.question
        return _Served(
            ids=(wrong.entry.id,),
            question=asked,
            similarity=wrong.similarity,
            to_the_letter=wrong.tier == "exact",
            proven=True,
        )
    if isinstance(wrong, int) and not isinstance(wrong, bool):
        return _Served(ids=(wrong,))
    if isinstance(wrong, Sequence) and not isinstance(wrong, str) and all(type(item) is int for item in wrong):
        return _Served(ids=tuple(wrong))
    mark = wrong if isinstance(wrong, CacheMark) else _mark(wrong)
    if mark is None:
        raise ConfigurationError(
            f"reject() takes an entry's id, a Hit or the mark of a hit, not {wrong!r:.200}; "
            "the adapters' reject() takes their answers"
        )
    if mark.verdict != "hit" or mark.entry_id is None:
        raise ConfigurationError(
            f"this answer was never served from the cache: its lookup was a {mark.verdict!r}; "
            "pass the entry's id to remove what is stored"
        )
    return _Served(ids=(mark.entry_id,), similarity=mark.similarity, to_the_letter=mark.tier == "exact", proven=True)


def _mark(wrong: object) -> CacheMark | None:
    if isinstance(wrong, Mapping):
        inner = wrong.get(MARK)
        return CacheMark.from_dict(wrong) or (CacheMark.from_dict(inner) if isinstance(inner, Mapping) else None)
    return None
