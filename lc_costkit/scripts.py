"""Which writing system is a text in?

Vectors of different scripts are not comparable, so the cache puts the script of a question
into its scope, and the bundled embedder treats each run of one script by itself. Both ask here.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import lru_cache

LATIN = "Latn"
KOREAN = "Kore"
JAPANESE = "Jpan"
HAN = "Hani"
NONE = "Zyyy"
"""ISO 15924 for "common": digits, punctuation and symbols only."""
OTHER = "Zzzz"
"""ISO 15924 for "unknown": letters of a script that is not in the table."""

DENSE = frozenset({KOREAN, JAPANESE, HAN})
"""Scripts in which a character says about as much as two or three letters."""
UNSPACED = frozenset({"Thai", "Laoo", "Khmr", "Mymr", "Tibt"})
"""Alphabets written without spaces between words."""

_SAMPLE = 4_000
"""Characters read to name the script of a text; a document of megabytes is not read to its end."""
_DENSE_CHARACTER = 2.5
"""What one character of a dense script counts for beside one letter, when a text mixes scripts."""

# First code point, last code point, ISO 15924 name; from the Unicode block list, in order.
_BLOCKS = (
    (0x0041, 0x024F, LATIN), (0x0250, 0x02AF, LATIN), (0x0370, 0x03FF, "Grek"), (0x0400, 0x052F, "Cyrl"),
    (0x0530, 0x058F, "Armn"), (0x0590, 0x05FF, "Hebr"), (0x0600, 0x06FF, "Arab"), (0x0700, 0x074F, "Syrc"),
    (0x0750, 0x077F, "Arab"), (0x0780, 0x07BF, "Thaa"), (0x08A0, 0x08FF, "Arab"), (0x0900, 0x097F, "Deva"),
    (0x0980, 0x09FF, "Beng"), (0x0A00, 0x0A7F, "Guru"), (0x0A80, 0x0AFF, "Gujr"), (0x0B00, 0x0B7F, "Orya"),
    (0x0B80, 0x0BFF, "Taml"), (0x0C00, 0x0C7F, "Telu"), (0x0C80, 0x0CFF, "Knda"), (0x0D00, 0x0D7F, "Mlym"),
    (0x0D80, 0x0DFF, "Sinh"), (0x0E00, 0x0E7F, "Thai"), (0x0E80, 0x0EFF, "Laoo"), (0x0F00, 0x0FFF, "Tibt"),
    (0x1000, 0x109F, "Mymr"), (0x10A0, 0x10FF, "Geor"), (0x1100, 0x11FF, KOREAN), (0x1200, 0x139F, "Ethi"),
    (0x13A0, 0x13FF, "Cher"), (0x1780, 0x17FF, "Khmr"), (0x1800, 0x18AF, "Mong"), (0x1C80, 0x1C8F, "Cyrl"),
    (0x1C90, 0x1CBF, "Geor"), (0x1D00, 0x1DBF, LATIN), (0x1E00, 0x1EFF, LATIN), (0x1F00, 0x1FFF, "Grek"),
    (0x2071, 0x209C, LATIN), (0x2C60, 0x2C7F, LATIN), (0x2DE0, 0x2DFF, "Cyrl"), (0x2E80, 0x2FDF, HAN),
    (0x3005, 0x3007, HAN), (0x3040, 0x30FF, JAPANESE), (0x3130, 0x318F, KOREAN), (0x31F0, 0x31FF, JAPANESE),
    (0x3400, 0x9FFF, HAN), (0xA640, 0xA69F, "Cyrl"), (0xA720, 0xA7FF, LATIN), (0xA960, 0xA97F, KOREAN),
    (0xAB30, 0xAB6F, LATIN), (0xAC00, 0xD7FF, KOREAN), (0xF900, 0xFAFF, HAN), (0xFB00, 0xFB06, LATIN),
    (0xFB1D, 0xFB4F, "Hebr"), (0xFB50, 0xFDFF, "Arab"), (0xFE70, 0xFEFF, "Arab"), (0xFF21, 0xFF5A, LATIN),
    (0xFF66, 0xFF9F, JAPANESE), (0xFFA0, 0xFFDC, KOREAN), (0x20000, 0x3FFFF, HAN),
)  # fmt: skip
_FIRST = [first for first, _, _ in _BLOCKS]


@lru_cache(maxsize=8192)
def script_of_character(character: str) -> str:
    """ISO 15924 name of the script of one letter; ``Zyyy`` for digits, marks, symbols and spaces.

    >>> [script_of_character(character) for character in "aж한の漢1"]
    ['Latn', 'Cyrl', 'Kore', 'Jpan', 'Hani', 'Zyyy']
    """
    if not character.isalpha():
        return NONE
    code = ord(character)
    place = bisect_right(_FIRST, code) - 1
    if place >= 0 and code <= _BLOCKS[place][1]:
        return _BLOCKS[place][2]
    return OTHER


def script_of(text: str) -> str:
    """The script that most of a text (its first 4,000 characters) is written in, as an ISO 15924 name; never raises.

    A Korean sentence that names an English product is Korean: a syllable or an
    ideograph counts for 2.5 letters. Ideographs beside kana are Japanese. ``Zyyy``
    stands for a text without letters, ``Zzzz`` for letters of no listed script.

    >>> script_of("How do I reset it?"), script_of("Galaxy S24 배송 언제 와요?"), script_of("42 + 1")
    ('Latn', 'Kore', 'Zyyy')
    """
    text = text[:_SAMPLE]
    if text.isascii():
        return LATIN if any(map(str.isalpha, text)) else NONE
    weights = script_weights(text)
    return max(weights, key=lambda script: (weights[script], script != LATIN)) if weights else NONE


def script_weights(text: str) -> dict[str, float]:
    """How much of a text each script makes up, in letters; empty for a text without letters."""
    counts: dict[str, float] = {}
    for character in text:
        script = script_of_character(character)
        if script != NONE:
            counts[script] = counts.get(script, 0.0) + (_DENSE_CHARACTER if script in DENSE else 1.0)
    if JAPANESE in counts and HAN in counts:
        counts[JAPANESE] += counts.pop(HAN)
    return counts


def letters_of(script: str, run: str) -> float:
    """How many letters a run of one script counts for."""
    return len(run) * (_DENSE_CHARACTER if script in DENSE else 1.0)


def runs(text: str) -> list[tuple[str, str]]:
    """Split into ``(script, run)``: words of letters and digits, single symbols, dense scripts without their spaces.

    Digits stand with the Latin words. Composes and lower-cases first (NFKC), so that full-width and
    decomposed forms equal the usual ones.

    >>> runs("S24은 언제?")
    [('Latn', 's24'), ('Kore', '은언제'), ('Zyyy', '?')]
    """
    normal = unicodedata.normalize("NFKC", text).lower()
    japanese = any(script_of_character(character) == JAPANESE for character in normal)
    found: list[tuple[str, str]] = []
    current, letters, spaced = "", "", False
    for character in normal:
        script = _role(character, current, japanese=japanese)
        if script == "":
            spaced = True
            continue
        if script == current and script != NONE and (not spaced or script in DENSE):
            letters += character
        else:
            if letters:
                found.append((current, letters))
            current, letters = script, character
        spaced = False
    if letters:
        found.append((current, letters))
    return found


def _role(character: str, current: str, *, japanese: bool) -> str:
    """Script of a character inside its text; empty for what only separates."""
    script = script_of_character(character)
    if script == HAN and japanese:
        return JAPANESE
    if script != NONE:
        return script
    category = unicodedata.category(character)
    if category[0] == "M" or character == "ー":
        return current or NONE
    if category[0] == "N":
        return LATIN
    return "" if category[0] in "ZC" else NONE
