"""Does each check see its own fault, and let a good answer pass?"""

from __future__ import annotations

import json
import pickle
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import RouteRequest, Turn
from lc_costkit.routing.answer import Answer, Check, ToolCall, Verdict
from lc_costkit.routing.checks import (
    GENERAL_CHECKS,
    CitesContext,
    FinalNumber,
    Length,
    Matches,
    SchemaValid,
    SelfConsistent,
    ToolsValid,
    arithmetic_recomputes,
    check_all,
    code_compiles,
    complete,
    conclusion_is_shown,
    json_parses,
    no_hedging,
    no_refusal,
    unknowns_solve,
    uses_what_is_given,
    whole_counts,
)
from tests.routing.test_rules import DATA

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
BOUGHT = "Ann buys 3 boxes of 12 eggs and breaks 5. How many eggs are whole?"


def judge(check: Check, text: str, question: str = "?", **fields: Any) -> Verdict:
    return check(RouteRequest(question=question), Answer(text=text, **fields))


@pytest.mark.parametrize(
    ("check", "good", "bad", "reason"),
    [
        (complete, "Paris.", "", "it is empty"),
        (complete, "Paris", "The capital of France is", "it ends in the middle of a sentence"),
        (complete, "```py\nx\n```", "```py\nx", "a code block is open at its end"),
        (complete, "is <<3*4=12>>12", "is <<3*4", "a calculation is open at its end"),
        (no_refusal, "Paris.", "I'm sorry, I cannot help.", "it declines (sorry, I cannot)"),
        (no_hedging, "It is 12.", "It is 12. Wait, no.", "it doubts itself (Wait, no)"),
        (arithmetic_recomputes, "3 * 4 = 12", "3 * 4 = 13", "3 * 4 is 12, not 13"),
        (unknowns_solve, "3x + 2 = 11, x = 3", "3x + 2 = 11, x = 4", "what it finds does not solve 3x + 2 = 11"),
        (code_compiles, "```python\nx = 1\n```", "```python\nx = = 1\n```", "a python block does not parse: line 1"),
        (code_compiles, "```json\n1\n```", "```json\n[1\n```", "a json block does not parse: not valid at character 2"),
        (json_parses, '{"a": 1}', "Sure: {a: 1}", "it is no JSON: not valid at character 0"),
        (json_parses, 'Here:\n```json\n{"a": 1}\n```', "```json\n{\n```", "it is no JSON: not valid at character 1"),
        (SchemaValid(SCHEMA), '{"city": "Paris"}', '{"town": "Paris"}', "it breaks the schema: 'city' is missing"),
        (Length(least=3, most=9), "Paris.", "P.", "it has 2 characters, fewer than 3"),
        (Length(least=3, most=9), "Paris.", "Paris, France.", "it has 14 characters, more than 9"),
        (Matches("^A: ", what="an answer line"), "A: 3", "3", "it lacks an answer line"),
        (FinalNumber(least=0, whole=True), "so 12", "so -12", "it comes to -12, which is out of range"),
        (FinalNumber(least=0, whole=True), "so 12", "so 2.5", "it comes to 2.5, which is no whole number"),
        (FinalNumber(most=5), "so 5", "none", "it comes to no number"),
    ],
)  # fmt: skip
def test_a_check_sees_its_fault(check: Check, good: str, bad: str, reason: str) -> None:
    assert judge(check, good).passed
    verdict = judge(check, bad)
    assert (verdict.passed, verdict.reason) == (False, reason)


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "content_filter", "SAFETY"])
def test_an_answer_that_was_cut_off_is_not_complete(reason: str) -> None:
    assert not judge(complete, "Paris is the capital.", finish_reason=reason).passed
    assert judge(complete, "Paris is the capital.", finish_reason="stop").passed


def test_an_answer_of_tool_calls_alone_is_complete() -> None:
    calls = (ToolCall(name="weather", arguments={"city": "Paris"}),)
    assert judge(complete, "", tool_calls=calls).passed
    assert judge(json_parses, "", tool_calls=calls).passed
    assert judge(Length(), "", tool_calls=calls).passed


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("weather", {"city": "Paris"}, ""),
        ("weather", '{"city": "Paris"}', ""),
        ("wether", {"city": "Paris"}, "it asks for a tool that there is not"),
        ("weather", {"city": 3}, "the arguments of weather break its schema: city is no string"),
        ("weather", '{"city": ', "the arguments of weather are no JSON: not valid at character 9"),
    ],
)
def test_tool_calls_are_held_against_their_schemas(name: str, arguments: Mapping[str, Any] | str, reason: str) -> None:
    verdict = judge(ToolsValid({"weather": SCHEMA}), "", tool_calls=(ToolCall(name=name, arguments=arguments),))
    assert verdict.reason == reason
    assert verdict.passed == (not reason)


def test_a_tool_may_be_required() -> None:
    assert judge(ToolsValid({"weather": SCHEMA}), "It is sunny.").passed
    assert not judge(ToolsValid({"weather": SCHEMA}, required=True), "It is sunny.").passed


def test_counts_are_whole() -> None:
    assert judge(whole_counts, "31 eggs", BOUGHT).passed
    assert judge(whole_counts, "It is 30.5", BOUGHT).reason == "a count cannot be 30.5"
    assert judge(whole_counts, "It is 30.5", "How many kilometres is it?").passed


def test_a_calculation_uses_what_is_given_and_shows_what_it_comes_to() -> None:
    assert judge(uses_what_is_given, "3 * 12 = 36, 36 - 5 = 31", BOUGHT).passed
    assert judge(uses_what_is_given, "3 + 4 = 7", BOUGHT).reason == "it does not use 2 of the question's numbers"
    assert judge(uses_what_is_given, "3 * 12 = 36", BOUGHT).reason == "it does not use 1 of the question's numbers"
    assert not judge(
        uses_what_is_given, "3 * 12 = 36개", "달걀 12개가 든 상자 3개를 사서 5개를 깨뜨렸다. 몇 개 남나?"
    ).passed
    assert judge(
        uses_what_is_given, "30 / 2 = 15", "Of 30 eggs 2 boxes are made, and 1 is sold. How many are in it?"
    ).passed
    assert judge(uses_what_is_given, "Half of 30 + 8 is 15 + 4 = 19", "Of 30 eggs and 8 nuts 2 boxes are made.").passed
    assert judge(uses_what_is_given, "Thirty-one.", BOUGHT).passed
    assert judge(conclusion_is_shown, "36 - 5 = 31\n#### 31", BOUGHT).passed
    assert judge(conclusion_is_shown, "36 - 5 = 31\n#### 41", BOUGHT).reason == "it comes to 41, which it does not show"


CONTEXT = RouteRequest(
    question="How long is the return period?",
    system="[1] Goods can be returned within 30 days.\n[2] Shipping is free from 50 euros.",
    turns=(Turn("tool", "[7] Opened software cannot be returned."),),
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("30 days [1].", ""),
        ('The terms say "goods can be returned within  30 days".', ""),
        ("It is 30 days.", ""),
        ("Not if it was opened [7].", ""),
        ('A "fee" is what the terms of the shop call a "charge".', ""),
        ("30 days [3].", "it refers to [3], which the context does not have"),
        ('The terms say "goods can be returned within 60 days".', "it quotes what the context does not say"),
    ],
)
def test_quotations_and_references_stand_in_the_context(text: str, reason: str) -> None:
    assert CitesContext()(CONTEXT, Answer(text=text)).reason == reason


def test_a_citation_may_be_required_and_the_context_given() -> None:
    assert CitesContext(required=True)(CONTEXT, Answer(text="30 days.")).reason == "it cites nothing"
    assert CitesContext(context=lambda request: "[9]")(CONTEXT, Answer(text="30 days [9].")).passed


def test_samples_that_agree_pass() -> None:
    agreeing = judge(SelfConsistent(), "so 12", samples=("= 12.0", "12", "13"))
    assert (agreeing.passed, agreeing.score) == (True, 0.75)
    apart = judge(SelfConsistent(), "so 12", samples=("13", "14"))
    assert (apart.passed, apart.reason) == (False, "33% of 3 samples come to it")
    assert judge(SelfConsistent(), "so 12").passed


def test_code_in_a_prompt_session_or_indented_is_read() -> None:
    assert judge(code_compiles, "```python\n>>> x = 1\n>>> x\n1\n```").passed
    assert judge(code_compiles, "```py\n    if x:\n        y()\n```").passed
    assert not judge(code_compiles, "```python\nprint('" + "\0" + "')\n```").passed
    assert judge(code_compiles, "```rust\nlet x = = 1;\n```").passed


def test_hostile_answers_do_not_break_a_check() -> None:
    deep = "[" * 100_000
    assert not judge(json_parses, deep).passed
    assert not judge(code_compiles, f"```python\n{'(' * 5000}\n```").passed
    hostile = ["=" * 10_000, "1+" * 10_000 + "=", "1+" * 10_000 + "x = 1", '"' * 5000, "[1]" * 5000, "\ud83d"]
    hostile += ["x " * 50_000, "```" + "a" * 50_000, "```" * 9_999, "1" * 5_000 + " * 2 = 3", "9" * 400, "1 " * 9_999]
    for text in hostile:
        check_all((*GENERAL_CHECKS, json_parses, CitesContext()), RouteRequest(question=text), Answer(text=text))


def test_good_answers_of_other_tasks_pass_all_general_checks() -> None:
    answers = [
        "Paris.",
        "파리입니다.",
        json.dumps({"name": "Ann", "age": 31}),
        "- first\n- second",
        "def f(x):\n    return x",
        "Use `x == 3`; see the docs: https://example.com/?a=1&b=2",
        "The meeting is on 2026-11-20 at 12:30.",
        "| a | b |\n| --- | --- |\n| 1 | 2 |",
    ]
    for text in answers:
        verdicts = check_all(GENERAL_CHECKS, RouteRequest(question="What is it?"), Answer(text=text))
        assert all(verdict.passed for verdict in verdicts), (text, verdicts)


def test_checks_that_are_built_can_be_pickled() -> None:
    for check in (SchemaValid(SCHEMA), ToolsValid({}), Length(), Matches("a"), FinalNumber(), SelfConsistent()):
        assert judge(pickle.loads(pickle.dumps(check)), "a 1", tool_calls=()) is not None  # noqa: S301


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Length(least=5, most=3), "from least to most; got 5 to 3"),
        (lambda: Matches("(", what="x"), "is no regular expression"),
        (lambda: SelfConsistent(least=0.0), r"above 0 and at most 1, not 0\.0"),
        (lambda: Verdict(passed=True, score=2.0), r"between 0 and 1, not 2\.0"),
    ],
)
def test_bad_settings_are_refused(build: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build()


@pytest.mark.data
def test_the_checks_fail_many_wrong_answers_and_few_right_ones() -> None:
    path = Path(DATA) / "routing" / "gsm8k_answers.jsonl.gz"
    if not path.exists():
        pytest.skip(f"needs the measurement data; {path} is not there (set LC_COSTKIT_DATA)")
    rows = [json.loads(line) for line in zlib.decompress(path.read_bytes(), 31).decode().splitlines()]
    rates = {}
    for correct in (True, False):
        own = [row for row in rows if bool(row["weak_correct"]) is correct]
        verdicts = [
            check_all(GENERAL_CHECKS, RouteRequest(question=row["prompt"]), Answer(text=row["weak_answer"]))
            for row in own
        ]
        failures = [not all(verdict.passed for verdict in each) for each in verdicts]
        rates[correct] = sum(failures) / len(own)
    assert rates[True] < 0.09
    assert rates[False] > 0.4
