"""What did the lookup find for a call that is still under way?

LangChain calls ``lookup`` and, when the model has answered, ``update`` with the same two
strings and nothing to join them by.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import replace

from lc_costkit.cache.key import CacheRequest
from lc_costkit.cache.results import Miss

_MAX_CALLS = 4_096
_MAX_CHARACTERS = 8_000_000
"""Of the questions of all calls; a question to the letter only may be a whole document."""

Found = tuple[CacheRequest, Miss]


class Pending:
    """Keeps misses until their answers come; of equal calls, the newest is taken first.

    A call that failed never comes back for its miss. So only what storing needs is kept of
    one, and the oldest go when there are too many; their answers are stored all the same,
    after the prompt was read again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[bytes, list[Found]] = OrderedDict()
        self._calls = 0
        self._characters = 0

    def put(self, prompt: str, llm_string: str, request: CacheRequest, miss: Miss) -> None:
        """Keep a miss."""
        key = _digest(prompt, llm_string)
        if miss.key is not None:
            request = replace(request, turns=())
        if miss.verdict != "observed_hit":
            miss = replace(miss, candidate=None)
        with self._lock:
            self._found.setdefault(key, []).append((request, miss))
            self._found.move_to_end(key)
            self._count(miss, 1)
            while self._calls > _MAX_CALLS or (self._characters > _MAX_CHARACTERS and self._calls > 1):
                oldest = next(iter(self._found))
                self._drop(oldest, 0)

    def take(self, prompt: str, llm_string: str) -> Found | None:
        """Return what was kept for a call, and forget it."""
        key = _digest(prompt, llm_string)
        with self._lock:
            return self._drop(key, -1) if key in self._found else None

    def _drop(self, key: bytes, place: int) -> Found:
        alike = self._found[key]
        found = alike.pop(place)
        if not alike:
            del self._found[key]
        self._count(found[1], -1)
        return found

    def _count(self, miss: Miss, sign: int) -> None:
        self._calls += sign
        kept = (0 if miss.key is None else len(miss.key.question)) + (
            0 if miss.check is None else len(miss.check.answer)
        )
        self._characters += sign * kept


def _digest(prompt: str, llm_string: str) -> bytes:
    digest = hashlib.sha256(prompt.encode("utf-8", "surrogatepass"))
    digest.update(b"\x00" + llm_string.encode("utf-8", "surrogatepass"))
    return digest.digest()
