"""Is what an answer comes to read right?"""

from __future__ import annotations

import pytest

from lc_costkit.routing.final import asks_for_a_count, final_number, final_text, numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### 18", 18),
        ("It costs $1,234.50.", 1234.5),
        ("He has -3 left.", -3),
        ("from 3 to 5 km", 5),
        ("v2 and x86", None),
        ("", None),
        ("총 12개입니다.", 12),
        ("It is 1,200,000", 1_200_000),
    ],
)
def test_the_last_number(text: str, number: float | None) -> None:
    assert final_number(text) == number


def test_numbers_come_in_order() -> None:
    assert numbers("3 apples, 1,000 pears and 2.5 kg") == [3, 1000, 2.5]


def test_answers_that_come_to_the_same_are_equal() -> None:
    assert final_text("So it is 12.0") == final_text("4 * 3 = 12")
    assert final_text("Thus:\nParis!") == final_text("paris")
    assert final_text("Lyon") != final_text("Paris")
    assert final_text("") == ""


@pytest.mark.parametrize(
    ("question", "whole"),
    [
        ("How many students passed?", True),
        ("학생은 모두 몇 명인가요?", True),
        ("How many more apples does she need?", True),
        ("How many hours did it take?", False),
        ("How many pounds of flour are left?", False),
        ("On average, how many goals per game?", False),
        ("What is the price?", False),
    ],
)
def test_counts_of_things_that_come_whole(question: str, whole: bool) -> None:
    assert asks_for_a_count(question) == whole
