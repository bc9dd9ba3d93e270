"""What is the vector of text that the English table does not cover?

Character n-grams hashed into a few dozen signed buckets. Each script has its own
hash, so that equal shapes of two scripts do not meet. Nothing is learned but how
common Korean syllables are; elsewhere shape stands in for rarity.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lc_costkit.scripts import DENSE, HAN, JAPANESE, KOREAN, UNSPACED

HASHED_DIMENSIONS = 128
"""Korean question pairs (songys/Question_pair) are ranked at AUC .92 with 128, .93 with 256 to 512."""

# Grammar rather than matter: the commonest function characters of written Chinese, and kana that make endings.
_HAN_GRAMMAR = frozenset("的了是在不吗呢和与及或我你他她它们这那个么什怎有会能可以要就都也还很吧啊请把被给到从对于之其")
_GRAMMAR_WEIGHT = 0.35
_HIRAGANA = range(0x3041, 0x30A0)
_KANA_WEIGHT = 0.5
_PAIR_WEIGHT = 0.9
"""Of two neighbouring characters of Chinese or Japanese beside a single one; a guess, not fitted."""
_LONGEST_WORD = 64
"""Characters; a longer run is encoded data, of which only equality is kept."""


class HashedText:
    """Signed hashed character n-grams; safe to share between threads.

    Args:
        korean_rarity: one byte for each hash of a Korean syllable or pair, 255 = never met.
        dimensions: how many buckets.
    """

    def __init__(self, korean_rarity: NDArray[np.uint8], *, dimensions: int = HASHED_DIMENSIONS) -> None:
        self.dimensions = dimensions
        self._korean_rarity = korean_rarity
        self._place = lru_cache(maxsize=65_536)(self._make_place)

    def vector(self, runs: Iterable[tuple[str, str]]) -> NDArray[np.float64]:
        """Sum over ``(script, run)``; not normalised, all zero for no runs."""
        counts: dict[tuple[str, str], int] = {}
        for script, run in runs:
            for feature in features_of(script, run):
                key = (script, feature)
                counts[key] = counts.get(key, 0) + 1
        if not counts:
            return np.zeros(self.dimensions)
        places, weights = zip(*[self._place(*key) for key in counts], strict=True)
        many = np.sqrt(np.fromiter(counts.values(), np.float64, len(counts)))
        return np.asarray(np.bincount(places, many * weights, self.dimensions), dtype=np.float64)

    def _make_place(self, script: str, feature: str) -> tuple[int, float]:
        """Which bucket a feature goes to, and with which sign and weight."""
        number = hash_of(script, feature)
        weight = self._weight(script, feature, number)
        return (number >> 1) % self.dimensions, weight if number & 1 else -weight

    def _weight(self, script: str, feature: str, number: int) -> float:
        if script == KOREAN:
            return float(self._korean_rarity[rarity_bucket(number, len(self._korean_rarity))]) / 255
        if script in (HAN, JAPANESE):
            own = min(map(_shape_weight, feature))
            return own * (_PAIR_WEIGHT if len(feature) == 2 else 1.0)
        if script in UNSPACED:
            return 1.0
        # A whole word is marked by its ends; short words are mostly grammar.
        if feature[0] == "<" and feature[-1] == ">":
            return min(1.0, (len(feature) - 2) / 6) * 1.5
        return 0.5


def hash_of(script: str, feature: str) -> int:
    """A number that is the same in every process; ``hash()`` is not.

    >>> hash_of("Kore", "한") == hash_of("Hani", "한")
    False
    """
    return zlib.crc32(feature.encode("utf-8", "surrogatepass"), zlib.crc32(script.encode("ascii")))


def rarity_bucket(number: int, buckets: int) -> int:
    """Where the rarity of a feature stands; bits apart from those that choose its dimension.

    >>> rarity_bucket(0xFFFF0000, 32768)
    32767
    """
    return (number >> 16) % buckets


def features_of(script: str, run: str) -> tuple[str, ...]:
    """Cut a run of one script into the pieces that are hashed: characters and pairs, triples, or a word's n-grams."""
    if script in DENSE:
        return (*run, *(run[place : place + 2] for place in range(len(run) - 1)))
    if script in UNSPACED:
        return tuple(run[place : place + 3] for place in range(max(1, len(run) - 2)))
    if len(run) > _LONGEST_WORD:
        return (f"<{zlib.crc32(run.encode('utf-8', 'surrogatepass')):x}>",)
    return _word_features(run)


@lru_cache(maxsize=16_384)
def _word_features(word: str) -> tuple[str, ...]:
    marked = f"<{word}>"
    if len(word) < 4:
        return (marked,)
    return (marked, *(marked[place : place + 3] for place in range(len(marked) - 2)))


@lru_cache(maxsize=16_384)
def _shape_weight(character: str) -> float:
    if character in _HAN_GRAMMAR:
        return _GRAMMAR_WEIGHT
    return _KANA_WEIGHT if ord(character) in _HIRAGANA else 1.0
