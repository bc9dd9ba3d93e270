"""Is a policy asked once for each run of an agent, whatever happens within it?"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import Cheapest, RouteDecision, RouteRequest, Turn
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.per_run import PerRun
from lc_costkit.routing.policy import Conversation
from lc_costkit.routing.target_model import TargetModel

NAMES = ("small", "middle", "large")


class Asked:
    """A policy that keeps what it is asked, and answers with one name."""

    def __init__(self, name: str = "small") -> None:
        self.name = name
        self.requests: list[RouteRequest] = []

    def __call__(self, request: RouteRequest) -> str:
        self.requests.append(request)
        return self.name


class Waits(Asked):
    """The same, for those who can wait."""

    async def acall(self, request: RouteRequest) -> RouteDecision:
        return RouteDecision(target=self(request))


def human(text: str = "Is it sunny?") -> Turn:
    return Turn("human", text)


def said(target: str | None = None) -> Turn:
    return Turn("assistant", "", target)


RESULT = Turn("tool", "Sunny.")


def request(*turns: Turn) -> RouteRequest:
    return RouteRequest(question="Is it sunny?", turns=turns, targets=NAMES)


@pytest.mark.parametrize(
    ("turns", "target"),
    [
        ((human(), said("middle"), RESULT), "middle"),
        ((human(), said("middle"), RESULT, said(), RESULT), "middle"),
        ((human(), said("middle"), RESULT, said("large"), RESULT), "large"),  # the first had failed
        ((human(), said("large"), human("And now?")), None),
        ((human(), said("large"), human("And now?"), said("middle"), RESULT), "middle"),
        ((human(), said("gone"), RESULT), None),
        ((human(), said(), RESULT), None),
        ((human(),), None),
        ((said("middle"), RESULT), "middle"),
        ((), None),
    ],
)
async def test_a_run_goes_on_where_it_has_begun(turns: tuple[Turn, ...], target: str | None) -> None:
    policy = Waits()
    per_run = PerRun(policy)
    for answer in (per_run(request(*turns)), await per_run.acall(request(*turns))):
        assert getattr(answer, "target", answer) == (target or "small")
    assert len(policy.requests) == (2 if target is None else 0)


def test_a_step_that_cannot_tell_asks_what_the_first_step_asked() -> None:
    policy = Asked()
    per_run = PerRun(policy)
    first = request(human("Hello"), said(), human())
    per_run(first)
    per_run(request(*first.turns, said(), RESULT))
    per_run(request(*first.turns, said(), RESULT, said(), RESULT))
    assert [one.turns for one in policy.requests] == [first.turns] * 3


async def test_a_plain_function_is_a_policy_for_those_who_wait() -> None:
    assert await PerRun(lambda asked: "large").acall(request(human())) == RouteDecision(target="large")


async def test_a_coroutine_is_awaited() -> None:
    async def slow(asked: RouteRequest) -> str:
        return "middle"

    chooser = TargetChooser(NAMES, policy=PerRun(slow))
    assert (await chooser.achoose(request(human()))).target == "middle"


def test_the_policys_own_checks_are_made() -> None:
    class Particular(Asked):
        targets = ("small", "enormous")

    with pytest.raises(ConfigurationError, match="enormous"):
        TargetChooser(NAMES, policy=PerRun(Particular()))

    class Picky(Asked):
        def check(self, targets: Any) -> None:
            raise ConfigurationError(f"not among {list(targets)}")

        def check_models(self, models: Any) -> None:
            raise ConfigurationError(f"no price of {list(models)}")

    with pytest.raises(ConfigurationError, match="not among"):
        TargetChooser(NAMES, policy=PerRun(Picky()))
    with pytest.raises(ConfigurationError, match="no price of"):
        PerRun(Picky()).check_models({"small": TargetModel()})
    PerRun(Asked()).check_models({"small": TargetModel()})


def test_what_cannot_be_called_is_refused() -> None:
    policy: Any = "cheapest"
    with pytest.raises(ConfigurationError, match="'cheapest' cannot be"):
        PerRun(policy)


def test_the_caller_has_the_last_word_in_the_middle_of_a_run() -> None:
    chooser = TargetChooser(NAMES, policy=PerRun(Asked()))
    turns = (human(), said("small"), RESULT)
    asked = RouteRequest(question="Is it sunny?", turns=turns, metadata={"route": "large"})
    assert chooser.choose(asked).target == "large"


def test_what_was_not_saved_so_far_is_carried_through_a_run() -> None:
    there = Conversation(target="small", seconds=1.0, share=1.0, warm=0.5, waited_usd=Decimal("0.02"))
    asked = request(human(), said("small"), RESULT)
    answer = PerRun(Asked())(replace(asked, conversation=there))
    assert (answer.target, answer.waited_usd) == ("small", Decimal("0.02"))


async def test_a_run_that_its_target_can_no_longer_take_is_decided_about_as_it_is_now() -> None:
    models = {
        "small": TargetModel("gpt-4o-mini", "openai", max_input_tokens=1_000),
        "large": TargetModel("gpt-4o", "openai"),
    }
    begun = (human(), said("small"), RESULT)
    grown = (*begun, said("small"), Turn("tool", "It was sunny on that day, too. " * 400))
    for policy, later in ((Cheapest(), "large"), (Asked("small"), "small")):
        per_run = PerRun(policy)
        short, long = (
            RouteRequest(question="Is it sunny?", turns=turns, targets=("small", "large"), models=models)
            for turns in (begun, grown)
        )
        assert per_run(short).reasons == ("the run has begun at small",)
        assert per_run(long).target == (await per_run.acall(long)).target == later
