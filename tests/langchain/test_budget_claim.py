"""What does a budget see of a LangChain call, and is it never less than what is billed?"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from lc_costkit.budget.ceiling import ceiling_of
from lc_costkit.budget.claim import Claim
from lc_costkit.langchain.budget_claim import read_anyhow, read_call
from lc_costkit.langchain.model_call import Chunk, ModelCall, Result
from lc_costkit.langchain.wrapping import wrapped
from lc_costkit.pricing import PriceBook
from lc_costkit.testing import FakeAnswer, FakeProvider
from tests.conftest import chat_anthropic, chat_openai


class Seen:
    """A guard that keeps the claims of the calls it lets through."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []

    def generate(self, call: ModelCall) -> Result:
        self.claims.append(read_call(call)[0])
        return call.generate()

    async def agenerate(self, call: ModelCall) -> Result:
        self.claims.append(read_call(call)[0])
        return await call.agenerate()

    def stream(self, call: ModelCall) -> Iterator[Chunk]:
        self.claims.append(read_call(call)[0])
        yield from call.stream()

    async def astream(self, call: ModelCall) -> AsyncIterator[Chunk]:
        self.claims.append(read_call(call)[0])
        async for chunk in call.astream():
            yield chunk

    def retried(self, retry: Any) -> Any:
        return retry


class City(BaseModel):
    """A city, its country, and how many people live there."""

    name: str
    country: str
    people: int


@tool
def weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


def claim_of(model: Any, asked: Any = "Hello", config: Any = None, **options: Any) -> Claim:
    """The claim of one call, which is not made."""
    from langchain_core.language_models import BaseChatModel

    plain = model.bound if hasattr(model, "bound") else model
    bound = {**getattr(model, "kwargs", {}), **options}
    messages = plain._convert_input(asked).to_messages() if isinstance(plain, BaseChatModel) else asked
    metadata = (config or {}).get("metadata", {})
    return read_call(
        ModelCall(model=plain, asked=messages, stop=None, options=bound, run_manager=None, metadata=metadata)
    )[0]


@pytest.fixture
def openai(provider: FakeProvider) -> Any:
    return chat_openai(provider)


@pytest.fixture
def anthropic(provider: FakeProvider) -> Any:
    return chat_anthropic(provider)


def test_whose_call_it_is_and_of_which_model(openai: Any, anthropic: Any) -> None:
    claim = claim_of(openai, config={"metadata": {"user": "u1", "tier": "gold"}})
    assert (claim.model, claim.provider) == ("gpt-4o-mini", "openai")
    assert (claim.metadata["user"], claim.metadata["tier"]) == ("u1", "gold")
    assert claim_of(openai.bind(model="gpt-4o")).model == "gpt-4o"
    assert (claim_of(anthropic).model, claim_of(anthropic).provider) == ("claude-haiku-4-5", "anthropic")
    other = claim_of(openai, config={"metadata": {"ls_provider": "anthropic", "ls_model_name": "claude-opus-5"}})
    assert (other.model, other.provider) == ("gpt-4o-mini", "openai")


def test_the_limit_of_the_answer(provider: FakeProvider) -> None:
    assert claim_of(chat_openai(provider)).max_output_tokens is None
    assert claim_of(chat_openai(provider)).output_limit == 16384
    assert claim_of(chat_openai(provider, max_tokens=50)).max_output_tokens == 50
    assert claim_of(chat_openai(provider, max_completion_tokens=60)).max_output_tokens == 60
    assert claim_of(chat_openai(provider, max_tokens=50).bind(max_tokens=70)).max_output_tokens == 70
    assert claim_of(chat_openai(provider, max_tokens=50), max_completion_tokens=80).max_output_tokens == 80
    assert claim_of(chat_openai(provider, extra_body={"max_completion_tokens": 90})).max_output_tokens == 90
    assert claim_of(chat_openai(provider, model_kwargs={"max_output_tokens": 95})).max_output_tokens == 95
    assert claim_of(chat_anthropic(provider, max_tokens=33)).max_output_tokens == 33


def test_several_answers(provider: FakeProvider) -> None:
    assert claim_of(chat_openai(provider)).choices == 1
    assert claim_of(chat_openai(provider, n=3)).choices == 3
    assert claim_of(chat_openai(provider).bind(n=4)).choices == 4
    assert claim_of(FakeListLLM(responses=["a"]), ["one", "two"]).choices == 2


def test_tools_and_schemas_are_input(openai: Any, anthropic: Any) -> None:
    for model in (openai, anthropic):
        assert "Say what the weather is" in claim_of(model.bind_tools([weather])).prompt.tools
        assert "how many people" in claim_of(model.with_structured_output(City).first).prompt.tools
        assert "people" in claim_of(model.with_structured_output(City, method="json_schema").first).prompt.tools
        assert claim_of(model).prompt.tools == ""


def test_terms_that_change_the_price(provider: FakeProvider) -> None:
    assert claim_of(chat_openai(provider, service_tier="priority")).service_tier == "priority"
    assert claim_of(chat_openai(provider).bind(service_tier="flex")).service_tier == "flex"
    assert claim_of(chat_anthropic(provider, inference_geo="us")).inference_geo == "us"
    assert claim_of(chat_anthropic(provider, model_kwargs={"speed": "fast"})).speed == "fast"
    assert claim_of(chat_anthropic(provider)).inference_geo is None


def cached(ttl: str | None) -> dict[str, Any]:
    control = {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}
    return {"type": "text", "text": "Long.", "cache_control": control}


@pytest.mark.parametrize(
    ("blocks", "options", "ttl"),
    [
        ([], {}, None),
        ([cached(None)], {}, "5m"),
        ([cached("1h")], {}, "1h"),
        ([cached("5m"), cached("1h")], {}, "1h"),
        ([cached("5m")], {"cache_control": {"type": "ephemeral", "ttl": "1h"}}, "1h"),
        ([cached("5m")], {"tools": [{"name": "a", "input_schema": {}, "cache_control": {"ttl": "1h"}}]}, "1h"),
    ],
)
def test_the_longest_lifetime_counts(blocks: Any, options: Any, ttl: Any, anthropic: Any) -> None:
    messages = [SystemMessage(content=blocks or "Be brief."), HumanMessage("Hello")]
    assert claim_of(anthropic, messages, **options).cache_ttl == ttl


def test_paid_tools(openai: Any, anthropic: Any) -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    assert claim_of(anthropic, tools=[{**search, "max_uses": 3}]).paid_tools == {"web_search": 3}
    assert claim_of(anthropic, tools=[search]).paid_tools == {"web_search": 10}
    assert claim_of(openai, tools=[{"type": "web_search"}]).paid_tools == {"web_search": 10}
    assert claim_of(openai.bind_tools([weather])).paid_tools == {}


PIXEL = base64.b64encode(b"x" * 3000).decode()


@pytest.mark.parametrize(
    ("block", "least"),
    [
        ({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}, 10_000),
        ({"type": "image", "base64": PIXEL, "mime_type": "image/png"}, 10_000),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}, 10_000),
        ({"type": "input_audio", "input_audio": {"data": PIXEL, "format": "mp3"}}, 3000 * 32 // 750),
        ({"type": "audio", "base64": PIXEL, "mime_type": "audio/mp3"}, 3000 * 32 // 750),
        ({"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PIXEL}"}}, 15_000),
        ({"type": "document", "source": {"type": "base64", "data": PIXEL}}, 15_000),
        ({"type": "document", "source": {"type": "text", "data": "word " * 600}}, 15_000),
        ({"type": "file", "file": {"file_id": "file-1"}}, 128_000),
        ({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}, 128_000),
        ({"type": "tool_result", "content": [{"type": "text", "text": "x" * 100}, {"type": "image"}]}, 10_000),
    ],
)
def test_what_is_no_text_counts_at_its_most(block: Any, least: int, openai: Any, anthropic: Any) -> None:
    for model in (openai, anthropic):
        claim = claim_of(model, [HumanMessage(content=[{"type": "text", "text": "Look:"}, block])])
        assert least <= claim.other_input_tokens <= 10 * least
    assert claim_of(openai, [HumanMessage(content=[{"type": "text", "text": "Look:"}])]).other_input_tokens == 0


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "Let me see.", "signature": "abc"},
        {"type": "tool_result", "content": [{"type": "text", "text": "Let me see."}, {"type": "image", "data": PIXEL}]},
        {"type": "whatever", "said": "Let me see."},
    ],
)
def test_what_is_said_beside_the_text_counts_as_text(block: Any, openai: Any) -> None:
    messages = [HumanMessage("Hello"), AIMessage([{"type": "text", "text": "Look:"}, block])]
    (_, first), (_, second) = claim_of(openai, messages).prompt.turns
    assert first == "Hello"
    assert second.startswith("Look:\n[{")
    assert "Let me see." in second
    assert PIXEL not in second


def test_tool_calls_count_once(anthropic: Any) -> None:
    use = {"type": "tool_use", "id": "1", "name": "weather", "input": {"city": "Jeju"}}
    message = AIMessage([use], tool_calls=[{"name": "weather", "args": {"city": "Jeju"}, "id": "1"}])
    (turn,) = claim_of(anthropic, [message]).prompt.turns
    assert turn[1].count("Jeju") == 1


def test_a_call_that_cannot_be_read_counts_its_bytes() -> None:
    call = ModelCall(model=object(), asked=["Hello"], stop=None, options={}, run_manager=None, metadata={"user": "u"})
    claim, opened = read_anyhow(call)
    assert "Hello" in claim.prompt.question
    assert (claim.metadata, opened.model_asked) == ({"user": "u"}, None)


LONG = "Answer briefly and politely, citing the handbook. " * 400


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("make", [chat_openai, chat_anthropic], ids=["openai", "anthropic"])
def test_the_most_is_never_less_than_the_bill(make: Any, counted: bool) -> None:
    answer = FakeAnswer("Wort für Wort, 한 마디, " * 400)
    with FakeProvider(answer=lambda request: answer) as provider:
        seen = Seen()
        model: Any = wrapped(make(provider, max_tokens=300), seen)
        control: Any = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
        system: Any = SystemMessage(content=control if make is chat_anthropic else LONG)
        call = AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Jeju"}, "id": "call_1"}])
        history = [HumanMessage("제주 날씨 어때?"), call, ToolMessage("Sunny. " * 50, tool_call_id="call_1")]
        model.invoke([system, HumanMessage("Hello")])
        model.bind_tools([weather]).invoke([system, *history])
        list(model.bind_tools([weather]).stream([system, *history, HumanMessage("12,345.67 + 89 = ?\n\n{}[]")]))
        model.bind(stop=["zzz"]).invoke("Hello")
        assert provider.wait_idle()
        assert len(seen.claims) == provider.calls == 4
        prices = PriceBook()
        for claim, billed in zip(seen.claims, provider.log, strict=True):
            ceiling = ceiling_of(claim, prices, counted=counted)
            assert ceiling.usd is not None
            assert billed.usd is not None
            assert ceiling.usd >= billed.usd > 0
