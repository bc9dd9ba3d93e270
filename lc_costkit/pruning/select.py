"""Which sentences fit the budget, and what is sent of them?"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence

from lc_costkit.pruning.result import Passage
from lc_costkit.pruning.split import Span

_MOST_REFILLS = 16
"""How many skipped sentences are tried again once the exact count is known."""


class Selection:
    """Sentences being chosen, with the exact token count of what they make.

    Args:
        passages: the passages.
        sentences: ``(passage, span)`` of every sentence, in order.
        costs: tokens of each sentence by itself.
        count: counts the tokens of a text.
        joiner: stands between pieces of a passage that were not neighbours.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        sentences: Sequence[tuple[int, Span]],
        costs: Sequence[int],
        count: Callable[[str], int],
        joiner: str,
    ) -> None:
        self._passages = passages
        self._sentences = sentences
        self._costs = costs
        self._count = count
        self._joiner = joiner
        self._tokens: dict[int, int] = {}
        self._kept: dict[int, set[int]] = {}
        self._seen: set[tuple[str | None, str]] = set()

    @property
    def kept(self) -> set[int]:
        """Positions of the sentences chosen so far."""
        return set().union(*self._kept.values())

    @property
    def tokens(self) -> int:
        """Exact tokens of everything that would be sent."""
        return sum(self._tokens.values())

    def spans(self) -> dict[int, tuple[Span, ...]]:
        """Return the pieces that stay of each passage; neighbours make one piece."""
        return {passage: self._runs(kept) for passage, kept in sorted(self._kept.items()) if kept}

    def take(self, positions: Iterable[int]) -> None:
        """Choose these sentences whatever they cost."""
        for passage in {self._add(position) for position in positions}:
            self._recount(passage)

    def fill(self, order: Sequence[int], budget: int) -> None:
        """Choose from ``order``, best first, what fits into ``budget`` tokens beside what is chosen."""
        joiner_tokens = self._count(self._joiner) if self._joiner else 0
        left = budget - self.tokens
        skipped: list[int] = []
        for position in order:
            if self._words(position) in self._seen:
                continue
            beside = self._kept.get(self._sentences[position][0], set())
            joins = bool(beside) and beside.isdisjoint((position - 1, position + 1))
            cost = self._costs[position] + (joiner_tokens if joins else 0)
            if cost > left:
                skipped.append(position)
            else:
                left -= cost
                self._add(position)
        for passage in self._kept:
            self._recount(passage)
        self._mend(order, skipped, budget)

    def _mend(self, order: Sequence[int], skipped: Sequence[int], budget: int) -> None:
        """Hold the exact budget: pieces do not add up, since tokens merge over seams and neighbours need no joiner."""
        kept = self.kept
        worst_first = iter([position for position in reversed(order[1:]) if position in kept])
        while (excess := self.tokens - budget) > 0 and (dropped := self._worth(worst_first, (excess + 1) // 2)):
            self._drop(dropped)
        room = budget - self.tokens
        for position in [p for p in skipped if self._costs[p] <= room][:_MOST_REFILLS]:
            if self._words(position) not in self._seen:
                self.take([position])
                if self.tokens > budget:
                    self._drop([position])

    def _worth(self, positions: Iterator[int], tokens: int) -> list[int]:
        """Take sentences from ``positions`` until they cost ``tokens``: a recount for each would be slow."""
        taken: list[int] = []
        while tokens > 0 and (position := next(positions, None)) is not None:
            taken.append(position)
            tokens -= self._costs[position]
        return taken

    def _add(self, position: int) -> int:
        passage = self._sentences[position][0]
        self._kept.setdefault(passage, set()).add(position)
        self._seen.add(self._words(position))
        return passage

    def _drop(self, positions: Sequence[int]) -> None:
        for position in positions:
            self._kept[self._sentences[position][0]].discard(position)
            self._seen.discard(self._words(position))
        for passage in {self._sentences[position][0] for position in positions}:
            self._recount(passage)

    def _recount(self, passage: int) -> None:
        kept = self._kept[passage]
        text = joined(self._passages[passage].text, self._runs(kept), self._joiner) if kept else ""
        self._tokens[passage] = self._count(text) if text else 0

    def _runs(self, kept: set[int]) -> tuple[Span, ...]:
        runs: list[Span] = []
        previous = None
        for position in sorted(kept):
            span = self._sentences[position][1]
            if runs and previous == position - 1:
                runs[-1] = Span(runs[-1].start, span.end)
            else:
                runs.append(span)
            previous = position
        return tuple(runs)

    def _words(self, position: int) -> tuple[str | None, str]:
        """Return the sentence as it compares: overlapping chunks repeat sentences, and one copy is enough.

        Under another title the same words say something else.
        """
        index, span = self._sentences[position]
        passage = self._passages[index]
        return passage.title, " ".join(span.of(passage.text).split()).casefold()


def joined(text: str, spans: Sequence[Span], joiner: str) -> str:
    """Return the pieces of ``text`` with ``joiner`` between them.

    >>> joined("One. Two. Three.", [Span(0, 4), Span(10, 16)], " … ")
    'One. … Three.'
    """
    return joiner.join(span.of(text) for span in spans)


def fitting_prefix(text: str, span: Span, budget: int, count: Callable[[str], int]) -> Span:
    """Return the longest start of ``span`` that costs at most ``budget`` tokens, at a word's end if it can be.

    One character is returned even when it alone costs more: a context must not become empty.

    >>> fitting_prefix("to be or not to be", Span(0, 18), 3, lambda piece: len(piece.split()))
    Span(start=0, end=8)
    """
    low, high = 1, span.end - span.start
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[span.start : span.start + middle]) <= budget:
            low = middle
        else:
            high = middle - 1
    end = span.start + low
    if end < span.end:
        end = _word_end(text, span.start, end)
    while end > span.start + 1 and (text[end - 1].isspace() or count(text[span.start : end]) > budget):
        end -= 1
    return Span(span.start, end)


def _word_end(text: str, start: int, end: int) -> int:
    """Return the nearest end of a word at or before ``end``, or ``end`` outside a combined character."""
    if not text[end].isspace():
        space = max(text.rfind(" ", start, end), text.rfind("\n", start, end))
        if space > start + (end - start) // 2:
            return space
    while end > start + 1 and unicodedata.category(text[end])[0] == "M":
        end -= 1
    return end


def relative(scores: Sequence[float]) -> list[float]:
    """Return scores as shares of the way from the worst of them (0) to the best (1); all alike are all best.

    >>> relative([2.0, 4.0, 3.0])
    [0.0, 1.0, 0.5]
    """
    low, high = min(scores), max(scores)
    return [(score - low) / (high - low) if high > low else 1.0 for score in scores]
