"""How does a LlamaIndex application call the model that is enough for each request?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    LLMMetadata,
)
from llama_index.core.bridge.pydantic import Field, PrivateAttr, SerializeAsAny
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import BaseTool
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import active_instrument_tags, instrument_tags

from lc_costkit.errors import ConfigurationError
from lc_costkit.faults import Faults
from lc_costkit.llama_index.delegating import ChatRequest, DelegatingFunctionCallingLLM, DelegatingLLM, R, Request
from lc_costkit.llama_index.route_request import (
    as_messages,
    astamped_stream,
    conversation,
    identify,
    route_request,
    stamped,
    stamped_stream,
    tool_names,
)
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.routing.choose import Choice, TargetChooser, named_targets, route_mark
from lc_costkit.routing.explain import RouteExplanation
from lc_costkit.routing.policy import Policy, RouteRequest
from lc_costkit.routing.rules import Rules
from lc_costkit.switch import Mode, disabled

PINNED = "lc_costkit_choice"
"""Keyword that carries the choice from preparing a call with tools to making it."""

dispatcher = get_dispatcher(__name__)


class RouteEvent(BaseEvent):
    """A request was routed.

    Emitted in the span of the routing LLM's method, just before the target is called. The start
    event of the target's call carries the same mapping in ``tags["lc_costkit"]["route"]``, which is
    how a handler joins the two.

    Attributes:
        mark: a ``RouteMark`` as plain data.
    """

    mark: dict[str, Any]

    @classmethod
    def class_name(cls) -> str:
        """Name of the event class."""
        return "RouteEvent"


def routed_llm(
    targets: Mapping[str, LLM] | Iterable[tuple[str, LLM]],
    policy: Policy | None = None,
    *,
    strong: str | None = None,
    mode: Mode = "on",
) -> RoutedLLM:
    """Return an LLM that sends each request to the target its policy finds enough.

    It is a ``FunctionCallingLLM`` when all targets are, so that agents can use it. With tools, the
    target is chosen while the call is prepared and kept for the call itself, so that each provider
    gets its own tool format. The decision is told by a ``RouteEvent`` and in the response's
    ``additional_kwargs["lc_costkit"]["route"]``.

    Args:
        targets: LLMs by name, cheapest first; or pairs of name and LLM.
        policy: a policy, or a function from a ``RouteRequest`` to a target's name or a
            ``RouteDecision``; ``Rules()`` by default.
        strong: the target for whatever cannot be decided; by default the last.
        mode: ``observe`` sends everything to the strong target and records what the policy said.

    Raises:
        ConfigurationError: no targets, an empty name or one used twice, a target that is no LLM,
            ``strong`` or a name the policy declares not among them, an unknown mode.
    """
    named = named_targets(targets)
    policy = Rules() if policy is None else policy
    chooser = TargetChooser(list(named), policy=policy, strong=strong, mode=mode)
    for name, target in named.items():
        if not isinstance(target, LLM):
            raise ConfigurationError(f"target {name!r} must be a LlamaIndex LLM, not {target!r}")
    with_tools = all(isinstance(target, FunctionCallingLLM) for target in named.values())
    kind = RoutedFunctionCallingLLM if with_tools else RoutedLLM
    chief = named[chooser.strong]
    routed = kind(
        targets=named,
        strong=chooser.strong,
        system_prompt=chief.system_prompt,
        messages_to_prompt=chief.messages_to_prompt,
        completion_to_prompt=chief.completion_to_prompt,
        query_wrapper_prompt=chief.query_wrapper_prompt,
        pydantic_program_mode=chief.pydantic_program_mode,
    )
    routed._chooser = chooser
    return routed


class RoutedLLM(DelegatingLLM):
    """An LLM that delegates each call to one of several; made by ``routed_llm``.

    Its methods emit no model events of their own: the target's do, once.
    """

    targets: dict[str, SerializeAsAny[LLM]] = Field(description="LLMs by name, cheapest first.")
    strong: str = Field(description="Name of the target for whatever cannot be decided.")

    _chooser: TargetChooser = PrivateAttr()

    @classmethod
    def class_name(cls) -> str:
        """Name of the component class."""
        return "RoutedLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """The strong target's, with the smallest window: any target may be called."""
        all_metadata = [target.metadata for target in self.targets.values()]
        return self.targets[self.strong].metadata.model_copy(
            update={
                "context_window": min(each.context_window for each in all_metadata),
                "is_function_calling_model": isinstance(self, FunctionCallingLLM)
                and all(each.is_function_calling_model for each in all_metadata),
            }
        )

    @property
    def faults(self) -> Faults:
        """Faults of the policy so far; each of them sent a request to the strong target."""
        return self._chooser.faults

    def explain(self, prompt: str | Sequence[ChatMessage]) -> RouteExplanation:
        """Say where a request would go and why, without calling a model."""
        models = tuple((name, identify(target)) for name, target in self.targets.items())
        choice = self._chooser.choose(_reader(prompt, ()))
        return RouteExplanation(choice=choice, targets=models, strong=self.strong)

    def _send(self, request: Request[R]) -> R:
        request, choice = self._chosen(request)
        with self._calling(choice) as target:
            return stamped(request.send(target), choice)

    async def _asend(self, request: Request[R]) -> R:
        request, choice = await self._achosen(request)
        with self._calling(choice) as target:
            return stamped(await request.asend(target), choice)

    def _stream(self, request: Request[R]) -> Generator[R, None, None]:
        request, choice = self._chosen(request)
        with self._calling(choice) as target:
            chunks = request.stream(target)
        return stamped_stream(chunks, choice)

    async def _astream(self, request: Request[R]) -> AsyncGenerator[R, None]:
        request, choice = await self._achosen(request)
        with self._calling(choice) as target:
            chunks = await request.astream(target)
        return astamped_stream(chunks, choice)

    def _chosen(self, request: Request[R]) -> tuple[Request[R], Choice | None]:
        options = dict(request.options)
        choice = self._choice(_asked(request), options)
        return request.with_options(options), choice

    async def _achosen(self, request: Request[R]) -> tuple[Request[R], Choice | None]:
        options = dict(request.options)
        choice = await self._achoice(_asked(request), options)
        return request.with_options(options), choice

    def _choice(
        self, prompt: str | Sequence[ChatMessage], kwargs: dict[str, Any], tools: tuple[str, ...] = ()
    ) -> Choice | None:
        """Choose a target, or take the pinned one; ``None`` when the kit is switched off."""
        if PINNED in kwargs:
            pinned: Choice | None = kwargs.pop(PINNED)
            return pinned
        return None if disabled() else self._chooser.choose(_reader(prompt, tools))

    async def _achoice(
        self, prompt: str | Sequence[ChatMessage], kwargs: dict[str, Any], tools: tuple[str, ...] = ()
    ) -> Choice | None:
        if PINNED in kwargs or disabled():
            return self._choice(prompt, kwargs)
        return await self._chooser.achoose(_reader(prompt, tools))

    @contextmanager
    def _calling(self, choice: Choice | None) -> Iterator[LLM]:
        """Yield the target; events of its call carry the decision."""
        if choice is None:
            yield self.targets[self.strong]
            return
        baseline, chosen = (identify(self.targets[name]) for name in (self.strong, choice.decision.target))
        mark = route_mark(choice, strong=self.strong, baseline=baseline, chosen=chosen).to_dict()
        dispatcher.event(RouteEvent(mark=mark))
        active = active_instrument_tags.get()
        with instrument_tags({**active, MARK: {**active.get(MARK, {}), ROUTE_KEY: mark}}):
            yield self.targets[choice.target]


class RoutedFunctionCallingLLM(RoutedLLM, DelegatingFunctionCallingLLM):
    """A ``RoutedLLM`` whose targets all call tools; made by ``routed_llm``."""

    @classmethod
    def class_name(cls) -> str:
        """Name of the component class."""
        return "RoutedFunctionCallingLLM"

    async def achat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> ChatResponse:
        """Choose a target without blocking the loop, then chat with tools."""
        kwargs[PINNED] = await self._achoice(conversation(user_msg, chat_history), kwargs, tool_names(tools))
        return await super().achat_with_tools(
            tools,
            user_msg=user_msg,
            chat_history=chat_history,
            verbose=verbose,
            allow_parallel_tool_calls=allow_parallel_tool_calls,
            tool_required=tool_required,
            **kwargs,
        )

    async def astream_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> ChatResponseAsyncGen:
        """Choose a target without blocking the loop, then stream a chat with tools."""
        kwargs[PINNED] = await self._achoice(conversation(user_msg, chat_history), kwargs, tool_names(tools))
        return await super().astream_chat_with_tools(
            tools,
            user_msg=user_msg,
            chat_history=chat_history,
            verbose=verbose,
            allow_parallel_tool_calls=allow_parallel_tool_calls,
            tool_required=tool_required,
            **kwargs,
        )

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        choice = self._choice(conversation(user_msg, chat_history), kwargs, tool_names(tools))
        prepared = self._tool_target(choice)._prepare_chat_with_tools_compat(
            tools,
            user_msg=user_msg,
            chat_history=chat_history,
            verbose=verbose,
            allow_parallel_tool_calls=allow_parallel_tool_calls,
            tool_required=tool_required,
            **kwargs,
        )
        return {**prepared, PINNED: choice}

    def _tool_target(self, choice: Choice | None) -> FunctionCallingLLM:
        target = self.targets[choice.target if choice else self.strong]
        assert isinstance(target, FunctionCallingLLM)  # noqa: S101 - routed_llm has looked at every target
        return target

    def _answered_by(self, response: ChatResponse) -> FunctionCallingLLM:
        name = response.additional_kwargs.get(MARK, {}).get(ROUTE_KEY, {}).get("target", self.strong)
        target = self.targets.get(name, self.targets[self.strong])
        assert isinstance(target, FunctionCallingLLM)  # noqa: S101 - routed_llm has looked at every target
        return target


def _asked(request: Request[Any]) -> str | Sequence[ChatMessage]:
    return request.messages if isinstance(request, ChatRequest) else getattr(request, "prompt", "")


def _reader(prompt: str | Sequence[ChatMessage], tools: tuple[str, ...]) -> Callable[[], RouteRequest]:
    return lambda: route_request(as_messages(prompt), tools)
