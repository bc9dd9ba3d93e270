"""What does the cache make of pairs of questions, apart from where it starts to serve?

A pair is a stored question and a new one. Whether its answer may be served depends on the gates, which
stay as they are, and on the score, whose least value labels can choose: see ``calibration.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lc_costkit.cache.accept import VETO, Acceptor
from lc_costkit.cache.admit import DEFAULT_ADMISSION, AdmissionRule, admit
from lc_costkit.cache.courtesy import core_of
from lc_costkit.cache.gates import prepare
from lc_costkit.cache.score import PairReading
from lc_costkit.cache.seen_pairs import REFUSED_BY_SCORE, SeenPair
from lc_costkit.cache.text import normalise
from lc_costkit.embedding import Embedder
from lc_costkit.errors import ConfigurationError
from lc_costkit.scripts import script_of

ADMISSION, SCRIPT, SIMILARITY = "admission", "script", "similarity"
"""``refused_by`` of a pair that never gets as far as the gates."""

_BATCH = 512
"""Texts in one call of the embedder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPair:
    """A stored question, a new one, and whether the answer to the first is right for the second.

    Attributes:
        cached: the stored question.
        new: the new question.
        same: the stored answer is right; ``None`` where nobody has said.

    Raises:
        ConfigurationError: a question is no text, or the label is neither a bool nor ``None``.
    """

    cached: str
    new: str
    same: bool | None

    def __post_init__(self) -> None:
        for name, text in (("cached", self.cached), ("new", self.new)):
            if not isinstance(text, str):
                raise ConfigurationError(f"{name} must be the text of a question, not {text!r:.200}")
        check_label(self.same)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPair:
    """A pair with what the cache made of it, apart from the operating point.

    Attributes:
        cached: the stored question.
        new: the new question.
        same: the stored answer is right for the new question; ``None`` without a label.
        similarity: cosine as the score read it.
        score: how much speaks for "same answer", 0 to 1; 0 for a pair that was refused before it was scored.
        refused_by: what refuses it at any score: a gate, ``"admission"``, ``"script"``, ``"similarity"``
            or ``"veto"``; ``None`` where the score alone decides.
        counted: it counts in the hit rate; ``False`` where it stands for no share of the traffic, because
            others that came with it are gone.
    """

    cached: str
    new: str
    same: bool | None
    similarity: float
    score: float
    refused_by: str | None = None
    counted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPairs:
    """Pairs as the cache sees them.

    Attributes:
        pairs: in the order given.
        exact_repeats: pairs left out, as their two questions are the same to the letter: another tier serves them.
    """

    pairs: tuple[ScoredPair, ...]
    exact_repeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Pairs that somebody gave, each once.

    Attributes:
        pairs: the distinct ones, in the order in which they came first.
        total: how many were given.
        empty: how many hold an empty question, and are left out.
        equal: how many hold the same question twice, and are left out: another tier serves them.
    """

    pairs: tuple[LabelledPair, ...]
    total: int
    empty: int = 0
    equal: int = 0


def distinct_pairs(pairs: Iterable[LabelledPair | SeenPair | Sequence[object]]) -> Given:
    """Return each given pair once: copies of a label are no further labels.

    Of a copy with a label and one without, the label is taken.

    Raises:
        ConfigurationError: something is no pair, or one pair is called right and wrong.
    """
    found: dict[tuple[str, str], LabelledPair] = {}
    total = empty = equal = 0
    for place, given in enumerate(pairs):
        pair = _labelled(place, given)
        total += 1
        key = normalise(pair.cached), normalise(pair.new)
        if not all(text.strip() for text in key):
            empty += 1
        elif key[0] == key[1]:
            equal += 1
        else:
            before = found.setdefault(key, pair)
            if before.same is None:
                found[key] = pair
            elif pair.same not in (None, before.same):
                raise ConfigurationError(
                    f"pair {place} is called {pair.same} and was called {before.same} before: ({pair.cached[:80]!r}, "
                    f"{pair.new[:80]!r}); keep the label that is right"
                )
    return Given(pairs=tuple(found.values()), total=total, empty=empty, equal=equal)


def check_label(same: object) -> None:
    """Refuse what is no label.

    Raises:
        ConfigurationError: it is neither a bool nor ``None``.
    """
    if same is not None and not isinstance(same, bool):
        raise ConfigurationError(
            f"same must be True, False or None (nobody has said), not {same!r:.100}; write bool(...) around 0 and 1"
        )


def score_pairs(
    pairs: Iterable[LabelledPair | ScoredPair | SeenPair | Sequence[object]],
    *,
    embedder: Embedder,
    acceptor: Acceptor,
    admission: Iterable[AdmissionRule] = DEFAULT_ADMISSION,
    veto: bool = True,
) -> ScoredPairs:
    """Score pairs as a lookup would that finds the one nearest to the other.

    A pair has no other entries around it, so it is scored without a crowd. Pairs that lookups have
    logged were scored with theirs: use :func:`logged_pairs` for those.

    Args:
        pairs: ``LabelledPair`` objects, or anything else with ``cached``, ``new`` and ``same``, or
            tuples of the three.
        embedder: the one of the cache.
        acceptor: the one of the cache.
        admission: the rules of the cache.
        veto: ask the acceptor's learned veto; ``False`` where another is about to be fitted.

    Raises:
        ConfigurationError: something is no pair.
        EmbedderError: the embedder fails its contract.
    """
    rules = tuple(admission)
    read = [_labelled(place, pair) for place, pair in enumerate(pairs)]
    different = [pair for pair in read if normalise(pair.cached) != normalise(pair.new)]
    scored: list[ScoredPair] = []
    for first in range(0, len(different), _BATCH // 2):
        batch = different[first : first + _BATCH // 2]
        vectors = embedder.embed([core_of(text) for pair in batch for text in (pair.cached, pair.new)])
        cosines = np.einsum("nd,nd->n", vectors[0::2], vectors[1::2])
        scored += [
            _scored(pair, float(cosine), acceptor, rules, veto=veto)
            for pair, cosine in zip(batch, cosines, strict=True)
        ]
    return ScoredPairs(pairs=tuple(scored), exact_repeats=len(read) - len(different))


def logged_pairs(logged: Iterable[SeenPair], *, acceptor: Acceptor, veto: bool = True) -> ScoredPairs:
    """Read decisions that lookups have logged, with the scores they had then.

    Those that no lookup scored are left out: score them with :func:`score_pairs`.

    Args:
        logged: decisions of the decider that ``acceptor`` is; a ``same`` is taken over where there is one.
        acceptor: the one of the cache.
        veto: as for ``score_pairs``.
    """
    found: list[ScoredPair] = []
    for pair in logged:
        if pair.score is None or pair.similarity is None:
            continue
        refused_by = pair.refused_by
        if refused_by in (None, REFUSED_BY_SCORE, VETO):
            reading = acceptor.read(prepare(pair.cached), prepare(pair.new), pair.similarity)
            reading = replace(reading, score=pair.score)  # it knows of the crowd, this reading does not
            refused_by = VETO if veto and _vetoed(acceptor, pair.cached, pair.new, reading) else None
            similarity = reading.similarity
        else:
            similarity = pair.similarity
        found.append(
            ScoredPair(
                cached=pair.cached,
                new=pair.new,
                same=getattr(pair, "same", None),
                similarity=similarity,
                score=pair.score,
                refused_by=refused_by,
                counted=getattr(pair, "counted", True),
            )
        )
    return ScoredPairs(pairs=tuple(found))


def _labelled(place: int, pair: object) -> LabelledPair:
    if isinstance(pair, LabelledPair):
        return pair
    if isinstance(pair, tuple | list):
        if len(pair) == 3:
            return LabelledPair(cached=pair[0], new=pair[1], same=pair[2])
    elif hasattr(pair, "cached") and hasattr(pair, "new"):
        return LabelledPair(cached=pair.cached, new=pair.new, same=getattr(pair, "same", None))
    raise ConfigurationError(
        f"pair {place} must be a LabelledPair or (stored question, new question, True or False), not {pair!r:.200}"
    )


def _scored(
    pair: LabelledPair, cosine: float, acceptor: Acceptor, rules: tuple[AdmissionRule, ...], *, veto: bool
) -> ScoredPair:
    def refused(by: str) -> ScoredPair:
        similarity = cosine if math.isfinite(cosine) else 0.0
        return ScoredPair(
            cached=pair.cached, new=pair.new, same=pair.same, similarity=similarity, score=0.0, refused_by=by
        )

    if any(admit(text, rules).verdict != "cacheable" for text in (pair.cached, pair.new)):
        return refused(ADMISSION)
    if script_of(pair.cached) != script_of(pair.new):
        return refused(SCRIPT)
    if not acceptor.near_enough(cosine, pair.new):
        return refused(SIMILARITY)
    return _judged(pair, cosine, acceptor, veto=veto)


def _judged(pair: LabelledPair, cosine: float, acceptor: Acceptor, *, veto: bool) -> ScoredPair:
    reading = acceptor.read(prepare(pair.cached), prepare(pair.new), cosine)
    gate = acceptor.judge(pair.cached, pair.new, cosine).gate
    if gate in (None, VETO):
        gate = VETO if veto and _vetoed(acceptor, pair.cached, pair.new, reading) else None
    return ScoredPair(
        cached=pair.cached,
        new=pair.new,
        same=pair.same,
        similarity=reading.similarity,
        score=reading.score,
        refused_by=gate,
    )


def _vetoed(acceptor: Acceptor, cached: str, new: str, reading: PairReading) -> bool:
    """Ask the veto whatever the operating point is: a lookup asks it only from there on."""
    if acceptor.veto is None:
        return False
    try:
        return acceptor.veto(cached, new, reading) is not None
    except Exception:
        return True  # as a lookup decides
