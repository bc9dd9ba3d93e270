"""What does an answer come to in the end?"""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(
    r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.])-?\d+(?:\.\d+)?|(?<=[$€£₩¥])-?\d[\d,]*(?:\.\d+)?"
)
_COUNT = re.compile(
    r"\bhow many\b|\bthe number of\b|몇 ?(?:개|명|마리|권|장|대|번|송이|그루|자루|병|잔|켤레|채|척|줄)", re.IGNORECASE
)
_MEASURES = (
    "times", "hours", "minutes", "seconds", "days", "weeks", "months", "years", "miles", "kilomet\\w+",
    "met\\w+", "feet", "inches", "yards", "pounds", "ounces", "grams", "kilograms", "kg", "tons?", "lit\\w+",
    "gallons", "cups", "tablespoons", "teaspoons", "dollars", "cents", "percent", "degrees", "calories",
    "acres", "square", "cubic", "quarts", "pints", "km", "cm", "mm", "mph", "ml",
)  # fmt: skip
_NO_COUNT = re.compile(
    rf"\bhow many (?:\w+ ){{0,2}}?(?:{'|'.join(_MEASURES)})\b|\b(?:on average|average|half|rate|per)\b|평균",
    re.IGNORECASE,
)


_OF_A_MEASURE = re.compile(
    rf"\s*(?:(?:{'|'.join(_MEASURES)}|k|m|bn|thousand|million|billion|trillion|dozen|°\w?)\b|%|[천만억조]|퍼센트|도\b)",
    re.IGNORECASE,
)


def numbers(text: str) -> list[float]:
    """Return the numbers that a text writes in digits, in order.

    >>> numbers("$1,200 of 3.5 kg, see x2")
    [1200.0, 3.5]
    """
    found = (float(number.replace(",", "")) for number in _NUMBER.findall(text))
    return [number for number in found if math.isfinite(number)]


def final_number(text: str) -> float | None:
    """Return the last number of a text; ``None`` if it has none.

    >>> final_number("So 3 * 4 = 12.\\n#### 1,200"), final_number("none")
    (1200.0, None)
    """
    found = numbers(text)
    return found[-1] if found else None


def final_count(text: str) -> float | None:
    """Return the last number of a text, where it may count things: no "9.4 million", "2.5 %" or "3.5 km".

    >>> final_count("12 people came: 2.5%"), final_count("12.5 people")
    (None, 12.5)
    """
    found = list(_NUMBER.finditer(text))
    return None if not found or _OF_A_MEASURE.match(text, found[-1].end()) else final_number(found[-1].group())


def final_text(text: str) -> str:
    """Return what two answers to one question can be compared by: the last number, else the last line.

    >>> final_text("It is $12.00."), final_text("12"), final_text("Because...\\nParis.")
    ('12', '12', 'paris')
    """
    number = final_number(text)
    if number is not None:
        return f"{number:g}"
    lines = text.strip().casefold().splitlines()
    return re.sub(r"[^\w ]", "", lines[-1]).strip() if lines else ""


def asks_for_a_count(question: str) -> bool:
    """Tell whether a question asks how many things there are, of things that come whole.

    >>> asks_for_a_count("How many eggs are left?"), asks_for_a_count("How many hours does it take?")
    (True, False)
    """
    asked = question.strip()[-200:]
    return bool(_COUNT.search(asked)) and not _NO_COUNT.search(asked)
