"""What did the lookup find for a call that is still under way?

LangChain calls ``lookup`` and, when the model has answered, ``update`` with the same two
strings and nothing to join them by.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

from lc_costkit.cache.key import CacheRequest
from lc_costkit.cache.results import Miss

_MAX_CALLS = 4_096
_MAX_ALIKE = 64


class Pending:
    """Keeps misses until their answers come; of equal calls, the newest is taken first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[bytes, list[tuple[CacheRequest, Miss]]] = OrderedDict()

    def put(self, prompt: str, llm_string: str, request: CacheRequest, miss: Miss) -> None:
        """Keep a miss; calls that failed leave theirs behind, so the number is bounded."""
        with self._lock:
            alike = self._found.setdefault(_digest(prompt, llm_string), [])
            alike.append((request, miss))
            del alike[:-_MAX_ALIKE]
            while len(self._found) > _MAX_CALLS:
                self._found.popitem(last=False)

    def take(self, prompt: str, llm_string: str) -> tuple[CacheRequest, Miss] | None:
        """Return what was kept for a call, and forget it."""
        key = _digest(prompt, llm_string)
        with self._lock:
            alike = self._found.get(key)
            if not alike:
                return None
            newest = alike.pop()
            if not alike:
                del self._found[key]
            return newest


def _digest(prompt: str, llm_string: str) -> bytes:
    digest = hashlib.sha256(prompt.encode("utf-8", "surrogatepass"))
    digest.update(b"\x00" + llm_string.encode("utf-8", "surrogatepass"))
    return digest.digest()
