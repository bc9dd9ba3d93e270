"""Does one chain over OpenAI and Anthropic speak to each in its own way, and add up both bills?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.output_parsers import JsonOutputToolsParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from pydantic import BaseModel

from lc_costkit import Ledger, ModelRouter, SemanticCache
from lc_costkit.testing import FakeProvider
from tests.conftest import chat_anthropic, chat_openai
from tests.whole.support import EASY, EASY_TOO, HARD, assert_agrees, calls, metered, saved

HARD_TOO = "Prove that transfers are free and justify every step."
BY_PROVIDER = {EASY: "openai", EASY_TOO: "openai", HARD: "anthropic", HARD_TOO: "anthropic"}
PROMPT = ChatPromptTemplate.from_messages([("system", "You are the support assistant of a bank."), ("human", "{q}")])
MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-sonnet-4-6"}
MILLION = Decimal(1_000_000)


@tool
def find_article(title: str) -> str:
    """Find an article of the help centre."""
    return f"Article about {title}."


class Ticket(BaseModel):
    """A support ticket."""

    subject: str
    urgent: bool


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as opened:
        yield opened


@pytest.fixture
def cache() -> Iterator[SemanticCache]:
    with SemanticCache() as opened:
        yield opened


def router(provider: FakeProvider, cache: SemanticCache) -> ModelRouter:
    return ModelRouter(
        {
            "cheap": chat_openai(provider, MODELS["openai"], cache=cache),
            "strong": chat_anthropic(provider, MODELS["anthropic"], cache=cache),
        }
    )


def inputs() -> list[dict[str, str]]:
    return [{"q": text} for text in (EASY, HARD, EASY_TOO, HARD_TOO)]


def assert_priced(ledger: Ledger, provider: FakeProvider) -> None:
    """Both bills, each to the last digit, and what the cheap one saved against the strong one."""
    assert_agrees(ledger, provider)
    records = calls(ledger)
    billed: Counter[str] = Counter()
    for call in provider.log:
        assert call.usd is not None
        billed[call.provider] += call.usd  # type: ignore[assignment]
    rows = {row.group: row.usd for row in ledger.report(by="provider").rows}
    assert rows == dict(billed)
    assert set(rows) == set(MODELS)
    for record in records:
        assert record.model_asked == MODELS[record.provider or ""]
        assert record.route == ("cheap" if record.provider == "openai" else "strong")
        if record.provider == "openai" and record.cache != "hit":
            usage = record.usage
            sonnet = (3 * usage.total_input + 15 * usage.total_output) / MILLION
            assert saved(record, "route") == sonnet - (record.cost.usd or 0)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["batch", "abatch"])
async def test_tools(asynchronous: bool, provider: FakeProvider, cache: SemanticCache, ledger: Ledger) -> None:
    bound = router(provider, cache).bind_tools([find_article], tool_choice="any")
    chain, config = PROMPT | bound | JsonOutputToolsParser(return_id=True), metered(ledger)
    answers = []
    for _ in range(2):
        answers += await chain.abatch(inputs(), config) if asynchronous else chain.batch(inputs(), config)
    called = [one["id"] for (one,) in answers]
    assert [one["type"] for (one,) in answers] == ["find_article"] * 8
    assert [one["args"] for (one,) in answers[:4]] == [one["args"] for (one,) in answers[4:]]
    assert len(set(called)) == 8, "a call that is served again has an id of its own"
    assert provider.calls == 4
    for call in provider.log:
        assert call.body is not None
        (offered,) = call.body["tools"]
        if call.provider == "openai":
            assert offered["function"]["name"] == "find_article"
            assert call.body["tool_choice"] == "required"
        else:
            assert offered["name"] == "find_article"
            assert "input_schema" in offered
            assert call.body["tool_choice"] == {"type": "any"}
    assert Counter(record.cache for record in calls(ledger)) == {"miss": 4, "hit": 4}
    assert_priced(ledger, provider)


async def test_structured_output(provider: FakeProvider, cache: SemanticCache, ledger: Ledger) -> None:
    chain: Any = PROMPT | router(provider, cache).with_structured_output(Ticket)
    config = metered(ledger)
    answers = [chain.batch(inputs(), config), await chain.abatch(inputs(), config)]
    answers.append([chain.invoke(one, config) for one in inputs()])
    assert all(isinstance(ticket, Ticket) for ticket in answers[0])
    assert answers[1] == answers[2] == answers[0]
    assert provider.calls == 4
    for call in provider.log:
        assert call.body is not None
        if call.provider == "openai":
            assert call.body["response_format"]["json_schema"]["name"] == "Ticket"
        else:
            assert call.body["tools"][0]["name"] == "Ticket"
    assert Counter(record.cache for record in calls(ledger)) == {"miss": 4, "hit": 8}
    assert_priced(ledger, provider)


async def test_streams(cache: SemanticCache, ledger: Ledger) -> None:
    def say(request: Any) -> str:
        return f"{request.question} That depends on the day, says {request.provider} in full."

    with FakeProvider(answer=say, chunk_seconds=0.002) as provider:
        chain, config = PROMPT | router(provider, cache) | StrOutputParser(), metered(ledger)
        for one in inputs():
            expected = f"{one['q']} That depends on the day, says {BY_PROVIDER[one['q']]} in full."
            for pieces in (list(chain.stream(one, config)), [piece async for piece in chain.astream(one, config)]):
                assert len([piece for piece in pieces if piece]) > 3
                assert "".join(pieces) == expected
        records = calls(ledger)
        assert [record.provider for record in records] == [
            BY_PROVIDER[text] for text in (EASY, HARD, EASY_TOO, HARD_TOO) for _ in range(2)
        ]
        assert all(record.streamed and record.first_token_seconds is not None for record in records)
        assert_priced(ledger, provider)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["batch", "abatch"])
async def test_a_long_batch_keeps_its_order(asynchronous: bool, cache: SemanticCache, ledger: Ledger) -> None:
    def say(request: Any) -> str:
        return f"{request.provider}: {request.question}"

    asked = [f"{text} ({n})" for n in range(6) for text in (EASY, HARD, EASY_TOO, HARD_TOO)]
    with FakeProvider(answer=say) as provider:
        chain, config = PROMPT | router(provider, cache) | StrOutputParser(), metered(ledger)
        batch = [{"q": text} for text in asked]
        answers = await chain.abatch(batch, config) if asynchronous else chain.batch(batch, config)
        assert answers == [f"{BY_PROVIDER[text.rpartition(' (')[0]]}: {text}" for text in asked]
        assert provider.calls == len(asked) == len(calls(ledger))
        assert_priced(ledger, provider)


def test_providers_never_answer_for_one_another(provider: FakeProvider, cache: SemanticCache, ledger: Ledger) -> None:
    config = metered(ledger)
    for model in (chat_openai(provider, cache=cache), chat_anthropic(provider, cache=cache)) * 2:
        (PROMPT | model).invoke({"q": EASY}, config)
    assert [(record.provider, record.cache) for record in calls(ledger)] == [
        ("openai", "miss"),
        ("anthropic", "miss"),
        ("openai", "hit"),
        ("anthropic", "hit"),
    ]
    assert_agrees(ledger, provider)
