"""Are two words forms of one, by their letters?"""

from __future__ import annotations

from functools import lru_cache

from lc_costkit.cache import lexicon
from lc_costkit.cache.text import words


def spelled_alike(one: str, other: str) -> float:
    """Compare two stems by their letters, 0 to 1: forms of one word score high, other words low.

    >>> spelled_alike("activat", "activation") > .8, spelled_alike("gold", "sold"), spelled_alike("java", "javascript")
    (True, 0.0, 0.0)
    """
    if "가" <= one[:1] <= "힣" and "가" <= other[:1] <= "힣":
        return _spelled_alike_korean(_jamo(one), _jamo(other))
    shorter = min(len(one), len(other))
    shared = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        shared += 1
    if shared == shorter and len(one) != len(other) and not _is_longer_form(*sorted((one, other), key=len)):
        return 0.0
    return shared / shorter if shared >= 3 and shared >= 0.75 * shorter else 0.0


_ENDINGS = words(
    """s es ed ing er est ion ly ely able abl ible ment ement ity e i up out off back ward wards ful ness less
    ish ize iz ise isation ization ation"""
)
_LONG_ENDINGS = words(
    """y al or ally ally ual ual ial ially age ag at ate ous ance anc ence enc ant ent ure ur iv ive ist ism n t nt th
    ee in ian iti ory ative ativ ately atly"""
)
"""Taken for endings of a longer beginning only: "renew" and "renewal", but not "port" and "portal"."""
_LONGEST_ENDINGS = words("ic ical ically")
_AFTER_E = words("d r n rs")
_LONG, _LONGEST = 5, 6
_NO_FORMS = frozenset(
    (one, other)
    for one, other in lexicon.rows(
        """custom customer, contract contractor, import important, import importanc, depart department, apart apartment,
        direct directory, direct director, factor factory, count county, german germany, account accountant, batter
        battery, secret secretary, person personality, nation nationality, with within, with without,
        univers university, post poster, miss mission, pass passion, stat station, sent sentence, organ organize"""
    )
)
"""Words that look like forms of one and are not; by stem."""


@lru_cache(maxsize=8192)
def _is_longer_form(short: str, long: str) -> bool:
    """Say whether a word is the beginning of another with an ending: "cancel" and "cancellation", no "javascript"."""
    rest = long[len(short) :]
    if (short, long) in _NO_FORMS or not (short + long).isascii():
        return not (short + long).isascii()
    known = _ENDINGS | (_LONG_ENDINGS if len(short) >= _LONG else frozenset())
    known |= _LONGEST_ENDINGS if len(short) >= _LONGEST else frozenset()
    if rest in known or (short[-1] == "e" and rest in _AFTER_E):
        return True
    return rest[0] == short[-1] and (rest[1:] in known or (not rest[1:] and len(short) >= _LONG))


@lru_cache(maxsize=8192)
def _jamo(text: str) -> str:
    """Take syllables apart; the silent consonant that opens a syllable says nothing and is left out."""
    made = []
    for letter in text:
        code = ord(letter) - 0xAC00
        if 0 <= code < 11172:
            if code // 588 != 11:
                made.append(chr(0x1100 + code // 588))
            made.append(chr(0x1161 + code % 588 // 28))
            if code % 28:
                made.append(chr(0x11A7 + code % 28))
    return "".join(made)


_AFTER_ONE_SYLLABLE = frozenset(map(_jamo, words("은 는 이 가 을 를 에 의 도 로 만 와 과")))


def _spelled_alike_korean(one: str, other: str) -> float:
    shorter = min(len(one), len(other))
    if shorter < 3 and (one.startswith(other) or other.startswith(one)):
        return float(max(one, other, key=len)[shorter:] in _AFTER_ONE_SYLLABLE)  # "키" and "키는"
    shared = next((place for place in range(shorter) if one[place] != other[place]), shorter)
    return shared / shorter if shared >= 3 and shared >= 0.8 * shorter else 0.0
