"""What counts of a stream, where the provider did not say what it took?"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, GenerationChunk

from lc_costkit.langchain.budget_outcome import Came, failed
from lc_costkit.metering import OpenCall
from lc_costkit.prompt import Prompt


def came(*messages: AIMessageChunk) -> Came:
    stream = Came(OpenCall(prompt=Prompt(turns=(("human", "Hello"),)), model_asked="gpt-4o-mini", provider="openai"))
    for message in messages:
        stream.add(ChatGenerationChunk(message=message))
    return stream


def call(name: str | None, args: str) -> AIMessageChunk:
    piece: Any = {"name": name, "args": args, "id": None, "index": 0, "type": "tool_call_chunk"}
    return AIMessageChunk(content="", tool_call_chunks=[piece])


def test_text_thoughts_and_tool_calls_count() -> None:
    stream = came(
        AIMessageChunk(content=[{"type": "thinking", "thinking": "Let me see. ", "index": 0}]),
        AIMessageChunk(content=[{"type": "redacted_thinking", "data": "AbC=", "index": 1}]),
        AIMessageChunk(content=[{"type": "text", "text": "It is sunny. ", "index": 2}]),
        call("weather", '{"city"'),
        call(None, ': "Jeju"}'),
    )
    assert stream.failed(GeneratorExit()).answer() == 'Let me see. AbC=It is sunny. weather{"city": "Jeju"}'
    assert stream.ended().answer() == stream.text


def test_what_came_before_an_error_is_billed() -> None:
    for message in (AIMessageChunk(content="It is"), call("weather", "{")):
        assert came(message).failed(ValueError("no")).billed
    assert not came().failed(ValueError("no")).billed
    assert not came(AIMessageChunk(content="")).failed(ValueError("no")).billed
    assert came().failed(TimeoutError()).billed
    assert not failed(ValueError("no"), OpenCall(prompt=Prompt(turns=()))).billed


def test_a_report_counts_where_the_provider_had_ended() -> None:
    usage: Any = {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}
    stop = AIMessageChunk(content="", response_metadata={"finish_reason": "stop", "model_name": "gpt-4o-mini"})
    whole = came(AIMessageChunk(content="Hi"), stop, AIMessageChunk(content="", usage_metadata=usage))
    for outcome in (whole.ended(), whole.failed(GeneratorExit())):
        reading = outcome.read()
        assert reading is not None
        assert (reading.usage.total_input, reading.usage.total_output) == (9, 5)
    begun = came(AIMessageChunk(content="Hi", usage_metadata=usage))
    assert begun.failed(GeneratorExit()).read() is None


def test_what_cannot_be_read_came_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = came(AIMessageChunk(content="a"))

    def unreadable(message: AIMessageChunk) -> str:
        raise RuntimeError("not now")

    monkeypatch.setattr(AIMessageChunk, "text", property(unreadable))
    assert stream.failed(ValueError("no")).billed


def test_pieces_of_a_completion() -> None:
    stream = Came(OpenCall(prompt=Prompt(turns=())))
    for letter in "ab":
        stream.add(GenerationChunk(text=letter))
    assert stream.failed(GeneratorExit()).answer() == "ab"
    assert stream.ended().read() is None
