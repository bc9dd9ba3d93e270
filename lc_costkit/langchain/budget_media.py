"""How many tokens can the parts of a LangChain message take that its text leaves out?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from lc_costkit.budget.media import audio_tokens, file_tokens, image_tokens, most_tokens_of, video_tokens

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
_CALLS = frozenset({"tool_use", "tool_call", "function_call"})
_BASE64_BYTES = 3 / 4


def media_tokens(messages: Sequence[BaseMessage], model: str | None, window: int | None) -> int:
    """Return the most tokens that images, recordings, films and files take.

    Args:
        messages: what is sent.
        model: to which model.
        window: how many tokens it takes; ``None`` where that is not known.
    """
    found = 0
    for message in messages:
        for block in _blocks(message.content):
            found += _tokens(block, model, window)
    return found


def other_text(message: BaseMessage) -> str:
    """Return what a message holds that is neither its text nor a tool call nor media: thinking, what a search found."""
    blocks = [block for block in message.content if isinstance(block, Mapping)] if message.content else []
    kept = [block for block in blocks if block.get("type") not in _TEXTS | _CALLS | _IMAGES | _MEASURES.keys()]
    return json.dumps([_without_media(block) for block in kept], ensure_ascii=False, default=str) if kept else ""


def _blocks(content: object) -> Iterator[Mapping[str, Any]]:
    """Yield blocks, and those inside of a tool's result."""
    for block in content if isinstance(content, list) else ():
        if isinstance(block, Mapping):
            yield block
            if block.get("type") == "tool_result":
                yield from _blocks(block.get("content"))


def _without_media(block: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = block.get("content")
    if block.get("type") != "tool_result" or not isinstance(inner, list):
        return block
    return {**block, "content": [one for one in inner if not isinstance(one, Mapping) or one.get("type") in _TEXTS]}


def _tokens(block: Mapping[str, Any], model: str | None, window: int | None) -> int:
    kind = str(block.get("type"))
    if kind in _IMAGES:
        return image_tokens(model)
    if kind not in _MEASURES:
        return 0
    return most_tokens_of(_size(block), _MEASURES[kind], window)


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
