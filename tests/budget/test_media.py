"""Is what media can take never below what providers say they take?"""

from __future__ import annotations

import pytest

from lc_costkit.budget.media import audio_tokens, file_tokens, image_tokens, video_tokens


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("gpt-4o-mini", 2_833 + 8 * 5_667),  # two by four tiles
        ("openai/GPT-4o-mini-2024-07-18", 2_833 + 8 * 5_667),
        ("gpt-4o", 85 + 8 * 170),
        ("gpt-4.1-nano", 1_536 * 2.46),
        ("claude-opus-4-8", 4_784),
        ("gemini-3-pro", 2_240),
        (None, 4_784),
    ],
)
def test_an_image_is_never_more(model: str | None, most: float) -> None:
    assert image_tokens(model) >= most


def test_sound_and_film_are_never_more_than_at_the_lowest_rate() -> None:
    minute_of_opus, minute_of_film = 60 * 6_000 // 8, 60 * 64_000 // 8
    assert audio_tokens(minute_of_opus) >= 60 * 32
    assert video_tokens(minute_of_film) >= 60 * (263 + 32)
    assert audio_tokens(0) == video_tokens(0) == file_tokens(0) == 0
    assert audio_tokens(1) == video_tokens(1) == 1


def test_a_file_is_never_more_than_its_pages_as_text_and_image() -> None:
    assert file_tokens(1_600 * 100) >= 100 * (3_000 + 4_784)
