"""Do the checks of a cascade hold on tasks that they were not written for?

    OMP_NUM_THREADS=1 python benchmarks/cascade_tasks.py --data DATA [--seeds 5] [--requests 200] [--quick]
        [--weak "silent=0.16,truncated=0.02"] [--strong "silent=0.01"]

Two tasks over a fake provider, with real clients: JSON from what bank customers say (texts and slots of NLU++), and
calls of four tools (requests made up from a seed). **The models are simulated.** Which kinds of errors they make, and
how often, are assumptions (``_cascade_errors.py``), not measurements: the tables show what the checks find of each
kind, how often they take a right answer for a wrong one, and what that comes to at such rates; they do not show how
good a real model is. The strong model errs by itself, whatever the weak one does.

Checks: the general ones, the schema of the answer or of the tools, and that copied values stand in the request.
Nothing of a check was chosen on these tasks.

1. Of the weak model's answers, which check was the first to find fault, by kind of error; "silent" errors break no
   rule, so that no check can see them: they bound what a cascade recovers.
2. Accuracy and cost of the weak model alone, the strong one alone and the cascade. "recovered" is the share of the gap
   between the two; "bound" is what it would be if every error but the silent ones were found. Cost by the ledger; the
   cascade's holds its rejected drafts. "saved" is the ledger's own figure, net, and must be what the strong model
   alone costs more.
3. The same with other shares of silent errors.

Means over seeds, with the lowest and the highest of them.
"""

from __future__ import annotations

import argparse
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from _cascade_errors import REWORDED, WEAK, Model, Rates, strong_rates
from _cascade_requests import Task, extraction, tool_calls
from _data import data_dir, missing
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI

from lc_costkit import CostCallbackHandler, Ledger
from lc_costkit.langchain.cascade import Cascade
from lc_costkit.routing import Answer, Check, RouteRequest, Verdict
from lc_costkit.testing import FakeProvider, FakeRequest

NAMES = {"weak": "gpt-4o-mini", "strong": "gpt-4o"}
"""Published prices stand for a cheap and a dear model; what they say is simulated."""

RIGHT = ("", REWORDED)
"""Kinds that are no errors."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the measurement data, for the JSON extraction")
    parser.add_argument("--seeds", type=int, default=5, help="repetitions, each with errors and requests of its own")
    parser.add_argument("--requests", type=int, default=200, help="requests of each repetition")
    parser.add_argument("--weak", type=rates, default={}, help="other rates of the weak model: kind=share,...")
    parser.add_argument("--strong", type=rates, default={}, help="other rates of the strong model")
    parser.add_argument("--quick", action="store_true", help="2 seeds of 60 requests, without the third table")
    options = parser.parse_args()
    seeds, count = (2, 60) if options.quick else (options.seeds, options.requests)
    folder = data_dir(options.data)
    makers: list[Callable[[int], Task]] = [lambda seed: tool_calls(seed, count)]
    if folder is None or not (folder / "cache" / "nlupp_banking.jsonl.gz").exists():
        print(f"JSON extraction: {missing('cache/nlupp_banking.jsonl.gz')}")
    else:
        whole = extraction(folder)
        makers.insert(0, lambda seed: some(whole, seed, count))
    for make in makers:
        name = make(0).name
        weak = {**WEAK[name], **known(options.weak, name)}
        strong = {**strong_rates(weak), **known(options.strong, name)}
        runs = [run(make(seed), weak, strong, seed) for seed in range(seeds)]
        print(f"\n{name}: {seeds} seeds of {len(make(0).requests)} requests, simulated errors")
        print("  weak:   " + ", ".join(f"{kind} {rate:.1%}" for kind, rate in weak.items()))
        print("  strong: " + ", ".join(f"{kind} {rate:.1%}" for kind, rate in strong.items()))
        show_checks(runs)
        show_sums(runs)
        if not options.quick:
            print("\n  with other shares of silent errors of the weak model:")
            for silent in (0.0, 0.04, 0.16):
                other = [
                    run(make(seed), {**weak, "silent": silent}, strong, seed) for seed in range(max(2, seeds // 2))
                ]
                print(f"    {silent:4.0%}: {summary(other)}", flush=True)


def rates(text: str) -> dict[str, float]:
    """Read ``kind=share,kind=share``."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {kind.strip(): float(share) for kind, _, share in pairs}


def known(given: Rates, task: str) -> dict[str, float]:
    """Return those of the rates that are of the task's kinds of errors."""
    kinds = {kind for one in WEAK.values() for kind in one}
    unknown = set(given) - kinds
    if unknown:
        raise SystemExit(f"no such kind of error: {sorted(unknown)}; there are {sorted(kinds)}")
    return {kind: rate for kind, rate in given.items() if kind in WEAK[task]}


def some(task: Task, seed: int, count: int) -> Task:
    """Return the task with so many of its requests."""
    drawn = np.random.default_rng([seed, 2]).permutation(len(task.requests))[:count]
    return Task(
        name=task.name,
        requests=tuple(task.requests[place] for place in drawn),
        checks=task.checks,
        system=task.system,
        schemas=task.schemas,
        tools=task.tools,
    )


@dataclass(slots=True)
class Run:
    """What came of one seed.

    Attributes:
        kinds: which error each weak answer has.
        caught: by kind of error and check, how many.
        right: by way (weak, strong, cascade), whether each answer is right.
        strong_calls: share of the requests that the cascade asked the strong model about.
        usd: by way, what the ledger says it cost.
        saved: what the ledger says the cascade saved, net (USD).
    """

    kinds: list[str]
    caught: Counter[tuple[str, str]]
    right: dict[str, list[bool]] = field(default_factory=dict)
    strong_calls: float = 0.0
    usd: dict[str, Decimal] = field(default_factory=dict)
    saved: Decimal = Decimal(0)

    def accuracy(self, way: str) -> float:
        """Return the share of right answers."""
        return statistics.fmean(self.right[way])

    @property
    def recovered(self) -> float:
        """Share of the gap between the two models that the cascade closes."""
        return (self.accuracy("cascade") - self.accuracy("weak")) / (self.accuracy("strong") - self.accuracy("weak"))

    @property
    def bound(self) -> float:
        """The same, had the strong model answered where the weak one erred, but for silent errors, and only there."""
        best = [
            strong if kind not in (*RIGHT, "silent") else weak
            for kind, weak, strong in zip(self.kinds, self.right["weak"], self.right["strong"], strict=True)
        ]
        return (statistics.fmean(best) - self.accuracy("weak")) / (self.accuracy("strong") - self.accuracy("weak"))

    @property
    def false_alarms(self) -> float:
        """Share of the weak model's right answers that a check took for wrong."""
        good = sum(self.right["weak"])
        return sum(count for (kind, _), count in self.caught.items() if kind in RIGHT) / good if good else 0.0


class Watched:
    """A check that keeps what it finds."""

    def __init__(self, check: Check, name: str, found: list[tuple[str, str]]) -> None:
        self.check, self.name, self.found = check, name, found

    def __call__(self, request: RouteRequest, answer: Answer, /) -> Verdict:
        verdict = self.check(request, answer)
        if not verdict.passed:
            self.found.append((request.question, self.name))
        return verdict


def run(task: Task, weak: Rates, strong: Rates, seed: int) -> Run:
    """Answer all requests three ways."""
    simulated = {
        NAMES["weak"]: Model(task, weak, seed=seed, place=0),
        NAMES["strong"]: Model(task, strong, seed=seed, place=1),
    }
    found: list[tuple[str, str]] = []

    def answer(request: FakeRequest) -> Any:
        return simulated[request.model].answer(request.question)

    with FakeProvider(answer=answer, keep_alive=True) as provider, TemporaryDirectory() as folder:
        models: dict[str, Any] = {
            name: ChatOpenAI(model=model, api_key="test", base_url=provider.openai_base_url, max_retries=0)  # type: ignore[arg-type]
            for name, model in NAMES.items()
        }
        watched = [Watched(check, _name(check), found) for check in task.checks]
        ways: dict[str, Any] = {**models, "cascade": Cascade(models, checks=watched)}
        kinds = [simulated[NAMES["weak"]].kind(request.text) for request in task.requests]
        result = Run(kinds=kinds, caught=Counter())
        for name, way in ways.items():
            before = len(provider.log)
            with Ledger(Path(folder) / f"{name}.db") as ledger:
                told = ask(way.bind_tools(list(task.tools)) if task.tools else way, task, ledger)
                total = ledger.report().total
            result.right[name] = [task.is_right(*pair) for pair in zip(task.requests, told, strict=True)]
            result.usd[name] = total.usd
            if name == "cascade":
                asked = [call.model for call in provider.log[before:]]
                result.strong_calls = asked.count(NAMES["strong"]) / len(task.requests)
                result.saved = total.saved_usd
    kind_of = {request.text: kind for request, kind in zip(task.requests, kinds, strict=True)}
    result.caught = Counter((kind_of[question], check) for question, check in found)
    return result


def ask(model: Any, task: Task, ledger: Ledger) -> list[AIMessage]:
    """Send every request, one after the other."""
    handler = CostCallbackHandler(ledger)
    return [model.invoke(task.prompt(request), {"callbacks": [handler]}) for request in task.requests]


def show_checks(runs: Sequence[Run]) -> None:
    """Print which check was the first to find each kind of error."""
    kinds = Counter(kind for one in runs for kind in one.kinds)
    caught: Counter[tuple[str, str]] = sum((one.caught for one in runs), Counter())
    checks = list(dict.fromkeys(check for _, check in caught))
    print(f"\n  {'weak answer is':<17}{'answers':>8}{'found':>8}   first found by")
    for kind in sorted(kinds, key=lambda one: (one in RIGHT, one == "silent", -kinds[one])):
        by = {check: caught[kind, check] for check in checks if caught[kind, check]}
        share = sum(by.values()) / kinds[kind]
        said = ", ".join(f"{check} {number}" for check, number in sorted(by.items(), key=lambda one: -one[1]))
        name = "right" if not kind else f"right, {kind}" if kind in RIGHT else kind
        print(f"  {name:<17}{kinds[kind]:>8}{share:>8.1%}   {said}")


def show_sums(runs: Sequence[Run]) -> None:
    """Print accuracy and cost of the three ways."""
    print(f"\n  {'':<10}{'right':>26}{'strong calls':>14}{'USD, of always strong':>26}")
    for way in ("weak", "strong", "cascade"):
        right = spread([one.accuracy(way) for one in runs])
        calls = statistics.fmean(one.strong_calls for one in runs) if way == "cascade" else float(way == "strong")
        cost = spread([float(one.usd[way] / one.usd["strong"]) for one in runs])
        print(f"  {way:<10}{right:>26}{calls:>14.1%}{cost:>26}")
    print(f"  {summary(runs)}")
    for one in runs:
        expected = one.usd["strong"] - one.usd["cascade"]
        if abs(one.saved - expected) > abs(expected) / 50:
            print(f"  the ledger says {one.saved:.6f} USD were saved, and the strong model costs {expected:.6f} more")


def summary(runs: Sequence[Run]) -> str:
    """Say what the cascade recovers, at which price."""
    recovered, bound = spread([one.recovered for one in runs]), statistics.fmean(one.bound for one in runs)
    calls, alarms = (spread([getattr(one, name) for one in runs]) for name in ("strong_calls", "false_alarms"))
    saved = spread([float(one.saved / one.usd["strong"]) for one in runs])
    return f"recovered {recovered}, bound {bound:.1%}; strong calls {calls}; false alarms {alarms}; saved net {saved}"


def spread(values: Sequence[float]) -> str:
    """Write a mean, and the lowest and the highest value."""
    return f"{statistics.fmean(values):.1%} [{min(values):.1%}, {max(values):.1%}]"


def _name(check: Check) -> str:
    return getattr(check, "__name__", type(check).__name__)


if __name__ == "__main__":
    main()
