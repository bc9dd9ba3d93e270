"""Does a routed LLM behave as the LLM it stands for, in LlamaIndex's own machinery?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ImageBlock, MessageRole, TextBlock
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.llms import LLM, MockLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation import get_dispatcher
from pydantic import BaseModel, Field

from lc_costkit.errors import ConfigurationError
from lc_costkit.llama_index.routed import RoutedLLM, RouteEvent, routed_llm
from lc_costkit.marks import MARK, ROUTE_KEY, RouteMark
from lc_costkit.routing import RouteRequest, Rules
from lc_costkit.switch import DISABLE_VARIABLE
from lc_costkit.testing import FakeProvider
from tests.support.llama_openai import OpenAIFunctionLLM

HARD = "Prove that there are infinitely many primes."
STARTS = (LLMChatStartEvent, LLMCompletionStartEvent)
ENDS = (LLMChatEndEvent, LLMCompletionEndEvent)


class OtherFormatLLM(OpenAIFunctionLLM):
    """A second integration: it wraps its tools, and its tool calls, in its own way."""

    def _prepare_chat_with_tools(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        prepared = super()._prepare_chat_with_tools(*args, **kwargs)
        return {**prepared, "user": "other-format"}

    def get_tool_calls_from_response(self, response: Any, *args: Any, **kwargs: Any) -> list[Any]:
        assert response.raw["model"].startswith("gpt-4o-2") or response.raw["model"] == "gpt-4o"
        return super().get_tool_calls_from_response(response, *args, **kwargs)


class Watcher(BaseEventHandler):
    """Keeps all events."""

    events: list[BaseEvent] = Field(default_factory=list)

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        self.events.append(event)

    def of(self, *kinds: type[BaseEvent]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    handler = Watcher()
    root = get_dispatcher()
    root.add_event_handler(handler)
    yield handler
    root.event_handlers.remove(handler)


Make = Callable[..., OpenAIFunctionLLM]


@pytest.fixture
def targets(make_llama_llm: Make, provider: FakeProvider) -> dict[str, LLM]:
    return {
        "small": make_llama_llm("gpt-4o-mini"),
        "large": OtherFormatLLM(model="gpt-4o", base_url=provider.openai_base_url),
    }


@pytest.fixture
def llm(targets: dict[str, LLM]) -> RoutedLLM:
    return routed_llm(targets)


def weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


WEATHER = FunctionTool.from_defaults(weather)


def asked_models(provider: FakeProvider) -> list[str | None]:
    return [call.model for call in provider.log]


def user(text: str) -> list[ChatMessage]:
    return [ChatMessage(role="system", content=HARD), ChatMessage(role="user", content=text)]


async def test_each_way_of_calling_routes_and_is_metered_once(
    llm: RoutedLLM, provider: FakeProvider, watcher: Watcher
) -> None:
    for text in ("hi", HARD):
        answers: list[Any] = [
            llm.chat(user(text)),
            await llm.achat(user(text)),
            list(llm.stream_chat(user(text)))[-1],
            [chunk async for chunk in await llm.astream_chat(user(text))][-1],
            llm.complete(text),
            await llm.acomplete(text),
            list(llm.stream_complete(text))[-1],
            [chunk async for chunk in await llm.astream_complete(text)][-1],
        ]
        target = "small" if text == "hi" else "large"
        assert {answer.additional_kwargs[MARK][ROUTE_KEY]["target"] for answer in answers} == {target}
    assert asked_models(provider) == ["gpt-4o-mini"] * 8 + ["gpt-4o"] * 8
    assert len(watcher.of(*STARTS)) == len(watcher.of(*ENDS)) == len(watcher.of(RouteEvent)) == 16


def test_the_decision_rides_on_the_start_event_of_the_call(llm: RoutedLLM, watcher: Watcher) -> None:
    llm.chat(user("hi"))
    (start,), (routed,) = watcher.of(*STARTS), watcher.of(RouteEvent)
    assert start.tags[MARK][ROUTE_KEY] == routed.mark
    mark = RouteMark.from_dict(routed.mark)
    assert mark is not None
    assert (mark.target, mark.chosen_model, mark.baseline_model) == ("small", "gpt-4o-mini", "gpt-4o")
    llm.targets["small"].chat(user("hi"))
    assert MARK not in watcher.of(*STARTS)[-1].tags


def test_streams_come_as_they_are_made() -> None:
    with FakeProvider(answer=lambda request: "one two three four", chunk_seconds=0.02) as provider:
        llm = routed_llm({"only": OpenAIFunctionLLM(base_url=provider.openai_base_url)})
        stream = llm.stream_chat(user("hi"))
        assert next(stream) is not None
        assert provider.calls == 0
        assert list(stream)[-1].message.content == "one two three four"


@pytest.mark.parametrize(("text", "model"), [("hi, use weather", "gpt-4o-mini"), (f"{HARD} Use weather.", "gpt-4o")])
async def test_tools_are_prepared_sent_and_read_by_one_and_the_same_target(
    llm: RoutedLLM, provider: FakeProvider, text: str, model: str
) -> None:
    assert isinstance(llm, FunctionCallingLLM)
    responses = [
        llm.chat_with_tools([WEATHER], user_msg=text, tool_required=True),
        await llm.achat_with_tools([WEATHER], user_msg=text, tool_required=True),
    ]
    for response in responses:
        (call,) = llm.get_tool_calls_from_response(response)
        assert call.tool_name == "weather"
    assert asked_models(provider) == [model] * 2
    other = "other-format" if model == "gpt-4o" else None
    assert [call.body["user"] if call.body and other else None for call in provider.log] == [other] * 2
    assert all(call.body and "lc_costkit" not in str(call.body) for call in provider.log)


@pytest.mark.parametrize(("text", "model"), [("hi, use weather", "gpt-4o-mini"), (f"{HARD} Use weather.", "gpt-4o")])
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's workflows
async def test_a_function_agent_runs_through_it(
    llm: RoutedLLM, provider: FakeProvider, text: str, model: str, streaming: bool
) -> None:
    agent = FunctionAgent(tools=[WEATHER], llm=llm, streaming=streaming)
    answer: Any = await agent.run(text)
    assert [call.tool_name for call in answer.tool_calls] == ["weather"]
    assert asked_models(provider) == [model] * 2


def test_a_query_engine_runs_through_it(llm: RoutedLLM, provider: FakeProvider) -> None:
    index = VectorStoreIndex.from_documents([Document(text="Cards arrive in a week.")], embed_model=MockEmbedding(8))
    answer = index.as_query_engine(llm=llm).query("When does my card arrive?")
    assert str(answer)
    assert provider.calls == 1


class Report(BaseModel):
    """A weather report."""

    city: str


def test_structured_output_is_asked_in_the_targets_way(llm: RoutedLLM, provider: FakeProvider) -> None:
    assert isinstance(llm.as_structured_llm(Report).chat(user("hi")).raw, Report)
    assert asked_models(provider) == ["gpt-4o-mini"]


def test_metadata_is_the_strong_targets_with_the_smallest_window() -> None:
    narrow, wide = MockLLM(max_tokens=3), MockLLM(max_tokens=7)
    llm = routed_llm({"narrow": narrow, "wide": wide})
    assert llm.metadata.num_output == 7
    assert llm.metadata.context_window == narrow.metadata.context_window
    assert not llm.metadata.is_function_calling_model
    assert not isinstance(llm, FunctionCallingLLM)
    assert llm.predict is not None


def test_targets_that_call_no_tools_complete_and_chat() -> None:
    llm = routed_llm({"small": MockLLM(max_tokens=2), "large": MockLLM(max_tokens=4)})
    assert llm.complete("hi").text == "text text"
    assert llm.chat(user(HARD)).message.content == "text text text text"


def test_images_are_noted(llm: RoutedLLM) -> None:
    message = ChatMessage(role=MessageRole.USER, blocks=[TextBlock(text="hi"), ImageBlock(image=b"aGk=")])
    assert llm.explain([message]).reasons[-1] == "1 parts are not text and were not read"
    assert llm.explain("hi").target == "small"


def test_a_failing_policy_loses_no_request(targets: dict[str, LLM], provider: FakeProvider) -> None:
    def broken(request: RouteRequest) -> str:
        raise KeyError("gone")

    llm = routed_llm(targets, broken)
    llm.chat(user("hi"))
    assert asked_models(provider) == ["gpt-4o"]
    assert llm.faults.counts == {"the routing policy: KeyError": 1}


async def test_an_asynchronous_policy_is_awaited_with_tools_too(
    targets: dict[str, LLM], provider: FakeProvider
) -> None:
    async def waits(request: RouteRequest) -> str:
        assert request.tools in ((), ("weather",))
        return "small"

    llm: Any = routed_llm(targets, waits)
    await llm.achat(user(HARD))
    await llm.achat_with_tools([WEATHER], user_msg=HARD)
    assert asked_models(provider) == ["gpt-4o-mini"] * 2


async def test_observe_mode_changes_nothing_but_the_record(
    targets: dict[str, LLM], provider: FakeProvider, watcher: Watcher
) -> None:
    llm: Any = routed_llm(targets, mode="observe")
    assert MARK not in llm.chat(user("hi")).additional_kwargs
    await llm.achat_with_tools([WEATHER], user_msg="hi")
    assert asked_models(provider) == ["gpt-4o"] * 2
    marks = [RouteMark.from_dict(event.mark) for event in watcher.of(RouteEvent)]
    assert [(mark.target, mark.chosen, mark.observed) for mark in marks if mark] == [("large", "small", True)] * 2


async def test_switched_off_the_strong_target_answers_without_a_mark(
    targets: dict[str, LLM], provider: FakeProvider, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DISABLE_VARIABLE, "1")
    llm: Any = routed_llm(targets)
    assert MARK not in llm.chat(user("hi")).additional_kwargs
    await llm.achat_with_tools([WEATHER], user_msg="hi")
    assert asked_models(provider) == ["gpt-4o"] * 2
    assert watcher.of(RouteEvent) == []
    assert all(MARK not in event.tags for event in watcher.of(*STARTS))


def _llms() -> Sequence[tuple[str, LLM]]:
    return [("small", MockLLM()), ("large", MockLLM())]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": {}}, "there are no targets"),
        ({"targets": [*_llms(), *_llms()]}, "two targets have one name"),
        ({"targets": {"a": "gpt-4o"}}, "target 'a' must be a LlamaIndex LLM, not 'gpt-4o'"),
        ({"strong": "huge"}, "strong='huge' is not a target"),
        ({"mode": "off"}, "mode must be"),
        ({"policy": Rules(targets=("small", "huge"))}, r"names \['huge'\]"),
    ],
)
def test_bad_input_is_refused_at_construction(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        routed_llm(**{"targets": _llms(), **arguments})


class EndlessLLM(MockLLM):
    """Streams until it is closed, and notes that it was."""

    closed: bool = False

    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        async def pieces() -> Any:
            try:
                while True:
                    yield ChatResponse(message=ChatMessage("piece", role=MessageRole.ASSISTANT))
            finally:
                self.closed = True

        return pieces()


async def test_closing_a_stream_closes_the_targets_at_once() -> None:
    target = EndlessLLM(max_tokens=None)
    chunks: Any = await routed_llm({"only": target}).astream_chat([ChatMessage("Hi")])
    await anext(chunks)
    await chunks.aclose()
    assert target.closed
