"""How often does the cache serve a right answer, and how often a wrong one?

    python benchmarks/cache_quality.py --data DATA [--threshold .7] [--limit 4000] [--show-errors]

Each set is a list of pairs (stored question, new question, may be served). A pair is served
when both questions are admitted to the semantic tier, their cosine reaches the threshold and
no gate refuses. Beside the defaults stand the same gates and the balanced ones at a lower
threshold, and a bare threshold at .85, which is what other caches do. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _data import data_dir, missing

from lc_costkit.cache.accept import Threshold, threshold_of
from lc_costkit.cache.admit import DEFAULT_ADMISSION, admit
from lc_costkit.cache.gates import BALANCED_GATES, DEFAULT_GATES, Gate, prepare, run_gates
from lc_costkit.embedding.bundled import bundled_embedder
from lc_costkit.intervals import wilson

BARE = 0.85


@dataclass(frozen=True, slots=True)
class Pair:
    """A stored and a new question, and whether the stored answer is right for the new one."""

    cached: str
    new: str
    same: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to decide."""

    name: str
    threshold: Threshold
    gates: tuple[Gate, ...] = ()
    admission: bool = True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--threshold", type=float, default=0.7)
    parser.add_argument("--limit", type=int, default=4_000, help="pairs of each large set")
    parser.add_argument("--show-errors", action="store_true", help="print what was decided wrongly, and by which gate")
    parser.add_argument("--sets", nargs="*", help="names of sets; all by default")
    arguments = parser.parse_args()
    data = data_dir(arguments.data)
    if data is None or not (data / "cache").is_dir():
        print(missing("cache/"))
        return
    embedder = bundled_embedder()
    lower, bare = threshold_of(embedder, arguments.threshold), threshold_of(embedder, BARE)
    settings = (
        Setting("default", threshold_of(embedder, None), DEFAULT_GATES),
        Setting(f"strict {arguments.threshold}", lower, DEFAULT_GATES),
        Setting(f"balanced {arguments.threshold}", lower, BALANCED_GATES),
        Setting(f"bare cosine {BARE}", bare, admission=False),
    )
    for name, pairs in load(data / "cache", arguments.limit).items():
        if not arguments.sets or name in arguments.sets:
            report(name, pairs, settings, show=arguments.show_errors)
    if not arguments.sets or "cost" in arguments.sets:
        decision_cost(load(data / "cache", 1_000)["question pairs"])


def load(folder: Path, limit: int) -> dict[str, list[Pair]]:
    """Read every set; the large ones are sampled with a fixed seed."""
    chance = random.Random(7)
    traps = [
        Pair(row["cached_query"], row["query"], row["should_hit"]) for row in _rows(folder / "banking_traps_94.jsonl")
    ]
    questions = [Pair(row["a"], row["b"], row["same"]) for row in _rows(folder / "qqp_pairs.jsonl.gz")]
    korean = [Pair(row["a"], row["b"], row["same"]) for row in _rows(folder / "ko_pairs.jsonl.gz")]
    mock = [Pair(row["origin"], row["similar"], True) for row in _rows(folder / "gptcache_mock.jsonl.gz")]
    return {
        "banking traps": traps,
        "question pairs": chance.sample(questions, min(limit, len(questions))),
        "slot swaps": _slot_swaps(folder / "nlupp_banking.jsonl.gz", chance)[:limit],
        "korean pairs": chance.sample(korean, min(limit, len(korean))),
        "rewordings (GPTCache)": mock,
    }


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _slot_swaps(path: Path, chance: random.Random) -> list[Pair]:
    """Put another value of the same slot into each sentence: what was said is another thing then."""
    rows = [row for row in _rows(path) if row.get("slots")]
    values: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for slot, said in row["slots"].items():
            values[slot].append(said["text"])
    pairs = []
    for row in rows:
        for slot, said in row["slots"].items():
            start, end = said["span"]
            other = chance.choice(values[slot])
            if row["text"][start:end] != said["text"] or _value(other) == _value(said["text"]):
                continue
            pairs.append(Pair(row["text"], row["text"][:start] + other + row["text"][end:], False))
    chance.shuffle(pairs)
    return pairs


def _value(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())


def report(name: str, pairs: Sequence[Pair], settings: Sequence[Setting], *, show: bool) -> None:
    """Print one line per setting."""
    embedder = bundled_embedder()
    left = embedder.embed([pair.cached for pair in pairs])
    right = embedder.embed([pair.new for pair in pairs])
    cosines = np.einsum("nd,nd->n", left, right)
    yes = sum(pair.same for pair in pairs)
    print(f"\n{name}: {yes} may be served, {len(pairs) - yes} must not")
    print(f"{'':18} {'right':>24} {'wrong, of those that must not':>32} {'wrong, of those served':>26}")
    for setting in settings:
        served, refused = [], Counter[str]()
        for pair, cosine in zip(pairs, cosines, strict=True):
            by = decide(pair, float(cosine), setting)
            served.append(by is None)
            if by is not None and pair.same:
                refused[by] += 1
            if show and setting is settings[0] and (by is None) != pair.same:
                print(f"   {'MISS' if pair.same else 'FALSE'} {cosine:.2f} [{by}] {pair.cached} | {pair.new}")
        right_hits = sum(hit and pair.same for hit, pair in zip(served, pairs, strict=True))
        wrong_hits = sum(hit and not pair.same for hit, pair in zip(served, pairs, strict=True))
        print(
            f"{setting.name:18} {rate(right_hits, yes):>24} {rate(wrong_hits, len(pairs) - yes):>32}"
            f" {rate(wrong_hits, right_hits + wrong_hits):>26}"
        )
        if setting.gates:
            print(f"{'':18} right ones refused by: {', '.join(f'{gate} {n}' for gate, n in refused.most_common(12))}")


def decide(pair: Pair, cosine: float, setting: Setting) -> str | None:
    """Return what refused the pair, or ``None`` if it is served."""
    if setting.admission:
        for text in (pair.cached, pair.new):
            if admit(text, DEFAULT_ADMISSION).verdict != "cacheable":
                return "admission"
    if cosine < setting.threshold(pair.new):
        return "similarity"
    verdict = run_gates(setting.gates, prepare(pair.cached), prepare(pair.new))
    return None if verdict.accepted else str(verdict.gate)


def rate(hits: int, of: int) -> str:
    """Format a share with its 95 % interval."""
    if not of:
        return "-"
    low, high = wilson(hits, of)
    return f"{hits}/{of} {hits / of:.3f} [{low:.3f} {high:.3f}]"


def decision_cost(pairs: Sequence[Pair]) -> None:
    """Time admission of the new question and all gates on the winner, with the stored side read before."""
    taken = []
    for pair in pairs:
        cached = prepare(pair.cached)
        run_gates(DEFAULT_GATES, cached, prepare(pair.cached))
        start = time.perf_counter()
        admit(pair.new, DEFAULT_ADMISSION)
        run_gates(DEFAULT_GATES, cached, prepare(pair.new))
        taken.append(time.perf_counter() - start)
    taken.sort()
    half, high = taken[len(taken) // 2] * 1e6, taken[int(len(taken) * 0.99)] * 1e6
    print(f"\nadmission and gates on the winner: p50 {half:.0f} us, p99 {high:.0f} us ({len(taken)} pairs)")


if __name__ == "__main__":
    main()
