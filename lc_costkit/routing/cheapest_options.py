"""What may be asked of ``Cheapest``?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from lc_costkit.amounts import usd_limit
from lc_costkit.errors import ConfigurationError
from lc_costkit.pricing import PriceBook
from lc_costkit.routing.learned import Learned
from lc_costkit.routing.target_model import TargetModel


def share(name: str, value: object) -> float:
    """Return a share.

    Raises:
        ConfigurationError: it does not lie between 0 and 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise ConfigurationError(f"{name} lies between 0 and 1; got {value!r}")
    return float(value)


def positive(name: str, value: object, unit: str) -> float:
    """Return a number above 0.

    Raises:
        ConfigurationError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < math.inf:
        raise ConfigurationError(f"{name} must be a number of {unit} above 0, not {value!r}")
    return value


def limit_usd(value: Decimal | str | float) -> Decimal:
    """Return the most that a call may cost (USD); a float is taken as it is written.

    Raises:
        ConfigurationError: it is not an amount above 0.

    >>> limit_usd(0.1), limit_usd("0.002")
    (Decimal('0.1'), Decimal('0.002'))
    """
    amount = usd_limit("max_cost", value)
    if not amount:
        raise ConfigurationError("max_cost must be above 0 USD; leave it out for no limit")
    return amount


def by_target(name: str, value: Any, unit: str) -> Any:
    """Return one number above 0, or one by target name; ``None`` for none.

    Raises:
        ConfigurationError: a number is not above 0.
    """
    if isinstance(value, Mapping):
        return {target: positive(f"{name}[{target!r}]", one, unit) for target, one in value.items()}
    return None if value is None else positive(name, value, unit)


def checked_quality(quality: Learned | Mapping[str, float] | None) -> Learned | Mapping[str, float] | None:
    """Return what tells how good targets are.

    Raises:
        ConfigurationError: it is neither a ``Learned`` nor a table of qualities between 0 and 1.
    """
    if isinstance(quality, Mapping):
        if not quality:
            raise ConfigurationError("quality is an empty table; name the targets in it, or leave it out")
        return {name: share(f"quality[{name!r}]", value) for name, value in quality.items()}
    if quality is not None and not isinstance(quality, Learned):
        raise ConfigurationError(
            f"quality must be a Learned or a table like {{'small': 0.8, 'large': 0.95}}, not {quality!r}"
        )
    return quality


def checked_prices(prices: PriceBook | None) -> PriceBook:
    """Return what calls are priced with.

    Raises:
        ConfigurationError: it is no ``PriceBook``.
    """
    if prices is not None and not isinstance(prices, PriceBook):
        raise ConfigurationError(f"prices must be a PriceBook, not {prices!r}")
    return PriceBook() if prices is None else prices


def checked_models(models: Mapping[str, TargetModel]) -> dict[str, TargetModel]:
    """Return which models targets are.

    Raises:
        ConfigurationError: a value is no ``TargetModel``.
    """
    for name, model in models.items():
        if not isinstance(model, TargetModel):
            raise ConfigurationError(
                f"models[{name!r}] must be a TargetModel, not {model!r}; write TargetModel(model=..., provider=...)"
            )
    return dict(models)


def checked_recent(recent: timedelta) -> timedelta:
    """Return how much of a ledger is read.

    Raises:
        ConfigurationError: it is no time above 0.
    """
    if not isinstance(recent, timedelta) or recent <= timedelta(0):
        raise ConfigurationError(f"recent must be a timedelta above 0, such as timedelta(days=30), not {recent!r}")
    return recent


def checked_filters(only: Mapping[str, str]) -> dict[str, str]:
    """Return which calls of a ledger are read.

    Raises:
        ConfigurationError: it is no mapping, or bounds a time.
    """
    if not isinstance(only, Mapping) or {"since", "until"} & set(only):
        raise ConfigurationError(
            f"only must be filters like {{'feature': 'support'}}, not {only!r}; recent= says how much is read"
        )
    return dict(only)
