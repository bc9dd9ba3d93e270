"""How many tokens can a model answer with at most, where the request does not say?

A name is looked up by the longest entry that it starts with, at a word's end, after the
spellings of clouds and gateways were taken off. Reasoning is part of the answer.

Sources, as of 2026-11-20: the model profiles that langchain-openai and langchain-anthropic
ship (data of models.dev, MIT); a test compares the two. For models without a profile: the
providers' model pages (platform.openai.com/docs/models, docs.anthropic.com model overview,
ai.google.dev/gemini-api/docs/models). Where a page and a profile differ the larger one is
here: a limit that is too high holds more of a budget for a moment, one that is too low
lets a call pass it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from lc_costkit.catalog import provider_id, spellings

UNKNOWN_OUTPUT_LIMIT = 128_000
"""Tokens assumed for a model of which nothing is known: what most of the profiled models of 2026 can answer with."""

OUTPUT_LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "chatgpt-4o": 16_384,
        "codex-mini": 100_000,
        "gpt-3.5-turbo": 4_096,
        "gpt-3.5-turbo-16k": 16_385,
        "gpt-35-turbo": 4_096,
        "gpt-35-turbo-16k": 16_385,
        "gpt-4": 8_192,
        "gpt-4-32k": 32_768,
        "gpt-4-0125": 4_096,
        "gpt-4-1106": 4_096,
        "gpt-4-turbo": 4_096,
        "gpt-4.1": 32_768,
        "gpt-4.5": 16_384,
        "gpt-4o": 16_384,
        "gpt-4o-2024-05-13": 4_096,
        "gpt-4o-64k": 64_000,
        "gpt-5": 128_000,
        "gpt-5-pro": 272_000,
        "gpt-5.3-codex-spark": 32_000,
        "gpt-6": 128_000,
        "gpt-daybreak": 128_000,
        "gpt-oss": 131_072,
        "gpt-realtime": 32_000,
        "o1": 100_000,
        "o1-mini": 65_536,
        "o1-preview": 32_768,
        "o3": 100_000,
        "o4": 100_000,
        "text-embedding": 0,
        "claude-3-haiku": 4_096,
        "claude-3-sonnet": 4_096,
        "claude-3-opus": 4_096,
        "claude-3-5": 8_192,
        "claude-3-7": 128_000,
        "claude-opus-4": 32_000,
        "claude-opus-4-5": 64_000,
        "claude-opus-4-6": 128_000,
        "claude-opus-4-7": 128_000,
        "claude-opus-4-8": 128_000,
        "claude-sonnet-4": 64_000,
        "claude-sonnet-4-6": 128_000,
        "claude-haiku-4": 64_000,
        "claude": 128_000,
        "gemini-1.5": 8_192,
        "gemini-2.0": 8_192,
        "gemini-2.0-flash-thinking": 65_536,
        "gemini-2.5": 65_536,
        "gemini-3": 65_536,
        "gemini-embedding": 0,
    }
)
"""Tokens by the beginning of a name."""

_VENDOR = re.compile(r"^(?:[a-z-]+\.)+(?=[a-z])")
"""Bedrock's region and vendor: ``us.anthropic.``."""

_DIGIT_DOT = re.compile(r"(?<=\d)\.(?=\d)")


def output_limit(model: str, provider: str | None = None) -> int | None:
    """Return the most tokens that ``model`` can answer with, ``None`` if it is not known.

    >>> output_limit("gpt-4o-mini-2024-07-18"), output_limit("openrouter/anthropic/claude-opus-4.5")
    (16384, 64000)
    >>> output_limit("us.anthropic.claude-sonnet-4-5-20250929-v1:0"), output_limit("my-private-llm")
    (64000, None)
    """
    for name in _names(model, provider):
        found = [entry for entry in OUTPUT_LIMITS if _begins_with(name, entry)]
        if found:
            return OUTPUT_LIMITS[max(found, key=len)]
    return None


def _names(model: str, provider: str | None) -> Iterator[str]:
    for _, spelled, _ in spellings(model, provider_id(provider)):
        name = _VENDOR.sub("", spelled.rpartition("/")[2].removeprefix("ft:"))
        # OpenRouter writes claude-opus-4.5 where Anthropic writes claude-opus-4-5.
        yield _DIGIT_DOT.sub("-", name) if name.startswith("claude") else name


def _begins_with(name: str, entry: str) -> bool:
    return name.startswith(entry) and not name[len(entry) : len(entry) + 1].isalnum()
