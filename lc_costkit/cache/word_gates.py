"""Do two questions state different things: numbers, denials, opposites, kinds, names, persons, quotations?"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

from lc_costkit.cache import lexicon, lexicon_kinds, lexicon_ko, lexicon_ko_pairs
from lc_costkit.cache.align import align, contradict, has_equal, joined, opposite_words, same_meaning, spelled_alike
from lc_costkit.cache.prepare import Prepared, kept
from lc_costkit.cache.quantities import Quantity
from lc_costkit.cache.quantity_match import is_unit, unmatched_quantities
from lc_costkit.cache.stemming import stem, stems
from lc_costkit.cache.text import words
from lc_costkit.cache.units import CURRENCY
from lc_costkit.scripts import LATIN


def script_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another script."""
    if cached.script != new.script:
        return f"written in {cached.script}, asked in {new.script}"
    return None


def number_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse other numbers, dates, times, versions or identifiers; the way they are written does not count."""
    one, other = cached.stated, new.stated
    if one.codes != other.codes:
        return f"identifiers differ: {_list(one.codes or ())} and {_list(other.codes or ())}"
    if not one.quantities and not other.quantities:
        return None
    left, right = unmatched_quantities(one.quantities, other.quantities)
    if left or right:
        return f"numbers differ: {_list(map(_written, left))} and {_list(map(_written, right))}"
    bounds = kept(cached, "_bounds", _bounds), kept(new, "_bounds", _bounds)
    if all(bounds) and bounds[0].isdisjoint(bounds[1]) and len(_denials(cached)) % 2 == len(_denials(new)) % 2:
        return f"one asks about {_list(sorted(bounds[0]))} a time, the other about {_list(sorted(bounds[1]))} it"
    return None


_BOUND = re.compile(
    r"\b(?:(?P<within>within|inside|in (?:less|fewer) than|less than|under)|(?P<after>after|past|beyond|later than"
    r"|more than))"
    r" (?:the (?:first )?)?(?:[\w.]+[\s-]){1,3}?(?:second|minute|hour|day|night|week|month|year)s?\b"
)


def _bounds(text: Prepared) -> frozenset[str]:
    """Say on which side of a stretch of time a question stands: "within 30 days", "after 30 days"."""
    return frozenset(match.lastgroup or "" for match in _BOUND.finditer(text.lowered))


def _written(quantity: Quantity) -> str | float:
    return quantity.raw if quantity.decimals is None else f"{int(quantity.raw)}.{quantity.decimals}"


def _list(items: object) -> str:
    named = [f"{item:.15g}" if isinstance(item, float) else str(item) for item in items]  # type: ignore[attr-defined]
    return ", ".join(named) or "none"


_SOFT = stems(" ".join(lexicon.SOFT_NEGATIVES)) | frozenset(map(stem, lexicon_ko.SOFT_NEGATIVES))
_NEGATIVE_QUESTION = re.compile(
    r"^\W*(?:is|are|can|could|do|does|did|would|should|has|have|will|was)\s+n't\s+(?:i|we|you|he|she|it|they"
    r"|one|people|the|my|our|your|a|an|"
    r"someone|anyone|this|that|there|some)\b"
)


def negation_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when one side denies what the other states; a double denial is none."""
    denied, other_denied = kept(cached, "_denials", _denials), kept(new, "_denials", _denials)
    if len(denied) % 2 != len(other_denied) % 2:
        fewer, more = (cached, new) if len(denied) < len(other_denied) else (new, cached)
        if any(word in _SOFT and word not in more.stems for word in fewer.frame):
            return None  # "avoid the fee" and "fee-free"
        if any(contradict(one, two) for one in _missing(cached, new) for two in _missing(new, cached)):
            return None  # "not enabled" and "disabled"
        return "one of them denies what the other states"
    if denied and other_denied:
        one, two = _targets(cached, denied), _targets(new, other_denied)
        if one and two and one.isdisjoint(two) and one <= new.stems and two <= cached.stems:
            return f"what is denied differs: {_list(sorted(one))} and {_list(sorted(two))}"
    for one_word in align(cached, new).only_cached:
        for two_word in align(cached, new).only_new:
            if _denies(one_word, two_word) or _denies(two_word, one_word):
                return f"{one_word} denies {two_word}"
    return None


def _denials(text: Prepared) -> tuple[int, ...]:
    """Where a question denies something; "Can't I pay?" asks what "Can I pay?" does."""
    found = text.negations
    return found[1:] if found and _NEGATIVE_QUESTION.match(text.lowered) else found


_PREFIXES = frozenset(lexicon.NEGATIVE_PREFIXES)


def _denies(word: str, base: str) -> bool:
    return len(base) > 3 and word.endswith(base) and word.removesuffix(base) in _PREFIXES


def _targets(text: Prepared, denials: tuple[int, ...]) -> frozenset[str]:
    found = set()
    for place in denials:
        target = next((token.stem for token in text.tokens[place:] if token.content), None)
        if target is not None:
            found.add(target)
    return frozenset(found)


def _missing(one: Prepared, other: Prepared) -> list[str]:
    """Stems without the same stem on the other side; a synonym does not count as the same."""
    return [word for word in dict.fromkeys(one.frame) if word not in other.stems]


_EXCHANGED_IN = 0.6
"""Order similarity from which a word said twice on one side is held against what stands in its place."""


def _repeated(one: Prepared, other: Prepared) -> list[str]:
    """Stems that stand on both sides, but here more often: "it needs unblocking, unblock it" and "block it"."""
    return [word for word, times in one.content.items() if times > other.content[word] > 0]


def opposite_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse opposite actions and qualities: enable and disable, buy and sell, lowest and highest."""
    left, right = _missing(cached, new), _missing(new, cached)
    if align(cached, new).order >= _EXCHANGED_IN:
        left, right = left + _repeated(cached, new), right + _repeated(new, cached)
    for one in left:
        for table in (lexicon.OPPOSITES, lexicon_ko_pairs.OPPOSITES):
            found = opposite_words(table).get(one)
            if found and not found.isdisjoint(right):
                return f"{one} and {next(iter(found.intersection(right)))} are opposed"
        found = opposite_words(lexicon.CONTRADICTORY).get(one)
        if found and not found.isdisjoint(right) and len(_denials(cached)) % 2 == len(_denials(new)) % 2:
            return f"{one} and {next(iter(found.intersection(right)))} exclude each other"
    return None


@cache
def _kinds() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    tables = [row for kind in lexicon_kinds.KINDS.values() for row in kind] + list(lexicon_ko_pairs.KINDS)
    for number, row in enumerate(tables):
        for word in row.split():
            found[stem(word)].add(number)
            found[word].add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


def kind_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another thing of the same kind: plan, product, role, place, day, size, aspect."""
    kinds = _kinds()
    left = [word for word in _missing(cached, new) if word in kinds and not has_equal(word, new)]
    if not left:
        return None
    for other in _missing(new, cached):
        rows = kinds.get(other)
        if rows and has_equal(other, cached):
            continue
        for one in left if rows else ():
            if not kinds[one].isdisjoint(rows or ()) and not same_meaning(one, other):
                return f"{one} and {other} are different things of a kind"
    return None


def name_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another named person, company, product or place."""
    left = _unknown_names(cached, new)
    right = _unknown_names(new, cached)
    kinds = _kinds()
    if left and right:
        return f"names differ: {_list(sorted(left))} and {_list(sorted(right))}"
    alone = {name for name in left or right if name not in kinds}
    if alone:
        return f"only one of them names {_list(sorted(alone))}"
    return None


def _form_of(name: str, word: str) -> bool:
    """Say whether a long name and a word are forms of one: "Python" and "pythonic"."""
    return min(len(name), len(word)) > 4 and spelled_alike(name, word) == 1.0


def _unknown_names(one: Prepared, other: Prepared) -> set[str]:
    known = {name for name in one.names if name not in other.lowered}
    if not known:
        return known
    spelled = joined(one, other)
    return {
        name
        for name in known
        if stem(name) in one.stems
        and stem(name) not in other.stems
        and not is_unit(name)
        and not any(same_meaning(stem(name), word) or _form_of(stem(name), word) for word in other.frame)
        and stem(name) not in spelled
    }


_PERSON_ROWS = tuple(frozenset(map(stem, row)) for row in lexicon.rows(lexicon.PERSONS))
_RELATIVES = frozenset().union(*_PERSON_ROWS[:5]) | frozenset(map(stem, lexicon_ko.PERSONS.split()))
_OTHERS = frozenset().union(*_PERSON_ROWS[5:])
_OWNERS = words("my our your his her their for")


def person_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when it is about somebody else: me, my child, my company."""
    left, right = kept(cached, "_persons", _persons), kept(new, "_persons", _persons)
    if left == right:
        return None
    for one, other in ((left - new.stems, cached), (right - cached.stems, new)):
        alone = {word for word in one if not has_equal(word, new if other is cached else cached)}
        if alone:
            return f"only one of them is about {_list(sorted(alone))}"
    return None


def _persons(text: Prepared) -> frozenset[str]:
    found = set()
    before = ""
    for token in text.tokens:
        if token.stem in _RELATIVES or (token.stem in _OTHERS and before in _OWNERS):
            found.add(token.stem)
        before = token.word
    return frozenset(found)


_RESTRICTING = stems(" ".join(lexicon.RESTRICTING)) | frozenset(map(stem, lexicon_ko.RESTRICTING))
_SAYS_ONLY = words("just solely merely exclusively")
_ONLY = words("only except unless without excluding 만 제외")


def restriction_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when only one side narrows the question: to a plan, to students, to transfers abroad, "only"."""
    for one, other in ((cached, new), (new, cached)):
        for word in one.frame:
            if word in other.stems:
                continue
            if word in _RESTRICTING and not has_equal(word, other):
                return f"only one of them is about {word}"
            if (
                word in _ONLY
                and align(cached, new).order >= 0.6
                and not any(each in _ONLY or each in _SAYS_ONLY or each in _SOFT for each in other.frame)
            ):
                return f"only one of them says {word!r}"
    return None


_AMOUNT = re.compile(r"\bhow (?:much|many|long|low|high|old|big|far)\b|\bwhen\b|\bfree\b")
_ASPECTS = stems(" ".join(lexicon.ASPECTS))


_PAID = stems("cost price fee")
_MONEY = frozenset(CURRENCY.values())


def aspect_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse when one side asks for the thing and the other for one aspect of it: diabetes, its symptoms."""
    laid = align(cached, new)
    for one, other in ((laid.only_cached, laid.only_new), (laid.only_new, laid.only_cached)):
        aspects = [word for word in one if word in _ASPECTS]
        plain = new if one is laid.only_cached else cached
        if (
            aspects
            and not aspects[1:]
            and aspects[0] in _PAID
            and any(each.dimension in _MONEY for each in plain.stated.quantities)
        ):
            continue  # "Does it cost $10?" and "Is it $10?"
        if aspects and not other and not _AMOUNT.search(plain.lowered):
            return f"only one of them asks for the {aspects[0]}"
    return None


def payload_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse other quoted text, code, or text after a label; every sign of it counts."""
    one, other = cached.payload, new.payload
    if one == other:
        return None
    if one and other:
        return "the quoted or labelled text differs"
    quoted, plain = (one, new) if one else (other, cached)
    if all(part in plain.text or _said(part, plain) for part in quoted):
        return None
    return "only one of them carries a quoted or labelled text"


def _said(part: str, text: Prepared) -> bool:
    """Say whether a few quoted words stand in the other question without their marks."""
    named = [stem(word) for word in re.findall(r"[^\W_]+", part.lower())]
    if "." in part and part.replace(".", "").lower() in text.stems:
        return True
    return 0 < len(named) <= 4 and all(word in text.stems for word in named)


def symbol_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse other operators, paths, calls or flags."""
    if cached.symbols != new.symbols:
        return "code or operators differ"
    return None


_LANGUAGES = {
    "English": words("the is are what how my of and to can do does you it for with in i when where why which much"),
    "Spanish": words("el la los las es de que y en un una por con para cómo qué mi puedo cuál cuánto dónde está"),
    "French": words("le la les des est et un une je que pour dans comment quel quelle mon ma puis vous où sur du"),
    "German": words("der die das ist und ein eine ich wie was mein meine kann nicht für mit zu auf wo den welche"),
    "Portuguese": words("o os as é de que e em um uma por com para como meu minha posso qual quanto onde do da"),
    "Italian": words("il lo gli è di che e un una per con come posso mio mia quale quanto dove della del sono"),
    "Dutch": words("de het een is en van ik hoe wat mijn kan niet voor met waar op te zijn welke"),
}


_READ_FOR_LANGUAGE = 40
_SURELY_ENGLISH = 4
"""Words looked at, and English ones among them that settle it: no other language shares as many."""


def language_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another language of the same script, where both are plain to see from their small words."""
    if cached.script != LATIN or new.script != LATIN:
        return None
    one, other = kept(cached, "_language", _language), kept(new, "_language", _language)
    if one and other and one != other:
        return f"written in {one}, asked in {other}"
    return None


def _language(text: Prepared) -> str:
    seen = [token.word for token in text.tokens[:_READ_FOR_LANGUAGE]]
    if not seen:
        return ""
    if sum(word in _LANGUAGES["English"] for word in seen) >= _SURELY_ENGLISH:
        return "English"
    scores = sorted(((sum(word in small for word in seen), name) for name, small in _LANGUAGES.items()), reverse=True)
    (best, name), (second, _) = scores[0], scores[1]
    return name if best >= 2 and best > second else ""
