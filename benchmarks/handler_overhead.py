"""What does metering add to a model call?

The same calls of a model that answers at once are made with no handler, with
LangChain's ``UsageMetadataCallbackHandler``, and with ``CostCallbackHandler`` on a
synchronous and on a buffered ledger. Added time is the difference of medians, round by
round, so that whatever else the machine does weighs on all alike. Targets: at most 200 us
with a synchronous write to a file, at most 60 us buffered.

    python benchmarks/handler_overhead.py --calls 2000
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from lc_costkit.langchain.callbacks import CostCallbackHandler
from lc_costkit.ledger import Ledger

USAGE = {"input_tokens": 620, "output_tokens": 40, "total_tokens": 660}


class InstantModel(BaseChatModel):
    """Answers at once, with the usage a provider would report."""

    @property
    def _llm_type(self) -> str:
        return "instant"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "openai", "ls_model_name": "gpt-4o-mini", "ls_model_type": "chat"}

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        message = AIMessage(
            "Refunds take five working days.",
            usage_metadata=USAGE,  # type: ignore[arg-type]
            response_metadata={"model_name": "gpt-4o-mini-2024-07-18", "model_provider": "openai"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return self._generate(messages)


def prompt(number: int) -> list[BaseMessage]:
    """About 600 tokens, as a small RAG prompt has."""
    return [SystemMessage("Answer from the handbook. " * 100), HumanMessage(f"How long do refunds take? ({number})")]


def timed(model: InstantModel, handlers: list[Any], calls: int) -> list[float]:
    """Seconds of each synchronous call."""
    config: Any = {"callbacks": handlers, "metadata": {"feature": "support", "user": "u1"}, "tags": ["a"]}
    seconds = []
    for number in range(calls):
        messages = prompt(number)
        started = time.perf_counter()
        model.invoke(messages, config=config)
        seconds.append(time.perf_counter() - started)
    return seconds


async def stalls(model: InstantModel, handlers: list[Any], calls: int) -> list[float]:
    """Seconds by which the event loop was late for a task that only wants its turn, while calls are made."""
    late: list[float] = []
    running = True

    async def watch() -> None:
        while running:
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - started - 0.001)

    watcher = asyncio.create_task(watch())
    config: Any = {"callbacks": handlers}
    for number in range(calls):
        await model.ainvoke(prompt(number), config=config)
    running = False
    await watcher
    return late


def quantile(values: list[float], share: float) -> float:
    """Microseconds below which ``share`` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1e6


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000, help="calls for each way of metering")
    parser.add_argument("--rounds", type=int, default=10, help="the ways take turns in so many rounds")
    parser.add_argument("--data", help="not used: the calls are made up")
    options = parser.parse_args()
    model = InstantModel()
    with tempfile.TemporaryDirectory() as folder:
        ledgers = {
            "synchronous, file": Ledger(Path(folder) / "synchronous.db"),
            "synchronous, memory": Ledger(),
            "buffered, file": Ledger(Path(folder) / "buffered.db", buffered=True),
        }
        ways: dict[str, Callable[[], list[Any]]] = {
            "no handler": list,
            "UsageMetadataCallbackHandler": lambda: [UsageMetadataCallbackHandler()],
        }
        for name, ledger in ledgers.items():
            ways[f"CostCallbackHandler, {name}"] = lambda ledger=ledger: [CostCallbackHandler(ledger)]  # type: ignore[misc]
        for way in ways.values():
            timed(model, way(), 50)
        show_calls(model, ways, options.calls // options.rounds, options.rounds, ledgers)
        show_stalls(model, ways, options.calls // 4, ledgers)
        for ledger in ledgers.values():
            assert ledger.faults.counts == {}
            ledger.close()


def show_calls(
    model: InstantModel, ways: dict[str, Callable[[], list[Any]]], calls: int, rounds: int, ledgers: dict[str, Ledger]
) -> None:
    """Time the ways in turns and print what each adds."""
    seconds: dict[str, list[list[float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(timed(model, way(), calls))
            for ledger in ledgers.values():
                ledger.flush()
    floors = [statistics.median(values) for values in seconds["no handler"]]
    print(f"{'microseconds a call':44} {'p50':>8} {'p99':>8} {'added p50':>10}")
    for name, by_round in seconds.items():
        every = [value for values in by_round for value in values]
        added = statistics.median(
            statistics.median(values) - floor for values, floor in zip(by_round, floors, strict=True)
        )
        print(f"{name:44} {quantile(every, 0.5):8.0f} {quantile(every, 0.99):8.0f} {added * 1e6:10.0f}")


def show_stalls(
    model: InstantModel, ways: dict[str, Callable[[], list[Any]]], calls: int, ledgers: dict[str, Ledger]
) -> None:
    """Print how late the event loop was in async use."""
    print(f"\n{'microseconds the event loop was late, async':44} {'p50':>8} {'p99':>8}")
    for name, way in ways.items():
        late = asyncio.run(stalls(model, way(), calls))
        for ledger in ledgers.values():
            ledger.flush()
        print(f"{name:44} {quantile(late, 0.5):8.0f} {quantile(late, 0.99):8.0f}")


if __name__ == "__main__":
    main()
