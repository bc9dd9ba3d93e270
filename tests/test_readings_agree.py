"""Do a provider's report and what the LangChain integration makes of it come to one price?"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("langchain_openai")
pytest.importorskip("langchain_anthropic")

from anthropic.types import Usage
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_anthropic.chat_models import _create_usage_metadata as anthropic_view
from langchain_openai.chat_models.base import _create_usage_metadata as chat_view
from langchain_openai.chat_models.base import _create_usage_metadata_responses as responses_view

from lc_costkit.pricing import PriceBook
from lc_costkit.readers import read_langchain, read_usage
from tests.support.traps import reports_openais_writes

OPENAI = ["gpt-4o", "gpt-5", *(["gpt-5.6-sol", "gpt-6-luna"] if reports_openais_writes() else [])]
ANTHROPIC = ["claude-haiku-5-5", "claude-sonnet-4-5", "claude-opus-4-6", "claude-fable-5-1"]
BOOK = PriceBook()

sizes = st.one_of(st.integers(1, 5_000), st.integers(99_990, 300_000))


@st.composite
def splits(draw: st.DrawFn) -> dict[str, int]:
    """A prompt of which a part was read from the cache and a part written to it, and an answer with reasoning."""
    total, output = draw(sizes), draw(st.integers(1, 3_000))
    read = draw(st.integers(0, total))
    written = draw(st.integers(0, total - read))
    hour = draw(st.integers(0, written))
    reasoning = draw(st.integers(0, output))
    return {"total": total, "read": read, "written": written, "hour": hour, "output": output, "reasoning": reasoning}


def agree(body: dict[str, Any], view: Any, provider: str) -> None:
    response = {"model_name": body["model"], "model_provider": provider}
    if body.get("service_tier"):
        response["service_tier"] = body["service_tier"]
    whole, seen = read_usage(body, provider), read_langchain(view, response)
    assert whole is not None and seen is not None
    told, taken = BOOK.price(whole), BOOK.price(seen)
    assert told.usd
    assert (taken.usd, taken.basis, taken.low, taken.high) == (told.usd, told.basis, told.low, told.high)


@settings(max_examples=300, deadline=None)
@given(splits(), st.sampled_from(OPENAI), st.sampled_from([None, "default", "flex", "priority", "fast"]), st.booleans())
def test_openais(counts: dict[str, int], model: str, tier: str | None, responses: bool) -> None:
    names = ("input", "output") if responses else ("prompt", "completion")
    written = {"cache_write_tokens": counts["written"]} if model.startswith(("gpt-5.6", "gpt-6")) else {}
    usage = {
        f"{names[0]}_tokens": counts["total"],
        f"{names[1]}_tokens": counts["output"],
        "total_tokens": counts["total"] + counts["output"],
        f"{names[0]}_tokens_details": {"cached_tokens": counts["read"], **written},
        f"{names[1]}_tokens_details": {"reasoning_tokens": counts["reasoning"]},
    }
    view = responses_view(usage, tier) if responses else chat_view(usage, tier)
    agree({"model": model, "usage": usage, "service_tier": tier}, view, "openai")


@settings(max_examples=300, deadline=None)
@given(splits(), st.sampled_from(ANTHROPIC), st.booleans())
def test_anthropics(counts: dict[str, int], model: str, split: bool) -> None:
    hour, written = counts["hour"], counts["written"]
    usage = {
        "input_tokens": counts["total"] - counts["read"] - written,
        "cache_read_input_tokens": counts["read"],
        "cache_creation_input_tokens": written,
        "cache_creation": {"ephemeral_5m_input_tokens": written - hour, "ephemeral_1h_input_tokens": hour},
        "output_tokens": counts["output"],
    }
    if not split:
        del usage["cache_creation"]
    agree({"model": model, "usage": usage}, anthropic_view(Usage.model_validate(usage)), "anthropic")
