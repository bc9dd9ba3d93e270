"""What in a prompt do the learned models look at?

Its words, pairs of words and runs of three and four characters, hashed into signed buckets, and a
few plain measures of its surface, with the log-odds of the rules among them. Nothing in here is
learned, so a model that was saved reads prompts the same way for as long as ``FEATURE_VERSION`` stands.
"""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lc_costkit.routing.rules import Rules

FEATURE_VERSION = 1
"""Changes whenever a prompt would get other features: weights fit one version."""

BUCKETS = 2048
"""Of hashed n-grams. 4,096 and 8,192 ranked no better on MMLU, GSM8K and fourteen other tasks (within 0.004 APGR)."""

MOST_TEXT = 8_000
"""Characters of a prompt that are read: its first and last halves. Length counts all of it."""

SURFACE_SCALE = 0.2
RULES_SCALE = 1.5
"""Standard deviations of the measures, beside n-grams of length 1 for each kind: the larger, the less a measure is
shrunk. Out of 0.1 to 0.35 and 0.5 to 3, tried on one half of MMLU, of GSM8K and of fourteen other tasks: a plateau but
for GSM8K, which loses 0.04 APGR from 200 labels where the rules count less. The rules' weights were set with that
file in view, so unseen traffic may gain less from them."""

FARTHEST = 4.0
"""Standard deviations from the mean beyond which a measure says no more."""

SURFACE = (
    "kilocharacters", "log characters", "log words", "word length", "digits", "log numbers", "capitalised words",
    "log lines", "question marks", "not ASCII", "punctuation", "log digits of the longest number",
    "different words", "log line length", "rules",
)  # fmt: skip

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SPREAD = np.uint64(0xD6E8FEB86659FD93)
_KINDS = ((np.uint64(11), 1.0), (np.uint64(23), 0.7), (np.uint64(37), 1.0), (np.uint64(41), 1.0))
"""Salt and length of each kind: words, pairs of words, three characters, four."""


@dataclass(frozen=True, slots=True)
class Features:
    """One prompt as numbers.

    Attributes:
        buckets: places of its n-grams, 0 to ``BUCKETS``; a place may come twice.
        values: signed weight of each; each kind of n-gram has a fixed length.
        surface: the measures named in ``SURFACE``, unscaled.
    """

    buckets: NDArray[np.int64]
    values: NDArray[np.float64]
    surface: NDArray[np.float64]


@lru_cache(maxsize=1)
def _rules() -> Rules:
    return Rules()


def read_features(text: str) -> Features:
    """Read one prompt, in any script; an empty one has no n-grams."""
    buckets, values = [], []
    for (salt, length), hashes in zip(_KINDS, _ngrams(text), strict=True):
        if len(hashes):
            mixed = (np.unique(hashes) ^ salt) * _SPREAD
            buckets.append(((mixed >> np.uint64(20)) % np.uint64(BUCKETS)).astype(np.int64))
            sign = np.where(mixed >> np.uint64(63), 1.0, -1.0)
            values.append(sign * (length / math.sqrt(len(sign))))
    if not buckets:
        return Features(np.zeros(0, np.int64), np.zeros(0), _surface(text))
    return Features(np.concatenate(buckets), np.concatenate(values), _surface(text))


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the measures of ``Features.surface`` are centred and scaled, as found in the prompts of a fit."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, features: Sequence[Features]) -> Scaling:
        """Return the scaling that centres these."""
        surface = np.array([each.surface for each in features])
        return cls(surface.mean(axis=0), surface.std(axis=0) + 1e-6)

    def apply(self, surface: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scaled measures of one prompt or of many."""
        scaled: NDArray[np.float64] = np.clip((surface - self.mean) / self.deviation, -FARTHEST, FARTHEST) * _SCALES
        return scaled


_SCALES = np.array([SURFACE_SCALE] * (len(SURFACE) - 1) + [RULES_SCALE])


def matrix(features: Sequence[Features], scaling: Scaling) -> NDArray[np.float32]:
    """Return one row for each prompt: buckets, then scaled measures."""
    rows = np.zeros((len(features), BUCKETS + len(SURFACE)), np.float32)
    for row, each in zip(rows, features, strict=True):
        row[:BUCKETS] = np.bincount(each.buckets, each.values, BUCKETS)
        row[BUCKETS:] = scaling.apply(each.surface)
    return rows


def _ngrams(text: str) -> tuple[NDArray[np.uint64], ...]:
    read = _ends(text).casefold()
    if not read.isascii():
        # Hangul falls into its letters, so that three and four of them are a syllable or two.
        read = unicodedata.normalize("NFKD", read)
    found = _WORD.findall(read)
    words = np.fromiter((zlib.crc32(_bytes(word)) for word in found), np.uint64, len(found))
    codes = np.frombuffer(f" {' '.join(read.split())} ".encode("utf-32-le", "surrogatepass"), np.uint32)
    characters = codes.astype(np.uint64)
    threes = (characters[:-2] * _MIX + characters[1:-1]) * _MIX + characters[2:]
    return words, words[:-1] * _MIX + words[1:], threes, threes[:-1] * _MIX + characters[3:]


def _ends(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT // 2]}\n{text[-MOST_TEXT // 2 :]}"


def _surface(whole: str) -> NDArray[np.float64]:
    text = _ends(whole)
    size = max(1, len(text))
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    words = _WORD.findall(text)
    many = max(1, len(words))
    numbers = _NUMBER.findall(text)
    lines = text.count("\n")
    score = _rules().score(whole)
    return np.array(
        [
            len(whole) / 1000,
            math.log1p(len(whole)),
            math.log1p(len(words)),
            sum(map(len, words)) / many,
            np.count_nonzero((codes >= 48) & (codes <= 57)) / size,
            math.log1p(len(numbers)),
            sum(word[0].isupper() for word in words) / many,
            math.log1p(lines),
            text.count("?") + text.count("？"),
            np.count_nonzero(codes > 127) / size,
            np.count_nonzero(_punctuation(codes)) / size,
            math.log1p(max(map(len, numbers), default=0)),
            len(set(words)) / many,
            math.log1p(len(text) / (1 + lines)),
            math.log(max(score, 1e-9) / max(1 - score, 1e-9)),
        ]
    )


def _punctuation(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Tell ASCII punctuation: what is printed and neither a letter, a digit nor a space."""
    letter = ((codes | 32) >= 97) & ((codes | 32) <= 122)
    digit = (codes >= 48) & (codes <= 57)
    return (codes > 32) & (codes < 127) & ~letter & ~digit


def _bytes(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")
