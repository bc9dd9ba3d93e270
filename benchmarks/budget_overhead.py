"""What does a budget add to a model call?

The same calls of a model that answers at once are made as it is and through ``budgeted``, with one budget for
each user and with three, on a ledger in a file and in memory. Added time is the difference of medians, round by
round, so that whatever else the machine does weighs on all alike. Beside it stands the time of the processor
alone, which a busy machine lengthens less. Target: at most 300 us for one budget in a file.

    python benchmarks/budget_overhead.py --calls 2000
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from handler_overhead import InstantModel, prompt, quantile

from lc_costkit.budget.budget import Budget
from lc_costkit.langchain.budgeted import budgeted
from lc_costkit.ledger import Ledger


class LimitedModel(InstantModel):
    """Says which model it is and how much it answers at most, as an integration does."""

    model: str = "gpt-4o-mini"
    max_tokens: int = 500


def timed(model: LimitedModel, calls: int) -> tuple[list[float], float]:
    """Seconds of each call, and those of the processor for a call in the mean."""
    config: Any = {"metadata": {"feature": "support", "user": "u1"}, "tags": ["a"]}
    seconds, began = [], time.thread_time()
    for number in range(calls):
        messages = prompt(number)
        started = time.perf_counter()
        model.invoke(messages, config=config)
        seconds.append(time.perf_counter() - started)
    return seconds, (time.thread_time() - began) / calls


def several() -> list[Budget]:
    """Three budgets that all apply to each call."""
    return [
        Budget(usd=1000, per="day", scope={"user": "*"}),
        Budget(usd=10_000, per="month"),
        Budget(tokens=10**9, per="hour", scope={"feature": "support"}),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000, help="calls in each way")
    parser.add_argument("--rounds", type=int, default=20, help="the ways take turns in so many rounds")
    parser.add_argument("--data", help="not used: the calls are made up")
    options = parser.parse_args()
    plain = LimitedModel()
    with tempfile.TemporaryDirectory() as folder:
        ledgers = [Ledger(Path(folder) / "one.db"), Ledger(Path(folder) / "three.db"), Ledger()]
        ways = {
            "unguarded": plain,
            "budgeted, one budget, file": budgeted(plain, several()[0], ledgers[0]),
            "budgeted, three budgets, file": budgeted(plain, several(), ledgers[1]),
            "budgeted, one budget, memory": budgeted(plain, several()[0], ledgers[2]),
        }
        seconds: dict[str, list[list[float]]] = {name: [] for name in ways}
        processor: dict[str, list[float]] = {name: [] for name in ways}
        for model in ways.values():
            timed(model, 50)
        for _ in range(options.rounds):
            for name, model in ways.items():
                each, mean = timed(model, max(1, options.calls // options.rounds))
                seconds[name].append(each)
                processor[name].append(mean)
        show(seconds, processor)
        for ledger in ledgers:
            ledger.close()


def show(seconds: dict[str, list[list[float]]], processor: dict[str, list[float]]) -> None:
    """Print what each way takes, and adds to the first."""
    floors = [statistics.median(values) for values in seconds["unguarded"]]
    print(f"{'microseconds a call':36} {'p50':>8} {'p99':>8} {'added p50':>10} {'added, processor':>18}")
    for name, rounds in seconds.items():
        every = [value for values in rounds for value in values]
        added = statistics.median(
            statistics.median(values) - floor for values, floor in zip(rounds, floors, strict=True)
        )
        busy = statistics.median(
            mean - floor for mean, floor in zip(processor[name], processor["unguarded"], strict=True)
        )
        p50, p99 = quantile(every, 0.5), quantile(every, 0.99)
        print(f"{name:36} {p50:8.0f} {p99:8.0f} {added * 1e6:10.0f} {busy * 1e6:18.0f}")


if __name__ == "__main__":
    main()
