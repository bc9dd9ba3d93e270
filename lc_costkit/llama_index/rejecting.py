"""Which stored answer is this response?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse

from lc_costkit.cache.engine import Cache
from lc_costkit.cache.feedback import Rejectable
from lc_costkit.cache.payloads import read_payload
from lc_costkit.errors import ConfigurationError
from lc_costkit.llama_index.hits import CACHE_KEY
from lc_costkit.marks import MARK, CacheMark

Answer = ChatResponse | CompletionResponse | ChatMessage | str
"""What LlamaIndex hands out of a cache: a response, its message, or the bare text."""


def reject(cache: Cache, wrong: Answer | Rejectable, *, question: str | None) -> int:
    """Find the entries of an answer and reject them; see ``CachedLLM.reject``."""
    if not isinstance(wrong, ChatResponse | CompletionResponse | ChatMessage | str):
        return cache.reject(wrong, question=question)
    marks = wrong.additional_kwargs.get(MARK) if isinstance(wrong, ChatResponse | CompletionResponse) else None
    mark = CacheMark.from_dict(marks.get(CACHE_KEY)) if isinstance(marks, Mapping) else None
    if mark is not None and mark.verdict == "hit":
        return cache.reject(mark, question=question)
    text = _text(wrong)
    if not text:
        raise ConfigurationError("this answer has no text; pass the response as it was served, or the entry's id")
    ids = cache.find_answers(text, lambda stored: _stored_text(read_payload(stored)) == text)
    if not ids:
        raise ConfigurationError("this answer was never served from this cache, and it holds none that says the same")
    return cache.reject(ids, question=question)


def _text(answer: Answer) -> str:
    if isinstance(answer, str):
        return answer
    if isinstance(answer, CompletionResponse):
        return answer.text
    message = answer.message if isinstance(answer, ChatResponse) else answer
    return message.content or ""


def _stored_text(data: Any) -> str | None:
    if not isinstance(data, Mapping):
        return None
    if "message" in data:
        return ChatMessage.model_validate(data["message"]).content
    text = data.get("text")
    return text if isinstance(text, str) else None
