"""Is a tool call held against the tools that were offered, in every format?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from lc_costkit.routing.answer import Answer, ToolCall
from lc_costkit.routing.checks import GENERAL_CHECKS
from lc_costkit.routing.offered_tools import DEFAULT_CHECKS, tools_as_offered
from lc_costkit.routing.policy import RouteRequest

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORMATS: dict[str, Any] = {
    "openai": {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}},
    "responses": {"type": "function", "name": "weather", "parameters": SCHEMA},
    "anthropic": {"name": "weather", "input_schema": SCHEMA},
}


def reason(arguments: Any, *, name: str = "weather", tool_text: str = "") -> str:
    answer = Answer(text="", tool_calls=(ToolCall(name=name, arguments=arguments),))
    return tools_as_offered(RouteRequest(question="hi", tool_text=tool_text), answer).reason


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_calls_are_held_against_what_is_offered(form: Any) -> None:
    text = json.dumps([form])
    assert reason({"city": "Paris"}, tool_text=text) == ""
    assert reason('{"city": "Paris"}', tool_text=text) == ""
    assert reason({}, tool_text=text) == "the arguments of weather break its schema: 'city' is missing"
    assert reason("", tool_text=text) == "the arguments of weather break its schema: 'city' is missing"
    assert reason('{"city": ', tool_text=text) == "the arguments of weather are no JSON"
    assert reason({"city": "Paris"}, name="wether", tool_text=text) == "it asks for a tool that there is not"


def test_tools_of_the_call_stand_behind_those_that_were_bound() -> None:
    both = json.dumps([FORMATS["openai"]]) + json.dumps([{"name": "news", "input_schema": {"required": ["day"]}}])
    assert reason({"city": "Paris"}, tool_text=both) == ""
    assert "'day' is missing" in reason({}, name="news", tool_text=both)


def test_a_tool_without_a_schema_takes_anything() -> None:
    assert reason({"q": 1}, name="web_search_20250305", tool_text='[{"type": "web_search_20250305"}]') == ""


@pytest.mark.parametrize("text", ["", "no JSON", "[1, null]", '"text"'])
def test_where_nothing_is_known_of_the_tools_calls_must_be_json_alone(text: str) -> None:
    assert reason({"a": 1}, name="Report", tool_text=text) == ""
    assert reason("{", name="Report", tool_text=text) == "the arguments of Report are no JSON"
    assert reason("{", name="", tool_text=text) == "the arguments of a tool are no JSON"


def test_an_answer_in_words_passes() -> None:
    request = RouteRequest(question="hi", tool_text=json.dumps([FORMATS["openai"]]))
    assert tools_as_offered(request, Answer(text="Sunny.")).passed


def test_a_cascade_asks_it_beside_the_general_checks() -> None:
    assert (tools_as_offered, *GENERAL_CHECKS) == DEFAULT_CHECKS
