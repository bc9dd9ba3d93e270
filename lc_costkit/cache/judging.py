"""Who says whether a stored answer is right for a new question, where the score cannot?"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from lc_costkit.errors import ConfigurationError
from lc_costkit.usage import Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCase:
    """What a judge is asked about.

    Attributes:
        cached: the stored question.
        new: the new question.
        answer: the text of the stored answer.
        fresh: the text of the model's own answer to the new question, where the model was asked.
    """

    cached: str
    new: str
    answer: str
    fresh: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a judge says.

    Attributes:
        same: the stored answer is right for the new question.
        usd: what asking the judge cost, USD; ``None`` where it has a price we do not know.
        basis: the basis of ``usd``.
        reason: in words, for ``explain``.
    """

    same: bool
    usd: Decimal | None = Decimal(0)
    basis: Basis = "exact"
    reason: str | None = None


Judge = Callable[[JudgeCase], Judgement | bool]
"""Decides a case; a plain function that returns a ``bool`` is a legal one. One that fails decides "no"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GreyZone:
    """Candidates with a score between two bounds are put to a judge before they are served.

    From ``high`` on they are served without one, below ``low`` not at all. The judge is called
    while the caller waits; what it costs is part of the lookup's cost.

    Args:
        low: score from which the judge is asked, 0 to 1.
        high: score from which nobody needs asking, above ``low``, at most 1.
        judge: who decides; one that raises, or returns something else, means a miss.

    Raises:
        ConfigurationError: the bounds are not in order, or the judge is not a plain callable.
    """

    low: float
    high: float
    judge: Judge

    def __post_init__(self) -> None:
        for name, value in (("low", self.low), ("high", self.high)):
            if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
                raise ConfigurationError(f"GreyZone {name} must be a score from 0 to 1, not {value!r}")
        if not 0 <= self.low < self.high <= 1:
            raise ConfigurationError(
                f"GreyZone needs 0 <= low < high <= 1, not low={self.low!r} and high={self.high!r}"
            )
        checked_judge(self.judge)


def checked_judge(judge: object) -> None:
    """Refuse what cannot be asked.

    Raises:
        ConfigurationError: it is not callable, or a coroutine function.
    """
    if not callable(judge):
        raise ConfigurationError(f"a judge must be a callable that takes a JudgeCase, not {judge!r:.200}")
    if inspect.iscoroutinefunction(judge) or inspect.iscoroutinefunction(getattr(judge, "__call__", None)):  # noqa: B004
        raise ConfigurationError(
            f"a judge must be a plain function, not the coroutine function {judge!r:.200}: it is called in a thread "
            "of its own wherever the caller is asynchronous"
        )


def ask_judge(judge: Judge, case: JudgeCase) -> Judgement:
    """Ask a judge and read its answer.

    Raises:
        TypeError: it answered neither a ``Judgement`` nor a ``bool``.
        Exception: what the judge raised.
    """
    said: object = judge(case)
    if isinstance(said, Judgement):
        return said
    if isinstance(said, bool):
        return Judgement(same=said)
    raise TypeError(f"a judge must return a Judgement or a bool, not {type(said).__name__}")
