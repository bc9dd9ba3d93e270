"""How do streams hear of a draft once it is accepted?

While a draft may still be thrown away, the handlers of streams are kept from it. What they would have been told is
kept here, and told them afterwards, with the answer as one piece.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.callbacks.manager import ahandle_event, handle_event
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, GenerationChunk, LLMResult
from langchain_core.runnables import RunnableConfig

from lc_costkit.langchain.answered import as_chunk
from lc_costkit.langchain.unstreamed import NO_STREAM, stream_handlers


@dataclass(frozen=True, slots=True)
class _Start:
    name: str
    ignore: str
    serialized: Any
    asked: Any
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Told:
    name: str
    ignore: str
    arguments: tuple[Any, ...]
    event: dict[str, Any]


class Overheard(BaseCallbackHandler):
    """Keeps what the handlers of streams would have heard of one draft.

    Args:
        config: of the run around all drafts, with the handlers.
    """

    raise_error = False
    run_inline = True

    def __init__(self, config: RunnableConfig) -> None:
        super().__init__()
        manager = config.get("callbacks")
        self._handlers = stream_handlers(manager)
        self._parent = getattr(manager, "parent_run_id", None)
        self._lock = threading.Lock()
        self._starts: dict[UUID, _Start] = {}
        self._last: tuple[UUID, LLMResult] | None = None

    @property
    def wanted(self) -> bool:
        """Somebody listens to streams."""
        return bool(self._handlers)

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **event: Any) -> None:
        """Keep the start of a call."""
        with self._lock:
            self._starts[run_id] = _Start("on_chat_model_start", "ignore_chat_model", serialized, messages, event)

    def on_llm_start(self, serialized: Any, prompts: Any, *, run_id: UUID, **event: Any) -> None:
        """Keep the start of a completion model's call."""
        with self._lock:
            self._starts[run_id] = _Start("on_llm_start", "ignore_llm", serialized, prompts, event)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **event: Any) -> None:
        """Keep the end of a call; the last one is the draft."""
        with self._lock:
            self._last = (run_id, response)

    def replay(self) -> None:
        """Tell the handlers of streams."""
        for one in self._told():
            handle_event(self._handlers, one.name, one.ignore, *one.arguments, **one.event)

    async def areplay(self) -> None:
        """Tell the handlers of streams."""
        for one in self._told():
            await ahandle_event(self._handlers, one.name, one.ignore, *one.arguments, **one.event)

    def _told(self) -> list[_Told]:
        if self._last is None or self._last[0] not in self._starts:
            return []
        run_id, response = self._last
        start = self._starts[run_id]
        chunk = _chunk(response)
        if chunk is None:
            return []
        tags = [tag for tag in start.event.get("tags") or () if tag != NO_STREAM]
        about = {"run_id": run_id, "parent_run_id": self._parent, "tags": tags}
        return [
            _Told(start.name, start.ignore, (start.serialized, start.asked), {**start.event, **about}),
            _Told("on_llm_new_token", "ignore_llm", (chunk.text,), {"chunk": chunk, **about}),
            _Told("on_llm_end", "ignore_llm", (response,), about),
        ]


def _chunk(response: LLMResult) -> GenerationChunk | ChatGenerationChunk | None:
    """Return the answer as the one piece of a stream; ``None`` where no stream would have it."""
    if not response.generations or not response.generations[0]:
        return None
    answer = response.generations[0][0]
    if not isinstance(answer, ChatGeneration):
        return GenerationChunk(text=answer.text, generation_info=answer.generation_info)
    return ChatGenerationChunk(message=as_chunk(answer.message)) if isinstance(answer.message, AIMessage) else None
