"""Is a value seen that nobody gave, and one let pass that somebody did?"""

from __future__ import annotations

import json
import pickle
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing import RouteRequest, Turn
from lc_costkit.routing.answer import Answer, ToolCall, Verdict
from lc_costkit.routing.given import ValuesGiven

ASKED = "Send £1,250.50 to Ann-Marie O’Neil  by next Friday, please."


def judge(value: Any, asked: str = ASKED, check: ValuesGiven | None = None) -> Verdict:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return (check or ValuesGiven())(RouteRequest(question=asked), Answer(text=text))


@pytest.mark.parametrize(
    "value",
    [
        {"amount": 1250.5, "to": "Ann-Marie O'Neil", "when": "next friday"},
        {"amount": -1250.5, "to": None, "urgent": True},
        {"amount": "1,250.50", "people": ["Ann-Marie"], "more": {"when": "by next Friday."}},
        '```json\n{"amount": 1250.5}\n```',
        "It is no JSON at all: 77.",
        '{"amount": 77',
        "77",
    ],
)
def test_what_was_given_passes(value: Any) -> None:
    assert judge(value).passed


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"amount": 1205.5}, "amount"),
        ({"to": "Anne O'Neil"}, "to"),
        ({"people": ["Ann-Marie", "Bob"]}, "people"),
        ({"more": {"when": "Saturday"}}, "when"),
        ('```json\n{"amount": 7}\n```', "amount"),
    ],
)
def test_what_was_not_given_fails(value: Any, field: str) -> None:
    verdict = judge(value)
    assert (verdict.passed, verdict.reason) == (False, f"the value of {field} does not stand in the request")


def test_korean_values_stand_before_their_particles() -> None:
    asked = "김민수에게 5만원을 다음 주 금요일까지 보내 줘"
    assert judge({"to": "김민수", "when": "다음 주 금요일", "amount": 50000}, asked).passed
    assert not judge({"to": "김민지"}, asked).passed


@pytest.mark.parametrize("asked", ["Send seven hundred pounds.", "Send a thousand.", "Send 7k.", "세 명 예약해 줘"])
def test_numbers_in_words_are_not_judged(asked: str) -> None:
    assert judge({"amount": 700}, asked).passed


def test_only_the_named_fields_are_looked_at() -> None:
    check = ValuesGiven(fields=["to"])
    assert judge({"to": "Ann-Marie", "currency": "GBP"}, check=check).passed
    assert not judge({"to": "Bob", "currency": "GBP"}, check=check).passed
    assert not judge({"currency": "GBP"}).passed


def test_the_arguments_of_tools_are_looked_at_and_what_tools_said_was_given() -> None:
    request = RouteRequest(question="Pay it.", turns=(Turn("tool", "Invoice 77 of ACME"), Turn("human", "Pay it.")))
    for arguments in ({"payee": "ACME", "invoice": 77}, '{"payee": "ACME", "invoice": 77}'):
        assert ValuesGiven()(request, Answer(text="", tool_calls=(ToolCall(name="pay", arguments=arguments),))).passed
    wrong = Answer(text="", tool_calls=(ToolCall(name="pay", arguments={"payee": "EMCA"}),))
    assert ValuesGiven()(request, wrong).reason == "the value of payee does not stand in the request"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_any_value_is_judged(value: Any) -> None:
    assert isinstance(judge({"field": value}), Verdict)


@given(st.text())
def test_a_text_of_the_request_is_never_refused(text: str) -> None:
    assert judge({"field": text}, f"Say {text} now").passed


def test_it_can_be_pickled() -> None:
    assert not pickle.loads(pickle.dumps(ValuesGiven(fields=("to",))))(  # noqa: S301
        RouteRequest(question="x"), Answer(text='{"to": "y"}')
    ).passed


@pytest.mark.parametrize("fields", ["to", [], ()])
def test_bad_fields_are_refused(fields: Any) -> None:
    with pytest.raises(ConfigurationError, match="fields must be names"):
        ValuesGiven(fields=fields)


def test_the_system_prompt_gives_values_but_counts_nothing_in_words() -> None:
    request = RouteRequest(question="What is on my account?", system="Answer in one sentence. The account is 88123.")
    check = ValuesGiven()
    assert check(request, Answer(text='{"account": 88123}')).passed
    assert not check(request, Answer(text='{"account": 88124}')).passed


def test_hangul_written_in_letters_is_the_same() -> None:
    assert judge({"to": "김민수"}, unicodedata.normalize("NFD", "김민수에게 보내 줘")).passed
