"""Are the made-up answers plausible, the same each time, and of realistic length?"""

from __future__ import annotations

import statistics

import pytest

from lc_costkit.testing import FakeMessage, FakeRequest, FakeTool, default_answer
from lc_costkit.testing.answers import question_in
from lc_costkit.tokens import TokenCounter

QUESTIONS = [
    f"{start} {topic}?"
    for start in ("How do I", "Why can't I", "When will I", "Is it possible to", "What does it cost to")
    for topic in (
        "top up my card with Apple Pay",
        "change my PIN abroad",
        "get a refund for a cancelled transfer",
        "exchange dollars to euros",
        "order a second card",
        "verify my identity",
        "freeze a stolen card",
        "see pending payments",
        "raise my limit",
        "close the account",
    )
]


def request(question: str, model: str = "gpt-4o", **options: object) -> FakeRequest:
    return FakeRequest(
        number=1,
        provider="openai",
        path="/v1/chat/completions",
        model=model,
        body={},
        question=question,
        **options,
    )


def lengths(model: str) -> list[int]:
    count = TokenCounter("gpt-4o").count
    return [count(default_answer(request(question, model)).text) for question in QUESTIONS]


def test_length_varies_within_20_and_200_tokens() -> None:
    for model in ("gpt-4o-mini", "gpt-4o", "claude-opus-4-6"):
        found = lengths(model)
        assert 15 <= min(found) <= 40
        assert 100 <= max(found) <= 200
        assert 30 <= statistics.median(found) <= 110
        assert len(set(found)) > 20
    assert statistics.mean(lengths("gpt-5")) < statistics.mean(lengths("claude-opus-4-6"))


def test_the_same_question_gets_the_same_answer_with_less_context() -> None:
    question = "How do I freeze a stolen card?"
    bare = default_answer(request(question))
    assert bare == default_answer(request(question))
    assert bare.text == default_answer(request(f"Context: cards.\nPINs.\n\nQuestion: {question}")).text
    assert bare.text != default_answer(request(question, choice=1)).text
    assert "stolen card" in bare.text


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("", ""),
        ("where is my card", "where is my card"),
        ("Answer from the context.\nQuestion: lost card\nContext: a. b.", "lost card"),
        ("Is it late?\nSome document.", "Is it late?"),
        ("문서 하나.\n질문: 카드 분실", "카드 분실"),
        ("Question:\nWhere is it?", "Where is it?"),
    ],
)
def test_the_question_inside_a_prompt(text: str, question: str) -> None:
    assert question_in(text) == question


def test_tools() -> None:
    tools = (FakeTool(name="search_flights"), FakeTool(name="getWeather", parameters={"type": "object"}))

    def called(question: str, **options: object) -> list[str]:
        return [call.name for call in default_answer(request(question, tools=tools, **options)).tool_calls]

    assert called("What is the weather?") == ["getWeather"]
    assert called("Any flight to Rome?") == ["search_flights"]
    assert called("Hello") == []
    assert called("Hello", tool_choice="required") == ["search_flights"]
    assert called("What is the weather?", tool_choice="none") == []
    after = (FakeMessage(role="user", text="weather?"), FakeMessage(role="tool", text="sunny"))
    assert called("weather?", messages=after) == []
    assert called("weather?", messages=after, tool_choice="required") == []
    assert called("weather?", messages=after, tool_choice="getWeather") == ["getWeather"]


def test_full_width_marks_are_marks() -> None:
    assert question_in("Kontext.\n질문\uff1a카드는 언제 와요") == "카드는 언제 와요"
    assert question_in("我的卡在哪里\uff1f\n谢谢") == "我的卡在哪里\uff1f"
