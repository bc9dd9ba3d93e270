"""How does a LlamaIndex LLM judge whether a stored answer fits?"""

from __future__ import annotations

from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM

from lc_costkit.cache.judging import JudgeCase, Judgement, check_temperature, judge_prompt, judgement_of
from lc_costkit.errors import ConfigurationError
from lc_costkit.llama_index import answers
from lc_costkit.llama_index.aside import made_aside
from lc_costkit.pricing import PriceBook


class ModelJudge:
    """Asks an LLM whether a stored answer is right for a new question; for ``GreyZone`` and ``Sampled``.

    It is asked for one word, yes or no; anything else gives no verdict, and so does a failure. Give
    the LLM a timeout and few output tokens: in a ``GreyZone`` a caller waits for it. What it costs is
    priced from the usage it reports; without one it is unpriced. It never asks a cache.

    Args:
        llm: the LLM; of one made by ``cached_llm``, the cache lets the question pass.
        temperature: given with each question; ``None`` leaves it out, for LLMs that take none.
        prices: what it costs; those of the cache if not given.

    Raises:
        ConfigurationError: this is not a LlamaIndex LLM, or the temperature no number of 0 or more.
    """

    def __init__(self, llm: LLM, *, temperature: float | None = 0.0, prices: PriceBook | None = None) -> None:
        if not isinstance(llm, LLM):
            raise ConfigurationError(f"ModelJudge needs a LlamaIndex LLM, not {llm!r:.200}")
        check_temperature(temperature)
        self._llm = llm
        self._options: dict[str, Any] = {} if temperature is None else {"temperature": temperature}
        self._prices = prices

    def __call__(self, case: JudgeCase) -> Judgement:
        """Ask the LLM."""
        with made_aside() as metered:
            response = self._llm.chat([ChatMessage(content=judge_prompt(case))], **self._options)
        gathered = answers.Gathered()
        gathered.add(response, self._llm.metadata.model_name)
        return judgement_of(answers.text_of(response), gathered.reading, prices=self._prices, metered=metered)
