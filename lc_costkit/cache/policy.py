"""Which ways of deciding about a candidate are there to choose from?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lc_costkit.cache.gates import BALANCED_GATES, DEFAULT_GATES, Gate
from lc_costkit.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may refuse a candidate; data, so that a user can make another one.

    Attributes:
        name: as it is shown and stored.
        gates: what may refuse, in order.
    """

    name: str
    gates: tuple[Gate, ...]


STRICT = Policy(name="strict", gates=DEFAULT_GATES)
"""All gates: for answers that must not be wrong."""

BALANCED = Policy(name="balanced", gates=BALANCED_GATES)
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
