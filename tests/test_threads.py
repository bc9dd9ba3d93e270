"""Is the work done where there is no thread for it?"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from lc_costkit.cache import Cache, Hit, Miss
from lc_costkit.threads import off_loop
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
