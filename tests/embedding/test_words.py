"""Does the table say what words mean and how much they weigh?"""

from __future__ import annotations

import numpy as np
import pytest

from lc_costkit.embedding import bundled_embedder
from lc_costkit.embedding.words import directions, word_rows


def test_the_sum_of_rows_is_the_sum_of_words() -> None:
    words = [word_rows(word) for word in ("unbelievable", "refund", "пароль", "wi-fi")]
    assert [len(rows) for rows in words][2] == 0
    assert max(map(len, words)) > 1
    found, weights = directions(words)
    table = bundled_embedder()
    for rows, direction, weight in zip(words, found, weights, strict=True):
        expected = table.rows(rows).sum(axis=0) if rows else np.zeros(found.shape[1])
        assert direction * weight == pytest.approx(expected, abs=1e-4)


def test_directions_have_length_one_or_none() -> None:
    found, weights = directions([word_rows("mortgage"), (), word_rows("the")])
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 0, 1], abs=1e-5)
    assert weights[0] > weights[2] > weights[1] == 0


def test_no_words_have_no_directions() -> None:
    found, weights = directions([])
    assert len(found) == len(weights) == 0
