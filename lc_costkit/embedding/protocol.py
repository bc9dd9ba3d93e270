"""What must an embedder offer?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors whose dot product says how alike the texts are."""

    @property
    def identity(self) -> str:
        """Stored beside the vectors; vectors of another identity are never compared with these."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimensions) rows of length 1; a row of zeros says that a text cannot be embedded."""
        ...


@runtime_checkable
class ReadyEmbedder(Embedder, Protocol):
    """What :func:`as_embedder` returns: checked, callable from async code, and with a price tag."""

    @property
    def priced_model(self) -> str | None:
        """The model whose price one call costs; None for one that costs nothing."""
        ...

    @property
    def max_characters(self) -> int:
        """Of a longer text only the two ends are read, so that its vector says nothing of the middle."""
        ...

    async def aembed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As ``embed``, without blocking the event loop."""
        ...
