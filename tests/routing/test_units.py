"""Is it seen where a calculation changes its units?"""

from __future__ import annotations

import pytest

from lc_costkit.routing.units import of_different_size


@pytest.mark.parametrize(
    "text",
    [
        "2 weeks + 3 days",
        "3 quarters + 5 pennies",
        "$1 - 25 cents",
        "5 feet = 60 inches",
        "5k * 2",
        "1시간 + 30분",
        "3억 / 2",
    ],
)
def test_units_of_one_kind_and_different_size(text: str) -> None:
    assert of_different_size(text)


@pytest.mark.parametrize(
    "text",
    [
        "2 hours + 3 hours",
        "1 hour + 2 hrs",
        "3 boxes * 12 eggs",
        "$5 * 3 pounds",
        "60 km / 2 hours",
        "5시간 * 9000원",
        "12",
    ],
)
def test_units_that_can_be_calculated_with(text: str) -> None:
    assert not of_different_size(text)
