"""What does the token table say of a text?

One row of 8-bit numbers a token, and one scale. A text is the sum of its rows, bent
by one hidden layer that knows what words say together. Numpy only; the file is
mapped, not read, so loading is quick and processes share the pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lc_costkit.embedding.wordpiece import WordPiece

_BLOCK_NUMBERS = 8192
"""Of a weight matrix multiplied at once: OpenBLAS starts threads above 9,216, which on a busy machine
turns 5 microseconds into milliseconds now and then."""


class Layer:
    """The hidden layer: ``x + down(relu(up(x)))`` for a row x of length 1.

    Args:
        up: (dimensions, hidden).
        up_offset: (hidden,).
        down: (hidden, dimensions).
        down_offset: (dimensions,).
    """

    def __init__(
        self,
        up: NDArray[np.float32],
        up_offset: NDArray[np.float32],
        down: NDArray[np.float32],
        down_offset: NDArray[np.float32],
    ) -> None:
        self._up, self._up_offset = _in_blocks(up), up_offset
        self._down, self._down_offset = _in_blocks(down), down_offset

    def bend(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, dimensions) of length 1 in, of about length 1 out."""
        hidden = _times_blocks(rows, self._up)
        hidden += self._up_offset
        np.maximum(hidden, 0, out=hidden)
        made = _times_blocks(hidden, self._down)
        made += self._down_offset
        made += rows
        return made


def _in_blocks(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m, n) as (blocks, m, n / blocks)."""
    height, width = weights.shape
    blocks = max(1, -(-height * width // _BLOCK_NUMBERS))
    while width % blocks:
        blocks += 1
    return np.ascontiguousarray(weights.reshape(height, blocks, width // blocks).transpose(1, 0, 2))


def _times_blocks(rows: NDArray[np.float32], blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    made: NDArray[np.float32] = np.matmul(rows, blocks)
    return made.transpose(1, 0, 2).reshape(len(rows), blocks.shape[0] * blocks.shape[2])


class TokenTable:
    """Turns row numbers into vectors; safe to share between threads.

    Args:
        rows: (tokens, dimensions), int8.
        scales: (tokens,), what one step of a row is worth.
        layer: bends the sums.
        pieces: splits words into row numbers.
    """

    def __init__(self, rows: NDArray[np.int8], scales: NDArray[np.float32], layer: Layer, pieces: WordPiece) -> None:
        self._rows = rows
        self._scales = scales
        self._layer = layer
        self.pieces = pieces
        self.dimensions = int(rows.shape[1])

    def vectors(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(texts, dimensions) rows of length 1, zero for a text without rows."""
        sums = self._sums(texts)
        empty = _normalise(sums)
        made = self._layer.bend(sums)
        made[empty] = 0
        _normalise(made)
        return made

    def rows(self, numbers: Sequence[int]) -> NDArray[np.float32]:
        """(numbers, dimensions) rows by number, at the length they have in a sum."""
        picked = np.fromiter(numbers, np.intp, len(numbers))
        taken = self._rows[picked].astype(np.float32)
        taken *= self._scales[picked, None]
        return taken

    def _sums(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(texts, dimensions) sums of the rows of each text, zero where a text has none."""
        made = np.zeros((len(texts), self.dimensions), np.float32)
        lengths = np.fromiter(map(len, texts), np.intp, len(texts))
        filled = np.flatnonzero(lengths)
        if filled.size == 0:
            return made
        numbers = np.fromiter(chain.from_iterable(texts), np.intp, int(lengths.sum()))
        taken = self._rows[numbers].astype(np.float32)
        taken *= self._scales[numbers, None]
        ends = np.cumsum(lengths[filled])
        made[filled] = np.add.reduceat(taken, np.concatenate(([0], ends[:-1])), axis=0)
        return made


def _normalise(rows: NDArray[np.float32]) -> NDArray[np.intp]:
    """Scale rows to length 1 in place; tells which are zero."""
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    empty = np.flatnonzero(lengths == 0)
    lengths[empty] = 1
    rows /= lengths[:, None]
    return empty


def load_table() -> tuple[TokenTable, NDArray[np.uint8]]:
    """The table shipped with the package and the rarity of Korean syllables.

    Raises:
        OSError: the installation is incomplete.
    """
    folder = files("lc_costkit.embedding") / "data"
    tokens = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    rows, scales, rarity = (_array(folder / name) for name in ("table.npy", "scales.npy", "korean_rarity.npy"))
    with np.load(BytesIO((folder / "layer.npz").read_bytes())) as packed:
        layer = Layer(
            packed["up"] * packed["up_scale"],
            packed["up_offset"],
            packed["down"] * packed["down_scale"],
            packed["down_offset"],
        )
    return TokenTable(rows, scales, layer, WordPiece(token for token in tokens if token)), rarity


def _array(place: Traversable) -> NDArray[Any]:
    if isinstance(place, Path):
        # A mapped file, not np.memmap: indexing an array subclass costs microseconds on every question.
        return np.asarray(np.load(place, mmap_mode="r"))
    with place.open("rb") as stream:
        return np.asarray(np.load(BytesIO(stream.read())))
