"""The same cache on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lc_costkit.cache import Cache, Hit, Miss
from lc_costkit.cache.pair_log import PairLog
from lc_costkit.cache.point import OperatingPoint
from lc_costkit.cache.seen_pairs import SeenPair
from lc_costkit.cache.store import EntryStore
from lc_costkit.store import open_engine
from tests.cache.support import WordsEmbedder, ask
from tests.cache.test_migration import go_on_with, make_old
from tests.support.command import run_command
from tests.support.postgres import start_postgres

pytest.importorskip("pgserver", reason="pgserver has no wheel for this Python")

ASKED, REWORDED = "What is the fee for a card", "What is one fee for a card"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("pg")
    running = start_postgres(folder)
    try:
        yield running.get_uri()
    finally:
        running.cleanup()


@pytest.fixture
def address(server: str) -> Iterator[str]:
    yield server
    engine = open_engine(server)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()


def open_cache(address: str, **knobs: Any) -> Cache:
    return Cache(address, **{"embedder": WordsEmbedder(), "similarity_threshold": 0.5, "gates": (), **knobs})


def test_a_life_of_a_cache(address: str) -> None:
    with open_cache(address, max_entries=50) as cache, open_cache(address) as elsewhere:
        entry = cache.store(ask(ASKED), '"stored"')
        for one in (cache, elsewhere):
            exact, reworded = one.lookup(ask(ASKED)), one.lookup(ask(REWORDED))
            assert isinstance(exact, Hit)
            assert isinstance(reworded, Hit)
            assert (exact.tier, reworded.tier, reworded.entry.id) == ("exact", "semantic", entry)
        assert elsewhere.reject(reworded) == 1
        assert isinstance(cache.lookup(ask(ASKED)), Miss)
        assert cache.store(ask(ASKED), '"again"') is not None
        missed = cache.lookup(ask(REWORDED))
        assert isinstance(missed, Miss)
        assert missed.gate == "rejected"
        assert cache.find_answers("again", lambda payload: True) == [cache.lookup(ask(ASKED)).entry.id]  # type: ignore[union-attr]
        for number in range(80):
            assert cache.store(ask(f"What is item{number}"), '"' + "x" * number + '"') is not None
        elsewhere.near_hits()  # what it has seen, it writes
        stats = cache.stats()
        assert (stats.lookups, stats.stored) == (7, 82)
        assert stats.entries <= 50 + 33
        assert cache.check() == ()
        assert cache.delete(question=ASKED) == 0, "it was evicted"
        assert cache.near_hits() == []
        assert cache.clear() == stats.entries
        assert isinstance(elsewhere.lookup(ask("What is item79")), Miss)
        assert cache.stats().faults == elsewhere.stats().faults == {}


def test_a_server_of_the_first_version_goes_on(address: str) -> None:
    go_on_with(address, make_old(address))


def test_pairs_and_labels(address: str) -> None:
    store = EntryStore(address)
    log = PairLog(store, namespace="default", decider="d", keep=20)
    store.passenger = log.ride_along
    for number in range(600):
        log.note(
            SeenPair(cached="a \x00\ud800", new=f"new {number % 100}", similarity=0.9, score=number / 600, seen_at=1.0)
        )
    store.tally(touches={}, counts={("default", "lookups"): 600})
    assert len(log.newest(1_000)) == 20, "trimmed"
    drawn = log.sample(5, min_score=0.98, seed=1)
    assert len(drawn) == 5
    for pair in drawn:
        log.label(pair.id, True)
    log.add_many([SeenPair(cached=drawn[0].cached, new=drawn[0].new, score=0.99, seen_at=2.0)])
    again = log.sample(100, seed=1)
    assert len(again) == 15
    for pair in again:
        log.label(pair.id, True)
    assert len(log.labelled()) == 21, "the one that came again got its label"
    for pair in again:
        log.label(pair.id, None)
    assert len(log.labelled()) == 6
    log.reject(SeenPair(cached="a", new="b"))
    assert len(log.rejected_hashes()) == 1
    assert log.allow("b", "a") == 1
    assert [decider.labelled for decider in log.deciders()] == [6]
    assert log.forget("a \x00\ud800") == 21
    assert log.audit() == []
    store.close()


def test_the_command_reads_and_labels(address: str) -> None:
    with open_cache(address) as cache:
        cache.store(ask(ASKED), '"x"')
        cache.lookup(ask(REWORDED))
    assert REWORDED in run_command("cache", "near-hits", address).stdout
    assert "1 labelled now" in run_command("cache", "label", address, typed="y\n").stdout
    wrong = run_command("cache", "stats", address, "--namespace", "other")
    assert (wrong.returncode, "holds no namespace 'other'" in wrong.stderr) == (2, True)
    assert "1 labelled" in run_command("cache", "stats", address).stdout


def test_pairs_that_cannot_be_written_lose_no_answer(address: str) -> None:
    with open_cache(address) as cache:
        cache.store(ask(ASKED), '"x"')
        cache.lookup(ask(REWORDED))
        cache.near_hits()
        with cache._store._engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE cache_pairs RENAME TO gone")
        assert isinstance(cache.lookup(ask(REWORDED)), Hit)
        assert cache.store(ask("another matter"), '"y"') is not None
        assert set(cache.stats().faults) == {"logging pairs: ProgrammingError"}
        assert cache.stats().stored == 2


def test_an_operating_point(address: str) -> None:
    with open_cache(address) as cache, open_cache(address) as elsewhere:
        cache.store(ask(ASKED), '"x"')
        assert isinstance(elsewhere.lookup(ask(REWORDED)), Hit)
        point = OperatingPoint(min_score=0.999, source="tightened", max_error_rate=0.05)
        assert cache._points.tighten(point) == point
        cache._points.save(point=point, without_veto=True)
        assert isinstance(elsewhere.lookup(ask(REWORDED)), Miss)
        assert elsewhere._points.load().point == point  # type: ignore[union-attr]
