"""What does ``costkit cache`` show, and is what somebody types kept?"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lc_costkit import Ledger
from lc_costkit.cache import Cache, Hit, Miss
from lc_costkit.cache.pair_log import PairLog
from lc_costkit.cache.seen_pairs import SeenPair
from lc_costkit.cache.store import EntryStore
from lc_costkit.cache_command import _clean
from lc_costkit.versions import components
from tests.cache.support import WordsEmbedder, ask
from tests.support.command import run_command

FEE = "What is the fee for a card"
NEW = [f"What is the fee for a {kind} card" for kind in ("red", "blue", "lost", "second", "paper", "gift")]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A cache that another program filled, with an embedder that no command could make."""
    path = tmp_path / "costkit.db"
    with Cache(path, embedder=WordsEmbedder(), similarity_threshold=0.5, gates=()) as cache:
        cache.store(ask(FEE), '{"text": "It is 3 USD."}')
        for text in NEW:
            assert isinstance(cache.lookup(ask(text)), Hit)
    return path


def labels(path: Path) -> dict[str, bool]:
    with closing(sqlite3.connect(path)) as raw:
        return {
            new: bool(same) for new, same in raw.execute("SELECT new, same FROM cache_pairs WHERE source = 'label'")
        }


# -- looking --------------------------------------------------------------------------


def test_near_hits_are_shown_the_newest_first(database: Path) -> None:
    done = run_command("cache", "near-hits", str(database), "--limit", "2")
    assert done.returncode == 0, done.stderr
    assert "served" in done.stdout
    assert "similarity 0.9" in done.stdout
    assert [line.split("  ")[-1].strip() for line in done.stdout.splitlines() if " new " in line] == NEW[:-3:-1]
    assert FEE in done.stdout


def test_stats_tell_what_was_served_and_what_is_labelled(database: Path) -> None:
    run_command("cache", "label", str(database), typed="y\n")
    done = run_command("cache", "stats", str(database))
    assert done.returncode == 0, done.stderr
    assert "6 (0 exact, 6 semantic)" in done.stdout
    assert "6 kept, 1 labelled" in done.stdout


def test_a_cache_without_near_hits_says_so(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db", embedder=WordsEmbedder()) as cache:
        cache.store(ask(FEE), '"x"')
    assert "no decisions are kept yet" in run_command("cache", "near-hits", str(tmp_path / "c.db")).stdout
    assert "nothing to label" in run_command("cache", "label", str(tmp_path / "c.db")).stdout


# -- labelling --------------------------------------------------------------------------


def test_what_is_typed_is_kept(database: Path) -> None:
    done = run_command("cache", "label", str(database), "--seed", "1", typed="y\nn\ns\nwhat\n\nno\n")
    assert done.returncode == 0, done.stderr
    assert "It is 3 USD." in done.stdout
    assert "3 labelled now" in done.stdout
    assert sorted(labels(database).values()) == [False, False, True]


def test_an_answer_can_be_taken_back(database: Path) -> None:
    done = run_command("cache", "label", str(database), "--seed", "1", typed="u\ny\nn\nu\nu\nq\n")
    assert done.returncode == 0, done.stderr
    assert "nothing to undo" in done.stdout
    assert labels(database) == {}


def test_whoever_quits_at_the_first_pair_is_told_what_is_left(database: Path) -> None:
    done = run_command("cache", "label", str(database), "--labels", "4", typed="q\n")
    assert "nothing to label" not in done.stdout
    assert "0 labelled now, 0 skipped, 4 of the plan left" in done.stdout


def test_another_session_goes_on_where_the_first_was_left(database: Path) -> None:
    run_command("cache", "label", str(database), "--limit", "2", typed="y\ny\ny\n")
    assert len(labels(database)) == 2
    done = run_command("cache", "label", str(database), typed="n\n" * 9)
    assert "4 labelled now" in done.stdout
    assert len(labels(database)) == 6
    assert "nothing to label" in run_command("cache", "label", str(database), typed="n\n").stdout


def test_a_policy_means_what_decides_with_the_bundled_embedder(database: Path) -> None:
    with Cache(database) as cache:
        log = PairLog(cache._store, namespace="default", decider=cache._acceptor.identity)
        log.add_many([SeenPair(cached="a b", new="c d", score=0.5, seen_at=1.0)])
    done = run_command("cache", "label", str(database), "--policy", "strict", typed="y\n" * 9)
    assert "1 labelled now" in done.stdout
    assert labels(database) == {"c d": True}
    done = run_command("cache", "label", str(database), "--policy", "lax")
    assert done.returncode == 2
    assert "policy must be one of strict, balanced" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of POSIX")
@pytest.mark.parametrize("ending", [b"q", b"\x03"], ids=["q", "Ctrl-C"])
def test_in_a_terminal_one_key_is_enough_and_an_interrupt_loses_nothing(database: Path, ending: bytes) -> None:
    import pty
    import select
    import termios

    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "lc_costkit", "cache", "label", str(database)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"NO_COLOR": "1"},
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""

    def wait_for(what: bytes, times: int) -> None:
        nonlocal shown
        until = time.monotonic() + 30
        while shown.count(what) < times:
            assert time.monotonic() < until, shown.decode()
            if select.select([ours], [], [], 0.1)[0]:
                shown += os.read(ours, 4096)

    def press(key: bytes) -> None:
        # Reading a key drops what was typed before it began.
        until = time.monotonic() + 30
        while termios.tcgetattr(ours)[3] & termios.ICANON:
            assert time.monotonic() < until, "it never read a key"
            time.sleep(0.01)
        os.write(ours, key)

    try:
        for place, key in enumerate((b"y", b"n", b"y"), start=1):
            wait_for(b"q(uit)", place)
            press(key)
        wait_for(b"q(uit)", 4)
        assert sorted(labels(database).values()) == [False, True, True], "kept before the session ends"
        press(ending)
        wait_for(b"labelled now", 1)
        assert child.wait(30) == 0, shown.decode()
    finally:
        child.kill()
        child.wait()
        os.close(ours)
    assert b"3 labelled now" in shown


# -- calibrating ----------------------------------------------------------------------------


def fill(path: Path, count: int, labelled: int, **knobs: Any) -> None:
    """Log decisions of which all from .5 on are right, and label a draw of them."""
    with Cache(path, **knobs) as cache:
        cache._pairs.add_many(
            [
                SeenPair(
                    cached="stored", new=f"{'right' if n >= count // 3 else 'wrong'} {n}", score=n / count, seen_at=1.0
                )
                for n in range(count)
            ]
        )
        for pair in cache.draw_pairs(labelled, seed=1) if labelled else []:
            cache.label_pair(pair.id, same="right" in pair.new)


def test_what_labels_certify_is_served_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    fill(path, 900, 400)
    done = run_command("cache", "calibrate", str(path), "--max-error-rate", "0.05")
    assert done.returncode == 0, done.stderr
    assert "certified: at most 5.0%" in done.stdout
    with Cache(path) as cache:
        point = cache.stats().point
        assert point is not None
        assert point.certified
        assert point.labels == 400
    assert "certified: at most 5.0%" in run_command("cache", "stats", str(path)).stdout
    with Cache(path, policy="balanced") as cache:
        cache._pairs.add_many([SeenPair(cached="a", new="b", score=0.5, seen_at=2.0)])
        assert not cache.stats().point.certified  # type: ignore[union-attr]
    assert "not certified" in run_command("cache", "stats", str(path)).stdout, "balanced is what decided last"
    assert (
        "certified: at most" in run_command("cache", "label", str(path), "--labels", "400", "--policy", "strict").stdout
    )


def test_too_few_labels_say_how_many_it_takes_and_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    fill(path, 300, 60)
    done = run_command("cache", "calibrate", str(path), "--max-error-rate", "0.02")
    assert done.returncode == 1
    assert "not certifiable yet" in done.stdout
    assert "more pairs, drawn at random" in done.stdout
    with Cache(path) as cache:
        assert not cache.stats().point.certified  # type: ignore[union-attr]


def test_how_many_labels_it_takes_is_said_first_and_what_they_certify_when_all_are_there(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    fill(path, 300, 60)
    done = run_command("cache", "label", str(path), "--labels", "64", "--max-error-rate", "0.3", typed="y\ny\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the plan: 64 labels for at most 30 % wrong; 60 are there")
    assert "[1 of 4]" in done.stdout
    assert "2 labelled now, 0 skipped" in done.stdout
    assert "62 of 64 labels are there" in done.stdout
    assert "certif" not in done.stdout.split("[1 of 4]")[1].split("2 labelled now")[0], "no look before the end"
    assert "Calibration" not in done.stdout
    done = run_command("cache", "label", str(path), "--labels", "64", "--max-error-rate", "0.3", typed="s\ny\ny\ny\n")
    assert "1 labelled now, 1 skipped" in done.stdout
    assert "Calibration" not in done.stdout
    done = run_command("cache", "label", str(path), "--labels", "64", "--max-error-rate", "0.3", typed="y\ny\n")
    assert "1 labelled now" in done.stdout
    assert "64, of which 64 were tested" in done.stdout
    done = run_command("cache", "label", str(path), "--labels", "64", "--max-error-rate", "0.3", typed="y\n")
    assert "[1 of" not in done.stdout, "the plan is full"
    assert "64, of which 64 were tested" in done.stdout


def test_without_a_number_the_error_rate_names_one(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    fill(path, 300, 0)
    for rate, planned in (("0.05", "470"), ("0.02", "1,400")):
        done = run_command("cache", "label", str(path), "--max-error-rate", rate, typed="q")
        assert f"the plan: {planned} labels" in done.stdout
        assert f"0 of {planned} labels are there" in done.stdout


def test_what_no_command_can_make_is_calibrated_elsewhere(database: Path) -> None:
    run_command("cache", "label", str(database), typed="y\nn\n")
    done = run_command("cache", "calibrate", str(database), "--max-error-rate", "0.05")
    assert done.returncode == 2
    assert "call calibrate() on the cache in your program" in done.stderr


def test_without_labels_there_is_nothing_to_calibrate_on(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    fill(path, 30, 0)
    done = run_command("cache", "calibrate", str(path), "--max-error-rate", "0.05")
    assert (done.returncode, "no labelled pairs" in done.stderr) == (2, True)


# -- what is wrong ------------------------------------------------------------------------


COMMANDS = [("stats",), ("near-hits",), ("label",), ("calibrate", "--max-error-rate", "0.05")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
def test_a_database_that_is_not_there_or_holds_no_cache_is_left_alone(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run_command("cache", *command, str(tmp_path / "none.db"))
    assert (done.returncode, "there is no database at" in done.stderr) == (2, True)
    assert not (tmp_path / "none.db").exists()
    with Ledger(tmp_path / "ledger.db"):
        pass
    done = run_command("cache", *command, str(tmp_path / "ledger.db"))
    assert (done.returncode, "holds no cache" in done.stderr) == (2, True)
    assert components(tmp_path / "ledger.db") == {"ledger"}


def test_an_unknown_namespace_names_the_known_ones(database: Path) -> None:
    done = run_command("cache", "near-hits", str(database), "--namespace", "other")
    assert done.returncode == 2
    assert "holds no namespace 'other'; it holds 'default'" in done.stderr


@pytest.mark.parametrize("options", [("--limit", "0"), ("--min-score", "2"), ("--max-error-rate", "0")])
def test_options_out_of_range_are_refused(options: tuple[str, ...], database: Path) -> None:
    done = run_command("cache", "label", str(database), *options, typed="y\n")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert labels(database) == {}


def test_a_question_cannot_steer_the_terminal(tmp_path: Path) -> None:
    evil = "red \x1b[31m alert \x07\u202e and\r\n more [bold]markup[/bold] 한국어"
    store = EntryStore(tmp_path / "c.db")
    PairLog(store, namespace="default", decider="d").add_many([SeenPair(cached=evil, new="plain", score=0.5)])
    store.close()
    for command in ("near-hits", "label"):
        shown = run_command("cache", command, str(tmp_path / "c.db"), typed="s\n").stdout
        assert "\\x1b[31m alert \\x07\\u202e and more [bold]markup[/bold] 한국어" in shown
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_long_texts_are_cut() -> None:
    assert len(_clean("word " * 10_000)) < 700
    assert "(49,999 characters)" in _clean("word " * 10_000)


def test_a_rejected_pair_is_not_asked_about(database: Path) -> None:
    with Cache(database, embedder=WordsEmbedder(), similarity_threshold=0.5, gates=()) as cache:
        hit = cache.lookup(ask(NEW[0]))
        assert isinstance(hit, Hit)
        cache.reject(hit)
        assert isinstance(cache.lookup(ask(NEW[0])), Miss)
    done = run_command("cache", "label", str(database), typed="y\n" * 20)
    assert NEW[0] + "\n" not in done.stdout
    assert labels(database)[NEW[0]] is False
