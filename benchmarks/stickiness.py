"""What does it cost to move conversations between models, and where does keeping them save money?

    python benchmarks/stickiness.py [--quick]

Simulated conversations, interleaved as in an application, at list prices. For each call a script says which of two
models the policy wants; ``TargetChooser`` and ``sticky`` decide on the real request, and what is read from the prompt
cache, written or paid in full is metered by the rules of the fake provider (``lc_costkit.testing.prompt_cache``), which
``sticky`` does not know, and priced by ``PriceBook``. All costs are in percent of the strong model's alone:

- policy: each call goes where the policy wants it.
- sticky: ``sticky(policy)``; ``x5``: with ``expected_calls=5``.
- no way down: a conversation moves up, never down: what stickiness without prices comes to.
- first: a conversation stays where its first call went, whatever it needs; ``unmet`` is the share of calls that wanted
  the strong model and did not get it (0 in all other columns).
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from lc_costkit.pricing import PriceBook
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.conversations import Conversations
from lc_costkit.routing.policy import Policy, RouteRequest, Turn
from lc_costkit.routing.sticky import sticky
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.testing.prompt_cache import CACHE_RULES, Block, PromptCache, find_rule
from lc_costkit.tokens import approximate_tokens
from lc_costkit.usage import TokenUsage

WORDS = ["card", "fee", "limit", "account", "transfer", "order", "refund", "parcel", "the", "of", "was", "late"]

PAIRS = (
    ("gpt-4o-mini", "gpt-4o"),
    ("gpt-5-mini", "gpt-5"),
    ("gpt-5.6-luna", "gpt-5.6-sol"),
    ("claude-haiku-4-5", "claude-sonnet-4-6"),
    ("claude-sonnet-4-6", "claude-opus-4-8"),
    ("gpt-5-mini", "claude-opus-4-8"),
)
"""Cheap and strong; Claude's prompts are marked for caching."""


@dataclass(frozen=True)
class Shape:
    """How conversations look: words in a text (about a token each), calls, seconds between calls."""

    name: str
    system: int
    asked: int
    answered: int
    calls: int
    gap: float


SHAPES = (
    Shape("support chat", system=1_500, asked=40, answered=150, calls=6, gap=60),
    Shape("long chat", system=1_500, asked=60, answered=300, calls=30, gap=60),
    Shape("documents", system=500, asked=2_500, answered=200, calls=8, gap=90),
    Shape("agent", system=4_000, asked=800, answered=80, calls=25, gap=5),
    Shape("slow chat", system=1_500, asked=60, answered=300, calls=12, gap=600),
)

Pattern = Callable[[random.Random, int], list[bool]]

PATTERNS: dict[str, Pattern] = {
    "now and then": lambda rng, calls: [rng.random() < 0.3 for _ in range(calls)],
    "every other": lambda rng, calls: [n % 2 == 0 for n in range(calls)],
    "hard first": lambda rng, calls: [n == 0 for n in range(calls)],
    "spells of 4": lambda rng, calls: spells(rng, calls, 4),
    "hard last": lambda rng, calls: [n >= calls // 2 for n in range(calls)],
}
"""For each call, whether the policy wants the strong model."""


def spells(rng: random.Random, calls: int, mean: int) -> list[bool]:
    """Return spells of easy and hard calls, each so long on average."""
    wants = [rng.random() < 0.5]
    while len(wants) < calls:
        wants.append(wants[-1] != (rng.random() < 1 / mean))
    return wants


@dataclass(frozen=True)
class Call:
    """One call of one conversation."""

    at: float
    turns: tuple[Turn, ...]
    system: str
    answered: int
    strong: bool


@lru_cache(maxsize=100_000)
def tokens(text: str) -> int:
    return approximate_tokens(text)


def words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choices(WORDS, k=count))


def calls_of(shape: Shape, pattern: Pattern, conversations: int) -> list[Call]:
    """Return the calls of all conversations in the order of time: they begin over the course of half an hour."""
    calls = []
    system = words(random.Random(shape.name), shape.system)
    for number in range(conversations):
        rng = random.Random(f"{shape.name} {number}")
        at, turns = rng.uniform(0, 1_800), []
        for strong in pattern(rng, shape.calls):
            turns.append(Turn("human", words(rng, max(1, round(rng.expovariate(1 / shape.asked))))))
            answered = max(1, round(rng.expovariate(1 / shape.answered)))
            calls.append(Call(at, tuple(turns), system, answered, strong))
            turns.append(Turn("assistant", words(rng, answered)))
            at += rng.expovariate(1 / shape.gap)
    return sorted(calls, key=lambda call: call.at)


def bill(calls: Sequence[Call], policy: Policy, pair: tuple[str, str], prices: PriceBook) -> tuple[Decimal, float]:
    """Return what all calls cost (USD), and the share of the calls that wanted the strong model and did not get it."""
    now = 0.0
    names = dict(zip(("cheap", "strong"), pair, strict=True))
    models = {name: TargetModel(model, provider(model)) for name, model in names.items()}
    chooser = TargetChooser(["cheap", "strong"], policy=policy)
    chooser.conversations = Conversations(clock=lambda: now)
    cache, spent, unmet = PromptCache(CACHE_RULES), Decimal(0), 0
    for call in calls:
        now = call.at
        request = RouteRequest(
            question=call.turns[-1].text,
            turns=call.turns,
            system=call.system,
            metadata={"wants": "strong" if call.strong else "cheap"},
            cache_marked=any(model.startswith("claude") for model in pair),
            models=models,
        )
        target = chooser.choose(request).target
        unmet += call.strong and target == "cheap"
        usage = metered(cache, names[target], call)
        cost = prices.cost(names[target], usage, provider=models[target].provider)
        if cost.usd is None:
            raise SystemExit(f"no price is known for {names[target]}")
        spent += cost.usd
    if chooser.faults.total:
        raise SystemExit(f"the policy failed: {chooser.faults.counts}")
    return spent, unmet / len(calls)


def provider(model: str) -> str:
    return "anthropic" if model.startswith("claude") else "openai"


def metered(cache: PromptCache, model: str, call: Call) -> TokenUsage:
    claude = model.startswith("claude")
    mark = "5m" if claude else None
    blocks = [Block(kind="system", text=call.system, tokens=tokens(call.system), lifetime=mark)]
    blocks += [Block(kind=turn.role, text=turn.text, tokens=tokens(turn.text) + 4) for turn in call.turns[:-1]]
    last = call.turns[-1]
    blocks.append(Block(kind=last.role, text=last.text, tokens=tokens(last.text) + 4, lifetime=mark))
    rule = find_rule(CACHE_RULES, model)
    if rule is not None and rule.style == "breakpoints" and not claude:
        blocks[-1] = Block(kind=last.role, text=last.text, tokens=blocks[-1].tokens, lifetime="30m")
    found = cache.meter(model, blocks, now=call.at, count=tokens)
    return TokenUsage(
        input_tokens=found.uncached,
        cache_read_tokens=found.cache_read,
        cache_write_5m_tokens=found.cache_write if claude else 0,
        cache_write_tokens=0 if claude else found.cache_write,
        output_tokens=call.answered,
    )


def wanted(request: RouteRequest) -> str:
    return str(request.metadata["wants"])


def strong(request: RouteRequest) -> str:
    return "strong"


def no_way_down(request: RouteRequest) -> str:
    there = request.conversation
    return "strong" if there is not None and there.target == "strong" else wanted(request)


def first(request: RouteRequest) -> str:
    return wanted(request) if request.conversation is None else request.conversation.target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two pairs and few conversations")
    parser.add_argument("--data", help="not used: the conversations are made up")
    quick = parser.parse_args().quick
    prices = PriceBook()
    policies: dict[str, Policy] = {
        "policy": wanted,
        "sticky": sticky(wanted, prices=prices),
        "x5": sticky(wanted, prices=prices, expected_calls=5),
        "no way down": no_way_down,
        "first": first,
    }
    head = f"{'cheap, strong':36}{'conversations':14}{'strong wanted':14}" + "".join(f"{name:>12}" for name in policies)
    print(head + f"{'unmet':>8}")
    ratios, above, dear = [], 0, Counter[str]()
    for pair in PAIRS[:4:3] if quick else PAIRS:
        for shape in SHAPES:
            for name, pattern in PATTERNS.items():
                calls = calls_of(shape, pattern, 2 if quick else 10)
                whole, _ = bill(calls, strong, pair, prices)
                bills = {label: bill(calls, policy, pair, prices) for label, policy in policies.items()}
                shares = "".join(f"{spent / whole:12.0%}" for spent, _ in bills.values())
                print(f"{', '.join(pair):36}{shape.name:14}{name:14}{shares}{bills['first'][1]:8.0%}", flush=True)
                ratios.append((bills["sticky"][0] / bills["policy"][0], bills["sticky"][0] / whole))
                above += bills["policy"][0] > whole
                dear[", ".join(pair)] += bills["sticky"][0] > whole
    against = sorted(ratio for ratio, _ in ratios)
    print(f"\nsticky against the policy alone, {len(against)} rows: cheaper by 1 % or more in", end=" ")
    print(f"{sum(ratio <= Decimal('0.99') for ratio in against)}, dearer in", end=" ")
    print(f"{sum(ratio >= Decimal('1.01') for ratio in against)}; best {against[0] - 1:+.0%}, median", end=" ")
    print(f"{against[len(against) // 2] - 1:+.0%}, worst {against[-1] - 1:+.0%}")
    print(f"rows that cost more than the strong model alone: policy {above},", end=" ")
    print(f"sticky {dear.total()}, at worst {max(share for _, share in ratios) - 1:+.0%};", end=" ")
    print("; ".join(f"{count} of {pair}" for pair, count in dear.items() if count))


if __name__ == "__main__":
    main()
