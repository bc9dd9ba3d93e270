"""How does closing a stream that is passed on close the one it comes from?

Left to the collector, the inner stream stays open for a while (an asynchronous one until
the event loop comes round to it), and the provider bills as long as it sends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Generic, TypeVar

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


class _AsyncClosing(Generic[T]):
    # Not a generator itself: an event loop that ends closes all it knows of at once, in no order.

    def __init__(self, chunks: AsyncIterator[T]) -> None:
        self._chunks = chunks

    async def __aenter__(self) -> AsyncIterator[T]:
        return self._chunks

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        close = getattr(self._chunks, "aclose", None)
        # One that runs is being closed by somebody else, such as an event loop that ends.
        if close is not None and not getattr(self._chunks, "ag_running", False):
            await close()


def aclosing(chunks: AsyncIterator[T]) -> _AsyncClosing[T]:
    """Do what ``closing`` does for an asynchronous iterator."""
    return _AsyncClosing(chunks)
