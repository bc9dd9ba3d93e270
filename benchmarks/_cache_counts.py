"""How many answers were right and wrong, how sure is that, and what would another threshold have given?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from lc_costkit.intervals import wilson

NEVER = float("-inf")
"""Score of what is served at no threshold: a gate, the admission or the floor refused it."""

FALSE_RATES = (0.01, 0.02, 0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one matcher made of one pair.

    Attributes:
        score: what the matcher's threshold acts on; ``NEVER`` where no threshold would serve it.
        refused_by: what refused it at the matcher's own threshold; ``None`` if it was served.
        right: the answer that is or would be served is right.
        must_miss: nothing that is stored could be right.
    """

    score: float
    refused_by: str | None
    right: bool
    must_miss: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Hits and what they are counted over."""

    right: int
    wrong: int
    may_hit: int
    must_miss: int

    @property
    def served(self) -> int:
        """Hits, right or wrong."""
        return self.right + self.wrong


def count(decisions: Sequence[Decision]) -> Counts:
    """Count what was served at the matcher's own threshold."""
    return Counts(
        right=sum(each.refused_by is None and each.right for each in decisions),
        wrong=sum(each.refused_by is None and not each.right for each in decisions),
        may_hit=sum(not each.must_miss for each in decisions),
        must_miss=sum(each.must_miss for each in decisions),
    )


def sweep(decisions: Sequence[Decision]) -> list[tuple[float, int, int]]:
    """Return (threshold, right, wrong) for every threshold that changes anything, the strictest first.

    Decisions of one score are served together or not at all.
    """
    scored = sorted((each for each in decisions if each.score != NEVER), key=lambda each: -each.score)
    points, right, wrong = [], 0, 0
    for score, group in groupby(scored, key=lambda each: each.score):
        for each in group:
            right += each.right
            wrong += not each.right
        points.append((score, right, wrong))
    return points


def best_within(decisions: Sequence[Decision], most_wrong: float) -> tuple[float, int, int] | None:
    """Return the point of the sweep with most right answers at no more than ``most_wrong`` wrong ones."""
    return max((point for point in sweep(decisions) if point[2] <= most_wrong), key=lambda p: p[1], default=None)


def most_served(decisions: Sequence[Decision], wrong_share: float) -> tuple[float, int, int] | None:
    """Return the point of the sweep that serves most with at most this share of the served ones wrong."""
    fit = [point for point in sweep(decisions) if point[2] <= wrong_share * (point[1] + point[2])]
    return max(fit, key=lambda point: point[1] + point[2], default=None)


def at_threshold(decisions: Sequence[Decision], threshold: float) -> tuple[int, int]:
    """Return how many right and wrong ones are served from this threshold on."""
    served = [each.right for each in decisions if each.score >= threshold]
    return sum(served), len(served) - sum(served)


def share(part: int, of: int) -> str:
    """Format a count and its share with the 95 % Wilson interval."""
    if not of:
        return "-"
    low, high = wilson(part, of)
    return f"{part}/{of} {part / of:.3f} [{low:.3f} {high:.3f}]"
