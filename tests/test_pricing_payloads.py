"""Payloads as providers send them, through the readers to an amount that is worked out by hand.

Rates are USD per million tokens from the providers' pages.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from lc_costkit.pricing import PriceBook
from lc_costkit.readers import read_langchain, read_usage

BOOK = PriceBook()
AT = datetime(2026, 11, 20, tzinfo=UTC)


def million(*terms: str) -> Decimal:
    products = (term.split("*") for term in terms)
    return sum((Decimal(tokens) * Decimal(rate) for tokens, rate in products), Decimal(0)) / 1_000_000


PAYLOADS: list[tuple[str, str, dict[str, Any], str, Decimal]] = [
    # (provider, day, payload, why, expected)
    (
        "openai",
        "2026-11-20",
        {"model": "gpt-4.1-nano", "usage": {"prompt_tokens": 1000, "completion_tokens": 100}},
        "a plain call",
        million("1000*0.1", "100*0.4"),
    ),
    (
        "openai",
        "2026-11-20",
        {
            "model": "gpt-5-2025-08-07",
            "service_tier": "flex",
            "usage": {
                "input_tokens": 3000,
                "input_tokens_details": {"cached_tokens": 2048},
                "output_tokens": 500,
                "output_tokens_details": {"reasoning_tokens": 448},
            },
        },
        "cached tokens are inside of the input, reasoning inside of the output, the tier beside the usage",
        million("952*0.625", "2048*0.0625", "500*5"),
    ),
    (
        "openai",
        "2026-11-20",
        {
            "model": "gpt-6-sol",
            "service_tier": "priority",
            "usage": {
                "prompt_tokens": 272_001,
                "completion_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 1000},
            },
        },
        "a long prompt at a tier: every token at the tier's own long rate",
        million("271000*8", "1*0.8", "1000*10", "10*30"),
    ),
    (
        "openai",
        "2026-08-01",
        {
            "model": "gpt-5.6-sol",
            "service_tier": "default",
            "usage": {
                "prompt_tokens": 4000,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cache_write_tokens": 4000},
            },
        },
        "the price before the cut of 21 August",
        million("4000*6.25", "4*30"),
    ),
    (
        "openai",
        "2026-11-20",
        {"model": "text-embedding-3-small", "usage": {"prompt_tokens": 8, "total_tokens": 8}},
        "an embedding",
        million("8*0.02"),
    ),
    (
        "openai",
        "2026-11-20",
        {"model": "gpt-5", "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}},
        "nothing was used",
        Decimal(0),
    ),
    (
        "anthropic",
        "2026-11-20",
        {
            "model": "claude-opus-5",
            "usage": {
                "input_tokens": 10,
                "cache_read_input_tokens": 2000,
                "cache_creation_input_tokens": 300,
                "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
                "output_tokens": 50,
                "service_tier": "standard",
                "inference_geo": "global",
            },
        },
        "writes for both lifetimes; input is what neither read nor wrote",
        million("10*5", "2000*0.5", "100*6.25", "200*10", "50*25"),
    ),
    (
        "anthropic",
        "2026-11-20",
        {
            "model": "claude-opus-5",
            "usage": {
                "input_tokens": 10,
                "cache_creation_input_tokens": 200,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 200},
                "output_tokens": 50,
                "service_tier": "batch",
                "inference_geo": "us",
            },
        },
        "a batch in the US: half, then 1.1 times",
        million("10*2.75", "200*5.5", "50*13.75"),
    ),
    (
        "anthropic",
        "2026-11-20",
        {
            "model": "claude-fable-5-2",
            "usage": {
                "input_tokens": 1000,
                "output_tokens": 100,
                "speed": "fast",
                "inference_geo": "us",
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
            },
        },
        "fast, in the US, with two searches; fetching is free",
        million("1000*17.6", "100*88") + Decimal("0.02"),
    ),
    (
        "anthropic",
        "2026-03-12",
        {
            "model": "claude-sonnet-4-6",
            "usage": {"input_tokens": 1, "cache_read_input_tokens": 200_000, "output_tokens": 10},
        },
        "the last day of the rate above 200,000 tokens, which counts what was read too",
        million("1*6", "200000*0.6", "10*22.5"),
    ),
    (
        "google",
        "2026-11-20",
        {
            "modelVersion": "gemini-2.5-pro",
            "usageMetadata": {
                "promptTokenCount": 200_001,
                "cachedContentTokenCount": 100_000,
                "candidatesTokenCount": 10,
                "thoughtsTokenCount": 90,
            },
        },
        "one token past the edge, read tokens counted",
        million("100001*2.5", "100000*0.25", "100*15"),
    ),
    (
        "google",
        "2026-11-20",
        {
            "modelVersion": "gemini-2.5-flash",
            "usageMetadata": {
                "promptTokenCount": 1000,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 200},
                    {"modality": "AUDIO", "tokenCount": 800},
                ],
                "candidatesTokenCount": 20,
            },
        },
        "audio input at its own rate",
        million("200*0.3", "800*1", "20*2.5"),
    ),
    (
        "aws",
        "2026-11-20",
        {
            "modelId": "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
            "usage": {"inputTokens": 1000, "outputTokens": 100, "cacheReadInputTokens": 500},
        },
        "a European profile",
        million("1000*1.1", "500*0.11", "100*5.5"),
    ),
    (
        "openai",
        "2026-11-20",
        {"model": "ft:gpt-4o-mini-2024-07-18:org::id", "usage": {"prompt_tokens": 1000, "completion_tokens": 100}},
        "a fine-tune at the rates of fine-tunes",
        million("1000*0.3", "100*1.2"),
    ),
]


@pytest.mark.parametrize(
    ("provider", "day", "payload", "why", "expected"),
    PAYLOADS,
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_payloads(provider: str, day: str, payload: dict[str, Any], why: str, expected: Decimal) -> None:
    reading = read_usage(payload, provider)
    assert reading is not None
    cost = BOOK.price(reading, at=datetime.fromisoformat(day))
    assert (cost.usd, cost.basis) == (expected, "exact"), (why, cost)


def test_every_iteration_is_billed_at_the_terms_of_the_whole() -> None:
    payload = {
        "model": "claude-opus-5",
        "usage": {
            "input_tokens": 100,
            "output_tokens": 10,
            "service_tier": "batch",
            "iterations": [
                {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3500},
                {"type": "message", "input_tokens": 100, "output_tokens": 10},
            ],
        },
    }
    reading = read_usage(payload, "anthropic")
    assert reading is not None
    assert BOOK.price(reading, at=AT).usd == million("180100*2.5", "3510*12.5")


def test_langchain_names_the_tokens_of_a_tier_differently() -> None:
    metadata = {
        "input_tokens": 3000,
        "output_tokens": 500,
        "total_tokens": 3500,
        "input_token_details": {"flex_cache_read": 2048, "flex": 952},
        "output_token_details": {"flex_reasoning": 448, "flex": 52},
    }
    response = {"model_name": "gpt-5-2025-08-07", "model_provider": "openai", "service_tier": "flex"}
    reading = read_langchain(metadata, response)
    assert reading is not None
    cost = BOOK.price(reading, at=AT)
    assert (cost.usd, cost.basis) == (million("952*0.625", "2048*0.0625", "500*5"), "exact")


def test_a_lifetime_that_langchain_lost_leaves_both_bounds() -> None:
    metadata = {
        "input_tokens": 1100,
        "output_tokens": 10,
        "total_tokens": 1110,
        "input_token_details": {"cache_creation": 1000},
    }
    reading = read_langchain(metadata, {"model_name": "claude-sonnet-5-5", "model_provider": "anthropic"})
    assert reading is not None
    cost = BOOK.price(reading, at=AT)
    assert cost.basis == "estimated"
    assert cost.low is not None
    assert cost.high is not None
    assert cost.low <= million("100*2", "1000*2.5", "10*10")
    assert cost.high >= million("100*2", "1000*4", "10*10")
