"""Can the real Anthropic client tell the difference?"""

from __future__ import annotations

from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic, BadRequestError
from anthropic.types import MessageParam, ToolParam
from pydantic import BaseModel

from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall
from lc_costkit.tokens import TokenCounter

MODEL = "claude-haiku-4-5"
HELLO: list[MessageParam] = [{"role": "user", "content": "Hello"}]
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def client_of(provider: FakeProvider) -> Anthropic:
    return Anthropic(api_key="test", base_url=provider.anthropic_base_url, max_retries=0)


def test_an_answer_in_one_piece(anthropic_client: Anthropic) -> None:
    answer = anthropic_client.messages.create(model=MODEL, max_tokens=500, messages=HELLO)
    assert answer.id.startswith("msg_01")
    assert answer.model == "claude-haiku-4-5-20251001"
    assert (answer.stop_reason, answer.role) == ("end_turn", "assistant")
    block = answer.content[0]
    assert block.type == "text"
    assert answer.usage.output_tokens == TokenCounter(MODEL).count(block.text)
    assert answer.usage.cache_creation is not None
    assert answer.usage.service_tier == "standard"
    assert answer._request_id is not None and answer._request_id.startswith("req_")


def test_a_stream_says_the_same_as_the_whole(provider: FakeProvider, anthropic_client: Anthropic) -> None:
    whole = anthropic_client.messages.create(model=MODEL, max_tokens=500, messages=HELLO)
    with anthropic_client.messages.stream(model=MODEL, max_tokens=500, messages=HELLO) as stream:
        events = list(stream)
        final = stream.get_final_message()
    assert [block.model_dump(include={"text"}) for block in final.content] == [
        block.model_dump(include={"text"}) for block in whole.content
    ]
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.input_tokens == whole.usage.input_tokens
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    first, second = provider.log
    assert first.usd == second.usd
    assert second.streamed and second.usage_reached


async def test_the_asynchronous_client(async_anthropic_client: AsyncAnthropic) -> None:
    answer = await async_anthropic_client.messages.create(model=MODEL, max_tokens=500, messages=HELLO)
    async with async_anthropic_client.messages.stream(model=MODEL, max_tokens=500, messages=HELLO) as stream:
        text = await stream.get_final_text()
    assert answer.content[0].type == "text" and answer.content[0].text == text


def test_tools(anthropic_client: Anthropic) -> None:
    question: list[MessageParam] = [{"role": "user", "content": "What is the weather in Paris?"}]
    answer = anthropic_client.messages.create(model=MODEL, max_tokens=500, messages=question, tools=[WEATHER])
    assert answer.stop_reason == "tool_use"
    call = answer.content[0]
    assert call.type == "tool_use" and call.id.startswith("toolu_01")
    assert call.input == {"city": "Paris"}
    after: list[MessageParam] = [
        *question,
        {"role": "assistant", "content": [{"type": "tool_use", "id": call.id, "name": call.name, "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]},
    ]
    for choice in ("auto", "any"):
        again = anthropic_client.messages.create(
            model=MODEL,
            max_tokens=500,
            messages=after,
            tools=[WEATHER],
            tool_choice={"type": choice},
        )
        assert again.stop_reason == "end_turn"


def test_forced_tools_and_their_price(provider: FakeProvider, anthropic_client: Anthropic) -> None:
    for choice in ({"type": "none"}, {"type": "any"}, {"type": "tool", "name": "get_weather"}):
        answer = anthropic_client.messages.create(
            model=MODEL,
            max_tokens=500,
            messages=HELLO,
            tools=[WEATHER],
            tool_choice=choice,
        )
        assert answer.stop_reason == ("end_turn" if choice["type"] == "none" else "tool_use")
    none, any_tool, named = (call.usage or {} for call in provider.log)
    assert none["input_tokens"] - any_tool["input_tokens"] == 346 - 313
    assert any_tool["input_tokens"] == named["input_tokens"]


def test_several_tools_in_a_stream() -> None:
    def answer(request: FakeRequest) -> FakeAnswer:
        return FakeAnswer(
            "Let me look.",
            tool_calls=(
                FakeToolCall(name="get_weather", arguments={"city": "Paris"}, id="toolu_1"),
                FakeToolCall(name="get_weather", arguments={}),
            ),
        )

    with (
        FakeProvider(answer=answer) as provider,
        client_of(provider) as client,
        client.messages.stream(model=MODEL, max_tokens=500, messages=HELLO, tools=[WEATHER]) as stream,
    ):
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["text", "tool_use", "tool_use"]
    assert [block.input for block in final.content if block.type == "tool_use"] == [{"city": "Paris"}, {}]
    assert next(block.id for block in final.content if block.type == "tool_use") == "toolu_1"


def test_structured_output(anthropic_client: Anthropic) -> None:
    class Plan(BaseModel):
        title: str
        minutes: int

    parsed = anthropic_client.messages.parse(model=MODEL, max_tokens=500, messages=HELLO, output_format=Plan)
    assert isinstance(parsed.parsed_output, Plan)


def test_limits_and_stops() -> None:
    with FakeProvider(answer=lambda request: "one two three four five") as provider, client_of(provider) as client:
        short = client.messages.create(model=MODEL, max_tokens=3, messages=HELLO)
        stopped = client.messages.create(model=MODEL, max_tokens=9, messages=HELLO, stop_sequences=["three"])
        nothing = client.messages.create(model=MODEL, max_tokens=1, messages=HELLO)
    assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 3)
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "three")
    assert (nothing.stop_reason, nothing.usage.output_tokens) == ("max_tokens", 1)


def test_tokens_are_counted_for_free(provider: FakeProvider, anthropic_client: Anthropic) -> None:
    counted = anthropic_client.messages.count_tokens(model=MODEL, messages=HELLO, system="Be short.", tools=[WEATHER])
    answer = anthropic_client.messages.create(
        model=MODEL, max_tokens=9, messages=HELLO, system="Be short.", tools=[WEATHER]
    )
    assert counted.input_tokens == answer.usage.input_tokens
    assert provider.log[0].usd == 0
    assert provider.unpriced_calls == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"messages": []}, "messages: Field required"),
        ({"max_tokens": -1}, "greater than or equal to 0"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": []}, HELLO[0]]}, "non-empty content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "must be non-empty"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}]}, "unexpected"),
        (
            {
                "messages": [
                    HELLO[0],
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "x", "input": {}}]},
                    HELLO[0],
                ]
            },
            "without `tool_result` blocks immediately after: t1",
        ),
        ({"tool_choice": {"type": "any"}}, "only be specified while providing `tools`"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "other"}}, "not found in provided tools"),
        ({"system": [{"type": "text", "text": "x", "cache_control": {"type": "forever"}}]}, "'ephemeral'"),
        (
            {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "2d"}}]},
            "'5m' or '1h'",
        ),
    ],
)
def test_requests_that_are_refused(
    provider: FakeProvider, anthropic_client: Anthropic, change: dict[str, Any], message: str
) -> None:
    body = {"model": MODEL, "max_tokens": 9, "messages": HELLO, **change}
    with pytest.raises(BadRequestError, match=message) as caught:
        anthropic_client.messages.create(**body)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    assert [(call.status, call.usd) for call in provider.log] == [(400, 0)]
