"""Which words of two questions mean alike?

Read off the shipped word table once for a pair and kept with the new question, since
gates and score ask for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lc_costkit.cache.prepare import Prepared
from lc_costkit.embedding.words import UNKNOWN_WEIGHT, WordRows, directions, word_rows

SAME_THING = 0.6
"""Likeness from which two words may be two names of one thing. Of 40 pairs of names of one thing 31 reach it ("fix"
and "repair" have .71), of 50 pairs of two things of a kind 6 ("Monday" and "Tuesday"; "gold" and "silver" have .55),
which other gates know."""

_FUNCTION_WEIGHT = 0.5
"""Of a word without topic that the table does not know."""
_POORLY_COVERED = 3
"""Pieces from which on a word's direction is no evidence: two drugs whose names begin alike share a piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """How the words of two questions compare; places are those of ``Prepared.tokens``.

    Attributes:
        alike: cosines between words, (words of the cached question, words of the new one).
        cached_weights: how much each word of the cached question matters.
        new_weights: the same of the new one.
        cached_known: which words of the cached question the table knows well.
        new_known: the same of the new one.
        cosine: cosine between the sums of the words.
    """

    alike: NDArray[np.float32]
    cached_weights: list[float]
    new_weights: list[float]
    cached_known: list[bool]
    new_known: list[bool]
    cosine: float

    def best(self, place: int, others: Iterable[int], *, of_cached: bool) -> float:
        """Return how alike a word is to the nearest of some words of the other question; 0 where unknown."""
        known, against = (self.cached_known, self.new_known) if of_cached else (self.new_known, self.cached_known)
        if not known[place]:
            return 0.0
        row = self.alike[place] if of_cached else self.alike[:, place]
        return max((float(row[other]) for other in others if against[other]), default=0.0)


def meaning(cached: Prepared, new: Prepared) -> Meaning:
    """Compare two questions word by word; the last result is kept with the new one."""
    kept: tuple[Prepared, Meaning] | None = new.__dict__.get("_meaning")
    if kept is not None and kept[0] is cached:
        return kept[1]
    made = _compare(cached, new)
    new.__dict__["_meaning"] = (cached, made)
    return made


def places(text: Prepared, stems: Sequence[str]) -> list[int]:
    """Return where topic words stand in ``tokens``, one place for each stem."""
    by_stem = {token.stem: place for place, token in enumerate(text.tokens) if token.content}
    return [by_stem[each] for each in stems if each in by_stem]


def topic_places(text: Prepared) -> list[int]:
    """Return where all topic words stand in ``tokens``."""
    return [place for place, token in enumerate(text.tokens) if token.content]


def _compare(cached: Prepared, new: Prepared) -> Meaning:
    rows, others = _rows(cached), _rows(new)
    split = len(rows)
    found, lengths = directions((*rows, *others))
    left, right = found[:split], found[split:]
    one, other = lengths[:split] @ left, lengths[split:] @ right
    product = float(np.sqrt((one @ one) * (other @ other)))
    weights = lengths.tolist()
    return Meaning(
        alike=left @ right.T,
        cached_weights=_weights(cached, rows, weights[:split]),
        new_weights=_weights(new, others, weights[split:]),
        cached_known=[0 < len(each) < _POORLY_COVERED for each in rows],
        new_known=[0 < len(each) < _POORLY_COVERED for each in others],
        cosine=max(0.0, float(one @ other) / product) if product else 0.0,
    )


def _weights(text: Prepared, rows: Sequence[WordRows], weights: list[float]) -> list[float]:
    return [
        weight if known else UNKNOWN_WEIGHT if token.content else _FUNCTION_WEIGHT
        for token, known, weight in zip(text.tokens, rows, weights, strict=True)
    ]


def _rows(text: Prepared) -> tuple[WordRows, ...]:
    kept: tuple[WordRows, ...] | None = text.__dict__.get("_rows")
    if kept is None:
        kept = text.__dict__["_rows"] = tuple(word_rows(token.word) for token in text.tokens)
    return kept
