"""Does an experience hold what the ledger knows of each target, and nothing else?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.ledger import Ledger
from lc_costkit.marks import VERIFICATION_FEATURE, RouteMark
from lc_costkit.metering import Meter, OpenCall, Outcome
from lc_costkit.pricing import Cost
from lc_costkit.prompt import Prompt
from lc_costkit.record import CallRecord
from lc_costkit.routing.experience import Experience, TargetExperience, experience, lower_limit
from lc_costkit.usage import TokenUsage, UsageReading

MORNING = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


def keep(ledger: Ledger, seconds: float = 1.0, tokens: int = 100, *, score: float | None = None, **fields: Any) -> str:
    given: dict[str, Any] = {
        "cost": Cost(usd=Decimal(0), basis="exact"),
        "route": "small",
        "model_asked": "gpt-4o-mini",
        "started_at": MORNING,
        **fields,
    }
    record = CallRecord(latency_seconds=seconds, usage=TokenUsage(input_tokens=9, output_tokens=tokens), **given)
    ledger.record(record)
    if score is not None:
        ledger.score(record.call_id, score)
    return record.call_id


def only(known: Experience) -> TargetExperience:
    (row,) = known.rows
    return row


def test_latency_tokens_and_scores_of_a_target(ledger: Ledger) -> None:
    for number in range(1, 101):
        keep(ledger, seconds=number / 10, tokens=number, score=float(number > 20))
    row = only(experience(ledger))
    assert (row.route, row.model, row.calls, row.failed) == ("small", "gpt-4o-mini", 100, 0)
    assert row.median_seconds == pytest.approx(5.05)
    assert row.slow_seconds == pytest.approx(9.5)
    assert row.mean_seconds == pytest.approx(5.05)
    assert row.mean_output_tokens == pytest.approx(50.5)
    assert (row.scores, row.mean_score, row.last) == (100, 0.8, MORNING)
    assert row.score_at_least is not None
    assert 0.65 < row.score_at_least < 0.8


def test_what_was_not_a_whole_answer_counts_for_neither_latency_nor_tokens(ledger: Ledger) -> None:
    keep(ledger)
    keep(ledger, 90.0, 9_000, error="RateLimitError")
    keep(ledger, 90.0, 9_000, interrupted=True, score=0.0)
    keep(ledger, 90.0, 9_000, cache="hit", score=0.5)
    keep(ledger, 90.0, 9_000, feature=VERIFICATION_FEATURE)
    keep(ledger, 90.0, 9_000, operation="embedding", route=None)
    row = only(experience(ledger))
    assert (row.calls, row.failed, row.slow_seconds, row.mean_output_tokens) == (1, 2, 1.0, 100)
    assert (row.scores, row.mean_score) == (1, 0.0)


@pytest.mark.parametrize("part", ["route", "cascade"])
def test_calls_that_were_made_for_a_decision_are_no_answers(ledger: Ledger, part: str) -> None:
    meter = Meter(ledger)
    mark = RouteMark(target="", aside=True, part=part)
    reading = UsageReading(usage=TokenUsage(input_tokens=200, output_tokens=3), model="gpt-4o-mini", provider="openai")
    call = OpenCall(prompt=Prompt(turns=(("human", "hard?"),)), model_asked="gpt-4o-mini", route=mark)
    meter.finish(call, Outcome(read=lambda: reading))
    keep(ledger, metadata={"note": "route_aside"})
    assert len(ledger) == 2
    assert only(experience(ledger)).calls == 1


def test_calls_that_no_router_sent_are_known_by_the_model_that_was_asked_for(ledger: Ledger) -> None:
    keep(ledger, route=None, model_answered="gpt-4o-mini-2024-07-18")
    keep(ledger, route=None, model_asked=None, model_answered="gpt-4o")
    known = experience(ledger)
    for name in ("gpt-4o-mini", "GPT-4o-mini", "gpt-4o-mini-2024-07-18"):
        row = known.of("small", name)
        assert row is not None
        assert (row.route, row.model) == (None, "gpt-4o-mini")
    assert known.of("large", "gpt-4o") is not None
    assert known.of("large") is None
    assert known.of("large", "gpt-5") is None


def test_a_target_is_not_judged_by_the_model_it_was_before(ledger: Ledger) -> None:
    keep(ledger, 9.0, model_asked="gpt-3.5-turbo", started_at=MORNING - timedelta(days=9))
    keep(ledger, 1.0)
    keep(ledger, 5.0, route=None, model_asked="gpt-4.1-mini")
    known = experience(ledger)
    seconds = {model: row.median_seconds if (row := known.of("small", model)) else None
               for model in ("gpt-3.5-turbo", "gpt-4o-mini", "gpt-4.1-mini", "gpt-5")}  # fmt: skip
    assert seconds == {"gpt-3.5-turbo": 9.0, "gpt-4o-mini": 1.0, "gpt-4.1-mini": 5.0, "gpt-5": None}
    latest = known.of("small")
    assert latest is not None
    assert latest.model == "gpt-4o-mini"


def test_times_and_filters_narrow_what_is_read(ledger: Ledger) -> None:
    keep(ledger, 1.0, started_at=MORNING - timedelta(days=40), feature="support", tags=("de",))
    keep(ledger, 2.0, feature="support", tags=("ko",))
    keep(ledger, 3.0, feature="search", tags=("de", "ko"))
    assert only(experience(ledger)).calls == 3
    assert only(experience(ledger, since=MORNING.date())).median_seconds == 2.5
    assert only(experience(ledger, until=MORNING.date())).median_seconds == 1.0
    assert only(experience(ledger, feature="support")).median_seconds == 1.5
    assert only(experience(ledger, tag="de")).median_seconds == 2.0
    with pytest.raises(ConfigurationError, match="cannot filter calls by 'colour'"):
        experience(ledger, colour="red")


def test_the_last_score_of_a_call_counts(ledger: Ledger) -> None:
    ledger.score(keep(ledger, score=0.0), 1.0)
    row = only(experience(ledger))
    assert (row.scores, row.mean_score) == (1, 1.0)


def test_scores_on_another_scale_have_a_mean_and_no_limit(ledger: Ledger) -> None:
    keep(ledger, score=4.0)
    keep(ledger, score=5.0)
    row = only(experience(ledger))
    assert (row.mean_score, row.score_at_least) == (4.5, None)


def test_a_ledger_that_is_opened_to_read_is_enough(ledger: Ledger, tmp_path: Path) -> None:
    keep(ledger, 2.0)
    with Ledger(tmp_path / "ledger.db", read_only=True) as reading:
        assert only(experience(reading)).median_seconds == 2.0


def test_columns_are_read_as_they_are_stored(ledger: Ledger) -> None:
    call = keep(ledger, 2.0, tags=("de",))
    keep(ledger, 3.0, tags=("ko",))
    rows = list(ledger.columns("call_id", "latency_seconds", "tags", tag="de"))
    assert rows == [{"seq": 1, "call_id": call, "latency_seconds": 2.0, "tags": '["de"]'}]
    ledger.close()
    with pytest.raises(StoreError, match="is closed"):
        list(ledger.columns("call_id"))


def test_an_empty_ledger_knows_nothing(ledger: Ledger) -> None:
    known = experience(ledger)
    assert known.of("small", "gpt-4o-mini") is None
    assert repr(known).startswith("Experience(0 targets)")


def test_a_row_that_cannot_be_read_is_named(ledger: Ledger) -> None:
    call = keep(ledger, route=None)
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE costkit_calls SET metadata = '{route_aside' "))
    with pytest.raises(StoreError, match=f"call '{call}' cannot be read"):
        experience(ledger)


def test_it_reads_as_a_table(ledger: Ledger) -> None:
    keep(ledger, score=1.0)
    keep(ledger, route=None, model_asked="<b>")
    known = experience(ledger)
    lines = repr(known).splitlines()
    assert lines[0] == "Experience(2 targets)"
    assert lines[3].split() == ["small", "gpt-4o-mini", "1", "0", "1.00", "1.00", "100", "1", "1.000", lines[3][-5:]]
    assert lines[4].startswith("(no router)")
    assert "&lt;b&gt;" in known._repr_html_()


@given(st.floats(0.0, 1.0), st.integers(1, 10_000))
def test_a_limit_is_below_the_mean_and_nears_it(mean: float, scores: int) -> None:
    limit = lower_limit(mean, scores)
    assert 0.0 <= limit <= lower_limit(mean, 2 * scores) <= mean
    assert mean - limit <= (1.5 / scores) ** 0.5  # Hoeffding's own, which is wider: the root of ln(20) / 2n


@pytest.mark.parametrize("quality", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("binary", [True, False])
def test_a_limit_is_above_the_truth_at_most_as_often_as_it_says(quality: float, binary: bool) -> None:
    draws = np.random.default_rng(0)
    many = (draws.random((2000, 120)) < quality) if binary else draws.beta(4 * quality, 4 - 4 * quality, (2000, 120))
    limits = np.array([lower_limit(float(mean), 120) for mean in many.mean(axis=1)])
    assert (limits > quality).mean() <= 0.05
    assert np.median(limits) > quality - 0.12
