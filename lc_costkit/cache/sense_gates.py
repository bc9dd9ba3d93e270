"""Do two questions ask for another act, another side of a thing, another amount of things, or as somebody else?"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from lc_costkit.cache import lexicon, lexicon_acts
from lc_costkit.cache.align import align, has_equal, same_meaning
from lc_costkit.cache.prepare import Prepared, kept
from lc_costkit.cache.stemming import stem, stems
from lc_costkit.cache.text import words
from lc_costkit.scripts import KOREAN

_LEADS_A_VERB = words("to i we you and or please can could should must may might will would just also simply ever let")
_NOUN_ENDINGS = ("ation", "ition", "tion", "ment", "ance", "ence", "ery", "al", "er", "or", "y")


@cache
def _acts() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, row in enumerate(lexicon.rows(lexicon_acts.ACTS) + lexicon.rows(lexicon_acts.KOREAN_ACTS)):
        for word in row:
            found.setdefault(stem(word), set()).add(number)
            found.setdefault(word, set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


@lru_cache(maxsize=8192)
def _act_of(word: str) -> frozenset[int]:
    """Return the rows an English or Korean stem stands in, also as the noun of the act: "cancellation"."""
    acts = _acts()
    found = acts.get(word)
    if found is not None:
        return found
    for ending in _NOUN_ENDINGS if word.isascii() else ():
        base = word.removesuffix(ending)
        if base != word and len(base) > 2:
            for form in (base, base + "e", base + "at", base + "y", base[:-1]):
                if form in acts:
                    return acts[form]
    return frozenset()


def _said_acts(text: Prepared) -> dict[str, frozenset[int]]:
    found: dict[str, frozenset[int]] = {}
    before = "to"
    korean = text.script == KOREAN
    for token in text.tokens:
        rows = _act_of(token.stem) if token.content else None
        if rows and (korean or (before in _LEADS_A_VERB and not token.word.endswith(("ed", "s")))):
            found[token.stem] = rows
        before = token.word
    return found


def act_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another act: activate a card and order one, download a report and delete it."""
    one, other = kept(cached, "_said_acts", _said_acts), kept(new, "_said_acts", _said_acts)
    laid = align(cached, new)
    undone = _undoing(laid.only_cached, laid.only_new, cached, other) or _undoing(
        laid.only_new, laid.only_cached, new, one
    )
    if undone is not None:
        return f"only one of them asks to {undone}"
    if not one or not other:
        return None
    left = _unanswered(one, other, new)
    right = _unanswered(other, one, cached) if left else None
    if not left or not right or not _one_topic(cached, new):
        return None
    return f"one asks to {left}, the other to {right}"


_UNDO = stems(lexicon_acts.UNDO)


def _undoing(
    alone: tuple[str, ...], others: tuple[str, ...], text: Prepared, acts: dict[str, frozenset[int]]
) -> str | None:
    """Find a word that takes an act back which both sides name: "신청" and "신청 취소", "block" and "stop blocking"."""
    if others or not alone or not any(act in text.stems for act in acts):
        return None
    return next((word for word in alone if word in _UNDO), None)


LEAST_TOPIC = 0.3
"""Share of its topic words that one side at least has in common with the other, from which acts are compared: a story
told in other words has other verbs."""


def _one_topic(cached: Prepared, new: Prepared) -> bool:
    laid = align(cached, new)
    return any(
        1 - len(set(alone)) / len(text.content) >= LEAST_TOPIC
        for alone, text in ((laid.only_cached, cached), (laid.only_new, new))
        if text.content
    )


def _unanswered(one: dict[str, frozenset[int]], other: dict[str, frozenset[int]], text: Prepared) -> str | None:
    """Find an act of one side that the other has in no form; none where they share an act of the sentence."""
    for word, rows in one.items():
        if not any(not rows.isdisjoint(others) for others in other.values()) and not has_equal(word, text):
            return word
    return None


_FACETS: tuple[tuple[str, str, str], ...] = (
    (
        "cost",
        r"\bhow much (?:is|are|was|were|does|do|did|will|would|to|for|should|money)\b|\b(?:costs?|priced?"
        r"|prices|pricing)\b"
        r"|\bwhat(?:'s| is| are)? (?:the |your )?(?:\w+ ){0,3}(?:fees?|charges?)\b|\bwhat do (?:you|they) charge\b",
        r"얼마(?:예요|에요|인가요|인지|죠|야|나 ?(?:해|하|들|내|드|나오|나와)|입니까|를? ?내|에|\W*$)"
        r"|(?:비용|가격|요금|금액|수수료|연회비|과태료|배송비)\S{0,3} ?(?:\S{1,4} )?(?:얼마|어떻게 ?되|궁금|알려|뭐)",
    ),
    (
        "time",
        r"\bhow (?:long|soon|quickly|fast|early|late)\b|^\W*(?:and |so )?when\b|\bby when\b|\bdeadline\b"
        r"|\bwhat(?:'s|s| is| are| was)? (?:the )?(?:\w+ ){0,3}(?:cutoff|cut-off|turnaround|wait|duration|date"
        r"|times?|hours|schedule"
        r"|period)\b|\bhow many (?:\w+ )?(?:days?|hours?|weeks?|months?|years?|minutes?)\b",
        r"언제|며칠|몇 ?(?:시|일|분|개월|주|달|년)(?![가-힣]*인)|얼마나 (?:오래|걸)|걸리나|걸려|기한|마감|시기",
    ),
    ("frequency", r"\bhow (?:often|many times|frequently)\b", r"얼마나 자주|주기|몇 ?(?:번|회)"),
    (
        "place",
        r"^\W*where\b|\bwhere (?:can|do|should|is|are|to)\b|\bwhat(?:'s|s| is) the address\b",
        r"어디",
    ),
    (
        "person",
        r"^\W*(?:and |so )?whom?\b|\bwho (?:is|are|can|should|do|does|pays|has)\b",
        r"누가|누구",
    ),
    ("owner", r"\bwhose\b", r"누구의|누구 (?:거|것)"),
    (
        "measure",
        r"\bhow (?:old|tall|heavy|far|deep|wide|big|large|small|thick|strong|hot|cold|loud|high|low|steep|spicy)\b",
        r"(?:키|무게|나이|높이|깊이|넓이|크기|온도|거리|두께)\S{0,3} ?(?:얼마|몇|어떻게 ?[되돼])|몇 ?(?:살|세|도|킬로"
        r"|미터|센티)",
    ),
    (
        "reason",
        r"\bwhy\b|\bhow come\b|\bwhat(?: \w+)? (?:causes?|caused)\b|\breasons? (?:for|why|that|behind)\b",
        r"왜|이유|원인",
    ),
    (
        "needs",
        r"\b(?:what|which) (?:\w+ ){0,2}(?:documents?|papers?|paperwork|requirements?|prerequisites|conditions"
        r"|criteria"
        r"|qualifications|proof|evidence)\b|\bwhat do i need\b|\brequirements? (?:for|to)\b",
        r"필요한 ?(?:서류|것|거|준비물)|(?:서류|준비물|구비 ?서류|자격|조건|요건)\S{0,3} ?(?:뭐|무엇|어떻게 ?되"
        r"|어떤|필요|알려|궁금)"
        r"|(?:뭐|뭘|무엇)\S{0,2} (?:필요|준비|챙|가져)",
    ),
    (
        "limit",
        r"\bwhat(?:'s|s| is| are)? (?:the |your )?(?:\w+ ){0,3}(?:limits?|maximum|cap|allowance)\b",
        r"한도\S{0,3} ?(?:얼마|어떻게|궁금|알려|뭐)|얼마나 (?:많|필요|돼야|되야)",
    ),
    (
        "contents",
        r"\bwhat(?:'s|s| is| are)? (?:\w+ ){0,3}(?:included|contained|covered)\b|\bwhat (?:does"
        r"|do) .{1,40} (?:include|contain|cover)\b",
        r"(?:뭐|뭘|무엇|무얼)\S{0,2} ?(?:\S{1,4} )?(?:포함|들어 ?있|들어가)",
    ),
    (
        "method",
        r"",
        r"방법|어떻게 ?(?:하|해|신청|받|바꾸|변경|써|쓰|사용|이용|보|확인|취소|작성|만드)|하는 ?법"
        r"|[하는는] ?법(?:\s|\W|$)|절차|순서",
    ),
    (
        "place to find",
        r"",
        r"(?:곳|데|매장|지점|장소|사이트|업체)\S{0,2} ?(?:있|어디|알려|추천)",
    ),
)
_ENGLISH_FACETS, _KOREAN_FACETS = (
    re.compile("|".join(f"(?P<f{number}>{row[column]})" for number, row in enumerate(_FACETS) if row[column]))
    for column in (1, 2)
)
_COMPATIBLE = frozenset(
    frozenset(pair)
    for pair in (
        ("place", "method"),
        ("place", "person"),
        ("time", "frequency"),
        ("needs", "method"),
        ("limit", "time"),
        ("limit", "cost"),
        ("limit", "frequency"),
        ("limit", "needs"),
        ("measure", "limit"),
        ("measure", "needs"),
        ("place", "place to find"),
    )
)


def facet_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another side of the same thing: its price and its deadline, where it is and what it needs."""
    one, other = kept(cached, "_facets", _facets), kept(new, "_facets", _facets)
    if not one or not other or not one.isdisjoint(other):
        return None
    if any(frozenset((left, right)) in _COMPATIBLE for left in one for right in other):
        return None
    return f"one asks for the {min(one)}, the other for the {min(other)}"


def _facets(text: Prepared) -> frozenset[str]:
    pattern = _KOREAN_FACETS if text.script == KOREAN else _ENGLISH_FACETS
    return frozenset(
        _FACETS[int(found.lastgroup[1:])][0] for found in pattern.finditer(text.lowered) if found.lastgroup
    )


@cache
def _quantifiers() -> dict[str, int]:
    rows = [row.split() for row in lexicon_acts.QUANTIFIERS.split(",")]
    found = {word: number for number, row in enumerate(rows) for word in row}
    return found | dict.fromkeys(_ONE_OF_THEM, _SOME)


_ALL, _SOME, _ANY = 0, 1, 4
_ONE_OF_THEM = ("at least one", "any one")
_EXCLUDE = frozenset(
    frozenset(pair)
    for pair in ((_ALL, _SOME), (_ALL, _ANY), (_ALL, 5), (_ALL, 6), (_ALL, 7), (_SOME, 5), (_SOME, 3), (_ALL, 3))
)
_COUNTED = re.compile(
    r"\b(at least one|any one|all|every|each|any|some|certain|few|several|most|mostly|both|half|only|just|entire"
    r"|whole)\b(?! (?:of a sudden|time|right))"
)
_KOREAN_QUANTITY = (
    (
        0,
        re.compile(
            r"모든|모두|전부|전체|(?<![가-힣])다(?= )|(?<![가-힣])다(?:$|[?.])|매번|항상|언제나"
            r"|전 ?(?:노선|지점|매장|제품|상품|메뉴|과목)"
        ),
    ),
    (1, re.compile(r"일부|몇몇|어떤(?= \S+[은는들])|특정")),
    (3, re.compile(r"하나만|한 ?가지만|한 ?개만|중에? ?하나|(?<=[가-힣])만(?= )")),
    (4, re.compile(r"하나라도|한 ?(?:개|가지|군데|명)라도|아무 ?\S{1,4}나(?=\s)")),
    (5, re.compile(r"대부분|대체로")),
    (7, re.compile(r"절반|반만")),
)


_PICKS = re.compile(r"^\W*(?:which|what) (?!if\b|is\b|are\b|does\b|do\b|happens\b|about\b)")


_THERE_IS = re.compile(r"^\W*(?:(?:is|are) there|(?:do|does) (?:\w+ ){1,3}have) (?:any|some)\b")


def _there_is_any(text: Prepared) -> bool:
    return _THERE_IS.match(text.lowered) is not None


def quantifier_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse all against some, any against all, most against all."""
    one, other = kept(cached, "_amounts", _amounts), kept(new, "_amounts", _amounts)
    for amounts, text in ((one, new), (other, cached)):
        if (
            amounts & {_ALL, _ANY}
            and _PICKS.match(text.lowered)
            and not _there_is_any(new if text is cached else cached)
        ):
            return "one asks which of the things, the other about all of them"
    if not one or not other or not one.isdisjoint(other):
        return None
    for left in one:
        for right in other:
            if frozenset((left, right)) in _EXCLUDE:
                return "they ask about another share of the things: all, some, any, most"
    return None


def _amounts(text: Prepared) -> frozenset[int]:
    if text.script == KOREAN:
        return frozenset(number for number, pattern in _KOREAN_QUANTITY if pattern.search(text.lowered))
    return frozenset(_quantifiers()[found] for found in _COUNTED.findall(text.lowered) if found in _quantifiers())


_SELF = re.compile(
    r"(?:^|[.,;!?]\s*|\b(?:and|but|if|since|because|when)\s+)(?:i|we)(?:'m| am| are)?\s+(?:just |only |currently "
    r"|still |also )?"
    r"(?:an?|the) ((?:[a-z-]+ ){0,3}?[a-z-]+)(?=\s*(?:[,.;!?]|$)|\s(?:and|but|can|could|do|does|am|is|are|with"
    r"|in|on|at|for|from|who|so|what|how|here|which|trying|looking)\b)"
    r"|(?:^|[.,;!?] ?|\b(?:i|we) )as an? ((?:[a-z-]+ ){0,2}?[a-z-]+)(?=\s*(?:[,.;!?]|$)|\s(?:and|can|could|do"
    r"|does|am|is|are|should|must"
    r"|may|what|how|when|with|in|on|of)\b)"
)
_KOREAN_SELF = re.compile(
    r"(?:^|\s)(?:제가|저는|전|나는|내가|난|저희는|우리는) ?((?:[가-힣]+ )?[가-힣]{2,}?)(?:인데요?|이고|이라서?"
    r"|라서|이에요|예요|입니다|이며|인 ?경우|이면|인)(?=[\s,.]|$)"
    r"|(?:^|\s)([가-힣]{2,8}?)(?:인데요|인데|인 ?경우|이라면|라면|으로서|로서|이면)(?=[\s,.]|$)"
)


def self_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when they are asked as somebody else: as a landlord and as a tenant."""
    one, other = kept(cached, "_self", _selves), kept(new, "_self", _selves)
    if one and other and one != other and not any(same_meaning(left, right) for left in one for right in other):
        return f"one is asked as {' '.join(sorted(one))}, the other as {' '.join(sorted(other))}"
    for asker, others, text in ((one, other, new), (other, one, cached)):
        if asker and not others and _about(asker, text):
            return f"one is asked as {' '.join(sorted(asker))}, the other about them"
    return None


_CASES = words("조건 경우 정도 상태 상황 얼마 언제 어디 무엇 누구 며칠 이상 이하 기준 방법 문제 때문")
_POINTING = words("my our your the this that his her their")
_PARTS = ("이", "가", "을", "를", "에게", "한테", "께서", "님", "님이", "님을")


def _about(asker: frozenset[str], text: Prepared) -> bool:
    """Say whether a text names as somebody else what the other side says the asker is."""
    before = ""
    for token in text.tokens:
        if token.stem in asker and (before in _POINTING or token.word.removeprefix(token.stem) in _PARTS):
            return True
        before = token.word
    return False


def _selves(text: Prepared) -> frozenset[str]:
    if text.script == KOREAN:
        found = [(first or second).removesuffix("님") for first, second in _KOREAN_SELF.findall(text.lowered)]
        return frozenset(stem(each.split()[-1]) for each in found if each.split()[-1] not in _CASES)
    found = [first or second for first, second in _SELF.findall(text.lowered)]
    return frozenset(stem(each.split()[-1]) for each in found if each.split()[-1] not in lexicon.FUNCTION_WORDS)


_KOREAN_PARTICLE = re.compile(
    r"(?P<word>[a-z][a-z0-9.+#-]*|[가-힣]{1,12}?|\d+)(?P<particle>에서부터|으로부터|에게서|한테서|에서|에게"
    r"|한테|까지|부터|보다|대신|으로|로|에|을|를|은|는|이|가|와|과|랑|하고)(?=[\s?.!,]|$)"
)
_SAME_PARTICLE = {
    "으로": "로",
    "는": "은",
    "를": "을",
    "가": "이",
    "한테": "에게",
    "과": "와",
    "랑": "와",
    "하고": "와",
}


def place_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when two Korean nouns change particles: from JSON to YAML, petrol into a diesel car."""
    if cached.script != KOREAN or new.script != KOREAN:
        return None
    one, other = kept(cached, "_slots", _slots), kept(new, "_slots", _slots)
    moved = []
    for word in {*one, *other}:
        before, after = _slots_of(word, one), _slots_of(word, other)
        if before and after and not before & after:
            moved.append((word, before, after))
    moved.sort(key=lambda each: each[0])
    for at, (left, before, after) in enumerate(moved):
        for right, others_before, others_after in moved[at + 1 :]:
            if before & others_after and after & others_before:
                return f"{left} and {right} change places"
    return None


def _slots_of(word: str, slots: dict[str, frozenset[str]]) -> frozenset[str]:
    """Return the particles of a noun, by itself or at the front of a compound: petrol, petrol car."""
    found = slots.get(word)
    if found is not None:
        return found
    return frozenset().union(*(slots[each] for each in slots if len(word) > 1 and each.startswith(word)))


def _slots(text: Prepared) -> dict[str, frozenset[str]]:
    """Return the particle of each noun; a noun without one has that of the noun it stands before."""
    found: dict[str, set[str]] = {}
    waiting: list[str] = []
    for word in re.findall(r"[^\s,.?!]+", text.lowered):
        match = _KOREAN_PARTICLE.fullmatch(word)
        if match is None:
            waiting.append(word)
            continue
        particle = _SAME_PARTICLE.get(match["particle"], match["particle"])
        for each in (*waiting[-2:], match["word"]):
            found.setdefault(each, set()).add(particle)
        waiting = []
    return {word: frozenset(particles) for word, particles in found.items() if len(word) > 1 or word.isascii()}


__all__ = ["act_gate", "facet_gate", "place_gate", "quantifier_gate", "self_gate"]
