"""Are the simulated errors of the cascade's benchmark errors, and its right answers right?"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from lc_costkit.routing import Answer, RouteRequest, ToolCall

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
LOUD = ["unknown tool", "no call", "missing field", "wrong type", "refusal"]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    monkeypatch.syspath_prepend(FOLDER)
    yield {name: importlib.import_module(f"_cascade_{name}") for name in ("requests", "errors")}


def answers(scripts: dict[str, ModuleType], kind: str) -> Iterator[tuple[Any, Any, Any]]:
    """Yield each request with an answer that has one kind of error, and whether the checks let it pass."""
    task = scripts["requests"].tool_calls(3, 60)
    model = scripts["errors"].Model(task, {kind: 1.0}, seed=3, place=0)
    for request in task.requests:
        fake = model.answer(request.text)
        calls = [{"name": one.name, "args": dict(one.arguments), "id": "1"} for one in fake.tool_calls]
        asked = tuple(ToolCall(name=one.name, arguments=one.arguments) for one in fake.tool_calls)
        answer = Answer(text=fake.text, tool_calls=asked, finish_reason=fake.finish_reason)
        passed = all(check(RouteRequest(question=request.text), answer).passed for check in task.checks)
        yield task.is_right(request, AIMessage(fake.text, tool_calls=calls)), passed, request.text


def test_right_answers_are_right_and_pass(scripts: dict[str, ModuleType]) -> None:
    assert all(right and passed for right, passed, _ in answers(scripts, ""))


@pytest.mark.parametrize("kind", LOUD)
def test_loud_errors_are_wrong_and_found(scripts: dict[str, ModuleType], kind: str) -> None:
    assert not any(right or passed for right, passed, _ in answers(scripts, kind))


def test_silent_errors_are_wrong_and_not_found(scripts: dict[str, ModuleType]) -> None:
    found = list(answers(scripts, "silent"))
    assert not any(right for right, _, _ in found)
    assert all(passed for _, passed, _ in found)


def test_invented_values_are_wrong_and_nearly_all_found(scripts: dict[str, ModuleType]) -> None:
    found = list(answers(scripts, "invented value"))
    assert not any(right for right, _, _ in found)
    assert sum(passed for _, passed, _ in found) < len(found) / 3


def test_the_same_seed_draws_the_same(scripts: dict[str, ModuleType]) -> None:
    made = [scripts["requests"].tool_calls(seed, 40) for seed in (1, 1, 2)]
    assert made[0].requests == made[1].requests != made[2].requests
    model = scripts["errors"].Model(made[0], scripts["errors"].WEAK["tool calls"], seed=1, place=0)
    kinds = [model.kind(request.text) for request in made[0].requests]
    assert kinds == [model.kind(request.text) for request in made[1].requests]
    assert 2 < sum(map(bool, kinds)) < 30


def test_rates_above_one_are_refused(scripts: dict[str, ModuleType]) -> None:
    task = scripts["requests"].tool_calls(1, 5)
    with pytest.raises(ValueError, match="come to at most 1"):
        scripts["errors"].Model(task, {"silent": 0.7, "prose": 0.4}, seed=0, place=0)
