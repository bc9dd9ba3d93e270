"""What would each threshold of a policy cost, and what would it keep?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lc_costkit.errors import ConfigurationError, MissingDependency
from lc_costkit.routing.calibrated import CalibratedPolicy, uncalibrated
from lc_costkit.routing.curve import GapCurve, apgr_interval
from lc_costkit.routing.needs import ThresholdPolicy, chosen, middles, needs_of
from lc_costkit.routing.outcomes import LabelledPrompt, columns_of, outcome_table
from lc_costkit.tables import html_table, text_table

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

POINTS = 60
"""Thresholds on the curve."""

RESAMPLES = 200
"""Of the interval of the APGR."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPoint:
    """What one threshold means on the labels.

    Attributes:
        threshold: of the policy, 0 to 1.
        shares: part of the prompts for each target, cheapest first.
        quality: mean outcome, 0 to 1.
        cost: mean cost of a call, USD; ``None`` if costs were not given.
    """

    threshold: float
    shares: tuple[float, ...]
    quality: float
    cost: float | None

    @property
    def dearer(self) -> float:
        """Part of the prompts that is not for the cheapest target."""
        return 1.0 - self.shares[0]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RoutingReport:
    """The cost-quality curve of a policy on labelled prompts.

    APGR, CPT50 and CPT80 rank the cheapest target against the strongest, by the policy's score; they are ``None``
    where the strongest is no better than the cheapest on these labels, and then routing does not pay.

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

    @classmethod
    def of(
        cls,
        policy: ThresholdPolicy | CalibratedPolicy,
        labelled: Sequence[LabelledPrompt],
        *,
        costs: Mapping[str, float] | None = None,
    ) -> RoutingReport:
        """Try every threshold on labelled prompts.

        Args:
            policy: with a threshold; not fitted on the same prompts.
            labelled: prompts with an outcome of every target.
            costs: by target, what a call costs on average, USD.

        Raises:
            ConfigurationError: no prompts, an outcome or a cost that is missing, a policy without a threshold or
                for other targets.
        """
        inner = uncalibrated(policy)
        texts, columns = columns_of(labelled)
        names: tuple[str, ...] = getattr(inner, "targets", None) or tuple(columns)
        if not texts or set(names) != set(columns):
            raise ConfigurationError(f"the labels are of {sorted(columns)!r}, the targets are {list(names)!r}")
        if len(names) < 2:
            raise ConfigurationError(f"there is nothing to choose between: {list(names)!r}")
        table = outcome_table(texts, {name: columns[name] for name in names})
        if not table.complete:
            raise ConfigurationError("a report needs an outcome of every target for every prompt; some are missing")
        missing = [name for name in names if costs is not None and name not in costs]
        if missing:
            raise ConfigurationError(f"costs must name every target; {missing!r} are missing")
        prices = None if costs is None else np.array([float(costs[name]) for name in names])
        needs = needs_of(inner, texts, len(names))
        thresholds = [*middles(needs[:, 0], most=POINTS), 1.0]
        points = tuple(_point(needs, table.found, prices, threshold) for threshold in thresholds)
        strong, cheap = table.found[:, -1], table.found[:, 0]
        curve = GapCurve.of(needs[:, 0], strong, cheap) if strong.mean() > cheap.mean() else None
        return cls(
            targets=names,
            prompts=len(texts),
            qualities=tuple(float(one) for one in table.found.mean(axis=0)),
            apgr=None if curve is None else curve.apgr,
            apgr_interval=None
            if curve is None
            else apgr_interval(needs[:, 0], strong, cheap, confidence=0.95, resamples=RESAMPLES),
            cpt50=None if curve is None else curve.share_for(0.5),
            cpt80=None if curve is None else curve.share_for(0.8),
            points=points,
            now=_point(needs, table.found, prices, _threshold_of(inner)),
        )

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
        across = [_across(point) for point in self.points]
        ends = (min(across), max(across))
        cheap, strong = self.points[-1], self.points[0]
        ax.plot(across, [point.quality for point in self.points], color="#3b6ea5", label="this policy")
        ax.plot(
            [_across(cheap), _across(strong)],
            [cheap.quality, strong.quality],
            color="#888888", linestyle="--", linewidth=1, label="at random",
        )  # fmt: skip
        ax.plot([_across(self.now)], [self.now.quality], "o", color="#2e7d32", label="at its threshold")
        ax.hlines(self.qualities[-1], *ends, color="#b5482a", linestyle=":", linewidth=1, label="strongest target")
        ax.set_xlabel("not for the cheapest target" if self.now.cost is None else "USD for a call")
        ax.set_ylabel("mean outcome")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize="small")
        return ax

    def __repr__(self) -> str:
        return "\n".join([text_table(*self._cells(), footers=1), *self._notes()])

    def _repr_html_(self) -> str:
        return html_table(*self._cells(), notes=self._notes(), footers=1)

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        priced = self.now.cost is not None
        header = ["threshold", *(f"to {name}" for name in self.targets), "quality", *(["USD a call"] if priced else [])]
        wanted = np.linspace(0, len(self.points) - 1, min(11, len(self.points))).round().astype(int)
        lines = [_line(point, f"{point.threshold:.4f}") for point in (self.points[place] for place in wanted)]
        return header, [*lines, _line(self.now, f"now {self.now.threshold:.4f}")]

    def _notes(self) -> list[str]:
        means = ", ".join(f"{name} {one:.3f}" for name, one in zip(self.targets, self.qualities, strict=True))
        notes = [f"{self.prompts} labelled prompts; mean outcome: {means}"]
        if self.apgr is None or self.apgr_interval is None:
            return [*notes, f"{self.targets[-1]} is no better than {self.targets[0]} on them: routing does not pay"]
        low, high = self.apgr_interval
        notes.append(
            f"APGR {self.apgr:.3f} (95 % interval {low:.3f} to {high:.3f}; random 0.5), "
            f"CPT50 {self.cpt50:.1%}, CPT80 {self.cpt80:.1%}"
        )
        return notes


def _point(
    needs: NDArray[np.float64], found: NDArray[np.float64], prices: NDArray[np.float64] | None, threshold: float
) -> ReportPoint:
    places = chosen(needs, threshold)
    shares = np.bincount(places, minlength=found.shape[1]) / len(places)
    return ReportPoint(
        threshold=threshold,
        shares=tuple(float(one) for one in shares),
        quality=float(found[np.arange(len(places)), places].mean()),
        cost=None if prices is None else float(shares @ prices),
    )


def _threshold_of(policy: ThresholdPolicy) -> float:
    threshold = getattr(policy, "threshold", None)
    if not isinstance(threshold, float):
        raise ConfigurationError(f"{type(policy).__name__} must have one threshold to report on; it has {threshold!r}")
    return threshold


def _across(point: ReportPoint) -> float:
    return point.dearer if point.cost is None else point.cost


def _line(point: ReportPoint, name: str) -> list[str]:
    cost = [] if point.cost is None else [f"{point.cost:.6f}"]
    return [name, *(f"{share:.1%}" for share in point.shares), f"{point.quality:.3f}", *cost]
