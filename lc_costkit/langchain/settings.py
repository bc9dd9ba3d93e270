"""Which of a model's settings can change its answer?

LangChain describes a model to its cache by the JSON of its constructor with the call's
arguments as a Python literal behind it, or by such a literal alone. What cannot be taken
apart is kept whole, so that at worst two equal settings count as different.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

VOLATILE = frozenset(
    {
        "max_retries", "timeout", "request_timeout", "default_request_timeout", "stream", "streaming", "stream_usage",
        "disable_streaming", "metadata", "tags", "callbacks", "callback_manager", "verbose", "cache", "rate_limiter",
        "http_client", "http_async_client", "custom_get_token_ids", "include_response_headers", "openai_proxy",
        "anthropic_proxy", "api_key", "openai_api_key", "anthropic_api_key", "google_api_key",
    }
)  # fmt: skip
"""Names of settings that never change an answer: transport, bookkeeping, and credentials (of which
LangChain shows a placeholder only; use namespaces to keep tenants apart)."""

_ENDPOINT_VARIABLES = ("OPENAI_BASE_URL",)
"""What a provider's client reads by itself where LangChain names no address."""
_MODEL_NAMES = ("model", "model_name", "model_id", "deployment_name", "azure_deployment")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{4,}")
_CLASS = re.compile(r"<class '([\w.]+)'>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A model's settings, reduced.

    Attributes:
        canonical: JSON of all that can change the answer.
        model: the model asked for, if it could be found.
        temperature: the sampling temperature, where one is set.
        uncacheable: why the description does not identify the model; ``None`` if it does.
    """

    canonical: str
    model: str | None = None
    temperature: float | None = None
    uncacheable: str | None = None


def read_settings(llm_string: str) -> Settings:
    """Reduce LangChain's description of a model.

    >>> settings = read_settings("[('_type', 'fake'), ('model', 'm'), ('stop', None), ('timeout', 3)]")
    >>> settings.canonical, settings.model
    ('{"call":{"_type":"fake","model":"m","stop":null}}', 'm')
    """
    # A class is told by its schema, which is another one when the class is defined again.
    settings = _read(llm_string) if "<class '" in llm_string else _read_once(llm_string)
    for variable in _ENDPOINT_VARIABLES:
        address = os.environ.get(variable)
        if address:
            settings = replace(settings, canonical=f"{settings.canonical}\n{variable}={address}")
    return settings


def _read(llm_string: str) -> Settings:
    described, literal = _split(llm_string)
    schemas = {name: _schema(name) for name in _CLASS.findall(literal)}
    parts: dict[str, object] = {}
    if described is not None:
        parts["model"] = _reduced(described)
    call = _literal(literal)
    if call is not None:
        parts["call"] = {name: value for name, value in call.items() if name not in VOLATILE}
    elif literal:
        parts["call"] = literal
    if schemas:
        parts["schemas"] = schemas
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=repr)
    named = _fields(described)
    more = named.get("model_kwargs")
    fields = {**(more if isinstance(more, dict) else {}), **named, **(call or {})}
    uncacheable = None
    if None in schemas.values() or ("<class " in literal and "<locals>" in literal):
        uncacheable = "the settings name a class that cannot be looked up; define it at the top of a module"
    elif _ADDRESS.search(canonical):
        uncacheable = "the settings hold an object that can only be told by its address in memory"
    return Settings(
        canonical=canonical, model=_model(fields), temperature=_temperature(fields), uncacheable=uncacheable
    )


# One application asks with few settings, and reading them takes longer than finding an answer.
_read_once = lru_cache(maxsize=256)(_read)


def _split(llm_string: str) -> tuple[dict[str, Any] | None, str]:
    """Return the constructor, if there is one, and the text of the call's arguments."""
    if llm_string.startswith("{"):
        try:
            described, end = json.JSONDecoder().raw_decode(llm_string)
        except (ValueError, RecursionError):
            return None, llm_string
        if isinstance(described, dict):
            return described, llm_string[end:].removeprefix("---")
    return None, llm_string


def _literal(text: str) -> dict[str, Any] | None:
    try:
        pairs = ast.literal_eval(_CLASS.sub(r"'class \1'", text)) if text else []
        return {str(name): value for name, value in pairs}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _fields(described: Mapping[str, Any] | None) -> dict[str, Any]:
    fields = (described or {}).get("kwargs")
    return fields if isinstance(fields, dict) else {}


def _reduced(described: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in _fields(described).items() if name not in VOLATILE}
    return {**described, "kwargs": kept}


def _schema(name: str) -> object:
    """Return what identifies a class beyond its name, so that an edited one is another one."""
    module, _, attribute = name.rpartition(".")
    found = getattr(sys.modules.get(module), attribute, None)
    if found is None:
        return None
    try:
        return TypeAdapter(found).json_schema() or None  # of models, dataclasses and typed dictionaries, to the bottom
    except Exception:  # whatever it is that a class of the user's raises, it says nothing of itself
        return None


def _model(fields: Mapping[str, Any]) -> str | None:
    return next((fields[name] for name in _MODEL_NAMES if isinstance(fields.get(name), str)), None)


def _temperature(fields: Mapping[str, Any]) -> float | None:
    value = fields.get("temperature")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
