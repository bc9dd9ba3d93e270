"""How much speaks for two questions having one answer?

The score of a pair is a weighted mean of three things, 0 to 1 each: the cosine of the embedder;
the coverage, which is how much of either question finds its like in the other, word by word; and the
length of the shorter one, as two short questions have a high cosine by their one topic word alone.
From it goes the crowd: where ten stored questions are nearly as near as the nearest, being near
says little, and more is asked for. A store that holds nothing else around asks for nothing more.

Fixed weights instead of a fitted model, since models fitted on public pairs rank other pairs worse than
the plain cosine does. They were chosen out of some 220 settings on stores of support questions (banking77 and
CLINC150: 1,500 stored, 10 or 40 stored, growing from nothing) and on hand-written pairs. Coverage weighs more
than the cosine: what two questions of one subject share is their subject, and a cosine is mostly that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Literal

from lc_costkit.cache.align import align, unsaid
from lc_costkit.cache.meaning import meaning
from lc_costkit.cache.prepare import Prepared
from lc_costkit.scripts import LATIN, NONE

SCORE_VERSION = 5
"""Changes whenever a pair would get another score: labels and operating points are valid for one version."""

CROWD_SIZE = 10
"""Neighbours beside the nearest that make the crowd; 5 and 3 did no better."""

CROWD_SLOPE = 0.2
"""Taken off the score for each unit of crowd. With it and the strict policy's score, streams of 1,200 questions that
fill a store from nothing (banking77 and CLINC150, each question once or by Zipf's law) serve 1 to 5 % wrong,
stores of 1,500 questions 2 to 5 %, and stores that hold 10 or 40 subjects of which few are asked 0 to 22 %."""

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


TABLE_WEIGHTS = Weights(similarity=0.35, coverage=0.5, length=0.15)
"""For scripts that the word table reads."""

SPELLING_WEIGHTS = Weights(base=0.36, similarity=0.26, coverage=0.38)
"""For every other script, where cosine and coverage compare letters and run lower. The base was chosen out of six on
176 Korean hand-written pairs that the gates were not made with: from .70 on, 4 % of the traps are served and 55 % of
the light rewordings (.53: 10 % and 61 %; on pairs that the gates were made with it made no difference)."""

FOREIGN_WEIGHTS = Weights(similarity=0.9, coverage=0.0, length=0.1)
"""With another embedder whose scale was measured, for scripts that the word table reads. A model for sentences knows
more than the table: with all-MiniLM-L6-v2, 7,497 question pairs (QQP) at 2 % of the different ones served give .242
of the equal ones past the balanced gates (.227 with the table's weights of before, .625, .1875 and .1875), and the
table's own cosine in the mean takes from it."""

UNKNOWN_WEIGHTS = Weights(base=-0.1, similarity=0.625, coverage=0.1875, length=0.1875)
"""With an embedder that does not tell rewordings from unrelated questions. Its cosine counts only in the mean with
the word table's own, and the base takes off what strangers gain by one that calls everything .75: a precaution,
not measured, which leaves little but nearly equal wordings."""

CosinesOf = Literal["bundled", "measured", "unknown"]
"""Whose cosines a pair is scored on: the bundled embedder's, others laid onto its scale, or others of no scale."""

_LONGEST = 3.0
"""Logarithm of the weight of the words from which on length says nothing more: about 20 words."""
_COMPARED = 40
"""Words of each side that are compared by their letters; the work is quadratic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReading:
    """What a pair was scored on.

    Attributes:
        similarity: cosine, 0 to 1, in those of the bundled embedder; with an embedder whose scale could not be
            measured, its mean with the word table's.
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

    >>> crowd_penalty(0.0), crowd_penalty(0.5)
    (0.0, 0.1)
    """
    return CROWD_SLOPE * max(0.0, crowd)


def read_pair(
    cached: Prepared,
    new: Prepared,
    similarity: float,
    *,
    crowd: float = 0.0,
    crowd_weight: float = 1.0,
    cosines: CosinesOf = "bundled",
) -> PairReading:
    """Score a pair.

    Args:
        cached: the stored question.
        new: the new one.
        similarity: cosine of the embedder; on the bundled one's scale, where it has a scale.
        crowd: mean cosine of the ``CROWD_SIZE`` next nearest stored questions, 0 for each that is not there.
        crowd_weight: how much of ``crowd_penalty`` is taken off.
        cosines: whose ``similarity`` is. Of an embedder without a scale, which may call .7 what has nothing in
            common, the mean with the word table's own cosine is taken.

    >>> from lc_costkit.cache.prepare import prepare
    >>> one, other = prepare("How do I reset my password?"), prepare("How can I change a forgotten password?")
    >>> near, far = read_pair(one, other, 0.8), read_pair(one, other, 0.6)
    >>> near.score > far.score > read_pair(one, other, 0.6, crowd=0.5).score
    True
    """
    if new.script in (LATIN, NONE):
        weights = FOREIGN_WEIGHTS if cosines == "measured" else TABLE_WEIGHTS
        coverage, length, own = _by_table(cached, new)
    else:
        weights = SPELLING_WEIGHTS
        coverage, length = _by_spelling(cached, new), 0.0
        own = coverage
    if cosines == "unknown":
        weights = UNKNOWN_WEIGHTS
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
    laid = align(cached, new)
    left, right = unsaid(laid.only_cached, cached, new), unsaid(laid.only_new, new, cached)
    coverages = []
    for side, against, only in ((one, other, left), (other, one, right)):
        letters = [_letters(token.stem) for token in against]
        stems = {token.stem for token in against}
        found = total = 0.0
        for token in side:
            weight = float(len(token.stem)) if token.content else 0.3
            total += weight
            if token.stem in stems or (token.content and token.stem not in only):
                found += weight
                continue
            mine = _letters(token.stem)
            found += weight * max(2 * len(mine & each) / (len(mine) + len(each)) for each in letters)
        coverages.append(found / total)
    return min(coverages)


@lru_cache(maxsize=8_192)
def _letters(word: str) -> frozenset[str]:
    return frozenset(word) | {word[place : place + 2] for place in range(len(word) - 1)}
