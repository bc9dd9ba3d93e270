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
        crowd_weight: how much more is asked for where many stored questions are near, 0 or more; 1 is as measured.
        refuses_twins: serve nothing where the two nearest entries are as near and hardly differ; see
            ``lc_costkit.cache.score.TWINS``.

    Raises:
        ConfigurationError: the name is blank, a gate cannot be called, or a number is out of range.
    """

    name: str
    gates: tuple[Gate, ...]
    min_score: float
    crowd_weight: float = 1.0
    refuses_twins: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ConfigurationError(f"a policy needs a name, not {self.name!r}; it is shown and stored")
        for gate in self.gates:
            if not callable(gate):
                raise ConfigurationError(
                    f"policy {self.name!r}: gates must be callables of (cached, new), not {gate!r}"
                )
        for field, value, most in (("min_score", self.min_score, 1.0), ("crowd_weight", self.crowd_weight, 10.0)):
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
                raise ConfigurationError(
                    f"policy {self.name!r}: {field} must be from 0 to {most:g}, not {value!r}; higher is stricter"
                )


STRICT = Policy(name="strict", gates=DEFAULT_GATES, min_score=0.7)
"""All gates: for answers that must not be wrong. The score was chosen so that about 5 % or less of what is served by
meaning is wrong in stores of support questions of every size, and 3 % or less of hand-written English traps are
served; see ``score``. It costs the heavy rewordings: few of those that share hardly a word are served."""

BALANCED = Policy(name="balanced", gates=BALANCED_GATES, min_score=0.65, refuses_twins=True)
"""Without the swap and insert rules, which cost a third of the right hits on plain rewordings. Without them, two
stored questions that were kept apart are not told apart: neither is served. In streams that fill a store from nothing
3 to 9 % of what it serves by meaning is wrong, in stores of 1,500 support questions 4 %; of GPTCache's own set, by the
nearest entry, it serves 694 right and 18 wrong. One in ten hand-written traps in English is served."""

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
