"""Are two questions about two things, although their sentences differ too?"""

from __future__ import annotations

from lc_costkit.cache.align import align
from lc_costkit.cache.meaning import meaning, places, topic_places
from lc_costkit.cache.prepare import Prepared
from lc_costkit.scripts import LATIN, NONE

LOOSE_FRAME = 0.4
HEAVY = 1.0
"""Where at least so many words stand in order, and either question keeps a word to itself that weighs so much (its
weight times its unlikeness to every topic word of the other), they are about two things. Of pairs that pass all
else, that refuses 6 of 25 wrong and 3 of 244 right ones among hand-written English ones, 74 of 557 and 54 of 786
among question pairs (QQP), and 1 % of the hits in streams of support questions."""


def thing_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse where both questions keep a weighty word that nothing in the other is like; in Latin script only."""
    laid = align(cached, new)
    if not laid.only_cached or not laid.only_new or laid.order < LOOSE_FRAME or new.script not in (LATIN, NONE):
        return None
    found = meaning(cached, new)
    kept = []
    for text, other, only, weights, of_cached in (
        (cached, new, laid.only_cached, found.cached_weights, True),
        (new, cached, laid.only_new, found.new_weights, False),
    ):
        said = topic_places(other)
        heavy = [
            text.tokens[place].stem
            for place in places(text, only)
            if weights[place] * (1 - max(0.0, found.best(place, said, of_cached=of_cached))) >= HEAVY
        ]
        if not heavy:
            return None
        kept.append(heavy[0])
    return f"{kept[0]} is only in the one, {kept[1]} only in the other"
