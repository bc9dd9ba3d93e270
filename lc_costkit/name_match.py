"""Does an entry of the price list name a model, or only claim a name that looks like it?

genai-prices matches many names by how they begin or what they contain:
``claude-sonnet-4-5-turbo`` finds ``claude-sonnet-4-5``. For a date or a version that is
right; for a model that came later, at another price, it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genai_prices.types import MatchLogic

_SAME_MODEL = re.compile(
    r"(?:(?:[-_@:./]?(?:"
    r"20\d{2}-?\d{2}-?\d{2}|\d{8}|\d{6}|\d{4}|\d{2}-\d{2}(?:-\d{4})?|\d{2}-\d{4}|\d{3}"  # dates and builds
    r"|latest|default|preview|exp|experimental|beta|stable|ga|customtools"  # channels
    r"|v\d+(?:\.\d+)?|:\d+[km]?"  # Bedrock's versions and context sizes
    r"))*[-_@:./]?)"
)
"""What may follow a model's name without it being another model."""

_SAME_MAKER = re.compile(
    r"(?:(?:us|us-gov|eu|apac|jp|au|ca|sa|in|global|regional)\.)?(?:(?:anthropic|amazon|meta|mistral|openai)\.)?"
)
"""What may stand before it: a Bedrock region and maker."""

_SAME_PRICE = frozenset(
    {"claude-2.0", "claude-2.1", "omni-moderation-latest", "text-moderation-latest"}
    | {f"gemma-3-{size}-it" for size in ("1b", "4b", "12b", "27b")}
    | {f"gemma-3n-{size}-it" for size in ("e2b", "e4b")}
)
"""Names with more behind or before them that cost what the entry says which claims them."""

_FINE_TUNE = re.compile(r"^(ft:[^:]+)(?::.*)?$|^(.+\.ft-).*$")
"""OpenAI's and Azure's fine-tunes: the name of the base, then whose it is, which plays no part."""


def is_named(match: MatchLogic, entry_id: str, name: str) -> bool:
    """Say whether an entry that claims a name also names it.

    Args:
        match: the entry's rule.
        entry_id: its id.
        name: the name that it claims, in lower case.

    >>> from genai_prices.types import ClauseStartsWith
    >>> rule = ClauseStartsWith(starts_with="claude-sonnet-4-5")
    >>> [is_named(rule, "claude-sonnet-4-5", f"claude-sonnet-4-5{more}") for more in ("", "-20250929", "-turbo", "5")]
    [True, True, False, False]
    """
    tuned = _FINE_TUNE.match(name)
    if tuned is not None:
        name = tuned.group(1) or tuned.group(2)
        if "ft" not in entry_id:
            return False
    if name in _SAME_PRICE and match.is_match(name):
        return True
    literals = [(entry_id.lower(), False), *_literals(match, name)]
    return any(whole or _around(literal, name) for literal, whole in literals if literal)


def _around(literal: str, name: str) -> bool:
    before, found, after = name.partition(literal)
    return bool(found) and _SAME_MAKER.fullmatch(before) is not None and _SAME_MODEL.fullmatch(after) is not None


def _literals(match: MatchLogic, name: str) -> Iterator[tuple[str, bool]]:
    """Yield what a rule says literally of a name that it matches, and whether it says all of it."""
    if not match.is_match(name):
        return
    parts = getattr(match, "or_", None) or getattr(match, "and_", None)
    if parts is not None:
        for part in parts:
            yield from _literals(part, name)
        return
    for kind in ("starts_with", "ends_with", "contains", "equals"):
        literal = getattr(match, kind, None)
        if literal is not None:
            yield literal.lower(), kind == "equals"
    pattern = getattr(match, "regex", None)
    if pattern is not None:
        found = re.search(pattern, name)
        # A rule that only excludes matches nothing in particular.
        if found is not None and found.group():
            yield found.group(), found.group() == name
