"""Which settings may a cache have?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self, TypeVar

from lc_costkit.cache.admit import DEFAULT_ADMISSION, AdmissionRule
from lc_costkit.cache.callables import is_coroutine, takes
from lc_costkit.cache.gates import Gate, gate_name
from lc_costkit.cache.judging import GreyZone
from lc_costkit.cache.key import Context, QuestionFinder, check_temperature_limit
from lc_costkit.cache.policy import Policy, policy_of
from lc_costkit.cache.verify import Sampled
from lc_costkit.errors import ConfigurationError
from lc_costkit.switch import Mode, checked_mode

MAX_NAMESPACE = 255

MAX_ERROR_RATE = 0.05
"""Share of semantic hits that may be wrong where the user does not say."""

_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """The settings of a cache after they were checked; see ``Cache`` for what they mean."""

    policy: Policy
    max_error_rate: float
    similarity_threshold: float | None
    judge: GreyZone | None
    verify: Sampled | None
    gates: tuple[Gate, ...]
    admission: tuple[AdmissionRule, ...]
    ttl_seconds: float | None
    max_entries: int | None
    namespace: str
    mode: Mode
    question: QuestionFinder | None
    context: Context
    max_temperature: float
    near_hits: int

    @classmethod
    def checked(
        cls,
        *,
        policy: str | Policy,
        max_error_rate: float,
        similarity_threshold: float | None,
        judge: GreyZone | None,
        verify: Sampled | None,
        gates: Iterable[Gate] | None,
        admission: Iterable[AdmissionRule] | None,
        ttl: timedelta | float | None,
        max_entries: int | None,
        namespace: str,
        mode: str,
        question: QuestionFinder | None,
        context: Context,
        max_temperature: float,
        near_hits: int,
    ) -> Self:
        """Check every setting.

        Raises:
            ConfigurationError: one of them is out of range; the message names it and its value.
        """
        if question is not None and not callable(question):
            raise ConfigurationError(f"question must be a callable that takes the request, not {question!r}")
        if not callable(context) and context not in ("history", "last"):
            raise ConfigurationError(f"context must be 'history', 'last' or a callable, not {context!r}")
        chosen, threshold = policy_of(policy), _threshold(similarity_threshold)
        zone = _instance("judge", judge, GreyZone)
        if zone is not None and threshold is not None and zone.low < threshold:
            raise ConfigurationError(
                f"GreyZone low={zone.low!r} is below similarity_threshold={threshold!r}, under which nothing is a "
                "candidate: raise the one or lower the other (both are cosines then)"
            )
        return cls(
            policy=chosen,
            max_error_rate=checked_error_rate(max_error_rate),
            similarity_threshold=threshold,
            judge=zone,
            verify=_instance("verify", verify, Sampled),
            gates=_gates(chosen.gates if gates is None else gates),
            admission=_admission(DEFAULT_ADMISSION if admission is None else admission),
            ttl_seconds=_ttl(ttl),
            max_entries=_max_entries(max_entries),
            namespace=_namespace(namespace),
            mode=checked_mode(mode),
            question=question,
            context=context,
            max_temperature=check_temperature_limit(max_temperature),
            near_hits=_near_hits(near_hits),
        )


def checked_error_rate(value: object) -> float:
    """Return the share of wrong semantic hits that the user accepts.

    Raises:
        ConfigurationError: it is no share above 0 and at most one half.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 0.5:
        raise ConfigurationError(
            f"max_error_rate is the share of semantic hits that may be wrong, above 0 and at most 0.5, not {value!r}; "
            "0 cannot be certified by any number of labels"
        )
    return float(value)


def _instance(name: str, value: object, kind: type[_Kind]) -> _Kind | None:
    if value is None or isinstance(value, kind):
        return value
    raise ConfigurationError(f"{name} must be a {kind.__name__}(...), not {value!r:.200}")


def _threshold(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ConfigurationError(
            f"similarity_threshold must be a cosine from 0 to 1, not {value!r}; higher is stricter"
        )
    return float(value)


def _gates(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    given: object = gates
    if isinstance(given, str):
        raise ConfigurationError(
            f"gates must be a sequence of callables, and a text is none: {given!r:.200}; a policy is named with "
            "policy='strict' or policy='balanced', and brings its gates along"
        )
    try:
        found = tuple(gates)
    except TypeError as error:
        raise ConfigurationError(f"gates must be a sequence of callables, not {gates!r}; () turns them off") from error
    for gate in found:
        if not callable(gate):
            raise ConfigurationError(f"gates must be callables of (cached, new), not {gate!r}")
        if is_coroutine(gate) or isinstance(gate, type) or not takes(gate, 2):
            raise ConfigurationError(
                f"gate {gate_name(gate)!r} cannot be called as gate(cached, new): give a plain function of two "
                f"prepared questions that returns None or a reason, not {gate!r:.200}"
            )
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


def _near_hits(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigurationError(f"near_hits must be a whole number of pairs to keep, not {value!r}; 0 keeps none")
    return value


def _namespace(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_NAMESPACE:
        raise ConfigurationError(
            f"namespace must be text of 1 to {MAX_NAMESPACE} characters that is not blank, not {value!r:.200}"
        )
    if "\x00" in value or any("\ud800" <= one <= "\udfff" for one in value):
        raise ConfigurationError(
            f"namespace must be text that a database can hold, without NUL or half a surrogate pair, not {value!r}"
        )
    return value
