"""What do LLMs have in common that stand for one of several?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata
from llama_index.core.bridge.pydantic import Field, PrivateAttr, SerializeAsAny
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import BaseTool
from llama_index_instrumentation.dispatcher import active_instrument_tags, instrument_tags

from lc_costkit.errors import ConfigurationError, shown
from lc_costkit.faults import Faults
from lc_costkit.llama_index.cache_request import canonical
from lc_costkit.llama_index.deciding import how_it_decides
from lc_costkit.llama_index.delegating import (
    ChatRequest,
    CompletionRequest,
    DelegatingFunctionCallingLLM,
    DelegatingLLM,
    R,
    Request,
    settings_of,
)
from lc_costkit.llama_index.route_request import as_messages, described, identify, route_request, told_route
from lc_costkit.llama_index.stand_ins import PREPARED, WithTools, without_tools
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.routing.choose import Choice, TargetChooser, route_mark
from lc_costkit.routing.explain import RouteExplanation
from lc_costkit.routing.policy import RouteRequest
from lc_costkit.routing.target_model import TargetModel

Many = TypeVar("Many", bound="ManyLLMs")

_WITH_TOOLS = frozenset({"chat_with_tools", "achat_with_tools", "stream_chat_with_tools", "astream_chat_with_tools"})
"""Methods that only LLMs have which call tools."""


class ManyLLMs(DelegatingLLM):
    """An LLM that stands for one of several; ``routed_llm`` and ``cascade_llm`` make them.

    Its methods emit no model events of their own: those of the targets it calls do.
    """

    targets: dict[str, SerializeAsAny[LLM]] = Field(description="LLMs by name, cheapest first.")
    strong: str = Field(description="Name of the target for whatever cannot be decided.")

    _chooser: TargetChooser = PrivateAttr()
    _decided_by: str = PrivateAttr(default="")

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
    def decided_by(self) -> str:
        """A digest of the policy and the checks, as they were when it was first asked for, and what the caller
        names as the target."""
        if not self._decided_by:
            settings = canonical([how_it_decides(each) for each in self._deciders()])
            self._decided_by = hashlib.sha256(settings.encode()).hexdigest()[:16]
        named = active_instrument_tags.get().get(ROUTE_KEY)
        return f"{self._decided_by} {named}" if isinstance(named, str) else self._decided_by

    def _deciders(self) -> Sequence[object]:
        """Return what decides which target answers: policies, checks, options."""
        return [self._chooser.policy, self._chooser.mode]

    @property
    def faults(self) -> Faults:
        """Faults of the policy, the checks and the targets so far; none of them lost a request."""
        return self._chooser.faults

    def explain(self, prompt: str | Sequence[ChatMessage]) -> RouteExplanation:
        """Say where a request would go first and why, without calling a target."""
        choice = self._chooser.choose(self._reader(_request_of(prompt)), remember=False)
        return RouteExplanation(choice=choice, targets=tuple(self._models({}).items()), strong=self.strong)

    def _reader(self, request: Request[Any]) -> Callable[[], RouteRequest]:
        """Return what reads a request as a policy sees it; the caller's metadata are the instrument tags."""
        tags = {name: value for name, value in active_instrument_tags.get().items() if name != MARK}

        def read() -> RouteRequest:
            plain, tools = without_tools(request)
            return route_request(
                as_messages(plain.messages if isinstance(plain, ChatRequest) else getattr(plain, "prompt", "")),
                tools=described(() if tools is None else tools.tools),
                settings=plain.options,
                metadata=tags,
                models=self._models(plain.options),
            )

        return read

    def _models(self, settings: Mapping[str, Any]) -> dict[str, TargetModel]:
        return {name: self._identity(name, settings) for name in self.targets}

    def _identity(self, name: str, settings: Mapping[str, Any]) -> TargetModel:
        try:
            return identify(self.targets[name], settings)
        except Exception as error:
            self.faults.record("reading a target's model name", error, "its calls are priced without a comparison")
            return TargetModel()

    def _mark(self, choice: Choice, settings: Mapping[str, Any], **values: Any) -> dict[str, Any]:
        """Return what the meter is told of a call; ``values`` are further fields of a ``RouteMark``."""
        baseline, chosen = self._identity(self.strong, settings), self._identity(choice.decision.target, settings)
        mark = route_mark(choice, strong=self.strong, baseline=baseline, chosen=chosen)
        return replace(mark, **values).to_dict()

    def _for_target(self, name: str, request: Request[R]) -> tuple[LLM, Request[R]]:
        """Return a target, and the request as it wants it: tools in its own provider's format."""
        target = self.targets[name]
        plain, tools = without_tools(request)
        if tools is None:
            return target, plain
        return target, cast("Request[R]", tools.request_for(target))  # only a chat is prepared with tools

    if not TYPE_CHECKING:  # for type checkers an unknown attribute stays an error

        def __getattr__(self, name: str) -> Any:
            """Say which target calls no tools, where tools are given; and what makes such an LLM, if that did not."""
            try:
                return super().__getattr__(name)
            except AttributeError:
                if name in ("_chooser", "_escalation"):
                    raise AttributeError(
                        f"this {self.class_name()} has no policy; make it with routed_llm or cascade_llm"
                    ) from None
                if name not in _WITH_TOOLS:
                    raise
                wanting = [
                    f"target {name!r} ({target.class_name()}) calls no tools"
                    for name, target in self.targets.items()
                    if not isinstance(target, FunctionCallingLLM)
                ]
                raise AttributeError(
                    f"{self.class_name()} has no {name!r}: {'; '.join(wanting)}; every target must"
                ) from None


class ManyFunctionCallingLLMs(ManyLLMs, DelegatingFunctionCallingLLM):
    """A ``ManyLLMs`` whose targets all call tools.

    A call with tools is prepared for each target that is called, when it is known which that is.
    """

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
        with_tools = WithTools.of(
            tools,
            user_msg,
            chat_history,
            verbose=verbose,
            allow_parallel_tool_calls=allow_parallel_tool_calls,
            tool_required=tool_required,
            **kwargs,
        )
        # The tools in nobody's format are for a cache before this LLM.
        told = {"messages": with_tools.messages, "tools": self._told(tools)}
        return {**told, **with_tools.settings, PREPARED: with_tools}

    def _told(self, tools: Sequence[BaseTool]) -> str:
        try:
            return described(tools).text
        except Exception as error:
            self.faults.record("reading the tools", error, "no cache before it keeps answers to such calls")
            return repr(tools)  # an object's address in it says so

    def _answered_by(self, response: ChatResponse) -> FunctionCallingLLM:
        name, _ = told_route(response)
        return self._tool_target(name if name in self.targets else self.strong)

    def _as_answered(self, response: ChatResponse) -> ChatResponse:
        return told_route(response)[1]

    def _tool_target(self, name: str | None) -> FunctionCallingLLM:
        target = self.targets[name or self.strong]
        assert isinstance(target, FunctionCallingLLM)  # noqa: S101 - every target was looked at
        return target


@contextmanager
def told(mark: Mapping[str, Any]) -> Iterator[None]:
    """Let the events of a target's call carry a ``RouteMark``; the caller's own ``route`` was for this LLM."""
    active = {name: value for name, value in active_instrument_tags.get().items() if name != ROUTE_KEY}
    with instrument_tags({**active, MARK: {**active.get(MARK, {}), ROUTE_KEY: dict(mark)}}):
        yield


def checked_llms(named: Mapping[str, Any]) -> bool:
    """Tell whether all targets call tools.

    Raises:
        ConfigurationError: a target is no LlamaIndex LLM.
    """
    for name, target in named.items():
        if not isinstance(target, LLM):
            raise ConfigurationError(f"target {name!r} must be a LlamaIndex LLM, not {shown(target)}")
    return all(isinstance(target, FunctionCallingLLM) for target in named.values())


def made(kind: type[Many], named: Mapping[str, LLM], chooser: TargetChooser, **fields: Any) -> Many:
    """Make an LLM of several, with the strong target's prompt settings."""
    settings = settings_of(named[chooser.strong])
    settings.pop("output_parser")  # the target applies it to its own answers
    settings.pop("callback_manager")
    one = kind(targets=dict(named), strong=chooser.strong, **settings, **fields)
    one._chooser = chooser
    chooser.check_models(one._models({}))
    return one


def _request_of(prompt: str | Sequence[ChatMessage]) -> Request[Any]:
    if isinstance(prompt, str):
        return CompletionRequest(prompt=prompt)
    return ChatRequest(messages=list(prompt))
