"""Which value satisfies a JSON schema?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

_DEPTH = 12
"""Nesting below which optional properties and array items are left out, so that recursive schemas end."""

_FORMATS = {
    "date": "2026-11-20",
    "date-time": "2026-11-20T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}

_TEXT_NAMES = frozenset(
    {"query", "question", "text", "input", "prompt", "content", "message", "q", "request", "search"}
)
_PLACE_NAMES = frozenset({"city", "location", "place", "country", "town", "address"})
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_HAIR = Fraction(1, 1_000_000)
"""How far inside an exclusive bound a number is put, relative to the bound."""
_CAPITALISED = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][\w-]+")


def conforming(schema: Mapping[str, Any], *, hint: str = "") -> Any:
    """A value that satisfies ``schema``, the same one for the same schema and hint.

    Args:
        schema: JSON schema: types, enum, const, any/one/allOf, local ``$ref``, bounds, formats.
        hint: the question; its words, places and numbers are used where they fit.

    >>> conforming({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    ...            hint="What is the weather in Paris?")
    {'city': 'Paris'}
    """
    return _value(schema, _Sources(schema, hint), name="", depth=0)


class _Sources:
    """Where references lead, and what the question offers."""

    def __init__(self, root: Mapping[str, Any], hint: str) -> None:
        self.root = root
        self.hint = hint.strip()
        self._numbers = [Fraction(number) for number in _NUMBER.findall(hint)]

    def number(self) -> Fraction:
        """The next number of the question that was not used yet, or 1."""
        return self._numbers.pop(0) if self._numbers else Fraction(1)

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema itself, or what its ``$ref`` points at with its own keys on top."""
        for _ in range(_DEPTH):
            reference = schema.get("$ref")
            if not isinstance(reference, str):
                return schema
            found: Any = self.root
            for key in reference.removeprefix("#").strip("/").split("/"):
                if key:
                    found = (
                        found.get(key.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
                    )
            schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
        return {}


def _value(schema: Any, sources: _Sources, *, name: str, depth: int) -> Any:
    if not isinstance(schema, Mapping):
        return sources.hint or "value"
    schema = _merged(sources.resolve(schema), sources)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return _mentioned(schema["enum"], sources.hint)
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return _value(_preferred(schema[key], sources, depth), sources, name=name, depth=depth + 1)
    kind = schema.get("type")
    if isinstance(kind, Sequence) and not isinstance(kind, str):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    if kind == "object":
        return _object(schema, sources, depth)
    if kind == "array":
        return _array(schema, sources, name, depth)
    if kind in ("integer", "number"):
        return _number(schema, sources, whole=kind == "integer")
    if kind == "boolean":
        return True
    return None if kind == "null" else _string(schema, sources.hint, name)


def _merged(schema: Mapping[str, Any], sources: _Sources) -> Mapping[str, Any]:
    if not schema.get("allOf"):
        return schema
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        resolved = _merged(sources.resolve(part), sources)
        properties = {**merged.get("properties", {}), **resolved.get("properties", {})}
        required = [*merged.get("required", ()), *resolved.get("required", ())]
        merged = {**merged, **resolved}
        if properties:
            merged |= {"properties": properties, "required": required}
    return merged


def _preferred(options: Sequence[Any], sources: _Sources, depth: int) -> Any:
    def weight(option: Any) -> tuple[bool, bool]:
        resolved = sources.resolve(option) if isinstance(option, Mapping) else {}
        nested = resolved.get("type") in ("object", "array") or "properties" in resolved
        return resolved.get("type") == "null" and depth < _DEPTH, nested and depth >= _DEPTH

    return min(options, key=weight)


def _mentioned(options: Sequence[Any], hint: str) -> Any:
    lowered = hint.lower()
    return next((one for one in options if isinstance(one, str) and one and one.lower() in lowered), options[0])


def _object(schema: Mapping[str, Any], sources: _Sources, depth: int) -> dict[str, Any]:
    properties: Mapping[str, Any] = schema.get("properties") or {}
    required = list(schema.get("required") or ())
    names = required if depth >= _DEPTH or required else list(properties)
    filled = {
        name: _value(properties.get(name, {"type": "string"}), sources, name=name, depth=depth + 1) for name in names
    }
    extra = schema.get("additionalProperties")
    for index in range(int(schema.get("minProperties") or 0) - len(filled)):
        filled[f"key_{index + 1}"] = _value(extra, sources, name="", depth=depth + 1)
    return filled


def _array(schema: Mapping[str, Any], sources: _Sources, name: str, depth: int) -> list[Any]:
    fixed = schema.get("prefixItems")
    if fixed:
        return [_value(item, sources, name=name, depth=depth + 1) for item in fixed]
    length = max(int(schema.get("minItems") or 0), 1 if depth < _DEPTH else 0)
    length = min(length, int(schema.get("maxItems", length)))
    items = [_value(schema.get("items", {}), sources, name=name, depth=depth + 1) for _ in range(length)]
    if not schema.get("uniqueItems"):
        return items
    options = schema.get("items", {}).get("enum") if isinstance(schema.get("items"), Mapping) else None
    if options:
        return list(options[:length])
    return [f"{item} {at + 1}" if at and isinstance(item, str) else _shifted(item, at) for at, item in enumerate(items)]


def _shifted(item: Any, by: int) -> Any:
    return item + by if isinstance(item, int | float) and not isinstance(item, bool) else item


def _number(schema: Mapping[str, Any], sources: _Sources, *, whole: bool) -> int | float:
    multiple = schema.get("multipleOf")
    step = Fraction(str(multiple)) if multiple else Fraction(1) if whole else None
    lows, highs = _bounds(schema, "minimum", step), _bounds(schema, "maximum", step)
    chosen = min([max([sources.number(), *lows]), *highs])
    if step is not None:
        chosen = chosen // step * step
        chosen = chosen + step if lows and chosen < max(lows) else chosen
    return int(chosen) if chosen.denominator == 1 else float(chosen)


def _bounds(schema: Mapping[str, Any], name: str, step: Fraction | None) -> list[Fraction]:
    """The bounds on one side; an exclusive one is moved inside, by a step or by a hair."""
    found = [Fraction(schema[name])] if name in schema else []
    exclusive = schema.get(f"exclusive{name.capitalize()}")
    if isinstance(exclusive, int | float) and not isinstance(exclusive, bool):
        bound = Fraction(exclusive)
        inside = step if step is not None else _HAIR * max(Fraction(1), abs(bound))
        found.append(bound + inside if name == "minimum" else bound - inside)
    return found


def _string(schema: Mapping[str, Any], hint: str, name: str) -> str:
    known = _FORMATS.get(str(schema.get("format")))
    if known is not None:
        return known
    lowered = name.lower()
    places = _CAPITALISED.findall(hint)
    if lowered in _PLACE_NAMES and places:
        text = str(places[-1])
    elif lowered in _TEXT_NAMES or not name:
        text = hint or "text"
    else:
        words = re.findall(r"\w+", hint)
        text = f"{name.replace('_', ' ')}: {' '.join(words[:8])}" if words else name.replace("_", " ")
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        text = _matching(pattern, [text, *re.findall(r"\S+", hint)])
    shortest, longest = int(schema.get("minLength") or 0), schema.get("maxLength")
    text = text.ljust(shortest, ".")
    return text if longest is None else text[: int(longest)]


_SAMPLES = (
    "a",
    "A",
    "abc",
    "ABC",
    "1",
    "12",
    "123",
    "12345",
    "a1",
    "abc-123",
    "ABC-123",
    "2026-11-20",
    "+15550100",
    "0",
)


def _matching(pattern: str, candidates: Sequence[str]) -> str:
    """The first candidate that ``pattern`` accepts; the first of all if it accepts none."""
    try:
        compiled = re.compile(pattern)
    except re.error:
        return candidates[0]
    return next((one for one in (*candidates, *_SAMPLES) if compiled.search(one)), candidates[0])
