"""Does a limit hold while many processes or tasks spend against it, some fail, and some are killed?

The calls are made up: each has a cost that only the provider knows, and the most it can cost,
which the caller knows. What the provider billed is written down, call by call, before the
caller learns of it, so that nothing that happens to the caller can hide it.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, Protocol

from sqlalchemy import Engine, text

from lc_costkit.budget.accounts import Accounts
from lc_costkit.budget.parts import Account, Part, Refused
from lc_costkit.store import open_engine, writing
from lc_costkit.threads import off_loop

Way = Literal["reserve", "check"]

SMALLEST = 1_000
"""Nano-USD: the least that a call can be made to cost. A refused call is tried again with half, down to this."""

OUTCOMES = {"answered": 0.82, "provider error": 0.08, "cancelled": 0.04, "abandoned": 0.03, "late": 0.03}
"""How calls end. Abandoned ones are never settled, late ones after their lease; both were billed."""

_KEY = Account(budget="load", scope="{}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to do.

    Attributes:
        address: of the database.
        way: ``reserve`` and settle, or ``check`` what was spent and record afterwards.
        workers: processes, or tasks.
        calls: of each at most; they stop when nothing fits.
        in_tasks: asyncio tasks of one process in place of processes.
        limit_share: the limit, as a share of what all calls together would cost.
        kills: how many processes are killed while they work.
        lease_seconds: how long a reservation lasts.
        busiest_seconds: the longest a call takes.
        seed: of everything that is drawn.
    """

    address: str
    way: Way
    workers: int
    calls: int
    in_tasks: bool = False
    kills: int = 0
    limit_share: float = 0.5
    lease_seconds: float = 2.0
    busiest_seconds: float = 0.004
    seed: int = 0

    @property
    def limit(self) -> int:
        """Nano-USD."""
        return int(self.workers * self.calls * MEAN * self.limit_share)


MEAN = 300_000
"""Nano-USD: what a call costs in the mean, a short answer of a small model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of it.

    Attributes:
        limit: nano-USD.
        spent: as the accounts say at the end.
        unsettled: the part of it whose calls never came back, counted in full.
        billed: the true sum of all costs.
        highest: the most that was spent and held at any moment an observer looked.
        held: at the end, after the leases.
        calls: that went to the provider.
        killed: processes.
        seconds: how long it took, without starting the processes.
        guard_seconds: of each call, what the guard took, both times together.
    """

    limit: int
    spent: int
    unsettled: int
    billed: int
    highest: int
    held: int
    calls: int
    killed: int
    seconds: float
    guard_seconds: list[float] = field(repr=False)

    @property
    def usable(self) -> float:
        """Which share of the limit could be spent."""
        return self.spent / self.limit


QUERIES: dict[Way, str] = {
    "reserve": "SELECT spent + held FROM costkit_budget_accounts",
    "check": "SELECT spent FROM checked",
}


class Guard(Protocol):
    """What stands before a call."""

    def ask(self, name: str, most: int) -> tuple[bool, int]:
        """Tell whether the call may be made; if not, how much others hold that may come back."""

    def record(self, name: str, most: int, cost: int) -> None:
        """Count what it cost."""


class Reserving:
    """The accounts of the kit."""

    def __init__(self, engine: Engine, load: Load) -> None:
        self._accounts = Accounts(engine, patience_seconds=60)
        self._load = load

    def ask(self, name: str, most: int) -> tuple[bool, int]:
        """Reserve the most it can cost."""
        part = Part(account=_KEY, amount=most, limit=self._load.limit)
        answer = self._accounts.reserve(name, [part], now=time.time(), lease_seconds=[self._load.lease_seconds])
        return (False, answer.balance.held) if isinstance(answer, Refused) else (True, 0)

    def record(self, name: str, most: int, cost: int) -> None:
        """Settle it."""
        self._accounts.settle(name, [Part(account=_KEY, amount=most)], [cost], now=time.time())


class Checking:
    """What is written most: look whether the limit is reached, call, add what it cost."""

    def __init__(self, engine: Engine, load: Load) -> None:
        self._engine = engine
        self._limit = load.limit
        prepare_checking(engine)

    def ask(self, name: str, most: int) -> tuple[bool, int]:
        """Read what was spent; the call may be made if all of it fits."""
        with self._engine.connect() as connection:
            spent = connection.execute(text("SELECT spent FROM checked")).scalar_one()
        return int(spent) + most <= self._limit, 0

    def record(self, name: str, most: int, cost: int) -> None:
        """Add what it cost; two that add at once both count."""
        with writing(self._engine, wait_seconds=60) as connection:
            connection.execute(text("UPDATE checked SET spent = spent + :cost"), {"cost": cost})


def prepare_checking(engine: Engine) -> None:
    """Make the table of ``Checking``."""
    with writing(engine, wait_seconds=60) as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS checked (spent BIGINT NOT NULL)"))
        connection.execute(text("INSERT INTO checked SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM checked)"))


def guard_of(engine: Engine, load: Load) -> Guard:
    """Return what the load says."""
    return Reserving(engine, load) if load.way == "reserve" else Checking(engine, load)


# -- one worker ----------------------------------------------------------------


class _Bill:
    """What the provider charges, a line for each call, safe from whatever happens to the process."""

    def __init__(self, folder: Path, worker: int) -> None:
        self._file = os.open(folder / f"bill-{worker}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def charge(self, cost: int) -> None:
        os.write(self._file, b"%d\n" % cost)

    def close(self) -> None:
        os.close(self._file)


def _worker(load: Load, number: int, folder: Path) -> Iterator[float | Callable[[], object]]:
    """Make the calls of one worker; yields seconds to wait, or what to do that waits for the database."""
    draw = random.Random(f"{load.seed} {number}")
    seconds: list[float] = []
    late: list[tuple[float, str, int, int]] = []
    with closing(_Bill(folder, number)) as bill:
        engine = open_engine(load.address, busy_seconds=5)
        guard = guard_of(engine, load)
        call = 0
        while call < load.calls or late:
            if late and (late[0][0] <= time.time() or call >= load.calls):
                yield max(0.0, late[0][0] - time.time())
                _, name, most, cost = late.pop(0)
                yield lambda name=name, most=most, cost=cost: guard.record(name, most, cost)  # type: ignore[misc]
                continue
            # The mean of a log-normal number of sigma 1 is exp(1/2) times its median.
            cost = max(1, int(draw.lognormvariate(0, 1) * MEAN / 1.6487))
            most = int(cost * draw.uniform(1, 4)) + 1
            name = f"{load.seed}-{number}-{call}"
            while True:
                answer: list[tuple[bool, int]] = []
                started = time.perf_counter()
                yield lambda: answer.append(guard.ask(name, most))  # noqa: B023
                asked = time.perf_counter() - started
                fits, held = answer[0]
                if fits or most <= SMALLEST:
                    break
                cost, most = cost // 2, max(most // 2, SMALLEST)
            if not fits:
                if held:
                    yield draw.uniform(0.001, 0.01)
                    continue
                if late:
                    # What they give back may be used.
                    yield max(0.0, late[0][0] - time.time())
                    continue
                break
            call += 1
            outcome = draw.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]
            bill.charge(0 if outcome == "provider error" else cost)
            yield draw.uniform(0, load.busiest_seconds)
            if outcome == "abandoned":
                continue
            if outcome == "late":
                late.append((time.time() + load.lease_seconds + 0.1, name, most, cost))
                continue
            # A stream that was cut is counted at what it can have cost by then, which is more than it did.
            counted = {"provider error": 0, "cancelled": (cost + most) // 2}.get(outcome, cost)
            started = time.perf_counter()
            yield lambda: guard.record(name, most, counted)  # noqa: B023
            seconds.append(asked + time.perf_counter() - started)
        engine.dispose()
    (folder / f"seconds-{number}").write_text(json.dumps(seconds))


def _in_process(load: Load, number: int, folder: Path, start: Start) -> None:
    start.wait()
    for step in _worker(load, number, folder):
        if callable(step):
            step()
        else:
            time.sleep(step)


async def _in_tasks(load: Load, folder: Path) -> None:
    async def one(number: int) -> None:
        for step in _worker(load, number, folder):
            if callable(step):
                await off_loop(step)
            else:
                await asyncio.sleep(step)

    await asyncio.gather(*(one(number) for number in range(load.workers)))


# -- all of them ---------------------------------------------------------------


def run(load: Load, folder: Path) -> Seen:
    """Run a load against a new database and return what came of it."""
    folder.mkdir()
    engine = open_engine(load.address, busy_seconds=5)
    guard_of(engine, load)
    with Observer(engine, QUERIES[load.way]) as observer:
        if load.in_tasks:
            started, killed = time.time(), 0
            asyncio.run(_in_tasks(load, folder))
        else:
            started, killed = _run_processes(load, folder)
        ended = time.time()
    spent, held, unsettled = 0, 0, 0
    if load.way == "reserve":
        time.sleep(load.lease_seconds)
        (balance,) = Accounts(engine).balances(_KEY.budget, now=time.time())
        spent, held, unsettled = balance.spent, balance.held, balance.unsettled
    else:
        with engine.connect() as connection:
            spent = int(connection.execute(text("SELECT spent FROM checked")).scalar_one())
    engine.dispose()
    bills = [int(line) for file in folder.glob("bill-*") for line in file.read_text().split()]
    return Seen(
        limit=load.limit,
        spent=spent,
        unsettled=unsettled,
        billed=sum(bills),
        highest=max(observer.highest, spent + held),
        held=held,
        calls=len(bills),
        killed=killed,
        seconds=ended - started,
        guard_seconds=[value for file in folder.glob("seconds-*") for value in json.loads(file.read_text())],
    )


def _run_processes(load: Load, folder: Path) -> tuple[float, int]:
    return run_processes(
        lambda number, start: (_in_process, (load, number, folder, start)),
        workers=load.workers,
        kills=load.kills,
        seed=load.seed,
    )


class Start:
    """Has processes begin at once. Each has a pipe of its own: one that is killed leaves no lock behind.

    Args:
        pipe: its end of it.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def wait(self) -> None:
        """Say that the process is up, and wait for the others."""
        self._pipe.send(None)
        self._pipe.recv()


def run_processes(
    what: Callable[[int, Start], tuple[Callable[..., None], tuple[Any, ...]]],
    *,
    workers: int,
    kills: int,
    seed: int,
    loaded: Sequence[str] = ("lc_costkit.budget.accounts",),
) -> tuple[float, int]:
    """Run processes that begin at once, kill some of them, and wait for the others.

    Args:
        what: number and start -> the function of a process and its arguments; it waits for the start first.
        workers: how many.
        kills: how many of them are killed, within half a second each.
        seed: of who is killed and when.
        loaded: modules to load once for all of them.

    Returns:
        When they began, and how many were killed before they had ended.

    Raises:
        RuntimeError: one failed.
    """
    # A server that has the libraries loaded and forks is much quicker than a new interpreter for each.
    quick = "forkserver" in multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if quick else "spawn")
    if quick:
        context.set_forkserver_preload(list(loaded))
    pipes = [context.Pipe() for _ in range(workers)]
    made = [what(number, Start(theirs)) for number, (_, theirs) in enumerate(pipes)]
    processes = [context.Process(target=target, args=arguments) for target, arguments in made]
    for process in processes:
        process.start()
    for mine, theirs in pipes:
        theirs.close()
        mine.recv()
    for mine, _ in pipes:
        mine.send(None)
    started = time.time()
    draw = random.Random(seed)
    killed = 0
    for victim in draw.sample(processes, kills):
        time.sleep(draw.uniform(0.05, 0.5))
        if victim.is_alive():
            os.kill(victim.pid, signal.SIGKILL)
            killed += 1
    for process in processes:
        process.join()
    for mine, _ in pipes:
        mine.close()
    failed = [process.exitcode for process in processes if process.exitcode not in (0, -signal.SIGKILL)]
    if failed:
        raise RuntimeError(f"{len(failed)} workers failed")
    return started, killed


class Observer:
    """Looks, again and again, at what is spent and held."""

    def __init__(self, engine: Engine, query: str) -> None:
        self._query = text(query)
        self._engine = open_engine(engine.url)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.highest = 0

    def _look(self) -> None:
        with self._engine.connect() as connection:
            while not self._end.wait(0.002):
                self.highest = max(self.highest, connection.execute(self._query).scalar() or 0)
                connection.rollback()

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._engine.dispose()
