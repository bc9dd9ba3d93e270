"""How many tokens can a picture, a recording or a file in a prompt take at most?"""

from __future__ import annotations

import math
from collections.abc import Callable

IMAGE_TOKENS = 10_000
"""Of one image: the most patches any OpenAI model takes. Tiles take 1,445 at most, Claude 4,784, Gemini 2,240.

Read in the providers' guides to vision: OpenAI 85 + 170 for each of at most 8 tiles, or 32-pixel patches of which a
model takes up to 1,536 to 10,000; Anthropic pixels / 750, with long edges of up to 2,576 pixels.
"""

IMAGE_TOKENS_BY_MODEL = {"gpt-4o-mini": 2_833 + 8 * 5_667}
"""By the start of a model's name, where it is more: this one counts an image so that it costs what gpt-4o takes."""

_SPEECH_TOKENS_PER_SECOND = 32
"""Gemini's; OpenAI counts 10 (as cited in llama-index-core's ``AudioBlock``)."""

_VIDEO_TOKENS_PER_SECOND = 263 + _SPEECH_TOKENS_PER_SECOND
"""Gemini's, with sound (as cited in llama-index-core's ``VideoBlock``)."""

_SLOWEST_SPEECH = 750
"""Bytes of a second of sound at least: Opus begins at 6 kbit/s (RFC 6716)."""

_SLOWEST_VIDEO = 8_000
"""Bytes of a second of video at least, taken from 64 kbit/s, of which nobody can watch less."""

_FILE_TOKENS_PER_BYTE = 5
"""A page of a PDF takes up to 3,000 tokens as text and 4,784 as an image (Anthropic's guides), and 1,600 bytes."""


_UNKNOWN_WINDOW = 128_000
"""The most that a part of unknown length takes where the model does not say its window: a usual one (gpt-4o's)."""


def most_tokens_of(size: int | None, measure: Callable[[int], int], window: int | None) -> int:
    """Return the most that a part of a prompt can take.

    Args:
        size: its bytes; ``None`` where only who fetches it will know.
        measure: gives the most that so many bytes take.
        window: how many tokens the model takes in all; ``None`` where that is not known.

    >>> most_tokens_of(1000, file_tokens, 4096), most_tokens_of(None, file_tokens, None)
    (4096, 128000)
    """
    if size is None:
        return window or _UNKNOWN_WINDOW
    # What does not fit the window is refused by the provider, and costs nothing.
    return min(measure(size), window) if window else measure(size)


def image_tokens(model: str | None) -> int:
    """Return the most that one image can take of a prompt.

    >>> image_tokens("gpt-4o-mini-2024-07-18"), image_tokens("claude-haiku-4-5")
    (48169, 10000)
    """
    name = (model or "").rpartition("/")[2].lower()
    return next((most for start, most in IMAGE_TOKENS_BY_MODEL.items() if name.startswith(start)), IMAGE_TOKENS)


def audio_tokens(size: int) -> int:
    """Return the most that a recording of ``size`` bytes can take of a prompt.

    >>> audio_tokens(75_000)
    3200
    """
    return math.ceil(size * _SPEECH_TOKENS_PER_SECOND / _SLOWEST_SPEECH)


def video_tokens(size: int) -> int:
    """Return the most that a film of ``size`` bytes can take of a prompt."""
    return math.ceil(size * _VIDEO_TOKENS_PER_SECOND / _SLOWEST_VIDEO)


def file_tokens(size: int) -> int:
    """Return the most that a document of ``size`` bytes can take of a prompt."""
    return size * _FILE_TOKENS_PER_BYTE
