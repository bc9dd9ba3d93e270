"""Do the rules send the right questions to the right target, and say why?"""

from __future__ import annotations

import gzip
import json
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import DEFAULT_RULES, RouteRequest, Rule, Rules, Turn, signals
from tests.routing.parallel import HARD, SIMPLE

TWO = ("small", "large")
DATA = Path(os.environ.get("LC_COSTKIT_DATA", "../shared/data"))


def ask(question: str, **fields: object) -> RouteRequest:
    return RouteRequest(**{"question": question, "targets": TWO, **fields})  # type: ignore[arg-type]


def talk(*said: str) -> RouteRequest:
    """A conversation of human turns, each answered but the last."""
    turns: list[Turn] = []
    for text in said:
        turns += [Turn("human", text), Turn("assistant", "All right.")]
    return ask(said[-1], turns=tuple(turns[:-1]))


@pytest.mark.parametrize(
    "question", [text for pair in SIMPLE for text in pair] + ["hi", "안녕하세요", "hi, step by step"]
)
def test_simple_questions_are_for_the_small_target(question: str) -> None:
    assert Rules()(ask(question)).target == "small"


@pytest.mark.parametrize("question", [text for pair in HARD for text in pair])
def test_hard_questions_are_for_the_large_target_in_both_languages(question: str) -> None:
    assert Rules()(ask(question)).target == "large"


def test_reasons_name_the_rules_strongest_first() -> None:
    decision = Rules()(ask("Prove it, without using a computer."))
    assert decision.reasons[0] == "hard task +3.20 (prove)"
    assert any(reason.startswith("negation") for reason in decision.reasons)
    assert Rules()(ask("")).reasons == ("no rule found anything",)


def test_reasons_hold_nothing_of_the_question_but_the_rules_own_words() -> None:
    secret = "My password is hunter2-swordfish; why does Mr. Featherstonehaugh's login fail?"
    assert not any(word in " ".join(Rules()(ask(secret)).reasons) for word in ("hunter2", "swordfish", "Feather"))


def test_system_prompt_and_tools_do_not_raise_the_score() -> None:
    plain = Rules()(ask("hi"))
    loaded = Rules()(ask("hi", system="Prove, analyse and debug. " * 200, tools=tuple(f"tool_{n}" for n in range(60))))
    assert loaded == plain


@pytest.mark.parametrize("reply", ["do it", "yes", "그래 해줘", "ok, go ahead", "commit it please", "계속"])
def test_a_reply_inherits_the_level_of_the_conversation(reply: str) -> None:
    hard, simple = HARD[0][0], SIMPLE[0][0]
    after_hard = Rules()(talk(hard, reply))
    assert after_hard.target == "large"
    assert after_hard.score == Rules()(ask(hard)).score
    assert after_hard.reasons[0] == "a reply: judged as the question before it"
    assert Rules()(talk(hard, "yes", reply)).target == "large"
    assert Rules()(talk(simple, reply)).target == "small"
    assert Rules()(ask(reply)).target == "small"


def test_a_new_question_does_not_inherit() -> None:
    assert Rules()(talk(HARD[0][0], SIMPLE[0][0])).target == "small"


def test_a_long_document_is_read_in_bounded_pieces_but_counted_whole() -> None:
    filler = "plain words " * 5_000
    middle = Rules(table=[row for row in DEFAULT_RULES if row.name == "hard task"])
    assert middle.score(filler + "prove" + filler) == middle.score(filler)
    assert middle.score(filler + "prove") > middle.score(filler)


def test_several_targets_divide_the_range_below_the_threshold() -> None:
    rules = Rules(table=[Rule(name="n", signal=signals.clauses, weight=0.0)], threshold=0.6, base=0.0)
    request = RouteRequest(question="x", targets=("a", "b", "c"))
    assert rules(request).score == 0.5
    assert rules(request).target == "b"
    assert Rules(rules.table, threshold=0.5, base=0.0)(request).target == "c"
    assert Rules(rules.table, threshold=(0.6, 0.7), base=0.0)(request).target == "a"


def test_one_target_takes_everything() -> None:
    assert Rules()(RouteRequest(question=HARD[0][0], targets=("only",))).target == "only"


def test_own_targets_come_before_the_routers() -> None:
    rules = Rules(targets=("a", "b"))
    assert rules(RouteRequest(question="hi", targets=("x", "a", "b"))).target == "a"


def test_a_row_of_ones_own_counts() -> None:
    legal = Rule(name="legal", signal=signals.words, weight=4.0, english=("indemnity",), korean=("손해배상",))
    rules = Rules((*DEFAULT_RULES, legal))
    assert rules(ask("Is an indemnity due?")).target == "large"
    assert Rules()(ask("Is an indemnity due?")).target == "small"


@given(st.text(max_size=400))
def test_any_text_gets_a_decision(text: str) -> None:
    decision = Rules()(ask(text))
    assert decision.target in TWO
    assert decision.score is not None
    assert 0 <= decision.score <= 1


def test_more_evidence_of_difficulty_never_lowers_the_score() -> None:
    rules = Rules()
    question = "How do we store invoices?"
    for more in (
        " Analyse it.",
        " Compare both, but not on price.",
        "\n```\nx = 1\n```",
        "\n1. cost\n2. speed",
        " Why?",
    ):
        grown = question + more
        assert rules.score(grown) >= rules.score(question)
        question = grown


def test_rules_can_be_pickled() -> None:
    rules = Rules(threshold=(0.2, 0.4))
    assert pickle.loads(pickle.dumps(rules)).score(HARD[0][0]) == rules.score(HARD[0][0])  # noqa: S301


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.5}, "between 0 and 1 and ascend; got 1.5"),
        ({"threshold": float("nan")}, "between 0 and 1"),
        ({"threshold": (0.7, 0.3)}, "ascend"),
        ({"threshold": (0.3, 0.7), "targets": ("a", "b")}, "need 1 thresholds, one for each step; there are 2"),
        ({"table": ()}, "at least one rule"),
        ({"table": (DEFAULT_RULES[0], DEFAULT_RULES[0])}, "each of its own name"),
        ({"threshold": "0.2"}, "threshold must be a number between 0 and 1, .* not '0.2'"),
        ({"threshold": ("0.2", 0.4)}, "threshold must be a number"),
        ({"threshold": True}, "threshold must be a number"),
        ({"threshold": None}, "threshold must be a number"),
        ({"base": float("nan")}, "base must be a finite number"),
        ({"base": "0"}, "base must be a finite number"),
        ({"table": (Rule(name="l", signal=signals.length, weight=1.0, enough=5),)}, "over 20 letters"),
        ({"targets": ()}, "at least one"),
    ],
)
def test_bad_input_is_refused_at_construction(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Rules(**options)  # type: ignore[arg-type]


@pytest.mark.data
def test_most_support_questions_are_for_the_small_target() -> None:
    path = DATA / "cache" / "banking77_test.jsonl.gz"
    if not path.exists():
        pytest.skip(f"needs the measurement data; {path} is not there (set LC_COSTKIT_DATA)")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        targets = [Rules()(ask(json.loads(line)["text"])).target for line in lines]
    assert 0 < targets.count("large") / len(targets) < 0.1
