"""How does an answer show that a budget chose who gave it?"""

from __future__ import annotations

from typing import Any

from langchain_core.outputs import ChatGeneration, Generation, LLMResult

from lc_costkit.langchain.model_call import Chunk, Result
from lc_costkit.marks import BUDGET_KEY, MARK


def marked(result: Result, by: str) -> Result:
    """Return an answer with who gave it in ``response_metadata["lc_costkit"]["budget"]``."""
    if isinstance(result, LLMResult):
        return result.model_copy(
            update={"generations": [[_marked(g, by) for g in some] for some in result.generations]}
        )
    return result.model_copy(update={"generations": [_marked(one, by) for one in result.generations]})


def marked_chunk(chunk: Chunk, by: str) -> Chunk:
    """Return a piece of a stream with the mark; one piece of each stream carries it."""
    piece: Chunk = _marked(chunk, by)
    return piece


def _marked(generation: Generation, by: str) -> Any:
    if not isinstance(generation, ChatGeneration):
        return generation.model_copy(update={"generation_info": _with_mark(generation.generation_info or {}, by)})
    message = generation.message
    metadata = _with_mark(message.response_metadata, by)
    return generation.model_copy(update={"message": message.model_copy(update={"response_metadata": metadata})})


def _with_mark(details: dict[str, Any], by: str) -> dict[str, Any]:
    ours = details.get(MARK)
    return {**details, MARK: {**(ours if isinstance(ours, dict) else {}), BUDGET_KEY: {"answered_by": by}}}
