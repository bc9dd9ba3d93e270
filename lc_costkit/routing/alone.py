"""Is a mix of targets cheaper than the best single one?

The comparison that counts is not with the dearest target but with the cheapest one that is as good alone as the mix:
if a cheap target is good enough, nothing has to be routed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CLOSE = 1e-12
_NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleTarget:
    """One target answering every prompt.

    Attributes:
        target: its name.
        quality: mean outcome, 0 to 1.
        cost: mean cost of a call, USD; ``None`` if that is not known.
    """

    target: str
    quality: float
    cost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A mix of targets beside each of them alone.

    Attributes:
        singles: each target alone, cheapest first as they were named.
        best: the cheapest that is at least as good alone as the mix; where none is, the best one.
        reached: one is.
        saved_usd: what the mix costs less than the best one, USD a request; below 0 where it costs more, ``None``
            without costs.
        pays: it costs less, and less than sending prompts at random does; ``None`` without costs, unless the best one
            is the cheapest target there is.
        random_usd: what sending prompts to two targets at random would cost for the same mean quality, USD a request:
            a policy that knows nothing does as well. ``None`` without costs, or where no target is as good.
        near: a cheaper one whose quality is below the mix's, but by no more than chance allows; ``None`` if
            there is none.
        near_less: how much lower the quality of ``near`` is, and the ends of the 95 % interval of that.
        quality: mean outcome of the mix.
        by_chance: it costs less than the best one, but no less than sending prompts at random does.
    """

    singles: tuple[SingleTarget, ...]
    best: SingleTarget
    reached: bool
    saved_usd: float | None
    pays: bool | None
    random_usd: float | None = None
    near: SingleTarget | None = None
    near_less: tuple[float, float, float] = (0.0, 0.0, 0.0)
    quality: float = 0.0
    by_chance: bool = False


def compare(
    targets: Sequence[str],
    found: NDArray[np.float64],
    mixed: NDArray[np.float64],
    *,
    prices: NDArray[np.float64] | None,
    mixed_usd: float | None,
) -> Comparison:
    """Compare a mix with each target alone.

    Args:
        targets: names, cheapest first.
        found: outcomes, a row for each prompt and a column for each target.
        mixed: outcomes of the mix.
        prices: mean cost of a call of each target, USD.
        mixed_usd: mean cost of a request of the mix, with what deciding costs, USD.
    """
    singles = tuple(
        SingleTarget(
            target=name, quality=float(found[:, place].mean()), cost=None if prices is None else float(prices[place])
        )
        for place, name in enumerate(targets)
    )
    quality = float(mixed.mean())
    # Without costs they are in the order of their costs.
    cheapest_first = sorted(singles, key=lambda one: 0.0 if one.cost is None else one.cost)
    enough = [one for one in cheapest_first if one.quality >= quality - _CLOSE]
    best = enough[0] if enough else max(cheapest_first, key=lambda one: one.quality)
    if best.cost is None or mixed_usd is None:
        saved = None
        pays = False if enough and best is cheapest_first[0] else None
    else:
        saved = best.cost - mixed_usd
        # Shares of one price need not add up to it.
        saved = 0.0 if math.isclose(best.cost, mixed_usd, rel_tol=_CLOSE) else saved
        pays = saved > 0
    at_random = _at_random(singles, quality)
    by_chance = bool(pays and at_random is not None and mixed_usd is not None and mixed_usd >= at_random * (1 - 1e-9))
    pays = False if by_chance else pays
    near, less = None, (0.0, 0.0, 0.0)
    for one in cheapest_first if pays else ():
        less = _difference(mixed - found[:, targets.index(one.target)])
        if one.cost is not None and mixed_usd is not None and one.cost < mixed_usd and less[1] <= 0 < less[0]:
            near = one
            break
    return Comparison(
        singles=singles,
        best=best,
        reached=bool(enough),
        saved_usd=saved,
        pays=pays,
        random_usd=at_random,
        near=near,
        near_less=less if near is not None else (0.0, 0.0, 0.0),
        quality=quality,
        by_chance=by_chance,
    )


def _at_random(singles: Sequence[SingleTarget], quality: float) -> float | None:
    """Return the least mean cost of a mix of two targets at random with so high a mean quality."""
    points = [(one.quality, one.cost) for one in singles if one.cost is not None]
    costs = [cost for own, cost in points if own >= quality - _CLOSE]
    for low, low_cost in points:
        for high, high_cost in points:
            if low < quality < high:
                costs.append(low_cost + (quality - low) / (high - low) * (high_cost - low_cost))
    return min(costs, default=None)


def _difference(paired: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return a mean and its 95 % interval (normal, of paired outcomes)."""
    mean = float(paired.mean())
    spread = float(paired.std(ddof=1)) if len(paired) > 1 else math.inf
    wide = _NORMAL_95 * spread / math.sqrt(len(paired))
    return mean, mean - wide, mean + wide
