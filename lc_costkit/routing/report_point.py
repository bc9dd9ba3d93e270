"""What does one setting of a policy mean on labelled prompts?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPoint:
    """What one threshold means on the labels.

    Attributes:
        threshold: of the policy, 0 to 1; ``None`` for a policy without one.
        shares: part of the prompts for each target, cheapest first.
        quality: mean outcome, 0 to 1.
        cost: mean cost of a request, with what deciding costs, USD; ``None`` if costs were not given.
    """

    threshold: float | None
    shares: tuple[float, ...]
    quality: float
    cost: float | None

    @classmethod
    def of(
        cls,
        places: NDArray[np.intp],
        found: NDArray[np.float64],
        *,
        threshold: float | None,
        prices: NDArray[np.float64] | None,
        overhead: float,
    ) -> ReportPoint:
        """Work it out.

        Args:
            places: of the target for each prompt.
            found: outcomes, a row for each prompt and a column for each target.
            threshold: see the class.
            prices: what a request for each target costs, USD.
            overhead: what deciding costs, USD a request.
        """
        shares = np.bincount(places, minlength=found.shape[1]) / len(places)
        return cls(
            threshold=threshold,
            shares=tuple(float(one) for one in shares),
            quality=float(found[np.arange(len(places)), places].mean()),
            cost=None if prices is None else float(shares @ prices) + overhead,
        )

    @property
    def dearer(self) -> float:
        """Part of the prompts that is not for the cheapest target."""
        return 1.0 - self.shares[0]

    @property
    def across(self) -> float:
        """Where it stands on a curve from left to right: its cost, else the part that is not for the cheapest."""
        return self.dearer if self.cost is None else self.cost

    def as_score(self) -> ReportPoint:
        """Return it with the threshold of a score that tells how good something is, not how much is asked for."""
        return self if self.threshold is None else replace(self, threshold=max(0.0, 1.0 - self.threshold))

    def cells(self, name: str) -> list[str]:
        """Return it as a line of a table."""
        cost = [] if self.cost is None else [f"{self.cost:.6f}"]
        return [name, *(f"{share:.1%}" for share in self.shares), f"{self.quality:.3f}", *cost]
