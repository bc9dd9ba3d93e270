"""How does a LlamaIndex application call the model that is enough for each request?"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.llms import LLM
from llama_index_instrumentation import get_dispatcher

from lc_costkit.errors import BudgetExceeded
from lc_costkit.llama_index.delegating import R, Request
from lc_costkit.llama_index.many_llms import ManyFunctionCallingLLMs, ManyLLMs, checked_llms, made, told
from lc_costkit.llama_index.route_request import stamped
from lc_costkit.llama_index.spending import asend, send
from lc_costkit.llama_index.streaming import abegun, atagged, begun, tagged
from lc_costkit.routing.choose import Choice, OnError, TargetChooser, checked_on_error, named_targets
from lc_costkit.routing.policy import Policy
from lc_costkit.routing.rules import Rules
from lc_costkit.streams import aclosing, closing
from lc_costkit.switch import Mode, disabled

dispatcher = get_dispatcher(__name__)


class RouteEvent(BaseEvent):
    """A request was routed, or a cascade asks a target.

    Emitted in the span of the deciding LLM's method, just before the target is called. The start
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
    on_error: OnError = "raise",
) -> RoutedLLM:
    """Return an LLM that sends each request to the target its policy finds enough.

    It is a ``FunctionCallingLLM`` when all targets are, so that agents can use it; the target that is
    called gets tools in its own provider's format. What an agent remembers of tool calls is as the target wrote
    them: for targets of several providers take integrations that write LlamaIndex's ``ToolCallBlock``.

    The decision is told by a ``RouteEvent`` and in the response's ``additional_kwargs["lc_costkit"]["route"]``. The
    caller has the last word: ``with instrument_tags({"route": "strong"})`` names the target; a policy sees all tags
    as the request's metadata. A cache before it (``cached_llm(routed_llm(...))``) keeps apart what is decided by other
    settings, or named by other callers.

    Args:
        targets: LLMs by name, cheapest first; or pairs of name and LLM.
        policy: a policy, or a function from a ``RouteRequest`` to a target's name or a
            ``RouteDecision``; ``Rules()`` by default.
        strong: the target for whatever cannot be decided; by default the one called ``strong``, else the
            last. Policies see it as the last.
        mode: ``observe`` sends everything to the strong target and records what the policy said.
        on_error: ``next`` calls the next dearer target where one fails (else the next cheaper one), of a stream
            as long as no word of it has come: a stream is returned once it has begun. What the failed call cost
            is in the ledger. A budget's refusal is raised.

    Raises:
        ConfigurationError: no targets, an empty name or one used twice, a target that is no LLM,
            ``strong`` or a name the policy declares not among them, a policy that cannot choose among
            these models, an unknown mode or ``on_error``.
    """
    named = named_targets(targets)
    chooser = TargetChooser(list(named), policy=Rules() if policy is None else policy, strong=strong, mode=mode)
    kind = RoutedFunctionCallingLLM if checked_llms(named) else RoutedLLM
    routed = made(kind, named, chooser)
    routed._on_error = checked_on_error(on_error)
    return routed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """Where one request goes; no choice while the kit is switched off."""

    name: str
    choice: Choice | None = None
    failed: tuple[str, ...] = ()
    request_id: str | None = None

    def stamped(self, response: R) -> R:
        """Return the response with the decision."""
        if self.choice is None:
            return response
        decision = self.choice.decision
        route = {"target": self.name, "score": decision.score, "reasons": list(decision.reasons)}
        return stamped(response, route, observed=self.choice.observed and not self.failed)


class RoutedLLM(ManyLLMs):
    """An LLM that delegates each call to one of several; made by ``routed_llm``.

    Its methods emit no model events of their own: the target's do, once.
    """

    _on_error: OnError = PrivateAttr(default="raise")

    @classmethod
    def class_name(cls) -> str:
        """Name of the component class."""
        return "RoutedLLM"

    def _send(self, request: Request[R]) -> R:
        way = self._way(request)
        while True:
            try:
                with self._calling(way, request) as (target, asked):
                    return way.stamped(send(asked, target))
            except Exception as error:
                following = self._instead(way, error)
                if following is None:
                    raise
                way = following

    async def _asend(self, request: Request[R]) -> R:
        way = await self._away(request)
        while True:
            try:
                with self._calling(way, request) as (target, asked):
                    return way.stamped(await asend(asked, target))
            except Exception as error:
                following = self._instead(way, error)
                if following is None:
                    raise
                way = following

    def _stream(self, request: Request[R]) -> Generator[R, None, None]:
        way = self._way(request)
        while True:
            try:
                with self._calling(way, request) as (target, asked):
                    chunks = _stamped(tagged(asked.stream(target)), way)
                    return chunks if self._on_error == "raise" else begun(chunks)
            except Exception as error:
                following = self._instead(way, error)
                if following is None:
                    raise
                way = following

    async def _astream(self, request: Request[R]) -> AsyncGenerator[R, None]:
        way = await self._away(request)
        while True:
            try:
                with self._calling(way, request) as (target, asked):
                    chunks = _astamped(atagged(await asked.astream(target)), way)
                    return chunks if self._on_error == "raise" else await abegun(chunks)
            except Exception as error:
                following = self._instead(way, error)
                if following is None:
                    raise
                way = following

    def _way(self, request: Request[Any]) -> _Way:
        return self._first(None if disabled() else self._chooser.choose(self._reader(request)))

    async def _away(self, request: Request[Any]) -> _Way:
        return self._first(None if disabled() else await self._chooser.achoose(self._reader(request)))

    def _first(self, choice: Choice | None) -> _Way:
        if choice is None:
            return _Way(name=self.strong)
        request_id = uuid.uuid4().hex if self._on_error == "next" else None
        return _Way(name=choice.target, choice=choice, request_id=request_id)

    def _instead(self, way: _Way, error: Exception) -> _Way | None:
        """Return the way a request goes after its target failed; ``None`` where the error is to be raised."""
        if self._on_error == "raise" or way.choice is None or isinstance(error, BudgetExceeded):
            return None
        failed = (*way.failed, way.name)
        choice = self._chooser.instead(way.choice, failed, error)
        return None if choice is None else replace(way, name=choice.target, choice=choice, failed=failed)

    @contextmanager
    def _calling(self, way: _Way, request: Request[R]) -> Iterator[tuple[LLM, Request[R]]]:
        """Yield the target, and the request as it wants it; events of its call carry the decision."""
        if way.choice is None:
            yield self._for_target(way.name, request)
            return
        mark = self._mark(way.choice, request.options, request=way.request_id)
        dispatcher.event(RouteEvent(mark=mark))
        with told(mark):
            yield self._for_target(way.name, request)


class RoutedFunctionCallingLLM(RoutedLLM, ManyFunctionCallingLLMs):
    """A ``RoutedLLM`` whose targets all call tools; made by ``routed_llm``."""

    @classmethod
    def class_name(cls) -> str:
        """Name of the component class."""
        return "RoutedFunctionCallingLLM"


def _stamped(chunks: Generator[R, None, None], way: _Way) -> Generator[R, None, None]:
    with closing(chunks):
        for chunk in chunks:
            yield way.stamped(chunk)


async def _astamped(chunks: AsyncGenerator[R, None], way: _Way) -> AsyncGenerator[R, None]:
    async with aclosing(chunks):
        async for chunk in chunks:
            yield way.stamped(chunk)
