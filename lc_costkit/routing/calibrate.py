"""Which threshold gives the share of dear calls, or keeps the quality, that the user asks for?

*A share* needs no labels: the threshold lies between two scores of the user's own prompts. With ``k`` of ``n``
prompts at or above it, the share of all such traffic lies in the Clopper-Pearson interval of ``k`` of ``n``,
exactly: between two order statistics the share is a beta variable, and the interval is made of its quantiles.

*A quality* needs outcomes of every target. Thresholds on a fixed grid are tested from the strict end, where all
goes to the strongest target and nothing can be lost, and the first that fails ends it (fixed sequence testing: "Learn
then Test", A. N. Angelopoulos, S. Bates, E. J. Candès, M. I. Jordan and L. Lei, 2021). Each is tested for
"the routed outcome minus ``min_quality`` times the strongest target's is at most 0 on average" (``betting``). So the
chance that the chosen threshold keeps less than ``min_quality`` is at most ``1 - confidence``, whatever the policy.

Both hold for traffic like the prompts, and for a policy that was not fitted on the same prompts: thresholds do not
carry over from one kind of traffic to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from lc_costkit.errors import ConfigurationError
from lc_costkit.intervals import clopper_pearson
from lc_costkit.routing.betting import mean_is_positive
from lc_costkit.routing.calibrated import CalibratedPolicy, uncalibrated
from lc_costkit.routing.drift import WINDOW
from lc_costkit.routing.needs import ThresholdPolicy, chosen, middles, needs_of
from lc_costkit.routing.outcomes import LabelledPrompt, columns_of, outcome_table
from lc_costkit.routing.point import RoutingPoint
from lc_costkit.routing.target_order import explicit_order, order_of, refuse_accidental_order

FEWEST_PROMPTS = 50
"""Fewer say nothing: 50 leave a share of 0.3 uncertain by 0.13 either way."""

STEPS = 5000
"""Of the grid of thresholds, fixed before any label is read. A step moves at most 0.6 % of the calls (``Learned`` on
GSM8K, whose scores lie closest together)."""


def calibrate(
    policy: ThresholdPolicy | CalibratedPolicy,
    prompts: Sequence[str] | Sequence[LabelledPrompt],
    *,
    share: float | None = None,
    min_quality: float | None = None,
    confidence: float = 0.95,
    targets: Sequence[str] | None = None,
    window: int = WINDOW,
) -> CalibratedPolicy:
    """Choose a policy's threshold on prompts of the user's own traffic.

    Args:
        policy: ``Rules``, ``Learned`` or another with a threshold. Labels it was fitted on make ``min_quality``
            too hopeful: keep some back.
        prompts: as users ask them; with ``min_quality``, ``LabelledPrompt`` objects with an outcome of every target.
        share: of requests that are not for the cheapest target, above 0 and below 1. No labels needed; 300 prompts
            give it to about 4 points.
        min_quality: part of the strongest target's mean outcome to keep, above 0 and below 1.
        confidence: that the stated interval of the share holds, and that the quality is kept.
        targets: names, cheapest first, where the policy does not know them; the router's, in its order. Without them
            the order of each prompt's outcomes counts; with ``share``, there are two targets of any name.
        window: decisions that the drift check looks at together.

    Returns:
        A policy for the router, with ``point`` and ``drift()``. If no threshold can be certified, all goes to the
        strongest target, and ``point.share`` is 1.

    Raises:
        ConfigurationError: not exactly one of ``share`` and ``min_quality``, one outside its range, a policy without
            a threshold, too few prompts, an outcome that is missing, ``targets`` that are not the policy's, or an order
            of the outcomes that differs between prompts or has a strongest target that is clearly worse than another.
    """
    policy = uncalibrated(policy)
    _check(share, min_quality, confidence)
    if len(prompts) < FEWEST_PROMPTS:
        raise ConfigurationError(
            f"a calibration needs at least {FEWEST_PROMPTS} prompts, and 300 to be worth it; got {len(prompts)}"
        )
    if share is not None:
        point = _for_share(policy, [_text(one) for one in prompts], share, confidence, _named(policy, targets))
    else:
        labelled = cast(Sequence[LabelledPrompt], prompts)
        point = _for_quality(policy, labelled, cast(float, min_quality), confidence, _named(policy, targets))
    return CalibratedPolicy(policy.at(point.threshold), point, window=window)


def _for_share(
    policy: ThresholdPolicy, prompts: list[str], share: float, confidence: float, targets: tuple[str, ...] | None
) -> RoutingPoint:
    scores = needs_of(policy, prompts, len(targets or ("", "")))[:, 0]
    thresholds = [*middles(scores), min(1.0, float(scores.max()) + 1e-9)]
    ranked = np.sort(scores)
    above = [len(scores) - int(np.searchsorted(ranked, one, side="left")) for one in thresholds]
    best = min(range(len(thresholds)), key=lambda place: abs(above[place] / len(scores) - share))
    return RoutingPoint(
        threshold=thresholds[best],
        prompts=len(scores),
        share=above[best] / len(scores),
        share_interval=clopper_pearson(above[best], len(scores), confidence=confidence),
        confidence=confidence,
        asked_share=share,
        targets=targets,
    )


def _for_quality(
    policy: ThresholdPolicy,
    labelled: Sequence[LabelledPrompt],
    min_quality: float,
    confidence: float,
    targets: tuple[str, ...] | None,
) -> RoutingPoint:
    texts, columns = columns_of(labelled)
    names = tuple(columns) if targets is None else explicit_order(targets, columns)
    table = outcome_table(texts, {name: columns[name] for name in names})
    if not table.complete:
        row, place = np.argwhere(np.isnan(table.found))[0]
        raise ConfigurationError(
            f"min_quality needs an outcome of every target for every prompt; {names[place]!r} has none for prompt {row}"
        )
    if targets is None:
        refuse_accidental_order(table, labelled)
    needs = needs_of(policy, texts, len(names))
    # Bets look at what came before: sorted labels would be another test than shuffled ones.
    order = np.random.default_rng(0).permutation(len(texts))
    threshold = _lowest_cost(needs[order], table.found[order], min_quality, 1.0 - confidence)
    places = chosen(needs, threshold)
    dearer = int(np.count_nonzero(places))
    return RoutingPoint(
        threshold=threshold,
        prompts=len(texts),
        share=dearer / len(texts),
        share_interval=clopper_pearson(dearer, len(texts), confidence=confidence),
        confidence=confidence,
        min_quality=min_quality,
        quality=float(table.found[np.arange(len(texts)), places].mean()),
        strong_quality=float(table.found[:, -1].mean()),
        targets=names,
    )


def _lowest_cost(needs: NDArray[np.float64], found: NDArray[np.float64], min_quality: float, allowance: float) -> float:
    """Return the last threshold of the grid that passes, all before it having passed."""
    rows = np.arange(len(found))
    asked = min_quality * found[:, -1]
    grid = np.arange(1, STEPS + 1) / STEPS
    # Between two thresholds that change a choice there is nothing new to test.
    changes = np.unique(np.searchsorted(grid, needs, side="right"))
    for place in changes[changes < STEPS]:
        kept = found[rows, chosen(needs, float(grid[place]))] - asked
        if not mean_is_positive(kept, worst=-min_quality, best=1.0, allowance=allowance):
            return float(grid[place - 1]) if place else 0.0
    return 1.0


def _check(share: float | None, min_quality: float | None, confidence: float) -> None:
    if (share is None) == (min_quality is None):
        raise ConfigurationError("give either share= or min_quality=, not both and not neither")
    for name, value in (("share", share), ("min_quality", min_quality), ("confidence", confidence)):
        if value is not None and not 0.0 < value < 1.0:
            raise ConfigurationError(f"{name} must be above 0 and below 1, not {value!r}")


def _named(policy: ThresholdPolicy, targets: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the targets' names: those of the policy, else those given."""
    names = order_of(policy, targets)
    if names is not None and len(names) < 2:
        raise ConfigurationError(f"there is nothing to choose between: {list(names)!r}")
    return names


def _text(prompt: str | LabelledPrompt) -> str:
    text = prompt.prompt if isinstance(prompt, LabelledPrompt) else prompt
    if not isinstance(text, str):
        raise ConfigurationError(f"prompts must be text, not {type(text).__name__}")
    return text
