"""What does a routing policy see of a LlamaIndex request, and where does its decision show?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, MessageRole
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import BaseTool

from lc_costkit.cache.declared import current_question
from lc_costkit.llama_index.budget_claim import call_text
from lc_costkit.llama_index.budget_claim import model_of as named
from lc_costkit.llama_index.call_events import provider_of
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.payloads import as_mapping
from lc_costkit.routing.policy import Role, RouteRequest, Turn
from lc_costkit.routing.target_model import TargetModel

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
_NOT_MEDIA = ("text", "cache", "thinking", "tool_call", "citation", "citable")
_MEDIA = {"document": "pdf"}
"""Kinds of a block, by its type, where that is not the kind's own name."""
_LONGEST = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_LIFETIMES = {"5m": 300.0, "1h": 3600.0}
"""Seconds of the lifetimes that Anthropic's ``cache_control`` takes."""
_PROGRAMS = "llama_index.core.program"
"""Where the function of a tool is from by which LlamaIndex asks for an answer in a schema."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Tools that an LLM is offered.

    Attributes:
        names: of the tools.
        text: all of them, as JSON text.
        structured: one of them is a schema that the answer is asked for in.
    """

    names: tuple[str, ...] = ()
    text: str = ""
    structured: bool = False


def described(tools: Sequence[BaseTool]) -> Tools:
    """Read tools."""
    plain = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
    return Tools(
        names=tuple(tool.metadata.get_name() for tool in tools),
        text=json.dumps(plain, ensure_ascii=False, default=str) if plain else "",
        structured=any(is_schema(tool) for tool in tools),
    )


def route_request(
    messages: Sequence[ChatMessage],
    *,
    tools: Tools = Tools(),
    settings: Mapping[str, Any] | None = None,
    metadata: Mapping[str, object] | None = None,
    models: Mapping[str, TargetModel] | None = None,
) -> RouteRequest:
    """Reduce a request to the plain data a policy reads; the question is the last user text, or the declared one.

    No turn tells which target gave it: a message is sent to the provider with all that is written on it.
    """
    humans = [message for message in messages if message.role == MessageRole.USER]
    asked = humans[-1] if humans else messages[-1] if messages else ChatMessage("")
    unread = sum(1 for block in asked.blocks if block.block_type not in _NOT_MEDIA)
    settings = settings or {}
    marks = [settings["cache_control"]] if isinstance(settings.get("cache_control"), Mapping) else []
    marks += [mark for message in messages for mark in _cache_marks(message)]
    text = asked.content or ""
    declared = current_question()
    return RouteRequest(
        question=declared.text if declared is not None and declared.text.strip() in text else text,
        turns=tuple(
            Turn(_ROLES.get(message.role, "other"), message.content or "", calls=_calls(message))
            for message in messages
            if message.role not in _INSTRUCTIONS
        ),
        system="\n\n".join(message.content or "" for message in messages if message.role in _INSTRUCTIONS),
        tools=tools.names,
        metadata=dict(metadata or {}),
        notes=(f"{unread} parts are not text and were not read",) if unread else (),
        tool_text=tools.text,
        structured=tools.structured or "response_format" in settings,
        media=_media(messages),
        max_output_tokens=next((int(n) for name in _LONGEST if isinstance(n := settings.get(name), int)), None),
        cache_marked=bool(marks),
        cache_seconds=min((_LIFETIMES[ttl] for mark in marks if (ttl := mark.get("ttl")) in _LIFETIMES), default=None),
        models=models or {},
    )


def as_messages(prompt: str | Sequence[ChatMessage]) -> Sequence[ChatMessage]:
    """Take a completion prompt for one user message."""
    return [ChatMessage(prompt)] if isinstance(prompt, str) else prompt


def identify(target: LLM, settings: Mapping[str, Any] | None = None) -> TargetModel:
    """Say which model a target is and what it can do, as far as its metadata tells.

    Args:
        target: an LLM.
        settings: keyword arguments it will be called with; a ``model`` among them is the one that answers.
    """
    told = target.metadata
    calls_tools = isinstance(target, FunctionCallingLLM)
    if "is_function_calling_model" in told.model_fields_set:
        calls_tools = calls_tools and told.is_function_calling_model
    return TargetModel(
        model=asked if isinstance(asked := (settings or {}).get("model"), str) else named(target),
        provider=provider_of(model_of(target).class_name()),
        max_input_tokens=told.context_window if "context_window" in told.model_fields_set else None,
        tool_calling=calls_tools,
    )


def model_of(target: LLM) -> LLM:
    """Return the LLM that calls the provider, of one that wraps it; of several, the strong one."""
    inner = getattr(target, "llm", None)
    if not isinstance(inner, LLM):
        inner = (getattr(target, "targets", None) or {}).get(getattr(target, "strong", None))
    return model_of(inner) if isinstance(inner, LLM) else target


def stamped(response: Response, route: Mapping[str, Any] | None, *, observed: bool = False) -> Response:
    """Return the response with the decision, and under ``inner`` that of a target which decided itself.

    Args:
        response: of a target.
        route: what to write into it; with ``None`` it is returned as it is.
        observed: nothing was decided: it is returned as it is, too, if no target decided.
    """
    marks = response.additional_kwargs.get(MARK, {})
    if route is None or (observed and ROUTE_KEY not in marks):
        return response
    inner = {"inner": marks[ROUTE_KEY]} if ROUTE_KEY in marks else {}
    marks = {**marks, ROUTE_KEY: {**route, **inner}}
    return response.model_copy(update={"additional_kwargs": {**response.additional_kwargs, MARK: marks}})


def told_route(response: ChatResponse) -> tuple[str | None, ChatResponse]:
    """Return the target that gave a response, and the response as that target gave it."""
    marks = response.additional_kwargs.get(MARK)
    route = marks.get(ROUTE_KEY) if isinstance(marks, Mapping) else None
    if not isinstance(marks, Mapping) or not isinstance(route, Mapping):
        return None, response
    rest = {name: value for name, value in marks.items() if name != ROUTE_KEY}
    inner = {ROUTE_KEY: route["inner"]} if "inner" in route else {}
    extras = {**response.additional_kwargs, MARK: {**rest, **inner}}
    return route.get("target"), response.model_copy(update={"additional_kwargs": extras})


def _media(messages: Iterable[ChatMessage]) -> tuple[str, ...]:
    kinds = [block.block_type for message in messages for block in message.blocks]
    return tuple(dict.fromkeys(_MEDIA.get(kind, kind) for kind in kinds if kind not in _NOT_MEDIA))


def _calls(message: ChatMessage) -> str:
    blocks = [block for block in message.blocks if block.block_type == "tool_call"]
    made = [{"name": block.tool_name, "arguments": block.tool_kwargs} for block in blocks]
    return "\n".join(map(call_text, made or message.additional_kwargs.get("tool_calls") or ()))


def _cache_marks(message: ChatMessage) -> list[Mapping[str, Any]]:
    told = [message.additional_kwargs.get("cache_control")]
    told += [block.cache_control for block in message.blocks if block.block_type == "cache"]
    return [mark for one in told if (mark := as_mapping(one)) is not None]


def is_schema(tool: BaseTool) -> bool:
    """Tell whether a tool is how LlamaIndex asks for an answer in a schema."""
    return str(getattr(getattr(tool, "fn", None), "__module__", "")).startswith(_PROGRAMS)
