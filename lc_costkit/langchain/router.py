"""How does a LangChain chain call the model that is enough for each input?"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForChainRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list, get_executor_for_config
from langchain_core.runnables.utils import gather_with_concurrency

from lc_costkit.errors import BudgetExceeded, refuse_unknown
from lc_costkit.langchain.beginning import atogether, together
from lc_costkit.langchain.many_models import ManyModels, checked_models, deciding
from lc_costkit.langchain.preparing import Model
from lc_costkit.langchain.route_request import stamped
from lc_costkit.langchain.unstreamed import stream_handlers
from lc_costkit.routing.choose import Choice, OnError, TargetChooser, checked_on_error, named_targets
from lc_costkit.routing.leaving import leaves_graph
from lc_costkit.routing.policy import Policy
from lc_costkit.routing.rules import Rules
from lc_costkit.streams import aclosing, closing
from lc_costkit.switch import Mode, disabled


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """One input's way: which target, with which config; no choice when the kit is switched off."""

    name: str
    config: RunnableConfig
    choice: Choice | None = None
    failed: tuple[str, ...] = ()
    request: str | None = None


class ModelRouter(ManyModels):
    """A model that sends each input to the target its policy finds enough.

    It stands wherever a chat model stands: ``prompt | ModelRouter({...}) | parser``, in an agent,
    with tools or structured output. It prepares and delegates: ``bind_tools`` and
    ``with_structured_output`` are passed to every target, so that each gets its own provider's
    format; ``bind``, ``with_config`` and ``with_retry`` are kept and applied to whichever target is
    called. Each of them returns a new router. Batches are grouped by target. Attributes other code
    reads off a model (``profile``, ``_llm_type``, ``model_name``...) are the strong target's.

    The decision travels in callback metadata under ``route`` and in the answer's
    ``response_metadata["lc_costkit"]["route"]`` (in a stream, on the first chunk). A policy that
    fails or names an unknown target sends the input to the strong target; ``faults`` counts it. The caller
    has the last word: ``config={"metadata": {"route": "strong"}}`` names the target.

    It can be pickled when its targets and its policy can. ``dumps`` writes it with its targets, and ``loads`` reads it
    again where the policy is the default one; another policy is code: ``dumps`` names it, ``loads`` refuses it.

    Args:
        targets: models by name, cheapest first and the strongest last; or pairs of name and model.
        policy: a policy, or a function from a ``RouteRequest`` to a target's name or a
            ``RouteDecision``; ``Rules()`` by default.
        strong: the target for whatever cannot be decided, and the one savings are counted against;
            by default the one called ``strong``, else the last. Policies see it as the last.
        mode: ``observe`` sends everything to the strong target and records what the policy said.
        on_error: ``next`` calls the next dearer target where one fails (else the next cheaper one), of a stream as
            long as no word of it has come. What the failed call cost is in the ledger. A budget's refusal is raised.

    Raises:
        ConfigurationError: an unknown option, no targets, an empty name or one used twice, a target that is no
            Runnable, ``strong`` or a name the policy declares not among them, an unknown mode.
    """

    policy: Any
    on_error: OnError = "raise"

    def __init__(
        self,
        targets: Mapping[str, Model] | Iterable[tuple[str, Model]],
        *,
        policy: Policy | None = None,
        strong: str | None = None,
        mode: Mode = "on",
        on_error: OnError = "raise",
        **fields: Any,
    ) -> None:
        refuse_unknown("ModelRouter", fields, set(type(self).model_fields) - {"targets"})
        named = named_targets(targets)
        policy = Rules() if policy is None else policy
        chooser = TargetChooser(list(named), policy=policy, strong=strong, mode=mode)
        checked_models(named)
        fields |= {"targets": named, "policy": policy, "strong": chooser.strong, "mode": mode}
        super().__init__(**fields | {"on_error": checked_on_error(on_error)})
        self._take_chooser(chooser)

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Leave the policy out where it is the default one."""
        written = super().to_json()
        if written["type"] == "constructor" and type(self.policy) is Rules and vars(self.policy) == vars(Rules()):
            del written["kwargs"]["policy"]
        return written

    # -- calling ---------------------------------------------------------------------------------

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Answer with the target that is enough for ``input``."""
        return self._invoked(self._route(input, config, kwargs), input, kwargs)

    async def ainvoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Answer with the target that is enough for ``input``."""
        return await self._ainvoked(await self._aroute(input, config, kwargs), input, kwargs)

    def stream(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:
        """Stream from the target that is enough for ``input``, as its chunks come."""
        route = self._route(input, config, kwargs)
        while True:
            choice, begun = route.choice, False
            try:
                with closing(self._target(route.name).stream(input, route.config, **self._kwargs(kwargs))) as chunks:
                    for pieces in together(chunks, hold=self.on_error == "next"):
                        begun = True
                        for chunk in pieces:
                            yield stamped(chunk, choice)
                            choice = None
                return
            except Exception as error:
                following = None if begun else self._instead(route, error, kwargs)
                if following is None:
                    raise
                route = following

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """Stream from the target that is enough for ``input``, as its chunks come."""
        if self.on_error == "next" and stream_handlers((config or {}).get("callbacks")):
            # An event stream takes what it is given for the run whose id it handed out: not a target's, which may fail.

            async def within(
                inputs: AsyncIterator[LanguageModelInput],
                run_manager: AsyncCallbackManagerForChainRun,
                config: RunnableConfig,
            ) -> AsyncIterator[Any]:
                async for one in inputs:
                    async with aclosing(self._astreamed(one, config, kwargs)) as chunks:
                        async for chunk in chunks:
                            yield chunk

            opened = self._atransform_stream_with_config(_once(input), within, config)
        else:
            opened = self._astreamed(input, config, kwargs)
        async with aclosing(opened) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _astreamed(
        self, input: LanguageModelInput, config: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> AsyncIterator[Any]:
        route = await self._aroute(input, config, kwargs)
        while True:
            choice, begun = route.choice, False
            try:
                opened = self._target(route.name).astream(input, route.config, **self._kwargs(kwargs))
                async with aclosing(opened) as chunks:
                    async for pieces in atogether(chunks, hold=self.on_error == "next"):
                        begun = True
                        for chunk in pieces:
                            yield stamped(chunk, choice)
                            choice = None
                return
            except Exception as error:
                following = None if begun else self._instead(route, error, kwargs)
                if following is None:
                    raise
                route = following

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
        configs = get_config_list(config, len(inputs))
        done: dict[int, Any] = {}
        ways = dict(enumerate(self._routes(inputs, configs, kwargs)))
        while ways:
            groups, alone = _groups(ways), self._asked_alone(ways)
            if alone:
                answers = [self._batched(group, ways, inputs, return_exceptions, kwargs) for group in groups]
            else:
                with get_executor_for_config(configs[0]) as executor:
                    asked = [
                        executor.submit(self._batched, group, ways, inputs, return_exceptions, kwargs)
                        for group in groups
                    ]
                    answers = [each.result() for each in asked]
            ways = self._left(ways, groups, answers, done, kwargs)
        return _in_order(done, return_exceptions)

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
        done: dict[int, Any] = {}
        ways = dict(enumerate(await gather_with_concurrency(limit, *deciding)))
        while ways:
            groups, alone = _groups(ways), self._asked_alone(ways)
            asked = (self._abatched(group, ways, inputs, return_exceptions, kwargs) for group in groups)
            answers = [await each for each in asked] if alone else await asyncio.gather(*asked)
            ways = self._left(ways, groups, answers, done, kwargs)
        return _in_order(done, return_exceptions)

    def _batched(
        self,
        group: _Group,
        ways: Mapping[int, _Route],
        inputs: list[LanguageModelInput],
        return_exceptions: bool,
        kwargs: dict[str, Any],
    ) -> list[Any]:
        return self._target(group.name).batch(
            [inputs[place] for place in group.places],
            [ways[place].config for place in group.places],
            return_exceptions=return_exceptions or self.on_error == "next",
            **self._kwargs(kwargs),
        )

    async def _abatched(
        self,
        group: _Group,
        ways: Mapping[int, _Route],
        inputs: list[LanguageModelInput],
        return_exceptions: bool,
        kwargs: dict[str, Any],
    ) -> list[Any]:
        return await self._target(group.name).abatch(
            [inputs[place] for place in group.places],
            [ways[place].config for place in group.places],
            return_exceptions=return_exceptions or self.on_error == "next",
            **self._kwargs(kwargs),
        )

    @staticmethod
    def _asked_alone(ways: Mapping[int, _Route]) -> bool:
        """Tell whether one target is asked after the other: there is one only, or a limit that holds for all."""
        first = next(iter(ways.values()))
        return len({way.name for way in ways.values()}) < 2 or first.config.get("max_concurrency") is not None

    def _left(
        self,
        ways: Mapping[int, _Route],
        groups: Sequence[_Group],
        answers: Sequence[list[Any]],
        done: dict[int, Any],
        kwargs: dict[str, Any],
    ) -> dict[int, _Route]:
        """Keep the answers of a round, and return where the inputs go whose target failed."""
        left = {}
        for group, own in zip(groups, answers, strict=True):
            for place, answer in zip(group.places, own, strict=True):
                failed = isinstance(answer, Exception)
                following = self._instead(ways[place], answer, kwargs) if failed else None
                if following is None:
                    done[place] = stamped(answer, ways[place].choice)
                else:
                    left[place] = following
        return left

    # -- deciding --------------------------------------------------------------------------------

    def _routes(
        self, inputs: list[LanguageModelInput], configs: list[RunnableConfig], kwargs: dict[str, Any]
    ) -> list[_Route]:
        if not hasattr(self.policy, "acall") or len(inputs) < 2:
            return [self._route(item, own, kwargs) for item, own in zip(inputs, configs, strict=True)]
        with get_executor_for_config(configs[0]) as executor:  # the policy waits for something
            return list(executor.map(lambda item, own: self._route(item, own, kwargs), inputs, configs))

    def _route(self, input: LanguageModelInput, config: RunnableConfig | None, kwargs: dict[str, Any]) -> _Route:
        merged = self._config(config)
        if disabled():
            return _Route(name=self.strong, config=merged)
        with deciding(merged):
            choice = self._chooser.choose(self._reader(input, merged, kwargs))
        return self._way(choice, merged, kwargs)

    async def _aroute(self, input: LanguageModelInput, config: RunnableConfig | None, kwargs: dict[str, Any]) -> _Route:
        merged = self._config(config)
        if disabled():
            return _Route(name=self.strong, config=merged)
        with deciding(merged):
            choice = await self._chooser.achoose(self._reader(input, merged, kwargs))
        return self._way(choice, merged, kwargs)

    def _way(
        self,
        choice: Choice,
        config: RunnableConfig,
        kwargs: dict[str, Any],
        failed: tuple[str, ...] = (),
        request: str | None = None,
    ) -> _Route:
        if request is None and (self.on_error == "next" or self.bound_retries):
            request = uuid.uuid4().hex
        marked = self._marked(config, self._mark(choice, kwargs, config, request=request))
        return _Route(name=choice.target, config=marked, choice=choice, failed=failed, request=request)

    def _instead(self, route: _Route, error: BaseException, kwargs: dict[str, Any]) -> _Route | None:
        """Return the way an input goes after its target failed; ``None`` where the error is to be raised."""
        if self.on_error == "raise" or route.choice is None:
            return None
        if isinstance(error, BudgetExceeded) or leaves_graph(error):
            return None
        failed = (*route.failed, route.name)
        choice = self._chooser.instead(route.choice, failed, error)
        return None if choice is None else self._way(choice, _without_id(route.config), kwargs, failed, route.request)

    def _invoked(self, route: _Route, input: LanguageModelInput, kwargs: dict[str, Any]) -> Any:
        while True:
            try:
                answer = self._target(route.name).invoke(input, route.config, **self._kwargs(kwargs))
            except Exception as error:
                following = self._instead(route, error, kwargs)
                if following is None:
                    raise
                route = following
            else:
                return stamped(answer, route.choice)

    async def _ainvoked(self, route: _Route, input: LanguageModelInput, kwargs: dict[str, Any]) -> Any:
        while True:
            try:
                answer = await self._target(route.name).ainvoke(input, route.config, **self._kwargs(kwargs))
            except Exception as error:
                following = self._instead(route, error, kwargs)
                if following is None:
                    raise
                route = following
            else:
                return stamped(answer, route.choice)


@dataclass(frozen=True, slots=True)
class _Group:
    """The places, in a batch, of the inputs that go to one target."""

    name: str
    places: list[int]


def _without_id(config: RunnableConfig) -> RunnableConfig:
    return cast(RunnableConfig, {**config, "run_id": None})


async def _once(value: LanguageModelInput) -> AsyncIterator[LanguageModelInput]:
    yield value


def _groups(ways: Mapping[int, _Route]) -> list[_Group]:
    places: dict[str, list[int]] = {}
    for place, way in ways.items():
        places.setdefault(way.name, []).append(place)
    return [_Group(name, own) for name, own in places.items()]


def _in_order(done: Mapping[int, Any], return_exceptions: bool) -> list[Any]:
    """Put answers back in the order of the inputs; raise the first error unless errors are answers, too."""
    answers = [done[place] for place in range(len(done))]
    if not return_exceptions:
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
    return answers
