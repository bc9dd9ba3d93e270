"""Which two spellings are the same question to the letter, and in which script is a text?

The exact tier serves without asking anything else, so what is folded here must never
change what is asked: numbers, symbols, inner punctuation, line breaks, case inside the
sentence and anything that looks like a payload (code, quotations, labels) stay as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

MAX_NORMALISED_CHARS = 20_000
"""Longer texts are compared as they stand, in characters: Unicode composition is not linear in the worst case."""


def words(text: str) -> frozenset[str]:
    """Read a table of words written as running text."""
    return frozenset(text.split())


_QUESTION_OPENERS = words(
    "what what's whats how how's when when's where where's why who who's whose whom which can could do does did is are"
    " was were will would should may might am has have isn't aren't can't couldn't don't doesn't won't"
)
_REQUEST_OPENERS = words("tell explain show give describe list please help name find compare define")
_FOLDED_OPENERS = _QUESTION_OPENERS | _REQUEST_OPENERS | words("the a an my if in on for to")
_CLOSABLE_OPENERS = _QUESTION_OPENERS | _REQUEST_OPENERS
_ABBREVIATIONS = words("etc inc ltd co corp vs approx dept jr sr st no")
_PAYLOAD = re.compile(r"""["“”„«»‹›‘`{}\[\]<>\\|=_~^*#$@&;:\r\n\v\f\x1c-\x1e\x85\u2028\u2029]|(?<!\w)['’]|['’](?!\w)""")
_KOREAN_QUESTION = re.compile(
    r"언제|어떻게|어떡|무엇|무슨|뭐|뭔|뭘|왜|어디|누구|누가|얼마|몇|어느|어떤|(?:나요|까요?|가요|는지요?|은지요?)$"
)
_SCRIPTS = (
    # first code point after the last one of the range, script; letters between ranges count as "other"
    (0x0041, 0x0250, "latin"),
    (0x0370, 0x0400, "greek"),
    (0x0400, 0x0530, "cyrillic"),
    (0x0530, 0x0590, "armenian"),
    (0x0590, 0x0600, "hebrew"),
    (0x0600, 0x0780, "arabic"),
    (0x0900, 0x0980, "devanagari"),
    (0x0980, 0x0A00, "bengali"),
    (0x0B80, 0x0C00, "tamil"),
    (0x0E00, 0x0E80, "thai"),
    (0x10A0, 0x1100, "georgian"),
    (0x1100, 0x1200, "hangul"),
    (0x1E00, 0x1F00, "latin"),
    (0x1F00, 0x2000, "greek"),
    (0x3040, 0x3100, "kana"),
    (0x3130, 0x3190, "hangul"),
    (0x3400, 0x4DC0, "han"),
    (0x4E00, 0xA000, "han"),
    (0xAC00, 0xD7B0, "hangul"),
    (0xF900, 0xFB00, "han"),
    (0xFF21, 0xFF5B, "latin"),
)
_DENSE = {"hangul": 2, "han": 2, "kana": 2}
"""A syllable or ideograph weighs as much as about two letters."""
_SCRIPT_SAMPLE = 4_000


def normalise(text: str) -> str:
    """Fold what never changes a question: composition, outer space, and in plain sentences a little more.

    A plain sentence (one line, nothing that looks like code, a quotation or a label) also loses
    repeated spaces, the capital of an opening function word, and a closing ``?`` or ``.`` that
    adds nothing. The result is stable: normalising it again changes nothing.

    >>> normalise("What  is my PIN?")
    'what is my PIN'
    >>> normalise("What is C++?"), normalise("Is it -5 or 1.5?")
    ('what is C++?', 'is it -5 or 1.5')
    """
    if len(text) > MAX_NORMALISED_CHARS:
        return text
    text = unicodedata.normalize("NFC", text).strip()
    if _PAYLOAD.search(text):
        return text
    text = _fold_opener(" ".join(text.replace("’", "'").split()))
    return _drop_closing_mark(text)


def _fold_opener(text: str) -> str:
    first, space, rest = text.partition(" ")
    bare = first.rstrip("?")
    # Only "What" becomes "what": "WHO", "IT" and "US" are names.
    if bare[:1].isupper() and bare[1:].islower() and bare.lower() in _FOLDED_OPENERS:
        return first.lower() + space + rest
    return text


def _drop_closing_mark(text: str) -> str:
    if text.endswith(("?", "？")):
        bare = text.rstrip("?？")
        if bare and bare[-1].isalnum() and _asks(bare):
            return bare
    elif text.endswith("."):
        bare = text[:-1]
        last = bare.rpartition(" ")[2]
        opener = bare.partition(" ")[0].lower()
        plain = last.isalpha() and last.islower() and len(last) > 1 and last not in _ABBREVIATIONS
        if plain and opener in _CLOSABLE_OPENERS:
            return bare
    return text


def _asks(text: str) -> bool:
    """Say whether a text is a question without its mark, so that dropping the mark loses nothing."""
    if text.partition(" ")[0].lower() in _QUESTION_OPENERS:
        return True
    return "가" <= text[-1] <= "힣" and _KOREAN_QUESTION.search(text) is not None


def script_of(text: str) -> str:
    """Name the script most of a text is written in; ``none`` without letters, ``other`` for a rare one.

    >>> script_of("How do I pay?"), script_of("VPN 설정 방법"), script_of("2 + 2"), script_of("東京へ")
    ('latin', 'hangul', 'none', 'kana')
    """
    sample = text[:_SCRIPT_SAMPLE]
    if sample.isascii():
        return "latin" if any(map(str.isalpha, sample)) else "none"
    counts: Counter[str] = Counter()
    for letter in filter(str.isalpha, sample):
        script = _script_of_letter(ord(letter))
        counts[script] += _DENSE.get(script, 1)
    if not counts:
        return "none"
    if counts["kana"]:
        counts["kana"] += counts.pop("han", 0)
    return max(counts, key=lambda script: (counts[script], script))


def _script_of_letter(code: int) -> str:
    for first, end, script in _SCRIPTS:
        if code < first:
            break
        if code < end:
            return script
    return "other"
