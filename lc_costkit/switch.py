"""Is the kit switched off, and which modes may a part run in?"""

from __future__ import annotations

import os
from typing import Literal

from lc_costkit.errors import ConfigurationError

DISABLE_VARIABLE = "LC_COSTKIT_DISABLE"

Mode = Literal["on", "observe"]
"""``on`` acts on its decisions; ``observe`` only records what it would have done."""


def disabled() -> bool:
    """Tell whether ``LC_COSTKIT_DISABLE`` makes every part of the kit transparent.

    Read on every call, so that an operator can set it in a running process.
    """
    return os.environ.get(DISABLE_VARIABLE, "").strip().lower() not in ("", "0", "false", "no", "off")


def checked_mode(mode: str) -> Mode:
    """Return ``mode`` if it is one.

    Raises:
        ConfigurationError: it is neither ``on`` nor ``observe``.
    """
    if mode == "on":
        return "on"
    if mode == "observe":
        return "observe"
    raise ConfigurationError(f"mode must be 'on' or 'observe', not {mode!r}")
