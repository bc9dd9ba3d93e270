"""Is what LangChain says about a call read as data, and cut to what can change the answer?"""

from __future__ import annotations

import json
from dataclasses import dataclass, make_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.load import dumps
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, Generation
from pydantic import BaseModel

from lc_costkit.cache.key import CacheRequest
from lc_costkit.cache.payloads import NotKept
from lc_costkit.langchain.payload import dump, has_tool_calls, load
from lc_costkit.langchain.prompts import read_request
from lc_costkit.langchain.settings import read_settings

SETTINGS = "[('_type', 'fake'), ('stop', None)]"


class Shape(BaseModel):
    """A schema that can be looked up."""

    sides: int


@dataclass
class Nested:
    """What stands below the top."""

    sides: int


@dataclass
class Outer:
    """One that holds another one."""

    inner: Nested


def read(*messages: BaseMessage) -> CacheRequest:
    return read_request(dumps(list(messages)), SETTINGS)


# -- prompts -------------------------------------------------------------------------


def test_each_kind_of_message_has_its_role() -> None:
    request = read(
        SystemMessage("s"),
        HumanMessage("h", name="ann"),
        AIMessage("a", tool_calls=[{"name": "add", "args": {"b": 1, "a": 2}, "id": "call_9"}]),
        ToolMessage("t", tool_call_id="call_9"),
        FunctionMessage("f", name="fn"),
        ChatMessage("c", role="moderator"),
    )
    assert [(turn.role, turn.text) for turn in request.turns] == [
        ("system", "s"), ("human", "h"), ("ai", "a"), ("tool", "t"), ("function", "f"), ("moderator", "c"),
    ]  # fmt: skip
    assert request.turns[1].name == "ann"
    assert request.turns[2].tool_calls == ('add({"a":2,"b":1})',)
    assert not request.plain_text


def test_what_changes_from_call_to_call_is_left_out() -> None:
    def history(call_id: str, tokens: int) -> CacheRequest:
        usage: Any = {"input_tokens": tokens, "output_tokens": 1, "total_tokens": tokens + 1, "total_cost": 0}
        return read(
            HumanMessage("q", id=call_id),
            AIMessage(
                "a",
                id=call_id,
                usage_metadata=usage,
                response_metadata={"id": call_id},
                additional_kwargs={"refusal": None},
                tool_calls=[{"name": "add", "args": {}, "id": call_id}],
            ),
            ToolMessage("3", tool_call_id=call_id),
            HumanMessage("and now?"),
        )

    assert history("one", 5) == history("other", 500)


def test_swapped_tool_results_are_told_apart_without_their_ids() -> None:
    def history(first: str, second: str) -> CacheRequest:
        calls: Any = [{"name": "get", "args": {}, "id": "x"}, {"name": "get", "args": {}, "id": "y"}]
        return read(
            HumanMessage("q"),
            AIMessage("", tool_calls=calls),
            ToolMessage("1", tool_call_id=first),
            ToolMessage("2", tool_call_id=second),
            HumanMessage("so?"),
        )

    assert history("x", "y") != history("y", "x")


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "q"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}],
        [{"type": "image", "source": {"type": "base64", "data": "AAAA"}}],
        [{"type": "input_audio", "input_audio": {"data": "AAAA"}}],
        [{"type": "file", "file": {"file_id": "f"}}],
    ],
)
def test_media_is_seen(content: Any) -> None:
    assert read(HumanMessage(content)).turns[0].has_media


def test_blocks_of_text_are_joined_and_told_from_one_block() -> None:
    whole = read(HumanMessage("one\ntwo")).turns[0]
    parts = read(HumanMessage([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}])).turns[0]
    assert whole.text == parts.text
    assert whole != parts
    marked: Any = [{"type": "text", "text": "q", "cache_control": {"type": "ephemeral"}}]
    assert read(HumanMessage(marked)) == read(HumanMessage("q"))


def test_a_message_class_of_ones_own_is_kept_whole() -> None:
    class Odd(HumanMessage):
        mood: str = "odd"

    turn = read(Odd("q")).turns[0]
    assert turn.role not in ("human", "user")
    assert turn.other


@pytest.mark.parametrize(
    "prompt", ["plain", "[not json", "[]", '["a"]', '[{"lc": 2}]', '{"lc": 1}', "[1, 2]", "[" * 100_000, ""]
)
def test_anything_else_is_a_plain_prompt(prompt: str) -> None:
    request = read_request(prompt, SETTINGS)
    assert request.plain_text
    assert request.turns[0].text == prompt


@given(st.text(), st.text())
def test_no_two_strings_make_it_raise(prompt: str, llm_string: str) -> None:
    assert read_request(prompt, llm_string).turns


def test_tool_calls_that_stand_in_the_content_only_are_kept() -> None:
    def history(city: str, **fields: Any) -> CacheRequest:
        block = {"type": "tool_use", "id": "toolu_1", "name": "get", "input": {"city": city}}
        return read(HumanMessage("q"), AIMessage([block], **fields), HumanMessage("so?"))

    assert history("Rome") != history("Oslo")
    call: Any = {"name": "get", "args": {"city": "Rome"}, "id": "toolu_1"}
    assert history("Rome", tool_calls=[call]).turns[1].other == ""


def test_an_id_in_what_the_user_sends_names_something() -> None:
    def referring(to: str) -> CacheRequest:
        return read(HumanMessage([{"type": "text", "text": "Go on"}, {"type": "item_reference", "id": to}]))

    assert referring("msg_1") != referring("msg_2")


def test_a_block_belongs_to_its_place_among_the_texts() -> None:
    one, two, block = {"type": "text", "text": "a"}, {"type": "text", "text": "b"}, {"type": "non_standard", "value": 1}
    assert read(HumanMessage([one, block, two])) != read(HumanMessage([one, two, block]))


# -- settings ------------------------------------------------------------------------


def described(call: str = "[('stop', None)]", **fields: Any) -> str:
    model = {"id": ["langchain", "ChatX"], "kwargs": {"model_name": "m", **fields}, "lc": 1, "type": "constructor"}
    return json.dumps(model, sort_keys=True) + "---" + call


@pytest.mark.parametrize(
    "fields",
    [
        {"max_retries": 5},
        {"request_timeout": 3.0},
        {"stream_usage": True},
        {"metadata": {"a": 1}},
        {"openai_api_key": {"id": ["OPENAI_API_KEY"], "lc": 1, "type": "secret"}},
    ],
)
def test_transport_and_bookkeeping_are_left_out(fields: dict[str, Any]) -> None:
    assert read_settings(described(**fields)) == read_settings(described())


@pytest.mark.parametrize(
    "other",
    [
        described(model_name="n"),
        described(temperature=0.1),
        described(max_tokens=9),
        described(openai_api_base="http://elsewhere"),
        described(user="u1"),
        described("[('stop', ['x'])]"),
        described("[('stop', None), ('tools', [{'type': 'function'}])]"),
        described("[('response_format', {'type': 'json_object'}), ('stop', None)]"),
        described("[('response_format', <class 'tests.langchain.test_cache_reading.Shape'>), ('stop', None)]"),
        described("[('x', object(1)), ('stop', None)]"),
        "[('_type', 'fake'), ('model_name', 'm')]",
        "whatever",
        *(
            described(**{name: value})
            for name, value in {
                "reasoning_effort": "low",
                "reasoning": {"effort": "low"},
                "seed": 1,
                "logprobs": True,
                "n": 2,
                "top_p": 0.5,
                "verbosity": "low",
                "openai_organization": "o",
                "extra_body": {"top_k": 1},
                "model_kwargs": {"x": 1},
                "default_headers": {"anthropic-beta": "b"},
                "thinking": {"type": "enabled"},
                "betas": ["b"],
                "service_tier": "flex",
                "stop_sequences": ["x"],
                "max_completion_tokens": 9,
            }.items()
        ),
        described("[('stop', None), ('tool_choice', 'any')]"),
        described("[('parallel_tool_calls', False), ('stop', None)]"),
    ],
)
def test_what_can_change_the_answer_is_kept(other: str) -> None:
    assert read_settings(other).canonical != read_settings(described()).canonical


def test_model_and_temperature_are_found_and_the_call_overrides_the_constructor() -> None:
    settings = read_settings(described("[('model', 'n'), ('stop', None), ('temperature', 0)]", temperature=0.5))
    assert (settings.temperature, settings.uncacheable) == (0.0, None)
    assert read_settings(described()).model == "m"
    assert read_settings("[('model_name', 'gpt'), ('temperature', 0.7)]").temperature == 0.7
    assert read_settings("whatever").model is None


@pytest.mark.parametrize(
    "literal",
    [
        "[('f', <function f at 0x7f0000000000>), ('stop', None)]",
        "[('response_format', <class 'tests.langchain.test_cache_reading.f.<locals>.X'>), ('stop', None)]",
        "[('response_format', <class 'no.such.module.X'>), ('stop', None)]",
    ],
)
def test_what_does_not_identify_the_model_is_not_cached(literal: str) -> None:
    assert read_settings(described(literal)).uncacheable
    assert read_settings(literal).uncacheable


def test_an_edited_schema_is_another_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(BaseModel):
        corners: int

    literal = "[('response_format', <class 'tests.langchain.test_cache_reading.Shape'>)]"
    before = read_settings(literal)
    monkeypatch.setattr("tests.langchain.test_cache_reading.Shape", Other)
    assert read_settings(literal).canonical != before.canonical


def test_a_schema_edited_below_the_top_is_another_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass
    class Inner:
        corners: int

    literal = "[('response_format', <class 'tests.langchain.test_cache_reading.Outer'>)]"
    before = read_settings(literal)
    assert before.uncacheable is None
    changed = make_dataclass("Outer", [("inner", Inner)])
    monkeypatch.setattr("tests.langchain.test_cache_reading.Outer", changed)
    assert read_settings(literal).canonical != before.canonical


def test_a_class_that_does_not_describe_itself_is_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.langchain.test_cache_reading.Shape", object)
    assert read_settings("[('response_format', <class 'tests.langchain.test_cache_reading.Shape'>)]").uncacheable


def test_an_address_that_only_the_environment_names_is_part_of_the_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    before = read_settings(described())
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere/v1")
    assert read_settings(described()).canonical != before.canonical


def test_a_temperature_among_the_further_arguments_is_seen() -> None:
    assert read_settings(described(model_kwargs={"temperature": 1.5})).temperature == 1.5


# -- answers -------------------------------------------------------------------------


def chat(**fields: Any) -> ChatGeneration:
    return ChatGeneration(message=AIMessage(**{"content": "x", **fields}))


@pytest.mark.parametrize(
    ("generations", "reason"),
    [
        ([], "empty"),
        ([Generation(text=" ")], "empty"),
        ([chat(content="")], "empty"),
        ([chat(content=[])], "empty"),
        ([chat(response_metadata={"finish_reason": "length"})], "length"),
        ([chat(response_metadata={"stop_reason": "max_tokens"})], "max_tokens"),
        ([chat(response_metadata={"stop_reason": "refusal"})], "refusal"),
        ([chat(response_metadata={"finish_reason": "SAFETY"})], "safety"),
        ([chat(additional_kwargs={"refusal": "no"})], "refusal"),
        ([chat(invalid_tool_calls=[{"name": "f", "args": "{", "id": "1", "error": None}])], "broken tool call"),
        ([ChatGeneration(message=HumanMessage("x"))], "HumanMessage"),
        ([chat(additional_kwargs={"thing": object()})], "JSON cannot"),
    ],
)
def test_what_is_no_answer_is_not_kept(generations: list[Generation], reason: str) -> None:
    kept = dump(generations)
    assert isinstance(kept, NotKept)
    assert reason in kept.reason


def test_answers_come_back_equal_and_new() -> None:
    generations = [
        chat(content=[{"type": "text", "text": "a"}], response_metadata={"finish_reason": "stop", "n": {"lc": 1}}),
        Generation(text="b", generation_info={"k": [1]}),
    ]
    payload = dump(generations)
    assert isinstance(payload, str)
    one, other = load(payload), load(payload)
    assert one == generations == other
    assert one[0] is not other[0]


def test_new_call_ids_are_the_same_everywhere_in_one_answer() -> None:
    generation = chat(
        content=[{"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"id": "toolu_1x", "note": "toolu_1"}}],
        tool_calls=[{"name": "add", "args": {"id": "mine"}, "id": "toolu_1"}],
    )
    assert has_tool_calls([generation])
    payload = dump([generation])
    assert isinstance(payload, str)
    message: Any = load(payload)[0].message  # type: ignore[attr-defined]
    fresh = message.tool_calls[0]["id"]
    assert fresh != "toolu_1"
    assert message.content[0]["id"] == fresh
    assert message.content[0]["input"] == {"id": "toolu_1x", "note": "toolu_1"}
    assert message.tool_calls[0]["args"] == {"id": "mine"}
    assert load(payload)[0].message.tool_calls[0]["id"] != fresh  # type: ignore[attr-defined]


@pytest.mark.parametrize("payload", ["", "{}", "[1]", '[{"lc": 1, "type": "constructor", "id": ["os", "system"]}]'])
def test_a_payload_that_is_not_ours_raises_for_the_engine_to_count(payload: str) -> None:
    with pytest.raises(Exception):  # noqa: B017 -- whichever way it is wrong, the engine counts it
        load(payload)
