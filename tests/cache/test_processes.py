"""Do processes share a cache, and does a killed one lose nothing it had stored?"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from lc_costkit.cache import Cache, Hit, Miss
from tests.cache.support import WordsEmbedder, ask

WRITER = textwrap.dedent(
    """
    import sys
    from lc_costkit.cache import Cache, Miss
    from tests.cache.support import WordsEmbedder, ask

    cache = Cache(sys.argv[1], embedder=WordsEmbedder(), similarity_threshold=0.5, max_entries=int(sys.argv[3]))
    print("ready", flush=True)
    for number in range(100_000):
        request = ask(f"What is item{sys.argv[2]}x{number}", system=f"scope {number % 3}")
        found = cache.lookup(request)
        assert isinstance(found, Miss), found
        assert cache.store(request, '"' + "answer " * 200 + str(number) + '"', miss=found) is not None
        print(number, flush=True)
    """
)


def open_cache(path: Path) -> Cache:
    return Cache(path, embedder=WordsEmbedder(), similarity_threshold=0.5)


def kill_while_writing(path: Path, run: int, seconds: float) -> int:
    """Start a writer, kill it, and return how many answers it had been told are stored."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(run), "1000000"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    with child, child.stdout as told:
        assert told.readline() == "ready\n"
        killer = threading.Timer(seconds, child.kill)
        killer.start()
        lines = told.read().splitlines(keepends=True)
    return sum(line.endswith("\n") for line in lines)


def survive(path: Path, runs: int) -> None:
    chance = random.Random(7)
    for run in range(runs):
        told = kill_while_writing(path, run, chance.uniform(0.0, 0.4))
        with open_cache(path) as cache:
            assert cache.check() == ()
            for number in range(told):
                hit = cache.lookup(ask(f"What is item{run}x{number}", system=f"scope {number % 3}"))
                assert isinstance(hit, Hit), (run, number)
                assert hit.entry.payload.endswith(f'{number}"')


def test_what_was_stored_survives_a_kill(tmp_path: Path) -> None:
    survive(tmp_path / "c.db", runs=3)


@pytest.mark.soak
def test_what_was_stored_survives_a_hundred_kills(tmp_path: Path) -> None:
    survive(tmp_path / "c.db", runs=100)


def test_two_caches_on_one_file_see_what_the_other_stores_and_deletes(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as one, open_cache(tmp_path / "c.db") as other:
        assert isinstance(other.lookup(ask("How do I reset my password?")), Miss)
        entry = one.store(ask("How do I reset my password?"), '"x"')
        assert entry is not None
        for text in ("How do I reset my password?", "How can I reset my password?"):
            assert isinstance(other.lookup(ask(text)), Hit)
        one.delete(entry)
        for text in ("How do I reset my password?", "How can I reset my password?"):
            assert isinstance(other.lookup(ask(text)), Miss)
        other.store(ask("Where is the bank?"), '"y"')
        one.clear()
        assert isinstance(other.lookup(ask("Where is a bank?")), Miss)
        assert other.store(ask("Where is the bank?"), '"z"') is not None
        assert isinstance(one.lookup(ask("Where is a bank?")), Hit)


def test_several_processes_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER.replace("100_000", "100"), str(path), str(number), "250"],
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        for number in range(3)
    ]
    for child in children:
        assert child.wait(120) == 0
    with open_cache(path) as cache:
        stats = cache.stats()
        assert cache.check() == ()
        assert stats.stored == 300
        assert stats.evicted == 300 - stats.entries
        assert stats.entries < 250 + 3 * 33, "others may have written since the last count"


def test_a_process_that_ends_without_closing_writes_its_statistics(tmp_path: Path) -> None:
    code = WRITER.replace("100_000", "3") + "\nassert cache.lookup(request)\n"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "c.db"), "0", "10"],
        stdout=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    with open_cache(tmp_path / "c.db") as cache:
        stats = cache.stats()
        assert (stats.lookups, stats.hits, stats.stored) == (4, 1, 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_counts_nothing_twice(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        cache.store(ask("How do I reset my password?"), '"x"')
        assert isinstance(cache.lookup(ask("How do I reset my password?")), Hit)
        child = os.fork()
        if child == 0:
            found = cache.lookup(ask("How do I reset my password?"))
            cache.close()
            os._exit(0 if isinstance(found, Hit) else 1)
        assert os.waitpid(child, 0)[1] == 0
        stats = cache.stats()
        assert (stats.lookups, stats.hits, stats.stored) == (2, 2, 1)


CLOSED_IN_USE = """
import sys, threading, time
from lc_costkit.cache import Cache
from tests.cache.support import WordsEmbedder, ask

cache = Cache(sys.argv[1], embedder=WordsEmbedder(), similarity_threshold=0.5)
raised = []

def work(number):
    try:
        for step in range(200):
            cache.store(ask(f"question {number} {step}"), '"x"', miss=cache.lookup(ask(f"question {number} {step}")))
    except BaseException as error:
        raised.append(error)

threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
for thread in threads:
    thread.start()
time.sleep(0.3)
cache.close()
for thread in threads:
    thread.join()
assert not raised, raised
"""


@pytest.mark.parametrize("place", ["c.db", ":memory:"])
def test_a_cache_may_be_closed_while_others_are_using_it(tmp_path: Path, place: str) -> None:
    for run in range(3):
        where = place if place == ":memory:" else str(tmp_path / f"{run}{place}")
        done = subprocess.run(
            [sys.executable, "-c", CLOSED_IN_USE, where], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
