"""Does the router know which questions need the strong model?

    python benchmarks/routing.py --data DATA [--resamples 200]

Recorded outcomes of a strong and a weak model on the same prompts; a policy gives each prompt a
score, and the prompts with the highest scores go to the strong model. Nothing is fitted: the rules
see no labels. Prompts marked as contaminated are left out.

    share   part of the prompts sent to the strong model
    PGR     performance gap recovered at a share: (accuracy - weak) / (strong - weak)
    APGR    area under PGR over all shares, at full resolution; 0.5 is what random sending gives
    CPT50   smallest share that recovers half of the gap (call-performance threshold); CPT80 likewise

Prompts of equal score are sent in no particular order: their gains are averaged. ``oracle`` sends
first what only the strong model gets right. The last column is the APGR above ``len(prompt)``, with
a 95 % interval from resampling prompts in pairs. The definitions are those of RouteLLM (arXiv
2406.18665). cascadeflow's complexity level joins the table if it is installed.

The rules' words and weights were chosen with these files in view, so the figures say what they were
tuned to, not what unseen traffic will show; the last table is traffic without labels, for sanity.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _data import data_dir, missing
from numpy.typing import NDArray

from lc_costkit.routing import Rules

Score = Callable[[str], float]
Numbers = NDArray[np.float64]

STRONG_OF_NINE = ("llama-3.3-nemotron-super-49b-v1", "llama-3.1-nemotron-51b-instruct")
WEAK_OF_NINE = ("qwen2.5-7b-instruct", "llama-3.1-8b-instruct", "gemma-2-9b-it", "mistral-7b-instruct-v0.3")
"""The pairing is ours: the means of the two largest chat models and of four small ones."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Prompts, and how well each model answered them, 0 to 1."""

    name: str
    prompts: list[str]
    strong: Numbers
    weak: Numbers


@dataclass(frozen=True, slots=True)
class Curve:
    """PGR over the share of strong calls, from 0 to 1."""

    recovered: Numbers

    @property
    def apgr(self) -> float:
        """Area under the curve."""
        return float(np.trapezoid(self.recovered, dx=1 / (len(self.recovered) - 1)))

    def share_for(self, part: float) -> float:
        """Smallest share that recovers ``part`` of the gap."""
        return float(np.argmax(self.recovered >= part)) / (len(self.recovered) - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the measurement data")
    parser.add_argument("--resamples", type=int, default=200, help="resamples for the intervals")
    options = parser.parse_args()
    folder = data_dir(options.data)
    if folder is None or not (folder / "routing").is_dir():
        print(missing("routing/"))
        return
    for outcomes in benchmarks(folder / "routing"):
        compare(outcomes, options.resamples)
    if (folder / "cache").is_dir():
        shares(folder / "cache")


def compare(outcomes: Outcomes, resamples: int) -> None:
    """Print one table: every policy on one set of outcomes."""
    strong, weak = outcomes.strong, outcomes.weak
    print(f"\n{outcomes.name}: {len(strong)} prompts, strong {strong.mean():.1%}, weak {weak.mean():.1%}")
    print(f"  {'policy':<24}{'APGR':>7}{'CPT50':>8}{'CPT80':>8}{'p50 ms':>9}   above len(prompt)")
    length = np.array([len(prompt) for prompt in outcomes.prompts], dtype=float)
    rows: list[tuple[str, Numbers, float]] = [
        ("oracle", strong - weak, 0.0),
        ("random (expected)", np.zeros(len(length)), 0.0),
        ("len(prompt)", length, 0.0),
    ]
    rows += [(name, *timed(score, outcomes.prompts)) for name, score in policies().items()]
    for name, scores, milliseconds in rows:
        curve = curve_of(scores, strong, weak)
        line = f"  {name:<24}{curve.apgr:7.3f}{curve.share_for(0.5):8.1%}{curve.share_for(0.8):8.1%}"
        line += f"{milliseconds:9.3f}" if milliseconds else " " * 9
        if milliseconds:
            difference, low, high = gain(scores, length, strong, weak, resamples)
            line += f"   {difference:+.3f} [{low:+.3f}, {high:+.3f}]"
        print(line)
    sent = np.mean([Rules().score(prompt) >= 0.5 for prompt in outcomes.prompts])
    print(f"  the rules at their default threshold send {sent:.0%} to the strong model")


def curve_of(scores: Numbers, strong: Numbers, weak: Numbers) -> Curve:
    """Send the highest scores first; equal scores share their gains."""
    _, place, count = np.unique(-scores, return_inverse=True, return_counts=True)
    gains = (np.bincount(place, strong - weak) / count)[np.sort(place)]
    return Curve(np.concatenate(([0.0], np.cumsum(gains))) / (strong - weak).sum())


def gain(scores: Numbers, other: Numbers, strong: Numbers, weak: Numbers, resamples: int) -> tuple[float, float, float]:
    """APGR of ``scores`` above that of ``other``, with a 95 % interval over resampled prompts."""
    chance = np.random.default_rng(0)
    differences = []
    for _ in range(resamples):
        drawn = chance.integers(0, len(strong), len(strong))
        pair = (curve_of(each[drawn], strong[drawn], weak[drawn]).apgr for each in (scores, other))
        differences.append(next(pair) - next(pair))
    low, high = np.percentile(differences, (2.5, 97.5))
    whole = curve_of(scores, strong, weak).apgr - curve_of(other, strong, weak).apgr
    return whole, float(low), float(high)


def timed(score: Score, prompts: Sequence[str]) -> tuple[Numbers, float]:
    """Score every prompt; also the median time of one decision, milliseconds."""
    scores, seconds = [], []
    for prompt in prompts:
        started = time.perf_counter()
        scores.append(score(prompt))
        seconds.append(time.perf_counter() - started)
    return np.array(scores, dtype=float), statistics.median(seconds) * 1e3


def policies() -> dict[str, Score]:
    """Return what is compared with length: the rules, and rivals that are installed."""
    found: dict[str, Score] = {"Rules (no labels)": Rules().score}
    try:
        complexity: Any = importlib.import_module("cascadeflow.quality.complexity")
    except ImportError:
        return found
    detector, levels = complexity.ComplexityDetector(), list(complexity.QueryComplexity)
    found["cascadeflow complexity"] = lambda prompt: float(levels.index(detector.detect(prompt)[0]))
    return found


def benchmarks(folder: Path) -> Iterator[Outcomes]:
    """Yield the sets with labels."""
    rows = [row for row in lines(folder / "gpt4_mixtral_eval.jsonl.gz") if row["contaminated"] == "0"]
    for benchmark in ("mmlu", "gsm8k"):
        own = [row for row in rows if row["benchmark"] == benchmark]
        yield outcomes_of(f"{benchmark.upper()}, GPT-4 and Mixtral", own, "strong_correct", "weak_correct")
    own = [row for row in rows if row["benchmark"] == "mmlu" and row["subject"] != "moral_scenarios"]
    yield outcomes_of(
        "MMLU without moral_scenarios (whose answers all hold a negation)", own, "strong_correct", "weak_correct"
    )
    nine = [row for part in ("train", "test") for row in lines(folder / "nine_models" / f"dcrouter_{part}.jsonl.gz")]
    rated = [
        {
            "prompt": row["question"],
            "strong": statistics.mean(row["scores"].get(model, 0) for model in STRONG_OF_NINE),
            "weak": statistics.mean(row["scores"].get(model, 0) for model in WEAK_OF_NINE),
        }
        for row in nine
    ]
    yield outcomes_of("fourteen tasks, two large and four small open models", rated, "strong", "weak")


def outcomes_of(name: str, rows: Sequence[dict[str, Any]], strong: str, weak: str) -> Outcomes:
    values = [np.array([float(row[key]) for row in rows]) for key in (strong, weak)]
    return Outcomes(name, [row["prompt"] for row in rows], *values)


def shares(folder: Path) -> None:
    """Print what the rules do with support questions, questions of the web and Korean small talk."""
    print("\nTraffic without labels: share sent to the strong model at the default threshold")
    for name, key in (("banking77_test", "text"), ("clinc150", "text"), ("qqp_pairs", "a"), ("ko_pairs", "a")):
        path = folder / f"{name}.jsonl.gz"
        if path.exists():
            scores = [Rules().score(row[key]) for row in lines(path)]
            print(f"  {name:<16}{np.mean(np.array(scores) >= 0.5):7.2%}   median score {statistics.median(scores):.3f}")


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as text:
        yield from map(json.loads, text)


if __name__ == "__main__":
    main()
