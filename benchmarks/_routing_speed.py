"""How long does a decision take, by the length of the prompt?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from lc_costkit.routing import Cheapest, Policy, RouteRequest, Rules, TargetModel, Turn
from lc_costkit.tokens import TokenCounter

_MODELS = {
    "weak": TargetModel("gpt-4o-mini", "openai", 128_000, 16_384, True, True, frozenset({"image"})),
    "strong": TargetModel("claude-sonnet-4-6", "anthropic", 200_000, 64_000, True, True, frozenset({"image"})),
}
_REPEATS = 200


def show_speed(prompts: Sequence[str]) -> None:
    """Print the median of one decision between two targets, the question alone and behind a long system prompt."""
    policies: dict[str, Policy] = {
        "len": lambda request: "strong" if len(request.question) > 500 else "weak",
        "Rules": Rules(),
        "Cheapest": Cheapest(min_quality=0.8, quality={"weak": 0.85, "strong": 0.95}, max_cost="0.10"),
    }
    counter = TokenCounter("gpt-4o")
    print(f"\nOne decision between two targets, p50 of {_REPEATS} questions, ms")
    for name, system in (("the question alone", ""), ("behind a system prompt", " ".join(prompts[-95:]))):
        requests = [_request(prompt, system) for prompt in prompts[:_REPEATS]]
        tokens = statistics.median(counter.count(system) + counter.count(request.question) for request in requests)
        times = ", ".join(f"{own} {_median(policy, requests):.3f}" for own, policy in policies.items())
        print(f"  {name} ({tokens:,.0f} tokens): {times}")


def _request(prompt: str, system: str) -> RouteRequest:
    turns = (Turn("human", prompt),)
    return RouteRequest(question=prompt, system=system, turns=turns, targets=("weak", "strong"), models=_MODELS)


def _median(policy: Policy, requests: Sequence[RouteRequest]) -> float:
    policy(requests[0])
    seconds = []
    for request in requests:
        started = time.perf_counter()
        policy(request)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1e3
