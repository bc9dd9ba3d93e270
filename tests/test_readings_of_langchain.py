"""Is what LangChain renames, drops or joins read right, by hand? One row, one view of a call."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from lc_costkit.asked import Asked, what_was_asked
from lc_costkit.pricing import PriceBook
from lc_costkit.readers import read_langchain, read_usage
from lc_costkit.usage import TokenUsage, UsageReading


class Row(NamedTuple):
    name: str
    counts: dict[str, Any] | None
    response: dict[str, Any]
    split: TokenUsage
    terms: dict[str, Any] = {}  # noqa: RUF012 - never changed


def tokens(input_tokens: int = 0, output_tokens: int = 0, **counts: Any) -> TokenUsage:
    return TokenUsage(input_tokens=input_tokens, output_tokens=output_tokens, **counts)


def view(sent: int, said: int, into: Any = None, out: Any = None, **more: Any) -> dict[str, Any]:
    details = {"input_token_details": into} if into is not None else {}
    details |= {"output_token_details": out} if out is not None else {}
    return {"input_tokens": sent, "output_tokens": said, "total_tokens": sent + said, **details, **more}


def openai(model: str = "gpt-5.6-sol", **more: Any) -> dict[str, Any]:
    return {"model_name": model, "model_provider": "openai", **more}


def anthropic(**more: Any) -> dict[str, Any]:
    return {"model_name": "claude-sonnet-5", "model_provider": "anthropic", **more}


ROWS = [
    Row("plain", view(10, 5), openai(), tokens(10, 5)),
    Row("no details", view(10, 5, into={}, out={}), openai("gpt-4o"), tokens(10, 5)),
    Row(
        "read, written, reasoning",
        view(4000, 50, {"cache_read": 1000, "cache_creation": 2000}, {"reasoning": 40}),
        openai(service_tier="default"),
        tokens(1000, 50, cache_read_tokens=1000, cache_write_tokens=2000, reasoning_tokens=40),
        {"service_tier": "default"},
    ),
    *(
        Row(
            f"renamed for {tier}",
            view(
                4000,
                50,
                {f"{tier}_cache_read": 1000, f"{tier}_cache_creation": 2000, tier: 3000},
                {f"{tier}_reasoning": 40, tier: 10},
            ),
            openai(service_tier=tier),
            tokens(1000, 50, cache_read_tokens=1000, cache_write_tokens=2000, reasoning_tokens=40),
            {"service_tier": tier},
        )
        for tier in ("flex", "priority")
    ),
    Row(
        "renamed, and the tier lost from the response",
        view(4000, 50, {"flex_cache_read": 1000, "flex_cache_creation": 0, "flex": 3000}),
        openai(),
        tokens(3000, 50, cache_read_tokens=1000),
        {"service_tier": "flex"},
    ),
    Row(
        "fast is not renamed",
        view(4000, 50, {"cache_read": 1000, "cache_creation": 0}),
        openai(service_tier="fast"),
        tokens(3000, 50, cache_read_tokens=1000),
        {"service_tier": "fast"},
    ),
    Row(
        "audio",
        view(110, 90, {"audio": 100, "cache_read": 0}, {"audio": 70, "reasoning": 0}),
        openai("gpt-audio"),
        tokens(10, 20, input_audio_tokens=100, output_audio_tokens=70),
    ),
    Row(
        "the raw report, where it was kept",
        view(4000, 50, {"cache_read": 1000}),
        openai(
            token_usage={
                "prompt_tokens": 4000,
                "completion_tokens": 50,
                "prompt_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 2500},
            }
        ),
        tokens(500, 50, cache_read_tokens=1000, cache_write_tokens=2500),
    ),
    Row(
        "deepseek's hits are only in the raw report",
        view(100, 5),
        {
            "model_name": "deepseek-chat",
            "model_provider": "deepseek",
            "token_usage": {"prompt_tokens": 100, "completion_tokens": 5, "prompt_cache_hit_tokens": 64},
        },
        tokens(36, 5, cache_read_tokens=64),
        {"provider": "deepseek"},
    ),
    Row(
        "a write whose release of langchain-openai dropped it has bounds",
        view(4000, 50, {"cache_read": 1000}),
        openai(),
        tokens(3000, 50, cache_read_tokens=1000),
        {"open_terms": (("cache_write", "all"),)},
    ),
    Row("a prompt too short to be written", view(900, 50, {"cache_read": 0}), openai(), tokens(900, 50)),
    Row("a model whose writes are free", view(4000, 50, {"cache_read": 0}), openai("gpt-5.5"), tokens(4000, 50)),
    Row(
        "anthropic's lifetimes beside a generic count of zero",
        view(
            4000,
            50,
            {
                "cache_read": 500,
                "cache_creation": 0,
                "ephemeral_5m_input_tokens": 1000,
                "ephemeral_1h_input_tokens": 2000,
            },
        ),
        anthropic(),
        tokens(500, 50, cache_read_tokens=500, cache_write_5m_tokens=1000, cache_write_1h_tokens=2000),
    ),
    Row(
        "anthropic's lifetimes inside of a generic count",
        view(
            4000,
            50,
            {
                "cache_read": 500,
                "cache_creation": 3000,
                "ephemeral_5m_input_tokens": 1000,
                "ephemeral_1h_input_tokens": 2000,
            },
        ),
        anthropic(),
        tokens(500, 50, cache_read_tokens=500, cache_write_5m_tokens=1000, cache_write_1h_tokens=2000),
    ),
    Row(
        "anthropic's stream, its lifetime lost",
        view(4000, 50, {"cache_read": 500, "cache_creation": 3000}),
        anthropic(),
        tokens(500, 50, cache_read_tokens=500, cache_write_tokens=3000),
    ),
    Row(
        "anthropic's raw report",
        view(4000, 50, {"cache_read": 500, "cache_creation": 0, "ephemeral_1h_input_tokens": 3000}),
        anthropic(
            usage={
                "input_tokens": 500,
                "output_tokens": 50,
                "cache_read_input_tokens": 500,
                "cache_creation_input_tokens": 3000,
                "cache_creation": {"ephemeral_1h_input_tokens": 3000, "ephemeral_5m_input_tokens": 0},
                "server_tool_use": {"web_search_requests": 1},
                "service_tier": "batch",
                "inference_geo": "us",
                "speed": "fast",
            }
        ),
        tokens(500, 50, cache_read_tokens=500, cache_write_1h_tokens=3000, tool_requests=(("web_search", 1),)),
        {"processing": "batch", "inference_geo": "us", "speed": "fast"},
    ),
    Row(
        "terms that are named beside the counts",
        view(20, 3),
        anthropic(inference_geo="us", speed="fast", processing="batch"),
        tokens(20, 3),
        {"inference_geo": "us", "speed": "fast", "processing": "batch"},
    ),
    Row("declined before a word", view(20, 0), anthropic(stop_reason="refusal"), tokens()),
    Row("declined after a word", view(20, 3), anthropic(stop_reason="refusal"), tokens(20, 3)),
    Row(
        "gemini",
        view(100, 50, {"cache_read": 40}, {"reasoning": 30}),
        {"model_name": "gemini-2.5-flash", "model_provider": "google_genai"},
        tokens(60, 50, cache_read_tokens=40, reasoning_tokens=30),
        {"provider": "google"},
    ),
    Row(
        "gemini, with the thoughts beside the output",
        view(100, 50, {"cache_read": 0}, {"reasoning": 30}, total_tokens=180),
        {"model_name": "gemini-2.5-flash", "model_provider": "google_genai"},
        tokens(100, 80, reasoning_tokens=30),
    ),
    Row(
        "vertex, with its raw report",
        view(110, 50),
        {
            "model_name": "gemini-2.5-flash",
            "model_provider": "google_vertexai",
            "usage_metadata": {
                "prompt_token_count": 110,
                "candidates_token_count": 50,
                "total_token_count": 160,
                "prompt_tokens_details": [{"modality": 1, "token_count": 10}, {"modality": 4, "token_count": 100}],
            },
        },
        tokens(10, 50, input_audio_tokens=100),
    ),
    Row(
        "bedrock, with the cache outside of the input",
        view(500, 5, {"cache_read": 400, "cache_creation": 0}, total_tokens=905),
        {"model_name": "us.anthropic.claude-sonnet-4-6-v1:0", "model_provider": "bedrock_converse"},
        tokens(500, 5, cache_read_tokens=400),
        {"provider": "aws"},
    ),
    Row(
        "bedrock, with the cache in the input",
        view(900, 5, {"cache_read": 400, "cache_creation": 0}),
        {"model_name": "us.anthropic.claude-sonnet-4-6-v1:0", "model_provider": "bedrock_converse"},
        tokens(500, 5, cache_read_tokens=400),
    ),
    Row(
        "names joined by a stream",
        view(10, 5),
        openai("gpt-4o" * 3, service_tier="priority" * 2),
        tokens(10, 5),
        {"model": "gpt-4o", "service_tier": "priority"},
    ),
    Row("token usage alone", None, openai(token_usage={"prompt_tokens": 7, "completion_tokens": 2}), tokens(7, 2)),
    Row("a hit of LangChain's cache", view(10, 5, total_cost=0), openai(), tokens(10, 5), {"cached_locally": True}),
]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_a_view_is_split_as_by_hand(row: Row) -> None:
    reading = read_langchain(row.counts, row.response)
    assert reading is not None
    assert reading.usage == row.split
    assert not reading.estimated
    assert {name: getattr(reading, name) for name in row.terms} == row.terms
    assert reading.open_terms == row.terms.get("open_terms", ())


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS if row.counts is not None])
def test_a_whole_message_is_read_as_its_parts_are(row: Row) -> None:
    message = {"content": "Yes.", "usage_metadata": row.counts, "response_metadata": row.response}
    if row.name == "declined before a word":
        message["content"] = ""
    reading = read_usage(message)
    assert reading is not None
    assert reading.usage == row.split


@pytest.mark.parametrize(
    "counts",
    [
        view(10, 5, {"cache_read": 11}),
        view(10, 5, {"cache_read": 6, "cache_creation": 6}),
        view(10, 5, {"ephemeral_1h_input_tokens": 20}),
        view(10, 5, {"audio": 11}),
        view(10, 5, {}, {"reasoning": 6}),
        view(10, 5, {}, {"audio": 6}),
        view(-1, 5),
        view(10, -5),
        view(0, 5),
        view(10, 5, {"cache_read": "six"}),
    ],
)
def test_what_cannot_be_is_cut_and_doubted(counts: dict[str, Any]) -> None:
    reading = read_langchain(counts, openai("gpt-4o"))
    assert reading is not None
    assert reading.estimated
    assert reading.usage.total <= 15


def asked(**parameters: Any) -> Asked:
    return what_was_asked(parameters, [parameters])


def test_what_a_request_asks_for_is_found_wherever_clients_keep_it() -> None:
    nested = what_was_asked(None, [{"model_kwargs": {"speed": "fast"}, "extra_body": {"inference_geo": "us"}}])
    assert (nested.speed, nested.inference_geo) == ("fast", "us")
    first = what_was_asked(None, [{"service_tier": "flex"}, None, {"service_tier": "auto", "speed": "fast"}])
    assert (first.service_tier, first.speed) == ("flex", "fast")
    once = {"speed": "standard", "model_kwargs": {"speed": "fast"}, "extra_body": {"inference_geo": "us"}}
    assert what_was_asked(None, [once | {"inference_geo": "global"}]) == Asked(speed="standard", inference_geo="us")
    advisor = {"type": "advisor_20260301", "name": "advisor", "model": "claude-fable-5", "max_tokens": 500}
    assert asked(tools=[advisor, {"name": "own"}, "odd"]).advisors == (("claude-fable-5", 500),)
    assert asked(fallbacks=[{"model": "claude-opus-4-8"}, {}]).fallbacks == ("claude-opus-4-8",)
    assert asked(fallbacks="default").fallbacks == ()
    assert asked(prompt_cache_options={"ttl": "12h"}).cache_retention == "12h"
    assert asked(system=[{"cache_control": {"type": "ephemeral", "ttl": "1h"}}]).cache_ttl == "1h"
    assert what_was_asked(None, ["odd", 3, None, []]) == Asked()


@pytest.mark.parametrize(
    ("request_asks", "changed"),
    [
        (asked(inference_geo="us"), {"inference_geo": "us"}),
        (asked(speed="fast"), {"speed": "fast"}),
        (asked(service_tier="auto"), {"open_terms": (("service_tier", "priority"),)}),
        (asked(service_tier="standard_only"), {"open_terms": ()}),
        (asked(fallbacks=[{"model": "claude-opus-4-8"}]), {"open_terms": (("model", "claude-opus-4-8"),)}),
        (asked(fallbacks=[{"model": "claude-sonnet-5"}]), {"open_terms": ()}),
        (asked(), {"open_terms": (), "open_calls": (), "inference_geo": None}),
    ],
)
def test_what_a_stream_lost_is_taken_from_the_request(request_asks: Asked, changed: dict[str, Any]) -> None:
    reading = read_langchain(view(10, 5), anthropic(), asked=request_asks)
    assert reading is not None
    assert {name: getattr(reading, name) for name in changed} == changed


def test_a_whole_report_needs_nothing_from_the_request() -> None:
    raw = {"input_tokens": 10, "output_tokens": 5, "service_tier": "standard", "inference_geo": "global"}
    lost = asked(inference_geo="us", service_tier="auto", fallbacks=[{"model": "claude-opus-4-8"}])
    reading = read_langchain(view(10, 5), anthropic(usage=raw), asked=lost)
    assert reading is not None
    assert (reading.inference_geo, reading.service_tier, reading.open_terms) == ("global", "standard", ())


def test_a_tier_that_the_answer_does_not_name_is_open() -> None:
    silent = read_langchain(view(10, 5), openai("gpt-5"), asked=asked(service_tier="flex"))
    told = read_langchain(view(10, 5), openai("gpt-5", service_tier="default"), asked=asked(service_tier="flex"))
    assert silent is not None and told is not None
    assert (silent.open_terms, told.open_terms) == ((("service_tier", "flex"),), ())
    cost = PriceBook().price(silent)
    assert cost.basis == "estimated"
    assert cost.low is not None and cost.low * 2 == cost.usd == cost.high


def test_the_calls_a_stream_kept_to_itself_are_bounded() -> None:
    advisor = {"type": "advisor_20260301", "name": "advisor", "model": "claude-fable-5", "max_tokens": 1000}
    for blocks in (
        [{"type": "compaction", "content": "..."}, {"type": "advisor_tool_result"}],
        [
            {"type": "non_standard", "value": {"type": "compaction", "content": "..."}},
            {"type": "non_standard", "value": {"type": "advisor_tool_result"}},
        ],
    ):
        reading = read_langchain(view(10, 5), anthropic(), asked=asked(tools=[advisor]), content=blocks)
        assert reading is not None
        assert [part.model for part in reading.open_calls] == ["claude-sonnet-5", "claude-fable-5"]
        cost = PriceBook().price(reading)
        # 10 and 5 tokens of Sonnet 5 at 2 and 10 USD for a million; then the most that two calls can cost:
        # a million tokens written for an hour at twice the input rate, and 128,000 or 1,000 of output.
        assert (str(cost.low), cost.usd) == ("0.00007", cost.low)
        assert float(cost.high or 0) == pytest.approx(0.00007 + 4 + 1.28 + 20 + 0.05)


def test_what_is_open_is_exact_where_it_makes_no_difference() -> None:
    usage = TokenUsage(input_tokens=4000, output_tokens=5)
    free = UsageReading(usage=usage, model="gpt-5", provider="openai", open_terms=(("cache_write", "all"),))
    assert PriceBook().price(free).basis == "exact"
    paid = UsageReading(usage=usage, model="gpt-6-sol", provider="openai", open_terms=(("cache_write", "all"),))
    cost = PriceBook().price(paid)
    assert (cost.basis, str(cost.low), str(cost.high)) == ("estimated", "0.00805", "0.01005")
    assert cost.reasons == ("the report does not say whether there was cache_write='all'",)


def test_cached_audio_of_gemini_costs_less_than_what_is_not_known_to_be_cached() -> None:
    usage = TokenUsage(cache_read_tokens=1000, input_audio_tokens=1000, output_tokens=10)
    reading = UsageReading(
        usage=usage, model="gemini-2.5-flash", provider="google", open_terms=(("cache_read", "audio"),)
    )
    cost = PriceBook().price(reading)
    # A million tokens of text cost 0.30 USD, read 0.03; of audio 1, read 0.10; of output 2.50.
    assert (str(cost.low), str(cost.high)) == ("0.000425", "0.001055")
    assert (cost.basis, cost.usd) == ("estimated", cost.high)


def test_several_open_terms_may_come_together() -> None:
    usage = TokenUsage(cache_write_tokens=1000, output_tokens=10)
    open_terms = (("inference_geo", "us"), ("speed", "fast"), ("unknown", "term"))
    reading = UsageReading(usage=usage, model="claude-opus-5-5", provider="anthropic", open_terms=open_terms)
    terms = {(other.inference_geo, other.speed) for other in reading.alternatives()}
    assert terms == {("us", None), (None, "fast"), ("us", "fast"), (None, None)}
