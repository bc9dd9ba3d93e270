"""What do runnables have in common that stand for one of several models?"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import ensure_config, merge_configs, var_child_runnable_config
from langchain_core.runnables.graph import Graph
from langchain_core.runnables.utils import (
    AnyConfigurableField,
    ConfigurableField,
    ConfigurableFieldSpec,
    get_unique_config_specs,
)
from pydantic import ConfigDict, Field, PrivateAttr

from lc_costkit.errors import ConfigurationError, shown
from lc_costkit.faults import Faults
from lc_costkit.langchain.preparing import AlternativeModels, ConfigurableModels, Model, configured, prepared
from lc_costkit.langchain.route_request import Tools, described, identify, model_of, route_request
from lc_costkit.langchain.unstreamed import unstreamed
from lc_costkit.marks import ROUTE_KEY
from lc_costkit.routing.choose import Choice, TargetChooser, route_mark
from lc_costkit.routing.explain import RouteExplanation
from lc_costkit.routing.policy import RouteRequest
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.switch import Mode

_READERS = frozenset({"get_num_tokens", "get_num_tokens_from_messages", "get_token_ids", "_get_ls_params"})
"""Methods that only tell something about a model; the strong target answers for all."""


class ManyModels(RunnableSerializable[LanguageModelInput, Any]):
    """A runnable that stands for one of several models; ``ModelRouter`` and ``Cascade`` are the ones there are.

    It prepares: ``bind_tools`` and ``with_structured_output`` are passed to every target, so that each gets its own
    provider's format; ``bind``, ``with_config`` and ``with_retry`` are kept and applied to whichever target is called.

    ``with_fallbacks`` passes on only methods whose result is annotated with a class of runnables; ``Self`` is none.
    """

    targets: dict[str, Model]
    strong: str
    mode: Mode = "on"
    bound_tools: Tools = Field(default_factory=Tools)
    bound_structure: bool = False
    bound_kwargs: dict[str, Any] = Field(default_factory=dict)
    bound_config: dict[str, Any] = Field(default_factory=dict)
    bound_retries: tuple[dict[str, Any], ...] = ()

    _chooser: TargetChooser = PrivateAttr()

    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Show in the signature what there is to give; fields hold what was prepared, too."""
        super().__pydantic_init_subclass__(**kwargs)
        given = inspect.signature(cls.__init__).parameters
        shown = [one for one in cls.__signature__.parameters.values() if one.name in given or one.name == "name"]
        cls.__signature__ = cls.__signature__.replace(parameters=shown)

    # -- telling ---------------------------------------------------------------------------------

    @property
    def faults(self) -> Faults:
        """Faults of the policy so far; each of them sent an input to the strong target."""
        return self._chooser.faults

    def explain(self, input: LanguageModelInput, config: RunnableConfig | None = None) -> RouteExplanation:
        """Say where ``input`` would go and why, without calling a target; a policy that asks a model asks it."""
        merged = self._config(config)
        with deciding(merged):
            choice = self._chooser.choose(self._reader(input, merged, {}), remember=False)
        models = tuple((name, self._identity(name, {})) for name in self.targets)
        return RouteExplanation(choice=choice, targets=models, strong=self.strong)

    def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
        """Name the targets too, in traces and drawn graphs."""
        return super().get_name(suffix, name=name or self.name or f"{type(self).__name__}<{','.join(self.targets)}>")

    @property
    def InputType(self) -> Any:
        """The strong target's input type."""
        return self.targets[self.strong].InputType

    @property
    def OutputType(self) -> Any:
        """The strong target's output type."""
        return self.targets[self.strong].OutputType

    @property
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        """What can be configured on any target."""
        return get_unique_config_specs(spec for target in self.targets.values() for spec in target.config_specs)

    def get_graph(self, config: RunnableConfig | None = None) -> Graph:
        """Draw each target behind this runnable, over an edge of its name."""
        graph = super().get_graph(config)
        own = next(node for node in graph.nodes.values() if node.data is self)
        last = graph.last_node()
        graph.edges = [edge for edge in graph.edges if edge.source != own.id]
        for name, target in self.targets.items():
            inner = target.get_graph(config)
            inner.trim_first_node()
            inner.trim_last_node()
            begin, end = graph.extend(inner)
            graph.add_edge(own, begin or graph.add_node(target), name, conditional=True)
            if end is not None and last is not None:
                graph.add_edge(end, last)
        return graph

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """``dumps`` takes it; ``loads`` too, where nothing in it is code."""
        return True

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """What ``dumps`` is given in other words."""
        return {"bound_tools": {"names": list(self.bound_tools.names), "text": self.bound_tools.text}}

    # -- preparing -------------------------------------------------------------------------------

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> ManyModels:
        """Give the tools to every target, in its own provider's format.

        Raises:
            ConfigurationError: a target takes no tools.
        """
        tools = list(tools)
        return self._prepared("bind_tools", tools, **kwargs).model_copy(update={"bound_tools": described(tools)})

    def with_structured_output(self, schema: Any, **kwargs: Any) -> ManyModels:
        """Ask every target for the schema, in its own provider's way.

        Raises:
            ConfigurationError: a target has no structured output.
        """
        made = self._prepared("with_structured_output", schema, **kwargs)
        return made.model_copy(update={"bound_structure": True})

    def bind(self, **kwargs: Any) -> Self:
        """Pass ``kwargs`` to whichever target is called."""
        return self.model_copy(update={"bound_kwargs": {**self.bound_kwargs, **kwargs}})

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> Self:
        """Pass a config to whichever target is called."""
        added = cast(RunnableConfig, {**(config or {}), **kwargs})
        merged = merge_configs(cast(RunnableConfig, self.bound_config), added) if self.bound_config else added
        return self.model_copy(update={"bound_config": dict(merged)})

    def with_retry(self, **kwargs: Any) -> Self:
        """Retry the target an input was sent to; takes what ``Runnable.with_retry`` takes."""
        self.targets[self.strong].with_retry(**kwargs)
        return self.model_copy(update={"bound_retries": (*self.bound_retries, kwargs)})

    def configurable_fields(self, **kwargs: AnyConfigurableField) -> RunnableSerializable[Any, Any]:
        """Let calls configure these fields; tools and schemas may be given before or after."""
        super().configurable_fields(**kwargs)
        return ConfigurableModels(default=self, fields=kwargs)

    def configurable_alternatives(
        self, which: ConfigurableField, *, default_key: str = "default", prefix_keys: bool = False, **kwargs: Any
    ) -> RunnableSerializable[Any, Any]:
        """Let calls choose another model instead; tools and schemas may be given before or after."""
        return AlternativeModels(
            which=which, default=self, alternatives=kwargs, default_key=default_key, prefix_keys=prefix_keys
        )

    def with_each_target(self, change: Callable[[Any], Any]) -> Self:
        """Return the same with ``change`` applied to each target."""
        return self.model_copy(update={"targets": {name: change(target) for name, target in self.targets.items()}})

    # -- what the runnables share ----------------------------------------------------------------

    def _take_chooser(self, chooser: TargetChooser) -> None:
        """Keep what chooses; check that it can choose among these models."""
        self._chooser = chooser
        chooser.check_models({name: self._identity(name, {}) for name in self.targets})

    def _goes_on_from(self, other: ManyModels) -> None:
        """Share the memory of one that differs in a configured field only."""
        self._chooser.faults, self._chooser.conversations = other._chooser.faults, other._chooser.conversations

    def _reader(
        self, input: LanguageModelInput, config: RunnableConfig, kwargs: dict[str, Any]
    ) -> Callable[[], RouteRequest]:
        def read() -> RouteRequest:
            settings = self._kwargs(kwargs)
            return route_request(
                input,
                tools=self.bound_tools + described(settings.get("tools") or ()),
                structured=self.bound_structure,
                settings=settings,
                metadata=config.get("metadata"),
                models={name: self._identity(name, kwargs, config) for name in self.targets},
            )

        return read

    def _mark(self, choice: Choice, kwargs: dict[str, Any], config: RunnableConfig, **values: Any) -> dict[str, Any]:
        """Return what the meter is told of a call; ``values`` are further fields of a ``RouteMark``."""
        baseline = self._identity(self.strong, kwargs, config)
        chosen = self._identity(choice.decision.target, kwargs, config)
        mark = route_mark(choice, strong=self.strong, baseline=baseline, chosen=chosen)
        return replace(mark, **values).to_dict()

    @staticmethod
    def _marked(config: RunnableConfig, mark: Mapping[str, Any]) -> RunnableConfig:
        return {**config, "metadata": {**(config.get("metadata") or {}), ROUTE_KEY: mark}}

    def _identity(self, name: str, kwargs: dict[str, Any], config: RunnableConfig | None = None) -> TargetModel:
        try:
            return identify(configured(self.targets[name], config), self._kwargs(kwargs))
        except Exception as error:
            self.faults.record("reading a target's model name", error, "its calls are priced without a comparison")
            return TargetModel()

    def _target(self, name: str) -> Model:
        target = self.targets[name]
        for options in self.bound_retries:
            target = target.with_retry(**options)
        return target

    def _kwargs(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        return {**self.bound_kwargs, **kwargs}

    def _config(self, config: RunnableConfig | None) -> RunnableConfig:
        own = cast(RunnableConfig, self.bound_config)
        return ensure_config(merge_configs(own, config) if own else config)

    def _prepared(self, method: str, /, *args: Any, **kwargs: Any) -> Self:
        made = {}
        for name, target in self.targets.items():
            try:
                made[name] = prepared(target, method, args, kwargs)
            except (AttributeError, NotImplementedError) as error:
                raise ConfigurationError(
                    f"target {name!r} ({type(target).__name__}) cannot do {method}: {error!r}; "
                    f"every target must be able to"
                ) from error
        return self.model_copy(update={"targets": made})

    if not TYPE_CHECKING:  # for type checkers an unknown attribute stays an error

        def __getattr__(self, name: str) -> Any:
            """Read what is not ours off the strong target; never a method that would call one model only."""
            try:
                return super().__getattr__(name)
            except AttributeError:
                if name.startswith("__") or "targets" not in self.__dict__:
                    raise
            value = getattr(model_of(self.targets[self.strong]), name)
            if callable(value) and name not in _READERS:
                raise AttributeError(
                    f"{type(self).__name__} has no {name!r}; call it on one target: .targets[{self.strong!r}].{name}"
                )
            return value


def checked_models(named: Mapping[str, Any]) -> None:
    """Raise ``ConfigurationError`` if a target is no Runnable."""
    for name, target in named.items():
        if not isinstance(target, Runnable):
            raise ConfigurationError(f"target {name!r} must be a model or another Runnable, not {shown(target)}")


@contextmanager
def deciding(config: RunnableConfig) -> Iterator[None]:
    """Let models that a policy or a check calls be children of the call that is decided about; no stream shows them."""
    with within(unstreamed(config)):
        yield


@contextmanager
def within(config: RunnableConfig) -> Iterator[None]:
    """Let what is called be a child of the call that ``config`` is of."""
    inherited = {name: value for name, value in config.items() if name not in ("run_id", "run_name")}
    around = var_child_runnable_config.set(cast(RunnableConfig, inherited))
    try:
        yield
    finally:
        var_child_runnable_config.reset(around)
