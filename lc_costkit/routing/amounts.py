"""Which numbers of a question are amounts to calculate with, and does a calculation use them?

Years, dates, hours and the numbers of orders, rooms or flights name something: no calculation has to use them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lc_costkit.routing.arithmetic import Equation
from lc_costkit.routing.final import numbers

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|March|Mar|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_CURRENCIES = "USD|EUR|GBP|JPY|KRW|CNY|CHF|CAD|AUD|NZD|SEK|NOK|DKK|PLN|INR|SGD|HKD|TWD|RM|RS"
_NAMED = (
    r"order|invoice|bill|ticket|issue|bug|booking|reservation|reference|ref|receipt|tracking|parcel|contract|policy"
    r"|customer|client|account|member(?:ship)?|user|card|room|apartment|apt|suite|gate|platform|flight|bus|tram|route"
    r"|chapter|section|article|clause|version|phone|number|no\.|nr\.?|id"
)
_TITLES = "Customer|Client|Account|Invoice|Room|Apartment|Suite|Gate|Platform|Flight|Bus|Version|Section|Article|Clause"
_SCALED = r"\d[\d.,]{0,12}\s*[십백천만억조]"
_NO_AMOUNT = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}:\d{2}(?::\d{2})?|(?<![\d.,-])\d+-\d{3,}(?:-\d+)*"
    r"|(?<![\w.,$€£₩¥])(?:(?:19|20)\d\d(?!\d|[,.]\d)|\d{6,}(?![,.]\d))"
    rf"|{_SCALED}"
    r"|\d{1,12}(?:st|nd|rd|th)\b|#\d+"
    rf"|\b(?i:{_MONTH}\s+\d{{1,2}}\b(?![.,]\d)|\d{{1,2}}\s+(?:of\s+)?{_MONTH})"
    r"|\b\d{1,2}\s*(?i:[ap]\.?m\b\.?|o'clock\b)"
    rf"|\b(?:{_TITLES})\s+\d+(?![\d.,]*\d)"
    rf"|\b(?i:{_TITLES})\s+\d+(?=\s+(?:is|was|has|had|costs?|from|came|and|which|that)\b)"
    # "order 88213" and "room 204:", but not "order 12 boxes" and "number 4.5".
    rf"|\b(?i:{_NAMED})(?:\s+(?i:number|no\.?|nr\.?|id))?[\s:]\s*#?(?:\d{{3,}}|\d+(?=\s*(?:[.,:;?!)]|$)))(?![.,]?\d)"
    r"|\b(?i:end(?:s|ing)?\s+(?:in|with))\s+\d+"
    rf"|\b(?!(?:{_CURRENCIES})\b)[A-Z]{{2,3}}[ -]?\d+\b(?![.,]\d)"
    r"|\b[A-Za-z]{1,12}-\d+\b|(?<![\w.,-])0\d+(?![\d.,])"
    r"|\d{1,2}\s*월(?:\s*\d{1,2}\s*일)?|\d{1,2}\s*일(?=에|까지|부터|날)|(?:오늘은?|내일은?|어제는?)\s*\d{1,2}\s*일"
    r"|\d{1,2}\s*시(?!간|속)(?:\s*\d{1,2}\s*분)?"
    r"|(?:번호|주문|송장|계좌|뒷자리|티켓|예약|전화)(?:\s*번호)?[는은가이\s:]*\d[\d-]*(?=\s*(?:번|[,.)?!]|$))|\d{1,12}\s*호(?:실|선|점)?"
)
_PER_CENT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|per ?cent\b|퍼센트|프로)")


def amounts(text: str) -> list[float]:
    """Return the numbers of a text without years, dates, hours and those that name something.

    Those with a Korean word such as 만 are left out as well: an answer may write them in other ways.

    >>> amounts("Order 1234567 of 2024-05-03, 9:30: 3 apples for $1,250,000 in 2024")
    [3.0, 1250000.0]
    >>> amounts("Room 204, three nights at 89 from 4 May, flight LH 452"), amounts("6월 10일에 30,000원")
    ([89.0], [30000.0])
    """
    return numbers(_NO_AMOUNT.sub(" ", text))


def unused(question: str, text: str, calculated: Sequence[Equation]) -> list[float]:
    """Return the amounts of a question that an answer calculates without.

    A per cent may be used as a share, or as what it leaves or comes to ("20% off": 0.8). So may what two of the amounts
    come to, where the calculation goes on from it ("250 users, 30 of them free": 220 * 8), or an amount and a result,
    where the answer ends with it ("2 * 15 = 30, with shipping 33").

    Args:
        question: what was asked.
        text: what was answered.
        calculated: the answer's calculations.
    """
    given = list(dict.fromkeys(amounts(question)))
    seen = {round(one * part, 9) for one in numbers(text) for part in (1, 100, 0.01)}
    shares = {float(one) for one in _PER_CENT.findall(question)}
    rests = {round(float(one) / 100, 9) for one in _PER_CENT.findall(text)} | {round(one, 9) for one in numbers(text)}
    left = [one for one in given if one not in seen and not (one in shares and _as_rest(one) & rests)]
    if not left:
        return []
    results = {round(one.right_value, 9) for one in calculated}
    begun = {round(one, 9) for equation in calculated for one in numbers(equation.left)} - results - set(given)
    last = {round(one, 9) for one in numbers(text)[-1:]} - results
    return [
        one
        for one in left
        if not any({*_come_to(one, other), round(one * other, 9)} & begun for other in given if other != one)
        and not any(_come_to(one, other) & last for other in results)
    ]


def follows(said: float, question: str, calculated: Sequence[Equation]) -> bool:
    """Tell whether a number is one step from a result and an amount of the question: "249 * 0.2 = 49.80", so 199.20."""
    given = amounts(question)
    return any(round(said, 9) in _come_to(one.right_value, other) for one in calculated for other in given)


def _as_rest(per_cent: float) -> set[float]:
    return {round(value, 9) for value in (1 - per_cent / 100, 1 + per_cent / 100)}


def _come_to(one: float, other: float) -> set[float]:
    return {round(value, 9) for value in (one + other, abs(one - other))}
