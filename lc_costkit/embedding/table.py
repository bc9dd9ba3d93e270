"""What does the token table say of a text?

One row of 8-bit numbers a token, and one scale. A text is the sum of its rows.
Numpy only; the file is mapped, not read, so loading is quick and processes share
the pages.
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


class TokenTable:
    """Sums rows of the table; safe to share between threads.

    Args:
        rows: (tokens, dimensions), int8.
        scales: (tokens,), what one step of a row is worth.
        pieces: splits words into row numbers.
    """

    def __init__(self, rows: NDArray[np.int8], scales: NDArray[np.float32], pieces: WordPiece) -> None:
        self._rows = rows
        self._scales = scales
        self.pieces = pieces
        self.dimensions = int(rows.shape[1])

    def sums(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(texts, dimensions) sums of the rows of each text, zero where a text has none; not normalised."""
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


def load_table() -> tuple[TokenTable, NDArray[np.uint8]]:
    """The table shipped with the package and the rarity of Korean syllables.

    Raises:
        OSError: the installation is incomplete.
    """
    folder = files("lc_costkit.embedding") / "data"
    tokens = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    rows, scales, rarity = (_array(folder / name) for name in ("table.npy", "scales.npy", "korean_rarity.npy"))
    return TokenTable(rows, scales, WordPiece(token for token in tokens if token)), rarity


def _array(place: Traversable) -> NDArray[Any]:
    if isinstance(place, Path):
        # A mapped file, not np.memmap: indexing an array subclass costs microseconds on every question.
        return np.asarray(np.load(place, mmap_mode="r"))
    with place.open("rb") as stream:
        return np.asarray(np.load(BytesIO(stream.read())))
