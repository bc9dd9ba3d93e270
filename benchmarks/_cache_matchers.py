"""By which rule does each rival decide about a pair?

A policy decides here as in a lookup: the keys of both requests (admission, length, script), the vector of
what the question asks, the floor, the gates and the score, by the classes the cache itself uses. Pairs that
the exact tier serves are in no error rate and are left out for everybody (``semantic_pairs``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from _cache_counts import NEVER, Decision
from _cache_sets import Pair
from numpy.typing import NDArray

from lc_costkit.cache.accept import Acceptor
from lc_costkit.cache.courtesy import core_of
from lc_costkit.cache.key import CacheKey, CacheRequest, Turn, make_key
from lc_costkit.cache.policy import Policy
from lc_costkit.embedding import Embedder

Decide = Callable[[Sequence[Pair]], list[Decision]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One way to decide, by name.

    Attributes:
        name: as it is shown.
        decide: judges pairs, each as if it were alone in a store.
        ranks_as: another matcher with the same order of pairs, so that one curve stands for both.
        detailed: show what it refused, and its figures by language and kind.
    """

    name: str
    decide: Decide
    ranks_as: str | None = None
    detailed: bool = False


def request_of(text: str, *, settings: str = "") -> CacheRequest:
    """Return the call of a chat model with one question."""
    return CacheRequest(turns=(Turn(role="human", text=text),), settings=settings)


def key_of(text: str) -> CacheKey:
    """Return the key of that call."""
    return make_key(request_of(text), namespace="benchmark")


def semantic_pairs(pairs: Sequence[Pair]) -> tuple[list[Pair], int]:
    """Return the pairs that the exact tier does not serve, and how many it does."""
    kept = [pair for pair in pairs if key_of(pair.cached).exact != key_of(pair.new).exact]
    return kept, len(pairs) - len(kept)


def cosines(embedder: Embedder, pairs: Sequence[Pair], *, cores: bool) -> NDArray[np.float32]:
    """Return the cosine of each pair, of the whole texts or of what they ask without courtesies."""
    read: Callable[[str], str] = core_of if cores else str
    left = embedder.embed([read(pair.cached) for pair in pairs])
    right = embedder.embed([read(pair.new) for pair in pairs])
    found: NDArray[np.float32] = np.einsum("nd,nd->n", left, right)
    return found


def by_policy(name: str, embedder: Embedder, policy: Policy) -> Matcher:
    """Decide as the cache does with this policy."""

    def decide(pairs: Sequence[Pair]) -> list[Decision]:
        acceptor = Acceptor(embedder, policy=policy)
        return [
            _decision(pair, *_asked(acceptor, pair, float(cosine)))
            for pair, cosine in zip(pairs, cosines(embedder, pairs, cores=True), strict=True)
        ]

    return Matcher(name=name, decide=decide, detailed=True)


def _asked(acceptor: Acceptor, pair: Pair, cosine: float) -> tuple[float, str | None]:
    cached, new = key_of(pair.cached), key_of(pair.new)
    for key in (cached, new):
        if key.refused is not None or key.exact_only:
            return NEVER, "admission"
    if cached.scope != new.scope:
        return NEVER, "scope"
    if not acceptor.near_enough(cosine, new.question):
        return NEVER, "floor"
    accepted = acceptor.judge(cached.question, new.question, cosine)
    if accepted.gate is not None:
        return NEVER, accepted.gate
    if accepted.score is None:
        raise SystemExit("a pair that no gate refused has no score")
    return accepted.score, None if accepted.accepted else "score"


def by_cosine(name: str, embedder: Embedder, threshold: float, *, ranks_as: str | None = None) -> Matcher:
    """Decide as most caches do: cosine of the texts as they stand against one threshold."""

    def decide(pairs: Sequence[Pair]) -> list[Decision]:
        return [
            _decision(pair, float(cosine), None if cosine >= threshold else "similarity")
            for pair, cosine in zip(pairs, cosines(embedder, pairs, cores=False), strict=True)
        ]

    return Matcher(name=name, decide=decide, ranks_as=ranks_as)


def _decision(pair: Pair, score: float, refused_by: str | None) -> Decision:
    return Decision(score=score, refused_by=refused_by, right=pair.same, must_miss=not pair.same)
