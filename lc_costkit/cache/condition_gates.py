"""Do two questions hold under another condition, at another time, or ask for another extreme?"""

from __future__ import annotations

import re

from lc_costkit.cache.align import align, same_meaning, spelled_alike
from lc_costkit.cache.meaning import meaning, places, topic_places
from lc_costkit.cache.prepare import Prepared, kept
from lc_costkit.cache.stemming import stem
from lc_costkit.cache.text import words
from lc_costkit.cache.thing_gates import HEAVY
from lc_costkit.scripts import KOREAN, LATIN, NONE

_CONDITION = re.compile(
    r"\b(?:even if|only if|if|when|while|unless|in case|because|after|before|during|without|whilst|until|once"
    r"|despite|as long as"
    r"|for (?:people|those|someone|anyone) (?:who|with)|since)\b([^,.?!;]{3,80})"
)
_KOREAN_CONDITION = re.compile(
    r"((?:[가-힣a-z0-9]+ ){0,4}[가-힣a-z0-9]*)(?:[가-힣](?<=[면])|(?<=[을할될한은된던]) ?때|경우|후에|전에|동안"
    r"|없이|중에|상태|(?<=[은는한]데)|(?<=라서)|(?<=아서)|(?<=어서))(?=[\s,에]|$)"
)


_FILLERS = words("기간 시간 상태 정도 무렵 time moment case way point")


def condition_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when only one side adds a condition: "if it was taken from my car", "on the motorway when it snows"."""
    laid = align(cached, new)
    for alone, others, text, plain in (
        (laid.only_cached, laid.only_new, cached, new),
        (laid.only_new, laid.only_cached, new, cached),
    ):
        if alone and others and _heavy_condition(cached, new, (alone, others), of_cached=text is cached):
            return "only one of them holds under a condition"
        if not alone or others or (len(alone) == 1 and kept(plain, "_condition", _condition)):
            continue
        said = kept(text, "_condition", _condition)
        added = [word for word in alone if word in said and word not in _FILLERS]
        if added:
            return f"only one of them adds the condition {' '.join(added)}"
    return None


_STATED_CONDITION = re.compile(
    r"(?<!know )(?<!wonder )(?<!wondering )(?<!ask )(?<!asking )(?<!see )(?<!check )(?<!tell )(?<!me )(?<!us )"
    r"(?<!sure )(?<!out )(?<!decide )(?<!confirm )(?<!what )(?<!as )(?<!do )(?<!happens )(?<!happen )"
    r"\b(?:if|unless|provided (?:that|i|we|you|he|she|it|they)|providing|as long as|assuming)\b([^.?!;]{3,80})"
)


def _heavy_condition(
    cached: Prepared, new: Prepared, alone: tuple[tuple[str, ...], tuple[str, ...]], *, of_cached: bool
) -> bool:
    """Say whether one side holds under a condition of which the other says nothing, while it says all else alike."""
    text, plain = (cached, new) if of_cached else (new, cached)
    if text.script not in (LATIN, NONE) or kept(plain, "_condition", _condition):
        return False
    said = kept(text, "_stated_condition", _stated_condition)
    added = [word for word in alone[0] if word in said and word not in _FILLERS]
    if not added:
        return False
    found = meaning(cached, new)
    weights, against = found.cached_weights, found.new_weights
    if not of_cached:
        weights, against = against, weights
    others, mine = topic_places(plain), topic_places(text)
    if any(
        against[place] * (1 - max(0.0, found.best(place, mine, of_cached=not of_cached))) >= HEAVY
        for place in places(plain, alone[1])
    ):
        return False
    return any(
        weights[place] * (1 - max(0.0, found.best(place, others, of_cached=of_cached))) >= HEAVY
        for place in places(text, added)
    )


def _stated_condition(text: Prepared) -> frozenset[str]:
    found = _STATED_CONDITION.findall(text.lowered)
    return frozenset(stem(word) for part in found for word in re.findall(r"[\w'-]+", part))


def _condition(text: Prepared) -> frozenset[str]:
    pattern = _KOREAN_CONDITION if text.script == KOREAN else _CONDITION
    return frozenset(stem(word) for part in pattern.findall(text.lowered) for word in re.findall(r"[\w가-힣'-]+", part))


_HEAD = re.compile(
    r"^\W*(?:(?:and|so|but|ok|then) )?(?:(?:what|which|when|where|who|whom|why|how)(?: (?:\w+ ){0,4}?)?)?"
    r"\b(?P<head>did|was|were|had|do|does|is|are|will|has|have|can|should|would)\b"
)
_PAST, _PRESENT, _FUTURE, _DONE = "past", "present", "future", "done"
_TENSE = {
    **dict.fromkeys(("did", "was", "were", "had"), _PAST),
    **dict.fromkeys(("do", "does", "is", "are"), _PRESENT),
    "will": _FUTURE,
}
_PERFECT = re.compile(r"^\W*(?:(?:and|so|but) )?(?:has|have) (?:\w+ ){1,4}?(?:been|\w+ed)\b(?! (?:to|able)\b)")
_GOING_TO = re.compile(r"^\W*(?:(?:and|so|but) )?(?:is|are|am) (?:\w+ ){1,4}?(?:going|about) to\b")
_PERFECT_DUTY = re.compile(r"\b(?:should|would|could|must|might) (?:i|we|you|he|she|they|it|the \w+) have \w+")
_SAME_SENTENCE = 0.4
"""Share of words in the same order from which a tense is compared: other sentences tell a story in any tense."""
_KOREAN_PAST = re.compile(
    r"[았었였했됐갔왔났졌렸겼쳤](?:나요|어요|습니까|을까요|니|어|냐|는지|던가요|지)\W*(?:\S{0,8})?$"
    r"|이?었(?:나요|어요|죠|는지)\W*$"
)
_KOREAN_NOW = re.compile(
    r"(?:나요|인가요|는가요|어요|아요|예요|이에요|해요|돼요|되요|습니까|ㅂ니까|합니까|됩니까|까요|니|냐|야|죠)\W*$"
)


def tense_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another time in the same sentence: when did it leave, when does it leave."""
    one, other = kept(cached, "_tense", _tense), kept(new, "_tense", _tense)
    if one == other or not one[0] or not other[0]:
        return None
    if {one[0], other[0]} == {_PRESENT, _FUTURE} or (_DONE in (one[0], other[0]) and _FUTURE not in (one[0], other[0])):
        return None
    if align(cached, new).order < _SAME_SENTENCE:
        return None
    return f"one asks about the {one[0]}, the other about the {other[0]}"


def _tense(text: Prepared) -> tuple[str]:
    lowered = text.lowered
    if text.script == KOREAN:
        if _KOREAN_PAST.search(lowered):
            return (_PAST,)
        return (_PRESENT if _KOREAN_NOW.search(lowered) else "",)
    if _PERFECT_DUTY.search(lowered):
        return (_PAST,)
    if _PERFECT.match(lowered):
        return (_PAST if " ever " in lowered else _DONE,)
    if _GOING_TO.match(lowered):
        return (_FUTURE,)
    head = _HEAD.match(lowered)
    if head is None:
        return ("",)
    return (_TENSE.get(head["head"], _PRESENT if head["head"] in ("should", "can") else ""),)


_SUPERLATIVE = re.compile(
    r"\b(?:the )?(?:(most|least) (\w+)|(?<!\w)(?!(?:west|rest|test|best|guest|request|interest|forest|quest"
    r"|nest|invest|arrest|contest"
    r"|suggest|harvest|latest|honest|modest|chest|protest|digest|east|least|manifest|ingest|pest"
    r"|vest)\b)([a-z]{2,}(?:i)?est))\b"
)
_COMPARATIVE = re.compile(r"\b(?:(?:more|less) ([a-z]{3,})|([a-z]{2,}er)|(better|worse)) (?:\w+ ){0,4}?than\b")
_KOREAN_EXTREME = re.compile(r"(?:가장|제일|최고로|젤) ?([가-힣]{1,6})")
_KOREAN_COMPARED = re.compile(r"보다 (?:더 |덜 )?(?:([가-힣]+?)(?:이|가|에|은|는|을|를) )?(?:더 |덜 )?([가-힣]+)")
_DEEDS = words("게 것 것이 거 쪽 쪽이 편")
_GOOD = words("best top greatest good highest finest great popular")


_COMPARES = re.compile(
    r"\b(?:more|less|most|least|better|worse|best|worst|than|over|above|under|below|exceed\w*|vs|versus|or|prefer\w*"
    r"|instead|rather|compar\w+|differ\w*|difference|same|between|within|after|before|at least|up to"
    r"|maximum|minimum|limit|max|min|\w{3,}est|\w{3,}er|without|no|not)\b|[<>]"
)


def extreme_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another extreme or another comparison: the cheapest and the biggest, faster and quieter than."""
    one, other = kept(cached, "_extremes", _extremes), kept(new, "_extremes", _extremes)
    for compared, plain in ((one[1], new), (other[1], cached)):
        if (
            compared
            and plain.script != KOREAN
            and not (other if plain is new else one)[1]
            and _COMPARES.search(plain.lowered) is None
        ):
            return "only one of them compares"
    for left, right, what in zip(one, other, ("extreme", "comparison"), strict=True):
        if not left or not right or left & right:
            continue
        if any(same_meaning(a, b) or spelled_alike(a, b) for a in left for b in right):
            continue
        return f"they ask for another {what}: {' '.join(sorted(left))} and {' '.join(sorted(right))}"
    return None


def _extremes(text: Prepared) -> tuple[frozenset[str], frozenset[str]]:
    lowered = text.lowered
    if text.script == KOREAN:
        extremes = _KOREAN_EXTREME.findall(lowered) if "가장" in lowered or "제일" in lowered or "젤" in lowered else []
        compared = _KOREAN_COMPARED.findall(lowered) if "보다" in lowered else []
        return (
            frozenset(stem(word) for word in extremes),
            frozenset(stem(word) for pair in compared if not _DEEDS & {*pair} for word in pair if word),
        )
    extremes = [second or third for _, second, third in _SUPERLATIVE.findall(lowered)] if "st" in lowered else []
    compared = ["".join(each) for each in _COMPARATIVE.findall(lowered)] if "than" in lowered else []
    return (
        frozenset(_positive(word) for word in extremes if word not in _GOOD),
        frozenset(_positive(word) for word in compared),
    )


def _positive(word: str) -> str:
    """Return the plain form: "biggest" and "bigger" are "big", "easier" is "easy"."""
    for ending in ("iest", "ier"):
        if word.endswith(ending):
            return stem(word.removesuffix(ending) + "y")
    base = word.removesuffix("est") if word.endswith("est") else word.removesuffix("er")
    if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "sl":
        base = base[:-1]
    return stem(base)


__all__ = ["condition_gate", "extreme_gate", "tense_gate"]
