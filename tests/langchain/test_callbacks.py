"""The LangChain handler, through real clients over HTTP: every way to call a model, and every way it can end."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda

from lc_costkit import underway
from lc_costkit.cache.declared import question
from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain.callbacks import CostCallbackHandler
from lc_costkit.langchain.cascade import Cascade
from lc_costkit.langchain.router import ModelRouter
from lc_costkit.ledger import Ledger
from lc_costkit.marks import MARK, PRUNE_EVENT, ROUTE_KEY, CacheMark, PruneMark, RouteMark
from lc_costkit.pricing import ModelPrice, PriceBook
from lc_costkit.record import CallRecord
from lc_costkit.routing.answer import Verdict
from lc_costkit.testing import FakeProvider, Fault
from tests.conftest import chat_anthropic, chat_openai

# langchain-openai adds up the usage of several prompts and trips over fields that newer clients leave empty.
pytestmark = pytest.mark.filterwarnings("ignore:Unexpected type for token usage:UserWarning")

LONG = "Answer briefly and politely, citing the handbook. " * 120


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger(record_text=True) as opened:
        yield opened


@pytest.fixture
def handler(ledger: Ledger) -> CostCallbackHandler:
    return CostCallbackHandler(ledger)


@pytest.fixture(params=["openai", "anthropic"])
def model(request: pytest.FixtureRequest, provider: FakeProvider) -> Any:
    make: Callable[..., Any] = {"openai": chat_openai, "anthropic": chat_anthropic}[request.param]
    return make(provider)


def calls(ledger: Ledger) -> list[CallRecord]:
    assert ledger.faults.counts == {}
    return list(ledger.records())


def total(ledger: Ledger) -> Decimal:
    return ledger.report().total.provider_usd


def assert_agrees(ledger: Ledger, provider: FakeProvider) -> None:
    provider.wait_idle()
    assert provider.billed_usd > 0
    assert total(ledger) == provider.billed_usd
    assert ledger.report().total.estimated_calls == 0


def test_invoke(model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider) -> None:
    config = {
        "callbacks": [handler],
        "tags": ["vip", "beta"],
        "metadata": {
            "feature": "support",
            "user": 42,
            "team": "blue",
            "region": "eu",
            "route": "/api/support",
            "nested": {"a": 1},
        },
    }
    answer = model.invoke([SystemMessage("Be brief."), HumanMessage("Why is the sky blue?")], config=config)
    (call,) = calls(ledger)
    assert_agrees(ledger, provider)
    assert (call.framework, call.operation, call.cache) == ("langchain", "chat", "none")
    assert (call.feature, call.user, call.team, call.tags) == ("support", "42", "blue", ("vip", "beta"))
    assert call.metadata == {"region": "eu", "route": "/api/support"}
    assert call.cost.basis == "exact"
    assert call.cost.price is not None
    assert call.latency_seconds > 0
    assert (call.first_token_seconds, call.streamed, call.interrupted, call.error) == (None, False, False, None)
    assert call.model_asked == (getattr(model, "model_name", None) or model.model)
    assert call.model_answered == provider.log[0].model_answered
    assert call.usage.total_input == answer.usage_metadata["input_tokens"]
    assert sum(call.tokens_by_part.values()) == call.usage.total_input
    assert set(call.tokens_by_part) == {"system", "question"}
    assert (call.question, call.answer) == ("Why is the sky blue?", answer.text)
    assert call.trace_id == call.call_id


async def test_ainvoke(model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider) -> None:
    await model.ainvoke("Hello", config={"callbacks": [handler]})
    assert len(calls(ledger)) == 1
    assert_agrees(ledger, provider)


def test_stream(model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider) -> None:
    text = "".join(chunk.text for chunk in model.stream("Hello", config={"callbacks": [handler]}))
    (call,) = calls(ledger)
    assert_agrees(ledger, provider)
    assert call.streamed
    assert call.first_token_seconds is not None
    assert 0 < call.first_token_seconds <= call.latency_seconds
    assert call.answer == text


async def test_astream(model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider) -> None:
    async for _ in model.astream("Hello", config={"callbacks": [handler]}):
        pass
    (call,) = calls(ledger)
    assert call.streamed
    assert_agrees(ledger, provider)


async def test_astream_events(model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider) -> None:
    async for _ in model.astream_events("Hello", config={"callbacks": [handler]}, version="v2"):
        pass
    (call,) = calls(ledger)
    assert call.streamed
    assert_agrees(ledger, provider)


async def test_batches(model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider) -> None:
    model.batch(["One?", "Two?", "Three?"], config={"callbacks": [handler]})
    await model.abatch(["Four?", "Five?"], config={"callbacks": [handler]})
    assert sorted(call.question or "" for call in calls(ledger)) == ["Five?", "Four?", "One?", "Three?", "Two?"]
    assert_agrees(ledger, provider)


async def test_generate_with_several_prompts(
    model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    prompts = [[HumanMessage(f"Question {number}?")] for number in range(3)]
    model.generate(prompts, callbacks=[handler])
    await model.agenerate(prompts, callbacks=[handler])
    assert [call.question for call in calls(ledger)[:3]] == ["Question 0?", "Question 1?", "Question 2?"]
    assert len(calls(ledger)) == 6
    assert_agrees(ledger, provider)


def test_a_prompt_that_fails_among_several(
    ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    model = chat_openai(provider)
    provider.fail_next(Fault.server_error(), match=lambda request: request.question == "Question 1?")
    with pytest.raises(Exception, match="500"):
        model.generate([[HumanMessage(f"Question {number}?")] for number in range(3)], callbacks=[handler])
    failed, lost = calls(ledger)
    assert (failed.question, failed.cost.usd, failed.cost.basis) == ("Question 1?", 0, "exact")
    # The first answer was paid for and thrown away by LangChain; the third was never asked for.
    assert (lost.question, lost.error, lost.interrupted) == ("Question 0?", "AnswerLost", True)
    assert lost.cost.basis == "estimated"
    assert lost.cost.usd is not None
    assert 0 < lost.cost.usd <= provider.billed_usd
    assert len(handler._calls) == 0


async def test_a_prompt_that_fails_among_several_async(
    ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    model = chat_openai(provider)
    provider.fail_next(Fault.server_error(), match=lambda request: request.question == "Question 1?")
    with pytest.raises(Exception, match="500"):
        await model.agenerate([[HumanMessage(f"Question {number}?")] for number in range(3)], callbacks=[handler])
    assert sorted((call.question, call.error is None) for call in calls(ledger)) == [
        ("Question 0?", True),
        ("Question 1?", False),
        ("Question 2?", True),
    ]
    assert_agrees(ledger, provider)


def test_prompt_cache_reads_and_writes(
    model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    system: Any = SystemMessage(LONG)
    if type(model).__name__ == "ChatAnthropic":
        control = {"type": "ephemeral"}
        system = SystemMessage(content=[{"type": "text", "text": LONG * 6, "cache_control": control}])
    for number in range(3):
        model.invoke([system, HumanMessage(f"Question {number}?")], config={"callbacks": [handler]})
    assert ledger.report().total.cached_tokens > 1000
    assert_agrees(ledger, provider)
    first, second, third = calls(ledger)
    assert first.prefix_hashes[:3] == second.prefix_hashes[:3] == third.prefix_hashes[:3]
    assert first.question_hash != second.question_hash


@pytest.mark.parametrize("streamed", [False, True])
def test_an_hour_long_cache_write(
    ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider, streamed: bool
) -> None:
    model = chat_anthropic(provider)
    control = {"type": "ephemeral", "ttl": "1h"}
    system = SystemMessage(content=[{"type": "text", "text": LONG * 6, "cache_control": control}])
    ask = model.stream if streamed else model.invoke
    answer = ask([system, HumanMessage("Hello?")], config={"callbacks": [handler]})
    list(answer) if streamed else None
    assert calls(ledger)[0].usage.cache_write_1h_tokens > 1000
    assert_agrees(ledger, provider)


@pytest.mark.parametrize("fault", [Fault.rate_limit(), Fault.server_error(), Fault.overloaded(), Fault.refused()])
def test_a_refused_call_costs_nothing(
    model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider, fault: Fault
) -> None:
    provider.fail_next(fault)
    with pytest.raises(Exception, match=r"\d{3}|Overloaded"):
        model.invoke("Hello", config={"callbacks": [handler]})
    (call,) = calls(ledger)
    assert (call.cost.usd, call.cost.basis, call.usage.total) == (0, "exact", 0)
    assert call.error
    assert call.error.endswith("Error")
    assert not call.interrupted
    assert ledger.report().total.errors == 1


def test_retries_of_the_client_are_one_call(model: Any, provider: FakeProvider, ledger: Ledger) -> None:
    patient = type(model)(**{**_settings(model), "max_retries": 2})
    provider.fail_next(Fault.rate_limit(retry_after=0.01), times=2)
    patient.invoke("Hello", config={"callbacks": [CostCallbackHandler(ledger)]})
    assert len(calls(ledger)) == 1
    assert provider.calls == 3
    assert_agrees(ledger, provider)


def _settings(model: Any) -> dict[str, Any]:
    if type(model).__name__ == "ChatOpenAI":
        return {"model": model.model_name, "api_key": "test", "base_url": model.openai_api_base}
    return {"model": model.model, "api_key": "test", "base_url": model.anthropic_api_url, "max_tokens": 64}


def test_retries_and_fallbacks_of_langchain_are_calls_of_their_own(
    ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    provider.fail_next(Fault.server_error(), times=2)
    robust = (
        chat_openai(provider)
        .with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
        .with_fallbacks([chat_anthropic(provider)])
    )
    (ChatPromptTemplate.from_template("Say {word}") | robust).invoke({"word": "hi"}, config={"callbacks": [handler]})
    assert [call.error is None for call in calls(ledger)] == [False, False, True]
    assert len({call.trace_id for call in calls(ledger)}) == 1
    assert_agrees(ledger, provider)


def test_a_timeout_may_have_been_billed(ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider) -> None:
    provider.fail_next(Fault.timeout(1.0))
    model = chat_openai(provider, timeout=0.05)
    with pytest.raises(Exception, match="timed out"):
        model.invoke("Hello there", config={"callbacks": [handler]})
    (call,) = calls(ledger)
    assert (call.interrupted, call.cost.basis) == (True, "estimated")
    assert "Timeout" in (call.error or "")
    assert call.usage.total_input > 0
    assert call.usage.total_output == 0


def test_a_provider_that_is_not_there_costs_nothing(ledger: Ledger, handler: CostCallbackHandler) -> None:
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="gpt-4o-mini", api_key="test", base_url="http://127.0.0.1:9/v1", max_retries=0)
    with pytest.raises(Exception, match="Connection error"):
        model.invoke("Hello", config={"callbacks": [handler]})
    (call,) = calls(ledger)
    assert (call.cost.usd, call.cost.basis) == (0, "exact")
    assert "ConnectionError" in (call.error or "")


def test_an_answer_that_is_no_json_may_have_been_billed(
    model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    provider.fail_next(Fault.malformed_json())
    with pytest.raises(Exception):  # noqa: B017 - each client has its own
        model.invoke("Hello", config={"callbacks": [handler]})
    (call,) = calls(ledger)
    assert (call.cost.basis, call.interrupted) == ("estimated", True)
    assert call.cost.usd


def test_a_stream_that_breaks_is_estimated(
    model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    provider.fail_next(Fault.cut_stream(after_chunks=5))
    with pytest.raises(Exception):  # noqa: B017 - each client has its own
        list(model.stream("Tell me a long story", config={"callbacks": [handler]}))
    (call,) = calls(ledger)
    assert (call.cost.basis, call.interrupted, call.streamed) == ("estimated", True, True)
    assert call.usage.total_input > 0
    assert call.error
    assert call.model_answered is None


def slow(kind: str) -> tuple[FakeProvider, Any]:
    provider = FakeProvider(chunk_seconds=0.02)
    return provider, {"openai": chat_openai, "anthropic": chat_anthropic}[kind]


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_stream_that_is_closed_is_estimated(kind: str, ledger: Ledger, handler: CostCallbackHandler) -> None:
    provider, make = slow(kind)
    with provider:
        stream = make(provider).stream("Tell me a long story", config={"callbacks": [handler]})
        got = [next(stream).text for _ in range(4)]
        stream.close()
        (call,) = calls(ledger)
    assert (call.error, call.cost.basis, call.interrupted) == ("GeneratorExit", "estimated", True)
    assert call.answer == "".join(got)
    assert call.usage.total_output > 0
    assert call.cost.usd


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_an_async_stream_that_is_closed_is_estimated(
    kind: str, ledger: Ledger, handler: CostCallbackHandler
) -> None:
    provider, make = slow(kind)
    with provider:
        stream = make(provider).astream("Tell me a long story", config={"callbacks": [handler]})
        for _ in range(4):
            await anext(stream)
        await stream.aclose()
        (call,) = calls(ledger)
    assert (call.error, call.cost.basis) == ("GeneratorExit", "estimated")
    assert call.usage.total_output > 0


async def cancelled(chain: Any, handler: CostCallbackHandler) -> None:
    task = asyncio.create_task(chain.ainvoke("Hello there", config={"callbacks": [handler]}))
    while not len(handler._calls):  # noqa: ASYNC110 - it is another thread that notes the call
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)  # a connection that is cancelled while it is made is never closed by the client
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_chain_is_estimated(ledger: Ledger, handler: CostCallbackHandler) -> None:
    with FakeProvider(latency_seconds=5) as provider:
        await cancelled(chat_openai(provider) | StrOutputParser(), handler)
    (call,) = calls(ledger)
    assert (call.error, call.cost.basis, call.interrupted) == ("CancelledError", "estimated", True)


async def test_a_cancelled_call_outside_of_a_chain_is_found_later(
    ledger: Ledger, handler: CostCallbackHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeProvider(latency_seconds=5) as provider:
        await cancelled(chat_openai(provider), handler)
        # LangChain says nothing of it.
        assert calls(ledger) == []
        handler.settle()
        (call,) = calls(ledger)
        assert (call.error, call.cost.basis, call.interrupted) == ("AnswerLost", "estimated", True)

        await cancelled(chat_openai(provider), handler)
        monkeypatch.setattr(underway, "PATIENCE_SECONDS", 0.2)
        await asyncio.sleep(0.3)
        handler.on_chat_model_start({}, [[HumanMessage("?")]], run_id=uuid4())
        assert [call.question for call in calls(ledger)] == ["Hello there"] * 2


def test_calls_that_never_ended_are_written_at_the_end(ledger: Ledger) -> None:
    handler = CostCallbackHandler(ledger)
    handler.on_chat_model_start({}, [[HumanMessage("?")]], run_id=uuid4(), metadata={"ls_model_name": "gpt-4o"})
    del handler
    gc.collect()
    assert [call.error for call in calls(ledger)] == ["AnswerLost"]


def test_a_stream_without_usage_is_estimated(
    ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    model = chat_openai(provider, stream_usage=False)
    list(model.stream("Hello there", config={"callbacks": [handler]}))
    (call,) = calls(ledger)
    assert (call.cost.basis, call.interrupted, call.error) == ("estimated", False, None)
    billed = provider.billed_usd
    assert call.cost.usd is not None
    # OpenAI's own vocabulary: only the framing of the message is a guess.
    assert abs(call.cost.usd - billed) <= billed * Decimal("0.1")


def test_an_unknown_model_is_unpriced_and_not_free(ledger: Ledger, provider: FakeProvider) -> None:
    model = chat_openai(provider, "my-model")
    model.invoke("Hello", config={"callbacks": [CostCallbackHandler(ledger)]})
    prices = PriceBook(overrides={"my-model": ModelPrice(input_per_million=1, output_per_million=2)})
    model.invoke("Hello", config={"callbacks": [CostCallbackHandler(ledger, prices=prices)]})
    unpriced, priced = calls(ledger)
    assert (unpriced.cost.usd, unpriced.cost.basis) == (None, "unpriced")
    assert priced.cost.usd == Decimal(priced.usage.total_input + 2 * priced.usage.total_output) / 1_000_000
    assert ledger.report().total.unpriced_calls == 1


def test_a_chain_gives_its_calls_one_trace(
    model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    chain = ChatPromptTemplate.from_template("Say {word}") | model | StrOutputParser()
    both = chain | (lambda text: {"word": text[:3]}) | chain
    both.invoke({"word": "hello"}, config={"callbacks": [handler], "metadata": {"feature": "echo"}})
    first, second = calls(ledger)
    assert first.trace_id == second.trace_id != first.call_id
    assert first.parent_id == second.parent_id == first.trace_id
    assert first.feature == second.feature == "echo"
    assert_agrees(ledger, provider)
    assert handler._calls._roots == {}


def test_tools_are_a_part_of_the_prompt(
    model: Any, ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    def weather(city: str) -> str:
        """Tell the weather in a city."""
        return "sunny"

    model.bind_tools([weather]).invoke("What is the weather in Oslo?", config={"callbacks": [handler]})
    (call,) = calls(ledger)
    assert call.tokens_by_part["tools"] > 0
    assert "weather(" in (call.answer or "")
    assert_agrees(ledger, provider)


def test_a_call_inside_of_a_tool_is_part_of_the_trace(
    ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    from langchain_core.tools import tool

    @tool
    def ask(text: str) -> str:
        """Ask a model."""
        return str(chat_openai(provider).invoke(text).text)

    chain = RunnableLambda(lambda text: ask.invoke({"text": text}))
    chain.invoke("Why?", config={"callbacks": [handler]})
    (call,) = calls(ledger)
    assert call.trace_id not in (call.call_id, call.parent_id)
    assert handler._calls._roots == {}


def test_an_image_alone_is_a_call_too(handler: CostCallbackHandler, ledger: Ledger) -> None:
    image = HumanMessage([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}])
    run_id = uuid4()
    handler.on_chat_model_start({}, [[image]], run_id=run_id, metadata={"ls_model_name": "gpt-4o-mini"})
    handler.on_llm_end(finished(None, USAGE), run_id=run_id)
    assert [call.cost.usd for call in calls(ledger)] == [COST]


def test_the_declared_question_is_told_from_its_context(
    ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    with question("When do you open?"):
        chat_openai(provider).invoke(
            "Context: we open at nine every day but Sunday.\nQuestion: When do you open?",
            config={"callbacks": [handler]},
        )
    (call,) = calls(ledger)
    assert call.question == "When do you open?"
    assert call.tokens_by_part["context"] > call.tokens_by_part["question"] > 0


def finished(generation_info: dict[str, Any] | None, usage: dict[str, Any], model: str = "gpt-4o-mini") -> LLMResult:
    from langchain_core.messages import AIMessage

    message = AIMessage("Yes.", usage_metadata=usage, response_metadata={"model_name": model})  # type: ignore[arg-type]
    return LLMResult(generations=[[ChatGeneration(message=message, generation_info=generation_info)]])


def run(handler: CostCallbackHandler, response: LLMResult, metadata: dict[str, Any] | None = None) -> None:
    run_id = uuid4()
    started = {"ls_provider": "openai", "ls_model_name": "gpt-4o-mini", **(metadata or {})}
    handler.on_chat_model_start({}, [[HumanMessage("Really?")]], run_id=run_id, metadata=started)
    handler.on_llm_end(response, run_id=run_id)


USAGE = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
COST = Decimal("0.00021")


def test_a_hit_costs_its_lookup_and_saves_the_rest(ledger: Ledger, handler: CostCallbackHandler) -> None:
    mark = CacheMark(
        verdict="hit",
        tier="semantic",
        entry_id=7,
        similarity=0.9,
        answer_usd=Decimal("0.0005"),
        answer_basis="exact",
        answer_tokens=1100,
        lookup_usd=Decimal("0.00000002"),
        lookup_basis="estimated",
    )
    run(handler, finished({MARK: mark.to_dict()}, {**USAGE, "total_cost": 0}))
    (call,) = calls(ledger)
    assert (call.cache, call.cache_tier, call.cache_entry_id, call.similarity) == ("hit", "semantic", 7, 0.9)
    assert (call.cost.usd, call.cost.basis, call.usage.total) == (0, "exact", 0)
    assert call.side_cost_usd == Decimal("0.00000002")
    (saving,) = call.saved
    assert (saving.part, saving.usd, saving.basis, saving.tokens) == (
        "cache",
        Decimal("0.00049998"),
        "estimated",
        1100,
    )
    row = ledger.report().total
    assert (row.requests, row.calls, row.hits, row.hit_rate) == (1, 0, 1, 1.0)
    assert row.usd + row.saved_usd == Decimal("0.0005")


def test_a_lookup_dearer_than_the_answer_shows_as_a_loss(ledger: Ledger, handler: CostCallbackHandler) -> None:
    mark = CacheMark(verdict="hit", answer_usd=Decimal("0.0001"), answer_basis="exact", lookup_usd=Decimal("0.0003"))
    run(handler, finished({MARK: mark.to_dict()}, USAGE))
    assert calls(ledger)[0].saved[0].usd == Decimal("-0.0002")
    assert ledger.report().total.saved_usd == Decimal("-0.0002")


def test_a_hit_of_another_cache_is_free_too(ledger: Ledger, handler: CostCallbackHandler) -> None:
    run(handler, finished(None, {**USAGE, "total_cost": 0}))
    (call,) = calls(ledger)
    assert (call.cache, call.cost.usd, call.usage.total) == ("hit", 0, 0)
    assert (call.saved[0].usd, call.saved[0].basis) == (COST, "estimated")


def test_a_call_whose_answer_is_served_again_before_it_ended_is_paid_for(
    model: Any, handler: CostCallbackHandler, ledger: Ledger, provider: FakeProvider
) -> None:
    """LangChain's cache in memory hands out the very object that the first call is about to hand on."""
    from langchain_core.caches import InMemoryCache

    class Busy(InMemoryCache):
        def update(self, prompt: str, llm_string: str, return_val: Any) -> None:
            super().update(prompt, llm_string, return_val)
            asking.invoke("Where is my card?", {"callbacks": [handler]})

    asking = model.model_copy(update={"cache": Busy()})
    asking.invoke("Where is my card?", {"callbacks": [handler]})
    served, made = calls(ledger)
    assert (served.cache, made.cache) == ("hit", "none")
    assert ledger.report().total.usd == provider.billed_usd > 0


def test_langchains_own_cache(ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider) -> None:
    from langchain_core.caches import InMemoryCache

    model = chat_openai(provider, cache=InMemoryCache())
    for _ in range(3):
        model.invoke("Hello", config={"callbacks": [handler]})
    assert [call.cache for call in calls(ledger)] == ["none", "hit", "hit"]
    assert_agrees(ledger, provider)
    assert ledger.report().total.saved_usd == 2 * provider.billed_usd


def test_a_miss_carries_what_its_lookup_cost(ledger: Ledger, handler: CostCallbackHandler) -> None:
    mark = CacheMark(verdict="miss", reason="nothing near", lookup_usd=Decimal("0.00001"), lookup_basis="exact")
    run(handler, finished({MARK: mark.to_dict()}, USAGE))
    (call,) = calls(ledger)
    assert (call.cache, call.cache_reason, call.cost.usd) == ("miss", "nothing near", COST)
    assert [(saving.part, saving.usd) for saving in call.saved] == [("cache", Decimal("-0.00001"))]
    row = ledger.report().total
    assert row.usd == COST + Decimal("0.00001")
    assert row.usd + row.saved_usd == COST


def test_an_observed_hit_saves_nothing(ledger: Ledger, handler: CostCallbackHandler) -> None:
    run(handler, finished({MARK: CacheMark(verdict="observed_hit", tier="exact").to_dict()}, USAGE))
    row = ledger.report().total
    assert (row.calls, row.usd, row.saved_usd, row.hits) == (1, COST, 0, 0)
    assert row.hypothetical_by_part == {"cache": COST}


def test_a_cheaper_route_saves_the_difference(ledger: Ledger, handler: CostCallbackHandler) -> None:
    mark = RouteMark(target="cheap", score=0.2, reasons=("short",), baseline_model="gpt-4o", baseline_provider="openai")
    run(handler, finished(None, USAGE), {ROUTE_KEY: mark.to_dict()})
    (call,) = calls(ledger)
    assert (call.route, call.route_score, call.route_reasons) == ("cheap", 0.2, ("short",))
    assert "route" not in call.metadata
    # 1000 in and 100 out: 0.0035 on gpt-4o, 0.00021 on gpt-4o-mini.
    assert [(saving.part, saving.usd, saving.basis) for saving in call.saved] == [
        ("route", Decimal("0.00329"), "estimated")
    ]


@pytest.mark.parametrize("baseline", ["gpt-4o-mini", "nobodys-model", None])
def test_a_route_without_a_known_difference(ledger: Ledger, handler: CostCallbackHandler, baseline: str | None) -> None:
    mark = RouteMark(target="strong", baseline_model=baseline, baseline_provider="openai")
    run(handler, finished(None, USAGE), {ROUTE_KEY: mark.to_dict()})
    savings = [(saving.usd, saving.basis) for saving in calls(ledger)[0].saved]
    assert savings == ([] if baseline == "gpt-4o-mini" else [(None, "unpriced")])


def test_an_observed_route_is_hypothetical(ledger: Ledger, handler: CostCallbackHandler) -> None:
    mark = RouteMark(
        target="strong", chosen="cheap", baseline_model="gpt-4o", chosen_model="gpt-4o-mini", observed=True
    )
    run(handler, finished(None, USAGE, "gpt-4o"), {ROUTE_KEY: mark.to_dict()})
    (call,) = calls(ledger)
    assert (call.route, call.metadata) == ("strong", {"route_observed": "cheap"})
    row = ledger.report().total
    assert (row.saved_usd, row.hypothetical_by_part) == (0, {"route": Decimal("0.00329")})


def pruned_chain(model: Any, *marks: PruneMark) -> Any:
    def prune(value: str) -> str:
        for mark in marks:
            dispatch_custom_event(PRUNE_EVENT, mark.to_dict())
        return value

    async def aprune(value: str) -> str:
        for mark in marks:
            await adispatch_custom_event(PRUNE_EVENT, mark.to_dict())
        return value

    return RunnableLambda(prune, afunc=aprune) | RunnableLambda(lambda value: value) | model


async def test_pruning_saves_what_the_model_would_have_charged(
    ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    chain = pruned_chain(chat_openai(provider), PruneMark(removed_tokens=1000, kept_tokens=10))
    chain.invoke("Hello", config={"callbacks": [handler]})
    await chain.ainvoke("Hello", config={"callbacks": [handler]})
    chat_openai(provider).invoke("No pruning here", config={"callbacks": [handler]})
    first, second, third = calls(ledger)
    for call in (first, second):
        assert [(saving.part, saving.usd, saving.tokens) for saving in call.saved] == [
            ("prune", Decimal("0.00015"), 1000)
        ]
    assert third.saved == ()
    assert_agrees(ledger, provider)


def test_pruning_counts_for_the_try_that_works(
    ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    provider.fail_next(Fault.server_error())
    model = chat_openai(provider).with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    marks = (PruneMark(removed_tokens=1000, kept_tokens=1), PruneMark(removed_tokens=5, kept_tokens=1, observed=True))
    pruned_chain(model, *marks).invoke("Hello", config={"callbacks": [handler]})
    failed, worked = calls(ledger)
    assert failed.saved == ()
    assert [(saving.usd, saving.hypothetical) for saving in worked.saved] == [
        (Decimal("0.00015"), False),
        (Decimal("0.00000075"), True),
    ]
    assert handler._calls._prunes == {}


def test_pruning_before_a_hit_saves_nothing(ledger: Ledger, handler: CostCallbackHandler) -> None:
    run_id = uuid4()
    handler.on_custom_event(PRUNE_EVENT, PruneMark(removed_tokens=10, kept_tokens=1).to_dict(), run_id=run_id)
    child = uuid4()
    handler.on_chat_model_start({}, [[HumanMessage("?")]], run_id=child, parent_run_id=run_id)
    hit = CacheMark(verdict="hit", answer_usd=Decimal(1), answer_basis="exact")
    handler.on_llm_end(finished({MARK: hit.to_dict()}, USAGE), run_id=child)
    assert [saving.part for saving in calls(ledger)[0].saved] == ["cache"]


def test_completion_models(ledger: Ledger, handler: CostCallbackHandler) -> None:
    FakeListLLM(responses=["a", "b"]).generate(["One", "Two"], callbacks=[handler])
    first, second = calls(ledger)
    assert (first.operation, first.cost.basis) == ("completion", "unpriced")
    assert first.usage.total_input == second.usage.total_input == 1


@pytest.mark.parametrize("reported", [True, False])
def test_several_completion_prompts_share_one_report(
    ledger: Ledger, handler: CostCallbackHandler, reported: bool
) -> None:
    from langchain_core.language_models.llms import BaseLLM
    from langchain_core.outputs import Generation

    class Reporting(BaseLLM):
        @property
        def _llm_type(self) -> str:
            return "reporting"

        def _generate(self, prompts: list[str], *args: Any, **kwargs: Any) -> LLMResult:
            usage = {"prompt_tokens": 30, "completion_tokens": 6, "total_tokens": 36} if reported else {}
            output = {"token_usage": usage, "model_name": "gpt-3.5-turbo-instruct"}
            return LLMResult(generations=[[Generation(text="ok")] for _ in prompts], llm_output=output)

    Reporting().generate(["One", "Two", "Three"], callbacks=[handler])
    usages = [call.usage.total for call in calls(ledger)]
    if reported:
        assert usages == [36, 0, 0]
        assert {call.cost.basis for call in calls(ledger)} == {"exact"}
    else:
        assert min(usages) > 0


def test_several_answers_to_one_prompt_are_one_call(
    ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider
) -> None:
    chat_openai(provider, n=3).generate([[HumanMessage("Hello")]], callbacks=[handler])
    assert len(calls(ledger)) == 1
    assert_agrees(ledger, provider)


def test_switched_off_it_records_nothing(
    ledger: Ledger, handler: CostCallbackHandler, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_COSTKIT_DISABLE", "1")
    model = chat_openai(provider)
    model.invoke("Hello", config={"callbacks": [handler]})
    list(model.stream("Hello", config={"callbacks": [handler]}))
    provider.fail_next(Fault.server_error())
    with pytest.raises(Exception, match="500"):
        model.invoke("Hello", config={"callbacks": [handler]})
    assert calls(ledger) == []


def test_a_broken_ledger_never_reaches_the_application(
    handler: CostCallbackHandler, provider: FakeProvider, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    model = chat_openai(provider)
    with ledger._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE costkit_scores")
        connection.exec_driver_sql("DROP TABLE costkit_calls")
    for _ in range(3):
        assert model.invoke("Hello", config={"callbacks": [handler]}).text
    assert ledger.faults.total == 3
    warnings = [record for record in caplog.records if record.name.startswith("lc_costkit")]
    assert len(warnings) == 1


def test_a_broken_price_book_never_reaches_the_application(
    ledger: Ledger, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(PriceBook):
        def price(self, *args: Any, **kwargs: Any) -> Any:
            raise ZeroDivisionError

    handler = CostCallbackHandler(ledger, prices=Broken())
    assert chat_openai(provider).invoke("Hello", config={"callbacks": [handler]}).text
    assert list(chat_openai(provider).stream("Hello", config={"callbacks": [handler]}))
    assert ledger.faults.counts == {"pricing: ZeroDivisionError": 2}
    assert [(call.cost.basis, call.usage.total > 0) for call in ledger.records()] == [("unpriced", True)] * 2


def test_on_record_sees_every_record_and_may_fail(provider: FakeProvider, ledger: Ledger) -> None:
    seen: list[CallRecord] = []
    model = chat_openai(provider)
    model.invoke("Hello", config={"callbacks": [CostCallbackHandler(ledger, on_record=seen.append)]})
    assert seen == list(ledger.records())

    def fail(record: CallRecord) -> None:
        raise ZeroDivisionError

    model.invoke("Hello", config={"callbacks": [CostCallbackHandler(ledger, on_record=fail)]})
    assert len(ledger) == 2
    assert ledger.faults.counts == {"on_record: ZeroDivisionError": 1}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"ledger": "costkit.db"}, r"must be a Ledger, not 'costkit.db'; write Ledger\('costkit.db'\)"),
        ({"prices": {"gpt-4o": 1}}, "prices must be a PriceBook"),
        ({"on_record": "print"}, "on_record must be callable"),
        ({"open_limit": 0}, "at least 1"),
    ],
)
def test_bad_arguments(ledger: Ledger, arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        CostCallbackHandler(**{"ledger": ledger, **arguments})


def test_runs_that_never_end_are_bounded(ledger: Ledger) -> None:
    handler = CostCallbackHandler(ledger, open_limit=10)
    started = [uuid4() for _ in range(50)]
    for number, run_id in enumerate(started):
        handler.on_chat_model_start({}, [[HumanMessage("?")]], run_id=run_id, metadata={"ls_model_name": "gpt-4o"})
        if number == 0:
            handler.on_llm_new_token("Yes", run_id=run_id)
        handler.on_chain_start({}, {}, run_id=uuid4())
    assert len(handler._calls) == 10
    assert len(handler._calls._roots) == 10
    # One had begun to answer: it is on the bill. The others may end yet, and then are recorded.
    assert [call.error for call in calls(ledger)] == ["AnswerLost"]
    handler.on_llm_end(finished(None, USAGE), run_id=started[1])
    assert [call.cost.usd for call in calls(ledger)][1:] == [COST]


async def test_the_event_loop_does_not_wait_for_the_disk(provider: FakeProvider, ledger: Ledger) -> None:
    threads: set[int] = set()
    handler = CostCallbackHandler(ledger, on_record=lambda record: threads.add(threading.get_ident()))
    model = chat_openai(provider)
    await model.ainvoke("Hello", config={"callbacks": [handler]})
    async for _ in model.astream("Hello", config={"callbacks": [handler]}):
        pass
    assert len(ledger) == 2
    assert threading.get_ident() not in threads


def test_a_buffered_ledger_meters_the_same(model: Any, provider: FakeProvider) -> None:
    with Ledger(buffered=True) as ledger:
        handler = CostCallbackHandler(ledger)
        model.invoke("Hello", config={"callbacks": [handler]})
        list(model.stream("Hello", config={"callbacks": [handler]}))
        assert_agrees(ledger, provider)


def test_a_handler_is_written_briefly(handler: CostCallbackHandler) -> None:
    assert repr(handler) == "CostCallbackHandler(Ledger(':memory:'))"


def test_tags_that_langchain_gives_to_steps_are_not_the_callers(
    model: Any, ledger: Ledger, handler: CostCallbackHandler
) -> None:
    chain = RunnableLambda(lambda text: text) | {"answer": model}
    chain.invoke("Why is the sky blue?", config={"callbacks": [handler], "tags": ["vip"]})
    assert [call.tags for call in calls(ledger)] == [("vip",)]


@pytest.mark.parametrize("kind", ["openai", "anthropic", "router", "cascade"])
async def test_an_answer_is_scored_by_the_id_of_its_message(provider: FakeProvider, kind: str) -> None:
    cheap, strong = chat_openai(provider), chat_anthropic(provider)
    targets = {"cheap": cheap, "strong": strong}
    model: Any = {
        "openai": cheap,
        "anthropic": strong,
        "router": ModelRouter(targets, policy=lambda request: "cheap"),
        "cascade": Cascade(targets, [lambda request, answer: Verdict(passed=False, reason="no")]),
    }[kind]
    with Ledger() as ledger:
        config: Any = {"callbacks": [CostCallbackHandler(ledger)]}
        streamed = None
        for chunk in model.stream("Which answer is it?", config):
            streamed = chunk if streamed is None else streamed + chunk
        answers = [model.invoke("Is it this one?", config), await model.ainvoke("Or that one?", config), streamed]
        for answer in answers:
            ledger.score(answer.id, 1.0, note=answer.id)
            (record,) = ledger.records(call_id=answer.id)
            told = answer.response_metadata.get("lc_costkit", {}).get("route", {})
            assert record.route == told.get("target")
            assert [score.note for score in ledger.scores(record.call_id)] == [answer.id]
        assert len({score.call_id for score in ledger.scores()}) == 3
