"""Is history priced again to the last digit, with nothing lost, while others write?"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI

from lc_costkit import CallRecord, Cost, CostCallbackHandler, Ledger, ModelPrice, PriceBook
from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.marks import VERIFICATION_FEATURE, PruneMark, RouteMark
from lc_costkit.metering import Meter, OpenCall, Outcome
from lc_costkit.prompt import Prompt
from lc_costkit.record import Saving
from lc_costkit.repricing import reading_of
from lc_costkit.testing import FakeProvider
from lc_costkit.usage import TokenUsage, UsageReading
from tests.support.command import run_command

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
USAGE = TokenUsage(input_tokens=1000, output_tokens=100)
OWN = PriceBook(overrides={"gpt-4o": ModelPrice(input_per_million=1, output_per_million=2)})
LIST = PriceBook()


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as opened:
        yield opened


def metered(
    ledger: Ledger,
    reading: UsageReading,
    *,
    prices: PriceBook = LIST,
    outcome: dict[str, Any] | None = None,
    **call: Any,
) -> CallRecord:
    """What the meter records of a call that reported ``reading``."""
    opened = OpenCall(
        prompt=Prompt(turns=(("human", "x"),)), **{"model_asked": reading.model, "started_at": NOON, **call}
    )
    record = Meter(ledger, prices=prices).price(opened, Outcome(read=lambda: reading, **(outcome or {})))
    ledger.record(record)
    return record


def gpt(**values: Any) -> UsageReading:
    return UsageReading(**{"usage": USAGE, "model": "gpt-4o", "provider": "openai", **values})


def test_a_correction_is_written_and_what_was_before_is_kept(ledger: Ledger) -> None:
    record = metered(ledger, gpt())
    assert record.cost.usd == Decimal("0.0035")
    result = ledger.reprice(OWN)
    assert (result.calls, result.changed, result.before_usd, result.after_usd) == (
        1,
        1,
        Decimal("0.0035"),
        Decimal("0.0012"),
    )
    (after,) = ledger.records()
    assert (after.cost.usd, after.cost.basis) == (Decimal("0.0012"), "exact")
    assert after.cost.price is not None
    assert after.cost.price.at == NOON
    assert replace(after, cost=record.cost) == record, "nothing but its cost has changed"
    (kept,) = ledger.corrections()
    assert (kept.call_id, kept.before, kept.after) == (record.call_id, record.cost, after.cost)
    assert kept.corrected_at.tzinfo is not None
    assert ledger.report("model").rows[0].usd == Decimal("0.0012")
    assert ledger.check() == []
    again = ledger.reprice(OWN)
    assert (again.calls, again.changed) == (1, 0)
    assert len(list(ledger.corrections())) == 1


def test_a_dry_run_writes_nothing(ledger: Ledger) -> None:
    record = metered(ledger, gpt())
    result = ledger.reprice(OWN, dry_run=True)
    assert (result.changed, result.after_usd) == (1, Decimal("0.0012"))
    assert "a dry run: nothing was written" in repr(result)
    assert list(ledger.records()) == [record]
    assert list(ledger.corrections()) == []


def test_prices_are_those_of_the_moment_of_the_call(ledger: Ledger) -> None:
    for started in (NOON - timedelta(days=300), NOON):
        metered(ledger, UsageReading(usage=USAGE, model="house"), started_at=started)
    dated = PriceBook(
        overrides={
            "house": [
                ModelPrice(input_per_million=1, output_per_million=1, until=(NOON - timedelta(days=100)).date()),
                ModelPrice(input_per_million=3, output_per_million=3, since=(NOON - timedelta(days=100)).date()),
            ]
        }
    )
    ledger.reprice(dated)
    assert [record.cost.usd for record in ledger.records()] == [Decimal("0.0011"), Decimal("0.0033")]


READINGS = [
    gpt(),
    gpt(usage=TokenUsage(input_tokens=200, cache_read_tokens=800, output_tokens=50)),
    UsageReading(usage=USAGE, model="gpt-5", provider="openai", service_tier="flex"),
    UsageReading(usage=USAGE, model="gpt-5", provider="openai", service_tier="priority"),
    gpt(processing="batch"),
    UsageReading(
        usage=TokenUsage(input_tokens=100, cache_write_1h_tokens=3000, cache_write_5m_tokens=50, output_tokens=400),
        model="claude-sonnet-4-5",
        provider="anthropic",
        inference_geo="us",
    ),
    UsageReading(
        usage=TokenUsage(input_tokens=100, cache_write_tokens=3000, output_tokens=400),
        model="claude-sonnet-4-5",
        provider="anthropic",
    ),
    UsageReading(
        usage=TokenUsage(input_tokens=250_000, output_tokens=1000, tool_requests=(("web_search", 3),)),
        model="claude-sonnet-4-5",
        provider="anthropic",
        open_terms=(("inference_geo", "us"),),
    ),
    UsageReading(
        usage=USAGE,
        model="claude-opus-5",
        provider="anthropic",
        also=(UsageReading(usage=USAGE, model="claude-haiku-4-5", provider="anthropic", speed="fast"),),
        open_calls=(UsageReading(usage=USAGE, model="claude-haiku-4-5", provider="anthropic"),),
    ),
    gpt(estimated=True),
    UsageReading(usage=USAGE, model="nobody-knows-it"),
    gpt(service_tier="unheard-of"),
]


@pytest.mark.parametrize("reading", READINGS, ids=range(len(READINGS)))
def test_all_that_decides_a_price_is_in_the_record(ledger: Ledger, reading: UsageReading) -> None:
    record = metered(ledger, reading)
    (stored,) = ledger.records()
    again = reading_of(stored)
    assert replace(again, estimated=reading.estimated) == replace(reading, estimated=reading.estimated)
    assert again.estimated == reading.estimated
    result = ledger.reprice()
    assert (result.changed, list(ledger.records())) == (0, [record])


@given(
    rates=st.tuples(*[st.decimals(min_value=0, max_value=1000, places=4)] * 2),
    calls=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**5)), max_size=12),
)
@settings(max_examples=20, deadline=None)
def test_sums_are_exact(rates: tuple[Decimal, Decimal], calls: list[tuple[int, int]]) -> None:
    book = PriceBook(overrides={"gpt-4o": ModelPrice(input_per_million=rates[0], output_per_million=rates[1])})
    with Ledger() as ledger:
        for sent, got in calls:
            metered(ledger, gpt(usage=TokenUsage(input_tokens=sent, output_tokens=got)))
        result = ledger.reprice(book)
        expected = sum(int(rates[0] * 10**4) * sent + int(rates[1] * 10**4) * got for sent, got in calls)
        assert result.after_usd * 10**10 == expected == ledger.report().total.usd * 10**10
        kept = list(ledger.corrections())
        assert sum((one.after.usd or 0) - (one.before.usd or 0) for one in kept) == result.total.difference_usd


def test_estimates_stay_estimates(ledger: Ledger) -> None:
    metered(ledger, gpt(estimated=True))
    metered(ledger, UsageReading(usage=USAGE, model="house", estimated=True))
    cut = OpenCall(prompt=Prompt(turns=(("human", "a question"),)), model_asked="gpt-4o", started_at=NOON)
    ledger.record(Meter(ledger).price(cut, Outcome(error="CancelledError")))
    book = PriceBook(
        overrides={name: ModelPrice(input_per_million=9, output_per_million=9) for name in ("gpt-4o", "house")}
    )
    assert ledger.reprice(book).changed == 3
    assert [record.cost.basis for record in ledger.records()] == ["estimated"] * 3


def test_a_call_without_a_price_gets_one(ledger: Ledger) -> None:
    metered(ledger, UsageReading(usage=USAGE, model="house"))
    metered(ledger, gpt())
    book = PriceBook(overrides={"house": ModelPrice(input_per_million=1, output_per_million=1)})
    result = ledger.reprice(book)
    assert (result.total.unpriced_before, result.total.unpriced_after, result.changed) == (1, 0, 1)
    assert [row.model for row in result.by_model] == ["house", "gpt-4o"]
    assert "1 -> 0" in repr(result)
    assert ledger.report().total.unpriced_calls == 0


def test_what_the_given_prices_do_not_know_is_left_alone(ledger: Ledger) -> None:
    own = metered(ledger, gpt(), prices=OWN)
    aliased = metered(
        ledger, UsageReading(usage=USAGE, model="my-deployment"), prices=PriceBook(aliases={"my-deployment": "gpt-4o"})
    )
    given = CallRecord(model_asked="gpt-4o", usage=USAGE, cost=Cost(usd=Decimal(7), basis="exact"))
    ledger.record(given)
    hit = CallRecord(
        model_asked="gpt-4o",
        cache="hit",
        cost=Cost(usd=Decimal(0), basis="exact"),
        saved=(Saving(part="cache", usd=Decimal(1), basis="exact"),),
    )
    refused = CallRecord(model_asked="gpt-4o", error="RateLimitError", cost=Cost(usd=Decimal(0), basis="exact"))
    ledger.record(hit)
    ledger.record(refused)
    before = list(ledger.records())
    assert before == [own, aliased, given, hit, refused]
    result = ledger.reprice()
    assert (result.calls, result.changed) == (5, 0)
    assert (result.own_prices_kept, result.unknown_kept, result.given_kept, result.savings_left) == (1, 1, 1, 1)
    assert list(ledger.records()) == before
    for part in ("keep a price of your own", "keep their price", "keep an amount", "1 savings were left"):
        assert part in repr(result)
        assert part in result._repr_html_()


def test_savings_that_rest_on_prices_are_worked_out_again(ledger: Ledger) -> None:
    route = RouteMark(
        target="cheap", strong="strong", chosen="cheap", baseline_model="gpt-4o", baseline_provider="openai"
    )
    prunes = (PruneMark(removed_tokens=1000, kept_tokens=10),)
    mini = gpt(model="gpt-4o-mini")
    book = PriceBook(overrides={"gpt-4o": ModelPrice(input_per_million=100, output_per_million=100)})
    calls: list[dict[str, Any]] = [{"route": route, "prunes": prunes}, {"feature": VERIFICATION_FEATURE}]
    with Ledger() as priced_so:
        expected = [metered(priced_so, mini, prices=book, **call).saved for call in calls]
        expected.append(metered(priced_so, gpt(), prices=book, feature=VERIFICATION_FEATURE).saved)
    for call in calls:
        metered(ledger, mini, **call)
    metered(ledger, gpt(), feature=VERIFICATION_FEATURE)
    result = ledger.reprice(book)
    assert (result.changed, result.savings_left) == (2, 0)
    assert [record.saved for record in ledger.records()] == expected
    (first, _) = ledger.corrections()
    assert first.before == first.after
    assert first.saved_before != first.saved_after == expected[0]


@pytest.mark.parametrize("model", [None, "nobody-knows-it"], ids=["not named", "without a price"])
def test_what_a_saving_was_compared_with_stays_where_it_cannot_be_priced_again(
    ledger: Ledger, model: str | None
) -> None:
    record = metered(ledger, gpt())
    made = Saving(part="route", usd=Decimal("0.01"), basis="estimated", model=model)
    seen = replace(made, hypothetical=True)
    pruned = replace(made, part="prune")
    ledger.record(replace(record, call_id="old", saved=(made, seen, pruned)))
    result = ledger.reprice(OWN)
    assert result.savings_left == 3
    assert "3 savings were left" in repr(result)
    _, after = ledger.records()
    assert record.cost.usd is not None and after.cost.usd is not None
    less = record.cost.usd - after.cost.usd
    assert after.saved == (
        replace(made, usd=Decimal("0.01") + less),
        replace(seen, usd=Decimal("0.01") - less),
        pruned,
    )
    assert ledger.reprice(OWN).changed == 0


def cascaded(ledger: Ledger, target: str, *, prices: PriceBook, outcome: Any = None, **mark: Any) -> CallRecord:
    """What the meter records of one attempt."""
    route = RouteMark(
        target=target,
        **{"part": "cascade", "request": "r", "strong": "gpt-4o", "chosen": target, "baseline_model": "gpt-4o", **mark},
    )
    return metered(ledger, gpt(model=target), prices=prices, route=route, outcome=outcome)


CHEAPER = PriceBook(
    overrides={
        "gpt-4o": ModelPrice(input_per_million=1, output_per_million=2),
        "gpt-4o-mini": ModelPrice(input_per_million="0.1", output_per_million="0.2"),
        "middle": ModelPrice(input_per_million="0.5", output_per_million=1),
    }
)
UNKNOWN = PriceBook(aliases={"gpt-4o-mini": "nobody-knows-it", "gpt-4o": "nobody-knows-it"})


def a_cascade(ledger: Ledger, prices: PriceBook) -> None:
    """A draft and a sample of it that were thrown away, a target that failed, and the answer; and a draft that did."""
    cascaded(ledger, "gpt-4o-mini", prices=prices)
    cascaded(ledger, "gpt-4o-mini", prices=prices, aside=True)
    cascaded(ledger, "middle", prices=prices, attempt=2, rejected=1, outcome={"error": "Timeout"})
    cascaded(ledger, "gpt-4o", prices=prices, attempt=3, rejected=1)
    cascaded(ledger, "gpt-4o-mini", prices=prices, request="r2")


@pytest.mark.parametrize("before", [LIST, CHEAPER, UNKNOWN], ids=["list", "own", "unpriced"])
def test_what_a_cascade_lost_is_corrected_and_the_sum_stays_the_strong_targets_bill(before: PriceBook) -> None:
    with Ledger() as ledger, Ledger() as right_at_once:
        a_cascade(ledger, before)
        a_cascade(right_at_once, CHEAPER)
        assert right_at_once.report().total.unpriced_savings == 0
        ledger.reprice(CHEAPER)
        one, other = ledger.report().total, right_at_once.report().total
        assert one.usd == other.usd
        assert one.saved_by_part == other.saved_by_part
        assert one.usd + one.saved_usd == 2 * Decimal("0.0012")
        assert ledger.reprice(CHEAPER).changed == 0


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4o", "middle"])
def test_a_correction_of_one_model_alone_leaves_no_rejected_draft_in_the_sum(ledger: Ledger, model: str) -> None:
    for attempt, target in enumerate(["gpt-4o-mini", "gpt-4o"]):
        cascaded(ledger, target, prices=LIST, attempt=attempt + 1, rejected=attempt)
    ledger.reprice(CHEAPER, model=model)
    strong = list(ledger.records())[-1].cost.usd
    total = ledger.report().total
    assert total.usd + total.saved_usd == strong
    assert -total.saved_usd == next(ledger.records()).cost.usd


def test_a_draft_of_the_strong_target_that_was_thrown_away_is_lost_at_the_corrected_price(ledger: Ledger) -> None:
    cascaded(ledger, "gpt-4o", prices=LIST)
    cascaded(ledger, "gpt-4o-mini", prices=LIST, attempt=2, rejected=1)
    ledger.reprice(CHEAPER)
    total = ledger.report().total
    assert total.usd + total.saved_usd == Decimal("0.0012")
    assert ledger.reprice(CHEAPER).savings_left == 0


def test_a_saving_net_of_a_lost_cache_is_worked_out_with_it_again(ledger: Ledger) -> None:
    whole = TokenUsage(input_tokens=8000, output_tokens=100)
    route = RouteMark(
        target="cheap",
        strong="strong",
        chosen="cheap",
        baseline_model="gpt-4o",
        baseline_provider="openai",
        warm=0.5,
        before="strong",
    )
    book = PriceBook(
        overrides={
            "gpt-4o": ModelPrice(input_per_million=10, cache_read_per_million=1, output_per_million=0),
            "gpt-4o-mini": ModelPrice(input_per_million=1, output_per_million=0),
        }
    )
    metered(ledger, gpt(model="gpt-4o-mini", usage=whole), route=route)
    ledger.reprice(book)
    (record,) = ledger.records()
    assert [(saving.usd, saving.cached_tokens) for saving in record.saved] == [
        (Decimal("0.044") - Decimal("0.008"), 4000)
    ]


def test_calls_are_picked_by_tag_as_in_a_report(ledger: Ledger) -> None:
    metered(ledger, gpt(), tags=("a", "b"))
    metered(ledger, gpt(), tags=("ab",))
    assert ledger.reprice(OWN, tag="a").calls == 1 == ledger.report(tag="a").total.requests
    assert [record.cost.usd for record in ledger.records(tag="a")] == [Decimal("0.0012")]
    assert ledger.reprice(OWN).changed == 1


def test_filters_and_progress(ledger: Ledger) -> None:
    for day in range(3):
        metered(ledger, gpt(), started_at=NOON + timedelta(days=day), feature="a" if day else "b")
    told: list[tuple[int, int]] = []
    result = ledger.reprice(
        OWN, since=NOON + timedelta(days=1), progress=lambda done, total: told.append((done, total))
    )
    assert (result.calls, told) == (2, [(2, 2)])
    assert ledger.reprice(OWN, feature="b").changed == 1
    assert ledger.reprice(OWN, model="nothing").calls == 0
    assert repr(ledger.reprice(OWN, model="nothing")) == "no calls to price again"
    with pytest.raises(ConfigurationError, match="cannot filter calls by 'colour'"):
        ledger.reprice(colour="red")
    with pytest.raises(ConfigurationError, match="must be a PriceBook"):
        ledger.reprice({"gpt-4o": 1})  # type: ignore[arg-type]


def test_a_correction_that_is_broken_off_is_taken_up_again(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        for _ in range(900):
            metered(ledger, gpt())

        def stop(done: int, total: int) -> None:
            if done >= 500:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ledger.reprice(OWN, progress=stop)
        written = len(list(ledger.corrections()))
        assert 0 < written < 900
        assert ledger.reprice(OWN).changed == 900 - written
        assert ledger.report().total.usd == 900 * Decimal("0.0012")
        assert len(list(ledger.corrections())) == 900
        assert ledger.check() == []


def test_others_write_and_correct_meanwhile(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger, Ledger(tmp_path / "l.db") as other:
        for _ in range(600):
            metered(ledger, gpt())
        results: list[int] = []
        work: list[Callable[[], object]] = [
            lambda: results.append(ledger.reprice(OWN).changed),
            lambda: results.append(other.reprice(OWN).changed),
            lambda: list(map(other.record, (a_new_call() for _ in range(200)))),
        ]
        threads = [threading.Thread(target=one) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(results) == 600 == len(list(ledger.corrections())), "each call is corrected once"
        assert ledger.report().total.usd == 600 * Decimal("0.0012") + 200
        assert ledger.check() == []


def a_new_call() -> CallRecord:
    return CallRecord(cost=Cost(usd=Decimal(1), basis="exact"))


def test_rows_that_cannot_be_read_are_left_alone(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        for _ in range(2):
            metered(ledger, gpt())
        with closing(sqlite3.connect(tmp_path / "l.db")) as raw:
            raw.execute("UPDATE costkit_calls SET usage = '[' WHERE seq = 1")
            raw.commit()
        result = ledger.reprice(OWN)
        assert (result.changed, result.unreadable) == (1, 1)
        assert "1 call: cannot be read" in repr(result)
        with closing(sqlite3.connect(tmp_path / "l.db")) as raw:
            raw.execute("UPDATE costkit_calls SET usage = NULL, input_tokens = 0, output_tokens = 0")
            raw.execute("UPDATE costkit_corrections SET before = '{}'")
            raw.commit()
        (found,) = ledger.check()
        assert found.startswith("a correction of call ")


def test_a_locked_store_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lc_costkit.correcting.PATIENT_SECONDS", 0.05)
    with Ledger(tmp_path / "l.db") as ledger:
        metered(ledger, gpt())
        with closing(sqlite3.connect(tmp_path / "l.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked by another process"):
                ledger.reprice(OWN)
        assert ledger.reprice(OWN).changed == 1


def test_real_calls_are_corrected_to_what_they_would_have_cost(
    provider: FakeProvider, make_chat_openai: Callable[..., ChatOpenAI], ledger: Ledger
) -> None:
    with Ledger() as right_at_once:
        config: Any = {"callbacks": [CostCallbackHandler(ledger), CostCallbackHandler(right_at_once, prices=OWN)]}
        for number in range(3):
            make_chat_openai("gpt-4o").invoke(f"How do I freeze card {number}?", config=config)
        assert ledger.report().total.usd == provider.billed_usd
        ledger.reprice(OWN)
        assert ledger.report().total.usd == right_at_once.report().total.usd != provider.billed_usd


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with Ledger(path) as ledger:
        metered(ledger, gpt())
    override = ["--override", "gpt-4o=1/2"]
    done = run_command("reprice", str(path), *override, "--dry-run")
    assert (done.returncode, "0.001200" in done.stdout, "nothing was written" in done.stdout) == (0, True, True), done
    done = run_command(
        "reprice", str(path), *override, "--since", "2026-11-20", "--until", "2026-11-21", "--model", "gpt-4o"
    )
    assert (done.returncode, "0.001200" in done.stdout, "nothing was written" in done.stdout) == (0, True, False), done
    with Ledger(path) as ledger:
        assert ledger.report().total.usd == Decimal("0.0012")
    for arguments, word in (
        ([str(tmp_path / "none.db")], "there is no database"),
        ([str(path), "--override", "gpt-4o"], "MODEL=IN/OUT"),
        ([str(path), "--override", "gpt-4o=x/1"], "is no number"),
        ([str(path), "--since", "yesterday"], "must be a day"),
    ):
        done = run_command("reprice", *arguments)
        assert (done.returncode, word in done.stderr, "Traceback" in done.stderr) == (2, True, False), done
    assert not (tmp_path / "none.db").exists()
