"""What did each part of the kit save on a call, net of what saving it cost?

The sign is kept: a lookup that found nothing, or cost more than the answer, shows as
a negative saving. So ``spent + saved`` is what the call would have cost without the kit. A hit
saves all of it: where a router or a pruner stood before the cache, that is the strong target's
price for all the context, an estimate.

Beside a router or a cascade, "without the kit" means that the strong target answers each request once.
So a call that a decision took, and one of another target that failed, are lost; and where an answer
was thrown away, the call that replaces it takes back what had been counted for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, localcontext

from lc_costkit.cost import EXACTLY, exact_sum
from lc_costkit.drafts import Counted
from lc_costkit.marks import CacheMark, PruneMark, RouteMark
from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.record import Saving
from lc_costkit.usage import Basis, UsageReading
from lc_costkit.warmth import cached_elsewhere, with_cached, without_input

ROUTED = ("route", "cascade")
"""Parts that send a request to one of several targets."""


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
    ``None`` where the strong target answered because it was chosen. Where the provider of the other model caches
    prompts, it is taken to have read from its cache what the conversation had sent before (see ``warmth``).
    """
    if mark.observed:
        if mark.chosen is None or mark.chosen == mark.target:
            return None
        model, provider = mark.chosen_model, mark.chosen_provider
    else:
        model, provider = mark.baseline_model, mark.baseline_provider
        if is_strong(mark) or (model is not None and model == reading.model):
            # What it would have cost without the kit differs by its prompt cache, and a draft it was shown, only.
            model, provider = reading.model, reading.provider
            if not mark.shown_tokens and not cached_elsewhere(mark, reading.usage, model=model):
                return None
    if model is None:
        return Saving(part=mark.part, usd=None, basis="unpriced", hypothetical=mark.observed)
    cached = cached_elsewhere(mark, reading.usage, model=model)
    shown = mark.shown_tokens
    usd = _difference(
        cost, reading, prices, at, model=model, provider=provider, cached_tokens=cached, shown_tokens=shown
    )
    if usd is not None and not usd and not reading.usage.total:
        return None
    if mark.observed and usd is not None:
        usd = usd.copy_negate()
    return Saving(
        part=mark.part,
        usd=usd,
        basis="unpriced" if usd is None else "estimated",
        tokens=-shown,
        hypothetical=mark.observed,
        model=model,
        provider=provider,
        cached_tokens=cached,
    )


def _difference(
    cost: Cost,
    reading: UsageReading,
    prices: PriceBook,
    at: datetime | None,
    *,
    model: str,
    provider: str | None,
    cached_tokens: int,
    shown_tokens: int,
) -> Decimal | None:
    """Return what a call would have cost more with another model, and without a draft that was shown to it (USD)."""
    other = reading
    if (model, provider) != (reading.model, reading.provider):
        other = replace(reading, model=model, provider=provider, also=(), open_calls=())
    if cached_tokens:
        other = replace(other, usage=with_cached(other.usage, cached_tokens))
    if shown_tokens:
        other = replace(other, usage=without_input(other.usage, shown_tokens))
    there = prices.price(other, at=at)
    return None if there.usd is None or cost.usd is None else _minus(there.usd, cost.usd)


def lost_saving(part: str, cost: Cost) -> tuple[Saving, ...]:
    """Return what a part of the kit saved on a call of which nobody was given the answer: less than nothing."""
    if cost.usd is None:
        return (Saving(part=part, usd=None, basis="unpriced", lost=True),)
    if not cost.usd and cost.price is None:
        return ()  # the provider did not charge
    return (Saving(part=part, usd=cost.usd.copy_negate(), basis=cost.basis, lost=True),)


def counted_amounts(part: str, cost: Cost, saved: Iterable[Saving]) -> dict[str, Decimal]:
    """Return what a call adds to what would have been spent without the kit (USD), by the part that says so."""
    own = [saving.usd for saving in saved if saving.part == part and not saving.hypothetical]
    return {part: exact_sum(usd for usd in (cost.usd, *own) if usd is not None)}


def taken_back(answers: Iterable[Counted]) -> list[Saving]:
    """Return what takes back what was counted for answers that were thrown away, so that their cost is lost."""
    return [
        Saving(part=part, usd=usd.copy_negate(), basis="estimated", takes_back=answer.call_id)
        for answer in answers
        for part, usd in answer.amounts.items()
    ]


def unknown_saving(part: str) -> Saving:
    """Return what says that an answer was thrown away, and that nobody here knows what was counted for it."""
    return Saving(part=part, usd=None, basis="unpriced")


def is_strong(mark: RouteMark) -> bool:
    """Tell whether the strong target was called."""
    return mark.target == mark.strong


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
        do not say which model they were priced at. What was taken back of another call stays as it is, and so
        must what that call adds (see ``saving_of_rejected``).
    """
    if saving.takes_back is not None:
        return saving
    if saving.lost:
        usd = None if cost.usd is None else cost.usd.copy_negate()
        return replace(saving, usd=usd, basis="unpriced" if usd is None else cost.basis)
    if saving.part == "cache" and saving.hypothetical:
        return replace(saving, usd=cost.usd, basis="unpriced" if cost.usd is None else "estimated")
    if saving.model is None:
        return None
    if saving.part == "prune":
        return _prune_saving(saving, reading, prices, at)
    if saving.part in ROUTED:
        usd = _difference(
            cost,
            reading,
            prices,
            at,
            model=saving.model,
            provider=saving.provider,
            cached_tokens=saving.cached_tokens,
            shown_tokens=-saving.tokens,
        )
        if saving.hypothetical and usd is not None:
            usd = usd.copy_negate()
        return replace(saving, usd=usd, basis="unpriced" if usd is None else "estimated")
    return None


def saving_kept(saving: Saving, before: Cost, cost: Cost) -> Saving:
    """Return a saving that cannot be worked out again, beside the corrected cost of the call.

    What the router's other target would have cost stays what it was: it is the sum of cost and saving.
    """
    if saving.part not in ROUTED or saving.usd is None or before.usd is None or cost.usd is None:
        return saving
    less = _minus(before.usd, cost.usd)
    with localcontext(EXACTLY):
        return replace(saving, usd=saving.usd - less if saving.hypothetical else saving.usd + less)


def saving_of_rejected(part: str, saved: Sequence[Saving], before: Cost, cost: Cost) -> list[Saving]:
    """Return the savings of a call whose answer another call has taken back, beside the corrected cost.

    What it adds to what would have been spent without the kit was taken back at the prices of then, so it stays what
    it was: the difference of the costs goes to the saving.
    """
    kept = list(saved)
    own = [
        place
        for place, saving in enumerate(saved)
        if saving.part == part and not (saving.hypothetical or saving.takes_back or saving.lost)
    ]
    less = _minus(before.usd or Decimal(0), cost.usd or Decimal(0))
    if not less:
        return kept
    if not own:
        return [*kept, Saving(part=part, usd=less, basis="estimated")]
    with localcontext(EXACTLY):
        kept[own[0]] = replace(kept[own[0]], usd=(kept[own[0]].usd or Decimal(0)) + less, basis="estimated")
    return kept


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
