"""How does a LangChain chain ask a dear model only where a cheap one was not good enough?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForChainRun, CallbackManagerForChainRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented
from langchain_core.runnables import RunnableConfig
from pydantic import Field, PrivateAttr

from lc_costkit.errors import refuse_unknown
from lc_costkit.langchain.answered import as_chunk
from lc_costkit.langchain.cascade_call import CascadeCall
from lc_costkit.langchain.many_models import ManyModels, checked_models
from lc_costkit.langchain.preparing import Model
from lc_costkit.pricing import PriceBook
from lc_costkit.routing.answer import Check
from lc_costkit.routing.attempts import Try
from lc_costkit.routing.choose import OnError, named_targets
from lc_costkit.routing.course import check_name
from lc_costkit.routing.escalation import Escalation
from lc_costkit.routing.offered_tools import DEFAULT_CHECKS
from lc_costkit.routing.policy import Policy
from lc_costkit.streams import aclosing, closing
from lc_costkit.switch import Mode, disabled


class Cascade(ManyModels):
    """A model that asks its cheapest target first, and a dearer one where a check finds fault with the answer.

    It stands wherever a chat model stands, as ``ModelRouter`` does: in ``prompt | Cascade({...}) | parser``, in an
    agent, with tools or structured output (a draft that does not parse is not good enough). The last target's answer
    is given whatever it is. Nobody is given a draft before it has passed: ``stream`` waits for the checks, and hands
    on an accepted draft in one piece; the last target's answer comes as it is made. Handlers that stream
    (``astream_events``, LangGraph's messages) hear of a draft once it is accepted, and never of one that is thrown
    away; others, such as ``CostCallbackHandler``, hear every attempt, in one trace.

    The trail is in the answer's ``response_metadata["lc_costkit"]["route"]``: who answered, why, and each attempt.
    The caller has the last word: ``config={"metadata": {"route": "strong"}}`` names the only target. Faults of
    checks, targets and the policy are counted in ``faults``.

    It can be pickled when its targets, checks and policy can.

    Args:
        targets: models by name, cheapest first and the strongest last; or pairs of name and model.
        checks: callables on a ``RouteRequest`` and an ``Answer`` that return a ``Verdict``, asked in this order: the
            free ones first. By default ``DEFAULT_CHECKS``: ``GENERAL_CHECKS``, which need not know the task, and
            ``tools_as_offered``.
        policy: names the target to begin with; by default the cheapest.
        strong: the target that is asked last, and the one savings are counted against; by default the one called
            ``strong``, else the last.
        mode: ``observe`` sends everything to the strong target alone, and spends nothing. So it claims no saving: which
            drafts would have been good enough is not known without paying for them. To find that out on a share of
            the users, put the cascade beside the strong target in a ``ModelRouter`` with a ``canary``.
        pass_draft: show the next target the answer that was thrown away, and why.
        stream_first: ``stream`` gives the answer of the target that ``policy`` (``Rules()`` if there is none) names,
            unchecked, as it is made.
        max_usd: what a request may cost (USD) for a further target to be asked. It never leaves a request without an
            answer: the last draft is given where the next call, as estimated, would go past it.
        max_seconds: how long a request may have taken for a further target to be asked. No call is broken off.
        on_error: ``next`` asks another target where one fails, and gives the last draft where none is left; ``raise``
            raises the error. A budget's refusal is always raised.
        prices: what ``max_usd`` is reckoned by; the public price list by default.

    Raises:
        ConfigurationError: an unknown option, no targets, an empty name or one used twice, a target that is no
            Runnable, ``strong`` or a name the policy declares not among them, no checks or one that is not callable, a
            limit below 0, ``max_usd`` and a model without a price.
    """

    checks: Any
    policy: Any = None
    pass_draft: bool = False
    stream_first: bool = False
    max_usd: Any = None
    max_seconds: float | None = None
    on_error: OnError = "next"
    prices: Any = None
    drafting: dict[str, Model] = Field(default_factory=dict)
    raw_wanted: bool = False

    _escalation: Escalation = PrivateAttr()

    def __init__(
        self,
        targets: Mapping[str, Model] | Iterable[tuple[str, Model]],
        checks: Sequence[Check] = DEFAULT_CHECKS,
        *,
        policy: Policy | None = None,
        strong: str | None = None,
        mode: Mode = "on",
        pass_draft: bool = False,
        stream_first: bool = False,
        max_usd: Decimal | int | float | str | None = None,
        max_seconds: float | None = None,
        on_error: OnError = "next",
        prices: PriceBook | None = None,
        **fields: Any,
    ) -> None:
        refuse_unknown("Cascade", fields, set(type(self).model_fields) - {"targets"})
        named = named_targets(targets)
        options: dict[str, Any] = {
            "policy": policy,
            "mode": mode,
            "pass_draft": pass_draft,
            "stream_first": stream_first,
            "max_usd": max_usd,
            "max_seconds": max_seconds,
            "on_error": on_error,
            "prices": prices,
        }
        escalation = Escalation(list(named), checks, strong=strong, **options)
        checked_models(named)
        options |= {"targets": named, "checks": escalation.checks, "strong": escalation.strong}
        super().__init__(**fields | options)
        self._escalation = escalation
        self._take_chooser(escalation.chooser)
        escalation.check_models({name: self._identity(name, {}) for name in self.targets})

    @property
    def escalation(self) -> Escalation:
        """What decides who is asked next."""
        return self._escalation

    def __repr__(self) -> str:
        names = " -> ".join(self._escalation.targets)
        return f"Cascade({names}; checks: {', '.join(check_name(check) for check in self._escalation.checks)})"

    __str__ = __repr__

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Leave out what is as it is by default: checks are code."""
        written = super().to_json()
        if written["type"] == "constructor" and self.checks == DEFAULT_CHECKS:
            written["kwargs"].pop("checks", None)
        return written

    # -- calling ---------------------------------------------------------------------------------

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Answer with the first target whose answer passes."""
        merged = self._config(config)
        if disabled():
            return self._target(self.strong).invoke(input, merged, **self._kwargs(kwargs))

        def answer(input: LanguageModelInput, run_manager: CallbackManagerForChainRun, config: RunnableConfig) -> Any:
            return CascadeCall(self, input, config, kwargs).answer()

        return self._call_with_config(answer, input, merged)

    async def ainvoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Answer with the first target whose answer passes."""
        merged = self._config(config)
        if disabled():
            return await self._target(self.strong).ainvoke(input, merged, **self._kwargs(kwargs))

        async def answer(
            input: LanguageModelInput, run_manager: AsyncCallbackManagerForChainRun, config: RunnableConfig
        ) -> Any:
            return await CascadeCall(self, input, config, kwargs).aanswer()

        return await self._acall_with_config(answer, input, merged)

    def stream(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:
        """Stream the accepted answer: of the last target as it comes, of another in one piece."""
        merged = self._config(config)
        if disabled():
            opened = self._target(self.strong).stream(input, merged, **self._kwargs(kwargs))
        else:

            def answer(
                inputs: Iterator[LanguageModelInput], run_manager: CallbackManagerForChainRun, config: RunnableConfig
            ) -> Iterator[Any]:
                return self._streamed(CascadeCall(self, next(inputs), config, kwargs))

            opened = self._transform_stream_with_config(iter([input]), answer, merged)
        with closing(opened) as chunks:
            yield from chunks

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """Stream the accepted answer: of the last target as it comes, of another in one piece."""
        merged = self._config(config)
        if disabled():
            opened = self._target(self.strong).astream(input, merged, **self._kwargs(kwargs))
        else:

            async def answer(
                inputs: AsyncIterator[LanguageModelInput],
                run_manager: AsyncCallbackManagerForChainRun,
                config: RunnableConfig,
            ) -> AsyncIterator[Any]:
                async with aclosing(self._astreamed(CascadeCall(self, await anext(inputs), config, kwargs))) as chunks:
                    async for chunk in chunks:
                        yield chunk

            opened = self._atransform_stream_with_config(_once(input), answer, merged)
        async with aclosing(opened) as chunks:
            async for chunk in chunks:
                yield chunk

    def _streamed(self, call: CascadeCall) -> Iterator[Any]:
        walk = call.begin(streaming=True)
        while isinstance(step := call.to_live(walk), Try):
            begun = False
            try:
                with closing(call.stream(step)) as chunks:
                    for chunk in chunks:
                        yield chunk if begun else call.stamped(chunk, call.live_trail(step))
                        begun = True
            except Exception as error:
                if begun:
                    raise
                walk.throw(error)
            else:
                call.streamed(walk)
                return
        yield as_chunk(call.given(step))

    async def _astreamed(self, call: CascadeCall) -> AsyncIterator[Any]:
        walk = await call.abegin(streaming=True)
        while isinstance(step := await call.ato_live(walk), Try):
            begun = False
            try:
                async with aclosing(call.astream(step)) as chunks:
                    async for chunk in chunks:
                        yield chunk if begun else call.stamped(chunk, call.live_trail(step))
                        begun = True
            except Exception as error:
                if begun:
                    raise
                walk.throw(error)
            else:
                call.streamed(walk)
                return
        yield as_chunk(await call.agiven(step))

    # -- preparing -------------------------------------------------------------------------------

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Cascade:
        """Give the tools to every target, in its own provider's format.

        Raises:
            ConfigurationError: a target takes no tools.
        """
        made = super().bind_tools(tools, **kwargs)
        return made.model_copy(update={"drafting": {}, "raw_wanted": False})  # type: ignore[return-value]

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Cascade:
        """Ask every target for the schema, in its own provider's way; a draft that does not parse goes up.

        The last target's answer that does not parse raises what it would raise without the cascade.

        Raises:
            ConfigurationError: a target has no structured output.
        """
        made = super().with_structured_output(schema, **kwargs)
        drafting = self._prepared("with_structured_output", schema, **{**kwargs, "include_raw": True}).targets
        raw_wanted = bool(kwargs.get("include_raw"))
        return made.model_copy(  # type: ignore[return-value]
            update={"drafting": drafting, "raw_wanted": raw_wanted}
        )

    def with_each_target(self, change: Callable[[Any], Any]) -> Self:
        """Return the same with ``change`` applied to each target, as it drafts and as it answers."""
        drafting = {name: change(target) for name, target in self.drafting.items()}
        return super().with_each_target(change).model_copy(update={"drafting": drafting})

    def _draft_target(self, name: str) -> Model:
        target = self.drafting.get(name, self.targets[name])
        for options in self.bound_retries:
            target = target.with_retry(**options)
        return target

    def _goes_on_from(self, other: ManyModels) -> None:
        if isinstance(other, Cascade):
            self._escalation.go_on_from(other._escalation)


async def _once(input: LanguageModelInput) -> AsyncIterator[LanguageModelInput]:
    yield input
