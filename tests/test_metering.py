"""The meter and what it stands on: prompts, failures, savings, the background writer."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.failure import AnswerLost, may_be_billed
from lc_costkit.ledger import Ledger
from lc_costkit.marks import CacheMark, PruneMark, RouteMark
from lc_costkit.metering import Meter, OpenCall, Outcome, failed, owner, plain_metadata
from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.prompt import PREFIX_BLOCK_BYTES, PREFIX_BLOCKS_LIMIT, Prompt, divided
from lc_costkit.record import CallRecord
from lc_costkit.savings import hit_saving, miss_savings
from lc_costkit.underway import CallsUnderWay
from lc_costkit.usage import TokenUsage, UsageReading
from lc_costkit.writer import BATCH_LIMIT, WAITING_LIMIT, BackgroundWriter

PROMPT = Prompt(turns=(("system", "Be brief."), ("human", "Why is the sky blue?")))


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as opened:
        yield opened


def reported(**counts: int) -> UsageReading:
    return UsageReading(usage=TokenUsage(**counts), model="gpt-4o-mini", provider="openai")


def test_direct_use(ledger: Ledger) -> None:
    call = OpenCall(prompt=PROMPT, model_asked="gpt-4o-mini", feature="script")
    Meter(ledger).finish(call, Outcome(read=lambda: reported(input_tokens=1000, output_tokens=100)))
    (record,) = ledger.records()
    assert (record.framework, record.feature, record.cost.usd) == ("direct", "script", Decimal("0.00021"))
    assert record.tokens_by_part == {"system": 310, "question": 690}


def test_other_models_and_terms_are_kept_for_pricing_again(ledger: Ledger) -> None:
    reading = UsageReading(
        usage=TokenUsage(input_tokens=10),
        model="gpt-5",
        provider="openai",
        service_tier="flex",
        also=(reported(input_tokens=5),),
    )
    Meter(ledger).finish(OpenCall(prompt=PROMPT), Outcome(read=lambda: reading))
    (record,) = ledger.records()
    assert record.billing["service_tier"] == "flex"
    assert record.billing["also"][0]["usage"] == {"input_tokens": 5}
    assert len(record.cost.also) == 1


@pytest.mark.parametrize("later", [False, True])
def test_usage_that_cannot_be_read_is_estimated(ledger: Ledger, later: bool) -> None:
    def read() -> UsageReading:
        raise ZeroDivisionError

    call = OpenCall(prompt=PROMPT, model_asked="gpt-4o-mini")
    Meter(ledger).finish(call, Outcome(read=read, answer=lambda: "Because."), later=later)
    (record,) = ledger.records()
    assert (record.cost.basis, record.error, record.interrupted) == ("estimated", None, False)
    assert record.usage.total_output > 0
    assert ledger.faults.counts == {"reading usage: ZeroDivisionError": 1}


@pytest.mark.parametrize("declared", [None, "", "  "])
def test_a_prompt_without_text_is_metered(ledger: Ledger, declared: str | None) -> None:
    prompt = Prompt(turns=(("system", "Be brief."), ("human", "")), declared_question=declared)
    Meter(ledger).finish(OpenCall(prompt=prompt), Outcome(read=lambda: reported(input_tokens=900)))
    (record,) = ledger.records()
    assert record.tokens_by_part == {"system": 900}
    assert record.question_hash is None


@pytest.mark.parametrize("model", [" ", "gpt-4o-mini"])
def test_a_counter_that_cannot_be_had_does_not_lose_the_call(
    ledger: Ledger, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(model: str | None) -> Any:
        raise RuntimeError("can't register atexit after shutdown")

    monkeypatch.setattr("lc_costkit.metering.TokenCounter", fail)
    Meter(ledger).finish(OpenCall(prompt=PROMPT, model_asked=model), failed(TimeoutError()))
    (record,) = ledger.records()
    assert record.interrupted
    assert record.usage.total_input > 0


@pytest.mark.parametrize("buffered", [False, True])
def test_on_record_may_read_the_ledger_and_finds_the_call_there(tmp_path: Path, buffered: bool) -> None:
    seen: list[int] = []
    with Ledger(tmp_path / "costkit.db", buffered=buffered) as ledger:
        meter = Meter(ledger, on_record=lambda record: seen.append(len(ledger)))
        meter.finish(OpenCall(prompt=PROMPT), Outcome())
        meter.finish(OpenCall(prompt=PROMPT), Outcome(), later=True)
        ledger.flush()
        assert ledger.faults.counts == {}
    assert seen in ([1, 2], [2, 2])  # buffered calls may be written together


def test_a_call_that_was_not_written_is_not_told(ledger: Ledger) -> None:
    seen: list[str] = []
    meter = Meter(ledger, on_record=lambda record: seen.append(record.call_id))
    for later in (False, True, True):
        meter.finish(OpenCall(prompt=PROMPT, call_id="one"), Outcome(), later=later)
    ledger.flush()
    assert seen == ["one"]


def test_a_ledger_let_go_by_its_own_thread_does_not_wait_for_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(tmp_path / "costkit.db")
    Meter(ledger).finish(OpenCall(prompt=PROMPT), Outcome(), later=True)
    (thread,) = [one for one in threading.enumerate() if one.name == "lc_costkit-writer"]
    del ledger
    thread.join(20)
    assert not thread.is_alive()
    assert caplog.records == []
    with Ledger(tmp_path / "costkit.db") as again:
        assert len(again) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_what_was_under_way_at_a_fork_is_left_to_the_parent(tmp_path: Path) -> None:
    script = """
import os, sys
from lc_costkit.ledger import Ledger
from lc_costkit.metering import Meter, OpenCall
from lc_costkit.prompt import Prompt
from lc_costkit.underway import CallsUnderWay

calls = CallsUnderWay(Meter(Ledger(sys.argv[1])))
calls.start(OpenCall(prompt=Prompt(turns=(("user", "Why?"),)), call_id="parent", model_asked="gpt-4o-mini"))
calls._lock.acquire()  # as another thread of the parent may have, which stays behind
if os.fork() == 0:
    calls.start(OpenCall(prompt=Prompt(turns=(("user", "Why not?"),)), call_id="child", model_asked="gpt-4o-mini"))
    sys.exit()
os.wait()
calls._lock.release()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "costkit.db")], timeout=60, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    with Ledger(tmp_path / "costkit.db") as ledger:
        assert [(call.call_id, call.cost.basis) for call in ledger.records()] == [
            ("child", "estimated"),
            ("parent", "estimated"),
        ]


def priced(*prunes: PruneMark, route: RouteMark) -> dict[str, Decimal | None]:
    with Ledger() as ledger:
        call = OpenCall(prompt=PROMPT, model_asked="gpt-4o-mini", route=route, prunes=prunes)
        record = Meter(ledger).price(call, Outcome(read=lambda: reported(input_tokens=1000, output_tokens=100)))
    return {saving.part: saving.usd for saving in record.saved}


def test_router_and_pruner_together_save_the_difference_between_all_and_nothing() -> None:
    route = RouteMark(
        target="small", chosen="small", strong="large", baseline_model="gpt-4o", baseline_provider="openai"
    )
    saved = priced(PruneMark(removed_tokens=3000, kept_tokens=900), route=route)
    whole = PriceBook().cost("gpt-4o", TokenUsage(input_tokens=4000, output_tokens=100)).usd
    paid = PriceBook().cost("gpt-4o-mini", TokenUsage(input_tokens=1000, output_tokens=100)).usd
    assert whole is not None
    assert paid is not None
    assert saved["route"] is not None
    assert saved["prune"] is not None
    assert saved["route"] + saved["prune"] == whole - paid


def test_the_strong_target_saves_nothing_whatever_its_name_in_the_price_list() -> None:
    route = RouteMark(target="large", chosen="large", strong="large", baseline_model="our-deployment")
    assert priced(route=route) == {}


def test_the_sign_of_a_lookup_keeps_every_digit() -> None:
    mark = CacheMark(verdict="miss", lookup_usd=Decimal("0.000123456789"))
    with localcontext() as context:
        context.prec = 3
        (saving,) = miss_savings(mark, Cost(usd=Decimal(1), basis="exact"), 1)
    assert saving.usd == Decimal("-0.000123456789")


def test_a_hit_after_a_lookup_of_unknown_price_is_no_exact_saving() -> None:
    saving = hit_saving(Cost(usd=Decimal(1), basis="exact"), 1, Decimal(0), "unpriced")
    assert (saving.usd, saving.basis) == (Decimal(1), "estimated")


def test_a_call_told_twice_is_billed_once(ledger: Ledger) -> None:
    call = OpenCall(prompt=PROMPT)
    for _ in range(2):
        Meter(ledger).finish(call, Outcome(read=lambda: reported(input_tokens=10)))
    assert len(ledger) == 1
    assert ledger.faults.counts == {"metering: StoreError": 1}


def status_error(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "http://127.0.0.1/")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "billed"),
    [
        (status_error(429), False),
        (status_error(500), False),
        (caused(RuntimeError(), status_error(529)), False),
        (ValueError(), False),
        (ConnectionRefusedError(), False),
        (caused(RuntimeError(), httpx.ConnectError("no")), False),
        (caused(TimeoutError(), httpx.ConnectTimeout("no")), False),
        (TimeoutError(), True),
        (httpx.ReadTimeout("slow"), True),
        (caused(RuntimeError(), httpx.RemoteProtocolError("cut")), True),
        (caused(httpx.ReadTimeout("slow"), status_error(500)), True),
        (asyncio.CancelledError(), True),
        (GeneratorExit(), True),
        (KeyboardInterrupt(), True),
        (AnswerLost(), True),
    ],
)
def test_which_failures_may_be_billed(error: BaseException, billed: bool) -> None:
    assert may_be_billed(error) is billed
    assert failed(error).billed is billed
    assert failed(error, came="Because").billed


def test_a_cause_that_leads_to_itself_ends() -> None:
    error = RuntimeError()
    error.__context__ = error
    assert may_be_billed(error) is False


@given(st.integers(0, 10**9), st.dictionaries(st.sampled_from(["system", "question", "tools"]), st.integers(0, 10**6)))
def test_shares_sum_to_the_whole(total: int, weights: dict[Any, int]) -> None:
    shares = divided(total, weights)
    assert sum(shares.values()) == (total if sum(weights.values()) else 0)
    assert all(share >= 0 for share in shares.values())


def test_parts_of_a_prompt() -> None:
    prompt = Prompt(
        turns=(
            ("system", "Be brief."),
            ("human", "Hi"),
            ("ai", "Hello"),
            ("human", "Docs: a b c. Q: When?"),
            ("tool", "9 o'clock"),
        ),
        tools="[{}]",
        declared_question=" When? ",
    )
    assert prompt.parts() == {
        "system": ["Be brief."],
        "history": ["Hi", "Hello"],
        "context": ["Docs: a b c. Q: ", "9 o'clock"],
        "question": ["When?"],
        "tools": ["[{}]"],
    }
    assert prompt.question == "When?"
    assert Prompt(turns=(("human", "Who?"),), declared_question="When?").question == "Who?"
    assert Prompt(turns=()).question_hash is None
    assert Prompt(turns=()).parts() == {}
    assert Prompt(turns=()).counted(len) == {}
    assert Prompt(turns=()).shares(10) == {}


@given(st.text(max_size=4000), st.text(max_size=4000))
def test_prefix_hashes_are_equal_as_long_as_the_prompts_are(one: str, other: str) -> None:
    first, second = Prompt(turns=(("human", one),)), Prompt(turns=(("human", other),))
    shared = 0
    encoded = [f"\x1ehuman\x1f{text}".encode("utf-8", "surrogatepass") for text in (one, other)]
    while (
        shared + PREFIX_BLOCK_BYTES <= min(map(len, encoded))
        and encoded[0][: shared + PREFIX_BLOCK_BYTES] == encoded[1][: shared + PREFIX_BLOCK_BYTES]
    ):
        shared += PREFIX_BLOCK_BYTES
    common = 0
    for a, b in zip(first.prefix_hashes(), second.prefix_hashes(), strict=False):
        if a != b:
            break
        common += 1
    assert common == shared // PREFIX_BLOCK_BYTES
    assert (first.question_hash == second.question_hash) == (one == other)


def test_prefix_hashes_are_bounded() -> None:
    assert len(Prompt(turns=(("human", "x" * 10**7),)).prefix_hashes()) == PREFIX_BLOCKS_LIMIT
    assert Prompt(turns=(("human", "lone \ud800 surrogate " * 100),)).prefix_hashes()


def test_metadata_is_kept_within_bounds() -> None:
    given = {f"key{number}": number for number in range(100)} | {"long": "x" * 1000}
    assert len(plain_metadata(given, leave_out=lambda name: False)) == 32
    kept = plain_metadata(
        {"a": "x" * 1000, "b": None, "c": [1], "d": True, "skip": 1}, leave_out=lambda name: name == "skip"
    )
    assert kept == {"a": "x" * 256, "d": True}
    assert [owner({"user": value}, "user") for value in (None, "", 0, "u1")] == [None, None, "0", "u1"]


def test_the_number_of_waiting_prunings_is_bounded(ledger: Ledger) -> None:
    calls = CallsUnderWay(Meter(ledger), limit=5)
    for number in range(50):
        calls.prune(f"trace-{number}", PruneMark(removed_tokens=1, kept_tokens=1))
        calls.prune("trace", PruneMark(removed_tokens=1, kept_tokens=1))
    assert len(calls._prunes) == 5
    assert len(calls._prunes["trace"]) < 50
    calls.prune(None, PruneMark(removed_tokens=1, kept_tokens=1))


def test_the_writer_keeps_order_and_batches() -> None:
    batches: list[list[str]] = []
    with Ledger() as ledger:
        writer = BackgroundWriter(lambda records: batches.append([call.call_id for call in records]), ledger.faults)
        for number in range(BATCH_LIMIT + 10):
            writer.submit(
                lambda number=number: CallRecord(call_id=f"c{number}", cost=Cost(usd=Decimal(0), basis="exact"))
            )  # type: ignore[misc]
        writer.submit(lambda: None)
        assert writer.flush(10)
        writer.close()
        writer.close()
    assert [call_id for batch in batches for call_id in batch] == [f"c{number}" for number in range(BATCH_LIMIT + 10)]
    assert max(map(len, batches)) <= BATCH_LIMIT
    assert len(batches) < BATCH_LIMIT


def test_the_writer_starts_no_thread_before_it_is_used() -> None:
    before = set(threading.enumerate())
    with Ledger() as ledger:
        assert BackgroundWriter(lambda records: None, ledger.faults).flush(0)
        ledger.record(CallRecord(cost=Cost(usd=Decimal(0), basis="exact")))
        assert set(threading.enumerate()) <= before


def test_a_writer_that_cannot_keep_up_does_not_fill_the_memory() -> None:
    written: list[str] = []
    release = threading.Event()
    threads: set[int] = set()

    def insert(records: list[CallRecord]) -> None:
        threads.add(threading.get_ident())
        if threading.current_thread().name == "lc_costkit-writer":
            release.wait(30)
        written.extend(call.call_id for call in records)

    cost = Cost(usd=Decimal(0), basis="exact")
    with Ledger() as ledger:
        writer = BackgroundWriter(insert, ledger.faults)
        for _ in range(WAITING_LIMIT + BATCH_LIMIT + 100):
            writer.submit(lambda: CallRecord(cost=cost))
        assert threading.get_ident() in threads
        release.set()
        assert writer.flush(60)
        writer.close()
    assert len(set(written)) == WAITING_LIMIT + BATCH_LIMIT + 100


@pytest.mark.parametrize("arguments", [{"ledger": None}, {"prices": 3}, {"on_record": 3}])
def test_bad_arguments(ledger: Ledger, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Meter(**{"ledger": ledger, **arguments})
