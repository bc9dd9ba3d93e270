"""What do the forms of one word share?"""

from __future__ import annotations

from functools import lru_cache

from lc_costkit.cache import lexicon, lexicon_ko, lexicon_ko_pairs
from lc_costkit.cache.text import words

_KOREAN_ENDINGS = frozenset(lexicon_ko.PARTICLES + lexicon_ko.ENDINGS)
_SHORT_PARTICLES = words("은 는 이 가 을 를 에 의 도 로 만 와 과")
_LONGEST_ENDING = max(map(len, _KOREAN_ENDINGS))
_KOREAN_WHOLE = lexicon_ko.WHOLE
_ONE_SYLLABLE = frozenset(word for row in lexicon.rows(lexicon_ko_pairs.OPPOSITES) for word in row if len(word) == 1)
"""Verbs and adjectives so short that an ending would not be taken off them otherwise."""


_IRREGULAR = {form: base for base, *forms in lexicon.rows(lexicon.IRREGULAR) for form in forms}


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Cut a lower-case word to what its forms share: "waived", "waiving" and "waives" are one.

    >>> stem("waived") == stem("waiving") == stem("waives") == stem("waive")
    True
    >>> stem("bought") == stem("buys"), stem("care") == stem("car")
    (True, False)
    >>> stem("policies") == stem("policy"), stem("business"), stem("status")
    (True, 'business', 'status')
    """
    if not word.isascii():
        return _korean_stem(word) if "가" <= word[:1] <= "힣" else word
    if len(word) <= 3:
        return word
    word = _IRREGULAR.get(word, word)
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "xes", "ches", "shes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        rest = word[: -len(ending)]
        if word.endswith(ending) and len(rest) >= 3 and any(letter in "aeiouy" for letter in rest):
            word = rest
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                return word[:-1]
            if word in lexicon.WITHOUT_E:
                return word + "e"
            break
    if len(word) > 3 and word.endswith("e") and word[:-1] not in lexicon.WITHOUT_E:
        return word[:-1]
    return word


def _korean_stem(word: str) -> str:
    """Take particles and endings off, at most three deep: "돌려주실래요" is "돌려", "해지하려면" is "해지"."""
    if word in _KOREAN_WHOLE:
        return word
    for _ in range(3):
        rest = _without_ending(word)
        if rest == word:
            break
        word = rest
        if word in _KOREAN_WHOLE:
            break
    return _uncontracted(word)


def _without_ending(word: str) -> str:
    for length in range(min(len(word) - 1, _LONGEST_ENDING), 0, -1):
        if word[-length:] in _KOREAN_ENDINGS:
            rest = word[:-length]
            if (
                len(rest) > 1
                or length > 1
                or rest in _ONE_SYLLABLE
                or (word[-1] in _SHORT_PARTICLES and rest in lexicon_ko.SHORT_NOUNS)
            ):
                return rest
    return word


_HANGUL = 0xAC00
_OPEN_FORM = {14: 13, 6: 20, 9: 8}
"""Vowels of contracted verbs and what they stand for: 바꿔 is 바꾸, 올려 is 올리, 봐 is 보."""


def _uncontracted(word: str) -> str:
    """Open the last syllable of a contracted verb: "바꿔" and "바꿨" are "바꾸", as in "바꾸려면"."""
    code = ord(word[-1]) - _HANGUL
    if len(word) < 2 or not 0 <= code < 11172 or code % 28 not in (0, 20):
        return word
    vowel = _OPEN_FORM.get(code % 588 // 28)
    return word if vowel is None else word[:-1] + chr(_HANGUL + code // 588 * 588 + vowel * 28)


def stems(table: str) -> frozenset[str]:
    """Read a table of words as stems."""
    return frozenset(stem(word) for word in table.split())
