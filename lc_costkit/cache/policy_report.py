"""What would each policy have served on this traffic, how often wrongly, and which one is to be taken?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from lc_costkit.cache.curve import new_axes
from lc_costkit.cache.stats import html_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyOutcome:
    """What one policy would have made of the traffic.

    Attributes:
        name: of the policy, as it is shown.
        min_score: score from which it serves, 0 to 1.
        served: logged decisions that it would have served.
        hit_rate: share of all lookups that it would have served by meaning, 0 to 1.
        labels: logged decisions that it would have served and that have a label.
        wrong: how many of those were wrong.
        error_rate: share of its semantic hits that is wrong, 0 to 1; ``None`` without labels.
        error_interval: interval of that share; it holds for all policies of a report together.
        saved_usd: what it would have saved, exact repeats included, net of what looking cost, USD;
            ``None`` where no answer has a price.
    """

    name: str
    min_score: float
    served: int
    hit_rate: float
    labels: int
    wrong: int
    error_rate: float | None
    error_interval: tuple[float, float]
    saved_usd: Decimal | None

    def text(self) -> str:
        """Say it in a line."""
        low, high = self.error_interval
        if self.error_rate is None:
            error = "wrong: unknown, no labels" if self.served else "nothing to be wrong about"
        else:
            error = (
                f"wrong: {self.error_rate:.1%} ({low:.1%} to {high:.1%}; {self.wrong:,} of {self.labels:,} labelled)"
            )
        saved = "saved: unpriced" if self.saved_usd is None else f"saved: {self.saved_usd:.6f} USD"
        return f"from score {self.min_score:.3f}; hits by meaning: {self.hit_rate:.1%} of lookups; {error}; {saved}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PolicyReport:
    """What the traffic so far says about the choice of a policy.

    Attributes:
        namespace: whose traffic.
        lookups: questions asked.
        exact_rate: share of them that repeat a stored question to the letter, 0 to 1; every policy serves these.
        decisions: decisions about candidates that this rests on.
        left_out: logged decisions that it does not: of another embedder, other gates or other versions.
        max_error_rate: share of semantic hits that may be wrong, 0 to 1.
        confidence: of the intervals, all of them together, 0 to 1.
        outcomes: what each policy would have made of it.
        recommended: the name of the one to take; ``None`` where nothing can be said yet.
        labels_needed: how many more labelled decisions it takes, about; ``None`` where that is not the question.
        advice: what to do, in words.
    """

    namespace: str
    lookups: int
    exact_rate: float
    decisions: int
    left_out: int
    max_error_rate: float
    confidence: float
    outcomes: tuple[PolicyOutcome, ...]
    recommended: str | None
    labels_needed: int | None
    advice: str

    def rows(self) -> list[tuple[str, str]]:
        """Return (label, value) pairs for a table."""
        left_out = f", {self.left_out:,} of other deciders left out" if self.left_out else ""
        return [
            ("recommended", self.recommended or "nothing yet"),
            ("next", self.advice),
            ("accepted", f"at most {self.max_error_rate:.2%} of semantic hits wrong, confidence {self.confidence:.0%}"),
            ("traffic", f"{self.lookups:,} lookups, {self.exact_rate:.1%} exact repeats"),
            ("decisions", f"{self.decisions:,} about candidates{left_out}"),
            *((outcome.name, outcome.text()) for outcome in self.outcomes),
        ]

    def __repr__(self) -> str:
        rows = self.rows()
        width = max(len(label) for label, _ in rows)
        return "\n".join(
            [f"PolicyReport of {self.namespace!r}", *(f"  {label:<{width}}  {value}" for label, value in rows)]
        )

    def _repr_html_(self) -> str:
        return html_table(f"Policies for {self.namespace!r}", self.rows())

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw each policy's share of wrong hits, with its interval, over its hit rate; return the axes.

        Args:
            ax: axes to draw into; a new figure by default.

        Raises:
            MissingDependency: matplotlib is not installed.
        """
        drawn: Axes = new_axes("PolicyReport.plot", 1)[0] if ax is None else ax
        for outcome in self.outcomes:
            low, high = outcome.error_interval
            if not outcome.served or outcome.error_rate is None:
                continue
            rate = outcome.error_rate
            drawn.errorbar(
                [outcome.hit_rate],
                [rate],
                yerr=[[max(0.0, rate - low)], [max(0.0, high - rate)]],
                fmt="o",
                capsize=4,
                label=outcome.name,
            )
        drawn.axhline(self.max_error_rate, linestyle="--", color="grey", label="accepted")
        drawn.set_xlabel("share of lookups served by meaning")
        drawn.set_ylabel("share of those that is wrong")
        drawn.set_xlim(left=0)
        drawn.set_ylim(bottom=0)
        drawn.legend()
        return drawn
