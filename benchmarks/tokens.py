"""How far off is a token count without a vocabulary?

    python benchmarks/tokens.py --data DIR

Compares the approximation by script with the real o200k_base count, beside the common
"four characters are a token" and the bytes that a router's memory goes by, on questions, passages,
JSON and code; then the estimate of whole prompts by which ``Cheapest`` and ``sticky`` decide, on the
same texts joined to prompts of 8,000 characters and more.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy
from _data import data_dir, missing

from lc_costkit.routing.prompt_tokens import tokens_of
from lc_costkit.routing.text_size import quick_tokens
from lc_costkit.tokens import TokenCounter, approximate_tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of the measurement data")
    folder = data_dir(parser.parse_args().data)
    if folder is None:
        print(missing("cache, pruning"))
        return
    counter = TokenCounter("gpt-4o")
    if not counter.exact:
        print("skipped: no local o200k_base vocabulary to compare with")
        return
    print(
        f"{'texts':18} {'number':>7} {'median':>8} {'p95':>8} {'together':>9} {'characters / 4':>15} {'bytes / 4':>10}"
    )
    texts = {name: [text for text in own if text.strip()] for name, own in corpora(folder).items()}
    for name, own in texts.items():
        report(name, own, counter)
    header = "".join(f"{name:>9}" for name in ("lowest", "5 %", "median", "95 %", "highest"))
    print(f"\n{'prompts':18} {'number':>7} {'characters':>11}{header}")
    errors = [error for name, own in texts.items() for error in report_prompts(name, own, counter)]
    print(f"{'all':18} {len(errors):7} {'':11} {quantiles(errors)}")
    speed(counter)


def report(name: str, texts: list[str], counter: TokenCounter) -> None:
    true = [counter.count(text) for text in texts]
    errors = [abs(approximate_tokens(text) / count - 1) for text, count in zip(texts, true, strict=True)]
    together = sum(map(approximate_tokens, texts)) / sum(true) - 1
    rule = sum(map(len, texts)) / 4 / sum(true) - 1
    quick = sum(map(quick_tokens, texts)) / sum(true) - 1
    p95 = statistics.quantiles(errors, n=20)[18]
    shown = f"{name:18} {len(texts):7} {statistics.median(errors):8.1%} {p95:8.1%} {together:+9.1%}"
    print(f"{shown} {rule:+15.1%} {quick:+10.1%}", flush=True)


def report_prompts(name: str, texts: list[str], counter: TokenCounter) -> list[float]:
    """Print and return how far off the estimates of joined texts are."""
    prompts = [""]
    for text in texts:
        if len(prompts[-1]) >= 8_000:
            prompts.append("")
        prompts[-1] += f"{text}\n"
    prompts = prompts[:150]
    errors = [tokens_of(prompt) / counter.count(prompt) - 1 for prompt in prompts]
    print(f"{name:18} {len(prompts):7} {statistics.median(map(len, prompts)):11,.0f} {quantiles(errors)}", flush=True)
    return errors


def quantiles(errors: list[float]) -> str:
    return " ".join(f"{one:+8.1%}" for one in numpy.quantile(errors, (0, 0.05, 0.5, 0.95, 1)))


def corpora(folder: Path) -> dict[str, list[str]]:
    texts = {
        "English questions": [row["text"] for row in rows(folder / "cache/banking77_train.jsonl.gz")][:3000],
        "Korean questions": [row["a"] for row in rows(folder / "cache/ko_pairs.jsonl.gz")][:3000],
        "English documents": [
            doc["text"] for row in rows(folder / "pruning/nq_20docs.jsonl.gz")[:60] for doc in row["docs"]
        ],
        "JSON": [json.dumps(row["payload"], indent=1) for row in rows(folder / "pricing/google_payloads.jsonl.gz")],
        "Python": [path.read_text()[:4000] for path in sorted(Path(numpy.__file__).parent.rglob("*.py"))[:100]],
    }
    for code, language in (("en", "English"), ("de", "German"), ("zh", "Chinese")):
        documents = [doc for row in rows(folder / f"pruning/xquad10_{code}_300.jsonl.gz") for doc in row["docs"]]
        texts[f"{language} passages"] = sorted({doc["text"] if isinstance(doc, dict) else doc for doc in documents})
    return texts


def rows(file: Path) -> list[dict[str, Any]]:
    with gzip.open(file, "rt") as lines:
        return [json.loads(line) for line in lines]


def speed(counter: TokenCounter) -> None:
    text = "How do I reset the PIN of my card? " * 30
    for name, count in (("vocabulary", counter.count), ("approximation", approximate_tokens), ("prompt", tokens_of)):
        for many in (text, text * 16):
            begin = time.perf_counter()
            for _ in range(100):
                count(many)
            print(f"{name}: {(time.perf_counter() - begin) / 100 * 1e6:.0f} us for {len(many)} characters")


if __name__ == "__main__":
    main()
