"""Are refusals and doubts heard in both languages, and nothing else?"""

from __future__ import annotations

import pytest

from lc_costkit.routing.wording import hedge, refusal

REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I cannot provide medical advice.",
    "As an AI language model, I have no opinion.",
    "There is not enough information to tell.",
    "I don\u2019t have access to your account.",
    "The year cannot be determined from the text.",
    "죄송합니다. 그 질문에는 답변드릴 수 없습니다.",
    "주어진 정보가 부족하여 판단이 어렵습니다.",
    "잘 모르겠습니다.",
]
HEDGES = [
    "So 12. Wait, that is wrong.",
    "I'm not sure, but perhaps 12.",
    "Let me recalculate: 13.",
    "However, we must also consider the cost of the doctors' time.",
    "아마도 12일 겁니다.",
    "정답은 12인 것 같습니다.",
    "다시 계산해 보겠습니다.",
]
PLAIN = [
    "Paris is the capital of France.",
    "The bank cannot refuse a payment that was authorised.",
    "You cannot withdraw more than 500 euros a day.",
    "16 - 3 - 4 = 9 eggs. 9 * 2 = 18.",
    "Wait for the green light before you cross.",
    "The court said it was sorry for the delay.",
    "프랑스의 수도는 파리입니다.",
    "하루에 500유로까지 인출할 수 있습니다.",
    "같은 계좌로 이체하세요.",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_heard(text: str) -> None:
    assert refusal(text)


@pytest.mark.parametrize("text", HEDGES)
def test_doubts_are_heard(text: str) -> None:
    assert hedge(text)


@pytest.mark.parametrize("text", PLAIN)
def test_plain_answers_are_neither(text: str) -> None:
    assert refusal(text) is None
    assert hedge(text) is None
