"""Cut what a LangChain or LlamaIndex application spends on model calls, and prove it.

Importing this package loads neither framework, nor FAISS, nor an SDK: each name below
is loaded from its module when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lc_costkit.cache.declared import question
    from lc_costkit.errors import ConfigurationError, CostKitError, EmbedderError, MissingDependency, StoreError
    from lc_costkit.langchain.cache import SemanticCache
    from lc_costkit.langchain.callbacks import CostCallbackHandler
    from lc_costkit.langchain.compressor import ContextPruner
    from lc_costkit.langchain.retriever import PruningRetriever
    from lc_costkit.langchain.router import ModelRouter
    from lc_costkit.ledger import Ledger
    from lc_costkit.pricing import Cost, ModelPrice, PriceBook
    from lc_costkit.record import CallRecord
    from lc_costkit.report import Report
    from lc_costkit.routing.rules import Rules
    from lc_costkit.tokens import TokenCounter
    from lc_costkit.usage import TokenUsage
else:
    _HOMES = {
        "lc_costkit.cache.declared": ("question",),
        "lc_costkit.errors": ("ConfigurationError", "CostKitError", "EmbedderError", "MissingDependency", "StoreError"),
        "lc_costkit.langchain.cache": ("SemanticCache",),
        "lc_costkit.langchain.callbacks": ("CostCallbackHandler",),
        "lc_costkit.langchain.compressor": ("ContextPruner",),
        "lc_costkit.langchain.retriever": ("PruningRetriever",),
        "lc_costkit.langchain.router": ("ModelRouter",),
        "lc_costkit.ledger": ("Ledger",),
        "lc_costkit.pricing": ("Cost", "ModelPrice", "PriceBook"),
        "lc_costkit.record": ("CallRecord",),
        "lc_costkit.report": ("Report",),
        "lc_costkit.routing.rules": ("Rules",),
        "lc_costkit.tokens": ("TokenCounter",),
        "lc_costkit.usage": ("TokenUsage",),
    }

    def __getattr__(name: str) -> object:
        for home, names in _HOMES.items():
            if name in names:
                from importlib import import_module

                value = getattr(import_module(home), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted(set(globals()) | set(__all__))


__all__ = [
    "CallRecord",
    "ConfigurationError",
    "ContextPruner",
    "Cost",
    "CostCallbackHandler",
    "CostKitError",
    "EmbedderError",
    "Ledger",
    "MissingDependency",
    "ModelPrice",
    "ModelRouter",
    "PriceBook",
    "PruningRetriever",
    "Report",
    "Rules",
    "SemanticCache",
    "StoreError",
    "TokenCounter",
    "TokenUsage",
    "__version__",
    "question",
]
