"""What does each command print, and what does bad input get?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from lc_costkit import CallRecord, Cost, Ledger, SemanticCache, cli
from lc_costkit.errors import MissingDependency
from lc_costkit.versions import components
from tests.support.command import run_command


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "costkit.db"
    with Ledger(path) as ledger:
        ledger.record(
            CallRecord(model_asked="gpt-4o", feature="support", cost=Cost(usd=Decimal("0.0042"), basis="exact"))
        )
        ledger.record(CallRecord(model_asked="mystery", feature="search", cost=Cost(usd=None, basis="unpriced")))
    with SemanticCache(path):
        pass
    return path


def test_report_shows_the_total_and_the_unpriced_call(database: Path) -> None:
    done = run_command("report", str(database), "--by", "feature")
    assert done.returncode == 0, done.stderr
    assert "support" in done.stdout
    assert "0.0042" in done.stdout
    assert "unpriced" in done.stdout


def test_report_as_markdown(database: Path) -> None:
    done = run_command("report", str(database), "--by", "model", "--markdown")
    assert done.returncode == 0, done.stderr
    assert done.stdout.lstrip().startswith("|")


def test_report_of_some_calls_only(database: Path) -> None:
    done = run_command("report", str(database), "--by", "feature", "--only", "feature=search")
    assert done.returncode == 0, done.stderr
    assert "search" in done.stdout and "support" not in done.stdout
    done = run_command("report", str(database), "--until", "2020-01-01")
    assert done.returncode == 0, done.stderr
    assert "0.0042" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "yesterday"), "--since must be a day such as 2026-11-01, not 'yesterday'"),
        (("--only", "u42"), "--only must be NAME=VALUE such as user=u42, not 'u42'"),
        (("--only", "since=2026"), "--only must be NAME=VALUE"),
        (("--only", "colour=red"), "colour"),
    ],
)
def test_report_refuses_what_it_does_not_understand(arguments: tuple[str, ...], said: str, database: Path) -> None:
    done = run_command("report", str(database), *arguments)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_report_by_something_unknown_names_what_is_legal(database: Path) -> None:
    done = run_command("report", str(database), "--by", "colour")
    assert done.returncode == 2
    assert done.stderr.startswith("costkit: ")
    assert "feature" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_of_a_sound_database_is_clean(database: Path) -> None:
    done = run_command("check", str(database))
    assert done.returncode == 0, done.stderr
    assert "clean" in done.stdout


@pytest.mark.parametrize("command", ["report", "check"])
def test_a_database_that_is_not_there_is_not_created(command: str, tmp_path: Path) -> None:
    done = run_command(command, str(tmp_path / "none.db"))
    assert done.returncode == 2
    assert "there is no database at" in done.stderr
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are notes, not a database " * 100)
    done = run_command("check", str(path))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert path.read_text().startswith("these are notes")


def test_without_arguments_it_shows_the_commands() -> None:
    done = run_command()
    assert all(name in done.stdout + done.stderr for name in ("demo", "report", "check"))


@pytest.mark.parametrize("command", ["report", "check"])
def test_somebody_elses_database_is_left_as_it_is(command: str, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    done = run_command(command, str(path))
    assert done.returncode == 2
    assert "holds n" in done.stderr
    assert path.read_bytes() == before


def test_check_of_a_cache_alone_makes_no_ledger_in_it(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    with SemanticCache(path):
        pass
    assert run_command("check", str(path)).returncode == 0
    assert components(path) == {"cache"}


def test_check_of_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 100)
    done = run_command("check", str(path))
    assert done.returncode == 2
    assert "is not a database" in done.stderr


def test_an_error_keeps_its_square_brackets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise MissingDependency("the demo", "testing")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit):
        cli.main()
    assert "pip install 'lc_costkit[testing]'" in capsys.readouterr().err
