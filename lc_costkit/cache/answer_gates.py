"""Do two questions want another kind of answer: what follows from it, which one, how long, in which form?"""

from __future__ import annotations

import re

from lc_costkit.cache import lexicon
from lc_costkit.cache.align import align
from lc_costkit.cache.prepare import Prepared, kept
from lc_costkit.cache.stemming import stem
from lc_costkit.cache.text import words

_FOLLOWS = re.compile(
    r"\bwhat (?:\w+ )?happen(?:s|ed)?\b|\bwhat(?: i)?s going to happen\b|\bwhat(?: about)? if\b"
    r"|\b(?:consequences?|effects?|affects?|impacts?) (?:of|if|on)\b"
    r"|(?:면|을 ?때|[은한된] ?(?:후|뒤)에?) .{0,20}(?:어떻게 ?(?:되|돼|됩)|어찌 ?되|무슨 ?일)"
)
_ASKS_ELSE = re.compile(
    r"^\W*(?:(?:and|so|but|hi|hello|please)\W+)*(?:when|where|who|why|which|how (?:much|many|long|soon|often|do|can"
    r"|to|should)|(?:can|could|do|does|did|is|are|will|should|must|may|am|has|have)\b(?! you (?:tell|explain)))\b"
    r"|^\W*(?:(?:and|so|but) )?what (?:should|do|must|can|could|may|shall) (?:i|we|you|one) (?!do\b)"
    r"|, (?:when|where|who|why|which|how (?:much|many|long|soon|often)|can|do|does|is|are|will|should|must|am) "
    r"|\b(?:tell me|know|ask|wonder|understand|explain|and|say) (?:when|where|who|why|which|how (?:much|many|long"
    r"|soon|often))\b"
    r"|언제|어디|왜|누가|누구|얼마|며칠|몇 "
)


def _follows(text: Prepared) -> bool:
    return _FOLLOWS.search(text.lowered) is not None


def _degree(text: Prepared) -> tuple[bool, bool]:
    lowered = text.lowered
    return "how " in lowered and _DEGREE.search(lowered) is not None, _UNTIL_WHEN.search(lowered) is not None


def outcome_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when only one side asks what follows: "What happens when it ends?" and "When does it end?"."""
    one, other = kept(cached, "_follows", _follows), kept(new, "_follows", _follows)
    if one == other:
        return None
    if _ASKS_ELSE.search((cached if other else new).lowered):
        return "only one of them asks what happens then"
    return None


_WHICH = re.compile(
    r"^\W*(?:(?:and|so|but|hi|hello|at|in|on|for|to|with|from|by)\W+)*(?:which|what) ((?:[a-z-]+ )?)([a-z-]+)"
)
_WHY_OR_HOW = re.compile(r"^\W*(?:(?:and|so|but|hi|hello)\W+)*(why|how|when|where)\b")
_OPEN = frozenset(
    stem(word)
    for word in words(
        """way ways method methods steps time date day place location reason reasons cause causes amount kind
        type sort
        person price cost age number many much"""
    )
)
_PICKED = re.compile(
    r"^\W*(?:which|what) (?:[a-z-]+ )??([a-z-]{3,}) (?:can|could|do|does|did|should|may|must|will|would|are|is)\b"
)
_SAYS_WHY = re.compile(
    r"\bwhat (?:makes?|made|causes?|caused|leads?|led)\b|\bwhat(?: i)?s? (?:wrong|happen)|\bfor what\b"
)
_KOREAN_WHICH = re.compile(r"(?:어떤|어느|무슨) ?([가-힣]{2,})")


def which_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when one asks which thing, the other takes the thing as given and asks why, how, when or where."""
    for one, other in ((cached, new), (new, cached)):
        if "가" <= one.text[:1] <= "힣":
            asked = _KOREAN_WHICH.search(one.lowered)
            if (
                asked
                and stem(asked[1]) in other.stems
                and re.search(r"왜|언제|어떻게(?! ?되)", other.lowered)
                and not _KOREAN_WHICH.search(other.lowered)
            ):
                return f"only one of them asks which {stem(asked[1])}"
            continue
        chosen, plain = _WHICH.search(one.lowered), _WHY_OR_HOW.search(other.lowered)
        if chosen is None or plain is None or _SAYS_WHY.search(one.lowered):
            continue
        plain_noun = chosen[1].strip() not in lexicon.FUNCTION_WORDS if chosen[1] else True
        named = [
            stem(word)
            for word in (chosen[1].strip(), chosen[2])
            if plain_noun and word and word not in lexicon.FUNCTION_WORDS
        ]
        if named and named[0] not in _OPEN and named[-1] not in _OPEN and named[0] in other.stems:
            return f"one asks which {named[0]}, the other {plain[1]}"
        if plain[1] == "why" and not named and align(cached, new).order >= 0.7:
            return "one asks why, the other what"
    for one, other in ((cached, new), (new, cached)):
        picked = _PICKED.match(one.lowered)
        if (
            picked
            and stem(picked[1]) not in _OPEN
            and stem(picked[1]) in other.content
            and _WHETHER.match(other.lowered)
            and not _IS_THERE_ANY.match(other.lowered)
        ):
            return f"one asks which {picked[1]}, the other whether"
    return None


_DEGREE = re.compile(
    r"\bhow (late|early|far|deep|wide|tall|high|heavy|thick|big|large|close|loud|hot|cold|warm|low|old|young"
    r"|full|long"
    r"|fast|soon|often) (?:is|are|do|does|can|will|would|should|am|was|were|did|may|must)\b"
)
_WHETHER = re.compile(r"^\W*(?:can|could|do|does|did|is|are|will|would|should|has|have|am|was|were|may|must)\b")
_UNTIL_WHEN = re.compile(r"몇 ?시|언제")
_WHETHER_LATE = re.compile(r"(?:늦게|일찍|밤늦게|새벽)")


_IS_THERE_ANY = re.compile(
    r"^\W*(?:(?:and|so|but) )?(?:(?:is|are|were|was) there|(?:do|does) (?:\w+ ){1,3}have) (?:any|some)\b"
)


def degree_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when one asks how late, how far or how deep, the other whether it is late, far or deep."""
    for one, other in ((cached, new), (new, cached)):
        degree, until = kept(one, "_degree", _degree)
        if degree and _WHETHER.search(other.lowered):
            return "one asks how much, the other whether"
        if until and _WHETHER_LATE.search(other.lowered) and not kept(other, "_degree", _degree)[1]:
            return "one asks when, the other whether"
    return None


_STYLES: tuple[tuple[str, str], ...] = (
    (
        "short",
        r"\bbrief(?:ly)?\b|\bin (?:short|a nutshell|a word|a few words|(?:one|a single|a|two|three)"
        r" (?:sentences?|lines?|words?|paragraphs?))\b(?! of\b)|\bconcise(?:ly)?\b|\btl;?dr\b"
        r"|\bshort (?:answer|version|summary|explanation|description|overview|reply|note|paragraph)\b"
        r"|\bquick (?:summary|overview|answer)\b|\bsummari[sz]e\b|\bsummary of\b"
        r"|간단히|간단하게|간략|짧게|한 ?(?:줄|문장)|요약",
    ),
    (
        "long",
        r"\bin (?:full |great |more |much )?(?:detail|depth|length)\b|\bdetailed\b|\bat length\b|\bin-depth\b"
        r"|\bthorough(?:ly)?\b|\bcomprehensive(?:ly)?\b|\bextensive(?:ly)?\b|\belaborate\b"
        r"|\blong (?:answer|version|summary|explanation|description|reply)\b|자세히|자세하게|상세|구체적|길게",
    ),
    (
        "simple",
        r"\b(?:simple|plain|easy|layman'?s?|everyday|non-technical) (?:words|terms|language|english)\b|\beli5\b"
        r"|\blike i ?'?m? ?(?:am )?(?:five|5|0|a (?:child|kid))\b"
        r"|\bfor (?:dummies|beginners|a (?:child|kid|beginner|layman))\b"
        r"|\bto a (?:child|kid|beginner|layman|\w+[- ]year[- ]old)\b|쉽게|쉬운 ?말|초보자|어린이도",
    ),
    (
        "expert",
        r"\b(?:technical|scientific|academic|formal|professional|legal) (?:terms|words|language|detail|style|tone)\b"
        r"|\b(?:to|for) (?:an expert|experts|a specialist|professionals)\b|전문적|전문가|기술적으로",
    ),
    ("points", r"\bbullet(?:s|ed)?\b|\b(?:key|bullet) points\b|글머리|항목별"),
    ("numbered", r"\bnumbered\b|\bstep[- ]by[- ]step\b|단계별|번호를? ?매"),
    (
        "table",
        r"\b(?:in|as|into) an? (?:\w+ )?(?:table|chart|grid|spreadsheet)\b|\bas table\b"
        r"|\btab(?:ular|le) form|표로|도표",
    ),
    (
        "prose",
        r"\b(?:in|as|into) (?:an? )?(?:\w+ )?(?:essay|paragraphs?|letter|prose|poem|story)\b|문장으로|글로|문단으로",
    ),
    ("example", r"\bwith (?:an )?examples?\b|예시|예를 ?들어"),
)
_STYLE_ROWS = tuple((name, re.compile(pattern)) for name, pattern in _STYLES)
_STYLE_HINT = re.compile(
    r"brief|short|nutshell|concise|tl;?dr|quick|summar|detail|length|depth|thorough|comprehensive|extensive|elaborate"
    r"|long [asvedr]|words?\b|sentence|lines?\b|paragraph|simple|plain|easy|layman|everyday|technical|eli5|like i"
    r"|dummies|beginner|child|kid|year|expert|specialist|professional|bullet|points|numbered|step|tab[lu]|chart|grid"
    r"|sheet|essay|letter|prose|poem|story|example|terms|language|english"
    r"|간|짧|줄|문장|요약|자세|상세|구체|길게|쉽|쉬운|초보|어린이|전문|기술|글|항목|단계|번호|표|문단|예"
)
"""Where none of these stands, no row can match: looked for first, as most questions ask for no form."""
_SPARED_ALONE = frozenset({"long", "numbered", "simple"})
"""Asked for on one side only, these leave the answer right: most answers are meant to be that way."""


def style_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another length, level or form of the answer: briefly and in detail, as a table and as points."""
    one, other = kept(cached, "_styles", _styles), kept(new, "_styles", _styles)
    if one == other:
        return None
    left, right = one - other, other - one
    if (not left and right <= _SPARED_ALONE) or (not right and left <= _SPARED_ALONE):
        return None
    named = " and ".join(" ".join(sorted(style)) or "none" for style in (left, right))
    return f"another form of answer is wanted: {named}"


def _styles(text: Prepared) -> frozenset[str]:
    lowered = text.lowered
    if _STYLE_HINT.search(lowered) is None:
        return frozenset()
    return frozenset(name for name, pattern in _STYLE_ROWS if pattern.search(lowered))
