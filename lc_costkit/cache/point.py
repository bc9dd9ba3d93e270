"""From which score on are candidates served, and what is known of that choice?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Source = Literal["policy", "threshold", "calibrated", "tightened"]
"""``policy``: as shipped; ``threshold``: the user's own; ``calibrated``: from labels;
``tightened``: by live verdicts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """A score from which candidates are served.

    Attributes:
        min_score: lowest score that is served, 0 to 1; above 1 nothing is.
        source: where it comes from.
        max_error_rate: the share of wrong answers among semantic hits that the user accepts, 0 to 1.
        confidence: with which ``upper_error_rate`` holds, 0 to 1; ``None`` where nothing was tested.
        certified: the labels bound the error rate by ``max_error_rate`` with that confidence.
        labels: labelled pairs it rests on.
        served: how many of those this point would have served.
        wrong: how many of the served ones were wrong.
        upper_error_rate: upper bound of the error rate from those labels, 0 to 1.
        made_at: when, seconds since the epoch; 0 for what was shipped.
        alone: the labelled pairs were given, and scored without the neighbours that a lookup weighs too. Those
            only ever refuse more: ``max_error_rate`` is certified of what would be served without them, and of
            all decisions no larger share is answered wrongly than that; of the fewer that are served it may be.
    """

    min_score: float
    source: Source = "policy"
    max_error_rate: float | None = None
    confidence: float | None = None
    certified: bool = False
    labels: int = 0
    served: int = 0
    wrong: int = 0
    upper_error_rate: float | None = None
    made_at: float = 0.0
    alone: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read a stored point back.

        Raises:
            TypeError: it has other fields.
        """
        return cls(**data)

    def __str__(self) -> str:
        if not self.certified or self.upper_error_rate is None or self.confidence is None:
            return f"score >= {self.min_score:.3f} ({self.source}), not certified"
        of_what = "semantic hits" if not self.alone else "what it would serve without regard to neighbours"
        return (
            f"score >= {self.min_score:.3f} ({self.source}), certified: at most {self.upper_error_rate:.1%} of "
            f"{of_what} wrong with {self.confidence:.0%} confidence ({self.wrong} of {self.served} labelled hits)"
        )
