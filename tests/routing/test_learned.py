"""Does a policy learn which prompts need the strong target, from few labels, and say how sure it is?"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import RouteRequest, Turn
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.learned import Learned

EASY = [f"Translate the word number {n} into French, please." for n in range(60)]
HARD = [f"Prove that the theorem number {n} holds for all rings." for n in range(60)]
PROMPTS = EASY + HARD
OUTCOMES: dict[str, list[float | None]] = {"small": [1.0] * 60 + [0.0] * 60, "large": [1.0] * 120}
TWO = ("small", "large")


@pytest.fixture(scope="module")
def learned() -> Learned:
    return Learned.fit(PROMPTS, OUTCOMES, threshold=0.6)


def ask(question: str, *earlier: str, targets: tuple[str, ...] = TWO) -> RouteRequest:
    turns = tuple(Turn("human", text) for text in (*earlier, question))
    return RouteRequest(question=question, turns=turns, targets=targets)


def test_it_sends_what_the_cheap_target_fails_at_to_the_strong_one(learned: Learned) -> None:
    assert learned(ask("Translate the word tree into French.")).target == "small"
    decision = learned(ask("Prove that this theorem holds."))
    assert decision.target == "large"
    assert decision.expected_quality["large"] - decision.expected_quality["small"] > 0.3
    assert decision.score == pytest.approx((1 + learned.predict("Prove that this theorem holds.")["large"]
        - learned.predict("Prove that this theorem holds.")["small"]) / 2, abs=0.02)  # fmt: skip


def test_reasons_give_the_expected_qualities_and_nothing_of_the_question(learned: Learned) -> None:
    (reason,) = learned(ask("Prove the Featherstonehaugh theorem")).reasons
    assert reason.startswith("expected quality small 0.")
    assert "a dearer target gains +" in reason
    assert "Feather" not in reason


def test_a_reply_inherits_what_it_leans_on(learned: Learned) -> None:
    after = learned(ask("do it", HARD[0]))
    assert after.target == "large"
    assert after.score == learned(ask(HARD[0])).score
    assert after.reasons[0] == "a reply: judged as the question before it"


def test_the_threshold_trades_quality_for_cost(learned: Learned) -> None:
    assert learned.at(0.0)(ask(EASY[0])).target == "large"
    assert learned.at(1.0)(ask("Prove that this theorem holds.")).target == "small"


def test_three_targets_and_the_cheapest_that_loses_little() -> None:
    names = [f"Sum up the chapter number {n} of the book." for n in range(60)]
    outcomes = {
        "small": [1.0] * 60 + [0.0] * 120,
        "middle": [1.0] * 60 + [0.0] * 60 + [1.0] * 60,
        "large": [1.0] * 180,
    }
    learned = Learned.fit(EASY + HARD + names, outcomes, threshold=0.6)
    three = ("small", "middle", "large")
    assert [learned(ask(text, targets=three)).target for text in (EASY[3], names[3], HARD[3])] == list(three)
    assert learned(ask(names[3], targets=("small", "large"))).target == "large"
    assert learned(ask(names[3], targets=("middle",))).target == "middle"


def test_outcomes_that_are_known_of_one_target_at_a_time_are_enough() -> None:
    outcomes = {
        name: [one if (n % 2) == place else None for n, one in enumerate(column)]
        for place, (name, column) in enumerate(OUTCOMES.items())
    }
    learned = Learned.fit(PROMPTS, outcomes, threshold=0.6)
    assert learned.qualities[0].labels == 60
    assert learned(ask("Prove that this theorem holds.")).target == "large"
    assert learned(ask("Translate the word tree into French.")).target == "small"


def test_quality_is_shown_with_its_calibration_error(learned: Learned) -> None:
    small, large = learned.qualities
    assert (small.target, small.labels, small.quality) == ("small", 120, 0.5)
    assert small.squared_error < small.spread / 2
    assert large.calibration_error < 0.011
    assert "calibration error" in repr(learned)
    assert "<td" in learned._repr_html_()


def test_labels_that_are_noise_teach_it_next_to_nothing() -> None:
    chance = np.random.default_rng(3)
    prompts = [" ".join(chance.choice(["red", "blue", "tree", "sky", "sea", "run"], 8)) for _ in range(200)]
    noise = {name: [float(one) for one in chance.integers(0, 2, 200)] for name in TWO}
    learned = Learned.fit(prompts, noise)
    assert max(abs(learned.predict(prompt)["small"] - 0.5) for prompt in prompts) < 0.25


def test_what_was_saved_is_what_is_loaded(learned: Learned, tmp_path: Path) -> None:
    path = tmp_path / "router.npz"
    learned.at(0.61).save(path)
    loaded = Learned.load(path)
    assert loaded.threshold == 0.61
    assert loaded.qualities == learned.qualities
    for question in (EASY[7], HARD[7], "", "안녕하세요"):
        assert loaded(ask(question)) == learned.at(0.61)(ask(question))
    assert list(tmp_path.iterdir()) == [path]
    with np.load(path, allow_pickle=False) as arrays:
        assert not any(prompt[:20] in str(arrays["about"]) for prompt in PROMPTS)


def test_a_damaged_or_foreign_file_is_refused(learned: Learned, tmp_path: Path) -> None:
    path = tmp_path / "router.npz"
    with pytest.raises(ConfigurationError, match="there is no file"):
        Learned.load(path)
    learned.save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ConfigurationError, match="is not such a file"):
        Learned.load(path)
    path.write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(ConfigurationError, match="is not such a file"):
        Learned.load(path)
    np.savez(
        path,
        about=np.array('{"format": "other"}'),
        weights=[1],
        intercepts=[1],
        levels=[1],
        heights=[1],
        mean=[1],
        deviation=[1],
    )
    with pytest.raises(ConfigurationError, match="has version"):
        Learned.load(path)


def test_it_can_be_pickled_and_put_into_a_chooser(learned: Learned) -> None:
    chooser = TargetChooser(["small", "large"], policy=pickle.loads(pickle.dumps(learned)))  # noqa: S301
    assert chooser.choose(ask(HARD[0])).target == "large"
    with pytest.raises(ConfigurationError, match="which are no targets"):
        TargetChooser(["a", "b"], policy=learned)


@pytest.mark.parametrize(
    ("prompts", "outcomes", "message"),
    [
        (PROMPTS, {"small": [1.0] * 120}, "nothing to choose between"),
        (PROMPTS, {}, "there is none"),
        (PROMPTS, {**OUTCOMES, "large": [1.0] * 7}, "120 prompts, but 7 outcomes of 'large'"),
        (PROMPTS, {**OUTCOMES, "large": [1.0] * 119 + [1.5]}, r"'large' has .*1\.5.* for prompt 119"),
        (PROMPTS, {**OUTCOMES, "large": [1.0] * 40 + [None] * 80}, "'large' has outcomes for 40 prompts"),
        (PROMPTS[:10], {name: column[:10] for name, column in OUTCOMES.items()}, "needs 50"),
        ([*PROMPTS[:-1], 3], OUTCOMES, "number 119 is int"),
    ],
)
def test_bad_labels_are_refused(prompts: list[str], outcomes: dict[str, list[float | None]], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Learned.fit(prompts, outcomes)


def test_bad_settings_are_refused(learned: Learned) -> None:
    with pytest.raises(ConfigurationError, match=r"between 0 and 1; got 1\.2"):
        learned.at(1.2)
    with pytest.raises(ConfigurationError, match="fitted on 2 targets"):
        learned.needs("x", 3)
    with pytest.raises(LookupError, match="none to choose"):
        learned(ask("x", targets=("a", "b")))


def test_the_threshold_that_a_fit_finds_keeps_the_quality_on_the_labels() -> None:
    learned = Learned.fit(PROMPTS, OUTCOMES)
    kept = [OUTCOMES[learned(ask(prompt)).target][place] for place, prompt in enumerate(PROMPTS)]
    assert 0.9 <= sum(one or 0.0 for one in kept) / len(kept) < 1.0
