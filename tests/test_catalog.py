"""Model names: the same model by its many names, and nothing for names that are not understood."""

from __future__ import annotations

import pytest

from lc_costkit.catalog import Catalog, provider_id

CATALOG = Catalog()
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.mark.parametrize(
    ("model", "provider", "expected"),
    [
        ("gpt-4o", None, ("openai", "gpt-4o")),
        ("GPT-4o ", "openai", ("openai", "gpt-4o")),
        ("openai/gpt-4o-mini", "openai", ("openai", "gpt-4o-mini")),
        ("text-embedding-3-small", None, ("openai", "text-embedding-3-small")),
        ("ft:gpt-4o-mini-2024-07-18:org::id", None, ("openai", "ft:gpt-4o-mini")),
        ("models/gemini-2.5-flash", None, ("google", "gemini-2.5-flash")),
        ("models/gemini-2.5-flash", "google", ("google", "gemini-2.5-flash")),
        (
            "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash",
            "google",
            ("google", "gemini-2.5-flash"),
        ),
        ("claude-sonnet-4-5@20250929", "google", ("google", "claude-sonnet-4-5")),
        ("anthropic/claude-sonnet-4-5", None, ("anthropic", "claude-sonnet-4-5")),
        (f"us.{SONNET}", None, ("aws", f"regional.{SONNET}")),
        (f"us.{SONNET}", "anthropic", ("aws", f"regional.{SONNET}")),
        (f"global.{SONNET}", "aws", ("aws", f"global.{SONNET}")),
        (f"bedrock/us.{SONNET}", None, ("aws", f"regional.{SONNET}")),
        (f"arn:aws:bedrock:us-east-1:1:inference-profile/us.{SONNET}", None, ("aws", f"regional.{SONNET}")),
        ("gpt-4o-mini", "azure", ("azure", "gpt-4o-mini")),
        ("azure/gpt-4o-mini", None, ("azure", "gpt-4o-mini")),
    ],
)
def test_known_names(model: str, provider: str | None, expected: tuple[str, str]) -> None:
    entry = CATALOG.find(model, provider)
    assert entry is not None
    assert (entry.provider.id, entry.model.id) == expected
    assert entry.doubt is None


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("my-private-llm", "openai"),
        ("ft:gpt-4.1-mini:org::id", "openai"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123", "aws"),
        ("gpt-oss-20b", "ollama"),
        ("ollama/gpt-oss-20b", None),
        ("meta-llama/Llama-3-8b", "openai"),
        ("", None),
        ("/", None),
        ("\x00", None),
    ],
)
def test_unknown_names_find_nothing(model: str, provider: str | None) -> None:
    assert CATALOG.find(model, provider) is None


@pytest.mark.parametrize(
    ("model", "provider", "word"),
    [("gpt-4o", "mywrapper", "inferred"), ("anthropic/claude-sonnet-4-5", "openai", "that of anthropic was used")],
)
def test_a_price_of_another_provider_is_doubted(model: str, provider: str, word: str) -> None:
    entry = CATALOG.find(model, provider)
    assert entry is not None
    assert word in str(entry.doubt)


def test_whether_a_provider_lists_the_model_itself() -> None:
    listed, borrowed = CATALOG.find("gpt-4o-mini", "openai"), CATALOG.find("gpt-4o-mini", "azure")
    assert listed is not None
    assert borrowed is not None
    assert (listed.native, borrowed.native) == (True, False)


def test_what_was_found_is_remembered_until_the_price_list_changes() -> None:
    from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot

    catalog = Catalog()
    assert catalog.find("gpt-4o", None) is catalog.find("gpt-4o", None)
    set_custom_snapshot(
        DataSnapshot(providers=[p for p in get_snapshot().providers if p.id != "openai"], from_auto_update=False)
    )
    try:
        assert catalog.find("gpt-4o", "openai") is None
    finally:
        set_custom_snapshot(None)
    assert catalog.find("gpt-4o", "openai") is not None


@pytest.mark.parametrize(("name", "expected"), [("ChatMistralAI", "chatmistralai"), (" xai ", "x-ai"), ("", None)])
def test_provider_ids(name: str, expected: str | None) -> None:
    assert provider_id(name) == expected
