"""How do a policy and a check ask a LangChain model?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config, var_child_runnable_config

from lc_costkit.budget.claim import THINKING, asks_to_think
from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain.inside import each_model
from lc_costkit.langchain.unstreamed import unstreamed
from lc_costkit.marks import ROUTE_KEY, RouteMark

MOST_TOKENS = 32
"""Of an answer: a name of a few words, or a number."""


class AskModel:
    """Asks a model one thing at a time, for the kit itself.

    The call is a child of the one that is decided about, with its metadata (``feature``, ``user``), tags and
    callbacks, marked as a cost of the kit. It shows in no stream and asks no LangChain cache.

    A model that takes a temperature and a limit is asked with these ones; what is bound to it stays. One that always
    reasons first, by its profile, or was told to think takes neither, and is asked as it is.

    Args:
        model: a chat or completion model, or a binding of one.
        part: what its cost is booked under, ``route`` or ``cascade``.
        temperature: ``None`` leaves it as it is.
        max_tokens: of an answer; ``None`` leaves it as it is.

    Raises:
        ConfigurationError: this is no LangChain model, or a number is out of range.
    """

    def __init__(
        self,
        model: Runnable[Any, Any],
        *,
        part: str,
        temperature: float | None = 0.0,
        max_tokens: int | None = MOST_TOKENS,
    ) -> None:
        if not isinstance(model, Runnable):
            raise ConfigurationError(f"give a LangChain model, not {model!r:.200}")
        for name, value, least in (("temperature", temperature, 0), ("max_tokens", max_tokens, 1)):
            if value is not None and (isinstance(value, bool) or not least <= value < math.inf):
                raise ConfigurationError(f"{name} must be at least {least}, or None, not {value!r}")
        self.part = part
        self._model: Runnable[Any, Any] = each_model(model, lambda inner: _own(inner, temperature, max_tokens))

    def __call__(self, prompt: str, /) -> str:
        """Return what the model answers."""
        with self._aside():
            return _said(self._model.invoke([HumanMessage(prompt)]))

    async def acall(self, prompt: str, /) -> str:
        """Do the same without blocking the event loop."""
        with self._aside():
            return _said(await self._model.ainvoke([HumanMessage(prompt)]))

    @contextmanager
    def _aside(self) -> Iterator[None]:
        around = unstreamed(ensure_config())
        mark = RouteMark(target="", aside=True, part=self.part).to_dict()
        config: RunnableConfig = {**around, "metadata": {**(around.get("metadata") or {}), ROUTE_KEY: mark}}
        # Not as an argument: a binding would add what surrounds it, so that each callback heard of the call twice.
        token = var_child_runnable_config.set(config)
        try:
            yield
        finally:
            var_child_runnable_config.reset(token)


def _own(model: BaseLanguageModel[Any], temperature: float | None, max_tokens: int | None) -> Runnable[Any, Any]:
    """Return a copy that asks no cache, never streams, and answers briefly."""
    quiet = {"cache": False, "disable_streaming": True, "streaming": False}
    copied = model.model_copy(update={name: quiet[name] for name in quiet if name in type(model).model_fields})
    settings = _brief(model, temperature, max_tokens)
    return cast(Runnable[Any, Any], copied.bind(**settings) if settings else copied)


def _brief(model: Any, temperature: float | None, max_tokens: int | None) -> dict[str, Any]:
    known = {name: getattr(model, name, None) for name in type(model).model_fields}
    profile = known.get("profile") or {}
    if profile.get("temperature") is False or asks_to_think({name: known.get(name) for name in THINKING}):
        return {}
    settings: dict[str, Any] = {}
    if temperature is not None and "temperature" in known:
        settings["temperature"] = temperature
    if max_tokens is not None and "max_tokens" in known:
        own = known["max_tokens"]
        settings["max_tokens"] = min(max_tokens, own) if isinstance(own, int) and own > 0 else max_tokens
    return settings


def _said(answer: Any) -> str:
    if isinstance(answer, BaseMessage):
        return str(answer.text)
    if isinstance(answer, str):
        return answer
    raise TypeError(f"a model answers with a message or text, not {type(answer).__name__}")
