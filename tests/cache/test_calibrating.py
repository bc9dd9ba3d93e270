"""Does a cache serve from what its own labels certify, in every process, and only from that?"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from lc_costkit.cache import Cache, Hit, Miss
from lc_costkit.cache.calibrating import drawn, scored
from lc_costkit.cache.pairs import LabelledPair
from lc_costkit.cache.seen_pairs import SeenPair
from lc_costkit.errors import ConfigurationError
from tests.cache.support import WordsEmbedder, ask

STORED = "What is the fee for a new card of mine"


def open_cache(path: str | Path = ":memory:", **knobs: Any) -> Cache:
    return Cache(path, **{"embedder": WordsEmbedder(), "similarity_threshold": 0.3, "gates": (), **knobs})


def traffic(cache: Cache, count: int, *, seed: int = 0) -> None:
    """Log decisions whose score says how probably they are right: below .6 half of them, above all."""
    chance = random.Random(seed)
    pairs = []
    for number in range(count):
        score = chance.random()
        word = "right" if score >= 0.6 or chance.random() < 0.5 else "wrong"
        pairs.append(SeenPair(cached=STORED, new=f"{word} {number}", similarity=score, score=score, seen_at=1.0))
    cache._pairs.add_many(pairs)


def label_all(cache: Cache, count: int, *, seed: int = 1) -> None:
    for pair in cache.draw_pairs(count, seed=seed):
        cache.label_pair(pair.id, same=pair.new.startswith("right"))


def test_labels_of_draws_certify_a_point_that_every_process_serves_from(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache, open_cache(tmp_path / "c.db") as elsewhere:
        cache.store(ask(STORED), '"x"')
        near = "Tell the fee of umbrellas for guests here"
        hit = elsewhere.lookup(ask(near))
        assert isinstance(hit, Hit)
        assert hit.similarity < 0.55
        traffic(cache, 900)
        label_all(cache, 600)
        found = cache.calibrate(max_error_rate=0.05)
        assert found.certified
        assert found.point is not None
        assert 0.5 < found.point.min_score < 0.8
        assert found.labels == 600
        assert 890 <= found.pairs <= 900, "those before the first that has no label count for nothing"
        assert cache.stats().point == found.point
        missed = elsewhere.lookup(ask(near))
        assert isinstance(missed, Miss)
        assert elsewhere.stats().point == found.point
    with open_cache(tmp_path / "c.db") as cache:
        assert cache.stats().point == found.point


def test_too_few_labels_change_nothing_and_say_how_many_it_takes() -> None:
    with open_cache() as cache:
        before = cache.stats().point
        traffic(cache, 200)
        label_all(cache, 100)
        found = cache.calibrate(max_error_rate=0.02)
        assert not found.certified
        assert found.labels_needed is not None
        assert found.labels_needed > 50
        assert cache.stats().point == before


def test_without_labels_there_is_nothing_to_calibrate_on() -> None:
    with open_cache() as cache:
        traffic(cache, 60)
        with pytest.raises(ConfigurationError, match="no labelled pairs"):
            cache.calibrate()
        with pytest.raises(ConfigurationError, match="max_error_rate"):
            cache.calibrate(max_error_rate=0.0)


def test_only_what_was_drawn_and_labelled_by_people_certifies() -> None:
    with open_cache() as cache:
        traffic(cache, 200)
        picked = cache.near_hits(20)
        for pair in picked:
            cache.label_pair(pair.id, same=True)
        cache.label("a question", "another", same=True)
        cache._pairs.reject(SeenPair(cached="a", new="b", score=0.9))
        cache._pairs.add_many([SeenPair(cached="c", new="d", score=0.9)], same=True, source="verified")
        assert drawn(cache._pairs, labelled_only=True) == []
        label_all(cache, 10)
        labels = drawn(cache._pairs, labelled_only=True)
        assert len(labels) == 10
        assert not {pair.id for pair in labels} & {pair.id for pair in picked}


def test_a_draw_from_a_higher_score_certifies_nothing_below_it() -> None:
    with open_cache() as cache:
        traffic(cache, 400)
        label_all(cache, 100)
        for pair in cache._pairs.sample(100, min_score=0.7, seed=2):
            cache.label_pair(pair.id, same=True)
        labels = drawn(cache._pairs, labelled_only=True)
        assert min(pair.score or 0 for pair in labels) >= 0.7
        assert len(labels) > 100, "those of the first draw that lie above count, too"
        everything = scored(drawn(cache._pairs))
        assert len(everything) == 400
        assert sum(pair.same is not None for pair in everything) == len(labels)


def test_what_was_skipped_may_be_labelled_later_and_what_was_undone_counts_no_more() -> None:
    with open_cache() as cache:
        traffic(cache, 20)
        [one, two] = cache.draw_pairs(2)
        cache.label_pair(one.id, same=True)
        cache.label_pair(one.id, same=None)
        assert drawn(cache._pairs, labelled_only=True) == []
        cache.label_pair(two.id, same=True)
        assert [pair.id for pair in drawn(cache._pairs, labelled_only=True)] == [two.id]


def test_labels_from_traffic_that_is_gone_do_not_raise_the_hit_rate() -> None:
    with open_cache(near_hits=600) as cache:
        # A quarter passes the gates, and only of those anything is labelled.
        def seen(number: int) -> SeenPair:
            refused_by = None if number % 4 == 0 else "number"
            return SeenPair(cached=STORED, new=f"{number}", similarity=0.9, score=0.8 + number * 7 % 1_000 / 1e4,
                            refused_by=refused_by, seen_at=1.0)  # fmt: skip

        cache._pairs.add_many([seen(number) for number in range(2_000)])
        for pair in cache.draw_pairs(400, seed=1):
            cache.label_pair(pair.id, same=True)
        for number in range(2_000, 3_200):
            cache._pairs.note(seen(number))
            if number % 600 == 0:
                cache.flush()
                cache._tally.not_stored("something to write")
        cache._tally.not_stored("something to write")
        cache.flush()
        found = cache.calibrate(max_error_rate=0.05)
        assert found.labels == 400
        assert found.hit_rate == pytest.approx(0.25, abs=0.03)


def test_what_live_checks_have_settled_counts_in_the_hit_rate() -> None:
    with open_cache() as cache:
        traffic(cache, 300)
        for pair in cache._pairs.newest(300)[:200]:
            if (pair.score or 0) >= 0.6:
                cache._pairs.label(pair.id, True, source="verified")
        before = sum((pair.score or 0) >= 0.6 for pair in cache._pairs.decisions()) / 300
        label_all(cache, 40)
        found = cache.calibrate(max_error_rate=0.2)
        assert found.curve.at(0.6).hit_rate == pytest.approx(before, abs=0.01)


def test_what_an_old_veto_refused_is_labelled_too_before_another_is_learned() -> None:
    with open_cache() as cache:
        chance = random.Random(1)
        wrong = {f"{STORED} {number}" for number in range(1_500) if chance.random() < 0.4}
        pairs = []
        for number in range(1_500):
            new, score = f"{STORED} {number}", 0.5 + chance.random() / 2
            refused_by = "veto" if new in wrong else None
            pairs.append(
                SeenPair(cached=STORED, new=new, similarity=score, score=score, refused_by=refused_by, seen_at=1.0)
            )
        cache._pairs.add_many(pairs)
        for pair in cache.draw_pairs(600, seed=1):
            cache.label_pair(pair.id, same=pair.new not in wrong)
        found = cache.calibrate(max_error_rate=0.05, learn=True)
        assert not found.certified, "without that veto four in ten are wrong, and the words tell nothing"


def given(count: int) -> list[tuple[str, str, bool]]:
    chance = random.Random(3)
    words = ["fee", "card", "bank", "loan", "rate", "pin", "limit", "fund"]
    pairs: list[tuple[str, str, bool]] = []
    for number in range(count):
        asked = chance.sample(words, 5)
        if chance.random() < 0.7:
            pairs.append(
                (" ".join(["how", "is", *asked, str(number)]), " ".join(["what", "is", *asked, str(number)]), True)
            )
        else:
            pairs.append((" ".join(["how", *asked]), " ".join(["what", *chance.sample(words, 5), "now"]), False))
    return pairs


def test_pairs_of_ones_own_are_scored_as_a_lookup_would() -> None:
    with open_cache(admission=()) as cache:
        found = cache.calibrate(given(700), max_error_rate=0.05)
        assert found.certified
        assert cache.stats().point == found.point
        assert cache.near_hits() == [], "they are not of this traffic"


def test_pairs_scored_without_a_store_say_so_where_a_lookup_minds_the_store() -> None:
    with open_cache(similarity_threshold=None, admission=(), max_error_rate=0.1) as cache:
        found = cache.calibrate(given(700))
        assert found.certified
        assert found.alone
        assert found.point is not None
        assert found.point.alone
        assert "without regard to neighbours" in str(cache.stats().point)
        assert "serves fewer" in dict(found.rows())["scored"]
        assert dict(found.rows())["hit rate to expect"].startswith("at most")
    with open_cache(admission=()) as bare:
        assert not bare.calibrate(given(700)).alone


def test_a_point_for_more_errors_than_the_cache_accepts_is_told_and_changes_nothing() -> None:
    with open_cache(admission=()) as cache:
        kept = cache.calibrate(given(700), max_error_rate=0.05)
        assert kept.taken
        found = cache.calibrate(given(700), max_error_rate=0.2)
        assert found.certified
        assert not found.taken
        assert "this cache accepts at most 5.00% wrong" in found.advice
        assert cache.stats().point == kept.point


def test_a_veto_is_kept_and_dropped_with_the_point_it_belongs_to(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        chance = random.Random(5)
        pairs = []
        # The score says nothing here; whether a word is missing says it all.
        for number in range(1_500):
            same = chance.random() < 0.6
            new = STORED if same else STORED.replace("new card", "old umbrella stand")
            score = 0.5 + chance.random() / 2
            text = f"{new} {number}"
            pairs.append(SeenPair(cached=f"{STORED} {number}", new=text, similarity=score, score=score, seen_at=1.0))
        cache._pairs.add_many(pairs)
        for pair in cache.draw_pairs(1_400, seed=1):
            cache.label_pair(pair.id, same="umbrella" not in pair.new)
        found = cache.calibrate(max_error_rate=0.05, learn=True)
        assert found.certified
        assert found.veto is not None
        assert cache._acceptor.veto == found.veto
    with open_cache(tmp_path / "c.db") as cache:
        assert cache._acceptor.veto == found.veto
        assert cache._acceptor.point == found.point
        cache.calibrate(max_error_rate=0.05)
        assert cache._acceptor.veto == found.veto, "it was in force, and stays"
        cache._points.save(point=found.point, without_veto=True)
        cache._learning.load()
        assert cache._acceptor.veto is None


def test_copies_of_given_pairs_certify_nothing_more() -> None:
    with open_cache() as cache:
        once = cache.calibrate(given(60), max_error_rate=0.05)
        copied = cache.calibrate(given(60) * 20, max_error_rate=0.05)
        assert (copied.certified, copied.labels, copied.pairs) == (once.certified, once.labels, once.pairs)
        assert not copied.certified
        assert (copied.given, copied.distinct) == (1_200, 60)
        assert "1,200 pairs, of which 60 are distinct" in repr(copied)
        assert (once.given, once.distinct) == (60, 60)
        assert "distinct" not in repr(once)


def test_a_given_pair_is_not_right_and_wrong() -> None:
    with open_cache() as cache, pytest.raises(ConfigurationError, match="pair 1 is called False and was called True"):
        cache.calibrate([("is it open", "are you open", True), ("is it open", "are you open", False)])


def test_empty_questions_are_left_out_and_that_is_said() -> None:
    pairs = [LabelledPair(cached="", new="", same=True), ("is it open", "is it open", True)]
    with open_cache() as cache, pytest.raises(ConfigurationError, match="2 given: 1 hold an empty question, and 1 "):
        cache.calibrate(pairs)


@pytest.mark.parametrize(("labels", "told"), [(40, False), (600, True)])
def test_a_veto_is_advised_only_where_there_are_labels_to_fit_it(labels: int, told: bool) -> None:
    pairs = [(f"how is fee {number}", f"what is fee {number}", number % 2 == 0) for number in range(labels)]
    with open_cache() as cache:
        found = cache.calibrate(pairs, max_error_rate=0.02)
        assert not found.certified
        assert ("learn=True" in found.advice) == told
