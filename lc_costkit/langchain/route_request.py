"""What does a routing policy see of a LangChain input, and where does its decision show?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableParallel, RunnableSequence
from langchain_core.utils.function_calling import convert_to_openai_tool

from lc_costkit.cache.declared import current_question
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.routing.choose import Choice, ModelIdentity
from lc_costkit.routing.policy import Role, RouteRequest, Turn

_ROLES: dict[str, Role] = {"human": "human", "ai": "assistant", "tool": "tool", "function": "tool"}
_NOT_MEDIA = frozenset({"text", "reasoning", "thinking", "tool_use", "tool_call", "tool_result", "cachePoint"})


def route_request(
    source: LanguageModelInput, *, tools: tuple[str, ...] = (), metadata: Mapping[str, object] | None = None
) -> RouteRequest:
    """Reduce a model's input to the plain data a policy reads.

    The question is the last human text, or the part of it that a ``question(...)`` block names.

    Raises:
        ValueError, TypeError, NotImplementedError: it is no input a language model takes.
    """
    messages = _messages(source)
    humans = [message for message in messages if message.type == "human"]
    asked = humans[-1] if humans else messages[-1] if messages else HumanMessage("")
    unread = sum(1 for part in asked.content if isinstance(part, dict) and part.get("type") not in _NOT_MEDIA)
    text = str(asked.text)
    declared = current_question()
    return RouteRequest(
        question=declared.text if declared is not None and declared.text.strip() in text else text,
        turns=tuple(_turn(message) for message in messages if not isinstance(message, SystemMessage)),
        system="\n\n".join(str(message.text) for message in messages if isinstance(message, SystemMessage)),
        tools=tools,
        metadata=dict(metadata or {}),
        notes=(f"{unread} parts are not text and were not read",) if unread else (),
    )


def tool_names(tools: Sequence[Any]) -> tuple[str, ...]:
    """Name tools of any shape LangChain takes; a provider's own built-in tools by their type."""
    return tuple(_tool_name(tool) for tool in tools)


def identify(target: Runnable[Any, Any], settings: Mapping[str, Any] | None = None) -> ModelIdentity:
    """Say which model answers for ``target``, as far as it tells.

    Args:
        target: a model, or a chain that holds one.
        settings: keyword arguments the model will be called with.
    """
    model = model_of(target)
    if model is None:
        return ModelIdentity()
    params = model._get_ls_params(**(settings or {}))
    return ModelIdentity(model=params.get("ls_model_name"), provider=params.get("ls_provider"))


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

    Anything that is not a message, and every answer in observe mode, is returned as it is. The
    message is copied: the original may also sit in a cache or a tracer. Nothing that differs from
    run to run (the time taken) is put in.
    """
    if choice is None or choice.observed or not isinstance(answer, BaseMessage):
        return answer
    ours = answer.response_metadata.get(MARK, {})
    route = {"target": choice.target, "score": choice.decision.score, "reasons": list(choice.decision.reasons)}
    mark = {ROUTE_KEY: route, **ours}
    return answer.model_copy(update={"response_metadata": {**answer.response_metadata, MARK: mark}})


def _messages(source: LanguageModelInput) -> list[BaseMessage]:
    if isinstance(source, str):
        return [HumanMessage(source)]
    if isinstance(source, PromptValue):
        return source.to_messages()
    return convert_to_messages(source)


def _turn(message: BaseMessage) -> Turn:
    return Turn(_ROLES.get(message.type, "other"), str(message.text))


def _tool_name(tool: Any) -> str:
    if isinstance(tool, dict) and "name" in tool:
        return str(tool["name"])
    if isinstance(tool, dict) and tool.get("type", "function") != "function":
        return str(tool["type"])
    return str(convert_to_openai_tool(tool)["function"]["name"])
