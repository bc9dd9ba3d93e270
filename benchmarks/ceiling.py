"""How long does it take to know the most that a call can cost, and how far above the bill is it?

    python benchmarks/ceiling.py [--data DIR]

Times ``ceiling_of`` on one thread: by the prompt's bytes, which every call of a budget does, by its
counted tokens, which it does where the bytes do not fit, and with no rates remembered. Then, with the
data, how many times the real ``o200k_base`` count each bound is, for texts of several kinds: for a
model whose vocabulary is here, and for one whose is not (there the true count is not known either).
"""

from __future__ import annotations

import argparse
import statistics
import timeit
from collections.abc import Callable

from _data import data_dir, missing
from tokens import corpora

from lc_costkit.budget import dearest
from lc_costkit.budget.ceiling import ceiling_of
from lc_costkit.budget.claim import Claim
from lc_costkit.budget.prompt_size import counted_tokens, most_tokens
from lc_costkit.pricing import PriceBook
from lc_costkit.prompt import Prompt
from lc_costkit.tokens import TokenCounter

ENGLISH = "How do I reset the PIN of my card after three wrong tries? " * 68
KOREAN = "카드 비밀번호를 세 번 틀렸는데 어떻게 다시 설정하나요? " * 56


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of the measurement data")
    folder = data_dir(parser.parse_args().data)
    speed()
    if folder is None:
        print(missing("cache, pruning"))
        return
    counter = TokenCounter("gpt-4o")
    if not counter.exact:
        print("skipped: no local o200k_base vocabulary to compare with")
        return
    print(f"\n{'bound / o200k_base count':24} {'bytes':>8} {'counted':>8} {'hidden':>8}   (median of texts)")
    for name, texts in corpora(folder).items():
        prompts = [Prompt(turns=(("human", text),)) for text in texts if text.strip()]
        true = [counter.count(prompt.turns[0][1]) for prompt in prompts]
        bounds = (
            [most_tokens(prompt, claude=False) for prompt in prompts],
            [counted_tokens(prompt, "gpt-4o", claude=False)[0] for prompt in prompts],
            [counted_tokens(prompt, "claude-sonnet-5", claude=True)[0] for prompt in prompts],
        )
        medians = [statistics.median(one / count for one, count in zip(bound, true, strict=True)) for bound in bounds]
        print(f"{name:24} " + " ".join(f"{median:8.2f}" for median in medians), flush=True)


def speed() -> None:
    prices = PriceBook()
    print(f"{'microseconds, median of 20 runs':34} {'gpt-4o-mini':>12} {'claude-sonnet-5':>16}")
    for name, text in (("English", ENGLISH), ("Korean", KOREAN)):
        claims = [
            Claim(model=model, prompt=Prompt(turns=(("human", text),)), max_output_tokens=500)
            for model in ("gpt-4o-mini", "claude-sonnet-5")
        ]
        size = f"{len(text.encode()) / 1000:.1f} kB"
        for what, counted, runs in (("bytes", False, 500), ("counted", True, 20)):
            taken = [microseconds(lambda c=c, k=counted: ceiling_of(c, prices, counted=k), runs) for c in claims]
            print(f"{f'{name}, {size}, {what}':34} {taken[0]:12.1f} {taken[1]:16.1f}")
    taken = [microseconds(lambda c=c: unremembered(c, prices), 1) for c in claims]
    print(f"{'no rates remembered':34} {taken[0]:12.1f} {taken[1]:16.1f}", flush=True)


def unremembered(claim: Claim, prices: PriceBook) -> None:
    dearest._found.cache_clear()
    ceiling_of(claim, prices, counted=False)


def microseconds(call: Callable[[], object], runs: int) -> float:
    call()
    return statistics.median(timeit.repeat(call, number=runs, repeat=20)) / runs * 1e6


if __name__ == "__main__":
    main()
