"""Do the same words stand in exchanged places: from A to B, 5 over 3, my dog and other dogs?"""

from __future__ import annotations

from collections import Counter

from lc_costkit.cache import lexicon, lexicon_acts
from lc_costkit.cache.align import align
from lc_costkit.cache.prepare import Prepared, Token, kept
from lc_costkit.cache.text import words

_RELATIONS = words("to from into onto than over by before after against with toward towards")
ALL_BUT_EQUAL = 0.9
"""Order similarity from which numbers stand in the places of one sentence."""
_GIVEN_ORDER = words("and or vs versus between both either")


def direction_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse the same words in exchanged places: from A to B, convert A to B, A before B."""
    relations, others = kept(cached, "_relations", _relations), kept(new, "_relations", _relations)
    for relation, objects in relations.items():
        against = others.get(relation)
        if not against or not objects.isdisjoint(against):
            continue
        if _one_phrase(cached, objects, against) and _one_phrase(new, against, objects):
            continue  # "open to self-employed buyers" and "available to buyers who are self-employed"
        known = objects <= new.stems and against <= cached.stems
        if known or (relation in _WAYS and _short(cached, new) and objects & new.stems and against & cached.stems):
            return f"{' '.join(sorted(objects))} and {' '.join(sorted(against))} change places after {relation!r}"
    if _short(cached, new):
        for here, there in ((relations, others), (others, relations)):
            turned = here.get("from", _NOWHERE) & there.get("to", _NOWHERE)
            turned -= here.get("to", _NOWHERE) | there.get("from", _NOWHERE)
            if turned:
                return f"from {' '.join(sorted(turned))} on one side, to it on the other"
    return _exchanged_numbers(cached, new) or _exchanged_pair(cached, new)


_NOWHERE: frozenset[str] = frozenset()
_WAYS = frozenset(("to", "from"))
_SHORT = 20
"""Words up to which one place known to both is enough: longer texts name many places."""


def _one_phrase(text: Prepared, first: set[str], second: set[str]) -> bool:
    """Say whether words of both sets stand in one phrase: no word that names a way or a clause between them."""
    near = None
    for place, token in enumerate(text.tokens):
        if token.stem in first:
            near = place
        elif near is not None and (token.word in _RELATIONS or token.word in _GIVEN_ORDER or place - near > _PHRASE):
            near = None
        elif near is not None and token.stem in second:
            return True
    return False


_PHRASE = 4
"""Words from the first to the last of a phrase."""


def _short(cached: Prepared, new: Prepared) -> bool:
    return max(len(cached.frame), len(new.frame)) <= _SHORT


_BESIDES = words("apart aside different differ far")


def _relations(text: Prepared) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for place, token in enumerate(text.tokens):
        word = "to" if token.word in ("into", "onto", "toward", "towards") else token.word
        if (
            word in _RELATIONS
            and not (word == "from" and text.tokens[place - 1].word in _BESIDES)
            and not (word == "to" and _is_infinitive(text.tokens, place))
        ):
            beside = any(each.word in _GIVEN_ORDER for each in text.tokens[place + 2 : place + 4])
            reach, most = (6, 2) if beside else (4, 1)
            named = [each.stem for each in text.tokens[place + 1 : place + reach] if _names_something(each.word)]
            if named:
                found.setdefault(word, set()).update(named[:most])
        elif token.word.endswith(("에서", "으로", "로", "보다", "에게", "까지", "부터")) and len(token.word) > 2:
            ending = next(
                end for end in ("에서", "으로", "로", "보다", "에게", "까지", "부터") if token.word.endswith(end)
            )
            thing = token.stem
            if ending == "보다" and token.word in _COMPARED_DEEDS and place:
                thing = text.tokens[place - 1].stem  # "사는 것보다": than buying
            found.setdefault("로" if ending == "으로" else ending, set()).add(thing)
    return found


_COMPARED_DEEDS = words("것보다 게보다 거보다 건보다 쪽보다 편보다")
_NAMES_TOO = frozenset({"list"})
"""Words that carry no topic in most questions, and name a thing in some."""
_VERBS = words(lexicon_acts.ACTS.replace(",", " "))
_OPENS_A_NOUN = words("a an the this that these those my your our his her their its some any all each every list")


def _is_infinitive(tokens: tuple[Token, ...], place: int) -> bool:
    """Say whether "to" stands before a verb: "allowed to take food", "download it to watch offline"."""
    after = tokens[place + 1].word if place + 1 < len(tokens) else ""
    if after in lexicon.FUNCTION_WORDS:
        return after not in _OPENS_A_NOUN
    return after in _VERBS and not any(token.word in ("from", "into") for token in tokens)


def _names_something(word: str) -> bool:
    return word in _NAMES_TOO or (word not in lexicon.FUNCTION_WORDS and word not in _RELATIONS)


def _exchanged_numbers(cached: Prepared, new: Prepared) -> str | None:
    """Find numbers or identifiers that change places in the same sentence: is 5 over 3, is 3 over 5."""
    if len(cached.frame) != len(new.frame) or align(cached, new).order < ALL_BUT_EQUAL:
        return None
    one, other = _in_order(cached), _in_order(new)
    if len(one) > 1 and one != other and sorted(one) == sorted(other):
        return f"{', '.join(one)} stand in another order"
    return None


def _in_order(text: Prepared) -> list[str]:
    return [*(text.stated.codes or ()), *(f"{quantity.value:.15g}" for quantity in text.stated.quantities)]


_WHOSE = words("my our your his her their other another others")


def _exchanged_pair(cached: Prepared, new: Prepared) -> str | None:
    """Find two topic words that change places while all other words stay."""
    one, other = cached.frame, new.frame
    if len(one) != len(other) or one == other or Counter(one) != Counter(other):
        return None
    whose = [[token.word for token in text.tokens if token.word in _WHOSE] for text in (cached, new)]
    if whose[0] != whose[1] and not any(word in _GIVEN_ORDER for word in one):
        return f"{' and '.join(whose[0])} change places"
    places = [place for place, (left, right) in enumerate(zip(one, other, strict=True)) if left != right]
    if len(places) != 2 or any(
        not cached.tokens[place].content and cached.tokens[place].word not in _NAMES_TOO for place in places
    ):
        return None
    if any(word in _GIVEN_ORDER for word in one[places[0] : places[1]]):
        return None
    return f"{one[places[0]]} and {one[places[1]]} change places"
