"""The LlamaIndex handler, through a real client over HTTP: query engines, agents, streams, errors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, CompletionResponse, LLMMetadata
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.llms import CustomLLM, MockLLM
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index_instrumentation.dispatcher import instrument_tags
from pydantic import BaseModel

from lc_costkit.cache.declared import question
from lc_costkit.errors import ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index.events import CostEventHandler, Instrumentation, instrument
from lc_costkit.llama_index.hits import CacheHitEvent
from lc_costkit.llama_index.postprocessor import PruneEvent
from lc_costkit.marks import MARK, CacheMark, PruneMark, RouteMark
from lc_costkit.record import CallRecord
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall, Fault
from tests.support.llama_openai import OpenAIFunctionLLM

HELLO = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content="Why is the sky blue?")]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger(record_text=True) as opened:
        yield opened


@pytest.fixture(autouse=True)
def metered(ledger: Ledger) -> Iterator[Instrumentation]:
    with instrument(ledger) as handle:
        yield handle
    root = get_dispatcher()
    assert not any(isinstance(handler, CostEventHandler) for handler in root.event_handlers)
    assert len(handle.handler._calls) == 0
    assert not handle.handler._parents


@pytest.fixture
def llm(make_llama_llm: Callable[..., OpenAIFunctionLLM]) -> OpenAIFunctionLLM:
    return make_llama_llm()


def calls(ledger: Ledger) -> list[CallRecord]:
    assert ledger.faults.counts == {}
    return list(ledger.records())


def assert_agrees(ledger: Ledger, provider: FakeProvider) -> None:
    provider.wait_idle()
    assert provider.billed_usd > 0
    assert ledger.report().total.provider_usd == provider.billed_usd


def test_chat(llm: OpenAIFunctionLLM, ledger: Ledger, provider: FakeProvider) -> None:
    with instrument_tags({"feature": "support", "user": 42, "team": "blue", "tags": ["vip"], "region": "eu"}):
        response = llm.chat(HELLO)
    (call,) = calls(ledger)
    assert (call.framework, call.operation, call.cost.basis) == ("llama_index", "chat", "exact")
    assert (call.feature, call.user, call.team, call.tags) == ("support", "42", "blue", ("vip",))
    assert call.metadata == {"region": "eu"}
    assert call.model_asked == "gpt-4o-mini"
    assert call.model_answered == provider.log[0].model_answered
    assert set(call.tokens_by_part) == {"system", "question"}
    assert (call.question, call.answer) == ("Why is the sky blue?", response.message.content)
    assert call.latency_seconds > 0
    assert_agrees(ledger, provider)


@pytest.mark.parametrize("method", ["chat", "complete", "stream_chat", "stream_complete"])
@pytest.mark.parametrize("use_async", [False, True])
async def test_every_method(
    llm: OpenAIFunctionLLM, ledger: Ledger, provider: FakeProvider, method: str, use_async: bool
) -> None:
    given: Any = HELLO if "chat" in method else "Why is the sky blue?"
    if use_async:
        result = await getattr(llm, f"a{method}")(given)
        if "stream" in method:
            async for _ in result:
                pass
    else:
        result = await asyncio.to_thread(getattr(llm, method), given)
        if "stream" in method:
            await asyncio.to_thread(list, result)
    (call,) = calls(ledger)
    assert call.operation == ("chat" if "chat" in method else "completion")
    assert call.streamed == ("stream" in method)
    assert (call.first_token_seconds is not None) == call.streamed
    assert_agrees(ledger, provider)


def test_a_query_engine(llm: OpenAIFunctionLLM, ledger: Ledger, provider: FakeProvider) -> None:
    index = VectorStoreIndex.from_documents(
        [Document(text=f"Fact {number}: the sky is blue.") for number in range(5)],
        embed_model=MockEmbedding(embed_dim=8),
    )
    engine = index.as_query_engine(llm=llm, similarity_top_k=2)
    assert str(engine.query("Why is the sky blue?"))
    found = calls(ledger)
    embeddings = [call for call in found if call.operation == "embedding"]
    chats = [call for call in found if call.operation != "embedding"]
    assert len(chats) == 1
    assert len(embeddings) == 2
    assert all(call.usage.total_input > 0 and call.cost.basis == "unpriced" for call in embeddings)
    assert chats[0].trace_id == embeddings[-1].trace_id != chats[0].call_id
    assert_agrees(ledger, provider)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's workflows
async def test_a_function_agent(ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> FakeAnswer:
        if request.after_tool_result:
            return FakeAnswer("It is sunny.")
        return FakeAnswer(tool_calls=(FakeToolCall(name="weather", arguments={"city": "Oslo"}),))

    def weather(city: str) -> str:
        """Tell the weather in a city."""
        return f"sunny in {city}"

    with FakeProvider(answer=answer) as provider:
        llm = OpenAIFunctionLLM(base_url=provider.openai_base_url)
        agent = FunctionAgent(tools=[weather], llm=llm)
        with instrument_tags({"feature": "agent"}):
            assert "sunny" in str(await agent.run("What is the weather in Oslo?"))
        found = calls(ledger)
        assert len(found) == 2
        assert {call.feature for call in found} == {"agent"}
        assert found[1].tokens_by_part["context"] > 0
        assert_agrees(ledger, provider)


async def test_calls_at_the_same_time(llm: OpenAIFunctionLLM, ledger: Ledger, provider: FakeProvider) -> None:
    async def ask(number: int) -> None:
        with instrument_tags({"user": f"u{number}"}):
            await llm.achat([ChatMessage(role="user", content=f"Question {number}?")])

    await asyncio.gather(*(ask(number) for number in range(8)))
    assert sorted((call.user, call.question) for call in calls(ledger)) == [
        (f"u{number}", f"Question {number}?") for number in range(8)
    ]
    assert_agrees(ledger, provider)


class Completing(CustomLLM):
    """Chats by completing, as most custom models do; reports nothing."""

    model: str = "gpt-4o-mini"

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="gpt-4o-mini")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text="Because of scattering.")

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        def pieces() -> Iterator[CompletionResponse]:
            for length in range(1, 4):
                yield CompletionResponse(text="Because"[:length], delta="Because"[length - 1])

        return pieces()


@pytest.mark.parametrize("streamed", [False, True])
def test_a_chat_made_of_a_completion_is_one_call(ledger: Ledger, streamed: bool) -> None:
    model = Completing()
    if streamed:
        list(model.stream_chat(HELLO))
    else:
        model.chat(HELLO)
    (call,) = calls(ledger)
    assert (call.operation, call.cost.basis, call.interrupted) == ("completion", "estimated", False)
    assert call.usage.total_input > 0
    assert call.usage.total_output > 0


def test_a_stream_read_while_another_call_is_made(
    llm: OpenAIFunctionLLM, ledger: Ledger, provider: FakeProvider
) -> None:
    stream = llm.stream_chat(HELLO)
    next(stream)
    llm.chat([ChatMessage(role="user", content="Something else?")])
    list(stream)
    assert [call.question for call in calls(ledger)] == ["Something else?", "Why is the sky blue?"]
    assert_agrees(ledger, provider)


@pytest.mark.parametrize("fault", [Fault.rate_limit(), Fault.server_error(), Fault.refused()])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_refused_call_costs_nothing(
    llm: OpenAIFunctionLLM, ledger: Ledger, provider: FakeProvider, fault: Fault, streamed: bool
) -> None:
    provider.fail_next(fault)
    with pytest.raises(Exception, match=r"\d{3}"):
        list(llm.stream_chat(HELLO)) if streamed else llm.chat(HELLO)
    (call,) = calls(ledger)
    assert (call.cost.usd, call.cost.basis, call.interrupted) == (0, "exact", False)
    assert call.error
    assert call.error.endswith("Error")


def test_a_stream_that_breaks_is_estimated(llm: OpenAIFunctionLLM, ledger: Ledger, provider: FakeProvider) -> None:
    provider.fail_next(Fault.cut_stream(after_chunks=5))
    with pytest.raises(Exception):  # noqa: B017 - the client's own
        list(llm.stream_chat(HELLO))
    (call,) = calls(ledger)
    assert (call.cost.basis, call.interrupted, call.streamed) == ("estimated", True, True)
    assert call.usage.total_output > 0


def test_a_stream_that_is_closed_is_estimated(ledger: Ledger) -> None:
    with FakeProvider(chunk_seconds=0.02) as provider:
        stream = OpenAIFunctionLLM(base_url=provider.openai_base_url).stream_chat(HELLO)
        for _ in range(4):
            got = next(stream).message.content
        stream.close()
        (call,) = calls(ledger)
    assert (call.error, call.cost.basis, call.answer) == ("GeneratorExit", "estimated", got)


async def test_an_async_stream_that_is_closed_is_estimated(ledger: Ledger) -> None:
    with FakeProvider(chunk_seconds=0.02) as provider:
        stream = await OpenAIFunctionLLM(base_url=provider.openai_base_url).astream_chat(HELLO)
        for _ in range(4):
            await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        (call,) = calls(ledger)
    assert (call.error, call.cost.basis) == ("GeneratorExit", "estimated")


async def test_a_cancelled_task_is_estimated(ledger: Ledger, metered: Instrumentation) -> None:
    with FakeProvider(latency_seconds=5) as provider:
        task = asyncio.create_task(OpenAIFunctionLLM(base_url=provider.openai_base_url).achat(HELLO))
        while not len(metered.handler._calls):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # a connection that is cancelled while it is made is never closed by the client
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (call,) = calls(ledger)
    assert (call.error, call.cost.basis, call.interrupted) == ("CancelledError", "estimated", True)


async def test_the_event_loop_does_not_wait_for_the_disk(provider: FakeProvider) -> None:
    threads: set[int] = set()
    with Ledger() as other, instrument(other, on_record=lambda record: threads.add(threading.get_ident())):
        await OpenAIFunctionLLM(base_url=provider.openai_base_url).achat(HELLO)
        assert len(other) == 1
    assert threads
    assert threading.get_ident() not in threads


def test_a_hit_costs_its_lookup_and_saves_the_rest(ledger: Ledger) -> None:
    mark = CacheMark(
        verdict="hit",
        tier="exact",
        answer_usd=Decimal("0.002"),
        answer_basis="exact",
        answer_tokens=50,
        lookup_usd=Decimal("0.0001"),
        lookup_seconds=0.25,
    )
    with instrument_tags({"feature": "support"}):
        get_dispatcher().event(
            CacheHitEvent(mark=mark.to_dict(), model="gpt-4o", question="Why?", answer="Because.", streamed=True)
        )
    (call,) = calls(ledger)
    assert (call.cache, call.cache_tier, call.feature, call.streamed) == ("hit", "exact", "support", True)
    assert (call.cost.usd, call.side_cost_usd) == (0, Decimal("0.0001"))
    assert [(saving.usd, saving.tokens) for saving in call.saved] == [(Decimal("0.0019"), 50)]
    assert (call.question, call.answer, call.model_asked) == ("Why?", "Because.", "gpt-4o")
    assert call.latency_seconds == pytest.approx(0.25, abs=0.05)


def test_marks_of_cache_and_router_arrive_with_the_call(llm: OpenAIFunctionLLM, ledger: Ledger) -> None:
    miss = CacheMark(verdict="miss", reason="nothing near", lookup_usd=Decimal("0.00001"))
    route = RouteMark(target="cheap", baseline_model="gpt-4o", baseline_provider="openai")
    with instrument_tags({MARK: {"cache": miss.to_dict(), "route": route.to_dict()}, "feature": "f"}):
        llm.chat(HELLO)
    (call,) = calls(ledger)
    assert (call.cache, call.cache_reason, call.route, call.feature) == ("miss", "nothing near", "cheap", "f")
    assert [saving.part for saving in call.saved] == ["cache", "route"]
    assert call.saved[0].usd == Decimal("-0.00001")
    assert call.saved[1].usd is not None
    assert call.saved[1].usd > 0
    assert MARK not in call.metadata


def test_pruning_counts_for_the_next_call_of_the_trace(
    llm: OpenAIFunctionLLM, ledger: Ledger, provider: FakeProvider
) -> None:
    dispatcher = get_dispatcher()

    @dispatcher.span
    def prune() -> None:
        mark = PruneMark(removed_tokens=1000, kept_tokens=10)
        dispatcher.event(PruneEvent(mark=mark.to_dict()))

    @dispatcher.span
    def pipeline() -> None:
        prune()
        llm.chat(HELLO)
        llm.chat(HELLO)

    pipeline()
    llm.chat(HELLO)
    savings = [[(saving.part, saving.usd) for saving in call.saved] for call in calls(ledger)]
    assert savings == [[("prune", Decimal("0.00015"))], [], []]


def test_pruning_before_a_hit_saves_nothing(llm: OpenAIFunctionLLM, ledger: Ledger) -> None:
    dispatcher = get_dispatcher()

    @dispatcher.span
    def pipeline() -> None:
        dispatcher.event(PruneEvent(mark=PruneMark(removed_tokens=1000, kept_tokens=10).to_dict()))
        dispatcher.event(CacheHitEvent(mark=CacheMark(verdict="hit").to_dict(), model="gpt-4o"))
        llm.chat(HELLO)  # another call of the same trace, with a context of its own

    pipeline()
    assert [[saving.part for saving in call.saved] for call in calls(ledger)] == [["cache"], []]


def test_the_declared_question(llm: OpenAIFunctionLLM, ledger: Ledger) -> None:
    with question("When?"):
        llm.complete("Context: we open at nine.\nQuestion: When?")
    assert calls(ledger)[0].question == "When?"


def test_batches_of_one_embedding_span(ledger: Ledger) -> None:
    embedding = MockEmbedding(embed_dim=4, embed_batch_size=2)
    embedding.get_text_embedding_batch(["one", "two", "three"])
    asyncio.run(embedding.aget_text_embedding_batch(["one", "two", "three", "four", "five"]))
    found = calls(ledger)
    assert [call.operation for call in found] == ["embedding"] * 5
    assert sum(call.usage.total_input for call in found) == 8


def test_switched_off_it_records_nothing(
    llm: OpenAIFunctionLLM, ledger: Ledger, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_COSTKIT_DISABLE", "1")
    llm.chat(HELLO)
    list(llm.stream_chat(HELLO))
    provider.fail_next(Fault.server_error())
    with pytest.raises(Exception, match="500"):
        llm.chat(HELLO)
    assert calls(ledger) == []


def test_removed_it_records_nothing(llm: OpenAIFunctionLLM, ledger: Ledger, metered: Instrumentation) -> None:
    metered.remove()
    metered.remove()
    llm.chat(HELLO)
    assert calls(ledger) == []


def test_a_broken_ledger_never_reaches_the_application(
    llm: OpenAIFunctionLLM, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    with ledger._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE costkit_scores")
        connection.exec_driver_sql("DROP TABLE costkit_calls")
    assert llm.chat(HELLO).message.content
    assert list(llm.stream_chat(HELLO))
    assert ledger.faults.total == 2
    assert len([record for record in caplog.records if record.name.startswith("lc_costkit")]) == 1


def test_bad_arguments(ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="is instrumented already"):
        instrument(ledger)
    with pytest.raises(ConfigurationError, match="must be a LlamaIndex Dispatcher"):
        instrument(ledger, dispatcher="root")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"write Ledger\('costkit.db'\)"):
        CostEventHandler("costkit.db")  # type: ignore[arg-type]


def test_a_handler_added_by_hand_meters_too(provider: FakeProvider, metered: Instrumentation) -> None:
    metered.remove()
    root = get_dispatcher()
    with Ledger() as other:
        handler = CostEventHandler(other)
        root.add_event_handler(handler)
        try:
            OpenAIFunctionLLM(base_url=provider.openai_base_url).chat(HELLO)
            MockLLM().complete("hello")
        finally:
            root.event_handlers.remove(handler)
        assert len(other) == 2
        assert other.report().total.provider_usd == provider.billed_usd


def test_all_calls_of_one_span_are_of_one_trace(llm: OpenAIFunctionLLM, ledger: Ledger) -> None:
    class Part:
        """Calls a model inside a span of its own."""

        @get_dispatcher(__name__).span
        def ask(self) -> None:
            llm.complete("hi")

    @get_dispatcher(__name__).span
    def whole() -> None:
        Part().ask()
        Part().ask()
        llm.complete("hi")

    whole()
    assert len(calls(ledger)) == 3
    assert len({record.trace_id for record in calls(ledger)}) == 1


class City(BaseModel):
    """A city."""

    name: str


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's structured streams
async def test_a_structured_stream_is_one_call(provider: FakeProvider, ledger: Ledger, llm: OpenAIFunctionLLM) -> None:
    structured = llm.as_structured_llm(City)
    assert list(structured.stream_chat(HELLO))
    structured.complete("Which city?")
    assert [chunk async for chunk in await structured.astream_chat(HELLO)]
    structured.chat(HELLO)
    assert len(calls(ledger)) == provider.calls == 4
    assert_agrees(ledger, provider)
