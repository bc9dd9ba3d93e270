"""Is every policy asked as it wants to be, and is what it answers held to be a decision?"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import RouteDecision, RouteRequest, Rules
from lc_costkit.routing.around import Around, ask, ask_async, name_of
from lc_costkit.routing.policy import Policy

ASKED = RouteRequest(question="Hello", targets=("small", "large"))


def by_name(request: RouteRequest) -> str:
    return "large"


async def waits(request: RouteRequest) -> RouteDecision:
    return RouteDecision(target="small")


class Both:
    targets = ("small", "large")

    def __call__(self, request: RouteRequest, /) -> str:
        return "small"

    async def acall(self, request: RouteRequest, /) -> str:
        return "large"

    def check(self, targets: Sequence[str]) -> None:
        if "large" not in targets:
            raise ConfigurationError("no large one")


async def test_names_and_decisions_are_taken_at_once_or_awaited() -> None:
    assert ask(by_name, ASKED) == await ask_async(by_name, ASKED) == RouteDecision(target="large")
    assert await ask_async(waits, ASKED) == RouteDecision(target="small")
    assert (ask(Both(), ASKED).target, (await ask_async(Both(), ASKED)).target) == ("small", "large")


def test_one_that_waits_is_refused_where_nobody_can() -> None:
    with pytest.raises(TypeError, match="waits is asynchronous; call the router with ainvoke or astream"):
        ask(waits, ASKED)


async def test_another_answer_is_refused() -> None:
    def wrong(request: RouteRequest) -> int:
        return 1

    with pytest.raises(TypeError, match="wrong answered with int, not a name or a RouteDecision"):
        ask(wrong, ASKED)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="wrong answered with int"):
        await ask_async(wrong, ASKED)  # type: ignore[arg-type]


def test_all_inside_are_checked_and_their_targets_named() -> None:
    around = Around(Both(), by_name, Rules(targets=("large", "huge")))
    assert around.targets == ("small", "large", "huge")
    assert Around(by_name).targets is None
    with pytest.raises(ConfigurationError, match="no large one"):
        around.check(("small", "huge"))


@pytest.mark.parametrize("policy", ["Rules", Rules, None])
def test_what_cannot_be_called_is_refused(policy: Policy) -> None:
    with pytest.raises(ConfigurationError, match=r"a policy is called with a RouteRequest|policy Rules is a class"):
        Around(policy)


def test_a_policy_has_a_name() -> None:
    assert (name_of(by_name), name_of(Both())) == ("by_name", "Both")
