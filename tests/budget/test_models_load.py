"""The limit under load through real clients: streams left early, tasks cancelled, connections cut, a process killed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The load, which is a script beside others."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("_budget_models")


def hold(models: Any, address: str, **how: Any) -> None:
    seen = models.run_models(models.ModelLoad(address=address, way="budgeted", lease_seconds=3, **how))
    assert seen.billed <= seen.spent <= seen.limit, "what the provider charged is counted, and fits"
    assert seen.highest <= seen.limit
    assert seen.held == 0
    assert seen.usable >= 0.97


def test_processes_of_which_one_is_killed(models: Any, tmp_path: Path) -> None:
    hold(models, str(tmp_path / "l.db"), workers=3, calls=10, kills=1)


def test_tasks_of_which_some_are_cancelled(models: Any, tmp_path: Path) -> None:
    hold(models, str(tmp_path / "l.db"), workers=6, calls=5, in_tasks=True)


@pytest.mark.soak
@pytest.mark.parametrize("in_tasks", [False, True])
@pytest.mark.parametrize("kind", ["file", "postgresql"])
def test_many(kind: str, in_tasks: bool, models: Any, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = str(tmp_path / "l.db") if kind == "file" else str(request.getfixturevalue("server"))
    shape = {"workers": 64, "calls": 8, "in_tasks": True} if in_tasks else {"workers": 16, "calls": 30, "kills": 4}
    hold(models, address, **shape)
