"""Does LangChain get its own answers back, whole, independent and marked?"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.globals import set_llm_cache
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, Generation, LLMResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_tests.integration_tests import AsyncCacheTestSuite, SyncCacheTestSuite
from pydantic import BaseModel

from lc_costkit import SemanticCache, question
from lc_costkit.cache import Cache
from lc_costkit.errors import ConfigurationError
from lc_costkit.marks import MARK, CacheMark
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest
from tests.conftest import chat_anthropic, chat_openai, openai_embeddings

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

ASKED = "How do I reset my password?"
REWORDED = "How can I reset my password?"

MakeOpenAI = Callable[..., "ChatOpenAI"]


class TestSyncInMemory(SyncCacheTestSuite):
    @pytest.fixture
    def cache(self) -> Iterator[SemanticCache]:
        with SemanticCache() as cache:
            yield cache


class TestSyncInFile(SyncCacheTestSuite):
    @pytest.fixture
    def cache(self, tmp_path: Path) -> Iterator[SemanticCache]:
        with SemanticCache(tmp_path / "cache.db") as cache:
            yield cache


class TestAsyncInMemory(AsyncCacheTestSuite):
    @pytest_asyncio.fixture
    async def cache(self) -> AsyncIterator[SemanticCache]:
        with SemanticCache() as cache:
            yield cache


class TestAsyncInFile(AsyncCacheTestSuite):
    @pytest_asyncio.fixture
    async def cache(self, tmp_path: Path) -> AsyncIterator[SemanticCache]:
        with SemanticCache(tmp_path / "cache.db") as cache:
            yield cache


class Results(BaseCallbackHandler):
    """Keeps what reaches ``on_llm_end``."""

    def __init__(self) -> None:
        self.marks: list[CacheMark | None] = []
        self.errors = 0

    def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        info = response.generations[0][0].generation_info or {}
        self.marks.append(CacheMark.from_dict(info.get(MARK)))

    def on_llm_error(self, *_: Any, **__: Any) -> None:
        self.errors += 1


@pytest.fixture
def cache() -> Iterator[SemanticCache]:
    with SemanticCache() as made:
        yield made


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Person(BaseModel):
    """A person."""

    name: str
    age: int


# -- served ------------------------------------------------------------------------


def test_twice_then_a_restart_then_again_is_one_provider_call(tmp_path: Path, provider: FakeProvider) -> None:
    path = tmp_path / "cache.db"
    with SemanticCache(path) as cache:
        model = chat_openai(provider, cache=cache)
        first = model.invoke(ASKED)
        assert model.invoke(ASKED).content == first.content
    with SemanticCache(path) as cache:
        model = chat_openai(provider, cache=cache)
        assert model.invoke(ASKED).content == first.content
        assert model.invoke(REWORDED).content == first.content
        assert cache.stats().hits == 3
        assert cache.check() == ()
    assert provider.calls == 1


def test_the_global_cache_and_both_ways_of_calling(provider: FakeProvider, cache: SemanticCache) -> None:
    model = chat_openai(provider)
    set_llm_cache(cache)
    try:
        first = model.invoke(ASKED)
        assert asyncio.run(model.ainvoke(REWORDED)).content == first.content
        assert [answer.content for answer in model.batch([ASKED, REWORDED])] == [first.content] * 2
    finally:
        set_llm_cache(None)
    assert provider.calls == 1


def test_what_must_be_equal_is_never_shared(provider: FakeProvider, tmp_path: Path) -> None:
    provider_answers = iter(range(100))
    with FakeProvider(answer=lambda request: f"answer {next(provider_answers)}") as numbered:
        path = tmp_path / "cache.db"
        with SemanticCache(path) as cache, SemanticCache(path, namespace="other") as other:
            plain = chat_openai(numbered, cache=cache)
            calls: list[Callable[[str], Any]] = [
                plain.invoke,
                lambda text: plain.invoke([SystemMessage("You are a pirate."), HumanMessage(text)]),
                lambda text: plain.invoke([SystemMessage("You are a lawyer."), HumanMessage(text)]),
                lambda text: plain.invoke([HumanMessage("Hi"), AIMessage("Hello"), HumanMessage(text)]),
                chat_openai(numbered, cache=cache, model="gpt-4o").invoke,
                chat_openai(numbered, cache=cache, temperature=0.5).invoke,
                chat_openai(numbered, cache=cache, max_tokens=50).invoke,
                chat_openai(numbered, cache=other).invoke,
                plain.bind_tools([add]).invoke,
                plain.bind(stop=["x"]).invoke,
                plain.bind(response_format={"type": "json_object"}).invoke,
                chat_anthropic(numbered, cache=cache).invoke,
            ]
            answers = [call(ASKED).content for call in calls]
            assert len(set(map(str, answers))) == len(calls) == numbered.calls
            assert [call(ASKED).content for call in calls] == answers
            assert [call(REWORDED).content for call in calls] == answers
            assert numbered.calls == len(calls)


def test_transport_settings_do_not_split_the_cache(provider: FakeProvider, cache: SemanticCache) -> None:
    chat_openai(provider, cache=cache).invoke(ASKED)
    chat_openai(provider, cache=cache, max_retries=7, timeout=3, metadata={"a": 1}, tags=["t"]).invoke(ASKED)
    chat_anthropic(provider, cache=cache, max_retries=7, default_request_timeout=9, stream_usage=False).invoke(ASKED)
    chat_anthropic(provider, cache=cache).invoke(ASKED)
    assert provider.calls == 2


def test_a_conversation_is_found_again_although_its_ids_and_usage_differ(
    provider: FakeProvider, cache: SemanticCache
) -> None:
    model = chat_openai(provider, cache=cache)
    for _ in range(3):
        history: list[Any] = [HumanMessage("Where is the bank?")]
        history.append(model.invoke(history))
        history.append(HumanMessage("And how do I get there?"))
        model.invoke(history)
    assert provider.calls == 2


def test_the_returned_message_is_independent_of_the_stored_one(provider: FakeProvider, cache: SemanticCache) -> None:
    model = chat_openai(provider, cache=cache)
    live = model.invoke(ASKED)
    one = model.invoke(ASKED)
    assert one.id is None or one.id != live.id
    one.content = "spoilt"
    one.response_metadata.clear()
    one.usage_metadata["input_tokens"] = 99  # type: ignore[index]
    other = model.invoke(ASKED)
    assert other.content == live.content
    assert other.response_metadata["model_name"] == live.response_metadata["model_name"]
    assert other.usage_metadata["input_tokens"] == live.usage_metadata["input_tokens"]  # type: ignore[index]
    assert other.id is None or other.id not in (one.id, live.id)


def test_a_hit_is_a_list_and_carries_no_mark_inside_the_message(provider: FakeProvider, cache: SemanticCache) -> None:
    model = chat_openai(provider, cache=cache)
    seen: list[Any] = []
    original = cache.lookup
    cache.lookup = lambda *strings: seen.append(original(*strings)) or seen[-1]  # type: ignore[method-assign]
    model.invoke(ASKED)
    message = model.invoke(ASKED)
    assert seen[0] is None
    assert type(seen[1]) is list
    assert "verdict" not in str(message)
    assert model.invoke([HumanMessage("x"), message, HumanMessage(ASKED)]).content
    assert "verdict" not in str(provider.log[-1].body)


def test_marks_reach_the_end_of_the_call_for_hits_and_for_live_answers(
    provider: FakeProvider, cache: SemanticCache
) -> None:
    results = Results()
    model = chat_openai(provider, cache=cache, callbacks=[results])
    model.invoke(ASKED)
    model.invoke(ASKED)
    asyncio.run(model.ainvoke(REWORDED))
    model.invoke("What is the weather right now?")
    first, exact, semantic, skipped = results.marks
    assert first is not None
    assert (first.verdict, first.lookup_usd) == ("miss", Decimal(0))
    assert exact is not None
    assert (exact.verdict, exact.tier, exact.answer_basis) == ("hit", "exact", "exact")
    assert exact.answer_usd == provider.log[0].usd
    assert semantic is not None
    assert (semantic.verdict, semantic.tier) == ("hit", "semantic")
    assert skipped is not None
    assert skipped.verdict == "skipped"
    assert skipped.reason
    assert cache.stats().served_usd == 2 * (provider.log[0].usd or 0)


def test_a_paid_embedder_is_priced_in_the_mark(provider: FakeProvider) -> None:
    with SemanticCache(embedder=openai_embeddings(provider), similarity_threshold=0.5) as cache:
        results = Results()
        model = chat_openai(provider, cache=cache, callbacks=[results])
        model.invoke(ASKED)
        asyncio.run(model.ainvoke("Where is the bank?"))
        for mark in results.marks:
            assert mark is not None
            assert mark.lookup_basis == "estimated"
            assert mark.lookup_usd
        billed = [call.usd for call in provider.log if "embeddings" in call.path][1:]
        assert cache.stats().lookup_usd == sum(filter(None, billed))


# -- tools and formats --------------------------------------------------------------


def test_an_answer_that_calls_tools_is_served_to_the_letter_with_new_ids(
    provider: FakeProvider, cache: SemanticCache
) -> None:
    for make in (chat_openai, chat_anthropic):
        model = make(provider, cache=cache).bind_tools([add])
        calls = provider.calls
        live = model.invoke("add 1 and 2")
        again = model.invoke("add 1 and 2")
        assert provider.calls == calls + 1
        assert live.tool_calls[0]["args"] == again.tool_calls[0]["args"]
        assert live.tool_calls[0]["id"] != again.tool_calls[0]["id"]
        history = [HumanMessage("add 1 and 2"), again, ToolMessage("3", tool_call_id=again.tool_calls[0]["id"])]
        assert model.invoke(history).content
        assert model.invoke(history).content
        assert provider.calls == calls + 3, "what follows a tool result is never cached"
    assert cache.explain("Please add 1 and 2", like=model).tier is None


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output_comes_back_as_objects(
    provider: FakeProvider, cache: SemanticCache, method: str, tmp_path: Path
) -> None:
    model = chat_openai(provider, cache=cache).with_structured_output(Person, method=method)
    first = model.invoke("Tell me about Ann")
    again = model.invoke("Tell me about Ann")
    assert isinstance(again, Person)
    assert again == first
    assert provider.calls == 1


def test_a_schema_of_the_same_name_and_other_fields_is_another_scope(provider: FakeProvider) -> None:
    class Local(BaseModel):
        """Cannot be looked up by its name."""

        name: str

    with SemanticCache() as cache:
        model = chat_openai(provider, cache=cache).with_structured_output(Local)
        model.invoke("Tell me about Ann")
        model.invoke("Tell me about Ann")
        assert provider.calls == 2
        assert any("class that cannot be looked up" in reason for reason in cache.stats().not_stored)


@pytest.mark.parametrize("finish_reason", ["length", "content_filter"])
def test_unfinished_answers_are_not_kept(finish_reason: Any) -> None:
    with (
        FakeProvider(answer=lambda request: FakeAnswer(text="Half an", finish_reason=finish_reason)) as provider,
        SemanticCache() as cache,
    ):
        model = chat_openai(provider, cache=cache)
        model.invoke(ASKED)
        model.invoke(ASKED)
        assert provider.calls == 2
        assert list(cache.stats().not_stored.values()) == [2]


def test_errors_are_not_kept(provider: FakeProvider, cache: SemanticCache) -> None:
    from lc_costkit.testing import Fault

    model = chat_openai(provider, cache=cache)
    provider.fail_next(Fault.server_error())
    with pytest.raises(Exception, match="500"):
        model.invoke(ASKED)
    assert model.invoke(ASKED).content
    assert model.invoke(ASKED).content
    assert provider.calls == 2
    assert cache.stats().stored == 1


# -- documents ----------------------------------------------------------------------

RAG = ChatPromptTemplate([("human", "Answer from the documents.\n\n{documents}\n\nQuestion: {question}\nAnswer:")])


def test_a_rag_chain_is_never_served_for_another_question_and_hits_when_declared(
    provider: FakeProvider, cache: SemanticCache
) -> None:
    chain = RAG | chat_openai(provider, cache=cache) | StrOutputParser()
    documents = "Passwords are reset in the settings.\n\nCards arrive within five days."
    first = chain.invoke({"documents": documents, "question": ASKED})
    assert chain.invoke({"documents": documents, "question": "When does my card arrive?"}) != first
    assert chain.invoke({"documents": documents, "question": REWORDED}) is not None
    assert provider.calls == 3
    with question(ASKED, scope="kb-1"):
        declared = chain.invoke({"documents": documents, "question": ASKED})
    with question(REWORDED, scope="kb-1"):
        assert chain.invoke({"documents": "Other order.", "question": REWORDED}) == declared
    with question(REWORDED, scope="kb-1"):
        assert asyncio.run(chain.ainvoke({"documents": "Other.", "question": REWORDED})) == declared
    with question("When does my card arrive?", scope="kb-1"):
        assert chain.invoke({"documents": documents, "question": "When does my card arrive?"}) != declared
    with question(REWORDED, scope="kb-2"):
        chain.invoke({"documents": documents, "question": REWORDED})
    assert provider.calls == 6


def test_the_steps_of_a_map_reduce_in_one_block_never_answer_each_other() -> None:
    passages = [f"FACT{number}" for number in range(4)]

    def facts(request: FakeRequest) -> str:
        return " ".join(re.findall(r"FACT\d+", request.question))

    with FakeProvider(answer=facts) as provider, SemanticCache() as cache:
        model = chat_openai(provider, cache=cache) | StrOutputParser()
        for order in (passages, passages, passages[::-1]):
            with question(ASKED, scope="kb-1"):
                found = model.batch([f"Use this passage.\n{text}\nQuestion: {ASKED}" for text in order])
                told = model.invoke(f"Combine.\n{' '.join(sorted(found))}\nQuestion: {ASKED}")
            assert found == order
            assert told == " ".join(passages)
        assert provider.calls == len(passages) + 1


def test_a_rewriting_step_that_is_all_template_leaves_the_scope_to_the_answer(
    provider: FakeProvider, cache: SemanticCache
) -> None:
    model = chat_openai(provider, cache=cache) | StrOutputParser()
    for asked, documents in ((ASKED, "Some documents."), (REWORDED, "The same in another order.")):
        with question(asked, scope="kb-1"):
            model.invoke(f"Rewrite for a search.\n\nQuestion: {asked}")
            model.invoke(f"Answer from the documents.\n\n{documents}\n\nQuestion: {asked}")
    assert provider.calls == 2
    assert cache.stats().hits == 2


# -- out of the way -----------------------------------------------------------------


@pytest.mark.parametrize("switch", ["observe", "disable"])
def test_observing_or_switched_off_every_provider_call_is_as_without(
    switch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(**options: Any) -> list[Any]:
        with FakeProvider() as provider:
            model = chat_openai(provider, **options)
            for text in (ASKED, ASKED, REWORDED, "Where is the bank?", ASKED):
                model.invoke(text)
            return [call.body for call in provider.log]

    without = run(cache=False)
    with SemanticCache(mode="observe" if switch == "observe" else "on") as cache:
        if switch == "disable":
            monkeypatch.setenv("LC_COSTKIT_DISABLE", "1")
        assert run(cache=cache) == without
        stats = cache.stats()
        assert (stats.hits, stats.observed_hits) == (0, 3 if switch == "observe" else 0)


def test_an_answer_arrives_when_the_store_is_broken(
    provider: FakeProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with SemanticCache(tmp_path / "cache.db") as cache:
        model = chat_openai(provider, cache=cache)
        broken = cache.engine._store
        cache.engine._matcher._store = None  # type: ignore[assignment]
        cache.engine._writer._store = None  # type: ignore[assignment]
        assert model.invoke(ASKED).content
        assert asyncio.run(model.ainvoke(ASKED)).content
        assert provider.calls == 2
        assert sum(cache.stats().faults.values()) == 4
        cache.engine._matcher._store = cache.engine._writer._store = broken
    assert sum("lookup failed" in record.message for record in caplog.records) == 1


def test_several_prompts_and_plain_completion_models(cache: SemanticCache) -> None:
    model = FakeListLLM(responses=["one", "two", "three"], cache=cache)
    first = model.generate(["What is one?", "What is two?"])
    assert [each[0].text for each in first.generations] == ["one", "two"]
    again = model.generate(["What is two?", "What is one?"])
    assert [each[0].text for each in again.generations] == ["two", "one"]
    assert again.generations[0][0].generation_info is None, "plain generations are never marked"


def test_delete_and_clear(provider: FakeProvider, cache: SemanticCache) -> None:
    model = chat_openai(provider, cache=cache)
    model.invoke(ASKED)
    assert cache.delete(question=ASKED) == 1
    model.invoke(ASKED)
    cache.clear()
    model.invoke(ASKED)
    asyncio.run(cache.aclear())
    model.invoke(ASKED)
    assert provider.calls == 4


def test_a_copied_model_shares_the_cache(cache: SemanticCache) -> None:
    model = FakeListLLM(responses=["one", "two"], cache=cache)
    model.invoke(ASKED)
    assert model.model_copy(deep=True).invoke(ASKED) == "one"
    assert cache.stats().hits == 1


@pytest.mark.parametrize("knobs", [{"similarity_threshold": 2}, {"ttl": -5}, {"mode": "no"}])
def test_wrong_knobs_are_refused(knobs: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        SemanticCache(**knobs)


def test_pending_lookups_of_failed_calls_are_bounded() -> None:
    from lc_costkit.cache.results import Miss
    from lc_costkit.langchain.pending import Pending
    from tests.cache.support import ask

    pending = Pending()
    for number in range(10_000):
        pending.put(str(number % 5_000), "", ask("q"), Miss(verdict="miss", reason=str(number)))
    assert len(pending._found) <= 4_096
    for number in range(500):
        pending.put("same", "", ask("q"), Miss(verdict="miss", reason=str(number)))
    taken = pending.take("same", "")
    assert taken is not None
    assert taken[1].reason == "499", "the newest first"
    assert pending.take("never", "") is None


def test_a_generation_list_with_a_mark_is_stored_without_it(cache: SemanticCache) -> None:
    from lc_costkit.langchain.payload import dump, load

    marked = ChatGeneration(message=AIMessage("x", id="run-1"), generation_info={MARK: {"verdict": "miss"}, "a": 1})
    text = dump([marked])
    assert isinstance(text, str)
    loaded = load(text)[0]
    assert loaded.generation_info == {"a": 1}
    assert isinstance(loaded, ChatGeneration)
    assert loaded.message.id is None


def test_it_takes_what_the_core_takes() -> None:
    own, core = (inspect.signature(kind.__init__) for kind in (SemanticCache, Cache))
    assert own == core


async def test_an_answer_arrives_and_is_kept_where_no_thread_can_be_started(
    provider: FakeProvider, cache: SemanticCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoThreads:
        @staticmethod
        async def to_thread(*_: Any, **__: Any) -> Any:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr("lc_costkit.threads.asyncio", NoThreads)
    model = chat_openai(provider, cache=cache)
    first = await model.ainvoke(ASKED)
    assert (await model.ainvoke(ASKED)).text == first.text
    assert provider.calls == 1


def test_headers_of_one_call_are_neither_kept_nor_served() -> None:
    from lc_costkit.langchain.payload import dump

    headers = {"set-cookie": "session=private"}
    message = AIMessage("x", response_metadata={"headers": headers, "model_name": "m"})
    text = dump([ChatGeneration(message=message, generation_info={"headers": headers})])
    assert isinstance(text, str)
    assert "private" not in text
    assert message.response_metadata["headers"] == headers, "the live answer keeps them"


def test_what_waits_for_an_answer_holds_no_prompt_and_is_bounded_in_size(cache: SemanticCache) -> None:
    long = "word " * 20_000
    for number in range(200):
        cache.lookup(f"{number} {long}", "[('model', 'm')]")
    waiting = [found for alike in cache._pending._found.values() for found in alike]
    assert 0 < len(waiting) < 200
    assert all(not request.turns for request, _ in waiting)
    assert sum(len(miss.key.question) for _, miss in waiting if miss.key) <= 8_000_000
    answer = [Generation(text="kept")]
    for number in (0, 199):
        cache.update(f"{number} {long}", "[('model', 'm')]", answer)
        assert cache.lookup(f"{number} {long}", "[('model', 'm')]") == answer
