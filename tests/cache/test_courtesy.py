"""Which words around a question are courtesy, and which are the question?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.cache.courtesy import core_of
from lc_costkit.cache.gates import DEFAULT_GATES, prepare, run_gates


@pytest.mark.parametrize(
    ("text", "core"),
    [
        ("Hello! Could you please tell me how to descale the kettle? Many thanks.", "how to descale the kettle?"),
        ("Good evening, I was wondering if you could explain how tides work. Cheers!", "how tides work"),
        ("Sorry for the silly question, but what is a sourdough starter?", "what is a sourdough starter?"),
        ("Do you know where the museum is, please?", "where the museum is"),
        ("where is the museum thx", "where is the museum"),
        ("안녕하세요, 혹시 주차권을 어디서 받는지 알려주실 수 있을까요? 감사합니다", "주차권을 어디서 받는지"),
        ("바쁘신데 죄송합니다. 사물함 이용료가 얼마인지 여쭤봐도 될까요?", "사물함 이용료가 얼마인지"),
    ],
)
def test_courtesies_are_taken_off(text: str, core: str) -> None:
    assert core_of(text) == core


@pytest.mark.parametrize(
    "text",
    [
        "Can you deliver to Bergen?",
        "Could you refund me?",
        "What does 'thank you' mean in Korean?",
        "How do I say sorry in French?",
        "Hi",
        "Thanks!",
        "감사합니다",
        "환불 부탁드립니다",
        "",
    ],
)
def test_a_question_keeps_what_it_asks(text: str) -> None:
    assert core_of(text) == text


@given(st.text(max_size=300))
def test_something_is_always_left(text: str) -> None:
    core = core_of(text)
    assert core in text.replace("’", "'") or core in text
    assert core or not text.strip()


@pytest.mark.parametrize(
    ("cached", "new"),
    [
        ("How do I descale the kettle?", "Hi there, hope you are well. Could you tell me how to descale the kettle?"),
        ("사물함 이용료가 얼마인가요?", "수고 많으십니다. 사물함 이용료가 얼마인지 알려주시면 감사하겠습니다."),
    ],
)
def test_courtesy_is_no_difference(cached: str, new: str) -> None:
    assert run_gates(DEFAULT_GATES, prepare(cached), prepare(new)).reason is None
    assert run_gates(DEFAULT_GATES, prepare(new), prepare(cached)).reason is None
