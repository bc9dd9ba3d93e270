"""Is the cheapest target chosen that is good enough, quick enough and able, and does it say why?"""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.ledger import Ledger
from lc_costkit.pricing import Cost, ModelPrice, PriceBook
from lc_costkit.record import CallRecord
from lc_costkit.routing import Cheapest, Learned, RouteDecision, RouteRequest, Rules, TargetModel, Turn
from lc_costkit.routing.canary import canary
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.first_sure import first_sure
from lc_costkit.routing.policy import Conversation
from lc_costkit.routing.prompt_tokens import prompt_tokens
from lc_costkit.routing.sticky import sticky
from lc_costkit.usage import TokenUsage
from tests.routing.test_learned import EASY, HARD, OUTCOMES, PROMPTS

MINI = TargetModel("gpt-4o-mini", "openai", 128_000, 16_384, True, True, frozenset({"image"}))
FULL = TargetModel("gpt-4o", "openai", 128_000, 16_384, True, True, frozenset({"image"}))
CLAUDE = TargetModel("claude-sonnet-4-6", "anthropic", 200_000, 64_000, True, True, frozenset({"image", "pdf"}))
MODELS = {"small": MINI, "large": FULL}
TABLE = {"small": 0.7, "large": 0.9}
LONG = "The customer asked twice about the same invoice. " * 400


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


def ask(question: str = "Hello", **fields: Any) -> RouteRequest:
    return RouteRequest(
        question=question, **{"targets": tuple(fields.get("models", MODELS)), "models": MODELS, **fields}
    )


def keep(ledger: Ledger, route: str, times: int, *, seconds: float = 1.0, tokens: int = 100, good: float = 0.0) -> None:
    """Record calls, of which the first ``good`` have a score of 1 and the others of 0; none if it is 0."""
    for number in range(times):
        record = CallRecord(
            route=route,
            model_asked=MODELS[route].model if route in MODELS else route,
            latency_seconds=seconds,
            usage=TokenUsage(output_tokens=tokens),
            cost=Cost(usd=Decimal(0), basis="exact"),
        )
        ledger.record(record)
        if good:
            ledger.score(record.call_id, float(number < good * times))


def said(decision: RouteDecision) -> str:
    return "\n".join(decision.reasons)


# -- the price -----------------------------------------------------------------------------------


def test_without_limits_the_cheapest_is_called_whatever_the_order() -> None:
    decision = Cheapest()(ask(targets=("large", "small")))
    assert decision.target == "small"
    assert decision.reasons[0].startswith("small: the least expected cost of 2 that fit, 0.0001")
    assert decision.reasons[-1].startswith("large would cost 0.0030")
    assert decision.score is None
    assert decision.expected_quality == {}


def test_the_cost_is_that_of_the_prompt_and_the_answer_at_listed_prices() -> None:
    request = ask("What?", system=LONG, tool_text='[{"name": "search"}]', turns=(Turn("human", "What?"),))
    decision = Cheapest(output_tokens=1_000)(request)
    tokens = prompt_tokens(request)
    assert tokens == pytest.approx(len(LONG) / 5, rel=0.2)
    usage = TokenUsage(input_tokens=tokens, output_tokens=1_000)
    assert decision.expected_cost == PriceBook().cost("gpt-4o-mini", usage, provider="openai").usd
    assert f"{tokens:,} tokens of prompt (quick count) and 1,000 of answer (as given)" in said(decision)


@given(st.text(min_size=0, max_size=4_000), st.text(max_size=50))
def test_a_longer_prompt_never_costs_nothing_and_never_raises(text: str, tools: str) -> None:
    request = ask(text, tool_text=tools, turns=(Turn("human", text),))
    cost = Cheapest(prices=PRICES)(request).expected_cost
    assert cost is not None
    assert cost >= Decimal("0.00018")  # 300 tokens of answer


PRICES = PriceBook()


@pytest.mark.parametrize("marked", [False, True])
def test_a_prefix_that_is_warm_counts_at_the_price_of_a_cache_read(marked: bool) -> None:
    """It may make a conversation cheaper to go on with than to move."""
    models = {"small": CLAUDE, "large": TargetModel("gpt-4.1", "openai")}
    turns = (Turn("human", LONG), Turn("assistant", "Yes.", "large"), Turn("human", "And now?"))
    warm = Conversation(target="large", seconds=5.0, share=0.99, warm=0.99, warm_at={"large": 0.99})
    request = ask("And now?", turns=turns, models=models, conversation=warm, cache_marked=marked)
    decision = Cheapest(output_tokens=10)(request)
    tokens = prompt_tokens(request)
    cached = int(tokens * 0.99)
    usage = TokenUsage(input_tokens=tokens - cached, cache_read_tokens=cached, output_tokens=10)
    assert decision.target == "large"
    assert decision.expected_cost == PRICES.cost("gpt-4.1", usage, provider="openai").usd
    assert f"(quick count, {cached:,} from the cache)" in said(decision)
    kind = "cache_write_5m_tokens" if marked else "input_tokens"
    moved = PRICES.cost("claude-sonnet-4-6", TokenUsage.from_dict({kind: tokens, "output_tokens": 10})).usd
    assert decision.reasons[-1] == f"small would cost {moved:.6f} USD"


def test_a_prefix_too_short_for_a_cache_is_not_warm() -> None:
    warm = Conversation(target="large", seconds=5.0, share=0.9, warm=0.9, warm_at={"small": 0.9, "large": 0.9})
    turns = (Turn("human", "What is it?" * 90), Turn("assistant", "This."), Turn("human", "And that?"))
    request = ask("And that?", turns=turns, conversation=warm)
    assert Cheapest()(request) == Cheapest()(ask("And that?", turns=turns))


def test_a_price_that_is_an_estimate_is_said_to_be_one() -> None:
    models = {"small": TargetModel("deepseek-chat", "deepseek"), "large": FULL}
    assert "small: its price is an estimate: the name moves" in said(Cheapest()(ask(models=models)))
    assert "an estimate" not in said(Cheapest()(ask()))


def test_the_callers_prices_hold() -> None:
    prices = PriceBook(overrides={"gpt-4o": ModelPrice(input_per_million="0.01", output_per_million="0.01")})
    assert Cheapest(prices=prices)(ask()).target == "large"


def test_a_model_that_is_paid_by_the_hour_costs_the_time_its_calls_take(ledger: Ledger) -> None:
    prices = PriceBook(overrides={"llama-3.1-8b": ModelPrice(per_hour="3.60")})
    models = {"local": TargetModel("llama-3.1-8b", "openai"), "large": FULL}
    decision = Cheapest(prices=prices, seconds={"local": 2.0})(ask(models=models))
    assert (decision.target, decision.expected_cost) == ("local", Decimal("0.002"))
    assert "local: paid for 2.00 s (as given)" in decision.reasons
    for _ in range(20):
        ledger.record(
            CallRecord(
                route="local", model_asked="llama-3.1-8b", latency_seconds=4.0, cost=PRICES.cost("x", TokenUsage())
            )
        )
    decision = Cheapest(prices=prices, ledger=ledger)(ask(models=models))
    assert decision.target == "large"
    assert decision.reasons[-1] == "local would cost 0.004000 USD"


def test_nothing_above_the_limit_is_called() -> None:
    request = ask("What?", turns=(Turn("human", LONG),))
    dear = Cheapest()(ask("What?", turns=request.turns, models={"small": FULL}))
    assert dear.expected_cost is not None
    as_float = float(dear.expected_cost)
    for limit in (str(dear.expected_cost), dear.expected_cost, as_float, np.float64(as_float)):
        decision = Cheapest(max_cost=limit)(ask("What?", turns=request.turns, models={"one": FULL}))
        assert "no target fits" not in said(decision)
    decision = Cheapest(max_cost="0.0001")(request)
    assert decision.target == "large"
    assert decision.reasons[0].startswith("large: no target fits, ")
    assert "small costs 0.000" in said(decision)
    assert "above max_cost=0.0001" in said(decision)
    assert decision.unfit == ("small", "large")


# -- the answer's length -------------------------------------------------------------------------


def test_the_length_of_an_answer_is_that_of_the_ledger_then_as_given_then_as_allowed(ledger: Ledger) -> None:
    keep(ledger, "small", 20, tokens=1_234)
    keep(ledger, "large", 19, tokens=1_234)
    known = Cheapest(ledger=ledger, output_tokens={"large": 50})
    for policy, target, words in [
        (known, "small", "1,234 of answer (the mean of 20 calls in the ledger)"),
        (known, "large", "50 of answer (as given)"),
        (Cheapest(), "small", "300 of answer (an assumption)"),
        (Cheapest(ledger=ledger), "large", "300 of answer (an assumption)"),
    ]:
        assert words in said(policy(ask(targets=(target,))))
    for policy in (known, Cheapest()):
        request = ask(targets=("small",), max_output_tokens=900)
        assert "900 of answer (the most that the call allows)" in said(policy(request))
    assert "50 of answer (as given)" in said(known(ask(targets=("large",), max_output_tokens=900)))


def test_where_the_ledger_knows_one_target_only_the_other_is_taken_to_answer_as_long(ledger: Ledger) -> None:
    keep(ledger, "large", 20, tokens=90)
    decision = Cheapest(ledger=ledger)(ask())
    assert decision.target == "small"
    assert "and 90 of answer (the mean of 20 calls of other targets in the ledger)" in said(decision)


# -- quality -------------------------------------------------------------------------------------


def test_a_table_of_qualities_keeps_the_floor() -> None:
    assert Cheapest(min_quality=0.7, quality=TABLE)(ask()).target == "small"
    decision = Cheapest(min_quality=0.8, quality=TABLE)(ask())
    assert decision.target == "large"
    assert decision.expected_quality == TABLE
    assert "large: quality 0.90 in your table" in decision.reasons
    assert "small quality 0.70 in your table (min_quality=0.8)" in decision.reasons


def test_a_target_of_unknown_quality_is_called_only_where_there_is_no_floor() -> None:
    assert Cheapest(quality={"large": 0.9})(ask()).target == "small"
    decision = Cheapest(min_quality=0.5, quality={"large": 0.9})(ask())
    assert decision.target == "large"
    assert "small quality not known: it is not in your table (min_quality=0.5)" in decision.reasons


def test_a_learned_policy_predicts_the_quality_of_each_request() -> None:
    learned = Learned.fit(PROMPTS, OUTCOMES)
    policy = Cheapest(min_quality=0.7, quality=learned)
    easy, hard = policy(ask(EASY[3])), policy(ask(HARD[3]))
    assert (easy.target, hard.target) == ("small", "large")
    assert easy.expected_quality == learned(ask(EASY[3])).expected_quality
    assert "predicted from 120 labelled prompts" in said(easy)
    third = policy(ask(EASY[3], models={"tiny": MINI, **MODELS}))
    assert third.target == "small"
    assert "tiny quality not known: it is not predicted from 120 labelled prompts (min_quality=0.7)" in third.reasons
    nobody = policy(ask(EASY[3], models={"a": MINI, "b": FULL}))
    assert nobody.target == "b"
    assert policy.faults.counts == {"predicting quality: LookupError": 1}


def test_scores_in_the_ledger_must_show_the_floor_and_not_just_reach_it(ledger: Ledger) -> None:
    keep(ledger, "small", 120, good=0.9)
    keep(ledger, "large", 120, good=1.0)
    decision = Cheapest(min_quality=0.8, ledger=ledger)(ask())
    assert decision.target == "small"
    assert decision.expected_quality == {"small": 0.9, "large": 1.0}
    assert "small: quality 0.90 of 120 scores in the ledger, at least 0.82 (95%)" in decision.reasons
    above = Cheapest(min_quality=0.85, ledger=ledger)(ask())
    assert above.target == "large"
    assert "small quality 0.90 of 120 scores in the ledger, at least 0.82 (95%) (min_quality=0.85)" in above.reasons


def test_too_few_scores_are_none(ledger: Ledger) -> None:
    keep(ledger, "small", 19, good=1.0)
    decision = Cheapest(min_quality=0.1, ledger=ledger)(ask())
    assert decision.target == "large"
    assert decision.reasons[0].startswith("large: no target fits")
    assert "small quality not known: 19 scores in the ledger, 20 are needed (min_quality=0.1)" in decision.reasons
    assert decision.expected_quality == {}
    assert Cheapest(min_quality=0.1, ledger=ledger, least_scores=19)(ask()).target == "small"


def test_scores_on_another_scale_are_not_a_quality(ledger: Ledger) -> None:
    keep(ledger, "small", 20)
    for record in ledger.records():
        ledger.score(record.call_id, 5.0)
    assert "the scores in the ledger are not between 0 and 1" in said(Cheapest(min_quality=0.1, ledger=ledger)(ask()))


def test_calls_that_no_router_sent_tell_of_their_model(ledger: Ledger) -> None:
    for _ in range(20):
        record = CallRecord(model_asked="gpt-4o-mini", cost=Cost(usd=Decimal(0), basis="exact"))
        ledger.record(record)
        ledger.score(record.call_id, 1.0)
    assert Cheapest(min_quality=0.8, ledger=ledger)(ask()).target == "small"


# -- latency -------------------------------------------------------------------------------------


def test_a_target_whose_calls_took_too_long_is_not_called(ledger: Ledger) -> None:
    keep(ledger, "small", 18, seconds=1.0)
    keep(ledger, "small", 2, seconds=9.0)
    keep(ledger, "large", 20, seconds=2.0)
    decision = Cheapest(max_latency=5, ledger=ledger)(ask())
    assert decision.target == "large"
    assert "small 95 % of 20 calls in the ledger took up to 9.00 s (max_latency=5)" in decision.reasons
    assert "large: 95 % of 20 calls in the ledger took up to 2.00 s" in decision.reasons


def test_a_latency_that_is_not_known_limits_nothing_and_is_said(ledger: Ledger) -> None:
    keep(ledger, "small", 19, seconds=9.0)
    decision = Cheapest(max_latency=5, ledger=ledger)(ask())
    assert decision.target == "small"
    assert "small: latency not known: 19 calls in the ledger, 20 are needed" in decision.reasons


# -- abilities -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weak", "fields", "missing"),
    [
        ({"tool_calling": False}, {"tools": ("search",)}, "tools"),
        ({"tool_calling": False, "structured_output": False}, {"structured": True}, "structured output"),
        ({"media": frozenset()}, {"media": ("image",)}, "image input"),
        ({"max_output_tokens": 1_000}, {"max_output_tokens": 2_000}, "answers of 2,000 tokens"),
        ({"max_input_tokens": 4_000}, {"turns": (Turn("human", LONG),)}, "a window for "),
    ],
)
def test_a_target_that_cannot_do_it_is_not_called(weak: dict[str, Any], fields: dict[str, Any], missing: str) -> None:
    able = {name: getattr(MINI, name) for name in TargetModel.__slots__}
    models = {"small": TargetModel(**{**able, **weak}), "large": FULL}
    assert Cheapest()(ask(models=models)).target == "small"
    decision = Cheapest()(ask(models=models, **fields))
    assert decision.target == "large"
    assert f"small cannot do it ({missing}" in said(decision)


def test_a_schema_can_be_had_by_a_tool_call() -> None:
    models = {"small": TargetModel("gpt-4o-mini", "openai", structured_output=False, tool_calling=True), "large": FULL}
    assert Cheapest()(ask(models=models, structured=True)).target == "small"


def test_what_a_profile_does_not_tell_is_taken_for_granted_and_said() -> None:
    models = {"small": TargetModel("gpt-4o-mini", "openai"), "large": FULL}
    decision = Cheapest()(ask(models=models, tools=("search",), structured=True, media=("image", "smell")))
    assert decision.target == "small"
    taken = "tools, structured output, image input, smell input"
    assert f", {taken}" in said(decision)
    assert "small: not told by its profile, taken for granted: a window for " in said(decision)
    assert "small: image, smell input is not in the expected cost" in decision.reasons


def test_where_no_target_fits_one_is_called_that_can_do_it() -> None:
    models = {"small": MINI, "large": TargetModel("gpt-4", "openai", 8_192, 8_192, True)}
    request = ask(models=models, turns=(Turn("human", LONG * 4),))
    decision = Cheapest(min_quality=0.8, quality=TABLE)(request)
    assert decision.target == "small"
    assert decision.reasons[0].startswith("small: no target fits, and large cannot do it, ")
    models["small"] = models["large"]
    assert Cheapest()(ask(models=models, turns=request.turns)).target == "large"


def test_what_targets_do_not_tell_can_be_said() -> None:
    said_here = {"small": TargetModel("gpt-4o-mini", "openai", max_input_tokens=1_000)}
    policy = Cheapest(models=said_here)
    request = ask(models={"small": TargetModel(), "large": FULL})
    policy.check_models(request.models)
    assert policy(request).target == "small"
    assert policy(ask(models=request.models, turns=(Turn("human", LONG),))).target == "large"
    told = TargetModel("gpt-4o", "openai", max_input_tokens=128_000)
    assert (
        policy(ask(models={"small": told}, targets=("small",))).expected_cost
        == Cheapest()(ask(models={"small": told})).expected_cost
    )


# -- within other policies -----------------------------------------------------------------------


def test_other_policies_can_stand_around_it() -> None:
    cheapest = Cheapest(min_quality=0.8, quality=TABLE)
    around: list[Any] = [sticky(cheapest), canary(cheapest, 0.5), first_sure(Rules(), cheapest)]
    for policy in around:
        chooser = TargetChooser(["small", "large"], policy=policy)
        chooser.check_models(MODELS)
        with pytest.raises(ConfigurationError, match="cannot be priced"):
            chooser.check_models({"small": TargetModel("my-own-llm"), "large": FULL})
        assert chooser.choose(ask("Prove that there are infinitely many primes.")).target == "large"
        assert chooser.faults.total == 0


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_quality": 1.1, "quality": TABLE}, "min_quality lies between 0 and 1; got 1.1"),
        ({"min_quality": math.nan, "quality": TABLE}, "min_quality lies between 0 and 1; got nan"),
        ({"min_quality": True, "quality": TABLE}, "min_quality lies between 0 and 1; got True"),
        ({"min_quality": 0.8}, "min_quality=0.8 needs to know how good the targets are"),
        ({"quality": {"small": 1.5}}, r"quality\['small'\] lies between 0 and 1; got 1.5"),
        ({"quality": {}}, "quality is an empty table"),
        ({"quality": 0.8}, "quality must be a Learned or a table"),
        ({"max_cost": 0}, "max_cost must be above 0 USD"),
        ({"max_cost": "-1"}, "max_cost must be a finite amount"),
        ({"max_cost": "cheap"}, "max_cost is no number: 'cheap'"),
        ({"max_cost": math.inf}, "max_cost must be a finite amount"),
        ({"max_latency": 0.0}, "max_latency must be a number of seconds above 0, not 0.0"),
        ({"max_latency": 2.0}, "max_latency=2.0 does nothing without ledger="),
        ({"only": {"feature": "x"}}, "does nothing without ledger="),
        ({"only": {"since": "x"}}, "only must be filters"),
        ({"recent": timedelta(0)}, "recent must be a timedelta above 0"),
        ({"output_tokens": 0}, "output_tokens must be a number of tokens above 0"),
        ({"output_tokens": {"small": -1}}, r"output_tokens\['small'\] must be a number of tokens above 0"),
        ({"seconds": "2"}, "seconds must be a number of seconds above 0"),
        ({"least_scores": 0}, "least_scores must be a number of scores above 0"),
        ({"prices": {}}, "prices must be a PriceBook"),
        ({"ledger": "costs.db"}, "ledger must be a Ledger, not 'costs.db'"),
        ({"models": {"small": "gpt-4o"}}, r"models\['small'\] must be a TargetModel, not 'gpt-4o'"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Cheapest(**options)


def test_a_filter_that_there_is_not_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="cannot filter calls by 'colour'"):
        Cheapest(ledger=ledger, only={"colour": "red"})


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"quality": {"tiny": 0.5}}, "quality"),
        ({"output_tokens": {"tiny": 5}}, "output_tokens"),
        ({"seconds": {"tiny": 5}}, "seconds"),
        ({"models": {"tiny": MINI}}, "models"),
    ],
)
def test_names_that_are_no_targets_are_refused(options: dict[str, Any], what: str) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"{what} names \['tiny'\], which are no targets; there are \['small'"
    ):
        TargetChooser(["small", "large"], policy=Cheapest(**options))


def test_a_learned_policy_of_other_targets_is_refused() -> None:
    policy = Cheapest(quality=Learned.fit(PROMPTS, OUTCOMES))
    with pytest.raises(ConfigurationError, match="quality names"):
        TargetChooser(["cheap", "strong"], policy=policy)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            TargetModel("my-own-llm", "openai"),
            r"target 'small' \(model 'my-own-llm', provider 'openai'\) cannot be priced",
        ),
        (TargetModel(), "target 'small' does not say which model it is"),
        (TargetModel("by-the-hour"), "seconds= or ledger= the time of a call"),
    ],
)
def test_a_target_without_a_price_is_refused(model: TargetModel, message: str) -> None:
    prices = PriceBook(overrides={"by-the-hour": ModelPrice(per_hour="2")})
    chooser = TargetChooser(["small", "large"], policy=Cheapest(prices=prices))
    with pytest.raises(ConfigurationError, match=message):
        chooser.check_models({"small": model, "large": FULL})
    chooser.check_models(MODELS)


def test_a_model_that_loses_its_price_is_left_out_and_recorded() -> None:
    ended = ModelPrice(input_per_million="1", output_per_million="2", until=date(2020, 1, 1))
    policy = Cheapest(prices=PriceBook(overrides={"llama-3.1-8b": ended}))
    chooser = TargetChooser(["small", "large"], policy=policy)
    choice = chooser.choose(ask(models={"small": TargetModel("llama-3.1-8b-own"), "large": FULL}))
    assert choice.target == "large"
    assert "small has no price" in choice.decision.reasons
    assert policy.faults.counts == {"pricing a target: LookupError": 1}
    assert chooser.faults.total == 0
    lost = chooser.choose(ask(models={}))
    assert (lost.target, lost.decision.expected_cost) == ("large", None)
    assert lost.decision.reasons[0] == "large: no target fits, at an unknown price"


def test_no_targets_is_a_fault_of_the_caller() -> None:
    with pytest.raises(LookupError, match="no targets to choose among"):
        Cheapest()(RouteRequest(question="Hello"))
    assert Cheapest()(RouteRequest(question="Hello", models=MODELS)).target == "small"


# -- the ledger ----------------------------------------------------------------------------------


def test_a_ledger_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.close()
    with pytest.raises(StoreError, match="is closed"):
        Cheapest(ledger=ledger)


def test_refreshing_reads_what_came_since_and_keeps_it_when_that_fails(ledger: Ledger) -> None:
    keep(ledger, "small", 40, good=1.0)
    policy = Cheapest(min_quality=0.8, ledger=ledger)
    assert policy(ask()).target == "small"
    keep(ledger, "small", 40, good=0.1)
    assert policy(ask()).target == "small"
    assert policy.refresh()
    assert policy(ask()).target == "large"
    known = policy.experience
    ledger.close()
    assert not policy.refresh()
    assert policy.experience is known
    assert policy.faults.counts == {"reading the ledger: StoreError": 1}
    assert Cheapest().refresh()


def test_only_what_is_recent_and_asked_for_is_read(ledger: Ledger) -> None:
    def calls(**options: Any) -> int:
        return sum(row.calls for row in Cheapest(ledger=ledger, **options).experience.rows)

    for days, feature in ((40, "support"), (1, "support"), (1, "search")):
        started = datetime.now(UTC) - timedelta(days=days)
        ledger.record(
            CallRecord(route="small", feature=feature, started_at=started, cost=Cost(usd=Decimal(0), basis="exact"))
        )
    assert calls() == 3
    assert calls(recent=timedelta(days=30)) == 2
    assert calls(recent=timedelta(days=30), only={"feature": "support"}) == 1


def test_it_can_be_pickled_and_shown(ledger: Ledger) -> None:
    keep(ledger, "small", 20, good=1.0)
    policy = Cheapest(min_quality=0.8, max_cost=0.1, ledger=ledger, quality=TABLE)
    copy = pickle.loads(pickle.dumps(policy))  # noqa: S301
    assert copy(ask()) == policy(ask())
    assert repr(policy) == "Cheapest(min_quality=0.8, max_cost=0.1, quality by a table, 1 targets in the ledger)"
    copy.ledger.close()
