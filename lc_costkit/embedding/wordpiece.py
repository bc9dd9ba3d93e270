"""Which entries of the token table does a text consist of?

Greedy longest-match WordPiece over an uncased vocabulary, in pure Python. Words
are looked up once and remembered, so a word seen before costs one dictionary read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import islice

UNKNOWN = "[UNK]"
_CONTINUATION = "##"
_LONGEST_WORD = 64
"""Characters; a longer run without a space is an id or encoded data, not a word."""
_REMEMBERED_WORDS = 50_000

# One run of letters and digits, or one other visible character.
_PARTS = re.compile(r"[^\W_]+|[^\w\s\x00-\x1f\x7f]|_")


def split_words(text: str) -> list[str]:
    """Split into lower-case words and single punctuation marks, accents removed.

    >>> split_words("Where's my Café order #12?")
    ['where', "'", 's', 'my', 'cafe', 'order', '#', '12', '?']
    """
    return _PARTS.findall(fold(text))


def fold(text: str) -> str:
    """Lower-case and strip accents, as the uncased vocabulary expects.

    >>> fold("ÜBER")
    'uber'
    """
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


class WordPiece:
    """Turns words into rows of the token table; safe to share between threads.

    Args:
        tokens: the vocabulary in row order; continuations start with ``##``.

    >>> pieces = WordPiece(["[UNK]", "un", "##able", "able"])
    >>> pieces.rows("unable"), pieces.rows("xyz")
    ((1, 2), (0,))
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._starts: dict[str, int] = {}
        self._continuations: dict[str, int] = {}
        for row, token in enumerate(tokens):
            if token.startswith(_CONTINUATION) and len(token) > len(_CONTINUATION):
                self._continuations[token[len(_CONTINUATION) :]] = row
            else:
                self._starts[token] = row
        self._unknown = (self._starts[UNKNOWN],)
        self._longest_start = max(map(len, self._starts))
        self._longest_continuation = max(map(len, self._continuations), default=0)
        self._remembered: dict[str, tuple[int, ...]] = {}

    def rows(self, word: str) -> tuple[int, ...]:
        """Rows of one word as :func:`split_words` gives it; ``[UNK]`` alone if no split covers it."""
        known = self._remembered.get(word)
        if known is not None:
            return known
        found = self._split(word)
        if len(self._remembered) >= _REMEMBERED_WORDS:
            self._forget_oldest()
        self._remembered[word] = found
        return found

    @property
    def unknown_row(self) -> int:
        """The row of ``[UNK]``."""
        return self._unknown[0]

    def _split(self, word: str) -> tuple[int, ...]:
        if not word or len(word) > _LONGEST_WORD:
            return self._unknown
        rows: list[int] = []
        start, vocabulary, longest = 0, self._starts, self._longest_start
        while start < len(word):
            row, end = _longest_match(vocabulary, word, start, longest)
            if row is None:
                return self._unknown
            rows.append(row)
            start, vocabulary, longest = end, self._continuations, self._longest_continuation
        return tuple(rows)

    def _forget_oldest(self) -> None:
        # Other threads may be writing: take what list() can copy and forget a tenth.
        for word in list(islice(tuple(self._remembered), _REMEMBERED_WORDS // 10)):
            self._remembered.pop(word, None)


def _longest_match(vocabulary: Mapping[str, int], word: str, start: int, longest: int) -> tuple[int | None, int]:
    for end in range(min(len(word), start + longest), start, -1):
        row = vocabulary.get(word[start:end])
        if row is not None:
            return row, end
    return None, start
