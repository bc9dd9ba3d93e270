"""How does closing a stream that is passed on close the one it comes from?

Left to the collector, the inner stream stays open for a while (an asynchronous one until
the event loop comes round to it), and the provider bills as long as it sends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def closing(chunks: Iterator[T]) -> Iterator[Iterator[T]]:
    """Close ``chunks`` at the end of the block, if it can be closed; any iterator will do.

    >>> with closing(iter([1, 2])) as chunks:
    ...     next(chunks)
    1
    """
    try:
        yield chunks
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


@asynccontextmanager
async def aclosing(chunks: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Do what ``closing`` does for an asynchronous iterator."""
    try:
        yield chunks
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
