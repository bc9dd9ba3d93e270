"""What did each part of the kit save on a call, net of what saving it cost?

The sign is kept: a lookup that found nothing, or cost more than the answer, shows as
a negative saving. So ``spent + saved`` is what the call would have cost without the kit. A hit
saves all of it: where a router or a pruner stood before the cache, that is the strong target's
price for all the context, an estimate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, localcontext

from lc_costkit.cost import EXACTLY
from lc_costkit.marks import CacheMark, PruneMark, RouteMark
from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.record import Saving
from lc_costkit.usage import Basis, UsageReading


def hit_saving(answer: Cost, tokens: int, lookup_usd: Decimal, lookup_basis: Basis) -> Saving:
    """Return what a cache hit saved: the answer's cost less the lookup's."""
    if answer.usd is None:
        return Saving(part="cache", usd=None, basis="unpriced", tokens=tokens)
    # A lookup at an unknown price leaves the net amount uncertain, too.
    basis: Basis = "exact" if answer.basis == lookup_basis == "exact" else "estimated"
    return Saving(part="cache", usd=_minus(answer.usd, lookup_usd), basis=basis, tokens=tokens)


def miss_savings(mark: CacheMark, cost: Cost, tokens: int) -> list[Saving]:
    """Return what the cache's part in a call that was made is: its lookup, and in observe mode the hit it saw."""
    savings = []
    if mark.lookup_usd:
        savings.append(Saving(part="cache", usd=mark.lookup_usd.copy_negate(), basis=basis_of(mark.lookup_basis)))
    if mark.verdict == "observed_hit":
        basis: Basis = "unpriced" if cost.usd is None else "estimated"
        savings.append(Saving(part="cache", usd=cost.usd, basis=basis, tokens=tokens, hypothetical=True))
    return savings


def check_savings(cost: Cost) -> tuple[Saving, ...]:
    """Return what the cache's part in a call is that only checked one of its answers: all the call cost."""
    if cost.usd is None:
        return (Saving(part="cache", usd=None, basis="unpriced"),)
    return (Saving(part="cache", usd=cost.usd.copy_negate(), basis=cost.basis),) if cost.usd else ()


def route_saving(
    mark: RouteMark, cost: Cost, reading: UsageReading, prices: PriceBook, at: datetime | None
) -> Saving | None:
    """Return what the router saved: the same tokens at the other model's price, against what was paid.

    Always an estimate: another model would not have answered with the same tokens.
    ``None`` where the strong target answered because it was chosen.
    """
    if mark.observed:
        if mark.chosen is None or mark.chosen == mark.target:
            return None
        model, provider = mark.chosen_model, mark.chosen_provider
    else:
        model, provider = mark.baseline_model, mark.baseline_provider
        if mark.target == mark.strong or (model is not None and model == reading.model):
            return None
    if model is None:
        return Saving(part="route", usd=None, basis="unpriced", hypothetical=mark.observed)
    saving = _route_saving(cost, reading, prices, at, model=model, provider=provider, hypothetical=mark.observed)
    return None if saving.usd is not None and not saving.usd and not mark.observed else saving


def _route_saving(
    cost: Cost,
    reading: UsageReading,
    prices: PriceBook,
    at: datetime | None,
    *,
    model: str,
    provider: str | None,
    hypothetical: bool,
) -> Saving:
    other = prices.price(replace(reading, model=model, provider=provider, also=(), open_calls=()), at=at)
    usd: Decimal | None = None
    if other.usd is not None and cost.usd is not None:
        usd = _minus(cost.usd, other.usd) if hypothetical else _minus(other.usd, cost.usd)
    basis: Basis = "unpriced" if usd is None else "estimated"
    return Saving(part="route", usd=usd, basis=basis, hypothetical=hypothetical, model=model, provider=provider)


def prune_savings(
    marks: Iterable[PruneMark],
    reading: UsageReading,
    prices: PriceBook,
    at: datetime | None,
    *,
    route: RouteMark | None = None,
) -> list[Saving]:
    """Return what pruning saved: the tokens taken out, at what the model would have charged for them on top.

    Beside a router the parts must add up to the difference between all and nothing. Its saving
    is that on the tokens that were sent. So tokens that were taken out are priced at the strong
    target's rates; and where both only observed, tokens that would have been, at those of the
    target the router chose.
    """
    savings = []
    for mark in marks:
        if mark.removed_tokens <= 0:
            continue
        model, provider = reading.model, reading.provider
        if route is not None and route.observed == mark.observed and _moved(route):
            if mark.observed:
                model, provider = route.chosen_model, route.chosen_provider
            else:
                model, provider = route.baseline_model, route.baseline_provider
        saving = Saving(
            part="prune", usd=None, basis="unpriced", tokens=mark.removed_tokens, hypothetical=mark.observed
        )
        savings.append(_prune_saving(replace(saving, model=model, provider=provider), reading, prices, at))
    return savings


def _prune_saving(saving: Saving, reading: UsageReading, prices: PriceBook, at: datetime | None) -> Saving:
    if not saving.model:
        return saving
    more = prices.marginal_input(saving.model, saving.tokens, provider=saving.provider, at=at, after=reading.usage)
    return replace(saving, usd=more.usd, basis="unpriced" if more.usd is None else "estimated")


def saving_again(
    saving: Saving, cost: Cost, reading: UsageReading, prices: PriceBook, at: datetime | None
) -> Saving | None:
    """Work out a saving on a call that was made, after prices were corrected.

    Args:
        saving: as it was worked out before.
        cost: of the call, corrected.
        reading: what the call used.
        prices: the corrected prices.
        at: when it was made.

    Returns:
        ``None`` where it cannot be known: what a lookup or a stored answer cost, and savings that
        do not say which model they were priced at.
    """
    if saving.part == "cache" and saving.hypothetical:
        return replace(saving, usd=cost.usd, basis="unpriced" if cost.usd is None else "estimated")
    if saving.model is None:
        return None
    if saving.part == "prune":
        return _prune_saving(saving, reading, prices, at)
    if saving.part == "route":
        return _route_saving(
            cost,
            reading,
            prices,
            at,
            model=saving.model,
            provider=saving.provider,
            hypothetical=saving.hypothetical,
        )
    return None


def saving_kept(saving: Saving, before: Cost, cost: Cost) -> Saving:
    """Return a saving that cannot be worked out again, beside the corrected cost of the call.

    What the router's other target would have cost stays what it was: it is the sum of cost and saving.
    """
    if saving.part != "route" or saving.usd is None or before.usd is None or cost.usd is None:
        return saving
    less = _minus(before.usd, cost.usd)
    with localcontext(EXACTLY):
        return replace(saving, usd=saving.usd - less if saving.hypothetical else saving.usd + less)


def _moved(route: RouteMark) -> bool:
    """Tell whether the router's choice was another target than the strong one, as far as that is known."""
    other = route.target if route.observed else route.strong
    return None not in (route.chosen, other) and route.chosen != other


def once_only(savings: Iterable[Saving]) -> list[Saving]:
    """Leave out what else would have been saved on a call that the cache would have answered: it saves all of it."""
    return [saving for saving in savings if saving.part == "cache" or not saving.hypothetical]


def basis_of(name: str | None) -> Basis:
    """Read a basis from a mark; a missing one is exact, an unknown one estimated."""
    if name in (None, "exact"):
        return "exact"
    return "unpriced" if name == "unpriced" else "estimated"


def _minus(one: Decimal, other: Decimal) -> Decimal:
    with localcontext(EXACTLY):
        return one - other
