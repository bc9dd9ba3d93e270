"""How do a policy and a check ask a LlamaIndex LLM?"""

from __future__ import annotations

import math
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM

from lc_costkit.budget.claim import THINKING, asks_to_think
from lc_costkit.errors import ConfigurationError
from lc_costkit.llama_index.delegating import ChatRequest
from lc_costkit.llama_index.many_llms import told
from lc_costkit.llama_index.route_request import model_of
from lc_costkit.llama_index.spending import asend, send
from lc_costkit.llama_index.uncached import uncached
from lc_costkit.marks import RouteMark


class AskLLM:
    """Asks an LLM one thing at a time, for the kit itself.

    The call is part of the span that is decided about, with its tags (``feature``, ``user``), marked as a cost of the
    kit. It is never streamed and asks no cache.

    Args:
        llm: the LLM; of one made by ``cached_llm``, the one behind the cache.
        part: what its cost is booked under, ``route`` or ``cascade``.
        temperature: given with each question to an LLM that has one and does not think; ``None`` leaves it out, for
            models that take none.
        max_tokens: of an answer, likewise; ``None`` leaves it out.

    Raises:
        ConfigurationError: this is no LlamaIndex LLM, or a number is out of range.
    """

    def __init__(self, llm: LLM, *, part: str, temperature: float | None = 0.0, max_tokens: int | None = None) -> None:
        if not isinstance(llm, LLM):
            raise ConfigurationError(f"give a LlamaIndex LLM, not {llm!r:.200}")
        for name, value, least in (("temperature", temperature, 0), ("max_tokens", max_tokens, 1)):
            if value is not None and (isinstance(value, bool) or not least <= value < math.inf):
                raise ConfigurationError(f"{name} must be at least {least}, or None, not {value!r}")
        self.part = part
        self._llm = uncached(llm)
        self._options = _options(model_of(llm), {"temperature": temperature, "max_tokens": max_tokens})

    def __call__(self, prompt: str, /) -> str:
        """Return what the LLM answers."""
        request = self._request(prompt)
        with told(self._mark()):
            response = send(request, self._llm)
        return response.message.content or ""

    async def acall(self, prompt: str, /) -> str:
        """Do the same without blocking the event loop."""
        request = self._request(prompt)
        with told(self._mark()):
            response = await asend(request, self._llm)
        return response.message.content or ""

    def _request(self, prompt: str) -> ChatRequest:
        return ChatRequest(messages=[ChatMessage(prompt)], options=self._options)

    def _mark(self) -> dict[str, Any]:
        return RouteMark(target="", aside=True, part=self.part).to_dict()


def _options(model: LLM, wanted: dict[str, float | int | None]) -> dict[str, Any]:
    fields = type(model).model_fields
    if asks_to_think({name: getattr(model, name) for name in THINKING if name in fields}):
        return {}
    return {name: value for name, value in wanted.items() if value is not None and name in fields}
