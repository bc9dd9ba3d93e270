"""Do the counts of a cache say why it refused, in few words?"""

from __future__ import annotations

from lc_costkit.cache import Cache
from lc_costkit.cache.counts import LOW_SCORE
from lc_costkit.cache.policy import Policy
from tests.cache.support import WordsEmbedder, ask


def test_scores_that_are_too_low_are_one_reason() -> None:
    never = Policy(name="never", gates=(), min_score=1.0)
    with Cache(policy=never, embedder=WordsEmbedder()) as cache:
        cache.store(ask("What is the fee for a card"), '"stored"')
        reasons = {
            cache.lookup(ask(f"What is the fee for a {kind} card {rest}")).reason  # type: ignore[union-attr]
            for kind, rest in (("red", ""), ("blue", "abroad"), ("lost", "in a shop"))
        }
        assert len(reasons) > 1, "each lookup says its score"
        assert cache.stats().refused == {LOW_SCORE: 3}
