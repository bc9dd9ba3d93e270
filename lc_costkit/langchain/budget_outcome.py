"""What does a LangChain call tell its budgets when it ends?"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from langchain_core.outputs import ChatGenerationChunk, ChatResult, Generation, GenerationChunk, LLMResult
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks

from lc_costkit.langchain.call_events import answer_text, usage_reader
from lc_costkit.langchain.model_call import Chunk, Result
from lc_costkit.metering import OpenCall, Outcome
from lc_costkit.underway import Running

_logger = logging.getLogger(__name__)

_THOUGHTS = ("thinking", "reasoning", "data")
"""Where blocks of a stream keep what is billed and is no text; ``data`` is that of redacted thinking."""


def ended(result: Result, call: OpenCall) -> Outcome:
    """Return the outcome of a call that was answered; nothing is read here that could lose the answer."""
    return Outcome(
        read=lambda: usage_reader(_as_callbacks_see_it(result), Running(call))(),
        answer=lambda: _all_text(_as_callbacks_see_it(result)),
    )


def failed(error: BaseException, call: OpenCall) -> Outcome:
    """Return the outcome of a call that raised."""
    running = Running(call)
    return running.failed(error, read=lambda: usage_reader(None, running, error=error)())


class Came:
    """What has come of a stream.

    The pieces are put together when somebody asks, which the gate does off the event loop.
    """

    def __init__(self, call: OpenCall) -> None:
        self._running = Running(call)
        self._chunks: list[Any] = []
        self._handed: float | None = None
        self._unread = 0.0

    @property
    def text(self) -> str:
        """What was said and thought, with the arguments of tool calls."""
        return "".join(map(_text, self._chunks))

    def add(self, chunk: Chunk) -> None:
        """Note a piece."""
        self._running.token("")
        self._chunks.append(chunk)
        self._handed = time.monotonic()

    def asked(self) -> None:
        """Note that the next piece is asked for, or that nobody will ask for one."""
        if self._handed is not None:
            self._unread += time.monotonic() - self._handed
            self._handed = None

    def ended(self) -> Outcome:
        """Return the outcome of a stream that came to its end."""
        return Outcome(
            read=lambda: usage_reader(self._response(), self._running)(),
            answer=lambda: self.text,
            first_token=self._running.first_token,
            streamed=True,
        )

    def failed(self, error: BaseException) -> Outcome:
        """Return the outcome of a stream that was closed or cut."""
        self.asked()
        outcome = self._running.failed(
            error,
            came=self._anything(),
            read=lambda: usage_reader(self._response(), self._running, error=error)(),
        )
        return replace(outcome, answer=lambda: self.text, unread_seconds=self._unread)

    def _anything(self) -> str:
        """Return a text if anything came, for which the provider charges."""
        try:
            return next((text for chunk in self._chunks if (text := _text(chunk))), "")
        except Exception as error:
            _logger.debug("a piece of a stream cannot be read", exc_info=error)
            return "?"

    def _response(self) -> LLMResult | None:
        if not self._chunks:
            return None
        if not isinstance(self._chunks[0], ChatGenerationChunk):
            whole: GenerationChunk = self._chunks[0]
            for chunk in self._chunks[1:]:
                whole += chunk
            return LLMResult(generations=[[whole]])
        merged = merge_chat_generation_chunks(list(self._chunks))
        return None if merged is None else LLMResult(generations=[[_told(merged, {})]])


def _as_callbacks_see_it(result: Result) -> LLMResult:
    """Put what LangChain adds to a message after a call where the readers look for it."""
    if not isinstance(result, ChatResult):
        return result
    totals = result.llm_output or {}
    return LLMResult(generations=[[_told(one, totals) for one in result.generations]], llm_output=totals)


def _told(generation: Any, totals: dict[str, Any]) -> Any:
    message = generation.message
    details = {**totals, **(generation.generation_info or {}), **message.response_metadata}
    return generation.model_copy(update={"message": message.model_copy(update={"response_metadata": details})})


def _all_text(response: LLMResult) -> str:
    each: list[Generation] = [one for several in response.generations for one in several]
    return "\n".join(answer_text(LLMResult(generations=[[one]])) for one in each)


def _text(chunk: Chunk) -> str:
    message = getattr(chunk, "message", None)
    if message is None:
        return chunk.text
    said = [str(message.text)]
    if isinstance(message.content, list):
        blocks = [block for block in message.content if isinstance(block, Mapping)]
        said += [block[name] for block in blocks for name in _THOUGHTS if isinstance(block.get(name), str)]
    for piece in getattr(message, "tool_call_chunks", None) or ():
        said += [piece.get("name") or "", piece.get("args") or ""]
    return "".join(said)
