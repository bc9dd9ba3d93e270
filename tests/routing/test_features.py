"""Does every prompt become numbers, the same ones each time?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.routing.features import BUCKETS, FARTHEST, SURFACE, Scaling, matrix, read_features


@given(st.text(max_size=200))
def test_any_text_has_finite_features(text: str) -> None:
    features = read_features(text)
    assert features.surface.shape == (len(SURFACE),)
    assert np.isfinite(features.surface).all()
    assert np.isfinite(features.values).all()
    assert ((features.buckets >= 0) & (features.buckets < BUCKETS)).all()


def test_a_lone_surrogate_is_read() -> None:
    assert np.isfinite(read_features("a \ud83d b").surface).all()


def test_each_kind_of_ngram_has_a_fixed_length_whatever_the_prompts() -> None:
    for text in ("What is the capital of France?", "비밀번호를 어떻게 재설정하나요?", "word " * 500):
        assert float(np.sum(read_features(text).values ** 2)) == pytest.approx(1 + 0.49 + 1 + 1)


def test_an_empty_prompt_has_no_ngrams() -> None:
    assert not len(read_features("").buckets)


def alike(a: str, b: str) -> float:
    both = matrix([read_features(a), read_features(b)], Scaling(np.zeros(len(SURFACE)), np.full(len(SURFACE), 1e9)))
    one, other = both[:, :BUCKETS]
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def test_prompts_that_share_words_are_alike_in_both_languages() -> None:
    near = alike("integrate the function x", "integrate the function y")
    assert near > 0.4 > 0.2 > alike("integrate the function x", "who wrote Hamlet")
    near = alike("함수를 적분하세요", "이 함수를 적분해 보세요")
    assert near > 0.4 > 0.2 > alike("함수를 적분하세요", "영업시간이 언제인가요")


def test_features_do_not_depend_on_the_process() -> None:
    features = read_features("Prove that 7 is a prime.")
    assert features.buckets[:3].tolist() == read_features("prove THAT 7 is a prime.").buckets[:3].tolist()
    assert int(features.buckets.sum()) == 54530


def test_far_measures_are_cut_off() -> None:
    features = [read_features(text) for text in ("hi", "hello there", "x" * 100_000)]
    scaling = Scaling.of(features[:2])
    assert np.abs(scaling.apply(features[2].surface)).max() <= FARTHEST * 1.5


def test_of_a_long_prompt_the_ends_are_read_and_the_length_is_counted() -> None:
    long, longer = ("Prove it. " + "word " * count + "Why?" for count in (20_000, 40_000))
    one, other = read_features(long), read_features(longer)
    assert one.buckets.tolist() == other.buckets.tolist()
    assert one.surface[1] < other.surface[1]
    assert one.surface[3:14].tolist() == other.surface[3:14].tolist()
