"""Is it told what the cosines of somebody's embedder mean?"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.embeddings import DeterministicFakeEmbedding
from numpy.typing import NDArray

from lc_costkit.cache import Cache
from lc_costkit.embedding import as_embedder, bundled_embedder
from lc_costkit.embedding.scale import KOREAN_PROBES, LATIN_PROBES, PROBES, Scale, Scales, measure, scales_of
from lc_costkit.scripts import KOREAN, LATIN, script_of
from tests.cache.support import WordsEmbedder

Vectors = NDArray[np.float32]


class Narrow:
    """The bundled embedder, seen through a model that calls strangers .75, as some do."""

    identity = "narrow-v1"
    dimensions = bundled_embedder().dimensions + 1

    def __init__(self, offset: float = 1.6) -> None:
        self.offset = offset
        self.calls = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls += 1
        rows = bundled_embedder().embed(texts)
        rows = np.concatenate([rows, np.full((len(rows), 1), self.offset, np.float32)], axis=1)
        made: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return made


def english_only(texts: Sequence[str]) -> Vectors:
    """A model to which all Korean looks alike."""
    return bundled_embedder().embed([text if text.isascii() else "unknown unknown" for text in texts])


def one_direction(texts: Sequence[str]) -> Vectors:
    return np.ones((len(texts), 3), np.float32)


def two_directions(texts: Sequence[str]) -> Vectors:
    """Calls half of everything equal."""
    return np.array([[1.0, 0.0] if zlib.crc32(text.encode()) % 2 else [0.0, 1.0] for text in texts], np.float32)


def test_the_bundled_embedder_needs_no_scale() -> None:
    assert scales_of(bundled_embedder()) is None


def test_an_embedder_that_calls_strangers_near_is_laid_onto_the_common_scale() -> None:
    scales = scales_of(Narrow())
    assert scales is not None
    assert scales.latin is not None
    assert scales.latin.background > 0.7
    embedder, bundled = Narrow(), bundled_embedder()
    texts = [
        "Where is the bus stop?",
        "Where does the bus stop?",
        "How do I bake bread?",
        "How do I brew a good coffee?",
    ]
    own, common = embedder.embed(texts), bundled.embed(texts)
    for one in range(len(texts)):
        for other in range(one):
            found = scales.latin.to_common(float(own[one] @ own[other]))
            assert found == pytest.approx(float(common[one] @ common[other]), abs=0.05)


def test_the_scale_of_what_is_the_bundled_embedder_changes_nothing_to_speak_of() -> None:
    scales = scales_of(as_embedder(bundled_embedder(), identity="mine"))
    assert scales is not None
    assert scales.latin is not None
    for cosine in (0.1, 0.5, 0.75, 0.9, 1.0):
        assert scales.latin.to_common(cosine) == pytest.approx(cosine, abs=0.01)


@pytest.mark.parametrize(
    "source",
    [one_direction, two_directions, DeterministicFakeEmbedding(size=384), WordsEmbedder(), WordsEmbedder("w", 4)],
)
def test_an_embedder_that_tells_nothing_apart_has_no_scale(source: object) -> None:
    assert scales_of(as_embedder(source)) == Scales(latin=None, other=None)


def test_a_blank_answer_has_no_scale() -> None:
    assert measure(np.zeros((len(PROBES), 3), np.float32)) == Scales(latin=None, other=None)


def test_an_embedder_may_have_a_scale_in_one_script_only() -> None:
    scales = scales_of(as_embedder(english_only))
    assert scales is not None
    assert scales.of("Where is the bus stop?") is scales.latin is scales.of("42?")
    assert scales.latin is not None
    assert scales.of("버스 정류장이 어디예요?") is scales.of("Где остановка?") is None


def test_it_is_asked_once_and_in_one_call() -> None:
    source = Narrow()
    embedder = as_embedder(source)
    assert scales_of(embedder) is scales_of(embedder)
    assert source.calls == 1
    assert embedder.dimensions == source.dimensions
    assert source.calls == 1


def test_who_uses_an_embedder_that_tells_nothing_apart_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    embedder = as_embedder(one_direction)
    scales_of(embedder)
    scales_of(embedder)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "one_direction does not tell rewordings" in caplog.text


SHARE = st.floats(0, 1)


@given(low=st.floats(-0.2, 0.9), spread=st.floats(0.05, 1), share=SHARE, one=st.floats(-1, 1), other=st.floats(-1, 1))
def test_a_scale_keeps_the_order_and_can_be_turned_round(
    low: float, spread: float, share: float, one: float, other: float
) -> None:
    top = min(0.99, low + spread)
    scale = Scale(background=low, top=top, common_background=0.04, common_top=0.74)
    assert scale.to_common(low) == pytest.approx(0.04)
    assert scale.to_common(top) == pytest.approx(0.74)
    assert scale.to_common(1.0) == 1.0
    assert 0 <= scale.to_common(one) <= 1
    assert (one - other) * (scale.to_common(one) - scale.to_common(other)) >= 0
    assert scale.to_common(scale.from_common(share)) == pytest.approx(share, abs=1e-6)
    many = scale.all_to_common(np.array([one, other], np.float32))
    assert many.tolist() == pytest.approx([scale.to_common(one), scale.to_common(other)], abs=1e-5)


def test_the_probes_are_of_the_scripts_they_stand_for_and_all_different() -> None:
    assert {script_of(text) for pair in LATIN_PROBES for text in pair} == {LATIN}
    assert {script_of(text) for pair in KOREAN_PROBES for text in pair} == {KOREAN}
    assert len(set(PROBES)) == len(PROBES) == 2 * (len(LATIN_PROBES) + len(KOREAN_PROBES))


def test_what_learning_a_scale_costs_is_counted_once() -> None:
    paid = as_embedder(english_only, priced_model="text-embedding-3-small")
    with Cache(embedder=paid) as first, Cache(embedder=paid) as second, Cache(embedder=english_only) as free:
        costs = [cache.stats().lookup_usd for cache in (first, second, free)]
    assert 0 < costs[0] < 0.0001
    assert costs[1:] == [0, 0]
