"""Where do the vectors come from?

``bundled_embedder()`` needs nothing but the package; ``as_embedder(obj)`` takes any
LangChain or LlamaIndex embedding object, or a function, in its place.
"""

from __future__ import annotations

from lc_costkit.embedding.bundled import BundledEmbedder, bundled_embedder
from lc_costkit.embedding.protocol import Embedder, ReadyEmbedder
from lc_costkit.embedding.wrap import WrappedEmbedder, as_embedder

__all__ = [
    "BundledEmbedder",
    "Embedder",
    "ReadyEmbedder",
    "WrappedEmbedder",
    "as_embedder",
    "bundled_embedder",
]
