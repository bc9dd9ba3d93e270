"""How alike are two words, and how much does a word weigh, by the shipped table?

The table was fitted so that the sum of its rows says what a sentence is about. So the
direction of a word's row is what it means, and the length of the row is how much it matters:
"the" is 0.3 long, "card" 1.8, "password" 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lc_costkit.embedding.bundled import bundled_embedder
from lc_costkit.embedding.wordpiece import split_words

WordRows = tuple[int, ...]
"""Rows of the table that a word consists of; none for a word in another script."""

UNKNOWN_WEIGHT = 1.5
"""Of a word without a row: the median length of the rows of the table."""
_POORLY_COVERED = 3
"""Pieces; two drugs whose names begin alike share a piece and nothing else."""


@lru_cache(maxsize=32_768)
def word_rows(word: str) -> WordRows:
    """Find the rows of a word.

    >>> len(word_rows("password")), word_rows("비밀번호")
    (1, ())
    """
    pieces = bundled_embedder().pieces
    rows = chain.from_iterable(pieces.rows(part) for part in split_words(word))
    return tuple(row for row in rows if row != pieces.unknown_row)


def directions(words: Sequence[WordRows]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the directions of words, (words, dimensions) of length 1 or 0, and how much each weighs."""
    sums = bundled_embedder().word_sums(words)
    weights = np.sqrt(np.einsum("nd,nd->n", sums, sums))
    sums /= np.maximum(weights, 1e-9)[:, None]
    return sums, weights


@lru_cache(maxsize=32_768)
def word_weight(word: str) -> float:
    """Say how much a word matters, about 0.3 to 2.5.

    >>> word_weight("the") < 0.5 < 1.5 < word_weight("mortgage")
    True
    """
    rows = word_rows(word)
    return float(directions((rows,))[1][0]) if rows else UNKNOWN_WEIGHT


@lru_cache(maxsize=65_536)
def words_alike(one: str, other: str) -> float:
    """Compare what two words mean, -1 to 1; 0 where the table does not know one of them well.

    >>> words_alike("buy", "purchase") > 0.8, words_alike("gold", "silver") < 0.6
    (True, True)
    """
    rows = word_rows(one), word_rows(other)
    if not all(0 < len(each) < _POORLY_COVERED for each in rows):
        return 0.0
    pair, _ = directions(rows)
    return float(pair[0] @ pair[1])
