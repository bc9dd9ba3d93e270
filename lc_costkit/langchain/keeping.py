"""How is an answer that is not the model's own kept out of the caches?

A call that a budget sent to a cheaper model, or answered with a text, would otherwise be
stored as what the dear model says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.caches import BaseCache
from langchain_core.globals import get_llm_cache
from langchain_core.outputs import ChatGeneration, Generation

from lc_costkit.langchain.model_call import view
from lc_costkit.marks import BUDGET_KEY, MARK


def keeping_own_answers(model: Any) -> Any:
    """Return the same model with its cache, or the global one, told to keep the model's own answers only."""
    if model.cache is False:
        return model
    cache = model.cache if isinstance(model.cache, BaseCache) else get_llm_cache()
    if cache is None or isinstance(cache, _OwnAnswers):
        return model
    if model.is_lc_serializable():
        _ = model._serialized  # now, so that every view has it and it is made once
    seen = view(model, type(model))
    object.__setattr__(seen, "__dict__", {**model.__dict__, "cache": _OwnAnswers(cache)})
    return seen


def not_its_own(generation: Generation) -> bool:
    """Tell whether an answer came from something else than the model that was asked."""
    said: Mapping[str, Any] = (
        generation.message.response_metadata
        if isinstance(generation, ChatGeneration)
        else generation.generation_info or {}
    )
    ours = said.get(MARK)
    return isinstance(ours, Mapping) and BUDGET_KEY in ours


class _OwnAnswers(BaseCache):
    def __init__(self, cache: BaseCache) -> None:
        self._cache = cache

    def lookup(self, prompt: str, llm_string: str) -> Any:
        return self._cache.lookup(prompt, llm_string)

    async def alookup(self, prompt: str, llm_string: str) -> Any:
        return await self._cache.alookup(prompt, llm_string)

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        if not any(map(not_its_own, return_val)):
            self._cache.update(prompt, llm_string, return_val)

    async def aupdate(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        if not any(map(not_its_own, return_val)):
            await self._cache.aupdate(prompt, llm_string, return_val)

    def clear(self, **kwargs: Any) -> None:
        self._cache.clear(**kwargs)
