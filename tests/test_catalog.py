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
        ("openai:gpt-4o", None, ("openai", "gpt-4o")),
        ("google_genai:gemini-2.5-flash", None, ("google", "gemini-2.5-flash")),
        (f"bedrock_converse:us.{SONNET}", None, ("aws", f"regional.{SONNET}")),
        ("gpt-35-turbo-0125", "azure", ("azure", "gpt-3.5-turbo")),
        ("claude-2.1", "anthropic", ("anthropic", "claude-2")),
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
        (f"bedrock/us-east-1/{SONNET}", None, ("aws", f"regional.{SONNET}")),
        (f"converse/us.{SONNET}", "aws", ("aws", f"regional.{SONNET}")),
        (f"eu.{SONNET}", None, ("aws", f"regional.{SONNET}")),
        (f"us-gov.{SONNET}", "aws", ("aws", f"regional.{SONNET}")),
        (SONNET, "aws", ("aws", f"regional.{SONNET}")),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}", None, ("aws", f"regional.{SONNET}")),
        (f"arn:aws-us-gov:bedrock:x:1:inference-profile/us-gov.{SONNET}", "aws", ("aws", f"regional.{SONNET}")),
        (
            "anthropic.claude-3-haiku-20240307-v1:0:200k",
            "aws",
            ("aws", "regional.anthropic.claude-3-haiku-20240307-v1:0"),
        ),
        ("us.anthropic.claude-opus-5-5-v1:0", "aws", ("aws", "regional.anthropic.claude-opus-5-5")),
        ("global.anthropic.claude-opus-5-5", None, ("aws", "global.anthropic.claude-opus-5-5")),
        ("us.amazon.nova-lite-v1:0", None, ("aws", "amazon.nova-lite-v1:0")),
        ("ft:gpt-4o-mini-2024-07-18:org:suffix:id:ckpt-step-100", "openai", ("openai", "ft:gpt-4o-mini")),
        ("ft:gpt-4o-2024-08-06:org::id", None, ("openai", "ft:gpt-4o")),
        ("ft:gpt-3.5-turbo-0125:org::id", None, ("openai", "ft:gpt-3.5-turbo-")),
        ("gpt-4o-mini-2024-07-18.ft-abc123", "azure", ("azure", "gpt-4o-mini-2024-07-18.ft-")),
        ("claude-sonnet-4-5@20250929", None, ("google", "claude-sonnet-4-5")),
        ("gemini-2.5-flash-lite-preview-09-2025", "google", ("google", "gemini-2.5-flash-lite")),
        ("gemini-2.5-pro-exp-03-25", "google", ("google", "gemini-2.5-pro")),
        ("gpt-5.2-20251211", None, ("openai", "gpt-5.2")),
        ("openai/gpt-4o", "openrouter", ("openrouter", "openai/gpt-4o")),
        ("openrouter/openai/gpt-4o", None, ("openrouter", "openai/gpt-4o")),
        ("cohere/command-r-plus", None, ("cohere", "command-r-plus")),
        ("grok-4-0709", "x-ai", ("x-ai", "grok-4-0709")),
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
        # Fine-tunes that are not listed: the base's price says nothing about them.
        ("ft:gpt-4.1-mini:org::id", "openai"),
        ("ft:gpt-4.5-2025-04-14:org::id", "openai"),
        ("ft:o5-mini-2025-04-16:org::id", None),
        ("ft:davinci-002:org::id", "openai"),
        ("gpt-4.1-2025-04-14.ft-abc", "azure"),
        ("tunedModels/gemini-1.5-flash-mine", None),
        ("tunedModels/gemini-1.5-flash-mine", "google"),
        ("projects/p/locations/us/endpoints/123", "google"),
        # ARNs behind which anything may stand.
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123", "aws"),
        ("arn:aws:bedrock:us-east-1:1:provisioned-model/xyz", "aws"),
        ("arn:aws:bedrock:us-east-1:1:custom-model/amazon.nova-lite-v1:0/ab", "aws"),
        ("arn:aws:bedrock:us-east-1:1:imported-model/claude-sonnet-4-5", None),
        ("arn:aws:sagemaker:us-east-1:1:endpoint/gpt-4o", None),
        # A region that is not listed is not another region.
        (f"ca.{SONNET}", "aws"),
        ("gpt-oss-20b", "ollama"),
        ("ollama/gpt-oss-20b", None),
        ("hosted_vllm/gpt-4o", None),
        ("meta-llama/Llama-3-8b", "openai"),
        ("mycorp/gpt-4o", None),
        ("mycorp/claude-sonnet-4-5", None),
        ("openai/gpt-4o:online", "openrouter"),
        # Models that do not exist, or not yet.
        ("gpt-9", None),
        ("gpt-5-turbo", "openai"),
        ("gpt-5-2026-01-01", "openai"),
        ("claude-opus-6", "anthropic"),
        ("claude-sonnet-4-7", "anthropic"),
        ("gemini-9-pro", "google"),
        ("llama-3.3-70b-versatile", None),
        ("claude", None),
        ("", None),
        ("/", None),
        ("\x00", None),
    ],
)
def test_unknown_names_find_nothing(model: str, provider: str | None) -> None:
    assert CATALOG.find(model, provider) is None


@pytest.mark.parametrize(
    ("model", "provider", "word"),
    [
        ("gpt-4o", "mywrapper", "inferred"),
        # The list takes these providers for OpenAI and for Modal, by a part of their names.
        ("gpt-4o", "my-openai-proxy", "is not in the price list"),
        ("gpt-4o", "multimodal", "is not in the price list"),
        ("anthropic/claude-sonnet-4-5", "openai", "that of anthropic was used"),
        ("x-ai/grok-4", "openrouter", "that of x-ai was used"),
        # OpenAI's client at another provider's endpoint.
        ("gemini-2.5-flash", "openai", "that of google was used"),
        ("deepseek-chat", "openai", "that of deepseek was used"),
        # The list takes these names for models that they only begin like.
        ("claude-haiku-4-5-mini", "anthropic", "may be another model"),
        ("claude-sonnet-4-55", "anthropic", "may be another model"),
        ("gemini-2.5-pro-deep-think", "google", "may be another model"),
        ("o4-mini-deep-research", "azure", "may be another model"),
        ("gpt-4.5-preview-mini", "openai", "may be another model"),
        ("mycorp/gemini-1.5-flash", None, "may be another model"),
        ("deepseek-r1:7b", None, "may be another model"),
        ("ft:gpt-4-0613:org::id", "openai", "may be another model"),
        ("gpt-oss-120b", "openai", "did not verify"),
    ],
)
def test_a_price_of_something_similar_is_doubted(model: str, provider: str | None, word: str) -> None:
    entry = CATALOG.find(model, provider)
    assert entry is not None
    assert word in str(entry.doubt)


def test_every_entry_is_found_by_its_own_name_without_a_doubt_about_the_name() -> None:
    from genai_prices.data_snapshot import get_snapshot

    doubted = [
        (provider.id, model.id, entry.doubt)
        for provider in get_snapshot().providers
        for model in provider.models
        if (entry := CATALOG.find(model.id, provider.id)) is not None
        and entry.model is model
        and "may be another model" in str(entry.doubt)
    ]
    assert doubted == []


def test_names_near_to_one_that_is_unknown() -> None:
    assert CATALOG.near("gpt-4o-mni", None)[0] == "openai/gpt-4o-mini"
    assert all(name.startswith("anthropic/") for name in CATALOG.near("claude-sonet-4-5", "anthropic"))
    assert CATALOG.near("claude-sonet-4-5", "my-proxy")[0].endswith("claude-sonnet-4-5")
    assert CATALOG.near("zzzzzzzz", None) == ()


def test_names_that_pass_by_leave_no_trace() -> None:
    from genai_prices.data_snapshot import get_snapshot

    catalog = Catalog()
    for number in range(5000):
        assert catalog.find(f"nobody-{number}", "openai") is None
        assert catalog.find(f"nobody-{number}", f"proxy-{number}") is None
    assert len(catalog._found[1]) <= 4096
    remembered = [cache for name, cache in vars(get_snapshot()).items() if name.startswith("_")]
    assert not any("nobody" in str(key) for cache in remembered for key in cache)


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


@pytest.mark.parametrize(
    ("name", "expected"), [("ChatMistralAI", "chatmistralai"), (" xai ", "x-ai"), ("", None), ("LiteLLM", None)]
)
def test_provider_ids(name: str, expected: str | None) -> None:
    assert provider_id(name) == expected
