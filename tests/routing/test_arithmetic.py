"""Are calculations found, and only those that can be read?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.routing.arithmetic import MOST, equations, evaluate


@pytest.mark.parametrize(
    "text",
    [
        "He has 16 - 3 = 13 eggs.",
        "16 eggs - 3 eggs = 13 eggs",
        "$1,200 + $300 = $1,500",
        "so 4 x 12 = 48 and 48 ÷ 4 = 12",
        "10% of $50 is 10% of 50 = 5",
        "(2 + 3) * 4 = 20",
        "In total 8 + 6 + 4 + (5 * 5) = 8 + 6 + 4 + 25 = 43 hours.",
        "<<16-3=13>>13",
        "100 / 3 = 33.33",
        "1/4 * 100 = 25%",
        "-5 + 3 = -2",
        "사과 3개 * 4 = 12개",
        "5000원 - 1500원 = 3500원",
        "$12.50/hour * 8 hours/day = $100/day",
        "100 / 7 ≈ 14",
        "1/36 ≈ 2.8%",
        "-1 / 3 = -0.3",
        "**5 + 3 = 8** apples",
        "2. 5 + 3 = 8",
        r"\(3 \times 4 = 12\)",
        r"\[120 \div 4 = 30\]",
        r"$\frac{10}{4} + 1 = 3.5$",
        r"12 \text{ eggs} \times 3 = 36 \text{ eggs}",
        r"100 \times 15\% = 15",
        r"5{,}000 \cdot 2 = 10{,}000 \quad",
        r"f(x) &= 2 + 3 \\ &= 5",
        "1234 * 5 ≈ 6,000",
        "- 5 + 3 = 8",
        "50% + 25% = 75%",
        "100% / 20% = 5",
        "1.5 million * 2 = 3 million",
    ],
)
def test_what_comes_out_is_found_and_holds(text: str) -> None:
    found = equations(text)
    assert found
    assert all(one.holds for one in found), found


@pytest.mark.parametrize(
    "text",
    [
        "He has 16 - 3 = 14 eggs.",
        "$1,200 + $300 = $15,000",
        "4 x 12 = 46 boxes",
        "2 + 2 = 4 + 1 = 5",
        "<<5*75+120=675>>",
        "20% of 80 = 20",
        "사과 3개 * 4 = 13개",
        "100 / 3 = 34",
        "30 cycles/day * $1.20/task * 5 tasks/cycle = $18",
        "하루 8시간 * 9000원/시간 = 7200원",
        "1234 * 5 ≈ 9,000",
        "1/36 ≈ 4.8%",
        "Total: **5 + 3 = 9** apples",
        "2. 5 + 3 = 9",
        r"$3 \cdot 4 = 13$",
        r"\frac{10}{4} + 1 = 4",
        "- 5 + 3 = 9",
        "20% * 80 = 20",
        "2 hours * 3 = 7 hours",
    ],
)
def test_what_does_not_come_out_is_found(text: str) -> None:
    assert not all(one.holds for one in equations(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 3",
        "2x + 3 = 7",
        "x + 5 = 12",
        "y^2 - 4 = 0",
        "a = b = c",
        "if n == 3:",
        "E = mc^2",
        "width=100, height=50",
        "<a href='x'>1</a>",
        "5 = 5",
        "1 / 0 = 7",
        "f(2) = 4",
        "(3 + 4 = 9",
        "10/n + 2 = 5",
        "9:15 + 45 minutes = 10:00",
        "12:00 + 3 = 15:00",
        "2024-01-30 + 3 = 2024-02-02",
        "due=2024-01-05 paid=2024-02-01",
        "1월 30일 + 3일 = 2월 2일",
        "1 hour + 30 minutes = 90 minutes",
        "1시간 + 30분 = 90분",
        "2 km + 500 m = 2500 m",
        "3 * 12 inches = 3 feet",
        "$0.25 * 4 = 100 cents",
        "2 GB - 512 MB = 1.5 GB",
        "6 dozen / 2 = 36 eggs",
        "$2 million / 4 = $500,000",
        "5천 × 4 = 2만",
        "2*2*2 = 2^3",
        "3*3 = 3²",
        "1000 * 1000 = 1e6",
        "3000 * 100 = 3 × 10^5",
        "17 / 5 = 3 R 2",
        "17 ÷ 5 = 3 나머지 2",
        "10/4 = 2 remainder 2",
        "10,5 + 1 = 11,5",
        "1'000 - 1 = 999",
        "$100 - 20% = $80",
        "100 + 10% tax = 110",
        "x - 20 + 3 = 103",
        "총액 - 20 - 5 = 75",
        "5! - 20 + 3 = 103",
        "log 100 + 1 = 3",
        "3 + 2**2 = 7",
        r"\sqrt{16} + 2 = 6",
        r"3\frac{1}{2} + \frac{1}{2} = 4",
        r"2 \times 10^{3} = 2000",
        r"\binom{4}{2} + 1 = 7",
        r"\log 100 + 1 = 3",
        "the total of the 3 = 2 + 6",
        "Set `margin=10/2 padding=20`.",
        "```css\na=10/2 b=20\n```",
    ],
)
def test_what_is_no_calculation_is_left_alone(text: str) -> None:
    assert all(one.holds for one in equations(text))


@given(st.integers(-999, 999), st.sampled_from("+-*"), st.integers(1, 999), st.integers(-3, 3))
def test_a_result_that_is_off_is_seen(one: int, sign: str, other: int, off: int) -> None:
    right = {"+": one + other, "-": one - other, "*": one * other}[sign]
    (found,) = equations(f"The result is {one} {sign} {other} = {right + off}.")
    tolerated = abs(off) <= 0.005 * abs(right)
    assert found.holds == (off == 0 or tolerated)


@given(st.text(alphabet="0123456789+-*/(). =≈x%$,:", max_size=60))
def test_any_text_is_read(text: str) -> None:
    equations(text)
    evaluate(text)


def test_deep_and_long_expressions_are_refused() -> None:
    assert evaluate("(" * 80 + "1" + ")" * 80) is None
    assert evaluate("1+" * 500 + "1") is None


def test_only_so_many_are_read() -> None:
    assert MOST <= len(equations("1 + 1 = 2\n" * 5_000)) < MOST + 10


@pytest.mark.parametrize(
    "text",
    [
        "48,000원의 15% = 7,200원입니다.",
        "240 at 15% = 36",
        "VAT 19% = 22.61 euros",
        "0-5 kg = 5.90",
        "배송 2-3일 = 3,000원",
    ],
)
def test_a_per_cent_of_what_was_said_and_a_span_are_no_calculations(text: str) -> None:
    assert equations(text) == []


def test_a_difference_is_one_with_and_without_spaces() -> None:
    assert [one.holds for one in equations("10-4 = 6, 4-10 = -6 and 10-4 = 7")] == [True, True, False]
