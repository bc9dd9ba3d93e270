"""How much is left to a dearer policy where ``first_sure`` asks a cheap one first?

    OMP_NUM_THREADS=1 python benchmarks/first_sure.py --data DATA

For each kind of traffic, the share of questions whose score lies below, within and above the band that is derived from
the policy's threshold: the cheap policy decides the first and the last, the next policy is asked about the middle. No
label is read, but by ``Learned``, which is fitted on some of the prompts and shown the others.

1. ``Rules()`` as they are.
2. ``Rules`` at the threshold that sends 30 % of that traffic to the strong model (``calibrate(..., share=0.3)``).
3. ``Learned`` at its own threshold.
4. ``Rules()`` with a band of a share of 0.2, chosen on 300 of the prompts and looked at on the others
   (``unsure_band``): where all questions lie on one side of the threshold, there is half of it at most.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _data import data_dir, missing
from _routing_sets import gpt4_mixtral, lines, nine_models

from lc_costkit.routing import Learned, RouteRequest, Rules, calibrate
from lc_costkit.routing.policy import Policy, RouteDecision
from lc_costkit.routing.unsure import Band, derived_band, unsure_band

TARGETS = ("weak", "strong")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the measurement data")
    folder = data_dir(parser.parse_args().data)
    if folder is None or not (folder / "routing").is_dir() or not (folder / "cache").is_dir():
        print(missing("routing/ and cache/"))
        return
    traffic = questions(folder)
    print(f"{'':<28}{'prompts':>8}{'band':>16}{'below':>8}{'unsure':>8}{'above':>8}")
    print("Rules()")
    for name, prompts in traffic.items():
        show(name, Rules(), prompts)
    print("Rules, calibrated to a share of 0.3")
    for name, prompts in traffic.items():
        policy = calibrate(Rules(), prompts, share=0.3).policy
        show(name, policy, prompts)
    print("Learned")
    for name, labels in (("mmlu", 1500), ("gsm8k", 300)):
        outcomes = gpt4_mixtral(folder / "routing", name)
        order = np.random.default_rng(0).permutation(len(outcomes.prompts))
        fit, rest = (outcomes.of(part) for part in (order[:labels], order[labels:]))
        learned = Learned.fit(fit.prompts, {"weak": fit.weak.tolist(), "strong": fit.strong.tolist()})
        show(f"{name}, {labels} labels", learned, rest.prompts)
    print("Rules(), unsure_band of a share of 0.2")
    for name, prompts in traffic.items():
        order = np.random.default_rng(0).permutation(len(prompts))
        seen, unseen = ([prompts[place] for place in part] for part in (order[:300], order[300:]))
        show(name, Rules(), unseen, unsure_band(Rules(), seen, share=0.2))


def questions(folder: Path) -> dict[str, list[str]]:
    """Read the questions of each kind of traffic."""
    cache, routing = folder / "cache", folder / "routing"
    found = {
        name: [row[key] for row in lines(cache / f"{name}.jsonl.gz")]
        for name, key in (("banking77_test", "text"), ("clinc150", "text"), ("qqp_pairs", "a"), ("ko_pairs", "a"))
    }
    found |= {name: gpt4_mixtral(routing, name).prompts for name in ("mmlu", "gsm8k")}
    return found | {"fourteen tasks": nine_models(routing).prompts}


def show(name: str, policy: Policy, prompts: Sequence[str], band: Band | None = None) -> None:
    """Print one line."""
    low, high = band or derived_band(policy, len(TARGETS))
    scores = np.array([score(policy, prompt) for prompt in prompts])
    parts = [np.mean(scores <= low), np.mean((scores > low) & (scores < high)), np.mean(scores >= high)]
    shares = "".join(f"{part:8.1%}" for part in parts)
    print(f"  {name:<26}{len(prompts):>8}{f'{low:.3f} to {high:.3f}':>16}{shares}", flush=True)


def score(policy: Policy, prompt: str) -> float:
    """Return the score of a policy's decision."""
    decision = policy(RouteRequest(question=prompt, targets=TARGETS))
    if not isinstance(decision, RouteDecision) or decision.score is None:
        raise TypeError(f"{type(policy).__name__} gave no score")
    return decision.score


if __name__ == "__main__":
    main()
