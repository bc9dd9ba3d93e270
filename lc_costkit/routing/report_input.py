"""Do labels and costs go together, so that a report can be made of them?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.outcomes import LabelledPrompt, columns_of, outcome_table
from lc_costkit.routing.target_order import refuse_accidental_order


def checked_labels(
    labelled: Sequence[LabelledPrompt], targets: Sequence[str] | None, costs: Mapping[str, float] | None
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the targets, and their outcomes: a row for each prompt.

    Args:
        labelled: the outcomes.
        targets: names, cheapest first; ``None`` for the order of the outcomes, if the costs confirm it, or the
            outcomes do not speak against it.
        costs: by target, what a call costs, USD.

    Raises:
        ConfigurationError: no prompts, an outcome or a cost that is missing, fewer than two targets, others than
            ``targets``, or an order that cannot be believed.
    """
    texts, columns = columns_of(labelled)
    names = tuple(targets or columns)
    if not texts or set(names) != set(columns):
        raise ConfigurationError(f"the labels are of {sorted(columns)!r}, the targets are {list(names)!r}")
    if len(names) < 2:
        raise ConfigurationError(f"there is nothing to choose between: {list(names)!r}")
    table = outcome_table(texts, {name: columns[name] for name in names})
    if not table.complete:
        raise ConfigurationError("a report needs an outcome of every target for every prompt; some are missing")
    if targets is None and not _confirmed(names, costs):
        refuse_accidental_order(table, labelled)
    return names, table.found


def _confirmed(names: Sequence[str], costs: Mapping[str, float] | None) -> bool:
    """Tell whether costs rise in this order; raise ``ConfigurationError`` if they speak of another."""
    prices = checked_prices(names, costs)
    if prices is None:
        return False
    if (np.diff(prices) < 0).any():
        told = ", ".join(f"{name} {price:g}" for name, price in zip(names, prices, strict=True))
        raise ConfigurationError(
            f"the outcomes name the targets in the order {list(names)!r}, but costs do not rise in it: {told}. "
            "Pass targets=[cheapest, ..., strongest]; the same order again, if it is meant"
        )
    return bool(prices[0] < prices[-1])


def checked_prices(names: Sequence[str], costs: Mapping[str, float] | None) -> NDArray[np.float64] | None:
    """Return what a call of each target costs, USD.

    Raises:
        ConfigurationError: one is missing, or no amount.
    """
    if costs is None:
        return None
    missing = [name for name in names if name not in costs]
    if missing:
        raise ConfigurationError(f"costs must name every target; {missing!r} are missing")
    return np.array([_amount(f"the cost of {name!r}", costs[name]) for name in names])


def checked_overhead(overhead_usd: float, costs: object) -> float:
    """Return what deciding costs, USD a request.

    Raises:
        ConfigurationError: it is no amount, or there are no costs to add it to.
    """
    overhead = _amount("overhead_usd", overhead_usd)
    if costs is None and overhead:
        raise ConfigurationError(f"overhead_usd={overhead_usd!r} says nothing without costs=; give those, too")
    return overhead


def _amount(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)) or not 0 <= value < math.inf:
        raise ConfigurationError(f"{name} must be an amount in USD, at least 0; not {value!r}")
    return float(value)
