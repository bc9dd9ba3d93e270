"""Does the first policy that is sure decide, and only that one?"""

from __future__ import annotations

import asyncio
import inspect
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import RouteDecision, RouteRequest, Rules
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.classifier import Classifier
from lc_costkit.routing.first_sure import FirstSure, first_sure
from lc_costkit.routing.target_model import TargetModel
from tests.routing.test_classifier import Model, WaitingModel, asked

TWO = ("small", "large")


class Scored:
    """A policy with a score of the test's."""

    def __init__(self, score: float | None, target: str = "small", threshold: Any = 0.5) -> None:
        self.score, self.target, self.threshold = score, target, threshold
        self.calls = 0
        self.checked: list[object] = []

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        self.calls += 1
        return RouteDecision(target=self.target, score=self.score, reasons=(f"it is {self.target}",))

    def check(self, targets: Sequence[str]) -> None:
        self.checked.append(tuple(targets))

    def check_models(self, models: Mapping[str, TargetModel]) -> None:
        self.checked.append(dict(models))


class Waiting(Scored):
    """The same, asynchronous only."""

    def __call__(self, request: RouteRequest, /) -> Any:
        return self.acall(request)

    async def acall(self, request: RouteRequest, /) -> RouteDecision:
        await asyncio.sleep(0)
        return super().__call__(request)


REQUEST = RouteRequest(question="hi", targets=TWO)


@pytest.mark.parametrize(
    ("score", "sure"), [(0.0, True), (0.3, True), (0.31, False), (0.5, False), (0.69, False), (0.7, True), (1.0, True)]
)
def test_a_decision_outside_of_the_band_stands(score: float, sure: bool) -> None:
    first, last = Scored(score), Scored(0.5, "large")
    decision = first_sure(first, last, unsure=(0.3, 0.7))(REQUEST)
    assert decision.target == ("small" if sure else "large")
    assert last.calls == (0 if sure else 1)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.floats(0, 1), st.floats(0, 1))
def test_of_any_number_of_policies_the_first_sure_one_decides(scores: list[float], one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    policies = [Scored(score, str(place)) for place, score in enumerate(scores)]
    decision = first_sure(*policies, unsure=(low, high))(REQUEST)
    sure = [place for place, score in enumerate(scores) if not low < score < high]
    expected = min([*sure, len(scores) - 1])
    assert decision.target == str(expected)
    assert [policy.calls for policy in policies] == [int(place <= expected) for place in range(len(policies))]


def test_reasons_tell_who_decided_and_why_the_others_did_not() -> None:
    def by_hand(request: RouteRequest) -> str:
        return "large"

    policy = first_sure(Scored(0.4), Scored(None), by_hand, unsure=[None, (0.2, 0.8)])
    assert policy(REQUEST).reasons == (
        "decided by by_hand",
        "Scored was unsure (0.400, between 0.333 and 0.667)",
        "Scored gave no score",
    )
    sure = first_sure(Scored(0.4), Scored(0.9, "large"), by_hand, unsure=[(0.3, 0.5), (0.2, 0.8)])(REQUEST)
    assert sure.reasons == (
        "decided by Scored, which is sure (0.900, not between 0.200 and 0.800)",
        "Scored was unsure (0.400, between 0.300 and 0.500)",
        "it is large",
    )
    assert sure.score == 0.9


def test_the_classifier_is_asked_about_the_middle_only() -> None:
    model = Model("large")
    chooser = TargetChooser(TWO, policy=first_sure(Rules(), Classifier(model)))
    clear = "Hello!", "Prove that the algorithm terminates, analyse its complexity and refactor it step by step."
    assert [chooser.choose(RouteRequest(question=one)).target for one in clear] == ["small", "large"]
    assert model.prompts == []
    between = chooser.choose(RouteRequest(question="Why was I charged twice at a hotel?"))
    assert between.target == "large"
    assert "the classifier says large" in between.decision.reasons
    assert len(model.prompts) == 1


def test_a_policy_that_fails_ends_it_and_the_router_is_told() -> None:
    def fails(request: RouteRequest) -> str:
        raise TimeoutError("too slow")

    chooser = TargetChooser(TWO, policy=first_sure(Scored(0.5), fails))
    assert chooser.choose(RouteRequest(question="hi")).target == "large"
    assert chooser.faults.total == 1


def test_an_answer_that_is_no_decision_is_a_failure() -> None:
    policy = first_sure(Scored(0.5), lambda request: None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="NoneType"):
        policy(REQUEST)


async def test_asynchronous_policies_are_awaited() -> None:
    model = WaitingModel("large")
    policy = first_sure(Waiting(0.5), Scored(0.5), Classifier(model))
    decision = await policy.acall(asked(targets=TWO))
    assert (decision.target, decision.reasons[0]) == ("large", "decided by Classifier")
    assert (await first_sure(Waiting(0.9), Scored(0.1), unsure=(0.4, 0.6)).acall(REQUEST)).score == 0.9


def test_asynchronous_policies_cannot_be_called() -> None:
    waiting = Waiting(0.5)
    with pytest.raises(TypeError, match="Waiting is asynchronous"):
        first_sure(waiting, Scored(0.5))(REQUEST)
    assert not inspect.isawaitable(first_sure)


def test_checks_and_names_pass_through() -> None:
    one, other = Scored(0.5), Scored(0.5)
    policy = first_sure(
        one, other, Rules(targets=("small", "large")), Classifier(Model("?"), targets=("large", "huge"))
    )
    assert policy.targets == ("small", "large", "huge")
    assert first_sure(one, other).targets is None
    TargetChooser(["small", "large", "huge"], policy=policy).check_models({"small": TargetModel()})
    assert one.checked == other.checked == [("small", "large", "huge"), {"small": TargetModel()}]
    with pytest.raises(ConfigurationError, match="huge"):
        TargetChooser(["small", "large"], policy=policy)
    with pytest.raises(ConfigurationError, match="look the same"):
        TargetChooser(["small", "Small"], policy=first_sure(Rules(), Classifier(Model("small"))))


# -- keeping and refusing -------------------------------------------------------------------------


def test_it_can_be_pickled() -> None:
    policy = first_sure(Rules(), Classifier(Model("large")))
    again = pickle.loads(pickle.dumps(policy))  # noqa: S301
    assert again(asked("Why was I charged twice at a hotel?", targets=TWO)).target == "large"
    assert repr(again).startswith("first_sure(Rules(")


@pytest.mark.parametrize("policies", [(), (Rules(),)])
def test_one_policy_is_too_few(policies: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigurationError, match="two policies or more"):
        FirstSure(policies)


@pytest.mark.parametrize("policy", ["rules", None, Rules])
def test_what_is_no_policy_is_refused(policy: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be called|Rules is a class"):
        first_sure(Rules(), policy)


@pytest.mark.parametrize(
    "unsure",
    [(0.7, 0.3), (-0.1, 0.5), (0.5, 1.1), (0.5,), (0.1, 0.2, 0.3), (float("nan"), 0.5), (True, 0.5), ["low"], 0.5],
)
def test_a_band_that_is_none_is_refused(unsure: Any) -> None:
    with pytest.raises(ConfigurationError, match="unsure band"):
        first_sure(Rules(), Rules(), unsure=unsure)


def test_there_is_a_band_for_each_policy_but_the_last() -> None:
    with pytest.raises(ConfigurationError, match="each of the 2 policies"):
        first_sure(Rules(), Rules(), Rules(), unsure=[(0.1, 0.2)])


@pytest.mark.parametrize("policy", [lambda request: "small", Classifier(Model("small")), Scored(0.5, threshold=7)])
def test_a_policy_without_a_threshold_needs_a_band(policy: Any) -> None:
    with pytest.raises(ConfigurationError, match="no threshold"):
        first_sure(policy, Rules())
    first_sure(policy, Rules(), unsure=(0.2, 0.8))
