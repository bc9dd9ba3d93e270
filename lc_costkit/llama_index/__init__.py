"""The LlamaIndex face: the same cache, router, cascade, pruner and meter, over the same core."""

from __future__ import annotations

from lc_costkit.errors import MissingDependency

try:
    import llama_index.core  # noqa: F401
except ImportError as error:
    raise MissingDependency("lc_costkit.llama_index", "llama-index") from error

from lc_costkit.llama_index.answer_judge import AnswerJudge
from lc_costkit.llama_index.budgeted import budgeted_llm
from lc_costkit.llama_index.cascade import cascade_llm
from lc_costkit.llama_index.classifier import LLMClassifier
from lc_costkit.llama_index.embeddings import metered_embedding
from lc_costkit.llama_index.events import instrument
from lc_costkit.llama_index.handler import CostEventHandler
from lc_costkit.llama_index.hits import CacheHitEvent, CacheMissEvent
from lc_costkit.llama_index.judging import ModelJudge
from lc_costkit.llama_index.llm import cached_llm
from lc_costkit.llama_index.postprocessor import PruneEvent, PruningPostprocessor
from lc_costkit.llama_index.refusals import BudgetExceededEvent
from lc_costkit.llama_index.routed import RouteEvent, routed_llm
from lc_costkit.llama_index.selector import ModelSelector

__all__ = [
    "AnswerJudge",
    "BudgetExceededEvent",
    "CacheHitEvent",
    "CacheMissEvent",
    "CostEventHandler",
    "LLMClassifier",
    "ModelJudge",
    "ModelSelector",
    "PruneEvent",
    "PruningPostprocessor",
    "RouteEvent",
    "budgeted_llm",
    "cached_llm",
    "cascade_llm",
    "instrument",
    "metered_embedding",
    "routed_llm",
]
