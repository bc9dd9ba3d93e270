"""Is a target called whatever the policy does?"""

from __future__ import annotations

import logging
import pickle
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.marks import RouteMark
from lc_costkit.routing import RouteDecision, RouteRequest, Rules
from lc_costkit.routing.choose import TargetChooser, named_targets, route_mark
from lc_costkit.routing.target_model import TargetModel

NAMES = ["small", "middle", "large"]
REQUEST = RouteRequest(question="hi")


def test_a_policy_may_be_a_plain_function_that_names_a_target() -> None:
    choice = TargetChooser(NAMES, policy=lambda request: "middle").choose(REQUEST)
    assert choice.target == "middle"
    assert choice.decision == RouteDecision(target="middle")
    assert not choice.observed


def test_a_policy_sees_the_names_of_the_targets() -> None:
    seen: list[tuple[str, ...]] = []

    def policy(request: RouteRequest) -> str:
        seen.append(request.targets)
        return request.targets[0]

    assert TargetChooser(NAMES, policy=policy).choose(REQUEST).target == "small"
    assert seen == [("small", "middle", "large")]


def raises(request: RouteRequest) -> str:
    raise RuntimeError("out of order")


def answers_nothing(request: RouteRequest) -> str:
    return None  # type: ignore[return-value]


async def waits(request: RouteRequest) -> str:
    return "small"


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        (raises, "RuntimeError"),
        (lambda request: "huge", "LookupError"),
        (answers_nothing, "TypeError"),
        (waits, "TypeError"),
        (lambda request: RouteDecision(target="small", score=7.0), "ConfigurationError"),
    ],
)
def test_a_failing_policy_means_the_strong_target(policy: object, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    chooser = TargetChooser(NAMES, policy=policy, strong="middle")  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        choices = [chooser.choose(REQUEST) for _ in range(3)]
    assert {choice.target for choice in choices} == {"middle"}
    assert choices[0].decision.reasons == (f"the routing policy failed ({kind})",)
    assert chooser.faults.counts == {f"the routing policy: {kind}": 3}
    assert len(caplog.records) == 1


def test_what_a_policy_says_when_it_fails_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    chooser = TargetChooser(NAMES, policy=lambda request: int(request.question))  # type: ignore[arg-type,return-value]
    with caplog.at_level(logging.INFO):
        chooser.choose(RouteRequest(question="my PIN is 4711"))
    assert "ValueError" in caplog.text
    assert "4711" not in caplog.text


async def test_asynchronous_policies_are_awaited() -> None:
    chooser = TargetChooser(NAMES, policy=waits)
    assert (await chooser.achoose(REQUEST)).target == "small"
    assert chooser.faults.total == 0


async def test_acall_is_preferred_where_the_loop_runs() -> None:
    class Both:
        def __call__(self, request: RouteRequest) -> str:
            return "large"

        async def acall(self, request: RouteRequest) -> str:
            return "small"

    chooser = TargetChooser(NAMES, policy=Both())
    assert chooser.choose(REQUEST).target == "large"
    assert (await chooser.achoose(REQUEST)).target == "small"


async def test_input_that_cannot_be_read_goes_to_the_strong_target() -> None:
    def unreadable() -> RouteRequest:
        raise TypeError("what is this?")

    chooser = TargetChooser(NAMES, policy=Rules())
    for choice in (chooser.choose(unreadable), await chooser.achoose(unreadable)):
        assert choice.target == "large"
        assert choice.decision.reasons == ("reading the input failed (TypeError)",)


def test_observe_mode_calls_the_strong_target_and_keeps_the_decision() -> None:
    choice = TargetChooser(NAMES, policy=lambda request: "small", mode="observe").choose(REQUEST)
    assert (choice.target, choice.decision.target, choice.observed) == ("large", "small", True)


def test_notes_become_reasons() -> None:
    request = RouteRequest(question="hi", notes=("2 parts are not text and were not read",))
    assert TargetChooser(NAMES, policy=Rules()).choose(request).decision.reasons[-1].startswith("2 parts")


def test_a_mark_carries_what_the_meter_needs() -> None:
    chooser = TargetChooser(NAMES, policy=lambda request: RouteDecision(target="small", score=0.1, reasons=("short",)))
    cheap, dear = TargetModel("gpt-4o-mini", "openai"), TargetModel("claude-opus-4-5", "anthropic")
    mark = route_mark(chooser.choose(REQUEST), strong="large", baseline=dear, chosen=cheap)
    assert mark.target == mark.chosen == "small"
    assert mark.strong == "large"
    assert (mark.baseline_model, mark.baseline_provider) == ("claude-opus-4-5", "anthropic")
    assert (mark.chosen_model, mark.chosen_provider) == ("gpt-4o-mini", "openai")
    assert (mark.score, mark.reasons, mark.observed) == (0.1, ("short",), False)
    assert RouteMark.from_dict(mark.to_dict()) == mark


def test_a_chooser_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(TargetChooser(NAMES, policy=Rules()))).choose(REQUEST).target == "small"  # noqa: S301


class Declares:
    targets = ("small", "huge")

    def __call__(self, request: RouteRequest) -> str:
        return "small"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": []}, "there are no targets"),
        ({"targets": ["small", " "]}, "non-empty string, not ' '"),
        ({"strong": "huge"}, r"strong='huge' is not a target; there are \['small', 'middle', 'large'\]"),
        ({"mode": "off"}, "mode must be 'on' or 'observe', not 'off'"),
        ({"policy": 3}, "3 cannot be called"),
        ({"policy": Rules}, r"policy Rules is a class; make one: Rules\(\.\.\.\)"),
        ({"policy": Declares()}, r"names \['huge'\], which are no targets; there are"),
        ({"policy": Rules(targets=("small", "huge"))}, r"names \['huge'\]"),
        ({"policy": Rules(threshold=(0.5,))}, "3 targets .* need 2 thresholds"),
    ],
)
def test_bad_input_is_refused_at_construction(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TargetChooser(**{"targets": NAMES, "policy": Rules(), **arguments})  # type: ignore[arg-type]


def test_targets_come_from_a_mapping_or_from_pairs() -> None:
    assert named_targets({"a": 1, "b": 2}) == named_targets([("a", 1), ("b", 2)]) == {"a": 1, "b": 2}
    with pytest.raises(ConfigurationError, match=r"two targets have one name: \['a', 'a'\]"):
        named_targets([("a", 1), ("a", 2)])
    with pytest.raises(ConfigurationError, match="a mapping of names to models, or pairs, not list"):
        named_targets([1, 2])  # type: ignore[list-item]


def test_another_target_takes_over_and_what_the_failed_one_said_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    chooser = TargetChooser(NAMES, policy=lambda request: "middle")
    first = chooser.choose(REQUEST)
    error = ValueError("Failed to parse Refund from completion {'iban': 'DE02'}")  # as an output parser says it
    following = chooser.instead(first, ("middle",), error)
    assert following is not None
    assert (following.target, following.attempt) == ("large", 2)
    assert following.decision.reasons[0] == "middle failed (ValueError)"
    last = chooser.instead(first, ("middle", "large"), error)
    assert last is not None
    assert last.target == "small"
    assert chooser.instead(first, ("middle", "large", "small"), error) is None
    assert chooser.faults.counts == {"target 'middle': ValueError": 1, "target 'large': ValueError": 1}
    assert "target 'middle'" in caplog.text
    assert "DE02" not in caplog.text


def test_what_the_failed_target_would_have_cost_is_not_said_of_another() -> None:
    chooser = TargetChooser(NAMES, policy=lambda request: RouteDecision(target="middle", expected_cost=Decimal("0.01")))
    following = chooser.instead(chooser.choose(REQUEST), ("middle",), ValueError())
    assert following is not None
    assert following.decision.expected_cost is None


@pytest.mark.parametrize("reasons", ["it is short", ["it is short"]])
def test_a_reason_may_be_a_text_of_its_own(reasons: Any) -> None:
    choice = TargetChooser(NAMES, policy=lambda request: RouteDecision(target="small", reasons=reasons)).choose(REQUEST)
    assert choice.decision.reasons == ("it is short",)
    assert RouteDecision(target="small", reasons=(ValueError(), 3)).reasons == ("", "3")  # type: ignore[arg-type]


def test_a_target_that_the_policy_does_not_want_takes_over_last() -> None:
    names = ["small", "weak", "middle", "large"]
    ruled = RouteDecision(target="middle", unfit=("weak", "large"))
    chooser = TargetChooser(names, policy=lambda request: ruled)
    first, failed = chooser.choose(REQUEST), ["middle"]
    while (following := chooser.instead(first, failed, ValueError())) is not None:
        failed.append(following.target)
    assert failed == ["middle", "small", "large", "weak"]


# -- what a target cannot do -----------------------------------------------------------------------

MODELS = {
    "small": TargetModel("gpt-3.5-turbo", max_input_tokens=16_000, tool_calling=False, media=frozenset()),
    "middle": TargetModel("gpt-4o-mini", max_input_tokens=128_000, tool_calling=True, media=frozenset({"image"})),
    "large": TargetModel("unknown"),
}


@pytest.mark.parametrize(
    ("request_", "missing"),
    [
        (RouteRequest(question="hi", tools=("search",)), "tools"),
        (RouteRequest(question="hi", media=("image",)), "image input"),
        (RouteRequest(question="hi", system="word " * 20_000), "a window for"),
    ],
    ids=["tools", "an image", "a long prompt"],
)
def test_a_target_whose_profile_says_that_it_cannot_is_passed_over(request_: RouteRequest, missing: str) -> None:
    chooser = TargetChooser(NAMES, policy=lambda request: "small")
    choice = chooser.choose(replace(request_, models=MODELS))
    assert choice.target == "middle"
    assert choice.decision.reasons[0].startswith(f"small cannot do it: {missing}")
    assert chooser.faults.total == 0


def test_a_target_that_may_be_able_is_called() -> None:
    chooser = TargetChooser(NAMES, policy=lambda request: request.metadata["to"])  # type: ignore[arg-type,return-value]
    fits = RouteRequest(question="hi", system="word " * 12_000, models=MODELS, metadata={"to": "small"})
    assert chooser.choose(fits).target == "small"
    untold = RouteRequest(question="hi", media=("image",), tools=("search",), models=MODELS, metadata={"to": "large"})
    assert chooser.choose(untold).target == "large"


def test_where_none_is_able_the_policy_is_followed_and_a_caller_always() -> None:
    chooser = TargetChooser(["small"], policy=lambda request: "small")
    asked = RouteRequest(question="hi", tools=("search",), models=MODELS)
    assert chooser.choose(asked).target == "small"
    told = TargetChooser(NAMES, policy=lambda request: "large")
    assert told.choose(replace(asked, metadata={"route": "small"})).target == "small"


def test_a_target_that_cannot_comes_last_after_a_failure() -> None:
    chooser = TargetChooser(["small", "large", "middle"], policy=lambda request: "large", strong="large")
    choice = chooser.choose(RouteRequest(question="hi", media=("image",), models=MODELS))
    assert choice.decision.unfit == ("small",)
    following = chooser.instead(choice, ["large"], ConnectionError("down"))
    assert following is not None
    assert following.target == "middle"
