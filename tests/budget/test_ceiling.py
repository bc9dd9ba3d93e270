"""Is a call ever billed above the ceiling that was worked out before it?"""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage

from lc_costkit.budget.ceiling import Ceiling, ceiling_of
from lc_costkit.budget.claim import Claim
from lc_costkit.budget.dearest import LONG_ABOVE
from lc_costkit.budget.prompt_size import most_tokens
from lc_costkit.langchain.budget_claim import read_call
from lc_costkit.langchain.model_call import ModelCall
from lc_costkit.llama_index.budget_claim import read_request
from lc_costkit.llama_index.delegating import ChatRequest
from lc_costkit.pricing import ModelPrice, PriceBook
from lc_costkit.prompt import Prompt
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest
from lc_costkit.tokens import TokenCounter
from lc_costkit.usage import TokenUsage, UsageReading
from tests.conftest import chat_anthropic, chat_openai
from tests.support.llama_openai import OpenAIFunctionLLM

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOOK = PriceBook()
QUESTION = Prompt(turns=(("human", "Why is the sky blue?"),))

SENTENCES = (
    "Why is my card payment still pending after three days? ",
    "카드 비밀번호를 어떻게 바꾸나요? ",
    "为什么我的转账还没有到账? ",
    "Почему списали комиссию дважды? ",
    "Wie hoch ist die Gebühr für eine Überweisung? ",
    '{"amount": 1234567890, "ids": [1,2,3], "note": "a\\tb"}\n',
    "🙂🚀👩‍👩‍👧 ﷽ ",
    "----------------------------------------------------------------\n\n\n",
)


def of(claim: Claim, *, book: PriceBook = BOOK, counted: bool = False) -> Ceiling:
    return ceiling_of(claim, book, counted=counted, at=NOW)


def claim(model: str | None = "gpt-4o-mini", **more: Any) -> Claim:
    return replace(Claim(model=model, prompt=QUESTION, max_output_tokens=100), **more)


# -- against what real clients are billed -----------------------------------------------


def answer(request: FakeRequest) -> FakeAnswer:
    """As long as it may be, where there is a limit; else some thousand tokens."""
    return FakeAnswer("word " * min(request.max_tokens or 3_000, 3_000))


@pytest.fixture(scope="module")
def endless() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer, keep_alive=False) as running:
        yield running


texts = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6).map("".join) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60
)


def tool(name: str) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": "Looks up an order. 주문을 찾습니다.",
            "parameters": {
                "type": "object",
                "properties": {"order_id": {"type": "string", "description": "such as A-1"}},
                "required": ["order_id"],
            },
        },
    }


@st.composite
def conversations(draw: st.DrawFn) -> list[BaseMessage]:
    messages: list[BaseMessage] = []
    if draw(st.booleans()):
        messages.append(SystemMessage(draw(texts) * draw(st.sampled_from([1, 40]))))
    for turn in range(draw(st.integers(0, 2))):
        messages.append(HumanMessage(draw(texts)))
        calls = [
            {"name": "find_order", "args": {"order_id": draw(texts)}, "id": f"call_{turn}_{number}"}
            for number in range(draw(st.integers(0, 3)))
        ]
        messages.append(AIMessage(draw(texts), tool_calls=calls))
        messages += [ToolMessage(draw(texts), tool_call_id=str(call["id"])) for call in calls]
    return [*messages, HumanMessage(draw(texts))]


def has_calls(messages: list[BaseMessage]) -> bool:
    return any(isinstance(message, ToolMessage) for message in messages)


FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "verdict",
        "schema": {"type": "object", "properties": {"urteil": {"type": "string", "enum": ["ja", "nein", "아니요"]}}},
    },
}


def claim_of(chat: Any, messages: list[BaseMessage], options: dict[str, Any]) -> Claim:
    """What ``budgeted`` would know of the call."""
    return read_call(ModelCall(model=chat, asked=messages, stop=None, options=options, run_manager=None, metadata={}))[
        0
    ]


def hold(provider: FakeProvider, before: Claim) -> None:
    """Compare the last bill with both ceilings of the call it is for."""
    billed = provider.log[-1]
    assert billed.usd is not None
    quick, close = of(before), of(before, counted=True)
    assert quick.usd is not None
    assert close.usd is not None
    assert billed.usd <= close.usd <= quick.usd
    assert close.tokens <= quick.tokens


@pytest.mark.filterwarnings("ignore:Unexpected type for token usage:UserWarning")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    model=st.sampled_from(["gpt-4o-mini", "gpt-4.1", "gpt-5", "gpt-5.6-sol"]),
    messages=conversations(),
    tools=st.integers(0, 3),
    limit=st.sampled_from([None, 1, 50, 2_000]),
    choices=st.integers(1, 3),
    tier=st.sampled_from([None, "auto", "flex", "priority"]),
    schema=st.booleans(),
)
def test_openai_never_bills_more(
    endless: FakeProvider,
    model: str,
    messages: list[BaseMessage],
    tools: int,
    limit: int | None,
    choices: int,
    tier: str | None,
    schema: bool,
) -> None:
    tools = max(tools, 1) if has_calls(messages) else tools
    given_tools = [tool("find_order" if number == 0 else f"find_{number}") for number in range(tools)]
    chat = chat_openai(endless, model, max_tokens=limit, n=choices, service_tier=tier, use_responses_api=False)
    options = {"tools": given_tools} if given_tools else {}
    options |= {"extra_body": {"response_format": FORMAT}} if schema else {}
    chat.generate([messages], **options)
    hold(endless, claim_of(chat, messages, options))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    model=st.sampled_from(["claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-5"]),
    messages=conversations(),
    tools=st.integers(0, 3),
    limit=st.sampled_from([1, 50, 2_000]),
    ttl=st.sampled_from([None, "5m", "1h"]),
)
def test_anthropic_never_bills_more(
    endless: FakeProvider, model: str, messages: list[BaseMessage], tools: int, limit: int, ttl: str | None
) -> None:
    assume(all(str(message.content).strip() for message in messages))
    tools = max(tools, 1) if has_calls(messages) else tools
    given_tools = [tool("find_order" if number == 0 else f"find_{number}") for number in range(tools)]
    chat: Any = chat_anthropic(endless, model, max_tokens=limit)
    chat = chat.bind_tools(given_tools) if given_tools else chat
    sent = list(messages)
    if ttl is not None:
        control = {"type": "ephemeral", "ttl": ttl}
        block = {"type": "text", "text": str(sent[-1].content), "cache_control": control}
        sent[-1] = HumanMessage(content=[block])
    chat.invoke(sent)
    bound: Any = chat if given_tools else None
    hold(endless, claim_of(bound.bound if bound else chat, sent, bound.kwargs if bound else {}))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    model=st.sampled_from(["gpt-4o-mini", "gpt-5.6-sol"]),
    system=texts,
    asked=st.lists(texts, min_size=1, max_size=4),
    tools=st.integers(0, 3),
    limit=st.sampled_from([None, 1, 2_000]),
    choices=st.integers(1, 3),
)
def test_a_llama_index_llm_is_never_billed_more(
    endless: FakeProvider, model: str, system: str, asked: list[str], tools: int, limit: int | None, choices: int
) -> None:
    llm = OpenAIFunctionLLM(model=model, base_url=endless.openai_base_url)
    turns = [("user" if turn % 2 == 0 else "assistant", text) for turn, text in enumerate(asked)]
    messages = [ChatMessage(role=role, content=text) for role, text in [("system", system), *turns]]
    options: dict[str, Any] = {"n": choices}
    options |= {"tools": [tool(f"find_{number}") for number in range(tools)]} if tools else {}
    options |= {"max_completion_tokens": limit} if limit else {}
    llm.chat(messages, **options)
    hold(endless, read_request(llm, ChatRequest(messages=messages, options=options))[0])


def test_many_tool_calls_at_once_are_framed_each(endless: FakeProvider) -> None:
    calls = [{"name": "f", "args": {"a": '"' * 3}, "id": f"c{number}"} for number in range(60)]
    answers = [ToolMessage("1", tool_call_id=str(call["id"])) for call in calls]
    messages = [HumanMessage("Go."), AIMessage("", tool_calls=calls), *answers]
    chat = chat_openai(endless, max_tokens=1)
    options = {"tools": [tool("f")]}
    chat.invoke(messages, **options)
    hold(endless, claim_of(chat, messages, options))


def test_a_long_prompt_is_held_at_little_more_than_it_is_billed(endless: FakeProvider) -> None:
    """All of it is written to the cache at 1.25 times the rate, and the answer uses its limit up."""
    text = SENTENCES[0] * 1_000
    chat_openai(endless, "gpt-5.6-sol", max_tokens=2_000).invoke(text)
    before = Claim(model="gpt-5.6-sol", prompt=Prompt(turns=(("human", text),)), max_output_tokens=2_000)
    billed, close = endless.log[-1].usd, of(before, counted=True).usd
    assert billed is not None
    assert close is not None
    assert billed < close < billed * Decimal("1.01")


# -- against the price list -------------------------------------------------------------


@cache
def listed() -> list[tuple[str, str]]:
    return [(provider.id, model.id) for provider in get_snapshot().providers for model in provider.models]


def writes_are_dearer(model: str, provider: str, at: datetime) -> bool:
    plain, written = (
        BOOK.cost(model, usage, provider=provider, at=at).usd or Decimal(0)
        for usage in (TokenUsage(input_tokens=1_000), TokenUsage(cache_write_tokens=1_000))
    )
    return written > plain


@settings(max_examples=300, deadline=None)
@given(
    which=st.integers(0, 10**6),
    text=st.sampled_from([40, 5_000, 130_000, 200_000, 250_000, 300_000]),
    written=st.sampled_from([0.0, 0.3, 1.0]),
    read=st.sampled_from([0.0, 0.5]),
    other=st.sampled_from([0, 1_000]),
    sound=st.booleans(),
    output=st.integers(0, 5_000),
    thought=st.sampled_from([0.0, 0.5, 1.0]),
    ttl=st.sampled_from([None, "5m", "1h"]),
    asked=st.sampled_from(
        [{}, {"service_tier": "priority"}, {"service_tier": "flex"}, {"processing": "batch"}, {"speed": "fast"}]
    ),
    geo=st.sampled_from([None, "us"]),
    days=st.integers(0, 400),
)
def test_no_price_of_the_list_is_above_the_ceiling(
    which: int,
    text: int,
    written: float,
    read: float,
    other: int,
    sound: bool,
    output: int,
    thought: float,
    ttl: str | None,
    asked: dict[str, str],
    geo: str | None,
    days: int,
) -> None:
    provider, model = listed()[which % len(listed())]
    at = NOW - timedelta(days=days)
    before = Claim(
        model=model,
        provider=provider,
        prompt=Prompt(turns=(("human", "x" * text),)),
        max_output_tokens=output,
        other_input_tokens=other,
        cache_ttl=ttl,
        inference_geo=geo,
        **asked,
    )
    ceiling = ceiling_of(before, BOOK, counted=False, at=at)
    kind = "cache_write_1h_tokens" if ttl == "1h" else "cache_write_5m_tokens" if ttl == "5m" else "input_tokens"
    if ttl is None and "claude" not in model and writes_are_dearer(model, provider, at):
        kind = "cache_write_tokens"
    cached = int(text * read)
    new = int((text - cached) * written)
    counts = {"cache_read_tokens": cached, "input_tokens": text - cached - new, "output_tokens": output}
    counts[kind] = counts.get(kind, 0) + new
    counts["input_audio_tokens" if sound else "input_image_tokens"] = other
    usage = TokenUsage(**counts, reasoning_tokens=int(output * thought))
    assert usage.total <= ceiling.tokens
    for answered in ({}, asked) if asked.get("service_tier") == "priority" else (asked,):
        reading = UsageReading(usage=usage, model=model, provider=provider, inference_geo=geo, **answered)
        cost = BOOK.price(reading, at=at)
        if ceiling.usd is None:
            assert cost.usd is None
        elif cost.usd is not None:
            assert max(cost.usd, cost.high or 0) <= ceiling.usd


def test_the_steps_of_long_prompts_are_those_of_the_list() -> None:
    starts = set()
    for provider in get_snapshot().providers:
        for model in provider.models:
            for price in vars(model.get_prices(NOW, {})).values():
                tiers = getattr(price, "tiers", ())
                starts |= {tier.start for tier in tiers}
                rates = [getattr(price, "base", 0), *(tier.price for tier in tiers)]
                assert rates == sorted(rates), f"{model.id} gets cheaper with a longer prompt"
    assert starts == set(LONG_ABOVE)


# -- what it rests on -------------------------------------------------------------------


def test_an_unset_limit_is_the_models_and_said_so() -> None:
    found = of(claim(max_output_tokens=None))
    assert found.output_tokens == 16_384
    assert found.reasons == ("max_tokens is not set; the model's limit of 16384 was used",)


def test_the_frameworks_limit_goes_before_the_table() -> None:
    found = of(claim(max_output_tokens=None, output_limit=77))
    assert found.output_tokens == 77
    assert "77" in found.reasons[0]


def test_the_requests_limit_goes_before_all_and_needs_no_word() -> None:
    found = of(claim(max_output_tokens=5, output_limit=77, choices=3))
    assert found.output_tokens == 15
    assert found.reasons == ()


def test_a_model_in_no_table_may_fill_its_window() -> None:
    found = of(claim("deepseek-chat", max_output_tokens=None))
    window = get_snapshot().find_provider_model("deepseek-chat", None, None, None)[1].context_window
    assert found.output_tokens == window
    assert "context window" in found.reasons[-1]


def test_a_model_of_which_nothing_is_known_may_write_128_000_tokens() -> None:
    found = of(claim("my-llm", max_output_tokens=None), book=PriceBook(overrides={"my-llm": price()}))
    assert found.output_tokens == 128_000
    assert "assumed" in found.reasons[-1]
    assert found.usd is not None


def test_an_alias_is_followed_to_limit_price_and_vocabulary() -> None:
    book = PriceBook(aliases={"answers": "gpt-4o-mini", "writer": "claude-sonnet-4-5"})
    for counted in (False, True):
        alias = of(claim("answers", max_output_tokens=None), book=book, counted=counted)
        assert alias == of(claim(max_output_tokens=None), counted=counted)
    prompt = replace(QUESTION, tools=json.dumps([tool("find_order")]))
    assert of(claim("writer", prompt=prompt), book=book).tokens == of(claim("claude-sonnet-4-5", prompt=prompt)).tokens


def price(**more: Any) -> ModelPrice:
    return ModelPrice(input_per_million="1", output_per_million="2", **more)


def test_a_free_model_costs_nothing_and_an_unpriced_one_has_no_ceiling() -> None:
    free = ModelPrice(input_per_million=0, output_per_million=0)
    assert of(claim("local"), book=PriceBook(overrides={"local": free})).usd == 0
    assert of(claim("local")).usd is None
    assert "overrides=" in of(claim("local")).reasons[0]
    assert of(claim(None)).usd is None
    assert of(claim(None)).reasons == ("nobody says which model is asked",)
    half = PriceBook(overrides={"local": ModelPrice(input_per_million=1)})
    assert of(claim("local"), book=half).usd is None
    assert of(claim("local", max_output_tokens=0), book=half).usd is not None


def test_a_model_paid_by_the_hour_is_held_for_ten_minutes() -> None:
    found = of(claim("local"), book=PriceBook(overrides={"local": ModelPrice(per_hour="6")}))
    assert found.usd == 1
    assert "600 seconds" in found.reasons[-1]


def test_an_embedding_has_no_output() -> None:
    assert of(claim("text-embedding-3-small", max_output_tokens=None)).output_tokens == 0
    unknown = of(claim("embed-v4.0", provider="cohere", max_output_tokens=None))
    assert unknown.output_tokens == 0
    assert unknown.usd is not None
    assert unknown.usd > 0


def test_the_call_and_its_paid_tools_are_in_it() -> None:
    book = PriceBook(overrides={"m": price(per_call="0.5", per_request={"web_search": "0.01", "run": "0.02"})})
    plain, searching, running = (
        of(claim("m", paid_tools=tools), book=book) for tools in ({}, {"web_search": 3}, {"run": 1})
    )
    assert plain.usd is not None
    assert searching.usd is not None
    assert running.usd is not None
    assert plain.usd > Decimal("0.5")
    assert running.usd - plain.usd == Decimal("0.02")
    # What each search finds is input, too.
    assert searching.tokens - plain.tokens == 3 * 8_000
    assert searching.usd - plain.usd == Decimal("0.03") + 3 * 8_000 * Decimal("0.000001")
    assert "web_search" in searching.reasons[-1]
    assert running.reasons == ()


def test_what_gemini_finds_is_not_billed() -> None:
    searching = of(claim("gemini-2.5-flash", paid_tools={"web_search": 1}))
    assert searching.tokens == of(claim("gemini-2.5-flash")).tokens


def test_a_paid_tool_without_a_price_is_named() -> None:
    assert any("crystal_ball" in reason for reason in of(claim(paid_tools={"crystal_ball": 1})).reasons)


@pytest.mark.parametrize(
    ("model", "asked", "factor"),
    [
        ("claude-sonnet-4-5", {}, "1"),
        ("claude-sonnet-4-5", {"cache_ttl": "5m"}, "1.25"),
        ("claude-sonnet-4-5", {"cache_ttl": "1h"}, "2"),
        ("claude-sonnet-4-5", {"inference_geo": "us"}, "1.1"),
        ("claude-sonnet-4-5", {"processing": "batch"}, "0.5"),
        ("claude-sonnet-4-5", {"service_tier": "auto"}, "2"),
        ("gpt-5.6-sol", {}, "1.25"),
        ("gpt-5.6-sol", {"cache_ttl": "30m"}, "1.25"),
        ("gpt-5.6-sol", {"cache_ttl": "12h"}, "2.5"),
        ("gpt-4o", {"cache_ttl": "12h"}, "1"),
        ("gpt-4o-mini", {}, "1"),
        ("gpt-5", {"service_tier": "auto"}, "1"),
        ("gpt-5", {"service_tier": "priority"}, "2"),
        ("gpt-5", {"service_tier": "flex"}, "0.5"),
        ("gpt-5", {"service_tier": "priority", "processing": "batch"}, "2"),
    ],
)
def test_input_counts_at_the_dearest_rate_it_can_get(model: str, asked: dict[str, str], factor: str) -> None:
    prompt = Prompt(turns=(("human", "x" * 1_000),))
    found = of(claim(model, prompt=prompt, max_output_tokens=0, **asked))
    plain = BOOK.cost(model, TokenUsage(input_tokens=found.tokens), at=NOW).usd
    assert plain is not None
    assert found.usd == plain * Decimal(factor)


def test_a_prompt_at_the_step_is_not_priced_as_one_above_it() -> None:
    around = most_tokens(Prompt(turns=(("human", ""),)), claude=False)
    for length, factor in ((272_000, Decimal(1)), (272_001, Decimal(2))):
        prompt = Prompt(turns=(("human", "x" * (length - around)),))
        found = of(claim("gpt-5.6-sol", prompt=prompt, max_output_tokens=0))
        assert found.tokens == length
        assert found.usd == length * Decimal("0.000005") * factor


def test_prices_of_another_day_are_those_of_that_day() -> None:
    history = [moment for moment in (NOW, NOW - timedelta(days=300)) if moment]
    found = {ceiling_of(claim("o3", max_output_tokens=0), BOOK, counted=False, at=at).usd for at in history}
    prices = {BOOK.cost("o3", TokenUsage(input_tokens=1_000), at=at).usd for at in history}
    assert len(found) == len(prices)


@given(st.text(max_size=200), st.booleans())
def test_a_count_is_never_above_the_bytes_and_never_below_the_models_own(text: str, known: bool) -> None:
    prompt = Prompt(turns=(("human", text),))
    model = "gpt-4o" if known else "claude-sonnet-4-5"
    quick, close = (of(claim(model, prompt=prompt, max_output_tokens=0), counted=one).tokens for one in (False, True))
    assert TokenCounter("gpt-4o").count(text) <= close <= quick


def test_text_that_is_no_unicode_has_a_ceiling() -> None:
    prompt = Prompt(turns=(("human", "\ud800 broken"),))
    for counted in (False, True):
        assert of(claim(prompt=prompt), counted=counted).usd is not None
        assert of(claim("claude-sonnet-4-5", prompt=prompt), counted=counted).usd is not None


def test_rates_that_are_kept_keep_no_prices() -> None:
    prices = PriceBook()
    ceiling_of(Claim(model="gpt-4o", prompt=QUESTION), prices, counted=False)
    gone = weakref.ref(prices)
    del prices
    gc.collect()
    assert gone() is None
