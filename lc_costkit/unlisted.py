"""Which published prices and rules does the list of genai-prices leave out?

Prices only of models that keep their name and never changed their price. What the list knows by its own name, it
decides.
"""

from __future__ import annotations

import re
from datetime import date, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

FREE_TOOLS = ("web_fetch", "tool_search")
"""Anthropic bills these through their tokens only (platform.claude.com, tool pages)."""

BATCH_SINCE = {
    "openai": date(2024, 4, 15),
    "anthropic": date(2024, 10, 8),
    "mistral": date(2024, 11, 7),
    "google": date(2025, 7, 7),
}
"""When each provider announced its batch discount; the price list dates most of its batch rates far later."""

REGIONAL_FACTOR = Decimal("1.1")
"""What a region costs beside the global endpoint: Claude since 4.5 on Vertex AI (notes of the price list, from
cloud.google.com/vertex-ai/generative-ai/pricing), OpenAI's models in an Azure region or data zone (azure.microsoft.com,
pricing of the Azure OpenAI service: gpt-4o 2.75 and 2.50 USD)."""

BATCH_FACTOR = Decimal("0.5")
US_ONLY_FACTOR = Decimal("1.1")
"""Anthropic's factor on all token rates for ``inference_geo="us"`` (platform.claude.com, pricing)."""

HOUR_FACTOR = 2
"""Anthropic's factor on the input rate for a one-hour cache write, for models listed without such a rate."""

VARIANT_BOUNDS = {
    "flex": (Decimal("0.5"), Decimal(1)),
    "priority": (Decimal(1), Decimal(2)),
    "fast": (Decimal(1), Decimal(6)),
}
"""How much less or more a variant can cost that the list does not have, as factors of the standard price: the widest
that the list has for other models."""

PREPAID = frozenset({(None, "scale"), (None, "reserved"), (None, "provisioned_throughput"), ("anthropic", "priority")})
"""Tiers, by provider where others use the word differently, that are paid for in advance by capacity: OpenAI's Scale
tier, Bedrock's reserved one, Vertex AI's provisioned throughput and Anthropic's Priority tier (their pricing pages)."""

AUDIO_AT_MOST = {
    "gpt-4o-audio-preview": (Decimal(100), Decimal(200)),
    "gpt-4o-mini-audio-preview": (Decimal(10), Decimal(20)),
}
"""USD per million tokens of audio, in and out, of models that the list has with rates for text only: what they cost at
first, which is the most they ever did (openai.com/api/pricing)."""

SEARCH_FEE_FACTOR = Decimal("0.4")
"""The least that a request of Perplexity's Sonar models costs beside the fee in the list, which is that of a large
search context: 5 of 12 and 6 of 14 USD for a thousand (docs.perplexity.ai, pricing)."""

SEARCH_MODEL_FEE = Decimal("0.05")
"""The most USD that the search costs which OpenAI's search models make at each call, and no report counts: 50 for a
thousand at first, with a large search context, 25 later (openai.com/api/pricing)."""

ABROAD_FACTOR = Decimal(2)
"""The most that Amazon Bedrock takes in a region outside of the US beside the US price, which is the one in the list:
1.31 times in Europe for Nova, 1.7 times in Sao Paulo for Llama 3 (aws.amazon.com/bedrock/pricing)."""

WEEKENDS_SINCE = date(2026, 8, 23)
"""Since when DeepSeek bills weekends, in Beijing's time, at its off-peak rates (notes of the price list, which has no
day of the week)."""

BEIJING = timezone(timedelta(hours=8))
SATURDAY = 5

DEEPSEEK_MOVES = frozenset({"deepseek-chat", "deepseek-reasoner"})
DEEPSEEK_MOVED = date(2025, 9, 5)
"""Names that stood for V3 and R1, at the prices in the list, until that day, and then for later models."""

FREE_MODELS = frozenset({("openai", "moderation"), ("google", "gemma-3"), ("google", "gemma-3n")})
"""Models that cost nothing, whose price the list leaves empty (developers.openai.com and ai.google.dev, pricing)."""

FREE_NOTE = "free of charge"
"""What the list writes beside Google's open models, whose price it leaves empty."""

_OPENAI = "developers.openai.com/api/docs/pricing"
_ANTHROPIC = "platform.claude.com/docs/en/about-claude/pricing"
_BEDROCK = "aws.amazon.com/bedrock/pricing"
_COHERE = "cohere.com/pricing"
_DEEPSEEK = "api-docs.deepseek.com/quick_start/pricing"


class _Published(NamedTuple):
    """A published price in USD per million tokens; LiteLLM 1.109.1 lists the same."""

    provider: str
    model: str
    names: str
    input: str
    output: str | None
    source: str
    cache_read: str | None = None


_PUBLISHED = (
    _Published("openai", "ft:gpt-4.1", r"ft:gpt-4\.1-2025-04-14(:.*)?", "3", "12", _OPENAI, "0.75"),
    _Published("openai", "ft:gpt-4.1-mini", r"ft:gpt-4\.1-mini-2025-04-14(:.*)?", "0.8", "3.2", _OPENAI, "0.2"),
    _Published("openai", "ft:gpt-4.1-nano", r"ft:gpt-4\.1-nano-2025-04-14(:.*)?", "0.2", "0.8", _OPENAI, "0.05"),
    _Published("openai", "ft:o4-mini", r"ft:o4-mini-2025-04-16(:.*)?", "4", "16", _OPENAI, "1"),
    _Published("anthropic", "claude-instant-1", r"claude-instant-(?:v1|1(?:\.\d)?)", "0.8", "2.4", _ANTHROPIC),
    _Published("aws", "anthropic.claude-v2", r"anthropic\.claude-v2(?::\d)?", "8", "24", _BEDROCK),
    _Published("aws", "anthropic.claude-instant-v1", r"anthropic\.claude-instant-v1", "0.8", "2.4", _BEDROCK),
    _Published("aws", "ai21.jamba-1-5-large", r"ai21\.jamba-1-5-large-v1:0", "2", "8", _BEDROCK),
    _Published("aws", "ai21.jamba-1-5-mini", r"ai21\.jamba-1-5-mini-v1:0", "0.2", "0.4", _BEDROCK),
    _Published("aws", "cohere.embed-v3", r"cohere\.embed-(?:english|multilingual)-v3", "0.1", None, _BEDROCK),
    _Published("cohere", "embed-v3", r"embed-(?:english|multilingual)-(?:light-)?v3\.0", "0.1", None, _COHERE),
)

_SINCE_MOVED = (
    _Published("deepseek", "deepseek-v3.1", "deepseek-v3.1", "0.56", "1.68", _DEEPSEEK, "0.07"),
    _Published("deepseek", "deepseek-v3.2", "deepseek-v3.2", "0.28", "0.42", _DEEPSEEK, "0.028"),
    _Published("deepseek", "deepseek-v4-flash", "deepseek-v4-flash", "0.14", "0.28", _DEEPSEEK, "0.0028"),
)


def unlisted(name: str, provider: str | None) -> tuple[str, ModelInfo, str] | None:
    """Return the provider, the model and the source of a published price, or ``None``.

    >>> found = unlisted("ft:gpt-4.1-mini-2025-04-14:acme::id", "openai")
    >>> found is not None and (found[0], found[1].id, str(found[1].prices))
    ('openai', 'ft:gpt-4.1-mini', '$0.8/input MTok, $3.2/output MTok, $0.2/input cache read MTok')
    """
    for entry in _PUBLISHED:
        if provider in (None, entry.provider) and re.fullmatch(entry.names, name):
            return entry.provider, _model(entry), entry.source
    return None


def moved_to() -> tuple[ModelInfo, ...]:
    """Return the models that DeepSeek's oldest names came to stand for, at the prices of their time."""
    return tuple(map(_model, _SINCE_MOVED))


def _model(entry: _Published) -> ModelInfo:
    from genai_prices.types import ClauseRegex, ModelInfo, ModelPrice

    rates = {"input_mtok": entry.input, "output_mtok": entry.output, "cache_read_mtok": entry.cache_read}
    return ModelInfo(
        id=entry.model,
        match=ClauseRegex(regex=f"^{entry.names}$"),
        prices=ModelPrice(**{key: Decimal(rate) for key, rate in rates.items() if rate is not None}),
    )
