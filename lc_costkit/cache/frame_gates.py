"""Do two questions put other words into the same sentence, or the same words into other places?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from lc_costkit.cache import lexicon
from lc_costkit.cache.align import Alignment, Similar, align, contradict, same_meaning, spelled_alike, unsaid
from lc_costkit.cache.meaning import SAME_THING, meaning, places, topic_places
from lc_costkit.cache.prepare import MAX_CHARACTERS, MAX_TOKENS, Prepared, kept, stem
from lc_costkit.cache.text import words
from lc_costkit.scripts import KOREAN, LATIN, NONE

SAME_FRAME = 0.7
"""Share of words in the same order from which two questions are one sentence with words exchanged."""
SHORT_FRAME = 0.6
"""The same in Korean, where a sentence has half as many words. Both from measurements on banking traps."""


def length_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse questions too long to lay on each other word by word, unless they are equal."""
    for text in (cached, new):
        if (len(text.text) > MAX_CHARACTERS or len(text.frame) > MAX_TOKENS) and cached.text != new.text:
            return f"longer than {MAX_TOKENS} words or {MAX_CHARACTERS} characters, and not equal"
    return None


_FREE = tuple({stem("free"), stem(word)} for word in ("charge", "fee", "cost", "pay", "price"))
"""Free is without a charge; the gate of negations counts the denial."""


def make_swap_gate(
    similar: Similar | None = None, *, frame: float = SAME_FRAME, same: float = SAME_THING
) -> Callable[[Prepared, Prepared], str | None]:
    """Make a gate that refuses another thing in the same sentence.

    Args:
        similar: how alike two stems are, 0 to 1; by default two words are by the shipped word table.
        frame: order similarity from which it is the same sentence, 0 to 1.
        same: similarity of words from which they may be one thing, 0 to 1.
    """

    def swap_gate(cached: Prepared, new: Prepared) -> str | None:
        """Refuse another thing in the same sentence."""
        laid = align(cached, new)
        if (
            laid.order < (min(frame, SHORT_FRAME) if new.script == KOREAN else frame)
            or not laid.only_cached
            or not laid.only_new
        ):
            return None
        others = unsaid(laid.only_new, new, cached)
        for one in unsaid(laid.only_cached, cached, new) if others else ():
            if any(contradict(one, other) or {one, other} in _FREE for other in laid.only_new):
                continue  # a denial makes up for it, or the gate of opposites has refused
            if similar is not None:
                likeness = max(similar(one, other) for other in laid.only_new)
            else:
                likeness = _likeness(cached, new, one, laid.only_new)
            if likeness < same:
                return f"{one} stands where the other has {' '.join(laid.only_new)}"
        return None

    return swap_gate


swap_gate = make_swap_gate()


def _likeness(cached: Prepared, new: Prepared, one: str, others: Sequence[str]) -> float:
    """Return how alike in meaning a stem of the cached question is to the nearest of some stems of the new one."""
    if not _has_table(new):
        return 0.0
    found = meaning(cached, new)
    against = places(new, others)
    return max((found.best(place, against, of_cached=True) for place in places(cached, (one,))), default=0.0)


def _has_table(text: Prepared) -> bool:
    return text.script in (LATIN, NONE)


_FILLERS = words(
    """currently correctly properly usually normally generally typically best good exact exactly today's different
    various possible specific own existing certain main major great well fine right sir madam team guys
    question answer allow allowed permit permitted
    work working works mean means online new check"""
)
_FILLER_STEMS = frozenset(map(stem, _FILLERS))


LIGHT_ADDITION = 2.0
"""Weight of added words up to which another way to say it may have brought them: one or two ordinary words.
Of the additions to rewritten sentences below it, none of 9 wrong ones and 9 of 11 right ones were among 252
hand-written English pairs."""


def insert_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when one question is the other with something added that narrows it."""
    laid = align(cached, new)
    for one, other, longer, text in (
        (laid.only_cached, laid.only_new, cached, new),
        (laid.only_new, laid.only_cached, new, cached),
    ):
        added = [word for word in unsaid(one, longer, text) if word not in _FILLER_STEMS]
        contained = bool(added) and _contained(laid, text)
        if not added or other or not (len(added) > 1 or contained):
            continue
        weight = _unsaid(cached, new, added, of_cached=longer is cached) if _has_table(new) else LIGHT_ADDITION
        if weight >= LIGHT_ADDITION or (weight and (contained or laid.order >= SAME_FRAME)):
            return f"only one of them says {' '.join(added)}"
    return None


def _unsaid(cached: Prepared, new: Prepared, added: Sequence[str], *, of_cached: bool) -> float:
    """Weigh the added words that the other question does not say by another name."""
    longer, shorter = (cached, new) if of_cached else (new, cached)
    found = meaning(cached, new)
    weights, said = (found.cached_weights if of_cached else found.new_weights), topic_places(shorter)
    return sum(
        weights[place] for place in places(longer, added) if found.best(place, said, of_cached=of_cached) < SAME_THING
    )


def _contained(laid: Alignment, shorter: Prepared) -> bool:
    """Say whether nearly all words of the shorter question stand in the longer one in their order."""
    total = sum(len(a) + len(b) for a, b in laid.replaced)
    kept = laid.order * total / (2 * (1 - laid.order)) if laid.order < 1 else len(shorter.frame)
    return kept >= 0.7 * len(shorter.frame)


# Small words that make another question when one takes the other's place in the same sentence.
_EXCHANGED = tuple(
    frozenset(map(stem, pair))
    for pair in lexicon.rows(
        """is was, are were, do did, does did, will did, will was, will were, can must, may must, must should,
        my your, me you, from to, into from, before after, in out, up down, over under, above below, with without,
        for against, on off, and or, all some, all none, all any, both either, more less, most least, many few,
        his her, he she, has will, have will, since until, until after, by after, inside outside, during after,
        during before, this every, this each, this last, this next, last next, last every, next every"""
    )
)
_EXCHANGE_FRAME = 0.6
_OWNERS = frozenset(("my", "your"))
_ANYBODY = re.compile(r"^\W*(?:how|where|when|what) (?:do|can|should|could|would|to) ?(?:i|you|we|one)?\b")


def form_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another tense, duty, owner, relation or amount in the same sentence: is/was, can/must, my/your."""
    laid = align(cached, new)
    if laid.order < _EXCHANGE_FRAME:
        return None
    gone: Counter[str] = Counter()
    come: Counter[str] = Counter()
    for before, after in laid.replaced:
        gone.update(before)
        come.update(after)
    gone, come = gone - come, come - gone
    moved = _moved(laid, cached, new, gone, come)
    if moved is not None:
        return moved
    anybody = _ANYBODY.search(cached.lowered) and _ANYBODY.search(new.lowered)
    for pair in _EXCHANGED:
        one, other = pair
        if anybody and pair == _OWNERS:
            continue  # "How do I reset my password?" and "How do you reset your password?"
        if (gone[one] and come[other]) or (gone[other] and come[one]):
            return f"{one} and {other} take each other's place"
    return None


def _moved(laid: Alignment, cached: Prepared, new: Prepared, gone: Counter[str], come: Counter[str]) -> str | None:
    """Find topic words that each stand on both sides, and one of them in the place of the other."""
    for before, after in laid.replaced:
        if len(before) == len(after) == 1 and gone[before[0]] and come[after[0]]:
            one, other = before[0], after[0]
            both = one in new.content and other in cached.content
            if both and not same_meaning(one, other) and not spelled_alike(one, other):
                return f"{one} stands where the other has {other}"
    return None


_ASKS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "why",
        re.compile(r"\bwhy\b|\bwhat (?:is |are |was )?(?:the )?(?:reason|cause)|\bhow come\b|왜|이유|원인"),
    ),
    (
        "when or how long",
        re.compile(
            r"\bwhen\b(?! (?:i|you|we|they|he|she|it|the|my|a|\w{2,}ing)\b)"
            r"|\bhow (?:long|soon|quickly|fast|often|much (?:\w+ )?time)\b"
            r"|\b(?:what|which) (?:\w+ )?(?:time|date|day|year|month)\b"
            r"|\bhow many (?:\w+ )?(?:days?|hours?|weeks?|months?|years?|minutes?)\b"
            r"|언제|며칠|기간|얼마나 (?:오래|걸)|몇 ?(?:시|일|년|개월|시간|분)"
        ),
    ),
    ("where", re.compile(r"\bwhere\b|\b(?:what|which) (?:place|location|country|city)\b|어디")),
    ("who", re.compile(r"(?<!those )(?<!people )(?<!person )(?<!one )(?<!body )(?<!rs )\bwho(?:m|se)?\b|누구|누가")),
    (
        "how much",
        re.compile(
            r"\bhow (?:much(?! (?:\w+ )?time\b)|many|high|low|big|large|far|tall|old)\b"
            r"|얼마(?!나 (?:오래|걸))|몇 ?(?:명|개|원|번)"
        ),
    ),
    (
        "how",
        re.compile(
            r"\bhow (?:do|does|did|can|could|to|should|would|is|are|am|will)\b|\bways? to\b|\bsteps?\b"
            r"|어떻게(?! ?(?:되|돼))|방법|하는 ?법"
        ),
    ),
)
_TIMES = re.compile(
    r"\b(?:processing|waiting|delivery|arrival|start|end|due|expiry|expiration|maturity|opening|closing|cut-?off)?"
    r" ?(?:time|date|deadline|duration|hours|period|schedule|days|settle|clear)\b|기간|시간|날짜|기한"
)
_A_WAY = re.compile(
    r"\b(?:how|where)(?: (?:in|on|at) (?:the |your )?\w+)? (?:do|can|could|should|would|might|to) ?(?:i|we|you"
    r"|one)? ?"
    r"(?:find|see|check|get|view|look|download|read|access|change|rename|obtain|update|edit|cancel|book|track|apply"
    r"|register|sign|report|buy|order|set|add|reset|manage)\b"
)
"""With these, "How do I" and "Where can I" ask for the same steps."""
_SAME_SENTENCE_ASKS = words("what which who where when why how")


_YES_OR_NO = re.compile(
    r"^\W*(?:can|could|do|does|did|is|are|will|would|should|has|have|am|was|were|may|must)\b(?! n't)(?! not)"
    r"(?! (?:you|there (?:a|any|some) (?:\w+ )?(?:ways?|methods?)|it possible|anyone|anybody|someone|somebody)\b)"
)


def ask_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another question word: why, when, where, who, how much and how ask for different answers."""
    one, other = kept(cached, "_asked", _asked), kept(new, "_asked", _asked)
    if one and other and one.isdisjoint(other):
        left, right = sorted(one)[0], sorted(other)[0]
        both_times = "when or how long" in one | other and all(_TIMES.search(text.lowered) for text in (cached, new))
        a_way = {left, right} == {"how", "where"} and all(_A_WAY.search(text.lowered) for text in (cached, new))
        if not both_times and not a_way:
            return f"one asks {left}, the other {right}"
    for asked, text in ((one, new), (other, cached)):
        if asked and not kept(text, "_asked", _asked) and _YES_OR_NO.search(text.lowered):
            return f"one asks {min(asked)}, the other whether"
    laid = align(cached, new)
    if laid.order >= SAME_FRAME:
        for before, after in laid.replaced:
            asks, others = _SAME_SENTENCE_ASKS.intersection(before), _SAME_SENTENCE_ASKS.intersection(after)
            same = {*asks, *others} <= {"what", "which"} or (
                {*asks, *others} <= {"how", "where"} and all(_A_WAY.search(text.lowered) for text in (cached, new))
            )
            if asks and others and not same and len(before) == len(after) == 1:
                return f"one asks {min(asks)}, the other {min(others)}"
    return None


_EMBEDDED = re.compile(
    r"\b(?:see|check|know|out|find|tell|calculate|determine|figure|view|show)\b[^?.]{0,20}\bhow (?:much|many)"
)
_WHERE_TO_DO = re.compile(
    r"\bwhere (?:in \w+(?: \w+)? )?(?:do|can|could|should|would|to|must|shall) (?:i|we|you|one)?\b|\bwhere to\b"
    r"|어디(?:서|에서|로|다|에다)? ?(?:서)? ?(?:하|해|신청|확인|받|바꾸|변경|연락|말|가야|가서|조회|문의|접수"
    r"|발급|등록|고치|수정|결제|내야)"
)


def _asked(text: Prepared) -> set[str]:
    found = {name for name, pattern in _ASKS if pattern.search(text.lowered)}
    if "how much" in found and len(found) > 1 and _EMBEDDED.search(text.lowered):
        found.discard("how much")
    if len(found) > 1:
        found.discard("how")
    if "where" in found and _WHERE_TO_DO.search(text.lowered):
        found.add("how")  # where to do it is how to do it: "Where do I check my usage?"
    return found


def capitals_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when capitals make another word of it: US and us, IT and it."""
    if cached.acronyms == new.acronyms:
        return None
    for word in cached.acronyms ^ new.acronyms:
        without = new if word in cached.acronyms else cached
        if re.search(rf"\b{word.lower()}\b", without.text) and not without.text.islower():
            return f"{word} and {word.lower()} are different words"
    return None
