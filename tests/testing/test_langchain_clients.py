"""Can LangChain's own OpenAI and Anthropic models tell the difference?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from lc_costkit.testing import FakeProvider, Fault
from tests.conftest import chat_anthropic, chat_openai, openai_embeddings
from tests.testing.support import words


class Plan(BaseModel):
    """A plan."""

    title: str
    minutes: int


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


MODELS: dict[str, Callable[[FakeProvider], BaseChatModel]] = {
    "openai": chat_openai,
    "openai responses": lambda provider: chat_openai(provider, use_responses_api=True),
    "anthropic": chat_anthropic,
}


@pytest.fixture(params=list(MODELS))
def model(request: pytest.FixtureRequest, provider: FakeProvider) -> BaseChatModel:
    return MODELS[request.param](provider)


def text_of(message: AIMessage) -> str:
    return str(message.text)


def gathered(chunks: list[Any]) -> AIMessage:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    assert isinstance(whole, AIMessage)
    return whole


async def test_every_way_of_asking_gives_one_answer_and_one_usage(provider: FakeProvider, model: BaseChatModel) -> None:
    invoked = model.invoke("Where is my card?")
    answers = [
        await model.ainvoke("Where is my card?"),
        gathered(list(model.stream("Where is my card?"))),
        gathered([chunk async for chunk in model.astream("Where is my card?")]),
        *model.batch(["Where is my card?"] * 2),
    ]
    assert isinstance(invoked, AIMessage) and invoked.usage_metadata is not None
    for answer in answers:
        assert text_of(answer) == text_of(invoked) != ""
        assert answer.usage_metadata is not None
        for name in ("input_tokens", "output_tokens", "total_tokens"):
            assert answer.usage_metadata[name] == invoked.usage_metadata[name]
    assert len({call.usd for call in provider.log}) == 1
    assert provider.calls == 6
    assert provider.billed_usd == provider.billed_usd_reported


@pytest.mark.parametrize("stream", [False, True])
def test_tools(model: BaseChatModel, stream: bool) -> None:
    bound = model.bind_tools([get_weather])
    question = HumanMessage("What is the weather in Paris?")
    asked = gathered(list(bound.stream([question]))) if stream else bound.invoke([question])
    assert isinstance(asked, AIMessage)
    [call] = asked.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    result = ToolMessage(get_weather.invoke(call["args"]), tool_call_id=str(call["id"]))
    answer = bound.invoke([question, AIMessage(**asked.model_dump(exclude={"type"})), result])
    assert text_of(answer) and not answer.tool_calls


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
def test_structured_output(model: BaseChatModel, method: str) -> None:
    assert isinstance(model.with_structured_output(Plan, method=method).invoke("Plan 5 minutes"), Plan)


def test_cached_prefixes_reach_usage_metadata(provider: FakeProvider) -> None:
    openai = chat_openai(provider)
    prompt = [SystemMessage(words(2000)), HumanMessage("Hello")]
    openai.invoke(prompt)
    second = openai.invoke(prompt)
    assert second.usage_metadata is not None
    assert second.usage_metadata["input_token_details"]["cache_read"] == 1920
    anthropic = chat_anthropic(provider, "claude-sonnet-5")
    block = {"type": "text", "text": words(1500), "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    marked = [SystemMessage([block]), HumanMessage("Hello")]
    written = anthropic.invoke(marked)
    read = anthropic.invoke(marked)
    assert written.usage_metadata is not None and read.usage_metadata is not None
    details: Any = written.usage_metadata["input_token_details"]
    assert details["ephemeral_1h_input_tokens"] == 1500
    assert read.usage_metadata["input_token_details"]["cache_read"] == 1500


def test_retries_are_made_by_the_client(provider: FakeProvider) -> None:
    provider.fail_next(Fault.rate_limit(retry_after=0.01))
    chat_openai(provider, max_retries=2).invoke("Hello")
    provider.fail_next(Fault.rate_limit(retry_after=0.01))
    chat_anthropic(provider, max_retries=2).invoke("Hello")
    assert [call.status for call in provider.log] == [429, 200, 429, 200]


async def test_embeddings(provider: FakeProvider) -> None:
    embeddings = openai_embeddings(provider)
    [one, two] = embeddings.embed_documents(["lost card", "stolen card"])
    assert len(one) == len(two) == 1536
    assert await embeddings.aembed_query("lost card") == pytest.approx(one)
    assert provider.unpriced_calls == 0
