"""Are pairs scored as a lookup would score them?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lc_costkit.cache.accept import VETO, Acceptor
from lc_costkit.cache.admit import AdmissionRule
from lc_costkit.cache.engine import Cache
from lc_costkit.cache.pairs import ADMISSION, SCRIPT, SIMILARITY, LabelledPair, ScoredPair, logged_pairs, score_pairs
from lc_costkit.cache.results import Hit, Miss
from lc_costkit.cache.score import PairReading
from lc_costkit.cache.seen_pairs import REFUSED_BY_SCORE, SeenPair
from lc_costkit.embedding.bundled import BundledEmbedder, bundled_embedder
from lc_costkit.errors import ConfigurationError
from tests.cache.support import WordsEmbedder, ask


@pytest.fixture(scope="module")
def embedder() -> BundledEmbedder:
    return bundled_embedder()


def only(pairs: list[Any], embedder: BundledEmbedder, **settings: Any) -> ScoredPair:
    acceptor = settings.pop("acceptor", None) or Acceptor(embedder)
    (made,) = score_pairs(pairs, embedder=embedder, acceptor=acceptor, **settings).pairs
    return made


def test_a_pair_gets_the_score_of_a_lookup(embedder: BundledEmbedder) -> None:
    cached, new = "How do I reset my password?", "Hi! How can I reset my password, please?"
    with Cache() as cache:
        cache.store(ask(cached), '"so"')
        found = cache.lookup(ask(new))
    assert isinstance(found, Hit | Miss)
    assert found.seen is not None
    made = only([(cached, new, True)], embedder)
    assert made.same is True
    assert made.refused_by is None
    assert made.score == pytest.approx(found.seen.score, abs=1e-6)
    assert made.similarity == pytest.approx(found.seen.similarity, abs=1e-6)


@pytest.mark.parametrize(
    ("cached", "new", "by"),
    [
        ("How do I close account 12?", "How do I close account 13?", "number"),
        ("What is my balance right now?", "What is my balance at this moment?", ADMISSION),
        ("How do I reset my password?", "비밀번호를 어떻게 바꾸나요?", SCRIPT),
        ("How do I reset my password?", "Which cheese melts best?", SIMILARITY),
    ],
)
def test_what_refuses_at_any_score_is_named(embedder: BundledEmbedder, cached: str, new: str, by: str) -> None:
    assert only([(cached, new, False)], embedder).refused_by == by


def test_the_operating_point_refuses_nothing_here(embedder: BundledEmbedder) -> None:
    acceptor = Acceptor(embedder)
    pair = ("How do I reset my password?", "How can I reset a forgotten password?", True)
    before = only([pair], embedder, acceptor=acceptor)
    acceptor.move(type(acceptor.point)(min_score=1.01))
    assert only([pair], embedder, acceptor=acceptor) == before


def test_admission_rules_are_those_of_the_cache(embedder: BundledEmbedder) -> None:
    rule = AdmissionRule.from_pattern("passwords", pattern="password", verdict="refuse", reason="never")
    pair = ("How do I reset my password?", "How can I reset my password?", True)
    assert only([pair], embedder, admission=(rule,)).refused_by == ADMISSION
    assert only([pair], embedder, admission=()).refused_by is None


def test_repeats_to_the_letter_are_left_out_and_counted(embedder: BundledEmbedder) -> None:
    made = score_pairs(
        [("What is my PIN?", "what is  my PIN", True), ("How do I reset my PIN?", "How can I reset my PIN?", True)],
        embedder=embedder,
        acceptor=Acceptor(embedder),
    )
    assert made.exact_repeats == 1
    assert [pair.cached for pair in made.pairs] == ["How do I reset my PIN?"]


def test_texts_are_embedded_in_batches() -> None:
    class Counting(WordsEmbedder):
        calls = 0

        def embed(self, texts: Any) -> Any:
            self.calls += 1
            assert len(texts) <= 512
            return super().embed(texts)

    words = Counting()
    pairs = [(f"stored question {number}", f"new question {number}", True) for number in range(600)]
    acceptor = Acceptor(words)
    words.calls = 0
    made = score_pairs(pairs, embedder=words, acceptor=acceptor)
    assert len(made.pairs) == 600
    assert words.calls == 3


def test_a_text_that_cannot_be_embedded_is_no_candidate(embedder: BundledEmbedder) -> None:
    made = only([("\ud800", "How do I reset my PIN?", False)], embedder)
    assert made.refused_by in (SCRIPT, SIMILARITY)
    assert np.isfinite(made.similarity)


def refuse_everything(cached: str, new: str, reading: PairReading) -> str | None:
    return "no"


def broken(cached: str, new: str, reading: PairReading) -> str | None:
    raise RuntimeError("no veto today")


@pytest.mark.parametrize("veto", [refuse_everything, broken])
def test_the_veto_is_asked_whatever_the_score_is(embedder: BundledEmbedder, veto: Any) -> None:
    acceptor = Acceptor(embedder)
    acceptor.veto = veto
    acceptor.move(type(acceptor.point)(min_score=1.01))
    pair = ("How do I reset my PIN?", "How can I reset my PIN?", True)
    assert only([pair], embedder, acceptor=acceptor).refused_by == VETO
    assert only([pair], embedder, acceptor=acceptor, veto=False).refused_by is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("a", "b"), r"pair 0 must be a LabelledPair or \(stored question"),
        ("ab", "pair 0 must be"),
        (("a", 2, True), "new must be the text of a question, not 2"),
        ((None, "b", True), "cached must be the text"),
        (("a", "b", 1), r"same must be True, False or None .* not 1; write bool"),
        (("a", "b", "yes"), "not 'yes'"),
    ],
)
def test_what_is_no_pair_is_refused(embedder: BundledEmbedder, wrong: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        score_pairs([wrong], embedder=embedder, acceptor=Acceptor(embedder))


def test_labelled_pairs_may_be_objects_or_tuples(embedder: BundledEmbedder) -> None:
    cached, new = "How do I reset my PIN?", "How can I reset my PIN?"
    forms = [LabelledPair(cached=cached, new=new, same=True), (cached, new, True), [cached, new, True]]
    assert len({only([form], embedder) for form in forms}) == 1
    assert only([SeenPair(cached=cached, new=new)], embedder).same is None


def test_logged_decisions_keep_the_score_they_had(embedder: BundledEmbedder) -> None:
    cached, new = "How do I reset my PIN?", "How can I reset my PIN?"
    seen = [
        SeenPair(cached=cached, new=new, similarity=0.8, score=0.41, refused_by=by)
        for by in (None, REFUSED_BY_SCORE, VETO, "number", "rejected")
    ]
    made = logged_pairs([*seen, SeenPair(cached=cached, new=new)], acceptor=Acceptor(embedder)).pairs
    assert [pair.refused_by for pair in made] == [None, None, None, "number", "rejected"]
    assert {pair.score for pair in made} == {0.41}


def test_logged_decisions_are_put_to_the_veto_of_today(embedder: BundledEmbedder) -> None:
    asked: list[float] = []

    def veto(cached: str, new: str, reading: PairReading) -> str | None:
        asked.append(reading.score)
        return "no"

    acceptor = Acceptor(embedder)
    acceptor.veto = veto
    seen = [SeenPair(cached="a PIN", new="the PIN", similarity=0.8, score=0.41, refused_by=REFUSED_BY_SCORE)]
    assert logged_pairs(seen, acceptor=acceptor).pairs[0].refused_by == VETO
    assert asked == [0.41]
    assert logged_pairs(seen, acceptor=acceptor, veto=False).pairs[0].refused_by is None
