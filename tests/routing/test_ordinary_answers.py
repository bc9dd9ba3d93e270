"""Do ordinary good answers pass what a cascade asks by default, and do refusals not?

The answers were written for this test: what support desks, offices and developers ask, in English and Korean.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from lc_costkit.routing import RouteRequest
from lc_costkit.routing.answer import Answer
from lc_costkit.routing.checks import check_all
from lc_costkit.routing.offered_tools import DEFAULT_CHECKS

MOST_ALARMS = 0.03
"""Share of good answers that may be taken for wrong, in each language: each costs a call of a dearer target."""


def read(name: str) -> list[dict[str, str]]:
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def fails(row: dict[str, str]) -> list[str]:
    answer = Answer(text=row["answer"], finish_reason="stop")
    verdicts = check_all(DEFAULT_CHECKS, RouteRequest(question=row["question"]), answer)
    return [verdict.reason for verdict in verdicts if not verdict.passed]


@pytest.mark.parametrize(("language", "least"), [("en", 190), ("ko", 100)])
def test_few_good_answers_are_taken_for_wrong(language: str, least: int) -> None:
    rows = [row for row in read("good_answers.jsonl") if row["language"] == language]
    alarms = {row["answer"]: reasons for row in rows if (reasons := fails(row))}
    assert len(rows) >= least
    assert len(alarms) / len(rows) < MOST_ALARMS, alarms


def test_the_good_answers_are_of_many_kinds() -> None:
    rows = read("good_answers.jsonl")
    assert len({row["answer"] for row in rows}) == len(rows)
    assert min(Counter(row["kind"] for row in rows).values()) >= 5


def test_refusals_are_seen() -> None:
    assert [row["answer"] for row in read("refusals.jsonl") if not fails(row)] == []
