"""Do words of one meaning find each other?"""

from __future__ import annotations

import numpy as np

from lc_costkit.cache.meaning import SAME_THING, meaning, places, topic_places
from lc_costkit.cache.prepare import prepare


def likeness(one: str, other: str) -> float:
    cached, new = prepare(f"Where is the {one}?"), prepare(f"Where is the {other}?")
    found = meaning(cached, new)
    return found.best(topic_places(cached)[0], topic_places(new), of_cached=True)


def test_names_of_one_thing_are_alike_and_things_of_a_kind_are_not() -> None:
    assert min(likeness("physician", "doctor"), likeness("film", "movie")) >= SAME_THING
    assert max(likeness("carrot", "beet"), likeness("router", "modem"), likeness("python", "java")) < SAME_THING


def test_a_word_in_many_pieces_is_no_evidence() -> None:
    assert likeness("metformin", "methotrexate") == 0


def test_it_reads_both_ways_and_is_kept_for_the_pair() -> None:
    cached, new = prepare("Where do I buy tickets?"), prepare("Where can I purchase a ticket?")
    found = meaning(cached, new)
    assert meaning(cached, new) is found
    assert meaning(prepare("Where do I buy tickets?"), new) is not found
    assert found.alike.shape == (len(cached.tokens), len(new.tokens))
    buy, purchase = places(cached, ["buy"])[0], places(new, ["purchas"])[0]
    assert found.best(buy, [purchase], of_cached=True) == found.best(purchase, [buy], of_cached=False) > SAME_THING
    assert found.best(buy, [], of_cached=True) == 0


def test_words_of_other_scripts_are_unknown_but_weigh() -> None:
    cached, new = prepare("возврат refund"), prepare("возврат money")
    found = meaning(cached, new)
    assert found.cached_known == [False, True]
    assert found.cached_weights[0] > 0
    assert np.isfinite(found.alike).all()
