"""Which pair is put to a person next, and what becomes of the answer?"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lc_costkit.cache.pair_log import PairLog
from lc_costkit.cache.seen_pairs import LoggedPair


@dataclass(frozen=True, slots=True)
class _Step:
    """What was said of a pair; ``None`` where it was skipped."""

    pair: LoggedPair
    same: bool | None = None


class LabelSession:
    """Puts pairs drawn at random to a person, one after the other; every answer is kept at once.

    Two questions that were answered once are not asked again: a draw that shows them again gets
    the same label, when its turn comes.

    Args:
        log: where pairs are drawn from and labels are kept.
        limit: how many pairs to ask about at most.
        min_score: lowest score to draw from, 0 to 1.
        seed: makes the draw repeatable.
        decider: whose decisions; ``None`` is the log's own.
    """

    def __init__(
        self,
        log: PairLog,
        *,
        limit: int,
        min_score: float = 0.0,
        seed: int | None = None,
        decider: str | None = None,
    ) -> None:
        self._log = log
        self._limit = limit
        self._min_score = min_score
        self._seed = seed
        self._decider = decider
        self._waiting: deque[LoggedPair] = deque()
        self._steps: list[_Step] = []
        self._drawn: set[int] = set()
        self._said: dict[str, bool] = {}
        self._again: dict[str, list[LoggedPair]] = {}

    @property
    def labelled(self) -> int:
        """Pairs of this session that have a label now."""
        return sum(step.same is not None for step in self._steps)

    @property
    def skipped(self) -> int:
        """Pairs of this session that were put to the person and have no label."""
        return self.asked - self.labelled

    @property
    def asked(self) -> int:
        """Pairs that were put to the person, the skipped ones too."""
        return len(self._steps)

    def current(self) -> LoggedPair | None:
        """Return the pair to decide about; ``None`` where the limit is reached or nothing is left."""
        while self.asked < self._limit:
            if not self._waiting and not self._draw():
                return None
            pair = self._waiting[0]
            if pair.key not in self._said:
                return pair
            self._log.try_label(pair.id, self._said[pair.key])
            self._again.setdefault(pair.key, []).append(self._waiting.popleft())
        return None

    def answer(self, *, same: bool) -> bool:
        """Label the current pair; ``False`` where it is gone meanwhile, deleted or too old, and nothing was kept."""
        pair = self._waiting.popleft()
        kept = self._log.try_label(pair.id, same)
        self._steps.append(_Step(pair, same if kept else None))
        if kept:
            self._said[pair.key] = same
        return kept

    def skip(self) -> None:
        """Leave the current pair without a label; it may be drawn again in another session."""
        self._steps.append(_Step(self._waiting.popleft()))

    def undo(self) -> bool:
        """Take the last answer back and ask again; tell whether there was one."""
        if not self._steps:
            return False
        step = self._steps.pop()
        if step.same is not None:
            self._log.unlabel(step.pair)
            del self._said[step.pair.key]
            self._waiting.extendleft(reversed(self._again.pop(step.pair.key, [])))
        self._waiting.appendleft(step.pair)
        return True

    def _draw(self) -> bool:
        missing = self._limit - self.asked
        # What was skipped still has no label, and is drawn again with the rest.
        skipped = sum(step.same is None for step in self._steps)
        drawn = self._log.sample(missing + skipped, min_score=self._min_score, seed=self._seed, decider=self._decider)
        fresh = [pair for pair in drawn if pair.id not in self._drawn][:missing]
        self._drawn |= {pair.id for pair in fresh}
        self._waiting.extend(fresh)
        return bool(fresh)


def answer_text(payload: str) -> str:
    """Return what a stored answer says, whichever adapter wrote it: the longest text in it.

    >>> answer_text('[{"kwargs": {"text": "In the settings.", "type": "ChatGeneration"}}]')
    'In the settings.'
    """
    try:
        data = json.loads(payload)
    except ValueError:
        return payload
    return max(_texts(data), key=len, default="")


def _texts(data: object, name: str = "text") -> Iterator[str]:
    if isinstance(data, str):
        if name in ("text", "content"):
            yield data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _texts(value, str(key))
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value, name)
