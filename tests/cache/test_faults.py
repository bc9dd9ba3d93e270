"""Does the answer arrive when the store fails, and is it said once?"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from lc_costkit.backoff import REST_SECONDS, Backoff, StoreResting
from lc_costkit.cache import Cache, Hit, Miss
from lc_costkit.cache.admit import AdmissionRule
from lc_costkit.errors import ConfigurationError, StoreError
from tests.cache.support import WordsEmbedder, ask


def open_cache(path: str | Path) -> Cache:
    return Cache(path, embedder=WordsEmbedder(), similarity_threshold=0.5)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == "WARNING"]


def test_a_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        cache.store(ask("first question"), '"x"')
        engine = cache._store._engine

        @event.listens_for(engine, "connect")
        def no_room(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute("PRAGMA max_page_count=1")

        engine.dispose()
        for number in range(3):
            cache._store.rested()
            miss = cache.lookup(ask(f"question number {number}"))
            assert isinstance(miss, Miss)
            assert cache.store(ask(f"question number {number}"), '"' + "x" * 50_000 + '"', miss=miss) is None
        assert isinstance(cache.lookup(ask("first question")), Hit)
        stats = cache.stats()
        assert stats.faults["store: OperationalError"] == 3
        assert stats.not_stored == {"fault: OperationalError": 3}
        assert stats.stored == 1
    assert sum("store failed" in message for message in warnings_of(caplog)) == 1
    assert any("full" in message for message in warnings_of(caplog))


@pytest.mark.parametrize(("finder", "kind"), [(lambda _: 1 / 0, "ZeroDivisionError"), (lambda _: 5, "TypeError")])
def test_a_finder_that_fails_is_said_once_and_counted(
    finder: Callable[[object], None], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Cache(embedder=WordsEmbedder(), question=finder) as cache:
        request = ask("What is the fee for a card")
        cache.explain(request)
        assert cache.stats().faults == {}, "a look is no call"
        for _ in range(2):
            assert isinstance(cache.lookup(request), Miss)
        assert cache.store(request, '"x"') is not None
        assert isinstance(cache.lookup(request), Hit), "to the letter it is served"
        assert cache.stats().faults == {f"question: {kind}": 4}
    assert sum("question failed" in message for message in warnings_of(caplog)) == 1


def test_a_locked_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    attempts: list[str] = []
    now = 0.0
    with open_cache(tmp_path / "c.db") as cache:
        cache.store(ask("first question"), '"x"')
        cache._store._writes = Backoff(clock=lambda: now)
        event.listen(cache._store._engine, "begin", lambda _: attempts.append("begin"))
        event.listen(
            cache._store._engine,
            "before_cursor_execute",
            lambda c, cursor, statement, *_: attempts.append(statement) if "IMMEDIATE" in statement else None,
        )
        other = sqlite3.connect(tmp_path / "c.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        try:
            for _ in range(30):
                assert isinstance(cache.lookup(ask("first question")), Hit), "what can be read is served"
                assert cache.store(ask("second question"), '"x"') is None
            assert attempts.count("BEGIN IMMEDIATE") == 1, "one call waited, for the others the store rests"
            now = REST_SECONDS
            for _ in range(30):
                assert cache.store(ask("second question"), '"x"') is None
            assert attempts.count("BEGIN IMMEDIATE") == 2
            stats = cache.stats()
            assert stats.lookups == 30, "counts that cannot be written yet are still told"
            assert stats.faults["store: OperationalError"] == 2
            assert stats.faults["store: StoreResting"] == 58
            assert stats.not_stored == {"fault: OperationalError": 2, str(StoreResting()): 58}
        finally:
            other.execute("ROLLBACK")
            other.close()
        assert cache.store(ask("second question"), '"x"') is None, "it still rests"
        now += 2 * REST_SECONDS
        assert cache.store(ask("second question"), '"x"') is not None
        assert cache.store(ask("third question"), '"x"') is not None
        assert cache.check() == ()
    with open_cache(tmp_path / "c.db") as cache:
        assert cache.stats().lookups == 30
    assert sum("store failed (OperationalError" in message for message in warnings_of(caplog)) == 1


def test_a_store_that_cannot_be_read_is_asked_once(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        cache.store(ask("first question"), '"x"')
        cache._store._reads.failed()
        miss = cache.lookup(ask("first question"))
        assert isinstance(miss, Miss)
        assert miss.reason == str(StoreResting())
        assert cache.stats().faults == {"lookup: StoreResting": 1}
        cache._store.rested()
        assert isinstance(cache.lookup(ask("first question")), Hit)


def test_counts_that_could_not_be_written_are_written_later(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        cache.store(ask("first question"), '"x"')
        cache.lookup(ask("first question"))
        touches, counts = cache._tally.take()
        cache._tally.give_back(touches, counts)
    with open_cache(tmp_path / "c.db") as cache:
        stats = cache.stats()
        assert (stats.lookups, stats.hits) == (1, 1)
        hit = cache.lookup(ask("first question"))
        assert isinstance(hit, Hit)
        assert hit.entry.hits == 1


def test_rows_that_were_damaged_are_misses_and_are_named(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        damaged = cache.store(ask("first question"), '"x"')
        short = cache.store(ask("second thing"), '"y"')
        whole = cache.store(ask("third matter"), '"z"')
    with sqlite3.connect(tmp_path / "c.db") as raw:
        raw.execute("UPDATE cache_entries SET usage = '{broken' WHERE id = ?", (damaged,))
        raw.execute("UPDATE cache_vectors SET vector = X'00' WHERE entry_id = ?", (short,))
        raw.execute("INSERT INTO cache_vectors VALUES (999, 'e', X'00000000')")
    raw.close()
    with open_cache(tmp_path / "c.db") as cache:
        assert isinstance(cache.lookup(ask("first question")), Miss)
        assert isinstance(cache.lookup(ask("second thing")), Hit)
        assert isinstance(cache.lookup(ask("third matter indeed")), Miss)
        found = "; ".join(cache.check())
        assert f"entry {damaged}" in found
        assert f"vector of entry {short}" in found
        assert "999" in found
        assert f"entry {whole}" not in found
        assert cache.store(ask("first question"), '"again"') == damaged
        assert isinstance(cache.lookup(ask("first question")), Hit)


def test_a_payload_the_caller_cannot_read_is_a_miss(tmp_path: Path) -> None:
    def refuse(payload: str) -> object:
        raise ValueError("not mine")

    with open_cache(tmp_path / "c.db") as cache:
        cache.store(ask("first question"), '"x"')
        miss = cache.lookup(ask("first question"), decode=refuse)
        assert isinstance(miss, Miss)
        assert miss.reason == "fault: ValueError"
        assert cache.stats().hits == 0


def test_a_closed_cache_misses(tmp_path: Path) -> None:
    for place in (tmp_path / "c.db", ":memory:"):
        cache = open_cache(place)
        cache.store(ask("first question"), '"x"')
        cache.close()
        cache.close()
        missed = cache.lookup(ask("first question"))
        assert isinstance(missed, Miss)
        assert missed.reason == "the cache is closed"
        assert cache.store(ask("another question"), '"y"', miss=missed) is None
    with open_cache(tmp_path / "c.db") as cache:
        assert cache.stats().entries == cache.stats().stored == 1


@pytest.mark.parametrize("place", [":memory:", "c.db"])
def test_whatever_is_asked_of_a_closed_cache_says_that_it_is_closed(place: str, tmp_path: Path) -> None:
    cache = open_cache(place if place == ":memory:" else tmp_path / place)
    entry = cache.store(ask("What is the fee for a card"), '"x"')
    assert entry is not None
    cache.close()
    asked: list[Callable[[], object]] = [
        lambda: cache.entry(entry),
        lambda: cache.reject(entry),
        lambda: cache.label("a", "b", same=True),
        cache.calibrate,
        lambda: cache.draw_pairs(1),
        lambda: cache.label_pair(1, same=True),
        cache.near_hits,
        lambda: cache.find_answers("x", bool),
        lambda: cache.delete(entry),
        lambda: cache.delete(question="What is the fee for a card"),
        cache.clear,
        cache.recommend,
        lambda: cache.explain(ask("What is the fee for a card")),
    ]
    for one in asked:
        with pytest.raises(StoreError, match="this cache is closed"):
            one()
    [said] = cache.check()
    assert "this cache is closed" in said


def test_a_table_that_is_gone_is_told_of_in_our_words(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        cache.store(ask("What is the fee for a card"), '"x"')
        with sqlite3.connect(tmp_path / "c.db") as raw:
            raw.execute("ALTER TABLE cache_entries RENAME TO gone")
        raw.close()
        for one in (lambda: cache.explain(ask("What is the fee for a lost card")), lambda: cache.entry(1)):
            with pytest.raises(StoreError, match="no such table: cache_entries"):
                one()


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    open_cache(tmp_path / "c.db").close()
    with sqlite3.connect(tmp_path / "c.db") as raw:
        raw.execute("UPDATE costkit_schema SET version = 99 WHERE component = 'cache'")
    raw.close()
    with pytest.raises(StoreError, match="upgrade lc_costkit"):
        open_cache(tmp_path / "c.db")


def test_a_ledger_and_a_cache_share_a_file(tmp_path: Path) -> None:
    from lc_costkit.ledger import Ledger

    with Ledger(tmp_path / "c.db") as ledger, open_cache(tmp_path / "c.db") as cache:
        cache.store(ask("first question"), '"x"')
        assert cache.check() == ()
        assert not list(ledger.records())


def failing(cached: object, new: object) -> str | None:
    raise ValueError("boom")


@pytest.mark.parametrize(
    ("gate", "kind"),
    [
        (failing, "gate failing: ValueError"),
        (lambda cached, new: False, "gate <lambda>: TypeError"),
        (lambda cached, new: True, "gate <lambda>: TypeError"),
        (lambda cached, new: "", "gate <lambda>: TypeError"),
    ],
)
def test_a_gate_that_fails_is_a_fault_told_once_and_a_miss(
    gate: Callable[[object, object], str | None], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Cache(embedder=WordsEmbedder(), similarity_threshold=0.5, gates=(gate,)) as cache:
        cache.store(ask("how do I pay my bill"), '"x"')
        for _ in range(2):
            assert isinstance(cache.lookup(ask("how can I pay my bill")), Miss)
        assert cache.stats().faults == {kind: 2}
    told = [one for one in warnings_of(caplog) if "gate" in one]
    assert len(told) == 1
    assert "else its reason" in told[0]


def test_a_gate_that_refuses_is_no_fault() -> None:
    with Cache(embedder=WordsEmbedder(), similarity_threshold=0.5, gates=(lambda cached, new: "no",)) as cache:
        cache.store(ask("how do I pay my bill"), '"x"')
        assert isinstance(cache.lookup(ask("how can I pay my bill")), Miss)
        assert cache.stats().faults == {}


async def later(cached: object, new: object) -> str | None:
    return None


@pytest.mark.parametrize("gate", [lambda cached: None, lambda: None, lambda a, b, c: None, later])
def test_a_gate_that_cannot_be_called_is_refused_at_once(gate: Callable[..., None]) -> None:
    with pytest.raises(ConfigurationError, match=r"gate\(cached, new\)"):
        Cache(gates=(gate,))


def test_a_text_is_no_sequence_of_gates() -> None:
    with pytest.raises(ConfigurationError, match="policy='strict'"):
        Cache(gates="strict")  # type: ignore[arg-type]


def test_a_closed_cache_tells_the_statistics_it_had(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = open_cache(tmp_path / "c.db")
    cache.store(ask("first question"), '"x"')
    assert isinstance(cache.lookup(ask("first question")), Hit)
    cache.close()
    caplog.clear()
    stats = cache.stats()
    assert (stats.lookups, stats.exact_hits, stats.stored, stats.entries, stats.faults) == (1, 1, 1, 1, {})
    assert cache.flush()
    assert warnings_of(caplog) == []


@pytest.mark.parametrize("prices", ["x", {}, 0])
def test_prices_are_a_price_book(prices: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be a PriceBook"):
        Cache(prices=prices)


@pytest.mark.parametrize("namespace", ["a\x00b", "a\ud800"])
def test_a_namespace_that_no_database_holds_is_refused(namespace: str) -> None:
    with pytest.raises(ConfigurationError, match=r"without NUL or half a surrogate pair") as refused:
        Cache(namespace=namespace)
    assert repr(namespace) in str(refused.value)


@pytest.mark.parametrize("path", ["a\x00.db", Path("a\x00.db")])
def test_a_path_with_nul_is_refused(path: str | Path) -> None:
    with pytest.raises(ConfigurationError, match="without NUL"):
        Cache(path)


def test_an_empty_pattern_is_no_rule() -> None:
    with pytest.raises(ConfigurationError, match="found in every question"):
        AdmissionRule.from_pattern("all", pattern="", verdict="refuse", reason="x")
