"""Do the same words take other parts: who does it to whom, which is the condition, which letter comes first?"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from lc_costkit.cache.align import align, same_meaning, spelled_alike
from lc_costkit.cache.prepare import MAX_CHARACTERS, Prepared, Token, kept
from lc_costkit.cache.text import words
from lc_costkit.scripts import KOREAN

_PERSONS = {
    **dict.fromkeys(("i", "me", "my", "mine", "myself", "we", "us", "our", "ours"), "I"),
    **dict.fromkeys(("you", "your", "yours", "yourself"), "YOU"),
    **dict.fromkeys(("someone", "somebody", "anyone", "anybody", "people", "person", "everyone"), "SOMEONE"),
    **dict.fromkeys(("he", "him", "his", "she", "her", "they", "them", "their", "theirs"), "THEY"),
}
_OWNERS = words("my our your his her their")
_VERBS = words(
    """use uses used using take takes took get gets got know tell tells told show shows give gives gave help find
    finds call calls see ask asks asked need needs want wants look like let make makes"""
)
"""Words that carry no topic and still are what somebody does to somebody."""
_BREAKS = words(
    """and or if when whenever once because unless while until before after since whether that which who whom what why
    how where although but than as"""
)
_BE = words("is are was were be been being am")
_AUXILIARIES = _BE | words("can could do does did will would shall should may might must has have had")
_BEFORE_A_NOUN = _OWNERS | words(
    """a an the this that these those any some no each every in on of for with from by at as through via about
    into onto
    within during which what all both several many most"""
)
_PARTICIPLE = re.compile(
    r"(?:ed|en|wn|lt|pt|nt|ught|sold|told|held|paid|made|done|set|cut|put|read|found|built"
    r"|met)$"
)
_BOUND = words(
    "have has had need needs needed able allowed going supposed required want wants obliged entitled permitted expected"
)
_REACH = 5
"""Words after a verb that can still be its objects."""
_SHORT = 20
"""Words up to which a question has one thing done in it; in longer texts any two words may stand either way round."""


@dataclass(frozen=True, slots=True)
class _Act:
    """A word with what stands before it and what follows it, as far as the clause goes."""

    before: str | None
    after: tuple[str, ...]
    state: bool
    asked: bool


def role_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when the one who acts and the one acted upon change places: "Can a tenant sue the landlord?"."""
    laid = align(cached, new)
    if _who_or_whom(cached, new) or _who_or_whom(new, cached):
        return "one asks who does it, the other to whom it is done"
    if len(laid.only_cached) > 1 or len(laid.only_new) > 1 or cached.frame == new.frame:
        return None
    if max(len(cached.frame), len(new.frame)) > _SHORT:
        return None
    if new.script == KOREAN:
        return _exchanged_parts(kept(cached, "_parts", _korean_parts), kept(new, "_parts", _korean_parts))
    acts = kept(new, "_acts", _acts)
    for verb, others in kept(cached, "_acts", _acts).items():
        for one in others:
            for other in acts.get(verb, ()):
                if one.state == other.state and _reversed(one, other):
                    return f"{one.before} and {other.before} change places around {verb!r}"
    return None


_DO = words("do does did")
_ASKED_FOR = words("what who whom which")
"""What a question asks for is what it is done to: "What does the interviewer ask?"."""


def _who_or_whom(one: Prepared, other: Prepared) -> bool:
    """Tell "who pays the agent" from "who does the agent pay"."""
    if not one.tokens or not other.tokens or one.tokens[0].word != "who" or other.tokens[0].word not in ("who", "whom"):
        return False
    if len(one.tokens) < 3 or len(other.tokens) < 3 or not one.tokens[1].content or other.tokens[1].content:
        return False
    verb, done_to = one.tokens[1].stem, [token.stem for token in other.tokens[2:] if token.content]
    return verb in done_to[1:] and done_to[0] in one.frame[2:]


def _reversed(one: _Act, other: _Act) -> bool:
    left, right = one.before, other.before
    return (
        left is not None
        and right is not None
        and left != right
        and (
            (left in other.after and right in one.after)
            or (one.asked and other.asked and (left in other.after or right in one.after))
        )
    )


def _unit(token: Token) -> str | None:
    """Return what takes part in an act: a topic word, or a person under one name for all its forms."""
    return _PERSONS.get(token.word) or (token.stem if token.content else None)


def _acts(text: Prepared) -> dict[str, list[_Act]]:
    tokens = text.tokens
    found: dict[str, list[_Act]] = {}
    asked = bool(tokens) and tokens[0].word in _ASKED_FOR
    for place, token in enumerate(tokens):
        if not (token.content or token.word in _VERBS) or (place and tokens[place - 1].word in _BEFORE_A_NOUN):
            continue
        before = _before(tokens, place)
        after, by = _after(tokens, place)
        auxiliary = _auxiliary(tokens, place)
        state, of_what = auxiliary in _BE, asked and auxiliary in _DO
        if state and by is not None and before is not None and _PARTICIPLE.search(token.word):
            before, after, state = by, (before,), False
        if before is not None and (after or of_what):
            found.setdefault(token.stem, []).append(_Act(before, after, state, of_what))
    return found


def _auxiliary(tokens: tuple[Token, ...], place: int) -> str:
    for token in reversed(tokens[max(0, place - 6) : place]):
        if token.word in _AUXILIARIES:
            return token.word
        if token.word in _BREAKS:
            break
    return ""


def _before(tokens: tuple[Token, ...], place: int) -> str | None:
    """Find who does it: the nearest word before that takes part, in the same clause."""
    if place and tokens[place - 1].word == "to":
        if place < 2 or tokens[place - 2].word not in _BOUND:
            return None
        place -= 2  # "the tenant has to sue": who has to
    for token in reversed(tokens[max(0, place - 4) : place]):
        unit = _unit(token)
        if unit is not None and token.word not in _OWNERS:
            return unit
        if token.word in _BREAKS:
            return None
    return None


def _after(tokens: tuple[Token, ...], place: int) -> tuple[tuple[str, ...], str | None]:
    """Return what follows in the same clause, and the one named by "by"."""
    found: list[str] = []
    by: str | None = None
    named = False
    for token in tokens[place + 1 :]:
        if token.word in _BREAKS and token.word != "than":
            break
        unit = _unit(token)
        if unit is not None:
            found.append(unit)
            if named and by is None and token.word not in _OWNERS:
                by = unit
        named = named or token.word == "by"
        if len(found) == _REACH:
            break
    return tuple(found), by


_KOREAN_PARTS = (
    ("subject", ("이", "가", "께서", "은", "는")),
    ("object", ("을", "를")),
    ("receiver", ("에게", "한테", "께")),
    ("giver", ("에게서", "한테서")),
)
_KOREAN_SELF = words("제 저 내 나 제가 내가 저는 나는 저를 나를 저에게 나에게 저한테 나한테 저의 나의 우리 저희")


def _korean_parts(text: Prepared) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for token in text.tokens:
        own = token.word in _KOREAN_SELF
        ending = token.word[1:] if own else token.word[len(token.stem) :]
        for part, endings in _KOREAN_PARTS:
            if ending in endings:
                found.setdefault(part, set()).add("나" if own else token.stem)
    found["any"] = {"나" if token.word in _KOREAN_SELF else token.stem for token in text.tokens}
    return {part: frozenset(named) for part, named in found.items()}


_NOBODY: frozenset[str] = frozenset()


def _exchanged_parts(one: dict[str, frozenset[str]], other: dict[str, frozenset[str]]) -> str | None:
    acting, others = one.get("subject", _NOBODY), other.get("subject", _NOBODY)
    gone, come = (acting - others) & other["any"], (others - acting) & one["any"]
    if not gone or not come:
        return None
    for part in ("object", "receiver", "giver"):
        if gone & other.get(part, _NOBODY) or come & one.get(part, _NOBODY):
            return f"{' '.join(sorted(gone))} and {' '.join(sorted(come))} take each other's part"
    return None


# Words that open a condition or a reason. Those of one row say the same, of the others another thing.
_MARKERS = {
    **dict.fromkeys(("if", "when", "whenever", "once", "after"), "if"),
    **dict.fromkeys(("because", "since"), "because"),
    "before": "before",
    "until": "until",
    "till": "until",
    "unless": "unless",
    "while": "while",
    "without": "without",
}
_MARKED = re.compile(r"\b(?:if|when|whenever|once|after|because|since|before|until|till|unless|while|without)\b")
_INVERTED = re.compile(
    r"(?:,|\b(?:can|could|do|does|did|will|would|should|may|must|is|are|am|what|how|why|where|who|which)\b)"
)
_KOREAN_CLAUSE = (
    (
        "if",
        re.compile(r"(?:면|[을할될] ?때|[한은된] ?(?:후|뒤|다음)에?|후에|뒤에)(?=\s|,|$)"),
    ),
    ("because", re.compile(r"(?:때문에|탓에|덕분에|해서|되어서|돼서|[아어]서)(?=\s|,|$)")),
    ("before", re.compile(r"(?:기 ?전에?|전에)(?=\s|,|$)")),
)


@dataclass(frozen=True, slots=True)
class _Clauses:
    kind: str
    main: frozenset[str]
    side: frozenset[str]


def clause_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when condition and consequence, or cause and effect, change places."""
    if cached.frame == new.frame or max(len(cached.frame), len(new.frame)) > _SHORT:
        return None
    one, other = kept(cached, "_clauses", _clauses), kept(new, "_clauses", _clauses)
    if one and other and one[0].kind == other[0].kind:
        gone = _shifted(one[0].side, one[0].main, other[0].main, other[0].side)
        come = _shifted(one[0].main, one[0].side, other[0].side, other[0].main)
        if gone and come:
            return f"{gone} and {come} change places around {one[0].kind!r}"
    doing, others = kept(cached, "_doing", _doing), kept(new, "_doing", _doing)
    if (
        doing
        and others
        and not _alike(doing[0], others[0])
        and any(_alike(doing[0], word) for word in new.frame)
        and any(_alike(others[0], word) for word in cached.frame)
    ):
        return f"{doing[0]} does it on one side, {others[0]} on the other"
    return None


def _shifted(here: frozenset[str], not_here: frozenset[str], there: frozenset[str], not_there: frozenset[str]) -> str:
    """Find a word that stands in one place here and in the other there, and only so."""
    for word in sorted(here):
        if any(_alike(word, each) for each in there) and not any(
            _alike(word, each) for each in (*not_here, *not_there)
        ):
            return word
    return ""


def _alike(one: str, other: str) -> bool:
    return same_meaning(one, other) or spelled_alike(one, other) > 0


_DOING = re.compile(r"\b(?:does|do|did|will|would|can|could|is|are)\s+([a-z]{3,}ing)\b")


def _doing(text: Prepared) -> tuple[str, ...]:
    found = _DOING.search(text.lowered) if "ing" in text.lowered else None
    if found is None:
        return ()
    return tuple(token.stem for token in text.tokens if token.word == found[1])[:1]


def _clauses(text: Prepared) -> tuple[_Clauses, ...]:
    lowered = text.lowered
    if text.script == KOREAN:
        for clause, pattern in _KOREAN_CLAUSE:
            end = next((found.end() for found in pattern.finditer(lowered)), len(lowered))
            if end < len(lowered):
                return _split(text, clause, lowered[:end], lowered[end:])
        return ()
    for match in _MARKED.finditer(lowered):
        kind = _MARKERS[match[0]]
        before, after = lowered[: match.start()], lowered[match.end() :]
        if any(letter.isalpha() for letter in before):
            comma = after.find(",")
            if comma >= 0:
                before, after = before + after[comma:], after[:comma]
            return _split(text, kind, after, before)
        opening = _INVERTED.search(after, 3)
        if opening is not None and not (match[0] == "when" and "," not in after):
            return _split(text, kind, after[: opening.start()], after[opening.start() :])
        return ()
    return ()


_WORD = re.compile(r"[가-힣]+|[^\W_가-힣]+(?:['.@/_-][^\W_가-힣]+)*")


def _split(text: Prepared, kind: str, side: str, main: str) -> tuple[_Clauses, ...]:
    # A person counts: "if I pay, do they ship" is not "if they ship, do I pay".
    stem_of = {token.word: token.stem for token in text.tokens if token.content}
    parts = [frozenset(stem_of[word] for word in _WORD.findall(part) if word in stem_of) for part in (main, side)]
    return (_Clauses(kind, parts[0], parts[1]),) if all(parts) else ()


_LETTER = re.compile(r"(?<![\w'’&+.°/-])(?<!\d )([A-Z])(?!/)(?![\w'’&+#-]|\.\w|\. [A-Z]|\s[A-Z][a-z])")
_NAMED_BY_LETTER = re.compile(
    r"\b(plan|option|tier|type|class|grade|vitamin|hepatitis|influenza|group|section|part|gate|terminal|zone|level"
    r"|invoice|building|block|row|team|schedule|appendix|exhibit|form|variant|category|route|line|series|box"
    r"|pier|hall"
    r"|platform|wing|unit|annex|phase|stage|room|shift|batch|set|version|model|product|company|account)s?\s+"
    r"([a-hj-z])(?![\w'’.-])"
)
_ENDS_A_NAME = re.compile(r"\s*(?:$|[?.!,;:)]|(?:or|and|than|vs|versus|to|from|in|is|are|was)\b)")
_BETWEEN_EQUALS = re.compile(r"^\s*(?:,|and|or|vs\.?|versus|/|&)\s*(?:\w+\s+)?$", re.IGNORECASE)


def letter_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another letter that names something, or the same ones in other places: plan A and plan B."""
    one, other = kept(cached, "_letters", _letters), kept(new, "_letters", _letters)
    if one[0] == other[0]:
        return None
    if Counter(one[0]) != Counter(other[0]):
        for here, there in ((one, new), (other, cached)):
            against = other if here is one else one
            for letter in Counter(here[0]) - Counter(against[0]):
                if (
                    letter == "A"
                    or letter in against[0]
                    or not re.search(rf"(?<![\w'’]){letter.lower()}(?![\w'’])", there.lowered)
                ):
                    return f"they name other letters: {' '.join(one[0]) or 'none'} and {' '.join(other[0]) or 'none'}"
        return None
    return None if one[1] and other[1] else f"the letters {' '.join(one[0])} stand in another order"


def _letters(text: Prepared) -> tuple[tuple[str, ...], bool]:
    """Return the letters that name something, in order, and whether they only stand side by side."""
    whole = text.text[:MAX_CHARACTERS]
    if whole.isupper():
        return (), False
    found: dict[int, tuple[str, int]] = {}
    for match in _LETTER.finditer(whole):
        # "A" at the beginning of a sentence is the article, "I" a person.
        opens = not whole[: match.start()].strip() or whole[: match.start()].rstrip()[-1] in ".!?:\"'“(\n"
        if match[1] != "I" and not (opens and match[1] == "A"):
            found[match.start()] = (match[1], match.end())
    named = list(_NAMED_BY_LETTER.finditer(whole.lower()))
    others = {match[1] for match in named if match[2] != "a"}
    for match in named:
        # "plan a trip" has the article, "plan a or plan b" a name.
        if match[2] != "a" or match[1] in others or _ENDS_A_NAME.match(whole[match.end() :].lower()):
            found.setdefault(match.start(2), (match[2].upper(), match.end()))
    places = sorted(found)
    equals = all(_BETWEEN_EQUALS.match(whole[found[left][1] : right]) for left, right in pairwise(places))
    return tuple(found[place][0] for place in places), equals
