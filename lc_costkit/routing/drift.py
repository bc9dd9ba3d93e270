"""Does live traffic still leave the cheapest target as often as the prompts a threshold was chosen on?"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from lc_costkit.intervals import clopper_pearson

logger = logging.getLogger(__name__)

WINDOW = 500
"""Decisions looked at together. With 500, a share of 0.3 calibrated on 300 prompts that has moved by 0.14 is mostly
seen in the first full window; a smaller window sees large moves sooner and small ones never."""

SURE = 0.999
"""Confidence of the interval of a window's share, which is compared with the calibrated one: a window of unchanged
traffic is called drifted less often than once in a thousand, as long as the calibrated interval holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What the last full window of decisions says.

    Attributes:
        decisions: how many there were in all.
        share: of the last full window, that were not for the cheapest target; ``None`` before one is full.
        band: the calibrated interval of that share.
        drifted: the window's own interval lies outside of the band: calibrate again on newer prompts.
    """

    decisions: int
    share: float | None
    band: tuple[float, float]
    drifted: bool


class DriftWatch:
    """Counts decisions in windows, and warns (once, until it is back) when one leaves the band.

    Args:
        band: the calibrated interval of the share, 0 to 1.
        window: decisions in a window.
    """

    def __init__(self, band: tuple[float, float], *, window: int = WINDOW) -> None:
        self.band = band
        self.window = window
        self._lock = threading.Lock()
        self._decisions = self._dearer = 0
        self._share: float | None = None
        self._drifted = False

    def count(self, *, dearer: bool) -> None:
        """Count one decision."""
        with self._lock:
            self._decisions += 1
            self._dearer += dearer
            if self._decisions % self.window:
                return
            low, high = clopper_pearson(self._dearer, self.window, confidence=SURE)
            share, self._share, self._dearer = self._dearer / self.window, self._dearer / self.window, 0
            was, self._drifted = self._drifted, low > self.band[1] or high < self.band[0]
            warn = self._drifted and not was
        if warn:
            logger.warning(
                "lc_costkit routing has drifted: %.1f%% of the last %d requests were not for the cheapest target, "
                "but the threshold was chosen for %.1f%% to %.1f%%. Calibrate again on newer prompts.",
                100 * share,
                self.window,
                100 * self.band[0],
                100 * self.band[1],
            )

    def read(self) -> Drift:
        """Return what was seen so far."""
        with self._lock:
            return Drift(decisions=self._decisions, share=self._share, band=self.band, drifted=self._drifted)

    def __getstate__(self) -> dict[str, object]:
        return {"band": self.band, "window": self.window}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(**state)  # type: ignore[misc]
