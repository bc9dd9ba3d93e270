from __future__ import annotations

import numpy as np

from lc_costkit.embedding.table import Layer, TokenTable, load_table
from lc_costkit.embedding.wordpiece import WordPiece

FLAT = Layer(*(np.zeros(shape, np.float32) for shape in ((2, 3), (3,), (3, 2), (2,))))


def _table(layer: Layer = FLAT) -> TokenTable:
    rows = np.array([[0, 0], [100, 0], [0, 50]], np.int8)
    return TokenTable(rows, np.array([1, 0.01, 0.06], np.float32), layer, WordPiece(["[UNK]", "a", "b"]))


def test_a_text_is_the_scaled_sum_of_its_rows() -> None:
    made = _table().vectors([[1], [1, 2, 2], [], [2]])
    assert np.allclose(made, [[1, 0], [1 / np.sqrt(37), 6 / np.sqrt(37)], [0, 0], [0, 1]], atol=1e-6)


def test_no_text_and_no_rows() -> None:
    assert _table().vectors([]).shape == (0, 2)
    assert not _table().vectors([[], []]).any()


def test_the_layer_equals_the_plain_product() -> None:
    chance = np.random.default_rng(3)
    up, down = (chance.standard_normal(shape).astype(np.float32) for shape in ((256, 500), (500, 256)))
    offsets = chance.standard_normal(500).astype(np.float32), chance.standard_normal(256).astype(np.float32)
    rows = chance.standard_normal((5, 256)).astype(np.float32)
    expected = rows + np.maximum(rows @ up + offsets[0], 0) @ down + offsets[1]
    assert np.allclose(Layer(up, offsets[0], down, offsets[1]).bend(rows), expected, rtol=1e-4, atol=1e-2)


def test_an_empty_text_stays_zero_whatever_the_layer_adds() -> None:
    layer = Layer(*(np.ones(shape, np.float32) for shape in ((2, 3), (3,), (3, 2), (2,))))
    assert not _table(layer).vectors([[]]).any()


def test_what_ships_fits_together() -> None:
    table, rarity = load_table()
    assert table.dimensions == 256
    assert rarity.dtype == np.uint8
    assert table.pieces.rows("password") != (table.pieces.unknown_row,)
