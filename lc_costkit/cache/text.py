"""Which two spellings are the same question to the letter?

The exact tier serves without asking anything else, so what is folded here must never
change what is asked: numbers, symbols, inner punctuation, line breaks, case inside the
sentence and anything that looks like a payload (code, quotations, labels) stay as they are.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

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


def question_hash(question: str) -> str:
    """Return the digest under which a question is found, whoever spelt it."""
    return hashlib.sha256(normalise(question).encode("utf-8", "surrogatepass")).hexdigest()


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
