"""Is the quick count near the real one, whatever a prompt holds?"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lc_costkit
from lc_costkit.routing import RouteRequest, Turn
from lc_costkit.routing.prompt_tokens import TURN_TOKENS, prompt_tokens, tokens_of
from lc_costkit.tokens import TokenCounter, approximate_tokens

ROOT = Path(lc_costkit.__file__).parent
KOREAN = "카드 비밀번호를 잊어버렸는데 어떻게 다시 설정하나요? 앱에서 바꿀 수 있는지 알려 주세요. " * 200


@pytest.mark.parametrize(
    "text",
    [
        (ROOT / "demo/articles.md").read_text(encoding="utf-8"),
        (ROOT / "pricing.py").read_text(encoding="utf-8"),
        (ROOT / "demo/articles.md").read_text(encoding="utf-8") + (ROOT / "pricing.py").read_text(encoding="utf-8"),
    ],
    ids=["English", "Python", "both"],
)
def test_long_texts_are_counted_from_pieces(text: str) -> None:
    assert len(text) > 5_000
    assert tokens_of(text) == pytest.approx(TokenCounter("gpt-4o").count(text), rel=0.2)


def test_pieces_of_other_scripts_count_as_the_whole_does() -> None:
    assert tokens_of(KOREAN) == pytest.approx(approximate_tokens(KOREAN), rel=0.05)


@given(st.text(max_size=1_500))
def test_short_texts_are_counted_whole(text: str) -> None:
    assert tokens_of(text) == approximate_tokens(text)


@given(st.text(min_size=1), st.integers(1, 100_000))
def test_no_text_breaks_it(text: str, length: int) -> None:
    many = (text * (length // len(text) + 1))[:length]
    assert 0 <= tokens_of(many) <= 4 * length + 1


def test_all_that_is_sent_counts() -> None:
    question = Turn("human", "Where is my parcel?")
    alone = prompt_tokens(RouteRequest(question=question.text, turns=(question,)))
    assert alone == approximate_tokens(question.text) + TURN_TOKENS
    assert prompt_tokens(RouteRequest(question=question.text)) == alone
    more = {
        "system": RouteRequest(question="", turns=(question,), system="Be brief."),
        "tools": RouteRequest(question="", turns=(question,), tool_text='[{"name": "search"}]'),
        "turns": RouteRequest(question="", turns=(Turn("human", "Hello"), question)),
        "calls": RouteRequest(question="", turns=(Turn("assistant", "", calls='[{"name": "search"}]'), question)),
    }
    assert {what: prompt_tokens(request) > alone + TURN_TOKENS for what, request in more.items()} == dict.fromkeys(
        more, True
    )
    assert prompt_tokens(RouteRequest(question="")) == 0


@pytest.mark.parametrize("text", ["ACGTTGCA" * 5_000, "a" * 30_000, "Donaudampfschifffahrtsgesellschaft " * 500])
def test_runs_of_letters_without_an_end_count_in_full(text: str) -> None:
    assert tokens_of(text) == pytest.approx(approximate_tokens(text), rel=0.2)
