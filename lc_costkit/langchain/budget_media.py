"""How many tokens can the parts of a LangChain message take that its text leaves out?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from lc_costkit.budget.media import audio_tokens, file_tokens, image_tokens, video_tokens

_UNKNOWN_WINDOW = 128_000
"""The most that a part of unknown length takes where the model does not say its window: a usual one (gpt-4o's)."""

_IMAGES = frozenset({"image", "image_url", "input_image"})
_MEASURES = {
    "audio": audio_tokens,
    "input_audio": audio_tokens,
    "video": video_tokens,
    "video_url": video_tokens,
    "file": file_tokens,
    "input_file": file_tokens,
    "document": file_tokens,
    "text-plain": file_tokens,
    "media": video_tokens,
}
"""What a block of a type takes by its bytes; ``media`` (Google's) may hold anything, film being the most."""

_DATA = ("data", "base64", "file_data", "url", "image_url", "video_url")
_INSIDE = ("source", "file", "input_audio", "content", "image_url", "video_url")
_TEXTS = frozenset({"text", "input_text", "output_text"})
_BASE64_BYTES = 3 / 4


def beside_the_text(messages: Sequence[BaseMessage], model: str | None, window: int | None) -> int:
    """Return the most tokens that images, recordings, films, files and other blocks take.

    Args:
        messages: what is sent.
        model: to which model.
        window: how many tokens it takes; ``None`` where that is not known.
    """
    found = 0
    for message in messages:
        if not isinstance(message.content, str):
            for block in message.content:
                found += _tokens(block, model, window) if isinstance(block, Mapping) else 0
    return found


def _tokens(block: Mapping[str, Any], model: str | None, window: int | None) -> int:
    kind = block.get("type")
    if kind in _TEXTS:
        return 0
    if kind in _IMAGES:
        return image_tokens(model)
    if kind in _MEASURES:
        size = _size(block)
        if size is None:
            return window or _UNKNOWN_WINDOW
        # What does not fit the window is refused by the provider, and costs nothing.
        return min(_MEASURES[str(kind)](size), window) if window else _MEASURES[str(kind)](size)
    inner = block.get("content")
    if kind == "tool_result" and isinstance(inner, list):
        texts = sum(
            len(str(one.get("text"))) for one in inner if isinstance(one, Mapping) and one.get("type") in _TEXTS
        )
        return 4 * texts + sum(_tokens(one, model, window) for one in inner if isinstance(one, Mapping))
    # Thinking, tool calls, searches that go back to the provider: no text has more tokens than bytes.
    return len(json.dumps(block, default=str).encode())


def _size(block: Mapping[str, Any]) -> int | None:
    """Return how many bytes a block holds; ``None`` where only who fetches it will know."""
    for data in _pieces(block):
        if isinstance(data, bytes):
            return len(data)
        head, comma, body = data.partition(",")
        if data.startswith("data:") and comma:
            return int(len(body) * _BASE64_BYTES) if head.endswith("base64") else len(body)
        if "://" not in data[:12]:
            return len(data) if block.get("type") == "text-plain" else int(len(data) * _BASE64_BYTES) + 1
    return None


def _pieces(block: Mapping[str, Any]) -> Iterator[str | bytes]:
    for name in _DATA:
        if isinstance(value := block.get(name), (str, bytes)) and value:
            # The text of a plain document counts its own bytes; as base64 it would count too few.
            plain = block.get("type") == "text" and name == "data"
            yield value.encode() if plain and isinstance(value, str) else value
    for name in _INSIDE:
        if isinstance(inside := block.get(name), Mapping):
            yield from _pieces(inside)
