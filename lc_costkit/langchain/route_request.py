"""What does a routing policy see of a LangChain input, and where does its decision show?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableParallel, RunnableSequence
from langchain_core.utils.function_calling import convert_to_openai_tool

from lc_costkit.cache.declared import current_question
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.routing.choose import Choice
from lc_costkit.routing.policy import Role, RouteRequest, Turn
from lc_costkit.routing.target_model import TargetModel

_WITH_RAW = frozenset({"raw", "parsed", "parsing_error"})
"""What ``with_structured_output(include_raw=True)`` answers with; in a stream each by itself."""

_ROLES: dict[str, Role] = {"human": "human", "ai": "assistant", "tool": "tool", "function": "tool"}
_NOT_MEDIA = frozenset({"text", "reasoning", "thinking", "tool_use", "tool_call", "tool_result", "cachePoint"})
_ASKED = ("question", "input", "query")
"""Names under which a prompt template usually takes what is asked."""

_LONGEST = ("max_tokens", "max_completion_tokens", "max_output_tokens")

_LIFETIMES = {"5m": 300.0, "1h": 3600.0}
"""Seconds, by the ``ttl`` of Anthropic's ``cache_control``."""

_MEDIA = {"image_url": "image", "input_image": "image", "input_audio": "audio", "document": "pdf", "file": "pdf"}
"""Kinds of a content part, by its type, where that is not the kind's own name."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Tools that a model is offered.

    Attributes:
        names: of the tools; a provider's own by their type.
        text: all of them, as JSON text.
    """

    names: tuple[str, ...] = ()
    text: str = ""

    def __add__(self, other: Tools) -> Tools:
        return Tools(self.names + other.names, self.text + other.text)


def described(tools: Sequence[Any]) -> Tools:
    """Read tools of any shape LangChain takes."""
    plain = [tool if _is_own(tool) else convert_to_openai_tool(tool) for tool in tools]
    text = json.dumps(plain, ensure_ascii=False, default=str) if plain else ""
    return Tools(tuple(_tool_name(tool) for tool in plain), text)


def route_request(
    source: LanguageModelInput,
    *,
    tools: Tools = Tools(),
    structured: bool = False,
    settings: Mapping[str, Any] | None = None,
    metadata: Mapping[str, object] | None = None,
    models: Mapping[str, TargetModel] | None = None,
) -> RouteRequest:
    """Reduce a model's input to the plain data a policy reads.

    The question is the last human text, or the part of it that a ``question(...)`` block names. Where the targets are
    chains that begin with a prompt template, it is the only text among the fields, or the one called ``question``,
    ``input`` or ``query``; other texts count as the system prompt.

    Raises:
        ValueError, TypeError, NotImplementedError: it is no input a language model takes.
    """
    messages = _filled_in(source) if isinstance(source, Mapping) else as_messages(source)
    humans = [message for message in messages if message.type == "human"]
    asked = humans[-1] if humans else messages[-1] if messages else HumanMessage("")
    asked_parts = [] if isinstance(asked.content, str) else asked.content
    unread = sum(1 for part in asked_parts if isinstance(part, dict) and part.get("type") not in _NOT_MEDIA)
    settings = settings or {}
    parts = [part for message in messages if not isinstance(message.content, str) for part in message.content]
    marked = [settings, *(part for part in parts if isinstance(part, dict))]
    marks = [mark for part in marked if isinstance(mark := part.get("cache_control"), Mapping)]
    text = str(asked.text)
    declared = current_question()
    return RouteRequest(
        question=declared.text if declared is not None and declared.text.strip() in text else text,
        turns=tuple(_turn(message) for message in messages if not isinstance(message, SystemMessage)),
        system="\n\n".join(str(message.text) for message in messages if isinstance(message, SystemMessage)),
        tools=tools.names,
        metadata=dict(metadata or {}),
        notes=(f"{unread} parts are not text and were not read",) if unread else (),
        tool_text=tools.text,
        structured=structured or "response_format" in settings,
        media=_media(parts),
        max_output_tokens=next((int(n) for name in _LONGEST if isinstance(n := settings.get(name), int)), None),
        cache_marked=bool(marks),
        cache_seconds=min((_LIFETIMES[ttl] for mark in marks if (ttl := mark.get("ttl")) in _LIFETIMES), default=None),
        cache_turns=None if "cache_control" in settings else _turns_before_mark(messages),
        models=models or {},
    )


def identify(target: Runnable[Any, Any], settings: Mapping[str, Any] | None = None) -> TargetModel:
    """Say which model answers for ``target``, as far as it tells.

    Args:
        target: a model, or a chain that holds one.
        settings: keyword arguments the model will be called with.
    """
    model = model_of(target)
    if model is None:
        return TargetModel()
    params = model._get_ls_params(**(settings or {}))
    profile = getattr(model, "profile", None)
    return TargetModel.of_profile(profile, model=params.get("ls_model_name"), provider=params.get("ls_provider"))


def model_of(target: Runnable[Any, Any]) -> Any:
    """Find the model in a target: itself, or the first one in a chain; ``None`` if there is none."""
    if hasattr(target, "_get_ls_params"):
        return target
    if isinstance(target, RunnableSequence):
        steps: Sequence[Any] = target.steps
    elif isinstance(target, RunnableParallel):
        steps = list(target.steps__.values())
    else:
        steps = [inner] if isinstance(inner := getattr(target, "bound", None), Runnable) else []
    return next((model for step in steps if (model := model_of(step)) is not None), None)


def stamped(answer: Any, choice: Choice | None) -> Any:
    """Return a message with the decision in ``response_metadata["lc_costkit"]["route"]``.

    Of structured output with ``include_raw=True``, that is the message under ``raw``. Anything else, and every answer
    in observe mode, is returned as it is. The message is copied: the original may also sit in a cache or a tracer.
    Nothing that differs from run to run (the time taken) is put in.
    """
    if choice is None or choice.observed:
        return answer
    if isinstance(answer, dict) and answer.keys() <= _WITH_RAW and isinstance(answer.get("raw"), BaseMessage):
        made = copy(answer)  # chunks of a stream are a kind of their own, which can be added up
        made["raw"] = stamped(answer["raw"], choice)
        return made
    if not isinstance(answer, BaseMessage):
        return answer
    ours = answer.response_metadata.get(MARK, {})
    route = {"target": choice.target, "score": choice.decision.score, "reasons": list(choice.decision.reasons)}
    mark = {ROUTE_KEY: route, **ours}
    return answer.model_copy(update={"response_metadata": {**answer.response_metadata, MARK: mark}})


def as_messages(source: LanguageModelInput) -> list[BaseMessage]:
    """Return a model's input as the messages it stands for.

    Raises:
        ValueError, TypeError, NotImplementedError: it is no input a language model takes.
    """
    if isinstance(source, str):
        return [HumanMessage(source)]
    if isinstance(source, PromptValue):
        return source.to_messages()
    if isinstance(source, Mapping):
        raise TypeError("a mapping is input for a prompt template, not for a model")
    return convert_to_messages(source)


def _filled_in(fields: Mapping[Any, Any]) -> list[BaseMessage]:
    """Return what fills a prompt template as messages, the question last."""
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    history = [one for value in fields.values() if isinstance(value, list | tuple) for one in value]
    asked = next((name for name in _ASKED if name in texts), next(iter(texts), None) if len(texts) == 1 else None)
    if asked is None and (texts or not history):
        raise TypeError("which of its fields is the question? Call one of them 'question', 'input' or 'query'")
    others = "\n\n".join(text for name, text in texts.items() if name != asked)
    return [
        *([SystemMessage(others)] if others else []),
        *(one for one in history if isinstance(one, BaseMessage)),
        *([] if asked is None else [HumanMessage(texts[asked])]),
    ]


def _turns_before_mark(messages: Sequence[BaseMessage]) -> int | None:
    """Return how many turns the last mark for caching stands after; ``None`` without a mark in a message."""
    turns, found = 0, None
    for message in messages:
        turns += not isinstance(message, SystemMessage)
        parts = [] if isinstance(message.content, str) else message.content
        if any(isinstance(part, dict) and "cache_control" in part for part in parts):
            found = turns
    return found


def _turn(message: BaseMessage) -> Turn:
    made = getattr(message, "tool_calls", None) or ()
    calls = [{"name": call["name"], "args": call["args"]} for call in made]
    text = json.dumps(calls, ensure_ascii=False, default=str) if calls else ""
    return Turn(_ROLES.get(message.type, "other"), str(message.text), told_target(message), text)


def told_target(message: BaseMessage) -> str | None:
    """Return the target that gave an answer, where the answer still tells."""
    ours = message.response_metadata.get(MARK)
    route = ours.get(ROUTE_KEY) if isinstance(ours, Mapping) else None
    target = route.get("target") if isinstance(route, Mapping) else None
    return target if isinstance(target, str) else None


def _media(parts: Sequence[Any]) -> tuple[str, ...]:
    kinds = [str(part.get("type")) for part in parts if isinstance(part, dict) and part.get("type") not in _NOT_MEDIA]
    return tuple(dict.fromkeys(_MEDIA.get(kind, kind) for kind in kinds))


def _is_own(tool: Any) -> bool:
    """Tell whether a tool is in a provider's own format or one of its built-in tools."""
    return isinstance(tool, dict) and ("name" in tool or tool.get("type", "function") != "function")


def _tool_name(tool: dict[str, Any]) -> str:
    return str(tool["name"] if "name" in tool else tool["function"]["name"] if "function" in tool else tool["type"])
