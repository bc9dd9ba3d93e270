"""Is the nearest entry accepted by what the policy, the operating point and the veto say?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lc_costkit.cache.accept import FOREIGN_FLOOR, Acceptor
from lc_costkit.cache.gates import DEFAULT_GATES
from lc_costkit.cache.point import OperatingPoint
from lc_costkit.cache.policy import BALANCED, STRICT, Policy
from lc_costkit.cache.prepare import prepare
from lc_costkit.cache.score import PairReading
from lc_costkit.embedding import bundled_embedder
from tests.cache.support import WordsEmbedder

ASKED = "How do I reset the password of my account?"
REWORDED = "How can I reset my account password?"
OTHER = "How can I reset the password of an account?"


def strict() -> Acceptor:
    return Acceptor(bundled_embedder())


def test_a_rewording_is_accepted_with_its_score_and_point() -> None:
    acceptance = strict().judge(ASKED, REWORDED, 0.9)
    assert acceptance.accepted
    assert acceptance.gate is None
    assert acceptance.reason is None
    assert acceptance.score is not None
    assert acceptance.score > STRICT.min_score
    assert acceptance.point == OperatingPoint(min_score=STRICT.min_score)


def test_a_refusal_by_a_gate_is_scored_too() -> None:
    acceptance = strict().judge("Is it refundable?", "Is it not refundable?", 0.95)
    assert not acceptance.accepted
    assert acceptance.gate == "negation"
    assert acceptance.score is not None


def test_a_low_score_refuses_without_naming_a_gate() -> None:
    acceptance = strict().judge(ASKED, REWORDED, 0.05)
    assert not acceptance.accepted
    assert acceptance.gate is None
    assert f"below {STRICT.min_score:.2f}" in str(acceptance.reason)


def test_the_same_pair_is_accepted_alone_and_refused_in_a_crowd() -> None:
    acceptor = strict()
    assert acceptor.judge(ASKED, REWORDED, 0.6).accepted
    assert not acceptor.judge(ASKED, REWORDED, 0.6, crowd=0.8).accepted


def test_without_all_gates_none_of_two_stored_questions_that_hardly_differ_is_accepted() -> None:
    refused = Acceptor(bundled_embedder(), policy=BALANCED).judge(ASKED, REWORDED, 0.9, twins=True)
    assert (refused.accepted, refused.gate) == (False, "twin")
    assert Acceptor(bundled_embedder(), policy=BALANCED).judge(ASKED, REWORDED, 0.9).accepted
    bare = Acceptor(bundled_embedder(), policy=BALANCED, similarity_threshold=0.8)
    for sees_more in (strict(), bare):
        assert sees_more.judge(ASKED, REWORDED, 0.9, twins=True).accepted


def test_another_point_decides_otherwise() -> None:
    acceptor = strict()
    acceptor.move(OperatingPoint(min_score=0.99, source="calibrated"))
    acceptance = acceptor.judge(ASKED, REWORDED, 0.9)
    assert not acceptance.accepted
    assert acceptance.point is acceptor.point


def test_the_users_own_cosine_takes_the_place_of_the_score() -> None:
    acceptor = Acceptor(bundled_embedder(), similarity_threshold=0.8)
    assert acceptor.near_enough(0.8, ASKED)
    assert not acceptor.near_enough(0.79, ASKED)
    accepted = acceptor.judge(ASKED, REWORDED, 0.81, crowd=0.8)
    assert accepted.accepted
    assert accepted.score == 0.81
    assert acceptor.point.source == "threshold"
    assert not acceptor.judge("Is it refundable?", "Is it not refundable?", 0.99).accepted


def test_without_gates_only_the_score_decides() -> None:
    acceptor = Acceptor(bundled_embedder(), gates=())
    assert acceptor.judge("Is it refundable?", "Is it not refundable?", 0.99).accepted
    assert acceptor.opinions("a", "b") == ()


def test_what_is_a_candidate_depends_on_the_embedder() -> None:
    bundled = strict()
    assert not bundled.near_enough(0.2, ASKED)
    assert bundled.near_enough(0.2, "비밀번호를 어떻게 재설정하나요?")
    foreign = Acceptor(WordsEmbedder())
    assert foreign.near_enough(FOREIGN_FLOOR, ASKED)
    assert not foreign.near_enough(FOREIGN_FLOOR - 0.01, ASKED)


def test_high_cosines_of_an_unknown_embedder_do_not_make_strangers_alike() -> None:
    strangers = "How do I bake sourdough bread?", "How do I repair a bicycle tyre?"
    assert not Acceptor(WordsEmbedder(), gates=()).judge(*strangers, 0.75).accepted


def test_a_veto_has_the_last_word_and_sees_what_was_scored() -> None:
    acceptor = strict()
    seen: list[tuple[str, str, PairReading]] = []

    def veto(cached: str, new: str, reading: PairReading) -> str | None:
        seen.append((cached, new, reading))
        return "labels say no" if new == REWORDED else None

    acceptor.veto = veto
    refused = acceptor.judge(ASKED, REWORDED, 0.9)
    assert (refused.accepted, refused.gate, refused.reason) == (False, "veto", "labels say no")
    assert acceptor.judge(ASKED, OTHER, 0.95).accepted
    acceptor.judge("Is it refundable?", "Is it not refundable?", 0.95)
    assert [new for _, new, _ in seen] == [REWORDED, OTHER]
    assert seen[0][2].similarity == 0.9


def test_a_veto_that_raises_refuses() -> None:
    acceptor = strict()

    def broken(cached: str, new: str, reading: PairReading) -> str | None:
        raise KeyError(new)

    acceptor.veto = broken
    refused = acceptor.judge(ASKED, REWORDED, 0.9)
    assert not refused.accepted
    assert "KeyError" in str(refused.reason)


def test_the_identity_says_what_scores_depend_on() -> None:
    embedder = bundled_embedder()
    mine = Policy(name="mine", gates=DEFAULT_GATES, min_score=0.5)
    deciders = [
        Acceptor(embedder),
        Acceptor(embedder, policy=BALANCED),
        Acceptor(embedder, policy=mine),
        Acceptor(embedder, policy=replace(mine, crowd_weight=0.5)),
        Acceptor(embedder, policy=replace(mine, refuses_twins=True)),
        Acceptor(embedder, gates=()),
        Acceptor(embedder, similarity_threshold=0.8),
        Acceptor(WordsEmbedder()),
    ]
    assert len({decider.identity for decider in deciders}) == len(deciders)
    assert Acceptor(embedder).identity == Acceptor(embedder).identity
    moved = Acceptor(embedder)
    moved.move(OperatingPoint(min_score=0.9))
    assert moved.identity == Acceptor(embedder).identity


@pytest.mark.parametrize("text", ["", "?", "\ud800", "a\x00b", "word " * 5_000])
def test_odd_questions_are_judged(text: str) -> None:
    acceptor = strict()
    assert acceptor.judge(text, "How do I pay?", 0.9).score is not None
    assert acceptor.judge("How do I pay?", text, 0.9).score is not None
    assert acceptor.judge(text, text, 1.0).score is not None


class Narrow(WordsEmbedder):
    """Calls strangers .8, as some models do: the bundled embedder with one more number in every vector."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = bundled_embedder().embed(texts)
        rows = np.concatenate([rows, np.full((len(rows), 1), 2.0, np.float32)], axis=1)
        made: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return made


def test_the_cosines_of_another_embedder_count_for_what_they_mean() -> None:
    acceptor = Acceptor(Narrow())
    asked, reworded, stranger = Narrow().embed([ASKED, REWORDED, "Who bakes the best bread in Lisbon?"])
    near, strange = float(asked @ reworded), float(asked @ stranger)
    assert strange > 0.75
    assert not acceptor.near_enough(strange, ASKED)
    assert acceptor.near_enough(near, REWORDED)
    bundled = bundled_embedder().embed([ASKED, REWORDED])
    scored = acceptor.read(prepare(ASKED), prepare(REWORDED), near)
    assert scored.similarity == pytest.approx(float(bundled[0] @ bundled[1]), abs=0.05)
    assert acceptor.judge(ASKED, REWORDED, near).accepted
