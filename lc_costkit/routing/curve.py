"""How much of the gap between two targets does each share of dear calls recover?

The definitions are those of RouteLLM (I. Ong et al., arXiv 2406.18665):

    share   part of the prompts sent to the strong target
    PGR     performance gap recovered at a share: (quality - cheap) / (strong - cheap)
    APGR    area under PGR over all shares, at full resolution; 0.5 is what sending at random gives
    CPT50   smallest share that recovers half of the gap (call-performance threshold); CPT80 likewise

Prompts of equal score are sent in no particular order: their gains are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class GapCurve:
    """PGR at each share of strong calls, the shares evenly spaced from 0 to 1."""

    recovered: NDArray[np.float64]

    @classmethod
    def of(cls, scores: NDArray[np.float64], strong: NDArray[np.float64], cheap: NDArray[np.float64]) -> GapCurve:
        """Send the highest scores first. The outcomes of ``strong`` must be better than those of ``cheap`` on average.

        >>> scores = np.array([0.9, 0.1, 0.5])
        >>> round(GapCurve.of(scores, np.array([1.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0])).apgr, 4)
        0.8333
        """
        gains = strong - cheap
        _, place, count = np.unique(-scores, return_inverse=True, return_counts=True)
        averaged = (np.bincount(place, gains) / count)[np.sort(place)]
        return cls(np.concatenate(([0.0], np.cumsum(averaged))) / gains.sum())

    @property
    def apgr(self) -> float:
        """Area under the curve."""
        return float(np.trapezoid(self.recovered, dx=1 / (len(self.recovered) - 1)))

    def share_for(self, part: float) -> float:
        """Return the smallest share that recovers ``part`` of the gap, up to 1."""
        return float(np.argmax(self.recovered >= part - 1e-12)) / (len(self.recovered) - 1)

    def at(self, share: float) -> float:
        """Return how much of the gap a share recovers."""
        return float(np.interp(share, np.linspace(0, 1, len(self.recovered)), self.recovered))


def apgr_interval(
    scores: NDArray[np.float64],
    strong: NDArray[np.float64],
    cheap: NDArray[np.float64],
    *,
    confidence: float,
    resamples: int,
) -> tuple[float, float]:
    """Return an interval of the APGR over resampled prompts (percentile bootstrap, always the same draws)."""
    chance = np.random.default_rng(0)
    areas = []
    for _ in range(resamples):
        drawn = chance.integers(0, len(scores), len(scores))
        if (strong[drawn] - cheap[drawn]).sum() > 0:
            areas.append(GapCurve.of(scores[drawn], strong[drawn], cheap[drawn]).apgr)
    if not areas:
        return 0.0, 1.0
    low, high = np.quantile(areas, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
