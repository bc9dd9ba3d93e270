"""Are policies data that is checked?"""

from __future__ import annotations

from typing import Any

import pytest

from lc_costkit.cache.gates import BALANCED_GATES, DEFAULT_GATES
from lc_costkit.cache.policy import BALANCED, POLICIES, STRICT, Policy, policy_of
from lc_costkit.errors import ConfigurationError


def test_policies_are_found_by_name() -> None:
    assert policy_of("strict") is STRICT is POLICIES["strict"]
    assert policy_of("balanced") is BALANCED
    mine = Policy(name="mine", gates=(), min_score=0.7)
    assert policy_of(mine) is mine


def test_the_balanced_policy_has_fewer_gates() -> None:
    assert STRICT.gates == DEFAULT_GATES
    assert BALANCED.gates == BALANCED_GATES
    assert set(BALANCED.gates) < set(STRICT.gates)
    assert BALANCED.refuses_twins
    assert not STRICT.refuses_twins


@pytest.mark.parametrize("value", ["Strict", "", None, 0.8, STRICT.gates])
def test_what_is_no_policy_is_refused_by_what_it_is(value: object) -> None:
    with pytest.raises(ConfigurationError, match="strict, balanced") as raised:
        policy_of(value)
    assert repr(value) in str(raised.value)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"name": " "}, "name"),
        ({"gates": (len, "negation")}, "'negation'"),
        ({"min_score": 1.2}, "min_score"),
        ({"min_score": True}, "min_score"),
        ({"min_score": "high"}, "min_score"),
        ({"crowd_weight": -0.1}, "crowd_weight"),
        ({"crowd_weight": float("nan")}, "crowd_weight"),
    ],
)
def test_a_policy_that_cannot_decide_is_refused(changed: dict[str, Any], named: str) -> None:
    settings: dict[str, Any] = {"name": "mine", "gates": (), "min_score": 0.5, **changed}
    with pytest.raises(ConfigurationError, match=named):
        Policy(**settings)
