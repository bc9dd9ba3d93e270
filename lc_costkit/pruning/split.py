"""Where does each sentence of a text begin and end, whatever its language?

Nothing is downloaded and nothing is rewritten: a text becomes spans of itself. A cut
too few only costs tokens and a cut too many only costs context, so a doubtful mark
(an abbreviation, an ordinal) does not cut.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from lc_costkit.errors import ConfigurationError

DEFAULT_MAX_CHARACTERS = 480
"""Longest span in characters; the longest sentence of ordinary English prose is shorter."""

_CLOSERS = "\"'”’“»«›‹)\\]}"
_WIDE_CLOSERS = "”’）」』】》〉］｝"
_WIDE_MARKS = "。！？｡؟۔।॥።፧။។᙮"

# Nothing here goes back over what it has read: a run of a million dots must cost what it is long.
_END = re.compile(
    rf"(?P<wide>[{_WIDE_MARKS}]++[{_WIDE_CLOSERS}]*+)"
    rf"|(?P<mark>(?<![.!?…．])[.!?…．]++)[{_CLOSERS}{_WIDE_CLOSERS}]*+(?:\[\d++\])*+(?=\s)"
    # Korean closes a sentence with a verb ending, often without a mark.
    r"|(?P<verb>(?:니다|[습입]니까|세요|[어아해에예네]요|군요|죠))(?=\s)"
)
_NEXT = re.compile(r"[\W_]{0,64}+(?P<first>[^\W_])")
_LAST_WORD = re.compile(r"[^\s(\[\"'“„‘«]+\Z")
_DOTTED = re.compile(r"(?:\w\.)*\w\Z")
_ORDINAL = re.compile(r"\d{1,2}\Z")

_ABBREVIATION_LISTS = """
    mr mrs ms dr prof sr jr st mt ft gen col lt sgt capt cmdr adm maj rev hon gov sen rep pres
    vs etc inc ltd co corp no nos vol vols pp fig figs eq sec ch ed eds approx est al cf viz ca
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun
    bzw usw evtl ggf inkl exkl nr str tel abs art bd hl hrsg jh jhd mio mrd sog u.a vgl zzgl abb
    mme mlle mgr env av bd chap p.ex
    sra srta dña ud uds núm pág págs ej
    sig sigg dott ing avv ecc pag
    dhr mevr drs bijv enz blz
    """
"""English, German, French, Spanish and Portuguese, Italian, Dutch; lower case, without the last full stop."""

_ABBREVIATIONS = frozenset(_ABBREVIATION_LISTS.split())

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_ITEM = re.compile(r"\s*(?:[-*+•‣◦▪–]|\(?(?:\d{1,3}|[a-zA-Z])[.)]|#{1,6}|>)\s")
_TABLE_ROW = re.compile(r"\s*\|.*\||\s*\S.*\|.*\|.*\S")
_WIDE_CHARACTER = re.compile("[ᄀ-ᇿ⺀-꓏가-힣豈-﫿＀-｠]")
_UNMARKED = re.compile("[฀-໿က-႟ក-៿]")
_CLAUSE = re.compile(r"[;:,](?=\s)|[；：，、،؛–—]|\s")

_LINE = re.compile(r"\n")
_SPACE = re.compile(r"\s")

_WRAPPED_WIDTH = 60
_UNMARKED_MAX_CHARACTERS = 100
_WIDE_MAX_CHARACTERS = 160


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A piece of a text: ``text[start:end]``, in characters.

    >>> Span(0, 5).of("Hello world")
    'Hello'
    """

    start: int
    end: int

    def of(self, text: str) -> str:
        """Return the piece of ``text``, verbatim."""
        return text[self.start : self.end]


def split_sentences(text: str, *, max_characters: int = DEFAULT_MAX_CHARACTERS) -> tuple[Span, ...]:
    """Split ``text`` into sentences.

    The spans are disjoint, in order, begin and end with a visible character, and together
    hold every character that is not white space. Fenced code and tables stay whole up to
    the limit; Thai, Lao, Khmer and Burmese, which write no sentence marks, are cut at
    spaces about every 100 characters.

    Args:
        text: any text, in any script.
        max_characters: longest span, in characters, at least 20. Chinese, Japanese and
            Korean spans are held to a third of it, since a character says more there.

    Raises:
        ConfigurationError: ``max_characters`` is below 20.

    >>> text = "Dr. Smith paid 3.50 USD. See https://a.io/x.y! 안녕하세요 반갑습니다."
    >>> [span.of(text) for span in split_sentences(text)]
    ['Dr. Smith paid 3.50 USD.', 'See https://a.io/x.y!', '안녕하세요', '반갑습니다.']
    """
    if max_characters < 20:
        raise ConfigurationError(f"max_characters must be at least 20, not {max_characters}")
    spans: list[Span] = []
    for start, end, prose in _blocks(text):
        edges = [start, *(_sentence_ends(text, start, end) if prose else ()), end]
        for left, right in itertools.pairwise(edges):
            spans.extend(_bounded(text, left, right, max_characters, prose=prose))
    return tuple(spans)


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield ``(start, end, prose)``: paragraphs, list items and headings; code and tables are not prose."""
    fence: str | None = None
    start, kind, previous = 0, "", ""
    position = 0
    for line in text.splitlines(keepends=True):
        opened = _FENCE.match(line)
        if fence is not None:
            now, joins = "code", True
            if opened and opened[1].startswith(fence):
                fence = None
        elif opened:
            fence, now, joins = opened[1], "code", False
        elif not line.strip():
            now, joins = "", False
        elif _TABLE_ROW.match(line):
            now, joins = "table", kind == "table"
        else:
            now, joins = "prose", kind == "prose" and _continues(previous, line)
        if not joins and position > start:
            yield start, position, kind == "prose"
            start = position
        kind, previous = now, line
        position += len(line)
    if position > start:
        yield start, position, kind == "prose"


def _continues(previous: str, line: str) -> bool:
    """Tell whether a line break is only where the text was wrapped."""
    if _ITEM.match(line) or previous.lstrip().startswith("#"):
        return False
    width = len(previous.rstrip()) + len(_WIDE_CHARACTER.findall(previous))
    return width >= _WRAPPED_WIDTH or (width >= _WRAPPED_WIDTH // 2 and line.lstrip()[:1].islower())


def _sentence_ends(text: str, start: int, end: int) -> Iterator[int]:
    for match in _END.finditer(text, start, end):
        if match["mark"] is None:
            yield match.end()
            continue
        following = _NEXT.match(text, match.end(), end)
        if following is None or following["first"].islower():
            continue
        if match["mark"] == "." and _is_abbreviation(text[max(start, match.start() - 24) : match.start()]):
            continue
        yield match.end()


def _is_abbreviation(before: str) -> bool:
    """Tell whether a full stop after ``before`` belongs to the word: ``Dr.``, ``e.g.``, ``J.``, ``3.`` (Mai)."""
    word = _LAST_WORD.search(before)
    if word is None:
        return False
    last = word[0]
    if _ORDINAL.match(last):
        return True
    return (last.isascii() and _DOTTED.match(last) is not None) or last.lower() in _ABBREVIATIONS


def _bounded(text: str, start: int, end: int, max_characters: int, *, prose: bool) -> Iterator[Span]:
    """Yield the visible part of ``text[start:end]`` in pieces no longer than the script's limit."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start == end:
        return
    limit = _limit(text[start:end], max_characters) if prose else max_characters
    while end - start > limit:
        # Even pieces rather than full ones and a stump: the last piece is scored like the others.
        pieces = -(-(end - start) // limit)
        cut = _cut(text, start, (end - start) // pieces, limit, prose=prose)
        yield _trimmed(text, start, cut)
        start = cut
        while text[start].isspace():
            start += 1
    yield Span(start, end)


def _trimmed(text: str, start: int, end: int) -> Span:
    while text[end - 1].isspace():
        end -= 1
    return Span(start, end)


def _limit(piece: str, max_characters: int) -> int:
    if len(piece) <= _UNMARKED_MAX_CHARACTERS:
        return max_characters
    if len(_UNMARKED.findall(piece)) * 2 > len(piece):
        return min(max_characters, _UNMARKED_MAX_CHARACTERS)
    if len(_WIDE_CHARACTER.findall(piece)) * 2 > len(piece):
        return max(20, min(max_characters // 3, _WIDE_MAX_CHARACTERS))
    return max_characters


def _cut(text: str, start: int, wanted: int, limit: int, *, prose: bool) -> int:
    """Return where to cut: at a clause near ``wanted`` characters, at a space, or inside a word at worst."""
    window = text[start : start + limit]
    best, best_cost = 0, math.inf
    for pattern in (_CLAUSE,) if prose else (_LINE, _SPACE):
        for match in pattern.finditer(window, 0 if pattern is _LINE else wanted // 2):
            cost = abs(match.end() - wanted) * (1.0 if match[0].isspace() else 0.5)
            if cost < best_cost:
                best, best_cost = match.end(), cost
        if best:
            break
    cut = start + (best or limit)
    while cut > start + 1 and cut < len(text) and (unicodedata.category(text[cut])[0] == "M" or text[cut] == "\u200d"):
        cut -= 1
    return cut if cut > start + 1 else start + limit
