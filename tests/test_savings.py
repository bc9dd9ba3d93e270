"""Is what was spent and what was saved together the strong target's bill, whatever happened on the way?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_costkit import CallRecord, Ledger, ModelPrice, PriceBook
from lc_costkit.cost import exact_sum
from lc_costkit.marks import CacheMark, PruneMark, RouteMark
from lc_costkit.metering import Meter, OpenCall, Outcome
from lc_costkit.prompt import Prompt
from lc_costkit.record import ASIDE_KEY
from lc_costkit.usage import TokenUsage, UsageReading

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOOK = PriceBook(
    overrides={
        "small": ModelPrice(input_per_million=1, output_per_million=4),
        "middle": ModelPrice(input_per_million=3, output_per_million=10),
        "large": ModelPrice(input_per_million=10, output_per_million=40, cache_read_per_million=1),
    }
)
OTHER = PriceBook(
    overrides={
        "small": ModelPrice(input_per_million=2, output_per_million=5),
        "middle": ModelPrice(input_per_million=4, output_per_million=9),
        "large": ModelPrice(input_per_million=30, output_per_million=90, cache_read_per_million=3),
    }
)
USAGE = TokenUsage(input_tokens=1000, output_tokens=100)


def mark(target: str, **values: Any) -> RouteMark:
    defaults: dict[str, Any] = {
        "part": "cascade",
        "request": "r",
        "strong": "large",
        "chosen": target,
        "chosen_model": target,
        "baseline_model": "large",
    }
    return RouteMark(target=target, **{**defaults, **values})


def met(
    ledger: Ledger,
    route: RouteMark,
    *,
    usage: TokenUsage = USAGE,
    model: str | None = None,
    prices: PriceBook = BOOK,
    prunes: tuple[PruneMark, ...] = (),
    **outcome: Any,
) -> CallRecord:
    """What the meter writes of one call."""
    asked = model or route.target
    call = OpenCall(
        prompt=Prompt(turns=(("human", "x"),)), model_asked=asked, started_at=NOON, route=route, prunes=prunes
    )
    reading = UsageReading(usage=usage, model=asked)
    Meter(ledger, prices=prices).finish(call, Outcome(**{"read": lambda: reading, **outcome}))
    return list(ledger.records())[-1]


def bill(model: str, usage: TokenUsage = USAGE, prices: PriceBook = BOOK) -> Decimal:
    usd = prices.cost(model, usage, at=NOON).usd
    assert usd is not None
    return usd


def spent_and_saved(ledger: Ledger) -> Decimal:
    total = ledger.report().total
    return exact_sum((total.usd, total.saved_usd))


def parts(records: Iterable[CallRecord]) -> dict[str, Decimal]:
    with Ledger() as ledger:
        for record in records:
            ledger.record(record)
        return dict(ledger.report().total.saved_by_part)


# -- aside calls -------------------------------------------------------------------------------


@pytest.mark.parametrize("observed", [False, True])
@pytest.mark.parametrize("part", ["route", "cascade"])
def test_a_call_made_to_decide_is_a_cost_and_no_answer(part: str, observed: bool) -> None:
    with Ledger() as ledger:
        record = met(ledger, RouteMark(target="", aside=True, part=part, observed=observed), model="small")
        assert (record.route, record.route_score, record.route_reasons, record.aside) == (None, None, (), True)
        assert record.metadata[ASIDE_KEY] == part
        (saving,) = record.saved
        assert (saving.part, saving.usd, saving.basis) == (part, Decimal("-0.0014"), "exact")
        assert (saving.lost, saving.hypothetical) == (True, False)
        assert spent_and_saved(ledger) == 0
        assert not ledger.faults.counts


def test_a_call_made_to_decide_that_a_cache_answers_costs_the_lookup_alone() -> None:
    hit = CacheMark(verdict="hit", answer_usd=Decimal("0.5"), answer_tokens=9, lookup_usd=Decimal("0.01"))
    with Ledger() as ledger:
        record = met(ledger, RouteMark(target="", aside=True), model="small", cache=hit)
        assert [(saving.part, saving.usd) for saving in record.saved] == [("cache", Decimal("-0.01"))]
        assert spent_and_saved(ledger) == 0


def test_a_lookup_before_a_call_made_to_decide_is_a_cost_of_the_cache() -> None:
    miss = CacheMark(verdict="miss", lookup_usd=Decimal("0.01"))
    with Ledger() as ledger:
        record = met(ledger, RouteMark(target="", aside=True), model="small", cache=miss)
        assert {saving.part: saving.usd for saving in record.saved} == {
            "cache": Decimal("-0.01"),
            "route": Decimal("-0.0014"),
        }
        assert spent_and_saved(ledger) == 0


def test_a_call_made_to_decide_without_a_price_is_unpriced() -> None:
    with Ledger() as ledger:
        record = met(ledger, RouteMark(target="", aside=True), model="nobody-knows-it")
        assert [(saving.usd, saving.basis, saving.lost) for saving in record.saved] == [(None, "unpriced", True)]
        assert ledger.report().total.unpriced_savings == 1


# -- failed calls ------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["ReadTimeout", "RemoteProtocolError", "CancelledError"])
def test_a_cheap_call_that_failed_and_is_billed_is_lost(error: str) -> None:
    with Ledger() as ledger:
        record = met(ledger, mark("small"), error=error, read=lambda: None, answer=lambda: "half an ans")
        assert record.interrupted
        assert record.cost.usd
        (saving,) = record.saved
        assert (saving.part, saving.usd, saving.basis) == ("cascade", -record.cost.usd, "estimated")
        assert spent_and_saved(ledger) == 0


def test_a_stream_that_its_reader_closed_is_no_failure() -> None:
    with Ledger() as ledger:
        record = met(ledger, mark("small"), error="GeneratorExit", read=lambda: None, answer=lambda: "half an ans")
        (saving,) = record.saved
        assert saving.usd is not None
        assert saving.usd > 0
        assert spent_and_saved(ledger) == bill("large", record.usage)


@pytest.mark.parametrize("error", ["ReadTimeout", "ContentFilter"])
def test_where_the_strong_target_fails_nothing_is_saved_or_lost(error: str) -> None:
    with Ledger() as ledger:
        assert met(ledger, mark("large"), error=error).saved == ()
        assert met(ledger, mark("large", observed=True, chosen="small", chosen_model="small"), error=error).saved == ()
        assert spent_and_saved(ledger) == 2 * bill("large")


def test_a_refused_call_costs_nothing_and_saves_nothing() -> None:
    with Ledger() as ledger:
        record = met(ledger, mark("small"), error="RateLimitError", billed=False, read=lambda: None)
        assert record.cost.usd == 0
        assert record.saved == ()


# -- drafts ------------------------------------------------------------------------------------


def test_a_rejected_draft_is_its_cost_lost() -> None:
    with Ledger() as ledger:
        draft = met(ledger, mark("small"))
        assert [saving.usd for saving in draft.saved] == [Decimal("0.014") - Decimal("0.0014")]
        answer = met(
            ledger, mark("large", attempt=2, rejected=1), usage=TokenUsage(input_tokens=1000, output_tokens=50)
        )
        (saving,) = answer.saved
        assert (saving.part, saving.usd, saving.takes_back) == ("cascade", Decimal("-0.014"), draft.call_id)
        total = ledger.report().total
        assert total.saved_by_part == {"cascade": Decimal("-0.0014")}
        assert spent_and_saved(ledger) == Decimal("0.012")


def test_a_third_target_in_the_middle() -> None:
    long, short = TokenUsage(input_tokens=900, output_tokens=300), TokenUsage(input_tokens=900, output_tokens=20)
    with Ledger() as ledger:
        met(ledger, mark("small"), usage=long)
        met(ledger, mark("middle", attempt=2, rejected=1), usage=short)
        assert spent_and_saved(ledger) == bill("large", short)
        saved = bill("large", short) - bill("middle", short) - bill("small", long)
        assert ledger.report().total.saved_usd == saved
        met(ledger, mark("large", attempt=3, rejected=2))
        assert spent_and_saved(ledger) == bill("large")
        assert ledger.report().total.saved_usd == -bill("small", long) - bill("middle", short)


@pytest.mark.parametrize("billed", [False, True])
def test_the_draft_is_lost_too_where_the_call_after_it_fails(billed: bool) -> None:
    with Ledger() as ledger:
        met(ledger, mark("small"))
        after = mark("large", attempt=2, rejected=1)
        met(ledger, after, error="Timeout", billed=billed, read=lambda: None, answer=lambda: "Some")
        failed = list(ledger.records())[-1].cost.usd
        assert spent_and_saved(ledger) == failed
        # A retry of the same attempt takes nothing back again.
        met(ledger, after)
        assert spent_and_saved(ledger) == exact_sum((failed or Decimal(0), bill("large")))
        assert ledger.report().total.saved_usd == -bill("small")


def test_a_failed_draft_is_lost_once() -> None:
    with Ledger() as ledger:
        met(ledger, mark("small"), error="Timeout")
        answer = met(ledger, mark("large", attempt=2, rejected=1))
        assert answer.saved == ()
        assert ledger.report().total.saved_usd == -bill("small")


def test_an_answer_that_could_not_be_parsed_is_thrown_away_too() -> None:
    with Ledger() as ledger:
        met(ledger, mark("small", part="route"))
        met(ledger, mark("large", part="route", attempt=2))
        assert spent_and_saved(ledger) == bill("large")


@pytest.mark.parametrize(("target", "lost"), [("small", True), ("large", False)])
def test_an_answer_that_was_asked_for_again_is_lost_unless_it_is_the_strong_targets(target: str, lost: bool) -> None:
    with Ledger() as ledger:
        for _ in range(2):
            met(ledger, mark(target, part="route"))
        assert spent_and_saved(ledger) == (1 if lost else 2) * bill("large")


@pytest.mark.parametrize("prune", [0, 500])
def test_a_draft_out_of_the_cache_saved_nothing(prune: int) -> None:
    hit = CacheMark(verdict="hit", answer_usd=bill("small"), answer_tokens=1100, lookup_usd=Decimal("0.0001"))
    prunes = (PruneMark(removed_tokens=prune, kept_tokens=9),) if prune else ()
    with Ledger() as ledger:
        draft = met(ledger, mark("small"), cache=hit, prunes=prunes)
        answer = met(ledger, mark("large", attempt=2, rejected=1))
        assert [(saving.part, saving.takes_back) for saving in answer.saved] == [("cache", draft.call_id)]
        whole = replace(USAGE, input_tokens=USAGE.input_tokens + prune)
        assert spent_and_saved(ledger) == bill("large", whole)
        assert ledger.report().total.saved_usd == bill("large", whole) - bill("large") - Decimal("0.0001")


def test_the_cache_answers_in_place_of_the_dearer_target() -> None:
    hit = CacheMark(verdict="hit", answer_usd=bill("large"), answer_tokens=1100)
    with Ledger() as ledger:
        met(ledger, mark("small"))
        met(ledger, mark("large", attempt=2, rejected=1), cache=hit)
        assert ledger.report().total.saved_by_part == {"cache": bill("large"), "cascade": -bill("small")}
        assert spent_and_saved(ledger) == bill("large")


def test_a_draft_nobody_saw_is_said_to_be_unpriced() -> None:
    with Ledger() as ledger:
        for request in ("r", None):
            answer = met(ledger, mark("large", request=request, attempt=2, rejected=1))
            assert [(saving.part, saving.usd, saving.basis) for saving in answer.saved] == [
                ("cascade", None, "unpriced")
            ]
        assert ledger.report().total.unpriced_savings == 2


def test_what_a_draft_costs_is_lost_where_the_strong_target_has_no_price() -> None:
    with Ledger() as ledger:
        draft = met(ledger, mark("small", baseline_model="nobody-knows-it"))
        assert draft.saved[0].usd is None
        met(ledger, mark("large", attempt=2, rejected=1))
        assert ledger.report().total.saved_usd == -bill("small")


def test_a_mark_that_makes_no_sense_does_not_lose_the_call() -> None:
    with Ledger() as ledger:
        met(ledger, mark("small"))
        (saving,) = met(ledger, mark("large", attempt="second", rejected="one")).saved
        assert (saving.usd, saving.basis) == (None, "unpriced")
        assert ledger.faults.counts == {"pricing: TypeError": 1}
        assert ledger.report().total.usd == bill("small") + bill("large")


def test_two_meters_of_one_ledger_and_a_buffered_one(tmp_path: Any) -> None:
    with Ledger(tmp_path / "l.db", buffered=True) as ledger:
        # A meter for each call: ``met`` makes one.
        for number in range(30):
            met(ledger, mark("small", request=f"r{number}"))
            met(ledger, mark("large", request=f"r{number}", attempt=2, rejected=1))
        ledger.flush()
        assert spent_and_saved(ledger) == 30 * bill("large")
        assert not ledger.faults.counts


def test_a_sample_beside_a_draft_is_a_cost() -> None:
    with Ledger() as ledger:
        met(ledger, mark("small"))
        for _ in range(2):
            met(ledger, RouteMark(target="", aside=True, part="cascade", request="r"), model="small")
        assert spent_and_saved(ledger) == bill("large")
        assert ledger.report().total.saved_usd == bill("large") - 3 * bill("small")


def test_observe_mode_takes_nothing_back() -> None:
    with Ledger() as ledger:
        seen = mark("large", part="route", observed=True, chosen="small", chosen_model="small")
        record = met(ledger, seen)
        assert [(saving.usd, saving.hypothetical) for saving in record.saved] == [(bill("large") - bill("small"), True)]
        assert met(ledger, replace(seen, attempt=2, rejected=1)).saved == record.saved
        assert spent_and_saved(ledger) == 2 * bill("large")


@pytest.mark.parametrize("target", ["large", "middle"])
def test_a_draft_that_is_shown_to_the_next_target_is_not_what_the_strong_one_would_have_been_sent(target: str) -> None:
    with Ledger() as ledger:
        met(ledger, mark("small"))
        shown = replace(USAGE, input_tokens=1200)
        route = mark(target, attempt=2, rejected=1, shown_tokens=200)
        record = met(ledger, route, usage=shown)
        assert spent_and_saved(ledger) == bill("large")
        assert next(saving.tokens for saving in record.saved if not saving.takes_back) == -200
        ledger.reprice(OTHER)
        assert spent_and_saved(ledger) == bill("large", prices=OTHER)


def test_no_more_is_left_out_than_was_sent() -> None:
    with Ledger() as ledger:
        met(ledger, mark("large", attempt=2, shown_tokens=10**6))
        assert spent_and_saved(ledger) == bill("large", replace(USAGE, input_tokens=0))


# -- any order ---------------------------------------------------------------------------------

USAGES = st.builds(
    TokenUsage,
    input_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(0, 10**5),
    cache_read_tokens=st.integers(0, 10**5),
)
ATTEMPTS = st.lists(st.tuples(USAGES, st.sampled_from(["answered", "failed", "hit"])), max_size=3)


@given(
    requests=st.lists(
        st.tuples(ATTEMPTS, USAGES, st.sampled_from(["small", "middle", "large"]), st.booleans()), max_size=5
    )
)
@settings(max_examples=60)
def test_the_sum_is_the_strong_targets_bill(
    requests: list[tuple[list[tuple[TokenUsage, str]], TokenUsage, str, bool]],
) -> None:
    expected = []
    with Ledger() as ledger:
        for number, (attempts, last, target, judged) in enumerate(requests):
            rejected = 0
            for place, (usage, how) in enumerate(attempts):
                name = "small" if place else "middle"
                route = mark(name, request=f"r{number}", attempt=place + 1, rejected=rejected)
                outcome: dict[str, Any] = {"error": "Timeout"} if how == "failed" else {}
                if how == "hit":
                    outcome["cache"] = CacheMark(verdict="hit", lookup_usd=Decimal("0.001"))
                met(ledger, route, usage=usage, **outcome)
                rejected += how != "failed"
                if judged:
                    met(ledger, RouteMark(target="", aside=True, part="cascade"), usage=usage, model="middle")
            met(ledger, mark(target, request=f"r{number}", attempt=len(attempts) + 1, rejected=rejected), usage=last)
            expected.append(last)
        assert spent_and_saved(ledger) == exact_sum(bill("large", usage) for usage in expected)
        assert ledger.report().total.unpriced_savings == 0
        assert not ledger.faults.counts
        ledger.reprice(OTHER)
        assert spent_and_saved(ledger) == exact_sum(bill("large", usage, OTHER) for usage in expected)
