"""How likely is it that a target's answer is good, judged by outcomes the user has seen?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.answer import Answer, Verdict, failed
from lc_costkit.routing.arithmetic import equations
from lc_costkit.routing.arrays_file import expect_shape, read_arrays, write_arrays
from lc_costkit.routing.checks import GENERAL_CHECKS, check_all
from lc_costkit.routing.features import BUCKETS, FARTHEST, FEATURE_VERSION, SURFACE, Features, read_features
from lc_costkit.routing.final import final_number, numbers
from lc_costkit.routing.learned_model import FEWEST_LABELS
from lc_costkit.routing.link import Link
from lc_costkit.routing.policy import RouteRequest
from lc_costkit.routing.quality import TargetQuality, judge_quality
from lc_costkit.routing.ridge import fit_ridge

EVIDENCE_VERSION = 1
"""Changes whenever an answer would get other evidence: weights fit one version."""

SURFACE_SCALE = 0.2
EVIDENCE_SCALE = 0.5
"""Standard deviations of the measures of both texts, and of the evidence in the answer, beside n-grams of the answer
of length 1 for each kind. Eleven settings were tried on one half of the answers to GSM8K: 0.74 to 0.76 APGR."""

_OWN_EVIDENCE = 11
_EVIDENCE = _OWN_EVIDENCE + len(GENERAL_CHECKS)
_WIDTH = BUCKETS + 2 * len(SURFACE) + _EVIDENCE

VERSION = {
    "format": "lc_costkit.routing.AnswerScore/1",
    "features": FEATURE_VERSION,
    "evidence": EVIDENCE_VERSION,
}


class AnswerScore:
    """A check that was fitted on the user's own answers: it passes those that are likely good.

    It reads the answer's words, how long it and the question are, what it calculates, and what the general checks
    say. It ships without weights. Fit it on one target's answers to the traffic that it will see.

    Args:
        weights: of the features.
        intercept: added to them.
        mean: of the measures, on the answers it was fitted on.
        deviation: of the measures.
        link: from the linear model to a chance.
        quality: how good the answers were, and how well that is predicted.
        threshold: the least chance of being good that passes, 0 to 1.

    Raises:
        ConfigurationError: a threshold outside 0..1.
    """

    def __init__(
        self,
        *,
        weights: NDArray[np.float64],
        intercept: float,
        mean: NDArray[np.float64],
        deviation: NDArray[np.float64],
        link: Link,
        quality: TargetQuality,
        threshold: float = 0.5,
    ) -> None:
        if not 0.0 <= threshold <= 1.0:
            raise ConfigurationError(f"a threshold lies between 0 and 1; got {threshold!r}")
        self.weights = weights
        self.intercept = intercept
        self.mean = mean
        self.deviation = deviation
        self.link = link
        self.quality = quality
        self.threshold = float(threshold)

    @classmethod
    def fit(
        cls,
        requests: Sequence[RouteRequest | str],
        answers: Sequence[Answer | str],
        outcomes: Sequence[float],
        *,
        threshold: float = 0.5,
    ) -> AnswerScore:
        """Learn from answers of one target and how good they were.

        Args:
            requests: what was asked.
            answers: one for each, of the same target.
            outcomes: one for each, 0 (useless) to 1 (right).
            threshold: the least chance of being good that passes.

        Raises:
            ConfigurationError: fewer than 50, columns that do not match, or an outcome outside 0..1.
        """
        found = np.array([float(one) for one in outcomes])
        if not len(requests) == len(answers) == len(found):
            raise ConfigurationError(
                f"{len(requests)} requests, {len(answers)} answers and {len(found)} outcomes: give one of each"
            )
        if len(found) < FEWEST_LABELS:
            raise ConfigurationError(f"a fit needs {FEWEST_LABELS} answers with an outcome, and 200 to be worth it")
        if not ((found >= 0) & (found <= 1)).all():
            raise ConfigurationError("outcomes lie between 0 and 1")
        pairs = [(_request(one), _answer(other)) for one, other in zip(requests, answers, strict=True)]
        read = [_read(request, answer) for request, answer in pairs]
        measures = np.array([own for _, own in read])
        mean, deviation = measures.mean(axis=0), measures.std(axis=0) + 1e-6
        rows = np.array([_row(features, own, mean, deviation) for features, own in read], dtype=np.float32)
        ridge = fit_ridge(rows, found[:, None])
        link = Link.fit(ridge.unseen[:, 0], found)
        return cls(
            weights=ridge.weights[:, 0].astype(np.float32).astype(np.float64),
            intercept=float(ridge.intercepts[0]),
            mean=mean,
            deviation=deviation,
            link=link,
            quality=judge_quality(pairs[0][1].target, link.quality(ridge.unseen[:, 0]), found),
            threshold=threshold,
        )

    @classmethod
    def load(cls, path: str | Path) -> AnswerScore:
        """Read what ``save`` wrote; nothing in the file is executed.

        Raises:
            ConfigurationError: it is not there, not such a file, or of another version.
        """
        where = Path(path)
        about, arrays = read_arrays(where, VERSION, ("weights", "mean", "deviation"))
        wide = (_WIDTH - BUCKETS,)
        return cls(
            weights=expect_shape(where, "weights", arrays["weights"], (_WIDTH,)),
            intercept=float(about["intercept"]),
            mean=expect_shape(where, "mean", arrays["mean"], wide),
            deviation=expect_shape(where, "deviation", arrays["deviation"], wide),
            link=Link(**about["link"]),
            quality=TargetQuality(**about["quality"]),
            threshold=float(about["threshold"]),
        )

    def save(self, path: str | Path) -> None:
        """Write it to one file (``.npz``: arrays and JSON), all of it or nothing. No text is in it."""
        about = {
            **VERSION,
            "intercept": self.intercept,
            "link": asdict(self.link),
            "quality": asdict(self.quality),
            "threshold": self.threshold,
        }
        write_arrays(
            Path(path),
            about,
            {"weights": self.weights.astype(np.float32), "mean": self.mean, "deviation": self.deviation},
        )

    def __call__(self, request: RouteRequest, answer: Answer, /) -> Verdict:
        """Look at one answer."""
        score = round(self.score(request, answer), 4)
        if score >= self.threshold:
            return Verdict(passed=True, score=score)
        return failed(f"the chance that it is good is {score:.2f}, below {self.threshold:.2f}", score=score)

    def score(self, request: RouteRequest | str, answer: Answer | str) -> float:
        """Return how likely an answer is good, 0 to 1."""
        features, own = _read(_request(request), _answer(answer))
        row = _row(features, own, self.mean, self.deviation)
        return float(self.link.quality(row @ self.weights + self.intercept))

    def at(self, threshold: float) -> AnswerScore:
        """Return the same score with another threshold."""
        return AnswerScore(
            weights=self.weights,
            intercept=self.intercept,
            mean=self.mean,
            deviation=self.deviation,
            link=self.link,
            quality=self.quality,
            threshold=threshold,
        )

    def for_share(
        self, requests: Sequence[RouteRequest | str], answers: Sequence[Answer | str], *, share: float
    ) -> AnswerScore:
        """Return the same score with the threshold at which so large a share of answers fails; needs no outcomes.

        Raises:
            ConfigurationError: no answers, columns that do not match, or a share outside 0..1.
        """
        if not len(answers) or len(requests) != len(answers):
            raise ConfigurationError(f"there are {len(requests)} requests and {len(answers)} answers; give one of each")
        if not 0.0 <= share <= 1.0:
            raise ConfigurationError(f"share lies between 0 and 1; got {share!r}")
        scores = [self.score(one, other) for one, other in zip(requests, answers, strict=True)]
        return self.at(float(np.quantile(scores, share)))

    def __repr__(self) -> str:
        shown = self.quality
        return (
            f"AnswerScore({shown.labels} answers, quality {shown.quality:.3f}, "
            f"calibration error {shown.calibration_error:.3f}, threshold={self.threshold:.4f})"
        )


def _request(request: RouteRequest | str) -> RouteRequest:
    return RouteRequest(question=request) if isinstance(request, str) else request


def _answer(answer: Answer | str) -> Answer:
    return Answer(text=answer) if isinstance(answer, str) else answer


def _read(request: RouteRequest, answer: Answer) -> tuple[Features, NDArray[np.float64]]:
    """Return the answer's n-grams, and all measures unscaled."""
    features = read_features(answer.text)
    asked = read_features(request.question).surface
    return features, np.concatenate([features.surface, asked, _evidence(request, answer)])


def _row(
    features: Features, measures: NDArray[np.float64], mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> NDArray[np.float64]:
    scaled = np.clip((measures - mean) / deviation, -FARTHEST, FARTHEST)
    scaled[: 2 * len(SURFACE)] *= SURFACE_SCALE
    scaled[2 * len(SURFACE) :] *= EVIDENCE_SCALE
    return np.concatenate([np.bincount(features.buckets, features.values, BUCKETS), scaled])


def _evidence(request: RouteRequest, answer: Answer) -> NDArray[np.float64]:
    text, question = answer.text, request.question
    found = equations(text)
    said, given = numbers(text), numbers(question)
    last = final_number(text)
    seen = {round(one * part, 9) for one in said for part in (1, 100, 0.01)}
    unused = sum(one not in seen for one in set(given))
    known = last is not None
    own = [
        math.log1p(len(found)),
        sum(not one.holds for one in found),
        math.log1p(len(said)),
        min(unused, 3),
        known and last in given,
        known and said.count(said[-1]) < 2,
        known and said[-1] != round(said[-1]),
        known and said[-1] < 0,
        not known,
        any(one.right_value != round(one.right_value) for one in found),
        math.log1p(len(text)) - math.log1p(len(question)),
    ]
    failures = [not verdict.passed for verdict in check_all(GENERAL_CHECKS, request, answer)]
    return np.array([*own, *failures], dtype=np.float64)
