"""How long does a lookup take, beside a dictionary and beside GPTCache?

    python benchmarks/cache_speed.py [--entries 1000 10000] [--lookups 500]

All caches hold the same made-up questions and answers of about 1.5 kB, in one scope, in a file
on the same disk (the dictionary in memory), and are asked in the same run. ``InMemoryCache`` is
LangChain's own and the floor: it matches to the letter and gives back the object it was given.
GPTCache (``pip install gptcache cachetools``, left out if it is not there) runs on FAISS and
SQLite with our embedder and gives back text; ours gives back new LangChain objects. Nothing here
needs measurement data; ``--data`` is accepted and not used.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.caches import BaseCache, InMemoryCache
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration

from lc_costkit import SemanticCache
from lc_costkit.embedding import bundled_embedder

LLM_STRING = "[('_type', 'benchmark'), ('model_name', 'gpt-4o-mini'), ('stop', None)]"
VERBS = (
    "open", "close", "move", "renew", "order", "block", "replace", "rename", "print", "export", "share", "find",
    "lock", "sell", "value",
)  # fmt: skip
NOUNS = (
    "account", "card", "loan", "statement", "invoice", "contract", "policy", "ticket", "parcel", "profile",
    "address", "password", "receipt", "report", "booking", "licence", "warranty", "mortgage", "pension", "voucher",
    "deposit", "transfer", "cheque", "budget",
)  # fmt: skip
PLACES = (
    "Berlin", "Madrid", "Rome", "Paris", "Vienna", "Prague", "Lisbon", "Dublin", "Oslo", "Athens", "Warsaw",
    "Zurich", "Brussels", "Milan", "Munich", "Seville", "Porto", "Naples", "Turin", "Geneva", "Hamburg", "Krakow",
    "Bergen", "Malmo", "Tallinn", "Riga", "Vilnius", "Sofia", "Lyon", "Basel",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, times in milliseconds."""

    cache: str
    entries: int
    what: str
    p50: float
    p99: float
    served: str


def questions(count: int) -> list[tuple[str, str]]:
    """Return (stored wording, other wording) pairs."""
    combinations = list(itertools.product(VERBS, NOUNS, PLACES))
    random.Random(1).shuffle(combinations)
    if count > len(combinations):
        raise SystemExit(f"--entries goes up to {len(combinations)}")
    return [(f"How do I {v} a {n} in {p}?", f"How can I {v} a {n} in {p}?") for v, n, p in combinations[:count]]


def prompt(question: str) -> str:
    """Return what LangChain would hand over."""
    return dumps([SystemMessage("You are the assistant of a bank. Answer briefly."), HumanMessage(question)])


def answer(question: str) -> list[ChatGeneration]:
    """Return an answer as a chat model gives it."""
    usage: Any = {"input_tokens": 40, "output_tokens": 200, "total_tokens": 240}
    message = AIMessage(f"{question} " + "This is how it is done. " * 30, usage_metadata=usage)
    return [ChatGeneration(message=message, generation_info={"finish_reason": "stop"})]


def timed(calls: Sequence[Callable[[], object]]) -> tuple[list[float], list[object]]:
    """Run the calls one after the other; return milliseconds and results."""
    times, results = [], []
    for call in calls:
        started = time.perf_counter()
        results.append(call())
        times.append((time.perf_counter() - started) * 1e3)
    return times, results


def row(name: str, entries: int, what: str, calls: Sequence[Callable[[], object]]) -> Row:
    """Measure one kind of call, after a few to warm up."""
    for call in calls[:5]:
        call()
    times, results = timed(calls)
    served = sum(result is not None for result in results)
    return Row(
        cache=name,
        entries=entries,
        what=what,
        p50=float(np.percentile(times, 50)),
        p99=float(np.percentile(times, 99)),
        served=f"{served}/{len(results)}" if what != "store" else "",
    )


def measure_langchain(name: str, cache: BaseCache, pairs: list[tuple[str, str]], lookups: int) -> Iterator[Row]:
    """Measure a LangChain cache."""
    stored, extra = pairs[:-lookups], pairs[-lookups:]
    for question, _ in stored:
        cache.lookup(prompt(question), LLM_STRING)
        cache.update(prompt(question), LLM_STRING, answer(question))
    asked = random.Random(2).sample(stored, lookups)

    def look(text: str) -> Callable[[], object]:
        made = prompt(text)
        return lambda: cache.lookup(made, LLM_STRING)

    def keep(text: str) -> Callable[[], object]:
        made, generations = prompt(text), answer(text)
        return lambda: cache.update(made, LLM_STRING, generations)

    yield row(name, len(stored), "exact hit", [look(question) for question, _ in asked])
    if not isinstance(cache, InMemoryCache):
        yield row(name, len(stored), "semantic hit", [look(other) for _, other in asked])
    yield row(name, len(stored), "miss", [look(f"Who painted picture {n} of the hall?") for n in range(lookups)])
    yield row(name, len(stored), "store", [keep(question) for question, _ in extra])


def measure_gptcache(folder: Path, pairs: list[tuple[str, str]], lookups: int) -> Iterator[Row]:
    """Measure GPTCache with the same embedder and threshold settings of its own."""
    from gptcache import Cache as GPTCache
    from gptcache import Config
    from gptcache.adapter.api import get, put
    from gptcache.manager import CacheBase, VectorBase, get_data_manager
    from gptcache.processor.pre import get_prompt
    from gptcache.similarity_evaluation.distance import SearchDistanceEvaluation

    embedder = bundled_embedder()
    cache = GPTCache()
    cache.init(
        pre_embedding_func=get_prompt,
        embedding_func=lambda text, **_: embedder.embed([text])[0],
        data_manager=get_data_manager(
            CacheBase("sqlite", sql_url=f"sqlite:///{folder}/gptcache.db"),
            VectorBase("faiss", dimension=embedder.dimensions, index_path=str(folder / "faiss.index")),
            max_size=1_000_000,
        ),
        similarity_evaluation=SearchDistanceEvaluation(),
        config=Config(log_time_func=None, similarity_threshold=0.8),
    )
    stored, extra = pairs[:-lookups], pairs[-lookups:]
    for question, _ in stored:
        put(question, dumps(answer(question)), cache_obj=cache)
    asked = random.Random(2).sample(stored, lookups)

    def look(text: str) -> Callable[[], object]:
        return lambda: get(text, cache_obj=cache)

    def keep(text: str) -> Callable[[], object]:
        payload = dumps(answer(text))
        return lambda: put(text, payload, cache_obj=cache)

    name = "GPTCache"
    yield row(name, len(stored), "exact hit", [look(question) for question, _ in asked])
    yield row(name, len(stored), "semantic hit", [look(other) for _, other in asked])
    yield row(name, len(stored), "miss", [look(f"Who painted picture {n} of the hall?") for n in range(lookups)])
    yield row(name, len(stored), "store", [keep(question) for question, _ in extra])


def measure_ours(pairs: list[tuple[str, str]], lookups: int) -> Iterator[Row]:
    """Measure the floor and our cache."""
    yield from measure_langchain("InMemoryCache (floor)", InMemoryCache(), pairs, lookups)
    with tempfile.TemporaryDirectory() as folder, SemanticCache(Path(folder) / "costkit.db") as cache:
        yield from measure_langchain("lc_costkit SemanticCache", cache, pairs, lookups)


def show(rows: Iterator[Row]) -> None:
    """Print rows as they come."""
    for each in rows:
        print(
            f"{each.cache:<26} {each.entries:>7,}  {each.what:<13} {each.p50:>8.3f} {each.p99:>8.3f}  {each.served}",
            flush=True,
        )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--lookups", type=int, default=500)
    parser.add_argument("--data", help="accepted like in the other benchmarks; not needed here")
    parser.add_argument("--only-gptcache", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_gptcache:
        with tempfile.TemporaryDirectory() as folder:
            show(measure_gptcache(Path(folder), questions(options.entries[0] + options.lookups), options.lookups))
        os._exit(0)  # its exit handler would write to the folder that is gone
    rival = importlib.util.find_spec("gptcache") is not None
    print(f"{'cache':<26} {'entries':>7}  {'call':<13} {'p50 ms':>8} {'p99 ms':>8}  served", flush=True)
    for entries in options.entries:
        show(measure_ours(questions(entries + options.lookups), options.lookups))
        if rival:
            again = [sys.executable, __file__, "--only-gptcache", "--lookups", str(options.lookups)]
            subprocess.run([*again, "--entries", str(entries)], check=False)
    if not rival:
        print("GPTCache is not installed: pip install gptcache cachetools")
    print("1-minute load of the machine at the end:", round(os.getloadavg()[0], 1), "on", os.cpu_count(), "cores")


if __name__ == "__main__":
    main()
