"""Is every try recorded once and priced right, whoever tries again?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.output_parsers import StrOutputParser

from lc_costkit import Ledger, ModelRouter, SemanticCache
from lc_costkit.testing import FakeProvider, Fault
from tests.conftest import chat_anthropic, chat_openai
from tests.whole.support import EASY, HARD, assert_agrees, calls, metered


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as opened:
        yield opened


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[SemanticCache]:
    with SemanticCache(tmp_path / "l.db") as opened:
        yield opened


@pytest.mark.parametrize("make", [chat_openai, chat_anthropic], ids=["openai", "anthropic"])
@pytest.mark.parametrize("streamed", [False, True], ids=["invoke", "stream"])
def test_a_retry_inside_the_client_is_one_call(
    make: Any, streamed: bool, provider: FakeProvider, ledger: Ledger
) -> None:
    model, config = make(provider, max_retries=2), metered(ledger)
    provider.fail_next(Fault.rate_limit(retry_after=0.01), times=2)
    answer = "".join(str(x.text) for x in model.stream(EASY, config)) if streamed else model.invoke(EASY, config).text
    assert answer
    assert [call.status for call in provider.log] == [429, 429, 200]
    (record,) = calls(ledger)
    assert (record.error, record.interrupted, record.streamed) == (None, False, streamed)
    assert record.latency_seconds >= 0.02
    assert_agrees(ledger, provider)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_with_retry_records_each_try(
    asynchronous: bool, provider: FakeProvider, cache: SemanticCache, ledger: Ledger
) -> None:
    router = ModelRouter({"cheap": chat_openai(provider, cache=cache), "strong": chat_anthropic(provider, cache=cache)})
    chain = router.with_retry(stop_after_attempt=3, wait_exponential_jitter=False) | StrOutputParser()
    config = metered(ledger, feature="retried")
    for text in (EASY, HARD):
        provider.fail_next(Fault.server_error())
        for _ in range(2):
            assert await chain.ainvoke(text, config) if asynchronous else chain.invoke(text, config)
    records = calls(ledger)
    assert [record.cache for record in records] == ["none", "miss", "hit"] * 2
    assert [record.error is None for record in records] == [False, True, True] * 2
    assert [record.provider for record in records] == ["openai"] * 3 + ["anthropic"] * 3
    assert all(record.cost.usd == 0 and record.cost.basis == "exact" for record in records if record.error)
    total = ledger.report(by="feature").total
    assert (total.requests, total.calls, total.errors, total.hits) == (6, 4, 2, 2)
    assert_agrees(ledger, provider)


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream", "batch"])
async def test_a_fallback_to_another_provider(
    way: str, provider: FakeProvider, cache: SemanticCache, ledger: Ledger
) -> None:
    first, second = chat_openai(provider, "gpt-4o", cache=cache), chat_anthropic(provider, cache=cache)
    chain, config = first.with_fallbacks([second]) | StrOutputParser(), metered(ledger)
    provider.fail_next(Fault.overloaded(), match=lambda request: request.provider == "openai")
    if way == "invoke":
        answer = chain.invoke(EASY, config)
    elif way == "ainvoke":
        answer = await chain.ainvoke(EASY, config)
    elif way == "stream":
        answer = "".join(chain.stream(EASY, config))
    elif way == "astream":
        answer = "".join([piece async for piece in chain.astream(EASY, config)])
    else:
        (answer,) = chain.batch([EASY], config)
    assert answer
    failed, answered = calls(ledger)
    assert (failed.provider, failed.cost.usd, failed.cost.basis) == ("openai", 0, "exact")
    assert failed.error
    assert (answered.provider, answered.error, answered.model_asked) == ("anthropic", None, "claude-haiku-4-5")
    assert answered.trace_id == failed.trace_id
    assert_agrees(ledger, provider)


def test_a_fallback_of_a_router_over_routers(provider: FakeProvider, ledger: Ledger) -> None:
    main = ModelRouter({"cheap": chat_openai(provider), "strong": chat_openai(provider, "gpt-4o")})
    spare = ModelRouter({"cheap": chat_anthropic(provider), "strong": chat_anthropic(provider, "claude-sonnet-4-6")})
    chain, config = main.with_fallbacks([spare]) | StrOutputParser(), metered(ledger)
    provider.fail_next(Fault.server_error(), times=2, match=lambda request: request.provider == "openai")
    for text in (EASY, HARD):
        assert chain.invoke(text, config)
    records = calls(ledger)
    assert [(record.route, record.model_asked, record.error is None) for record in records] == [
        ("cheap", "gpt-4o-mini", False),
        ("cheap", "claude-haiku-4-5", True),
        ("strong", "gpt-4o", False),
        ("strong", "claude-sonnet-4-6", True),
    ]
    assert_agrees(ledger, provider)


def test_when_nothing_helps_the_providers_error_is_the_applications(
    provider: FakeProvider, cache: SemanticCache, ledger: Ledger
) -> None:
    router = ModelRouter({"cheap": chat_openai(provider, cache=cache), "strong": chat_anthropic(provider, cache=cache)})
    provider.fail_next(Fault.refused(status=401))
    with pytest.raises(Exception, match="401"):
        router.invoke(EASY, metered(ledger))
    (record,) = calls(ledger)
    assert "AuthenticationError" in (record.error or "")
    assert record.cost.usd == 0
    assert cache.stats().stored == 0
    assert cache.stats().faults == router.faults.counts == {}
    assert router.invoke(EASY, metered(ledger)).text
    assert_agrees(ledger, provider)
