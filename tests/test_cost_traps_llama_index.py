"""Is every trap in both providers' bills read right through LlamaIndex, whatever its ``raw`` holds?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("llama_index.core")
pytest.importorskip("anthropic")

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage

from lc_costkit.ledger import Ledger
from lc_costkit.llama_index import instrument
from lc_costkit.record import CallRecord
from lc_costkit.testing import FakeIteration, FakeProvider
from tests.support.llama_anthropic import AnthropicFunctionLLM
from tests.support.llama_openai import OpenAIFunctionLLM
from tests.support.traps import LONG, answering, around_the_bill, as_billed

WAYS = ("chat", "achat", "stream_chat", "astream_chat", "complete", "stream_complete")
CHAT_WAYS = WAYS[:4]
EVERY_WAY = pytest.mark.parametrize("way", WAYS)
EVERY_CHAT = pytest.mark.parametrize("way", CHAT_WAYS)
PLAIN = pytest.mark.parametrize("plain", [True, False], ids=["dict", "object"])
QUESTION = "How do I freeze my card?"

Call = Callable[..., CallRecord]


@pytest.fixture
def call() -> Iterator[Call]:
    """``call(llm, way, system=..., **options)``: make one call and return its record."""
    ledger = Ledger()

    def make(llm: Any, way: str, *, system: ChatMessage | None = None, **options: Any) -> CallRecord:
        before = len(list(ledger.records()))
        given: Any = QUESTION
        if way in CHAT_WAYS:
            given = [*([system] if system else []), ChatMessage(role="user", content=QUESTION)]
        asyncio.run(_made(llm, way, given, options)) if way.startswith("a") else _made_at_once(llm, way, given, options)
        ledger.flush()
        assert ledger.faults.counts == {}
        *_, record = ledger.records()
        assert len(list(ledger.records())) == before + 1
        return record

    with instrument(ledger):
        yield make


def _made_at_once(llm: Any, way: str, given: Any, options: dict[str, Any]) -> None:
    made = getattr(llm, way)(given, **options)
    if way.startswith("stream"):
        assert list(made)


async def _made(llm: Any, way: str, given: Any, options: dict[str, Any]) -> None:
    made = await getattr(llm, way)(given, **options)
    if "stream" in way:
        async for _ in made:
            pass


def claude(provider: FakeProvider, model: str = "claude-sonnet-4-6", **options: Any) -> AnthropicFunctionLLM:
    return AnthropicFunctionLLM(model=model, base_url=provider.anthropic_base_url, **options)


def gpt(provider: FakeProvider, model: str = "gpt-5.6-sol") -> OpenAIFunctionLLM:
    return OpenAIFunctionLLM(model=model, base_url=provider.openai_base_url)


def system(lifetime: str | None = None) -> ChatMessage:
    control = {"cache_control": {"type": "ephemeral", "ttl": lifetime}} if lifetime else {}
    return ChatMessage(role="system", content=LONG, additional_kwargs=control)


@EVERY_WAY
@pytest.mark.parametrize("tier", ["flex", "priority", "fast", "default"])
def test_openais_tiers(call: Call, way: str, tier: str) -> None:
    with answering(service_tier=tier, reasoning_tokens=30) as provider:
        as_billed(call(gpt(provider, "gpt-5"), way), provider)


@EVERY_CHAT
@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-5.6-sol", "gpt-6-luna"])
def test_openais_cache(call: Call, way: str, model: str) -> None:
    with FakeProvider() as provider:
        as_billed(call(gpt(provider, model), way, system=system()), provider)
        record = call(gpt(provider, model), way, system=system())
        as_billed(record, provider)
        assert record.usage.cache_read_tokens > 1024


@EVERY_WAY
def test_openais_audio(call: Call, way: str) -> None:
    with answering(input_audio_tokens=300, output_audio_tokens=80) as provider:
        as_billed(call(gpt(provider, "gpt-audio"), way), provider)


@EVERY_CHAT
@PLAIN
@pytest.mark.parametrize("lifetime", ["5m", "1h"])
def test_anthropics_cache(call: Call, way: str, plain: bool, lifetime: str) -> None:
    with FakeProvider() as provider:
        write = call(claude(provider, plain=plain), way, system=system(lifetime))
        as_billed(write, provider)
        assert write.usage.cache_write_1h_tokens + write.usage.cache_write_5m_tokens > 4000
        as_billed(call(claude(provider, plain=plain), way, system=system(lifetime)), provider)


@EVERY_WAY
@PLAIN
def test_where_and_how_fast_and_how_a_message_was_made(call: Call, way: str, plain: bool) -> None:
    with answering(inference_geo="us", reasoning_tokens=50) as provider:
        as_billed(call(claude(provider, "claude-opus-5-5", plain=plain), way), provider)
    with answering(speed="fast") as provider:
        as_billed(call(claude(provider, "claude-opus-5-5", plain=plain), way), provider)
    with answering(service_tier="batch") as provider:
        as_billed(call(claude(provider, plain=plain), way), provider)


@EVERY_WAY
@PLAIN
def test_searches(call: Call, way: str, plain: bool) -> None:
    with answering(web_searches=2, failed_web_searches=1, web_fetches=1) as provider:
        record = call(claude(provider, plain=plain), way)
        as_billed(record, provider)
    assert dict(record.usage.tool_requests)["web_search"] == 2


@EVERY_WAY
@PLAIN
def test_iterations(call: Call, way: str, plain: bool) -> None:
    iterations = (
        FakeIteration(kind="compaction", input_tokens=100, cache_write_tokens=55_096, output_tokens=82),
        FakeIteration(model="claude-fable-5", input_tokens=900),
        FakeIteration(input_tokens=1128, output_tokens=155),
        FakeIteration(kind="advisor_message", model="claude-fable-5", input_tokens=2564, output_tokens=99),
    )
    with answering(iterations=iterations) as provider:
        as_billed(call(claude(provider, "claude-sonnet-5", plain=plain), way), provider)
    with answering(answered_by="claude-opus-4-8") as provider:
        as_billed(call(claude(provider, "claude-fable-5", plain=plain), way), provider)


@pytest.mark.parametrize("way", ["stream_chat", "astream_chat"])
@PLAIN
@pytest.mark.parametrize("lifetime", ["5m", "1h"])
def test_a_stream_whose_beginning_is_not_told(call: Call, way: str, plain: bool, lifetime: str) -> None:
    """The request says what the end of the stream does not."""
    with FakeProvider() as provider:
        llm = claude(provider, "claude-opus-5-5", plain=plain, told="end")
        record = call(llm, way, system=system(lifetime), inference_geo="us", extra_body={"speed": "fast"})
        as_billed(record, provider)
        control = [{"type": "ephemeral", "ttl": each} for each in ("1h", "5m")]
        tools = [{"name": "freeze", "input_schema": {}, "description": LONG, "cache_control": control[0]}]
        mixed = ChatMessage(role="system", content=LONG, additional_kwargs={"cache_control": control[1]})
        around_the_bill(call(llm, way, system=mixed, tools=tools), provider)


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's workflows
def test_an_agent_is_billed_as_its_calls_are() -> None:
    def balance(account: str) -> str:
        """Return the balance of an account."""
        return f"12 EUR on {account}"

    async def run(llm: Any) -> None:
        await FunctionAgent(tools=[balance], llm=llm, streaming=False).run("What is the balance?")

    ledger = Ledger()
    with FakeProvider() as provider, instrument(ledger):
        asyncio.run(run(gpt(provider, "gpt-5")))
        asyncio.run(run(claude(provider)))
    ledger.flush()
    records = list(ledger.records())
    assert len(records) == provider.calls == 4
    assert sum(record.cost.usd or 0 for record in records) == provider.billed_usd
    assert {record.cost.basis for record in records} == {"exact"}
