"""Which target is the cheapest and which the strongest, and who says so?

Everything that is said about "the strongest target" hangs on an order that labels do not tell by themselves: a mapping
has one by accident, too, such as that of the alphabet after a pivot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.betting import mean_is_positive
from lc_costkit.routing.outcomes import LabelledPrompt, OutcomeTable

ALLOWANCE = 0.05
"""Chance that an order is refused although the last target is as good as the others, for each of them: a convention."""

_ADVICE = "pass targets=[cheapest, ..., strongest]"


def explicit_order(targets: Sequence[str], labelled: Iterable[str]) -> tuple[str, ...]:
    """Return the order that somebody wrote down.

    Args:
        targets: names, cheapest first.
        labelled: the names that there are outcomes of.

    Raises:
        ConfigurationError: it is one text, a name is there twice, or the names are others than ``labelled``.
    """
    if isinstance(targets, str) or len(set(targets)) < len(targets):
        raise ConfigurationError(f"targets must be names, each once, cheapest first; not {targets!r}")
    if unknown := set(targets) ^ set(labelled):
        raise ConfigurationError(
            f"outcomes and targets differ in {sorted(unknown)!r}; the targets are {list(targets)!r}"
        )
    return tuple(targets)


def order_of(policy: object, targets: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the targets' names as a policy knows them, else as they are given; ``None`` if nobody says.

    Raises:
        ConfigurationError: both say them, and not the same.
    """
    declared: Sequence[str] | None = getattr(policy, "targets", None)
    known = None if declared is None else tuple(declared)
    given = None if targets is None else explicit_order(targets, targets)
    if known is not None and given is not None and given != known:
        raise ConfigurationError(f"targets={list(given)!r}, but the policy's are {list(known)!r}; leave them out")
    return known if given is None else given


def refuse_accidental_order(table: OutcomeTable, labelled: Sequence[LabelledPrompt] = ()) -> None:
    """Look at an order that only mappings tell.

    Args:
        table: the outcomes, the targets in that order.
        labelled: the rows it was made of, if it was.

    Raises:
        ConfigurationError: two rows have different orders, or the last target is clearly worse than another one: a
            test of the differences on the prompts that both answered (``betting``) says so.
    """
    names = list(table.targets)
    for row, one in enumerate(labelled):
        places = [names.index(name) for name in one.outcomes]
        if places != sorted(places):
            raise ConfigurationError(
                f"prompt {row} names its targets in the order {list(one.outcomes)!r}, another one in the order "
                f"{names!r}: which is the strongest? To say it, {_ADVICE}"
            )
    last = table.found[:, -1]
    for place, name in enumerate(names[:-1]):
        both = ~np.isnan(table.found[:, place]) & ~np.isnan(last)
        # Bets look at what came before: sorted labels would be another test than shuffled ones.
        better = np.random.default_rng(0).permutation((table.found[:, place] - last)[both])
        if mean_is_positive(better, worst=-1.0, best=1.0, allowance=ALLOWANCE):
            means = ", ".join(f"{one} {np.nanmean(table.found[:, n]):.3f}" for n, one in enumerate(names))
            raise ConfigurationError(
                f"the outcomes name the targets in the order {names!r}, cheapest first, but {names[-1]!r}, the "
                f"strongest by that, is clearly worse than {name!r}; mean outcomes: {means}. {_ADVICE.capitalize()}; "
                "the same order again, if it is meant"
            )


def refuse_other_order(own: Sequence[str], targets: Sequence[str], whose: str) -> None:
    """Compare a policy's order with the router's, as far as both have the same names.

    Args:
        own: the policy's targets, cheapest first.
        targets: the router's.
        whose: what the policy's order is, in words.

    Raises:
        ConfigurationError: they differ.
    """
    there = [name for name in targets if name in own]
    if [name for name in own if name in targets] != there:
        raise ConfigurationError(
            f"{whose} {list(own)!r}, cheapest first, but the router has them in the order {there!r}; "
            "list them in one order"
        )
