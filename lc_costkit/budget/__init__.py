"""Limits that hold: reserve the most a call can take, settle what it took.

``budgeted`` and ``budgeted_llm`` do it for models of LangChain and LlamaIndex; ``Gate`` is what
they stand on, for whoever calls a provider's client directly.
"""

from lc_costkit.budget.budget import Budget
from lc_costkit.budget.ceiling import Ceiling, ceiling_of
from lc_costkit.budget.claim import Claim
from lc_costkit.budget.gate import CHEAPEST, Admission, Gate
from lc_costkit.budget.rate_limit import RateLimit
from lc_costkit.budget.status import AccountStatus, BudgetStatus

__all__ = [
    "CHEAPEST",
    "AccountStatus",
    "Admission",
    "Budget",
    "BudgetStatus",
    "Ceiling",
    "Claim",
    "Gate",
    "RateLimit",
    "ceiling_of",
]
