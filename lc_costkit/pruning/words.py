"""Which words of a text can be compared with a question's, and what is the question after?"""

from __future__ import annotations

import itertools
import re
import unicodedata

_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    r"\u2e80-\u2fff\u3005-\u30ff\u3100-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Chinese, Japanese
    r"\uac00-\ud7a3"  # Korean: spaced, but particles hang on the word
    r"\U00020000-\U0003134f"
)
_MARKS = r"\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_TOKEN = re.compile(rf"(?P<unspaced>[{_UNSPACED}]+)|(?:[^\W_{_UNSPACED}]+[{_MARKS}]*)+")
_DROPPED_MARKS = re.compile(r"[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]")
_ARABIC_ARTICLE = re.compile(r"^(?:[وفبكل]?ال|لل)(?=\w{3})")

_ENDINGS = (("ies", "y"), ("ied", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("ly", ""), ("s", ""))
_STEM_LENGTH = 6
"""Words are compared by their first six letters after light English stemming: the cheapest
stemmer that works in every alphabet. On the benchmark five to seven do equally well."""

_FUNCTION_WORD_LISTS = {
    "en": """a about also am an and any are as at be been being but by can could did do does doing for from get got
        had has have he her him his how i if in into is it its me my of on or our she should so than that the their
        them then there these they this those to us was we were what when where which who whom whose why will with
        would you your tell please s t don didn doesn isn""",
    "de": """aber als am an auch auf aus bei beim bis da das dass dem den der des die du durch ein eine einem einen
        einer eines er es für hat hatte hatten haben ich ihr ihre im in ist kann man mit nach nicht noch oder seine
        sich sie sind so über um und uns unter viel viele vom von vor wann war waren warum was welche welchem welchen
        welcher welches wem wen wenn wer werden wessen wie wieso wieviel wieviele wir wird wo wodurch wofür woher
        wohin womit wurde wurden zu zum zur zwischen""",
    "fr": """à au aux avec ce ces cette combien comment d dans de des du elle en est et étaient était eu eux il ils j
        je l la le les leur lui mais ne nous ont ou où par pas pour pourquoi qu quand que quel quelle quelles quels
        qui quoi sa se ses son sont sur un une vous""",
    "es": """a al con como cómo cual cuál cuáles cuando cuándo cuanto cuánto cuánta cuántas cuántos de del donde dónde
        el ella ellos en era eran es esta este está están fue fueron ha han hay la las lo los más muy o para pero por
        porque que qué quien quién quiénes se ser si sin sobre son su sus un una unos y""",
    "it": """a che chi come con cosa da dal dalla dei del della delle di dove e è era erano gli i il in la le lo ma
        nel nella non o per perché qual quale quali quando quanti quanto si sono su sul un una uno""",
    "pt": """a ao aos as com como da das de do dos e é em entre era eram foi foram na nas no nos não o os ou onde para
        pela pelo por porque quais qual quando quanto quantos que quem são se seu sua um uma""",
    "nl": """aan bij dat de dit door een en er haar het hij hoe hoeveel in is met naar niet of om op te tot uit van
        voor waar waarom wanneer was wat welk welke werd wie zijn""",
    "zh": "什么 多少 哪些 哪个 哪里 怎么 如何 为什 是谁 谁是 何时 是什 有什 在哪",
    "ja": "何が どの いつ どこ 誰が ですか した です ます",
}
"""By language, because one's function word is another's content ("die", "war", "son"). For unspaced
scripts, pairs of characters."""

_FUNCTION_WORDS = tuple(frozenset(words.split()) for words in _FUNCTION_WORD_LISTS.values())

_ASKED = {
    "time": re.compile(
        r"\b(?:when|(?:what|which) (?:year|date|day|month|century|decade)|wann|welche[mns]? (?:jahr|datum|tag)"
        r"|quand|quelle année|cuándo|qué año|quando|in che anno|que ano|wanneer|welk jaar)\b"
        r"|什么时候|何时|哪年|哪一年|いつ|何年|언제|몇 ?년"
    ),
    "number": re.compile(
        r"\b(?:how (?:many|much|old|long|far|tall|high|often|big|large)"
        r"|wie ?viele?|wie (?:lange|hoch|alt|weit|gross|oft)|combien|cuánt[oa]s?|quant[ioea]s?|hoeveel)\b"
        r"|多少|几|多长|多大|いくつ|いくら|何人|얼마|몇"
    ),
    "name": re.compile(
        r"\b(?:who|whose|whom|wer|wen|wem|wessen|qui|quién(?:es)?|chi|quem|where|wo|woher|wohin|où|dónde|dove|onde"
        r"|(?:what|which) (?:city|country|state|place))\b"
    ),
}
_NUMBER = re.compile(r"\d")
_YEAR = re.compile(r"(?<!\d)(?:1\d|20)\d\d(?!\d)|\d\s?[年月년월]")
_MONTH_LIST = """
    January February March April June July August September October November December
    Januar Februar März Mai Juni Juli Oktober Dezember
    janvier février mars avril mai juin juillet août septembre octobre novembre décembre
    enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
"""
_MONTHS = frozenset(_MONTH_LIST.split())
_PUNCTUATION = "\"'“”‘’„«»()[]{},;:.!?"


def terms(text: str, memo: dict[str, str] | None = None) -> list[str]:
    """Return the comparable words of ``text``, in order, with repetitions.

    Case, accents and common endings are taken off. Scripts without spaces between words,
    and Korean, give pairs of characters instead.

    Args:
        text: any text.
        memo: words already stemmed, to share over the texts of one call.

    >>> terms("The Cities' cafés")
    ['the', 'city', 'cafes']
    >>> terms("北京大学 2024")
    ['北京', '京大', '大学', '2024']
    """
    return [term for _, term in _written_and_terms(text, {} if memo is None else memo)]


def content_terms(question: str, memo: dict[str, str] | None = None) -> list[str]:
    """Return the terms of ``question`` without its function words, unless it has no others.

    A handful of documents is too few for idf to tell that "does" says nothing.

    >>> content_terms("Who wrote the cities?")
    ['wrot', 'city']
    >>> content_terms("Who is it?")
    ['who', 'is', 'it']
    """
    found = _written_and_terms(question, {} if memo is None else memo)
    written = {word for word, _ in found}
    stops = max(_FUNCTION_WORDS, key=lambda words: len(words & written))
    return [term for word, term in found if word not in stops] or [term for _, term in found]


def asks_for(question: str) -> str | None:
    """Return what kind of answer is wanted: ``time``, ``number``, ``name``, or ``None`` when it does not show.

    >>> asks_for("How many players were there?")
    'number'
    """
    folded = unicodedata.normalize("NFKC", question).casefold()
    return next((kind for kind, pattern in _ASKED.items() if pattern.search(folded)), None)


def can_answer(kind: str, text: str, question: str) -> float:
    """Return from 0 to 1 how far ``text`` holds something of the kind that ``question`` asks for.

    A name counts only where the question does not say it already.

    >>> can_answer("time", "It opened in 1871.", "When did it open?")
    1.0
    """
    if kind == "time":
        if _YEAR.search(text) or not _MONTHS.isdisjoint(word.strip(_PUNCTUATION) for word in text.split()):
            return 1.0
        return 0.3 if _NUMBER.search(text) else 0.0
    if kind == "number":
        return 1.0 if _NUMBER.search(text) else 0.0
    asked = question.casefold()
    names = sum(
        1
        for before, word in itertools.pairwise(text.split())
        # A capital says nothing at the start of a sentence.
        if (name := word.strip(_PUNCTUATION))[:1].isupper() and before[-1] not in ".!?" and name.casefold() not in asked
    )
    return min(1.0, names / 2)


def _written_and_terms(text: str, memo: dict[str, str]) -> list[tuple[str, str]]:
    """Return each word as it is written (in lower case) with its comparable form."""
    found: list[tuple[str, str]] = []
    for match in _TOKEN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        word = match[0]
        if match["unspaced"] is None:
            stem = memo.get(word)
            if stem is None:
                stem = memo[word] = _stem(word)
            found.append((word, stem))
        else:
            pairs = [word[i : i + 2] for i in range(len(word) - 1)] or [word]
            found.extend((pair, pair) for pair in pairs)
    return found


def _stem(word: str) -> str:
    if word.isascii():
        if word[0].isdigit():
            return word
        for ending, replacement in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
                word = word[: -len(ending)] + replacement
                break
        if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
            word = word[:-1]
        if len(word) > 3 and word[-1] == "e":
            word = word[:-1]
    else:
        word = _DROPPED_MARKS.sub("", unicodedata.normalize("NFKD", word)) or word
        word = _ARABIC_ARTICLE.sub("", word)
    return word[:_STEM_LENGTH]
