"""Does a conversation stay where it is exactly while its cached prefix is worth more than a move saves?"""

from __future__ import annotations

import pickle
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.pricing import ModelPrice, PriceBook
from lc_costkit.routing import Cheapest, LabelledPrompt, Learned, Rules, calibrate
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.policy import Conversation, RouteDecision, RouteRequest, Turn
from lc_costkit.routing.prompt_tokens import prompt_tokens
from lc_costkit.routing.sticky import DEFAULT_OUTPUT_TOKENS, Sticky, sticky
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.usage import TokenUsage

TARGETS = ("cheap", "middle", "strong")
MODELS = {
    "cheap": TargetModel("claude-haiku-4-5", "anthropic"),
    "middle": TargetModel("claude-sonnet-4-6", "anthropic"),
    "strong": TargetModel("claude-opus-4-8", "anthropic"),
}
LONG = "The parcel was to arrive on Monday and has not come yet, so we ask for a refund. " * 400


def asked(
    warm: float = 0.99, *, there: str = "strong", text: str = LONG, waited: str = "0", **fields: Any
) -> RouteRequest:
    """A long conversation that was at ``there``; its provider has all but the last words."""
    turns = (Turn("human", text), Turn("assistant", "It is on its way. " * 5), Turn("human", "And now?"))
    known: dict[str, Any] = {
        "question": "And now?",
        "turns": turns,
        "targets": TARGETS,
        "models": MODELS,
        "cache_marked": True,
        "conversation": Conversation(
            target=there, seconds=20.0, share=warm, warm=warm, warm_at={there: warm}, waited_usd=Decimal(waited)
        ),
    }
    return RouteRequest(**{**known, **fields})


def wants(target: str) -> Any:
    return lambda request: RouteDecision(target=target, score=0.4, reasons=("its own reason",))


def test_it_stays_where_a_move_costs_more_than_it_saves() -> None:
    decision = sticky(wants("middle"), output_tokens=100)(asked())
    assert decision.target == "strong"
    assert decision.reasons[0].startswith("stays at strong: a move gives up 0.0")
    assert "USD of cached prompt and saves 0.0" in decision.reasons[0]
    assert decision.reasons[1:] == ("the policy chose middle", "its own reason")
    assert decision.score == 0.4


def test_the_sums_are_those_of_the_price_list() -> None:
    request = asked(0.9)
    tokens = prompt_tokens(request)
    warm = int(tokens * 0.9)
    book = PriceBook()

    def usd(model: str, read: int) -> Decimal:
        usage = TokenUsage(cache_read_tokens=read, cache_write_5m_tokens=tokens - read, output_tokens=50)
        cost = book.cost(model, usage, provider="anthropic").usd
        assert cost is not None
        return cost

    gives_up = usd("claude-sonnet-4-6", 0) - usd("claude-sonnet-4-6", warm)
    saves = usd("claude-opus-4-8", warm) - usd("claude-sonnet-4-6", warm)
    decision = sticky(wants("middle"), output_tokens=50)(request)
    assert decision.reasons[0] == (
        f"stays at strong: a move gives up {gives_up:.6f} USD of cached prompt and saves {saves:.6f} USD a call"
    )
    assert decision.expected_cost == usd("claude-opus-4-8", warm)
    assert decision.waited_usd == saves


@pytest.mark.parametrize(("output", "target"), [(100, "strong"), (10_000, "middle")])
def test_a_long_answer_is_worth_a_move(output: int, target: str) -> None:
    decision = sticky(wants("middle"), output_tokens=output)(asked())
    assert decision.target == target
    if target == "middle":
        assert decision.reasons[0].startswith("down from strong: a move gives up 0.0")
        assert decision.waited_usd == 0


def test_the_length_of_the_answers_so_far_is_expected_of_the_next() -> None:
    short, endless = (
        replace(asked(), turns=(Turn("human", LONG), Turn("assistant", answer), Turn("human", "And now?")))
        for answer in ("Soon.", "It is on its way, and will be there soon. " * 1_000)
    )
    assert sticky(wants("middle"))(short).target == "strong"
    assert sticky(wants("middle"))(endless).target == "middle"
    assert sticky(wants("middle"))(replace(endless, max_output_tokens=10)).target == "strong"


def test_where_no_answer_says_how_long_they_are_a_stated_length_is_assumed() -> None:
    request = replace(asked(), turns=(Turn("human", LONG), Turn("assistant", ""), Turn("human", "And now?")))
    assumed, stated = sticky(wants("middle")), sticky(wants("middle"), output_tokens=DEFAULT_OUTPUT_TOKENS)
    assert assumed(request) == stated(request)


def test_what_was_not_saved_before_counts() -> None:
    first = sticky(wants("middle"), output_tokens=300)(asked())
    assert first.target == "strong"
    policy, waited, calls = sticky(wants("middle"), output_tokens=300), Decimal(0), 0
    while (decision := policy(asked(waited=str(waited)))).target == "strong":
        assert decision.waited_usd > waited
        waited, calls = decision.waited_usd, calls + 1
        assert calls < 100
    assert "was not saved so far" in decision.reasons[0]
    assert calls > 1
    expected = first.waited_usd  # each call saves as much
    gives_up = Decimal(first.reasons[0].split("gives up ")[1].split()[0])
    assert calls * expected <= gives_up + Decimal("0.000001") < (calls + 1) * expected + Decimal("0.000002")


def test_who_expects_more_calls_moves_sooner() -> None:
    assert sticky(wants("middle"), output_tokens=300)(asked()).target == "strong"
    for calls in (10, 10.0, np.float64(10)):
        assert sticky(wants("middle"), output_tokens=300, expected_calls=calls)(asked()).target == "middle"


def test_a_dearer_target_is_always_called() -> None:
    decision = sticky(wants("strong"))(asked(there="cheap"))
    assert decision.target == "strong"
    assert decision.reasons == ("up from cheap: a dearer target is always called", "its own reason")
    decision = sticky(wants("middle"))(asked(there="cheap"))
    assert decision.target == "middle"


def test_dearer_is_what_comes_later_among_the_targets_whatever_the_prices() -> None:
    models = {**MODELS, "strong": MODELS["cheap"], "cheap": MODELS["strong"]}
    assert sticky(wants("strong"))(asked(there="cheap", models=models)).target == "strong"


def test_where_the_policy_wants_to_stay_it_says_so_itself() -> None:
    decision = sticky(wants("strong"))(asked(waited="0.25"))
    assert decision == RouteDecision(
        target="strong", score=0.4, reasons=("its own reason",), waited_usd=Decimal("0.25")
    )


def test_a_first_request_is_the_policys() -> None:
    assert sticky(wants("cheap"))(asked(conversation=None)) == wants("cheap")(None)


def test_where_the_prefix_is_cold_the_policy_decides() -> None:
    decision = sticky(wants("middle"), output_tokens=100)(asked(0.0))
    assert decision.target == "middle"
    assert decision.reasons[0] == "strong has nothing of the conversation in its prompt cache"


@pytest.mark.parametrize(("name", "unknown"), [("strong", "strong"), ("middle", "middle")])
def test_where_a_price_is_not_known_the_policy_decides(name: str, unknown: str) -> None:
    models = {**MODELS, name: TargetModel("a-model-of-our-own")}
    decision = sticky(wants("middle"))(asked(models=models, text=LONG))
    assert decision.target == "middle"
    assert decision.reasons[0] == f"no price is known for {unknown}, so the policy decides"
    assert sticky(wants("middle"))(asked(models={})).target == "middle"


def test_a_target_that_is_gone_keeps_nothing() -> None:
    assert sticky(wants("middle"))(asked(there="of old")).reasons == ("its own reason",)
    assert sticky(wants("unheard of"))(asked()).target == "unheard of"  # for the router to refuse


def test_what_the_other_target_still_has_is_not_lost() -> None:
    request = asked()
    assert sticky(wants("middle"), output_tokens=100)(request).target == "strong"
    there = request.conversation
    assert there is not None
    both = replace(there, warm_at={"strong": 0.99, "middle": 0.95})
    assert sticky(wants("middle"), output_tokens=100)(replace(request, conversation=both)).target == "middle"


def test_where_reading_a_cache_costs_more_than_the_other_model_it_moves() -> None:
    models = {"cheap": TargetModel("gpt-4o-mini", "openai"), "strong": TargetModel("gpt-4o", "openai")}
    request = asked(models=models, targets=("cheap", "strong"))
    assert sticky(wants("cheap"), output_tokens=0)(request).target == "cheap"


def test_your_own_prices_decide() -> None:
    own = {
        "dear-reads": ModelPrice(input_per_million="5", output_per_million="25", cache_read_per_million="5"),
        "cheap-reads": ModelPrice(input_per_million="5", output_per_million="25", cache_read_per_million="0.01"),
        "other": ModelPrice(input_per_million="3", output_per_million="15", cache_read_per_million="0.30"),
    }
    for name, target in (("dear-reads", "cheap"), ("cheap-reads", "strong")):
        models = {"cheap": TargetModel("other"), "strong": TargetModel(name)}
        request = asked(models=models, targets=("cheap", "strong"))
        policy = sticky(wants("cheap"), prices=PriceBook(overrides=own), output_tokens=10)
        assert policy(request).target == target


@pytest.mark.parametrize("last", ["tool", "assistant"])
def test_an_agents_run_stays_where_it_began_and_the_policy_is_not_asked(last: Any) -> None:
    calls: list[RouteRequest] = []

    def policy(request: RouteRequest) -> str:
        calls.append(request)
        return "cheap"

    request = asked(0.0, waited="0.1")
    request = replace(request, turns=(*request.turns, Turn("assistant", ""), Turn(last, "3 results")))
    decision = sticky(policy)(request)
    assert (decision.target, decision.reasons) == ("strong", ("the run has begun at strong",))
    assert decision.waited_usd == Decimal("0.1")
    assert calls == []
    assert sticky(policy, keep_runs=False)(request).target == "cheap"
    assert sticky(policy)(replace(request, conversation=None)).target == "cheap"
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("profile", "more", "missing"),
    [
        ({"max_input_tokens": 2_000}, {}, "a window for"),
        ({"tool_calling": False}, {"tools": ("look_up",)}, "tools"),
        ({"media": frozenset({"pdf"})}, {"media": ("image",)}, "image input"),
    ],
)
def test_a_target_that_cannot_do_it_keeps_nothing(profile: Any, more: Any, missing: str) -> None:
    policy, request = sticky(wants("middle"), output_tokens=100), asked(**more)
    assert policy(request).target == "strong"
    unable = replace(request, models={**MODELS, "strong": replace(MODELS["strong"], **profile)})
    decision = policy(unable)
    assert decision.target == "middle"
    assert decision.reasons[0].startswith(f"strong lacks {missing}")
    run = replace(unable, turns=(*unable.turns, Turn("assistant", ""), Turn("tool", "3 results")))
    assert policy(run).target == "middle"


class Waits:
    """A policy that has to be awaited."""

    targets = ("middle", "strong")

    async def __call__(self, request: RouteRequest) -> str:
        return "strong"

    async def acall(self, request: RouteRequest) -> str:
        return "middle"


async def test_a_policy_that_waits_is_awaited_by_its_acall() -> None:
    policy = sticky(Waits(), output_tokens=100)
    assert (await policy.acall(asked())).reasons[1] == "the policy chose middle"
    assert policy.targets == ("middle", "strong")
    chooser = TargetChooser(TARGETS, policy=policy)
    assert (await chooser.achoose(asked(conversation=None))).target == "middle"
    chosen = chooser.choose(asked(conversation=None))
    assert chosen.decision.reasons == ("the routing policy failed (TypeError)",)


def test_it_stands_around_every_policy() -> None:
    prompts = [f"What is {n} plus {n + 1}?" for n in range(60)] + [f"Prove that {n} is prime." for n in range(60)]
    easy = [float("Prove" not in prompt) for prompt in prompts]
    outcomes = {"cheap": easy, "middle": easy, "strong": [1.0] * len(prompts)}
    labelled = [
        LabelledPrompt(prompt=prompt, outcomes={name: outcomes[name][n] for name in outcomes})
        for n, prompt in enumerate(prompts)
    ]
    learned = Learned.fit(prompts, outcomes)
    quality = {"cheap": 0.5, "middle": 0.7, "strong": 0.9}
    policies = [
        Rules(),
        learned,
        calibrate(Rules(), prompts, share=0.3, targets=TARGETS),
        calibrate(learned, labelled, min_quality=0.5),
        Cheapest(min_quality=0.4, quality=quality),
        wants("cheap"),
        sticky(Rules()),
    ]
    for policy in policies:
        wrapped = sticky(policy, output_tokens=10)
        chooser = TargetChooser(TARGETS, policy=wrapped)
        chooser.check_models(MODELS)
        decision = chooser.choose(asked()).decision
        assert chooser.faults.total == 0, policy
        assert decision.target in TARGETS
        assert isinstance(policy, Sticky) or decision.target == "strong" or "down from" in decision.reasons[0], policy


def test_checks_of_the_policy_inside_are_made() -> None:
    with pytest.raises(ConfigurationError, match=r"names \['huge'\], which are no targets"):
        TargetChooser(TARGETS, policy=sticky(Rules(targets=("cheap", "huge"))))
    with pytest.raises(ConfigurationError, match=r"3 targets .* need 2 thresholds"):
        TargetChooser(TARGETS, policy=sticky(Rules(threshold=(0.5,))))

    class Particular:
        def __call__(self, request: RouteRequest) -> str:
            return "cheap"

        def check_models(self, models: object) -> None:
            raise ConfigurationError("not these")

    with pytest.raises(ConfigurationError, match="not these"):
        TargetChooser(TARGETS, policy=sticky(Particular())).check_models(MODELS)


def test_it_can_be_pickled() -> None:
    policy = pickle.loads(pickle.dumps(sticky(Rules(), output_tokens=7, expected_calls=2.5)))  # noqa: S301
    assert (policy.output_tokens, policy.expected_calls) == (7, 2.5)
    assert policy(asked()).target in TARGETS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"policy": "cheap"}, "a policy is called with a RouteRequest; 'cheap' cannot be"),
        ({"policy": Rules}, "is a class"),
        ({"prices": {}}, r"prices must be a PriceBook, not \{\}"),
        ({"expected_calls": 0}, "at least 1, not 0"),
        ({"expected_calls": True}, "at least 1, not True"),
        ({"expected_calls": float("nan")}, "must be finite, not nan"),
        ({"expected_calls": float("inf")}, "must be finite, not inf"),
        ({"output_tokens": -1}, "whole number of tokens, not -1"),
        ({"output_tokens": 1.5}, "whole number of tokens, not 1.5"),
    ],
)
def test_bad_input_is_refused_at_construction(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        sticky(**{"policy": Rules(), **arguments})


MONEY = st.integers(min_value=1, max_value=100)


@given(prices=st.tuples(MONEY, MONEY, MONEY, MONEY), output=st.integers(0, 2_000), warm=st.floats(0.3, 1.0))
def test_it_stays_only_where_the_call_is_cheaper_there(
    prices: tuple[int, int, int, int], output: int, warm: float
) -> None:
    """Whatever the prices: the first time it is asked, it keeps the conversation if and only if that costs less."""
    own = {
        name: ModelPrice(
            input_per_million=str(price), output_per_million=str(said), cache_read_per_million=str(Decimal(price) / 10)
        )
        for name, price, said in (("small", prices[0], prices[1]), ("large", prices[2], prices[3]))
    }
    book = PriceBook(overrides=own)
    models = {"cheap": TargetModel("small"), "strong": TargetModel("large")}
    request = asked(warm, models=models, targets=("cheap", "strong"))
    decision = sticky(wants("cheap"), prices=book, output_tokens=output)(request)
    tokens = prompt_tokens(request)
    read = int(tokens * warm)
    stay = book.cost("large", TokenUsage(input_tokens=tokens - read, cache_read_tokens=read, output_tokens=output)).usd
    move = book.cost("small", TokenUsage(input_tokens=tokens, output_tokens=output)).usd
    assert stay is not None and move is not None
    assert decision.target == ("cheap" if move < stay else "strong")


def test_a_target_that_breaks_a_limit_of_the_policy_keeps_nothing() -> None:
    """``sticky`` knows prices only; not that the conversation's target is not good enough, or too slow."""
    request = asked()
    free = {"cheap": 0.9, "middle": 0.9, "strong": 0.9}
    kept = sticky(Cheapest(min_quality=0.8, quality=free), output_tokens=10)(request)
    assert kept.target == "strong"
    worse = sticky(Cheapest(min_quality=0.8, quality={**free, "strong": 0.7, "cheap": 0.7}), output_tokens=10)(request)
    assert worse.target == "middle"
    assert worse.reasons[0] == "strong does not do for the policy"
    ruled = RouteDecision(target="middle", unfit=("cheap", "strong"))
    assert sticky(lambda request: ruled, output_tokens=10)(request).target == "middle"
