"""Is a schema that could never be checked refused where it is given?"""

from __future__ import annotations

import pickle
from datetime import date
from typing import Any, TypedDict

import pytest
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field, field_validator

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import RouteRequest
from lc_costkit.routing.answer import Answer, ToolCall, Verdict
from lc_costkit.routing.checks import FinalNumber, SchemaValid, ToolsValid
from lc_costkit.routing.given_schema import breaks, checked_schema, checked_tools, tool_schema

CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Refund(BaseModel):
    """What is paid back."""

    amount: float = Field(gt=0)
    until: date
    reason: str = ""

    @field_validator("reason")
    @classmethod
    def known(cls, value: str) -> str:
        if value == "secret":
            raise ValueError("no such reason: secret")
        return value


class Place(TypedDict):
    city: str


@tool
def weather(city: str) -> str:
    """Tell the weather."""
    return city


def judge(check: Any, text: str = "", *calls: ToolCall) -> Verdict:
    verdict: Verdict = check(RouteRequest(question="?"), Answer(text=text, tool_calls=calls))
    return verdict


def test_a_pydantic_model_validates_the_answer_itself() -> None:
    check = pickle.loads(pickle.dumps(SchemaValid(Refund)))  # noqa: S301
    assert judge(check, '```json\n{"amount": 4.5, "until": "2026-03-01"}\n```').passed
    assert judge(check, '{"foo": 1}').reason == "it breaks the schema: amount: missing; until: missing"
    assert judge(check, '{"amount": -1, "until": "tomorrow"}').reason == (
        "it breaks the schema: amount: greater_than; until: date_from_datetime_parsing"
    )
    assert "secret" not in judge(check, '{"amount": 1, "until": "2026-03-01", "reason": "secret"}').reason
    assert judge(check, "[]").reason == "it breaks the schema: the value: model_type"
    assert judge(check, "no").reason.startswith("it is no JSON")


@pytest.mark.parametrize("schema", [CITY, {"$ref": "#/$defs/a", "$defs": {"a": CITY}}, {"enum": [1, 2]}, Refund])
def test_a_schema_is_taken_as_it_is(schema: Any) -> None:
    assert checked_schema(schema) is schema


def test_what_pydantic_and_langchain_make_is_a_schema() -> None:
    made = checked_schema(Refund.model_json_schema())
    assert breaks({"amount": 2, "until": "2026-03-01"}, made) == []
    assert breaks({"amount": 0, "until": "2026-03-01"}, made) == ["amount is out of range"]


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ('{"type": "object"}', "a schema is no text; pass a JSON schema as a dictionary, or a pydantic model"),
        ({"type": "objekt"}, "type 'objekt' is none of object, array"),
        ({"type": ["string", "nil"]}, "type 'nil' is none of"),
        ({"type": {"kind": "object"}}, "type {'kind': 'object'} is none of"),
        ({"type": "object", "properties": {"a": {"type": "int"}}}, r"type 'int' .* \(at /properties/a\)"),
        ({"anyOf": [{"items": {"type": "text"}}]}, r"\(at /anyOf/items\)"),
        ({"type": "object", "properties": ["a"]}, "properties must be a dictionary of schemas"),
        ({"type": "object", "properties": {"a": "string"}}, r"'string' is no schema \(at /properties/a\)"),
        ({"type": "object", "required": "city"}, "required must be a list, not 'city'"),
        ({"type": "string", "minLength": "3"}, "minLength must be a number, not '3'"),
        ({"amount": "number"}, r"\['amount'\] are no keywords of JSON Schema"),
        ({"name": "refund", "schema": CITY, "strict": True}, "pass what stands under 'schema'"),
        ({"type": "json_schema", "json_schema": {"schema": CITY}}, "type 'json_schema' is none of"),
        ({}, "an empty schema lets everything pass; use json_parses"),
        ([CITY], "a list is no schema"),
        (None, "a NoneType is no schema"),
        (Place, "Place is no schema; .* TypeAdapter"),
        (Refund(amount=1, until=date(2026, 1, 1)), "a Refund is no schema; .* as a class"),
    ],
)
def test_what_is_no_schema_is_refused_with_what_to_pass(schema: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        SchemaValid(schema)


OPENAI = convert_to_openai_tool(weather)
ANTHROPIC = {"name": "weather", "description": "Tell the weather.", "input_schema": CITY}


class Weather(BaseModel):
    city: str


@pytest.mark.parametrize("tools", [{"weather": CITY}, {"weather": Weather}, [OPENAI], [ANTHROPIC], (OPENAI,)])
def test_tools_are_named_schemas_or_what_a_provider_takes(tools: Any) -> None:
    check = pickle.loads(pickle.dumps(ToolsValid(tools)))  # noqa: S301
    assert judge(check, "", ToolCall(name="weather", arguments={"city": "Ulm"})).passed
    assert judge(check, "", ToolCall(name="weather", arguments="{}")).reason.startswith(
        "the arguments of weather break"
    )
    assert judge(check, "", ToolCall(name="other")).reason == "it asks for a tool that there is not"


def test_a_tool_may_take_anything() -> None:
    assert checked_tools({"ping": {}}) == checked_tools([{"type": "function", "function": {"name": "ping"}}])
    assert tool_schema({"type": "web_search"}) == ("web_search", None)


@pytest.mark.parametrize(
    ("tools", "told"),
    [
        ([lambda city: city], "a function is no tool that can be read here; pass a mapping"),
        ([weather], "a StructuredTool is no tool that can be read here; .* convert_to_openai_tool"),
        ([1], "a int is no tool that can be read here"),
        ([{"city": "string"}], r"a dictionary with \['city'\] is no tool"),
        ([OPENAI, ANTHROPIC], "two tools are called 'weather'"),
        (weather, "tools are no StructuredTool"),
        ("weather", "tools are no str"),
        ({"weather": OPENAI}, "the tool 'weather': the schema cannot be checked: type 'function'"),
        ({"weather": "string"}, "the tool 'weather': a schema is no text"),
        (OPENAI, "the tool 'type': a schema is no text; .* For tools, pass a mapping"),
        ({1: CITY}, "a tool's name must be a text, not 1"),
    ],
)
def test_what_are_no_tools_is_refused_with_what_to_pass(tools: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        ToolsValid(tools)


@pytest.mark.parametrize(
    "limits", [{"least": 5, "most": 2}, {"least": "5"}, {"most": float("nan")}, {"least": True}], ids=str
)
def test_a_range_that_holds_no_number_is_refused(limits: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"from least to most; got 5 to 2|must be numbers, or None"):
        FinalNumber(**limits)
