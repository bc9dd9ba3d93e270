"""The LlamaIndex face: the same cache, router, pruner and meter, over the same core."""

from __future__ import annotations

from lc_costkit.errors import MissingDependency

try:
    import llama_index.core  # noqa: F401
except ImportError as error:
    raise MissingDependency("lc_costkit.llama_index", "llama-index") from error
