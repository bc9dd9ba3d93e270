"""Are draws from the traffic kept as they came, labelled without bias, and bounded?"""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lc_costkit.cache import Cache, Hit
from lc_costkit.cache import pair_log as module
from lc_costkit.cache.pair_log import PairLog
from lc_costkit.cache.seen_pairs import MOST_PENDING, SeenPair, pair_hash
from lc_costkit.cache.store import EntryStore
from lc_costkit.errors import ConfigurationError
from lc_costkit.faults import Faults
from tests.cache.support import WordsEmbedder, ask


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EntryStore]:
    opened = EntryStore(tmp_path / "c.db")
    yield opened
    opened.close()


@pytest.fixture
def log(store: EntryStore) -> PairLog:
    return PairLog(store, namespace="default", decider="strict-1")


def pair(number: int, **fields: Any) -> SeenPair:
    return SeenPair(
        **{
            "cached": f"cached {number}",
            "new": f"new {number}",
            "similarity": 0.8,
            "score": 0.6,
            "seen_at": 1.0,
            **fields,
        }
    )


def flush(store: EntryStore, log: PairLog) -> None:
    store.passenger = log.ride_along
    store.tally(touches={}, counts={("default", "lookups"): 1})


def test_everything_about_a_pair_survives(log: PairLog) -> None:
    seen = pair(
        1, refused_by="number", served=False, entry_id=2**40, similarity=0.75, score=0.25, crowd=0.5, seen_at=1234.5
    )
    [number] = log.add_many([seen])
    [read] = log.newest(10)
    assert {name: getattr(read, name) for name in SeenPair.__dataclass_fields__} == {
        name: getattr(seen, name) for name in SeenPair.__dataclass_fields__
    }
    assert (read.id, read.decider, read.same, read.source, read.labelled_at) == (number, "strict-1", None, None, None)
    assert read.key == pair_hash("cached 1", "new 1") != pair_hash("new 1", "cached 1")


@pytest.mark.parametrize(
    "text", ["lone \ud800", "nul \x00", "한국어 🙂", "x" * 50_000, "'; DROP TABLE cache_pairs; --"]
)
def test_any_text_can_be_kept_found_and_forgotten(text: str, log: PairLog) -> None:
    log.add_many([pair(1, cached=text), pair(2, new=text), pair(3)])
    assert log.audit() == []
    assert log.forget(text) == 2
    assert [read.new for read in log.newest(10)] == ["new 3"]


def test_numbers_that_no_database_keeps_are_left_out(log: PairLog) -> None:
    log.add_many([pair(1, similarity=float("nan"), score=float("inf"))])
    [read] = log.newest(1)
    assert (read.similarity, read.score) == (None, None)


# -- drawing -----------------------------------------------------------------------


def test_what_a_gate_refused_or_another_decider_scored_is_not_drawn(store: EntryStore, log: PairLog) -> None:
    log.add_many([pair(1, refused_by="number"), pair(2, refused_by="veto"), pair(3, score=None), pair(4, score=0.2)])
    PairLog(store, namespace="default", decider="other").add_many([pair(5)])
    PairLog(store, namespace="elsewhere", decider="strict-1").add_many([pair(6)])
    log.add_many([pair(7)], same=True, source="given")
    log.add_many([pair(8)], same=True, source="verified")
    log.add_many([pair(9), pair(10, refused_by="score"), pair(11, served=True)])
    assert sorted(read.new for read in log.sample(50, min_score=0.3)) == [
        "new 10", "new 11", "new 2", "new 9",
    ], "of a veto something else may come"  # fmt: skip
    assert [read.new for read in log.sample(50, decider="other")] == ["new 5"]


def test_a_draw_is_repeatable_and_every_pair_has_the_same_chance(log: PairLog) -> None:
    log.add_many([pair(number) for number in range(20)])
    assert [p.id for p in log.sample(5, seed=3)] == [p.id for p in log.sample(5, seed=3)]
    drawn = Counter(p.id for seed in range(2_000) for p in log.sample(5, seed=seed))
    # 2,000 draws of 5 out of 20: 500 each, standard deviation 19.
    assert len(drawn) == 20
    assert all(400 < count < 600 for count in drawn.values())


def test_a_pair_that_was_labelled_gets_its_label_when_it_is_drawn_again(log: PairLog) -> None:
    ids = log.add_many([pair(1), pair(1), pair(2)])
    log.label(ids[0], False)
    assert [read.same for read in log.newest(10)] == [None, None, False], "before it is drawn it has no label"
    assert [read.id for read in log.sample(10)] == [ids[2]]
    assert [p.id for p in log.labelled()] == [ids[0]], "not before its turn comes"
    log.label(ids[2], True)
    assert [(p.id, p.same, p.source) for p in log.labelled()] == [
        (ids[0], False, "label"), (ids[1], False, "label"), (ids[2], True, "label"),
    ]  # fmt: skip


def test_whoever_draws_much_and_labels_little_does_not_count_the_known_over_and_over(log: PairLog) -> None:
    log.add_many([pair(1)], same=True, source="given")
    log.add_many([pair(1) for _ in range(500)] + [pair(2 + number) for number in range(500)])
    for seed in range(20):
        drawn = log.sample(20, seed=seed)
        log.label(drawn[0].id, False)
    labels = Counter(p.same for p in log.labelled(sources=("label",)))
    assert labels[False] == 20
    # Each of the 20 comes after as many known ones as unknown: 1 on average, standard deviation 1.4.
    assert labels[True] < 60


def test_of_many_draws_the_labels_have_the_share_of_the_traffic(log: PairLog) -> None:
    log.add_many([pair(1)], same=True, source="given")
    ids = log.add_many([pair(1) for _ in range(300)] + [pair(2 + number) for number in range(300)])
    shares = []
    for seed in range(30):
        for drawn in log.sample(40, seed=seed)[:20]:
            log.label(drawn.id, False)
        labels = [p.same for p in log.labelled(sources=("label",))]
        shares.append(sum(map(bool, labels)) / len(labels))
        for number in ids:
            log.label(number, None)
    # One share has a standard deviation of .08; the mean of 30 of .015.
    assert 0.45 < sum(shares) / len(shares) < 0.55


def test_where_everything_was_labelled_before_all_of_it_is_known_at_once(log: PairLog) -> None:
    log.add_many([pair(1)], same=True, source="given")
    log.add_many([pair(1) for _ in range(1_200)])
    assert log.sample(5) == []
    assert len(log.labelled(sources=("label",))) == 1_200


@pytest.mark.parametrize("name", [None, "1", 1.0, True])
def test_a_pair_is_named_by_its_number(name: Any, log: PairLog) -> None:
    log.add_many([pair(1)])
    with pytest.raises(ConfigurationError, match="a whole number"):
        log.label(name, True)


def test_a_judges_word_is_for_one_draw_only(log: PairLog) -> None:
    log.add_many([pair(1)], same=True, source="verified")
    log.add_many([pair(1)], same=True, source="observed")
    [ours] = log.add_many([pair(1)])
    assert [read.id for read in log.sample(10)] == [ours]


def test_of_several_words_the_last_counts(log: PairLog) -> None:
    ids = log.add_many([pair(1), pair(1), pair(1)])
    log.label(ids[0], True)
    log.label(ids[1], False)
    assert log.known() == {pair_hash("cached 1", "new 1"): False}
    log.sample(1)
    assert [read.same for read in log.labelled()] == [True, False, False], "there is nobody to be asked before it"


def test_a_label_can_be_taken_back(log: PairLog) -> None:
    [number] = log.add_many([pair(1)])
    log.label(number, True)
    log.label(number, None)
    [read] = log.newest(1)
    assert (read.same, read.source, read.labelled_at) == (None, None, None)
    with pytest.raises(ConfigurationError, match="no logged pair 99"):
        log.label(99, True)
    for same, source in ((True, "guess"), ("yes", "label")):
        with pytest.raises(ConfigurationError, match="a label is True or False"):
            log.label(number, same, source=source)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="a label is True or False"):
        log.add_many([pair(2)], source="label")


def test_a_verdict_finds_its_draw_wherever_it_is(store: EntryStore, log: PairLog) -> None:
    waiting, written, dropped = pair(1), pair(2, seen_at=2.0), pair(3)
    log.note(written)
    log.note(pair(2, seen_at=3.0))
    flush(store, log)
    log.note(waiting)
    for one in (waiting, written, dropped):
        log.settle(one, False, source="verified")
    flush(store, log)
    assert sorted((p.new, p.seen_at, p.source) for p in log.newest(10)) == [
        ("new 1", 1.0, "verified"), ("new 2", 2.0, "verified"), ("new 2", 3.0, None), ("new 3", 1.0, "verified"),
    ]  # fmt: skip


# -- what waits, and what is let go --------------------------------------------------


def test_a_verdict_brings_nothing_back_that_was_deleted_meanwhile(store: EntryStore, log: PairLog) -> None:
    seen = pair(1, seen_at=time.time())
    log.note(seen)
    flush(store, log)
    log.forget(seen.new)
    assert log.settle(seen, True, source="verified") is None
    assert log.labelled() == []
    again = pair(1, seen_at=time.time() + 1)
    assert log.settle(again, True, source="verified") is not None, "it was asked again"
    log.clear()
    assert log.settle(pair(2, seen_at=time.time() - 1), True, source="verified") is None
    assert log.labelled() == []


def test_a_lookup_writes_nothing_until_the_statistics_do(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db", embedder=WordsEmbedder(), similarity_threshold=0.5, gates=()) as cache:
        cache.store(ask("What is the fee"), '"x"')
        assert isinstance(cache.lookup(ask("What is a fee")), Hit)
        assert cache._pairs.newest(10) == []
        assert cache.stats().lookups == 1
        assert [read.new for read in cache._pairs.newest(10)] == ["What is a fee"]
        assert isinstance(cache.lookup(ask("What is our fee")), Hit)
        cache.store(ask("another matter"), '"y"')
        assert len(cache._pairs.newest(10)) == 2, "they ride along with an answer, too"
        assert isinstance(cache.lookup(ask("What is her fee")), Hit)
    with Cache(tmp_path / "c.db", embedder=WordsEmbedder()) as cache:
        assert len(cache.near_hits()) == 3, "what waited was written at the end"


def test_only_so_many_wait_and_only_so_many_are_kept(store: EntryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TRIM_EVERY", 10)
    log = PairLog(store, namespace="default", decider="d", keep=50)
    for number in range(MOST_PENDING + 7):
        log.note(pair(number))
    flush(store, log)
    assert len(log.newest(10_000)) == 50, "trimmed with the first flush"
    log.label(log.newest(1)[0].id, True)
    log.add_many([pair(-1)], same=False, source="rejected")
    log.add_many([pair(number) for number in range(60)], same=True, source="verified")
    other = PairLog(store, namespace="other", decider="d", keep=50)
    other.add_many([pair(number) for number in range(60)])
    for number in range(200):
        log.note(pair(number))
    flush(store, log)
    assert log.counts() == {None: 50, "label": 1, "rejected": 1, "verified": 50}
    assert [read.new for read in log.newest(1)] == ["new 199"]
    assert other.counts() == {None: 60}, "each namespace by itself"


def test_pairs_that_cannot_be_written_are_dropped_and_lose_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Cache(tmp_path / "c.db", embedder=WordsEmbedder(), similarity_threshold=0.5, gates=()) as cache:
        cache.store(ask("What is the fee"), '"x"')
        cache.lookup(ask("What is the fee, please"))
        cache.near_hits()
        with sqlite3.connect(tmp_path / "c.db") as raw:
            raw.execute("ALTER TABLE cache_pairs RENAME TO gone")
        raw.close()
        assert isinstance(cache.lookup(ask("What is a secret fee")), Hit)
        assert cache.store(ask("another matter"), '"y"') is not None
        assert cache.stats().faults == {"logging pairs: OperationalError": 1}
        with sqlite3.connect(tmp_path / "c.db") as raw:
            raw.execute("ALTER TABLE gone RENAME TO cache_pairs")
        raw.close()
        assert isinstance(cache.lookup(ask("What is one fee")), Hit)
        assert [read.new for read in cache.near_hits(1)] == ["What is one fee"]
        assert cache.check() == ()
    assert "secret" not in caplog.text


def test_pairs_of_a_flush_that_failed_do_not_pile_up(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db", embedder=WordsEmbedder(), similarity_threshold=0.5, gates=()) as cache:
        cache.store(ask("What is the fee"), '"x"')
        cache.lookup(ask("What is a fee"))
        other = sqlite3.connect(tmp_path / "c.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        cache.stats()
        other.execute("ROLLBACK")
        other.close()
        for _ in range(3):
            cache.lookup(ask("What is a fee"))
        assert len(cache._pairs._pending.take()) <= 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_writes_nothing_twice(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db", embedder=WordsEmbedder(), similarity_threshold=0.5, gates=()) as cache:
        cache.store(ask("What is the fee"), '"x"')
        cache.lookup(ask("What is a fee"))
        child = os.fork()
        if child == 0:
            cache.lookup(ask("What is one fee"))
            cache.close()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert sorted(read.new for read in cache.near_hits()) == ["What is a fee", "What is one fee"]


def test_labels_survive_a_kill_at_once(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import os, signal, sys
        from lc_costkit.cache.pair_log import PairLog
        from lc_costkit.cache.seen_pairs import SeenPair
        from lc_costkit.cache.store import EntryStore

        log = PairLog(EntryStore(sys.argv[1]), namespace="default", decider="d")
        [number] = log.add_many([SeenPair(cached="a", new="b", score=0.5)])
        log.label(number, True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "c.db")], cwd=Path(__file__).parents[2], check=False)
    store = EntryStore(tmp_path / "c.db")
    assert [read.same for read in PairLog(store, namespace="default", decider="d").labelled()] == [True]
    store.close()


# -- who has decided, and what is damaged ---------------------------------------------


def test_deciders_are_told_the_last_one_first(store: EntryStore, log: PairLog) -> None:
    log.add_many([pair(1, seen_at=5.0), pair(2, seen_at=6.0)])
    later = PairLog(store, namespace="default", decider="later")
    later.add_many([pair(3, seen_at=7.0)], same=True, source="label")
    later.add_many([pair(4, seen_at=9.0)], same=True, source="given")
    told = [(d.identity, d.seen, d.labelled, d.last_seen_at) for d in log.deciders()]
    assert told == [("later", 1, 1, 7.0), ("strict-1", 2, 0, 6.0)]


def test_damaged_pairs_are_named(tmp_path: Path, store: EntryStore, log: PairLog) -> None:
    ids = log.add_many([pair(number) for number in range(5)])
    with sqlite3.connect(tmp_path / "c.db") as raw:
        raw.execute("UPDATE cache_pairs SET new = 'other' WHERE id = ?", (ids[0],))
        raw.execute("UPDATE cache_pairs SET similarity = 7 WHERE id = ?", (ids[1],))
        raw.execute("UPDATE cache_pairs SET score = -1 WHERE id = ?", (ids[2],))
        raw.execute("UPDATE cache_pairs SET same = 1 WHERE id = ?", (ids[3],))
    raw.close()
    with Cache(tmp_path / "c.db", embedder=WordsEmbedder()) as cache:
        found = cache.check()
    assert [line.split(":")[0] for line in found] == [f"pair {number}" for number in ids[:4]]


def test_a_failure_is_counted_where_there_is_somebody_to_count(store: EntryStore) -> None:
    faults = Faults(logging.getLogger(__name__))
    log = PairLog(store, namespace="default", decider="d", faults=faults)
    log.note(pair(1, cached=None))
    flush(store, log)
    assert faults.total == 1
    silent = PairLog(store, namespace="default", decider="d")
    silent.note(pair(1, cached=None))
    flush(store, silent)
    assert silent.newest(1) == []
