"""Do judges and checks work with LlamaIndex's LLMs, and does the ledger agree with the provider's bill?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.embeddings import BaseEmbedding
from llama_index_instrumentation.dispatcher import instrument_tags
from openai import OpenAI

from lc_costkit import Ledger
from lc_costkit.cache import Cache
from lc_costkit.cache.judging import AlikeAnswers, GreyZone, JudgeCase, same_text
from lc_costkit.cache.verify import Sampled
from lc_costkit.errors import ConfigurationError
from lc_costkit.llama_index import cached_llm, instrument
from lc_costkit.llama_index.judging import ModelJudge
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall, Fault
from tests.support.llama_openai import OpenAIFunctionLLM

ASKED = "How do I reset my password?"
REWORDED = "How can I reset my password?"
OTHER = "How do I reset my PIN?"
PROMPT = "Two people asked"
WIDE: dict[str, Any] = {"gates": (), "similarity_threshold": 0.4}


class World:
    """A provider whose answers are by question, and whose verdict is set by the test."""

    def __init__(self) -> None:
        self.verdict = "yes"
        self.asked: list[str] = []
        self.calls_tools = False
        self.provider = FakeProvider(answer=self.answer)

    def answer(self, request: FakeRequest) -> str | FakeAnswer:
        if PROMPT in request.question:
            return self.verdict
        self.asked.append(request.question)
        if self.calls_tools:
            return FakeAnswer(tool_calls=(FakeToolCall(name="reset", arguments={"what": "password"}),))
        return "Use the card machine." if "PIN" in request.question else "Use the settings page."

    def llm(self, **options: Any) -> OpenAIFunctionLLM:
        return OpenAIFunctionLLM(base_url=self.provider.openai_base_url, **options)

    def judged_usd(self) -> Decimal:
        calls = [call.usd or Decimal(0) for call in self.provider.log if call.body and PROMPT in str(call.body)]
        return sum(calls, Decimal(0))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with made.provider:
        yield made


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as made:
        yield made


def user(text: str) -> list[ChatMessage]:
    return [ChatMessage(text, role=MessageRole.USER)]


def spent(ledger: Ledger) -> Decimal:
    return sum((one.side_cost_usd + (one.cost.usd or 0) for one in ledger.records()), Decimal(0))


def right(case: JudgeCase) -> bool:
    return True


# -- the grey zone -----------------------------------------------------------------


def test_a_model_judges_candidates_and_its_cost_is_the_lookups(world: World, ledger: Ledger) -> None:
    judge = ModelJudge(world.llm())
    with (
        instrument(ledger),
        Cache(judge=GreyZone(low=0.1, high=1.0, judge=judge), gates=()) as cache,
    ):
        llm = cached_llm(world.llm(), cache)
        first = llm.chat(user(ASKED)).message.content
        assert llm.chat(user(REWORDED)).message.content == first
        assert [chunk.message.content for chunk in llm.stream_chat(user("How could I reset my password?"))] == [first]
        world.verdict = "No."
        assert llm.chat(user(OTHER)).message.content == "Use the card machine."
        stats = cache.stats()
    assert (stats.judge_calls, stats.judge_yes, stats.judge_no) == (3, 2, 1)
    assert [one.cache for one in ledger.records()] == ["miss", "hit", "hit", "miss"]
    assert stats.judge_usd == stats.lookup_usd == world.judged_usd() > 0
    assert spent(ledger) == world.provider.billed_usd
    body = next(call.body for call in world.provider.log if call.body and PROMPT in str(call.body))
    assert body["temperature"] == 0


async def test_the_judge_is_asked_in_async_calls_and_not_on_the_loop(world: World, ledger: Ledger) -> None:
    on_loop: list[bool] = []
    model = ModelJudge(world.llm(), temperature=None)

    def judge(case: JudgeCase) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            on_loop.append(False)
        else:
            on_loop.append(True)
        return model(case)

    with instrument(ledger), Cache(judge=GreyZone(low=0.1, high=1.0, judge=judge)) as cache:
        llm = cached_llm(world.llm(), cache)
        await llm.achat(user(ASKED))
        await llm.achat(user(REWORDED))
        [chunk async for chunk in await llm.astream_chat(user("How could I reset my password?"))]
        ledger.flush()
        assert [one.cache for one in ledger.records()] == ["miss", "hit", "hit"]
    assert on_loop == [False, False]
    assert spent(ledger) == world.provider.billed_usd


def test_a_judge_that_fails_is_a_miss(world: World) -> None:
    with Cache(judge=GreyZone(low=0.1, high=1.0, judge=ModelJudge(world.llm()))) as cache:
        llm = cached_llm(world.llm(), cache)
        llm.chat(user(ASKED))
        world.provider.fail_next(Fault.server_error(), match=lambda request: PROMPT in request.question)
        assert llm.chat(user(REWORDED)).message.content
        assert (cache.stats().judge_failed, cache.stats().hits) == (1, 0)


def test_what_is_no_llm_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ModelJudge needs a LlamaIndex LLM"):
        ModelJudge("gpt-4o-mini")  # type: ignore[arg-type]


class Embedding(BaseEmbedding):
    """A paid embedding model over the real client."""

    base_url: str

    def _get_query_embedding(self, query: str) -> list[float]:
        with OpenAI(api_key="test", base_url=self.base_url, max_retries=0) as client:
            return client.embeddings.create(model=self.model_name, input=[query]).data[0].embedding

    _get_text_embedding = _get_query_embedding

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


async def test_the_embedding_of_a_lookup_is_paid_for_once(world: World, ledger: Ledger) -> None:
    embedder = Embedding(base_url=world.provider.openai_base_url, model_name="text-embedding-3-small")
    judge = ModelJudge(world.llm())
    with Cache(embedder=embedder, gates=(), judge=GreyZone(low=0.1, high=1.0, judge=judge)) as cache:
        start = world.provider.billed_usd
        with instrument(ledger):
            llm = cached_llm(world.llm(), cache)
            llm.chat(user(ASKED))
            await llm.achat(user(REWORDED))
            ledger.flush()
        assert [one.operation for one in ledger.records()] == ["chat", "chat"]
        assert spent(ledger) == world.provider.billed_usd - start


# -- checks --------------------------------------------------------------------------


@pytest.mark.parametrize("metered_by", ["ledger", "instrument", "both"])
def test_the_llm_is_asked_again_in_the_background_and_every_cent_is_in_the_ledger(
    world: World, ledger: Ledger, metered_by: str
) -> None:
    kept = ledger if metered_by != "instrument" else None
    verify = Sampled(rate=1.0, judge=ModelJudge(world.llm()), ledger=kept)
    metering = instrument(ledger) if metered_by != "ledger" else None
    try:
        with Cache(verify=verify) as cache, instrument_tags({"feature": "support", "user": "ann"}):
            llm = cached_llm(world.llm(), cache)
            first = llm.chat(user(ASKED)).message.content
            assert llm.chat(user(REWORDED)).message.content == first
            assert cache.flush(30)
            stats = cache.stats()
    finally:
        if metering is not None:
            metering.remove()
    assert (stats.semantic_hits, stats.checks_right, stats.verified) == (1, 1, 1)
    assert world.asked == [ASKED, REWORDED]
    checks = [call.usd or Decimal(0) for call in world.provider.log[1:]]
    assert stats.verification_usd == sum(checks) > 0
    mine = [one for one in ledger.records() if one.feature == "cache verification"]
    assert [one.cost.usd for one in mine] == checks
    assert {one.user for one in mine} == {None}
    expected = world.provider.billed_usd if metering is not None else sum(checks)
    assert spent(ledger) == expected
    if metering is not None:
        assert [one.feature for one in ledger.records()][:2] == ["support", "support"]
        saved = sum((one.usd or Decimal(0) for record in ledger.records() for one in record.saved), Decimal(0))
        assert saved == stats.saved_usd


@pytest.mark.parametrize("kept", [True, False])
def test_embedding_two_answers_is_paid_for_once(world: World, ledger: Ledger, kept: bool) -> None:
    embedder = Embedding(base_url=world.provider.openai_base_url, model_name="text-embedding-3-small")
    judge = AlikeAnswers(embedder, threshold=0.5)
    start = world.provider.billed_usd
    verify = Sampled(rate=1.0, judge=judge, ledger=ledger if kept else None)
    with instrument(ledger), Cache(verify=verify, **WIDE) as cache:
        llm = cached_llm(world.llm(), cache)
        llm.chat(user(ASKED))
        llm.chat(user(OTHER))
        assert cache.flush(30)
        assert (cache.stats().verified, cache.stats().faults) == (1, {})
    assert [one.feature for one in ledger.records()] == [None, None, "cache verification", "cache verification"]
    assert spent(ledger) == world.provider.billed_usd - start


def test_what_a_judge_of_ones_own_embeds_is_paid_for_once(world: World, ledger: Ledger) -> None:
    embedder = Embedding(base_url=world.provider.openai_base_url, model_name="text-embedding-3-small")

    def judge(case: JudgeCase) -> bool:
        return bool(embedder.get_text_embedding(case.answer))

    with instrument(ledger), Cache(judge=GreyZone(low=0.1, high=1.0, judge=judge), gates=()) as cache:
        llm = cached_llm(world.llm(), cache)
        llm.chat(user(ASKED))
        llm.chat(user(REWORDED))
    assert spent(ledger) == world.provider.billed_usd


def test_all_ways_of_calling_are_checked(world: World) -> None:
    with Cache(verify=Sampled(rate=1.0, judge=same_text)) as cache:
        llm = cached_llm(world.llm(), cache)

        async def calls() -> None:
            await llm.achat(user(ASKED))
            await llm.achat(user(REWORDED))
            list(llm.stream_chat(user("How could I reset my password?")))
            llm.complete(ASKED)
            await llm.acomplete(REWORDED)
            list(llm.stream_complete("How could I reset my password?"))

        asyncio.run(calls())
        assert cache.flush(60)
        stats = cache.stats()
        assert stats.faults == {}
        assert stats.checks == stats.semantic_hits == stats.checks_right


def test_a_wrong_answer_is_demoted_and_the_fresh_one_answers_from_then_on(world: World) -> None:
    with Cache(verify=Sampled(rate=1.0, judge=same_text), **WIDE) as cache:
        llm = cached_llm(world.llm(), cache)
        llm.chat(user(ASKED))
        assert llm.chat(user(OTHER)).message.content == "Use the settings page.", "served at once, and wrong"
        assert cache.flush(30)
        calls = world.provider.calls
        assert llm.chat(user(OTHER)).message.content == "Use the card machine."
        assert llm.chat(user(ASKED)).message.content == "Use the settings page."
        assert world.provider.calls == calls
        stats = cache.stats()
        assert (stats.demoted, stats.entries, stats.checks_wrong) == (1, 2, 1)
        assert stats.served_unpriced == 0, "what asking again cost is what a later hit saves"


def test_a_fresh_answer_that_calls_tools_is_compared_and_not_stored(world: World) -> None:
    tools = [{"type": "function", "function": {"name": "reset", "parameters": {"type": "object", "properties": {}}}}]
    cases: list[JudgeCase] = []

    def judge(case: JudgeCase) -> bool:
        cases.append(case)
        return False

    with Cache(verify=Sampled(rate=1.0, judge=judge)) as cache:
        llm = cached_llm(world.llm(), cache)
        llm.chat(user(ASKED), tools=tools)
        world.calls_tools = True
        llm.chat(user(REWORDED), tools=tools)
        assert cache.flush(30)
        assert cache.stats().entries == 1
    assert "reset" in str(cases[0].fresh)


def test_a_function_of_ones_own_goes_before_the_llm(world: World) -> None:
    verify = Sampled(rate=1.0, judge=same_text, ask=lambda request: "Use the settings page.")
    with Cache(verify=verify) as cache:
        llm = cached_llm(world.llm(), cache)
        llm.chat(user(ASKED))
        llm.chat(user(REWORDED))
        assert cache.flush(30)
        assert (cache.stats().checks_right, world.provider.calls) == (1, 1)


def test_an_llm_that_fails_when_asked_again_hurts_nobody(world: World, ledger: Ledger) -> None:
    with instrument(ledger), Cache(verify=Sampled(rate=1.0, judge=right, ledger=ledger)) as cache:
        llm = cached_llm(world.llm(), cache)
        llm.chat(user(ASKED))
        world.provider.fail_next(Fault.server_error())
        assert llm.chat(user(REWORDED)).message.content
        assert cache.flush(30)
        assert (cache.stats().checks_failed, cache.stats().verified) == (1, 0)
    assert spent(ledger) == world.provider.billed_usd


def test_observe_mode_compares_what_the_model_says_anyway(world: World, ledger: Ledger) -> None:
    with instrument(ledger), Cache(mode="observe", verify=Sampled(rate=1.0, judge=same_text), **WIDE) as cache:
        llm = cached_llm(world.llm(), cache)
        llm.chat(user(ASKED))
        list(llm.stream_chat(user(REWORDED)))
        llm.chat(user(OTHER))
        assert cache.flush(30)
        stats = cache.stats()
    assert (stats.observed_hits, stats.checks_right, stats.checks_wrong, stats.demoted) == (2, 1, 1, 0)
    assert world.provider.calls == 3
    assert spent(ledger) == world.provider.billed_usd


def test_a_stream_that_was_left_gives_no_verdict(world: World) -> None:
    with Cache(mode="observe", verify=Sampled(rate=1.0, judge=right)) as cache:
        llm = cached_llm(world.llm(), cache)
        llm.chat(user(ASKED))
        stream = llm.stream_chat(user(REWORDED))
        next(stream)
        stream.close()
        assert cache.flush(30)
        assert cache.stats().verified == 0
