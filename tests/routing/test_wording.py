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
    "Sorry, I can't do that.",
    "My apologies, but I can't.",
    "I apologize, but I am unable to open links.",
    "I'm sorry, we couldn't find it.",
    "As an AI, I cannot feel.",
    "죄송하지만 어렵습니다.",
    "실시간 정보에 접근할 수 없습니다.",
    "I'm sorry, I don't have that.",
    "Sorry, we are unable to answer.",
    "I don't know what that is.",
    "죄송하지만 그 요청은 도와드리기 어렵습니다.",
    "죄송합니다만 확인해 드릴 수 없습니다.",
]
HEDGES = [
    "So 12. Wait, that is wrong.",
    "I'm not sure, but perhaps 12.",
    "Let me recalculate: 13.",
    "However, we must also consider the cost of the doctors' time.",
    "아마도 12일 겁니다.",
    "정답은 12인 것 같습니다.",
    "다시 계산해 보겠습니다.",
    "12. Wait... no.",
    "Hmm. Hold on, let me think.",
    "I made a mistake above.",
    "However, since the question asks for days, 3.",
    "That can't be right.",
    "이 답변은 정확하지 않을 수 있습니다.",
    "제가 틀렸습니다.",
    "We made a mistake: it is 13.",
    "I think it is 12.",
    "12개인 것 같아요.",
    "제 추측으로는 12입니다.",
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
    "I'm sorry to hear that your order is late. It ships tomorrow.",
    "I apologize for the inconvenience. Please restart the device.",
    "It acts as an AI assistant for doctors.",
    "The truth cannot be known a priori, Kant says.",
    "A query of insufficient data fails.",
    "Python is slow. However, it is easy to learn.",
    "It failed at first. However, we fixed it in 2.1.",
    "However, this only works on Linux, and there are two exceptions.",
    "There is an error in line 3: the index is off by one.",
    "We also need to install Redis.",
    "This is wrong because the list is empty.",
    "Prices will probably rise.",
    "I believe this will help your team.",
    "Let's start over the summer.",
    "Press the button, wait, and let go.",
    "불편을 드려 죄송합니다. 환불은 3일 안에 처리됩니다.",
    "한 번 삭제하면 복구할 수 없습니다.",
    "발송 뒤에는 주문을 취소할 수 없습니다. 대신 반품할 수 있습니다.",
    "가격은 매장마다 다를 수 있으니 참고하세요.",
    "데이터가 없으면 0을 반환합니다.",
    "오류가 있는 행을 지우세요.",
    "파일을 다시 확인해 주세요.",
    "경계가 모호한 경우가 많습니다.",
    "잠깐, 그 전에 저장하세요.",
    "권한이 없으면 파일에 접근할 수 없습니다. chmod로 권한을 바꾸세요.",
    "This looks wrong: `i <= n` should be `i < n`.",
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
