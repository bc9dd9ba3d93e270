"""Does a calibrated cache keep the error rate it states, and what does that cost in hits?

    python benchmarks/cache_bound.py --data DATA [--resamples 1000] [--pairs 20000] [--plot FILE.png]

Two populations of pairs (stored question, new question, is the stored answer right):

* question pairs: QQP. Its labels are noisy and its negatives were picked to be similar: about 10 of the 14 best-scored
  "different" pairs are the same question, so that no score is right 98 times in 100 at the top, whatever the method.
* clean pairs: made of banking77 and CLINC150 questions by a script, labels true by construction; see
  ``_clean_pairs.py`` for the mix. They are decided by the strict policy, and some of them once more with all gates off.

The learned veto is tried on one draw of 3,000 labels each, half of which fit it, and half of which test it.

Each population is scored once. A resample draws n labels from it at random, calibrates on them, and looks at the error
of the chosen point on the rest. "naive" takes the most lenient score at which the labels' own error is within the
limit. "oracle" knows every label of the population. "exceeded" is the share of resamples in which the true error is
above the limit: at most .05 is promised at 95 %. A share of the traffic counts every pair, those that gates refuse too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _cache_sets import SEED, Pair, banking, clinc, labelled_pairs
from _clean_pairs import clean_pairs
from _data import data_dir, missing
from numpy.typing import NDArray

from lc_costkit.cache.accept import Acceptor
from lc_costkit.cache.bound import certify
from lc_costkit.cache.calibration import Calibration, calibrate
from lc_costkit.cache.outlook import outlook
from lc_costkit.cache.pairs import ScoredPair, score_pairs
from lc_costkit.embedding.bundled import bundled_embedder
from lc_costkit.errors import ConfigurationError
from lc_costkit.intervals import wilson

LABELS = (300, 1_000, 3_000)
CONFIDENCE = 0.95
LEARNED_REST = 4_000
"""Pairs that a learned veto is tried on after it was calibrated; it reads every pair anew."""


@dataclass(frozen=True, slots=True)
class Population:
    """Scored pairs, and what counts of them in arrays, the highest score first and what no score would serve last.

    Pairs of one score are in a random order; the score of what no score would serve is -1.
    """

    name: str
    pairs: tuple[ScoredPair, ...]
    scores: NDArray[np.float64]
    wrong: NDArray[np.bool_]
    counts: NDArray[np.int64]

    def reached(self, least: float) -> int:
        """Return how many pairs are served from a score on."""
        return int(np.searchsorted(-self.scores, -least, side="right"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a way of choosing a score gave over the resamples."""

    found: float
    served: float
    exceeded: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--resamples", type=int, default=1_000)
    parser.add_argument("--pairs", type=int, default=20_000, help="pairs of each population")
    parser.add_argument("--plot", type=Path, help="draw a calibration on 3,000 clean labels into this file")
    arguments = parser.parse_args()
    data = data_dir(arguments.data)
    if data is None or not (data / "cache").is_dir():
        print(missing("cache/"))
        return
    started = time.perf_counter()
    clean = clean_pairs(banking(data / "cache") + clinc(data / "cache"), arguments.pairs, seed=SEED)
    questions = labelled_pairs(data / "cache" / "qqp_pairs.jsonl.gz", arguments.pairs)
    populations = (
        (scored("clean pairs, strict", clean), (0.01, 0.02, 0.05)),
        (scored("clean pairs, no gates", clean[: 2 * LABELS[-1]], gates=False), (0.05, 0.2)),
        (scored("question pairs, strict", questions), (0.01, 0.02, 0.05, 0.1, 0.2)),
    )
    for population, limits in populations:
        report(population, limits, arguments.resamples)
    for population, limits in populations:
        for limit in limits[-2:]:
            report_learned(population, limit)
    if arguments.plot is not None:
        drawn = list(populations[0][0].pairs[:3_000])
        calibrate(drawn, max_error_rate=0.02).plot()[0].figure.savefig(arguments.plot)
    print(f"\n{time.perf_counter() - started:.0f} s")


def scored(name: str, pairs: Sequence[Pair], *, gates: bool = True) -> Population:
    """Score pairs as the strict policy does, or by the score alone."""
    embedder = bundled_embedder()
    acceptor = Acceptor(embedder) if gates else Acceptor(embedder, gates=())
    made = score_pairs([(pair.cached, pair.new, pair.same) for pair in pairs], embedder=embedder, acceptor=acceptor)
    scores = np.array([-1.0 if pair.refused_by else pair.score for pair in made.pairs])
    wrong = np.array([not pair.same for pair in made.pairs])
    mixed = np.random.default_rng(SEED).permutation(len(scores))
    order = mixed[np.argsort(-scores[mixed], kind="stable")]
    counts = np.concatenate(([0], np.cumsum(wrong[order])))
    return Population(name, made.pairs, scores[order], wrong[order], counts)


def report(population: Population, limits: Sequence[float], resamples: int) -> None:
    """Print one line for each limit and number of labels."""
    passing = population.reached(0.0)
    lowest = population.wrong[passing - passing // 5 : passing].mean()
    print(
        f"\n{population.name}: {len(population.scores):,} pairs, {population.wrong.mean():.1%} different; "
        f"{passing / len(population.scores):.1%} pass all but the score, {population.counts[passing] / passing:.1%} of "
        f"those wrong, {lowest:.1%} in their lowest fifth"
    )
    print(
        f"{'limit':>6} {'labels':>7} | {'oracle':>7} | {'certified in':>12} {'served':>7} {'given up':>9} "
        f"{'exceeded':>9} | naive: {'served':>7} {'exceeded':>9}"
    )
    for limit in limits:
        oracle = naive(population.scores[:passing], population.wrong[:passing], limit)
        best = population.reached(oracle) / len(population.scores)
        for labels in LABELS:
            ours = resampled(population, labels, limit, resamples, certified)
            theirs = resampled(population, labels, limit, resamples, naive)
            given_up = f"{1 - ours.served / best:>9.0%}" if best else f"{'-':>9}"
            print(
                f"{limit:>6.0%} {labels:>7,} | {best:>7.3f} | {ours.found:>12.0%} {ours.served:>7.3f} {given_up} "
                f"{ours.exceeded:>9.3f} |        {theirs.served:>7.3f} {theirs.exceeded:>9.3f}"
            )
        print(f"       {further(population, limit, min(resamples, 200))}")


def resampled(
    population: Population,
    labels: int,
    limit: float,
    resamples: int,
    choose: Callable[[NDArray[np.float64], NDArray[np.bool_], float], float],
) -> Outcome:
    """Choose a score on labels drawn at random, and look at the rest, again and again."""
    chance = np.random.default_rng(SEED)
    found = exceeded = 0
    shares = []
    for drawn in draws(population, labels, resamples, chance):
        least = choose(*decided(population, drawn), limit)
        reached = population.reached(least)
        mine = drawn[: int(np.searchsorted(drawn, reached))]
        served = reached - len(mine)
        wrong = int(population.counts[reached] - population.wrong[mine].sum())
        found += bool(np.isfinite(least))
        shares.append(served / (len(population.scores) - labels))
        exceeded += served > 0 and wrong > limit * served
    return Outcome(found=found / resamples, served=float(np.mean(shares)), exceeded=exceeded / resamples)


def draws(
    population: Population, labels: int, resamples: int, chance: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield places of pairs drawn without putting back, in the order of their scores."""
    for _ in range(resamples):
        yield np.sort(chance.choice(len(population.scores), labels, replace=False, shuffle=False))


def decided(population: Population, drawn: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return scores and errors of those of the drawn pairs that the score decides about."""
    passing = drawn[: int(np.searchsorted(drawn, population.reached(0.0)))]
    return population.scores[passing], population.wrong[passing]


def certified(scores: NDArray[np.float64], wrong: NDArray[np.bool_], limit: float) -> float:
    """Return the score that ``calibrate`` would serve from; infinity for none."""
    found = certify(scores, wrong, max_error_rate=limit, allowance=1 - CONFIDENCE)
    return np.inf if found is None else found.min_score


def naive(scores: NDArray[np.float64], wrong: NDArray[np.bool_], limit: float) -> float:
    """Return the least score from which on the observed error is within the limit; infinity for none."""
    mistakes = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    ends = np.append(scores[:-1] > scores[1:], True)
    within = np.flatnonzero((mistakes <= limit) & ends)
    return float(scores[within[-1]]) if len(within) else np.inf


def further(population: Population, limit: float, resamples: int) -> str:
    """Say what 300 labels tell about how many it takes, and whether that many do."""
    chance = np.random.default_rng(SEED)
    told: list[int] = []
    certified_then = 0
    for drawn in draws(population, LABELS[0], resamples, chance):
        scores, wrong = decided(population, drawn)
        if np.isfinite(certified(scores, wrong, limit)):
            continue
        ahead = outlook(wrong, labels=LABELS[0], max_error_rate=limit, allowance=1 - CONFIDENCE)
        rest = np.setdiff1d(np.arange(len(population.scores)), drawn)
        if ahead.labels_needed is None or ahead.labels_needed > len(rest):
            continue
        told.append(ahead.labels_needed)
        both = np.sort(np.concatenate((drawn, chance.choice(rest, ahead.labels_needed, replace=False))))
        certified_then += bool(np.isfinite(certified(*decided(population, both), limit)))
    if not told:
        return "300 labels name no number of labels that this population has"
    return (
        f"{len(told)} of {resamples} draws of 300 labels ask for more, half of them for {int(np.median(told)):,} or "
        f"fewer; {certified_then / len(told):.0%} are certified with what they ask for"
    )


def report_learned(population: Population, limit: float) -> None:
    """Print what a veto fitted on half of 3,000 labels adds, on one draw."""
    order = np.random.default_rng(SEED).permutation(len(population.pairs))
    pairs = [population.pairs[place] for place in order]
    drawn, rest = pairs[: LABELS[-1]], pairs[LABELS[-1] :][:LEARNED_REST]
    print(f"\nlearned veto, {population.name}, {limit:.0%}, {LABELS[-1]:,} labels")
    try:
        plain, learned = (calibrate(drawn, max_error_rate=limit, learn=learn) for learn in (False, True))
    except ConfigurationError as error:
        print(f"  {error}")
        return
    print(f"  it {learned.gain}")
    for name, made in (("learn=False", plain), ("learn=True", learned)):
        served = [pair for pair in rest if serves(made, pair)]
        wrong = sum(not pair.same for pair in served)
        how = "nothing certified" if made.point is None else "by the score" if made.veto is None else "by the veto"
        print(
            f"  {name:<11} {how:<17} served {len(served) / len(rest):.3f} of the rest, {rate(wrong, len(served))} wrong"
        )


def serves(made: Calibration, pair: ScoredPair) -> bool:
    """Decide as a cache would that took this calibration over."""
    if made.point is None or pair.refused_by is not None or pair.score < made.point.min_score:
        return False
    if made.veto is None:
        return True
    given = made.veto.probability(pair.cached, pair.new, similarity=pair.similarity, score=pair.score)
    return given >= made.veto.threshold


def rate(wrong: int, served: int) -> str:
    """Format a share with its 95 % interval."""
    if not served:
        return "-"
    low, high = wilson(wrong, served)
    return f"{wrong}/{served} {wrong / served:.3f} [{low:.3f} {high:.3f}]"


if __name__ == "__main__":
    main()
