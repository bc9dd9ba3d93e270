"""Is the work done where there is no thread for it?"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from lc_costkit.cache import Cache, Hit, Miss
from lc_costkit.threads import in_another_thread, off_loop
from tests.cache.support import WordsEmbedder, ask


async def test_off_the_loop_while_there_are_threads() -> None:
    assert await off_loop(threading.get_ident) != threading.get_ident()


async def test_without_a_thread_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_thread(*_: Any, **__: Any) -> Any:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(asyncio, "to_thread", no_thread)
    assert await off_loop(threading.get_ident) == threading.get_ident()
    for embedder in (None, WordsEmbedder()):
        with Cache(embedder=embedder) as cache:
            assert isinstance(await cache.alookup(ask("How do I pay?")), Miss)
            assert await cache.astore(ask("How do I pay?"), '"x"') is not None
            assert isinstance(await cache.alookup(ask("How do I pay?")), Hit)


def test_what_a_generator_does_at_its_end_waits_for_no_lock_of_its_own_thread() -> None:
    lock, where, done = threading.RLock(), [], threading.Barrier(3)

    def note() -> None:
        with lock:
            where.append(threading.get_ident())
        done.wait(5)

    with lock:
        in_another_thread(note)
        assert where == [], "this thread may be amid something"
    in_another_thread(note)
    done.wait(5)
    assert len(where) == 2
    assert threading.get_ident() not in where


def test_without_another_thread_it_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    where: list[int] = []
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    in_another_thread(lambda: where.append(threading.get_ident()))
    assert where == [threading.get_ident()]
