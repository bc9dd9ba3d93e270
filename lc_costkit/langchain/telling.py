"""How does a stream learn whose call it answers, and how is it closed with the one it is in?

LangChain hands a run manager to a model that generates, and none to one that streams. Nor does it
close a model's stream when its own is closed; the collector does, some time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from lc_costkit.streams import aclosing, closing


class Told:
    """What is known around a call.

    Attributes:
        metadata: as its callbacks see it.
        streams: that were opened within.
    """

    __slots__ = ("metadata", "streams")

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self.metadata = metadata
        self.streams: list[Any] = []


_CURRENT: ContextVar[Told | None] = ContextVar("lc_costkit_told", default=None)


def current_told() -> Told | None:
    """Return what is known of the call under way, if anything was told."""
    return _CURRENT.get()


@contextmanager
def telling(told: Told) -> Iterator[None]:
    """Tell the calls in this block what is known; not to be left open at a ``yield``."""
    token = _CURRENT.set(told)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def close_all(told: Told) -> None:
    """Close the streams that were opened within a call."""
    for stream in told.streams:
        with closing(stream):
            pass


async def aclose_all(told: Told) -> None:
    """Do what ``close_all`` does for asynchronous streams."""
    for stream in told.streams:
        async with aclosing(stream):
            pass


def told_each(chunks: Iterator[Any], told: Told) -> Iterator[Any]:
    """Pass a stream on, telling each of its steps; close what was opened within."""
    try:
        with closing(chunks):
            while True:
                with telling(told):
                    try:
                        chunk = next(chunks)
                    except StopIteration:
                        return
                yield chunk
    finally:
        close_all(told)


async def atold_each(chunks: AsyncIterator[Any], told: Told) -> AsyncIterator[Any]:
    """Do what ``told_each`` does for an asynchronous stream."""
    try:
        async with aclosing(chunks):
            while True:
                with telling(told):
                    try:
                        chunk = await anext(chunks)
                    except StopAsyncIteration:
                        return
                yield chunk
    finally:
        await aclose_all(told)
