"""What would each threshold of a policy cost, what would it keep, and does it pay?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lc_costkit.errors import ConfigurationError, MissingDependency
from lc_costkit.report import plain_text, usd_text
from lc_costkit.routing.alone import Comparison, SingleTarget, compare
from lc_costkit.routing.calibrated import CalibratedPolicy
from lc_costkit.routing.curve import GapCurve, apgr_interval
from lc_costkit.routing.decided import decided_places
from lc_costkit.routing.needs import ThresholdPolicy, chosen, middles, needs_of
from lc_costkit.routing.outcomes import LabelledPrompt
from lc_costkit.routing.policy import Policy
from lc_costkit.routing.report_input import checked_labels, checked_overhead, checked_prices
from lc_costkit.routing.report_point import ReportPoint
from lc_costkit.routing.target_order import order_of
from lc_costkit.routing.verdict import verdict_text
from lc_costkit.tables import html_table, text_table

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

POINTS = 60
"""Thresholds on the curve."""

RESAMPLES = 200
"""Of the interval of the APGR."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RoutingReport:
    """The cost-quality curve of a policy on labelled prompts.

    APGR, CPT50 and CPT80 rank the cheapest target against the strongest, by the policy's score; they are ``None``
    where the strongest is no better than the cheapest on these labels, and for a policy without a threshold: of that
    there is one point, and no curve.

    Whether routing pays is said against the best single target: the cheapest that alone is at least as good as what
    the policy gives at its threshold. Against the strongest one, routing to anything cheaper would always pay.
    Nor does it pay where prompts sent to two targets at random cost no more for the same quality.

    Attributes:
        targets: cheapest first.
        prompts: how many labelled ones.
        qualities: mean outcome of each target.
        apgr: area under the gap recovered; 0.5 is random (see ``curve``).
        apgr_interval: 95 % interval over resampled prompts.
        cpt50: share of strong calls that recovers half of the gap.
        cpt80: share of strong calls that recovers 80 % of the gap.
        points: the curve, the dearest threshold first.
        now: the point at the policy's threshold.
        comparison: that point beside each target alone.
        overhead_usd: what deciding costs, USD a request; it is in the cost of every point.
        failed: faults while deciding, by kind; a decision that fails goes to the strongest target, as in a router.
    """

    targets: tuple[str, ...]
    prompts: int
    qualities: tuple[float, ...]
    apgr: float | None
    apgr_interval: tuple[float, float] | None
    cpt50: float | None
    cpt80: float | None
    points: tuple[ReportPoint, ...]
    now: ReportPoint
    comparison: Comparison
    overhead_usd: float = 0.0
    failed: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        policy: ThresholdPolicy | CalibratedPolicy | Policy,
        labelled: Sequence[LabelledPrompt],
        *,
        targets: Sequence[str] | None = None,
        costs: Mapping[str, float] | None = None,
        overhead_usd: float = 0.0,
    ) -> RoutingReport:
        """Try every threshold on labelled prompts.

        A policy without a threshold (``LLMClassifier``, ``first_sure``, ``Cheapest``, a function) is asked about each
        prompt once, by itself: a classifier is called, and paid for, so many times.

        Args:
            policy: not fitted on the same prompts.
            labelled: prompts with an outcome of every target.
            targets: names, cheapest first, where the policy does not know them. Without them the order of the outcomes
                counts, if ``costs`` rise in it or the outcomes do not speak against it.
            costs: by target, what a call costs on average, USD.
            overhead_usd: what deciding costs, USD a request, whichever target it goes to: a classifier's call, or what
                the ledger says that calls under ``metadata:route_aside`` cost, by the number of requests.

        Raises:
            ConfigurationError: no prompts, an outcome or a cost that is missing, a cost that is no amount, a policy
                for other targets or that decides nothing, or targets whose order cannot be believed.
        """
        inner = policy.policy if isinstance(policy, CalibratedPolicy) else policy
        names, found = checked_labels(labelled, order_of(policy, targets), costs)
        overhead = checked_overhead(overhead_usd, costs)
        prices = checked_prices(names, costs)
        prompts, threshold = [one.prompt for one in labelled], getattr(inner, "threshold", None)
        if isinstance(inner, ThresholdPolicy) and isinstance(threshold, float):
            needs = needs_of(inner, prompts, len(names))
            return cls._of(names, found, needs, threshold, prices=prices, paid=prices, overhead=overhead)
        places, failed = decided_places(inner, prompts, names)
        one_point = cls._at(names, found, places, None, prices=prices, paid=prices, overhead=overhead)
        return replace(one_point, failed=failed)

    @classmethod
    def of_drafts(
        cls,
        scores: Sequence[float],
        labelled: Sequence[LabelledPrompt],
        *,
        targets: Sequence[str] | None = None,
        costs: Mapping[str, float] | None = None,
        threshold: float = 0.5,
        overhead_usd: float = 0.0,
    ) -> RoutingReport:
        """Do the same for a cascade of two targets: each request pays for a draft, and some for an answer besides.

        Args:
            scores: how likely the cheap target's answer to each prompt is good, 0 to 1, as ``AnswerScore.score``
                says; of checks, 1 for an answer that passes them all and 0 for another.
            labelled: the prompts, with an outcome of both targets, the cheap one first.
            targets: names of both, the cheap one first; as in ``of``.
            costs: by target, what a call costs on average, USD.
            threshold: a draft is thrown away below it.
            overhead_usd: what checking costs, USD a request: a judge, or further samples.

        Raises:
            ConfigurationError: as ``of``; scores that do not go with the prompts, or outside 0..1; not two targets.
        """
        names, found = checked_labels(labelled, order_of(None, targets), costs)
        if len(names) != 2:
            raise ConfigurationError(f"scores of drafts tell two targets apart, not {list(names)!r}")
        overhead = checked_overhead(overhead_usd, costs)
        prices = checked_prices(names, costs)
        told = np.array([float(one) for one in scores])
        if len(told) != len(found):
            raise ConfigurationError(f"there are {len(found)} prompts, but {len(told)} scores")
        if not ((told >= 0) & (told <= 1)).all() or not 0.0 <= threshold <= 1.0:
            raise ConfigurationError("scores and their threshold lie between 0 and 1")
        # From how good a draft looks to how much an answer is needed. One at the threshold passes.
        needs, enough, all_pass = 1.0 - told[:, None], _just_above(1.0 - threshold), _just_above(1.0)
        paid = None if prices is None else np.cumsum(prices)
        made = cls._of(names, found, needs, enough, prices=prices, paid=paid, overhead=overhead, highest=all_pass)
        return replace(
            made, points=tuple(one.as_score() for one in made.points), now=replace(made.now, threshold=threshold)
        )

    @classmethod
    def _of(
        cls,
        names: tuple[str, ...],
        found: NDArray[np.float64],
        needs: NDArray[np.float64],
        threshold: float,
        *,
        prices: NDArray[np.float64] | None,
        paid: NDArray[np.float64] | None,
        overhead: float,
        highest: float = 1.0,
    ) -> RoutingReport:
        thresholds = [*middles(needs[:, 0], most=POINTS), highest]
        points = tuple(
            ReportPoint.of(chosen(needs, one), found, threshold=one, prices=paid, overhead=overhead)
            for one in thresholds
        )
        now = cls._at(names, found, chosen(needs, threshold), threshold, prices=prices, paid=paid, overhead=overhead)
        strong, cheap = found[:, -1], found[:, 0]
        if strong.mean() <= cheap.mean():
            return replace(now, points=points)
        curve = GapCurve.of(needs[:, 0], strong, cheap)
        return replace(
            now,
            points=points,
            apgr=curve.apgr,
            apgr_interval=apgr_interval(needs[:, 0], strong, cheap, confidence=0.95, resamples=RESAMPLES),
            cpt50=curve.share_for(0.5),
            cpt80=curve.share_for(0.8),
        )

    @classmethod
    def _at(
        cls,
        names: tuple[str, ...],
        found: NDArray[np.float64],
        places: NDArray[np.intp],
        threshold: float | None,
        *,
        prices: NDArray[np.float64] | None,
        paid: NDArray[np.float64] | None,
        overhead: float,
    ) -> RoutingReport:
        """Return a report on one point."""
        now = ReportPoint.of(places, found, threshold=threshold, prices=paid, overhead=overhead)
        mixed = found[np.arange(len(found)), places]
        return cls(
            targets=names,
            prompts=len(found),
            qualities=tuple(float(one) for one in found.mean(axis=0)),
            apgr=None,
            apgr_interval=None,
            cpt50=None,
            cpt80=None,
            points=(now,),
            now=now,
            comparison=compare(names, found, mixed, prices=prices, mixed_usd=now.cost),
            overhead_usd=overhead,
        )

    @property
    def best_single(self) -> SingleTarget:
        """The cheapest target that alone is at least as good as the policy; where none is, the best one."""
        return self.comparison.best

    @property
    def saved_usd(self) -> float | None:
        """What the policy saves against ``best_single``, net of what deciding costs, USD a request.

        Below 0 where it costs more; ``None`` without costs.
        """
        return self.comparison.saved_usd

    @property
    def pays(self) -> bool | None:
        """The policy costs less than ``best_single``.

        ``None`` without costs, unless the cheapest target is as good as the policy.
        """
        return self.comparison.pays

    def to_frame(self) -> pandas.DataFrame:
        """Return one line for each threshold: shares by target, quality and cost (USD).

        Raises:
            MissingDependency: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingDependency("RoutingReport.to_frame", "report") from error
        rows = [
            {
                "threshold": point.threshold,
                **{f"share {name}": share for name, share in zip(self.targets, point.shares, strict=True)},
                "quality": point.quality,
                "cost": point.cost,
            }
            for point in self.points
        ]
        return pandas.DataFrame(rows).set_index("threshold")

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw quality against cost (or against the share of dearer calls), and return the axes.

        Args:
            ax: where to draw; a new figure by default.

        Raises:
            MissingDependency: matplotlib is not installed.
        """
        if ax is None:
            try:
                from matplotlib import pyplot
            except ImportError as error:
                raise MissingDependency("RoutingReport.plot", "report") from error
            _, ax = pyplot.subplots(figsize=(5.5, 4), layout="constrained")
        across = [point.across for point in self.points]
        alone = [(self.points[-1].across, self.qualities[0]), (self.points[0].across, self.qualities[-1])]
        if self.now.threshold is None:
            alone = [(0.0, self.qualities[0]), (1.0, self.qualities[-1])]
        singles = [(one.cost, one.quality) for one in self.comparison.singles if one.cost is not None]
        best = self.best_single
        if singles:
            alone = [singles[0], singles[-1]]
        ends = [*across, *(place for place, _ in alone)]
        curve = self.now.threshold is not None
        label = "at its threshold" if curve else "this policy"
        if curve:
            ax.plot(across, [point.quality for point in self.points], color="#3b6ea5", label="this policy")
        ax.plot(
            [place for place, _ in alone],
            [quality for _, quality in alone],
            color="#888888", linestyle="--", linewidth=1, label="at random",
        )  # fmt: skip
        ax.plot([self.now.across], [self.now.quality], "o", color="#2e7d32", label=label)
        if best.cost is not None:
            ax.plot(*zip(*singles, strict=True), "s", color="#888888", markersize=4, label="one target alone")
            name = plain_text(f"best alone: {best.target}")
            ax.plot([best.cost], [best.quality], "D", mfc="none", color="#b5482a", label=name)
            ax.set_title(plain_text(verdict_text(self.comparison, self.now.shares)), fontsize="small", wrap=True)
        ax.hlines(
            self.qualities[-1],
            min(ends),
            max(ends),
            color="#b5482a",
            linestyle=":",
            linewidth=1,
            label="strongest target",
        )
        ax.set_xlabel("not for the cheapest target" if self.now.cost is None else "USD for a call")
        ax.set_ylabel("mean outcome")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize="small", loc="lower right")
        return ax

    def __repr__(self) -> str:
        return "\n".join([text_table(*self._cells(), footers=1), *self._notes()])

    def _repr_html_(self) -> str:
        return html_table(*self._cells(), notes=self._notes(), footers=1)

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        priced = self.now.cost is not None
        header = ["threshold", *(f"to {name}" for name in self.targets), "quality", *(["USD a call"] if priced else [])]
        wanted = np.linspace(0, len(self.points) - 1, min(11, len(self.points))).round().astype(int)
        if self.now.threshold is None:
            return ["", *header[1:]], [self.now.cells("policy")]
        lines = [point.cells(f"{point.threshold:.4f}") for point in (self.points[place] for place in wanted)]
        return header, [*lines, self.now.cells(f"now {self.now.threshold:.4f}")]

    def _notes(self) -> list[str]:
        means = ", ".join(f"{name} {one:.3f}" for name, one in zip(self.targets, self.qualities, strict=True))
        notes = [f"{self.prompts} labelled prompts; mean outcome: {means}"]
        if self.failed:
            kinds = ", ".join(f"{kind} ({count} times)" for kind, count in self.failed.items())
            notes.append(f"faults while deciding, counted as a router goes on after them: {kinds}")
        if self.now.threshold is None:
            notes.append("no threshold: one point, and no curve")
        elif self.apgr is None or self.apgr_interval is None:
            notes.append(f"{self.targets[-1]} is no better than {self.targets[0]} on them")
        else:
            low, high = self.apgr_interval
            notes.append(
                f"APGR {self.apgr:.3f} (95 % interval {low:.3f} to {high:.3f}; random 0.5), "
                f"CPT50 {self.cpt50:.1%}, CPT80 {self.cpt80:.1%}"
            )
        return [*notes, *self._money_notes()]

    def _money_notes(self) -> list[str]:
        found = self.comparison
        verdict = verdict_text(found, self.now.shares)
        if self.now.cost is None:
            return [verdict] if verdict else []
        alone = ", ".join(
            f"{one.target} {usd_text(Decimal(str(one.cost)))} (quality {one.quality:.3f})" for one in found.singles
        )
        deciding = f", of which deciding {usd_text(Decimal(str(self.overhead_usd)))}" if self.overhead_usd else ""
        notes = [
            f"USD a request: {usd_text(Decimal(str(self.now.cost)))}{deciding} (quality {self.now.quality:.3f}); "
            f"one target alone: {alone}",
            verdict,
        ]
        if found.random_usd is not None:
            notes.append(
                f"sent to two targets at random, prompts would cost {usd_text(Decimal(str(found.random_usd)))} USD "
                "for this quality"
            )
        if found.near is not None:
            less, low, high = found.near_less
            notes.append(
                f"but {found.near.target} alone costs less, and that its quality is lower ({less:.3f}, 95 % interval "
                f"{low:.3f} to {high:.3f}) may be chance: label more prompts"
            )
        return notes


def _just_above(number: float) -> float:
    return float(np.nextafter(number, 2.0))
