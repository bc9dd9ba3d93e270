"""Are the prices right? Hand-priced cases and real usage payloads, beside what others say.

    python benchmarks/pricing.py --data DIR

Prints every case with what genai-prices alone, litellm and LangChain's ``get_openai_callback`` make of the same
call (the latter two if installed), why each of them differs, the same for the recorded payloads, how the whole
price list compares, and what one price takes.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _data import data_dir, missing
from _price_differences import explain
from _price_list import sweep
from _price_rivals import Rival, rivals
from genai_prices import Usage, calc_price

from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.readers import read_langchain, read_usage
from lc_costkit.usage import UsageReading

_PACKAGES = {"get_openai_callback": "langchain-community"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of the measurement data")
    folder = data_dir(parser.parse_args().data)
    if folder is None or not (folder / "pricing" / "priced_cases.json").exists():
        print(missing("pricing/priced_cases.json"))
        return
    book, others = PriceBook(), rivals()
    print("versions:", ", ".join(f"{name} {version(_PACKAGES.get(name, name))}" for name in others))
    hand_priced(folder / "pricing", book, others)
    recorded(folder / "pricing", book, others)
    sweep(book)
    speed(book)


def hand_priced(folder: Path, book: PriceBook, others: dict[str, Rival]) -> None:
    """Price the cases whose price was worked out by hand."""
    print(
        f"\n{'case':18} {'form':9} {'expected':>10} {'lc_costkit':>12} {'basis':10}",
        *(f"{name:>19}" for name in others),
    )
    verdicts: Counter[str] = Counter()
    right: Counter[str] = Counter()
    why: list[str] = []
    for case in json.loads((folder / "priced_cases.json").read_text()):
        expected = None if case["expected_total_usd"] is None else Decimal(case["expected_total_usd"])
        at = datetime.fromisoformat(case["at"]).replace(tzinfo=UTC)
        for form, reading in readings(case):
            cost = book.price(reading, at=at)
            verdicts[judge(cost, expected)] += 1
            theirs = {name: price(reading, at) for name, price in others.items()}
            cells = [f"{amount!s:.19}" for amount in theirs.values()]
            print(
                f"{case['id']:18} {form:9} {expected!s:>10} {cost.usd!s:>12} {cost.basis:10}",
                *(f"{cell:>19}" for cell in cells),
            )
            for reason in cost.reasons:
                print(f"{'':18}   {reason}")
            for name, amount in theirs.items():
                reason = explain(book, reading, at, expected, amount)
                right[name] += reason is None
                why += [] if reason is None else [f"{case['id']} ({form}), {name}: {reason}"]
    total = verdicts.total()
    print(
        f"\nlc_costkit: {verdicts['exact']} of {total} equal to the last digit, {verdicts['inside']} estimated with "
        f"the true value inside the bounds, {verdicts['WRONG']} wrong"
    )
    for name, count in right.items():
        print(f"{name}: {count} of {total}")
    print("\nwhy the others differ:", *(why or ["they do not"]), sep="\n  ")


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


def recorded(folder: Path, book: PriceBook, others: dict[str, Rival]) -> None:
    """Price the recorded payloads, compare with what genai-prices recorded for them, and with what others say now."""
    print(
        f"\n{'payloads':32} {'number':>6} {'equal':>6} {'exact':>6} {'differ':>6}", *(f"{name:>20}" for name in others)
    )
    differences: list[str] = []
    why: dict[str, Counter[str]] = {name: Counter() for name in others}
    for file in sorted(folder.glob("*_payloads.jsonl.gz")):
        with gzip.open(file, "rt") as lines:
            rows = [json.loads(line) for line in lines]
        equal = exact = 0
        right: Counter[str] = Counter()
        for row in rows:
            alone, at = row["genai_prices_0_2_3"], datetime.fromisoformat(row["genai_prices_0_2_3"]["at"])
            reading = read_usage(row["payload"], row["provider"])
            cost = book.price(reading, at=at) if reading is not None else None
            equal += cost is not None and cost.usd == Decimal(alone["total_usd"])
            exact += cost is not None and cost.basis == "exact"
            if cost is None or cost.usd != Decimal(alone["total_usd"]):
                differences.append(difference(row, reading, cost, book, at))
            if reading is not None and cost is not None:
                for name, price in others.items():
                    reason = explain(book, reading, at, cost.usd, price(reading, at))
                    right[name] += reason is None
                    why[name][reason or "equal"] += 1
        cells = (f"{right[name]:20}" for name in others)
        print(f"{file.name:32} {len(rows):6} {equal:6} {exact:6} {len(rows) - equal:6}", *cells)
    print("\nwhere the kit differs from what genai-prices recorded:", *(differences or ["nowhere"]), sep="\n  ")
    print("\nwhy others differ from the kit, by payloads:")
    for name, counts in why.items():
        print(f"  {name}")
        for reason, count in counts.most_common():
            print(f"    {count:4} {reason}")


def difference(
    row: dict[str, Any], reading: UsageReading | None, cost: Cost | None, book: PriceBook, at: datetime
) -> str:
    recorded_usd = Decimal(row["genai_prices_0_2_3"]["total_usd"])
    if reading is None or cost is None:
        return f"{row['model']}: not read"
    iterations = row["payload"].get("usage", {}).get("iterations") or []
    reason = explain(book, reading, at, cost.usd, recorded_usd) or "equal"
    if reason.startswith(("leaves", "prices")) or len(iterations) < 2:
        return f"{row['model']}: ours {cost.usd}, genai-prices {recorded_usd} ({reason})"
    return f"{row['model']}: ours {cost.usd}, genai-prices {recorded_usd} ({len(iterations)} iterations; it sees one)"


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


if __name__ == "__main__":
    main()
