"""How is a model given tools or a schema when it is bound, retried or configurable?

LangChain passes ``bind_tools`` of such a runnable on to the model inside and returns that model alone: settings that
were bound are lost, retries have no such method, alternatives and configurable fields are gone. Here the wrapper is
put around the prepared model again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig, RunnableParallel, RunnableSequence
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import (
    DynamicRunnable,
    RunnableConfigurableAlternatives,
    RunnableConfigurableFields,
)
from langchain_core.runnables.fallbacks import RunnableWithFallbacks

Model = Runnable[Any, Any]

if TYPE_CHECKING:
    _Fields = RunnableConfigurableFields[Any, Any]
    _Alternatives = RunnableConfigurableAlternatives[Any, Any]
else:  # with parameters, pydantic takes no runnable that names others
    _Fields, _Alternatives = RunnableConfigurableFields, RunnableConfigurableAlternatives

_PREPARED = frozenset(
    {"tools", "tool_choice", "parallel_tool_calls", "response_format", "output_config", "ls_structured_output_format"}
)
"""Settings that ``bind_tools`` and ``with_structured_output`` of OpenAI's and Anthropic's models bind."""


def prepared(target: Model, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Model:
    """Call ``bind_tools`` or ``with_structured_output`` on every model inside ``target``.

    Raises:
        AttributeError, NotImplementedError: a model in it has no such method, or what can be configured of it
            would be lost.
    """
    again: Callable[[Model], Model] = partial(prepared, method=method, args=args, kwargs=kwargs)
    if isinstance(target, RunnableConfigurableAlternatives):
        others = {
            name: again(other) if isinstance(other, Runnable) else partial(_made, other, again)
            for name, other in target.alternatives.items()
        }
        return target.model_copy(update={"default": again(target.default), "alternatives": others})
    if isinstance(target, RunnableWithFallbacks):
        spare = [again(other) for other in target.fallbacks]
        return target.model_copy(update={"runnable": again(target.runnable), "fallbacks": spare})
    inside = _inside(target)
    if inside is None:
        result: Model = getattr(target, method)(*args, **kwargs)
        return result
    made = again(inside)
    wrapped = _replaced(made, inside, _put_around(target, inside))
    if wrapped is not None:
        return wrapped
    if isinstance(target, RunnableConfigurableFields) and type(made) is not type(inside):
        raise NotImplementedError(f"its configurable fields would be lost in {type(made).__name__}")
    outer: Model = _put_around(target, made)
    return outer


def configured(target: Model, config: RunnableConfig | None) -> Model:
    """Return the model in ``target`` as ``config`` configures it; ``target`` itself where nothing can be configured."""
    model: Any = target
    while isinstance(model, RunnableBindingBase | RunnableSequence):
        model = model.bound if isinstance(model, RunnableBindingBase) else model.first
    return model.prepare(config)[0] if isinstance(model, DynamicRunnable) else target


class ConfigurableModels(_Fields):
    """Several models with configurable fields: what is prepared stays configurable."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """Serialise as LangChain's own."""
        return RunnableConfigurableFields.lc_id()

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, Any]:
        """Give the tools to every target."""
        return prepared(self, "bind_tools", (list(tools),), kwargs)

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Runnable[Any, Any]:
        """Ask every target for the schema."""
        return prepared(self, "with_structured_output", (schema,), kwargs)

    def _prepare(self, config: RunnableConfig | None = None) -> tuple[Model, RunnableConfig]:
        configured: Any
        configured, config = super()._prepare(config)
        if configured is not self.default:
            configured._goes_on_from(self.default)
        return configured, config


class AlternativeModels(_Alternatives):
    """Several models with alternatives: what is prepared keeps them."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """Serialise as LangChain's own."""
        return RunnableConfigurableAlternatives.lc_id()

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, Any]:
        """Give the tools to every alternative."""
        return prepared(self, "bind_tools", (list(tools),), kwargs)

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Runnable[Any, Any]:
        """Ask every alternative for the schema."""
        return prepared(self, "with_structured_output", (schema,), kwargs)


def _made(other: Callable[[], Model], again: Callable[[Model], Model]) -> Model:
    return again(other())


def _inside(target: Model) -> Model | None:
    if isinstance(target, RunnableBindingBase):
        return target.bound
    return target.default if isinstance(target, RunnableConfigurableFields) else None


def _put_around(target: Any, inside: Model) -> Any:
    """Put ``target`` around another runnable; tools and schemas of before give way to the new ones."""
    if isinstance(target, RunnableConfigurableFields):
        return target if target.default is inside else target.model_copy(update={"default": inside})
    settings = {name: value for name, value in target.kwargs.items() if name not in _PREPARED}
    if isinstance(target, RunnableBinding) and not (settings or target.config or target.config_factories):
        return inside
    if settings == target.kwargs and inside is target.bound:
        return target
    return target.model_copy(update={"bound": inside, "kwargs": settings})


def _replaced(chain: Any, model: Model, by: Model) -> Model | None:
    """Return a chain with one model in place of another; ``None`` if that is not in it."""
    if chain is model:
        return by
    if isinstance(chain, RunnableBindingBase):
        bound = _replaced(chain.bound, model, by)
        return None if bound is None else chain.model_copy(update={"bound": bound})
    if isinstance(chain, RunnableConfigurableFields):
        default = _replaced(chain.default, model, by)
        return None if default is None else chain.model_copy(update={"default": default})
    if isinstance(chain, RunnableSequence):
        first = _replaced(chain.first, model, by)
        return None if first is None else chain.model_copy(update={"first": first})
    if isinstance(chain, RunnableParallel):
        steps = {name: _replaced(step, model, by) or step for name, step in chain.steps__.items()}
        same = all(steps[name] is step for name, step in chain.steps__.items())
        return None if same else chain.model_copy(update={"steps__": steps})
    return None
