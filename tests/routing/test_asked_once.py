"""Is the same thing asked once, however many ask it, and at least once, whatever happens?"""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.asked_once import AskedOnce


def test_the_one_used_longest_ago_is_forgotten_first() -> None:
    once = AskedOnce[str](remembered=2)
    for key in (b"a", b"b", b"a", b"c"):
        once.read(key, lambda: "answer")
    assert len(once) == 2
    assert [once.read(key, lambda: "new") for key in (b"a", b"c", b"b")] == [
        ("answer", True),
        ("answer", True),
        ("new", False),
    ]
    once.clear()
    assert once.read(b"a", lambda: "newer") == ("newer", False)


def test_no_answer_is_not_remembered() -> None:
    once = AskedOnce[str]()
    assert once.read(b"a", lambda: None) == (None, False)
    assert once.read(b"a", lambda: "answer") == ("answer", False)


async def test_nothing_is_remembered_where_nothing_may_be() -> None:
    once = AskedOnce[str](remembered=0)

    async def ask() -> str:
        return "awaited"

    assert [once.read(b"a", lambda: "answer")[1] for _ in range(2)] == [False, False]
    assert [(await once.aread(b"a", ask))[1] for _ in range(2)] == [False, False]


def test_an_old_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    once = AskedOnce[str](ttl_seconds=60)
    once.read(b"a", lambda: "old")
    now[0] = 160.0
    assert once.read(b"a", lambda: "new") == ("old", True)
    now[0] = 160.1
    assert once.read(b"a", lambda: "new") == ("new", False)


def test_threads_that_ask_at_once_share_an_answer() -> None:
    once = AskedOnce[str]()
    calls: list[int] = []
    asking, go = threading.Event(), threading.Event()

    def ask() -> str:
        calls.append(1)
        asking.set()
        assert go.wait(10)
        return "answer"

    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(once.read, b"a", ask)
        assert asking.wait(10)
        others = [threads.submit(once.read, b"a", ask) for _ in range(3)]
        go.set()
        assert first.result(10) == ("answer", False)
        assert [other.result(10) for other in others] == [("answer", True)] * 3
    assert len(calls) == 1


def test_threads_that_ask_at_once_share_a_failure_that_is_not_remembered() -> None:
    once = AskedOnce[str]()
    calls: list[int] = []
    asking, go = threading.Event(), threading.Event()

    def ask() -> str:
        calls.append(1)
        asking.set()
        assert go.wait(10)
        raise OSError("no network")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(once.read, b"a", ask)
        assert asking.wait(10)
        second = threads.submit(once.read, b"a", ask)
        go.set()
        for future in (first, second):
            with pytest.raises(OSError, match="no network"):
                future.result(10)
    assert once.read(b"a", lambda: "answer") == ("answer", False)


def test_who_waits_asks_again_where_the_asker_was_interrupted() -> None:
    once = AskedOnce[str]()
    asking, go = threading.Event(), threading.Event()

    def interrupted() -> str:
        asking.set()
        assert go.wait(10)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(_caught, lambda: once.read(b"a", interrupted))
        assert asking.wait(10)
        second = threads.submit(once.read, b"a", lambda: "answer")
        go.set()
        assert isinstance(first.result(10), KeyboardInterrupt)
        assert second.result(10) == ("answer", False)


def _caught(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except BaseException as error:
        return error


async def test_tasks_that_ask_at_once_share_an_answer() -> None:
    once = AskedOnce[str]()
    calls: list[int] = []

    async def ask() -> str:
        calls.append(1)
        await asyncio.sleep(0)
        return "answer"

    answers = await asyncio.gather(*(once.aread(b"a", ask) for _ in range(5)))
    assert answers == [("answer", False), *[("answer", True)] * 4]
    assert len(calls) == 1
    assert once.read(b"a", lambda: "another") == ("answer", True)


async def test_tasks_share_a_failure_and_the_next_asks_again() -> None:
    once = AskedOnce[str]()

    async def fail() -> str:
        await asyncio.sleep(0)
        raise OSError("no network")

    found = await asyncio.gather(*(once.aread(b"a", fail) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [OSError] * 3

    async def ask() -> str:
        return "answer"

    assert await once.aread(b"a", ask) == ("answer", False)


async def test_a_task_that_is_cancelled_takes_no_other_with_it() -> None:
    once = AskedOnce[str]()
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        begun.set()
        await go.wait()
        return "answer"

    first = asyncio.create_task(once.aread(b"a", slow))
    await begun.wait()
    second = asyncio.create_task(once.aread(b"a", slow))
    third = asyncio.create_task(once.aread(b"a", slow))
    await asyncio.sleep(0)
    third.cancel()
    with pytest.raises(asyncio.CancelledError):
        await third
    first.cancel()
    go.set()
    assert await second == ("answer", False)
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_those_who_wait_are_cancelled_with_the_one_who_asks() -> None:
    once, asked = AskedOnce[str](), []
    begun = asyncio.Event()

    async def slow() -> str:
        asked.append("a")
        begun.set()
        await asyncio.Event().wait()
        return "never"

    tasks = [asyncio.create_task(once.aread(b"a", slow)) for _ in range(4)]
    await begun.wait()
    for task in tasks:
        task.cancel()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), timeout=30)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 4
    assert asked == ["a"]


async def test_a_thread_of_the_loop_does_not_wait_for_a_task_of_it() -> None:
    once = AskedOnce[str]()
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        begun.set()
        await go.wait()
        return "awaited"

    task = asyncio.create_task(once.aread(b"a", slow))
    await begun.wait()
    assert once.read(b"a", lambda: "called") == ("called", False)
    go.set()
    assert await task == ("awaited", False)


def test_a_pickled_one_is_empty() -> None:
    once = AskedOnce[str](remembered=5, ttl_seconds=3.0)
    once.read(b"a", lambda: "answer")
    again = pickle.loads(pickle.dumps(once))  # noqa: S301
    assert (len(again), again.remembered, again.ttl_seconds) == (0, 5, 3.0)
    assert again.read(b"a", lambda: "new") == ("new", False)


@pytest.mark.parametrize(
    "options",
    [
        {"remembered": -1},
        {"remembered": 1.5},
        {"remembered": True},
        {"ttl_seconds": 0},
        {"ttl_seconds": float("nan")},
        {"ttl_seconds": "60"},
    ],
)
def test_bad_sizes_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        AskedOnce(**options)
