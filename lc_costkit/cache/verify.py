"""How often is a served answer wrong, measured on live traffic?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lc_costkit.cache.judging import Judge, checked_judge
from lc_costkit.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Ask the model again on a share of the would-be semantic hits, and compare.

    Args:
        rate: share of the semantic hits to check, above 0, at most 1.
        judge: compares the stored answer with the fresh one.

    Raises:
        ConfigurationError: the rate is out of range, or the judge is not a plain callable.
    """

    rate: float
    judge: Judge

    def __post_init__(self) -> None:
        rate: object = self.rate
        if not isinstance(rate, int | float) or isinstance(rate, bool) or not math.isfinite(rate) or not 0 < rate <= 1:
            raise ConfigurationError(f"Sampled rate must be a share above 0 and at most 1, not {rate!r}")
        checked_judge(self.judge)
