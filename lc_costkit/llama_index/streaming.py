"""How does one find out that a stream fails before anybody has been given a piece of it?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from itertools import islice
from typing import TypeVar

from lc_costkit.streams import aclosing, closing

T = TypeVar("T")


def begun(chunks: Iterator[T]) -> Generator[T, None, None]:
    """Return a stream whose first piece has come.

    Raises:
        Exception: what the stream raised before that.
    """
    stream = _begun(chunks)
    next(stream)
    return stream


async def abegun(chunks: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """Do what ``begun`` does for an asynchronous stream."""
    stream = _abegun(chunks)
    await anext(stream)
    return stream


def _begun(chunks: Iterator[T]) -> Generator[T, None, None]:
    with closing(chunks):
        first = list(islice(chunks, 1))
        yield None  # type: ignore[misc]  # taken by begun: a generator that never began does nothing when closed
        yield from first
        yield from chunks


async def _abegun(chunks: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    async with aclosing(chunks):
        first: list[T] = []
        async for chunk in chunks:
            first.append(chunk)
            break
        yield None  # type: ignore[misc]  # as above
        for chunk in first:
            yield chunk
        async for chunk in chunks:
            yield chunk
