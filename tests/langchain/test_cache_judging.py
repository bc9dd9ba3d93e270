"""Do judges and checks work with LangChain's models, and does the ledger agree with the provider's bill?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from lc_costkit import CostCallbackHandler, Ledger, SemanticCache
from lc_costkit.cache.judging import GreyZone, JudgeCase, same_text
from lc_costkit.cache.verify import Sampled
from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain.judging import ModelJudge
from lc_costkit.testing import FakeProvider, FakeRequest, Fault
from tests.conftest import chat_anthropic, chat_openai, openai_embeddings

ASKED = "How do I reset my password?"
REWORDED = "How can I reset my password?"
OTHER = "How do I reset my PIN?"
PROMPT = "Two people asked"
WIDE: dict[str, Any] = {"gates": (), "similarity_threshold": 0.4}
"""Serves other questions, too, so that something can be served wrong."""


class Provider:
    """A provider whose answers are by question, and whose verdict is set by the test."""

    def __init__(self) -> None:
        self.verdict = "yes"
        self.silent = False
        self.asked: list[str] = []
        self.provider = FakeProvider(answer=self.answer)

    def answer(self, request: FakeRequest) -> str:
        if PROMPT in request.question:
            return self.verdict
        self.asked.append(request.question)
        if self.silent:
            return ""
        return "Use the card machine." if "PIN" in request.question else "Use the settings page."


@pytest.fixture
def world() -> Iterator[Provider]:
    made = Provider()
    with made.provider:
        yield made


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as made:
        yield made


def spent(ledger: Ledger) -> Decimal:
    return sum((one.side_cost_usd + (one.cost.usd or 0) for one in ledger.records()), Decimal(0))


def right(case: JudgeCase) -> bool:
    return True


class Wrong:
    """A judge that calls everything wrong, and keeps the cases."""

    def __init__(self) -> None:
        self.cases: list[JudgeCase] = []

    def __call__(self, case: JudgeCase) -> bool:
        self.cases.append(case)
        return False


# -- the grey zone -----------------------------------------------------------------


def test_a_model_judges_candidates_and_its_cost_is_the_lookups(world: Provider, ledger: Ledger) -> None:
    judge = ModelJudge(chat_openai(world.provider))
    with SemanticCache(judge=GreyZone(low=0.1, high=1.0, judge=judge), gates=()) as cache:
        model = chat_openai(world.provider, cache=cache, callbacks=[CostCallbackHandler(ledger)])
        first = model.invoke(ASKED)
        assert model.invoke(REWORDED).content == first.content
        world.verdict = "No."
        assert model.invoke(OTHER).content == "Use the card machine."
        stats = cache.stats()
    assert (stats.judge_calls, stats.judge_yes, stats.judge_no, stats.judge_failed) == (2, 1, 1, 0)
    assert world.asked == [ASKED, OTHER]
    records = list(ledger.records())
    assert [one.cache for one in records] == ["miss", "hit", "miss"]
    judged = [call.usd or Decimal(0) for call in world.provider.log if call.body and PROMPT in str(call.body)]
    assert [one.side_cost_usd for one in records] == [0, *judged]
    assert stats.judge_usd == stats.lookup_usd == sum(judged)
    assert spent(ledger) == world.provider.billed_usd
    assert stats.saved_usd == (records[0].cost.usd or 0) - sum(judged)


WRAPPED: dict[str, Any] = {
    "with_config": lambda model, handler: model.with_config(callbacks=[handler]),
    "fallbacks": lambda model, handler: _metered(model, handler).with_fallbacks([model]),
    "retry": lambda model, handler: _metered(model, handler).with_retry(),
    "chain": lambda model, handler: _metered(model, handler) | (lambda message: message),
}


def _metered(model: Any, handler: Any) -> Any:
    return model.model_copy(update={"callbacks": [handler]})


@pytest.mark.parametrize("how", WRAPPED)
def test_a_judge_that_is_metered_inside_a_wrapper_is_paid_once(world: Provider, ledger: Ledger, how: str) -> None:
    handler = CostCallbackHandler(ledger)
    judge = ModelJudge(WRAPPED[how](chat_openai(world.provider), handler))
    with SemanticCache(judge=GreyZone(low=0.1, high=1.0, judge=judge), gates=()) as cache:
        model = chat_openai(world.provider, cache=cache, callbacks=[handler])
        model.invoke(ASKED)
        model.invoke(REWORDED)
    assert [one.cache for one in ledger.records()] == ["miss", "hit"]
    assert spent(ledger) == world.provider.billed_usd


@pytest.mark.parametrize("how", WRAPPED)
def test_a_model_asked_again_inside_a_wrapper_is_paid_once(world: Provider, ledger: Ledger, how: str) -> None:
    handler = CostCallbackHandler(ledger)
    again = WRAPPED[how](chat_openai(world.provider), handler)
    with SemanticCache(verify=Sampled(rate=1.0, judge=right, ask=again, ledger=ledger), **WIDE) as cache:
        model = chat_openai(world.provider, cache=cache, callbacks=[handler])
        model.invoke(ASKED)
        model.invoke(REWORDED)
        assert cache.flush(30)
    assert [one.feature for one in ledger.records()] == [None, None, "cache verification"]
    assert spent(ledger) == world.provider.billed_usd
    assert ledger.faults.total == 0


def test_a_plain_function_that_asks_a_metered_model_is_paid_once(world: Provider, ledger: Ledger) -> None:
    handler = CostCallbackHandler(ledger)
    asked = chat_openai(world.provider, callbacks=[handler])
    zone = GreyZone(low=0.1, high=1.0, judge=lambda case: bool(asked.invoke(f"{PROMPT}: {case.new}").content))
    with SemanticCache(judge=zone, gates=()) as cache:
        model = chat_openai(world.provider, cache=cache, callbacks=[handler])
        model.invoke(ASKED)
        model.invoke(REWORDED)
    assert spent(ledger) == world.provider.billed_usd


def test_the_judges_body_is_a_yes_or_no_question_at_temperature_zero(world: Provider) -> None:
    judge = ModelJudge(chat_openai(world.provider))
    with SemanticCache(judge=GreyZone(low=0.1, high=1.0, judge=judge)) as cache:
        model = chat_openai(world.provider, cache=cache)
        model.invoke([SystemMessage("You help."), HumanMessage(ASKED)])
        model.invoke([SystemMessage("You help."), HumanMessage(REWORDED)])
    body = world.provider.log[-1].body
    assert body is not None
    assert body["temperature"] == 0
    for text in (ASKED, REWORDED, "Use the settings page.", "yes or no"):
        assert text in body["messages"][0]["content"]


@pytest.mark.parametrize("verdict", ["Perhaps.", "", "yes or no"])
def test_a_judge_that_says_neither_is_a_miss_that_was_paid_for(world: Provider, ledger: Ledger, verdict: str) -> None:
    judge = ModelJudge(chat_openai(world.provider))
    world.verdict = verdict
    with SemanticCache(judge=GreyZone(low=0.1, high=1.0, judge=judge)) as cache:
        model = chat_openai(world.provider, cache=cache, callbacks=[CostCallbackHandler(ledger)])
        model.invoke(ASKED)
        model.invoke(REWORDED)
        stats = cache.stats()
    assert (stats.judge_failed, stats.hits) == (1, 0)
    assert any("neither yes nor no" in reason for reason in stats.refused)
    assert spent(ledger) == world.provider.billed_usd


def test_a_judge_that_fails_is_a_miss(world: Provider) -> None:
    judge = ModelJudge(chat_openai(world.provider))
    with SemanticCache(judge=GreyZone(low=0.1, high=1.0, judge=judge)) as cache:
        model = chat_openai(world.provider, cache=cache)
        model.invoke(ASKED)
        world.provider.fail_next(Fault.server_error(), match=lambda request: PROMPT in request.question)
        assert model.invoke(REWORDED).content
        stats = cache.stats()
    assert (stats.judge_failed, stats.judge_usd, stats.hits) == (1, 0, 0)
    assert [name.split(":")[0] for name in stats.faults] == ["the judge"]
    assert world.asked == [ASKED, REWORDED]


def test_a_judge_inside_a_chain_is_not_metered_twice(world: Provider, ledger: Ledger) -> None:
    handler = CostCallbackHandler(ledger)
    judge = ModelJudge(chat_openai(world.provider, callbacks=[handler]))
    with SemanticCache(judge=GreyZone(low=0.1, high=1.0, judge=judge)) as cache:
        prompt = ChatPromptTemplate([("system", "You help."), ("human", "{question}")])
        chain = prompt | chat_openai(world.provider, cache=cache) | StrOutputParser()
        for question in (ASKED, REWORDED):
            chain.invoke({"question": question}, config={"callbacks": [handler]})
        asyncio.run(chain.ainvoke({"question": "How could I reset my password?"}, config={"callbacks": [handler]}))
        assert cache.stats().judge_calls == 2
    assert [one.cache for one in ledger.records()] == ["miss", "hit", "hit"]
    assert spent(ledger) == world.provider.billed_usd


async def test_a_judge_never_runs_on_the_event_loop(world: Provider) -> None:
    on_loop: list[bool] = []

    def judge(case: JudgeCase) -> bool:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            on_loop.append(False)
        else:
            on_loop.append(True)
        return True

    zone = GreyZone(low=0.1, high=1.0, judge=judge)
    for embedder in (None, openai_embeddings(world.provider)):
        with SemanticCache(judge=zone, embedder=embedder) as cache:
            model = chat_openai(world.provider, cache=cache)
            await model.ainvoke(ASKED)
            await model.ainvoke(REWORDED)
    assert on_loop == [False, False]


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ModelJudge needs a LangChain model"):
        ModelJudge("gpt-4o-mini")  # type: ignore[arg-type]


# -- checks without a model to ask -----------------------------------------------------


def test_a_sampled_call_is_answered_live_and_not_stored_again_when_it_says_the_same(
    world: Provider, ledger: Ledger
) -> None:
    with SemanticCache(verify=Sampled(rate=1.0, judge=same_text)) as cache:
        model = chat_openai(world.provider, cache=cache, callbacks=[CostCallbackHandler(ledger)])
        model.invoke(ASKED)
        model.invoke(REWORDED)
        assert cache.flush(30)
        stats = cache.stats()
        assert (stats.checks, stats.checks_right, stats.verified, stats.verified_wrong) == (1, 1, 1, 0)
        assert (stats.entries, stats.semantic_hits, stats.verification_usd) == (1, 0, 0)
        assert stats.refused == {"sampled for verification": 1}
        assert [one.feature for one in ledger.records()] == [None, None]
        pair = cache.engine.near_hits(labelled=True)[0]
        assert (pair.cached, pair.new, pair.same, pair.source, pair.served) == (
            ASKED,
            REWORDED,
            True,
            "verified",
            False,
        )
    assert spent(ledger) == world.provider.billed_usd


def test_a_stored_answer_found_wrong_gives_way_to_the_fresh_one(world: Provider) -> None:
    with SemanticCache(verify=Sampled(rate=1.0, judge=same_text), **WIDE) as cache:
        model = chat_openai(world.provider, cache=cache)
        model.invoke(ASKED)
        assert model.invoke(OTHER).content == "Use the card machine."
        assert cache.flush(30)
        stats = cache.stats()
        assert (stats.checks_wrong, stats.verified_wrong, stats.demoted, stats.entries) == (1, 1, 1, 2)
        calls = world.provider.calls
        assert model.invoke(OTHER).content == "Use the card machine.", "stored for its own question"
        assert model.invoke(ASKED).content == "Use the settings page.", "its own question it still answers"
        assert world.provider.calls == calls
        cache.engine.delete(question=OTHER)
        model.invoke(REWORDED)
        assert cache.engine.near_hits() == [], "the demoted one is no candidate any more"


def test_a_live_answer_that_cannot_be_compared_gives_no_verdict(world: Provider) -> None:
    with SemanticCache(verify=Sampled(rate=1.0, judge=right)) as cache:
        model = chat_openai(world.provider, cache=cache)
        model.invoke(ASKED)
        world.silent = True
        model.invoke(REWORDED)
        cache.flush(30)
        stats = cache.stats()
        assert (stats.checks, stats.checks_failed, stats.checks_right, stats.entries) == (1, 1, 0, 1)


def test_a_rate_is_a_share_and_a_seed_repeats_it(world: Provider) -> None:
    counts = []
    for seed in (1, 1, 2):
        with SemanticCache(verify=Sampled(rate=0.3, judge=right, seed=seed)) as cache:
            model = chat_openai(world.provider, cache=cache)
            model.invoke(ASKED)
            for _ in range(60):
                model.invoke(REWORDED)
            cache.flush(30)
            counts.append(cache.stats().checks)
            assert cache.stats().checks + cache.stats().semantic_hits == 60
    assert counts[0] == counts[1]
    assert 5 < counts[0] < 35


# -- checks that ask a model ---------------------------------------------------------


@pytest.mark.parametrize("metered_by", ["ledger", "callbacks", "both"])
@pytest.mark.parametrize("make", [chat_openai, chat_anthropic])
def test_asking_again_is_off_the_path_and_every_cent_is_in_the_ledger(
    world: Provider, ledger: Ledger, make: Any, metered_by: str
) -> None:
    handler = CostCallbackHandler(ledger)
    options = {"callbacks": [handler], "metadata": {"feature": "support", "user": "ann"}}
    other = make(world.provider, **options) if metered_by != "ledger" else make(world.provider)
    judge = ModelJudge(other)
    kept = ledger if metered_by != "callbacks" else None
    with SemanticCache(verify=Sampled(rate=1.0, judge=judge, ask=other, ledger=kept)) as cache:
        model = make(world.provider, cache=cache, **options)
        first = model.invoke(ASKED)
        assert model.invoke(REWORDED).content == first.content
        assert cache.flush(30)
        stats = cache.stats()
        assert (stats.semantic_hits, stats.checks_right) == (1, 1)
        records = list(ledger.records())
        assert [one.feature for one in records] == ["support", "support", *["cache verification"] * 2]
        assert [one.user for one in records] == ["ann", "ann", None, None]
        assert world.asked == [ASKED, REWORDED]
        checks = sum((call.usd or Decimal(0) for call in world.provider.log[1:]), Decimal(0))
        assert stats.verification_usd == checks > 0
        assert stats.saved_usd == (records[0].cost.usd or 0) - checks
    assert spent(ledger) == world.provider.billed_usd
    saved = sum((one.usd or Decimal(0) for record in ledger.records() for one in record.saved), Decimal(0))
    assert saved == stats.saved_usd, "what checks cost is taken off in the ledger, too"
    assert ledger.faults.total == 0


def test_the_same_model_with_the_same_cache_can_be_asked(world: Provider, ledger: Ledger) -> None:
    asked = chat_openai(world.provider)
    with SemanticCache(verify=Sampled(rate=1.0, judge=same_text, ask=asked.bind(stop=["x"]))) as cache:
        asked.cache = cache
        asked.invoke(ASKED)
        asked.invoke(REWORDED)
        assert cache.flush(30)
        assert cache.stats().checks_right == 1
        assert cache.stats().lookups == 2, "the check asked the model and not the cache"
        assert world.provider.log[-1].body["stop"] == ["x"]  # type: ignore[index]


def test_the_whole_conversation_is_asked_again(world: Provider) -> None:
    asked = chat_openai(world.provider)
    with SemanticCache(verify=Sampled(rate=1.0, judge=same_text, ask=asked)) as cache:
        model = chat_openai(world.provider, cache=cache)
        for question in (ASKED, REWORDED):
            model.invoke([SystemMessage("You are a pirate."), HumanMessage(question)])
        assert cache.flush(30)
    sent = world.provider.log[-1].body
    assert sent is not None
    assert [one["content"] for one in sent["messages"]] == ["You are a pirate.", REWORDED]


def test_a_function_can_be_asked_and_what_it_costs_is_unknown(world: Provider, ledger: Ledger) -> None:
    verify = Sampled(rate=1.0, judge=same_text, ask=lambda request: f"Not {request.turns[-1].text}", ledger=ledger)
    with SemanticCache(verify=verify) as cache:
        model = chat_openai(world.provider, cache=cache)
        model.invoke(ASKED)
        model.invoke(REWORDED)
        assert cache.flush(30)
        stats = cache.stats()
        assert (stats.checks_wrong, stats.demoted, stats.verification_unpriced) == (1, 1, 1)
    [record] = ledger.records()
    assert (record.feature, record.cost.usd, record.model_asked) == ("cache verification", None, "gpt-4o-mini")


@pytest.mark.parametrize("junk", [None, 3, b"text"])
def test_an_ask_that_fails_or_returns_nothing_gives_no_verdict(world: Provider, junk: Any) -> None:
    for ask in (lambda request: junk, lambda request: "  ", lambda request: 1 / 0):
        with SemanticCache(verify=Sampled(rate=1.0, judge=right, ask=ask)) as cache:
            model = chat_openai(world.provider, cache=cache)
            model.invoke(ASKED)
            assert model.invoke(REWORDED).content == "Use the settings page."
            assert cache.flush(30)
            stats = cache.stats()
            assert (stats.semantic_hits, stats.checks_failed, stats.verified) == (1, 1, 0)


def test_a_provider_that_fails_while_checking_hurts_nobody(world: Provider, ledger: Ledger) -> None:
    asked = chat_openai(world.provider)
    with SemanticCache(verify=Sampled(rate=1.0, judge=right, ask=asked, ledger=ledger)) as cache:
        model = chat_openai(world.provider, cache=cache, callbacks=[CostCallbackHandler(ledger)])
        model.invoke(ASKED)
        world.provider.fail_next(Fault.server_error())
        assert model.invoke(REWORDED).content == "Use the settings page."
        assert cache.flush(30)
        assert cache.stats().checks_failed == 1
    assert spent(ledger) == world.provider.billed_usd


# -- what follows --------------------------------------------------------------------


def test_wrong_answers_raise_the_point_for_every_process_and_restart(world: Provider, tmp_path: Path) -> None:
    path, wrong = tmp_path / "cache.db", Wrong()
    with (
        SemanticCache(path, verify=Sampled(rate=1.0, judge=wrong), **WIDE) as cache,
        SemanticCache(path, **WIDE) as other,
    ):
        shipped = cache.stats().point
        assert shipped is not None
        model = chat_openai(world.provider, cache=cache)
        for thing in ("password", "PIN", "address"):
            model.invoke(f"How do I change the {thing} of my account?")
            assert cache.flush(30)
            model.invoke(f"How can I change the {thing} of your account?")
            assert cache.flush(30)
        raised = cache.stats().point
        assert raised is not None
        assert raised.source == "tightened"
        assert raised.min_score > shipped.min_score
        assert not raised.certified
        assert len(wrong.cases) == cache.stats().demoted >= 2
        assert "tightened" in repr(cache.stats())
        chat_openai(world.provider, cache=other).invoke("How do I change the name of my account?")
        chat_openai(world.provider, cache=other).invoke("How can I change the name of my account?")
        assert other.stats().point == raised
    with SemanticCache(path, **WIDE) as again:
        assert again.stats().point == raised


def test_observe_mode_compares_for_nothing_and_acts_on_nothing(world: Provider, ledger: Ledger) -> None:
    with SemanticCache(mode="observe", verify=Sampled(rate=1.0, judge=same_text), **WIDE) as cache:
        model = chat_openai(world.provider, cache=cache, callbacks=[CostCallbackHandler(ledger)])
        for question in (ASKED, REWORDED, OTHER):
            model.invoke(question)
        assert cache.flush(30)
        stats = cache.stats()
        assert (stats.hits, stats.observed_hits, stats.checks_right, stats.checks_wrong) == (0, 2, 1, 1)
        assert (stats.demoted, stats.verification_usd, stats.verified, stats.verified_wrong) == (0, 0, 2, 1)
        assert {pair.source for pair in cache.engine.near_hits(labelled=True)} == {"observed"}
    assert world.provider.calls == 3
    assert spent(ledger) == world.provider.billed_usd


def test_a_closed_cache_gives_up_what_waits_and_keeps_the_answers(world: Provider, tmp_path: Path) -> None:
    go = threading.Event()

    def slow(case: JudgeCase) -> bool:
        go.wait(60)
        return True

    path = tmp_path / "cache.db"
    cache = SemanticCache(path, verify=Sampled(rate=1.0, judge=slow))
    model = chat_openai(world.provider, cache=cache)
    model.invoke(ASKED)
    model.invoke(REWORDED)
    model.invoke("How could I reset my password?")
    cache.engine._verifier.background.close(0.1)  # type: ignore[union-attr]
    assert cache.stats().checks_dropped == 1
    assert cache.stats().entries == 2, "the answer that was to be compared is stored as it is"
    go.set()
    cache.close()


class Chatty(BaseCallbackHandler):
    """Counts starts of model calls."""

    def __init__(self) -> None:
        self.starts = 0

    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self.starts += 1


def test_callbacks_of_the_user_hear_of_his_calls_only(world: Provider) -> None:
    chatty = Chatty()
    judge = ModelJudge(chat_openai(world.provider))
    with SemanticCache(verify=Sampled(rate=1.0, judge=judge, ask=chat_openai(world.provider))) as cache:
        model = chat_openai(world.provider, cache=cache)
        for question in (ASKED, REWORDED):
            model.invoke(question, config={"callbacks": [chatty]})
        assert cache.flush(30)
    assert chatty.starts == 2
    assert world.provider.calls == 3


def test_what_looks_like_a_model_and_is_none_is_refused(world: Provider) -> None:
    class Alike:
        def invoke(self, what: object) -> str:
            return ""

    with pytest.raises(ConfigurationError, match="no LangChain model"):
        SemanticCache(verify=Sampled(rate=1.0, judge=right, ask=Alike()))
    for temperature in (-1, float("nan"), True, "0"):
        with pytest.raises(ConfigurationError, match="temperature"):
            ModelJudge(chat_openai(world.provider), temperature=temperature)  # type: ignore[arg-type]
