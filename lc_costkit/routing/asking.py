"""How do a policy and a check ask a model for one word, whatever the framework?"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import re
import unicodedata
from collections.abc import Awaitable
from typing import Protocol

from lc_costkit.errors import ConfigurationError


class Ask(Protocol):
    """Asks a model; a plain function from a prompt to its answer is one.

    Optional: an ``acall`` coroutine method, which asynchronous calls await. Without one they ask on a thread.
    """

    def __call__(self, prompt: str, /) -> str | Awaitable[str]:
        """Return what the model answers."""
        ...


def checked_ask(ask: Ask) -> Ask:
    """Return ``ask`` if it can be called.

    Raises:
        ConfigurationError: it cannot.
    """
    if not callable(ask) or isinstance(ask, type):
        raise ConfigurationError(f"give a function from a prompt to a model's answer, not {ask!r:.200}")
    return ask


def asked(ask: Ask, prompt: str) -> str:
    """Ask, and return the answer's text.

    Raises:
        TypeError: the answer is no text, or ``ask`` is asynchronous.
        Exception: what ``ask`` raised.
    """
    said = ask(prompt)
    if inspect.isawaitable(said):
        close = getattr(said, "close", None)
        if close is not None:
            close()
        raise TypeError("the model can only be asked asynchronously; use ainvoke or astream")
    return _text(said)


async def aasked(ask: Ask, prompt: str) -> str:
    """Do the same by ``acall``, or on a thread where there is none."""
    acall = getattr(ask, "acall", None)
    if acall is not None:
        return _text(await acall(prompt))
    if inspect.iscoroutinefunction(ask) or inspect.iscoroutinefunction(getattr(ask, "__call__", None)):  # noqa: B004
        said: object = ask(prompt)
    else:
        said = await asyncio.to_thread(ask, prompt)
    return _text(await said if inspect.isawaitable(said) else said)


def cut(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters and a note: its first and last halves, where it is longer.

    >>> cut("0123456789", 4)
    '01\\n[6 characters left out]\\n89'
    """
    if len(text) <= most:
        return text
    return f"{text[: most - most // 2]}\n[{len(text) - most} characters left out]\n{text[len(text) - most // 2 :]}"


def fenced(name: str, text: str) -> str:
    """Put a text between marks that it cannot hold, so that nothing in it passes for what stands outside.

    >>> fenced("question", "Hi").splitlines()[1]
    'Hi'
    """
    # The mark depends on the whole text: whoever writes it into the text changes it.
    mark = f"{name}-{hashlib.blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
    return f"<{mark}>\n{text}\n</{mark}>"


def plain(text: str) -> str:
    """Return a name or a reply without case, spaces and marks around it, and without thoughts written before it.

    >>> plain("<think>Hm, large?</think> **Small**."), plain("Tier: `large`")
    ('small', 'large')
    """
    said = re.sub(r"(?s)^\s*<think(?:ing)?>.*?</think(?:ing)?>", "", text)
    said = " ".join(unicodedata.normalize("NFKC", said).casefold().split()).strip(_MARKS)
    return _HEADING.sub("", said).strip(_MARKS)


_MARKS = " \"'`*_()[]{}<>.!。"
_HEADING = re.compile(r"^(?:tier|answer|verdict|score)[\s\"'`*_]*[:=]")


def _text(said: object) -> str:
    if not isinstance(said, str):
        raise TypeError(f"the model's answer must be text, not {type(said).__name__}")
    return said
