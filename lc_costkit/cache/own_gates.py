"""How does a user add words of a trade to what must not stand for each other?"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lc_costkit.cache.prepare import Prepared
from lc_costkit.cache.stemming import stem
from lc_costkit.errors import ConfigurationError


def make_opposite_gate(
    pairs: Iterable[tuple[str, str]], *, name: str = "own_opposite"
) -> Callable[[Prepared, Prepared], str | None]:
    """Make a gate that refuses opposite actions or qualities of a trade, in any of their forms.

    Args:
        pairs: two words each, in any form: ``("mint", "burn")`` refuses "minting" against "burned".
        name: as ``explain`` and reports show it.

    Raises:
        ConfigurationError: a row is no pair of single words, both are forms of one word, or there is no row.

    >>> from lc_costkit.cache.gates import DEFAULT_GATES, prepare, run_gates
    >>> gates = (*DEFAULT_GATES, make_opposite_gate([("mint", "burn")]))
    >>> run_gates(gates[-1:], prepare("How do I mint a token?"), prepare("How do I burn a token?")).gate
    'own_opposite'
    """
    rows = [_row(row, name) for row in pairs]
    for row in rows:
        if len(row) != 2:
            raise ConfigurationError(f"{name}: a row of opposites has two words, got {row!r}")
    return _gate(_index(rows, name), name, "are opposed")


def make_kind_gate(
    rows: Iterable[Iterable[str]], *, name: str = "own_kind"
) -> Callable[[Prepared, Prepared], str | None]:
    """Make a gate that refuses another thing of a kind: products, plans, courses, machines of a trade.

    Args:
        rows: the words of a kind each, in any form: ``[("falcon", "eagle", "heron")]``.
        name: as ``explain`` and reports show it.

    Raises:
        ConfigurationError: a row has fewer than two words, or a word is none, or there is no row.

    >>> from lc_costkit.cache.gates import prepare
    >>> gate = make_kind_gate([("falcon", "eagle", "heron")])
    >>> gate(prepare("Is Falcon in stock?"), prepare("Is Heron in stock?"))
    'falcon and heron are different things of a kind'
    """
    return _gate(_index([_row(row, name) for row in rows], name), name, "are different things of a kind")


def _row(row: Iterable[str], name: str) -> tuple[str, ...]:
    if isinstance(row, str):
        raise ConfigurationError(f"{name}: a row is a tuple of words, not the text {row!r}; write ('buy', 'sell')")
    try:
        words = tuple(row)
    except TypeError as error:
        raise ConfigurationError(f"{name}: a row is a tuple of words, not {row!r}") from error
    for word in words:
        if not isinstance(word, str) or not word.strip() or len(word.split()) > 1:
            raise ConfigurationError(f"{name}: {word!r} in {words!r} is not one word; gates compare word by word")
    return words


def _index(rows: list[tuple[str, ...]], name: str) -> dict[str, frozenset[str]]:
    """Return for each stem those that must not stand for it."""
    if not rows:
        raise ConfigurationError(f"{name}: no rows given; such a gate would refuse nothing, leave it out")
    found: dict[str, set[str]] = {}
    for row in rows:
        stems = {stem(word.strip().lower()) for word in row}
        if len(stems) < 2:
            raise ConfigurationError(f"{name}: {row!r} are forms of one word; give words that exclude each other")
        for word in stems:
            found.setdefault(word, set()).update(stems - {word})
    return {word: frozenset(others) for word, others in found.items()}


def _gate(index: dict[str, frozenset[str]], name: str, why: str) -> Callable[[Prepared, Prepared], str | None]:
    def gate(cached: Prepared, new: Prepared) -> str | None:
        left = [word for word in dict.fromkeys(cached.frame) if word in index and word not in new.stems]
        for one in left:
            for other in new.frame:
                if other in index[one] and other not in cached.stems:
                    return f"{one} and {other} {why}"
        return None

    gate.__name__ = name
    return gate
