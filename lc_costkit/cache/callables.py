"""Can what a user gave be called the way the cache calls it?"""

from __future__ import annotations

import inspect


def takes(function: object, count: int) -> bool:
    """Tell whether so many positional arguments fit; ``True`` where a callable does not say what it takes.

    >>> takes(lambda cached, new: None, 2), takes(lambda cached: None, 2), takes(max, 2)
    (True, False, True)
    """
    if not callable(function):
        return False
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a builtin, or made in C
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def is_coroutine(function: object) -> bool:
    """Tell whether calling this gives something to be awaited."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
