"""Where does a value break a JSON schema?

The part of JSON Schema that tools and structured output use: types, ``enum``, ``const``, ``required``, properties,
items, bounds, lengths, patterns, ``anyOf``, ``oneOf``, ``allOf``, ``not`` and local references. What it does not know
it lets pass: a check may miss a fault, but it names none that is not there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DEEPEST = 40
"""Levels of nesting looked at: a schema may refer to itself."""

_KINDS: dict[str, tuple[type, ...]] = {
    "object": (Mapping,),
    "array": (list, tuple),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
}


def violations(value: Any, schema: Mapping[str, Any], *, most: int = 3) -> list[str]:
    """Return what is wrong, each with its place and without the value; at most so many.

    >>> schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n", "to"]}
    >>> violations({"n": "3"}, schema)
    ["'to' is missing", 'n is no integer']
    """
    found = []
    for place, fault in _faults(value, schema, _Root(schema), "", 0):
        found.append(f"{place} {fault}".strip())
        if len(found) >= most:
            break
    return found


_Fault = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Root:
    """The whole schema, and which values were found to fit which of its parts.

    Alternatives that refer to themselves would else be tried again at every level: a tree of ten levels took minutes.
    """

    schema: Mapping[str, Any]
    fitting: dict[tuple[int, int], bool] = field(default_factory=dict)

    def fits(self, value: Any, part: Any, depth: int) -> bool:
        key = (id(value), id(part))
        if key not in self.fitting:
            self.fitting[key] = True  # what leads back to itself adds no fault
            self.fitting[key] = not any(_faults(value, part, self, "", depth))
        return self.fitting[key]


def _faults(value: Any, schema: Any, root: _Root, place: str, depth: int) -> Iterator[_Fault]:
    if schema is False:
        yield place, "is not allowed"
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return
    if "$ref" in schema:
        yield from _faults(value, _target(str(schema["$ref"]), root.schema), root, place, depth + 1)
    if value is None and schema.get("nullable") is True:
        return
    kinds = schema.get("type")
    names = [kinds] if isinstance(kinds, str) else kinds
    if names and isinstance(names, Sequence) and not any(_is(value, str(name)) for name in names):
        yield place or "the value", f"is no {' or '.join(map(str, names))}"
        return
    allowed = _parts(schema, "enum")
    if allowed and not any(_same(value, one) for one in allowed):
        yield place or "the value", f"is none of the {len(allowed)} allowed values"
    if "const" in schema and not _same(value, schema["const"]):
        yield place or "the value", "is not the constant"
    yield from _combined(value, schema, root, place, depth)
    if isinstance(value, Mapping):
        yield from _object(value, schema, root, place, depth)
    elif isinstance(value, list | tuple):
        yield from _array(value, schema, root, place, depth)
    elif isinstance(value, str):
        yield from _text(value, schema, place)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema, place)


def _combined(value: Any, schema: Mapping[str, Any], root: _Root, place: str, depth: int) -> Iterator[_Fault]:
    for part in _parts(schema, "allOf"):
        if not root.fits(value, part, depth + 1):
            yield from _faults(value, part, root, place, depth + 1)
    for name in ("anyOf", "oneOf"):
        parts = _parts(schema, name)
        fitting = sum(root.fits(value, part, depth + 1) for part in parts)
        if parts and not fitting:
            yield place or "the value", f"fits none of {len(parts)} alternatives"
        elif name == "oneOf" and fitting > 1:
            yield place or "the value", f"fits {fitting} alternatives, not one"
    if isinstance(schema.get("not"), Mapping) and root.fits(value, schema["not"], depth + 1):
        yield place or "the value", "is what it must not be"


def _object(
    value: Mapping[str, Any], schema: Mapping[str, Any], root: _Root, place: str, depth: int
) -> Iterator[_Fault]:
    for name in _parts(schema, "required"):
        if isinstance(name, str) and name not in value:
            yield place, f"{name!r} is missing"
    known, patterns = _named(schema, "properties"), _named(schema, "patternProperties")
    others = schema.get("additionalProperties", True)
    for name, one in value.items():
        where = f"{place}.{name}" if place else str(name)
        if name in known:
            yield from _faults(one, known[name], root, where, depth + 1)
            continue
        matching = [pattern for pattern in patterns if _matches(pattern, str(name), unknown=False)]
        for pattern in matching:
            yield from _faults(one, patterns[pattern], root, where, depth + 1)
        if not matching and all(map(_is_pattern, patterns)):
            yield from _faults(one, others, root, where, depth + 1)


def _array(value: Sequence[Any], schema: Mapping[str, Any], root: _Root, place: str, depth: int) -> Iterator[_Fault]:
    yield from _bounds(len(value), schema, "minItems", "maxItems", f"{place or 'the list'} has", "items")
    first = _parts(schema, "prefixItems")
    for number, one in enumerate(value):
        part = first[number] if number < len(first) else schema.get("items", True)
        yield from _faults(one, part, root, f"{place}[{number}]", depth + 1)
    if schema.get("uniqueItems") is True and len({_written(one) for one in value}) < len(value):
        yield place or "the list", "has an item twice"


def _text(value: str, schema: Mapping[str, Any], place: str) -> Iterator[_Fault]:
    yield from _bounds(len(value), schema, "minLength", "maxLength", f"{place or 'the text'} has", "characters")
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not _matches(pattern, value, unknown=True):
        yield place or "the text", "does not match its pattern"


def _number(value: float, schema: Mapping[str, Any], place: str) -> Iterator[_Fault]:
    where = place or "the number"
    above, below = _limit(schema, "exclusiveMinimum", -math.inf), _limit(schema, "exclusiveMaximum", math.inf)
    if (
        value < _limit(schema, "minimum", value)
        or value > _limit(schema, "maximum", value)
        or -math.inf < value <= above
        or below <= value < math.inf
    ):
        yield where, "is out of range"
    step = _limit(schema, "multipleOf", 0.0)
    if step > 0 and not _is_multiple(value, step):
        yield where, f"is no multiple of {step:g}"


def _is_multiple(value: float, step: float) -> bool:
    try:
        return abs(value / step - round(value / step)) <= 1e-9
    except OverflowError:  # beyond what can be told
        return True


def _limit(schema: Mapping[str, Any], name: str, default: float) -> float:
    """Read a number; an older draft says ``true`` there, and means another keyword."""
    limit = schema.get(name)
    return limit if isinstance(limit, int | float) and not isinstance(limit, bool) else default


def _bounds(size: int, schema: Mapping[str, Any], least: str, most: str, where: str, what: str) -> Iterator[_Fault]:
    if size < _limit(schema, least, size):
        yield where, f"{size} {what}, fewer than {schema[least]}"
    if size > _limit(schema, most, size):
        yield where, f"{size} {what}, more than {schema[most]}"


def _parts(schema: Mapping[str, Any], name: str) -> Sequence[Any]:
    parts = schema.get(name, ())
    return parts if isinstance(parts, list | tuple) else ()


def _named(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    parts = schema.get(name)
    return parts if isinstance(parts, Mapping) else {}


def _matches(pattern: str, text: str, *, unknown: bool) -> bool:
    return re.search(pattern, text) is not None if _is_pattern(pattern) else unknown


def _is_pattern(pattern: str) -> bool:
    """Tell whether Python reads a pattern; JSON Schema's dialect is JavaScript's."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _written(value: Any) -> str:
    """Write a value so that equal ones are written alike."""
    return json.dumps(value, sort_keys=True, default=repr)


def _target(reference: str, root: Mapping[str, Any]) -> Any:
    """Follow a reference within the schema; any other leads to a schema that allows everything."""
    if not reference.startswith("#"):
        return True
    at: Any = root
    for part in reference[1:].strip("/").split("/") if reference.strip("#/") else ():
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(at, Mapping) or name not in at:
            return True
        at = at[name]
    return at


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number"):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (kind == "number" or isinstance(value, int) or value.is_integer())
    return kind not in _KINDS or isinstance(value, _KINDS[kind])


def _same(one: Any, other: Any) -> bool:
    """Equal, where ``True`` is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
