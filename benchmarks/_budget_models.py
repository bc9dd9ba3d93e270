"""Does a limit hold for real clients of a provider, whatever becomes of their calls?

Processes, or tasks of one, call a local provider through ``ChatOpenAI``, which the kit guards.
The provider's own bill is what was really spent.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from _budget_load import Observer, Seen, Start, run_processes
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from openai import OpenAIError
from sqlalchemy import text

from lc_costkit.budget.accounts import Accounts
from lc_costkit.budget.budget import Budget
from lc_costkit.errors import BudgetExceeded
from lc_costkit.langchain.budgeted import budgeted
from lc_costkit.ledger import Ledger
from lc_costkit.store import open_engine, writing
from lc_costkit.testing import FakeProvider
from lc_costkit.testing.faults import Fault
from lc_costkit.testing.records import FakeRequest

ModelWay = Literal["budgeted", "check"]

MEAN_USD = Decimal("0.00006")
"""What one of the calls below costs in the mean, at the price of gpt-4o-mini; measured without any limit."""

MODEL = "gpt-4o-mini"
_INPUT_USD, _OUTPUT_USD = 0.15e-6, 0.60e-6

_LOADED = ("lc_costkit.langchain.budgeted", "langchain_openai")

FAILS = "the provider fails"
CUT = "the connection breaks"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoad:
    """What to do.

    Attributes:
        address: of the ledger.
        way: behind ``budgeted``, or ``check`` what was spent and record afterwards.
        workers: processes, or tasks.
        calls: of each at most; they stop when nothing fits.
        in_tasks: asyncio tasks of one process in place of processes.
        limit_share: the limit, as a share of what all calls together would cost.
        kills: how many processes are killed while they work.
        lease_seconds: how long a reservation lasts; longer than any call takes.
        seed: of everything that is drawn.
    """

    address: str
    way: ModelWay
    workers: int
    calls: int
    in_tasks: bool = False
    limit_share: float = 0.2
    kills: int = 0
    lease_seconds: float = 5.0
    seed: int = 0

    @property
    def limit_usd(self) -> Decimal:
        """The least that they must not pass together."""
        return self.workers * self.calls * MEAN_USD * Decimal(str(self.limit_share))


class _Check:
    """Look whether what was spent leaves room for the call, make it, add what the answer says it used."""

    def __init__(self, load: ModelLoad) -> None:
        self._engine = open_engine(load.address, busy_seconds=30)
        self._limit = float(load.limit_usd)
        with writing(self._engine, wait_seconds=60) as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS checked (spent BIGINT NOT NULL)"))
            connection.execute(text("INSERT INTO checked SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM checked)"))

    def ask(self, prompt: str, max_tokens: int) -> None:
        """Refuse what would not fit, as ``budgeted`` does."""
        with self._engine.connect() as connection:
            spent = connection.execute(text("SELECT spent FROM checked")).scalar_one() / 1e9
        if spent + len(prompt) / 4 * _INPUT_USD + max_tokens * _OUTPUT_USD > self._limit:
            raise BudgetExceeded("it does not fit")

    def record(self, answer: Any) -> None:
        """Add what it cost; nothing where the usage did not come."""
        usage = getattr(answer, "usage_metadata", None) or {}
        cost = usage.get("input_tokens", 0) * _INPUT_USD + usage.get("output_tokens", 0) * _OUTPUT_USD
        with writing(self._engine, wait_seconds=60) as connection:
            connection.execute(text("UPDATE checked SET spent = spent + :cost"), {"cost": int(cost * 1e9)})


class _Worker:
    """One process or task: draws calls, makes them smaller when they are refused."""

    def __init__(self, load: ModelLoad, number: int, model: ChatOpenAI, check: _Check | None) -> None:
        self._load = load
        self._model = model
        self._check = check
        self._draw = random.Random(f"{load.seed} {number}")
        self._left = load.calls

    def drawn(self) -> tuple[str, int, str]:
        """Return a prompt, the most tokens of its answer, and what becomes of the call."""
        ends = ["answered", "streamed", "left early", FAILS, CUT]
        end = self._draw.choices(ends, [0.55, 0.2, 0.1, 0.1, 0.05])[0]
        return "word " * self._draw.randint(10, 400), self._draw.randint(10, 150), end

    def sizes(self) -> Any:
        """Yield how long to wait, or a call; ``self.fits`` says what became of it."""
        while self._left:
            prompt, most, end = self.drawn()
            while True:
                self.refusal: BudgetExceeded | None = None
                yield prompt, most, end
                if self.refusal is None or (most == 1 and not prompt):
                    break
                prompt, most = prompt[: len(prompt) // 2], max(1, most // 2)
            if self.refusal is None:
                self._left -= 1
            elif self.refusal.held:
                yield self._draw.uniform(0.01, 0.05)
            else:
                return

    def call(self, prompt: str, most: int, end: str) -> None:
        """Make a call."""
        said = f"{prompt}{end}" if end in (FAILS, CUT) else f"{prompt}Go on."
        try:
            if self._check is not None:
                self._check.ask(said, most)
            answer: Any = None
            if end in ("answered", FAILS):
                answer = self._model.invoke(said, max_tokens=most)
            else:
                with closing(self._model.stream(said, max_tokens=most)) as stream:  # type: ignore[type-var]
                    for number, chunk in enumerate(stream):
                        answer = chunk if answer is None else answer + chunk
                        if end == "left early" and number > 3:
                            break
            if self._check is not None:
                self._check.record(answer)
        except BudgetExceeded as error:
            self.refusal = error
        except (OpenAIError, OSError, _HTTPError):
            return

    async def acall(self, prompt: str, most: int, end: str) -> None:
        """Make a call; one in ten is cancelled."""
        said = f"{prompt}{end}" if end in (FAILS, CUT) else f"{prompt}Go on."
        try:
            if self._check is not None:
                self._check.ask(said, most)
            task = asyncio.ensure_future(self._asked(said, most, end))
            if end == "left early":
                await asyncio.wait([task], timeout=self._draw.uniform(0, 0.05))
                task.cancel()
            answer = await task
            if self._check is not None:
                self._check.record(answer)
        except BudgetExceeded as error:
            self.refusal = error
        except asyncio.CancelledError:
            return
        except (OpenAIError, OSError, _HTTPError):
            return

    async def _asked(self, said: str, most: int, end: str) -> AIMessage | None:
        if end in ("answered", FAILS):
            return await self._model.ainvoke(said, max_tokens=most)
        answer: Any = None
        async for chunk in self._model.astream(said, max_tokens=most):
            answer = chunk if answer is None else answer + chunk
        return answer  # type: ignore[no-any-return]


def _http_error() -> type[Exception]:
    import httpx

    return httpx.HTTPError


_HTTPError = _http_error()


def _model(load: ModelLoad, url: str, ledger: Ledger) -> ChatOpenAI:
    plain = ChatOpenAI(
        model=MODEL,
        api_key="test",  # type: ignore[arg-type]
        base_url=url,
        max_retries=0,
        stream_usage=True,
        timeout=60,
    )
    return budgeted(plain, _budget(load), ledger) if load.way == "budgeted" else plain


def _budget(load: ModelLoad) -> Budget:
    return Budget(usd=load.limit_usd, name="load", lease=load.lease_seconds, soft=None)


def _in_process(load: ModelLoad, number: int, url: str, start: Start) -> None:
    with Ledger(load.address) as ledger:
        check = _Check(load) if load.way == "check" else None
        worker = _Worker(load, number, _model(load, url, ledger), check)
        start.wait()
        for step in worker.sizes():
            if isinstance(step, float):
                time.sleep(step)
            else:
                worker.call(*step)


async def _in_tasks(load: ModelLoad, url: str) -> None:
    with Ledger(load.address) as ledger:
        model = _model(load, url, ledger)
        check = _Check(load) if load.way == "check" else None

        async def one(number: int) -> None:
            worker = _Worker(load, number, model, check)
            for step in worker.sizes():
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    await worker.acall(*step)

        await asyncio.gather(*(one(number) for number in range(load.workers)))


def _all_tasks(load: ModelLoad, url: str, start: Start) -> None:
    start.wait()
    asyncio.run(_in_tasks(load, url))


def answer(request: FakeRequest) -> str:
    """Say between one and 200 words, by the length of the question; the provider cuts at ``max_tokens``."""
    return "word " * (len(request.question) * 7919 % 200 + 1)


def run_models(load: ModelLoad) -> Seen:
    """Run a load against a new ledger and return what came of it."""
    with Ledger(load.address) as ledger:
        Accounts(ledger.engine)
        if load.way == "check":
            _Check(load)
        with FakeProvider(answer=answer, chunk_seconds=0.0005) as provider:
            for fault, word in ((Fault.server_error(), FAILS), (Fault.cut_stream(), CUT)):
                provider.fail_next(fault, times=10**9, match=_asks_for(word))
            query = (
                "SELECT spent + held FROM costkit_budget_accounts"
                if load.way == "budgeted"
                else "SELECT spent FROM checked"
            )
            with Observer(ledger.engine, query) as observer:
                started, killed = _run(load, provider.openai_base_url)
            ended = time.time()
            provider.wait_idle(timeout_seconds=30)
            billed, calls = provider.billed_usd, provider.calls
        if load.way == "budgeted":
            time.sleep(load.lease_seconds)
            (balance,) = Accounts(ledger.engine).balances(_budget(load).key, now=time.time())
            spent, held, unsettled = balance.spent, balance.held, balance.unsettled
        else:
            with ledger.engine.connect() as connection:
                spent = int(connection.execute(text("SELECT spent FROM checked")).scalar_one())
            held = unsettled = 0
    return Seen(
        limit=int(load.limit_usd * 10**9),
        spent=spent,
        unsettled=unsettled,
        billed=int(billed * 10**9),
        highest=max(observer.highest, spent + held),
        held=held,
        calls=calls,
        killed=killed,
        seconds=ended - started,
        guard_seconds=[],
    )


def _asks_for(word: str) -> Callable[[FakeRequest], bool]:
    return lambda request: word in request.question


def _run(load: ModelLoad, url: str) -> tuple[float, int]:
    if load.in_tasks:
        # In a process of their own: the provider's event loop is in this one.
        return run_processes(
            lambda _, start: (_all_tasks, (load, url, start)), workers=1, kills=0, seed=load.seed, loaded=_LOADED
        )
    return run_processes(
        lambda number, start: (_in_process, (load, number, url, start)),
        workers=load.workers,
        kills=load.kills,
        seed=load.seed,
        loaded=_LOADED,
    )
