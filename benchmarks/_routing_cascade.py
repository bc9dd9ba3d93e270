"""Does checking a cheap answer tell when to ask the strong model?

Recorded answers of Mixtral and GPT-4 to GSM8K. The cheap answer comes first; where a check fails, the strong one is
taken. The general checks are told nothing of the task; the form (a line with the final number, which is whole and
not negative) is what an application knows of its own answers. Most checks were written with one half of the answers
in view (prompts whose CRC-32 is even), the other half was counted once, when they were done; ``unknowns_solve`` and
which numbers ``uses_what_is_given`` lets go were chosen later, on the odd rows of the file. No answer of the even rows
of the other half, a quarter, was read; their totals were seen while the last steps that an answer may do in the head
were settled.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _routing_sets import Numbers, lines

from lc_costkit.routing.answer import Answer, Check
from lc_costkit.routing.answer_score import AnswerScore
from lc_costkit.routing.checks import GENERAL_CHECKS, FinalNumber, Matches
from lc_costkit.routing.curve import GapCurve
from lc_costkit.routing.policy import RouteRequest

FORM: tuple[Check, ...] = (
    FinalNumber(least=0, whole=True),
    Matches(r"####\s*\$?-?[\d,.]+", what="a line with the final number"),
)


def show_cascade(path: Path, *, splits: int) -> None:
    """Print what checks and a fitted score recover of the gap."""
    rows = list(lines(path))
    requests = [RouteRequest(question=row["prompt"]) for row in rows]
    answers = [Answer(text=row["weak_answer"]) for row in rows]
    weak, strong = (np.array([float(row[f"{name}_correct"]) for row in rows]) for name in ("weak", "strong"))
    seen = np.array([zlib.crc32(b"dev" + row["prompt"].encode()) % 2 == 0 for row in rows])
    failed = np.array([[not check(request, answer).passed for check in (*GENERAL_CHECKS, *FORM)]
                       for request, answer in zip(requests, answers, strict=True)])  # fmt: skip
    names = [getattr(check, "__name__", type(check).__name__) for check in (*GENERAL_CHECKS, *FORM)]
    even = np.arange(len(rows)) % 2 == 0
    parts = {
        "half that most checks were written on": seen,
        "odd rows": ~even,
        "even rows": even,
        "quarter of which no answer was read": ~seen & even,
        "all": seen | ~seen,
    }
    for title, places in parts.items():
        print(f"\nGSM8K answers, {title}: {places.sum()} prompts, checks one after the other")
        print(f"  {'check':<24}{'of wrong':>10}{'of right':>10}{'strong calls':>14}{'PGR':>7}")
        _rules(names, failed[places], weak[places], strong[places])
    dear = [Answer(text=row["strong_answer"]) for row, right in zip(rows, strong, strict=True) if right]
    asked = [request for request, right in zip(requests, strong, strict=True) if right]
    alarms = [
        not all(check(one, answer).passed for check in GENERAL_CHECKS) for one, answer in zip(asked, dear, strict=True)
    ]
    print(f"\nGPT-4's right answers that the general checks take for wrong: {np.mean(alarms):.1%} of {len(alarms)}")
    _fitted(requests, answers, weak, strong, splits)


def _rules(names: Sequence[str], failed: np.ndarray, weak: Numbers, strong: Numbers) -> None:
    escalated = np.zeros(len(weak), bool)
    for place, name in enumerate(names):
        own = failed[:, place]
        escalated = escalated | own
        recovered = (np.where(escalated, strong, weak).mean() - weak.mean()) / (strong.mean() - weak.mean())
        print(
            f"  {name:<24}{own[weak == 0].mean():10.1%}{own[weak == 1].mean():10.1%}"
            f"{escalated.mean():14.1%}{recovered:7.3f}"
        )


def _fitted(
    requests: Sequence[RouteRequest], answers: Sequence[Answer], weak: Numbers, strong: Numbers, splits: int
) -> None:
    for part in (200, len(weak) // 2):
        found, errors = [], []
        for number in range(splits):
            order = np.random.default_rng(number).permutation(len(weak))
            fit, test = order[:part], order[part:]
            score = AnswerScore.fit(
                [requests[place] for place in fit], [answers[place] for place in fit], [float(weak[n]) for n in fit]
            )
            good = np.array([score.score(requests[place], answers[place]) for place in test])
            curve = GapCurve.of(-good, strong[test], weak[test])
            found.append((curve.apgr, curve.share_for(0.5), curve.share_for(0.8)))
            errors.append(score.quality.calibration_error)
        apgr, half, most = np.mean(found, axis=0)
        low, high = np.percentile([one[0] for one in found], (2.5, 97.5))
        print(
            f"\nAnswerScore fitted on {part} answers, means over {splits} splits: APGR {apgr:.3f} "
            f"(95 % of splits {low:.3f} to {high:.3f}), CPT50 {half:.1%}, CPT80 {most:.1%}, "
            f"calibration error {np.mean(errors):.3f}"
        )
