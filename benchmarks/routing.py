"""Does the router know which questions need the strong model?

    OMP_NUM_THREADS=1 python benchmarks/routing.py --data DATA [--splits 20] [--resamples 200]

Recorded outcomes of a strong and a weak model on the same prompts (GPT-4 and Mixtral on MMLU and GSM8K; large and
small open models on fourteen tasks); a policy gives each prompt a score, and the prompts with the highest scores go
to the strong model. APGR, CPT50 and CPT80 are defined in ``lc_costkit/routing/curve.py``. Prompts that are marked as
contaminated are left out.

1. No labels: the rules, ``len(prompt)``, the oracle (first what only the strong model gets right), and LiteLLM's and
   cascadeflow's scores where they are installed. The last column is the APGR above ``len(prompt)``, with a 95 %
   interval from resampling prompts in pairs. The time is the median of one decision.
2. Labels: ``Learned`` fitted on some prompts and judged on the others; means over random splits. ``sd`` is over
   splits; the interval (95 %) is over splits and resampled test prompts, in pairs.
3. Calibration: how often a share and a quality that were asked for are met.
4. Checks of the cheap answer, and a score fitted on answers, for cascades (``_routing_cascade.py``).

How the numbers of the policies were chosen: the rules' words and weights with these files in view, so that their
figures say what they were tuned to, not what unseen traffic will show. ``Learned``'s scales, n-grams, buckets and
link on one half of each file (prompts whose CRC-32 is even): splits of a whole file hold such prompts, and the
tables of the other half do not. Its penalty is found in each fit, from the labels of that fit.
"""

from __future__ import annotations

import argparse
import statistics
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _data import data_dir, missing
from _routing_calibration import show_quality, show_shares
from _routing_cascade import show_cascade
from _routing_rivals import Score, rivals
from _routing_sets import Numbers, Outcomes, gpt4_mixtral, lines, nine_models
from _routing_speed import show_speed
from _routing_splits import Prepared, cross_splits, random_splits, show_splits, subject_splits
from numpy.typing import NDArray

from lc_costkit.routing import Learned, RouteRequest, Rules
from lc_costkit.routing.curve import GapCurve
from lc_costkit.routing.rules import CAUTIOUS_THRESHOLD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the measurement data")
    parser.add_argument("--splits", type=int, default=20, help="random splits of the learned policy")
    parser.add_argument("--resamples", type=int, default=200, help="resamples for intervals and calibration")
    options = parser.parse_args()
    folder = data_dir(options.data)
    if folder is None or not (folder / "routing").is_dir():
        print(missing("routing/"))
        return
    mmlu, gsm8k = (gpt4_mixtral(folder / "routing", name) for name in ("mmlu", "gsm8k"))
    fourteen = nine_models(folder / "routing")
    plain = np.flatnonzero(mmlu.subjects != "moral_scenarios")
    without = mmlu.of(plain, "MMLU without moral_scenarios (whose answers all hold a negation)")
    print("1. No labels")
    for outcomes in (mmlu, gsm8k, without, fourteen):
        compare(outcomes, options.resamples)
    if (folder / "cache").is_dir():
        shares(folder / "cache")
    print("\n2. Labels")
    learned([Prepared(outcomes) for outcomes in (mmlu, gsm8k, fourteen)], options.splits, options.resamples)
    print("\n4. Checking the cheap answer")
    show_cascade(folder / "routing" / "gsm8k_answers.jsonl.gz", splits=options.splits)


def learned(data: Sequence[Prepared], splits: int, resamples: int) -> None:
    """Print what labels are worth, and the calibrations."""
    mmlu, gsm8k, fourteen = data
    show_splits("MMLU, 1,500 labels", random_splits(mmlu, 1500, splits))
    show_splits("MMLU, 500 labels", random_splits(mmlu, 500, splits))
    show_splits("MMLU, 200 labels", random_splits(mmlu, 200, splits))
    for name, whole, labels in (("MMLU", mmlu, 1500), ("GSM8K", gsm8k, 200)):
        rest = Prepared(whole.outcomes.of(unseen(whole.outcomes)))
        show_splits(
            f"{name}, the half nothing of Learned was chosen on, {labels:,} labels", random_splits(rest, labels, splits)
        )
    show_splits("MMLU, held-out subjects, 1,500 labels of others", subject_splits(mmlu, 1500, splits))
    show_splits("GSM8K, 300 labels", random_splits(gsm8k, 300, splits))
    show_splits("GSM8K, 200 labels", random_splits(gsm8k, 200, splits))
    show_splits("fourteen tasks, 500 labels", random_splits(fourteen, 500, splits))
    show_splits("GSM8K, 1,500 labels of MMLU", cross_splits(mmlu, gsm8k, 1500, splits))
    show_splits("MMLU, 500 labels of GSM8K", cross_splits(gsm8k, mmlu, 500, splits))
    decision_time(mmlu)
    show_speed(mmlu.outcomes.prompts)
    print("\n3. Calibration")
    show_shares("MMLU", mmlu, fit=1500, prompts=300, resamples=resamples)
    show_shares("GSM8K", gsm8k, fit=300, prompts=300, resamples=resamples)
    show_quality("MMLU", mmlu, fit=1000, labels=2000, resamples=resamples)
    show_quality("fourteen tasks", fourteen, fit=1000, labels=1000, resamples=resamples)
    show_quality("GSM8K", gsm8k, fit=300, labels=350, resamples=resamples)


def unseen(outcomes: Outcomes) -> NDArray[np.int64]:
    """Return the places of the prompts that were not looked at when ``Learned`` was designed."""
    return np.flatnonzero([zlib.crc32(b"dev" + prompt.encode()) % 2 for prompt in outcomes.prompts])


def compare(outcomes: Outcomes, resamples: int) -> None:
    """Print one table: every policy without labels on one set of outcomes."""
    strong, weak = outcomes.strong, outcomes.weak
    print(f"\n{outcomes.name}: {len(strong)} prompts, strong {strong.mean():.1%}, weak {weak.mean():.1%}")
    print(f"  {'policy':<24}{'APGR':>7}{'CPT50':>8}{'CPT80':>8}{'p50 ms':>9}   above len(prompt)")
    length = np.array([len(prompt) for prompt in outcomes.prompts], dtype=float)
    rows: list[tuple[str, Numbers, float]] = [
        ("oracle", outcomes.gains, 0.0),
        ("random (expected)", np.zeros(len(length)), 0.0),
        ("len(prompt)", length, 0.0),
    ]
    own: dict[str, Score] = {"Rules (no labels)": Rules().score}
    rows += [(name, *timed(score, outcomes.prompts)) for name, score in (own | rivals()).items()]
    for name, scores, milliseconds in rows:
        curve = GapCurve.of(scores, strong, weak)
        line = f"  {name:<24}{curve.apgr:7.3f}{curve.share_for(0.5):8.1%}{curve.share_for(0.8):8.1%}"
        line += f"{milliseconds:9.3f}" if milliseconds else " " * 9
        if milliseconds:
            difference, low, high = gain(scores, length, outcomes, resamples)
            line += f"   {difference:+.3f} [{low:+.3f}, {high:+.3f}]"
        print(line, flush=True)
    sent = np.mean([Rules().score(prompt) >= CAUTIOUS_THRESHOLD for prompt in outcomes.prompts])
    print(f"  the rules at their default threshold send {sent:.0%} to the strong model")


def gain(scores: Numbers, other: Numbers, outcomes: Outcomes, resamples: int) -> tuple[float, float, float]:
    """APGR of ``scores`` above that of ``other``, with a 95 % interval over resampled prompts."""
    strong, weak = outcomes.strong, outcomes.weak
    chance = np.random.default_rng(0)
    differences = []
    for _ in range(resamples):
        drawn = chance.integers(0, len(strong), len(strong))
        pair = (GapCurve.of(each[drawn], strong[drawn], weak[drawn]).apgr for each in (scores, other))
        differences.append(next(pair) - next(pair))
    low, high = np.percentile(differences, (2.5, 97.5))
    whole = GapCurve.of(scores, strong, weak).apgr - GapCurve.of(other, strong, weak).apgr
    return whole, float(low), float(high)


def timed(score: Score, prompts: Sequence[str]) -> tuple[Numbers, float]:
    """Score every prompt; also the median time of one decision, milliseconds."""
    scores, seconds = [], []
    for prompt in prompts:
        started = time.perf_counter()
        scores.append(score(prompt))
        seconds.append(time.perf_counter() - started)
    return np.array(scores, dtype=float), statistics.median(seconds) * 1e3


def decision_time(data: Prepared) -> None:
    """Print how long a learned decision takes, reasons and all."""
    policy = Learned(data.fit(np.arange(1500)))
    seconds = []
    for prompt in data.outcomes.prompts[1500:3500]:
        request = RouteRequest(question=prompt, targets=("weak", "strong"))
        started = time.perf_counter()
        policy(request)
        seconds.append(time.perf_counter() - started)
    middle, slow = np.percentile(seconds, (50, 99)) * 1e3
    print(f"\nA learned decision on MMLU: p50 {middle:.3f} ms, p99 {slow:.3f} ms")


def shares(folder: Path) -> None:
    """Print what the rules do with support questions, questions of the web and Korean small talk."""
    print("\nTraffic without labels: share sent to the strong model at the default threshold")
    for name, key in (("banking77_test", "text"), ("clinc150", "text"), ("qqp_pairs", "a"), ("ko_pairs", "a")):
        path = folder / f"{name}.jsonl.gz"
        if path.exists():
            scores = [Rules().score(row[key]) for row in lines(path)]
            sent = np.mean(np.array(scores) >= CAUTIOUS_THRESHOLD)
            print(f"  {name:<16}{sent:7.2%}   median score {statistics.median(scores):.3f}")


if __name__ == "__main__":
    main()
