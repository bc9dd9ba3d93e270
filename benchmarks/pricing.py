"""Are the prices right? Hand-priced cases and real usage payloads, beside genai-prices alone.

    python benchmarks/pricing.py --data DIR

Prints every case, every payload on which the kit and genai-prices disagree with the reason,
and what one price takes. litellm and langchain-community join the table if installed.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from _data import data_dir, missing
from genai_prices import Usage, calc_price

from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.readers import read_langchain, read_usage
from lc_costkit.usage import UsageReading


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of the measurement data")
    folder = data_dir(parser.parse_args().data)
    if folder is None or not (folder / "pricing" / "priced_cases.json").exists():
        print(missing("pricing/priced_cases.json"))
        return
    book = PriceBook()
    hand_priced(folder / "pricing", book)
    recorded(folder / "pricing", book)
    speed(book)


def hand_priced(folder: Path, book: PriceBook) -> None:
    """Price the cases whose price was worked out by hand."""
    rivals = optional_rivals()
    print(f"\n{'case':18} {'form':9} {'expected':>10} {'lc_costkit':>12} {'basis':10} {'genai-prices':>14}", *rivals)
    exact = inside = wrong = 0
    for case in json.loads((folder / "priced_cases.json").read_text()):
        expected = None if case["expected_total_usd"] is None else Decimal(case["expected_total_usd"])
        at = datetime.fromisoformat(case["at"]).replace(tzinfo=UTC)
        for form, reading in readings(case):
            cost = book.price(reading, at=at)
            verdict = judge(cost, expected)
            exact += verdict == "exact"
            inside += verdict == "inside"
            wrong += verdict == "WRONG"
            alone = str(case.get("genai_prices_0_2_3", "-"))[:14]
            others = [str(price(case, reading))[:12] for price in rivals.values()]
            print(f"{case['id']:18} {form:9} {expected!s:>10} {cost.usd!s:>12} {cost.basis:10} {alone:>14}", *others)
            for reason in cost.reasons:
                print(f"{'':18}   {reason}")
    print(f"{exact} equal to the last digit, {inside} estimated with the true value inside the bounds, {wrong} wrong")


def readings(case: dict[str, Any]) -> Iterator[tuple[str, UsageReading]]:
    """Read a case in every form it has: the provider's payload and LangChain's view of it."""
    context = case["context"]
    if case["raw_usage"] is not None:
        payload = {"model": case["model"], "usage": case["raw_usage"] | context}
        reading = read_usage(payload | context, case["provider"])
        if reading is not None:
            # Nothing in an answer says that it came from OpenAI's batch API; who asked knows.
            yield "raw", replace(reading, processing=context.get("processing", reading.processing))
    if case["langchain_usage_metadata"] is not None:
        response = {"model_name": case["model"], "model_provider": case["provider"]} | context
        lc_reading = read_langchain(case["langchain_usage_metadata"], response)
        if lc_reading is not None:
            yield "langchain", lc_reading


def judge(cost: Cost, expected: Decimal | None) -> str:
    if cost.usd == expected:
        return "exact"
    bounded = expected is not None and cost.low is not None and cost.high is not None
    return "inside" if bounded and cost.low <= expected <= cost.high else "WRONG"  # type: ignore[operator]


def recorded(folder: Path, book: PriceBook) -> None:
    """Price the recorded payloads and list every difference from genai-prices."""
    print(f"\n{'payloads':28} {'number':>6} {'equal':>6} {'exact':>6} {'differ':>6}")
    differences: list[str] = []
    for file in sorted(folder.glob("*_payloads.jsonl.gz")):
        with gzip.open(file, "rt") as lines:
            rows = [json.loads(line) for line in lines]
        equal = exact = 0
        for row in rows:
            alone = row["genai_prices_0_2_3"]
            reading = read_usage(row["payload"], row["provider"])
            cost = book.price(reading, at=datetime.fromisoformat(alone["at"])) if reading is not None else None
            equal += cost is not None and cost.usd == Decimal(alone["total_usd"])
            exact += cost is not None and cost.basis == "exact"
            if cost is None or cost.usd != Decimal(alone["total_usd"]):
                differences.append(difference(row, cost))
        print(f"{file.name:28} {len(rows):6} {equal:6} {exact:6} {len(rows) - equal:6}")
    print("differences:", *(differences or ["none"]), sep="\n  ")


def difference(row: dict[str, Any], cost: Cost | None) -> str:
    iterations = row["payload"].get("usage", {}).get("iterations") or []
    why = "not read"
    if cost is not None:
        why = (
            f"{len(iterations)} billed iterations, of which genai-prices sees the last" if iterations else "UNEXPLAINED"
        )
    usd = None if cost is None else cost.usd
    return f"{row['model']}: ours {usd}, genai-prices {row['genai_prices_0_2_3']['total_usd']} ({why})"


def speed(book: PriceBook) -> None:
    """Time one price, and one reading and price, beside genai-prices for the same call."""
    body = {
        "model": "gpt-4o-mini-2024-07-18",
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 512}},
    }
    reading = read_usage(body, "openai")
    assert reading is not None
    usage = Usage(input_tokens=1000, cache_read_tokens=512, output_tokens=100)
    print(f"\n{'microseconds a call':44} {'p50':>8} {'p99':>8}")
    timed("lc_costkit, price", lambda: book.price(reading))
    timed("lc_costkit, read and price", lambda: book.price(read_usage(body, "openai") or reading))
    timed("genai-prices, price", lambda: calc_price(usage, "gpt-4o-mini-2024-07-18", provider_id="openai"))


def timed(label: str, call: Callable[[], object], repeats: int = 3000) -> None:
    for _ in range(100):
        call()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - begin) / 1000)
    print(f"{label:44} {statistics.median(times):8.1f} {statistics.quantiles(times, n=100)[98]:8.1f}")


def optional_rivals() -> dict[str, Callable[[dict[str, Any], UsageReading], object]]:
    """Return the rivals that are installed."""
    rivals: dict[str, Callable[[dict[str, Any], UsageReading], object]] = {}
    try:
        litellm = importlib.import_module("litellm")
    except ImportError:
        print("litellm is not installed; its column is left out")
    else:
        rivals["litellm"] = lambda case, reading: _litellm(litellm, reading)
    try:
        community = importlib.import_module("langchain_community.callbacks.openai_info")
    except ImportError:
        print("langchain-community is not installed; its column is left out")
    else:
        rivals["get_openai_callback"] = lambda case, reading: _community(community, reading)
    return rivals


def _litellm(litellm: Any, reading: UsageReading) -> object:
    usage = reading.usage
    written = usage.cache_write_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    try:
        return sum(
            litellm.cost_per_token(
                model=reading.model,
                prompt_tokens=usage.total_input,
                completion_tokens=usage.total_output,
                cache_read_input_tokens=usage.cache_read_tokens,
                cache_creation_input_tokens=written,
                custom_llm_provider=reading.provider,
            )
        )
    except Exception as error:  # a rival's failure is its result here
        return type(error).__name__


def _community(community: Any, reading: UsageReading) -> object:
    try:
        return sum(
            community.get_openai_token_cost_for_model(
                community.standardize_model_name(reading.model), count, token_type=t
            )
            for count, t in (
                (reading.usage.total_input, community.TokenType.PROMPT),
                (reading.usage.total_output, community.TokenType.COMPLETION),
            )
        )
    except Exception as error:  # a rival's failure is its result here
        return type(error).__name__


if __name__ == "__main__":
    main()
