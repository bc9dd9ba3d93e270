"""What does a routing policy see of a LlamaIndex request, and where does its decision show?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from typing import TypeVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, MessageRole
from llama_index.core.llms import LLM
from llama_index.core.tools import BaseTool

from lc_costkit.cache.declared import current_question
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.routing.choose import Choice
from lc_costkit.routing.policy import Role, RouteRequest, Turn
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.streams import aclosing, closing

Response = TypeVar("Response", ChatResponse, CompletionResponse)

_ROLES: dict[MessageRole, Role] = {
    MessageRole.USER: "human",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}
_INSTRUCTIONS = (MessageRole.SYSTEM, MessageRole.DEVELOPER)
_NOT_MEDIA = ("text", "cache", "thinking", "tool_call", "citation")


def route_request(messages: Sequence[ChatMessage], tools: tuple[str, ...] = ()) -> RouteRequest:
    """Reduce a request to the plain data a policy reads; the question is the last user text, or the declared one."""
    humans = [message for message in messages if message.role == MessageRole.USER]
    asked = humans[-1] if humans else messages[-1] if messages else ChatMessage("")
    unread = sum(1 for block in asked.blocks if block.block_type not in _NOT_MEDIA)
    text = asked.content or ""
    declared = current_question()
    return RouteRequest(
        question=declared.text if declared is not None and declared.text.strip() in text else text,
        turns=tuple(
            Turn(_ROLES.get(message.role, "other"), message.content or "")
            for message in messages
            if message.role not in _INSTRUCTIONS
        ),
        system="\n\n".join(message.content or "" for message in messages if message.role in _INSTRUCTIONS),
        tools=tools,
        notes=(f"{unread} parts are not text and were not read",) if unread else (),
    )


def as_messages(prompt: str | Sequence[ChatMessage]) -> Sequence[ChatMessage]:
    """Take a completion prompt for one user message."""
    return [ChatMessage(prompt)] if isinstance(prompt, str) else prompt


def conversation(user_msg: str | ChatMessage | None, chat_history: list[ChatMessage] | None) -> list[ChatMessage]:
    """Put the new message after the history."""
    last = ChatMessage(user_msg) if isinstance(user_msg, str) else user_msg
    return [*(chat_history or ()), *([last] if last is not None else ())]


def tool_names(tools: Sequence[BaseTool]) -> tuple[str, ...]:
    """Name the tools."""
    return tuple(tool.metadata.get_name() for tool in tools)


def identify(target: LLM) -> TargetModel:
    """Name the model; LlamaIndex does not say the provider, so the price list finds it by the name."""
    return TargetModel(model=target.metadata.model_name or None)


def stamped(response: Response, choice: Choice | None) -> Response:
    """Return the response with the decision; in observe mode and when switched off, as it is."""
    if choice is None or choice.observed:
        return response
    route = {"target": choice.target, "score": choice.decision.score, "reasons": list(choice.decision.reasons)}
    mark = {**response.additional_kwargs.get(MARK, {}), ROUTE_KEY: route}
    return response.model_copy(update={"additional_kwargs": {**response.additional_kwargs, MARK: mark}})


def stamped_stream(chunks: Generator[Response, None, None], choice: Choice | None) -> Generator[Response, None, None]:
    """Stamp each chunk."""
    with closing(chunks):
        for chunk in chunks:
            yield stamped(chunk, choice)


async def astamped_stream(
    chunks: AsyncGenerator[Response, None], choice: Choice | None
) -> AsyncGenerator[Response, None]:
    """Stamp each chunk."""
    async with aclosing(chunks):
        async for chunk in chunks:
            yield stamped(chunk, choice)
