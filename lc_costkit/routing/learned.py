"""Which target is enough, judged by outcomes the user has seen?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.follow_up import is_follow_up
from lc_costkit.routing.learned_file import load_model, save_model
from lc_costkit.routing.learned_model import QualityModel, fit_model, needs_from
from lc_costkit.routing.policy import RouteDecision, RouteRequest
from lc_costkit.routing.quality import TargetQuality
from lc_costkit.routing.recorded import recorded_outcomes
from lc_costkit.routing.rules import MOST_TURNS
from lc_costkit.routing.target_order import refuse_other_order
from lc_costkit.tables import html_table, text_table

if TYPE_CHECKING:
    from lc_costkit.ledger import Ledger


class Learned:
    """A policy that predicts how well each target would answer, and calls the cheapest that loses little.

    It ships without weights: ``Learned.fit`` takes prompts of the user's own traffic with outcomes of each
    target, 200 or more, or ``Learned.load`` a file that ``save`` wrote. The score is half of one plus what
    the best dearer target is expected to gain over the cheapest: 0.5 is no gain, 0.6 a gain of 0.2.

    What it learns is mostly which subjects a cheap target is bad at. On subjects without labels it ranks as ``Rules``
    do, and on another kind of task worse than the length of the prompt (``benchmarks/routing.py``). A threshold
    fitted on one kind of traffic says nothing about another: fit and calibrate on the traffic that will be routed.

    Args:
        model: what ``fit`` or ``load`` found.
        threshold: score from which the cheapest target is not enough; ``None`` for the one that kept 95 % of the
            strongest target's quality on the labels, which is an estimate: ``calibrate`` gives one with a bound.

    Raises:
        ConfigurationError: a threshold outside 0..1.

    >>> prompts = [f"What is {n} and {n}?" for n in range(50)] + [f"Prove that {n} is a prime." for n in range(50)]
    >>> policy = Learned.fit(prompts, {"small": [1] * 50 + [0] * 50, "large": [1] * 100})
    >>> policy(RouteRequest(question="Prove that 7 is a prime.", targets=("small", "large"))).target
    'large'
    """

    def __init__(self, model: QualityModel, *, threshold: float | None = None) -> None:
        if threshold is not None and not 0.0 <= threshold <= 1.0:
            raise ConfigurationError(f"a threshold lies between 0 and 1; got {threshold!r}")
        self.model = model
        self.threshold = model.threshold if threshold is None else float(threshold)

    @classmethod
    def fit(
        cls,
        prompts: Sequence[str],
        outcomes: Mapping[str, Sequence[float | None]],
        *,
        targets: Sequence[str] | None = None,
        threshold: float | None = None,
    ) -> Learned:
        """Learn from prompts and how well each target answered them.

        Takes some 3 seconds for 1,500 prompts and 8 for 3,000 to 6,000, on one core.

        Args:
            prompts: questions as users ask them, without system prompts.
            outcomes: by target, cheapest first: one outcome for each prompt, 0 to 1; ``None`` where that
                target was not asked. Outcomes of all targets for each prompt rank best.
            targets: the names of ``outcomes``, cheapest first; ``None`` for the order they stand in there.
            threshold: see the class.

        Raises:
            ConfigurationError: fewer than two targets, fewer than 50 outcomes of one, an outcome outside 0..1,
                columns or ``targets`` that do not match, or, without ``targets``, a last one whose outcomes are
                clearly worse than another's.
        """
        return cls(fit_model(prompts, outcomes, targets=targets), threshold=threshold)

    @classmethod
    def from_ledger(
        cls,
        ledger: Ledger,
        *,
        targets: Sequence[str],
        models: Mapping[str, str] | None = None,
        threshold: float | None = None,
        since: datetime | date | None = None,
        until: datetime | date | None = None,
        **equal: str,
    ) -> Learned:
        """Learn from recorded calls that were scored.

        Calls that a router sent were sent for a reason: what it never tried on the cheap target is not known. Outcomes
        of both targets for a random part of the traffic teach more.

        Args:
            ledger: opened with ``record_text=True`` when the calls were made; ``ledger.score`` gave the outcomes.
            targets: names, cheapest first.
            models: the target of calls that no router sent, by the model's name, as asked for or as answered.
            threshold: see the class.
            since: the earliest start (aware, or a UTC date).
            until: the first moment not included.
            **equal: ``feature="support"`` and the like, as in ``Ledger.records``.

        Raises:
            ConfigurationError: too few scored calls of a target (see ``fit``), or a score outside 0..1.
            StoreError: the ledger cannot be read.
        """
        labelled = recorded_outcomes(ledger, targets=targets, models=models, since=since, until=until, **equal)
        outcomes = {name: [one.outcomes.get(name) for one in labelled] for name in targets}
        return cls.fit([one.prompt for one in labelled], outcomes, targets=targets, threshold=threshold)

    @classmethod
    def load(cls, path: str | Path) -> Learned:
        """Read what ``save`` wrote; nothing in the file is executed.

        Raises:
            ConfigurationError: it is not there, not such a file, or of another version.
        """
        model, threshold = load_model(Path(path))
        return cls(model, threshold=threshold)

    def save(self, path: str | Path) -> None:
        """Write the weights and the threshold to one file (``.npz``: arrays and JSON), all of it or nothing.

        No prompt is in it. Hashed weights do tell which words matter: treat it as what it was fitted on.
        """
        save_model(Path(path), self.model, self.threshold)

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets it knows, cheapest first."""
        return self.model.targets

    @property
    def qualities(self) -> tuple[TargetQuality, ...]:
        """How good each target was on the labels, and how well that is predicted."""
        return self.model.qualities

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        """Choose the cheapest target that is expected to lose little."""
        known = [place for place, name in enumerate(self.targets) if not request.targets or name in request.targets]
        if not known:
            raise LookupError(f"it was fitted on {list(self.targets)!r}, of which there is none to choose")
        expected, inherited = self._expected(request, known)
        needs = needs_from(expected)
        enough = np.flatnonzero(needs < self.threshold)
        place = int(enough[0]) if len(enough) else len(known) - 1
        shown = {self.targets[own]: round(float(expected[n]), 4) for n, own in enumerate(known)}
        reasons = [self._reason(shown, float(needs[0]) if len(needs) else 0.5)]
        if inherited:
            reasons.insert(0, "a reply: judged as the question before it")
        return RouteDecision(
            target=self.targets[known[place]],
            score=round(float(needs[0]), 4) if len(needs) else None,
            reasons=tuple(reasons),
            expected_quality=shown,
            thresholds=(self.threshold,),
        )

    def check(self, targets: Sequence[str]) -> None:
        """Raise ``ConfigurationError`` if there is none it was fitted on, or they stand in another order.

        It may know more targets than there are, and fewer.
        """
        if not set(targets) & set(self.targets):
            raise ConfigurationError(f"it was fitted on {list(self.targets)!r}, not on any of {list(targets)!r}")
        refuse_other_order(self.targets, targets, "it was fitted on")

    def predict(self, question: str) -> dict[str, float]:
        """Return the expected outcome of each target for a question by itself, 0 to 1."""
        return {name: float(one) for name, one in zip(self.targets, self.model.predict(question), strict=True)}

    def score(self, question: str) -> float:
        """Return how much a question asks for by itself, 0 to 1; see the class."""
        return self.needs(question, len(self.targets))[0]

    def needs(self, question: str, targets: int) -> tuple[float, ...]:
        """Return the threshold above which each target but the last is enough.

        Raises:
            ConfigurationError: ``targets`` is not the number it was fitted on.
        """
        if targets != len(self.targets):
            raise ConfigurationError(
                f"it was fitted on {len(self.targets)} targets, {list(self.targets)!r}, not {targets}"
            )
        return tuple(needs_from(self.model.predict(question)).tolist())

    def at(self, threshold: float) -> Learned:
        """Return the same model with another threshold."""
        return Learned(self.model, threshold=threshold)

    def _expected(self, request: RouteRequest, known: list[int]) -> tuple[NDArray[np.float64], bool]:
        """Predict for the question, or for the one a mere reply leans on if that asks for more."""
        own = self.model.predict(request.question)[known]
        if not is_follow_up(request.question) or len(known) < 2:
            return own, False
        for earlier in request.earlier_questions[:MOST_TURNS]:
            if not is_follow_up(earlier):
                before = self.model.predict(earlier)[known]
                return (before, True) if needs_from(before)[0] > needs_from(own)[0] else (own, False)
        return own, False

    def _reason(self, shown: Mapping[str, float], score: float) -> str:
        qualities = ", ".join(f"{name} {one:.2f}" for name, one in shown.items())
        gain, least = 2 * score - 1, 2 * self.threshold - 1
        return f"expected quality {qualities}; a dearer target gains {gain:+.3f}, called from {least:+.3f}"

    def __repr__(self) -> str:
        head = f"Learned({self.model.labels} labelled prompts, threshold={self.threshold:.4f})"
        return f"{head}\n{text_table(*self._cells(), footers=0)}"

    def _repr_html_(self) -> str:
        return html_table(*self._cells(), notes=[_NOTE], footers=0)

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        header = ["target", "labels", "quality", "predicted", "calibration error", "squared error", "of the mean"]
        lines = [
            [
                one.target,
                str(one.labels),
                f"{one.quality:.3f}",
                f"{one.predicted:.3f}",
                f"{one.calibration_error:.3f}",
                f"{one.squared_error:.3f}",
                f"{one.spread:.3f}",
            ]
            for one in self.qualities
        ]
        return header, lines


_NOTE = (
    "Predictions are for prompts that were left out of the fit. 'Of the mean': the squared error of always saying it."
)
