"""Which words of two questions answer to each other, and which are left over?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

from lc_costkit.cache import lexicon, lexicon_equal, lexicon_ko_pairs
from lc_costkit.cache.prepare import MAX_TOKENS, Prepared, Token, kept
from lc_costkit.cache.stemming import stem
from lc_costkit.cache.units import ORDINALS
from lc_costkit.cache.word_forms import spelled_alike as spelled_alike
from lc_costkit.embedding.glossary import korean_glossary
from lc_costkit.scripts import KOREAN

Similar = Callable[[str, str], float]
"""How alike two words are, 0 to 1."""


@cache
def equal_rows() -> dict[str, frozenset[int]]:
    """Index the table of words that may stand for each other."""
    found: dict[str, set[int]] = {}
    for number, row in enumerate(lexicon.rows(lexicon_equal.EQUAL) + lexicon.rows(lexicon_ko_pairs.EQUAL)):
        for word in row:
            found.setdefault(stem(word), set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


def same_meaning(one: str, other: str) -> bool:
    """Say whether two stems may stand for each other."""
    if one == other:
        return True
    rows = equal_rows()
    return not rows.get(one, frozenset()).isdisjoint(rows.get(other, frozenset()))


@cache
def opposite_words(table: str) -> dict[str, frozenset[str]]:
    """Index a table of pairs both ways, by stem."""
    found: dict[str, set[str]] = {}
    for one, other in lexicon.rows(table):
        found.setdefault(stem(one), set()).add(stem(other))
        found.setdefault(stem(other), set()).add(stem(one))
    return {word: frozenset(others) for word, others in found.items()}


def contradict(one: str, other: str) -> bool:
    """Say whether denying one stem states the other."""
    return other in opposite_words(lexicon.CONTRADICTORY).get(one, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """How two questions lie on each other.

    Attributes:
        only_cached: stems of topic words that the new question has in no form, in order.
        only_new: the same the other way round.
        order: share of words that stand in the same order on both sides, 0 to 1.
        replaced: runs of words that take each other's place between equal neighbours; a run may be empty.
    """

    only_cached: tuple[str, ...]
    only_new: tuple[str, ...]
    order: float
    replaced: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


def align(cached: Prepared, new: Prepared) -> Alignment:
    """Lay two questions on each other; the last result is kept with the new one."""
    kept: tuple[Prepared, Alignment] | None = new.__dict__.get("_alignment")
    if kept is not None and kept[0] is cached:
        return kept[1]
    made = _align(cached, new)
    new.__dict__["_alignment"] = (cached, made)
    return made


def _align(cached: Prepared, new: Prepared) -> Alignment:
    left, right = cached.frame[:MAX_TOKENS], new.frame[:MAX_TOKENS]
    replaced, common = _differences(left, right)
    only_cached, only_new = _left_over(cached, new), _left_over(new, cached)
    if only_cached or only_new:
        spelled = joined(cached, new)
        if spelled:
            only_cached = tuple(word for word in only_cached if word not in spelled)
            only_new = tuple(word for word in only_new if word not in spelled)
    return Alignment(
        only_cached=only_cached,
        only_new=only_new,
        order=2 * common / (len(left) + len(right)) if left or right else 1.0,
        replaced=replaced,
    )


def _left_over(one: Prepared, other: Prepared) -> tuple[str, ...]:
    missing = [word for word in one.content if word not in other.stems]
    if not missing:
        return ()
    return tuple(word for word in missing if not has_equal(word, other) and not _numbered(word, other))


_PLACES = {stem(word): float(place) for place, word in enumerate(ORDINALS, start=1)}


def _numbered(word: str, text: Prepared) -> bool:
    """Say whether a text states an ordinal as a number: "third" and "3rd"."""
    place = _PLACES.get(word)
    return place is not None and any(each.raw == place for each in text.stated.quantities)


def unsaid(stems_of: tuple[str, ...], one: Prepared, other: Prepared) -> tuple[str, ...]:
    """Leave out the Korean stems of one text that another one has under another name, by the shipped glossary."""
    if one.script != KOREAN or not stems_of:
        return stems_of
    own, said = kept(one, "_glosses", _glosses)[0], kept(other, "_glosses", _glosses)[1]
    return tuple(each for each in stems_of if not (own.get(each) and own[each] <= said))


def _glosses(text: Prepared) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    """Return the English glosses of the stems that the glossary knows as a whole, and those of all words."""
    found: dict[str, frozenset[str]] = {}
    said: set[str] = set()
    for token in text.tokens[:MAX_TOKENS]:
        if "가" <= token.word[0] <= "힣":
            whole, read = _glosses_of(token.word, token.stem)
            found[token.stem] = whole
            said |= read
    return found, frozenset(said)


@lru_cache(maxsize=8192)
def _glosses_of(word: str, stem_of: str) -> tuple[frozenset[str], frozenset[str]]:
    whole: frozenset[str] = frozenset()
    said: set[str] = set()
    for form in (stem_of, word):
        read = korean_glossary().read(form)
        said.update(gloss for _, gloss in read)
        if not whole and sum(len(part) for part, _ in read) >= len(stem_of) - (len(stem_of) > _WHOLE_STEM):
            whole = frozenset(gloss for _, gloss in read)
    return whole, frozenset(said)


_WHOLE_STEM = 3
"""Syllables up to which the glossary must know all of a stem; in a longer one it may be an ending that is left."""


def has_equal(word: str, text: Prepared) -> bool:
    """Say whether a text has a stem in any form: another form of the word, or a word of the same meaning."""
    if word in text.stems:
        return True
    meanings, openings = kept(text, "_forms", _forms)
    rows = equal_rows().get(word)
    if rows is not None and not rows.isdisjoint(meanings):
        return True
    alike = openings.get(_opening(word), ())
    return any(spelled_alike(word, candidate) for candidate in alike) or _said_apart(word, alike, text, meanings)


def _said_apart(word: str, beginnings: Iterable[str], text: Prepared, meanings: frozenset[int]) -> bool:
    """Say whether a text has both parts of a compound: "user name", or "head" and "pain" for "headache"."""
    for beginning in beginnings:
        rest = word.removeprefix(beginning)
        if 2 < len(rest) < len(word) and (
            rest in text.stems
            or not meanings.isdisjoint(equal_rows().get(stem(rest + "e"), equal_rows().get(rest, ())))
        ):
            return True
    return False


def _forms(text: Prepared) -> tuple[frozenset[int], dict[str, list[str]]]:
    """Read the rows of equals that a text touches, and its stems by how they begin."""
    meanings: set[int] = set()
    openings: dict[str, list[str]] = {}
    table = equal_rows()
    for word in dict.fromkeys(text.frame):
        meanings.update(table.get(word, ()))
        openings.setdefault(_opening(word), []).append(word)
    return frozenset(meanings), openings


def _opening(word: str) -> str:
    """Return what two forms of one word cannot differ in: three letters, or a syllable but for its last consonant."""
    code = ord(word[0]) - 0xAC00
    return str(code // 28) if 0 <= code < 11172 else word[:3]


def joined(one: Prepared, other: Prepared) -> frozenset[str]:
    """Find words that one side writes together, shortened or apart: "IRS", "daypass", "회원탈퇴", "k8s"."""
    kept: tuple[Prepared, frozenset[str]] | None = other.__dict__.get("_joined")
    if kept is not None and kept[0] is one:
        return kept[1]
    made = frozenset((*_joined(one, other), *_joined(other, one)))
    other.__dict__["_joined"] = (one, made)
    return made


_IN_BRACKETS = re.compile(r"((?:[^\W_]+ )?[^\W_]+) ?\(([^()]{2,40})\)")


def _apposed(one: Prepared, other: Prepared) -> list[str]:
    """Find two names of one thing, one in brackets, where the other question has one of them: "합성곱 신경망(CNN)"."""
    found: list[str] = []
    for outside, inside in _IN_BRACKETS.findall(one.lowered):
        before, within = [stem(word) for word in outside.split()], [stem(word) for word in inside.split()]
        if before[-1] in other.stems:
            found += within
        elif all(word in other.stems for word in within):
            found += (
                before if inside.isascii() and inside.isalpha() and len(inside) <= _LONGEST_INITIALS else before[-1:]
            )
    return found


def _joined(one: Prepared, other: Prepared) -> list[str]:
    found = _apposed(one, other) if "(" in one.lowered else []
    for token in one.tokens[:MAX_TOKENS]:
        word = token.word
        if not token.content or token.stem in other.stems or len(word) < 2:
            continue
        if "가" <= word[0] <= "힣":
            found += _korean_parts(token.stem, other)
            continue
        for parts in abbreviations().get(word, ()):
            if all(part in other.stems for part in parts):
                found += (token.stem, *parts)
        if len(word) <= _LONGEST_INITIALS and word.isalpha():
            found += _spelled_out(token, other)
        apart = kept(other, "_neighbours", _neighbours).get(word) or kept(other, "_neighbours", _neighbours).get(
            token.stem
        )
        if apart is not None:
            found += (token.stem, *apart)
    return found


_LONGEST_INITIALS = 5


def _spelled_out(token: Token, other: Prepared) -> tuple[str, ...]:
    """Find the words whose first letters make a word, or its plural: "RMDs"."""
    word = token.word
    for short in (word, word[:-1]) if word.endswith("s") and len(word) > 2 else (word,):
        for initials, meant in kept(other, "_initials", _initials):
            place = initials.find(short)
            if place >= 0:
                long = meant[place : place + len(short)]
                return (token.stem, *(stem(part) for word in long for part in (word, *word.split("-"))))
    return ()


def _neighbours(text: Prepared) -> dict[str, tuple[str, str]]:
    """Index what two neighbouring words make when written together."""
    return {left.word + right.word: (left.stem, right.stem) for left, right in pairwise(text.tokens[:MAX_TOKENS])}


def _initials(text: Prepared) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """First letters of all words, of those that carry topic, and of those between spaces, with their stems."""
    tokens = text.tokens[:MAX_TOKENS]
    topic = [token for token in tokens if token.content]
    made = [
        ("".join([token.word[0] for token in tokens]), tuple([token.stem for token in tokens])),
        ("".join([token.word[0] for token in topic]), tuple([token.stem for token in topic])),
    ]
    if "-" in text.lowered:
        spaced = [word for word in text.lowered.split()[:MAX_TOKENS] if word[0].isalpha()]
        made.append(("".join([word[0] for word in spaced]), tuple([stem(word.strip("?.,!")) for word in spaced])))
    return tuple(made)


def _korean_parts(stem_of: str, other: Prepared) -> list[str]:
    """Take a Korean compound apart by the words of the other side: nouns are written together at will."""
    if len(stem_of) < 3:
        return []
    parts = [
        token.stem
        for token in other.tokens[:MAX_TOKENS]
        if 1 < len(token.stem) < len(stem_of) and token.stem in stem_of
    ]
    rest = stem_of
    for part in sorted(set(parts), key=len, reverse=True):
        rest = rest.replace(part, "", 1)
    return [stem_of, *parts] if parts and len(rest) < 2 else []


@cache
def abbreviations() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Index shortened words by what they stand for."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for short, long in lexicon.rows(lexicon_equal.ABBREVIATED):
        found.setdefault(short, []).append(tuple(stem(part) for part in long.split("-")))
    return {short: tuple(longs) for short, longs in found.items()}


def _differences(
    left: tuple[str, ...], right: tuple[str, ...]
) -> tuple[tuple[tuple[tuple[str, ...], tuple[str, ...]], ...], int]:
    """Return what differs between two rows of words, and how many stand in both in order.

    Equal ends are cut off first, so that the quadratic table is small for near-equal questions.
    """
    start, end_left, end_right = 0, len(left), len(right)
    while start < end_left and start < end_right and left[start] == right[start]:
        start += 1
    while end_left > start and end_right > start and left[end_left - 1] == right[end_right - 1]:
        end_left, end_right = end_left - 1, end_right - 1
    common = start + len(left) - end_left
    a, b = left[start:end_left], right[start:end_right]
    if not a or not b:
        return (((a, b),) if a or b else ()), common
    pairs = _common_pairs(a, b)
    blocks = []
    last_a = last_b = 0
    for at_a, at_b in [*pairs, (len(a), len(b))]:
        if at_a > last_a or at_b > last_b:
            blocks.append((a[last_a:at_a], b[last_b:at_b]))
        last_a, last_b = at_a + 1, at_b + 1
    return tuple(blocks), common + len(pairs)


def _common_pairs(a: tuple[str, ...], b: tuple[str, ...]) -> list[tuple[int, int]]:
    """Longest common subsequence as pairs of places."""
    rows = [[0] * (len(b) + 1)]
    there = frozenset(b)
    for word in a:
        above = rows[-1]
        if word not in there:
            rows.append(above)
            continue
        row = [0]
        for place, other in enumerate(b):
            if word == other:
                row.append(above[place] + 1)
            else:
                up, left = above[place + 1], row[-1]
                row.append(up if up > left else left)
        rows.append(row)
    pairs = []
    at_a, at_b = len(a), len(b)
    while at_a and at_b:
        if a[at_a - 1] == b[at_b - 1]:
            at_a, at_b = at_a - 1, at_b - 1
            pairs.append((at_a, at_b))
        elif rows[at_a - 1][at_b] >= rows[at_a][at_b - 1]:
            at_a -= 1
        else:
            at_b -= 1
    return pairs[::-1]
