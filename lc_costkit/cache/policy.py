"""Which ways of deciding about a candidate are there to choose from?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lc_costkit.cache.gates import BALANCED_GATES, DEFAULT_GATES, Gate
from lc_costkit.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may refuse a candidate, and from which score on it is served; data, so that users can make their own.

    Attributes:
        name: as it is shown and stored.
        gates: what may refuse, in order.
        min_score: score from which a candidate is served that no gate refuses, 0 to 1, until labels
            say better; see ``lc_costkit.cache.score``.

    Raises:
        ConfigurationError: the name is blank, a gate cannot be called, or ``min_score`` is no score.
    """

    name: str
    gates: tuple[Gate, ...]
    min_score: float

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ConfigurationError(f"a policy needs a name, not {self.name!r}; it is shown and stored")
        for gate in self.gates:
            if not callable(gate):
                raise ConfigurationError(
                    f"policy {self.name!r}: gates must be callables of (cached, new), not {gate!r}"
                )
        score = self.min_score
        if not isinstance(score, int | float) or isinstance(score, bool) or not 0 <= score <= 1:
            raise ConfigurationError(
                f"policy {self.name!r}: min_score must be from 0 to 1, not {score!r}; higher is stricter"
            )


STRICT = Policy(name="strict", gates=DEFAULT_GATES, min_score=0.5)
"""All gates: for answers that must not be wrong."""

BALANCED = Policy(name="balanced", gates=BALANCED_GATES, min_score=0.5)
"""Without the swap and insert rules, which cost a third of the right hits on plain rewordings."""

POLICIES: Mapping[str, Policy] = MappingProxyType({policy.name: policy for policy in (STRICT, BALANCED)})


def policy_of(value: object) -> Policy:
    """Return the policy of this name, or a policy as it is.

    Raises:
        ConfigurationError: there is no such policy.
    """
    if isinstance(value, Policy):
        return value
    if isinstance(value, str) and value in POLICIES:
        return POLICIES[value]
    raise ConfigurationError(f"policy must be one of {', '.join(POLICIES)}, or a Policy, not {value!r}")
