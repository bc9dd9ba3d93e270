"""What was a threshold chosen for, and what may be expected at it?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPoint:
    """The threshold that a calibration chose.

    Attributes:
        threshold: of the policy, 0 to 1.
        prompts: how many it was chosen on.
        share: of those, that are not for the cheapest target, 0 to 1.
        share_interval: where the share of all traffic like them lies, with ``confidence`` (exact, Clopper-Pearson).
        confidence: of the interval and of the bound, 0 to 1.
        asked_share: what was asked for, if a share was.
        min_quality: part of the strongest target's quality that is kept, with ``confidence``; ``None`` if a
            share was asked for.
        quality: mean outcome on the labels at this threshold, 0 to 1, on the very prompts it was chosen on;
            ``None`` without labels.
        strong_quality: mean outcome of the strongest target on the labels.
        targets: whose threshold it is, cheapest first; ``None`` if nobody named them.
    """

    threshold: float
    prompts: int
    share: float
    share_interval: tuple[float, float]
    confidence: float
    asked_share: float | None = None
    min_quality: float | None = None
    quality: float | None = None
    strong_quality: float | None = None
    targets: tuple[str, ...] | None = None

    def rows(self) -> list[tuple[str, str]]:
        """The point as pairs of a heading and a text."""
        low, high = self.share_interval
        named = [] if self.targets is None else [("targets", f"{', '.join(self.targets)} (the strongest)")]
        rows = [
            *named,
            ("threshold", f"{self.threshold:.4f}"),
            ("chosen on", f"{self.prompts} prompts"),
            ("to dearer targets", f"{self.share:.1%}; of all such traffic {low:.1%} to {high:.1%}"),
        ]
        if self.asked_share is not None:
            rows.append(("asked for", f"{self.asked_share:.1%}"))
        if self.min_quality is not None and self.quality is not None and self.strong_quality is not None:
            kept = self.quality / self.strong_quality if self.strong_quality else 1.0
            rows.append(
                ("quality kept", f"at least {self.min_quality:.1%} of the strongest target's ({kept:.1%} here)")
            )
        return [*rows, ("confidence", f"{self.confidence:.0%}")]
