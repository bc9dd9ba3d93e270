"""How does a LangChain chain call the model that is enough for each input?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import (
    ensure_config,
    get_config_list,
    get_executor_for_config,
    merge_configs,
)
from langchain_core.runnables.utils import ConfigurableFieldSpec, gather_with_concurrency, get_unique_config_specs
from pydantic import ConfigDict, Field, PrivateAttr

from lc_costkit.errors import ConfigurationError, refuse_unknown
from lc_costkit.faults import Faults
from lc_costkit.langchain.route_request import identify, model_of, route_request, stamped, tool_names
from lc_costkit.marks import ROUTE_KEY
from lc_costkit.routing.choose import Choice, ModelIdentity, TargetChooser, named_targets, route_mark
from lc_costkit.routing.explain import RouteExplanation
from lc_costkit.routing.policy import Policy, RouteRequest
from lc_costkit.routing.rules import Rules
from lc_costkit.streams import aclosing, closing
from lc_costkit.switch import Mode, disabled

Model = Runnable[Any, Any]

_READERS = frozenset({"get_num_tokens", "get_num_tokens_from_messages", "get_token_ids", "_get_ls_params"})
"""Methods that only tell something about a model; the strong target answers for the router."""


@dataclass(frozen=True, slots=True)
class _Route:
    """One input's way: which target, with which config; no choice when the kit is switched off."""

    name: str
    config: RunnableConfig
    choice: Choice | None


class ModelRouter(RunnableSerializable[LanguageModelInput, Any]):
    """A model that sends each input to the target its policy finds enough.

    It stands wherever a chat model stands: ``prompt | ModelRouter({...}) | parser``, in an agent,
    with tools or structured output. It prepares and delegates: ``bind_tools`` and
    ``with_structured_output`` are passed to every target, so that each gets its own provider's
    format; ``bind``, ``with_config`` and ``with_retry`` are kept and applied to whichever target is
    called. Each of them returns a new router. Batches are grouped by target. Attributes other code
    reads off a model (``profile``, ``_llm_type``, ``model_name``...) are the strong target's.

    The decision travels in callback metadata under ``route`` and in the answer's
    ``response_metadata["lc_costkit"]["route"]`` (in a stream, on the first chunk). A policy that
    fails or names an unknown target sends the input to the strong target; ``faults`` counts it.

    It can be pickled when its targets can. It is not serialised by ``dumps``: a policy is code.

    Args:
        targets: models by name, cheapest first and the strongest last; or pairs of name and model.
        policy: a policy, or a function from a ``RouteRequest`` to a target's name or a
            ``RouteDecision``; ``Rules()`` by default.
        strong: the target for whatever cannot be decided, and the one savings are counted against;
            by default the one called ``strong``, else the last. Policies see it as the last.
        mode: ``observe`` sends everything to the strong target and records what the policy said.

    Raises:
        ConfigurationError: an unknown option, no targets, an empty name or one used twice, a target that is no
            Runnable, ``strong`` or a name the policy declares not among them, an unknown mode.
    """

    targets: dict[str, Model]
    policy: Any
    strong: str
    mode: Mode = "on"
    bound_tools: tuple[str, ...] = ()
    bound_kwargs: dict[str, Any] = Field(default_factory=dict)
    bound_config: dict[str, Any] = Field(default_factory=dict)
    bound_retries: tuple[dict[str, Any], ...] = ()

    _chooser: TargetChooser = PrivateAttr()

    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())

    def __init__(
        self,
        targets: Mapping[str, Model] | Iterable[tuple[str, Model]],
        *,
        policy: Policy | None = None,
        strong: str | None = None,
        mode: Mode = "on",
        **fields: Any,
    ) -> None:
        refuse_unknown("ModelRouter", fields, {"policy", "strong", "mode", *type(self).model_fields} - {"targets"})
        named = named_targets(targets)
        policy = Rules() if policy is None else policy
        chooser = TargetChooser(list(named), policy=policy, strong=strong, mode=mode)
        for name, target in named.items():
            if not isinstance(target, Runnable):
                raise ConfigurationError(f"target {name!r} must be a model or another Runnable, not {target!r}")
        fields |= {"targets": named, "policy": policy, "strong": chooser.strong, "mode": mode}
        super().__init__(**fields)
        self._chooser = chooser

    # -- telling ---------------------------------------------------------------------------------

    @property
    def faults(self) -> Faults:
        """Faults of the policy so far; each of them sent an input to the strong target."""
        return self._chooser.faults

    def explain(self, input: LanguageModelInput, config: RunnableConfig | None = None) -> RouteExplanation:
        """Say where ``input`` would go and why, without calling a model."""
        choice = self._chooser.choose(self._reader(input, self._config(config), {}))
        models = tuple((name, self._identity(name, {})) for name in self.targets)
        return RouteExplanation(choice=choice, targets=models, strong=self.strong)

    def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
        """Name the targets too, in traces and drawn graphs."""
        return super().get_name(suffix, name=name or self.name or f"ModelRouter<{','.join(self.targets)}>")

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

    # -- preparing -------------------------------------------------------------------------------

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> ModelRouter:
        """Give the tools to every target, in its own provider's format.

        Raises:
            ConfigurationError: a target takes no tools.
        """
        tools = list(tools)
        return self._prepared("bind_tools", tools, **kwargs).model_copy(update={"bound_tools": tool_names(tools)})

    def with_structured_output(self, schema: Any, **kwargs: Any) -> ModelRouter:
        """Ask every target for the schema, in its own provider's way.

        Raises:
            ConfigurationError: a target has no structured output.
        """
        return self._prepared("with_structured_output", schema, **kwargs)

    def bind(self, **kwargs: Any) -> ModelRouter:
        """Pass ``kwargs`` to whichever target is called."""
        return self.model_copy(update={"bound_kwargs": {**self.bound_kwargs, **kwargs}})

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> ModelRouter:
        """Pass a config to whichever target is called."""
        added = cast(RunnableConfig, {**(config or {}), **kwargs})
        merged = merge_configs(cast(RunnableConfig, self.bound_config), added) if self.bound_config else added
        return self.model_copy(update={"bound_config": dict(merged)})

    def with_retry(self, **kwargs: Any) -> ModelRouter:
        """Retry the target an input was sent to; takes what ``Runnable.with_retry`` takes."""
        self.targets[self.strong].with_retry(**kwargs)
        return self.model_copy(update={"bound_retries": (*self.bound_retries, kwargs)})

    # -- calling ---------------------------------------------------------------------------------

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Answer with the target that is enough for ``input``."""
        route = self._route(input, config, kwargs)
        return stamped(self._target(route.name).invoke(input, route.config, **self._kwargs(kwargs)), route.choice)

    async def ainvoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Answer with the target that is enough for ``input``."""
        route = await self._aroute(input, config, kwargs)
        answer = await self._target(route.name).ainvoke(input, route.config, **self._kwargs(kwargs))
        return stamped(answer, route.choice)

    def stream(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:
        """Stream from the target that is enough for ``input``, as its chunks come."""
        route = self._route(input, config, kwargs)
        choice = route.choice
        with closing(self._target(route.name).stream(input, route.config, **self._kwargs(kwargs))) as chunks:
            for chunk in chunks:
                yield stamped(chunk, choice)
                choice = None

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """Stream from the target that is enough for ``input``, as its chunks come."""
        route = await self._aroute(input, config, kwargs)
        choice = route.choice
        async with aclosing(self._target(route.name).astream(input, route.config, **self._kwargs(kwargs))) as chunks:
            async for chunk in chunks:
                yield stamped(chunk, choice)
                choice = None

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Answer all inputs, each target its own in one batch; answers keep the inputs' order.

        Without ``max_concurrency`` the targets work side by side; with it, one after the other.
        """
        routes = [
            self._route(item, own, kwargs)
            for item, own in zip(inputs, get_config_list(config, len(inputs)), strict=True)
        ]

        def run(group: _Group) -> list[Any]:
            return self._target(group.name).batch(
                [inputs[n] for n in group.places],
                [routes[n].config for n in group.places],
                return_exceptions=return_exceptions,
                **self._kwargs(kwargs),
            )

        groups = _groups(routes)
        if len(groups) < 2 or routes[0].config.get("max_concurrency") is not None:
            return _restored(routes, groups, map(run, groups))
        with get_executor_for_config(routes[0].config) as executor:
            return _restored(routes, groups, executor.map(run, groups))

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Answer all inputs, each target its own in one batch; answers keep the inputs' order.

        Without ``max_concurrency`` the targets work side by side; with it, one after the other.
        """
        configs = get_config_list(config, len(inputs))
        limit = configs[0].get("max_concurrency") if configs else None
        deciding = (self._aroute(item, own, kwargs) for item, own in zip(inputs, configs, strict=True))
        routes = await gather_with_concurrency(limit, *deciding)

        async def run(group: _Group) -> list[Any]:
            return await self._target(group.name).abatch(
                [inputs[n] for n in group.places],
                [routes[n].config for n in group.places],
                return_exceptions=return_exceptions,
                **self._kwargs(kwargs),
            )

        groups = _groups(routes)
        if len(groups) < 2 or routes[0].config.get("max_concurrency") is not None:
            return _restored(routes, groups, [await run(group) for group in groups])
        return _restored(routes, groups, await asyncio.gather(*map(run, groups)))

    # -- deciding --------------------------------------------------------------------------------

    def _route(self, input: LanguageModelInput, config: RunnableConfig | None, kwargs: dict[str, Any]) -> _Route:
        merged = self._config(config)
        if disabled():
            return _Route(self.strong, merged, None)
        return self._marked(self._chooser.choose(self._reader(input, merged, kwargs)), merged, kwargs)

    async def _aroute(self, input: LanguageModelInput, config: RunnableConfig | None, kwargs: dict[str, Any]) -> _Route:
        merged = self._config(config)
        if disabled():
            return _Route(self.strong, merged, None)
        choice = await self._chooser.achoose(self._reader(input, merged, kwargs))
        return self._marked(choice, merged, kwargs)

    def _reader(
        self, input: LanguageModelInput, config: RunnableConfig, kwargs: dict[str, Any]
    ) -> Callable[[], RouteRequest]:
        def read() -> RouteRequest:
            extra = tool_names(self._kwargs(kwargs).get("tools") or ())
            return route_request(input, tools=(*self.bound_tools, *extra), metadata=config.get("metadata"))

        return read

    def _marked(self, choice: Choice, config: RunnableConfig, kwargs: dict[str, Any]) -> _Route:
        baseline, chosen = self._identity(self.strong, kwargs), self._identity(choice.decision.target, kwargs)
        mark = route_mark(choice, strong=self.strong, baseline=baseline, chosen=chosen)
        metadata = {**(config.get("metadata") or {}), ROUTE_KEY: mark.to_dict()}
        return _Route(choice.target, {**config, "metadata": metadata}, choice)

    def _identity(self, name: str, kwargs: dict[str, Any]) -> ModelIdentity:
        try:
            return identify(self.targets[name], self._kwargs(kwargs))
        except Exception as error:
            self.faults.record("reading a target's model name", error, "its calls are priced without a comparison")
            return ModelIdentity()

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

    def _prepared(self, method: str, *args: Any, **kwargs: Any) -> ModelRouter:
        prepared = {}
        for name, target in self.targets.items():
            try:
                prepared[name] = getattr(target, method)(*args, **kwargs)
            except (AttributeError, NotImplementedError) as error:
                raise ConfigurationError(
                    f"target {name!r} ({type(target).__name__}) cannot do {method}: {error!r}; "
                    f"every target of a router must be able to"
                ) from error
        return self.model_copy(update={"targets": prepared})

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
                    f"ModelRouter has no {name!r}; call it on one target: router.targets[{self.strong!r}].{name}"
                )
            return value


@dataclass(frozen=True, slots=True)
class _Group:
    """The places, in a batch, of the inputs that go to one target."""

    name: str
    places: list[int]


def _groups(routes: Sequence[_Route]) -> list[_Group]:
    places: dict[str, list[int]] = {}
    for place, route in enumerate(routes):
        places.setdefault(route.name, []).append(place)
    return [_Group(name, own) for name, own in places.items()]


def _restored(routes: Sequence[_Route], groups: Sequence[_Group], answers: Iterable[list[Any]]) -> list[Any]:
    """Put grouped answers back in the order of the inputs."""
    placed = {
        place: stamped(answer, routes[place].choice)
        for group, own in zip(groups, answers, strict=True)
        for place, answer in zip(group.places, own, strict=True)
    }
    return [placed[place] for place in range(len(routes))]
