"""What is the vector of a text with nothing but what the package ships?

English goes through a token table fitted on a sentence model, every other script
through hashed character n-grams. The two stand side by side in one vector. A Korean word
that the glossary knows goes both ways: the rows of its English gloss say what it means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from lc_costkit.embedding.glossary import Glossary, korean_glossary, korean_words
from lc_costkit.embedding.hashed import HashedText
from lc_costkit.embedding.table import TokenTable, load_table
from lc_costkit.embedding.wordpiece import WordPiece, fold, split_words
from lc_costkit.scripts import KOREAN, LATIN, NONE, letters_of, runs, script_of

IDENTITY = "lc_costkit-static-v2"
"""Changes whenever a text would get another vector."""

MAX_CHARACTERS = 20_000
"""Of a longer text the first and the last half of this are read."""

LATIN_THRESHOLD = 0.4
"""Cosine from which another question is worth a closer look as a rewording. Only a floor: the gates and the
score of the cache decide."""

HASHED_THRESHOLD = 0.1
"""The same outside the table, where cosines run lower."""

GLOSSED_SHARE = 0.6
"""Of a Korean text all of whose words are in the glossary, what the table says; the syllables say the rest. Of .3,
.5 and .7, hand-written Korean rewordings among other questions are ranked at AUC .91, .95 and .96 (without glossary
.78), and 6,888 Korean pairs (songys/Question_pair) at .929, .929 and .925 (without .918)."""

_COVERED_AT = 0.77
"""Share of the syllables in stems of the glossary from which a text counts as covered: endings make up the rest."""

_BATCH = 256
_REMEMBERED_WORDS = 16_384
_INLINE = 32
"""Texts embedded on the event loop itself; a thread would take longer than they do."""
_TABLE_SCRIPTS = (LATIN, NONE)
_NO_ROWS: tuple[int, ...] = ()
_POORLY_COVERED = 3
"""Pieces; a word cut into so many, or an id, is hashed besides."""


class BundledEmbedder:
    """Embeds with the shipped table: no key, no download, no torch; see :class:`Embedder`.

    Deterministic across processes and safe to share between threads. A text without
    anything to read (empty, spaces, lone surrogates) gets a zero row. Costs nothing.
    """

    identity = IDENTITY
    priced_model: str | None = None
    max_characters = MAX_CHARACTERS

    def __init__(self, table: TokenTable, hashed: HashedText, glossary: Glossary) -> None:
        self._table = table
        self._glossary = glossary
        self._pieces = table.pieces
        self._unknown = (table.pieces.unknown_row,)
        self._hashed = hashed
        self._rows_of_gloss = lru_cache(maxsize=_REMEMBERED_WORDS)(self._make_rows_of_gloss)
        self.dimensions = table.dimensions + hashed.dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimensions) rows of length 1, or 0 for what cannot be embedded; never raises for odd text."""
        made = np.zeros((len(texts), self.dimensions), np.float32)
        for first in range(0, len(texts), _BATCH):
            made[first : first + _BATCH] = self._embed_batch(texts[first : first + _BATCH])
        return made

    def threshold(self, text: str) -> float:
        """Return the cosine from which another text is worth a closer look as a rewording of this one."""
        return candidate_threshold(text)

    @property
    def pieces(self) -> WordPiece:
        """What splits words into rows of the table."""
        return self._pieces

    def rows(self, numbers: Sequence[int]) -> NDArray[np.float32]:
        """(numbers, table dimensions) rows of the table, as they enter the sum that a text's vector is made of."""
        return self._table.rows(numbers)

    async def aembed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The same off the event loop where it would take longer than a millisecond or so."""
        if len(texts) <= _INLINE and sum(map(len, texts)) <= MAX_CHARACTERS:
            return self.embed(texts)
        return await asyncio.to_thread(self.embed, texts)

    def _embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        read = [self._read(text) for text in texts]
        covered = self._table.vectors([rows for rows, _, _ in read])
        made = np.zeros((len(texts), self.dimensions), np.float32)
        width = self._table.dimensions
        for number, (_, share, hashed) in enumerate(read):
            if share > 0:
                made[number, :width] = covered[number] * sqrt(share)
            if hashed is not None:
                made[number, width:] = hashed
        return made

    def _read(self, text: str) -> tuple[list[int], float, NDArray[np.float64] | None]:
        """Rows of the table, the table's share of the text, and the hashed part scaled to the rest of the share."""
        text = _readable(text)
        if text.isascii():
            words = [(LATIN, word) for word in split_words(text)]
        else:
            folded = ((script, fold(run) if script == LATIN else run) for script, run in runs(text))
            words = [(script, word) for script, word in folded if word]
        rows: list[int] = []
        uncovered: list[tuple[str, str]] = []
        for script, word in words:
            found = self._pieces.rows(word) if script in _TABLE_SCRIPTS else _NO_ROWS
            if found == self._unknown or not found:
                uncovered.append((script, word))
                continue
            rows.extend(found)
            if len(found) >= _POORLY_COVERED:
                uncovered.append((script, word))
        if not uncovered:
            return rows, 1.0, None
        glossed = self._glossed(text, rows) if any(script == KOREAN for script, _ in uncovered) else 0.0
        hashed = self._hashed.vector(uncovered)
        length = sqrt(hashed @ hashed)
        if length == 0:
            return rows, 1.0, None
        share = _share(words, uncovered, glossed) if rows else 0.0
        return rows, share, hashed * (sqrt(1 - share) / length)

    def _glossed(self, text: str, rows: list[int]) -> float:
        """Add the rows of the glosses of the Korean words, and return the table's share of the Korean text."""
        known = letters = 0
        for word in korean_words(text):
            letters += len(word)
            for stem, row_numbers in self._rows_of_gloss(word):
                known += len(stem)
                rows.extend(row_numbers)
        return GLOSSED_SHARE * min(1.0, known / letters / _COVERED_AT) if letters else 0.0

    def rows_of_korean(self, word: str) -> tuple[int, ...]:
        """Rows of the glosses of one Korean word."""
        return tuple(chain.from_iterable(rows for _, rows in self._rows_of_gloss(word)))

    def _make_rows_of_gloss(self, word: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
        return tuple(
            (stem, tuple(chain.from_iterable(self._pieces.rows(part) for part in split_words(gloss))))
            for stem, gloss in self._glossary.read(word)
        )


def candidate_threshold(text: str) -> float:
    """Return the cosine of this embedder from which another text is worth a closer look as a rewording of this one."""
    return LATIN_THRESHOLD if script_of(text) in _TABLE_SCRIPTS else HASHED_THRESHOLD


@lru_cache(maxsize=1)
def bundled_embedder() -> BundledEmbedder:
    """The embedder shipped with the package; its table is loaded on the first call and shared.

    Raises:
        OSError: the installation is incomplete.

    >>> embedder = bundled_embedder()
    >>> asked, same, other = embedder.embed(["How do I reset my password?", "I forgot my password", "Bake a cake"])
    >>> bool(asked @ same > 0.5 > asked @ other)
    True
    """
    table, rarity = load_table()
    return BundledEmbedder(table, HashedText(rarity), korean_glossary())


def _readable(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    return f"{text[: MAX_CHARACTERS // 2]} {text[-MAX_CHARACTERS // 2 :]}"


def _share(words: Sequence[tuple[str, str]], uncovered: Sequence[tuple[str, str]], glossed: float) -> float:
    """The part of the letters that the table covers; symbols count only where there is nothing else."""
    everything = sum(letters_of(script, word) for script, word in words if word[0].isalnum())
    if everything == 0:
        return 1 - len(uncovered) / len(words)
    missing = sum(
        letters_of(script, word) * (1 - glossed if script == KOREAN else 1)
        for script, word in uncovered
        if word[0].isalnum()
    )
    return max(0.0, 1 - missing / everything)
