"""Which errors can leave the kit, and when to catch which.

    CostKitError
      x ConfigurationError (ValueError)   an argument was wrong; raised at construction
        + EmbedderError                   an embedder returned the wrong shape, NaN or the wrong count
      x MissingDependency (ImportError)   an optional extra is not installed
      x StoreError                        a database cannot be opened or is not ours

Once a component is constructed, a model call that goes through it never fails
with one of these: faults are logged once and counted (see ``faults.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CostKitError(Exception):
    """Base of every error the kit raises on purpose."""


class ConfigurationError(CostKitError, ValueError):
    """An argument is out of range, contradictory or names something unknown."""


class EmbedderError(ConfigurationError):
    """An embedder broke its contract: one finite vector of a constant size for each text."""


class MissingDependency(CostKitError, ImportError):
    """A feature needs an extra that is not installed; the message names the pip line."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional dependency: pip install 'lc_costkit[{extra}]'")
        self.feature = feature
        self.extra = extra


class StoreError(CostKitError):
    """A database path or URL cannot be opened, is corrupt, or belongs to something else."""


def refuse_unknown(owner: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse options that ``owner`` does not have: one that was misspelt must not be ignored.

    Raises:
        ConfigurationError: there is one; the message names it and what was probably meant.

    >>> refuse_unknown("ModelRouter", ["polcy"], ["policy", "strong", "mode"])
    Traceback (most recent call last):
        ...
    lc_costkit.errors.ConfigurationError: ModelRouter has no option 'polcy'; did you mean 'policy'?
    """
    options = sorted(known)
    for name in given:
        if name not in options:
            close = get_close_matches(name, options, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it takes {', '.join(options)}"
            raise ConfigurationError(f"{owner} has no option {name!r}; {hint}")
