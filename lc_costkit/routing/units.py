"""Do the numbers of a calculation stand in units of different size?

"1 hour + 30 minutes = 90 minutes" and "$2 million / 4 = $500,000" are right, and cannot be checked by their digits.
"""

from __future__ import annotations

import re

_KINDS = (
    "second sec 초; minute min 분; hour hr 시간; day 일; week 주; month 개월 월; year yr 년",
    "mm millimeter millimetre; cm centimeter centimetre; m meter metre; km kilometer kilometre; inch inche; "
    "foot feet ft; yard; mile",
    "mg milligram; g gram; kg kilogram; tonne ton; ounce oz; pound lb",
    "ml milliliter millilitre; l liter litre; teaspoon tsp; tablespoon tbsp; cup; pint; quart; gallon",
    "$ dollar; ¢ cent; penny pennie; nickel; dime; quarter",
    "byte b; kb kilobyte; mb megabyte; gb gigabyte; tb terabyte",
)
"""By kind: units, and the words each is written with, without the ``s`` of the plural."""

_SIZES = {
    word: (kind, unit)
    for kind, units in enumerate(_KINDS)
    for unit, words in enumerate(units.split(";"))
    for word in words.split()
}
_BEHIND = re.compile(r"\d\s*([A-Za-z]{1,11}|[가-힣]{1,2})")
_SIGN = re.compile(r"([$¢])\s*\d|\d\s*(¢)")
_SCALE = re.compile(
    r"\d\s*(?:(?:dozen|hundred|thousand|million|billion|trillion|k|bn|m)\b|[백천만억조])|\ba dozen\b", re.IGNORECASE
)


def of_different_size(text: str) -> bool:
    """Tell whether a calculation has two units of one kind, or a number with a word such as "million".

    >>> of_different_size("1 hour + 30 minutes = 90 minutes"), of_different_size("2만 + 5천 = 2만 5천")
    (True, True)
    >>> of_different_size("3 boxes * 12 eggs = 36 eggs")
    False
    """
    words = [word.casefold() for word in _BEHIND.findall(text)]
    words += [sign or after for sign, after in _SIGN.findall(text)]
    found = {size for word in words if (size := _SIZES.get(word) or _SIZES.get(word.removesuffix("s")))}
    return len({kind for kind, _ in found}) < len(found) or _SCALE.search(text) is not None
