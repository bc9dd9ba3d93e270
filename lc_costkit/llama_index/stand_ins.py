"""What answers when a budget does not let a LlamaIndex LLM do so, and how does one see it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, MessageRole
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import BaseTool

from lc_costkit.errors import BudgetExceeded
from lc_costkit.llama_index.budget_claim import model_of
from lc_costkit.llama_index.delegating import ChatRequest, R, Request
from lc_costkit.marks import BUDGET_KEY, MARK

PREPARED = "lc_costkit_tools"
"""Keyword that carries the tools of a call from preparing it to making it, for an LLM of another format."""

BY_FUNCTION = "on_exceeded"
"""Who answered, where the function of a budget gave the answer itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithTools:
    """A chat with tools before an LLM has put it into its provider's format."""

    tools: Sequence[BaseTool]
    user_msg: str | ChatMessage | None
    chat_history: tuple[ChatMessage, ...]
    settings: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None,
        chat_history: Sequence[ChatMessage] | None,
        **settings: Any,
    ) -> WithTools:
        """Keep what ``_prepare_chat_with_tools`` is given."""
        return cls(tools=tools, user_msg=user_msg, chat_history=tuple(chat_history or ()), settings=settings)

    @property
    def messages(self) -> list[ChatMessage]:
        """The chat without its tools."""
        last = ChatMessage(self.user_msg) if isinstance(self.user_msg, str) else self.user_msg
        return [*self.chat_history, *([last] if last is not None else ())]

    def followed_by(self, text: str) -> WithTools:
        """Return the same with one more message of the user."""
        return replace(self, user_msg=text, chat_history=tuple(self.messages))

    def request_for(self, llm: LLM) -> ChatRequest:
        """Return the chat as another LLM wants it; one that calls no tools is asked without them."""
        if not isinstance(llm, FunctionCallingLLM):
            return ChatRequest(messages=self.messages)
        prepared = llm._prepare_chat_with_tools_compat(
            self.tools, user_msg=self.user_msg, chat_history=list(self.chat_history), **self.settings
        )
        return ChatRequest(messages=prepared.pop("messages"), options=prepared)


def without_tools(request: Request[R]) -> tuple[Request[R], WithTools | None]:
    """Return a request as the LLM is to get it, and what it was prepared from."""
    if PREPARED not in request.options:
        return request, None
    options = dict(request.options)
    tools: WithTools = options.pop(PREPARED)
    return request.with_options(options), tools


def request_for(llm: LLM, request: Request[R], tools: WithTools | None) -> Request[R]:
    """Return a request as the LLM that stands in wants it."""
    if tools is not None:
        return cast("Request[R]", tools.request_for(llm))  # only a chat is prepared with tools
    if "model" not in request.options:
        return request
    return request.with_options({name: value for name, value in request.options.items() if name != "model"})


def name_of(llm: LLM) -> str:
    """Name an LLM, or the one that it wraps."""
    inner = getattr(llm, "llm", None)
    if isinstance(inner, LLM):
        return name_of(inner)
    return f"{llm.class_name()} {model_of(llm) or ''}".strip()


def marked(response: R, by: str | None) -> R:
    """Return the response with who gave it; one that says so already, or ``None``, leaves it as it is."""
    marks = response.additional_kwargs.get(MARK, {})
    if by is None or BUDGET_KEY in marks:
        return response
    marks = {**marks, BUDGET_KEY: {"answered_by": by}}
    return response.model_copy(update={"additional_kwargs": {**response.additional_kwargs, MARK: marks}})


def answered_by(response: ChatResponse) -> str | None:
    """Return who gave a response, if a budget had another give it."""
    marks = response.additional_kwargs.get(MARK)
    mark = marks.get(BUDGET_KEY) if isinstance(marks, Mapping) else None
    return mark.get("answered_by") if isinstance(mark, Mapping) else None


def as_answer(given: object, request: Request[R]) -> R:
    """Return what ``on_exceeded`` gave as a response of the kind that was asked for.

    Raises:
        BudgetExceeded: it is no answer.
    """
    message, extras = _message(given)
    if isinstance(request, ChatRequest):
        response: Any = ChatResponse(message=message, delta=message.content or "", additional_kwargs=extras)
    else:
        text = message.content or ""
        response = CompletionResponse(text=text, delta=text, additional_kwargs=extras)
    return marked(cast("R", response), BY_FUNCTION)


def _message(given: object) -> tuple[ChatMessage, dict[str, Any]]:
    if isinstance(given, str):
        return ChatMessage(given, role=MessageRole.ASSISTANT), {}
    if isinstance(given, ChatMessage):
        return given, {}
    if isinstance(given, ChatResponse):
        return given.message, dict(given.additional_kwargs)
    if isinstance(given, CompletionResponse):
        return ChatMessage(given.text, role=MessageRole.ASSISTANT), dict(given.additional_kwargs)
    raise BudgetExceeded(
        f"a budget does not allow this call, and its on_exceeded returned {given!r:.200}; "
        "return a text, a ChatResponse, a CompletionResponse or an LLM, or raise"
    )
