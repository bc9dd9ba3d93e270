"""Is every answer kept at once, nothing asked twice, and everything taken back that should be?"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lc_costkit.cache.labelling import LabelSession, answer_text
from lc_costkit.cache.pair_log import PairLog
from lc_costkit.cache.seen_pairs import SeenPair
from lc_costkit.cache.store import EntryStore


@pytest.fixture
def log() -> Iterator[PairLog]:
    store = EntryStore(":memory:")
    yield PairLog(store, namespace="default", decider="d")
    store.close()


def fill(log: PairLog, *numbers: int) -> None:
    log.add_many([SeenPair(cached=f"cached {n}", new=f"new {n}", score=n / 100) for n in numbers])


def labels(log: PairLog) -> dict[str, list[bool | None]]:
    found: dict[str, list[bool | None]] = {}
    for pair in log.labelled():
        found.setdefault(pair.new, []).append(pair.same)
    return found


def test_answers_are_kept_one_by_one(log: PairLog) -> None:
    fill(log, 1, 2, 3)
    session = LabelSession(log, limit=10, seed=1)
    first = session.current()
    assert first is not None
    assert session.current() == first, "it stays until it is decided"
    session.answer(same=True)
    assert labels(log) == {first.new: [True]}
    second = session.current()
    assert second is not None
    session.answer(same=False)
    assert labels(log) == {first.new: [True], second.new: [False]}
    session.current()
    session.skip()
    assert session.current() is None
    assert (session.labelled, session.asked) == (2, 3)


def test_the_same_questions_are_asked_once_and_all_their_draws_get_the_label(log: PairLog) -> None:
    fill(log, 1, 1, 1, 1)
    session = LabelSession(log, limit=10)
    assert session.current() is not None
    session.answer(same=False)
    assert session.current() is None
    assert labels(log) == {"new 1": [False] * 4}
    assert session.asked == 1
    assert session.undo()
    assert labels(log) == {}
    assert session.current() is not None


def test_an_answer_that_a_later_draw_copied_is_taken_back_there_too(log: PairLog) -> None:
    fill(log, 1)
    session = LabelSession(log, limit=5)
    session.current()
    session.answer(same=True)
    fill(log, 1, 1)  # the traffic goes on
    assert session.current() is None
    assert labels(log) == {"new 1": [True] * 3}
    assert session.undo()
    assert labels(log) == {}


def test_an_answer_is_taken_back_and_asked_again(log: PairLog) -> None:
    fill(log, 1, 2)
    session = LabelSession(log, limit=2, seed=0)
    assert not session.undo()
    first = session.current()
    session.answer(same=True)
    second = session.current()
    session.skip()
    assert session.current() is None
    assert session.undo()
    assert session.current() == second
    assert session.undo()
    assert session.current() == first
    assert labels(log) == {}
    session.answer(same=False)
    assert session.current() == second
    assert list(labels(log).values()) == [[False]]


def test_repeats_get_the_new_answer_when_the_first_was_taken_back(log: PairLog) -> None:
    fill(log, 1, 1, 1)
    session = LabelSession(log, limit=5)
    session.current()
    session.answer(same=True)
    assert session.current() is None
    session.undo()
    assert session.current() is not None
    session.answer(same=False)
    assert session.current() is None
    assert labels(log) == {"new 1": [False] * 3}


def test_a_pair_that_was_deleted_while_somebody_read_it_ends_nothing(log: PairLog) -> None:
    fill(log, 1, 2, 3)
    session = LabelSession(log, limit=5)
    pair = session.current()
    assert pair is not None
    log.forget(pair.new)
    assert not session.answer(same=True)
    assert labels(log) == {}
    assert session.current() is not None
    assert session.answer(same=True)
    assert session.undo()
    assert session.undo(), "what is gone can be passed over again"


def test_the_limit_counts_what_was_asked(log: PairLog) -> None:
    fill(log, *range(1, 30))
    session = LabelSession(log, limit=4)
    for _ in range(2):
        assert session.current() is not None
        session.skip()
        assert session.current() is not None
        session.answer(same=True)
    assert session.current() is None
    assert (session.asked, session.labelled) == (4, 2)


def test_what_was_skipped_does_not_come_back_in_the_session(log: PairLog) -> None:
    fill(log, 1, 1, 2)
    session = LabelSession(log, limit=50)
    asked = []
    while (pair := session.current()) is not None:
        asked.append(pair.id)
        session.skip()
    assert sorted(asked) == [1, 2, 3]
    assert LabelSession(log, limit=1).current() is not None, "but in the next one"


def test_it_draws_from_a_score_on(log: PairLog) -> None:
    fill(log, 10, 20, 90)
    session = LabelSession(log, limit=10, min_score=0.5)
    pair = session.current()
    assert pair is not None
    assert pair.new == "new 90"
    session.answer(same=True)
    assert session.current() is None


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (json.dumps([{"kwargs": {"text": "Paris.", "message": {"kwargs": {"content": "Paris."}}}}]), "Paris."),
        (
            json.dumps({"message": {"blocks": [{"block_type": "text", "text": "파리"}]}, "extras": {"note": "x" * 99}}),
            "파리",
        ),
        (json.dumps({"text": "Paris.", "extras": {}}), "Paris."),
        (json.dumps([{"kwargs": {"message": {"kwargs": {"content": ["a", {"text": "longer"}]}}}}]), "longer"),
        (json.dumps("plain"), "plain"),
        (json.dumps({"tool": "add"}), ""),
        ("{broken", "{broken"),
    ],
)
def test_the_text_of_an_answer_is_found_whoever_wrote_it(payload: str, text: str) -> None:
    assert answer_text(payload) == text
