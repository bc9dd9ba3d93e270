"""Is a refusal in a text that was asked for told from one of the model's own?"""

from __future__ import annotations

import pytest

from lc_costkit.routing.own_words import asks_for_text, doubted, refused


@pytest.mark.parametrize(
    "question",
    [
        "Write an email that declines.",
        "Hello. Could you please draft a reply?",
        "Context: we are late.\nTranslate it to German.",
        "사과문을 써 줘",
        "다음 문장을 번역해 주세요: 안녕",
        "한국어로: Hello!",
    ],
)
def test_asking_for_a_text(question: str) -> None:
    assert asks_for_text(question)
    assert asks_for_text("word " * 3_000 + ". " + question)
    assert refused(question, "I'm sorry, but I can't help with that.\nAsk somebody else.")
    assert refused(question, "Dear Ann,\n\nI'm sorry, but I can't come on Monday.") is None
    assert refused(question, "안녕하세요.\n\n죄송하지만 참석하기 어렵습니다.") is None
    assert doubted(question, "Wait, I guess we made a mistake!") is None


@pytest.mark.parametrize(
    "question",
    [
        "Tom writes 3 letters a day. How many?",
        "Where do I write my name?",
        "My draft is lost.",
        "번역은 얼마인가요?",
        "",
    ],
)
def test_asking_for_something_else(question: str) -> None:
    assert not asks_for_text(question)
    assert refused(question, "Hello,\n\nI'm sorry, but I can't find it.")
    assert doubted(question, "Wait, I made a mistake.")


def test_a_refusal_that_is_to_be_translated_is_none() -> None:
    assert refused("Translate to English: 잘 모르겠습니다", "I don't know.") is None
    assert refused("Translate to English: 안녕하세요", "I don't know.")


@pytest.mark.parametrize(
    "said", ['Say: "I can\'t help you."', "Say “I don't know” then.", "> I guess so.\n\nThat is all.", "`# I guess`"]
)
def test_what_is_quoted_is_not_said(said: str) -> None:
    assert refused("How do I say it?", said) is None
    assert doubted("How do I say it?", said) is None
