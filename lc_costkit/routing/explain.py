"""Why would this input go where it goes?"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from lc_costkit.report import usd_text
from lc_costkit.routing.choose import Choice
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.switch import DISABLE_VARIABLE, disabled


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RouteExplanation:
    """A decision with its reasons, as a table in a terminal and in a notebook.

    Attributes:
        choice: what was decided and what would be called.
        targets: the models, by target name, cheapest first.
        strong: the target that is called when in doubt.
    """

    choice: Choice
    targets: tuple[tuple[str, TargetModel], ...]
    strong: str

    @property
    def target(self) -> str:
        """The target that would be called."""
        return self.choice.target

    @property
    def score(self) -> float | None:
        """The policy's score, 0 to 1."""
        return self.choice.decision.score

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, most important first."""
        return self.choice.decision.reasons

    def rows(self) -> list[tuple[str, str]]:
        """The explanation as pairs of a heading and a text."""
        score = "-" if self.score is None else f"{self.score:.3f}"
        thresholds = self.choice.decision.thresholds
        if self.score is not None and thresholds:
            steps = ", ".join(f"{one:.4f}" for one in thresholds)
            score = f"{self.score:.4f} (threshold{'s' * (len(thresholds) > 1)} {steps}: a dearer target from there on)"
        chosen = self.choice.decision.target
        note = f" (observe mode; the policy chose {chosen})" if self.choice.observed else ""
        if disabled():
            note += f" (but {DISABLE_VARIABLE} is set: all goes to {self.strong})"
        rows = [("goes to", f"{self.target}{note}"), ("score", score)]
        cost = self.choice.decision.expected_cost
        rows += [("expected cost", f"{usd_text(cost)} USD")] if cost is not None else []
        rows += [("because" if n == 0 else "", reason) for n, reason in enumerate(self.reasons)]
        for name, identity in self.targets:
            rows.append(
                ("strong target" if name == self.strong else "target", f"{name}: {identity.model or 'unnamed'}")
            )
        return rows

    def __repr__(self) -> str:
        return "\n".join(["RouteExplanation", *(f"  {heading:<14}{text}" for heading, text in self.rows())])

    def _repr_html_(self) -> str:
        cells = "".join(f"<tr><th>{escape(heading)}</th><td>{escape(text)}</td></tr>" for heading, text in self.rows())
        return f"<table>{cells}</table>"
