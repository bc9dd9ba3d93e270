"""Is a stated share of users and conversations decided by the policy on trial, and always the same ones?"""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import RouteDecision, RouteRequest, Rules, Turn
from lc_costkit.routing.canary import canary
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.sticky import sticky

TARGETS = ("small", "large")


def on_trial(request: RouteRequest) -> RouteDecision:
    return RouteDecision(target="small", score=0.1, reasons=("on trial",))


def asked(question: str = "Hello", *turns: str, **metadata: object) -> RouteRequest:
    said = tuple(Turn("human" if n % 2 == 0 else "assistant", text) for n, text in enumerate((*turns, question)))
    return RouteRequest(question=question, turns=said, targets=TARGETS, metadata=metadata)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("seed", ["", "autumn"])
def test_the_share_of_keys_is_the_one_that_is_stated(share: float, seed: str) -> None:
    """Within what a binomial share of 20,000 leaves once in a million: 4.9 standard deviations."""
    keys = 20_000
    policy = canary(on_trial, share, seed=seed)
    found = sum(policy(asked(user=f"user {n}")).target == "small" for n in range(keys))
    assert abs(found - share * keys) <= 4.9 * math.sqrt(keys * share * (1 - share))


def test_nobody_and_everybody() -> None:
    for n in range(500):
        request = asked(user=n)
        assert canary(on_trial, 0)(request).target == "large"
        assert canary(on_trial, 1)(request).target == "small"
        assert canary(on_trial, 0.0).in_trial(request) is False


def test_it_is_said_whether_a_call_is_in_the_trial_and_by_what() -> None:
    policy = canary(on_trial, 0.5)
    decisions = [policy(asked(user=f"user {n}")) for n in range(50)]
    assert {decision.reasons for decision in decisions} == {
        ("in the trial (user)", "on trial"),
        ("outside the trial (user)",),
    }
    assert {decision.score for decision in decisions} == {0.1, None}
    assert policy(asked()).reasons[0].endswith("(first turn)")
    assert policy(asked(thread_id="t")).reasons[0].endswith("(thread_id)")


@given(st.text(), st.text(), st.floats(0, 1), st.floats(0, 1))
def test_as_the_share_is_raised_nobody_leaves(user: str, seed: str, one: float, other: float) -> None:
    less, more = sorted((one, other))
    request = asked(user=user)
    assert canary(on_trial, more, seed=seed).in_trial(request) >= canary(on_trial, less, seed=seed).in_trial(request)


def test_a_conversation_stays_in_or_out_as_it_goes_on() -> None:
    policy = canary(on_trial, 0.5)
    for n in range(100):
        first = policy.in_trial(asked(f"question {n}"))
        assert policy.in_trial(asked("and then?", f"question {n}", "an answer")) is first
        assert policy.in_trial(asked("thanks", f"question {n}", "an answer", "and then?", "this")) is first


def test_the_order_of_keys() -> None:
    """A user comes before threads and sessions, and metadata before the first turn."""
    policy = canary(on_trial, 0.5)
    order = ["user", "user_id", "thread_id", "session_id", "conversation_id"]
    for place, name in enumerate(order):
        for n in range(40):
            alone = policy(asked(**{name: f"key {n}"}))
            assert alone.reasons[0].endswith(f"({name})")
            later = dict.fromkeys(order[place + 1 :], f"another {n}")
            assert policy(asked(f"hi {n}", **{name: f"key {n}"}, **later)) == alone
    empty: Any = {**dict.fromkeys(order, ""), "user": None}
    assert policy(asked(**empty)) == policy(asked())
    assert policy(RouteRequest(question="Hello", targets=TARGETS)) == policy(asked("Hello"))


def test_a_key_of_your_own() -> None:
    named, function = canary(on_trial, 0.5, key="tenant"), canary(on_trial, 0.5, key=lambda r: r.metadata.get("tenant"))
    for policy, word in ((named, "tenant"), (function, "key")):
        ways = [policy(asked(tenant=f"tenant {n}", user=f"user {n % 7}")) for n in range(60)]
        assert {decision.target for decision in ways} == {"small", "large"}
        assert all(decision.reasons[0].endswith(f"({word})") for decision in ways)
        again = [policy(asked(tenant=f"tenant {n}", user="somebody else")) for n in range(60)]
        assert ways == again
        assert policy(asked(user="ann")).reasons[0].endswith("(user)")


def test_another_seed_draws_others() -> None:
    """Independent draws agree on half of the keys; 4.9 standard deviations of 2,000 are 0.055."""
    one, other = canary(on_trial, 0.5, seed="spring"), canary(on_trial, 0.5, seed="autumn")
    same = sum(one.in_trial(asked(user=n)) == other.in_trial(asked(user=n)) for n in range(2_000))
    assert abs(same / 2_000 - 0.5) < 0.055


def test_it_is_the_same_in_every_process() -> None:
    policy = canary(on_trial, 0.5)
    here = [policy.in_trial(asked(user=f"user {n}")) for n in range(64)]
    script = (
        "from lc_costkit.routing import RouteRequest, canary\n"
        "policy = canary(lambda request: 'small', 0.5)\n"
        "asked = [RouteRequest(question='', metadata={'user': f'user {n}'}) for n in range(64)]\n"
        "print([policy.in_trial(request) for request in asked])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(here)


def test_the_rest_goes_to_the_strong_target_or_to_another_policy() -> None:
    request = asked(user="ann")
    assert canary(on_trial, 0)(request) == RouteDecision(target="large", reasons=("outside the trial (user)",))
    other = canary(on_trial, 0, otherwise=lambda request: RouteDecision(target="small", reasons=("as before",)))
    assert other(request).reasons == ("outside the trial (user)", "as before")
    chooser = TargetChooser(["weak", "strong", "odd"], policy=canary(on_trial, 0))
    assert chooser.choose(RouteRequest(question="hi")).target == "strong"


class Waits:
    """A policy that has to be awaited."""

    async def acall(self, request: RouteRequest) -> str:
        return "small"

    def __call__(self, request: RouteRequest) -> Any:
        return self.acall(request)


async def test_policies_that_wait() -> None:
    assert (await canary(Waits(), 1).acall(asked())).target == "small"
    assert (await canary(on_trial, 0, otherwise=Waits()).acall(asked())).target == "small"
    assert (await canary(on_trial, 0).acall(asked())).target == "large"
    chooser = TargetChooser(TARGETS, policy=canary(Waits(), 1))
    assert (await chooser.achoose(asked())).target == "small"
    assert chooser.choose(asked()).decision.reasons == ("the routing policy failed (TypeError)",)


def test_a_key_that_fails_sends_the_call_to_the_strong_target() -> None:
    chooser = TargetChooser(TARGETS, policy=canary(on_trial, 1, key=lambda request: request.metadata["tenant"]))
    choice = chooser.choose(asked())
    assert (choice.target, choice.decision.reasons) == ("large", ("the routing policy failed (KeyError)",))
    assert chooser.faults.total == 1


def test_both_policies_are_checked() -> None:
    for policy in (canary(Rules(targets=("huge",)), 0.1), canary(on_trial, 0.1, otherwise=Rules(targets=("huge",)))):
        with pytest.raises(ConfigurationError, match=r"names \['huge'\], which are no targets"):
            TargetChooser(TARGETS, policy=policy)
    assert canary(on_trial).targets is None


def test_it_stands_inside_and_around_others() -> None:
    for policy in (sticky(canary(Rules(), 0.5)), canary(sticky(Rules()), 0.5, otherwise=Rules())):
        chooser = TargetChooser(TARGETS, policy=policy)
        for n in range(20):
            assert chooser.choose(asked(user=n)).target in TARGETS
        assert chooser.faults.total == 0


def test_it_can_be_pickled() -> None:
    policy = canary(Rules(), 0.25, otherwise=Rules(threshold=0.9), key="tenant", seed="s")
    copied = pickle.loads(pickle.dumps(policy))  # noqa: S301
    assert [copied(asked(tenant=n)) for n in range(20)] == [policy(asked(tenant=n)) for n in range(20)]
    assert pickle.loads(pickle.dumps(canary(Rules()))).share == 0.05  # noqa: S301


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": 1.5}, "0 to 1, not 1.5"),
        ({"share": -0.1}, "0 to 1, not -0.1"),
        ({"share": float("nan")}, "0 to 1, not nan"),
        ({"share": True}, "0 to 1, not True"),
        ({"share": "5%"}, "0 to 1, not '5%'"),
        ({"policy": None}, "a policy is called with a RouteRequest; None cannot be"),
        ({"otherwise": "large"}, "a policy is called with a RouteRequest; 'large' cannot be"),
        ({"key": ""}, "key must name a metadata entry or be a function of a request, not ''"),
        ({"key": 3}, "key must name a metadata entry or be a function of a request, not 3"),
        ({"seed": 7}, "seed must be a text, not 7"),
    ],
)
def test_bad_input_is_refused_at_construction(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        canary(**{"policy": on_trial, **arguments})
