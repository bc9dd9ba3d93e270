"""How does a LangChain model judge whether a stored answer fits?"""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseLanguageModel
from langchain_core.runnables import Runnable

from lc_costkit.cache.judging import JudgeCase, Judgement, check_temperature, judge_prompt, judgement_of
from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain.aside import ask_aside
from lc_costkit.pricing import PriceBook


class ModelJudge:
    """Asks a model whether a stored answer is right for a new question; for ``GreyZone`` and ``Sampled``.

    It is asked for one word, yes or no; anything else gives no verdict, and so does a failure. Give
    the model a timeout and few output tokens: in a ``GreyZone`` a caller waits for it. What it costs is
    priced from the usage it reports; without one it is unpriced. It never asks a cache.

    Args:
        model: a chat or completion model, or a binding of one.
        temperature: bound to the model; ``None`` leaves it as it is, for models that take none.
        prices: what it costs; those of the cache if not given.

    Raises:
        ConfigurationError: this is not a LangChain model, or the temperature no number of 0 or more.
    """

    def __init__(
        self, model: Runnable[Any, Any], *, temperature: float | None = 0.0, prices: PriceBook | None = None
    ) -> None:
        if not isinstance(model, Runnable):
            raise ConfigurationError(f"ModelJudge needs a LangChain model, not {model!r:.200}")
        check_temperature(temperature)
        tunable = isinstance(model, BaseLanguageModel) and temperature is not None
        self._model: Runnable[Any, Any] = model.bind(temperature=temperature) if tunable else model
        self._prices = prices

    def __call__(self, case: JudgeCase) -> Judgement:
        """Ask the model."""
        said = ask_aside(self._model, judge_prompt(case))
        return judgement_of(said.text, said.reading, prices=self._prices, metered=said.metered)
