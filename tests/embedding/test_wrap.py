from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from llama_index.core import MockEmbedding

from lc_costkit.embedding import ReadyEmbedder, WrappedEmbedder, as_embedder, bundled_embedder
from lc_costkit.errors import ConfigurationError, EmbedderError


def lengths(texts: Sequence[str]) -> list[list[float]]:
    return [[float(len(text)), 1.0] for text in texts]


class Service:
    """Shaped like a provider's LangChain class."""

    def __init__(self, model: str = "text-embedding-3-small", dimensions: int | None = None) -> None:
        self.model = model
        self.dimensions = dimensions
        self.asked: list[list[str]] = []
        self.awaited = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked.append(texts)
        return [[1.0, float(len(text)), 0.0] for text in texts]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        self.awaited += 1
        return self.embed_documents(texts)


def test_none_and_the_bundled_one() -> None:
    assert as_embedder() is as_embedder(bundled_embedder()) is bundled_embedder()


@pytest.mark.parametrize("source", [DeterministicFakeEmbedding(size=5), MockEmbedding(embed_dim=5), lengths])
def test_each_kind_of_object(source: object) -> None:
    embedder = as_embedder(source)
    assert isinstance(embedder, WrappedEmbedder)
    made = embedder.embed(["one", "two two"])
    assert made.shape == (2, embedder.dimensions)
    assert made.dtype == np.float32
    assert np.allclose(np.linalg.norm(made, axis=1), 1)
    assert embedder.priced_model is None
    assert isinstance(embedder, ReadyEmbedder)


def test_identity_names_class_model_and_dimension() -> None:
    assert as_embedder(Service()).identity == "Service:text-embedding-3-small:3"
    assert as_embedder(Service(), identity="mine").identity == "mine"
    assert as_embedder(lengths, dimensions=2).identity.endswith("lengths:2")
    assert as_embedder(Service("other")).identity != as_embedder(Service()).identity


def test_a_declared_dimension_needs_no_call() -> None:
    service = Service(dimensions=3)
    embedder = as_embedder(service)
    assert embedder.identity == "Service:text-embedding-3-small:3"
    assert service.asked == []
    assert as_embedder(Service(), dimensions=3).dimensions == 3


def test_an_unknown_dimension_is_asked_for_once() -> None:
    service = Service()
    embedder = as_embedder(service)
    assert isinstance(embedder, WrappedEmbedder)
    assert embedder.known_dimensions is None
    assert (embedder.dimensions, embedder.dimensions) == (3, 3)
    assert len(service.asked) == 1


def test_who_pays() -> None:
    assert as_embedder(Service()).priced_model == "text-embedding-3-small"
    assert as_embedder(Service(), priced_model=None).priced_model is None
    assert as_embedder(lengths, priced_model="text-embedding-3-large").priced_model == "text-embedding-3-large"
    assert as_embedder(MockEmbedding(embed_dim=2, model_name="x")).priced_model is None


def test_wrapping_twice_changes_only_what_is_asked() -> None:
    once = as_embedder(Service())
    assert as_embedder(once) is once
    twice = as_embedder(once, identity="renamed")
    assert (twice.identity, twice.priced_model) == ("renamed", "text-embedding-3-small")
    assert twice.embed(["a"]).shape == (1, 3)


def test_the_users_own_embedder() -> None:
    class Own:
        identity = "own-v2"
        dimensions = 2

        def embed(self, texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
            return np.array(lengths(texts))

    embedder = as_embedder(Own())
    assert (embedder.identity, embedder.dimensions, embedder.priced_model) == ("own-v2", 2, None)


def test_blank_and_odd_texts_are_not_sent() -> None:
    service = Service()
    made = as_embedder(service).embed(["", "card", " \n", "a\ud800b"])
    assert service.asked == [["card", "a?b"]]
    assert made.any(axis=1).tolist() == [False, True, False, True]


def test_only_blank_texts() -> None:
    service = Service()
    assert as_embedder(service).embed([""]).shape == (1, 3)
    assert as_embedder(service, dimensions=3).embed([]).shape == (0, 3)


def test_a_long_text_is_sent_in_part() -> None:
    service = Service()
    as_embedder(service, max_characters=10).embed(["abcdefghijklmnopqrstuvwxyz"])
    assert service.asked == [["abcde vwxyz"]]


def test_a_zero_vector_stays_zero() -> None:
    assert not as_embedder(lambda texts: [[0.0, 0.0] for _ in texts]).embed(["x"]).any()


def test_huge_and_tiny_numbers_are_normalised() -> None:
    made = as_embedder(lambda texts: [[3e38, 3e38], [1e-30, 0.0]][: len(texts)]).embed(["x", "y"])
    assert np.allclose(np.linalg.norm(made, axis=1), 1)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda texts: [[1.0, 2.0]], "shape (1, 2) for 2 texts"),
        (lambda texts: [1.0] * len(texts), "shape (2,) for 2 texts"),
        (lambda texts: np.ones((len(texts), 2, 2)), "shape (2, 2, 2)"),
        (lambda texts: [[] for _ in texts], "shape (2, 0)"),
        (lambda texts: [[1.0], [1.0, 2.0]], "no table of numbers"),
        (lambda texts: [["a"], ["b"]], "no table of numbers"),
        (lambda texts: None, "shape () for 2 texts"),
        (lambda texts: [[math.nan, 1.0], [1.0, 1.0]], "NaN or infinite numbers in 1 of 2"),
        (lambda texts: [[1.0, 1.0], [1e300, 1.0]], "first in number 1"),
        (lambda texts: {"data": []}, "no table of numbers"),
    ],
)
def test_a_broken_answer_is_named(answer: Callable[[Sequence[str]], Any], said: str) -> None:
    with pytest.raises(EmbedderError) as caught:
        as_embedder(answer).embed(["x", "y"])
    assert said in str(caught.value)
    checked = as_embedder(answer)
    assert isinstance(checked, WrappedEmbedder)
    with pytest.raises(EmbedderError):
        checked.check()


def test_a_changing_dimension_is_refused() -> None:
    sizes = iter([2, 3])
    embedder = as_embedder(lambda texts: np.ones((len(texts), next(sizes))))
    embedder.embed(["x"])
    with pytest.raises(EmbedderError, match="vectors of 3 numbers, 2 were expected"):
        embedder.embed(["x"])
    with pytest.raises(EmbedderError, match="vectors of 2 numbers, 9 were expected"):
        as_embedder(lengths, dimensions=9).embed(["x"])


async def _only_async(texts: Sequence[str]) -> list[list[float]]:
    return lengths(texts)


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        ("text-embedding-3-small", {}, "cannot embed"),
        (3, {}, "cannot embed"),
        (Service, {}, "is a class"),
        (_only_async, {}, "async only"),
        (lengths, {"identity": " "}, "identity is blank"),
        (lengths, {"dimensions": 0}, "dimensions must be at least 1, not 0"),
        (lengths, {"max_characters": 0}, "max_characters must be at least 1"),
    ],
)
def test_what_cannot_be_wrapped(source: object, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        as_embedder(source, **options)


def test_what_the_object_raises_passes_through() -> None:
    def refuse(texts: Sequence[str]) -> list[list[float]]:
        raise TimeoutError("provider is slow")

    with pytest.raises(TimeoutError, match="provider is slow"):
        as_embedder(refuse).embed(["x"])


async def test_async_uses_the_objects_own_method() -> None:
    service = Service()
    made = await as_embedder(service).aembed(["card", ""])
    assert service.awaited == 1
    assert made.any(axis=1).tolist() == [True, False]


@pytest.mark.parametrize("source", [lengths, MockEmbedding(embed_dim=2), DeterministicFakeEmbedding(size=2)])
async def test_async_of_every_kind_equals_sync(source: object) -> None:
    embedder = as_embedder(source)
    assert np.array_equal(await embedder.aembed(["card", "x"]), embedder.embed(["card", "x"]))
    assert (await as_embedder(source).aembed([""])).shape == (1, 2)
