"""What does a whole store serve, where the nearest of many entries is asked for?

The policies run through a real ``Cache``, a lookup and a store on a miss, as an application would call it.
A bare cosine is the same with nothing but the nearest vector.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from _cache_counts import NEVER, Decision
from _cache_matchers import request_of
from _cache_sets import Conversation, Pair

from lc_costkit.cache.engine import Cache
from lc_costkit.cache.key import CacheRequest, Context, Turn
from lc_costkit.cache.policy import Policy
from lc_costkit.cache.results import Hit
from lc_costkit.cache.seen_pairs import REFUSED_BY_SCORE
from lc_costkit.cache.text import normalise
from lc_costkit.embedding import Embedder

Tier = Literal["exact", "semantic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a store said to a question.

    Attributes:
        label: what is stored with the nearest entry that was looked at; ``None`` where there was none.
        tier: how it was served; ``None`` where it was not.
        score: what the threshold acts on; ``NEVER`` where something else refused.
        refused_by: what refused it.
    """

    label: str | None
    tier: Tier | None
    score: float = NEVER
    refused_by: str | None = None


class Store(Protocol):
    """A cache of labels."""

    def put(self, text: str, label: str) -> None:
        """Keep a label for a text."""

    def ask(self, text: str) -> Found:
        """Look a text up."""

    def close(self) -> None:
        """Give back what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A kind of store, by name; ``thresholds`` are worth a figure each."""

    name: str
    open: Callable[[], Store]
    thresholds: tuple[float, ...] = ()


class PolicyStore:
    """The project's own cache with one policy."""

    def __init__(self, embedder: Embedder, policy: Policy) -> None:
        self._cache = Cache(policy=policy, embedder=embedder, near_hits=0)

    def put(self, text: str, label: str) -> None:
        """See ``Store.put``."""
        self._cache.store(request_of(text), json.dumps(label))

    def ask(self, text: str) -> Found:
        """See ``Store.ask``."""
        outcome = self._cache.lookup(request_of(text))
        if isinstance(outcome, Hit):
            score = 1.0 if outcome.seen is None or outcome.seen.score is None else outcome.seen.score
            return Found(label=json.loads(outcome.entry.payload), tier=outcome.tier, score=score)
        key, seen, entry = outcome.key, outcome.seen, outcome.candidate
        if key is None or key.refused is not None or key.exact_only:
            return Found(label=None, tier=None, refused_by="admission")
        if seen is None or entry is None or seen.score is None:
            return Found(label=None, tier=None, refused_by="similarity")
        gated = seen.refused_by != REFUSED_BY_SCORE
        return Found(
            label=json.loads(entry.payload),
            tier=None,
            score=NEVER if gated else seen.score,
            refused_by=seen.refused_by,
        )

    def close(self) -> None:
        """See ``Store.close``."""
        stats = self._cache.stats()
        self._cache.close()
        if stats.faults:
            raise SystemExit(f"the cache recorded faults, so the figures mean nothing: {stats.faults}")


class CosineStore:
    """The nearest vector, served from a bare cosine on."""

    def __init__(self, embedder: Embedder, threshold: float) -> None:
        self._embedder = embedder
        self._threshold = threshold
        self._exact: dict[str, str] = {}
        self._labels: list[str] = []
        self._matrix = np.zeros((1_024, embedder.dimensions), np.float32)

    def put(self, text: str, label: str) -> None:
        """See ``Store.put``."""
        if normalise(text) in self._exact:
            return
        self._exact[normalise(text)] = label
        if len(self._labels) == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.zeros_like(self._matrix)])
        self._matrix[len(self._labels)] = self._embedder.embed([text])[0]
        self._labels.append(label)

    def ask(self, text: str) -> Found:
        """See ``Store.ask``."""
        known = self._exact.get(normalise(text))
        if known is not None:
            return Found(label=known, tier="exact", score=1.0)
        if not self._labels:
            return Found(label=None, tier=None, refused_by="similarity")
        products = self._matrix[: len(self._labels)] @ self._embedder.embed([text])[0]
        nearest = int(products.argmax())
        cosine, label = float(products[nearest]), self._labels[nearest]
        if cosine < self._threshold:
            return Found(label=label, tier=None, score=cosine, refused_by="similarity")
        return Found(label=label, tier="semantic", score=cosine)

    def close(self) -> None:
        """See ``Store.close``."""


def nearest_entry(store: Store, stored: Sequence[tuple[str, str]], asked: Sequence[tuple[str, str]]) -> list[Decision]:
    """Fill a store with (text, label) and ask it others; nothing is stored on the way.

    Right is an answer with the label of the question, whichever entry it came from.
    """
    for text, label in stored:
        store.put(text, label)
    labels = {label for _, label in stored}
    decisions = []
    for text, label in asked:
        found = store.ask(text)
        decisions.append(
            Decision(
                score=found.score,
                refused_by=None if found.tier else found.refused_by or "nothing found",
                right=found.label == label,
                must_miss=label not in labels,
            )
        )
    store.close()
    return decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """What streams of requests met.

    A text that is served by meaning is not stored, so that it is served again, right or wrong, whenever it
    comes again: hits of one text are one decision many times over.

    Attributes:
        requests: how many there were.
        exact: served to the letter.
        semantic: served by meaning.
        wrong: of ``semantic``, those with the answer to another intent.
        texts: texts among ``semantic``, once for each stream.
        wrong_texts: of ``texts``, those that got the answer to another intent at least once.
        not_matched: the admission kept them from being matched by meaning, and they were no exact hits.
    """

    requests: int
    exact: int
    semantic: int
    wrong: int
    texts: int
    wrong_texts: int
    not_matched: int


def run_streams(open_store: Callable[[], Store], streams: Sequence[Sequence[tuple[str, str]]]) -> Streamed:
    """Ask a new store for each stream one (text, label) after the other, and store on each miss."""
    exact = semantic = wrong = not_matched = 0
    texts, wrong_texts = set(), set()
    for number, requests in enumerate(streams):
        store = open_store()
        for text, label in requests:
            found = store.ask(text)
            if found.tier is None:
                not_matched += found.refused_by == "admission"
                store.put(text, label)
            elif found.tier == "exact":
                exact += 1
            else:
                semantic += 1
                texts.add((number, text))
                if found.label != label:
                    wrong += 1
                    wrong_texts.add((number, text))
        store.close()
    return Streamed(
        requests=sum(map(len, streams)),
        exact=exact,
        semantic=semantic,
        wrong=wrong,
        texts=len(texts),
        wrong_texts=len(wrong_texts),
        not_matched=not_matched,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OneStore:
    """What happened to pairs whose stored questions share one store.

    Attributes:
        right: rewordings that got the answer of their own stored question.
        may_hit: rewordings.
        wrong: traps that got the answer of the question they are a trap for.
        must_miss: traps.
        elsewhere: questions that got the answer of another pair's question, right or not: nobody labelled those.
    """

    right: int
    may_hit: int
    wrong: int
    must_miss: int
    elsewhere: int


def one_store(store: Store, pairs: Sequence[Pair]) -> OneStore:
    """Put all stored questions of the pairs into one store and ask the new ones."""
    for text in dict.fromkeys(pair.cached for pair in pairs):
        store.put(text, text)
    right = wrong = elsewhere = 0
    for pair in pairs:
        found = store.ask(pair.new)
        if found.tier is None:
            continue
        own = found.label is not None and normalise(found.label) == normalise(pair.cached)
        right += own and pair.same
        wrong += own and not pair.same
        elsewhere += not own
    store.close()
    may_hit = sum(pair.same for pair in pairs)
    return OneStore(right=right, may_hit=may_hit, wrong=wrong, must_miss=len(pairs) - may_hit, elsewhere=elsewhere)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiTurn:
    """What follow-up questions met.

    Attributes:
        strangers: follow-ups asked under another main question than they were stored under.
        served_to_strangers: how many of those were answered from the cache.
        from_elsewhere: of the served ones, how many with an answer that was stored under another main question;
            the rest got the answer to another follow-up of this one.
        repeats: follow-ups asked again in the same conversation.
        served_repeats: how many of those were answered from the cache.
    """

    strangers: int
    served_to_strangers: int
    from_elsewhere: int
    repeats: int
    served_repeats: int


def follow_ups(
    ask: Callable[[CacheRequest], str | None],
    put: Callable[[CacheRequest, str], None],
    conversations: Sequence[Conversation],
) -> MultiTurn:
    """Store every conversation, then ask each follow-up under every other main question, and under its own.

    Args:
        ask: returns the main question under which the served answer was stored, or ``None`` for a miss.
        put: stores an answer with that main question.
        conversations: what is stored and asked.
    """
    for each in conversations:
        put(conversation_request(each, each.follow_up), each.main)
    strangers = served = from_elsewhere = 0
    for each in conversations:
        for other in conversations:
            if other.main != each.main and other.follow_up != each.follow_up:
                strangers += 1
                under = ask(conversation_request(other, each.follow_up))
                served += under is not None
                from_elsewhere += under is not None and under != other.main
    repeats = [ask(conversation_request(each, each.follow_up)) == each.main for each in conversations]
    return MultiTurn(
        strangers=strangers,
        served_to_strangers=served,
        from_elsewhere=from_elsewhere,
        repeats=len(repeats),
        served_repeats=sum(repeats),
    )


def conversation_request(conversation: Conversation, question: str) -> CacheRequest:
    """Return the call of a chat model after one question was answered."""
    return CacheRequest(
        turns=(
            Turn(role="human", text=conversation.main),
            Turn(role="ai", text=conversation.answer),
            Turn(role="human", text=question),
        ),
        settings="",
    )


def multi_turn(embedder: Embedder, policy: Policy, context: Context, rows: Sequence[Conversation]) -> MultiTurn:
    """Run the conversations through a real cache."""
    with Cache(policy=policy, embedder=embedder, context=context, near_hits=0) as cache:

        def put(request: CacheRequest, stored_under: str) -> None:
            cache.store(request, json.dumps(stored_under))

        def ask(request: CacheRequest) -> str | None:
            outcome = cache.lookup(request)
            return json.loads(outcome.entry.payload) if isinstance(outcome, Hit) else None

        return follow_ups(ask, put, rows)
