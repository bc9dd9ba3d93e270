"""Which target is enough, judged by rules about the question alone?"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.follow_up import is_follow_up
from lc_costkit.routing.policy import RouteDecision, RouteRequest
from lc_costkit.routing.rule_table import DEFAULT_RULES, NOTHING_FOUND
from lc_costkit.routing.signals import Rule, length
from lc_costkit.routing.target_order import refuse_other_order

MOST_TEXT = 8_000
"""Characters of a question that rules read: its first and last halves. Length counts all of it."""

CAUTIOUS_THRESHOLD = 0.2
"""Doubt about an exam question goes to the strong model: 96 % of MMLU's and 97 % of GSM8K's do. Of support questions,
which are shorter, 10 % of BANKING77's and 0.6 % of CLINC150's do: no caution there (`benchmarks/routing.py`)."""

MOST_TURNS = 20
"""Earlier questions looked at when a reply inherits the conversation's level."""


class Rules:
    """A policy that adds up evidence in the question: no labels, no model, no network.

    Each rule reads the question and adds ``weight * strength`` to the log-odds that it needs a
    stronger target; the score is their logistic, 0 to 1. The system prompt and the tools are not
    read. A reply that leans on the conversation ("do it", "그래 해줘") scores as the last question
    that stood for itself, if that is higher.

    Measured with no labels (``benchmarks/routing.py``). Thresholds do not carry over from one kind
    of traffic to another. The default is cautious with exam questions, nearly all of which it sends
    to the strongest target; short questions of customers it sends nearly all to the cheapest, hard
    ones too (shares: ``CAUTIOUS_THRESHOLD``). Look at the shares on your own questions, with
    ``mode="observe"``, and set the threshold by them (``calibrate``).

    Args:
        table: the rules; ``None`` takes ``DEFAULT_RULES``; add a row with ``(*DEFAULT_RULES, Rule(...))``.
        threshold: the score from which the strongest target is called; with more than two targets
            the range below it is divided evenly among the others. Or one ascending threshold for
            each step from a target to the next.
        targets: names to choose among, cheapest first; without it, all targets of the router.
        base: log-odds of a question in which no rule finds anything.

    Raises:
        ConfigurationError: an empty table, two rules of one name, a threshold outside 0..1 or out of
            order, or not one threshold for each step between the named targets.

    >>> rules = Rules()
    >>> rules(RouteRequest(question="What are your opening hours?", targets=("small", "large"))).target
    'small'
    >>> hard = "Prove that the algorithm below terminates and analyse its complexity: ```while n > 1: n = f(n)```"
    >>> rules(RouteRequest(question=hard, targets=("small", "large"))).target
    'large'
    """

    def __init__(
        self,
        table: Sequence[Rule] | None = None,
        *,
        threshold: float | Sequence[float] = CAUTIOUS_THRESHOLD,
        targets: Sequence[str] | None = None,
        base: float = NOTHING_FOUND,
    ) -> None:
        self.table = tuple(DEFAULT_RULES if table is None else table)
        self.threshold = _checked_threshold(threshold)
        self.targets = None if targets is None else tuple(targets)
        self.base = base
        names = [rule.name for rule in self.table]
        if not names or len(set(names)) < len(names):
            raise ConfigurationError(f"the rule table needs at least one rule, each of its own name; it has {names!r}")
        if isinstance(base, bool) or not isinstance(base, int | float) or not math.isfinite(base):
            raise ConfigurationError(f"base must be a finite number, not {base!r}")
        for rule in self.table:
            rule.read("")
        if self.targets is not None:
            self.check(self.targets)

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        """Choose among ``request.targets``, or those this policy was given."""
        targets = self.targets or request.targets
        if request.notes and not request.question.strip():  # an image alone, say
            return RouteDecision(target=targets[-1], reasons=("there is no text for the rules to read",))
        score, reasons = self._level(request)
        steps = self._steps(len(targets))
        target = targets[bisect_right(steps, score)]
        return RouteDecision(target=target, score=round(score, 4), reasons=reasons, thresholds=steps)

    def check(self, targets: Sequence[str]) -> None:
        """Raise ``ConfigurationError`` if there is not one threshold for each step between ``targets``.

        Or if ``targets`` are in another order than those it was given.
        """
        names = targets if self.targets is None else self.targets
        if not names:
            raise ConfigurationError("targets must name at least one target, or be left out for all of the router's")
        if isinstance(self.threshold, tuple) and len(self.threshold) != len(names) - 1:
            raise ConfigurationError(
                f"{len(names)} targets {list(names)!r} need {len(names) - 1} thresholds, one for each step; "
                f"there are {len(self.threshold)}: {list(self.threshold)!r}"
            )
        refuse_other_order(names, targets, "the rules were given")

    def score(self, question: str) -> float:
        """Return how much ``question`` asks for by itself, 0 to 1."""
        return self._judge(question)[0]

    def needs(self, question: str, targets: int) -> tuple[float, ...]:
        """Return, for each of so many targets but the last, the single threshold above which it is enough."""
        score = self.score(question)
        return tuple(min(1.0, score * (targets - 1) / (place + 1)) for place in range(targets - 1))

    def at(self, threshold: float) -> Rules:
        """Return the same rules with one other threshold."""
        return Rules(self.table, threshold=threshold, targets=self.targets, base=self.base)

    def _level(self, request: RouteRequest) -> tuple[float, tuple[str, ...]]:
        score, reasons = self._judge(request.question)
        if not is_follow_up(request.question):
            return score, reasons
        for earlier in request.earlier_questions[:MOST_TURNS]:
            if not is_follow_up(earlier):
                inherited, why = self._judge(earlier)
                if inherited > score:
                    return inherited, ("a reply: judged as the question before it", *why)
                break
        return score, reasons

    def _judge(self, question: str) -> tuple[float, tuple[str, ...]]:
        text = question.replace("\u2019", "'")
        read = text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT // 2]}\n{text[-MOST_TEXT // 2 :]}"
        found = []
        log_odds = self.base
        for rule in self.table:
            finding = rule.read(text if rule.signal is length else read)
            if finding.strength > 0:
                added = rule.weight * finding.strength
                log_odds += added
                found.append((abs(added), f"{rule.name} {added:+.2f} ({finding.note})"))
        found.sort(key=lambda pair: -pair[0])
        return _logistic(log_odds), tuple(reason for _, reason in found) or ("no rule found anything",)

    def _steps(self, targets: int) -> tuple[float, ...]:
        if isinstance(self.threshold, tuple):
            return self.threshold
        below = targets - 1
        return tuple(self.threshold * step / below for step in range(1, targets))

    def __repr__(self) -> str:
        return f"Rules({len(self.table)} rules, threshold={self.threshold!r}, targets={self.targets!r})"


def _checked_threshold(threshold: float | Sequence[float]) -> float | tuple[float, ...]:
    several = isinstance(threshold, Iterable) and not isinstance(threshold, str)
    given: list[Any] = list(threshold) if several else [threshold]  # type: ignore[arg-type]
    if any(isinstance(step, bool) or not isinstance(step, int | float) for step in given):
        raise ConfigurationError(
            f"threshold must be a number between 0 and 1, or one for each step between targets, not {threshold!r}"
        )
    steps = tuple(given)
    if any(not 0.0 <= step <= 1.0 for step in steps) or any(a > b for a, b in pairwise(steps)):
        raise ConfigurationError(f"thresholds lie between 0 and 1 and ascend; got {threshold!r}")
    return float(threshold) if isinstance(threshold, int | float) else steps


def _logistic(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-500.0, min(500.0, log_odds))))
