"""Which English words say what a Korean word says?

There is no Korean table: the rows of the English gloss stand for a Korean word, so that
words of one meaning ("해지", "취소") get one vector although they share no syllable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

_WORD = re.compile(r"[가-힣]+")
_FIRST_SYLLABLE = 0xAC00
_FINALS = 28
# Finals that an ending puts under the last syllable of a stem: ㄴ, ㄹ, ㅁ, ㅂ, ㅆ.
_OF_ENDINGS = frozenset({4, 8, 16, 17, 20})
_ALONE = 3
"""Syllables that may follow a stem of one syllable; in a longer word it is more likely a part of another one."""
_REMEMBERED = 16_384


class Glossary:
    """Finds stems in Korean words; safe to share between threads.

    Args:
        lines: ``stem|stem<TAB>gloss``.

    >>> glossary = Glossary(["바꾸|변경\\tchange", "계좌\\taccount"])
    >>> glossary.read("변경하려면"), glossary.read("바꿀까요"), glossary.read("계좌변경")
    ((('변경', 'change'),), (('바꾸', 'change'),), (('계좌', 'account'), ('변경', 'change')))
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._glosses: dict[str, str] = {}
        for line in lines:
            stems, _, gloss = line.partition("\t")
            for stem in stems.split("|") if gloss else ():
                self._glosses.setdefault(stem, gloss)
        self._longest = max(map(len, self._glosses), default=0)
        self.read = lru_cache(maxsize=_REMEMBERED)(self._read)

    def _read(self, word: str) -> tuple[tuple[str, str], ...]:
        """Cut a word into (stem, gloss), longest stems first; what lies between them is left out."""
        found: list[tuple[str, str]] = []
        place = 0
        while place < len(word):
            stem, length = self._stem_at(word, place)
            if stem is not None:
                found.append((stem, self._glosses[stem]))
            place += length
        return tuple(found)

    def _stem_at(self, word: str, place: int) -> tuple[str | None, int]:
        left = len(word) - place
        for length in range(min(self._longest, left), 1, -1):
            piece = word[place : place + length]
            if piece in self._glosses:
                return piece, length
            bare = _without_final(piece)
            if bare is not None and bare in self._glosses:
                return bare, length
        if place == 0 and left <= _ALONE + 1:
            piece = word[place]
            bare = _without_final(piece) if left > 1 else None
            for stem in (piece, bare):
                if stem is not None and stem in self._glosses:
                    return stem, 1
        return None, 1


def _without_final(piece: str) -> str | None:
    number = ord(piece[-1]) - _FIRST_SYLLABLE
    if number % _FINALS not in _OF_ENDINGS:
        return None
    return piece[:-1] + chr(_FIRST_SYLLABLE + number - number % _FINALS)


def korean_words(text: str) -> list[str]:
    """Return the Hangul words of a text, in order."""
    return _WORD.findall(text)


@lru_cache(maxsize=1)
def korean_glossary() -> Glossary:
    """The glossary shipped with the package; read on the first call and shared.

    Raises:
        OSError: the installation is incomplete.
    """
    return Glossary((files("lc_costkit.embedding") / "data" / "korean_glossary.txt").read_text("utf-8").splitlines())
