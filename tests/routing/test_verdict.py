"""Is it said in one sentence whether a policy pays?"""

from __future__ import annotations

import numpy as np
import pytest

from lc_costkit.routing.alone import Comparison, compare
from lc_costkit.routing.verdict import verdict_text

FOUND = np.array([[1.0, 1.0], [0.0, 1.0]])


def compared(mixed: list[float], usd: float | None, prices: tuple[float, float] = (1.0, 10.0)) -> Comparison:
    told = None if usd is None else np.array(prices)
    return compare(["cheap", "strong"], FOUND, np.array(mixed), prices=told, mixed_usd=usd)


@pytest.mark.parametrize(
    ("found", "shares", "text"),
    [
        (compared([1, 1], 5.5), (0.5, 0.5), "routing pays: 4.500000 USD (45.0%) a request less than strong alone, "),
        (compared([1, 1], 12.0), (0.5, 0.5), "routing does not pay: 2.000000 USD (20.0%) a request more than strong"),
        (compared([1, 1], None), (0.5, 0.5), ""),
        (compared([1, 0], None), (0.5, 0.5), "routing does not pay: cheap alone, the cheapest target that is as good"),
        (
            compared([1, 0], 1.0),
            (1.0, 0.0),
            "routing does not pay: everything goes to cheap, which gives up 0.500 of the quality of strong alone (0.",
        ),
        (compared([1, 1], 10.0), (0.0, 1.0), "routing does not pay: everything goes to strong"),
        (compared([1, 1], None), (0.0, 1.0), "routing does not pay: everything goes to strong"),
        (
            compared([1, 1], 10.25),
            (0.0, 1.0),
            "routing does not pay: everything goes to strong, at 0.250000 USD a request more than strong alone",
        ),
    ],
)
def test_the_sentence(found: Comparison, shares: tuple[float, float], text: str) -> None:
    said = verdict_text(found, shares)
    assert said.startswith(text)
    assert bool(said) == bool(text)
