"""Is evidence read as it should be, in any script?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import DEFAULT_RULES, Rule, signals
from tests.routing.parallel import HARD, SIMPLE


def rule(signal: signals.Signal, **fields: object) -> Rule:
    return Rule(**{"name": "test", "signal": signal, "weight": 1.0, "enough": 4, **fields})  # type: ignore[arg-type]


def test_a_korean_question_is_about_as_long_as_its_english_twin() -> None:
    english = sum(signals.letters(a) for a, _ in SIMPLE + HARD)
    korean = sum(signals.letters(b) for _, b in SIMPLE + HARD)
    assert 0.9 < korean / english < 1.1


def test_length_grows_with_the_text_and_stops_at_full_strength() -> None:
    length = rule(signals.length, enough=4000)
    assert length.read("").strength == length.read("short").strength == 0
    assert 0 < length.read("x" * 100).strength < length.read("x" * 1000).strength < 1
    assert length.read("x" * 100_000).strength == 1


@pytest.mark.parametrize(
    ("signal", "text"),
    [
        (signals.code, "```python\nprint(1)\n```"),
        (signals.code, 'Traceback (most recent call last):\n  File "a.py", line 3'),
        (signals.code, "\tat com.example.Main.run(Main.java:12)"),
        (signals.code, "def total(items):\n    return sum(items)"),
        (signals.code, "SELECT name FROM users WHERE id = 3;"),
        (signals.code, "ValueError 가 발생합니다"),
        (signals.structure, "1. first\n2. second"),
        (signals.structure, "- 하나\n- 둘"),
        (signals.structure, "| a | b |\n| 1 | 2 |"),
        (signals.structure, '{"name": "Kim", "age": 3}'),
        (signals.questions, "Is it on? Is it off?"),
        (signals.questions, "켜졌나요? 꺼졌나요?"),
        (signals.formulas, "x^2 + 3x = 4"),
        (signals.clauses, "a, b; c"),
    ],
)
def test_evidence_is_found(signal: signals.Signal, text: str) -> None:
    finding = rule(signal).read(text)
    assert finding.strength > 0
    assert finding.note


@pytest.mark.parametrize("signal", [signals.code, signals.structure, signals.questions, signals.formulas])
@pytest.mark.parametrize(
    "text", ["", "How do I top up my card?", "카드를 어떻게 충전하나요?", "It (the card) is lost."]
)
def test_plain_words_are_not_taken_for_evidence(signal: signals.Signal, text: str) -> None:
    assert rule(signal).read(text) == signals.Finding(0.0)


def test_words_match_whole_english_words_any_korean_stem_and_wildcards() -> None:
    words = rule(signals.words, english=("prove", "optimi*"), korean=("증명",))
    assert words.read("Prove it").note == "prove"
    # What follows a stem is the user's text: a reason says the entry of the list.
    assert words.read("optimisation_of_Ms_Kim helps").note == "optimi*"
    assert words.read("루트 2를 증명하세요").note == "증명"
    assert words.read("improvement, approved").strength == 0


def test_the_same_word_again_is_no_more_evidence() -> None:
    words = rule(signals.words, english=("not", "never"))
    assert words.read("not, NOT, Not").strength == words.read("not").strength < words.read("not, never").strength


@given(st.text(max_size=300), st.sampled_from(DEFAULT_RULES), st.integers(1, 4))
def test_strength_lies_between_0_and_1_and_does_not_shrink_when_a_text_is_repeated(
    text: str, row: Rule, times: int
) -> None:
    once = row.read(text).strength
    again = row.read("\n".join([text] * (times + 1))).strength
    assert 0 <= once <= again <= 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"enough": 0}, "enough must be a positive number, not 0"),
        ({"enough": float("nan")}, "enough must be a positive number"),
        ({"weight": float("inf")}, "weight must be a finite number"),
    ],
)
def test_a_bad_rule_is_refused(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        rule(signals.words, **fields)


def test_length_needs_room_above_the_shortest_text() -> None:
    with pytest.raises(ConfigurationError, match="over 20 letters, not 20"):
        rule(signals.length, enough=20).read("x")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("Where is it?", "12 characters"),
        ("환불은 언제 되나요?", "11 characters, worth 21 Latin letters"),
        ("退款多久到账？", "7 characters, worth 21 Latin letters"),
        ("Où est-il ?", "11 characters"),
    ],
)
def test_the_note_about_length_says_what_is_counted(text: str, note: str) -> None:
    assert rule(signals.length, enough=4000).read(text).note == note
