"""How does an LLM answer through another one, whichever way it is asked?"""

from __future__ import annotations

import pickle
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, TypeVar

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
)
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool

from lc_costkit.marks import MARK

R = TypeVar("R", ChatResponse, CompletionResponse)
_R = TypeVar("_R", ChatResponse, CompletionResponse, covariant=True)


class Request(Protocol[_R]):
    """What an LLM is asked; any LLM can be asked it, in four ways."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Keyword arguments of the call."""

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """Return the same with other keyword arguments."""

    def send(self, llm: LLM) -> _R:
        """Ask for the whole answer."""

    async def asend(self, llm: LLM) -> _R:
        """Ask for the whole answer."""

    def stream(self, llm: LLM) -> Generator[_R, None, None]:
        """Ask for the answer in pieces."""

    async def astream(self, llm: LLM) -> AsyncGenerator[_R, None]:
        """Ask for the answer in pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A chat."""

    messages: Sequence[ChatMessage]
    options: Mapping[str, Any] = field(default_factory=dict)

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """Return the same with other keyword arguments."""
        return replace(self, options=options)

    def send(self, llm: LLM) -> ChatResponse:
        """Ask for the whole answer."""
        return llm.chat(self.messages, **self.options)

    async def asend(self, llm: LLM) -> ChatResponse:
        """Ask for the whole answer."""
        return await llm.achat(self.messages, **self.options)

    def stream(self, llm: LLM) -> ChatResponseGen:
        """Ask for the answer in pieces."""
        return llm.stream_chat(self.messages, **self.options)

    async def astream(self, llm: LLM) -> ChatResponseAsyncGen:
        """Ask for the answer in pieces."""
        return await llm.astream_chat(self.messages, **self.options)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """A completion."""

    prompt: str
    formatted: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """Return the same with other keyword arguments."""
        return replace(self, options=options)

    def send(self, llm: LLM) -> CompletionResponse:
        """Ask for the whole answer."""
        return llm.complete(self.prompt, formatted=self.formatted, **self.options)

    async def asend(self, llm: LLM) -> CompletionResponse:
        """Ask for the whole answer."""
        return await llm.acomplete(self.prompt, formatted=self.formatted, **self.options)

    def stream(self, llm: LLM) -> CompletionResponseGen:
        """Ask for the answer in pieces."""
        return llm.stream_complete(self.prompt, formatted=self.formatted, **self.options)

    async def astream(self, llm: LLM) -> CompletionResponseAsyncGen:
        """Ask for the answer in pieces."""
        return await llm.astream_complete(self.prompt, formatted=self.formatted, **self.options)


class DelegatingLLM(LLM):
    """An LLM whose eight methods become four, which a subclass implements.

    They carry no callback decorator: the LLM that is asked in the end emits the events of a call, once.
    """

    @property
    def answers_as(self) -> LLM:
        """The LLM that gives the same answers, where this one changes none."""
        return self

    @property
    def decided_by(self) -> str:
        """What tells its answers from those of another LLM with the same fields; empty if nothing does."""
        return ""

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer a chat."""
        return self._send(ChatRequest(messages=list(messages), options=kwargs))

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer a chat."""
        return await self._asend(ChatRequest(messages=list(messages), options=kwargs))

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer a chat in pieces."""
        return self._stream(ChatRequest(messages=list(messages), options=kwargs))

    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Answer a chat in pieces."""
        return await self._astream(ChatRequest(messages=list(messages), options=kwargs))

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Complete a prompt."""
        return self._send(CompletionRequest(prompt=prompt, formatted=formatted, options=kwargs))

    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Complete a prompt."""
        return await self._asend(CompletionRequest(prompt=prompt, formatted=formatted, options=kwargs))

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Complete a prompt in pieces."""
        return self._stream(CompletionRequest(prompt=prompt, formatted=formatted, options=kwargs))

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """Complete a prompt in pieces."""
        return await self._astream(CompletionRequest(prompt=prompt, formatted=formatted, options=kwargs))

    def __getstate__(self) -> dict[str, Any]:
        # LlamaIndex leaves out what cannot be pickled, and a copy without its cache, budgets or targets would not work.
        needed = {name: value for name, value in vars(self).items() if name not in LLM.model_fields}
        for name, value in {**needed, **(self.__pydantic_private__ or {})}.items():
            try:
                pickle.dumps(value)
            except Exception as error:
                what = name.strip("_")
                raise TypeError(
                    f"{self.class_name()} cannot be pickled: its {what} cannot ({error}); make one in each process"
                ) from error
        return super().__getstate__()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for name, value in (state.get("__pydantic_private__") or {}).items():
            setattr(self, name, value)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copy the LLM; the copy has the same cache, budgets, policy and checks."""
        memo = {} if memo is None else memo
        memo.update({id(value): value for value in (self.__pydantic_private__ or {}).values()})
        return super().__deepcopy__(memo)

    def _send(self, request: Request[R]) -> R:
        raise NotImplementedError

    async def _asend(self, request: Request[R]) -> R:
        raise NotImplementedError

    def _stream(self, request: Request[R]) -> Generator[R, None, None]:
        raise NotImplementedError

    async def _astream(self, request: Request[R]) -> AsyncGenerator[R, None]:
        raise NotImplementedError


class DelegatingFunctionCallingLLM(DelegatingLLM, FunctionCallingLLM):
    """A ``DelegatingLLM`` that has tool calls read by the LLM that wrote them."""

    def _answered_by(self, response: ChatResponse) -> FunctionCallingLLM:
        raise NotImplementedError

    def _as_answered(self, response: ChatResponse) -> ChatResponse:
        """Return a response as the LLM gave it that answered."""
        return response

    def _validate_chat_with_tools_response(
        self, response: ChatResponse, tools: Sequence[BaseTool], allow_parallel_tool_calls: bool = False, **kwargs: Any
    ) -> ChatResponse:
        kwargs = {name: value for name, value in kwargs.items() if not name.startswith(MARK)}
        answered = self._as_answered(response)
        valid = self._answered_by(response)._validate_chat_with_tools_response(
            answered, tools, allow_parallel_tool_calls=allow_parallel_tool_calls, **kwargs
        )
        if answered is response:
            return valid
        extras = {**valid.additional_kwargs, **response.additional_kwargs}
        return valid.model_copy(update={"additional_kwargs": extras})

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Read tool calls as the LLM that answered writes them."""
        return self._answered_by(response).get_tool_calls_from_response(
            self._as_answered(response), error_on_no_tool_call=error_on_no_tool_call, **kwargs
        )


def settings_of(llm: LLM) -> dict[str, Any]:
    """Return the fields that LlamaIndex reads of an LLM before it calls it; they go over to what wraps it."""
    names = (
        "callback_manager",
        "system_prompt",
        "messages_to_prompt",
        "completion_to_prompt",
        "output_parser",
        "query_wrapper_prompt",
        "pydantic_program_mode",
    )
    return {name: getattr(llm, name) for name in names}
