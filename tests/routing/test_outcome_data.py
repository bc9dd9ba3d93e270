"""On recorded outcomes of two models, does each policy rank better than the length of the prompt?"""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from lc_costkit.routing import Learned, Rules, calibrate, labelled_prompts
from lc_costkit.routing.curve import GapCurve
from tests.routing.test_rules import DATA

pytestmark = pytest.mark.data


def outcomes(task: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    path = DATA / "routing" / "gpt4_mixtral_eval.jsonl.gz"
    if not path.exists():
        pytest.skip(f"needs the measurement data; {path} is not there (set LC_COSTKIT_DATA)")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["benchmark"] == task and row["contaminated"] == "0"]
    weak, strong = (np.array([float(row[f"{name}_correct"]) for row in rows]) for name in ("weak", "strong"))
    return [row["prompt"] for row in rows], weak, strong


def lengths(prompts: list[str]) -> np.ndarray:
    return np.array([len(prompt) for prompt in prompts], dtype=float)


@pytest.mark.parametrize("task", ["mmlu", "gsm8k"])
def test_rules_without_labels_do(task: str) -> None:
    prompts, weak, strong = (column[: 7200 : 3 if task == "mmlu" else 1] for column in outcomes(task))
    scores = np.array([Rules().score(prompt) for prompt in prompts])
    assert GapCurve.of(scores, strong, weak).apgr > GapCurve.of(lengths(prompts), strong, weak).apgr


def test_labels_do_by_more_and_keep_the_quality_they_are_calibrated_for() -> None:
    prompts, weak, strong = outcomes("mmlu")
    order = np.random.default_rng(0).permutation(len(prompts))
    fit, check, test = order[:700], order[700:1900], order[1900:3400]
    columns = {"weak": weak, "strong": strong}
    learned = Learned.fit([prompts[n] for n in fit], {name: column[fit].tolist() for name, column in columns.items()})
    scores = np.array([learned.score(prompts[n]) for n in test])
    by_length = GapCurve.of(lengths([prompts[n] for n in test]), strong[test], weak[test])
    assert GapCurve.of(scores, strong[test], weak[test]).apgr > by_length.apgr + 0.01
    assert max(one.calibration_error for one in learned.qualities) < 0.08

    labels = labelled_prompts(
        [prompts[n] for n in check], {name: column[check].tolist() for name, column in columns.items()}
    )
    point = calibrate(learned, labels, min_quality=0.95).point
    routed = np.where(scores >= point.threshold, strong[test], weak[test])
    assert routed.mean() > 0.95 * strong[test].mean() - 0.01
    assert np.mean(scores < point.threshold) > 0.1
