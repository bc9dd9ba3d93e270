"""How does an agent call the model that is enough for each of its runs, or steps?"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from langchain.agents.middleware.types import AgentMiddleware, ModelRequest, ModelResponse
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

from lc_costkit.agents.cache_settings import kind_of, understood
from lc_costkit.agents.marked import Failures, Heard, marked
from lc_costkit.errors import BudgetExceeded, ConfigurationError
from lc_costkit.faults import Faults
from lc_costkit.langchain.many_models import deciding
from lc_costkit.langchain.route_request import described, identify, route_request, stamped
from lc_costkit.routing.choose import Choice, OnError, TargetChooser, checked_on_error, named_targets, route_mark
from lc_costkit.routing.explain import RouteExplanation
from lc_costkit.routing.leaving import leaves_graph
from lc_costkit.routing.per_run import PerRun
from lc_costkit.routing.policy import Policy, RouteRequest
from lc_costkit.routing.rules import Rules
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.switch import Mode, disabled

Per = Literal["run", "step"]
"""What is decided about: all that follows the user's last words, or each call of a model."""

_DESCRIBED = frozenset({"function", "input_schema", "parameters", "properties", "inputSchema", "toolSpec"})
"""Keys under which a tool says what it takes, in the formats LangChain's models translate."""

OWN = "the agent's own"
"""Name, in records, of an agent's own model that is none of the targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """One call of a target: the request as it came and as it is handed on, and what came of earlier ones."""

    asked: ModelRequest[Any]
    handed: ModelRequest[Any]
    choice: Choice
    heard: Heard
    number: str | None
    failed: tuple[str, ...] = ()
    rejected: int = 0


class RoutingMiddleware(AgentMiddleware[Any, Any, Any]):
    """Agent middleware that answers each run, or step, with the target its policy finds enough.

    Tools, tool choice and response format are given to the target in its own provider's way, by the agent itself.
    Cache settings that only another provider understands (``cache_control``, ``prompt_cache_key``, Fireworks'
    affinity header) are left out of what is handed on; the agent's state stays as it is. Other settings of one
    provider belong on its target, not on the agent.

    The decision is on every answer, in ``response_metadata["lc_costkit"]["route"]``, and that is where a run finds
    its target again: after tools, an interrupt, or in another process. It travels in callback metadata, too, so that
    ``CostCallbackHandler`` records route and savings. The caller has the last word:
    ``agent.invoke(..., config={"metadata": {"route": "strong"}})``.

    A policy that fails, a target that takes no tools where the agent has some, or one of another provider where a
    tool is a provider's own (a web search), means the strong target; ``faults`` counts it. A target's
    ``BudgetExceeded`` and all interrupts, a policy's too, are raised, whatever ``on_error`` says. Put this middleware
    outside of ``ModelFallbackMiddleware`` and of caching middleware, that is before them in the list. A fallback
    further out works, too: asked again with another model after a failure, the request goes to that model and is not
    routed.

    With ``LC_COSTKIT_DISABLE`` set, the agent's own model answers as if this were not there.

    Args:
        targets: chat models by name, cheapest first and the strongest last, or pairs of name and model; a text is made
            a model by ``init_chat_model``.
        policy: a policy, or a function from a ``RouteRequest`` to a target's name or a ``RouteDecision``; ``Rules()``
            by default. ``sticky(...)`` keeps a conversation where its prompt cache is; with ``per="step"``, give it
            ``keep_runs=False``.
        strong: the target for whatever cannot be decided, and the one savings are counted against; by default the one
            called ``strong``, else the last.
        per: ``run`` decides once for all that follows the user's last words; ``step`` decides about each call.
        mode: ``observe`` leaves every answer to the agent's own model and records what the policy said.
        on_error: ``next`` calls the next dearer target where one fails (else the next cheaper one). What the failed
            call cost is in the ledger. Pieces of it that were streamed have a message id of their own.

    Raises:
        ConfigurationError: no targets, an empty name or one used twice, a target that is no chat model, ``strong`` or
            a name the policy declares not among them, an unknown ``per``, mode or ``on_error``.
    """

    def __init__(
        self,
        targets: Mapping[str, BaseChatModel | str] | Iterable[tuple[str, BaseChatModel | str]],
        policy: Policy | None = None,
        *,
        strong: str | None = None,
        per: Per = "run",
        mode: Mode = "on",
        on_error: OnError = "raise",
    ) -> None:
        super().__init__()
        if per not in ("run", "step"):
            raise ConfigurationError(f"per must be 'run' or 'step', not {per!r}")
        named = named_targets(targets)
        policy = Rules() if policy is None else policy
        policy = PerRun(policy) if per == "run" else policy
        self._chooser = TargetChooser(list(named), policy=policy, strong=strong, mode=mode)
        self.targets = {name: _chat_model(name, model) for name, model in named.items()}
        self.strong = self._chooser.strong
        self.on_error = checked_on_error(on_error)
        self._failures = Failures()
        self._chooser.check_models({name: self._identity(model, {}) for name, model in self.targets.items()})

    @property
    def faults(self) -> Faults:
        """Faults so far: of the policy, of targets that could not be called, of targets that failed."""
        return self._chooser.faults

    def explain(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *, tools: Sequence[Any] = ()
    ) -> RouteExplanation:
        """Say where an agent's messages would go and why, without calling a target."""
        metadata = ensure_config(config).get("metadata")
        request = route_request(input, tools=described(tools), metadata=metadata, models=self._identities({}))
        choice = self._chooser.choose(request, remember=False)
        return RouteExplanation(choice=choice, targets=tuple(self._identities({}).items()), strong=self.strong)

    # -- what the agent calls --------------------------------------------------------------------

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Answer with the target that is enough."""
        if disabled() or self._failures.replaced(request):
            return handler(request)
        config = ensure_config()
        with deciding(config):
            choice = self._chooser.choose(self._reader(request, config))
        current = self._first(request, choice)
        while True:
            try:
                return _told(current, handler(current.handed))
            except Exception as error:
                following = self._instead(current, error)
                if following is None:
                    raise
                current = following

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Answer with the target that is enough."""
        if disabled() or self._failures.replaced(request):
            return await handler(request)
        config = ensure_config()
        with deciding(config):
            choice = await self._chooser.achoose(self._reader(request, config))
        current = self._first(request, choice)
        while True:
            try:
                return _told(current, await handler(current.handed))
            except Exception as error:
                following = self._instead(current, error)
                if following is None:
                    raise
                current = following

    # -- deciding --------------------------------------------------------------------------------

    def _reader(self, request: ModelRequest[Any], config: RunnableConfig) -> Callable[[], RouteRequest]:
        def read() -> RouteRequest:
            system = [] if request.system_message is None else [request.system_message]
            return route_request(
                [*system, *request.messages],
                tools=described(request.tools),
                structured=request.response_format is not None,
                settings=request.model_settings,
                metadata=config.get("metadata"),
                models=self._identities(request.model_settings),
            )

        return read

    def _first(self, request: ModelRequest[Any], choice: Choice) -> _Try:
        if choice.observed:
            choice = replace(choice, target=self._own(request))
        elif choice.target != self.strong and (lacking := _lacking(self.targets[choice.target], request)):
            unable = _unable(choice.target, lacking)
            self.faults.record(f"target {choice.target!r}", unable, f"{self.strong!r} was asked instead")
            reasons = (f"{choice.target} takes no {lacking}", *choice.decision.reasons)
            decision = replace(choice.decision, target=self.strong, reasons=reasons)
            if choice.seen is not None:
                self._chooser.conversations.instead(choice.seen, self.strong)
            choice = replace(choice, target=self.strong, decision=decision)
        return self._try(request, choice, uuid.uuid4().hex if self.on_error == "next" else None)

    def _try(
        self,
        asked: ModelRequest[Any],
        choice: Choice,
        number: str | None,
        failed: tuple[str, ...] = (),
        rejected: int = 0,
    ) -> _Try:
        mark = route_mark(
            choice,
            strong=self.strong,
            baseline=self._identity(self.targets[self.strong], asked.model_settings),
            chosen=self._identity(self.targets[choice.decision.target], asked.model_settings),
        )
        heard = Heard()
        model = asked.model if choice.observed else self.targets[choice.target]
        handed = asked if choice.observed else understood(asked, model, among=self.targets.values())
        if isinstance(model, BaseChatModel):  # an agent's own may be a router, which marks its calls itself
            mark = replace(mark, request=number, rejected=rejected, observed=choice.observed)
            handed = handed.override(model=marked(model, mark, heard))
        return _Try(
            asked=asked, handed=handed, choice=choice, heard=heard, number=number, failed=failed, rejected=rejected
        )

    def _instead(self, current: _Try, error: Exception) -> _Try | None:
        """Return the next call after one that failed; ``None`` where the error is to be raised."""
        if leaves_graph(error):
            return None
        choice = current.choice
        failed = (*current.failed, choice.target)
        if self.on_error == "next" and not choice.observed and not isinstance(error, BudgetExceeded):
            following = self._chooser.instead(choice, failed, error)
            while following is not None and (lacking := _lacking(self.targets[following.target], current.asked)):
                failed = (*failed, following.target)
                following = self._chooser.instead(choice, failed, _unable(following.target, lacking))
            if following is not None:
                following = replace(following, attempt=choice.attempt + 1)
                # An answer that came and could not be used was thrown away.
                rejected = current.rejected + min(1, current.heard.answers)
                return self._try(current.asked, following, current.number, failed, rejected)
        self._failures.note(current.asked)
        return None

    def _own(self, request: ModelRequest[Any]) -> str:
        """Name the agent's own model as a target, if it is one."""
        own = self._identity(request.model, request.model_settings)
        for name, model in self.targets.items():
            if model is request.model:
                return name
        same = (name for name, one in self._identities(request.model_settings).items() if one == own)
        return OWN if own.model is None else next(same, OWN)

    def _identities(self, settings: Mapping[str, Any]) -> dict[str, TargetModel]:
        return {name: self._identity(model, settings) for name, model in self.targets.items()}

    def _identity(self, model: Any, settings: Mapping[str, Any]) -> TargetModel:
        try:
            return identify(model, settings)
        except Exception as error:
            self.faults.record("reading a model's name", error, "its calls are priced without a comparison")
            return TargetModel()


def _told(current: _Try, response: ModelResponse[Any]) -> ModelResponse[Any]:
    """Put the decision on the answer, if the target that was decided for gave it."""
    if not current.heard.answers:
        return response
    result = [stamped(one, current.choice) if isinstance(one, AIMessage) else one for one in response.result]
    return replace(response, result=result)


def _chat_model(name: str, model: Any) -> BaseChatModel:
    if isinstance(model, str):
        try:
            model = init_chat_model(model)
        except Exception as error:
            raise ConfigurationError(f"target {name!r}: no chat model can be made of {model!r}: {error}") from error
    if not isinstance(model, BaseChatModel):
        raise ConfigurationError(
            f"target {name!r} must be a chat model, not {type(model).__name__}: what is bound around one is lost when "
            f"an agent binds its tools. A ModelRouter or a Cascade goes into create_agent(model=...)"
        )
    return model


def _unable(name: str, lacking: str) -> ConfigurationError:
    return ConfigurationError(f"target {name!r} takes no {lacking}")


def _lacking(model: BaseChatModel, request: ModelRequest[Any]) -> str | None:
    """Say what of a request a model cannot take, by what it is and what its profile says; ``None`` for nothing."""
    binds = type(model).bind_tools is not BaseChatModel.bind_tools
    profile = model.profile or {}
    calls = profile.get("tool_calling") is not False
    if request.tools and not (binds and calls):
        return "tools"
    if request.response_format is not None and not (binds and (calls or profile.get("structured_output"))):
        return "response format"
    if kind_of(model) != kind_of(request.model) and any(map(_is_a_providers_own, request.tools)):
        return "tools that another provider runs"
    return None


def _is_a_providers_own(tool: Any) -> bool:
    """Tell whether a tool is not described, only named: its provider knows it. The agent's own model takes it."""
    return isinstance(tool, dict) and _DESCRIBED.isdisjoint(tool)
