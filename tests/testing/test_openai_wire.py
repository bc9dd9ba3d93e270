"""Can the real OpenAI client tell the difference?"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI, BadRequestError, OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall
from lc_costkit.tokens import TokenCounter

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}},
            "required": ["city", "unit"],
        },
    },
}


def client_of(provider: FakeProvider) -> OpenAI:
    return OpenAI(api_key="test", base_url=provider.openai_base_url, max_retries=0)


def test_an_answer_in_one_piece(openai_client: OpenAI) -> None:
    answer = openai_client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == "gpt-4o-mini-2024-07-18"
    assert answer.object == "chat.completion"
    assert answer.service_tier == "default"
    choice = answer.choices[0]
    assert (choice.finish_reason, choice.message.role, choice.message.refusal) == ("stop", "assistant", None)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == TokenCounter("gpt-4o-mini").count(choice.message.content or "")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id is not None


def test_a_stream_says_the_same_as_the_whole(provider: FakeProvider, openai_client: OpenAI) -> None:
    whole = openai_client.chat.completions.create(model="gpt-4o", messages=HELLO)
    with openai_client.chat.completions.create(
        model="gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])
    first, second = provider.log
    assert first.usd == second.usd
    assert (second.streamed, second.usage_reached, second.cut) == (True, True, False)
    assert second.chunks_sent == len(chunks) + 1, "with [DONE]"


def test_a_stream_without_usage_is_billed_and_not_reported(provider: FakeProvider, openai_client: OpenAI) -> None:
    with openai_client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True) as stream:
        assert all(chunk.usage is None for chunk in stream)
    assert provider.billed_usd > 0
    assert provider.billed_usd_reported == 0


def test_the_stream_helper(openai_client: OpenAI) -> None:
    with openai_client.chat.completions.stream(model="gpt-4o", messages=HELLO) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content


async def test_the_asynchronous_client(async_openai_client: AsyncOpenAI) -> None:
    answer = await async_openai_client.chat.completions.create(model="gpt-4o", messages=HELLO)
    stream = await async_openai_client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == answer.choices[0].message.content


def test_a_tool_is_called_when_the_question_mentions_it(openai_client: OpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Paris?"}]
    answer = openai_client.chat.completions.create(model="gpt-4o", messages=messages, tools=[WEATHER])
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert choice.message.tool_calls is not None
    call = choice.message.tool_calls[0]
    assert call.type == "function"
    assert call.id.startswith("call_")
    assert json.loads(call.function.arguments) == {"city": "Paris", "unit": "c"}
    # once the result is there the answer is text, though the question is still the same
    result: list[Any] = [
        *messages,
        choice.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
    ]
    for tool_choice in ("auto", "required"):
        again = openai_client.chat.completions.create(
            model="gpt-4o", messages=result, tools=[WEATHER], tool_choice=tool_choice
        )
        assert again.choices[0].message.content
        assert not again.choices[0].message.tool_calls


def test_tool_choice(openai_client: OpenAI) -> None:
    def called(choice: Any) -> bool:
        answer = openai_client.chat.completions.create(
            model="gpt-4o", messages=HELLO, tools=[WEATHER], tool_choice=choice
        )
        return bool(answer.choices[0].message.tool_calls)

    assert not called("auto")
    assert not called("none")
    assert called("required")
    assert called({"type": "function", "function": {"name": "get_weather"}})
    with pytest.raises(BadRequestError, match="not found in 'tools'"):
        called({"type": "function", "function": {"name": "other"}})


def test_parallel_tool_calls_arrive_in_pieces() -> None:
    def answer(request: FakeRequest) -> FakeAnswer:
        cities = ("Paris", "Rome") if request.parallel_tool_calls else ("Paris",)
        return FakeAnswer(
            "Let me look.",
            tool_calls=tuple(
                FakeToolCall(name="get_weather", arguments={"city": city, "unit": "c"}) for city in cities
            ),
        )

    with FakeProvider(answer=answer) as provider, client_of(provider) as client:
        with client.chat.completions.stream(model="gpt-4o", messages=HELLO, tools=[WEATHER]) as stream:
            message = stream.get_final_completion().choices[0].message
        one = client.chat.completions.create(model="gpt-4o", messages=HELLO, tools=[WEATHER], parallel_tool_calls=False)
    assert message.content == "Let me look."
    assert [json.loads(call.function.arguments)["city"] for call in message.tool_calls or ()] == ["Paris", "Rome"]
    assert len({call.id for call in message.tool_calls or ()}) == 2
    assert len(one.choices[0].message.tool_calls or ()) == 1


def test_structured_output(openai_client: OpenAI) -> None:
    class Step(BaseModel):
        text: str
        minutes: int

    class Plan(BaseModel):
        title: str
        steps: list[Step]
        owner: str | None

    parsed = openai_client.chat.completions.parse(model="gpt-4o", messages=HELLO, response_format=Plan)
    assert isinstance(parsed.choices[0].message.parsed, Plan)
    plain = openai_client.chat.completions.create(
        model="gpt-4o", messages=HELLO, response_format={"type": "json_object"}
    )
    assert isinstance(json.loads(plain.choices[0].message.content or ""), dict)


def test_limits_and_stops() -> None:
    with FakeProvider(answer=lambda request: "one two three four five") as provider, client_of(provider) as client:
        short = client.chat.completions.create(model="gpt-4o", messages=HELLO, max_tokens=3)
        newer = client.chat.completions.create(model="gpt-5", messages=HELLO, max_completion_tokens=3)
        stopped = client.chat.completions.create(model="gpt-4o", messages=HELLO, stop=["three", "four"])
        with pytest.raises(BadRequestError, match="Use 'max_completion_tokens' instead"):
            client.chat.completions.create(model="gpt-5", messages=HELLO, max_tokens=3)
    for limited in (short, newer):
        assert limited.choices[0].message.content == "one two three"
        assert limited.choices[0].finish_reason == "length"
        assert limited.usage is not None and limited.usage.completion_tokens == 3
    assert stopped.choices[0].message.content == "one two "
    assert stopped.choices[0].finish_reason == "stop"


def test_several_choices() -> None:
    with FakeProvider(answer=lambda request: f"choice {request.choice}") as provider, client_of(provider) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=HELLO, n=3)
    assert [choice.message.content for choice in answer.choices] == ["choice 0", "choice 1", "choice 2"]
    assert answer.usage is not None
    assert answer.usage.completion_tokens == sum(
        TokenCounter("gpt-4o").count(choice.message.content or "") for choice in answer.choices
    )


def test_service_tier(provider: FakeProvider, openai_client: OpenAI) -> None:
    flex = openai_client.chat.completions.create(model="gpt-5", messages=HELLO, service_tier="flex")
    plain = openai_client.chat.completions.create(model="gpt-5", messages=HELLO)
    none_such = openai_client.chat.completions.create(model="gpt-4o", messages=HELLO, service_tier="flex")
    assert (flex.service_tier, plain.service_tier, none_such.service_tier) == ("flex", "default", "default")
    first, second, _ = provider.log
    assert first.usd is not None and second.usd is not None
    assert first.usd * 2 == second.usd


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"messages": []}, "Missing required parameter: 'messages'"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "Invalid value: 'wizard'"),
        ({"messages": [{"role": "user", "content": None}]}, "expected a string, got null"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "must be a response to a preceeding"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "c1", "type": "function"}]}, HELLO[0]]},
            "did not have response messages: c1",
        ),
        ({"n": 0}, "Invalid 'n'"),
        ({"max_tokens": 0}, "below minimum value"),
        ({"tool_choice": "required"}, "only allowed when 'tools' are specified"),
        ({"stream_options": {"include_usage": True}}, "only allowed when 'stream' is enabled"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ],
)
def test_requests_that_are_refused(
    provider: FakeProvider, openai_client: OpenAI, change: dict[str, Any], message: str
) -> None:
    body = {"model": "gpt-4o", "messages": HELLO, **change}
    with pytest.raises(BadRequestError, match=message) as caught:
        openai_client.chat.completions.create(**body)
    assert caught.value.type == "invalid_request_error"
    assert [(call.status, call.usd) for call in provider.log] == [(400, 0)]


def test_embeddings(provider: FakeProvider, openai_client: OpenAI) -> None:
    texts = ["lost my card", "I lost my bank card", "exchange rates for dollars"]
    as_base64 = openai_client.embeddings.create(model="text-embedding-3-small", input=texts)
    as_floats = openai_client.embeddings.create(model="text-embedding-3-small", input=texts, encoding_format="float")
    card, same, other = (np.array(item.embedding) for item in as_base64.data)
    assert card.shape == (1536,)
    assert math.isclose(float(card @ card), 1, rel_tol=1e-5)
    assert card @ same > card @ other
    assert np.allclose(card, as_floats.data[0].embedding)
    tokens = sum(TokenCounter("text-embedding-3-small").count(text) for text in texts)
    assert as_base64.usage.prompt_tokens == as_base64.usage.total_tokens == tokens
    small = openai_client.embeddings.create(model="text-embedding-3-large", input="x", dimensions=256)
    assert len(small.data[0].embedding) == 256
    by_tokens = openai_client.embeddings.create(model="text-embedding-3-small", input=[[1, 2, 3], [4]])
    assert by_tokens.usage.prompt_tokens == 4
    raw = openai_client.embeddings.with_raw_response.create(model="text-embedding-3-small", input="x")
    assert len(base64.b64decode(json.loads(raw.content)["data"][0]["embedding"])) == 1536 * 4
    assert provider.unpriced_calls == 0


@pytest.mark.parametrize("given", [[], "", [""], [1.5], ["x", []]])
def test_embeddings_that_are_refused(openai_client: OpenAI, given: Any) -> None:
    with pytest.raises(BadRequestError, match="input"):
        openai_client.embeddings.create(model="text-embedding-3-small", input=given)


def test_responses(provider: FakeProvider, openai_client: OpenAI) -> None:
    chat = openai_client.chat.completions.create(model="gpt-4o", messages=HELLO)
    answer = openai_client.responses.create(model="gpt-4o", input="Hello")
    assert answer.id.startswith("resp_")
    assert answer.output_text == chat.choices[0].message.content
    assert answer.status == "completed"
    with openai_client.responses.stream(model="gpt-4o", input="Hello") as stream:
        final = stream.get_final_response()
    assert final.output_text == answer.output_text
    assert final.usage == answer.usage
    assert len({call.usd for call in provider.log}) == 1


def test_responses_with_tools_history_and_limits(openai_client: OpenAI) -> None:
    tool: Any = {"type": "function", "strict": False, **WEATHER["function"]}
    first = openai_client.responses.create(model="gpt-4o", input="What is the weather in Paris?", tools=[tool])
    call = first.output[0]
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"city": "Paris", "unit": "c"}
    second = openai_client.responses.create(
        model="gpt-4o",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}],
        tools=[tool],
    )
    assert second.output_text
    short = openai_client.responses.create(model="gpt-4o", input="Hello", max_output_tokens=4)
    assert short.status == "incomplete"
    assert short.incomplete_details is not None and short.incomplete_details.reason == "max_output_tokens"
    with pytest.raises(BadRequestError, match="not found"):
        openai_client.responses.create(model="gpt-4o", input="Hello", previous_response_id="resp_unknown")
