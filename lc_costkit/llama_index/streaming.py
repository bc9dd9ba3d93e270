"""How is a stream of another LLM passed on?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any, TypeVar

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse, TextBlock
from llama_index_instrumentation.dispatcher import active_instrument_tags, instrument_tags

from lc_costkit.streams import aclosing, closing

T = TypeVar("T")


def tagged(chunks: Iterator[T]) -> Generator[T, None, None]:
    """Return a stream each piece of which is fetched with the tags that are active now.

    Some LLMs call the provider only when the first piece is asked for: those of ``as_structured_llm``.
    """
    return _tagged(iter(chunks), active_instrument_tags.get())


def atagged(chunks: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """Do what ``tagged`` does for an asynchronous stream."""
    return _atagged(aiter(chunks), active_instrument_tags.get())


def begun(chunks: Iterator[T]) -> Generator[T, None, None]:
    """Return a stream whose first words have come: one that fails before does so before anybody has been given a piece.

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
        first: list[T] = []
        for chunk in chunks:
            first.append(chunk)
            if not _says_nothing(chunk):
                break
        yield None  # type: ignore[misc]  # taken by begun: a generator that never began does nothing when closed
        yield from first
        yield from chunks


async def _abegun(chunks: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    async with aclosing(chunks):
        first: list[T] = []
        async for chunk in chunks:
            first.append(chunk)
            if not _says_nothing(chunk):
                break
        yield None  # type: ignore[misc]  # as above
        for chunk in first:
            yield chunk
        async for chunk in chunks:
            yield chunk


def _says_nothing(piece: object) -> bool:
    """Tell whether a piece only tells that there is a stream, as providers begin theirs."""
    if isinstance(piece, CompletionResponse):
        return not (piece.text or piece.delta)
    if not isinstance(piece, ChatResponse) or piece.delta or piece.message.additional_kwargs:
        return False
    return all(isinstance(block, TextBlock) and not block.text for block in piece.message.blocks)


def _tagged(chunks: Iterator[T], tags: dict[str, Any]) -> Generator[T, None, None]:
    with closing(chunks):
        while True:
            with instrument_tags(tags):
                try:
                    chunk = next(chunks)
                except StopIteration:
                    return
            yield chunk


async def _atagged(chunks: AsyncIterator[T], tags: dict[str, Any]) -> AsyncGenerator[T, None]:
    async with aclosing(chunks):
        while True:
            with instrument_tags(tags):
                try:
                    chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
            yield chunk
