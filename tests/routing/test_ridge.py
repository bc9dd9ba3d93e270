"""Are the weights those of ridge regression, and the unseen predictions those of leaving one out?"""

from __future__ import annotations

import numpy as np
import pytest

from lc_costkit.routing.ridge import PENALTIES, fit_ridge


def data(count: int, width: int, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(7)
    rows = chance.normal(size=(count, width)).astype(np.float32)
    outcomes = rows[:, :2] @ np.array([[0.5, -0.2], [0.1, 0.4]]) + 0.6 + noise * chance.normal(size=(count, 2))
    return rows, outcomes


def direct(rows: np.ndarray, outcomes: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    centred = rows - rows.mean(axis=0)
    level = outcomes.mean()
    weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(rows.shape[1]), centred.T @ (outcomes - level))
    return weights, float(level - rows.mean(axis=0) @ weights)


@pytest.mark.parametrize(("count", "width"), [(40, 90), (90, 40), (60, 60)])
def test_weights_solve_the_ridge_equations(count: int, width: int) -> None:
    rows, outcomes = data(count, width)
    ridge = fit_ridge(rows, outcomes)
    for column in range(2):
        weights, intercept = direct(rows.astype(float), outcomes[:, column], ridge.penalties[column])
        assert ridge.weights[:, column] == pytest.approx(weights, abs=1e-4)
        assert ridge.intercepts[column] == pytest.approx(intercept, abs=1e-4)


@pytest.mark.parametrize(("count", "width"), [(40, 90), (90, 40)])
def test_unseen_predictions_are_those_of_a_fit_without_the_row(count: int, width: int) -> None:
    rows, outcomes = data(count, width)
    ridge = fit_ridge(rows, outcomes)
    for row in range(0, count, 7):
        rest = np.arange(count) != row
        weights, intercept = direct(rows[rest].astype(float), outcomes[rest, 0], ridge.penalties[0])
        assert ridge.unseen[row, 0] == pytest.approx(rows[row] @ weights + intercept, abs=0.02)


def test_noise_is_shrunk_and_signal_is_not() -> None:
    rows, clear = data(200, 20, noise=0.05)
    assert max(fit_ridge(rows, clear).penalties) == PENALTIES[0]
    noise = np.random.default_rng(1).normal(size=(200, 1))
    assert fit_ridge(rows, noise).penalties[0] > 100


def test_outcomes_that_never_differ_are_predicted_as_they_are() -> None:
    rows, _ = data(50, 80)
    ridge = fit_ridge(rows, np.ones((50, 1)))
    assert ridge.unseen[:, 0] == pytest.approx(np.ones(50))
