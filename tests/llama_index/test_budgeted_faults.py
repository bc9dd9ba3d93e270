"""Does a reservation of a LlamaIndex call end, however the call does?"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation.dispatcher import instrument_tags
from sqlalchemy import event
from workflows.errors import WorkflowTimeoutError

from lc_costkit.budget.book import book_of
from lc_costkit.budget.budget import Budget
from lc_costkit.budget.rate_limit import RateLimit
from lc_costkit.cache import Cache
from lc_costkit.errors import BudgetExceeded, BudgetUnavailable
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index import budgeted_llm, cached_llm, instrument
from lc_costkit.testing import FakeProvider, FakeRequest, Fault
from tests.llama_index.support import settled, spent
from tests.support.llama_openai import OpenAIFunctionLLM

WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
UNDER_WAY_SECONDS = 0.3
"""How long a test waits before it cancels: until then, the request is with the provider."""


def user(text: str = "Count to fifteen.") -> list[ChatMessage]:
    return [ChatMessage(text)]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as made:
        yield made


@pytest.fixture
def slow() -> Iterator[FakeProvider]:
    """Streams a word now and then."""
    with FakeProvider(answer=lambda request: WORDS, chunk_seconds=0.02) as provider:
        yield provider


def llm_of(provider: FakeProvider, **options: Any) -> OpenAIFunctionLLM:
    return OpenAIFunctionLLM(base_url=provider.openai_base_url, **options)


# -- streams -------------------------------------------------------------------------


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("how", ["closed", "forgotten", "thrown"])
def test_a_stream_that_is_not_read_to_its_end_counts_what_came(
    slow: FakeProvider, ledger: Ledger, how: str, chat: bool
) -> None:
    budget = Budget(usd=1)
    llm = budgeted_llm(llm_of(slow), budget, ledger)
    with instrument(ledger):
        stream: Any = llm.stream_chat(user()) if chat else llm.stream_complete("Count to fifteen.")
        for _ in range(4):
            next(stream)
        if how == "closed":
            stream.close()
        elif how == "thrown":
            with pytest.raises(KeyError):
                stream.throw(KeyError("the application's"))
        del stream
        gc.collect()
        assert slow.wait_idle()
        assert spent(budget, ledger) > slow.billed_usd >= ledger.report().total.usd > 0
    assert spent(budget, ledger) < Decimal("0.001"), "and not all that the model could have said"


@pytest.mark.parametrize("how", ["closed", "forgotten"])
async def test_an_asynchronous_stream_that_is_not_read_to_its_end_counts_what_came(
    slow: FakeProvider, ledger: Ledger, how: str
) -> None:
    budget = Budget(usd=1)
    llm = budgeted_llm(llm_of(slow), budget, ledger)
    with instrument(ledger):
        stream: Any = await llm.astream_chat(user())
        for _ in range(4):
            await anext(stream)
        if how == "closed":
            await stream.aclose()
        del stream
        gc.collect()
        assert await settled(budget, ledger) > 0
    ledger.flush()
    assert slow.wait_idle()
    assert spent(budget, ledger) > slow.billed_usd >= ledger.report().total.usd > 0


async def test_a_stream_that_nobody_begins_to_read_holds_nothing(slow: FakeProvider, ledger: Ledger) -> None:
    budget = Budget(usd=1)
    llm = budgeted_llm(llm_of(slow), budget, ledger)
    sync_stream: Any = llm.stream_chat(user())
    sync_stream.close()
    del sync_stream
    llm.stream_complete("hi")
    gc.collect()
    assert spent(budget, ledger) > 0, "it may have been sent"
    async_stream: Any = await llm.astream_chat(user())
    await async_stream.aclose()
    await llm.astream_complete("hi")
    gc.collect()
    assert await settled(budget, ledger) > 0
    assert slow.calls == 0


async def test_a_stream_that_the_collector_finds_amid_a_transaction_settles_after_it(
    slow: FakeProvider, ledger: Ledger
) -> None:
    budget = Budget(usd=1)
    llm = budgeted_llm(llm_of(slow), budget, ledger)
    stream: Any = llm.stream_chat(user())
    next(stream)
    cycle: list[Any] = [stream]
    cycle.append(cycle)
    del stream
    with sqlite3.connect(str(ledger.engine.url.database), isolation_level=None) as raw:
        raw.execute("BEGIN IMMEDIATE")
        del cycle
        gc.collect()
        raw.execute("COMMIT")
    raw.close()
    assert await settled(budget, ledger) > 0
    assert book_of(ledger).faults.counts == {}


def test_an_event_loop_that_ends_takes_its_open_streams_with_it(slow: FakeProvider, ledger: Ledger) -> None:
    budget = Budget(usd=1)
    llm = budgeted_llm(llm_of(slow), budget, ledger)
    kept: list[Any] = []

    async def leave() -> None:
        kept.append(await llm.astream_chat(user()))
        await anext(kept[0])

    asyncio.run(leave())
    assert spent(budget, ledger) > 0


async def test_a_cancelled_task_leaves_nothing_held(slow: FakeProvider, ledger: Ledger) -> None:
    budget = Budget(usd=1)
    with FakeProvider(latency_seconds=5) as stuck, instrument(ledger):
        whole = budgeted_llm(llm_of(stuck), budget, ledger)
        streaming = budgeted_llm(llm_of(slow), budget, ledger)

        async def read() -> None:
            async for _ in await streaming.astream_chat(user()):
                pass

        tasks = [
            asyncio.create_task(whole.achat(user())),
            asyncio.create_task(whole.acomplete("hi")),
            asyncio.create_task(read()),
        ]
        await asyncio.sleep(UNDER_WAY_SECONDS)
        for task in tasks:
            task.cancel()
        assert [type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)] == [
            asyncio.CancelledError
        ] * 3
        assert await settled(budget, ledger) > 0
    ledger.flush()
    assert spent(budget, ledger) > ledger.report().total.usd


async def test_a_task_that_is_cancelled_while_it_waits_holds_nothing(slow: FakeProvider, ledger: Ledger) -> None:
    limit = RateLimit(requests=1)
    llm = budgeted_llm(llm_of(slow), limit, ledger)
    await llm.acomplete("hi")
    task = asyncio.create_task(llm.acomplete("hi"))
    await asyncio.sleep(UNDER_WAY_SECONDS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await settled(limit.budgets[0], ledger) == 1
    assert slow.calls == 1


async def test_a_timeout_around_a_call_leaves_nothing_held(ledger: Ledger) -> None:
    budget = Budget(usd=1)
    with FakeProvider(latency_seconds=5) as stuck:
        llm = budgeted_llm(llm_of(stuck), budget, ledger)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(UNDER_WAY_SECONDS):
                await llm.achat(user())
        assert await settled(budget, ledger) > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's workflows
@pytest.mark.parametrize("streaming", [True, False])
async def test_an_agent_that_takes_too_long_leaves_nothing_held(ledger: Ledger, streaming: bool) -> None:
    def weather(city: str) -> str:
        """Say what the weather is in a city."""
        return f"Sunny in {city}."

    budget = Budget(usd=1)
    with FakeProvider(latency_seconds=5) as stuck:
        llm: Any = budgeted_llm(llm_of(stuck), budget, ledger)
        tools: Any = [FunctionTool.from_defaults(weather)]
        with pytest.raises(WorkflowTimeoutError):
            await FunctionAgent(tools=tools, llm=llm, streaming=streaming, timeout=1.5).run("hi")
        await asyncio.sleep(UNDER_WAY_SECONDS)
        assert await settled(budget, ledger) > 0


class LateLLM(OpenAIFunctionLLM):
    """Sends a chunk after the one with the usage."""

    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        for chunk in self._stream_chat(messages, **kwargs):
            yield chunk
        yield ChatResponse(message=chunk.message, delta="", raw={"choices": []})

    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        async def chunks() -> AsyncIterator[Any]:
            async for chunk in await self._astream_chat(messages, **kwargs):
                yield chunk
            yield ChatResponse(message=chunk.message, delta="", raw={"choices": []})

        return chunks()


async def test_usage_is_found_in_whichever_chunk_carries_it(provider: FakeProvider, ledger: Ledger) -> None:
    budget = Budget(usd=1)
    llm = budgeted_llm(LateLLM(base_url=provider.openai_base_url), budget, ledger)
    assert list(llm.stream_chat(user()))
    assert [chunk async for chunk in await llm.astream_chat(user())]
    assert spent(budget, ledger) == provider.billed_usd > 0


# -- what goes wrong at the provider -------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "billed"),
    [
        (Fault.rate_limit(), False),
        (Fault.server_error(), False),
        (Fault.refused(), False),
        (Fault.timeout(0.1), False),
        (Fault.cut_stream(after_chunks=3), True),
        (Fault.malformed_json(), True),
    ],
    ids=repr,
)
async def test_a_call_that_fails_counts_what_the_provider_may_bill(
    provider: FakeProvider, ledger: Ledger, fault: Fault, billed: bool
) -> None:
    budget = Budget(usd=1)
    llm = budgeted_llm(llm_of(provider), budget, ledger)

    async def drained() -> None:
        _ = [chunk async for chunk in await llm.astream_chat(user())]

    ways: list[Callable[[], Any]] = [
        lambda: llm.chat(user()),
        lambda: list(llm.stream_chat(user())),
        lambda: llm.complete("hi"),
        lambda: list(llm.stream_complete("hi")),
    ]
    async_ways: list[Callable[[], Any]] = [lambda: llm.achat(user()), drained, lambda: llm.acomplete("hi")]
    with instrument(ledger):
        before: Decimal | int = 0
        for way in ways:
            provider.fail_next(fault)
            with pytest.raises(Exception) as raised:
                way()
            assert not isinstance(raised.value, BudgetExceeded)
            assert (spent(budget, ledger) > before) is billed
            before = spent(budget, ledger)
        for async_way in async_ways:
            provider.fail_next(fault)
            with pytest.raises(Exception):  # noqa: B017 -- as above
                await async_way()
            assert (await settled(budget, ledger) > before) is billed
            before = spent(budget, ledger)
    ledger.flush()
    assert spent(budget, ledger) >= max(provider.billed_usd, ledger.report().total.usd)
    llm.chat(user())


async def test_many_calls_at_once_never_pass_the_limit(ledger: Ledger) -> None:
    limit = Decimal("0.0005")
    budget = Budget(usd=limit)
    with FakeProvider(latency_seconds=0.02) as provider:
        llm: Any = budgeted_llm(llm_of(provider, max_tokens=60), budget, ledger)

        async def call(number: int) -> bool:
            try:
                if number % 2:
                    await llm.achat(user(f"Question {number}?"))
                else:
                    _ = [one async for one in await llm.astream_chat(user(f"Question {number}?"))]
            except BudgetExceeded:
                return False
            return True

        answered = await asyncio.gather(*map(call, range(40)))
        assert 0 < sum(answered) < 40
        assert provider.calls == sum(answered)
        assert await settled(budget, ledger) == provider.billed_usd <= limit


# -- what goes wrong with the store --------------------------------------------------


def break_store(ledger: Ledger) -> None:
    with sqlite3.connect(str(ledger.engine.url.database)) as raw:
        raw.execute("ALTER TABLE costkit_budget_accounts RENAME TO away")
    raw.close()


def mend_store(ledger: Ledger) -> None:
    with sqlite3.connect(str(ledger.engine.url.database)) as raw:
        raw.execute("ALTER TABLE away RENAME TO costkit_budget_accounts")
    raw.close()


async def test_a_store_that_is_gone_refuses_or_lets_through_as_the_budget_says(
    provider: FakeProvider, ledger: Ledger
) -> None:
    closed, opened = Budget(usd=1, name="closed"), Budget(usd=1, name="open", fail="open")
    refusing = budgeted_llm(llm_of(provider), closed, ledger)
    passing = budgeted_llm(llm_of(provider), opened, ledger)
    break_store(ledger)
    with instrument(ledger):
        for call in (refusing.chat, refusing.stream_chat):
            with pytest.raises(BudgetUnavailable):
                call(user())
        with pytest.raises(BudgetUnavailable):
            await refusing.achat(user())
        assert provider.calls == 0
        assert passing.chat(user()).message.content
        assert (await passing.achat(user())).message.content
        assert list(passing.stream_chat(user()))[-1].message.content
    mend_store(ledger)
    assert spent(opened, ledger) == provider.billed_usd > 0
    assert spent(closed, ledger) == 0
    ledger.flush()
    assert [record.error for record in ledger.records()].count("BudgetUnavailable") == 3


async def test_an_answer_is_not_lost_with_the_store(ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> str:
        break_store(ledger)
        return WORDS

    budget = Budget(usd=1)
    with FakeProvider(answer=answer) as provider:
        llm = budgeted_llm(llm_of(provider), budget, ledger)
        assert llm.chat(user()).message.content == WORDS
        mend_store(ledger)
        assert (await llm.achat(user())).message.content == WORDS
        mend_store(ledger)
        assert list(llm.stream_chat(user()))[-1].message.content == WORDS
        mend_store(ledger)
        assert await settled(budget, ledger) == provider.billed_usd > 0


async def test_the_event_loop_does_not_wait_for_the_store(provider: FakeProvider, ledger: Ledger) -> None:
    where: set[str] = set()
    budget = Budget(usd=1)
    llm = budgeted_llm(llm_of(provider), budget, ledger)
    event.listen(ledger.engine, "checkout", lambda *_: where.add(threading.current_thread().name))
    await llm.achat(user())
    _ = [chunk async for chunk in await llm.astream_chat(user())]
    stream: Any = await llm.astream_chat(user())
    await anext(stream)
    await stream.aclose()
    assert where
    assert threading.main_thread().name not in where


def test_a_request_that_cannot_be_read_is_held_at_its_bytes(
    provider: FakeProvider, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("a block of tomorrow")

    monkeypatch.setattr("lc_costkit.llama_index.budgeted_call.read_request", broken)
    budget = Budget(usd=1, scope={"user": "*"})
    llm: Any = budgeted_llm(llm_of(provider), budget, ledger)
    with instrument_tags({"user": "ann"}):
        assert llm.chat(user()).message.content
        assert list(llm.stream_complete("hi"))
    assert llm.faults.counts == {"reading the call: KeyError": 2}
    assert spent(budget, ledger) == provider.billed_usd > 0
    assert [account.scope for account in budget.status().accounts] == [{"user": "ann"}]
    assert "report it" in caplog.text


# -- with a cache around -------------------------------------------------------------


async def test_a_stream_of_a_cache_that_is_closed_settles_at_once(slow: FakeProvider, ledger: Ledger) -> None:
    inside, around = Budget(usd=1, name="inside"), Budget(usd=1, name="around")
    with Cache() as cache:
        for budget, llm in (
            (inside, budgeted_llm(cached_llm(llm_of(slow), cache), inside, ledger)),
            (around, cached_llm(budgeted_llm(llm_of(slow), around, ledger), cache)),
        ):
            stream: Any = llm.stream_chat(user())
            next(stream)
            stream.close()
            first = spent(budget, ledger)
            assert first > 0
            async_stream: Any = await llm.astream_chat(user("Another question?"))
            await anext(async_stream)
            await async_stream.aclose()
            assert spent(budget, ledger) > first
        assert cache.stats().faults == {}
