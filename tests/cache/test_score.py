"""Does the score rise with what speaks for one answer, and fall with what speaks against it?"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_costkit.cache.policy import STRICT
from lc_costkit.cache.prepare import prepare
from lc_costkit.cache.score import (
    FOREIGN_WEIGHTS,
    SPELLING_WEIGHTS,
    TABLE_WEIGHTS,
    CosinesOf,
    crowd_penalty,
    read_pair,
)

QUESTIONS = st.sampled_from(
    [
        "How do I reset my password?",
        "I forgot my password, what now?",
        "reset",
        "What is the delivery fee for parcels above ten kilograms within the country?",
        "비밀번호를 어떻게 재설정하나요?",
        "パスワードを忘れました",
        "??",
        "",
    ]
)
SHARE = st.floats(0, 1)


COSINES = st.sampled_from(["bundled", "measured", "unknown"])


@given(one=st.text(max_size=60), other=st.text(max_size=60), cosine=st.floats(-1, 1), crowd=SHARE, cosines=COSINES)
@settings(max_examples=150, deadline=None)
def test_every_pair_has_a_score(one: str, other: str, cosine: float, crowd: float, cosines: CosinesOf) -> None:
    reading = read_pair(prepare(one), prepare(other), cosine, crowd=crowd, cosines=cosines)
    assert 0 <= reading.score <= 1
    assert 0 <= reading.coverage <= 1 + 1e-6
    assert 0 <= reading.length <= 1


@given(one=QUESTIONS, other=QUESTIONS, low=SHARE, more=SHARE, crowd=SHARE)
@settings(deadline=None)
def test_it_rises_with_the_cosine_and_falls_with_the_crowd(
    one: str, other: str, low: float, more: float, crowd: float
) -> None:
    pair = prepare(one), prepare(other)
    nearer = min(1.0, low + more)
    assert read_pair(*pair, nearer, crowd=crowd).score >= read_pair(*pair, low, crowd=crowd).score
    assert read_pair(*pair, low, crowd=crowd).score <= read_pair(*pair, low).score


@pytest.mark.parametrize("weights", [TABLE_WEIGHTS, SPELLING_WEIGHTS, FOREIGN_WEIGHTS])
def test_the_weights_of_a_score_add_up_to_one(weights: object) -> None:
    parts = [getattr(weights, name) for name in ("base", "similarity", "coverage", "length")]
    assert sum(parts) == pytest.approx(1.0)


def test_a_crowd_counts_by_its_weight() -> None:
    pair = prepare("How do I reset my password?"), prepare("I forgot my password, what now?")
    alone = read_pair(*pair, 0.7).score
    assert alone - read_pair(*pair, 0.7, crowd=0.5).score == pytest.approx(crowd_penalty(0.5))
    assert alone - read_pair(*pair, 0.7, crowd=0.5, crowd_weight=0.5).score == pytest.approx(crowd_penalty(0.5) / 2)
    assert read_pair(*pair, 0.7, crowd=0.9, crowd_weight=0.0).score == alone


@given(st.integers(0, 1_000), st.integers(0, 1_000))
def test_a_larger_crowd_takes_more_off(many: int, more: int) -> None:
    one, other = many / 1_000, more / 1_000
    assert (crowd_penalty(one) <= crowd_penalty(other)) == (one <= other)


def test_another_name_of_the_same_thing_covers_better_than_another_thing() -> None:
    asked = prepare("Where can I buy a ticket for the tram?")
    same = read_pair(asked, prepare("Where can I purchase a ticket for the tram?"), 0.8)
    other = read_pair(asked, prepare("Where can I validate a ticket for the tram?"), 0.8)
    assert same.coverage > other.coverage
    assert same.score > other.score


def test_coverage_is_that_of_the_worse_covered_question() -> None:
    short, long = "How do I pay?", "How do I pay the customs duty on a parcel from abroad?"
    assert read_pair(prepare(short), prepare(long), 0.7).coverage == pytest.approx(
        read_pair(prepare(long), prepare(short), 0.7).coverage
    )
    assert read_pair(prepare(short), prepare(long), 0.7).coverage < 0.7


def test_two_short_questions_need_more_than_two_long_ones() -> None:
    short = read_pair(prepare("credit limit"), prepare("credit limits"), 0.9)
    long = "how can I raise the credit limit of my card before travelling to another country"
    assert short.score < read_pair(prepare(long), prepare(long.replace("limit", "limits")), 0.9).score


def test_korean_is_covered_by_its_letters() -> None:
    asked = prepare("와이파이 비밀번호를 바꾸는 방법")
    near = read_pair(asked, prepare("와이파이 비밀번호 바꾸기"), 0.6)
    far = read_pair(asked, prepare("보일러 온도를 내리는 방법"), 0.6)
    assert near.coverage > 0.7 > 0.4 > far.coverage


def test_an_embedder_of_no_scale_cannot_call_strangers_alike_by_itself() -> None:
    strangers = prepare("How do I bake sourdough bread?"), prepare("Who repairs bicycles in Lisbon?")
    assert read_pair(*strangers, 0.75, cosines="unknown").similarity < 0.5
    assert read_pair(*strangers, 0.75, cosines="unknown").score < STRICT.min_score
    reworded = prepare("Where can I buy a tram ticket?"), prepare("Where do I purchase a ticket for the tram?")
    assert read_pair(*reworded, 0.75, cosines="unknown").score > 0.5


def test_with_another_embedder_of_a_known_scale_its_cosine_decides() -> None:
    heavy = prepare("What do I do when my card was stolen?"), prepare("Somebody took my wallet, who blocks the Visa?")
    near, far = (read_pair(*heavy, cosine, cosines="measured").score for cosine in (0.9, 0.5))
    assert near - far == pytest.approx(0.4 * FOREIGN_WEIGHTS.similarity)
    assert near > STRICT.min_score > far
