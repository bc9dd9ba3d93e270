"""Are equations with letters held against the numbers that were found for them, and nothing else?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.routing.unknowns import unsolved


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("4R + 10 = 42.\nSo R = 9.", ("4R + 10", "42")),
        ("Q + 2Q + 2(2Q) = 700\n5Q = 700\nQ = 140", ("Q + 2Q + 2(2Q)", "700")),
        ("x + y = 10, x - y = 2, so x = 6 and y = 5.", ("x + y", "10")),
        ("Let x be the price: 3 × x = $1,200. Therefore x = 300 dollars.", ("3 * x", "1200")),
        ("사과를 x개라고 하면 3x + 2 = 11, 따라서 x = 4입니다.", ("3x + 2", "11")),
        ("3x = 10, so x = 3.8", ("3x", "10")),
    ],
)
def test_what_does_not_solve_is_shown(text: str, sides: tuple[str, str]) -> None:
    assert unsolved(text) == sides


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4R + 10 = 42.\nSo R = 8.",
        "사과를 x개라고 하면 3x + 2 = 11, 따라서 x = 3입니다.",
        "3x = 10, so x = 3.33",
        "x + y = 10 and x - y = 2, so x = 6 and y = 4.",
        "x = 3 or x = -5; x + 2 = 9",  # two solutions
        "2x + y = 9, and x = 3",  # nothing for y
        "x^2 + 3x = 10, so x = 5",  # powers are not read
        "x² + 3x = 10, so x = 5",
        "E = mc^2 and m = 3",
        "3x + 5 >= 20, 3x + 5 <= 1, x = 9",
        "3x + 5 != 20 and x = 9",
        "```python\ni = 0\ni = i + 1\n```",
        "Set `i = 0`, then `i + 1 = 3`.",
        "5 m = 500 cm, 2 L = 2000 ml",
        "20% of x = 12, x = 6",
        "f(x) = 3x, x = 2",
        "vitamin C = good, plan B = 3, B - 2 is left",
        "x = 1" + " + 1" * 200,
    ],
)
def test_what_solves_or_cannot_be_read_is_let_pass(text: str) -> None:
    assert unsolved(text) is None


@given(st.integers(-99, 99), st.integers(2, 50), st.integers(0, 99))
def test_a_right_solution_is_never_doubted_and_a_wrong_one_always(x: int, factor: int, added: int) -> None:
    equation = f"{factor}x + {added} = {factor * x + added}"
    assert unsolved(f"{equation}, so x = {x}.") is None
    wrong = x + 1 + abs(factor * x + added)
    assert unsolved(f"{equation}, so x = {wrong}.") is not None


@given(st.text(alphabet="x y=+-*/().0123456789\n`<>^,"))
def test_any_text_is_read(text: str) -> None:
    unsolved(text)
