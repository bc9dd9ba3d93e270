"""Which calculations does a text write down, and do they come out?"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise

from lc_costkit.routing.units import of_different_size

LONGEST = 160
"""Characters of one side of an equation; a longer one is no calculation written by hand."""

MOST = 1_000
"""Equations that are looked for, give or take a line: an answer with more of them is made to waste time."""

ROUNDING = 0.005
"""How far a result may be off, relative to itself, beyond the rounding that its decimals show."""

_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_CURRENCY = re.compile(r"[$€£₩¥\\]|(?<=\d)\s*(?:원|달러)")
_TIMES = re.compile(r"(?<=[\d)\s])[xX×·∗](?=\s*[\d(.])")
_PERCENT_OF = re.compile(r"%\s*of\s")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_UNIT = re.compile(
    r"(?<=[\d)])(?:\s+[^\W\d_][\w-]*(?:\s[^\W\d_][\w-]*){0,2}(?:/[^\W\d_]+)?|/[^\W\d_]{2,})(?=\s*(?:[-+*/()=]|$))"
)
_KOREAN_UNIT = re.compile(r"(?<=\d)[가-힣]{1,4}(?=\s*(?:[-+*/()=]|$))")
_LEFT = re.compile(r"[\d.+\-*/() \t]+$")
_RIGHT = re.compile(r"^[ \t]*[-+]?[\d.(][\d.+\-*/() \t]*")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,3}[.)])\s+")
_BOLD = re.compile(r"(?:^|(?<=[^\d)\s])|(?<=[^\d)\s]\s))\*\*|\*\*(?=\s*(?:[^\d(\s]|$))")
_LATEX = (
    (re.compile(r"\\(?:times|cdot|ast)\b"), "*"),
    (re.compile(r"\\div\b"), "/"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\approx\b"), "≈"),
    (re.compile(r"\\[dt]?frac\{([\d.,]+)\}\{([\d.,]+)\}"), r"(\1/\2)"),
    (re.compile(r"\\(?:text|mathrm|textbf)\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\(?:left|right|quad|qquad)\b|\\[()\[\],;:! ]|&"), " "),
)
"""How formulas write what is calculated here; others keep their letters, and are not read."""
_DATE_OR_TIME = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}:\d{2}(?::\d{2})?")
_MORE = re.compile(
    r"[\^_²³¼½¾]|[,:'’]\d|[A-Za-z](?![A-Za-z])|\s*(?:remainder|rem\b|[Rr]\s?\d|나머지)"
)  # fmt: skip
"""What stands behind a number that is more than its digits: a power, a decimal comma, a letter, a remainder."""

_FUNCTION = re.compile(r"\b(?:log|lg|ln|exp|sin|cos|tan|sqrt|root|square root of)\s*\Z", re.IGNORECASE)
_PERCENT_ADDED = re.compile(r"[-+] *\([\d.]+/100\)(?= *(?:[-+)]|$))")
_LONE_PERCENT = re.compile(r"\(?[\d.]+/100\)?")
_SPAN = re.compile(r"([\d.]+)-([\d.]+)")
_RESULT = re.compile(r"[-+]?\(?[-+]?(?P<whole>\d*)(?:\.(?P<decimals>\d*))?(?P<percent>/100)?\)?\s*")
_SENTENCE = re.compile(r"[;,.!?](?!\d)")
_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d*)?|\.\d+)|(.))")


@dataclass(frozen=True, slots=True)
class Equation:
    """Two sides that the text says are equal, as it writes them, and their values; ``rounded`` where it says about."""

    left: str
    right: str
    left_value: float
    right_value: float
    rounded: bool = False

    @property
    def holds(self) -> bool:
        """The sides are equal, up to the rounding that the right one shows; a share may be written as per cent."""
        written = _RESULT.fullmatch(self.right)
        shown = 0.0
        if written and (written["decimals"] or self.rounded):
            whole, decimals = written["whole"], written["decimals"] or ""
            zeros = 0 if decimals else len(whole) - len(whole.rstrip("0"))
            shown = 0.5 * 10.0 ** (zeros - len(decimals)) * (0.01 if written["percent"] else 1.0)
        allowed = max(shown, ROUNDING * abs(self.left_value), 1e-9)
        parts = (1.0, 100.0, 0.01) if "/100" in self.left + self.right else (1.0,)
        return any(abs(self.left_value - part * self.right_value) <= allowed for part in parts)


def equations(text: str) -> list[Equation]:
    """Return what a text calculates outside of its code; what cannot be read as numbers and operators is left out.

    So are dates and times, and what does not come out but has units of different size ("1 hour + 30 minutes").

    >>> [(one.left, one.right, one.holds) for one in equations("so 3 apples * 4 = 12, and 12 - 5 = 8.")]
    [('3 * 4', '12', True), ('12 - 5', '8', False)]
    >>> equations("x = 3y + 2")
    []
    """
    found = []
    for line in re.split(r"\n|<<|>>", _CODE.sub(" ", text)):
        if "=" in line or "≈" in line or "\\approx" in line:
            line = _DATE_OR_TIME.sub("_", _without_marks(line))
            written = pairwise(re.split("[=≈]", line))
            for (before, after), (left, right) in zip(pairwise(_plain(line).split("=")), written, strict=True):
                equation = _equation(before, after)
                if equation is not None and (equation.holds or not _converts(left, right)):
                    found.append(equation)
            if len(found) >= MOST:
                break
    return found


def evaluate(expression: str) -> float | None:
    """Return the value of numbers, ``+ - * /`` and brackets; ``None`` if it is anything else.

    >>> evaluate("2 * (3 + 4) - -1"), evaluate("2 +"), evaluate("1 / 0")
    (15.0, None, None)
    """
    if len(expression) > LONGEST:
        return None
    tokens = [number or sign for number, sign in _TOKEN.findall(expression.strip())]
    reader = _Reader(tokens)
    try:
        value = reader.sum()
    except (ValueError, IndexError, ZeroDivisionError, OverflowError):
        return None
    return value if reader.place == len(tokens) and math.isfinite(value) else None


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.place = 0

    def sum(self) -> float:
        value = self.product()
        while self._next() in ("+", "-"):
            value = value + self.product() if self._take() == "+" else value - self.product()
        return value

    def product(self) -> float:
        value = self.number()
        while self._next() in ("*", "/"):
            value = value * self.number() if self._take() == "*" else value / self.number()
        return value

    def number(self) -> float:
        sign = self._take()
        if sign == "-":
            return -self.number()
        if sign == "(":
            value = self.sum()
            if self._take() != ")":
                raise ValueError("an open bracket")
            return value
        return float(sign)

    def _next(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def _take(self) -> str:
        self.place += 1
        return self.tokens[self.place - 1]


def _without_marks(line: str) -> str:
    line = _BULLET.sub("", _BOLD.sub("", line))
    if "\\" in line:
        for pattern, written in _LATEX:
            line = pattern.sub(written, line)
    return line


def _plain(line: str) -> str:
    """Write a line without currencies, units and digit groups, and with one sign for each operator."""
    line = _CURRENCY.sub("", _GROUPED.sub("", line))
    line = line.replace("−", "-").replace("–", "-").replace("÷", "/").replace("≈", "=~")
    line = _PERCENT_OF.sub("% * ", _TIMES.sub("*", line))
    return _PERCENT.sub(r"(\1/100)", _KOREAN_UNIT.sub("", _UNIT.sub("", line)))


def _is_less(one: str, other: str) -> bool:
    try:
        return float(one) < float(other)
    except ValueError:
        return False


def _converts(left: str, right: str) -> bool:
    left, right = _SENTENCE.split(left[-LONGEST:])[-1], _SENTENCE.split(right[:LONGEST])[0]
    return of_different_size(f"{left} = {right}")


def _equation(before: str, after: str) -> Equation | None:
    rounded = after.startswith("~")
    before, after = before[-LONGEST - 1 :], after[rounded : LONGEST + 1]
    left, right = _LEFT.search(before), _RIGHT.search(after)
    if left is None or right is None:
        return None
    # What stands before the numbers must not belong to them: a variable, a power, another operator.
    ahead = before[: left.start()][-1:]
    if ahead and (ahead.isalnum() or ahead in "_^%<>!,:'’²³√}") and not left.group().startswith((" ", "\t")):
        return None
    if ahead and not re.search(r"[-+*/]", left.group().strip()[1:]):  # the number of a label: "the total of 3 = 2 + 6"
        return None
    if _FUNCTION.search(before[: left.start()]):
        return None
    if _MORE.match(after, len(right.group().rstrip())):
        return None
    one, other = left.group().strip(), right.group().strip()
    # "15 % = 36" is a per cent of what was said before, and "0-5 kg = 5.90" a line of a price list.
    span = _SPAN.fullmatch(one)
    if _LONE_PERCENT.fullmatch(one) or (span and not other.startswith("-") and _is_less(*span.groups())):
        return None
    # The sentence may go on after a number: "= 8." and "= 8 - which is".
    while other and other[-1] in "+-*/(. ":
        other = other[:-1].rstrip()
    while other.count("(") < other.count(")") and other.endswith(")"):
        other = other[:-1].rstrip()
    if one.startswith(("+", "*", "/", ")", ".", "- ")) or not re.search(r"[-+*/]", one[1:] + other[1:]):
        return None
    # "100 - 20%" is 80 to most who write it.
    if _PERCENT_ADDED.search(one) and not all("/100" in term for term in re.split("[-+]", one) if term.strip()):
        return None
    values = evaluate(one), evaluate(other)
    if values[0] is None or values[1] is None:
        return None
    return Equation(one, other, values[0], values[1], rounded)
