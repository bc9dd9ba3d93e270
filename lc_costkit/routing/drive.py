"""Who carries out the steps of an escalation?

The escalation decides, and calls nobody. A framework's part gives two functions, which call a target and draw further
samples; the drivers below pass on what these return and raise.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Literal, overload

from lc_costkit.routing.attempts import Draw, Drawn, Examine, Settled, Step, Tried, Try


class Walk:
    """Where an escalation stands.

    Attributes:
        step: what is to be done next, or how it was settled.
    """

    __slots__ = ("_run", "step")

    def __init__(self, run: Generator[Step, Any, Settled]) -> None:
        self._run = run
        self.step: Step | Settled
        self.send(None)

    def send(self, result: Any) -> Step | Settled:
        """Go on with what a step gave."""
        try:
            self.step = self._run.send(result)
        except StopIteration as done:
            self.step = done.value
        return self.step

    def throw(self, error: Exception) -> Step | Settled:
        """Go on after a step raised.

        Raises:
            Exception: the error, where there is no way around it.
        """
        try:
            self.step = self._run.throw(error)
        except StopIteration as done:
            self.step = done.value
        return self.step


@overload
def sync_drive(
    walk: Walk, *, call: Callable[[Try], Tried], draw: Callable[[Draw], Drawn], until_live: Literal[False] = False
) -> Settled: ...


@overload
def sync_drive(
    walk: Walk, *, call: Callable[[Try], Tried], draw: Callable[[Draw], Drawn], until_live: Literal[True]
) -> Try | Settled: ...


def sync_drive(
    walk: Walk, *, call: Callable[[Try], Tried], draw: Callable[[Draw], Drawn], until_live: bool = False
) -> Try | Settled:
    """Carry out steps until the request is settled.

    Args:
        walk: the escalation.
        call: calls a target.
        draw: draws further answers of it.
        until_live: stop before a call whose answer may be streamed; the caller makes it, and gives the walk what
            came of it.

    Returns:
        How it was settled; with ``until_live`` perhaps the call that is to be made.

    Raises:
        Exception: what a target raised, where there is no way around it.
    """
    while not isinstance(step := walk.step, Settled):
        if until_live and isinstance(step, Try) and step.live:
            return step
        try:
            result: Any = call(step) if isinstance(step, Try) else draw(step) if isinstance(step, Draw) else None
            if isinstance(step, Examine):
                result = step.check(step.request, step.answer)
                if inspect.isawaitable(result):
                    _discard(result)
                    raise TypeError("the check is asynchronous; call the cascade with ainvoke or astream")
        except Exception as error:
            walk.throw(error)
        else:
            walk.send(result)
    return step


@overload
async def async_drive(
    walk: Walk,
    *,
    call: Callable[[Try], Awaitable[Tried]],
    draw: Callable[[Draw], Awaitable[Drawn]],
    until_live: Literal[False] = False,
) -> Settled: ...


@overload
async def async_drive(
    walk: Walk,
    *,
    call: Callable[[Try], Awaitable[Tried]],
    draw: Callable[[Draw], Awaitable[Drawn]],
    until_live: Literal[True],
) -> Try | Settled: ...


async def async_drive(
    walk: Walk,
    *,
    call: Callable[[Try], Awaitable[Tried]],
    draw: Callable[[Draw], Awaitable[Drawn]],
    until_live: bool = False,
) -> Try | Settled:
    """Do what ``sync_drive`` does, and await checks that can be: by their ``acall`` if they have one."""
    while not isinstance(step := walk.step, Settled):
        if until_live and isinstance(step, Try) and step.live:
            return step
        try:
            if isinstance(step, Examine):
                ask = getattr(step.check, "acall", step.check)
                result: Any = ask(step.request, step.answer)
                result = await result if inspect.isawaitable(result) else result
            else:
                result = await (call(step) if isinstance(step, Try) else draw(step))
        except Exception as error:
            walk.throw(error)
        else:
            walk.send(result)
    return step


def _discard(answer: Any) -> None:
    close = getattr(answer, "close", None)
    if close is not None:
        close()
