"""What in a question hints at how much it asks of a model?

A signal reads a text and answers how strongly a rule's evidence is there, 0 to 1. More of the
same evidence never gives a smaller answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from lc_costkit.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Finding:
    """How strongly a rule's evidence is there, 0 to 1, and what was found, in the rule's own words."""

    strength: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of a rule table.

    Attributes:
        name: what the evidence is called in a decision's reasons.
        signal: reads the text.
        weight: what full strength adds to the log-odds of needing a stronger target; negative
            for evidence that a question is simple.
        enough: how much evidence is full strength; the unit is the signal's.
        english: words or phrases, matched as a whole, any case; ``*`` stands for any word ending.
        korean: word stems, matched wherever they stand (Korean words carry endings and particles).

    Raises:
        ConfigurationError: ``enough`` is not positive, or the weight is not finite.
    """

    name: str
    signal: Signal
    weight: float
    enough: float = 1.0
    english: tuple[str, ...] = ()
    korean: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.enough > 0 or not math.isfinite(self.enough):
            raise ConfigurationError(f"rule {self.name!r}: enough must be a positive number, not {self.enough!r}")
        if not math.isfinite(self.weight):
            raise ConfigurationError(f"rule {self.name!r}: weight must be a finite number, not {self.weight!r}")

    def read(self, text: str) -> Finding:
        """Look for this rule's evidence in ``text``."""
        return self.signal(text, self)


Signal = Callable[[str, Rule], Finding]

SHORTEST = 20.0
"""A text of so many Latin letters or fewer has length 0."""

HANGUL_LETTERS = 2.2
KANA_LETTERS = 2.2
HAN_LETTERS = 3.3
"""Latin letters that say as much as one character of the script. Han: the 300 English and Chinese
questions of XQuAD, 61.2 and 18.6 characters. Hangul: the parallel questions in the tests; kana follows it."""

_HANGUL = re.compile(r"[\uac00-\ud7a3]+")
_KANA = re.compile(r"[\u3040-\u30ff]+")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_CLAUSE = re.compile(r"[,;:，、；：·]|\s[-–—]\s")
_ITEM = re.compile(r"(?m)^[ \t]*(?:[-*•]|\(?(?:\d{1,2}|[ivxIVX]{1,4}|[a-z가-하①-⑳])[.)])[ \t]+\S|^[ \t]*\|.*\|[ \t]*$")
_JSON = re.compile(r"\{\s*[\"']?\w+[\"']?\s*:|\[\s*[{\"\d]|</\w+>")
_CODE = re.compile(
    r"```|~~~"
    r"|Traceback \(most recent call last\)|^[ \t]+at [\w.$<>]+\(.*\)|^[ \t]*File \"[^\"]+\", line \d+"
    r"|\b\w*[a-z](?:Error|Exception)\b"
    r"|^[ \t]*(?:def|class|import|from|function|const|let|var|public|private|static|void|return|#include)\b.*[(:;{]"
    r"|^[ \t]*(?:SELECT|INSERT|UPDATE|DELETE|CREATE)\b.+\b(?:FROM|INTO|SET|TABLE)\b"
    r"|^.*[=()].*[;{}][ \t]*$|^[ \t]*[{}][ \t]*$|=>|::|!=|==|&&|\|\||\b\w{3,}\(\)|\b[a-z]{2,}_[a-z]{2,}\b",
    re.MULTILINE,
)
_FORMULA = re.compile(r"[=<>≤≥≠±×÷√∑∏∫∂∞∈∀∃→]|\\[a-zA-Z]+|\w\s?\^\s?\w|(?<=[\d)\w])\s?[*/+]\s?(?=[\d(\w])")


def letters(text: str) -> float:
    """Length of a text in Latin letters, whatever its script.

    >>> letters("How do I reset my password?")
    27.0
    >>> round(letters("비밀번호를 어떻게 재설정하나요?"), 1)
    33.8
    """
    size = float(len(text))
    if text.isascii():
        return size
    for script, worth in ((_HANGUL, HANGUL_LETTERS), (_KANA, KANA_LETTERS), (_HAN, HAN_LETTERS)):
        size += (worth - 1.0) * sum(map(len, script.findall(text)))
    return size


def length(text: str, rule: Rule) -> Finding:
    """Length on a log scale, from ``SHORTEST`` to ``rule.enough`` Latin letters (``letters``; all characters count)."""
    if rule.enough <= SHORTEST:
        raise ConfigurationError(f"rule {rule.name!r}: enough must be over {SHORTEST:.0f} letters, not {rule.enough!r}")
    size = letters(text)
    strength = math.log(max(size, SHORTEST) / SHORTEST) / math.log(rule.enough / SHORTEST)
    worth = "" if size == len(text) else f", worth {size:.0f} Latin letters"
    return Finding(min(1.0, strength), f"{len(text)} characters{worth}")


def words(text: str, rule: Rule) -> Finding:
    """Different words of the rule's lists; ``rule.enough`` of them are full strength."""
    pattern = _pattern(rule.english, rule.korean)
    found = dict.fromkeys(match.casefold() for match in pattern.findall(text)) if pattern else {}
    # By the rule's own entry: what follows a stem is the user's text, and may be anything.
    entries = dict.fromkeys(_entry(word, rule.english) for word in list(found)[:4])
    return Finding(_saturating(len(found), rule.enough), ", ".join(entries))


def _entry(word: str, english: tuple[str, ...]) -> str:
    stems = (entry for entry in english if entry.endswith("*") and word.startswith(entry[:-1].casefold()))
    return word if word in english else next(stems, word)


def clauses(text: str, rule: Rule) -> Finding:
    """Parts of a sentence, by the punctuation between them."""
    return _counted(len(_CLAUSE.findall(text)), rule.enough, "separators")


def structure(text: str, rule: Rule) -> Finding:
    """List items, table rows, JSON and markup."""
    return _counted(len(_ITEM.findall(text)) + len(_JSON.findall(text)), rule.enough, "items or fields")


def questions(text: str, rule: Rule) -> Finding:
    """Questions beyond the first."""
    return _counted(max(0, len(re.findall(r"[?？](?:\s|$)", text)) - 1), rule.enough, "more questions")


def code(text: str, rule: Rule) -> Finding:
    """Program text: fences, stack traces, declarations, operators, identifiers."""
    return _counted(len(_CODE.findall(text)), rule.enough, "pieces of code")


def formulas(text: str, rule: Rule) -> Finding:
    """Mathematical operators and commands."""
    return _counted(len(_FORMULA.findall(text)), rule.enough, "operators")


def _counted(count: int, enough: float, what: str) -> Finding:
    return Finding(_saturating(count, enough), f"{count} {what}" if count else "")


def _saturating(count: int, enough: float) -> float:
    """From 0 to 1 on a log scale: the first piece of evidence counts most."""
    return min(1.0, math.log1p(count) / math.log1p(enough))


@lru_cache(maxsize=256)
def _pattern(english: tuple[str, ...], korean: tuple[str, ...]) -> re.Pattern[str] | None:
    whole = [re.escape(word).replace(r"\*", r"\w*").replace(r"\ ", r"\s+") for word in english]
    parts = [rf"\b(?:{'|'.join(whole)})\b"] if whole else []
    parts += [re.escape(stem).replace(r"\ ", r"\s*") for stem in sorted(korean, key=len, reverse=True)]
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None
