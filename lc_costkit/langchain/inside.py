"""How is every model inside of a runnable changed?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.language_models import BaseLanguageModel
from langchain_core.runnables import RunnableAssign, RunnableParallel, RunnableSequence, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import RunnableConfigurableAlternatives, RunnableConfigurableFields

from lc_costkit.langchain.many_models import ManyModels


def each_model(runnable: Any, change: Callable[[Any], Any]) -> Any:
    """Return a copy of a runnable in which every model is what ``change`` makes of it; what holds none stays itself.

    Args:
        runnable: a model, or what is built around models.
        change: takes a model and returns one.
    """

    def again(part: Any) -> Any:
        return each_model(part, change)

    if isinstance(runnable, BaseLanguageModel):
        return change(runnable)
    if isinstance(runnable, ManyModels):
        return runnable.with_each_target(again)
    if isinstance(runnable, RunnableBindingBase):
        return _with(runnable, bound=again(runnable.bound))
    if isinstance(runnable, RunnableSequence):
        middle = [again(step) for step in runnable.middle]
        return _with(runnable, first=again(runnable.first), middle=middle, last=again(runnable.last))
    if isinstance(runnable, RunnableParallel):
        return _with(runnable, steps__={name: again(step) for name, step in runnable.steps__.items()})
    if isinstance(runnable, RunnableAssign):
        return _with(runnable, mapper=again(runnable.mapper))
    if isinstance(runnable, RunnableWithFallbacks):
        fallbacks = [again(one) for one in runnable.fallbacks]
        return _with(runnable, runnable=again(runnable.runnable), fallbacks=fallbacks)
    if isinstance(runnable, RunnableConfigurableAlternatives):
        others = {name: _later(one, again) for name, one in runnable.alternatives.items()}
        return _with(runnable, default=again(runnable.default), alternatives=others)
    if isinstance(runnable, RunnableConfigurableFields):
        return _with(runnable, default=again(runnable.default))
    return runnable


def whole_answers(model: Any) -> Any:
    """Return a model that does not stream by itself where it is asked for a whole answer."""
    return model.model_copy(update={"streaming": False}) if getattr(model, "streaming", False) else model


def without_cache(model: Any) -> Any:
    """Return a model that asks no LangChain cache: the same question is another answer each time."""
    return model.model_copy(update={"cache": False})


def _with(runnable: Any, /, **parts: Any) -> Any:
    """Return a copy with other parts; itself if they are those it has."""
    same = all(_same(part, getattr(runnable, name)) for name, part in parts.items())
    return runnable if same else runnable.model_copy(update=parts)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return all(part is other[name] for name, part in one.items())
    if isinstance(one, list):
        return all(part is older for part, older in zip(one, other, strict=True))
    return one is other


def _later(one: Any, again: Callable[[Any], Any]) -> Any:
    if hasattr(one, "invoke") or not callable(one):
        return again(one)
    return lambda: again(one())
