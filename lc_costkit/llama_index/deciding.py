"""How does a cache tell LLMs apart that choose among the same targets in different ways?"""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType, FunctionType, MethodType

from llama_index.core.llms import LLM

_DEPTH = 5
"""How far into a policy its settings are read: one around two others, each with a table."""


def how_it_decides(decider: object, depth: int = _DEPTH) -> object:
    """Return what is set in a policy or a check, in words: its kind, and its public attributes.

    What it remembers from call to call is private, and so are weights it has learned: two policies of one kind that
    were fitted on different data pass for the same. An LLM that it asks is told.
    """
    if decider is None or isinstance(decider, (str, int, float, CodeType, LLM)):
        return decider
    kind = decider if isinstance(decider, (type, FunctionType)) else type(decider)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if depth == 0 or isinstance(decider, type):
        return name
    if isinstance(decider, Mapping):
        return {str(key): how_it_decides(value, depth - 1) for key, value in decider.items()}
    if isinstance(decider, (list, tuple)):
        return [how_it_decides(each, depth - 1) for each in decider]
    if isinstance(decider, FunctionType):
        held = [cell.cell_contents for cell in decider.__closure__ or ()]
        return [name, decider.__code__, how_it_decides([held, decider.__defaults__], depth - 1)]
    if isinstance(decider, MethodType):
        return [decider.__func__.__qualname__, how_it_decides(decider.__self__, depth - 1)]
    names = [*getattr(decider, "__dict__", ()), *getattr(kind, "__slots__", ())]
    found = {each: getattr(decider, each, None) for each in names if not each.startswith("__")}
    return [
        name,
        {
            each: how_it_decides(value, depth - 1)
            for each, value in found.items()
            if not each.startswith("_") or isinstance(value, LLM)
        },
    ]
