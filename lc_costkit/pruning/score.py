"""How much does each sentence have to do with the question?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lc_costkit.errors import ConfigurationError
from lc_costkit.pruning.words import asks_for, can_answer, content_terms, terms

if TYPE_CHECKING:
    from lc_costkit.embedding import Embedder


_EMBEDS = ("embed", "embed_documents", "get_text_embedding_batch", "encode")
_READS_PAIRS = ("predict", "score")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence of one passage, as a scorer sees it.

    Attributes:
        text: the sentence, verbatim.
        title: title of its passage, if it has one.
        passage: position of its passage among those of the call.
    """

    text: str
    title: str | None = None
    passage: int = 0

    @property
    def titled(self) -> str:
        """``title: sentence``; alone, a sentence seldom names its subject."""
        return f"{self.title}: {self.text}" if self.title else self.text


class Scorer(Protocol):
    """Scores sentences against a question; a plain function is a legal one.

    Returns one finite number for each sentence, higher is more relevant. Only differences
    within one call count, so cosines, logits and BM25 scores all do.
    """

    def __call__(self, question: str, sentences: Sequence[Sentence], /) -> Sequence[float] | NDArray[Any]:
        """Return one score for each of ``sentences``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LexicalScorer:
    """BM25 over the sentences of one call, titles included; any language, no model, a few milliseconds.

    Idf comes from the call's own sentences. The defaults are the middle of a plateau
    measured with ``benchmarks/pruning.py`` on Natural Questions and XQuAD.

    Args:
        saturation: BM25 ``k1``, how much a repeated word adds.
        length_normalisation: BM25 ``b``, 0 to 1.
        passage_weight: how much the score of the whole passage counts, in standard deviations.
        answer_weight: how much it counts that a sentence holds the kind of thing asked for
            (a date, a number, a name), in standard deviations.

    Raises:
        ConfigurationError: a value is negative, or ``length_normalisation`` is over 1.

    >>> score = LexicalScorer()
    >>> sentences = [Sentence(text="It rained in Paris."), Sentence(text="Picasso painted it.")]
    >>> int(score("Who painted Guernica?", sentences).argmax())
    1
    """

    saturation: float = 1.2
    length_normalisation: float = 0.4
    passage_weight: float = 0.3
    answer_weight: float = 0.8

    def __post_init__(self) -> None:
        for name in ("saturation", "length_normalisation", "passage_weight", "answer_weight"):
            value = getattr(self, name)
            if not 0 <= value < float("inf") or (name == "length_normalisation" and value > 1):
                raise ConfigurationError(f"{name} is {value}; it must be 0 or more, and length_normalisation at most 1")

    def __call__(self, question: str, sentences: Sequence[Sentence], /) -> NDArray[np.float64]:
        """Return one score for each of ``sentences``."""
        memo: dict[str, str] = {}
        query = Counter(content_terms(question, memo))
        titles = {s.title: terms(s.title, memo) for s in sentences if s.title}
        passages: dict[int, Counter[str]] = {}
        bags: list[Counter[str]] = []
        for sentence in sentences:
            bag = Counter(terms(sentence.text, memo))
            title = titles[sentence.title] if sentence.title else []
            passages.setdefault(sentence.passage, Counter(title)).update(bag)
            bag.update(title)
            bags.append(bag)
        scores = _standardised(self._bm25(query, bags, self.length_normalisation))
        if len(passages) > 1:
            # Whole passages differ more in length than sentences do: BM25's usual 0.75 is right for them.
            whole = dict(zip(passages, self._bm25(query, list(passages.values()), 0.75), strict=True))
            scores += self.passage_weight * _standardised([whole[s.passage] for s in sentences])
        kind = asks_for(question)
        if kind is not None and self.answer_weight:
            scores += self.answer_weight * np.array([can_answer(kind, s.text, question) for s in sentences])
        return scores

    def _bm25(self, query: Mapping[str, int], bags: Sequence[Counter[str]], b: float) -> list[float]:
        lengths = [bag.total() for bag in bags]
        mean = sum(lengths) / len(bags) or 1.0
        scores = [0.0] * len(bags)
        places: dict[str, list[int]] = {}
        for i, bag in enumerate(bags):
            for term in query.keys() & bag.keys():
                places.setdefault(term, []).append(i)
        for term, times in query.items():
            holding = places.get(term, ())
            idf = log(1 + (len(bags) - len(holding) + 0.5) / (len(holding) + 0.5))
            for i in holding:
                count = bags[i][term]
                norm = self.saturation * (1 - b + b * lengths[i] / mean)
                scores[i] += times * idf * count * (self.saturation + 1) / (count + norm)
        return scores


@dataclass(frozen=True, slots=True)
class EmbeddingScorer:
    """Cosine between the question and ``title: sentence``, from any embedder.

    Args:
        embedder: see ``lc_costkit.embedding``. A sentence it cannot embed scores as unrelated.
    """

    embedder: Embedder

    def __call__(self, question: str, sentences: Sequence[Sentence], /) -> NDArray[np.float64]:
        """Return one cosine, -1 to 1, for each of ``sentences``."""
        vectors = self.embedder.embed([question, *(s.titled for s in sentences)]).astype(np.float64)
        cosines: NDArray[np.float64] = vectors[1:] @ vectors[0]
        return cosines


@dataclass(frozen=True, slots=True)
class PairScorer:
    """Scores from a model that reads question and sentence together, such as a cross-encoder.

    Args:
        predict: takes ``(question, "title: sentence")`` pairs, returns one score for each.

    >>> PairScorer(lambda pairs: [float(len(text)) for _, text in pairs])("?", [Sentence(text="ab", title="t")])
    [5.0]
    """

    predict: Callable[[list[tuple[str, str]]], Sequence[float] | NDArray[Any]]

    def __call__(self, question: str, sentences: Sequence[Sentence], /) -> Sequence[float] | NDArray[Any]:
        """Return one score for each of ``sentences``."""
        return self.predict([(question, s.titled) for s in sentences])


@dataclass(frozen=True, slots=True)
class BlendedScorer:
    """Several scorers as one: the weighted sum of their scores, each in standard deviations.

    Args:
        parts: scorers with their weights.

    Raises:
        ConfigurationError: no parts, or a weight that is not above 0.
    """

    parts: Sequence[tuple[Scorer, float]]

    def __post_init__(self) -> None:
        if not self.parts or any(not weight > 0 for _, weight in self.parts):
            raise ConfigurationError("a blend needs at least one scorer, each with a weight above 0")

    def __call__(self, question: str, sentences: Sequence[Sentence], /) -> NDArray[np.float64]:
        """Return one score for each of ``sentences``."""
        total = np.zeros(len(sentences))
        for scorer, weight in self.parts:
            total += weight * _standardised(scorer(question, sentences))
        return total


def as_scorer(scorer: object) -> Scorer:
    """Return ``scorer`` as a ``Scorer``, whatever it is now.

    Taken: ``None`` (lexical); a cross-encoder with ``predict(pairs)`` or ``score(pairs)``; an embedder,
    LangChain ``Embeddings`` or LlamaIndex ``BaseEmbedding``; a callable ``(question, sentences) -> scores``.

    Raises:
        ConfigurationError: it is none of these.

    >>> as_scorer(None)
    LexicalScorer(saturation=1.2, length_normalisation=0.4, passage_weight=0.3, answer_weight=0.8)
    """
    if scorer is None:
        return LexicalScorer()
    if not isinstance(scorer, type | str | bytes):
        if any(callable(getattr(scorer, name, None)) for name in _EMBEDS):
            from lc_costkit.embedding import as_embedder

            return EmbeddingScorer(as_embedder(scorer))
        for name in _READS_PAIRS:
            if callable(predict := getattr(scorer, name, None)):
                return PairScorer(predict)
        if callable(scorer):
            return scorer
    raise ConfigurationError(
        f"scorer is {scorer!r}; give a callable (question, sentences) -> scores, a cross-encoder with "
        "predict(pairs) or score(pairs), or an embedder"
    )


def checked_scores(scores: Sequence[float] | NDArray[Any], count: int) -> NDArray[np.float64]:
    """Return ``scores`` as an array.

    Raises:
        ValueError: there are not ``count`` of them, or one is not a finite number.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (count,):
        raise ValueError(f"the scorer returned shape {values.shape} for {count} sentences")
    if not np.isfinite(values).all():
        raise ValueError("the scorer returned a score that is not a finite number")
    return values


def _standardised(scores: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    spread = values.std()
    centred: NDArray[np.float64] = values - values.mean()
    return centred / spread if spread > 1e-12 else np.zeros_like(values)
