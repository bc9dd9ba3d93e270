"""Which messages lean on what was said before?"""

from __future__ import annotations

import pytest

from lc_costkit.routing.follow_up import is_follow_up


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "Yes, please.",
        "do it",
        "go on",
        "ok go ahead",
        "why?",
        "fix that",
        "네",
        "그래 해줘",
        "계속해 주세요",
        "왜요?",
    ],
)
def test_replies_do(text: str) -> None:
    assert is_follow_up(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "What is the capital of France?",
        "reset my password",
        "영업시간이 어떻게 되나요?",
        "증명해 주세요 피타고라스 정리",
        "I would like that new card you sent to my sister",
    ],
)
def test_questions_of_their_own_do_not(text: str) -> None:
    assert not is_follow_up(text)
