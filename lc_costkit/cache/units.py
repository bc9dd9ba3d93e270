"""Which words are units, numerals and parts of the calendar, and how much is each?"""

from __future__ import annotations

from lc_costkit.cache.text import words

UNITS: dict[str, tuple[str | None, float]] = {
    # unit: (dimension, how many of the dimension's base unit), all exact by definition
    **dict.fromkeys(("ms", "millisecond", "milliseconds", "밀리초"), ("time", 0.001)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "초"), ("time", 1.0)),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "분"), ("time", 60.0)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "시간"), ("time", 3600.0)),
    **dict.fromkeys(("day", "days", "일", "영업일", "days'"), ("time", 86400.0)),
    **dict.fromkeys(("night", "nights"), ("nights", 1.0)),
    **dict.fromkeys(("week", "weeks", "wk", "wks", "주일", "주"), ("time", 604800.0)),
    **dict.fromkeys(("fortnight", "fortnights"), ("time", 1209600.0)),
    **dict.fromkeys(("month", "months", "개월", "달"), ("months", 1.0)),
    **dict.fromkeys(("year", "years", "yr", "yrs", "년"), ("months", 12.0)),
    **dict.fromkeys(("percent", "%", "pct", "퍼센트", "프로", "퍼"), ("share", 1.0)),
    **dict.fromkeys(("dollar", "dollars", "usd", "bucks", "달러", "불"), ("usd", 1.0)),
    **dict.fromkeys(("cent", "cents"), ("usd", 0.01)),
    **dict.fromkeys(("euro", "euros", "eur", "유로"), ("eur", 1.0)),
    **dict.fromkeys(("pound", "pounds", "gbp", "quid", "파운드"), ("gbp", 1.0)),
    **dict.fromkeys(("won", "krw", "원"), ("krw", 1.0)),
    **dict.fromkeys(("yen", "jpy", "엔"), ("jpy", 1.0)),
    **dict.fromkeys(("km", "kilometer", "kilometers", "kilometre", "kilometres", "킬로미터"), ("length", 1000.0)),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres", "미터"), ("length", 1.0)),
    **dict.fromkeys(
        ("cm", "centimeter", "centimeters", "centimetre", "centimetres", "센티미터", "센티"), ("length", 0.01)
    ),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres", "밀리미터"), ("length", 0.001)),
    **dict.fromkeys(("mile", "miles", "mi"), ("length", 1609.344)),
    **dict.fromkeys(("inch", "inches"), ("length", 0.0254)),
    **dict.fromkeys(("ft", "foot", "feet"), ("length", 0.3048)),
    **dict.fromkeys(("kg", "kilo", "kilos", "kilogram", "kilograms", "킬로그램", "킬로"), ("mass", 1000.0)),
    **dict.fromkeys(("g", "gram", "grams", "그램"), ("mass", 1.0)),
    **dict.fromkeys(("mg", "milligram", "milligrams", "밀리그램"), ("mass", 0.001)),
    **dict.fromkeys(("lb", "lbs"), ("mass", 453.59237)),
    **dict.fromkeys(("oz", "ounce", "ounces"), ("mass", 28.349523125)),
    **dict.fromkeys(("kb", "kilobyte", "kilobytes"), ("bytes", 1e3)),
    **dict.fromkeys(("mb", "megabyte", "megabytes", "메가바이트", "메가"), ("bytes", 1e6)),
    **dict.fromkeys(("gb", "gig", "gigs", "gigabyte", "gigabytes", "기가바이트", "기가"), ("bytes", 1e9)),
    **dict.fromkeys(("tb", "terabyte", "terabytes", "테라바이트", "테라"), ("bytes", 1e12)),
    **dict.fromkeys(("kbps", "kilobit", "kilobits"), ("bits", 1e3)),
    **dict.fromkeys(("mbps", "megabit", "megabits"), ("bits", 1e6)),
    **dict.fromkeys(("gbps", "gigabit", "gigabits"), ("bits", 1e9)),
    **dict.fromkeys(("l", "liter", "liters", "litre", "litres", "리터"), ("volume", 1.0)),
    **dict.fromkeys(("ml", "milliliter", "milliliters", "millilitre", "millilitres", "밀리리터"), ("volume", 0.001)),
    **dict.fromkeys(("밀리",), ("milli", 0.001)),
    **dict.fromkeys(("tbsp", "tablespoon", "tablespoons", "큰술", "숟갈"), ("tablespoons", 1.0)),
    **dict.fromkeys(("tsp", "teaspoon", "teaspoons", "작은술", "티스푼"), ("teaspoons", 1.0)),
    **dict.fromkeys(("cup", "cups", "컵"), ("cups", 1.0)),
    **dict.fromkeys(("gallon", "gallons", "gal", "갤런"), ("gallons", 1.0)),
    **dict.fromkeys(("pint", "pints"), ("pints", 1.0)),
    **dict.fromkeys(
        ("°c", "℃", "celsius", "c", "섭씨", "도", "degrees celsius", "degree celsius", "degrees c"),
        ("temperature", 1.0),
    ),
    **dict.fromkeys(
        ("°f", "℉", "fahrenheit", "f", "degrees fahrenheit", "degree fahrenheit", "degrees f"), ("fahrenheit", 1.0)
    ),
    **dict.fromkeys(("degree", "degrees", "°"), ("degrees", 1.0)),
    **dict.fromkeys(("평",), ("pyeong", 1.0)),
    **dict.fromkeys(
        (
            "제곱미터",
            "sqm",
            "m2",
            "m²",
            "㎡",
            "sq m",
            "square meter",
            "square meters",
            "square metre",
            "square metres",
        ),
        ("area", 1.0),
    ),
    **dict.fromkeys(("sqft", "sq ft", "ft2", "ft²", "square foot", "square feet"), ("area", 0.09290304)),
    **dict.fromkeys(("acre", "acres"), ("area", 4046.8564224)),
    **dict.fromkeys(("hectare", "hectares"), ("area", 10000.0)),
    **dict.fromkeys(("mph",), ("speed", 1.609344)),
    **dict.fromkeys(("kph", "kmh", "km/h"), ("speed", 1.0)),
    **dict.fromkeys(("hz", "hertz", "헤르츠"), ("frequency", 1.0)),
    **dict.fromkeys(("khz",), ("frequency", 1e3)),
    **dict.fromkeys(("mhz",), ("frequency", 1e6)),
    **dict.fromkeys(("ghz", "기가헤르츠"), ("frequency", 1e9)),
    **dict.fromkeys(("kwh",), ("energy", 1000.0)),
    **dict.fromkeys(("wh",), ("energy", 1.0)),
    **dict.fromkeys(("kw", "킬로와트"), ("power", 1000.0)),
    **dict.fromkeys(("w", "watt", "watts", "와트"), ("power", 1.0)),
    **dict.fromkeys(("v", "volt", "volts", "볼트"), ("voltage", 1.0)),
    **dict.fromkeys(("amp", "amps", "암페어"), ("current", 1.0)),
    **dict.fromkeys(("yd", "yard", "yards"), ("length", 0.9144)),
    **dict.fromkeys(("decade", "decades"), ("months", 120.0)),
    **dict.fromkeys(
        (
            "개",
            "잔",
            "장",
            "대",
            "권",
            "마리",
            "학점",
            "과목",
            "가지",
            "군데",
            "짝",
            "켤레",
            "벌",
            "병",
            "줄",
            "층",
            "건",
            "쌍",
            "알",
            "글자",
        ),
        (None, 1.0),
    ),
    **dict.fromkeys(("학기",), ("terms", 1.0)),
    **dict.fromkeys(("세", "살"), ("years of age", 1.0)),
    **dict.fromkeys(("people", "persons", "person", "명", "인", "인분"), ("people", 1.0)),
    **dict.fromkeys(("times", "회", "번", "차례"), ("times", 1.0)),
}
CURRENCY = {"$": "usd", "€": "eur", "£": "gbp", "₩": "krw", "¥": "jpy"}
CURRENCY_WORDS = words(
    """usd eur gbp jpy krw cny inr aud cad chf sek nok dkk pln brl mxn sgd hkd nzd zar try dollar dollars euro euros
    pound pounds yen won yuan rupee rupees franc francs $ € £ ₩ ¥ 원 달러 유로 엔 위안"""
)
SCALE = {
    "k": 1e3, "thousand": 1e3, "천": 1e3, "만": 1e4, "million": 1e6, "mn": 1e6, "백만": 1e6, "천만": 1e7,
    "billion": 1e9, "bn": 1e9, "억": 1e8, "hundred": 1e2, "백": 1e2, "trillion": 1e12, "조": 1e12,
}  # fmt: skip
TEENS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
SMALL = {word: float(value) for value, word in enumerate(TEENS.split())}
SMALL |= {word: 10.0 * value for value, word in enumerate(TENS.split(), start=2)}
SPELLED_SCALE = {word: SCALE[word] for word in ("hundred", "thousand", "million", "billion", "trillion")}
MONTHS = {
    name: float(number)
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
         "sep sept september", "oct october", "nov november", "dec december"),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
KOREAN_ONES = {
    "한": 1.0, "하나": 1.0, "두": 2.0, "둘": 2.0, "세": 3.0, "셋": 3.0, "네": 4.0, "넷": 4.0, "다섯": 5.0, "여섯": 6.0,
    "일곱": 7.0, "여덟": 8.0, "아홉": 9.0,
}  # fmt: skip
KOREAN_TENS = {
    "열": 10.0, "스물": 20.0, "서른": 30.0, "마흔": 40.0, "쉰": 50.0, "예순": 60.0, "일흔": 70.0,
    "여든": 80.0, "아흔": 90.0,
}  # fmt: skip
ONES = "|".join(KOREAN_ONES)
KOREAN_COUNTS = {**KOREAN_ONES, **KOREAN_TENS, "스무": 20.0} | {
    ten + one: tens + ones for ten, tens in KOREAN_TENS.items() for one, ones in KOREAN_ONES.items()
}
KOREAN_DAYS = {
    "하루": 1.0, "이틀": 2.0, "사흘": 3.0, "나흘": 4.0, "닷새": 5.0, "엿새": 6.0, "일주일": 7.0, "열흘": 10.0,
    "보름": 15.0,
}  # fmt: skip
KOREAN_DIGITS = {"일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "칠": 7, "팔": 8, "구": 9}
KOREAN_PLACES = {"십": 10, "백": 100, "천": 1000}
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
HALVES = {"half": 0.5, "quarter": 0.25}
