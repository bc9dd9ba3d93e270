"""Does a cache of the first version go on, with nothing lost?"""

from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, select

from lc_costkit.cache import Cache, Hit, Miss
from lc_costkit.cache.key import CacheKey, make_key
from lc_costkit.cache.schema import SCHEMA_VERSION
from lc_costkit.errors import StoreError
from lc_costkit.store import open_engine
from tests.cache import version_1
from tests.cache.support import WordsEmbedder, ask

QUESTIONS = ("What is the fee for a card", "How tall is the tower", "Where can I buy a stamp")


def old_keys() -> list[CacheKey]:
    return [make_key(ask(text), namespace="default") for text in QUESTIONS]


def make_old(path_or_url: str | Path) -> list[dict[str, Any]]:
    engine = open_engine(path_or_url)
    rows = version_1.make(engine, old_keys(), WordsEmbedder())
    engine.dispose()
    return rows


def stored(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        statement = select(version_1.ENTRIES).order_by(version_1.ENTRIES.c.id)
        return [dict(row._mapping) for row in connection.execute(statement)]


def open_cache(path_or_url: str | Path) -> Cache:
    return Cache(path_or_url, embedder=WordsEmbedder(), similarity_threshold=0.5, gates=())


def go_on_with(path_or_url: str | Path, rows: list[dict[str, Any]]) -> None:
    """Open an old store, and see that all of it is there and all that is new works."""
    with open_cache(path_or_url) as cache:
        assert stored(cache._store._engine) == rows
        stats = cache.stats()
        assert (stats.lookups, stats.exact_hits, stats.misses, stats.entries) == (7, 7, 7, 3)
        for number, text in enumerate(QUESTIONS, start=1):
            hit = cache.lookup(ask(text))
            assert isinstance(hit, Hit)
            assert (hit.entry.id, hit.answer, hit.entry.tokens) == (number, f'"answer {number}"', 1100)
        assert isinstance(cache.lookup(ask("What is one fee for a card")), Hit), "the old vectors are of use"
        assert len(cache.near_hits()) == 1
        assert cache.reject(2) == 1
        assert cache.store(ask("Something new"), '"x"') == 4, "ids go on where they were"
        assert cache.check() == ()
    with open_cache(path_or_url) as cache:
        assert (cache.stats().entries, cache.stats().lookups) == (3, 11)


def test_a_file_of_the_first_version_goes_on(tmp_path: Path) -> None:
    rows = make_old(tmp_path / "c.db")
    go_on_with(tmp_path / "c.db", rows)
    with sqlite3.connect(tmp_path / "c.db") as raw:
        assert raw.execute("SELECT version FROM costkit_schema").fetchall() == [(SCHEMA_VERSION,)]
    raw.close()


def test_the_tables_of_a_migrated_file_are_those_of_a_new_one(tmp_path: Path) -> None:
    make_old(tmp_path / "old.db")
    shapes = []
    for name in ("old.db", "new.db"):
        open_cache(tmp_path / name).close()
        engine = open_engine(tmp_path / name)
        found = inspect(engine)
        shapes.append(
            {
                table: (
                    sorted(str({**column, "type": str(column["type"])}) for column in found.get_columns(table)),
                    sorted(str(index) for index in found.get_indexes(table)),
                    str(found.get_pk_constraint(table)),
                )
                for table in found.get_table_names()
            }
        )
        engine.dispose()
    assert shapes[0] == shapes[1]


def test_a_file_of_the_second_version_learns_how_crowded_it_was(tmp_path: Path) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        cache.store(ask(QUESTIONS[0]), '"a"')
        cache.lookup(ask("What is one fee for a card"))
    with closing(sqlite3.connect(tmp_path / "c.db")) as raw:
        raw.execute("ALTER TABLE cache_pairs DROP COLUMN crowd")
        raw.execute("UPDATE costkit_schema SET version = 2")
        raw.commit()
    with open_cache(tmp_path / "c.db") as cache:
        (before,) = cache.near_hits()
        assert (before.cached, before.crowd) == (QUESTIONS[0], 0.0)
        cache.store(ask("What is the fee for the card"), '"b"')
        cache.lookup(ask("What is a fee for a card"))
        cache.flush()
        assert max(pair.crowd for pair in cache.near_hits()) > 0


def test_a_process_of_the_first_version_that_is_still_running_goes_on(tmp_path: Path) -> None:
    make_old(tmp_path / "c.db")
    running = open_engine(tmp_path / "c.db")
    with open_cache(tmp_path / "c.db") as cache:
        with running.begin() as connection:
            connection.execute(version_1.ENTRIES.update().where(version_1.ENTRIES.c.id == 1).values(hits=99))
        hit = cache.lookup(ask(QUESTIONS[0]))
        assert isinstance(hit, Hit)
        assert hit.entry.hits == 99
    running.dispose()


def _open(path: str) -> None:
    with open_cache(path) as cache:
        hit = cache.lookup(ask("What is one fee for a card"))
        assert isinstance(hit, Hit)


def test_a_file_that_is_up_to_date_is_opened_while_another_process_writes(tmp_path: Path) -> None:
    open_cache(tmp_path / "c.db").close()
    with closing(sqlite3.connect(tmp_path / "c.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with open_cache(tmp_path / "c.db") as cache:
            assert isinstance(cache.lookup(ask(QUESTIONS[0])), Miss)
        other.execute("ROLLBACK")


def test_a_read_only_file_is_read_and_an_old_one_is_refused_in_our_words(tmp_path: Path) -> None:
    make_old(tmp_path / "c.db")
    read_only = f"sqlite:///file:{tmp_path / 'c.db'}?mode=ro&uri=true"
    with pytest.raises(StoreError, match="cannot be written to"):
        open_cache(read_only)
    open_cache(tmp_path / "c.db").close()
    with open_cache(read_only) as cache:
        assert isinstance(cache.lookup(ask(QUESTIONS[0])), Hit)
        with pytest.raises(StoreError, match="cannot be written to"):
            cache.label("a", "b", same=True)


def test_processes_that_open_an_old_file_at_once_agree(tmp_path: Path) -> None:
    make_old(tmp_path / "c.db")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_open, args=(str(tmp_path / "c.db"),)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 3
    with open_cache(tmp_path / "c.db") as cache:
        assert len(cache.near_hits()) == 3
        assert cache.check() == ()
