"""Is a judge read right, and is one that cannot work refused?"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lc_costkit.cache import Cache
from lc_costkit.cache.judging import (
    AlikeAnswers,
    GreyZone,
    JudgeCase,
    Judgement,
    ask_judge,
    judge_prompt,
    read_verdict,
    same_text,
)
from lc_costkit.embedding import as_embedder
from lc_costkit.errors import ConfigurationError
from tests.cache.support import WordsEmbedder

CASE = JudgeCase(
    cached="How do I pay?", new="How can I pay?", answer="By card, in the app.", fresh="by card,  in the app"
)


def yes(case: JudgeCase) -> bool:
    return True


async def later(case: JudgeCase) -> bool:
    return True


class Later:
    async def __call__(self, case: JudgeCase) -> bool:
        return True


@pytest.mark.parametrize(
    "bounds", [(0.5, 0.5), (0.6, 0.5), (-0.1, 0.5), (0.5, 1.1), (float("nan"), 1), (True, 1), ("a", 1)]
)
def test_a_zone_without_room_is_refused(bounds: tuple[Any, Any]) -> None:
    with pytest.raises(ConfigurationError, match="GreyZone"):
        GreyZone(low=bounds[0], high=bounds[1], judge=yes)


@pytest.mark.parametrize("judge", [None, "yes", 3, later, Later()])
def test_what_cannot_be_asked_is_no_judge(judge: Any) -> None:
    with pytest.raises(ConfigurationError, match="judge must be"):
        GreyZone(low=0.1, high=0.5, judge=judge)


def test_a_judge_of_fresh_answers_does_not_fit_a_lookup() -> None:
    for judge in (same_text, AlikeAnswers(WordsEmbedder(), threshold=0.9)):
        with pytest.raises(ConfigurationError, match="fresh answer"):
            GreyZone(low=0.1, high=0.5, judge=judge)


def test_a_plain_bool_costs_nothing_and_anything_else_is_no_answer() -> None:
    assert ask_judge(yes, CASE) == Judgement(same=True, usd=Decimal(0), basis="exact")
    for junk in (None, "yes", 1, Judgement):
        with pytest.raises(TypeError, match="Judgement or a bool"):
            ask_judge(lambda case, junk=junk: junk, CASE)  # type: ignore[misc, return-value]


def test_the_same_text_is_the_same_but_for_space_case_and_closing_marks() -> None:
    assert same_text(CASE)
    assert not same_text(JudgeCase(cached="", new="", answer="5 EUR", fresh="6 EUR"))
    with pytest.raises(ValueError, match="no fresh answer"):
        same_text(JudgeCase(cached="", new="", answer="5 EUR"))


def test_alike_answers_go_by_their_cosine() -> None:
    judge = AlikeAnswers(WordsEmbedder(), threshold=0.7)
    near = JudgeCase(cached="", new="", answer="pay by card in the app", fresh="pay by card inside the app")
    far = JudgeCase(cached="", new="", answer="pay by card in the app", fresh="we are closed on sundays")
    assert ask_judge(judge, near).same is True
    assert ask_judge(judge, far).same is False
    assert "cosine" in str(ask_judge(judge, far).reason)
    with pytest.raises(ConfigurationError, match="threshold"):
        AlikeAnswers(WordsEmbedder(), threshold=1.5)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("yes", True),
        ("Yes.", True),
        (" **NO** ", False),
        ("Answer: no", False),
        ("No, the second asks for the fee.", False),
        ("<think>Is it yes? I would say yes.</think>\nno", False),
        ("네.", True),
        ("아니요", False),
        ("yes or no", None),
        ("Yes/No", None),
        ("Yesterday", None),
        ("I cannot say yes", None),
        ("", None),
    ],
)
def test_verdicts_of_models(said: str, verdict: bool | None) -> None:
    assert read_verdict(said) is verdict


def test_the_prompt_holds_the_case_and_braces_are_text() -> None:
    case = JudgeCase(cached="What is {x}?", new="What is {new}?", answer="{answer}", fresh=None)
    prompt = judge_prompt(case)
    for text in (case.cached, case.new, case.answer):
        assert text in prompt
    assert "answered apart" not in prompt
    assert "by card,  in the app" in judge_prompt(CASE)


def test_answers_that_an_embedder_cannot_compare_get_no_verdict() -> None:
    class Blind(WordsEmbedder):
        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            return super().embed(["" if text.isdigit() else text for text in texts])

    def said(judge: AlikeAnswers, answer: str, fresh: str) -> bool | None:
        return judge(JudgeCase(cached="", new="", answer=answer, fresh=fresh)).same

    blind = AlikeAnswers(as_embedder(Blind()), threshold=0.5)
    assert (said(blind, "42", "43"), said(blind, "42", "42."), said(blind, "by card", "by card now")) == (
        None,
        True,
        True,
    )
    short = AlikeAnswers(as_embedder(WordsEmbedder(), max_characters=20), threshold=0.5)
    one, other = "a a a a a a a a YES b b b b b b b b", "a a a a a a a a NO b b b b b b b b"
    assert (said(short, one, other), said(short, one, one)) == (None, True)


@pytest.mark.parametrize("judge", [lambda: True, lambda one, other: True])
def test_a_judge_takes_one_case(judge: Any) -> None:
    with pytest.raises(ConfigurationError, match="one JudgeCase"):
        GreyZone(low=0.4, high=0.6, judge=judge)


def test_a_threshold_of_zero_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="above 0"):
        AlikeAnswers(threshold=0)


@pytest.mark.parametrize(("high", "told"), [(0.3, 1), (0.99, 0)])
def test_a_grey_zone_below_the_score_of_the_policy_is_told_of(
    high: float, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    Cache(judge=GreyZone(low=0.2, high=high, judge=lambda case: True)).close()
    assert len([one for one in caplog.records if "GreyZone" in one.message]) == told
