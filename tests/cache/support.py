"""What do the tests of the cache engine share?"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lc_costkit.cache.key import CacheRequest, Turn


class WordsEmbedder:
    """Hashes words into a few dimensions: alike where words are shared, and quick to make."""

    def __init__(self, identity: str = "words-v1", dimensions: int = 64) -> None:
        self.identity = identity
        self.dimensions = dimensions
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().replace("?", "").split():
                row[zlib.crc32(word.encode()) % self.dimensions] += 1
            length = float(np.linalg.norm(row))
            if length:
                row /= length
        return rows


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def ask(question: str, *, system: str = "You help.", settings: str = "{}", model: str = "gpt-4o-mini") -> CacheRequest:
    """A request with a system prompt and one question."""
    turns = (Turn(role="system", text=system), Turn(role="human", text=question))
    return CacheRequest(turns=turns, settings=settings, model=model)


def vectors(count: int, dimensions: int = 16, seed: int = 0) -> Iterator[NDArray[np.float32]]:
    """Random directions."""
    made = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    yield from made / np.linalg.norm(made, axis=1, keepdims=True)
