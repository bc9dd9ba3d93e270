"""Cut what a LangChain or LlamaIndex application spends on model calls, and prove it.

Importing this package loads neither framework, nor FAISS, nor an SDK: each name below
is loaded from its module when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lc_costkit.budget.budget import Budget
    from lc_costkit.budget.rate_limit import RateLimit
    from lc_costkit.budget.status import BudgetStatus
    from lc_costkit.cache.calibration import Calibration
    from lc_costkit.cache.declared import question
    from lc_costkit.cache.judging import GreyZone, JudgeCase, Judgement
    from lc_costkit.cache.pairs import LabelledPair
    from lc_costkit.cache.point import OperatingPoint
    from lc_costkit.cache.policy import Policy
    from lc_costkit.cache.policy_report import PolicyReport
    from lc_costkit.cache.verify import Sampled
    from lc_costkit.discounts import Discount
    from lc_costkit.errors import (
        BudgetExceeded,
        BudgetUnavailable,
        ConfigurationError,
        CostKitError,
        EmbedderError,
        MissingDependency,
        StoreError,
    )
    from lc_costkit.fixed import FixedCost
    from lc_costkit.langchain.answer_judge import AnswerJudge
    from lc_costkit.langchain.budgeted import budgeted
    from lc_costkit.langchain.cache import SemanticCache
    from lc_costkit.langchain.callbacks import CostCallbackHandler
    from lc_costkit.langchain.cascade import Cascade
    from lc_costkit.langchain.classifier import LLMClassifier
    from lc_costkit.langchain.compressor import ContextPruner
    from lc_costkit.langchain.embeddings import metered_embeddings
    from lc_costkit.langchain.judging import ModelJudge
    from lc_costkit.langchain.retriever import PruningRetriever
    from lc_costkit.langchain.router import ModelRouter
    from lc_costkit.ledger import Ledger
    from lc_costkit.pricing import Cost, ModelPrice, PriceBook
    from lc_costkit.record import CallRecord
    from lc_costkit.report import Report
    from lc_costkit.routing.answer_score import AnswerScore
    from lc_costkit.routing.canary import canary
    from lc_costkit.routing.cheapest import Cheapest
    from lc_costkit.routing.first_sure import first_sure
    from lc_costkit.routing.learned import Learned
    from lc_costkit.routing.outcomes import LabelledPrompt
    from lc_costkit.routing.report import RoutingReport
    from lc_costkit.routing.rules import Rules
    from lc_costkit.routing.sticky import sticky
    from lc_costkit.tokens import TokenCounter
    from lc_costkit.usage import TokenUsage
else:
    _HOMES = {
        "lc_costkit.budget.budget": ("Budget",),
        "lc_costkit.budget.rate_limit": ("RateLimit",),
        "lc_costkit.budget.status": ("BudgetStatus",),
        "lc_costkit.cache.calibration": ("Calibration",),
        "lc_costkit.cache.declared": ("question",),
        "lc_costkit.cache.judging": ("GreyZone", "JudgeCase", "Judgement"),
        "lc_costkit.cache.pairs": ("LabelledPair",),
        "lc_costkit.cache.point": ("OperatingPoint",),
        "lc_costkit.cache.policy": ("Policy",),
        "lc_costkit.cache.policy_report": ("PolicyReport",),
        "lc_costkit.cache.verify": ("Sampled",),
        "lc_costkit.discounts": ("Discount",),
        "lc_costkit.errors": (
            "BudgetExceeded",
            "BudgetUnavailable",
            "ConfigurationError",
            "CostKitError",
            "EmbedderError",
            "MissingDependency",
            "StoreError",
        ),
        "lc_costkit.fixed": ("FixedCost",),
        "lc_costkit.langchain.answer_judge": ("AnswerJudge",),
        "lc_costkit.langchain.budgeted": ("budgeted",),
        "lc_costkit.langchain.cache": ("SemanticCache",),
        "lc_costkit.langchain.callbacks": ("CostCallbackHandler",),
        "lc_costkit.langchain.cascade": ("Cascade",),
        "lc_costkit.langchain.classifier": ("LLMClassifier",),
        "lc_costkit.langchain.compressor": ("ContextPruner",),
        "lc_costkit.langchain.embeddings": ("metered_embeddings",),
        "lc_costkit.langchain.judging": ("ModelJudge",),
        "lc_costkit.langchain.retriever": ("PruningRetriever",),
        "lc_costkit.langchain.router": ("ModelRouter",),
        "lc_costkit.ledger": ("Ledger",),
        "lc_costkit.pricing": ("Cost", "ModelPrice", "PriceBook"),
        "lc_costkit.record": ("CallRecord",),
        "lc_costkit.report": ("Report",),
        "lc_costkit.routing.answer_score": ("AnswerScore",),
        "lc_costkit.routing.canary": ("canary",),
        "lc_costkit.routing.cheapest": ("Cheapest",),
        "lc_costkit.routing.first_sure": ("first_sure",),
        "lc_costkit.routing.learned": ("Learned",),
        "lc_costkit.routing.outcomes": ("LabelledPrompt",),
        "lc_costkit.routing.report": ("RoutingReport",),
        "lc_costkit.routing.rules": ("Rules",),
        "lc_costkit.routing.sticky": ("sticky",),
        "lc_costkit.tokens": ("TokenCounter",),
        "lc_costkit.usage": ("TokenUsage",),
    }

    def __getattr__(name: str) -> object:
        for home, names in _HOMES.items():
            if name in names:
                from importlib import import_module

                value = getattr(import_module(home), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted(set(globals()) | set(__all__))


__all__ = [
    "AnswerJudge",
    "AnswerScore",
    "Budget",
    "BudgetExceeded",
    "BudgetStatus",
    "BudgetUnavailable",
    "Calibration",
    "CallRecord",
    "Cascade",
    "Cheapest",
    "ConfigurationError",
    "ContextPruner",
    "Cost",
    "CostCallbackHandler",
    "CostKitError",
    "Discount",
    "EmbedderError",
    "FixedCost",
    "GreyZone",
    "JudgeCase",
    "Judgement",
    "LLMClassifier",
    "LabelledPair",
    "LabelledPrompt",
    "Learned",
    "Ledger",
    "MissingDependency",
    "ModelJudge",
    "ModelPrice",
    "ModelRouter",
    "OperatingPoint",
    "Policy",
    "PolicyReport",
    "PriceBook",
    "PruningRetriever",
    "RateLimit",
    "Report",
    "RoutingReport",
    "Rules",
    "Sampled",
    "SemanticCache",
    "StoreError",
    "TokenCounter",
    "TokenUsage",
    "__version__",
    "budgeted",
    "canary",
    "first_sure",
    "metered_embeddings",
    "question",
    "sticky",
]
