"""Do calibrated thresholds give what was asked for, and say how sure that is?"""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import (
    CalibratedPolicy,
    LabelledPrompt,
    RouteDecision,
    RouteRequest,
    Rules,
    calibrate,
    labelled_prompts,
)
from lc_costkit.routing.choose import TargetChooser
from tests.routing.parallel import HARD, SIMPLE


class ByNumber:
    """A policy of one's own: the question is its score, in thousandths."""

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        dearer = self.needs(request.question, 2)[0] >= self.threshold
        return RouteDecision(target=request.targets[dearer])

    def needs(self, question: str, targets: int) -> Sequence[float]:
        return tuple(int(question) / 1000 * (targets - 1 - place) / (targets - 1) for place in range(targets - 1))

    def at(self, threshold: float) -> ByNumber:
        return ByNumber(threshold)


def drawn(count: int, seed: int = 0) -> list[str]:
    return [str(one) for one in np.random.default_rng(seed).integers(0, 1000, count)]


def labelled(count: int, seed: int = 0, *, harm: float = 1.0) -> tuple[LabelledPrompt, ...]:
    """The cheap target fails with a chance that grows with the score; the strong one in a tenth."""
    chance = np.random.default_rng(seed)
    numbers = chance.integers(0, 1000, count)
    cheap = (chance.random(count) > 0.1 + 0.6 * harm * numbers / 1000).astype(float)
    strong = (chance.random(count) > 0.1).astype(float)
    return labelled_prompts([str(one) for one in numbers], {"cheap": cheap.tolist(), "strong": strong.tolist()})


def test_a_share_is_met_within_its_interval() -> None:
    near, held = 0, 0
    for seed in range(200):
        point = calibrate(ByNumber(), drawn(300, seed), share=0.3, confidence=0.9).point
        truth = 1 - np.ceil(point.threshold * 1000) / 1000
        near += abs(truth - 0.3) <= 0.04
        held += point.share_interval[0] <= truth <= point.share_interval[1]
    assert near >= 160
    assert held >= 180


def test_the_interval_narrows_with_prompts() -> None:
    few, many = (calibrate(ByNumber(), drawn(count), share=0.3).point.share_interval for count in (100, 3000))
    assert few[1] - few[0] > 4 * (many[1] - many[0])


def test_questions_that_are_asked_often_stay_together() -> None:
    point = calibrate(ByNumber(), ["100"] * 80 + ["900"] * 40, share=0.5).point
    assert point.share == pytest.approx(1 / 3)
    assert 0.1 < point.threshold < 0.9


@pytest.mark.parametrize("asked", [0.01, 0.99])
def test_the_ends_of_the_range_can_be_asked_for(asked: float) -> None:
    assert calibrate(ByNumber(), ["500"] * 100, share=asked).point.share == round(asked)


def test_a_quality_is_kept_and_the_cheap_target_is_used() -> None:
    # Exactly: at a threshold t, the cheap target answers the part t, and loses 0.3 t squared of the quality.
    lost, used = 0, []
    for seed in range(40):
        threshold = calibrate(ByNumber(), labelled(1500, seed), min_quality=0.9).point.threshold
        lost += 0.9 - 0.3 * threshold**2 < 0.9 * 0.9
        used.append(threshold)
    assert lost <= 2 + 2 * (40 * 0.05 * 0.95) ** 0.5
    assert np.mean(used) > 0.35


def test_where_nothing_can_be_certified_all_goes_to_the_strongest() -> None:
    rows = [LabelledPrompt(prompt=str(n), outcomes={"cheap": 0.0, "strong": 1.0}) for n in range(200)]
    calibrated = calibrate(ByNumber(), rows, min_quality=0.999)
    assert (calibrated.point.threshold, calibrated.point.share) == (0.0, 1.0)
    assert calibrated(RouteRequest(question="0", targets=("cheap", "strong"))).target == "strong"


def test_where_the_cheap_target_is_as_good_it_gets_everything() -> None:
    rows = [LabelledPrompt(prompt=str(n), outcomes={"cheap": 1.0, "strong": 1.0}) for n in range(200)]
    assert calibrate(ByNumber(), rows, min_quality=0.95).point.share == 0.0


def test_three_targets_are_calibrated_by_one_threshold() -> None:
    chance = np.random.default_rng(0)
    numbers = chance.integers(0, 1000, 2000)
    outcomes = {
        "small": (numbers < 300).astype(float).tolist(),
        "middle": (numbers < 600).astype(float).tolist(),
        "large": [1.0] * 2000,
    }
    rows = labelled_prompts([str(one) for one in numbers], outcomes)
    point = calibrate(ByNumber(), rows, min_quality=0.9).point
    assert point.quality is not None
    assert 0.9 <= point.quality < 0.95
    assert 0.3 < point.share < 0.8


def test_rules_are_calibrated_on_the_users_own_prompts() -> None:
    prompts = [text for pair in (*SIMPLE, *HARD) for text in pair] * 2
    policy = calibrate(Rules(), prompts, share=0.3)
    sent = [policy(RouteRequest(question=text, targets=("a", "b"))).target == "b" for text in prompts]
    assert np.mean(sent) == policy.point.share == pytest.approx(0.3, abs=0.03)
    assert TargetChooser(["a", "b"], policy=policy).choose(RouteRequest(question=HARD[0][0])).target == "b"
    assert isinstance(calibrate(policy, prompts, share=0.5), CalibratedPolicy)


def test_what_was_chosen_can_be_read() -> None:
    text = repr(calibrate(ByNumber(), labelled(600), min_quality=0.9))
    assert "at least 90.0% of the strongest target's" in text
    assert "<th>threshold</th>" in calibrate(ByNumber(), drawn(100), share=0.2)._repr_html_()


def test_a_calibrated_policy_can_be_pickled() -> None:
    policy = calibrate(ByNumber(), drawn(100), share=0.2)
    assert pickle.loads(pickle.dumps(policy)).point == policy.point  # noqa: S301


@pytest.mark.parametrize(
    ("policy", "prompts", "options", "message"),
    [
        (ByNumber(), drawn(100), {}, "either share= or min_quality="),
        (ByNumber(), drawn(100), {"share": 0.3, "min_quality": 0.9}, "not both"),
        (ByNumber(), drawn(100), {"share": 0.0}, r"share must be above 0 and below 1, not 0\.0"),
        (ByNumber(), drawn(100), {"share": 0.3, "confidence": 1.0}, "confidence must be"),
        (ByNumber(), drawn(10), {"share": 0.3}, "at least 50 prompts"),
        (ByNumber(), drawn(100), {"min_quality": 0.9}, "LabelledPrompt objects, not str"),
        (ByNumber(), [1] * 100, {"share": 0.3}, "must be text, not int"),
        (lambda request: "a", drawn(100), {"share": 0.3}, "function has no threshold"),
        (Rules(targets=("a", "b")), labelled(100), {"min_quality": 0.9}, r"differ in \['a', 'b', 'cheap', 'strong'\]"),
        (Rules(targets=("a",)), drawn(100), {"share": 0.3}, "nothing to choose between"),
        (ByNumber(), drawn(100), {"share": 0.3, "window": 5}, "at least 20 decisions, not 5"),
        (
            ByNumber(),
            labelled_prompts(drawn(100), {"cheap": [1.0] * 99 + [None], "strong": [1.0] * 100}),
            {"min_quality": 0.9},
            "'cheap' has none for prompt 99",
        ),
    ],
)
def test_bad_input_is_refused(policy: object, prompts: list[str], options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        calibrate(policy, prompts, **options)  # type: ignore[arg-type]
