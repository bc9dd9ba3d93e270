"""Which schema does a caller mean, and what in it could never be checked?

A schema that is misread lets every answer pass, or none, and nobody notices: so what is no schema is refused where it
is given.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.schema import violations

Schema = Mapping[str, Any] | type[Any]
"""A JSON schema, or a pydantic model."""

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_SINGLE = ("not", "items", "additionalProperties")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "$defs", "definitions")
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength")
_OTHERS = ("type", "enum", "const", "required", "$ref", "pattern", "uniqueItems", "multipleOf", "minimum", "maximum",
           "exclusiveMinimum", "exclusiveMaximum")  # fmt: skip
_KEYWORDS = frozenset((*_SINGLE, *_LISTS, *_NAMED, *_COUNTS, *_OTHERS)) - {"$defs", "definitions"}
_SCHEMAS = ("parameters", "input_schema", "parametersJsonSchema")
"""Where OpenAI's, Anthropic's and Google's formats keep the schema of a tool's arguments."""

SCHEMA_FORMS = "pass a JSON schema as a dictionary, or a pydantic model (version 2), as a class"
TOOL_FORMS = (
    "pass a mapping of each tool's name to the schema of its arguments, or a list of tools in OpenAI's or Anthropic's "
    "format (LangChain's convert_to_openai_tool makes them); tools_as_offered reads those of the request and needs none"
)


def checked_schema(given: object) -> Schema:
    """Return a schema as it was given.

    Raises:
        ConfigurationError: it is none, or holds what cannot be meant: a type that JSON Schema does not have, say.

    >>> checked_schema({"type": "object"})
    {'type': 'object'}
    """
    if _is_model(given):
        return given  # type: ignore[return-value]
    if isinstance(given, str | bytes):
        raise ConfigurationError(f"a schema is no text; {SCHEMA_FORMS} (json.loads reads one)")
    if not isinstance(given, Mapping):
        name = given.__name__ if isinstance(given, type) else f"a {type(given).__name__}"
        raise ConfigurationError(f"{name} is no schema; {SCHEMA_FORMS}; TypeAdapter(...).json_schema() makes others")
    if not given:
        raise ConfigurationError("an empty schema lets everything pass; use json_parses to ask for JSON of any kind")
    if not _KEYWORDS.intersection(given):
        inner = next((name for name in ("schema", "json_schema", "function", *_SCHEMAS) if name in given), None)
        advice = f"pass what stands under {inner!r}" if inner else SCHEMA_FORMS
        raise ConfigurationError(f"{sorted(map(str, given))!r} are no keywords of JSON Schema; {advice}")
    wrong = next(_wrong(given, ""), None)
    if wrong is not None:
        raise ConfigurationError(f"the schema cannot be checked: {wrong}; {SCHEMA_FORMS}")
    return given


def checked_tools(given: object) -> dict[str, Schema]:
    """Return the schemas of tools' arguments by name, from such a mapping or from tools as a provider takes them.

    Raises:
        ConfigurationError: it is neither, two tools have one name, or a schema is none.

    >>> checked_tools([{"name": "weather", "input_schema": {"type": "object"}}])
    {'weather': {'type': 'object'}}
    """
    if isinstance(given, Mapping):
        pairs: Iterable[tuple[object, object]] = given.items()
    elif isinstance(given, Sequence) and not isinstance(given, str | bytes):
        pairs = [_named(tool) for tool in given]
    else:
        raise ConfigurationError(f"tools are no {type(given).__name__}; {TOOL_FORMS}")
    found: dict[str, Schema] = {}
    for name, schema in pairs:
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"a tool's name must be a text, not {name!r}; {TOOL_FORMS}")
        if name in found:
            raise ConfigurationError(f"two tools are called {name!r}; give each its own name")
        try:
            # A tool may take anything.
            found[name] = {} if isinstance(schema, Mapping) and not schema else checked_schema(schema)
        except ConfigurationError as error:
            raise ConfigurationError(f"the tool {name!r}: {error}. For tools, {TOOL_FORMS}") from None
    return found


def tool_schema(tool: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    """Return the name of a tool as a provider takes it, and the schema of its arguments.

    The schema is ``None`` for a tool that the provider runs itself.
    """
    inner = tool.get("function")
    told = inner if isinstance(inner, Mapping) else tool
    schema = next((told[name] for name in _SCHEMAS if isinstance(told.get(name), Mapping)), None)
    return str(told.get("name") or tool.get("type")), schema


def breaks(value: Any, schema: Schema, *, most: int = 3) -> list[str]:
    """Return how a value that was read from JSON breaks a schema, without the value; at most so many ways."""
    if isinstance(schema, Mapping):
        return violations(value, schema, most=most)
    try:
        schema.model_validate_json(json.dumps(value))
    except ValueError as error:
        told = error.errors() if hasattr(error, "errors") else []
        found = [f"{'.'.join(map(str, one['loc'])) or 'the value'}: {one['type']}" for one in told[:most]]
        return found or ["it cannot be read"]
    return []


def _is_model(given: object) -> bool:
    return isinstance(given, type) and hasattr(given, "model_json_schema") and hasattr(given, "model_validate_json")


def _named(tool: object) -> tuple[object, object]:
    if not isinstance(tool, Mapping) or not (tool.get("name") or tool.get("function") or tool.get("type")):
        raise ConfigurationError(f"{_told(tool)} is no tool that can be read here; {TOOL_FORMS}")
    name, schema = tool_schema(tool)
    return name, {} if schema is None else schema


def _told(tool: object) -> str:
    return f"a dictionary with {sorted(map(str, tool))!r}" if isinstance(tool, Mapping) else f"a {type(tool).__name__}"


def _wrong(schema: object, place: str) -> Iterator[str]:
    """Say what cannot be meant in a schema, and where."""
    at = f" (at {place})" if place else ""
    if not isinstance(schema, Mapping):
        if not isinstance(schema, bool):
            yield f"{schema!r} is no schema{at}"
        return
    kinds = schema.get("type", "object")
    for kind in [kinds] if isinstance(kinds, str) or not isinstance(kinds, Sequence) else kinds:
        if kind not in TYPES:
            yield f"type {kind!r} is none of {', '.join(TYPES)}{at}"
    for name in ("required", "enum"):
        if not isinstance(schema.get(name, []), list | tuple):
            yield f"{name} must be a list, not {schema[name]!r}{at}"
    for name in _COUNTS:
        if isinstance(schema.get(name, 0), bool) or not isinstance(schema.get(name, 0), int | float):
            yield f"{name} must be a number, not {schema[name]!r}{at}"
    for name in _SINGLE:
        if name in schema and not isinstance(schema[name], list):
            yield from _wrong(schema[name], f"{place}/{name}")
    for name in _LISTS:
        for part in schema.get(name, ()) if isinstance(schema.get(name, ()), list | tuple) else [schema[name]]:
            yield from _wrong(part, f"{place}/{name}")
    for name in _NAMED:
        named = schema.get(name, {})
        if not isinstance(named, Mapping):
            yield f"{name} must be a dictionary of schemas, not {named!r}{at}"
            continue
        for one, part in named.items():
            yield from _wrong(part, f"{place}/{name}/{one}")
