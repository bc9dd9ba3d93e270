"""Does the schema check find what jsonschema finds?"""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.routing.schema import violations

ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^A-[0-9]+$"},
        "count": {"type": "integer", "minimum": 1, "exclusiveMaximum": 100},
        "kind": {"enum": ["new", "used", 1, None]},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 2}, "maxItems": 3, "uniqueItems": True},
        "to": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/place"}]},
        "step": {"type": "number", "multipleOf": 0.5},
        "either": {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 5}]},
        "both": {"allOf": [{"type": ["string", "integer"]}, {"not": {"const": 0}}]},
    },
    "required": ["id", "count"],
    "additionalProperties": False,
    "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}
TEXTS = st.sampled_from(["A-1", "new", "x", "xy"])
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-3, 120), st.sampled_from([0.5, 5.5, 7.0]), TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["city", "id", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
GOOD = {"id": "A-1", "count": 2}


@given(st.dictionaries(st.sampled_from([*ORDER["properties"], "other"]), VALUES, max_size=6), st.booleans())
def test_it_agrees_with_jsonschema(extra: dict[str, Any], based: bool) -> None:
    value = {**(GOOD if based else {}), **extra}
    valid = jsonschema.Draft202012Validator(ORDER).is_valid(value)
    assert (violations(value, ORDER) == []) == valid


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": "2"}, "count is no integer"),
        ({"count": True}, "count is no integer"),
        ({"count": 0}, "count is out of range"),
        ({"id": "7"}, "id does not match its pattern"),
        ({"kind": True}, "kind is none of the 4 allowed values"),
        ({"tags": ["ab", "c"]}, "tags[1] has 1 characters, fewer than 2"),
        ({"to": {"city": 3}}, "to fits none of 2 alternatives"),
        ({"other": 1}, "other is not allowed"),
    ],
)
def test_faults_say_where_they_are(change: dict[str, Any], message: str) -> None:
    assert violations({**GOOD, **change}, ORDER) == [message]


def test_only_so_many_are_named() -> None:
    assert len(violations({"x": 1, "y": 2, "z": 3}, ORDER)) == 3
    assert len(violations({"x": 1, "y": 2, "z": 3}, ORDER, most=1)) == 1


def test_a_schema_that_refers_to_itself_ends() -> None:
    tree: dict[str, Any] = {"properties": {"next": {"$ref": "#"}}, "required": ["n"]}
    assert violations({"n": 1, "next": {"n": 2, "next": {}}}, tree) == ["next.next 'n' is missing"]
    assert violations(1, {"$ref": "#"}) == []


def test_what_is_not_known_passes() -> None:
    assert violations("x", {"format": "email", "pattern": "(?P<", "$ref": "https://example.com/other"}) == []
    assert violations(5, {"exclusiveMinimum": True, "minimum": 5}) == []


NODES = [
    {"type": "object", "properties": {"left": {"$ref": "#/$defs/node"}, "sign": {"const": sign}}, "required": ["sign"]}
    for sign in "+-*/"
]
TREE = {"$defs": {"node": {"anyOf": [{"type": "number"}, *NODES]}}, "$ref": "#/$defs/node"}


@pytest.mark.parametrize(("sign", "fits"), [("/", True), ("!", False)])
def test_a_tree_of_alternatives_is_read_once(sign: str, fits: bool) -> None:
    value: Any = 1
    for _ in range(12):
        value = {"left": value, "sign": sign}
    assert (violations(value, TREE) == []) is fits  # in 4 ** 12 steps it would not end


def test_alternatives_that_lead_back_to_themselves_end() -> None:
    for name in ("allOf", "anyOf"):
        assert violations("x", {name: [{"$ref": "#"}, {"$ref": "#"}]}) == []


def test_items_of_a_long_list_are_compared() -> None:
    many: list[Any] = [{"n": number} for number in range(20_000)]
    assert violations(many, {"uniqueItems": True}) == []
    assert violations([*many, {"n": 7}], {"uniqueItems": True}) == ["the list has an item twice"]


@pytest.mark.parametrize(
    "schema",
    [
        {"required": True},
        {"required": ["a", ["b"]]},
        {"properties": None},
        {"patternProperties": {"(": {"type": "string"}}},
        {"patternProperties": None},
        {"enum": None},
        {"enum": 5},
        {"minLength": "3", "maxLength": None, "maximum": "5", "multipleOf": 1e-320},
        {"prefixItems": None, "minItems": True},
        {"pattern": "x{1000000000000}"},
        {"type": []},
    ],
)
@pytest.mark.parametrize("value", [{"a": 1}, "x", 10**400, float("inf"), [1, 2], None])
def test_a_keyword_that_makes_no_sense_names_no_fault_and_breaks_nothing(schema: dict[str, Any], value: Any) -> None:
    assert violations(value, schema) == []


def test_null_may_be_allowed_as_openapi_says_it() -> None:
    assert violations(None, {"type": "string", "nullable": True}) == []
    assert violations(None, {"type": "string"}) == ["the value is no string"]
