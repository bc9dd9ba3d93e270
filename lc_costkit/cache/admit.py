"""Which questions must not be cached at all, and which only matched to the letter?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from lc_costkit.cache import admission_own_rows as own_rows
from lc_costkit.cache import admission_rows as rows
from lc_costkit.cache.courtesy import core_of
from lc_costkit.errors import ConfigurationError

Verdict = Literal["cacheable", "exact_only", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRule:
    """One row: what to look for in a question and what it means for the cache.

    Attributes:
        name: short, for reports.
        verdict: ``refuse`` (neither stored nor served) or ``exact_only`` (matched to the letter only).
        reason: in words, for ``explain``.
        matches: says whether the rule applies; it is given the question as text.

    Raises:
        ConfigurationError: for another verdict, an empty name or reason, or a ``matches`` that cannot be called.
    """

    name: str
    verdict: Literal["exact_only", "refuse"]
    reason: str
    matches: Callable[[str], bool]

    def __post_init__(self) -> None:
        if self.verdict not in ("exact_only", "refuse"):
            raise ConfigurationError(f"admission rule verdict must be 'exact_only' or 'refuse', not {self.verdict!r}")
        if not self.name or not self.reason:
            raise ConfigurationError("an admission rule needs a name and a reason; both are shown by explain()")
        if not callable(self.matches):
            raise ConfigurationError(f"admission rule {self.name!r}: matches must be callable, got {self.matches!r}")

    @classmethod
    def from_pattern(
        cls,
        name: str,
        *,
        pattern: str,
        verdict: Literal["exact_only", "refuse"],
        reason: str,
        unless: str | None = None,
    ) -> AdmissionRule:
        """Make a rule of a regular expression, searched without regard to case.

        Args:
            name: short, for reports.
            pattern: where it is found, the rule applies;
            verdict: as above.
            reason: as above.
            unless: but not where this one is found.

        Raises:
            ConfigurationError: for a text that is empty or not a regular expression.

        >>> DEFAULT_ADMISSION + (AdmissionRule.from_pattern(
        ...     "horoscope", pattern=r"horoscope", verdict="refuse", reason="changes every day"),) != ()
        True
        """
        if pattern == "":
            raise ConfigurationError(f"admission rule {name!r}: an empty pattern is found in every question; name one")
        found, spared = _compile(name, pattern), _compile(name, unless) if unless else None

        def matches(text: str) -> bool:
            return found.search(text) is not None and (spared is None or spared.search(text) is None)

        return cls(name=name, verdict=verdict, reason=reason, matches=matches)


def _compile(name: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE)
    except (re.error, TypeError) as error:
        raise ConfigurationError(f"admission rule {name!r}: {pattern!r} is not a pattern: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What the rules say about a question, with the rule and the reason that decided."""

    verdict: Verdict
    rule: str | None = None
    reason: str | None = None


_FEW_MARKS = 30
"""Signs in a row from which the rest is left out: patterns that skip signs take the square of their number."""
_MARKS = re.compile(rf"\W{{{_FEW_MARKS},}}")


def _few_marks(found: re.Match[str]) -> str:
    return found[0][:_FEW_MARKS]


_ADMITTED = Admission(verdict="cacheable")


def admit(question: str, rules: Iterable[AdmissionRule]) -> Admission:
    """Ask every rule; the strictest verdict wins. A rule that raises counts as a refusal.

    A rule is asked about the question as it stands and, where that differs, without its courtesies."""
    strictest = _ADMITTED
    question = _MARKS.sub(_few_marks, question)
    core = core_of(question)
    for rule in rules:
        try:
            applies = rule.matches(question) or (core is not question and rule.matches(core))
        except Exception as error:
            return Admission(verdict="refuse", rule=rule.name, reason=f"rule {rule.name} raised {type(error).__name__}")
        if not applies:
            continue
        if rule.verdict == "refuse":
            return Admission(verdict="refuse", rule=rule.name, reason=rule.reason)
        if strictest is _ADMITTED:
            strictest = Admission(verdict="exact_only", rule=rule.name, reason=rule.reason)
    return strictest


def _of_row(row: rows.Row) -> AdmissionRule:
    made = AdmissionRule.from_pattern(
        row.name, pattern=row.pattern, verdict=row.verdict, reason=row.reason, unless=row.unless
    )
    search, needs = made.matches, row.needs
    if row.korean:
        return replace(made, matches=lambda text: not text.isascii() and search(text))
    if needs:
        return replace(made, matches=lambda text: not needs.isdisjoint(_words_of(text)) and search(text))
    return made


@lru_cache(maxsize=64)
def _words_of(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


_WORD = re.compile(r"[a-z]+")


DEFAULT_ADMISSION: tuple[AdmissionRule, ...] = tuple(map(_of_row, (*rows.ROWS, *own_rows.ROWS)))
"""English and Korean; ``DEFAULT_ADMISSION + (my_rule,)`` adds to it."""
