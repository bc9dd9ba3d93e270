"""How does the work of the cache leave the event loop?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def off_loop(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a function that does not raise in a thread, or here where there is no thread to be had.

    At the end of the interpreter, and at the limit of threads, asyncio raises ``RuntimeError``
    instead of starting one; an answer that was paid for must not be lost to that.
    """
    try:
        return await asyncio.to_thread(function, *args, **kwargs)
    except RuntimeError:
        return function(*args, **kwargs)
