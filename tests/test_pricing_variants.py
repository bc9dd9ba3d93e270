"""Hand-priced calls of every kind: each expected amount is written as the sum that it is.

Rates are USD per million tokens from the providers' pages (developers.openai.com/api/docs/pricing,
platform.claude.com/docs/en/about-claude/pricing, ai.google.dev/gemini-api/docs/pricing).
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from lc_costkit.pricing import PriceBook
from lc_costkit.usage import TokenUsage, UsageReading

BOOK = PriceBook()
NOW = "2026-11-20"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def million(*terms: str) -> Decimal:
    """Return USD for ``tokens * rate`` terms, rates per million."""
    products = (term.split("*") for term in terms)
    return sum((Decimal(tokens) * Decimal(rate) for tokens, rate in products), Decimal(0)) / 1_000_000


def call(model: str, provider: str | None = None, **values: Any) -> UsageReading:
    terms = {
        name: values.pop(name) for name in ("service_tier", "processing", "speed", "inference_geo") if name in values
    }
    return UsageReading(usage=TokenUsage(**values), model=model, provider=provider, **terms)


EXACT: list[tuple[UsageReading, str, Decimal]] = [
    # Plain calls of other models.
    (call("gpt-4.1", input_tokens=1000, output_tokens=100), NOW, million("1000*2", "100*8")),
    (call("o3", input_tokens=10, output_tokens=900, reasoning_tokens=832), NOW, million("10*2", "900*8")),
    (call("gpt-6-luna", input_tokens=7, output_tokens=3), NOW, million("7*0.1", "3*0.5")),
    (call("claude-haiku-4-5-20251001", input_tokens=13, output_tokens=5), NOW, million("13*1", "5*5")),
    (call("gemini-2.5-flash-lite", input_tokens=1000, output_tokens=800), NOW, million("1000*0.1", "800*0.4")),
    # Batches of models that the list has no batch rates for, of a provider whose discount is one for all.
    (call("claude-opus-4-1", processing="batch", output_tokens=100), NOW, million("100*37.5")),
    (
        call("claude-3-5-haiku-20241022", service_tier="batch", input_tokens=10, cache_write_1h_tokens=90),
        "2025-03-01",
        million("10*0.4", "90*0.8"),
    ),
    # Weekends are off-peak at DeepSeek, by Beijing's clock; Friday at two o'clock (UTC) is not.
    (call("deepseek-v4-flash", input_tokens=1000), "2026-11-21T02:00", million("1000*0.15")),
    (call("deepseek-v4-flash", input_tokens=1000), "2026-11-20T02:00", million("1000*0.3")),
    (call("deepseek-chat", input_tokens=1000), "2025-09-04T20:00", million("1000*0.135")),
    (call("deepseek-chat", input_tokens=1000), "2025-09-04T12:00", million("1000*0.27")),
    # Bedrock where the price is the same, or is listed apart.
    (call("eu.anthropic.claude-3-5-sonnet-20240620-v1:0", "aws", input_tokens=1000), NOW, million("1000*3")),
    (call("us.amazon.nova-pro-v1:0", "aws", input_tokens=1000), NOW, million("1000*0.8")),
    (call("jp.amazon.nova-2-lite-v1:0", "aws", input_tokens=1000), NOW, million("1000*0.33")),
    # Fine-tunes and older models that the list leaves out, and what is free.
    (
        call("ft:gpt-4.1-mini-2025-04-14:acme::id", "openai", input_tokens=10, cache_read_tokens=90, output_tokens=1),
        NOW,
        million("10*0.8", "90*0.2", "1*3.2"),
    ),
    (call("ft:gpt-4.1-2025-04-14:acme::id", input_tokens=10, output_tokens=1), NOW, million("10*3", "1*12")),
    (call("ft:o4-mini-2025-04-16:acme::id", input_tokens=10, output_tokens=1), NOW, million("10*4", "1*16")),
    (call("anthropic.claude-v2:1", "aws", input_tokens=10, output_tokens=1), NOW, million("10*8", "1*24")),
    (call("embed-english-v3.0", "cohere", input_tokens=10), NOW, million("10*0.1")),
    (call("omni-moderation-latest", "openai", input_tokens=10), NOW, Decimal(0)),
    (call("gemma-3-27b-it", "google_genai", input_tokens=10, output_tokens=1), NOW, Decimal(0)),
    # LiteLLM names the provider before the model.
    (call("openai/gpt-4o", "litellm", input_tokens=1000), NOW, million("1000*2.5")),
    (call(f"bedrock/{SONNET}", "litellm", input_tokens=1000), NOW, million("1000*3.3")),
    # Nothing used costs nothing, and that is exact.
    (call("gpt-5"), NOW, Decimal(0)),
    (call("claude-opus-5", service_tier="standard"), NOW, Decimal(0)),
    # Reads at each model's own share of the input rate: 0.5, 0.25, 0.1, 0.1, 0.05, 0.025.
    (call("gpt-4o-2024-11-20", input_tokens=1, cache_read_tokens=1024), NOW, million("1*2.5", "1024*1.25")),
    (call("gpt-4.1-mini", cache_read_tokens=2048), NOW, million("2048*0.1")),
    (call("gpt-5.2", cache_read_tokens=2048), NOW, million("2048*0.175")),
    (call("claude-sonnet-5", cache_read_tokens=2048), NOW, million("2048*0.2")),
    (call("claude-sonnet-5-5", cache_read_tokens=2048), NOW, million("2048*0.1")),
    (call("claude-fable-5-2", cache_read_tokens=2048), NOW, million("2048*0.2")),
    (call("gpt-6.1-sol", cache_read_tokens=2048), NOW, million("2048*0.1")),
    # OpenAI's writes are free before 5.6 and 1.25 times the input rate since.
    (call("gpt-5.2", "openai", input_tokens=10, cache_write_tokens=90), NOW, million("100*1.75")),
    (call("gpt-5.6-terra", input_tokens=10, cache_write_tokens=90), NOW, million("10*2", "90*2.5")),
    (
        call("gpt-6-astra", input_tokens=10, cache_write_tokens=90, output_tokens=1),
        NOW,
        million("10*10", "90*12.5", "1*50"),
    ),
    # The price in force at the call: gpt-5.6-luna fell on 30 July, -sol on 21 August.
    (call("gpt-5.6-luna", input_tokens=1000, output_tokens=100), "2026-07-29T23:59:59", million("1000*1", "100*6")),
    (call("gpt-5.6-luna", input_tokens=1000, output_tokens=100), "2026-07-30", million("1000*0.2", "100*1.2")),
    (call("gpt-5.6-sol", cache_read_tokens=1000), "2026-08-20", million("1000*0.5")),
    (call("gpt-5.6-sol", cache_read_tokens=1000), "2026-08-21", million("1000*0.4")),
    (call("gemini-4-argon", input_tokens=1000, output_tokens=100), "2026-11-30", million("1000*2", "100*10")),
    (call("gemini-4-argon", input_tokens=1000, output_tokens=100), "2026-12-01", million("1000*4", "100*20")),
    # The day is that of UTC: 21 August in Seoul is still the 20th.
    (call("gpt-5.6-sol", input_tokens=1000), "2026-08-21T08:59:00+09:00", million("1000*5")),
    (call("gpt-5.6-sol", input_tokens=1000), "2026-08-21T09:00:00+09:00", million("1000*4")),
    # Tiers, with reads and writes of their own.
    (
        call(
            "gpt-5.6-sol",
            service_tier="flex",
            input_tokens=100,
            cache_read_tokens=200,
            cache_write_tokens=300,
            output_tokens=40,
        ),
        NOW,
        million("100*2", "200*0.2", "300*2.5", "40*10"),
    ),
    (
        call("gpt-6.1-terra", service_tier="priority", input_tokens=100, output_tokens=40),
        NOW,
        million("100*2", "40*10"),
    ),
    (call("gpt-5.5", service_tier="priority", input_tokens=100, output_tokens=40), NOW, million("100*12.5", "40*75")),
    (
        call("gpt-4o", service_tier="priority", cache_read_tokens=100, output_tokens=40),
        NOW,
        million("100*2.125", "40*17"),
    ),
    (call("gpt-5-mini", service_tier="fast", input_tokens=100, output_tokens=40), NOW, million("100*0.45", "40*3.6")),
    (call("gpt-5.4", service_tier="flex", cache_read_tokens=100), NOW, million("100*0.13")),
    (
        call("gemini-3.8-flash-tts", service_tier="flex", input_tokens=100, output_tokens=40),
        NOW,
        million("100*0.25", "40*4.5"),
    ),
    (call("gpt-5", service_tier="FLEX", input_tokens=100), NOW, million("100*0.625")),
    (call("gpt-5", service_tier=" Priority ", input_tokens=100), NOW, million("100*2.5")),
    # Batch: halves what the provider halves, and only that; carried back to before the list had it.
    (
        call("gpt-4o", processing="batch", input_tokens=100, cache_read_tokens=100, output_tokens=10),
        NOW,
        million("100*1.25", "100*1.25", "10*5"),
    ),
    (call("gpt-5-mini", processing="batch", cache_read_tokens=100), NOW, million("100*0.0125")),
    (call("gpt-4.1", processing="batch", input_tokens=100, output_tokens=10), "2026-10-13", million("100*1", "10*4")),
    (
        call("gpt-4o-mini", processing="batch", input_tokens=100, output_tokens=10),
        "2025-03-01",
        million("100*0.075", "10*0.3"),
    ),
    (call("gpt-3.5-turbo-1106", processing="batch", input_tokens=100, output_tokens=10), NOW, million("100*1", "10*2")),
    (
        call("claude-opus-4-5", processing="batch", input_tokens=100, cache_write_1h_tokens=10),
        "2026-02-01",
        million("100*2.5", "10*5"),
    ),
    (call("claude-opus-5", service_tier="batch", input_tokens=100), NOW, million("100*2.5")),
    (
        call("gemini-2.5-pro", processing="batch", input_tokens=100, cache_read_tokens=50, output_tokens=10),
        NOW,
        million("100*0.625", "50*0.125", "10*5"),
    ),
    (call("mistral-small-2603", processing="batch", input_tokens=100), NOW, million("100*0.075")),
    (call("ft:gpt-4o-mini-2024-07-18:org::id", processing="batch", input_tokens=100), NOW, million("100*0.15")),
    # Batch of a price that has changed since: half of the price of the day.
    (
        call("gpt-5.6-luna", processing="batch", input_tokens=1000, cache_write_tokens=8),
        "2026-07-01",
        million("1000*0.5", "8*0.625"),
    ),
    # Long prompts: the rate of all tokens, from the first token past the edge.
    (call("gpt-5.4", input_tokens=272_000, output_tokens=10), NOW, million("272000*2.5", "10*15")),
    (call("gpt-5.4", input_tokens=272_001, output_tokens=10), NOW, million("272001*5", "10*22.5")),
    (call("gpt-6-sol", cache_read_tokens=272_000, cache_write_tokens=1), NOW, million("272000*0.4", "1*5")),
    (call("gpt-6-sol", cache_read_tokens=271_999, cache_write_tokens=1), NOW, million("271999*0.2", "1*2.5")),
    (call("gpt-5.5", service_tier="flex", input_tokens=272_001), NOW, million("272001*5")),
    (
        call("gpt-5.6-sol", processing="batch", input_tokens=300_000, output_tokens=1000),
        NOW,
        million("300000*4", "1000*15"),
    ),
    (call("claude-haiku-5-5", input_tokens=100_000), NOW, million("100000*0.1")),
    (call("claude-haiku-5-5", input_tokens=99_000, cache_write_1h_tokens=1001), NOW, million("99000*0.5", "1001*1")),
    (call("claude-haiku-5-5", processing="batch", input_tokens=100_001), NOW, million("100001*0.25")),
    (call("gemini-2.5-pro", input_tokens=200_000, output_tokens=10), NOW, million("200000*1.25", "10*10")),
    (
        call("gemini-2.5-pro", input_tokens=100_000, cache_read_tokens=100_001),
        NOW,
        million("100000*2.5", "100001*0.25"),
    ),
    (call("gemini-3.1-pro-preview", input_tokens=200_001, output_tokens=10), NOW, million("200001*4", "10*18")),
    (call("grok-4.3", input_tokens=199_999), NOW, million("199999*1.25")),
    (call("grok-4.3", input_tokens=200_000), NOW, million("200000*2.5")),
    # Anthropic gave up the rate above 200,000 tokens on 13 March.
    (call("claude-opus-4-6", input_tokens=200_001), "2026-03-12", million("200001*10")),
    (call("claude-opus-4-6", input_tokens=200_001), "2026-03-13", million("200001*5")),
    # Writes for five minutes and for an hour, mixed.
    (
        call(
            "claude-opus-5-5",
            input_tokens=3,
            cache_read_tokens=500,
            cache_write_5m_tokens=70,
            cache_write_1h_tokens=11,
            output_tokens=9,
        ),
        NOW,
        million("3*4", "500*0.2", "70*5", "11*8", "9*20"),
    ),
    (
        call("claude-sonnet-4-6", processing="batch", cache_write_5m_tokens=70, cache_write_1h_tokens=11),
        NOW,
        million("70*1.875", "11*3"),
    ),
    # In the US: 1.1 times every token, cached or not, in a batch and fast too; not a web search.
    (
        call("claude-opus-5", inference_geo="us", cache_read_tokens=1000, cache_write_1h_tokens=10),
        NOW,
        million("1000*0.55", "10*11"),
    ),
    (call("claude-opus-5", inference_geo="us", processing="batch", input_tokens=1000), NOW, million("1000*2.75")),
    (call("claude-opus-5", inference_geo="us", speed="fast", input_tokens=1000), NOW, million("1000*11")),
    (
        call("claude-opus-5", inference_geo="us", input_tokens=1000, tool_requests=(("web_search", 2),)),
        NOW,
        million("1000*5.5") + Decimal("0.02"),
    ),
    (call("claude-opus-5", inference_geo="not_available", input_tokens=1000), NOW, million("1000*5")),
    # Fast is twice the rates, of reads and writes too.
    (
        call("claude-opus-4-8", speed="fast", cache_read_tokens=100, cache_write_5m_tokens=10),
        NOW,
        million("100*1", "10*12.5"),
    ),
    # Paid tools.
    (
        call("gpt-5", "openai", input_tokens=10, tool_requests=(("web_search", 1), ("file_search", 4))),
        NOW,
        million("10*1.25") + Decimal("0.01") + Decimal("0.01"),
    ),
    (
        call("gemini-3.5-flash-lite", input_tokens=10, tool_requests=(("web_search", 1),)),
        NOW,
        million("10*0.3") + Decimal("0.014"),
    ),
    # Audio, images, embeddings.
    (
        call("gemini-2.5-flash-lite", input_tokens=10, input_audio_tokens=20, cache_read_audio_tokens=5),
        NOW,
        million("10*0.1", "20*0.3", "5*0.03"),
    ),
    (call("gemini-2.5-flash", processing="batch", input_audio_tokens=20), NOW, million("20*0.5")),
    (
        call("gemini-3.1-flash-image-preview", input_tokens=10, output_image_tokens=1120),
        NOW,
        million("10*0.5", "1120*60"),
    ),
    (call("gemini-embedding-2", input_tokens=10, input_image_tokens=258), NOW, million("10*0.2", "258*0.45")),
    (call("text-embedding-3-large", input_tokens=8191), NOW, million("8191*0.13")),
    # DeepSeek's rates by the hour of the day, UTC.
    (call("deepseek-v4-pro", input_tokens=1000), "2026-11-20T03:59:59", million("1000*1.32")),
    (call("deepseek-v4-pro", input_tokens=1000), "2026-11-20T04:00:00", million("1000*0.66")),
    (call("deepseek-v4-pro", input_tokens=1000), "2026-11-20T12:59:59+09:00", million("1000*1.32")),
    # Bedrock: a region costs a tenth more, the global profile does not; some models cost the same everywhere.
    (call(SONNET, input_tokens=1000, output_tokens=100), NOW, million("1000*3.3", "100*16.5")),
    (call(SONNET.replace("us.", "global."), "bedrock_converse", input_tokens=1000), NOW, million("1000*3")),
    (call("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "aws", cache_write_1h_tokens=10), NOW, million("10*2.2")),
    (call("global.openai.gpt-5.6-sol", "aws", input_tokens=272_001), NOW, million("272001*8")),
    # Vertex AI says in the name where it runs.
    (
        call(
            "projects/p/locations/global/publishers/anthropic/models/claude-opus-5",
            "google_vertexai",
            input_tokens=1000,
        ),
        NOW,
        million("1000*5"),
    ),
    (
        call(
            "projects/p/locations/europe-west1/publishers/anthropic/models/claude-opus-5", "google", input_tokens=1000
        ),
        NOW,
        million("1000*5.5"),
    ),
    # Free of charge is a price.
    (call("gemma-4-31b-it", "google", input_tokens=1000, output_tokens=10), NOW, Decimal(0)),
    (call("qwen/qwen3-coder:free", "openrouter", input_tokens=1000, output_tokens=10), NOW, Decimal(0)),
]


@pytest.mark.parametrize(("reading", "at", "expected"), EXACT, ids=lambda value: getattr(value, "model", None))
def test_exact(reading: UsageReading, at: str, expected: Decimal) -> None:
    cost = BOOK.price(reading, at=datetime.fromisoformat(at))
    assert (cost.usd, cost.basis, cost.reasons) == (expected, "exact", ())
    assert cost.price is not None
    assert cost.price.amount(reading.usage) == expected


ESTIMATED: list[tuple[UsageReading, str, Decimal, Decimal, str]] = [
    # (call, day, what it is taken for, what it really cost, a word of the reason)
    # A tier before the list had it: the same factor then.
    (
        call("gpt-5", service_tier="priority", input_tokens=1000),
        "2026-10-11",
        million("1000*2.5"),
        million("1000*2.5"),
        "only from 2026-10-12",
    ),
    (
        call("gpt-5", service_tier="flex", input_tokens=1000),
        "2026-10-11",
        million("1000*0.625"),
        million("1000*0.625"),
        "only from",
    ),
    # A tier that the model is not listed with.
    (
        call("gpt-5-nano", service_tier="priority", input_tokens=1000),
        NOW,
        million("1000*0.05"),
        million("1000*0.1"),
        "no rates for",
    ),
    (
        call("gpt-4o", service_tier="flex", input_tokens=1000),
        NOW,
        million("1000*2.5"),
        million("1000*1.25"),
        "no rates for",
    ),
    (
        call("gemini-3.8-flash", service_tier="flex", input_tokens=1000),
        NOW,
        million("1000*0.75"),
        million("1000*0.375"),
        "no rates for",
    ),
    (
        call("gemini-3.8-flash", service_tier="priority", input_tokens=1000),
        NOW,
        million("1000*0.75"),
        million("1000*1.35"),
        "no rates for",
    ),
    (
        call("claude-opus-4-6", speed="fast", input_tokens=1000),
        NOW,
        million("1000*5"),
        million("1000*30"),
        "no rates for",
    ),
    # Batch where none is listed.
    (
        call(SONNET, processing="batch", input_tokens=1000),
        NOW,
        million("1000*1.65"),
        million("1000*1.65"),
        "no batch rates",
    ),
    (
        call("ft:gpt-4o-2024-08-06:org::id", processing="batch", input_tokens=1000),
        NOW,
        million("1000*1.875"),
        million("1000*2.225"),
        "no batch rates",
    ),
    # A tier with one rate for a prompt whose length raises the standard rate.
    (
        call("gpt-5.4", service_tier="priority", input_tokens=272_001),
        NOW,
        million("272001*5"),
        million("272001*10"),
        "so long a prompt",
    ),
    (
        call("gpt-5.5-pro", processing="batch", input_tokens=272_001),
        "2026-09-01",
        million("272001*15"),
        million("272001*30"),
        "so long a prompt",
    ),
    # A write whose lifetime was lost, in a batch.
    (
        call("claude-sonnet-4-6", processing="batch", cache_write_tokens=1000),
        NOW,
        million("1000*1.875"),
        million("1000*3"),
        "lifetime",
    ),
    # Reads of a model that is listed without a rate for them: free at best.
    (
        call("ft:gpt-4o-mini-2024-07-18:org::id", input_tokens=10, cache_read_tokens=1000),
        NOW,
        million("1010*0.3"),
        million("10*0.3", "1000*0.15"),
        "no rate for cache reads",
    ),
    (
        call("gemini-2.5-flash", cache_write_tokens=1000),
        NOW,
        million("1000*0.3"),
        million("1000*0.3"),
        "no rate for cache writes",
    ),
    # An endpoint that may be in a region.
    (
        call("claude-opus-5", "google_vertexai", input_tokens=1000),
        NOW,
        million("1000*5"),
        million("1000*5.5"),
        "global endpoint",
    ),
    (
        call("gpt-4o-mini", "azure", input_tokens=1000, output_tokens=100),
        NOW,
        million("1000*0.15", "100*0.6"),
        million("1000*0.165", "100*0.66"),
        "global endpoint",
    ),
    # A rate by the hour of the day, on a day when it may not have been asked for yet.
    (
        call("deepseek-v4-pro", input_tokens=1000),
        "2026-07-01T02:00",
        million("1000*1.32"),
        million("1000*0.435"),
        "this hour of the day",
    ),
    # Paid for by capacity, in advance: nothing more for the call, or its share of the capacity.
    *(
        (call(model, provider, service_tier=tier, input_tokens=1000), NOW, usd, Decimal(0), "paid for in advance")
        for model, provider, tier, usd in (
            ("gpt-4o", "openai", "scale", million("1000*2.5")),
            ("claude-opus-5", "anthropic", "priority", million("1000*5")),
            ("gemini-2.5-flash", "google", "PROVISIONED_THROUGHPUT", million("1000*0.3")),
        )
    ),
    # Audio of a model that is listed with text rates only: 40 and 80 USD, and 10 and 20.
    (
        call("gpt-4o-audio-preview", input_audio_tokens=1000, output_tokens=10, output_audio_tokens=100),
        NOW,
        million("1000*2.5", "110*10"),
        million("1000*40", "10*10", "100*80"),
        "no rate for audio output",
    ),
    (
        call("gpt-4o-mini-audio-preview", "openai", input_tokens=10, input_audio_tokens=1000),
        NOW,
        million("1010*0.15"),
        million("10*0.15", "1000*10"),
        "no rate for audio input",
    ),
    # A request of Perplexity's costs by its search context, 5 or 12 USD for a thousand.
    (
        call("sonar", "perplexity", input_tokens=1000, output_tokens=100),
        "2026-09-01",
        million("1100*1") + Decimal("0.012"),
        million("1100*1") + Decimal("0.005"),
        "search context",
    ),
    # A model that searches at each call, 25 USD for a thousand, of which its usage says nothing.
    (
        call("gpt-4o-search-preview-2025-03-11", "openai", input_tokens=1000, output_tokens=100),
        NOW,
        million("1000*2.5", "100*10"),
        million("1000*2.5", "100*10") + Decimal("0.025"),
        "the search that this model makes",
    ),
    # Bedrock abroad, where only Claude and what is listed apart cost the same: Nova in Europe, Llama in Sao Paulo.
    (
        call("eu.amazon.nova-pro-v1:0", "bedrock_converse", input_tokens=1000, output_tokens=100),
        NOW,
        million("1000*0.8", "100*3.2"),
        million("1000*1.05", "100*4.2"),
        "ran in eu",
    ),
    (
        call("bedrock/sa-east-1/meta.llama3-70b-instruct-v1:0", input_tokens=1000),
        NOW,
        million("1000*2.65"),
        million("1000*4.45"),
        "ran in sa-east-1",
    ),
    (
        call("arn:aws:bedrock:us-east-1:1:inference-profile/us-gov." + SONNET.removeprefix("us."), input_tokens=1000),
        NOW,
        million("1000*3.3"),
        million("1000*3.6"),
        "ran in us-gov",
    ),
    # DeepSeek's oldest names stand for later models since 2025-09-05: V3.1 for 0.56 and 1.68, V3.2 for 0.28 and 0.42.
    (
        call("deepseek-chat", input_tokens=1000, output_tokens=100),
        "2025-09-10T12:00",
        million("1000*0.27", "100*1.1"),
        million("1000*0.56", "100*1.68"),
        "the name moves",
    ),
    (
        call("deepseek-reasoner", "deepseek", input_tokens=1000, output_tokens=100),
        "2026-01-10T20:00",
        million("1000*0.135", "100*0.55"),
        million("1000*0.28", "100*0.42"),
        "the name moves",
    ),
    # A name that has moved on: Mistral Large 3 costs 0.5 and 1.5.
    (
        call("mistral-large-latest", input_tokens=1000, output_tokens=100),
        NOW,
        million("1000*2", "100*6"),
        million("1000*0.5", "100*1.5"),
        "the name moves",
    ),
]


@pytest.mark.parametrize(
    ("reading", "at", "expected", "true", "word"), ESTIMATED, ids=lambda value: getattr(value, "model", None)
)
def test_estimated_with_the_true_amount_inside_the_bounds(
    reading: UsageReading, at: str, expected: Decimal, true: Decimal, word: str
) -> None:
    cost = BOOK.price(reading, at=datetime.fromisoformat(at))
    assert (cost.usd, cost.basis) == (expected, "estimated")
    assert cost.low is not None
    assert cost.high is not None
    assert cost.low <= true <= cost.high
    assert word in " ".join(cost.reasons)


@pytest.mark.parametrize(
    ("reading", "word"),
    [
        (call("gpt-5", service_tier="flexx", input_tokens=1), "flexx"),
        (call("claude-opus-5", speed="turbo", input_tokens=1), "turbo"),
        (call("claude-opus-5", processing="batch", speed="fast", input_tokens=1), "together"),
        (call("claude-opus-5", inference_geo="eu", input_tokens=1), "inference_geo"),
        (call("gpt-4o", output_image_tokens=1), "image output"),
        (call("gpt-oss-20b", "openai", input_tokens=1), "did not verify"),
    ],
    ids=lambda value: getattr(value, "model", None),
)
def test_what_cannot_be_bounded_is_doubted_without_bounds(reading: UsageReading, word: str) -> None:
    cost = BOOK.price(reading, at=datetime(2026, 11, 20, tzinfo=UTC))
    assert (cost.basis, cost.low, cost.high) == ("estimated", None, None)
    assert word in " ".join(cost.reasons)


def test_calls_on_the_way_are_billed_as_the_whole_was_run() -> None:
    part = call("claude-haiku-4-5", processing="batch", input_tokens=1000)
    whole = UsageReading(
        usage=TokenUsage(input_tokens=1000), model="claude-opus-5", processing="batch", also=(part, part)
    )
    cost = BOOK.price(whole, at=datetime(2026, 9, 1))
    assert (cost.usd, cost.basis) == (million("1000*2.5", "2000*0.5"), "exact")
    assert len(cost.also) == 2
