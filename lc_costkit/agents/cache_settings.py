"""Which cache settings of a request does another model not understand?

Middleware and users mark what a provider is to cache, each in its own way. A request that was made for one
provider's model is refused by another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langchain.agents.middleware.types import ModelRequest
from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool

_MARK = "cache_control"
"""Anthropic's, on settings, content blocks and tools: https://docs.claude.com/en/docs/build-with-claude/prompt-caching"""

_KEYS = frozenset({"prompt_cache_key", "prompt_cache_retention"})
"""OpenAI's, on settings: https://platform.openai.com/docs/guides/prompt-caching; Fireworks takes the first, too."""

_AFFINITY = "x-session-affinity"
"""Fireworks' header: https://docs.fireworks.ai/guides/prompt-caching"""

_TAKE_KEYS = frozenset({"openai-chat", "azure-openai-chat", "fireworks-chat"})
_TAKE_AFFINITY = frozenset({"fireworks-chat"})
_NESTED = ("extras", "metadata")


def understood(request: ModelRequest[Any], model: Any, *, among: Iterable[Any]) -> ModelRequest[Any]:
    """Return the request without the cache settings that ``model`` does not understand.

    What the request holds is not changed: what differs is copied.

    Args:
        request: as it was made, for ``request.model``.
        model: the model that it goes to.
        among: the models it may go to. If all are of the kind it was made for, all settings are meant for that
            kind, and kept: a server that speaks OpenAI's format may understand Anthropic's marks.
    """
    kind = kind_of(model)
    if {kind_of(one) for one in (request.model, model, *among)} == {kind}:
        return request
    dropped = set() if kind in _TAKE_KEYS else set(_KEYS)
    changes: dict[str, Any] = {}
    if "anthropic" not in kind:
        dropped.add(_MARK)
        changes["system_message"] = None if request.system_message is None else _message(request.system_message)
        changes["messages"] = _each(request.messages, _message)
        changes["tools"] = _each(request.tools, _tool)
    settings = _without(request.model_settings, dropped)
    changes["model_settings"] = settings if kind in _TAKE_AFFINITY else _without_affinity(settings)
    changes = {name: value for name, value in changes.items() if value is not getattr(request, name)}
    return request.override(**changes) if changes else request


def kind_of(model: Any) -> str:
    """Say what kind of model it is: whose format it speaks."""
    return str(getattr(model, "_llm_type", ""))


def _each(items: Any, change: Any) -> Any:
    changed = [change(item) for item in items]
    return items if all(new is old for new, old in zip(changed, items, strict=True)) else changed


def _without(mapping: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name not in names} if names & set(mapping) else mapping


def _without_affinity(settings: dict[str, Any]) -> dict[str, Any]:
    headers = settings.get("extra_headers")
    if not isinstance(headers, Mapping):
        return settings
    kept = {name: value for name, value in headers.items() if str(name).lower() != _AFFINITY}
    if len(kept) == len(headers):
        return settings
    others = {name: value for name, value in settings.items() if name != "extra_headers"}
    return {**others, "extra_headers": kept} if kept else others


def _unmarked(mapping: dict[str, Any]) -> dict[str, Any]:
    bare = _without(mapping, {_MARK})
    for name in _NESTED:
        if isinstance(inner := bare.get(name), dict) and _MARK in inner:
            kept = _without(inner, {_MARK})
            bare = {**bare, name: kept} if kept else _without(bare, {name})
    return bare


def _message(message: Any) -> Any:
    if not isinstance(message, BaseMessage) or isinstance(message.content, str):
        return message
    content = _each(message.content, lambda part: _unmarked(part) if isinstance(part, dict) else part)
    return message if content is message.content else message.model_copy(update={"content": content})


def _tool(tool: Any) -> Any:
    if isinstance(tool, dict):
        return _unmarked(tool)
    extras = getattr(tool, "extras", None)
    if not isinstance(tool, BaseTool) or not isinstance(extras, dict) or _MARK not in extras:
        return tool
    return tool.model_copy(update={"extras": _without(extras, {_MARK}) or None})
