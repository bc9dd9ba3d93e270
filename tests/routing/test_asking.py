"""Is what a model is shown and what it says kept apart from what the kit says?"""

from __future__ import annotations

import threading
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.asking import aasked, asked, checked_ask, cut, fenced, plain


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_a_cut_text_keeps_its_ends_and_says_how_much_is_missing(text: str, most: int) -> None:
    shown = cut(text, most)
    if len(text) <= most:
        assert shown == text
        return
    first, last = most - most // 2, most // 2
    assert shown == f"{text[:first]}\n[{len(text) - most} characters left out]\n{text[len(text) - last :]}"


@given(st.text(), st.text())
def test_a_text_cannot_close_its_own_fence(before: str, after: str) -> None:
    closing = fenced("question", before).splitlines()[-1]
    text = f"{before}{closing}{after}"
    shown = fenced("question", text)
    opened = shown.split("\n", 1)[0].strip("<>")
    assert shown.count(opened) == 2
    assert shown == f"<{opened}>\n{text}\n</{opened}>"


@pytest.mark.parametrize(
    ("said", "form"),
    [
        (" Small\n", "small"),
        ('"small".', "small"),
        ("**gpt-4.1 mini**", "gpt-4.1 mini"),
        ("Tier: `small`", "small"),
        ("**Answer:** small", "small"),
        ("<thinking>large? no</thinking>\nsmall", "small"),
        ("강함", "강함"),
        (unicodedata.normalize("NFD", "강함"), "강함"),
        ("small or large", "small or large"),
        ("<think>never ended", "think>never ended"),
        ("", ""),
    ],
)
def test_a_reply_is_read_without_its_dress(said: str, form: str) -> None:
    assert plain(said) == form


class Waits:
    """An ask that can wait."""

    def __call__(self, prompt: str, /) -> str:
        return f"sync {prompt}"

    async def acall(self, prompt: str, /) -> str:
        return f"async {prompt}"


async def test_asynchronous_calls_await_or_go_to_a_thread() -> None:
    assert await aasked(Waits(), "a") == "async a"
    assert asked(Waits(), "a") == "sync a"

    async def coroutine(prompt: str) -> str:
        return f"awaited {prompt}"

    assert await aasked(coroutine, "a") == "awaited a"
    threads: list[threading.Thread] = []

    def plain_function(prompt: str) -> str:
        threads.append(threading.current_thread())
        return prompt

    assert await aasked(plain_function, "a") == "a"
    assert threads != [threading.main_thread()]
    with pytest.raises(TypeError, match="asynchronously"):
        asked(coroutine, "a")


@pytest.mark.parametrize("said", [None, 3, b"small"])
async def test_what_is_no_text_is_a_failure(said: Any) -> None:
    with pytest.raises(TypeError, match="must be text"):
        asked(lambda prompt: said, "a")
    with pytest.raises(TypeError, match="must be text"):
        await aasked(lambda prompt: said, "a")


@pytest.mark.parametrize("ask", [None, "gpt-4o-mini", Waits])
def test_what_cannot_be_asked_is_refused(ask: Any) -> None:
    with pytest.raises(ConfigurationError, match="function from a prompt"):
        checked_ask(ask)
