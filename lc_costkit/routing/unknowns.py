"""Do the numbers that a text finds for its letters solve the equations it wrote down?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from lc_costkit.routing.arithmetic import LONGEST, evaluate

ROUNDING = 0.01
"""How far the sides may be apart, relative to the larger; five times as far where a letter stands for no whole number,
which may have been rounded. Assumptions: no measured answer is near either."""

_LATIN = r"[A-Za-zÀ-ɏ]"
_PIECE = rf"(?:\d++(?:\.\d++)?|(?<!{_LATIN})[A-Za-z](?!{_LATIN})|[-+*/()])"
_LEFT = re.compile(rf"(?:{_PIECE}[ \t]*+)++\Z")
_RIGHT = re.compile(rf"[ \t]*+(?:{_PIECE}[ \t]*+)++")
_HANGUL = re.compile(r"[가-힣]")
_LETTER = re.compile(r"[A-Za-z]")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SENTENCE = re.compile(r"\n|<<|>>|[;:]|,(?!\d)|\.(?!\d)")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_BLOCK = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_BROKEN = frozenset("^_%!²³√")


def unsolved(text: str) -> tuple[str, str] | None:
    """Return the sides of an equation that the text's own solution does not solve; ``None`` if there is none.

    Letters of their own stand for unknowns ("3x + 2(x - 1)"). A letter that is given no number, or two of them, is
    not judged, and neither are powers, code and what cannot be read as numbers, letters and operators.

    >>> unsolved("Then 3R + 5(R + 2) = 4R + 10 = 42, so R = 8.")
    ('3R + 5(R + 2)', '4R + 10')
    >>> unsolved("Then 3R + 5(R + 2) = 8R + 10 = 42, so R = 4.") is None
    True
    """
    sides = list(_equations(_BLOCK.sub(" ", text)))
    found: dict[str, set[str]] = {}
    for left, right in sides:
        if _LETTER.fullmatch(left) and _NUMBER.fullmatch(right):
            found.setdefault(left, set()).add(right)
    known = {letter: next(iter(values)) for letter, values in found.items() if len(values) == 1}
    rounded = any("." in value for value in known.values())
    for left, right in sides:
        if not _LETTER.search(left + right) or _sets_anew(left, right):
            continue
        one, other = _value(left, known), _value(right, known)
        if one is None or other is None:
            continue
        if abs(one - other) > max(abs(one), abs(other)) * ROUNDING * (5 if rounded else 1):
            return left, right
    return None


def _equations(text: str) -> Iterator[tuple[str, str]]:
    text = re.sub(r"[$€£₩¥\\]", "", _GROUPED.sub("", text))
    text = text.replace("×", "*").replace("·", "*").replace("−", "-").replace("÷", "/")
    for sentence in _SENTENCE.split(text):
        for before, after in pairwise(sentence.split("=")):
            left, right = _LEFT.search(before[-LONGEST:]), _RIGHT.match(after[:LONGEST])
            if left is None or right is None or before[-1:] in "<>!" or after[:1] in ("", ">"):
                continue
            ahead, behind = before[-LONGEST:][: left.start()][-1:], after[right.end() :][:1]
            one, other = left.group().strip(), right.group().strip()
            if one[:1] in "+*/)" or (ahead and not ahead.isspace()) or ahead in _BROKEN:
                continue
            joined = behind.isalnum() and not _HANGUL.match(behind) and not right.group()[-1:].isspace()
            if joined or behind in _BROKEN:
                continue
            yield one, other.rstrip("+-*/( ")


def _sets_anew(left: str, right: str) -> bool:
    """Tell whether a letter is given another value from its own: "n = n - 1"."""
    return _LETTER.fullmatch(left) is not None and left in right


def _value(side: str, known: dict[str, str]) -> float | None:
    if not set(_LETTER.findall(side)) <= set(known):
        return None
    written = re.sub(r"(?<=[\dA-Za-z)])[ \t]*(?=[A-Za-z(])", "*", side)
    written = re.sub(r"(?<=[A-Za-z)])[ \t]*(?=\d)", "*", written)
    return evaluate(_LETTER.sub(lambda letter: f"({known[letter.group()]})", written))
