"""Which lines are paid by the month, and what do they come to in the period of a report?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, delete, insert, select

from lc_costkit.amounts import spans_overlap
from lc_costkit.cost import exact_sum
from lc_costkit.errors import ConfigurationError
from lc_costkit.fixed import FixedCost
from lc_costkit.rows import FIXED_COSTS


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedLine:
    """What one fixed line comes to in a period.

    Attributes:
        name: what it is.
        usd: its share of the period (USD).
    """

    name: str
    usd: Decimal


Period = tuple[datetime, datetime]
"""From the first moment to before the second."""


def lines_between(costs: Iterable[FixedCost], period: Period) -> tuple[FixedLine, ...]:
    """Return what each name comes to in a period, in the order given; lines of one name are one.

    A name that costs nothing in it, because it was not paid then, is left out.
    """
    start, end = period
    shares: dict[str, list[Decimal]] = {}
    for cost in costs:
        usd = cost.usd_between(start, end)
        if usd:
            shares.setdefault(cost.name, []).append(usd)
    return tuple(FixedLine(name=name, usd=exact_sum(parts)) for name, parts in shares.items())


def put_line(connection: Connection, cost: FixedCost) -> None:
    """Write a line; one of the same name and first day is replaced.

    Raises:
        ConfigurationError: another line of this name is paid on the same days.
    """
    same = FIXED_COSTS.c.name == cost.name
    others = [FixedCost.from_dict(dict(row)) for row in connection.execute(select(FIXED_COSTS).where(same)).mappings()]
    for other in others:
        if other.since != cost.since and spans_overlap((other.since, other.until), (cost.since, cost.until)):
            end = "has no end" if other.until is None else f"ends before {other.until}"
            raise ConfigurationError(
                f"a fixed cost {cost.name!r} since {other.since} {end} and would be paid twice; set it again with "
                f"until={cost.since} first, or give this one another name"
            )
    data = cost.to_dict()
    connection.execute(delete(FIXED_COSTS).where(same, FIXED_COSTS.c.since == data["since"]))
    connection.execute(insert(FIXED_COSTS).values(data))
