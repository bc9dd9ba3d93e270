"""Which numbers, dates, times and identifiers does a text state, whatever way they are written?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lc_costkit.cache.units import (
    CURRENCY,
    CURRENCY_WORDS,
    HALVES,
    KOREAN_COUNTS,
    KOREAN_DAYS,
    KOREAN_DIGITS,
    KOREAN_PLACES,
    MONTHS,
    ONES,
    ORDINALS,
    SCALE,
    SMALL,
    SPELLED_SCALE,
    UNITS,
)

_LATIN_UNITS = "|".join(sorted((unit for unit in UNITS if unit.isascii() and unit != "%"), key=len, reverse=True))
_KOREAN_UNITS = "|".join(sorted((unit for unit in UNITS if not unit.isascii()), key=len, reverse=True))
_AFTER_LETTERS = r"(?=[\s로를가는의도만이?]|$)"
_UNIT = rf"(?:%|(?:{_LATIN_UNITS})(?![a-z0-9])|(?:{_KOREAN_UNITS})|자{_AFTER_LETTERS})"
_SCALES = r"(?:(?:k|mn|bn|hundred|thousand|million|billion|trillion)(?![a-z0-9])|백만|천만|[백천만억조])"
_FULL = r"(?:full |whole |entire |business |working |calendar |more |extra |additional |consecutive |straight )?"
_SPELLED = "|".join(sorted([*SMALL, *SPELLED_SCALE, "dozen"], key=len, reverse=True))

_STATED = re.compile(
    r"(?P<address>(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+|https?://[^\s<>\"']+)"
    r"|(?P<iso>(?<![\w.])\d{4}-\d{1,2}-\d{1,2}(?![\w-]))"
    r"|(?P<slashed>(?<![\w./])\d{1,2}/\d{1,2}(?:/\d{2,4})?(?![\w/]))"
    r"|(?P<fraction>(?<![\d가-힣])(?P<fraction_of>\d+|[이삼사오육칠팔구십]) ?분의 ?"
    r"(?P<fraction_parts>\d+|[일이삼사오육칠팔구]))"
    r"|(?P<korean_clock>(?:(?P<half_of_day>오전|오후|아침|저녁|밤|새벽|낮)\s?)?(?<!\d)(?P<hour>\d{1,2}) ?시(?!간)"
    r"(?: ?(?P<minute>\d{1,2}) ?분| ?(?P<and_half>반)(?![가-힣]))?)"
    r"|(?P<clock>(?<![\w.])(?:[01]?\d|2[0-3])(?::[0-5]\d(?:\s?[ap]\.?m\b\.?)?|\s?[ap]\.?m\b\.?))"
    r"|(?P<version>(?<![a-z0-9_.])v?\d+(?:\.\d+){2,}(?![a-z0-9_])|(?<![a-z0-9_.])v\d+(?:\.\d+)*(?![a-z0-9_]))"
    rf"|(?P<number>(?:(?P<currency>[$€£₩¥])\s?)?(?P<sign>(?<![\w)])[-−])?(?<![a-z0-9_.])(?P<digits>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?"
    rf"|\d+(?:\.\d+)?|(?<!\d)\.\d+)(?:st|nd|rd|th)?"
    rf"(?P<scale>[\s-]?{_SCALES})?(?:(?P<unit>[\s-]?{_FULL}{_UNIT})"
    r"(?P<number_half> ?반(?=$|[\s이은만정쯤?]))?)?(?P<tail>(?:[a-z_][a-z0-9_-]*)?))"
    r"|(?P<code>(?<![a-z0-9_])(?=[a-z_-]*\d)[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*(?![a-z0-9_]))"
    r"|(?P<share>(?<![\w-])(?:half|(?:a|one|two|three|four)[\s-](?:hal(?:f|ves)|thirds?|quarters?|fifths?|tenths?))"
    r"(?=\s(?:of(?! ?\d)|the|my|our|your|his|her|their|off|price)\b))"
    rf"|(?P<spelled>(?<![\w-])(?:{_SPELLED})(?:[\s-](?:and\s)?(?:{_SPELLED}))*(?![\w])(?P<and_a_half>\sand a half)?"
    rf"(?P<spelled_unit>[\s-]{_FULL}{_UNIT})?)"
    rf"|(?P<part>(?<![\w-])(?P<part_name>half|quarter)(?:[\s-](?:of )?(?:an? )?)(?P<part_unit>{_UNIT}))"
    rf"|(?P<article>(?<![\w-])(?:an?|per|each|every) {_FULL}(?P<article_unit>{_UNIT})(?P<article_half>\sand a half)?)"
    r"|(?P<ordinal>(?<![\w-])(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)(?!\w))"
    r"|(?P<bare_half>(?<![\w-])half of(?= ?\d))"
    r"|(?P<twice>(?<!\w)(?:twice|thrice)(?!\w))"
    rf"|(?P<korean>(?<!\w)(?:{'|'.join(KOREAN_COUNTS)})\s?(?P<korean_unit>시간|달|명|번|개월|개|살|주|잔|장|대"
    rf"|권|마리|분|프로|퍼센트|평(?=[\s은이을에?]|$)|학점|과목|가지|곳|군데|차례|배|짝|켤레|벌|병|컵|숟갈"
    r"|큰술|줄|층|건|사람|학기|끼|시|해|쪽|판|줌|쌍|글자|자(?=[\s로를가는의도만?]|$))(?P<plus_half> 반(?![가-힣]))?)"
    r"|(?P<korean_half>(?<!\w)반 ?(?P<korean_half_unit>시간|년|달)(?!\w*반))"
    r"|(?P<sino>(?<!\w)(?:[일이삼사오육칠팔구]?[십백천만])+[일이삼사오육칠팔구]? ?(?P<sino_unit>개월|년|주일|분"
    r"|초|일|시간|퍼센트|프로|원"
    r"|명|회|킬로그램|킬로|도|점|학점|층|세|살|그램|리터|미터|번|자(?=[\s로를가는의도만?]|$)))"
    r"|(?P<korean_share>(?<![가-힣])(?:절반|반값))"
    r"|(?P<birthdays>(?<![가-힣])(?:(?:첫|두|세) ?)?돌(?= ?(?:된|지나|지난|아기|이 |전|까지|쯤|무렵)))"
    rf"|(?P<native>(?<![가-힣])(?:스물|서른|마흔|쉰|예순|일흔|여든|아흔)(?:{ONES})?"
    rf"(?:(?= ?(?:이상|이하|미만|살|세))|(?![가-힣])))"
    rf"|(?P<korean_days>(?<!\w)(?:{'|'.join(KOREAN_DAYS)}))"
    rf"|(?P<month>(?<![\w])(?:{'|'.join(sorted(MONTHS, key=len, reverse=True))})(?![a-z]))"
)
_ANY = re.compile(
    rf"\d|(?<![\w-])(?:{_SPELLED}|half|quarter|twice|thrice|first|third|fourth|fifth|sixth"
    rf"|seventh|eighth|ninth"
    rf"|tenth)(?!\w)|(?<![\w-])(?:an?|per|each|every) {_FULL}{_UNIT}|@"
    r"|[하이사나열보한두둘세셋네넷다여일아스서마쉰닷엿십백천만반돌]|분의|//"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A stated number: its value in the base unit of its dimension, and the number as written.

    One that is not ``firm`` ("a day", "per month") only counts where the other side states the same.
    ``decimals`` are the digits after the point where no unit or currency says that it is an amount: it may be
    a version, and 2.1 is not 2.10.
    """

    value: float
    dimension: str | None
    raw: float
    firm: bool = True
    decimals: str | None = None


_FREE = Quantity(0.0, "krw", 0.0)
"""A price in won that is none: "0원" is "무료"."""


@dataclass(frozen=True, slots=True)
class Stated:
    """Numbers and identifiers of one text, and its words with "0" in the place of each."""

    quantities: tuple[Quantity, ...] = ()
    codes: Counter[str] | None = None
    words: str = ""


def read_stated(lowered: str) -> Stated:
    """Read numbers, dates, clock times, versions and identifiers out of lower-case text.

    >>> [(q.value, q.dimension) for q in read_stated("within 24 hours or one day").quantities]
    [(86400.0, 'time'), (86400.0, 'time')]
    >>> read_stated("wire wt-44219").codes
    Counter({'wt44219': 1})
    """
    if not _ANY.search(lowered):
        return Stated(words=lowered)
    quantities: list[Quantity] = []
    codes: Counter[str] = Counter()
    months: list[tuple[int, int, float]] = []
    places: list[tuple[int, int, int]] = []
    words: list[str] = []
    copied = 0
    for match in _STATED.finditer(lowered):
        kind = match.lastgroup
        for name in (
            "number",
            "share",
            "spelled",
            "korean",
            "month",
            "part",
            "article",
            "korean_half",
            "sino",
            "korean_clock",
            "native",
            "fraction",
        ):
            if match[name] is not None:
                kind = name
        if kind == "month":
            months.append((match.start(), match.end(), MONTHS[match["month"]]))
        elif kind in ("address", "version", "code") or (kind == "number" and _is_a_name(match)):
            codes[_code(match[0])] += 1
            words += (lowered[copied : match.start()], " 0 ")
            copied = match.end()
        else:
            before = len(quantities)
            quantities.extend(_read(kind or "", match))
            if len(quantities) > before and _is_a_rate(quantities[-1], lowered[match.end() : match.end() + 2]):
                quantities[-1] = replace(quantities[-1], firm=False)
            if len(quantities) == before + 1 and quantities[-1] == _FREE:
                quantities.pop()
                words += (lowered[copied : match.start()], " 무료 ")
                copied = match.end() + lowered.startswith("인", match.end())
            if len(quantities) > before and (kind not in ("article", "ordinal") or match["article_half"]):
                if places and _continues(quantities, lowered[places[-1][1] : match.start()]):
                    quantities[-2:] = [_sum(*quantities[-2:])]
                places.append((*match.span(), len(quantities) - 1))
                words += (lowered[copied : match.start()], " 0 ")
                copied = match.end()
    for start, end, number in months:
        # "may 5" and "5 march" are dates; a month by itself is a word, compared as one.
        beside = [at for begin, finish, at in places if 0 <= begin - end <= 5 or 0 <= start - finish <= 4]
        for at in beside:
            day = quantities[at]
            if day.dimension is None and day.raw <= _LAST_DAY:
                quantities[at] = replace(day, dimension="day of the month")
        if beside:
            quantities.append(Quantity(number, "month of the year", number))
    return Stated(tuple(quantities), codes or None, "".join((*words, lowered[copied:])))


_LAST_DAY = 31
_ADDED_UP = frozenset({"time", "months", "length", "mass", "volume"})


def _continues(quantities: list[Quantity], between: str) -> bool:
    """Say whether the last two numbers are one: "2 hours and 30 minutes", "5 ft 11 in"."""
    if len(quantities) < 2 or between.strip(" ,-") not in ("", "and"):
        return False
    one, other = quantities[-2:]
    if one.dimension != other.dimension or one.dimension not in _ADDED_UP or not one.raw or not other.raw:
        return False
    return one.value / one.raw > other.value / other.raw


def _sum(one: Quantity, other: Quantity) -> Quantity:
    value = one.value + other.value
    return Quantity(value, one.dimension, value * one.raw / one.value)


PART = "part of a date"
"""Dimension of what stands between slashes: a month or a day, and which one depends on where one lives."""


def _is_a_rate(quantity: Quantity, follows: str) -> bool:
    """Say whether one unit of time is what something else is counted by: "1년에 두 번"."""
    counted = quantity.raw == 1 and quantity.dimension in ("time", "months", "terms")
    return counted and follows.startswith(("에", "당", "마다"))


def _is_a_name(match: re.Match[str]) -> bool:
    """Say whether digits name something (an account, a branch) and are no amount."""
    digits = match["digits"]
    return bool(match["tail"]) or len(digits) > 11 or (len(digits) > 1 and digits.isdigit() and digits[0] == "0")


def _code(text: str) -> str:
    return text.strip(" -_#").replace("-", "").replace("_", "") if "//" not in text else text


def _read(kind: str, match: re.Match[str]) -> Iterator[Quantity]:
    text = match[0]
    if kind == "iso":
        year, month, day = (float(part) for part in text.split("-"))
        yield Quantity(year, None, year)
        yield Quantity(month, "month of the year", month)
        yield Quantity(day, "day of the month", day)
    elif kind == "slashed":
        for part in text.split("/"):
            yield Quantity(float(part), PART, float(part))
    elif kind == "clock":
        minutes = _minutes(text)
        yield Quantity(minutes, "clock", minutes)
    elif kind == "number":
        yield _and_a_half(_number(match)) if match["number_half"] else _number(match)
    elif kind == "share":
        yield from _share(match)
    elif kind == "spelled":
        yield from _spelled(match)
    elif kind == "korean":
        unit = match["korean_unit"]
        count = KOREAN_COUNTS[text[: match.start("korean_unit") - match.start()].strip()]
        count += 0.5 if match["plus_half"] else 0.0
        if unit == "시":
            yield Quantity(count * 60, "clock of half a day", count * 60)
        else:
            yield _quantity(count, unit if unit != "분" else "명")
    elif kind == "korean_half":
        yield _quantity(0.5, match["korean_half_unit"])
    elif kind == "part":
        yield _quantity(HALVES[match["part_name"]], match["part_unit"].strip())
    elif kind == "article":
        unit = _bare_unit(match["article_unit"])
        if unit in UNITS and len(unit) > 2:
            made = _quantity(1.5 if match["article_half"] else 1.0, unit)
            yield replace(made, firm=match["article_half"] is not None)
    elif kind == "ordinal":
        place = float(ORDINALS.index(text) + 1)
        yield Quantity(place, None, place, firm=False)
    elif kind == "bare_half":
        yield Quantity(0.5, None, 0.5)
    elif kind == "twice":
        yield _quantity(2.0 if text == "twice" else 3.0, "times")
    elif kind == "sino":
        yield _quantity(_sino(text[: -len(match["sino_unit"])].strip()), match["sino_unit"])
    elif kind == "korean_clock":
        yield _korean_clock(match)
    elif kind == "native":
        yield _quantity(KOREAN_COUNTS.get(text, 0.0), "")
    elif kind == "korean_days":
        yield _quantity(1.0, "주") if text == "일주일" else _quantity(KOREAN_DAYS[text], "일")
    elif kind == "fraction":
        of, parts = (
            float(part) if part.isdigit() else _sino(part) for part in match.group("fraction_of", "fraction_parts")
        )
        if of:
            yield _quantity(100 * parts / of, "%")
    elif kind == "korean_share":
        yield replace(_quantity(50.0, "%"), firm=False)
    elif kind == "birthdays":
        yield _quantity({"두": 2.0, "세": 3.0}.get(text[0], 1.0), "년")


def _minutes(text: str) -> float:
    hour, _, minute = text.partition(":")
    digits = "".join(filter(str.isdigit, hour))
    value = int(digits) * 60 + int((minute or "0")[:2])
    if "p" in text and value < 720:
        value += 720
    elif "a" in text and value >= 720:
        value -= 720
    return float(value)


def _korean_clock(match: re.Match[str]) -> Quantity:
    hour, half = int(match["hour"]), match["half_of_day"]
    if half in ("오후", "저녁", "밤", "낮") and hour < 12 and not (half == "낮" and hour > 10):
        hour += 12
    elif half in ("오전", "새벽", "아침") and hour == 12:
        hour = 0
    minutes = hour * 60 + (30 if match["and_half"] else int(match["minute"] or 0))
    open_half = half is None and hour <= 12
    return Quantity(float(minutes), "clock of half a day" if open_half else "clock", float(minutes))


def _sino(text: str) -> float:
    total = section = digit = 0
    for letter in text:
        if letter in KOREAN_DIGITS:
            digit = KOREAN_DIGITS[letter]
        elif letter == "만":
            total, section, digit = total + max(section + digit, 1) * 10_000, 0, 0
        else:
            section, digit = section + max(digit, 1) * KOREAN_PLACES[letter], 0
    return float(total + section + digit)


_PARTS = {"hal": 2, "third": 3, "quarter": 4, "fifth": 5, "tenth": 10}
_NAMES_A_HALF = re.compile(r"\b(?:first|second|other|latter|former|last|top|bottom|next|better)[\s-]$")


def _share(match: re.Match[str]) -> Iterator[Quantity]:
    """Read "half the price" and "a quarter of my pension" as shares in percent."""
    text = match[0]
    if _NAMES_A_HALF.search(match.string, max(0, match.start() - 10), match.start()):
        return
    parts = next(parts for name, parts in _PARTS.items() if name in text)
    percent = 100.0 * SMALL.get(re.split(r"[\s-]", text)[0], 1.0) / parts
    yield Quantity(percent, "share", percent)


def _bare_unit(text: str) -> str:
    text = text.strip(" -\t\n")
    return text if text in UNITS else text.rpartition(" ")[2].lstrip("-")


def _number(match: re.Match[str]) -> Quantity:
    value = float(match["digits"].replace(",", ""))
    if match["sign"]:
        value = -value
    scale = (match["scale"] or "").strip(" -\t\n")
    value *= SCALE.get(scale, 1.0)
    unit = _bare_unit(match["unit"] or "")
    if match["currency"] and unit in ("", "m"):
        value *= 1e6 if unit else 1.0
        return Quantity(value, CURRENCY[match["currency"]], value)
    whole, _, decimals = match["digits"].partition(".")
    if whole and decimals and not (unit or scale or match["sign"]) and not _is_a_sum(match):
        return Quantity(value, None, value, decimals=decimals)
    return _quantity(value, unit)


def _is_a_sum(match: re.Match[str]) -> bool:
    """Say whether a currency without a unit of its own stands beside a number: "CHF 1.50"."""
    before, after = match.string[: match.start()].split()[-1:], match.string[match.end() :].split(maxsplit=1)[:1]
    return any(word.strip(".,;:?!()") in CURRENCY_WORDS for word in (*before, *after))


def _and_a_half(quantity: Quantity) -> Quantity:
    """Add the half that is said after the unit: "1리터 반"."""
    if quantity.dimension not in _ADDED_UP or not quantity.raw:
        return quantity
    unit = quantity.value / quantity.raw
    return replace(quantity, value=quantity.value + unit / 2, raw=quantity.raw + 0.5)


def _quantity(value: float, unit: str) -> Quantity:
    dimension, factor = UNITS.get(unit, (None, 1.0))
    return Quantity(value * factor, dimension, value)


def _spelled(match: re.Match[str]) -> Iterator[Quantity]:
    unit = _bare_unit(match["spelled_unit"] or "")
    text = match["spelled"][: len(match["spelled"]) - len(match["spelled_unit"] or "")]
    text = text.removesuffix(match["and_a_half"] or "")
    total = current = 0.0
    named = [word for word in re.split(r"[\s-]+", text) if word != "and"]
    if named == ["one"] and not unit and not match["and_a_half"]:
        return  # a pronoun as often as a number: "which one", "one bank"
    for word in named:
        if word in SMALL:
            current += SMALL[word]
        elif word == "dozen":
            current = (current or 1.0) * 12
        elif word == "hundred":
            current = (current or 1.0) * 100
        else:
            total += (current or 1.0) * SPELLED_SCALE[word]
            current = 0.0
    yield _quantity(total + current + (0.5 if match["and_a_half"] else 0.0), unit)
