"""Which pairs of questions have labels that are true by construction?

Every pair starts from a question of banking77 or CLINC150 (the stored one), and the new one is

* the same question in other words: one to three edits that keep its meaning (a synonym, a contraction, a courtesy,
  another opening, a clause or phrase moved to the front), or
* another question by one edit that changes its meaning: a number, a negation, a name of a kind (place, day, kind of
  account), or an opposite action, each as often as the others, of a question that the edit suits, or
* the nearest question of another intent in a store of 200 questions, by the bundled embedder.

Half of the second and third kind get a courtesy, too, so that courtesies give nothing away. The tables of words are
written for this script; nothing in them was taken from the tables of the gates.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

import numpy as np
from _cache_sets import Asked, Pair

from lc_costkit.embedding.bundled import bundled_embedder

SHARES = {"same": 0.5, "edited": 0.25, "neighbour": 0.25}
"""How often each kind is drawn. Half of what is asked has its answer stored, and half has not: so the cache
that served everything would be wrong every second time."""

STORE = 200
"""Questions a neighbour is looked for in: more would bring in pairs whose intents differ and whose answers do not."""

_SYNONYMS = """
buy=purchase; help=assist; show=display; start=begin; need=require; get=obtain; fix=repair; pick=choose; find=locate;
tell=inform; wrong=incorrect; fast=quick; big=large; car=automobile; phone=telephone; movie=film; trip=journey;
money=cash; shop=store; bill=invoice; job=work; make=create; ask=inquire; pay=settle; problem=issue; error=mistake;
missing=lost; arrived=come; waiting=expecting; fee=charge; let=allow; happen=occur; rejected=declined; top up=reload;
currently=now; maybe=perhaps; purchase=buy; require=need; issue=problem; store=shop; transaction=payment;
weather=forecast; song=track; restaurant=diner; remind=notify; recipe=instructions; vacation=holiday; city=town;
schedule=book; change=modify; delete=remove; cancel=call off; look=search; stolen=robbed; broken=damaged
"""
_CONTRACTIONS = """
i am=i'm; i have=i've; i would=i'd; do not=don't; does not=doesn't; did not=didn't; cannot=can't; what is=what's;
how is=how's; it is=it's; where is=where's; that is=that's; is not=isn't; have not=haven't; has not=hasn't;
was not=wasn't
"""
_OPENINGS = """
how do i=how can i; how can i=how do i; how do i=what is the way to; can i=am i able to; what is=tell me;
why is=how come; can you=could you; i want to=i would like to; i need to=i have to; where do i=where can i;
is it possible to=can i; please tell me=what is; is there=do you have; what are=list; when will=how soon will
"""
_COURTESIES = (
    "please {}", "hi, {}", "hello there, {}", "{} thanks", "{} please", "quick question: {}", "hey, {}", "{} thank you",
    "sorry, {}", "could you help me? {}",
)  # fmt: skip
_OPPOSITES = """
activate/deactivate; open/close; add/remove; increase/decrease; buy/sell; send/receive; deposit/withdraw;
enable/disable; turn on/turn off; raise/lower; start/stop; lock/unlock; before/after; cheapest/most expensive;
higher/lower; incoming/outgoing; arrive/depart; arrived/left; freeze/unfreeze; first/last; block/unblock;
accepted/declined; with/without; minimum/maximum; shortest/longest; oldest/newest; earliest/latest;
upgrade/downgrade; lend/borrow; import/export
"""
_KINDS = (
    "france spain italy germany japan canada mexico brazil egypt india china australia",
    "monday tuesday wednesday thursday friday saturday sunday",
    "january february march april may june july august september october november december",
    "london paris boston chicago dallas seattle denver tokyo madrid berlin",
    "checking savings", "credit debit", "visa mastercard", "dollars euros pounds yen", "physical virtual",
    "breakfast lunch dinner", "car bike train bus plane", "wife husband son daughter brother mother",
    "spanish french german italian chinese japanese", "milk eggs bread rice butter", "apple google samsung",
)  # fmt: skip
_NUMBER = re.compile(r"\d+")
_AUXILIARY = re.compile(r"\b(is|are|was|were|does|do|did|will|would|should|can|could|has|have)\b", re.IGNORECASE)
_PHRASE = re.compile(r"^(.{12,}?)\s+((?:for|in|on|at|with|from|by)\s+(?:\S+\s+)?\S+?)([?.!]?)$", re.IGNORECASE)
_CLAUSE = re.compile(r"^(.{15,}?)\s+(if|when|because|after|before|while|since)\s+(.{8,}?)([?.!]?)$", re.IGNORECASE)

Edit = Callable[[str, random.Random], "str | None"]


def clean_pairs(asked: Sequence[Asked], count: int, *, seed: int) -> list[Pair]:
    """Draw pairs, each of a question drawn at random and a kind drawn by ``SHARES``."""
    chance = random.Random(seed)
    pairs = []
    for kind in chance.choices(list(SHARES), list(SHARES.values()), k=count):
        base, new = chance.choice(asked), None
        if kind == "same":
            new = reworded(base.text, chance)
        edit = chance.choice(_CHANGING)
        while kind == "edited" and new is None:
            base = chance.choice(asked)
            new = edit(base.text, chance)
        pairs.append((base, new, kind))
    neighbours = iter(_neighbours([base for base, _, kind in pairs if kind == "neighbour"], asked, chance))
    return [
        Pair(cached=base.text, new=_finished(next(neighbours) if new is None else new, kind, chance),
             same=kind == "same", kind=kind)
        for base, new, kind in pairs
    ]  # fmt: skip


def reworded(text: str, chance: random.Random) -> str:
    """Return the same question in other words."""
    return _apply(text, _KEEPING, chance.choice((1, 2, 3)), chance)


def _finished(text: str, kind: str, chance: random.Random) -> str:
    return text if kind == "same" or chance.random() < 0.5 else chance.choice(_COURTESIES).format(text)


def _apply(text: str, edits: Sequence[Edit], number: int, chance: random.Random) -> str:
    done = 0
    for edit in chance.sample(list(edits), len(edits)):
        if done == number:
            break
        made = edit(text, chance)
        if made is not None and made != text:
            text, done = made, done + 1
    return text


def _rows(table: str, mark: str) -> list[tuple[str, str]]:
    rows = (row.strip().partition(mark) for row in table.replace("\n", " ").split(";"))
    return [(left, right) for left, _, right in rows if right]


def _swap(text: str, rows: Sequence[tuple[str, str]], chance: random.Random, *, start: bool = False) -> str | None:
    fitting = []
    for left, right in rows:
        found = re.search(("^" if start else r"\b") + re.escape(left) + r"\b", text, re.IGNORECASE)
        if found:
            fitting.append((found, right))
    if not fitting:
        return None
    found, right = chance.choice(fitting)
    return text[: found.start()] + right + text[found.end() :]


def _synonym(text: str, chance: random.Random) -> str | None:
    return _swap(text, _rows(_SYNONYMS, "="), chance)


def _contraction(text: str, chance: random.Random) -> str | None:
    rows = _rows(_CONTRACTIONS, "=")
    return _swap(text, rows + [(right, left) for left, right in rows], chance)


def _opening(text: str, chance: random.Random) -> str | None:
    return _swap(text, _rows(_OPENINGS, "="), chance, start=True)


def _courtesy(text: str, chance: random.Random) -> str | None:
    return chance.choice(_COURTESIES).format(text)


def _moved_clause(text: str, _: random.Random) -> str | None:
    found = _CLAUSE.match(text)
    return None if found is None else f"{found[2]} {found[3]}, {found[1]}{found[4]}"


def _fronted_phrase(text: str, _: random.Random) -> str | None:
    found = _PHRASE.match(text)
    return None if found is None else f"{found[2]}, {found[1]}{found[3]}"


def _opposite(text: str, chance: random.Random) -> str | None:
    rows = _rows(_OPPOSITES, "/")
    return _swap(text, rows + [(right, left) for left, right in rows], chance)


def _other_kind(text: str, chance: random.Random) -> str | None:
    kinds = [kind.split() for kind in _KINDS]
    return _swap(text, [(one, other) for kind in kinds for one in kind for other in kind if one != other], chance)


def _other_number(text: str, chance: random.Random) -> str | None:
    found = _NUMBER.search(text)
    if found is None:
        return None
    return text[: found.start()] + str(int(found[0]) + chance.randrange(1, 9)) + text[found.end() :]


def _denied(text: str, _: random.Random) -> str | None:
    found = _AUXILIARY.search(text)
    if found is None:
        return None
    rest = text[found.end() :].split(" ")
    return text[: found.end()] + " ".join([*rest[:2], "not", *rest[2:]]) if len(rest) > 2 else None


_KEEPING: tuple[Edit, ...] = (_synonym, _contraction, _opening, _courtesy, _moved_clause, _fronted_phrase)
_CHANGING: tuple[Edit, ...] = (_opposite, _other_kind, _other_number, _denied)


def _neighbours(bases: Sequence[Asked], asked: Sequence[Asked], chance: random.Random) -> list[str]:
    """Return for each question the nearest one of another intent in a store of its own."""
    embedder = bundled_embedder()
    vectors = embedder.embed([each.text for each in asked])
    found = []
    for vector, base in zip(embedder.embed([base.text for base in bases]), bases, strict=True):
        store = [place for place in chance.sample(range(len(asked)), STORE) if asked[place].intent != base.intent]
        found.append(asked[store[int(np.argmax(vectors[store] @ vector))]].text)
    return found
