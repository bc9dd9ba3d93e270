"""Is every trap in Anthropic's bills read right through ChatAnthropic, and doubted where a stream loses it?"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("langchain_anthropic")

from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage

from lc_costkit.pricing import PriceBook
from lc_costkit.readers import read_langchain
from lc_costkit.record import CallRecord
from lc_costkit.testing import FakeIteration, FakeProvider
from tests.conftest import chat_anthropic
from tests.support.traps import LONG, STREAMED, WAYS, WHOLE, answering, around_the_bill, as_billed, call, marked

EVERY_WAY = pytest.mark.parametrize("way", WAYS)
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
COMPACT = {"edits": [{"type": "compact_20260112"}]}
ADVISOR = {"type": "advisor_20260301", "name": "advisor", "model": "claude-fable-5"}
SUMMARY = FakeIteration(kind="compaction", input_tokens=100, cache_write_tokens=55_096, output_tokens=82)
ADVICE = FakeIteration(kind="advisor_message", model="claude-fable-5", input_tokens=2564, output_tokens=99)
EARLIER = FakeIteration(input_tokens=1128, output_tokens=155)
DECLINED = FakeIteration(model="claude-fable-5", input_tokens=700)


def told(record: CallRecord, provider: FakeProvider, way: str) -> None:
    """What a whole answer says exactly, a stream leaves open."""
    (as_billed if way in WHOLE else around_the_bill)(record, provider)


@EVERY_WAY
@pytest.mark.parametrize("lifetime", [None, "5m", "1h"])
@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "claude-opus-5-5", "claude-fable-5-1", "claude-haiku-4-5"])
def test_writes_cost_what_their_lifetime_costs_and_reads_what_the_model_charges(
    way: str, lifetime: str | None, model: str
) -> None:
    with FakeProvider() as provider:
        chat = chat_anthropic(provider, model)
        write = call(chat, way, system=marked(LONG, lifetime))
        as_billed(write, provider)
        kept = write.usage.cache_write_1h_tokens if lifetime == "1h" else write.usage.cache_write_5m_tokens
        assert kept > 4000
        read = call(chat, way, system=marked(LONG, lifetime))
        as_billed(read, provider)
        assert read.usage.cache_read_tokens > 4000


@EVERY_WAY
def test_a_call_that_writes_for_both_lifetimes(way: str) -> None:
    with FakeProvider() as provider:
        told(call(chat_anthropic(provider, "claude-sonnet-4-6"), way, system=marked(LONG, "1h", "5m")), provider, way)


@EVERY_WAY
@pytest.mark.parametrize("lifetime", ["5m", "1h"])
def test_a_lifetime_asked_for_with_the_call_or_a_tool(way: str, lifetime: str) -> None:
    control = {"type": "ephemeral", "ttl": lifetime}
    with FakeProvider() as provider:
        chat = chat_anthropic(provider, "claude-sonnet-4-6")
        as_billed(call(chat.bind(cache_control=control), way, system=LONG), provider)
        tool = {"name": "freeze", "description": LONG, "input_schema": {"type": "object"}, "cache_control": control}
        record = call(chat.bind_tools([tool]), way)
        as_billed(record, provider)
        assert record.usage.cache_write_1h_tokens + record.usage.cache_write_5m_tokens > 4000


@EVERY_WAY
@pytest.mark.parametrize("model", ["claude-fable-5-1", "claude-opus-5-5"])
def test_a_place_that_was_asked_for_is_billed(way: str, model: str) -> None:
    with FakeProvider() as provider:
        record = call(chat_anthropic(provider, model, inference_geo="us"), way, system=marked(LONG, "1h"))
        as_billed(record, provider)
    assert record.billing["inference_geo"] == "us"


@EVERY_WAY
def test_a_place_that_the_workspace_sets_is_taken_from_the_metadata(way: str) -> None:
    with answering(inference_geo="us") as provider:
        chat = chat_anthropic(provider, "claude-opus-5-5")
        as_billed(call(chat, way, metadata={"inference_geo": "us"}), provider)


@pytest.mark.parametrize("way", WHOLE)
def test_a_whole_answer_says_where_it_was_made(way: str) -> None:
    with answering(inference_geo="us") as provider:
        as_billed(call(chat_anthropic(provider, "claude-opus-5-5"), way), provider)


@EVERY_WAY
def test_fast_mode(way: str) -> None:
    with FakeProvider() as provider:
        chat = chat_anthropic(provider, "claude-opus-5-5", model_kwargs={"speed": "fast"})
        record = call(chat, way, system=marked(LONG, "5m"))
        as_billed(record, provider)
        assert record.billing["speed"] == "fast"
        as_billed(call(chat_anthropic(provider, "claude-opus-5").bind(speed="fast"), way), provider)


@pytest.mark.parametrize("way", WHOLE)
@pytest.mark.parametrize("lifetime", ["5m", "1h"])
def test_batch_stacks_with_the_cache(way: str, lifetime: str) -> None:
    with answering(service_tier="batch") as provider:
        record = call(chat_anthropic(provider, "claude-sonnet-4-6"), way, system=marked(LONG, lifetime))
        as_billed(record, provider)
    assert record.billing["processing"] == "batch"


@EVERY_WAY
def test_priority_capacity_that_may_have_served_a_call_is_a_doubt(way: str) -> None:
    with answering(service_tier="priority") as provider:
        chat = chat_anthropic(provider, "claude-sonnet-4-6", model_kwargs={"service_tier": "auto"})
        around_the_bill(call(chat, way), provider)
    with FakeProvider() as provider:
        chat = chat_anthropic(provider, "claude-sonnet-4-6", model_kwargs={"service_tier": "standard_only"})
        as_billed(call(chat, way), provider)


@EVERY_WAY
@pytest.mark.parametrize("output_version", [None, "v1"])
def test_searches_are_billed_by_the_request_and_only_if_they_worked(way: str, output_version: str | None) -> None:
    options: dict[str, Any] = {} if output_version is None else {"output_version": output_version}
    with answering(web_searches=2, failed_web_searches=1, web_fetches=3) as provider:
        chat = chat_anthropic(provider, "claude-sonnet-4-6", **options).bind_tools([SEARCH])
        record = call(chat, way)
        as_billed(record, provider)
    assert dict(record.usage.tool_requests)["web_search"] == 2
    with answering(failed_web_searches=1) as provider:
        chat = chat_anthropic(provider, "claude-sonnet-4-6", **options).bind_tools([SEARCH])
        as_billed(call(chat, way), provider)


@EVERY_WAY
def test_compaction_is_billed_and_a_stream_knows_only_that_it_happened(way: str) -> None:
    with answering(iterations=(SUMMARY,)) as provider:
        chat = chat_anthropic(provider, "claude-sonnet-4-6", context_management=COMPACT, betas=["compact-2026-01-12"])
        told(call(chat, way), provider, way)


@EVERY_WAY
def test_an_advisor_is_billed_at_its_own_rates(way: str) -> None:
    with answering(iterations=(EARLIER, ADVICE)) as provider:
        chat = chat_anthropic(provider, "claude-sonnet-5", betas=["advisor-tool-2026-03-01"]).bind_tools([ADVISOR])
        record = call(chat, way)
        told(record, provider, way)
    if way in WHOLE:
        assert [part["model"] for part in record.billing["also"]] == ["claude-fable-5"]


@EVERY_WAY
def test_a_request_that_allows_compaction_and_advice_is_exact_where_neither_was_used(way: str) -> None:
    with FakeProvider() as provider:
        chat = chat_anthropic(
            provider, "claude-sonnet-5", context_management=COMPACT, betas=["compact-2026-01-12"]
        ).bind_tools([ADVISOR])
        as_billed(call(chat, way), provider)


@EVERY_WAY
@pytest.mark.parametrize("iterations", [(EARLIER,), (DECLINED,), (DECLINED, EARLIER)])
def test_earlier_turns_are_billed_and_declined_ones_are_not(way: str, iterations: tuple[FakeIteration, ...]) -> None:
    with answering(iterations=iterations) as provider:
        chat = chat_anthropic(provider, "claude-sonnet-5", betas=["advisor-tool-2026-03-01"])
        as_billed(call(chat, way), provider)


@EVERY_WAY
def test_a_fallback_is_billed_at_the_rates_of_the_model_that_answered(way: str) -> None:
    with answering(answered_by="claude-opus-4-8") as provider:
        chat = chat_anthropic(
            provider,
            "claude-fable-5",
            betas=["server-side-fallback-2026-06-01"],
            model_kwargs={"fallbacks": [{"model": "claude-opus-4-8"}]},
        )
        as_billed(call(chat, way), provider)


@pytest.mark.parametrize("way", WHOLE)
def test_a_long_context_rate_sees_each_iteration_by_itself(way: str) -> None:
    summary = FakeIteration(kind="compaction", input_tokens=90_000, output_tokens=500)
    earlier = FakeIteration(input_tokens=95_000, output_tokens=10)
    with answering(iterations=(summary, earlier)) as provider:
        chat = chat_anthropic(provider, "claude-haiku-5-5", betas=["compact-2026-01-12"])
        as_billed(call(chat, way), provider)


@pytest.mark.filterwarnings("ignore:The model 'claude-sonnet-4-5' is deprecated:DeprecationWarning")
@EVERY_WAY
@pytest.mark.parametrize(("model", "words"), [("claude-haiku-5-5", 110_000), ("claude-sonnet-4-5", 210_000)])
def test_a_long_prompt_is_billed_at_the_higher_rate_throughout(way: str, model: str, words: int) -> None:
    with FakeProvider() as provider:
        as_billed(call(chat_anthropic(provider, model), way, system="word " * words), provider)


@EVERY_WAY
def test_thinking_is_output_and_billed_once(way: str) -> None:
    with answering(reasoning_tokens=300) as provider:
        record = call(chat_anthropic(provider, "claude-opus-5-5"), way)
        as_billed(record, provider)
    assert record.usage.reasoning_tokens == 300 < record.usage.output_tokens


@EVERY_WAY
def test_everything_at_once(way: str) -> None:
    with answering(web_searches=1, reasoning_tokens=20, iterations=(EARLIER,)) as provider:
        chat = chat_anthropic(provider, "claude-opus-5-5", inference_geo="us", betas=["compact-2026-01-12"]).bind_tools(
            [SEARCH]
        )
        as_billed(call(chat, way, system=marked(LONG, "1h")), provider)


@pytest.mark.parametrize("way", STREAMED)
def test_a_lifetime_that_nobody_tells_the_reader_has_bounds(way: str) -> None:
    with FakeProvider() as provider:
        whole = streamed(chat_anthropic(provider, "claude-sonnet-4-6"), way, marked(LONG, "1h"))
        reading = read_langchain(dict(whole.usage_metadata or {}), whole.response_metadata)
        assert reading is not None
        cost = PriceBook().price(reading)
        assert (cost.basis, cost.high) == ("estimated", provider.billed_usd)
        assert cost.low is not None and cost.low == cost.usd < provider.billed_usd


def streamed(chat: Any, way: str, system: Any) -> AIMessageChunk:
    """Gather a stream into one message."""
    messages = [SystemMessage(system), HumanMessage("How do I freeze my card?")]

    async def gathered() -> list[AIMessageChunk]:
        return [chunk async for chunk in chat.astream(messages)]

    chunks = asyncio.run(gathered()) if way == "astream" else list(chat.stream(messages))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    return whole
