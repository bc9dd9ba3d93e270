"""Does closing a stream close the one it comes from, and leave alone what closes itself?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from lc_costkit.streams import aclosing, closing


def test_anything_that_can_be_closed_is_closed() -> None:
    numbers = (number for number in range(3))
    with closing(numbers) as chunks:
        assert next(chunks) == 0
    assert list(numbers) == []
    with closing(iter([1, 2])) as plain:
        assert next(plain) == 1
    assert list(plain) == [2]


async def test_so_is_an_asynchronous_one() -> None:
    closed: list[str] = []

    async def letters() -> AsyncIterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            await asyncio.sleep(0)
            closed.append("letters")

    async with aclosing(letters()) as chunks:
        assert await anext(chunks) == "a"
    assert closed == ["letters"]

    class Plain:
        """An iterator that cannot be closed."""

        def __aiter__(self) -> Plain:
            return self

        async def __anext__(self) -> str:
            return "a"

    async with aclosing(Plain()) as others:
        assert await anext(others) == "a"


async def test_one_that_is_being_closed_is_left_to_that() -> None:
    go_on, closed = asyncio.Event(), []

    async def slow() -> AsyncIterator[str]:
        try:
            yield "a"
        finally:
            await go_on.wait()
            closed.append("slow")

    stream = slow()
    async with aclosing(stream):
        await anext(stream)
        closing_it = asyncio.ensure_future(stream.aclose())  # type: ignore[attr-defined]
        await asyncio.sleep(0)
    go_on.set()
    await closing_it
    assert closed == ["slow"]
