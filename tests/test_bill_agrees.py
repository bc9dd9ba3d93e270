"""Is the ledger's total what the provider billed, to the last digit, over a long mixed run?"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from lc_costkit.langchain.callbacks import CostCallbackHandler
from lc_costkit.ledger import Ledger
from lc_costkit.testing import FakeProvider, Fault
from tests.conftest import chat_anthropic, chat_openai

ROUNDS = 36
REFUSALS = (Fault.rate_limit(retry_after=0.001), Fault.server_error(), Fault.overloaded())

# See tests/langchain/test_callbacks.py.
pytestmark = pytest.mark.filterwarnings("ignore:Unexpected type for token usage:UserWarning")


class Run:
    """Makes calls of every kind and counts what must be in the ledger."""

    def __init__(self, provider: FakeProvider, handler: CostCallbackHandler) -> None:
        self._provider = provider
        self._config: Any = {"callbacks": [handler], "metadata": {"feature": "mixed"}}
        self._random = random.Random(7)
        self._models = [
            chat_openai(provider, "gpt-4o-mini", max_retries=2),
            chat_openai(provider, "gpt-4o", max_retries=2),
            chat_anthropic(provider, "claude-haiku-4-5", max_retries=2),
            chat_anthropic(provider, "claude-sonnet-4-6", max_retries=2),
        ]
        self.made: Counter[str] = Counter()

    def prompt(self, model: Any) -> list[BaseMessage]:
        """A question of its own, often after a prefix that the provider caches."""
        asked = HumanMessage(f"Question {self._random.randrange(10**9)}: why does it rain?")
        kind = self._random.randrange(3)
        if kind == 0:
            return [asked]
        text = f"Handbook {self._random.randrange(4)}. " + "Refunds take five working days. " * (
            900 if kind == 1 else 20
        )
        if type(model).__name__ == "ChatOpenAI":
            return [SystemMessage(text), asked]
        control = {"type": "ephemeral", "ttl": self._random.choice(["5m", "1h"])}
        return [SystemMessage(content=[{"type": "text", "text": text, "cache_control": control}]), asked]

    def round(self) -> None:
        for model in self._models:
            model.invoke(self.prompt(model), config=self._config)
            self.made["answered"] += 1
            list(model.stream(self.prompt(model), config=self._config))
            self.made["answered"] += 1
            model.batch([self.prompt(model) for _ in range(2)], config=self._config)
            self.made["answered"] += 2
        self.refused()
        self.retried()
        self.cut()
        asyncio.run(self.async_round())

    async def async_round(self) -> None:
        for model in self._models:
            prompts = [self.prompt(model) for _ in range(3)]
            await asyncio.gather(model.ainvoke(prompts[0], config=self._config), self.consume(model, prompts[1]))
            await model.agenerate([prompts[2]], callbacks=self._config["callbacks"])
            self.made["answered"] += 3

    async def consume(self, model: Any, prompt: list[BaseMessage]) -> None:
        async for _ in model.astream(prompt, config=self._config):
            pass

    def refused(self) -> None:
        """More refusals than the client retries, or one that it does not retry."""
        model = self._random.choice(self._models)
        if self._random.random() < 0.5:
            self._provider.fail_next(self._random.choice(REFUSALS), times=3)
        else:
            self._provider.fail_next(Fault.refused())
        with pytest.raises(Exception, match=r"\d{3}|Overloaded|refused"):
            model.invoke("Will this fail?", config=self._config)
        self.made["refused"] += 1

    def retried(self) -> None:
        """A refusal that the client's own retry overcomes."""
        model = self._random.choice(self._models)
        self._provider.fail_next(Fault.rate_limit(retry_after=0.001))
        model.invoke(self.prompt(model), config=self._config)
        self.made["answered"] += 1

    def cut(self) -> None:
        """A stream that breaks."""
        model = self._random.choice(self._models)
        self._provider.fail_next(Fault.cut_stream(after_chunks=self._random.randrange(1, 8)))
        with pytest.raises(Exception):  # noqa: B017 - each client has its own
            list(model.stream(self.prompt(model), config=self._config))
        self.made["cut"] += 1


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as opened:
        yield opened


def test_the_ledger_agrees_with_the_bill(ledger: Ledger) -> None:
    with FakeProvider() as provider:
        run = Run(provider, CostCallbackHandler(ledger))
        for _ in range(ROUNDS):
            run.round()
        assert provider.wait_idle()

    assert run.made["answered"] + run.made["refused"] + run.made["cut"] >= 1000
    assert ledger.faults.counts == {}
    assert ledger.check() == []
    records = list(ledger.records())
    assert len(records) == sum(run.made.values())
    exact = [call for call in records if call.cost.basis == "exact"]
    estimated = [call for call in records if call.cost.basis == "estimated"]
    assert len(exact) + len(estimated) == len(records)

    # Every call whose usage reached the client, to the last digit: in sum and by model.
    assert sum(call.cost.usd or 0 for call in exact) == provider.billed_usd_reported > 0
    assert by_model(exact) == {
        model: sum(
            (call.usd or Decimal(0) for call in provider.log if call.usage_reached and call.model == model), Decimal(0)
        )
        for model in {call.model for call in provider.log}
    }
    tokens = sum(call.usage.cache_read_tokens for call in exact)
    assert tokens > 100_000

    # The cut ones are counted apart, near what was billed for them.
    assert len(estimated) == run.made["cut"]
    assert all(call.interrupted and call.streamed for call in estimated)
    unreported = provider.billed_usd - provider.billed_usd_reported
    guessed = sum((call.cost.usd or Decimal(0) for call in estimated), Decimal(0))
    assert unreported > 0
    assert unreported / 2 < guessed < unreported * 10

    total = ledger.report(by="model").total
    assert total.provider_usd == provider.billed_usd_reported + guessed
    assert (total.estimated_calls, total.estimated_usd) == (len(estimated), guessed)
    assert (total.unpriced_calls, total.errors) == (0, run.made["refused"] + run.made["cut"])


def by_model(calls: list[Any]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for call in calls:
        sums[call.model_asked] = sums.get(call.model_asked, Decimal(0)) + call.cost.usd
    return sums
