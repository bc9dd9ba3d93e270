"""Does a router call the cheapest able target with real clients, and learn from what was metered?"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from lc_costkit import (
    Cheapest,
    ConfigurationError,
    CostCallbackHandler,
    Ledger,
    ModelPrice,
    ModelRouter,
    PriceBook,
    TokenCounter,
)
from lc_costkit.routing import TargetModel, experience
from lc_costkit.testing import FakeProvider
from tests.conftest import chat_anthropic, chat_openai

IMAGE = base64.b64encode(b"not really a picture").decode()
SMALL = "gpt-3.5-turbo"
"""16,385 tokens, and by its profile neither tools nor images."""


@tool
def get_weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


class Report(BaseModel):
    """A weather report."""

    city: str
    warm: bool


@pytest.fixture
def targets(provider: FakeProvider) -> dict[str, Any]:
    return {
        "small": chat_openai(provider, SMALL),
        "middle": chat_anthropic(provider, "claude-haiku-4-5"),
        "large": chat_anthropic(provider, "claude-opus-4-5"),
    }


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


def asked(provider: FakeProvider) -> list[str]:
    return [str(call.model) for call in provider.log]


def test_an_input_that_all_can_answer_goes_to_the_cheapest(provider: FakeProvider, targets: dict[str, Any]) -> None:
    router = ModelRouter(targets, policy=Cheapest())
    route = router.invoke("hi").response_metadata["lc_costkit"]["route"]
    assert asked(provider) == [SMALL]
    assert route["reasons"][0].startswith("small: the least expected cost of 3 that fit")


def test_what_was_expected_is_near_what_the_provider_bills(provider: FakeProvider) -> None:
    targets = {"small": chat_openai(provider), "large": chat_anthropic(provider)}
    text = "Where is my parcel? It was sent two weeks ago, and the number that I was given is not known. " * 40
    output = TokenCounter("gpt-4o-mini").count(str(targets["small"].invoke(text).content))
    router = ModelRouter(targets, policy=Cheapest(output_tokens=output))
    expected = router.explain(text).choice.decision.expected_cost
    assert expected is not None
    assert float(expected) == pytest.approx(float(provider.billed_usd), rel=0.1)


def test_tools_go_to_a_target_that_takes_them(provider: FakeProvider, targets: dict[str, Any]) -> None:
    router = ModelRouter(targets, policy=Cheapest()).bind_tools([get_weather], tool_choice="any")
    answer = router.invoke("get_weather in Paris")
    assert asked(provider) == ["claude-haiku-4-5"]
    assert answer.tool_calls[0]["name"] == "get_weather"
    reasons = answer.response_metadata["lc_costkit"]["route"]["reasons"]
    assert "small cannot do it (tools)" in reasons


def test_a_schema_goes_to_a_target_that_gives_one(provider: FakeProvider, targets: dict[str, Any]) -> None:
    router = ModelRouter(targets, policy=Cheapest()).with_structured_output(Report, method="function_calling")
    assert isinstance(router.invoke("Paris?"), Report)
    assert asked(provider) == ["claude-haiku-4-5"]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
        {"type": "image", "base64": IMAGE, "mime_type": "image/png"},
    ],
)
def test_a_picture_goes_to_a_target_that_sees(
    provider: FakeProvider, targets: dict[str, Any], part: dict[str, Any]
) -> None:
    message = HumanMessage([{"type": "text", "text": "What is this?"}, part])
    answer = ModelRouter(targets, policy=Cheapest()).invoke([message])
    assert asked(provider) == ["claude-haiku-4-5"]
    reasons = answer.response_metadata["lc_costkit"]["route"]["reasons"]
    assert "small cannot do it (image input)" in reasons
    assert "middle: image input is not in the expected cost" in reasons


async def test_a_prompt_too_long_for_the_small_window_goes_to_a_larger_one(
    provider: FakeProvider, targets: dict[str, Any]
) -> None:
    router = ModelRouter(targets, policy=Cheapest())
    long = "The customer asked twice about the same invoice. " * 2_000
    await router.ainvoke(long)
    await router.ainvoke("hi")
    async for _ in router.astream([HumanMessage(long), AIMessage("Yes."), HumanMessage("And now?")]):
        pass
    assert asked(provider) == ["claude-haiku-4-5", SMALL, "claude-haiku-4-5"]


def test_a_longer_answer_than_the_small_one_gives_is_asked_of_a_larger_one(
    provider: FakeProvider, targets: dict[str, Any]
) -> None:
    ModelRouter(targets, policy=Cheapest()).invoke("hi", max_tokens=5_000)
    assert asked(provider) == ["claude-haiku-4-5"]


def test_a_conversation_goes_on_where_its_prefix_is_warm(provider: FakeProvider) -> None:
    targets = {"mini": chat_openai(provider, "gpt-4.1-mini"), "other": chat_openai(provider, "gpt-4o")}
    prices = PriceBook(
        overrides={
            "gpt-4.1-mini": ModelPrice(input_per_million=4, cache_read_per_million=4, output_per_million=4),
            "gpt-4o": ModelPrice(input_per_million=5, cache_read_per_million=1, output_per_million=4),
        }
    )
    router = ModelRouter(targets, policy=Cheapest(prices=prices))
    long = "The customer asked twice about the same invoice. " * 300
    first = HumanMessage(long)
    answer = router.invoke([first], {"metadata": {"route": "other"}})
    router.invoke([first, answer, HumanMessage("And now?")])
    router.invoke([HumanMessage(f"Another one. {long}")])
    assert asked(provider) == ["gpt-4o", "gpt-4o", "gpt-4.1-mini"]


def test_what_was_metered_and_scored_decides_after_a_refresh(
    provider: FakeProvider, targets: dict[str, Any], ledger: Ledger
) -> None:
    policy = Cheapest(min_quality=0.6, ledger=ledger)
    router = ModelRouter(targets, policy=policy)
    handler: Any = {"callbacks": [CostCallbackHandler(ledger)]}
    for target in targets:
        router.batch(["hi"] * 20, {**handler, "metadata": {"route": target}, "max_concurrency": 1})
    for record in ledger.records():
        ledger.score(record.call_id, float(record.route != "small"))
    assert [(row.route, row.model, row.calls, row.scores) for row in experience(ledger).rows] == [
        ("large", "claude-opus-4-5", 20, 20),
        ("middle", "claude-haiku-4-5", 20, 20),
        ("small", SMALL, 20, 20),
    ]
    provider.reset()
    router.invoke("hi")
    assert policy.refresh()
    answer = router.invoke("hi")
    assert asked(provider) == ["claude-opus-4-5", "claude-haiku-4-5"]
    (row,) = [row for row in policy.experience.rows if row.route == "middle"]
    assert row.mean_output_tokens == answer.usage_metadata["output_tokens"]


def test_a_target_without_a_price_is_refused_when_the_router_is_built(provider: FakeProvider) -> None:
    targets = {"own": chat_openai(provider, "my-own-llm"), "large": chat_openai(provider, "gpt-4o")}
    with pytest.raises(ConfigurationError, match=r"target 'own' .*cannot be priced.*overrides="):
        ModelRouter(targets, policy=Cheapest())
    prices = PriceBook(overrides={"my-own-llm": ModelPrice(per_hour="0.90")})
    with pytest.raises(ConfigurationError, match=r"how long the call took is not known.*seconds="):
        ModelRouter(targets, policy=Cheapest(prices=prices))
    own = TargetModel(max_input_tokens=500)
    ModelRouter(targets, policy=Cheapest(prices=prices, seconds=1.5, models={"own": own})).batch(["hi", "word " * 400])
    assert sorted(asked(provider)) == ["gpt-4o", "my-own-llm"]


def test_a_model_that_is_bound_later_and_has_no_price_is_left_out(
    provider: FakeProvider, targets: dict[str, Any]
) -> None:
    policy = Cheapest()
    router = ModelRouter({"small": targets["small"], "large": targets["large"]}, policy=policy)
    answer = router.bind(model="my-own-llm").invoke("hi")
    assert answer.response_metadata["lc_costkit"]["route"]["target"] == "large"
    assert policy.faults.counts == {"pricing a target: LookupError": 2}
