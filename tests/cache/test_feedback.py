"""Is a wrong answer gone for good, and do labels get where they belong?"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from lc_costkit.cache import Cache, Hit, Miss
from lc_costkit.cache.seen_pairs import LoggedPair, pair_hash
from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.marks import MARK
from tests.cache.support import Clock, WordsEmbedder, ask

FEE = "What is the fee for a card"
FEES = "What are the fees for a card"
LOST = "What is the fee for a lost card"


def open_cache(path: str | Path = ":memory:", **knobs: Any) -> Cache:
    return Cache(path, **{"embedder": WordsEmbedder(), "similarity_threshold": 0.5, "gates": (), **knobs})


def put(cache: Cache, text: str, answer: str = '"stored"') -> int:
    stored = cache.store(ask(text), answer)
    assert stored is not None
    return stored


def served(cache: Cache, text: str) -> Hit:
    hit = cache.lookup(ask(text))
    assert isinstance(hit, Hit)
    return hit


def rejected(cache: Cache) -> list[LoggedPair]:
    return cache._pairs.labelled(sources=["rejected"])


@pytest.mark.parametrize("form", ["id", "ids", "hit", "mark", "mapping", "info"])
def test_a_rejected_answer_is_gone_and_never_comes_back_to_that_question(form: str) -> None:
    with open_cache() as cache:
        entry = put(cache, FEE)
        hit = served(cache, LOST)
        names: dict[str, Any] = {
            "id": entry,
            "ids": [entry],
            "hit": hit,
            "mark": hit.mark(),
            "mapping": hit.mark().to_dict(),
            "info": {MARK: hit.mark().to_dict()},
        }
        assert cache.reject(names[form]) == 1
        assert isinstance(cache.lookup(ask(FEE)), Miss)
        put(cache, FEE, '"fresh"')
        miss = cache.lookup(ask(LOST))
        assert isinstance(miss, Miss)
        assert (miss.gate, miss.reason) == ("rejected", "this answer was rejected for this question")
        assert served(cache, FEES).answer == '"fresh"', "other wordings go on"
        [pair] = rejected(cache)
        assert (pair.cached, pair.new, pair.same, pair.similarity) == (FEE, LOST, False, hit.similarity)
        assert cache.check() == ()


def test_a_rejection_holds_in_the_other_direction_and_after_a_restart(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        put(cache, FEE)
        cache.reject(served(cache, LOST))
    with open_cache(tmp_path / "c.db") as cache:
        put(cache, LOST)
        assert isinstance(cache.lookup(ask(FEE)), Miss)


def test_another_process_learns_of_a_rejection_from_its_next_candidate_on(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache, open_cache(tmp_path / "c.db") as elsewhere:
        put(cache, FEE)
        assert isinstance(elsewhere.lookup(ask(FEES)), Hit), "it has looked already, and found nothing rejected"
        hit = served(cache, LOST)
        cache.reject(hit)
        put(cache, FEE)
        missed = elsewhere.lookup(ask(LOST))
        assert isinstance(missed, Miss)
        assert missed.gate == "rejected"


def test_a_namespace_does_not_know_what_another_one_rejected(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db", namespace="a") as cache, open_cache(tmp_path / "c.db", namespace="b") as other:
        put(cache, FEE)
        put(other, FEE)
        cache.reject(served(cache, LOST))
        assert isinstance(other.lookup(ask(LOST)), Hit)


def test_an_answer_that_is_wrong_for_its_own_question_is_only_removed() -> None:
    with open_cache() as cache:
        put(cache, FEE)
        served(cache, LOST)
        assert cache.reject(served(cache, FEE)) == 1
        assert rejected(cache) == []
        put(cache, FEE)
        assert isinstance(cache.lookup(ask(LOST)), Hit)


def test_the_question_says_which_pair_is_meant() -> None:
    with open_cache() as cache:
        entry = put(cache, FEE)
        served(cache, LOST)
        served(cache, FEES)
        assert cache.reject(entry, question=LOST) == 1
        assert [(pair.cached, pair.new) for pair in rejected(cache)] == [(FEE, LOST)]


def test_without_a_question_it_is_the_last_one_that_was_served() -> None:
    with open_cache() as cache:
        entry = put(cache, FEE)
        served(cache, LOST)
        served(cache, FEES)
        cache.reject(entry)
        assert [pair.new for pair in rejected(cache)] == [FEES]


def test_a_mark_means_the_hit_it_was_made_for() -> None:
    with open_cache() as cache:
        put(cache, FEE)
        mark = served(cache, LOST).mark()
        served(cache, FEES)
        cache.reject(mark)
        assert [pair.new for pair in rejected(cache)] == [LOST]


def test_a_question_that_was_never_asked_is_remembered_all_the_same() -> None:
    with open_cache() as cache:
        entry = put(cache, FEE)
        assert cache.reject(entry, question=LOST) == 1
        [pair] = rejected(cache)
        assert (pair.cached, pair.new, pair.similarity) == (FEE, LOST, None)


def test_of_entries_that_say_the_same_the_question_picks_the_one_that_was_served() -> None:
    with open_cache(similarity_threshold=0.8) as cache:
        first, second = put(cache, FEE, '"3 USD"'), put(cache, "Where can I buy a stamp", '"3 USD"')
        served(cache, FEES.replace("fees", "fee"))
        assert cache.find_answers("3 USD", lambda payload: payload == '"3 USD"') == [first, second]
        assert cache.reject([first, second], question=FEES.replace("fees", "fee")) == 1
        assert cache.entry(second) is not None
        assert cache.reject([second]) == 1


def test_whoever_rejects_second_finds_nothing_left() -> None:
    with open_cache() as cache:
        put(cache, FEE)
        hit = served(cache, LOST)
        assert (cache.reject(hit), cache.reject(hit)) == (1, 0)


def test_what_was_never_served_is_refused() -> None:
    with open_cache() as cache:
        entry = put(cache, FEE)
        miss = cache.lookup(ask("How tall is the tower"))
        assert isinstance(miss, Miss)
        for wrong, said in (
            (entry + 1, "was never served from namespace 'default'"),
            (miss.mark(), "was never served from the cache: its lookup was a 'miss'"),
            ([], "entry none"),
            ("an answer", "takes an entry's id"),
            (True, "takes an entry's id"),
            ({"verdict": 3}, "was never served"),
            (None, "takes an entry's id"),
        ):
            with pytest.raises(ConfigurationError, match=said):
                cache.reject(wrong)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="question="):
            cache.reject(entry, question="  ")
        assert cache.entry(entry) is not None
        assert cache.near_hits(labelled=True) == []


def test_a_rejection_is_no_draw_and_the_draw_keeps_its_place() -> None:
    with open_cache() as cache:
        put(cache, FEE)
        cache.reject(served(cache, LOST))
        [seen] = cache.near_hits()
        assert (seen.new, seen.served, seen.same) == (LOST, True, None)


def test_a_label_takes_a_rejection_back() -> None:
    with open_cache() as cache:
        put(cache, FEE)
        cache.reject(served(cache, LOST))
        put(cache, FEE)
        assert isinstance(cache.lookup(ask(LOST)), Miss)
        cache.label(LOST, FEE, same=True)
        assert isinstance(cache.lookup(ask(LOST)), Hit)
        assert cache._pairs.known() == {pair_hash(LOST, FEE): True}


@pytest.mark.parametrize(
    "wrong", [{"cached": " ", "new": "b", "same": True}, {"cached": "a", "new": 3, "same": True},
              {"cached": "a", "new": "b", "same": "yes"}],
)  # fmt: skip
def test_a_label_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with open_cache() as cache, pytest.raises(ConfigurationError, match=r"label\("):
        cache.label(**wrong)


def test_near_hits_show_what_was_served_and_what_was_not() -> None:
    def never(cached: object, new: object) -> str | None:
        return "no"

    with open_cache(gates=(never,)) as cache:
        clock = cache._server.clock = Clock()
        entry = put(cache, FEE)
        assert isinstance(cache.lookup(ask(LOST)), Miss)
        assert isinstance(cache.lookup(ask("Something else entirely")), Miss), "no candidate, nothing to label"
        cache.lookup(ask(FEE))
        [pair] = cache.near_hits()
        assert (pair.cached, pair.new, pair.refused_by, pair.served) == (FEE, LOST, "never", False)
        assert (pair.entry_id, pair.seen_at) == (entry, clock.now)
        cache.label_pair(pair.id, same=False)
        assert [(p.same, p.source) for p in cache.near_hits(labelled=True)] == [(False, "label")]
        cache.label_pair(pair.id, same=None)
        assert [p.same for p in cache.near_hits(labelled=False)] == [None]
        for limit in (0, -1, True, 1.5):
            with pytest.raises(ConfigurationError, match="near_hits"):
                cache.near_hits(limit)  # type: ignore[arg-type]
            with pytest.raises(ConfigurationError, match="draw_pairs"):
                cache.draw_pairs(limit)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="no logged pair 99"):
            cache.label_pair(99, same=True)


def test_observe_mode_notes_what_it_would_have_served() -> None:
    with open_cache(mode="observe") as cache:
        put(cache, FEE)
        assert isinstance(cache.lookup(ask(LOST)), Miss)
        [pair] = cache.near_hits()
        assert (pair.refused_by, pair.served) == (None, False)


# -- privacy ------------------------------------------------------------------------


def test_deleting_a_question_deletes_what_was_noted_about_it(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        put(cache, FEE)
        cache.reject(served(cache, LOST))
        put(cache, FEE)
        served(cache, FEES)  # still in memory
        cache.label(LOST, "Where is it?", same=False)
        cache.label("Another", "pair", same=False)
        assert cache.delete(question=FEE + "?") == 1
        assert [(p.cached, p.new) for p in cache._pairs.labelled()] == [
            (LOST, "Where is it?"), ("Another", "pair"),
        ]  # fmt: skip
        assert cache.near_hits() == []
        put(cache, FEE)
        assert isinstance(cache.lookup(ask(LOST)), Hit), "nobody knows of the rejection any more"
        assert cache.delete(question=LOST) == 0
        assert [p.cached for p in cache._pairs.labelled()] == ["Another"]
    assert FEES.encode() not in (tmp_path / "c.db").read_bytes()


@pytest.mark.parametrize("keep", [False, True])
def test_clearing_takes_the_pairs_and_on_request_leaves_the_labels(keep: bool) -> None:
    with open_cache() as cache:
        put(cache, FEE)
        cache.reject(served(cache, LOST))
        put(cache, FEE)
        served(cache, FEES)
        assert cache.clear(keep_labels=keep) == 1
        assert cache.near_hits() == []
        assert len(rejected(cache)) == keep
        put(cache, FEE)
        assert isinstance(cache.lookup(ask(LOST)), Miss if keep else Hit)


def test_an_entry_that_is_evicted_leaves_its_pairs() -> None:
    with open_cache(max_entries=1) as cache:
        put(cache, FEE)
        served(cache, LOST)
        put(cache, "How tall is the tower")
        assert isinstance(cache.lookup(ask(FEE)), Miss)
        assert [pair.new for pair in cache.near_hits()] == [LOST]


def test_nothing_is_noted_where_the_user_wants_none() -> None:
    with open_cache(near_hits=0) as cache:
        put(cache, FEE)
        hit = served(cache, LOST)
        assert cache.near_hits() == []
        assert cache.reject(hit) == 1
        assert [pair.new for pair in rejected(cache)] == [LOST]


@pytest.mark.parametrize("wrong", [-1, 1.5, True, None, "all"])
def test_a_number_of_near_hits_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="near_hits"):
        open_cache(near_hits=wrong)


def test_a_store_that_cannot_be_used_is_told_of_plainly(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        entry = put(cache, FEE)
        hit = served(cache, LOST)
        cache.near_hits()
        with sqlite3.connect(tmp_path / "c.db") as raw:
            raw.execute("ALTER TABLE cache_pairs RENAME TO gone")
        raw.close()
        with pytest.raises(StoreError, match=r"c\.db cannot be used: no such table: cache_pairs"):
            cache.reject(hit)
        assert cache.entry(entry) is not None, "nothing was done by halves"
        assert cache.check() == ("pairs or operating points cannot be read: StoreError",)
        with sqlite3.connect(tmp_path / "c.db") as raw:
            raw.execute("ALTER TABLE gone RENAME TO cache_pairs")
        raw.close()
        assert cache.reject(hit) == 1
