"""Which error is no failure, but a way out of a graph?"""

from __future__ import annotations

_BUBBLES = "GraphBubbleUp"
"""What LangGraph's interrupts and commands to a parent are, by name: nothing here imports a framework."""


def leaves_graph(error: BaseException) -> bool:
    """Tell whether somebody leaves a graph with it, to ask a person (``interrupt("May it?")``), say.

    To take it for a fault would lose the question; the graph asks again where it goes on.
    """
    return any(kind.__name__ == _BUBBLES for kind in type(error).__mro__)
