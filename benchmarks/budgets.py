"""What does a budget add to a call, and does it hold under load?

1. Reserve and settle beside a call that nothing guards, and beside the usual way: look what was spent, call, add
   what it cost. One process, a SQLite file. Target: at most 200 us for both together.
2. Processes and asyncio tasks against one limit, with random costs, provider errors, cut streams, calls that are
   never or too late settled, and killed processes. A refused call is tried again with half, until nothing fits.
   "billed" is what the provider charged; "highest" is the most that was spent and held at once, as an observer saw
   it; "over" is how far the larger of them is above the limit. Nothing may be held in the end, and 97 % of the
   limit must be usable.
3. The same number of tasks at once, against a limit that a few of them fit.
4. The same load through ``budgeted(ChatOpenAI(...))`` against ``FakeProvider``, with streams that are left early,
   cancelled tasks and connections that break. Such a call counts at the most that it can be billed, so "billed" is
   below "spent".

    python benchmarks/budgets.py [--processes 16] [--process-calls 500] [--tasks 64] [--task-calls 200]
        [--model-process-calls 12] [--model-task-calls 4] [--no-server]
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _budget_load import Load, Seen, Way, prepare_checking, run
from _budget_models import ModelLoad, ModelWay, run_models
from sqlalchemy import text

from lc_costkit.budget.accounts import Accounts
from lc_costkit.budget.parts import Account, Part
from lc_costkit.store import open_engine

WAYS: dict[Way, str] = {"reserve": "reserve, settle", "check": "check, then record"}
MODEL_WAYS: dict[ModelWay, str] = {"budgeted": "budgeted", "check": "check, then record"}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=4000, help="calls of the first table, for each way")
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--process-calls", type=int, default=500, help="calls of each process")
    parser.add_argument("--kills", type=int, default=4, help="how many of the processes are killed")
    parser.add_argument("--tasks", type=int, default=64)
    parser.add_argument("--task-calls", type=int, default=200, help="calls of each task")
    parser.add_argument("--model-process-calls", type=int, default=12, help="of each process, through real clients")
    parser.add_argument(
        "--model-task-calls", type=int, default=4, help="of each task, through real clients; 0 for none"
    )
    parser.add_argument("--lease", type=float, default=2.0, help="seconds until a call counts as spent in full")
    parser.add_argument("--no-server", action="store_true", help="leave PostgreSQL out")
    parser.add_argument("--data", help="not used: the calls are made up")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder), server=not options.no_server) as kinds:
        show_added(Path(folder) / "added.db", options.calls)
        in_processes = {"workers": options.processes, "calls": options.process_calls, "kills": options.kills}
        in_tasks = {"workers": options.tasks, "calls": options.task_calls, "in_tasks": True}
        burst = {**in_tasks, "calls": 1, "limit_share": 0.125, "busiest_seconds": 0.1}
        head = columns()
        print(f"\n{'under load, USD':58} {head}")
        for shape in (in_processes, in_tasks, burst):
            for kind, new in kinds.items():
                for way in WAYS:
                    load = Load(address=new(), way=way, lease_seconds=options.lease, **shape)  # type: ignore[arg-type]
                    seen = run(load, Path(tempfile.mkdtemp(dir=folder)) / "load")
                    show(kind, load, seen, WAYS[way])
        if options.model_process_calls and options.model_task_calls:
            in_processes["calls"], in_tasks["calls"] = options.model_process_calls, options.model_task_calls
            print(f"\n{'under load, real clients, USD':58} {head}")
            for shape in (in_processes, in_tasks):
                for kind, new in kinds.items():
                    for through, said in MODEL_WAYS.items():
                        calls = ModelLoad(address=new(), way=through, **shape)  # type: ignore[arg-type]
                        show(kind, calls, run_models(calls), said)


def show(kind: str, load: Load | ModelLoad, seen: Seen, said: str) -> None:
    """Print a row."""
    who = "tasks" if load.in_tasks else "processes"
    print(f"{f'{kind}, {load.workers} {who} x {load.calls}, {said}':58} {line(seen, load.calls)}", flush=True)


@contextmanager
def databases(folder: Path, *, server: bool) -> Iterator[dict[str, Callable[[], str]]]:
    """Yield, for each kind of database, what gives the address of a new one."""
    numbers = iter(range(1_000_000))
    kinds: dict[str, Callable[[], str]] = {"SQLite": lambda: str(folder / f"{next(numbers)}.db")}
    if not server or importlib.util.find_spec("pgserver") is None:
        print("PostgreSQL is left out" + ("" if not server else ": pgserver is not installed"))
        yield kinds
        return
    import pgserver

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        running = pgserver.get_server(folder / "server", cleanup_mode="delete")

    def new() -> str:
        name = f"load{next(numbers)}"
        running.psql(f"CREATE DATABASE {name}")
        return str(running.get_uri(database=name))

    kinds["PostgreSQL"] = new
    try:
        yield kinds
    finally:
        running.cleanup()


def show_added(path: Path, calls: int) -> None:
    """Time the ways in turns and print the first table."""
    engine = open_engine(path)
    accounts = Accounts(engine)
    prepare_checking(engine)

    def part(budget: str) -> Part:
        return Part(account=Account(budget=budget, scope='{"user":"u1"}'), amount=300, limit=10**15, soft=10**14)

    def unguarded(name: str) -> None:
        return None

    def check(name: str) -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT spent FROM checked")).scalar_one()
        with engine.begin() as connection:
            connection.execute(text("UPDATE checked SET spent = spent + 100"))

    def reserve(*parts: Part) -> Callable[[str], None]:
        leases, amounts = [600.0] * len(parts), [100] * len(parts)

        def both(name: str) -> None:
            accounts.reserve(name, parts, now=time.time(), lease_seconds=leases)
            accounts.settle(name, parts, amounts, now=time.time())

        return both

    ways = {
        "a call that nothing guards": unguarded,
        "check, then record": check,
        "reserve, settle: one budget": reserve(part("a")),
        "reserve, settle: three budgets": reserve(part("a"), part("b"), part("c")),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(20):
        for name, way in ways.items():
            for number in range(calls // 20):
                started = time.perf_counter()
                way(f"{name} {turn} {number}")
                seconds[name].append(time.perf_counter() - started)
    engine.dispose()
    print(f"{'microseconds a call, one process, SQLite file':48} {'p50':>7} {'p99':>7}")
    for name, values in seconds.items():
        print(f"{name:48} {at(values, 0.5):7.1f} {at(values, 0.99):7.1f}")


def columns() -> str:
    """Return the heads of the second table."""
    heads = ["limit", "spent", "billed", "highest", "held", "usable", "over", "calls", "killed", "p50 us", "p99 us"]
    return " ".join(f"{head:>8}" for head in heads)


def line(seen: Seen, calls: int) -> str:
    """Return a row of it; money in USD."""
    money = [seen.limit, seen.spent, seen.billed, seen.highest, seen.held]
    over = max(seen.billed, seen.highest) / seen.limit - 1
    cells = [f"{amount / 1e9:8.4f}" for amount in money]
    # With one call each, nobody tries to use what is left.
    cells += [
        f"{seen.usable:8.2%}" if calls > 1 else f"{'-':>8}",
        f"{max(over, 0):8.2%}",
        f"{seen.calls:8}",
        f"{seen.killed:8}",
    ]
    times = seen.guard_seconds
    cells += [f"{at(times, share):8.0f}" if times else f"{'-':>8}" for share in (0.5, 0.99)]
    return " ".join(cells)


def at(values: list[float], share: float) -> float:
    """Return the microseconds below which ``share`` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e6 if ordered else 0.0


if __name__ == "__main__":
    main()
