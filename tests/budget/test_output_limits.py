"""Is the table of output limits still what the frameworks' model profiles say?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_anthropic.data import _profiles as of_anthropic
from langchain_openai.data import _profiles as of_openai

from lc_costkit.budget.output_limits import OUTPUT_LIMITS, output_limit

PROFILES: Mapping[str, Mapping[str, Any]] = {**of_openai._PROFILES, **of_anthropic._PROFILES}
ANSWERING = {
    name: profile["max_output_tokens"]
    for name, profile in PROFILES.items()
    # Of an embedding model the profile says the dimensions there, of one that draws it says 0.
    if profile.get("max_output_tokens") and not name.startswith("text-embedding")
}


@pytest.mark.parametrize("model", sorted(ANSWERING))
def test_the_table_says_what_the_profile_says(model: str) -> None:
    assert output_limit(model) == ANSWERING[model]


@pytest.mark.parametrize(
    "model", sorted(name for name, profile in PROFILES.items() if not profile.get("image_outputs"))
)
def test_every_model_with_a_profile_is_in_the_table(model: str) -> None:
    assert output_limit(model) is not None


@pytest.mark.parametrize(
    ("model", "provider", "limit"),
    [
        ("gpt-4o-mini-2024-07-18", None, 16_384),
        ("GPT-4o-Mini", "openai", 16_384),
        ("openai/gpt-4o", None, 16_384),
        ("gpt-4o", "azure_openai", 16_384),
        ("azure/gpt-4o", None, 16_384),
        ("gpt-35-turbo", "azure", 4_096),
        ("gpt-4-32k-0613", None, 32_768),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc123", None, 16_384),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", None, 64_000),
        ("anthropic.claude-3-haiku-20240307-v1:0", "bedrock_converse", 4_096),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-6-v1", None, 128_000),
        ("claude-sonnet-4-5@20250929", "google_vertexai", 64_000),
        ("anthropic/claude-opus-4.5", "openrouter", 64_000),
        ("openrouter/anthropic/claude-3.5-haiku", None, 8_192),
        ("models/gemini-2.5-flash", "google_genai", 65_536),
        ("projects/p/locations/l/publishers/google/models/gemini-2.5-pro", None, 65_536),
        ("text-embedding-3-small", None, 0),
        ("my-private-llm", None, None),
        ("o3000", None, None),
        ("gpt-4omni", None, None),
    ],
)
def test_a_name_is_found_in_any_spelling(model: str, provider: str | None, limit: int | None) -> None:
    assert output_limit(model, provider) == limit


@given(st.text(max_size=40), st.none() | st.text(max_size=12))
def test_any_name_may_be_asked_for(model: str, provider: str | None) -> None:
    assert output_limit(model, provider) in {None, *OUTPUT_LIMITS.values()}
