"""Does a made-up value satisfy the schema it was made for?"""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.testing.schemas import conforming

NODE = {
    "$ref": "#/$defs/Node",
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                "parent": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            },
            "required": ["name", "children", "parent"],
            "additionalProperties": False,
        }
    },
}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        NODE,
        {"enum": ["red", "green"]},
        {"const": 3},
        {"type": ["null", "integer"]},
        {"type": "integer", "minimum": 10, "maximum": 20, "multipleOf": 7},
        {"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5},
        {"type": "string", "minLength": 30, "maxLength": 32},
        {"type": "string", "pattern": "^[A-Z]{3}$"},
        {"type": "string", "format": "date-time"},
        {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True},
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 2, "uniqueItems": True},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
        {"type": "array", "maxItems": 0},
        {"type": "object", "minProperties": 2, "additionalProperties": {"type": "integer"}},
        {"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"b": {"const": 1}}}]},
        {"oneOf": [{"type": "null"}, {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}]},
    ],
)
@pytest.mark.parametrize("hint", ["", "What is the weather in Paris on 12 May, in green?"])
def test_it_satisfies(schema: dict[str, Any], hint: str) -> None:
    value = conforming(schema, hint=hint)
    jsonschema.validate(value, schema)
    assert value == conforming(schema, hint=hint)


def test_it_takes_up_the_question() -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "query": {"type": "string"},
            "days": {"type": "integer"},
            "colour": {"enum": ["red", "green"]},
        },
        "required": ["city", "query", "days", "colour"],
    }
    hint = "How is Rome in 3 days, green or not?"
    assert conforming(schema, hint=hint) == {"city": "Rome", "query": hint, "days": 3, "colour": "green"}


simple = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "string"}),
    st.builds(lambda low, by: {"type": "integer", "minimum": low, "maximum": low + by}, st.integers(), st.integers(0)),
    st.builds(lambda low, by: {"type": "string", "minLength": low, "maxLength": low + by}, *[st.integers(0, 50)] * 2),
    st.builds(lambda values: {"enum": values}, st.lists(st.integers() | st.text(), min_size=1)),
)
nested = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds(
            lambda properties: {"type": "object", "properties": properties, "required": list(properties)},
            st.dictionaries(st.text(min_size=1), inner, max_size=3),
        ),
        st.builds(lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 3)),
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=8,
)


@given(nested, st.text())
def test_any_schema(schema: dict[str, Any], hint: str) -> None:
    jsonschema.validate(conforming(schema, hint=hint), schema)
