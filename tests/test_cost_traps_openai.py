"""Is every trap in OpenAI's bills read right through ChatOpenAI, whole and streamed, chat and responses?"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("langchain_openai")

from langchain_core.caches import InMemoryCache
from langchain_core.messages import BaseMessage, HumanMessage

from lc_costkit.langchain.callbacks import CostCallbackHandler
from lc_costkit.ledger import Ledger
from lc_costkit.record import CallRecord
from lc_costkit.testing import FakeAnswer, FakeProvider
from tests.conftest import chat_openai
from tests.support import traps
from tests.support.traps import LONG, STREAMED, WAYS, answering, around_the_bill, call, reports_openais_writes

REPORTS_WRITES = reports_openais_writes()
"""Where the raw report is lost, too, what was written has bounds."""


def as_billed(record: CallRecord, provider: FakeProvider) -> None:
    unseen = not REPORTS_WRITES and record.cost.basis == "estimated"
    (around_the_bill if unseen else traps.as_billed)(record, provider)


BOTH = pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])
EVERY_WAY = pytest.mark.parametrize("way", WAYS)

# langchain-openai's chunks hold objects that pydantic's serializer remarks on.
pytestmark = pytest.mark.filterwarnings("ignore:Unexpected type for token usage:UserWarning")


@EVERY_WAY
@BOTH
@pytest.mark.parametrize("tier", ["flex", "priority", "fast"])
def test_the_tier_that_answered_is_billed(way: str, responses: bool, tier: str) -> None:
    with answering(reasoning_tokens=40) as provider:
        model = chat_openai(provider, "gpt-5.6-sol", service_tier=tier, use_responses_api=responses)
        record = call(model, way, system=LONG)
        as_billed(record, provider)
        assert record.usage.reasoning_tokens == 40
        again = call(model, way, system=LONG)
        as_billed(again, provider)
        assert again.usage.cache_read_tokens > 0
        if REPORTS_WRITES:
            assert again.usage.cache_write_tokens < record.usage.cache_write_tokens


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
@pytest.mark.parametrize("given", ["flex", "default"])
def test_the_tier_of_several_choices_is_billed(way: str, given: str) -> None:
    with answering(service_tier=given) as provider:
        record = call(chat_openai(provider, "gpt-5", n=3, service_tier="flex"), way)
        as_billed(record, provider)
    assert record.billing["service_tier"] == given
    assert record.model_answered == "gpt-5-2025-08-07"


@EVERY_WAY
@BOTH
def test_a_tier_named_fast_in_the_answer_is_not_missed(way: str, responses: bool) -> None:
    with answering(service_tier="fast") as provider:
        record = call(chat_openai(provider, "gpt-5", use_responses_api=responses), way)
        as_billed(record, provider)
    assert record.billing["service_tier"] == "fast"


@EVERY_WAY
@BOTH
def test_a_downgraded_call_is_billed_as_it_was_answered(way: str, responses: bool) -> None:
    with answering(service_tier="default") as provider:
        record = call(chat_openai(provider, "gpt-5", service_tier="priority", use_responses_api=responses), way)
        as_billed(record, provider)
    assert record.billing["service_tier"] == "default"


@EVERY_WAY
@BOTH
def test_a_tier_that_is_paid_beforehand_is_not_called_exact(way: str, responses: bool) -> None:
    with answering(service_tier="scale") as provider:
        record = call(chat_openai(provider, "gpt-5", use_responses_api=responses), way)
    assert (record.cost.basis, record.billing["service_tier"]) == ("estimated", "scale")
    assert record.cost.usd == provider.billed_usd


@EVERY_WAY
@BOTH
@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4.1", "gpt-5", "gpt-5.6-luna", "gpt-6-sol"])
def test_cached_reads_and_writes(way: str, responses: bool, model: str) -> None:
    with FakeProvider() as provider:
        chat = chat_openai(provider, model, use_responses_api=responses)
        as_billed(call(chat, way, system=LONG), provider)
        second = call(chat, way, system=LONG)
        as_billed(second, provider)
    assert second.usage.cache_read_tokens > 1024


@EVERY_WAY
@BOTH
def test_reasoning_is_output_and_billed_once(way: str, responses: bool) -> None:
    with answering(reasoning_tokens=1500) as provider:
        record = call(chat_openai(provider, "gpt-5", use_responses_api=responses), way)
        as_billed(record, provider)
    assert record.usage.reasoning_tokens == 1500 < record.usage.output_tokens


@EVERY_WAY
@BOTH
@pytest.mark.parametrize("tier", [None, "flex"])
def test_a_long_prompt_is_billed_at_the_higher_rate_throughout(way: str, responses: bool, tier: str | None) -> None:
    with FakeProvider() as provider:
        options = {"service_tier": tier} if tier else {}
        model = chat_openai(provider, "gpt-5.6-luna", use_responses_api=responses, **options)
        record = call(model, way, system="word " * 300_000)
        as_billed(record, provider)
    assert record.usage.total_input > 272_000


@EVERY_WAY
def test_audio_has_rates_of_its_own(way: str) -> None:
    with answering(input_audio_tokens=400, output_audio_tokens=90) as provider:
        record = call(chat_openai(provider, "gpt-audio"), way)
        as_billed(record, provider)
    assert (record.usage.input_audio_tokens, record.usage.output_audio_tokens) == (400, 90)


@EVERY_WAY
@pytest.mark.parametrize("output_version", ["responses/v1", "v1", "v0"])
def test_tools_that_are_billed_by_the_call_are_found_in_the_answer(way: str, output_version: str) -> None:
    with answering(web_searches=2, failed_web_searches=1, file_searches=1) as provider:
        model = chat_openai(provider, "gpt-5", use_responses_api=True, output_version=output_version)
        record = call(model.bind_tools([{"type": "web_search"}]), way)
        as_billed(record, provider)
    assert dict(record.usage.tool_requests) == {"file_search": 1, "web_search": 2}


@EVERY_WAY
def test_a_write_that_is_kept_for_twelve_hours_has_bounds(way: str) -> None:
    with FakeProvider() as provider:
        kept: Any = {"prompt_cache_options": {"ttl": "12h"}}
        model = chat_openai(provider, "gpt-5.6-sol", use_responses_api=True, extra_body=kept)
        around_the_bill(call(model, way, system=LONG), provider)
        as_billed(call(model, way, system="Short."), provider)


@pytest.mark.parametrize("way", STREAMED)
def test_a_stream_without_usage_is_an_estimate(way: str) -> None:
    with FakeProvider() as provider:
        record = call(chat_openai(provider, "gpt-4o-mini", stream_usage=False), way)
    assert record.cost.basis == "estimated"
    assert record.cost.usd and provider.billed_usd / 2 < record.cost.usd < provider.billed_usd * 2


@EVERY_WAY
def test_an_answer_of_langchains_own_cache_costs_nothing(way: str) -> None:
    with FakeProvider() as provider:
        model = chat_openai(provider, "gpt-4o", cache=InMemoryCache())
        as_billed(call(model, "invoke"), provider)
        hit = call(model, "ainvoke" if way.startswith("a") else "invoke")
        assert provider.calls == 1
    assert (hit.cost.usd, hit.cost.basis, hit.cache) == (0, "exact", "hit")


def test_prompts_of_one_generate_keep_their_own_tiers() -> None:
    tiers = iter(["flex", "default", "priority"])
    ledger = Ledger()
    with FakeProvider(answer=lambda request: FakeAnswer("Yes.", service_tier=next(tiers))) as provider:
        prompts: list[list[BaseMessage]] = [[HumanMessage(text)] for text in ("one", "two", "three")]
        chat_openai(provider, "gpt-5").generate(prompts, callbacks=[CostCallbackHandler(ledger)])
    records = list(ledger.records())
    assert sum(record.cost.usd or 0 for record in records) == provider.billed_usd
    assert sorted(record.billing["service_tier"] for record in records) == ["default", "flex", "priority"]
