"""Do calibrated thresholds give the share that was asked for, and keep the quality?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from _routing_sets import Numbers
from _routing_splits import Places, Prepared

from lc_costkit.routing import LabelledPrompt, calibrate
from lc_costkit.routing.policy import RouteDecision, RouteRequest

FITS = 10
"""Models that the resamples are spread over."""


class Known:
    """A policy whose scores were computed before: its prompts are numbers."""

    def __init__(self, scores: Numbers, threshold: float = 0.5) -> None:
        self.scores, self.threshold = scores, threshold

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        raise NotImplementedError

    def needs(self, question: str, targets: int) -> Sequence[float]:
        return (float(self.scores[int(question)]),)

    def at(self, threshold: float) -> Known:
        return Known(self.scores, threshold)


def show_shares(name: str, data: Prepared, *, fit: int, prompts: int, resamples: int) -> None:
    """Print how often a share is met, and how often its interval holds.

    Prompts are drawn with replacement from those that no model was fitted on, and the truth is the share of all
    of those: draws and truth then differ as a sample and its population do.
    """
    print(f"\n{name}: share calibrated on {prompts} unlabelled prompts, {resamples} resamples")
    print(f"  {'policy':<20}{'asked':>7}{'mean':>8}{'within 4 points':>17}{'interval holds':>16}")
    for policy in ("Rules", "Learned"):
        for asked in (0.3, 0.5):
            near, held, shares = 0, 0, []
            for number in range(resamples):
                scores = _scores(policy, data, fit, number % FITS)
                drawn = np.random.default_rng(number).integers(0, len(scores), prompts)
                point = calibrate(Known(scores), [str(place) for place in drawn], share=asked).point
                truth = float(np.mean(scores >= point.threshold))
                low, high = point.share_interval
                near += abs(truth - asked) <= 0.04
                held += low <= truth <= high
                shares.append(truth)
            print(
                f"  {policy:<20}{asked:7.0%}{np.mean(shares):8.1%}{near / resamples:17.1%}{held / resamples:16.1%}",
                flush=True,
            )


def show_quality(name: str, data: Prepared, *, fit: int, labels: int, resamples: int) -> None:
    """Print how often the quality is kept, and what is sent to the cheap target.

    Labels are drawn with replacement from those that no model was fitted on; the truth is what all of those give.
    """
    print(f"\n{name}: {fit} labels to fit, {labels} to calibrate at 95 % confidence, {resamples} resamples")
    print(
        f"  {'policy':<20}{'to keep':>9}{'kept, mean':>12}{'violated':>10}{'to the cheap target, mean':>27}{'least':>8}"
    )
    for policy in ("Rules", "Learned"):
        for min_quality in (0.9, 0.95, 0.98):
            kept, cheap = [], []
            for number in range(resamples):
                scores = _scores(policy, data, fit, number % FITS)
                rest = _order(data, number % FITS)[fit:] if policy == "Learned" else np.arange(len(scores))
                weak, strong = data.outcomes.weak[rest], data.outcomes.strong[rest]
                drawn = np.random.default_rng(number).integers(0, len(scores), labels)
                labelled = [
                    LabelledPrompt(prompt=str(place), outcomes={"weak": weak[place], "strong": strong[place]})
                    for place in drawn
                ]
                point = calibrate(Known(scores), labelled, min_quality=min_quality).point
                routed = np.where(scores >= point.threshold, strong, weak)
                kept.append(float(routed.mean() / strong.mean()))
                cheap.append(float(np.mean(scores < point.threshold)))
            violated = np.mean(np.array(kept) < min_quality)
            print(
                f"  {policy:<20}{min_quality:9.0%}{np.mean(kept):12.1%}{violated:10.1%}"
                f"{np.mean(cheap):27.1%}{np.min(cheap):8.1%}",
                flush=True,
            )


_CACHE: dict[tuple[int, int, int], Numbers] = {}


def _order(data: Prepared, number: int) -> Places:
    return np.random.default_rng(number).permutation(len(data.features))


def _scores(policy: str, data: Prepared, fit: int, number: int) -> Numbers:
    """Score the prompts that a model was not fitted on; the rules saw no labels here, and score them all."""
    if policy == "Rules":
        return data.rules
    key = (id(data), fit, number)
    if key not in _CACHE:
        order = _order(data, number)
        _CACHE[key] = data.scores(data.fit(order[:fit]), order[fit:])
    return _CACHE[key]
