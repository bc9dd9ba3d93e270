"""Does LlamaIndex get the same cache, in streams, query engines and agents too?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms import types
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMChatStartEvent
from llama_index.core.llms import MockLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from lc_costkit import SemanticCache, question
from lc_costkit.cache import Cache
from lc_costkit.errors import ConfigurationError
from lc_costkit.llama_index.cache_request import chat_request
from lc_costkit.llama_index.hits import CacheHitEvent, CacheMissEvent
from lc_costkit.llama_index.llm import CachedFunctionCallingLLM, CachedLLM, cached_llm
from lc_costkit.llama_index.routed import routed_llm
from lc_costkit.marks import MARK, CacheMark
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeToolCall, Fault

if TYPE_CHECKING:
    from tests.support.llama_openai import OpenAIFunctionLLM

MakeLLM = Callable[..., "OpenAIFunctionLLM"]

ASKED = "How do I reset my password?"
REWORDED = "How can I reset my password?"


def user(text: str) -> list[ChatMessage]:
    return [ChatMessage(text)]


@pytest.fixture
def cache() -> Iterator[Cache]:
    with Cache() as made:
        yield made


class Seen(BaseEventHandler):
    """Keeps every event."""

    events: list[BaseEvent] = []  # noqa: RUF012 -- a pydantic field

    @classmethod
    def class_name(cls) -> str:
        return "Seen"

    def handle(self, event: BaseEvent, **_: Any) -> None:
        self.events.append(event)

    def of(self, kind: type[BaseEvent]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def seen() -> Iterator[Seen]:
    handler = Seen(events=[])
    root = get_dispatcher()
    root.add_event_handler(handler)
    yield handler
    root.event_handlers.remove(handler)


# -- every way of calling ------------------------------------------------------------


async def test_all_eight_ways_of_calling_share_what_they_may(
    provider: FakeProvider, make_llama_llm: MakeLLM, cache: Cache
) -> None:
    llm = cached_llm(make_llama_llm(), cache)
    first = llm.chat(user(ASKED)).message.content
    assert llm.chat(user(REWORDED)).message.content == first
    assert (await llm.achat(user(ASKED))).message.content == first
    assert [chunk.delta for chunk in llm.stream_chat(user(ASKED))] == [first]
    assert [chunk.message.content async for chunk in await llm.astream_chat(user(REWORDED))] == [first]
    assert provider.calls == 1
    text = llm.complete("Say hello to Ann").text
    assert (await llm.acomplete("Say hello to Ann")).text == text
    assert [chunk.text for chunk in llm.stream_complete("Say hello to Ann")] == [text]
    assert [chunk.delta async for chunk in await llm.astream_complete("Say hello to Ann")] == [text]
    assert provider.calls == 2
    assert cache.stats().faults == {}


async def test_streams_are_stored_at_their_end(provider: FakeProvider, make_llama_llm: MakeLLM, cache: Cache) -> None:
    llm = cached_llm(make_llama_llm(), cache)
    chunks = list(llm.stream_chat(user(ASKED)))
    assert len(chunks) > 2
    assert llm.chat(user(ASKED)).message.content == chunks[-1].message.content
    more = [chunk async for chunk in await llm.astream_chat(user("Where is the bank?"))]
    assert (await llm.achat(user("Where is the bank?"))).message.content == more[-1].message.content
    assert provider.calls == 2
    stats = cache.stats()
    assert stats.served_unpriced == 0
    assert stats.served_usd == sum(call.usd or 0 for call in provider.log)


def test_a_stream_that_was_left_or_cut_is_not_stored(make_llama_llm: MakeLLM, cache: Cache) -> None:
    with FakeProvider(chunk_seconds=0.01) as provider:
        llm = cached_llm(make_llama_llm(base_url=provider.openai_base_url), cache)
        stream = llm.stream_chat(user(ASKED))
        next(stream)
        stream.close()
        provider.fail_next(Fault.cut_stream(after_chunks=2))
        with pytest.raises(Exception):  # noqa: B017 -- whatever the client makes of it
            list(llm.stream_chat(user(ASKED)))
        assert cache.stats().entries == 0


def test_unfinished_and_empty_answers_are_not_stored(make_llama_llm: MakeLLM, cache: Cache) -> None:
    answers = iter(
        [FakeAnswer(text="Half", finish_reason="length"), FakeAnswer(text="Half", finish_reason="length"), ""]
    )
    with FakeProvider(answer=lambda request: next(answers)) as provider:
        llm = cached_llm(make_llama_llm(base_url=provider.openai_base_url), cache)
        llm.chat(user(ASKED))
        list(llm.stream_chat(user(ASKED)))
        llm.chat(user(ASKED))
        assert provider.calls == 3
        assert cache.stats().not_stored == {"the answer ended with 'length'": 2, "the answer is empty": 1}


def test_served_answers_are_independent_and_marked(make_llama_llm: MakeLLM, cache: Cache) -> None:
    llm = cached_llm(make_llama_llm(), cache)
    live = llm.chat(user(ASKED))
    assert MARK not in live.additional_kwargs
    one = llm.chat(user(ASKED))
    mark = CacheMark.from_dict(one.additional_kwargs[MARK]["cache"])
    assert mark is not None
    assert (mark.verdict, mark.tier, mark.answer_basis) == ("hit", "exact", "exact")
    one.message.blocks[0].text = "spoilt"  # type: ignore[union-attr]
    assert llm.chat(user(ASKED)).message.content == live.message.content


def test_it_survives_a_restart_and_scopes_are_apart(
    provider: FakeProvider, make_llama_llm: MakeLLM, tmp_path: Path
) -> None:
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}]
    for _ in range(2):
        with Cache(tmp_path / "c.db") as cache, Cache(tmp_path / "c.db", namespace="other") as other:
            plain = cached_llm(make_llama_llm(), cache)
            plain.chat(user(ASKED))
            plain.chat([ChatMessage("You are a pirate.", role=MessageRole.SYSTEM), *user(ASKED)])
            plain.chat([*user("Hi"), ChatMessage("Hello", role=MessageRole.ASSISTANT), *user(ASKED)])
            plain.chat(user(ASKED), tools=tools)
            plain.chat(user(ASKED), temperature=0.3)
            cached_llm(make_llama_llm(model="gpt-4o"), cache).chat(user(ASKED))
            cached_llm(make_llama_llm(temperature=0.1), cache).chat(user(ASKED))
            cached_llm(make_llama_llm(max_retries=4), cache).chat(user(ASKED))
            cached_llm(make_llama_llm(), other).chat(user(ASKED))
        assert provider.calls == 8


# -- events --------------------------------------------------------------------------


def test_a_live_call_is_reported_once_and_a_hit_by_its_own_event(
    make_llama_llm: MakeLLM, cache: Cache, seen: Seen
) -> None:
    llm = cached_llm(make_llama_llm(), cache)
    llm.chat(user(ASKED))
    assert [len(seen.of(kind)) for kind in (LLMChatStartEvent, LLMChatEndEvent, CacheMissEvent, CacheHitEvent)] == [
        1, 1, 1, 0,
    ]  # fmt: skip
    assert seen.of(LLMChatStartEvent)[0].tags[MARK]["cache"] == seen.of(CacheMissEvent)[0].mark
    answer = llm.chat(user(REWORDED)).message.content
    list(llm.stream_chat(user(ASKED)))
    assert len(seen.of(LLMChatStartEvent)) == 1
    hit, streamed = seen.of(CacheHitEvent)
    assert (hit.operation, hit.streamed, streamed.streamed) == ("chat", False, True)
    assert (hit.question, hit.answer) == (REWORDED, answer)
    assert hit.model.startswith("gpt-4o-mini")
    assert CacheMark.from_dict(hit.mark) is not None


# -- frameworks ----------------------------------------------------------------------


def test_a_query_engine(provider: FakeProvider, make_llama_llm: MakeLLM, cache: Cache) -> None:
    documents = [Document(text="Passwords are reset in the settings."), Document(text="Cards take five days.")]
    index = VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(embed_dim=8))
    engine = index.as_query_engine(llm=cached_llm(make_llama_llm(), cache))
    first = str(engine.query(ASKED))
    assert str(engine.query(ASKED)) == first
    assert provider.calls == 1
    assert str(engine.query("When does my card arrive?"))
    engine.query(REWORDED)
    assert provider.calls == 3, "same documents, another question: never served"
    with question(ASKED, scope="kb-1"):
        declared = str(engine.query(ASKED))
    with question(REWORDED, scope="kb-1"):
        assert str(engine.query(REWORDED)) == declared
    with question("When does my card arrive?", scope="kb-1"):
        assert str(engine.query("When does my card arrive?")) is not None
    assert provider.calls == 5
    streaming = index.as_query_engine(llm=cached_llm(make_llama_llm(), cache), streaming=True)
    assert str(streaming.query(ASKED).get_response()) == first  # type: ignore[union-attr]
    assert provider.calls == 5


# The agent's own base looks at every attribute of itself, pydantic's deprecated ones among them.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
async def test_an_agent_with_tools(make_llama_llm: MakeLLM, cache: Cache) -> None:
    def answer(request: Any) -> Any:
        if request.after_tool_result:
            return "It is 5."
        return FakeAnswer(tool_calls=(FakeToolCall(name="add", arguments={"a": 2, "b": 3}),))

    ran: list[tuple[int, int]] = []

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        ran.append((a, b))
        return a + b

    with FakeProvider(answer=answer) as provider:
        llm = cached_llm(make_llama_llm(base_url=provider.openai_base_url), cache)
        agent = FunctionAgent(tools=[FunctionTool.from_defaults(add)], llm=llm)
        for _ in range(2):
            assert "5" in str(await agent.run("What is 2 plus 3?"))
        assert ran == [(2, 3), (2, 3)], "a served call still runs the tool"
        assert provider.calls == 3, "the first turn was served, the one after a tool result never is"
        sent = [call.body for call in provider.log if call.body is not None and len(call.body["messages"]) > 2]
        ids = {body["messages"][-1]["tool_call_id"] for body in sent}
        assert len(ids) == 2, "each served call has an id of its own"
        for body in sent:
            assert body["messages"][-2]["tool_calls"][0]["id"] == body["messages"][-1]["tool_call_id"]


def test_structured_output(provider: FakeProvider, make_llama_llm: MakeLLM, cache: Cache) -> None:
    class Person(BaseModel):
        """A person."""

        name: str
        age: int

    llm = cached_llm(make_llama_llm(), cache).as_structured_llm(Person)
    first, again = llm.chat(user("Tell me about Ann")).raw, llm.chat(user("Tell me about Ann")).raw
    assert isinstance(again, Person)
    assert again == first
    assert provider.calls == 1


def test_before_a_routed_llm(provider: FakeProvider, make_llama_llm: MakeLLM, cache: Cache) -> None:
    routed = routed_llm({"cheap": make_llama_llm(), "strong": make_llama_llm(model="gpt-4o")})
    llm = cached_llm(routed, cache)
    assert isinstance(llm, CachedFunctionCallingLLM)
    first = llm.chat(user(ASKED))
    again = llm.chat(user(REWORDED))
    assert again.message.content == first.message.content
    assert again.additional_kwargs[MARK]["route"] == first.additional_kwargs[MARK]["route"]
    assert provider.calls == 1
    tools = [FunctionTool.from_defaults(lambda a: a, name="echo", description="Echo.")]
    for _ in range(2):
        response = llm.chat_with_tools(tools, "Echo 3")
        assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) is not None
    assert provider.calls == 2


def test_the_wrapper_follows_what_it_wraps(make_llama_llm: MakeLLM, cache: Cache) -> None:
    tool_caller, plain = cached_llm(make_llama_llm(), cache), cached_llm(MockLLM(max_tokens=3), cache)
    assert isinstance(tool_caller, FunctionCallingLLM)
    assert tool_caller.metadata == make_llama_llm().metadata
    assert type(plain) is CachedLLM
    assert plain.complete("a b c d").text == plain.complete("a b c d").text
    assert cache.stats().hits == 1
    assert plain.explain("a b c d").tier == "exact"
    assert tool_caller.explain(user("What is new to it?")).tier is None


def test_one_cache_serves_both_frameworks_without_mixing(provider: FakeProvider, make_llama_llm: MakeLLM) -> None:
    from tests.conftest import chat_openai

    with SemanticCache() as shared:
        llm, model = cached_llm(make_llama_llm(), shared), chat_openai(provider, cache=shared)
        for _ in range(2):
            llm.chat(user(ASKED))
            model.invoke(ASKED)
        assert provider.calls == 2
        assert shared.stats().hits == 2


@pytest.mark.parametrize("asked", [REWORDED, "How do I reset my 2 passwords?", "Where do penguins live?"])
def test_both_frameworks_explain_a_question_alike(provider: FakeProvider, make_llama_llm: MakeLLM, asked: str) -> None:
    from tests.conftest import chat_openai

    with SemanticCache(max_error_rate=0.03) as ours, Cache(max_error_rate=0.03) as theirs:
        model, llm = chat_openai(provider, cache=ours), cached_llm(make_llama_llm(), theirs)
        model.invoke(ASKED)
        llm.chat(user(ASKED))
        one, other = ours.explain(asked, like=model), llm.explain(user(asked))
    assert provider.calls == 2
    assert one.verdicts == other.verdicts
    assert one.verdicts
    assert (one.served, one.decision, one.reading) == (other.served, other.decision, other.reading)
    assert (one.point, one.max_error_rate) == (other.point, other.max_error_rate)


# -- out of the way ------------------------------------------------------------------


@pytest.mark.parametrize("switch", ["observe", "disable"])
def test_observing_or_switched_off_every_provider_call_is_as_without(
    make_llama_llm: MakeLLM, switch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(wrap: Callable[[Any], Any]) -> list[Any]:
        with FakeProvider() as provider:
            llm = wrap(make_llama_llm(base_url=provider.openai_base_url))
            for text in (ASKED, ASKED, REWORDED):
                llm.chat(user(text))
                list(llm.stream_chat(user(text)))
            return [call.body for call in provider.log]

    without = run(lambda llm: llm)
    with Cache(mode="observe" if switch == "observe" else "on") as cache:
        if switch == "disable":
            monkeypatch.setenv("LC_COSTKIT_DISABLE", "1")
        assert run(lambda llm: cached_llm(llm, cache)) == without
        assert cache.stats().hits == 0


async def test_a_broken_cache_costs_no_answer(
    provider: FakeProvider, make_llama_llm: MakeLLM, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm = cached_llm(make_llama_llm(), cache)

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr("lc_costkit.llama_index.llm.describe", broken)
    assert llm.chat(user(ASKED)).message.content
    assert [chunk async for chunk in await llm.astream_chat(user(ASKED))]
    assert (await llm.acomplete("x")).text
    assert provider.calls == 3
    assert cache.stats().faults == {"reading the call: RuntimeError": 3}


@pytest.mark.parametrize(("llm", "store"), [("gpt-4o", Cache), (MockLLM(), dict)])
def test_wrong_arguments_are_refused(llm: Any, store: Any) -> None:
    made = store()
    with pytest.raises(ConfigurationError, match="must be a"):
        cached_llm(llm, made)


# -- what the cache sees -------------------------------------------------------------


def test_messages_are_reduced_to_what_can_change_the_answer(make_llama_llm: MakeLLM) -> None:
    llm = make_llama_llm()

    def history(call_id: str) -> list[ChatMessage]:
        call: Any = {"id": call_id, "type": "function", "function": {"name": "add", "arguments": '{"b": 1, "a": 2}'}}
        return [
            *user("q"),
            ChatMessage("", role=MessageRole.ASSISTANT, additional_kwargs={"tool_calls": [call]}),
            ChatMessage("3", role=MessageRole.TOOL, additional_kwargs={"tool_call_id": call_id}),
            *user("so?"),
        ]

    one, other = chat_request(llm, history("x"), {}), chat_request(llm, history("y"), {})
    assert one == other
    assert one.turns[1].tool_calls == ('add({"a":2,"b":1})',)
    if hasattr(types, "ToolCallBlock"):  # the oldest supported version has none
        block = types.ToolCallBlock(tool_call_id="z", tool_name="add", tool_kwargs={"a": 2, "b": 1})
        blocks = [*user("q"), ChatMessage([block], role=MessageRole.ASSISTANT)]
        assert chat_request(llm, blocks, {}).turns[1].tool_calls == one.turns[1].tool_calls
    picture = ChatMessage([TextBlock(text="What is it?"), ImageBlock(url="https://x/y.png")])
    assert chat_request(llm, [picture], {}).turns[0].has_media
    assert chat_request(llm, user("q"), {"x": object()}).uncacheable
    assert "sk-hidden" not in chat_request(llm, user("q"), {"api_key": "sk-hidden"}).settings


def test_functions_that_differ_in_what_they_hold_are_told_apart(make_llama_llm: MakeLLM) -> None:
    def settings(function: Callable[[str], str]) -> str:
        return chat_request(make_llama_llm(), user("q"), {"f": function}).settings

    def made(language: str) -> Callable[[str], str]:
        return lambda text: f"{text} in {language}"

    assert made("German")("x") != made("Thai")("x")
    assert settings(made("German")) == settings(made("German")) != settings(made("Thai"))
    first, second = (lambda text: text + " in German"), (lambda text: text + " in Thai")
    assert settings(first) != settings(second)


def test_what_can_change_the_answer_is_kept_and_credentials_are_not(make_llama_llm: MakeLLM) -> None:
    def settings(**options: Any) -> str:
        return chat_request(make_llama_llm(), user("q"), options).settings

    for name in ("eos_token", "stop", "max_tokens", "default_headers", "seed", "tools", "tool_choice", "verbosity"):
        assert settings(**{name: ["x"]}) != settings(), name
    for name in ("api_key", "token", "access_token", "timeout", "max_retries", "stream"):
        assert settings(**{name: "x"}) == settings(), name


def test_a_prompt_that_is_to_be_formatted_is_another_one(
    provider: FakeProvider, make_llama_llm: MakeLLM, cache: Cache
) -> None:
    llm = cached_llm(make_llama_llm(), cache)
    llm.complete(ASKED)
    llm.complete(ASKED, formatted=True)
    assert provider.calls == 2
    llm.complete(ASKED, formatted=True)
    assert provider.calls == 2
    assert llm.explain(ASKED, formatted=True).served
