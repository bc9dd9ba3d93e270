"""Does a routed LLM call the cheapest able target with real clients, and learn from what was metered?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.llms import LLMMetadata
from llama_index.core.tools import FunctionTool

from lc_costkit import Cheapest, ConfigurationError, Ledger
from lc_costkit.llama_index import instrument, routed_llm
from lc_costkit.routing import TargetModel
from lc_costkit.testing import FakeProvider
from tests.support.llama_anthropic import AnthropicFunctionLLM
from tests.support.llama_openai import OpenAIFunctionLLM


class SmallLLM(OpenAIFunctionLLM):
    """A model of a small window, which calls no tools."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            model_name=self.model, is_chat_model=True, is_function_calling_model=False, context_window=4_096
        )


def get_weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


@pytest.fixture
def targets(provider: FakeProvider) -> dict[str, Any]:
    return {
        "small": SmallLLM(model="gpt-4.1-nano", base_url=provider.openai_base_url),
        "middle": OpenAIFunctionLLM(model="gpt-4o-mini", base_url=provider.openai_base_url),
        "large": AnthropicFunctionLLM(model="claude-sonnet-4-6", base_url=provider.anthropic_base_url),
    }


def asked(provider: FakeProvider) -> list[Any]:
    return [call.body["model"] for call in provider.log if call.body]


async def test_a_request_that_all_can_answer_goes_to_the_cheapest(
    provider: FakeProvider, targets: dict[str, Any]
) -> None:
    routed = routed_llm(targets, Cheapest())
    reasons = routed.complete("hi").additional_kwargs["lc_costkit"]["route"]["reasons"]
    await routed.achat([ChatMessage("hi")])
    assert [part.delta for part in routed.stream_chat([ChatMessage("hi")])]
    assert asked(provider) == ["gpt-4.1-nano"] * 3
    assert reasons[0].startswith("small: the least expected cost of 3 that fit")


def test_a_prompt_too_long_for_the_small_window_goes_to_a_larger_one(
    provider: FakeProvider, targets: dict[str, Any]
) -> None:
    routed_llm(targets, Cheapest()).complete("The customer asked twice about the same invoice. " * 500)
    assert asked(provider) == ["gpt-4o-mini"]


def test_tools_go_to_a_target_that_takes_them(provider: FakeProvider, targets: dict[str, Any]) -> None:
    routed = routed_llm({"small": targets["middle"], "large": targets["large"]}, Cheapest())
    tool = FunctionTool.from_defaults(get_weather)
    routed.chat_with_tools([tool], user_msg="get_weather in Paris", tool_required=True)  # type: ignore[attr-defined]
    assert asked(provider) == ["gpt-4o-mini"]


def test_a_picture_goes_to_a_target_that_is_said_to_see(provider: FakeProvider, targets: dict[str, Any]) -> None:
    blind, sees = TargetModel(media=frozenset()), TargetModel(media=frozenset({"image"}))
    policy = Cheapest(models={"small": blind, "middle": blind, "large": sees})
    message = ChatMessage(blocks=[TextBlock(text="What is this?"), ImageBlock(image=b"not really a picture")])
    choice = routed_llm(targets, policy).explain([message])
    assert choice.target == "large"
    assert "small cannot do it (image input)" in choice.reasons


def test_what_was_metered_and_scored_decides_after_a_refresh(
    provider: FakeProvider, targets: dict[str, Any], tmp_path: Path
) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        policy = Cheapest(min_quality=0.6, ledger=ledger)
        routed = routed_llm(targets, policy)
        with instrument(ledger):
            for target in targets.values():
                for _ in range(20):
                    target.complete("hi")
            for record in ledger.records():
                ledger.score(record.call_id, float(record.model_asked != "gpt-4.1-nano"))
            provider.reset()
            routed.complete("hi")
            assert policy.refresh()
            routed.complete("hi")
    assert asked(provider) == ["claude-sonnet-4-6", "gpt-4o-mini"]


def test_a_target_without_a_price_is_refused(provider: FakeProvider, targets: dict[str, Any]) -> None:
    targets["small"] = OpenAIFunctionLLM(model="my-own-llm", base_url=provider.openai_base_url)
    with pytest.raises(ConfigurationError, match=r"target 'small' .*cannot be priced"):
        routed_llm(targets, Cheapest())
