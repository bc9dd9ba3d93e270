"""Does the test keep its promise, and does it see what is there?"""

from __future__ import annotations

import numpy as np
import pytest

from lc_costkit.routing.betting import mean_is_positive


def answers(mean: float, draws: int, trials: int = 400) -> float:
    """How often the test says yes to numbers of -0.95, 0.05 or 1 whose mean is as given."""
    chance = np.random.default_rng(5)
    good = (mean + 0.95 * 0.1 - 0.05 * 0.8) / 1.95 + 0.05
    parts = [0.1 - (good - 0.1) / 2, 0.8 - (good - 0.1) / 2, good]
    values = np.array([-0.95, 0.05, 1.0])
    shift = (mean - float(values @ parts)) / 1.95
    parts = [parts[0] - shift, parts[1], parts[2] + shift]
    assert float(values @ parts) == pytest.approx(mean)
    said = [
        mean_is_positive(chance.choice(values, draws, p=parts), worst=-0.95, best=1.0, allowance=0.05)
        for _ in range(trials)
    ]
    return float(np.mean(said))


@pytest.mark.parametrize("draws", [50, 300, 2000])
def test_a_mean_of_zero_is_hardly_ever_called_positive(draws: int) -> None:
    assert answers(0.0, draws) <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_a_mean_well_above_zero_is_seen() -> None:
    assert answers(0.06, 2000) > 0.9


def test_small_certain_gains_are_seen_soon() -> None:
    assert mean_is_positive(np.full(100, 0.05), worst=-0.95, best=1.0, allowance=0.05)


def test_nothing_shows_nothing() -> None:
    assert not mean_is_positive(np.zeros(0), worst=-1.0, best=1.0, allowance=0.05)
    assert not mean_is_positive(np.zeros(5000), worst=-1.0, best=1.0, allowance=0.05)
