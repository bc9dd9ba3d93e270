"""Is traffic that changed noticed, and unchanged traffic left in peace?"""

from __future__ import annotations

import logging

import numpy as np
import pytest

from lc_costkit.routing import RouteRequest, Rules, calibrate
from lc_costkit.routing.drift import DriftWatch
from tests.routing.parallel import HARD, SIMPLE


def feed(watch: DriftWatch, share: float, count: int, seed: int = 0) -> None:
    for dearer in np.random.default_rng(seed).random(count) < share:
        watch.count(dearer=bool(dearer))


def test_unchanged_traffic_raises_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    watch = DriftWatch((0.25, 0.35), window=200)
    feed(watch, 0.3, 40_000)
    assert not watch.read().drifted
    assert not caplog.records


def test_a_change_warns_once_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    watch = DriftWatch((0.25, 0.35), window=200)
    with caplog.at_level(logging.WARNING):
        feed(watch, 0.8, 2000)
        assert watch.read().drifted
        assert len(caplog.records) == 1
        assert "25.0% to 35.0%" in caplog.text
        feed(watch, 0.3, 400)
        assert not watch.read().drifted
        feed(watch, 0.05, 400)
    assert len(caplog.records) == 2


def test_before_a_window_is_full_nothing_is_said() -> None:
    watch = DriftWatch((0.25, 0.35), window=200)
    feed(watch, 1.0, 199)
    assert (watch.read().decisions, watch.read().share, watch.read().drifted) == (199, None, False)


def test_a_calibrated_policy_watches_what_it_decides(caplog: pytest.LogCaptureFixture) -> None:
    prompts = [text for pair in (*SIMPLE, *HARD) for text in pair] * 10
    policy = calibrate(Rules(), prompts, share=0.3, window=50)
    for _ in range(60):
        policy(RouteRequest(question=HARD[0][0], targets=("a", "b")))
    drift = policy.drift()
    assert (drift.drifted, drift.share, drift.band) == (True, 1.0, policy.point.share_interval)
    assert "has drifted" in caplog.text
