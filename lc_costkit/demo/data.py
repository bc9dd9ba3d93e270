"""Which questions does the demo ask, in which order, and which articles answer them?"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from lc_costkit.errors import ConfigurationError

ZIPF_EXPONENT = 1.0
"""Popularity of the r-th most asked question is proportional to r ** -1: the classic law of word and query counts."""


@dataclass(frozen=True, slots=True)
class Question:
    """A support question and the label of what its author wanted."""

    text: str
    intent: str


@dataclass(frozen=True, slots=True)
class Article:
    """A help article of the invented bank that the demo's assistant works for."""

    title: str
    text: str


def load_questions() -> tuple[Question, ...]:
    """Return the shipped sample of BANKING77: real questions, typos included (see ``NOTICE``)."""
    rows = _read("questions.jsonl").splitlines()
    return tuple(Question(**json.loads(row)) for row in rows)


def load_articles() -> tuple[Article, ...]:
    """Return the help articles, written for this demo."""
    sections = _read("articles.md").split("\n# ")
    pairs = (section.removeprefix("# ").split("\n", 1) for section in sections)
    return tuple(Article(title=title.strip(), text=text.strip()) for title, text in pairs)


def traffic(questions: Sequence[Question], count: int, *, seed: int = 0) -> list[Question]:
    """Draw ``count`` requests with the skew that support desks see: few questions asked often, many rarely.

    Args:
        questions: what may be asked; which of them are popular depends on ``seed``.
        count: how many requests, at least 1.
        seed: the same seed gives the same requests in the same order.

    Raises:
        ConfigurationError: ``count`` is below 1.

    >>> asked = traffic(load_questions(), 200)
    >>> len(asked), 60 < len({q.text for q in asked}) < 160
    (200, True)
    """
    if count < 1:
        raise ConfigurationError(f"the demo needs at least 1 request, not {count}")
    rng = random.Random(seed)  # noqa: S311 - a reproducible order, not a secret
    ranked = list(questions)
    rng.shuffle(ranked)
    weights = [rank**-ZIPF_EXPONENT for rank in range(1, len(ranked) + 1)]
    return rng.choices(ranked, cum_weights=list(itertools.accumulate(weights)), k=count)


def _read(name: str) -> str:
    return resources.files("lc_costkit.demo").joinpath(name).read_text(encoding="utf-8")
