"""Does a fitted score tell good answers from bad ones, and can it be kept?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import RouteRequest
from lc_costkit.routing.answer import Answer
from lc_costkit.routing.answer_score import AnswerScore

QUESTIONS = [f"Ann has {n} boxes of 12 eggs. How many eggs has she?" for n in range(2, 82)]
GOOD = [f"She has {n} * 12 = {n * 12} eggs. The answer is {n * 12}." for n in range(2, 82)]
BAD = [f"Perhaps about {n + 12}, hard to say, roughly speaking." for n in range(2, 82)]


@pytest.fixture(scope="module")
def score() -> AnswerScore:
    return AnswerScore.fit(QUESTIONS * 2, GOOD + BAD, [1.0] * 80 + [0.0] * 80)


def test_good_answers_score_higher(score: AnswerScore) -> None:
    question = "Bob has 7 bags of 9 nuts. How many nuts has he?"
    good = score.score(question, "He has 7 * 9 = 63 nuts. The answer is 63.")
    assert good > 0.7 > 0.3 > score.score(question, "Perhaps about 16, hard to say.")


def test_it_is_a_check_with_a_reason_and_a_score(score: AnswerScore) -> None:
    request = RouteRequest(question=QUESTIONS[3])
    assert score(request, Answer(text=GOOD[3])).passed
    verdict = score(request, Answer(text=BAD[3]))
    assert not verdict.passed
    assert verdict.score is not None
    assert verdict.reason == f"the chance that it is good is {verdict.score:.2f}, below 0.50"


def test_a_share_needs_no_outcomes(score: AnswerScore) -> None:
    strict = score.for_share(QUESTIONS * 2, GOOD + BAD, share=0.25)
    pairs = zip(QUESTIONS * 2, GOOD + BAD, strict=True)
    failures = [not strict(RouteRequest(question=question), Answer(text=text)).passed for question, text in pairs]
    assert np.mean(failures) == pytest.approx(0.25, abs=0.03)


def test_what_was_saved_is_what_is_loaded(score: AnswerScore, tmp_path: Path) -> None:
    path = tmp_path / "score.npz"
    score.at(0.7).save(path)
    loaded = AnswerScore.load(path)
    assert (loaded.threshold, loaded.quality) == (0.7, score.quality)
    for question, text in ((QUESTIONS[5], GOOD[5]), ("", ""), ("안녕?", "네.")):
        assert loaded.score(question, text) == score.score(question, text)


def test_a_policys_file_is_refused(tmp_path: Path) -> None:
    from lc_costkit.routing import Learned
    from tests.routing.test_learned import OUTCOMES, PROMPTS

    path = tmp_path / "policy.npz"
    Learned.fit(PROMPTS, OUTCOMES).save(path)
    with pytest.raises(ConfigurationError, match="has version"):
        AnswerScore.load(path)


def test_its_own_quality_is_shown(score: AnswerScore) -> None:
    assert score.quality.labels == 160
    assert score.quality.squared_error < score.quality.spread / 2
    assert "calibration error" in repr(score)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((QUESTIONS, GOOD[:9], [1.0] * 80), "80 requests, 9 answers and 80 outcomes"),
        ((QUESTIONS[:9], GOOD[:9], [1.0] * 9), "a fit needs 50"),
        ((QUESTIONS, GOOD, [1.0] * 79 + [1.5]), "between 0 and 1"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[list[str], list[str], list[float]], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        AnswerScore.fit(*arguments)


def test_bad_settings_are_refused(score: AnswerScore) -> None:
    with pytest.raises(ConfigurationError, match="got 1"):
        score.at(1.5)
    with pytest.raises(ConfigurationError, match="share lies"):
        score.for_share(QUESTIONS, GOOD, share=2.0)
    with pytest.raises(ConfigurationError, match="give one of each"):
        score.for_share(QUESTIONS, GOOD[:3], share=0.2)
