"""Does an escalation ask as few targets as it can, and never lose a request?"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import BudgetExceeded, BudgetUnavailable, ConfigurationError
from lc_costkit.marks import ROUTE_KEY
from lc_costkit.model_price import ModelPrice
from lc_costkit.pricing import PriceBook
from lc_costkit.routing import RouteRequest, Rules
from lc_costkit.routing.answer import PASSED, Answer, Verdict, failed
from lc_costkit.routing.checks import GENERAL_CHECKS, Length, SelfConsistent, complete, no_refusal
from lc_costkit.routing.escalation import (
    Draw,
    Drawn,
    Escalation,
    Settled,
    Tried,
    Try,
    Unreadable,
    Walk,
    async_drive,
    begin_cheapest,
    sync_drive,
)
from lc_costkit.routing.target_model import TargetModel

NAMES = ["cheap", "middle", "strong"]
BAD = "I'm sorry, but I cannot help with that."
PRICES = PriceBook(
    overrides={
        name: ModelPrice(input_per_million=0, output_per_million=0, per_call=usd)
        for name, usd in [("cheap", "0.01"), ("middle", "0.10"), ("strong", "1.00")]
    }
)
MODELS = {name: TargetModel(name) for name in NAMES}


@dataclass
class World:
    """Targets that say what they are told to, and keep how they were called."""

    says: dict[str, Any] = field(default_factory=dict)
    samples: Any = ()
    usd: Decimal | None = None
    tries: list[Try] = field(default_factory=list)
    draws: list[Draw] = field(default_factory=list)

    def call(self, step: Try) -> Tried:
        self.tries.append(step)
        said = self.says.get(step.target, f"{step.target} says so.")
        if isinstance(said, Exception):
            raise said
        if isinstance(said, Tried):
            return said
        return Tried(output=f"<{said}>", answer=Answer(text=said), usd=self.usd)

    def draw(self, step: Draw) -> Drawn:
        self.draws.append(step)
        if isinstance(self.samples, Exception):
            raise self.samples
        return Drawn(answers=tuple(Answer(text=text) for text in self.samples), usd=self.usd)

    async def acall(self, step: Try) -> Tried:
        return self.call(step)

    async def adraw(self, step: Draw) -> Drawn:
        return self.draw(step)

    @property
    def called(self) -> list[str]:
        return [step.target for step in self.tries]


def plan(*checks: Any, **options: Any) -> Escalation:
    return Escalation(NAMES, checks or (complete, no_refusal), **options)


def settle(world: World, made: Escalation, request: RouteRequest | None = None, **options: Any) -> Settled:
    walk = made.walk(request or RouteRequest(question="Why?", models=MODELS), **options)
    settled = sync_drive(walk, call=world.call, draw=world.draw)
    assert isinstance(settled, Settled)
    return settled


# -- who answers ---------------------------------------------------------------------------------


def test_a_good_draft_is_the_answer() -> None:
    world = World()
    settled = settle(world, plan())
    assert (settled.target, settled.output, settled.answer.target) == ("cheap", "<cheap says so.>", "cheap")
    assert world.called == ["cheap"]
    assert [(one.target, one.passed, one.reasons) for one in settled.attempts] == [("cheap", True, ())]
    assert settled.stopped is None


def test_a_bad_draft_goes_up_with_its_reason_until_one_is_good() -> None:
    world = World({"cheap": BAD})
    settled = settle(world, plan())
    assert settled.target == "middle"
    assert [(one.target, one.passed) for one in settled.attempts] == [("cheap", False), ("middle", True)]
    assert "declines" in settled.attempts[0].reasons[0]
    first, second = world.tries
    assert (first.attempt, first.rejected, first.reasons) == (1, 0, ())
    assert (second.attempt, second.rejected) == (2, 1)
    assert second.reasons[0].startswith("cheap was not good enough: it declines")
    assert [one.target for one in second.attempts] == ["cheap"]


def test_the_last_target_is_believed_whatever_it_says() -> None:
    seen: list[str] = []

    def check(request: RouteRequest, answer: Answer) -> Verdict:
        seen.append(answer.target)
        return failed("no")

    world = World()
    settled = settle(world, plan(check))
    assert settled.target == "strong"
    assert seen == ["cheap", "middle"]
    assert [one.passed for one in settled.attempts] == [False, False, None]
    assert [step.live for step in world.tries] == [False, False, True]


def test_checks_after_one_that_fails_are_not_asked() -> None:
    asked: list[str] = []

    def first(request: RouteRequest, answer: Answer) -> Verdict:
        asked.append("first")
        return failed("no")

    def second(request: RouteRequest, answer: Answer) -> Verdict:
        asked.append("second")
        return PASSED

    settle(World(), plan(first, second))
    assert asked == ["first", "first"]


def test_the_policy_says_where_to_begin_and_the_strong_target_comes_last() -> None:
    world = World({"middle": BAD})
    settled = settle(world, Escalation(["strong", "cheap", "middle"], [no_refusal], policy=lambda request: "middle"))
    assert world.called == ["middle", "strong"]
    assert settled.target == "strong"


def test_a_policy_that_fails_begins_with_the_strong_target() -> None:
    def policy(request: RouteRequest) -> str:
        raise RuntimeError("no idea")

    made = plan(policy=policy)
    world = World({"strong": BAD})
    settled = settle(world, made)
    assert world.called == ["strong"]
    assert settled.reasons == ("the routing policy failed (RuntimeError)",)
    assert made.faults.total == 1


def test_the_callers_metadata_names_the_only_target() -> None:
    world = World({"cheap": BAD})
    request = RouteRequest(question="Why?", metadata={ROUTE_KEY: "cheap"})
    settled = settle(world, plan(), request)
    assert world.called == ["cheap"]
    assert world.tries[0].live
    assert (settled.output, settled.attempts[0].passed) == (f"<{BAD}>", None)


def test_observe_calls_the_strong_target_alone() -> None:
    world = World({"strong": BAD})
    settled = settle(world, plan(mode="observe"))
    assert world.called == ["strong"]
    assert settled.observed
    assert world.tries[0].live


def test_the_draft_is_passed_on_where_that_is_asked_for() -> None:
    for shown in (False, True):
        world = World({"cheap": BAD})
        settle(world, plan(pass_draft=shown))
        assert world.tries[0].draft is None
        assert (world.tries[1].draft is not None) is shown
        if world.tries[1].draft is not None:
            assert world.tries[1].draft.text == BAD


def test_unchecked_takes_the_first_answer() -> None:
    world = World({"cheap": BAD})
    assert settle(world, plan(), unchecked=True).output == f"<{BAD}>"
    assert world.tries[0].live


def test_a_draft_that_nobody_can_be_given_is_thrown_away_without_a_check() -> None:
    unread = Tried(output=None, answer=Answer(text="{"), fault="it does not parse")
    settled = settle(World({"cheap": unread}), plan(Length()))
    assert settled.target == "middle"
    assert settled.attempts[0].reasons == ("it does not parse",)


# -- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [ValueError("broken"), True, None, "yes"])
def test_a_check_that_fails_is_a_fault_and_goes_up(answer: Any) -> None:
    def check(request: RouteRequest, given: Answer) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    made = plan(check)
    settled = settle(World(), made)
    assert settled.target == "strong"
    kind = "ValueError" if isinstance(answer, Exception) else "TypeError"
    assert settled.attempts[0].reasons == (f"check check failed ({kind})",)
    assert made.faults.counts == {f"check check: {kind}": 2}


def test_a_target_that_fails_goes_up() -> None:
    made = plan()
    world = World({"cheap": TimeoutError("late")})
    settled = settle(world, made)
    assert settled.target == "middle"
    assert (settled.attempts[0].error, settled.attempts[0].passed) == ("TimeoutError", None)
    assert world.tries[1].rejected == 0
    assert world.tries[1].reasons == ("cheap failed (TimeoutError)",)
    assert made.faults.total == 1


@pytest.mark.parametrize("on_error", ["raise", "next"])
def test_an_answer_that_its_client_cannot_read_goes_up_in_any_case(on_error: Any) -> None:
    def unreadable() -> Unreadable:
        error = Unreadable()
        error.__cause__ = ValueError("no JSON")
        return error

    made = plan(on_error=on_error)
    settled = settle(World({"cheap": unreadable()}), made)
    assert (settled.target, settled.attempts[0].error) == ("middle", "ValueError")
    assert made.faults.total == 0
    with pytest.raises(ValueError, match="no JSON"):
        settle(World({name: unreadable() for name in NAMES}), made)


def test_what_is_logged_of_a_target_that_fails_says_once_what_came_of_it(caplog: pytest.LogCaptureFixture) -> None:
    settle(World({"cheap": TimeoutError("late")}), plan())
    (logged,) = caplog.messages
    assert logged.count("went on without it") == 1
    assert "target 'cheap' failed" in logged


def test_a_failure_is_raised_where_that_is_asked_for() -> None:
    world = World({"cheap": TimeoutError("late")})
    with pytest.raises(TimeoutError, match="late"):
        settle(world, plan(on_error="raise"))
    assert world.called == ["cheap"]


@pytest.mark.parametrize("kind", [BudgetExceeded, BudgetUnavailable])
@pytest.mark.parametrize("where", ["target", "check", "samples"])
def test_a_budgets_refusal_is_always_raised(kind: type[Exception], where: str) -> None:
    refusal = kind("no money")

    def check(request: RouteRequest, answer: Answer) -> Verdict:
        raise refusal

    world = World({"cheap": refusal} if where == "target" else {}, samples=refusal)
    checks: dict[str, Any] = {"target": complete, "check": check, "samples": SelfConsistent()}
    made = plan(checks[where])
    with pytest.raises(kind, match="no money"):
        settle(world, made)
    assert made.faults.total == 0


def test_the_draft_is_the_answer_where_the_last_target_fails() -> None:
    world = World({"cheap": BAD, "middle": ValueError("down"), "strong": TimeoutError("late")})
    settled = settle(world, plan())
    assert (settled.target, settled.output) == ("cheap", f"<{BAD}>")
    assert settled.stopped == "strong failed (TimeoutError)"
    assert [one.target for one in settled.attempts] == NAMES


def test_a_draft_that_nobody_can_be_given_does_not_hide_the_last_targets_error() -> None:
    unread = Tried(output=None, answer=Answer(text="{"), fault="it does not parse")
    with pytest.raises(TimeoutError, match="late"):
        settle(World({"cheap": unread, "middle": ValueError("down"), "strong": TimeoutError("late")}), plan())
    settled = settle(World({"cheap": unread, "middle": BAD, "strong": TimeoutError("late")}), plan())
    assert settled.target == "middle"


def test_the_last_error_is_raised_where_nobody_answers() -> None:
    world = World({name: ValueError(f"{name} is down") for name in NAMES})
    with pytest.raises(ValueError, match="strong is down"):
        settle(world, plan())
    assert world.called == NAMES


def test_cheaper_targets_stand_in_where_the_dearer_ones_fail() -> None:
    world = World({"strong": ValueError("down"), "middle": BAD})
    settled = settle(world, plan(policy=lambda request: "strong"))
    assert world.called == ["strong", "middle"]
    assert settled.output == f"<{BAD}>"


def test_only_the_named_target_is_asked_even_if_it_fails() -> None:
    world = World({"cheap": ValueError("down")})
    with pytest.raises(ValueError, match="down"):
        settle(world, plan(), RouteRequest(question="Why?", metadata={ROUTE_KEY: "cheap"}))
    assert world.called == ["cheap"]


@given(
    st.lists(st.sampled_from(["good", "bad", "fails"]), min_size=1, max_size=5),
    st.integers(min_value=0, max_value=4),
)
def test_every_request_is_answered_if_any_target_answers(kinds: list[str], begin: int) -> None:
    names = [f"t{n}" for n in range(len(kinds))]
    said = {"good": "Yes.", "bad": BAD, "fails": ValueError("down")}
    world = World({name: said[kind] for name, kind in zip(names, kinds, strict=True)})
    first = names[min(begin, len(names) - 1)]
    made = Escalation(names, [no_refusal], policy=lambda request: first)
    if set(kinds[names.index(first) :]) == {"fails"} and set(kinds) == {"fails"}:
        with pytest.raises(ValueError, match="down"):
            settle(world, made)
    else:
        settled = settle(world, made)
        assert kinds[names.index(settled.target)] != "fails"
        # A bad answer is given only where no dearer target has a good one.
        if kinds[names.index(settled.target)] == "bad":
            assert "good" not in kinds[names.index(first) :]
    assert len(world.called) == len(set(world.called))


# -- samples -------------------------------------------------------------------------------------


def test_samples_are_drawn_after_the_checks_before_have_passed() -> None:
    world = World({"cheap": "It is 12."}, samples=("It is 12.", "So 13."))
    settled = settle(world, plan(complete, SelfConsistent(samples=2)))
    assert settled.target == "cheap"
    assert [(draw.target, draw.samples, draw.attempt) for draw in world.draws] == [("cheap", 2, 1)]
    world = World({"cheap": BAD, "middle": BAD})
    assert settle(world, plan(no_refusal, SelfConsistent())).target == "strong"
    assert world.draws == []


def test_samples_that_disagree_go_up() -> None:
    world = World({"cheap": "It is 12."}, samples=("It is 13.", "It is 13."))
    settled = settle(world, Escalation(["cheap", "strong"], [SelfConsistent()]))
    assert settled.target == "strong"
    assert settled.attempts[0].reasons == ("33% of 3 samples come to it",)


def test_samples_that_cannot_be_drawn_are_a_fault() -> None:
    made = plan(SelfConsistent())
    assert settle(World(samples=OSError("down")), made).target == "strong"
    assert made.faults.counts == {"check SelfConsistent: OSError": 2}


# -- limits --------------------------------------------------------------------------------------


def test_no_further_target_is_asked_when_the_time_is_over() -> None:
    world = World({"cheap": BAD})
    settled = settle(world, plan(max_seconds=0))
    assert world.called == ["cheap"]
    assert (settled.output, settled.stopped) == (f"<{BAD}>", "the limit of 0 s is reached")
    assert settled.attempts[0].passed is False


def test_a_good_draft_is_no_less_good_when_the_time_is_over() -> None:
    settled = settle(World(), plan(max_seconds=0))
    assert (settled.stopped, settled.attempts[0].passed) == (None, True)


def test_limits_never_leave_a_request_without_an_answer() -> None:
    world = World({"cheap": ValueError("down"), "middle": ValueError("down")})
    assert settle(world, plan(max_seconds=0, max_usd="0", prices=PRICES)).target == "strong"


@pytest.mark.parametrize(
    ("limit", "called"),
    [("0.10", ["cheap"]), ("0.11", ["cheap", "middle"]), ("1.10", ["cheap", "middle"]), ("1.20", NAMES)],
)
def test_a_target_is_asked_only_if_the_limit_lets_it(limit: str, called: list[str]) -> None:
    world = World({"cheap": BAD, "middle": BAD})
    paid = {"cheap": Decimal("0.01"), "middle": Decimal("0.10"), "strong": Decimal("1.00")}
    world.says = {name: Tried(output=BAD, answer=Answer(text=BAD), usd=paid[name]) for name in NAMES}
    settled = settle(world, plan(max_usd=limit, prices=PRICES))
    assert world.called == called
    assert sum(one.usd or 0 for one in settled.attempts) <= Decimal(limit)
    if len(called) < 3:
        assert settled.stopped == f"{NAMES[len(called)]} would take it past {limit} USD"


def test_somebody_else_may_count_what_was_spent() -> None:
    world = World({"cheap": BAD})
    settled = settle(world, plan(max_usd="5", prices=PRICES), spent=lambda: Decimal("4.95"))
    assert (world.called, settled.target) == (["cheap"], "cheap")


def test_samples_cost_and_are_not_drawn_for_an_answer_that_nothing_can_replace() -> None:
    world = World({"cheap": "It is 12."}, samples=("It is 13.", "It is 13."), usd=Decimal("0.01"))
    settled = settle(world, plan(SelfConsistent(), max_usd="0.115", prices=PRICES))
    assert len(world.draws) == 1
    assert settled.attempts[0].usd == Decimal("0.02")
    assert settled.stopped == "middle would take it past 0.115 USD"
    world.draws.clear()
    settled = settle(world, plan(complete, SelfConsistent(), max_usd="0.05", prices=PRICES))
    assert world.draws == []
    assert (settled.attempts[0].passed, settled.stopped) == (None, "middle would take it past 0.05 USD")


def test_a_check_that_waits_is_not_asked_about_an_answer_that_nothing_can_replace() -> None:
    class Judge:
        def __call__(self, request: RouteRequest, answer: Answer) -> Verdict:
            return failed("no")

        async def acall(self, request: RouteRequest, answer: Answer) -> Verdict:
            return failed("no")

    assert settle(World(), plan(Judge())).target == "strong"
    settled = settle(World(), plan(complete, Judge(), max_seconds=0))
    assert (settled.target, settled.attempts[0].passed, settled.attempts[0].reasons) == ("cheap", None, ())
    assert settled.stopped == "the limit of 0 s is reached"


def test_what_cannot_be_priced_is_a_fault_and_goes_on() -> None:
    made = plan(max_usd="0.5", prices=PRICES)
    assert plan(max_usd=0.05).max_usd == Decimal("0.05")
    settled = settle(World({"cheap": BAD}, usd=None), made, RouteRequest(question="Why?", models={}))
    assert settled.target == "middle"
    assert made.faults.counts == {"keeping max_usd: LookupError": 1}


def test_a_target_without_a_price_is_refused_where_there_is_a_limit() -> None:
    unknown = {"cheap": TargetModel("nobody-sells-this"), "strong": TargetModel()}
    with pytest.raises(ConfigurationError, match=r"'cheap' \(nobody-sells-this\) has none; pass prices="):
        plan(max_usd="1").check_models(unknown)
    plan().check_models(unknown)
    plan(max_usd="1", prices=PRICES).check_models(MODELS)


def test_the_prompt_and_the_draft_are_part_of_what_the_next_call_will_cost() -> None:
    dear = PriceBook(overrides={"strong": ModelPrice(input_per_million=10**6, output_per_million=10**6)})
    models = {"strong": TargetModel("strong")}
    request = RouteRequest(question="Say it", system="Be brief", models=models)
    # Two messages of 2 + 4 tokens, and an answer of 2, which may be shown as well.
    said = Tried(output="", answer=Answer(text="say it"), usd=Decimal(0))
    for limit, shown, target in [
        ("14", False, "strong"),
        ("13", False, "cheap"),
        ("16", True, "strong"),
        ("15", True, "cheap"),
    ]:
        options: dict[str, Any] = {"pass_draft": shown, "max_usd": limit, "prices": dear}
        made = Escalation(["cheap", "strong"], [Length(100)], **options)
        assert settle(World({"cheap": said}), made, request).target == target


# -- driving -------------------------------------------------------------------------------------


def test_a_driver_stops_before_a_call_that_may_be_streamed() -> None:
    world = World({"cheap": BAD, "middle": BAD})
    walk = plan().walk(RouteRequest(question="Why?"))
    step = sync_drive(walk, call=world.call, draw=world.draw, until_live=True)
    assert isinstance(step, Try)
    assert (step.target, step.live) == ("strong", True)
    settled = walk.send(Tried(output="out", answer=Answer(text="out")))
    assert isinstance(settled, Settled)
    assert (settled.target, settled.output) == ("strong", "out")


async def test_checks_are_awaited_where_that_can_be_done() -> None:
    class Waits:
        def __call__(self, request: RouteRequest, answer: Answer) -> Verdict:
            raise AssertionError("not in asynchronous calls")

        async def acall(self, request: RouteRequest, answer: Answer) -> Verdict:
            return PASSED if answer.target == "middle" else failed("not yet")

    async def later(request: RouteRequest, answer: Answer) -> Verdict:
        return PASSED

    world = World(samples=("cheap says so.", "cheap says so."))
    made = plan(later, SelfConsistent(), Waits())
    walk = made.walk(RouteRequest(question="Why?"))
    settled = await async_drive(walk, call=world.acall, draw=world.adraw)
    assert isinstance(settled, Settled)
    assert [one.reasons for one in settled.attempts] == [("not yet",), ("33% of 3 samples come to it",), ()]
    assert len(world.draws) == 2


async def test_an_asynchronous_driver_passes_errors_on_and_stops_before_what_may_be_streamed() -> None:
    world = World({"cheap": TimeoutError("late"), "middle": BAD})
    walk = plan().walk(RouteRequest(question="Why?"))
    step = await async_drive(walk, call=world.acall, draw=world.adraw, until_live=True)
    assert isinstance(step, Try)
    assert (step.target, step.attempt, step.rejected) == ("strong", 3, 1)


def test_a_check_that_waits_is_a_fault_where_nobody_can() -> None:
    async def check(request: RouteRequest, answer: Answer) -> Verdict:
        return PASSED

    made = plan(check)
    assert settle(World(), made).target == "strong"
    assert made.faults.counts == {"check check: TypeError": 2}


def test_an_interrupt_is_not_a_failure() -> None:
    class Interrupts(World):
        def call(self, step: Try) -> Tried:
            super().call(step)
            raise KeyboardInterrupt

    world = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        settle(world, plan())
    assert world.called == ["cheap"]


# -- construction --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Escalation([], GENERAL_CHECKS), "there are no targets"),
        (lambda: Escalation(NAMES, []), "there are no checks"),
        (lambda: Escalation(NAMES, None), "checks must be a list of checks, not None"),  # type: ignore[arg-type]
        (lambda: Escalation(NAMES, complete), "checks must be a list"),  # type: ignore[arg-type]
        (lambda: plan("complete"), "'complete' cannot be called"),
        (lambda: plan(Length), r"check Length is a class; make one: Length\(\.\.\.\)"),
        (lambda: plan(strong="best"), "strong='best' is not a target"),
        (lambda: plan(max_usd="-1"), "max_usd must be a finite amount of at least 0 USD"),
        (lambda: plan(lambda request, answer: PASSED, [1] * 100), r"list \[1, 1, .*\.\.\. cannot be called"),
        (lambda: plan(max_usd=True), "max_usd must be a Decimal, int or str"),
        (lambda: plan(max_seconds=-1), "max_seconds must be a finite number of seconds, at least 0, not -1"),
        (lambda: plan(max_seconds=float("nan")), "max_seconds must be"),
        (lambda: plan(max_seconds="3"), "max_seconds must be"),
        (lambda: plan(pass_draft="yes"), "pass_draft must be True or False, not 'yes'"),
        (lambda: plan(stream_first="cheap"), "stream_first must be True or False, not 'cheap'"),
        (lambda: plan(on_error="ignore"), "on_error must be 'raise' or 'next'"),
        (lambda: plan(mode="off"), "mode must be 'on' or 'observe'"),
        (lambda: plan(prices={}), "prices must be a PriceBook"),
        (lambda: plan(policy="cheap"), "a policy is called with a RouteRequest"),
        (lambda: SelfConsistent(samples=-1), "samples must be a count, not -1"),
    ],
)
def test_bad_options_are_refused(make: Callable[[], object], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        make()


def test_what_streams_first_is_chosen_by_the_rules_if_there_is_no_policy() -> None:
    assert isinstance(plan(stream_first=True).stream_chooser.policy, Rules)
    assert plan(stream_first=True, policy=begin_cheapest).stream_chooser.policy is begin_cheapest
    assert plan().stream_chooser.policy is begin_cheapest


def test_it_can_be_pickled() -> None:
    made = pickle.loads(pickle.dumps(plan(complete, SelfConsistent(), max_usd="1", stream_first=True)))  # noqa: S301
    assert settle(World({"cheap": "12"}, samples=("12", "12")), made).target == "cheap"


def test_a_walk_can_be_left() -> None:
    walk = Walk(plan().run(RouteRequest(question="Why?")))
    assert isinstance(walk.step, Try)
