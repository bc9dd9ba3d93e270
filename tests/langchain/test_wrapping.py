"""Does a guard see each call to a provider once, and is the model otherwise what it was?"""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import (
    BaseChatModel,
    FakeListChatModel,
    FakeListLLM,
    GenericFakeChatModel,
)
from langchain_core.language_models.llms import LLM
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, GenerationChunk
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool
from pydantic import BaseModel

from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain.model_call import Chunk, ModelCall, Result
from lc_costkit.langchain.wrapping import guard_of, wrapped
from lc_costkit.testing import FakeProvider
from tests.conftest import chat_anthropic, chat_openai

# langchain-openai adds up the usage of several prompts and trips over fields that newer clients leave empty.
pytestmark = pytest.mark.filterwarnings("ignore:Unexpected type for token usage:UserWarning")


class Watch:
    """A guard that writes down what goes through it, and lets it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.metadata: list[Any] = []
        self.ended: list[str] = []

    def _note(self, way: str, call: ModelCall) -> None:
        self.seen.append(way)
        self.metadata.append({name: value for name, value in call.metadata.items() if name in ("user", "team")})

    def generate(self, call: ModelCall) -> Result:
        self._note("generate", call)
        return call.generate()

    async def agenerate(self, call: ModelCall) -> Result:
        self._note("agenerate", call)
        return await call.agenerate()

    def stream(self, call: ModelCall) -> Iterator[Chunk]:
        self._note("stream", call)
        try:
            yield from call.stream()
            self.ended.append("whole")
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise

    async def astream(self, call: ModelCall) -> AsyncIterator[Chunk]:
        self._note("astream", call)
        try:
            async for chunk in call.astream():
                yield chunk
            self.ended.append("whole")
        except BaseException as error:
            await asyncio.sleep(0)
            self.ended.append(type(error).__name__)
            raise

    def retried(self, retry: Any) -> Any:
        return retry


class StreamsToGenerate(BaseChatModel):
    """As many integrations do with ``streaming=True``."""

    streaming: bool = True
    words: tuple[str, ...] = ("one", "two")

    @property
    def _llm_type(self) -> str:
        return "streams-to-generate"

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        text = "".join(chunk.text for chunk in self._stream(messages, stop, run_manager))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> Iterator[Any]:
        for word in self.words:
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))


class Completes(LLM):
    """A completion model that streams."""

    @property
    def _llm_type(self) -> str:
        return "completes"

    def _call(self, prompt: str, *_: Any, **__: Any) -> str:
        return "ab"

    def _stream(self, prompt: str, *_: Any, **__: Any) -> Iterator[GenerationChunk]:
        yield from (GenerationChunk(text=letter) for letter in "ab")


class OnlyGenerates(FakeListChatModel):
    """A model that cannot stream."""

    _stream = BaseChatModel._stream
    _astream = BaseChatModel._astream


class HasEvents(StreamsToGenerate):
    """A model with LangChain's hook for event streams."""

    def _stream_chat_model_events(self, *_: Any, **__: Any) -> Iterator[Any]:
        if self.words:
            raise AssertionError("this way goes past the guard")
        yield


class City(BaseModel):
    """A city."""

    name: str


@tool
def weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture(params=[chat_openai, chat_anthropic], ids=["openai", "anthropic"])
def plain(request: pytest.FixtureRequest, provider: FakeProvider) -> Any:
    return request.param(provider)


# -- once for each call ---------------------------------------------------------------


async def test_every_way_to_the_provider_leads_through_the_guard(
    plain: Any, watch: Watch, provider: FakeProvider
) -> None:
    model = wrapped(plain, watch)
    assert model.invoke("Hello").text
    assert "".join(chunk.text for chunk in model.stream("Hello"))
    assert (await model.ainvoke("Hello")).text
    assert "".join([chunk.text async for chunk in model.astream("Hello")])
    assert watch.seen == ["generate", "stream", "agenerate", "astream"]
    model.batch(["a", "b"])
    await model.abatch(["c"])
    model.generate([[HumanMessage("d")], [HumanMessage("e")]])
    async for _ in model.astream_events("f", version="v2"):
        pass
    assert model.invoke("g", stream=True).text
    assert len(watch.seen) == provider.calls == 11


@pytest.mark.filterwarnings("ignore:.*beta")
async def test_event_streams_lead_through_it_too(plain: Any, watch: Watch, provider: FakeProvider) -> None:
    model = wrapped(plain, watch)
    assert model.stream_events("Hello", version="v3").output.text
    stream = await model.astream_events("Hello", version="v3")
    assert (await stream.output).text
    assert watch.seen == ["stream", "astream"]
    assert watch.ended == ["whole", "whole"]
    assert provider.calls == 2


@pytest.mark.filterwarnings("ignore:.*beta")
def test_a_models_own_event_stream_is_not_a_way_around(watch: Watch) -> None:
    assert wrapped(HasEvents(), watch).stream_events("Hello", version="v3").output.text == "onetwo"
    assert watch.seen == ["stream"]


async def test_a_model_that_streams_in_order_to_generate_is_one_call(watch: Watch) -> None:
    model = wrapped(StreamsToGenerate(), watch)
    assert model.invoke("Hello", stream=False).text == "onetwo"
    assert (await model.ainvoke("Hello", stream=False)).text == "onetwo"
    assert watch.seen == ["generate", "agenerate"]
    assert [chunk.text async for chunk in model.astream("Hello")][:2] == ["one", "two"]
    assert watch.seen[2:] == ["astream"]


async def test_a_model_that_cannot_stream_still_cannot(watch: Watch) -> None:
    model = wrapped(OnlyGenerates(responses=["whole"]), watch)
    assert [chunk.text for chunk in model.stream("Hello")] == ["whole"]
    assert [chunk.text async for chunk in model.astream("Hello")] == ["whole"]
    assert watch.seen == ["generate", "agenerate"]


async def test_completion_models(watch: Watch) -> None:
    model = wrapped(FakeListLLM(responses=["one", "two", "three", "four"]), watch)
    assert model.invoke("Hello") == "one"
    assert [one[0].text for one in model.generate(["a", "b"]).generations] == ["two", "three"]
    assert await model.ainvoke("Hello") == "four"
    assert watch.seen == ["generate", "generate", "agenerate"]
    streaming = wrapped(Completes(), watch)
    assert list(streaming.stream("Hello")) == ["a", "b"]
    assert [piece async for piece in streaming.astream("Hello")] == ["a", "b"]
    assert watch.seen[3:] == ["stream", "astream"]


def test_a_stream_is_passed_on_as_it_comes() -> None:
    with FakeProvider(chunk_seconds=0.05) as slow:
        watch = Watch()
        chunks: Any = wrapped(chat_openai(slow), watch).stream("Tell me a story")
        next(chunks)
        assert slow.calls == 0, "the provider is still sending"
        chunks.close()
    assert watch.ended == ["GeneratorExit"]


async def test_two_guards_stand_one_around_the_other(plain: Any, provider: FakeProvider) -> None:
    outer, inner = Watch(), Watch()
    model = wrapped(wrapped(plain, inner), outer)
    model.invoke("Hello")
    async for _ in model.astream("Hello"):
        pass
    assert outer.seen == inner.seen == ["generate", "astream"]
    assert provider.calls == 2


# -- what a call says -------------------------------------------------------------------


class Starts(BaseCallbackHandler):
    """Keeps the metadata that callbacks see."""

    def __init__(self) -> None:
        self.metadata: list[Any] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, *, metadata: Any = None, **_: Any) -> None:
        self.metadata.append({name: value for name, value in metadata.items() if name in ("user", "team")})


async def test_each_way_says_whom_the_call_is_for(provider: FakeProvider, watch: Watch) -> None:
    starts = Starts()
    model = wrapped(chat_openai(provider, metadata={"team": "blue"}), watch)
    config: Any = {"metadata": {"user": "u1"}, "callbacks": [starts]}
    model.invoke("a", config)
    list(model.stream("b", config))
    await model.ainvoke("c", config)
    async for _ in model.astream("d", config):
        pass
    model.invoke("e", config, stream=True)
    await model.ainvoke("f", config, stream=True)
    list((model | (lambda message: message)).stream("g", config))
    assert watch.metadata == starts.metadata == [{"user": "u1", "team": "blue"}] * 7


def test_streams_that_overlap_do_not_mix_what_they_were_told(provider: FakeProvider, watch: Watch) -> None:
    model = wrapped(chat_openai(provider), watch)
    streams = [model.stream("Hello", {"metadata": {"user": user}}) for user in ("u1", "u2")]
    for pieces in zip(*streams, strict=False):
        assert len(pieces) == 2
    model.invoke("Hello")
    assert watch.metadata == [{"user": "u1"}, {"user": "u2"}, {}]


# -- closing ------------------------------------------------------------------------------


async def test_a_stream_that_is_closed_closes_the_one_behind_the_guard(plain: Any, watch: Watch) -> None:
    model = wrapped(plain, watch)
    sync = model.stream("Tell me a story")
    next(sync)
    sync.close()
    stream = model.astream("Tell me a story")
    await anext(stream)
    await stream.aclose()
    assert watch.ended == ["GeneratorExit"] * 2


async def test_a_stream_that_nobody_holds_is_closed(plain: Any, watch: Watch) -> None:
    model = wrapped(plain, watch)
    async for _ in model.astream("Tell me a story"):
        break
    for _ in range(100):
        gc.collect()
        await asyncio.sleep(0.01)
        if watch.ended:
            break
    assert watch.ended == ["GeneratorExit"]


# -- the same model -----------------------------------------------------------------------


def test_it_is_of_the_same_type_and_says_the_same(plain: Any, watch: Watch) -> None:
    model = wrapped(plain, watch)
    kind = type(plain)
    assert isinstance(model, kind)
    assert (type(model).__name__, type(model).__module__) == (kind.__name__, kind.__module__)
    assert type(model) is not kind
    assert dumps(model) == dumps(plain)
    assert model._get_llm_string(stop=["x"], tools=[]) == plain._get_llm_string(stop=["x"], tools=[])
    assert (model._llm_type, model.profile, model.lc_id()) == (plain._llm_type, plain.profile, plain.lc_id())
    assert model._get_ls_params() == plain._get_ls_params()
    assert model.get_name() == plain.get_name()
    assert model._identifying_params == plain._identifying_params
    assert model.model_fields_set == plain.model_fields_set
    assert model.InputType == plain.InputType
    assert model.get_input_jsonschema() == plain.get_input_jsonschema()
    assert repr(model) != repr(plain)


def test_tokens_are_counted_as_before(provider: FakeProvider, watch: Watch) -> None:
    plain = chat_anthropic(provider)
    messages: list[BaseMessage] = [HumanMessage("How many tokens is this?")]
    assert wrapped(plain, watch).get_num_tokens_from_messages(messages) == plain.get_num_tokens_from_messages(messages)
    assert watch.seen == []


def test_the_original_is_left_alone(plain: Any, watch: Watch) -> None:
    before = dict(vars(plain))
    model = wrapped(plain, watch)
    model.callbacks = [Starts()]
    plain.invoke("Hello")
    assert watch.seen == []
    assert guard_of(plain) is None
    assert guard_of(model) is watch
    assert {name: vars(plain)[name] for name in before} == before


def test_no_new_model_is_announced(provider: FakeProvider, watch: Watch) -> None:
    known: dict[str, type] = {}

    class Listed(FakeListChatModel):
        """A family of models that keeps a list of its members."""

        def __init_subclass__(cls, *, listed_as: str, **options: Any) -> None:
            super().__init_subclass__(**options)
            known[listed_as] = cls

        @classmethod
        def __pydantic_init_subclass__(cls, **options: Any) -> None:
            super().__pydantic_init_subclass__(**options)
            known[cls.__name__] = cls

    class Member(Listed, listed_as="member"):
        """One of them."""

    assert wrapped(wrapped(Member(responses=["a"]), Watch()), watch).invoke("Hello").text == "a"
    assert known == {"member": Member, "Member": Member}
    assert watch.seen == ["generate"]


def test_two_wraps_share_nothing(plain: Any) -> None:
    one, two = Watch(), Watch()
    first, second = wrapped(plain, one), wrapped(plain, two)
    assert type(first) is not type(second)
    assert not isinstance(first, type(second))
    first.invoke("Hello")
    assert (one.seen, two.seen) == (["generate"], [])


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")  # langchain-openai's own
def test_tools_and_structured_output(plain: Any, watch: Watch) -> None:
    model = wrapped(plain, watch)
    answer: Any = model.bind_tools([weather], tool_choice="any").invoke("What is the weather in Paris?")
    assert [call["name"] for call in answer.tool_calls] == ["weather"]
    for method in ("function_calling", "json_schema"):
        assert isinstance(model.with_structured_output(City, method=method).invoke("Name a city"), City)
    assert isinstance(list(model.with_structured_output(City).stream("Name a city"))[-1], City)
    assert watch.seen == ["generate", "generate", "generate", "stream"]


def test_configs_fields_and_copies(plain: Any, watch: Watch) -> None:
    model = wrapped(plain, watch)
    assert model.with_config(tags=["a"]).invoke("Hello").text
    changing = model.configurable_fields(temperature=ConfigurableField(id="t"))
    assert changing.with_config(configurable={"t": 0.3}).invoke("Hello").text
    assert model.model_copy(update={"temperature": 0.1}).invoke("Hello").text
    assert copy.copy(model).invoke("Hello").text
    assert watch.seen == ["generate"] * 4


def test_what_is_changed_on_it_counts(provider: FakeProvider, watch: Watch) -> None:
    model = wrapped(chat_openai(provider), watch)
    model.temperature = 0.25
    model.invoke("Hello")
    assert (provider.log[0].body or {})["temperature"] == 0.25


def test_it_can_be_pickled_and_copied_where_the_model_can(provider: FakeProvider, watch: Watch) -> None:
    plain = chat_anthropic(provider)
    for model in (wrapped(plain, watch), wrapped(FakeListChatModel(responses=["a"]), watch)):
        there: Any = pickle.loads(pickle.dumps(model))  # noqa: S301
        assert type(there).__name__ == type(model).__name__
        assert there.invoke("Hello").text
        assert guard_of(there).seen == [*watch.seen, "generate"]  # type: ignore[union-attr]
        deep = copy.deepcopy(model)
        before = len(watch.seen)
        assert deep.invoke("Hello").text
        assert len(watch.seen) == before + 1
    assert isinstance(pickle.loads(pickle.dumps(wrapped(plain, watch))), ChatAnthropic)  # noqa: S301


@pytest.mark.filterwarnings("ignore:.*beta")
def test_what_is_loaded_again_is_the_model_itself(
    provider: FakeProvider, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    plain = chat_openai(provider)
    again = loads(dumps(wrapped(plain, watch)), allowed_objects=[type(plain)])
    assert type(again) is type(plain)


def test_private_state_is_the_models_own(watch: Watch) -> None:
    model = wrapped(GenericFakeChatModel(messages=iter([AIMessage("one"), AIMessage("two")])), watch)
    assert [model.invoke("a").text, model.invoke("b").text] == ["one", "two"]


def test_what_is_no_model_is_refused(watch: Watch) -> None:
    with pytest.raises(ConfigurationError, match="a model is needed"):
        wrapped("gpt-4o", watch)
