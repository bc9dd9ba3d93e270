"""How does one ask an LLM so that no cache answers?"""

from __future__ import annotations

from llama_index.core.llms import LLM
from llama_index.core.llms.structured_llm import StructuredLLM

from lc_costkit.llama_index.budgeted import BudgetedLLM
from lc_costkit.llama_index.llm import CachedLLM
from lc_costkit.llama_index.many_llms import ManyLLMs


def uncached(llm: LLM) -> LLM:
    """Return an LLM without the caches before it, and before what it calls."""
    if isinstance(llm, CachedLLM):
        return uncached(llm.llm)
    if isinstance(llm, (BudgetedLLM, StructuredLLM)):
        return llm.model_copy(update={"llm": uncached(llm.llm)})
    if isinstance(llm, ManyLLMs):
        return llm.model_copy(update={"targets": {name: uncached(one) for name, one in llm.targets.items()}})
    return llm
