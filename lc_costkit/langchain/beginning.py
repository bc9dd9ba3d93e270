"""Has a stream said anything yet?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.messages import AIMessageChunk


def together(chunks: Iterator[Any], *, hold: bool) -> Iterator[list[Any]]:
    """Yield the pieces of a stream, those before the first word together with it.

    Args:
        chunks: the stream.
        hold: whether to; otherwise each piece comes alone.
    """
    held: list[Any] = []
    for chunk in chunks:
        held.append(chunk)
        if hold and _says_nothing(chunk):
            continue
        hold = False
        yield held
        held = []
    if held:
        yield held


async def atogether(chunks: AsyncIterator[Any], *, hold: bool) -> AsyncIterator[list[Any]]:
    """Do the same with an asynchronous stream."""
    held: list[Any] = []
    async for chunk in chunks:
        held.append(chunk)
        if hold and _says_nothing(chunk):
            continue
        hold = False
        yield held
        held = []
    if held:
        yield held


def _says_nothing(chunk: Any) -> bool:
    """Tell whether a piece only tells that there is a stream, as providers begin theirs."""
    if not isinstance(chunk, AIMessageChunk):
        return False
    return not (chunk.content or chunk.tool_call_chunks or chunk.additional_kwargs)
