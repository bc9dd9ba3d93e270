"""What do words mean, and how much does each weigh, by the shipped table?

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
"""Rows of the table that a word consists of, a Korean one by its English gloss; none for a word in another script."""

UNKNOWN_WEIGHT = 1.5
"""Of a word without a row: the median length of the rows of the table."""


@lru_cache(maxsize=32_768)
def word_rows(word: str) -> WordRows:
    """Find the rows of a word.

    >>> word_rows("password") == word_rows("비밀번호를"), word_rows("пароль")
    (True, ())
    """
    embedder = bundled_embedder()
    if "가" <= word[:1] <= "힣":
        return embedder.rows_of_korean(word)
    pieces = embedder.pieces
    rows = chain.from_iterable(pieces.rows(part) for part in split_words(word))
    return tuple(row for row in rows if row != pieces.unknown_row)


def directions(words: Sequence[WordRows]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the directions of words, (words, dimensions) of length 1 or 0, and how much each weighs.

    >>> found, weights = directions([word_rows(word) for word in ("buy", "purchase", "the")])
    >>> bool(found[0] @ found[1] > 0.8), bool(weights[1] > 1 > 0.5 > weights[2])
    (True, True)
    """
    taken = bundled_embedder().rows(list(chain.from_iterable(words)))
    if len(taken) == len(words) and all(words):
        sums = taken
    else:
        # Most words have one row; np.add.reduceat takes longer than the few sums there are.
        sums = np.zeros((len(words), taken.shape[1]), np.float32)
        start = 0
        for place, rows in enumerate(words):
            if rows:
                sums[place] = taken[start] if len(rows) == 1 else taken[start : start + len(rows)].sum(axis=0)
                start += len(rows)
    weights = np.sqrt(np.einsum("nd,nd->n", sums, sums))
    sums /= np.maximum(weights, 1e-9)[:, None]
    return sums, weights
