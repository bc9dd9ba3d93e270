"""Which settings may a cache have?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from lc_costkit.cache.admit import AdmissionRule
from lc_costkit.cache.gates import Gate
from lc_costkit.cache.key import Context, QuestionFinder, check_temperature_limit
from lc_costkit.errors import ConfigurationError
from lc_costkit.switch import Mode, checked_mode

MAX_NAMESPACE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """The settings of a cache after they were checked; see ``Cache`` for what they mean."""

    similarity_threshold: float | None
    gates: tuple[Gate, ...]
    admission: tuple[AdmissionRule, ...]
    ttl_seconds: float | None
    max_entries: int | None
    namespace: str
    mode: Mode
    question: QuestionFinder | None
    context: Context
    max_temperature: float

    @classmethod
    def checked(
        cls,
        *,
        similarity_threshold: float | None,
        gates: Iterable[Gate],
        admission: Iterable[AdmissionRule],
        ttl: timedelta | float | None,
        max_entries: int | None,
        namespace: str,
        mode: str,
        question: QuestionFinder | None,
        context: Context,
        max_temperature: float,
    ) -> Self:
        """Check every setting.

        Raises:
            ConfigurationError: one of them is out of range; the message names it and its value.
        """
        if question is not None and not callable(question):
            raise ConfigurationError(f"question must be a callable that takes the request, not {question!r}")
        if not callable(context) and context not in ("history", "last"):
            raise ConfigurationError(f"context must be 'history', 'last' or a callable, not {context!r}")
        return cls(
            similarity_threshold=_threshold(similarity_threshold),
            gates=_gates(gates),
            admission=_admission(admission),
            ttl_seconds=_ttl(ttl),
            max_entries=_max_entries(max_entries),
            namespace=_namespace(namespace),
            mode=checked_mode(mode),
            question=question,
            context=context,
            max_temperature=check_temperature_limit(max_temperature),
        )


def _threshold(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ConfigurationError(
            f"similarity_threshold must be a cosine from 0 to 1, not {value!r}; higher is stricter"
        )
    return float(value)


def _gates(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    try:
        found = tuple(gates)
    except TypeError as error:
        raise ConfigurationError(f"gates must be a sequence of callables, not {gates!r}; () turns them off") from error
    for gate in found:
        if not callable(gate):
            raise ConfigurationError(f"gates must be callables of (cached, new), not {gate!r}")
    return found


def _admission(rules: Iterable[AdmissionRule]) -> tuple[AdmissionRule, ...]:
    try:
        found = tuple(rules)
    except TypeError as error:
        raise ConfigurationError(f"admission must be a sequence of rules, not {rules!r}; () turns it off") from error
    for rule in found:
        if not isinstance(rule, AdmissionRule):
            raise ConfigurationError(f"admission must hold AdmissionRule rows, not {rule!r}")
    return found


def _ttl(value: object) -> float | None:
    if value is None:
        return None
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds < math.inf:
        raise ConfigurationError(
            f"ttl must be a timedelta or a number of seconds above 0, not {value!r}; None keeps answers for ever"
        )
    return float(seconds)


def _max_entries(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"max_entries must be a whole number of at least 1, not {value!r}; None is no limit")
    return value


def _namespace(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_NAMESPACE:
        raise ConfigurationError(
            f"namespace must be text of 1 to {MAX_NAMESPACE} characters that is not blank, not {value!r}"
        )
    return value
