"""Which stored answer is this message, and to which question was it served?

A mark travels in ``generation_info``, which callbacks see and callers do not: what a chain
returns is a message or its text. So the marks of the latest hits are kept here by what was said.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

from lc_costkit.cache.engine import Cache
from lc_costkit.cache.feedback import Rejectable
from lc_costkit.cache.results import Hit
from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain import payload
from lc_costkit.marks import MARK, CacheMark

_MOST_SERVED = 4_096
"""Answers served last whose marks are kept: about 1 kB each."""

Answer = BaseMessage | Generation | LLMResult | str
"""What LangChain hands out of a cache: a message, a generation, the result of a call, or the bare text."""


class Served:
    """Keeps the marks of the latest hits by the digest of what was said; of equal answers, the last one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._marks: OrderedDict[bytes, tuple[CacheMark, str | None]] = OrderedDict()

    def note(self, generations: Iterable[Generation], hit: Hit) -> None:
        """Keep the mark of a hit."""
        kept = (hit.mark(), None if hit.tier == "exact" else hit.key.question)
        for generation in generations:
            digest = _digest(generation)
            with self._lock:
                self._marks[digest] = kept
                self._marks.move_to_end(digest)
                while len(self._marks) > _MOST_SERVED:
                    self._marks.popitem(last=False)

    def find(self, digest: bytes) -> tuple[CacheMark, str | None] | None:
        """Return the mark of the hit that last said this, and the question if it was worded differently."""
        with self._lock:
            return self._marks.get(digest)


def reject(engine: Cache, served: Served, wrong: Answer | Rejectable, *, question: str | None) -> int:
    """Find the entries of an answer and reject them; see ``SemanticCache.reject``."""
    if isinstance(wrong, LLMResult):
        return _reject_result(engine, served, wrong, question)
    if not isinstance(wrong, BaseMessage | Generation | str):
        return engine.reject(wrong, question=question)
    mark = _mark_of(wrong)
    if mark is not None:
        return engine.reject(mark, question=question)
    digest = _digest(wrong)
    known = served.find(digest)
    if known is not None and known[0].entry_id is not None and engine.entry(known[0].entry_id) is not None:
        return engine.reject(known[0], question=known[1] if question is None else question)
    ids = engine.find_answers(
        _fragment(wrong), lambda stored: any(_digest(one) == digest for one in payload.load(stored))
    )
    if not ids and known is not None:
        return engine.reject(known[0], question=known[1] if question is None else question)
    if not ids:
        raise ConfigurationError("this answer was never served from this cache, and it holds none that says the same")
    return engine.reject(ids, question=question)


def _reject_result(engine: Cache, served: Served, wrong: LLMResult, question: str | None) -> int:
    gone, refused, rejected = 0, None, set()
    for generation in (one for several in wrong.generations for one in several):
        mark = _mark_of(generation)
        if mark is not None and mark.entry_id in rejected:
            continue  # several generations of one call are one entry
        try:
            gone += reject(engine, served, generation, question=question)
            rejected.add(None if mark is None else mark.entry_id)
        except ConfigurationError as error:
            refused = error
    if not rejected:
        raise refused or ConfigurationError("this result holds no answer")
    return gone


def _mark_of(answer: object) -> CacheMark | None:
    """Return the mark of a hit, if the answer still carries it."""
    info = answer.generation_info if isinstance(answer, ChatGeneration) else None
    mark = CacheMark.from_dict((info or {}).get(MARK))
    return mark if mark is not None and mark.verdict == "hit" else None


def _digest(answer: BaseMessage | Generation | str) -> bytes:
    text, calls = _said(answer)
    told = json.dumps([text, calls], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).digest()


def _said(answer: BaseMessage | Generation | str) -> tuple[str, list[tuple[str, Any]]]:
    """Return the text and the tool calls, without ids."""
    if isinstance(answer, str):
        return answer, []
    message = answer.message if isinstance(answer, ChatGeneration) else answer
    if not isinstance(message, BaseMessage):
        return answer.text, []
    calls = getattr(message, "tool_calls", None) or []
    return str(message.text), [(call["name"], call["args"]) for call in calls]


def _fragment(answer: BaseMessage | Generation | str) -> str:
    """Return the longest text that stands as one string in the stored answer."""
    message = answer.message if isinstance(answer, ChatGeneration) else answer
    text, calls = _said(answer)
    content = message.content if isinstance(message, BaseMessage) else text
    blocks: Sequence[Any] = [content] if isinstance(content, str) else content
    texts = [block["text"] if isinstance(block, Mapping) and "text" in block else block for block in blocks]
    found = max((one for one in texts if isinstance(one, str)), key=len, default="") or (calls[0][0] if calls else "")
    if not found:
        raise ConfigurationError("this answer has neither text nor tool calls; pass the entry's id")
    return found
