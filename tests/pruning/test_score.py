"""Do scorers of every kind rank the sentence that answers first?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from lc_costkit.errors import ConfigurationError
from lc_costkit.pruning import BlendedScorer, EmbeddingScorer, LexicalScorer, PairScorer, Sentence, as_scorer
from lc_costkit.pruning.score import checked_scores

QUESTIONS = [
    ("Who painted Guernica?", ["It hangs in Madrid.", "Pablo Picasso painted Guernica.", "It rained."], 1),
    ("When was the bridge opened?", ["The bridge is long.", "The bridge was opened in 1871.", "It is red."], 1),
    ("Wie viele Spieler hatte die Mannschaft?", ["Es regnete.", "Die Mannschaft hatte 11 Spieler.", "Das Tor."], 1),
    ("黑豹队的防守丢了多少分？", ["野马队赢了。", "黑豹队的防守只丢了308分。", "天气很好。"], 1),
    ("카드를 어떻게 취소하나요?", ["날씨가 좋습니다.", "카드 취소는 앱에서 합니다."], 1),
    ("من كتب الكتاب؟", ["الطقس جميل.", "كتب أحمد هذا الكتاب."], 1),
    ("เมืองหลวงของไทยคืออะไร", ["ฝนตกทั้งวัน", "กรุงเทพเป็นเมืองหลวงของไทย"], 1),
]


@pytest.mark.parametrize(("question", "texts", "best"), QUESTIONS)
def test_lexical_ranks_the_answer_first(question: str, texts: list[str], best: int) -> None:
    assert int(LexicalScorer()(question, [Sentence(text=text) for text in texts]).argmax()) == best


def test_the_title_says_what_a_sentence_is_about() -> None:
    sentences = [
        Sentence(text="It was opened in 1990.", title="Tower of London", passage=0),
        Sentence(text="It was opened in 1889.", title="Eiffel Tower", passage=1),
    ]
    assert int(LexicalScorer()("When was the Eiffel Tower opened?", sentences).argmax()) == 1
    assert sentences[1].titled == "Eiffel Tower: It was opened in 1889."
    assert Sentence(text="a").titled == "a"


@pytest.mark.parametrize("question", ["", "???", "xyzzy", "the of and"])
def test_a_question_that_matches_nothing_scores_all_alike(question: str) -> None:
    scores = LexicalScorer()(question, [Sentence(text="One cat."), Sentence(text="Two dogs.")])
    assert np.allclose(scores, scores[0])


@pytest.mark.parametrize(
    "options",
    [{"saturation": -1.0}, {"length_normalisation": 1.5}, {"passage_weight": float("nan")}, {"answer_weight": -0.1}],
)
def test_a_weight_out_of_range_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        LexicalScorer(**options)


class Words:
    """An embedder: one dimension for each of three words."""

    identity = "words"
    dimensions = 3

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.array([[w in text.lower() for w in ("cat", "dog", "fish")] for text in texts], dtype=np.float32)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(lengths == 0, 1, lengths)


class Reader:
    """A cross-encoder: counts shared words."""

    def predict(self, pairs: list[tuple[str, str]]) -> list[float]:
        return [float(len(set(a.lower().split()) & set(b.lower().split()))) for a, b in pairs]


SENTENCES = [Sentence(text="the dog barks"), Sentence(text="the cat sleeps", title="cat"), Sentence(text="nothing")]


def test_an_embedder_scores_by_cosine_with_the_title() -> None:
    scores = as_scorer(Words())("cat", SENTENCES)
    assert list(scores) == [0.0, 1.0, 0.0]
    assert list(EmbeddingScorer(Words())("cat", [Sentence(text="it sleeps", title="Cat")])) == [1.0]


def test_langchain_embeddings_are_taken() -> None:
    scorer = as_scorer(DeterministicFakeEmbedding(size=8))
    assert isinstance(scorer, EmbeddingScorer)
    assert np.isclose(np.asarray(scorer("same", [Sentence(text="same")]))[0], 1.0)


def test_a_cross_encoder_is_taken() -> None:
    scorer = as_scorer(Reader())
    assert isinstance(scorer, PairScorer)
    assert list(scorer("cat sleeps", SENTENCES)) == [0.0, 2.0, 0.0]


def test_a_function_is_taken_as_it_is() -> None:
    def by_length(question: str, sentences: Sequence[Sentence]) -> list[float]:
        return [float(len(s.text)) for s in sentences]

    assert as_scorer(by_length) is by_length
    assert as_scorer(LexicalScorer()) == LexicalScorer()


@pytest.mark.parametrize("wrong", ["bm25", 3, Reader, object()])
def test_what_cannot_score_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match="scorer is"):
        as_scorer(wrong)


def test_a_blend_weighs_standard_deviations() -> None:
    def small(question: str, sentences: Sequence[Sentence]) -> list[float]:
        return [0.0, 0.001]

    def large(question: str, sentences: Sequence[Sentence]) -> list[float]:
        return [1000.0, 0.0]

    two = [Sentence(text="a"), Sentence(text="b")]
    assert int(BlendedScorer([(small, 2.0), (large, 1.0)])("q", two).argmax()) == 1
    assert int(BlendedScorer([(small, 1.0), (large, 2.0)])("q", two).argmax()) == 0


@pytest.mark.parametrize("parts", [[], [(LexicalScorer(), 0.0)], [(LexicalScorer(), float("nan"))]])
def test_a_blend_of_nothing_is_refused(parts: list[tuple[LexicalScorer, float]]) -> None:
    with pytest.raises(ConfigurationError, match="blend"):
        BlendedScorer(parts)


@pytest.mark.parametrize("scores", [[1.0], [1.0, float("nan")], [1.0, float("inf")], [[1.0, 2.0]]])
def test_scores_are_checked(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="the scorer returned"):
        checked_scores(scores, 2)
