"""Does an explanation show every step of a decision, and does it say what a lookup then does?"""

from __future__ import annotations

from typing import Any

import pytest

from lc_costkit.cache import Cache, CacheRequest, Explanation, Hit, question
from lc_costkit.cache.explain import Verdict, settings_that_are_set, without_secrets
from lc_costkit.cache.judging import GreyZone, JudgeCase
from lc_costkit.cache.point import OperatingPoint
from lc_costkit.cache.policy import Policy
from lc_costkit.cache.score import PairReading
from lc_costkit.embedding import as_embedder
from lc_costkit.switch import DISABLE_VARIABLE
from tests.cache.support import WordsEmbedder, ask

FEE = "What is the fee for a card"
LOST = "What is the fee for a lost card"
RESET = "How do I reset my password?"
REWORDED = "How can I reset my password?"


def small(**knobs: Any) -> Cache:
    return Cache(**{"embedder": WordsEmbedder(), "similarity_threshold": 0.5, "gates": (), **knobs})


def put(cache: Cache, *texts: str) -> None:
    for text in texts:
        assert cache.store(ask(text), '"stored"') is not None


def said(explanation: Explanation) -> dict[str, Verdict]:
    return {verdict.step: verdict for verdict in explanation.verdicts}


def agree(cache: Cache, request: CacheRequest) -> Explanation:
    """Explain a request, then look it up: both must come to the same."""
    explanation = cache.explain(request)
    assert explanation.served == isinstance(cache.lookup(request), Hit)
    return explanation


def test_every_step_of_a_reworded_question_is_shown() -> None:
    with Cache(max_error_rate=0.03) as cache:
        put(cache, RESET)
        explanation = agree(cache, ask(REWORDED))
        verdicts = said(explanation)
        assert explanation.served
        assert not explanation.asks_judge
        assert {verdict.says for verdict in explanation.verdicts} == {"passes"}
        assert {"similarity", "gate number", "gate negation", "score"} <= set(verdicts)
        assert explanation.reading is not None
        assert explanation.score == explanation.reading.score >= explanation.point.min_score
        shown = repr(explanation)
        for part in (
            explanation.key.scope[:16],
            explanation.key.exact[:16],
            "features",
            "coverage",
            "crowd",
            "not certified",
            "policy strict",
            "at most 3.0% of semantic hits wrong",
            f"{len(explanation.gates)} of {len(explanation.gates)} gates",
        ):
            assert part in shown


def test_every_gate_that_refuses_has_a_row_and_the_others_share_one() -> None:
    with Cache() as cache:
        put(cache, "How do I close account 12?")
        explanation = agree(cache, ask("How do I open account 13?"))
        refusing = [opinion.gate for opinion in explanation.gates if opinion.reason]
        assert len(refusing) >= 2
        labels = [label for label, _ in explanation.rows()]
        assert [label for label in labels if label.startswith("gate ")] == [f"gate {name}" for name in refusing]
        assert f"{len(explanation.gates) - len(refusing)} of {len(explanation.gates)} gates" in labels
        assert f"gate {refusing[0]}" in explanation.decision


def test_it_says_what_a_declared_scope_stands_for_and_leaves_no_trace() -> None:
    def step(document: str) -> CacheRequest:
        return ask(f"Use this.\n{document}\nQuestion: {FEE}")

    with small() as cache, question(FEE, scope="kb-1"):
        for document in ("One", "Two"):
            assert dict(cache.explain(step(document)).rows())["declared"].startswith("scope 'kb-1' stands for")
        put(cache, step("One").turns[-1].text)
        assert "does not stand for" in dict(agree(cache, step("Two")).rows())["declared"]
        put(cache, step("Two").turns[-1].text)
        assert agree(cache, step("One")).served
        with question(FEE, scope="kb-1"):
            second = agree(cache, step("Two"))
            assert second.served
            assert "is not needed" in dict(second.rows())["declared"]
    with small() as cache:
        assert "declared" not in dict(cache.explain(ask(FEE)).rows())


def test_a_score_below_the_point_refuses_and_says_both() -> None:
    with small() as cache:
        put(cache, FEE)
        cache._points.save(point=OperatingPoint(min_score=0.99, source="tightened", max_error_rate=0.05))
        explanation = agree(cache, ask(LOST))
        assert said(explanation)["score"].says == "refuses"
        assert "0.990" in said(explanation)["score"].why
        assert explanation.decision.startswith("miss: score")


def test_a_certified_point_is_shown_as_one() -> None:
    point = OperatingPoint(
        min_score=0.5,
        source="calibrated",
        max_error_rate=0.05,
        certified=True,
        upper_error_rate=0.05,
        confidence=0.95,
        served=90,
        wrong=1,
    )
    with small() as cache:
        put(cache, FEE)
        cache._points.save(point=point)
        explanation = agree(cache, ask(LOST))
        assert explanation.point == point
        assert "not certified" not in repr(explanation)
        assert "95% confidence (1 of 90 labelled hits)" in repr(explanation)


def test_the_crowd_around_the_candidate_is_in_the_features() -> None:
    with small() as cache:
        put(cache, FEE)
        alone = cache.explain(ask(LOST)).reading
        put(cache, *(f"{FEE} {letter}" for letter in "abcdefghijk"))
        crowded = cache.explain(ask(LOST)).reading
        assert alone is not None
        assert crowded is not None
        assert alone.crowd == 0 < crowded.crowd


def test_a_candidate_that_is_too_far_has_its_features_too() -> None:
    with small(similarity_threshold=0.95) as cache:
        put(cache, FEE)
        explanation = agree(cache, ask(LOST))
        assert said(explanation)["similarity"].says == "refuses"
        assert explanation.candidate == FEE
        assert explanation.reading is not None


@pytest.mark.parametrize("zone", [(0.6, 0.99), (0.6, 0.8), (0.95, 0.99)])
def test_the_grey_zone_says_who_decides(zone: tuple[float, float]) -> None:
    asked: list[JudgeCase] = []

    def judge(case: JudgeCase) -> bool:
        asked.append(case)
        return True

    low, high = zone
    with small(judge=GreyZone(low=low, high=high, judge=judge)) as cache:
        put(cache, FEE)
        explanation = cache.explain(ask(LOST))
        assert asked == [], "explaining asks no judge"
        hit = isinstance(cache.lookup(ask(LOST)), Hit)
        score = explanation.score
        assert score is not None
        assert explanation.asks_judge == bool(asked) == (low <= score < high)
        assert explanation.served == (hit and not asked)
        wanted = "asks" if asked else "passes" if hit else "refuses"
        assert said(explanation)["score"].says == wanted
        assert ("the judge decides" in explanation.decision) == bool(asked)


def test_a_pair_that_was_rejected_says_so_in_both_directions() -> None:
    with small() as cache:
        put(cache, FEE)
        hit = cache.lookup(ask(LOST))
        assert isinstance(hit, Hit)
        cache.reject(hit)
        put(cache, FEE)
        explanation = agree(cache, ask(LOST))
        assert explanation.rejected
        assert said(explanation)["rejected"].says == "refuses"
        assert said(explanation)["score"].says == "passes"
        assert "rejected for this question" in explanation.decision
        cache.delete(question=FEE)
    with small() as cache:
        put(cache, FEE)
        assert not agree(cache, ask(LOST)).rejected


def test_the_learned_veto_is_one_of_the_gates() -> None:
    def veto(cached: str, new: str, reading: PairReading) -> str | None:
        if "broken" in new:
            raise ValueError("no")
        return "labels say no" if "lost" in new else None

    with small() as cache:
        put(cache, FEE)
        cache.explain(ask(LOST))  # what was learned is read once
        cache._acceptor.veto = veto
        assert said(agree(cache, ask(LOST)))["gate veto"].why == "labels say no"
        assert said(agree(cache, ask("What is the fee for a new card")))["gate veto"].says == "passes"
        assert "raised ValueError" in said(agree(cache, ask("What is the fee for a broken card")))["gate veto"].why


def test_a_refusal_because_of_what_else_is_stored_is_shown_beside_the_gates() -> None:
    wary = Policy(name="wary", gates=(), min_score=0.3, refuses_twins=True)
    with Cache(policy=wary, embedder=WordsEmbedder()) as cache:
        put(cache, FEE)
        assert agree(cache, ask(LOST)).served
        put(cache, "For a card what is the fee")
        explanation = agree(cache, ask(LOST))
        assert said(explanation)["gate twin"].says == "refuses"
        assert "gate twin" in explanation.decision


def test_what_is_not_decided_by_meaning_has_no_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    with small(gates=None) as cache:
        assert agree(cache, ask(FEE)).verdicts == ()
        put(cache, FEE)
        assert agree(cache, ask(FEE)).verdicts == ()
        assert agree(cache, ask("What is my balance?")).verdicts == ()
        assert agree(cache, ask("")).verdicts == ()
        monkeypatch.setenv(DISABLE_VARIABLE, "1")
        assert agree(cache, ask(FEE)).decision == f"miss: {DISABLE_VARIABLE} is set"


def test_observe_mode_says_that_it_serves_nothing() -> None:
    with small(mode="observe") as cache:
        put(cache, FEE)
        explanation = agree(cache, ask(LOST))
        assert explanation.tier == "semantic"
        assert "observe mode serves nothing" in explanation.decision


def test_a_notebook_shows_verdicts_at_a_glance_and_nothing_unescaped() -> None:
    def blunt(cached: object, new: object) -> str:
        return "<script>alert(1)</script>"

    with small(gates=(blunt,)) as cache:
        settings = '{"stop":"<br>"}'
        cache.store(ask("<b>fee</b> for a card", settings=settings), '"stored"')
        page = cache.explain(ask("<i>fee</i> for a card", settings=settings))._repr_html_()
    for tag in ("<script", "<b>", "<i>", "<br>"):
        assert tag not in page
    assert page.count("✗ refuses") == 2, "the decision and the gate"
    assert "✓ passes" in page
    assert page.count("<tr>") == page.count("</tr>") >= 10


def test_questions_of_any_size_and_kind_are_explained() -> None:
    odd = ["x\x00y", "\ud800 lone", "word " * 100_000, " \n\t", "🙂"]
    with Cache(embedder=as_embedder(WordsEmbedder())) as cache:
        put(cache, FEE)
        for text in odd:
            explanation = agree(cache, ask(text))
            assert len(repr(explanation)) < 6_000
            assert explanation._repr_html_()


def test_secrets_inside_quoted_settings_are_blanked() -> None:
    assert "k-1" not in without_secrets("{\"a\":\"[('api_key', 'k-1')]\"}")


def test_half_a_surrogate_pair_can_be_printed() -> None:
    with small() as cache:
        explanation = cache.explain(ask("\ud800 lone"))
    assert "? lone" in repr(explanation)
    assert repr(explanation).encode() and explanation._repr_html_().encode()


def test_only_settings_that_are_set_are_shown() -> None:
    settings = (
        '{"call":{"stop":null},"model":{"id":["langchain","chat_models","openai","ChatOpenAI"],'
        '"kwargs":{"max_tokens":7,"temperature":0.0},"lc":1,"name":"ChatOpenAI","type":"constructor"}}'
    )
    with small() as cache:
        explanation = cache.explain(ask("What is the fee", settings=settings))
    assert dict(explanation.rows())["settings"] == "model: ChatOpenAI, max_tokens: 7, temperature: 0.0"
    assert explanation.settings == settings
    assert settings_that_are_set("{}") == "none"
    assert settings_that_are_set("max_tokens=5") == "max_tokens=5"
