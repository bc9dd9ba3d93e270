"""How does the work of the kit leave the event loop?"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_MOMENT_SECONDS = 0.25
"""How long ``in_another_thread`` waits for it: hundreds of times what a settlement takes, and soon over where that
waits itself."""


async def off_loop(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a function that does not raise in a thread, or here where there is no thread to be had.

    At the end of the interpreter, and at the limit of threads, asyncio raises ``RuntimeError``
    instead of starting one; an answer that was paid for must not be lost to that.
    """
    try:
        return await asyncio.to_thread(function, *args, **kwargs)
    except RuntimeError:
        return function(*args, **kwargs)


async def to_its_end(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Do what ``off_loop`` does; once called it is done, even if the caller is cancelled or the event loop ends.

    A task around it would be cancelled with all others when the loop ends, and take work that waits
    for a thread along.
    """
    loop = asyncio.get_running_loop()
    work = partial(contextvars.copy_context().run, partial(function, *args, **kwargs))
    try:
        done = loop.run_in_executor(None, work)
    except RuntimeError:
        return function(*args, **kwargs)
    return await asyncio.shield(done)


async def in_own_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a function that may take as long as a model does in a thread of its own.

    The threads of the event loop are few, four more than processors: with as many slow calls in them, every
    quick one would wait. The thread keeps no process alive; where none is to be had, it is one of the loop's.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: _T | None, error: BaseException | None) -> None:
        if done.done():
            return  # the caller was cancelled
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # there is one where there is no error

    def run() -> None:
        result: _T | None = None
        error: BaseException | None = None
        try:
            result = context.run(function, *args, **kwargs)
        except BaseException as raised:  # it belongs to who waits
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            return  # the loop was closed meanwhile: nobody waits

    try:
        threading.Thread(target=run, name="lc_costkit-judge", daemon=True).start()
    except RuntimeError:
        return await off_loop(function, *args, **kwargs)
    return await done


def in_another_thread(function: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> None:
    """Run a function that does not raise in a thread, and wait a moment for it.

    For what a generator does when it is closed: the garbage collector may close it in the middle of anything,
    also of a transaction of this thread, which would wait for itself.
    """
    thread = threading.Thread(target=contextvars.copy_context().run, args=(lambda: function(*args, **kwargs),))
    try:
        thread.start()
    except RuntimeError:
        function(*args, **kwargs)
        return
    thread.join(_MOMENT_SECONDS)
