"""How many tokens can the parts of a LlamaIndex message take that are no text?"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW

from lc_costkit.budget.media import audio_tokens, file_tokens, image_tokens, most_tokens_of, video_tokens

_MEASURES = {
    "audio": ("audio", audio_tokens),
    "video": ("video", video_tokens),
    "document": ("data", file_tokens),
}
"""Where a block keeps its data, and what that takes."""

_INNER = ("content", "cited_content", "blocks")
"""Where blocks keep other blocks."""


def media_tokens(messages: Sequence[ChatMessage], model: str | None, context_window: int | None) -> int:
    """Return the most that images, recordings, films and files can take.

    Args:
        messages: what is sent.
        model: to which model.
        context_window: what the LLM says it takes; LlamaIndex's default says nothing.
    """
    known = context_window if context_window and context_window != DEFAULT_CONTEXT_WINDOW else None
    found = 0
    for block in all_blocks(block for message in messages for block in message.blocks):
        if block.block_type == "image":
            found += image_tokens(model)
        elif block.block_type in _MEASURES:
            source, measure = _MEASURES[block.block_type]
            found += most_tokens_of(_size(block, source), measure, known)
    return found


def all_blocks(blocks: Iterable[Any]) -> Iterator[Any]:
    """Return blocks with those inside them."""
    for block in blocks:
        yield block
        for name in _INNER:
            inside = vars(block).get(name)
            if inside is not None and not isinstance(inside, str):
                yield from all_blocks(inside if isinstance(inside, (list, tuple)) else (inside,))


def _size(block: Any, source: str) -> int | None:
    """Return how many bytes a block holds; ``None`` where only who fetches it will know."""
    data = getattr(block, source, None)
    if isinstance(data, (bytes, str)):
        return len(data)
    path = getattr(block, "path", None)
    try:
        if path:
            return Path(path).stat().st_size
        if data is not None and data.seekable():
            here = data.tell()
            size: int = data.seek(0, os.SEEK_END)
            data.seek(here)
            return size
    except (OSError, ValueError, AttributeError):
        return None
    return None
