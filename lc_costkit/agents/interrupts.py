"""How does an interrupt get out of a routing policy?

A policy that fails must not lose the request, so whatever it raises is a fault. But one that asks a person
(``interrupt("May this go to the dear model?")``) has not failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from langgraph.errors import GraphBubbleUp

from lc_costkit.routing.around import Around, ask, ask_async
from lc_costkit.routing.policy import Policy, RouteDecision, RouteRequest


class _Passing(BaseException):
    """Carries what bubbles up past whoever catches an ``Exception``."""

    def __init__(self, carried: GraphBubbleUp) -> None:
        super().__init__(carried)
        self.carried = carried


class Interruptible(Around):
    """A policy whose interrupts are not taken for failures; to be asked within ``let_through()``."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self.policy = policy

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        """Ask the policy."""
        try:
            return ask(self.policy, request)
        except GraphBubbleUp as bubble:
            raise _Passing(bubble) from None

    async def acall(self, request: RouteRequest, /) -> RouteDecision:
        """Do the same, by the policy's ``acall`` if it has one."""
        try:
            return await ask_async(self.policy, request)
        except GraphBubbleUp as bubble:
            raise _Passing(bubble) from None


@contextmanager
def let_through() -> Iterator[None]:
    """Raise what bubbles up as what it was."""
    try:
        yield
    except _Passing as passing:
        raise passing.carried from None
