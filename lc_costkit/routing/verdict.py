"""Does a policy pay, in one sentence?"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from lc_costkit.report import usd_text
from lc_costkit.routing.alone import Comparison, SingleTarget


def verdict_text(found: Comparison, shares: Sequence[float]) -> str:
    """Say whether routing pays; nothing where that is not known.

    Args:
        found: the policy beside each target alone.
        shares: part of the prompts that each target got, cheapest first.
    """
    for one, share in zip(found.singles, shares, strict=True):
        if share == 1.0 and one.target == found.best.target:
            return f"routing does not pay: {_all_to_one(one, found)}"
        if share == 1.0:
            return f"{_all_to_one(one, found)}; {_beside_best(found)}"
    return _beside_best(found)


def _all_to_one(one: SingleTarget, found: Comparison) -> str:
    """Say that nothing is routed, and what that gives up."""
    strong = found.singles[-1]
    text = f"everything goes to {one.target}"
    if one.target != strong.target:
        less = strong.quality - one.quality
        qualities = f"{one.quality:.3f} instead of {strong.quality:.3f}"
        text += f", which gives up {less:.3f} of the quality of {strong.target} alone ({qualities})"
        if less <= 0:
            text = f"everything goes to {one.target}, which is as good as {strong.target} ({qualities})"
    if one.target == found.best.target and found.saved_usd:
        text += f", at {_usd(-found.saved_usd)} USD a request more than {one.target} alone"
    return text


def _beside_best(found: Comparison) -> str:
    if found.pays is None:
        return ""
    name, quality = found.best.target, f"{found.best.quality:.3f}"
    alone = f"{name} alone, the cheapest target that is as good (quality {quality})"
    if not found.reached:
        alone = f"{name} alone, which is the best target and not as good (quality {quality})"
    if found.saved_usd is None or found.best.cost is None:
        return f"routing does not pay: {alone}, does"
    if not found.saved_usd:
        return f"routing does not pay: it costs as much as {alone}"
    if found.by_chance and found.random_usd is not None:
        usd, own = _usd(found.random_usd), f"{found.quality:.3f}"
        return f"routing does not pay: prompts sent at random cost no more ({usd} USD a request) for its quality, {own}"
    amount = _usd(abs(found.saved_usd))
    share = f" ({abs(found.saved_usd) / found.best.cost:.1%})" if found.best.cost else ""
    if found.pays:
        text = f"routing pays: {amount} USD{share} a request less than {alone}"
        less = found.best.quality - found.quality
        return f"{text}; it gives up {less:.3f} of that" if less >= 0.0005 else text
    return f"routing does not pay: {amount} USD{share} a request more than {alone}"


def _usd(amount: float) -> str:
    return usd_text(Decimal(str(amount)))
