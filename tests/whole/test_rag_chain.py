"""Does a RAG chain with all four parts answer, save and account, whichever way it is called?"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lc_costkit import CallRecord, Ledger, SemanticCache, question
from lc_costkit.cache.declared import DeclaredQuestion
from lc_costkit.cache.key import CacheRequest
from lc_costkit.testing import FakeProvider
from tests.whole.support import (
    CHEAP,
    EASY,
    EASY_TOO,
    HARD,
    PER_TOKEN,
    QUESTIONS,
    STRONG,
    TOGETHER,
    ask,
    assert_agrees,
    calls,
    kit_rag,
    metered,
    plain_rag,
    saved,
    without_kit,
)

OWNERS = {"feature": "support", "user": "u42", "team": "cards", "plan": "pro"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "costkit.db") as opened:
        yield opened


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[SemanticCache]:
    """In the same file as the ledger, as the documentation shows it."""
    with SemanticCache(tmp_path / "costkit.db") as opened:
        yield opened


async def invoke(chain: Any, text: str, config: Any) -> str:
    return str(chain.invoke(ask(text), config))


async def ainvoke(chain: Any, text: str, config: Any) -> str:
    return str(await chain.ainvoke(ask(text), config))


async def batch(chain: Any, text: str, config: Any) -> str:
    return str(chain.batch([ask(text)], config)[0])


async def abatch(chain: Any, text: str, config: Any) -> str:
    return str((await chain.abatch([ask(text)], config))[0])


async def stream(chain: Any, text: str, config: Any) -> str:
    pieces = list(chain.stream(ask(text), config))
    assert len(pieces) > 3
    return "".join(pieces)


async def astream(chain: Any, text: str, config: Any) -> str:
    pieces = [piece async for piece in chain.astream(ask(text), config)]
    assert len(pieces) > 3
    return "".join(pieces)


async def astream_events(chain: Any, text: str, config: Any) -> str:
    events = [event async for event in chain.astream_events(ask(text), config, version="v2")]
    pieces = [event["data"]["chunk"].content for event in events if event["event"] == "on_chat_model_stream"]
    assert len(pieces) > 3
    assert events[-1]["data"]["output"] == "".join(pieces)
    return "".join(pieces)


WHOLE = [invoke, ainvoke, batch, abatch]
IN_PIECES = [stream, astream, astream_events]


def assert_accounted(record: CallRecord, *, route: str, model: str) -> None:
    """Owners, tags, route and money of a call that was made."""
    assert (record.feature, record.user, record.team) == ("support", "u42", "cards")
    assert record.metadata["plan"] == "pro"
    assert {"web", "beta"} <= set(record.tags)
    assert (record.framework, record.operation, record.provider) == ("langchain", "chat", "openai")
    assert (record.route, record.model_asked) == (route, model)
    assert record.route_score is not None
    assert record.error is None
    assert not record.interrupted
    assert record.latency_seconds > 0
    assert record.question_hash
    into, out = PER_TOKEN[model]
    tokens = record.usage
    assert record.cost.usd == into * tokens.total_input + out * tokens.total_output
    assert record.cost.basis == "exact"
    removed = [one.tokens for one in record.saved if one.part == "prune"]
    assert removed
    dear_in, dear_out = PER_TOKEN[STRONG]
    assert saved(record, "prune") == dear_in * removed[0]
    if model == CHEAP:
        dear = dear_in * tokens.total_input + dear_out * tokens.total_output
        assert saved(record, "route") == dear - record.cost.usd
    else:
        assert saved(record, "route") is None


@pytest.mark.parametrize("way", WHOLE, ids=lambda way: way.__name__)
async def test_answers_come_whole_and_again_from_the_cache(
    way: Any, provider: FakeProvider, cache: SemanticCache, ledger: Ledger
) -> None:
    chain, config = kit_rag(provider, cache), metered(ledger, **OWNERS)
    first = [await way(chain, text, config) for text in (EASY, HARD)]
    again = [await way(chain, text, config) for text in (EASY, HARD)]
    assert again == first
    assert "refunds" in first[0]
    assert provider.calls == 2

    live_easy, live_hard, hit_easy, hit_hard = calls(ledger)
    assert_accounted(live_easy, route="cheap", model=CHEAP)
    assert_accounted(live_hard, route="strong", model=STRONG)
    for live, hit in ((live_easy, hit_easy), (live_hard, hit_hard)):
        assert (live.cache, hit.cache, hit.cache_tier) == ("miss", "hit", "exact")
        assert hit.cost.usd == hit.side_cost_usd == 0
        assert hit.usage.total == 0
        assert saved(hit, "cache") == without_kit(live)
        assert (hit.route, hit.feature, hit.user, hit.team) == (live.route, "support", "u42", "cards")
        assert (hit.question_hash, hit.trace_id != live.trace_id) == (live.question_hash, True)
        entry = cache.entry(hit.cache_entry_id or 0)
        assert entry is not None
        assert entry.answer_usd == live.cost.usd
    assert_agrees(ledger, provider)
    assert cache.stats().saved_usd == (live_easy.cost.usd or 0) + (live_hard.cost.usd or 0)
    assert [row.hits for row in ledger.report(by="feature").rows] == [2]


@pytest.mark.parametrize("way", IN_PIECES, ids=lambda way: way.__name__)
async def test_answers_come_in_pieces(way: Any, cache: SemanticCache, ledger: Ledger) -> None:
    with FakeProvider(chunk_seconds=0.002) as provider:
        chain, config = kit_rag(provider, cache), metered(ledger, **OWNERS)
        for text, route, model in ((EASY, "cheap", CHEAP), (HARD, "strong", STRONG)):
            answer = await way(chain, text, config)
            record = calls(ledger)[-1]
            assert_accounted(record, route=route, model=model)
            assert (record.streamed, record.cache) == (True, "none")
            assert record.first_token_seconds is not None
            assert record.first_token_seconds <= record.latency_seconds
            # the same as the chain says in one piece
            assert answer == kit_rag(provider, cache).invoke(ask(text))
        assert len(calls(ledger)) == 2
        streamed = [call.usd for call in provider.log if call.streamed]
        assert ledger.report().total.usd == sum(streamed, start=Decimal(0))


@pytest.mark.parametrize("asynchronous", [False, True], ids=["batch", "abatch"])
async def test_a_batch_keeps_its_order_and_owners(
    asynchronous: bool, provider: FakeProvider, cache: SemanticCache, ledger: Ledger
) -> None:
    chain = kit_rag(provider, cache)
    expected = [chain.invoke(ask(text)) for text in QUESTIONS]
    cache.clear()
    provider.reset()
    inputs = [ask(text) for text in QUESTIONS * 2]
    configs = [metered(ledger, user=f"u{n}", feature="bulk") for n in range(len(inputs))]
    answers = await chain.abatch(inputs, configs) if asynchronous else chain.batch(inputs, configs)
    assert answers == expected * 2
    records = calls(ledger)
    assert sorted(record.user or "" for record in records) == sorted(f"u{n}" for n in range(len(inputs)))
    assert len({record.trace_id for record in records}) == len(inputs)
    hashes = {int((record.user or "")[1:]): record.question_hash for record in records}
    assert all(hashes[n] == hashes[n + len(QUESTIONS)] for n in range(len(QUESTIONS)))
    assert sum(record.cache == "hit" for record in records) + provider.calls == len(inputs)
    assert_agrees(ledger, provider)
    assert {row.group: row.requests for row in ledger.report(by="tag").rows}["web"] == len(inputs)


def test_every_part_says_what_it_saved_and_the_sum_is_what_the_plain_chain_costs(
    cache: SemanticCache, ledger: Ledger
) -> None:
    asked = [EASY, EASY_TOO, HARD, EASY, EASY]
    answer = "It takes five working days, as the articles say."
    with FakeProvider(answer=lambda request: answer) as provider:
        plain = plain_rag(provider)
        for text in asked:
            plain.invoke(ask(text))
        without = provider.billed_usd
    with FakeProvider(answer=lambda request: answer) as provider:
        chain, config = kit_rag(provider, cache), metered(ledger)
        for text in asked:
            chain.invoke(ask(text), config)
        assert_agrees(ledger, provider)
    total = ledger.report().total
    assert set(total.saved_by_part) == {"cache", "route", "prune"}
    assert all(usd > 0 for usd in total.saved_by_part.values())
    assert total.hypothetical_usd == 0
    # The parts count what a call saved after the part before it: a hit saves the pruned, routed
    # answer. So the sum may fall short of the difference, and must never pass it.
    assert total.usd < total.usd + total.saved_usd <= without


def test_another_wording_is_a_hit_where_the_question_and_the_version_are_declared(
    provider: FakeProvider, cache: SemanticCache, ledger: Ledger
) -> None:
    chain, config = kit_rag(provider, cache, prompt=TOGETHER), metered(ledger)
    for text in ("How do I change my PIN?", "How can I change my PIN?"):
        with question(text, scope="articles-1"):
            chain.invoke(ask(text), config)
    live, hit = calls(ledger)
    assert (hit.cache, hit.cache_tier) == ("hit", "semantic")
    assert hit.similarity is not None
    assert 0.6 < hit.similarity < 1
    assert (saved(hit, "cache"), hit.question_hash != live.question_hash) == (without_kit(live), True)
    with question("How do I not change my PIN?", scope="articles-1"):
        chain.invoke(ask("How do I not change my PIN?"), config)
    refused = calls(ledger)[-1]
    assert (refused.cache, refused.cache_tier) == ("miss", None)
    assert refused.cache_reason
    assert_agrees(ledger, provider)


def test_a_question_finder_gives_hits_in_a_batch(provider: FakeProvider, tmp_path: Path, ledger: Ledger) -> None:
    def find(request: CacheRequest) -> DeclaredQuestion:
        return DeclaredQuestion(request.turns[-1].text.rpartition("Question: ")[2], "articles-1")

    with SemanticCache(tmp_path / "costkit.db", question=find) as cache:
        chain, config = kit_rag(provider, cache, prompt=TOGETHER), metered(ledger)
        chain.batch([ask("How do I change my PIN?")], config)
        chain.batch([ask(text) for text in ("How can I change my PIN?", "How do I freeze my card?")], config)
    assert sorted(record.cache for record in calls(ledger)) == ["hit", "miss", "miss"]
    assert_agrees(ledger, provider)


def test_the_same_question_about_other_documents_is_never_served(
    provider: FakeProvider, cache: SemanticCache, ledger: Ledger
) -> None:
    config = metered(ledger)
    kit_rag(provider, cache, max_tokens=45, prompt=TOGETHER).invoke(ask(EASY), config)
    kit_rag(provider, cache, max_tokens=20, prompt=TOGETHER).invoke(ask(EASY), config)
    assert [record.cache for record in calls(ledger)] == ["miss", "miss"]
    assert provider.calls == 2
