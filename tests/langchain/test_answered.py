"""Is an answer read and written on without being changed?"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, ChatMessage, HumanMessage, SystemMessage
from langchain_core.messages.ai import UsageMetadata
from pydantic import BaseModel

from lc_costkit.langchain.answered import answer_of, as_chunk, shown, with_trail
from lc_costkit.routing.answer import Answer, ToolCall


class City(BaseModel):
    name: str


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"finish_reason": "stop"}, "stop"),
        ({"stop_reason": "max_tokens", "stop_sequence": None}, "max_tokens"),
        ({"done_reason": "length"}, "length"),
        ({"finish_reason": "MAX_TOKENS"}, "MAX_TOKENS"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
        ({"status": "completed", "incomplete_details": None}, None),
        ({}, None),
    ],
)
def test_why_it_ended_is_read_in_the_words_of_each_provider(details: dict[str, Any], reason: str | None) -> None:
    assert answer_of(AIMessage("hi", response_metadata=details)).finish_reason == reason


def test_text_is_taken_out_of_parts_and_tools_out_of_calls() -> None:
    message = AIMessage(
        [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Let me look."}],
        tool_calls=[{"name": "search", "args": {"q": "x"}, "id": "1"}],
        invalid_tool_calls=[{"name": None, "args": None, "id": "2", "error": None}],
    )
    answer = answer_of(message)
    assert answer.text == "Let me look."
    assert answer.tool_calls == (ToolCall(name="search", arguments={"q": "x"}), ToolCall(name="", arguments=""))


def test_a_refusal_beside_the_text_is_the_answer() -> None:
    answer = answer_of(AIMessage("", additional_kwargs={"refusal": "I cannot."}))
    assert (answer.text, answer.finish_reason) == ("I cannot.", "refusal")


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("said", "said"),
        (City(name="서울"), '{"name":"서울"}'),
        ({"name": "서울"}, '{"name": "서울"}'),
        ([1, None], "[1, null]"),
        (ChatMessage("said", role="x"), "said"),
        ({1, 2}, '"{1, 2}"'),
    ],
)
def test_what_is_no_message_is_read_as_text(output: Any, text: str) -> None:
    assert answer_of(output).text == text


def test_a_message_as_a_chunk_loses_nothing() -> None:
    message = AIMessage(
        "hi",
        id="m1",
        name="n",
        additional_kwargs={"a": 1},
        response_metadata={"b": {"c": 2}},
        usage_metadata=UsageMetadata(input_tokens=1, output_tokens=2, total_tokens=3),
        tool_calls=[{"name": "search", "args": {"q": "x"}, "id": "1"}],
        invalid_tool_calls=[{"name": "open", "args": "{oops", "id": "2", "error": None}],
    )
    chunk = as_chunk(message)
    assert isinstance(chunk, AIMessageChunk)
    for name in ("content", "id", "name", "additional_kwargs", "response_metadata", "usage_metadata"):
        assert getattr(chunk, name) == getattr(message, name)
    assert [(call["name"], call["args"], call["id"]) for call in chunk.tool_calls] == [("search", {"q": "x"}, "1")]
    assert [(call["name"], call["args"]) for call in chunk.invalid_tool_calls] == [("open", "{oops")]
    whole = AIMessageChunk(content="", id="m1") + chunk
    assert [call["args"] for call in whole.tool_call_chunks] == ['{"q": "x"}', "{oops"]
    assert as_chunk(chunk) is chunk
    assert as_chunk("text") == "text"


def test_a_trail_is_written_on_a_copy() -> None:
    message = AIMessage("hi", response_metadata={"model_name": "m", "lc_costkit": {"budget": 1, "route": "old"}})
    written = with_trail(message, {"target": "cheap"})
    assert written.response_metadata == {
        "model_name": "m",
        "lc_costkit": {"budget": 1, "route": {"target": "cheap"}},
    }
    assert message.response_metadata["lc_costkit"]["route"] == "old"
    assert with_trail("text", {"target": "cheap"}) == "text"


def test_a_draft_is_shown_after_the_request() -> None:
    draft = Answer(text="Four.", tool_calls=(ToolCall(name="search", arguments={"q": "x"}),))
    system, human, note = shown([SystemMessage("s"), HumanMessage("How many?")], draft, ["it is wrong"])
    assert (system.text, human.text, note.type) == ("s", "How many?", "human")
    for part in ("Four.", '"search"', "it is wrong"):
        assert part in note.text
    question, _ = shown("How many?", Answer(text="Four."), [])
    assert question.text == "How many?"
