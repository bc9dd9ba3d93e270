"""The ledger: nothing lost, nothing changed, clear errors, several threads and processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.ledger import Ledger
from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.record import CallRecord, Saving
from lc_costkit.usage import TokenUsage

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def a_call(usd: str | None = "0.001", **values: object) -> CallRecord:
    cost = Cost(usd=None, basis="unpriced") if usd is None else Cost(usd=Decimal(usd), basis="exact")
    return CallRecord(**({"cost": cost, "model_asked": "gpt-4o"} | values))  # type: ignore[arg-type]


def full_call(**values: object) -> CallRecord:
    usage = TokenUsage(
        input_tokens=10, cache_read_tokens=7, output_tokens=5, reasoning_tokens=2, tool_requests=(("web_search", 3),)
    )
    everything: dict[str, object] = {
        "trace_id": "trace",
        "parent_id": "parent",
        "started_at": datetime(2026, 11, 20, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=9))),
        "latency_seconds": 1.25,
        "first_token_seconds": 0.125,
        "framework": "langchain",
        "operation": "chat",
        "provider": "openai",
        "model_asked": "gpt-4o",
        "model_answered": "gpt-4o-2024-08-06",
        "usage": usage,
        "cost": PriceBook().cost("gpt-4o", usage, at=NOON),
        "billing": {"service_tier": "flex"},
        "side_cost_usd": Decimal("0.00000000001"),
        "side_cost_basis": "estimated",
        "cache": "miss",
        "cache_tier": "semantic",
        "cache_entry_id": 12,
        "similarity": 0.75,
        "cache_reason": "number differs",
        "saved": (
            Saving(part="prune", usd=Decimal("0.5"), basis="estimated", tokens=100),
            Saving(part="route", usd=None, basis="unpriced", hypothetical=True),
        ),
        "route": "cheap",
        "route_score": 0.25,
        "route_reasons": ("short", "코드 없음"),
        "feature": "support",
        "user": "u42",
        "team": "blue",
        "tags": ("a", "b"),
        "metadata": {"region": "eu", "retries": 2, "ratio": 0.5, "beta": True},
        "question_hash": "abc",
        "prefix_hashes": ("1", "2"),
        "tokens_by_part": {"system": 4, "question": 6},
        "error": "RateLimitError",
        "interrupted": True,
        "streamed": True,
        "question": "What's up?\x00",
        "answer": "답",
    }
    return CallRecord(**(everything | values))  # type: ignore[arg-type]


def test_every_field_survives_the_ledger(tmp_path: Path) -> None:
    call = full_call()
    with Ledger(tmp_path / "l.db", record_text=True) as ledger:
        ledger.record(call)
        assert list(ledger.records()) == [call]
    with Ledger(tmp_path / "l.db") as again:
        assert list(again.records()) == [call]
        assert again.check() == []


def test_the_least_call_survives_the_ledger() -> None:
    call = a_call()
    with Ledger() as ledger:
        ledger.record(call)
        assert list(ledger.records()) == [call]


def test_text_is_kept_only_when_asked_for(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        ledger.record(full_call(question="my secret question", answer="my secret answer"))
        (kept,) = ledger.records()
    assert (kept.question, kept.answer) == (None, None)
    assert all(b"secret" not in path.read_bytes() for path in tmp_path.iterdir())


@given(
    st.lists(
        st.decimals(min_value=0, max_value=1000, allow_nan=False, places=15) | st.just(Decimal("1E-12")), max_size=30
    )
)
@settings(max_examples=30, deadline=None)
def test_money_is_summed_to_the_last_digit(amounts: list[Decimal]) -> None:
    with Ledger() as ledger:
        for amount in amounts:
            ledger.record(a_call(str(amount)))
        # 15 places by 1000 in integers: no rounding anywhere in the expectation.
        expected = sum(int(amount * 10**15) for amount in amounts)
        assert ledger.report().total.usd * 10**15 == expected


@given(st.text(max_size=50), st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers() | st.booleans()))
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_recorded(text: str, metadata: dict[str, str | int | bool]) -> None:
    call = a_call(feature=text, user=text, tags=(text,), metadata=metadata, error=text)
    with Ledger() as ledger:
        ledger.record(call)
        assert list(ledger.records()) == [call]
        repr(ledger.report("feature"))


def test_a_lone_surrogate_does_not_lose_the_call() -> None:
    with Ledger() as ledger:
        ledger.record(a_call(feature="broken \ud800 text"))
        assert [call.feature for call in ledger.records()] == ["broken ? text"]


def test_calls_are_only_added() -> None:
    call = a_call()
    with Ledger() as ledger:
        ledger.record(call)
        with pytest.raises(StoreError, match=f"already holds a call '{call.call_id}'"):
            ledger.record(a_call("99", call_id=call.call_id))
        assert ledger.report().total.usd == Decimal("0.001")


def test_filters(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        for number in range(4):
            ledger.record(
                a_call(
                    started_at=NOON + timedelta(days=number),
                    feature="even" if number % 2 == 0 else "odd",
                    tags=("a",) if number < 3 else ("b",),
                    model_answered="gpt-4o-x" if number == 3 else None,
                )
            )

        def times(**filters: object) -> list[int]:
            return [(call.started_at - NOON).days for call in ledger.records(**filters)]  # type: ignore[arg-type]

        assert times() == [0, 1, 2, 3]
        assert times(since=NOON + timedelta(days=1)) == [1, 2, 3]
        assert times(until=NOON + timedelta(days=1)) == [0]
        assert times(since=date(2026, 11, 21), until=date(2026, 11, 22)) == [1]
        assert times(since=datetime(2026, 11, 20, 21, 0, 1, tzinfo=timezone(timedelta(hours=9)))) == [1, 2, 3]
        assert times(feature="odd") == [1, 3]
        assert times(tag="b") == [3]
        assert times(model="gpt-4o-x") == [3]
        assert times(model="gpt-4o") == [0, 1, 2, 3]
        assert ledger.report(tag="a", feature="even").total.requests == 2
        with pytest.raises(ConfigurationError, match="cannot filter calls by 'colour'"):
            ledger.records(colour="red")
        with pytest.raises(ConfigurationError, match="since needs a time zone"):
            ledger.records(since=datetime(2026, 11, 20))
        with pytest.raises(ConfigurationError, match="until must be a datetime"):
            ledger.report(until="today")  # type: ignore[arg-type]


def test_more_records_than_a_page_and_writes_while_reading() -> None:
    with Ledger() as ledger:
        for number in range(2050):
            ledger.record(a_call(call_id=f"call-{number}"))
        seen = []
        for call in ledger.records():
            seen.append(call.call_id)
            if len(seen) == 1500:
                ledger.record(a_call(call_id="late"))
        assert seen == [*(f"call-{number}" for number in range(2050)), "late"]


@pytest.mark.parametrize("buffered", [False, True])
def test_scores_are_kept_apart(buffered: bool) -> None:
    with Ledger(buffered=buffered) as ledger:
        call = a_call()
        ledger.record(call)
        ledger.score(call.call_id, 1, note="thumbs up")
        ledger.score(call.call_id, 0.5)
        assert [(score.call_id, score.value, score.note) for score in ledger.scores()] == [
            (call.call_id, 1.0, "thumbs up"),
            (call.call_id, 0.5, None),
        ]
        assert ledger.scores("other") == []
        assert ledger.scores(call.call_id)[0].scored_at.tzinfo is not None
        with pytest.raises(ConfigurationError, match="no call 'nobody'"):
            ledger.score("nobody", 1)
        for value in (float("nan"), float("inf"), True, "good"):
            with pytest.raises(ConfigurationError, match="finite number"):
                ledger.score(call.call_id, value)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["lc_run--{}", "lc_run--{}-0", "run--{}-0", "run-{}-0", "{}"])
def test_a_call_is_found_by_the_id_of_a_message(name: str) -> None:
    call = a_call(call_id="019a3f6e-9d0c-7e11-8f44-5f1a0c1d2e3f")
    message_id = name.format(call.call_id)
    with Ledger() as ledger:
        ledger.record(call)
        ledger.record(a_call(call_id="another"))
        ledger.score(message_id, 1.0)
        assert [score.call_id for score in ledger.scores(message_id)] == [call.call_id]
        assert [found.call_id for found in ledger.records(call_id=message_id)] == [call.call_id]


def test_a_message_of_another_ledger_is_named_as_it_was_given() -> None:
    with Ledger() as ledger:
        with pytest.raises(ConfigurationError, match="no call 'lc_run--019a3f6e-9d0c-7e11-8f44-5f1a0c1d2e3f' in"):
            ledger.score("lc_run--019a3f6e-9d0c-7e11-8f44-5f1a0c1d2e3f", 1)
        with pytest.raises(ConfigurationError, match=r"not by None; write ledger\.score\(answer\.id, 1\)"):
            ledger.score(None, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"started_at": datetime(2026, 11, 20)}, "time zone"),
        ({"latency_seconds": -0.1}, "latency_seconds"),
        ({"latency_seconds": float("nan")}, "latency_seconds"),
        ({"cache": "maybe"}, "cache must be one of"),
        ({"call_id": ""}, "call_id"),
    ],
)
def test_a_bad_record_is_refused(values: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        a_call(**values)


def test_a_closed_ledger_says_so() -> None:
    ledger = Ledger()
    ledger.close()
    ledger.close()
    for use in (lambda: ledger.record(a_call()), lambda: len(ledger), lambda: list(ledger.records()), ledger.report):
        with pytest.raises(StoreError, match="is closed"):
            use()
    assert repr(ledger) == "Ledger(':memory:', closed)"


def test_repr_and_truth(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db", buffered=True) as ledger:
        assert repr(ledger) == f"Ledger({str(tmp_path / 'l.db')!r}, buffered)"
        assert len(ledger) == 0
        assert ledger


def test_bad_addresses_fail_when_it_is_built(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a directory"):
        Ledger(tmp_path)
    with pytest.raises(ConfigurationError, match="int 3"):
        Ledger(3)  # type: ignore[arg-type]


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    Ledger(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE costkit_schema SET version = 99")
    connection.close()
    with pytest.raises(StoreError, match="schema 99"):
        Ledger(path)


def test_check_finds_what_was_changed_behind_its_back(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with Ledger(path) as ledger:
        for number in range(5):
            ledger.record(a_call(call_id=f"c{number}"))
        ledger.score("c4", 1)
        assert ledger.check() == []
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE costkit_calls SET cost_usd = 'a lot' WHERE call_id = 'c0'")
            connection.execute("UPDATE costkit_calls SET tags = '[' WHERE call_id = 'c1'")
            connection.execute("UPDATE costkit_calls SET input_tokens = 7 WHERE call_id = 'c2'")
            connection.execute("UPDATE costkit_calls SET cost_basis = 'unpriced' WHERE call_id = 'c3'")
            connection.execute("DELETE FROM costkit_calls WHERE call_id = 'c4'")
        connection.close()
        found = ledger.check()
    assert len(found) == 5
    for call_id in ("c0", "c1", "c2", "c3", "c4"):
        assert sum(call_id in problem for problem in found) == 1


def test_many_threads_write_one_ledger(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        threads = [
            threading.Thread(target=lambda: [ledger.record(a_call("0.01")) for _ in range(50)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.report().total.usd == Decimal("4.00")


def _write_some(path: str, buffered: bool) -> None:
    with Ledger(path, buffered=buffered) as ledger:
        for _ in range(100):
            ledger.record(a_call("0.01"))


@pytest.mark.parametrize("buffered", [False, True])
def test_many_processes_write_one_ledger(tmp_path: Path, buffered: bool) -> None:
    context = multiprocessing.get_context("spawn")
    path = str(tmp_path / "l.db")
    processes = [context.Process(target=_write_some, args=(path, buffered)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    with Ledger(path) as ledger:
        assert ledger.report().total.usd == Decimal("3.00")
        assert ledger.check() == []


def test_a_buffered_ledger_reads_what_it_was_given() -> None:
    with Ledger(buffered=True) as ledger:
        for _ in range(1200):
            ledger.record(a_call("0.01"))
        assert len(ledger) == 1200
        assert ledger.report().total.usd == Decimal("12.00")


def test_one_bad_record_in_a_batch_loses_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    with Ledger(buffered=True) as ledger:
        for call_id in ("one", "two", "two", "three"):
            ledger.record(a_call(call_id=call_id))
        assert [call.call_id for call in ledger.records()] == ["one", "two", "three"]
        assert ledger.faults.total == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(
    "ending", ["", "del ledger; gc.collect()", "raise SystemExit(0)", "ledger.flush(); os._exit(0)"]
)
def test_a_buffered_ledger_is_written_when_the_process_ends(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "l.db"
    program = (
        "import gc, os\nfrom decimal import Decimal\n"
        "from lc_costkit.ledger import Ledger\nfrom lc_costkit.pricing import Cost\n"
        "from lc_costkit.record import CallRecord\n"
        f"ledger = Ledger({str(path)!r}, buffered=True)\n"
        "for _ in range(700):\n"
        "    ledger.record(CallRecord(cost=Cost(usd=Decimal('0.01'), basis='exact')))\n"
        f"{ending}\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    with Ledger(path) as ledger:
        assert len(ledger) == 700


def test_a_forgotten_ledger_is_collected_and_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.db", buffered=True)
    ledger.record(a_call())
    del ledger
    gc.collect()
    with Ledger(tmp_path / "l.db") as again:
        assert len(again) == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("buffered", [False, True])
def test_a_ledger_goes_on_in_a_forked_child(tmp_path: Path, buffered: bool) -> None:
    with Ledger(tmp_path / "l.db", buffered=buffered) as ledger:
        ledger.record(a_call("0.01"))
        ledger.flush()
        ledger.record(a_call("0.01"))
        child = os.fork()
        if child == 0:
            try:
                ledger.record(a_call("0.01"))
                ledger.close()
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        ledger.record(a_call("0.01"))
        assert ledger.report().total.usd == Decimal("0.04")
        assert ledger.check() == []


def test_a_locked_ledger_is_a_store_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "l.db"
    monkeypatch.setattr("lc_costkit.ledger.BUSY_SECONDS", 0.05)
    with Ledger(path) as ledger:
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            ledger.record(a_call())
        assert len(ledger) == 0
        blocker.execute("ROLLBACK")
        blocker.close()
        ledger.record(a_call())
        assert len(ledger) == 1


def test_a_call_does_not_wait_for_somebody_who_waits_longer(tmp_path: Path) -> None:
    kept, waiting = threading.Event(), threading.Event()
    in_time: list[bool] = []
    with Ledger(tmp_path / "l.db") as ledger:

        def correct() -> None:
            with ledger._turn:
                waiting.set()
                in_time.append(kept.wait(30))

        thread = threading.Thread(target=correct)
        thread.start()
        waiting.wait()
        ledger.keep(a_call("0.01"))
        kept.set()
        thread.join()
        assert in_time == [True]
        assert len(ledger) == 1


def test_a_full_disk_is_a_store_error_and_loses_nothing_else(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        assert ledger._inserter._own is not None
        ledger._inserter._own.get().execute("PRAGMA max_page_count=40")
        recorded = 0
        with pytest.raises(StoreError, match=r"cannot be written to: .*full"):
            for _ in range(10_000):
                ledger.record(full_call(call_id=f"c{recorded}"))
                recorded += 1
        assert len(ledger) == recorded > 0
        ledger._inserter._own.get().execute("PRAGMA max_page_count=100000")
        ledger.record(a_call())
        assert len(ledger) == recorded + 1
        assert ledger.check() == []
