"""Does a switch that loses a warm prefix show in what was saved, and only there?"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit import Ledger, PriceBook
from lc_costkit.marks import RouteMark
from lc_costkit.usage import TokenUsage
from lc_costkit.warmth import cached_elsewhere, with_cached
from tests.test_savings import bill, mark, met, spent_and_saved

LIST = PriceBook()
FROM_MINI = mark("small", warm=0.75, before="large", baseline_model="gpt-4o")
PROMPT = TokenUsage(input_tokens=8000, output_tokens=100)


def more(route: RouteMark, usage: TokenUsage = PROMPT, model: str = "gpt-4o") -> int:
    return cached_elsewhere(route, usage, model=model)


def test_the_share_that_was_sent_before_would_have_been_read_from_the_cache() -> None:
    assert more(FROM_MINI) == 6000
    assert more(FROM_MINI, TokenUsage(input_tokens=5000, cache_read_tokens=3000)) == 3000
    assert more(FROM_MINI, TokenUsage(input_tokens=1000, cache_read_tokens=7000)) == 0
    assert more(replace(FROM_MINI, warm=0.0)) == 0


def test_a_prefix_that_is_too_short_is_not_cached() -> None:
    assert more(FROM_MINI, TokenUsage(input_tokens=1365)) == 0
    assert more(FROM_MINI, TokenUsage(input_tokens=1366)) == 1024
    assert more(replace(FROM_MINI, cache_marked=True), TokenUsage(input_tokens=5000), "claude-haiku-4-5") == 0


@pytest.mark.parametrize(
    ("usage", "marked", "expected"),
    [
        (PROMPT, False, 0),
        (PROMPT, True, 6000),
        (TokenUsage(input_tokens=1000, cache_write_5m_tokens=7000), False, 6000),
    ],
    ids=["not marked", "marked", "written"],
)
def test_anthropics_models_cache_what_is_marked(usage: TokenUsage, marked: bool, expected: int) -> None:
    assert more(replace(FROM_MINI, cache_marked=marked), usage, "claude-sonnet-4-5") == expected


@pytest.mark.parametrize(("kept", "expected"), [(0.75, 0), (0.5, 2000), (0.0, 6000)])
def test_the_strong_target_lost_what_others_were_sent_in_its_place(kept: float, expected: int) -> None:
    assert more(mark("large", warm=0.75, kept=kept)) == expected
    assert more(mark("large", warm=0.75, kept=kept, before="large")) == expected
    assert more(mark("large", warm=0.75, kept=kept, before="small")) == 6000
    assert more(mark("small", warm=0.75, kept=kept)) == 6000


def test_in_observe_mode_the_other_target_reads_nothing_it_would_not_have() -> None:
    seen = mark("large", observed=True, chosen="small", warm=0.75, before="large")
    usage = TokenUsage(input_tokens=1000, cache_read_tokens=7000)
    assert more(seen, usage) == -6000
    assert more(replace(seen, before="small"), usage) == 0


COUNTS = st.integers(0, 10**6)
USAGES = st.builds(
    TokenUsage,
    input_tokens=COUNTS,
    cache_read_tokens=COUNTS,
    cache_write_tokens=COUNTS,
    cache_write_5m_tokens=COUNTS,
    output_tokens=COUNTS,
)


@given(
    usage=USAGES,
    warm=st.floats(0, 1),
    target=st.sampled_from(["small", "large"]),
    kept=st.floats(0, 1),
    before=st.sampled_from([None, "small", "large"]),
    observed=st.booleans(),
)
def test_no_token_comes_or_goes_and_no_saving_grows(
    usage: TokenUsage, warm: float, target: str, kept: float, before: str | None, observed: bool
) -> None:
    seen = {"warm": warm, "kept": kept, "before": before, "observed": observed}
    route = mark(target, chosen="small", baseline_model="gpt-4o", **seen)
    tokens = more(route, usage)
    moved = with_cached(usage, tokens)
    assert (moved.total_input, moved.total_output) == (usage.total_input, usage.total_output)
    as_sent, as_cached = (LIST.cost("gpt-4o", one).usd for one in (usage, moved))
    assert as_sent is not None
    assert as_cached is not None
    assert (as_cached >= as_sent) if observed else (as_cached <= as_sent)


def test_a_switch_to_a_cheap_target_saves_what_is_left_of_the_strong_ones_cached_price() -> None:
    usage = TokenUsage(input_tokens=8000, output_tokens=100)
    with Ledger() as ledger:
        record = met(ledger, replace(FROM_MINI, baseline_model="large"), usage=usage)
        (saving,) = record.saved
        # 6,000 tokens at 1, 2,000 at 10 and 100 at 40 dollars a million, less 8,000 at 1 and 100 at 4.
        assert saving.usd == Decimal("0.030") - Decimal("0.0084")
        assert saving.cached_tokens == 6000
        (kept,) = list(ledger.records())[-1].saved
        assert kept == saving


def test_a_switch_back_is_a_loss_where_the_prefix_is_gone() -> None:
    with Ledger() as ledger:
        record = met(ledger, mark("large", part="route", warm=0.75, before="small"), usage=PROMPT)
        (saving,) = record.saved
        assert (saving.part, saving.usd, saving.cached_tokens) == ("route", Decimal("-0.054"), 6000)
        there = TokenUsage(input_tokens=2000, cache_read_tokens=6000, output_tokens=100)
        assert spent_and_saved(ledger) == bill("large", there)
        assert met(ledger, mark("large", warm=0.75, before="small"), usage=there).saved == ()


def test_a_conversation_that_stays_cheap_is_not_said_to_save_what_caching_would() -> None:
    """Both caches are warm: the cheap model reports its own."""
    with Ledger() as ledger:
        usage = TokenUsage(input_tokens=1000, cache_read_tokens=7000, output_tokens=100)
        prices: Any = {"prices": LIST}
        route = mark("gpt-4o-mini", warm=0.75, before="gpt-4o-mini", baseline_model="gpt-4o", strong="gpt-4o")
        (saving,) = met(ledger, route, usage=usage, **prices).saved
        assert saving.cached_tokens == 0
        assert spent_and_saved(ledger) == bill("gpt-4o", usage, LIST)
