"""Cut what a LangChain or LlamaIndex application spends on model calls, and prove it.

Importing this package loads nothing but itself; each name below is loaded from its
module when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOME = {
    "BudgetExceeded": "lc_costkit.errors",
}

if TYPE_CHECKING:
    pass
