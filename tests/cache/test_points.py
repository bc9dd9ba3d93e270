"""Does every process serve from the operating point that was learned for what decides there?"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lc_costkit.cache import Cache, Hit, Miss
from lc_costkit.cache.point import OperatingPoint
from lc_costkit.cache.points import PointStore
from lc_costkit.cache.store import EntryStore
from tests.cache.support import WordsEmbedder, ask

ASKED, REWORDED = "What is the fee for a card", "What is one fee for a card"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EntryStore]:
    opened = EntryStore(tmp_path / "c.db")
    yield opened
    opened.close()


def points(store: EntryStore, decider: str = "d", namespace: str = "default") -> PointStore:
    return PointStore(store, namespace=namespace, decider=decider)


def calibrated(min_score: float, max_error_rate: float | None = 0.05) -> OperatingPoint:
    return OperatingPoint(
        min_score=min_score,
        source="calibrated",
        max_error_rate=max_error_rate,
        confidence=0.95,
        certified=True,
        labels=300,
        served=200,
        wrong=2,
        upper_error_rate=0.031,
        made_at=123.5,
    )


def test_what_was_learned_comes_back_for_the_same_decider_only(store: EntryStore) -> None:
    assert points(store).load() is None
    points(store).save(point=calibrated(0.7))
    points(store).save(veto={"weights": [0.5, -1.0]})
    learned = points(store).load()
    assert learned is not None
    assert (learned.point, learned.veto) == (calibrated(0.7), {"weights": [0.5, -1.0]})
    assert points(store, decider="other").load() is None
    assert points(store, namespace="other").load() is None
    points(store).remove()
    assert points(store).load() is None


def test_only_a_stricter_point_replaces_one_that_was_tightened(store: EntryStore) -> None:
    kept = points(store)
    assert kept.tighten(calibrated(0.7)) == calibrated(0.7)
    assert kept.tighten(calibrated(0.6)) == calibrated(0.7)
    assert kept.tighten(calibrated(0.8)) == calibrated(0.8)
    kept.save(point=calibrated(0.5))
    assert kept.load().point == calibrated(0.5)  # type: ignore[union-attr]


def test_of_points_that_are_tightened_at_once_the_strictest_stays(store: EntryStore) -> None:
    threads = [
        threading.Thread(target=lambda score=score: points(store).tighten(calibrated(score / 100)))  # type: ignore[misc]
        for score in (55, 90, 60, 85, 50, 70)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert points(store).load().point == calibrated(0.9)  # type: ignore[union-attr]


def open_cache(path: Path, **knobs: Any) -> Cache:
    return Cache(path, **{"embedder": WordsEmbedder(), "similarity_threshold": 0.5, "gates": (), **knobs})


def test_a_point_is_loaded_when_a_cache_is_opened_and_when_another_process_moves_it(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache, open_cache(tmp_path / "c.db") as elsewhere:
        cache.store(ask(ASKED), '"x"')
        assert isinstance(elsewhere.lookup(ask(REWORDED)), Hit)
        cache._points.save(point=calibrated(0.99))
        missed = elsewhere.lookup(ask(REWORDED))
        assert isinstance(missed, Miss)
        assert missed.gate is None
        [pair, _] = elsewhere.near_hits()
        assert (pair.refused_by, pair.served) == ("score", False)
    with open_cache(tmp_path / "c.db") as cache:
        assert cache._acceptor.point == calibrated(0.99)
        cache._points.remove()
        assert isinstance(cache.lookup(ask(REWORDED)), Hit)
        assert cache._acceptor.point.source == "threshold"


def test_a_point_for_a_higher_error_rate_is_taken_only_where_it_is_stricter(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db", embedder=WordsEmbedder(), max_error_rate=0.05) as cache:
        shipped = cache._acceptor.point
        cache._points.save(point=calibrated(shipped.min_score / 2, 0.05))
    for rate, expected in ((0.05, calibrated(shipped.min_score / 2, 0.05)), (0.01, shipped)):
        with Cache(tmp_path / "c.db", embedder=WordsEmbedder(), max_error_rate=rate) as cache:
            assert cache._acceptor.point == expected
            cache._points.save(point=expected)
    with Cache(tmp_path / "c.db", embedder=WordsEmbedder(), max_error_rate=0.05) as cache:
        cache._points.save(point=calibrated(0.999, 0.05))
    with Cache(tmp_path / "c.db", embedder=WordsEmbedder(), max_error_rate=0.01) as cache:
        assert (cache._acceptor.point.min_score, cache._acceptor.point.certified) == (0.999, False)


def test_a_threshold_of_the_users_own_is_the_lowest_that_is_served(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        cache._points.save(point=calibrated(0.55))
    with open_cache(tmp_path / "c.db", similarity_threshold=0.8) as cache:
        assert cache._acceptor.point.min_score == 0.8


def test_a_point_that_cannot_be_read_leaves_the_policy_alone_and_is_named(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        cache.store(ask(ASKED), '"x"')
        cache._points.save(point=calibrated(0.99))
    with sqlite3.connect(tmp_path / "c.db") as raw:
        raw.execute("""UPDATE cache_points SET point = '{"colour": 3}'""")
    raw.close()
    with open_cache(tmp_path / "c.db") as cache:
        assert isinstance(cache.lookup(ask(REWORDED)), Hit)
        assert set(cache.stats().faults) == {"the operating point: ValueError"}
        assert "operating point of 'default'" in "; ".join(cache.check())


@pytest.mark.parametrize("veto", ["[1]", "{broken"])
def test_a_veto_that_cannot_be_read_is_named(veto: str, tmp_path: Path, store: EntryStore) -> None:
    points(store).save(veto={"weights": []})
    with sqlite3.connect(tmp_path / "c.db") as raw:
        raw.execute("UPDATE cache_points SET veto = ?", (veto,))
    raw.close()
    assert len(points(store).audit()) == 1
    with pytest.raises(ValueError, match=r"veto|read"):
        points(store).load()
