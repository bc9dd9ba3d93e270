"""Does the LlamaIndex model that other tests use report and behave as an integration does?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMCompletionEndEvent
from llama_index.core.tools import FunctionTool

from lc_costkit.testing import FakeProvider
from tests.support.llama_openai import OpenAIFunctionLLM

Make = Callable[..., OpenAIFunctionLLM]


class Recorder(BaseEventHandler):
    events: list[BaseEvent] = []  # noqa: RUF012 - a pydantic field

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        self.events.append(event)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    dispatcher = get_dispatcher()
    recorder = Recorder()
    dispatcher.add_event_handler(recorder)
    yield recorder
    dispatcher.event_handlers.remove(recorder)


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def test_every_way_of_asking(provider: FakeProvider, make_llama_llm: Make, recorder: Recorder) -> None:
    llm = make_llama_llm()
    messages = [ChatMessage(role="user", content="Where is my card?")]
    chats = [
        llm.chat(messages),
        await llm.achat(messages),
        list(llm.stream_chat(messages))[-1],
        [chunk async for chunk in await llm.astream_chat(messages)][-1],
    ]
    completions = [
        llm.complete("Where is my card?"),
        await llm.acomplete("Where is my card?"),
        list(llm.stream_complete("Where is my card?"))[-1],
        [chunk async for chunk in await llm.astream_complete("Where is my card?")][-1],
    ]
    texts = {chat.message.content for chat in chats} | {completion.text for completion in completions}
    assert len(texts) == 1
    raws: list[Any] = [chat.raw for chat in chats] + [completion.raw for completion in completions]
    assert len({raw["usage"]["total_tokens"] for raw in raws}) == 1
    assert provider.calls == 8
    assert sum(isinstance(event, LLMChatEndEvent) for event in recorder.events) == 4
    assert sum(isinstance(event, LLMCompletionEndEvent) for event in recorder.events) == 4


async def test_tools(make_llama_llm: Make) -> None:
    llm = make_llama_llm()
    tool = FunctionTool.from_defaults(weather)
    for response in (
        llm.chat_with_tools([tool], user_msg="What is the weather in Paris?"),
        await llm.achat_with_tools([tool], user_msg="What is the weather in Paris?"),
        list(llm.stream_chat_with_tools([tool], user_msg="What is the weather in Paris?"))[-1],
    ):
        [selection] = llm.get_tool_calls_from_response(response)
        assert (selection.tool_name, selection.tool_kwargs) == ("weather", {"city": "Paris"})
        assert json.loads(response.message.additional_kwargs["tool_calls"][0]["function"]["arguments"])
    assert "sunny in Paris" in str(llm.predict_and_call([tool], user_msg="What is the weather in Paris?"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_function_agent_comes_to_an_end(provider: FakeProvider, make_llama_llm: Make) -> None:
    from llama_index.core.agent.workflow import FunctionAgent

    agent = FunctionAgent(tools=[FunctionTool.from_defaults(weather)], llm=make_llama_llm())
    answer = await agent.run("What is the weather in Paris?")
    assert str(answer)
    assert provider.calls == 2
