"""Is nothing lost or mixed up when many requests share one chain, one cache and one ledger file?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lc_costkit import Ledger, SemanticCache
from lc_costkit.testing import FakeProvider, FakeRequest
from tests.whole.support import HARD, ask, assert_agrees, calls, kit_rag, metered

THREADS, EACH, DIFFERENT = 16, 50, 60


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    def say(request: FakeRequest) -> str:
        return f"As asked: {request.question}"

    with FakeProvider(answer=say) as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "costkit.db") as opened:
        yield opened


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[SemanticCache]:
    with SemanticCache(tmp_path / "costkit.db") as opened:
        yield opened


def question(number: int) -> str:
    """Every fourth is hard; no two may answer for one another, as their numbers differ."""
    return f"{HARD} See case {number}." if number % 4 == 0 else f"How long does refund {number} take?"


def assert_nothing_lost(
    ledger: Ledger, cache: SemanticCache, provider: FakeProvider, *, requests: int, users: Counter[str]
) -> None:
    records = calls(ledger)
    assert len(records) == requests
    assert len({record.call_id for record in records}) == len({record.trace_id for record in records}) == requests
    assert Counter(record.user for record in records) == users
    assert all(record.error is None for record in records)
    hits = sum(record.cache == "hit" for record in records)
    assert hits + provider.calls == requests
    stats = cache.stats()
    assert (stats.lookups, stats.hits, stats.faults) == (requests, hits, {})
    assert stats.entries == DIFFERENT
    assert cache.check() == ()
    total = ledger.report().total
    # the cache does not know what stood before it
    assert total.saved_by_part.get("cache", 0) >= stats.saved_usd
    assert_agrees(ledger, provider)


def test_threads(provider: FakeProvider, cache: SemanticCache, ledger: Ledger) -> None:
    chain, config = kit_rag(provider, cache), metered(ledger)

    def work(thread: int) -> list[tuple[str, str]]:
        own = {**config, "metadata": {"user": f"u{thread}"}}
        asked = [question((thread * 7 + n) % DIFFERENT) for n in range(EACH)]
        return [(text, chain.invoke(ask(text), own)) for text in asked]

    with ThreadPoolExecutor(THREADS) as pool:
        for pairs in pool.map(work, range(THREADS)):
            for text, answer in pairs:
                assert answer == f"As asked: {text}"
    users = Counter({f"u{thread}": EACH for thread in range(THREADS)})
    assert_nothing_lost(ledger, cache, provider, requests=THREADS * EACH, users=users)
    assert provider.calls < THREADS * EACH / 2


async def test_tasks(provider: FakeProvider, cache: SemanticCache, ledger: Ledger) -> None:
    chain, config = kit_rag(provider, cache), metered(ledger)

    async def work(number: int) -> None:
        text = question(number % DIFFERENT)
        own: Any = {**config, "metadata": {"user": f"u{number % 5}"}}
        assert await chain.ainvoke(ask(text), own) == f"As asked: {text}"

    await asyncio.gather(*map(work, range(200)))
    made = provider.calls
    await asyncio.gather(*map(work, range(200)))
    assert provider.calls == made, "all of the second round is served"
    assert_nothing_lost(ledger, cache, provider, requests=400, users=Counter({f"u{n}": 80 for n in range(5)}))


def test_batches_in_threads_with_a_buffered_ledger(
    provider: FakeProvider, cache: SemanticCache, tmp_path: Path
) -> None:
    with Ledger(tmp_path / "costkit.db", buffered=True) as ledger:
        chain, config = kit_rag(provider, cache), metered(ledger)

        def work(thread: int) -> None:
            texts = [question(n) for n in range(DIFFERENT)]
            own: Any = {**config, "metadata": {"user": f"u{thread}"}}
            assert chain.batch([ask(text) for text in texts], own) == [f"As asked: {text}" for text in texts]

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        users = Counter({f"u{thread}": DIFFERENT for thread in range(4)})
        assert_nothing_lost(ledger, cache, provider, requests=4 * DIFFERENT, users=users)
