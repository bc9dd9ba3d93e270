"""Is a policy asked about each question once, as a router would ask it?"""

from __future__ import annotations

import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import RouteRequest, Rules, calibrate
from lc_costkit.routing.decided import decided_places


def test_each_question_is_asked_about_once_as_the_first_of_a_conversation() -> None:
    seen: list[RouteRequest] = []

    def policy(request: RouteRequest) -> str:
        seen.append(request)
        return "b" if "?" in request.question else "a"

    places, failed = decided_places(policy, ["Hello", "Why?", "Hello"], ["strong", "a", "b"])
    assert (places.tolist(), failed) == ([1, 2, 1], {})
    assert [one.question for one in seen] == ["Hello", "Why?", "Hello"]
    assert {one.targets for one in seen} == {("strong", "a", "b")}
    assert all(one.turns[0].text == one.question and one.explained for one in seen)


def test_what_is_reported_on_is_no_traffic() -> None:
    policy = calibrate(Rules(), [f"Prove {n}" for n in range(60)], share=0.3)
    decided_places(policy, ["Hello"] * 20, ["a", "b"])
    assert policy.drift().decisions == 0


async def waits(request: RouteRequest) -> str:
    return "a"


def test_a_policy_that_cannot_decide_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"none of 2 prompts: .*TypeError"):
        decided_places(waits, ["x", "y"], ["a", "b"])
    with pytest.raises(ConfigurationError, match="which are no targets"):
        decided_places(Rules(targets=("a", "c")), ["x"], ["a", "b"])
