"""Does what bubbles up through a graph leave a policy, and does everything else stay a fault?"""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.errors import GraphBubbleUp, GraphInterrupt

from lc_costkit.agents.interrupts import Interruptible, let_through
from lc_costkit.routing import RouteRequest
from lc_costkit.routing.choose import TargetChooser

ASKED = RouteRequest(question="Hello", targets=("small", "large"))


def raising(error: Exception) -> Any:
    def policy(request: RouteRequest) -> str:
        raise error

    return Interruptible(policy)


@pytest.mark.parametrize("error", [GraphInterrupt(()), GraphBubbleUp("stop")])
async def test_what_bubbles_up_is_raised_as_it_was(error: Exception) -> None:
    chooser = TargetChooser(["small", "large"], policy=raising(error))
    with pytest.raises(type(error)) as caught, let_through():
        chooser.choose(ASKED)
    assert caught.value is error
    with pytest.raises(type(error)) as caught, let_through():
        await chooser.achoose(ASKED)
    assert caught.value is error
    assert chooser.faults.total == 0


async def test_any_other_error_is_a_fault() -> None:
    chooser = TargetChooser(["small", "large"], policy=raising(ZeroDivisionError()))
    with let_through():
        assert chooser.choose(ASKED).target == (await chooser.achoose(ASKED)).target == "large"
    assert chooser.faults.total == 2


async def test_an_answer_is_the_policys() -> None:
    policy = Interruptible(lambda request: "small")
    assert policy(ASKED).target == (await policy.acall(ASKED)).target == "small"
