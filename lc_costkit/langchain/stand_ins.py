"""How does a call that was meant for one model go to another, which may be another provider's?"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableSequence
from langchain_core.runnables.base import RunnableBindingBase

from lc_costkit.budget.gate import Gate
from lc_costkit.errors import ConfigurationError, shown
from lc_costkit.langchain.model_call import Chunk, ModelCall, Result, view

_COMMON = ("temperature", "top_p", "max_tokens")
"""Options that mean the same to every provider."""

_LIMITS = ("max_completion_tokens", "max_output_tokens")
_FOR_TRACES = ("ls_structured_output_format", "structured_output_format")
_OPENAI_CHOICES = {"required": "any"}


def bare_model(model: object) -> tuple[Any, dict[str, Any]]:
    """Return the model inside of bindings, and what is bound to it.

    Raises:
        ConfigurationError: there is none.
    """
    found: Any = model
    bound: dict[str, Any] = {}
    while isinstance(found, RunnableBindingBase):
        bound = {**found.kwargs, **bound}
        found = found.bound
    if not isinstance(found, (BaseChatModel, BaseLLM)):
        raise ConfigurationError(f"a model stands in for another one; {shown(model)} is none")
    return found, bound


def call_to(model: object, call: ModelCall, *, within: Gate | None = None) -> ModelCall:
    """Return the same call, made to another model: tools, tool choice and schema in its provider's format.

    Args:
        model: a model, perhaps with something bound.
        call: as the model that was asked would make it.
        within: the gate that admits the call; a model that would ask it by itself is called without.

    Raises:
        Exception: what the model raises at tools or a schema that it cannot take; ``ConfigurationError``
            where one is a chat model and the other is not.
    """
    found, bound = bare_model(model)
    while (guard := getattr(type(found), "_guard", None)) is not None and getattr(guard, "gate", None) is within:
        found = view(found, type(found)._plain)
    if isinstance(found, BaseChatModel) is not call.is_chat:
        raise ConfigurationError(f"{type(found).__name__} cannot stand in for {type(call.model).__name__}")
    given = {name: value for name, value in call.options.items() if name not in ("model", "model_name")}
    options = given if _speaks_alike(found, call.model) else _translated(found, given)
    return replace(call, model=found, options={**bound, **options})


def name_of(model: Any) -> str:
    """Return what to call a model in an answer it gave."""
    found, bound = bare_model(model)
    names = (bound.get("model"), getattr(found, "model_name", None), getattr(found, "model", None))
    return next((name for name in names if isinstance(name, str) and name), type(found).__name__)


def with_parsed(result: Result, call: ModelCall) -> Result:
    """Add what langchain-openai's parser looks for, where another provider answered in its place."""
    first: Any = next(iter(result.generations), None)
    message = getattr(first, "message", None)
    parsed = None if message is None else _parsed(message.text, call)
    if first is None or message is None or parsed is None or "parsed" in message.additional_kwargs:
        return result
    told = message.model_copy(update={"additional_kwargs": {**message.additional_kwargs, "parsed": parsed}})
    generations = [first.model_copy(update={"message": told}), *result.generations[1:]]
    return result.model_copy(update={"generations": generations})


def parsed_chunk(text: str, call: ModelCall) -> Chunk | None:
    """Return the last piece of a stream in which langchain-openai would tell the parsed answer."""
    parsed = _parsed(text, call)
    if parsed is None:
        return None
    return ChatGenerationChunk(message=AIMessageChunk(content="", additional_kwargs={"parsed": parsed}))


def _parsed(text: str, call: ModelCall) -> Any:
    schema = call.options.get("response_format")
    if not isinstance(schema, type) or not hasattr(schema, "model_validate_json"):
        return None
    try:
        return schema.model_validate_json(text)
    except Exception:
        return None  # the parser says what is wrong


def _speaks_alike(one: Any, other: Any) -> bool:
    """Tell whether two models take the same format: it is the same class that makes it."""
    makers = [
        next(kind for kind in type(model).__mro__ if "bind_tools" in vars(kind))
        for model in (one, other)
        if isinstance(model, BaseChatModel)
    ]
    return len(set(makers)) < 2


def _translated(model: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    options = {name: given[name] for name in _COMMON if given.get(name) is not None}
    for name in _LIMITS:
        if given.get(name) is not None:
            options["max_tokens"] = given[name]
    tools = [tool for tool in given.get("tools") or () if not _is_the_providers(tool)]
    choice = _choice(given.get("tool_choice"))
    if tools and choice != "none":
        how: dict[str, Any] = {"tool_choice": choice} if choice else {}
        if _one_at_a_time(given) and "parallel_tool_calls" in inspect.signature(model.bind_tools).parameters:
            how["parallel_tool_calls"] = False
        options |= _bound(model.bind_tools(tools, **how))
    schema = _schema(given)
    if schema is not None:
        options |= _bound(model.with_structured_output(schema, method="json_schema"))
    return options


def _bound(runnable: Any) -> dict[str, Any]:
    first = runnable.first if isinstance(runnable, RunnableSequence) else runnable
    return {name: value for name, value in bare_model(first)[1].items() if name not in _FOR_TRACES}


def _is_the_providers(tool: Any) -> bool:
    """Tell whether only the provider that was asked has a tool, such as its web search."""
    return isinstance(tool, Mapping) and "input_schema" not in tool and tool.get("type", "function") != "function"


def _choice(given: object) -> str | None:
    """Return a tool choice in words that every ``bind_tools`` of LangChain takes."""
    if isinstance(given, Mapping):
        function = given.get("function")
        named = function.get("name") if isinstance(function, Mapping) else given.get("name")
        given = named or given.get("type")
    return _OPENAI_CHOICES.get(given, given) if isinstance(given, str) else None


def _one_at_a_time(given: Mapping[str, Any]) -> bool:
    """Tell whether no more than one tool may be called in an answer, as OpenAI or Anthropic put it."""
    choice = given.get("tool_choice")
    disabled = isinstance(choice, Mapping) and choice.get("disable_parallel_tool_use")
    return bool(disabled) or given.get("parallel_tool_calls") is False


def _schema(given: Mapping[str, Any]) -> Any:
    config = given.get("output_config")
    wanted = given.get("response_format") or (config.get("format") if isinstance(config, Mapping) else None)
    if not isinstance(wanted, Mapping):
        return wanted
    inner = wanted.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, Mapping) else wanted.get("schema")
    if not isinstance(schema, Mapping):
        return None  # any JSON at all, which the messages ask for as well
    title = inner.get("name") if isinstance(inner, Mapping) else None
    return {"title": title or "answer", "description": "", **schema}
