"""When may a stored answer stand for a new call?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lc_costkit.cache.declared import DeclaredQuestion, question
    from lc_costkit.cache.engine import Cache
    from lc_costkit.cache.explain import Explanation
    from lc_costkit.cache.key import CacheKey, CacheRequest, Turn
    from lc_costkit.cache.results import Hit, LookupCost, Miss
    from lc_costkit.cache.stats import CacheStats
else:
    _HOMES = {
        "Cache": "engine",
        "CacheKey": "key",
        "CacheRequest": "key",
        "CacheStats": "stats",
        "DeclaredQuestion": "declared",
        "Explanation": "explain",
        "Hit": "results",
        "LookupCost": "results",
        "Miss": "results",
        "Turn": "key",
        "question": "declared",
    }

    def __getattr__(name: str) -> object:
        # Lazy, so that key.py can be used without the store and the embedder behind the engine.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = [
    "Cache",
    "CacheKey",
    "CacheRequest",
    "CacheStats",
    "DeclaredQuestion",
    "Explanation",
    "Hit",
    "LookupCost",
    "Miss",
    "Turn",
    "question",
]
