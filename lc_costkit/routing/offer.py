"""Which of several targets' offers is taken, and what is said about it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from lc_costkit.report import usd_text
from lc_costkit.routing.policy import RouteDecision


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a target's answers are expected to be.

    Attributes:
        value: what is expected, 0 to 1; ``None`` if it is not known.
        sure: what can be relied on, 0 to 1.
        words: both, with their source.
    """

    value: float | None = None
    sure: float | None = None
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a call of a target is expected to be.

    Attributes:
        name: of the target.
        cost: USD; ``None`` where no price is known.
        quality: of its answer.
        able: it can do what is asked.
        against: why it is not to be called, in words; empty where nothing is against it.
        told: what the figures rest on, in words.
    """

    name: str
    cost: Decimal | None
    quality: Quality
    able: bool
    against: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def cheapest_offer(offers: Sequence[Offer]) -> RouteDecision:
    """Take the offer of least cost that nothing is against.

    Where there is none, the last (the strong target's); the last one that can do it if that cannot and another can.

    Args:
        offers: at least one, in the order of the targets.
    """
    fitting = [(one.cost, place) for place, one in enumerate(offers) if not one.against and one.cost is not None]
    able = [one for one in offers if one.able]
    if fitting:
        chosen, why = offers[min(fitting)[1]], f"the least expected cost of {len(fitting)} that fit"
    elif offers[-1].able or not able:
        chosen, why = offers[-1], "no target fits"
    else:
        chosen, why = able[-1], f"no target fits, and {offers[-1].name} cannot do it"
    price = "at an unknown price" if chosen.cost is None else f"{usd_text(chosen.cost)} USD"
    reasons = [f"{chosen.name}: {why}, {price}", *(f"{chosen.name}: {one}" for one in chosen.told)]
    for one in offers:
        if one.against:
            reasons.append(f"{one.name} {'; '.join(one.against)}")
        elif one is not chosen and one.cost is not None:
            reasons.append(f"{one.name} would cost {usd_text(one.cost)} USD")
    return RouteDecision(
        target=chosen.name,
        reasons=tuple(reasons),
        expected_cost=chosen.cost,
        expected_quality={one.name: one.quality.value for one in offers if one.quality.value is not None},
        unfit=tuple(one.name for one in offers if one.against),
    )
