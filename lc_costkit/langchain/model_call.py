"""What is a call that a model is about to make, and how is it made?"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import (
    ChatGeneration,
    ChatGenerationChunk,
    ChatResult,
    Generation,
    GenerationChunk,
    LLMResult,
)

from lc_costkit.streams import aclosing

Result = ChatResult | LLMResult
Chunk = ChatGenerationChunk | GenerationChunk

_SLOTS = ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """A call that is about to go to a provider.

    Attributes:
        model: the model without what stands around it.
        asked: the messages of a chat model; the prompts of a completion model.
        stop: where the answer is to end.
        options: keyword arguments of the call: tools, limits, whatever was bound.
        run_manager: whom to tell of tokens; ``None`` where LangChain does not say.
        metadata: of the call, as callbacks see it.
    """

    model: Any
    asked: list[Any]
    stop: list[str] | None
    options: Mapping[str, Any]
    run_manager: Any
    metadata: Mapping[str, Any]

    @property
    def is_chat(self) -> bool:
        """Whether it is a chat model's."""
        return isinstance(self.model, BaseChatModel)

    def generate(self) -> Result:
        """Make the call."""
        result: Result = self.model._generate(self.asked, **self._arguments("_generate"))
        return result

    async def agenerate(self) -> Result:
        """Make the call."""
        result: Result = await self.model._agenerate(self.asked, **self._arguments("_agenerate"))
        return result

    def stream(self) -> Iterator[Chunk]:
        """Make the call as a stream; in one piece where the model has none."""
        if not streams(type(self.model), "_stream"):
            return iter((as_chunk(self.generate()),))
        chunks: Iterator[Chunk] = self.model._stream(self._first(), **self._arguments("_stream"))
        return chunks

    async def astream(self) -> AsyncIterator[Chunk]:
        """Make the call as a stream; in one piece where the model has none."""
        if not streams(type(self.model), "_stream", "_astream"):
            yield as_chunk(await self.agenerate())
            return
        async with aclosing(self.model._astream(self._first(), **self._arguments("_astream"))) as chunks:
            async for chunk in chunks:
                yield chunk

    def _first(self) -> Any:
        return self.asked if self.is_chat else self.asked[0]

    def _arguments(self, method: str) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if self.run_manager is not None:
            told = {"run_manager": self.run_manager} if _is_told(getattr(type(self.model), method)) else {}
        return {"stop": self.stop, **told, **self.options}


class Guard(Protocol):
    """What stands around each call of a model to its provider; it makes the call, or answers itself."""

    def generate(self, call: ModelCall) -> Result:
        """Answer a call."""

    async def agenerate(self, call: ModelCall) -> Result:
        """Answer a call."""

    def stream(self, call: ModelCall) -> Iterator[Chunk]:
        """Answer a call in pieces."""

    def astream(self, call: ModelCall) -> AsyncIterator[Chunk]:
        """Answer a call in pieces."""

    def retried(self, retry: Any) -> Any:
        """Return what retries the model, with what is not to be retried taken out."""


@lru_cache(maxsize=256)
def _is_told(method: Callable[..., Any]) -> bool:
    return "run_manager" in inspect.signature(method).parameters


def view(model: Any, kind: type) -> Any:
    """Return the same model, state and all, as an instance of another class."""
    seen: Any = kind.__new__(kind)  # type: ignore[call-overload]
    object.__setattr__(seen, "__dict__", model.__dict__)
    for name in _SLOTS:
        object.__setattr__(seen, name, getattr(model, name, None))
    return seen


def streams(kind: type, *methods: str) -> bool:
    """Tell whether a class of models has one of these methods of its own."""
    base = BaseChatModel if issubclass(kind, BaseChatModel) else BaseLLM
    return any(getattr(kind, name, None) is not getattr(base, name) for name in methods)


def as_chunk(result: Result) -> Chunk:
    """Return an answer as the only piece of a stream."""
    answer = result.generations[0]
    generation = answer[0] if isinstance(answer, list) else answer
    if not isinstance(generation, ChatGeneration):
        return GenerationChunk(text=generation.text, generation_info=generation.generation_info)
    message = generation.message
    fields = {
        name: value for name in AIMessageChunk.model_fields if (value := getattr(message, name, None)) is not None
    }
    details = dict(generation.generation_info or {})
    if result.llm_output:
        fields["response_metadata"] = {**result.llm_output, **details, **message.response_metadata}
    return ChatGenerationChunk(message=AIMessageChunk(**{**fields, "type": "AIMessageChunk"}), generation_info=details)


def as_result(answer: object, call: ModelCall) -> Result:
    """Return what somebody answered in a model's place as the model's answer.

    Args:
        answer: text, or a message.
        call: which it answers.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(answer, (str, AIMessage)):
        raise TypeError(f"a text, an AIMessage or a model is needed, not {answer!r:.200}")
    message = answer if isinstance(answer, AIMessage) else AIMessage(answer)
    if message.usage_metadata is None:
        # Said, because what is not said is estimated; and nobody is billed for this.
        nothing = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        message = message.model_copy(update={"usage_metadata": nothing})
    if call.is_chat:
        return ChatResult(generations=[ChatGeneration(message=message)])
    return LLMResult(generations=[[Generation(text=str(message.text))] for _ in call.asked])
