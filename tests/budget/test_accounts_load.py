"""The limit under load: many processes and tasks, some calls that fail, some that never come back, some kills."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks._budget_load import Load, Seen, run


def hold(load: Load, folder: Path) -> Seen:
    """Run a load that reserves; what must be true of every one."""
    seen = run(load, folder / "load")
    assert seen.highest <= seen.limit
    assert seen.billed <= seen.spent <= seen.limit, "what the provider charged is counted, and fits"
    assert seen.held == 0
    assert seen.usable >= 0.97
    return seen


def address_of(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    return str(tmp_path / "b.db") if kind == "file" else str(request.getfixturevalue("server"))


KINDS = pytest.mark.parametrize("kind", ["file", "postgresql"])


@KINDS
def test_processes_of_which_one_is_killed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = address_of(kind, tmp_path, request)
    seen = hold(Load(address=address, way="reserve", workers=4, calls=100, kills=1, lease_seconds=1), tmp_path)
    assert seen.killed == 1
    assert seen.unsettled > 0


@KINDS
def test_tasks_of_one_process(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = address_of(kind, tmp_path, request)
    hold(Load(address=address, way="reserve", workers=16, calls=30, in_tasks=True, lease_seconds=1), tmp_path)


def test_this_load_overshoots_where_nothing_is_reserved(tmp_path: Path) -> None:
    """Else the other tests would prove nothing."""
    together = Load(
        address=str(tmp_path / "b.db"),
        way="check",
        workers=16,
        calls=1,
        in_tasks=True,
        limit_share=0.125,
        busiest_seconds=1,
    )
    assert run(together, tmp_path / "load").billed > together.limit


@pytest.mark.soak
@KINDS
def test_sixteen_processes_of_which_four_are_killed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = address_of(kind, tmp_path, request)
    seen = hold(Load(address=address, way="reserve", workers=16, calls=500, kills=4), tmp_path)
    assert seen.killed == 4


@pytest.mark.soak
@KINDS
def test_sixty_four_tasks(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = address_of(kind, tmp_path, request)
    hold(Load(address=address, way="reserve", workers=64, calls=200, in_tasks=True), tmp_path)
