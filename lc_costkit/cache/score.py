"""How much speaks for two questions having one answer?

The score of a pair is a weighted mean of three things, 0 to 1 each: the cosine of the embedder;
the coverage, which is how much of either question finds its like in the other, word by word; and the
length of the shorter one, as two short questions have a high cosine by their one topic word alone.
From it goes the crowd: where ten stored questions are nearly as near as the nearest, being near
says little, and more is asked for. A store that holds nothing else around asks for nothing more.

Fixed weights instead of a fitted model, since models fitted on public pairs rank other pairs worse than
the plain cosine does. They were chosen out of about 200 settings on four streams of support questions
(banking77 and CLINC150, 1,500 stored, 1,200 asked) and 250 hand-written pairs. Logistic models fitted on one of
the two and tried on the other ranked no better. Past the strict gates the streams' same and other intents are
ranked at AUC .79, .76, .80 and .79 (the cosine alone: .73, .71, .78, .81).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log

from lc_costkit.cache.align import align
from lc_costkit.cache.meaning import meaning
from lc_costkit.cache.prepare import Prepared
from lc_costkit.scripts import LATIN, NONE

SCORE_VERSION = 2
"""Changes whenever a pair would get another score: labels and operating points are valid for one version."""

CROWD_SIZE = 10
"""Neighbours beside the nearest that make the crowd; 5 and 3 did no better."""

CROWD_KNEE = 0.3
"""Mean cosine of the neighbours around a question of a store with many subjects: 250 questions of twelve domains in
one store have .3 around a new one, 1,500 questions of one bank .75."""

CROWD_SLOPES = (0.75, 0.35)
"""Taken off the score for each unit of crowd below and above the knee. Near 0, nothing else is stored, and what is
near is meant. With them and one lowest score, a store of 1,500 questions of one subject serves 5 % wrong or less;
growing from nothing with 1,500 questions of one subject that never come twice, 8 to 10 % (12 to 16 % with a
straight line of the same hits)."""

TWIN_GAP = 0.02
TWINS = 0.97
"""Where the second nearest entry is within ``TWIN_GAP`` of the nearest, and the two have a cosine of ``TWINS``, the
two were stored apart although nobody sees a difference: which is meant cannot be told. On GPTCache's set it takes
27 of 41 wrong hits and 68 of 749 right ones, in streams of support questions 3 % of the right ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What the parts of a score count; they add up to 1.

    Attributes:
        base: what every pair has.
        similarity: of the cosine.
        coverage: of the worse covered question.
        length: of the shorter question.
    """

    base: float = 0.0
    similarity: float
    coverage: float
    length: float = 0.0


TABLE_WEIGHTS = Weights(similarity=0.625, coverage=0.1875, length=0.1875)
"""For scripts that the word table reads. On 20,000 question pairs (QQP, not chosen on) they rank those that
pass the strict gates at AUC .744, the cosine alone at .734."""

SPELLING_WEIGHTS = Weights(base=0.24, similarity=0.57, coverage=0.19)
"""For every other script, where cosine and coverage compare letters and run lower. Chosen on Korean pairs: at the
lowest score of the policies, 12 % of 2,138 different chat messages (songys/Question_pair, labels with some noise) and
58 % of 4,750 equal ones pass the strict gates and the score."""

FOREIGN_WEIGHTS = Weights(base=-0.1, similarity=0.625, coverage=0.1875, length=0.1875)
"""With an embedder whose scale we do not know, in every script. The base is what strangers gain by an embedder that
calls everything .75; it is a precaution, not measured."""

_LONGEST = 3.0
"""Logarithm of the weight of the words from which on length says nothing more: about 20 words."""
_COMPARED = 40
"""Words of each side that are compared by their letters; the work is quadratic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReading:
    """What a pair was scored on.

    Attributes:
        similarity: cosine, 0 to 1; with an embedder that we do not know, its mean with the word table's.
        coverage: how much of the worse covered question finds its like in the other, 0 to 1.
        length: 0 for an empty question to 1 for 20 words, of the shorter one.
        crowd: mean cosine of the next ten stored questions, 0 to 1.
        score: 0 to 1.
    """

    similarity: float
    coverage: float
    length: float
    crowd: float
    score: float


def crowd_penalty(crowd: float) -> float:
    """Return what a crowd takes off a score.

    >>> crowd_penalty(0.0), round(crowd_penalty(0.2), 3), round(crowd_penalty(0.7), 3)
    (0.0, 0.15, 0.365)
    """
    low, high = CROWD_SLOPES
    crowd = max(0.0, crowd)
    return low * min(crowd, CROWD_KNEE) + high * max(0.0, crowd - CROWD_KNEE)


def crowd_behind(penalty: float) -> float:
    """Return the crowd that takes this much off a score, 0 to 1.

    >>> round(crowd_behind(crowd_penalty(0.2)), 6), round(crowd_behind(crowd_penalty(0.7)), 6)
    (0.2, 0.7)
    """
    low, high = CROWD_SLOPES
    beyond = penalty - low * CROWD_KNEE
    crowd = penalty / low if beyond <= 0 else CROWD_KNEE + beyond / high
    return min(1.0, max(0.0, crowd))


def pair_score(
    cached: Prepared,
    new: Prepared,
    similarity: float,
    *,
    crowd: float = 0.0,
    crowd_weight: float = 1.0,
    known_scale: bool = True,
) -> float:
    """Return how much speaks for "same answer", 0 to 1; see :func:`read_pair`.

    >>> from lc_costkit.cache.prepare import prepare
    >>> one, other = prepare("How do I reset my password?"), prepare("How can I change a forgotten password?")
    >>> pair_score(one, other, 0.8) > pair_score(one, other, 0.6) > pair_score(one, other, 0.6, crowd=0.5)
    True
    """
    return read_pair(cached, new, similarity, crowd=crowd, crowd_weight=crowd_weight, known_scale=known_scale).score


def read_pair(
    cached: Prepared,
    new: Prepared,
    similarity: float,
    *,
    crowd: float = 0.0,
    crowd_weight: float = 1.0,
    known_scale: bool = True,
) -> PairReading:
    """Score a pair.

    Args:
        cached: the stored question.
        new: the new one.
        similarity: cosine of the embedder.
        crowd: mean cosine of the ``CROWD_SIZE`` next nearest stored questions, 0 for each that is not there.
        crowd_weight: how much of ``crowd_penalty`` is taken off.
        known_scale: the cosine is the bundled embedder's. Another one's may call .7 what has nothing in
            common, so the mean of it and of the word table's own cosine is taken.
    """
    if new.script in (LATIN, NONE):
        weights = TABLE_WEIGHTS
        coverage, length, own = _by_table(cached, new)
    else:
        weights = SPELLING_WEIGHTS
        coverage, length = _by_spelling(cached, new), 0.0
        own = coverage
    if not known_scale:
        weights = FOREIGN_WEIGHTS
        similarity = (similarity + own) / 2
    score = (
        weights.base
        + weights.similarity * similarity
        + weights.coverage * coverage
        + weights.length * length
        - crowd_weight * crowd_penalty(crowd)
    )
    return PairReading(
        similarity=similarity, coverage=coverage, length=length, crowd=crowd, score=min(1.0, max(0.0, score))
    )


def _by_table(cached: Prepared, new: Prepared) -> tuple[float, float, float]:
    """Return coverage and length by the word table, and the cosine of the two sums of words."""
    if not cached.tokens or not new.tokens:
        equal = float(cached.lowered == new.lowered)
        return equal, 0.0, equal
    words, laid = meaning(cached, new), align(cached, new)
    best, best_new = words.alike.max(axis=1).tolist(), words.alike.max(axis=0).tolist()
    covered = _covered(cached, best, words.cached_weights, new.stems, laid.only_cached)
    covering = _covered(new, best_new, words.new_weights, cached.stems, laid.only_new)
    shorter = min(sum(words.cached_weights), sum(words.new_weights))
    return min(covered, covering), min(1.0, max(0.0, log(shorter + 0.5) / _LONGEST)), words.cosine


def _covered(
    text: Prepared, best: Sequence[float], weights: Sequence[float], stems: frozenset[str], only: Sequence[str]
) -> float:
    """Weigh how well each word is matched; a form or a listed synonym on the other side is a full match."""
    found = total = 0.0
    for token, match, weight in zip(text.tokens, best, weights, strict=True):
        total += weight
        if token.stem in stems or (token.content and token.stem not in only):
            found += weight
        elif match > 0:
            found += weight * min(1.0, match)
    return found / total if total else 0.0


def _by_spelling(cached: Prepared, new: Prepared) -> float:
    """Return the coverage by characters and pairs of them, words weighed by their length."""
    one, other = cached.tokens[:_COMPARED], new.tokens[:_COMPARED]
    if not one or not other:
        return float(cached.lowered == new.lowered)
    coverages = []
    for side, against in ((one, other), (other, one)):
        letters = [_letters(token.stem) for token in against]
        stems = {token.stem for token in against}
        found = total = 0.0
        for token in side:
            weight = float(len(token.stem)) if token.content else 0.3
            total += weight
            if token.stem in stems:
                found += weight
                continue
            mine = _letters(token.stem)
            found += weight * max(2 * len(mine & each) / (len(mine) + len(each)) for each in letters)
        coverages.append(found / total)
    return min(coverages)


@lru_cache(maxsize=8_192)
def _letters(word: str) -> frozenset[str]:
    return frozenset(word) | {word[place : place + 2] for place in range(len(word) - 1)}
