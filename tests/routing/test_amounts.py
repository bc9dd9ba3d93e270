"""Are amounts told from what only names something, and is what is used in another form seen?"""

from __future__ import annotations

import pytest

from lc_costkit.routing.amounts import amounts, follows, unused
from lc_costkit.routing.arithmetic import equations


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("Order 88213, 3 shirts at 19.99", [3, 19.99]),
        ("Please order 12 boxes at 4.50", [12, 4.5]),
        ("Room 204, three nights at 89", [89]),
        ("There is room for 204 people", [204]),
        ("Flight LH 452 costs 620, or EUR 580", [620, 580]),
        ("Invoice A-20391 and 2024-0117 over 240", [240]),
        ("Customer no. 77: 12 boxes", [12]),
        ("My card ends in 3321, the bill is 58.20", [58.2]),
        ("Call 0800 or 555-0199 within 5 days", [5]),
        ("From 4 May to June 12, 2026, at 3 pm, 30 a month", [30]),
        ("on the 3rd of 5 days", [5]),
        ("6월 10일에 해지, 월 30,000원, 20일까지, 2시 30분", [30000]),
        ("30일 동안 2시간씩", [30, 2]),
        ("주문번호 88123, 티셔츠 2장", [2]),
        ("주문 4411번은 12개", [12]),
        ("304호, 1박 89,000원", [1, 89000]),
    ],
)
def test_what_names_something_is_no_amount(question: str, found: list[float]) -> None:
    assert amounts(question) == found


@pytest.mark.parametrize(
    ("question", "text", "left"),
    [
        ("35,000 with 20% off?", "35,000 * 0.8 = 28,000", []),
        ("35,000 plus 20%?", "35,000 * 1.2 = 42,000", []),
        ("35,000 with 20 off?", "35,000 * 0.8 = 28,000", [20]),
        ("50 with 20% off, and 20 more?", "80 - 50 = 30", [20]),
        ("2 shirts at 15 and 3 for shipping?", "2 * 15 = 30, and with shipping 33.", []),
        ("2 shirts at 15 and 3 for shipping?", "2 * 15 = 30, and with shipping 34.", [3]),
        ("250 users, 30 of them free, at 8 dollars?", "220 * 8 = 1,760", []),
        ("250 users, 30 of them free, at 8 dollars?", "250 * 8 = 2,000", [30]),
        ("3 boxes, 12 eggs each, 5 break?", "3 + 4 = 7", [12, 5]),
        ("3 boxes, 12 eggs each, 5 break?", "36 - 5 = 31", []),
        ("My 3 cats eat 60 g twice a day. How long do 720 g last?", "60 * 2 = 120, 720 / 120 = 6", [3]),
    ],
)
def test_an_amount_may_be_used_in_another_form(question: str, text: str, left: list[float]) -> None:
    assert unused(question, text, equations(text)) == left


def test_a_last_step_is_done_in_the_head() -> None:
    calculated = equations("249 * 0.2 = 49.80")
    assert follows(199.2, "What's 20% off 249?", calculated)
    assert not follows(200.2, "What's 20% off 249?", calculated)
