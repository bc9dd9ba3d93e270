"""How does a handler learn what the cache did with a call?"""

from __future__ import annotations

from typing import Any

from llama_index.core.instrumentation.events import BaseEvent

CACHE_KEY = "cache"
"""Key under ``tags["lc_costkit"]`` and ``additional_kwargs["lc_costkit"]`` that holds a ``CacheMark`` as a mapping."""

PART_OF_LOOKUP = "part_of_lookup"
"""Key under ``tags["lc_costkit"]``: true for a judge's call whose cost a lookup reports."""


class CacheHitEvent(BaseEvent):
    """A stored answer was served; no model event follows.

    Emitted in the span of the caching LLM's method, when the answer is handed out.

    Attributes:
        mark: a ``CacheMark`` as plain data.
        model: the model asked for.
        operation: ``chat`` or ``completion``.
        streamed: the answer was asked for as a stream.
        question: the text that was matched.
        answer: the text that was served.
    """

    mark: dict[str, Any]
    model: str | None = None
    operation: str = "chat"
    streamed: bool = False
    question: str = ""
    answer: str = ""

    @classmethod
    def class_name(cls) -> str:
        """Name of the event class."""
        return "CacheHitEvent"


class CacheMissEvent(BaseEvent):
    """Nothing was served; the wrapped LLM is called next.

    The start event of its call carries the same mapping in ``tags["lc_costkit"]["cache"]``,
    which is how a handler joins the two.

    Attributes:
        mark: a ``CacheMark`` as plain data.
    """

    mark: dict[str, Any]

    @classmethod
    def class_name(cls) -> str:
        """Name of the event class."""
        return "CacheMissEvent"
