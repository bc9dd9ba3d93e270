"""Which errors can leave the kit, and when to catch which.

    CostKitError
      x ConfigurationError (ValueError)   an argument was wrong; raised at construction
        + EmbedderError                   an embedder returned the wrong shape, NaN or the wrong count
      x MissingDependency (ImportError)   an optional extra is not installed
      x SelectionError (ValueError)       a ModelSelector was given an answer that is none of the choices
      x StoreError                        a database cannot be opened or is not ours
      x BudgetExceeded                    a budget does not allow a call; raised before the provider is called
        + BudgetUnavailable               whether it does cannot be found out, and the budget fails closed

Once a component is constructed, a model call that goes through it never fails with one of
these but ``BudgetExceeded``: faults are logged once and counted (see ``faults.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
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


class SelectionError(CostKitError, ValueError):
    """What a model or a policy answered is none of the choices; nothing was selected in its place."""


class BudgetExceeded(CostKitError):
    """A budget does not allow a call, and the provider was not called.

    Attributes:
        budget: the budget's name.
        scope: whose allowance it is, such as ``{"user": "u42"}``.
        unit: ``usd``, ``tokens`` or ``calls``.
        limit: what may be spent in the window, in that unit.
        spent: what was spent in it.
        held: what calls under way hold.
        asked: the most that the refused call can take; ``None`` where that is not known.
        resets_at: when the next window begins (UTC); ``None`` for a budget that never resets.
    """

    def __init__(
        self,
        message: str,
        *,
        budget: str = "",
        scope: Mapping[str, str] | None = None,
        unit: str = "usd",
        limit: Decimal | int = 0,
        spent: Decimal | int = 0,
        held: Decimal | int = 0,
        asked: Decimal | int | None = None,
        resets_at: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.budget = budget
        self.scope = dict(scope or {})
        self.unit = unit
        self.limit = limit
        self.spent = spent
        self.held = held
        self.asked = asked
        self.resets_at = resets_at

    # An Exception with keyword-only arguments does not come through a pickle, and so not out of a worker.
    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (type(self), str(self), dict(vars(self)))


class BudgetUnavailable(BudgetExceeded):
    """Whether a budget allows a call cannot be found out: its store is locked, full, or gone."""


def _rebuilt(kind: type[BudgetExceeded], message: str, values: dict[str, object]) -> BudgetExceeded:
    error = kind(message)
    vars(error).update(values)
    return error


def shown(value: object) -> str:
    """Return what an error calls something that was given: its type and the model it is, or a short ``repr``.

    >>> shown("gpt-4o"), shown(shown)
    ("'gpt-4o'", 'function shown')
    """
    kind = type(value).__name__
    for name in ("model_name", "model", "model_id", "__name__"):
        told = getattr(value, name, None)
        if isinstance(told, str) and told:
            return f"{kind} {told}"
    told = repr(value)
    return told if len(told) <= _LONGEST_SHOWN else f"{kind} {told[:_LONGEST_SHOWN]}..."


_LONGEST_SHOWN = 80
"""Characters of a ``repr`` that an error shows: one line of a terminal."""


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
