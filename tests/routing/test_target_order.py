"""Does a target count as the strongest only where somebody said so, or the outcomes do not speak against it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import CalibratedPolicy, LabelledPrompt, Learned, Rules, calibrate, canary, first_sure, sticky
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.outcomes import outcome_table
from lc_costkit.routing.target_order import explicit_order, refuse_accidental_order, refuse_other_order

PROMPTS = [f"Prove {n}" if n % 2 else f"Hi {n}" for n in range(300)]
WEAK = [float(n % 2 == 0) for n in range(300)]


def labelled(*names: str, better: str = "strong") -> list[LabelledPrompt]:
    """Two targets of which ``better`` is always right and the other one half of the time."""
    return [
        LabelledPrompt(prompt=prompt, outcomes={name: 1.0 if name == better else weak for name in names})
        for prompt, weak in zip(PROMPTS, WEAK, strict=True)
    ]


def test_the_dear_target_first_is_not_certified_as_the_cheapest() -> None:
    with pytest.raises(ConfigurationError, match=r"strong 1\.000, cheap 0\.500\. Pass targets=\[cheapest"):
        calibrate(Rules(), labelled("strong", "cheap"), min_quality=0.95)


def test_the_order_of_the_alphabet_is_not_certified() -> None:
    with pytest.raises(ConfigurationError, match="is clearly worse than 'gpt-4o'"):
        calibrate(Rules(), labelled("gpt-4o", "gpt-4o-mini", better="gpt-4o"), min_quality=0.95)


def test_one_prompt_does_not_decide_about_the_order() -> None:
    rows = [*labelled("strong", "cheap")[:1], *labelled("cheap", "strong")[1:]]
    for mixed in (rows, rows[::-1]):
        with pytest.raises(ConfigurationError, match="which is the strongest"):
            calibrate(Rules(), mixed, min_quality=0.95)
        kept = calibrate(Rules(), mixed, min_quality=0.95, targets=["cheap", "strong"])
        assert kept.point == calibrate(Rules(), labelled("cheap", "strong"), min_quality=0.95).point


def test_an_order_that_is_said_is_taken_as_it_is() -> None:
    point = calibrate(Rules(), labelled("strong", "cheap"), min_quality=0.95, targets=["strong", "cheap"]).point
    assert (point.targets, point.share) == (("strong", "cheap"), 0.0)
    right = calibrate(Rules(), labelled("strong", "cheap"), min_quality=0.95, targets=["cheap", "strong"])
    assert 0.4 < right.point.share < 0.6
    assert "cheap, strong (the strongest)" in repr(right)


def test_a_policy_that_knows_its_targets_says_their_order() -> None:
    policy = Rules(targets=("cheap", "strong"))
    assert calibrate(policy, labelled("strong", "cheap"), min_quality=0.95).point.targets == ("cheap", "strong")
    with pytest.raises(ConfigurationError, match="but the policy's are"):
        calibrate(policy, labelled("cheap", "strong"), min_quality=0.95, targets=["strong", "cheap"])


def test_targets_that_are_as_good_as_each_other_may_stand_in_any_order() -> None:
    refused = 0
    for seed in range(200):
        found = np.random.default_rng(seed).integers(0, 2, (100, 2)).astype(float)
        try:
            refuse_accidental_order(outcome_table(["?"] * 100, {"a": list(found[:, 0]), "b": list(found[:, 1])}))
        except ConfigurationError:
            refused += 1
    assert refused <= 10 + 2 * (200 * 0.05 * 0.95) ** 0.5


def test_a_few_answers_and_those_to_other_prompts_are_no_evidence() -> None:
    refuse_accidental_order(outcome_table(["?"] * 3, {"a": [1, 1, 1], "b": [0, 0, 0]}))
    apart: dict[str, list[float | None]] = {"a": [1.0] * 60 + [None] * 60, "b": [None] * 60 + [0.0] * 60}
    refuse_accidental_order(outcome_table(["?"] * 120, apart))


def test_a_fit_takes_no_accidental_order() -> None:
    outcomes = {"strong": [1.0] * 300, "cheap": WEAK}
    with pytest.raises(ConfigurationError, match="'cheap', the strongest by that, is clearly worse than 'strong'"):
        Learned.fit(PROMPTS, outcomes)
    learned = Learned.fit(PROMPTS, outcomes, targets=["cheap", "strong"])
    assert learned.targets == ("cheap", "strong")
    assert Learned.fit(PROMPTS, outcomes, targets=["strong", "cheap"]).targets == ("strong", "cheap")
    with pytest.raises(ConfigurationError, match=r"differ in \['cheap'\]"):
        Learned.fit(PROMPTS, outcomes, targets=["strong"])


def test_a_calibrated_policy_is_for_its_own_targets_only() -> None:
    policy = calibrate(Rules(), labelled("cheap", "strong"), min_quality=0.95)
    around: list[Any] = [policy, sticky(policy), canary(policy, 0.5), first_sure(policy, Rules())]
    for one in around:
        TargetChooser(["cheap", "strong"], policy=one)
        TargetChooser(["strong", "cheap"], policy=one)  # the one called strong is the last, wherever it stands
        for names in (["small", "large"], ["cheap", "middle", "strong"]):
            with pytest.raises(ConfigurationError, match=r"no targets|was chosen for the targets"):
                TargetChooser(names, policy=one)
        with pytest.raises(ConfigurationError, match="was chosen for the targets"):
            TargetChooser(["cheap", "strong"], policy=one, strong="cheap")


def test_a_share_without_names_is_for_any_two_targets() -> None:
    policy = calibrate(Rules(), PROMPTS, share=0.3)
    assert (policy.point.targets, policy.targets) == (None, None)
    TargetChooser(["a", "b"], policy=policy)
    named = calibrate(Rules(), PROMPTS, share=0.3, targets=["a", "b"])
    assert isinstance(named, CalibratedPolicy)
    with pytest.raises(ConfigurationError, match="was chosen for the targets"):
        TargetChooser(["b", "a"], policy=named)


@pytest.mark.parametrize("names", [["c", "b", "a"], ["b", "a"]])
def test_policies_with_targets_of_their_own_refuse_another_order(names: list[str]) -> None:
    learned = Learned.fit(PROMPTS, {"a": WEAK, "b": [1.0] * 300})
    for policy in (Rules(targets=("a", "b")), learned, first_sure(learned, Rules())):
        TargetChooser(["a", "b", "c"], policy=policy)
        with pytest.raises(ConfigurationError, match=r"but the router has them in the order \['b', 'a'\]"):
            TargetChooser(names, policy=policy)


def test_what_was_fitted_may_know_more_than_there_is() -> None:
    three = Learned.fit(PROMPTS, {"a": WEAK, "b": [0.9] * 300, "c": [1.0] * 300})
    three.check(["a", "c"])
    with pytest.raises(ConfigurationError, match="in the order"):
        three.check(["c", "a"])
    with pytest.raises(ConfigurationError, match="not on any of"):
        three.check(["x", "y"])


@pytest.mark.parametrize("targets", ["ab", ["a", "b", "a"]])
def test_what_is_no_order_is_refused(targets: Sequence[str]) -> None:
    with pytest.raises(ConfigurationError, match="each once, cheapest first"):
        explicit_order(targets, ["a", "b"])


def test_names_that_only_one_of_two_has_do_not_matter_to_their_order() -> None:
    refuse_other_order(["a", "b", "c"], ["a", "x", "c"], "it has")
    with pytest.raises(ConfigurationError, match=r"it has \['a', 'b'\]"):
        refuse_other_order(["a", "b"], ["b", "x", "a"], "it has")
