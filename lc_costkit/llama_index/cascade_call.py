"""How does a cascade call LlamaIndex LLMs for one request?"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, cast

from llama_index.core.llms import LLM
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index_instrumentation import get_dispatcher

from lc_costkit.llama_index.answered import answer_of, fault_of, shown
from lc_costkit.llama_index.delegating import R, Request
from lc_costkit.llama_index.many_llms import told as marked
from lc_costkit.llama_index.route_request import stamped
from lc_costkit.llama_index.routed import RouteEvent
from lc_costkit.llama_index.spending import asend, counted_by, send, spending_within
from lc_costkit.llama_index.stand_ins import without_tools
from lc_costkit.llama_index.streaming import atagged, tagged
from lc_costkit.llama_index.uncached import uncached
from lc_costkit.routing.answer import Answer
from lc_costkit.routing.attempts import Attempt, Draw, Drawn, Settled, Tried, Try, Unreadable
from lc_costkit.routing.choose import Choice, TargetChooser
from lc_costkit.routing.drive import Walk, async_drive, sync_drive
from lc_costkit.routing.policy import RouteRequest
from lc_costkit.routing.trail import shown_tokens, told
from lc_costkit.streams import aclosing, closing

if TYPE_CHECKING:
    from lc_costkit.llama_index.cascade import CascadeLLM

dispatcher = get_dispatcher(__name__)


class CascadeCall(Generic[R]):
    """One request on its way through a cascade's targets.

    Args:
        cascade: whose targets.
        request: what is asked.
        streaming: the caller wants a stream.
    """

    def __init__(self, cascade: CascadeLLM, request: Request[R], *, streaming: bool = False) -> None:
        self._cascade = cascade
        self._plan = cascade.escalation
        self._sent: Request[R] = request
        self._tools = without_tools(request)[1]
        self._streaming = streaming
        self._id = uuid.uuid4().hex
        self._read = cascade._reader(request)
        self._request = RouteRequest(question="")
        self._choice: Choice
        self._spending = None if self._plan.max_usd is None else spending_within(self._plan.prices)

    # -- steps -----------------------------------------------------------------------------------

    def begin(self) -> Walk:
        """Decide where to begin."""
        with counted_by(self._spending):
            return self._begun(self._chooser.choose(self._reading))

    async def abegin(self) -> Walk:
        """Do the same, by the policy's ``acall`` if it has one."""
        with counted_by(self._spending):
            return self._begun(await self._chooser.achoose(self._reading))

    def to_live(self, walk: Walk) -> Try | Settled:
        """Carry out steps until the request is settled, or an answer may be streamed."""
        with counted_by(self._spending):
            return sync_drive(walk, call=self._call, draw=self._draw, until_live=True)

    async def ato_live(self, walk: Walk) -> Try | Settled:
        """Carry out steps until the request is settled, or an answer may be streamed."""
        with counted_by(self._spending):
            return await async_drive(walk, call=self._acall, draw=self._adraw, until_live=True)

    def answer(self) -> R:
        """Return what the caller is given."""
        walk = self.begin()
        with counted_by(self._spending):
            return self.settled(sync_drive(walk, call=self._call, draw=self._draw))

    async def aanswer(self) -> R:
        """Return what the caller is given."""
        walk = await self.abegin()
        with counted_by(self._spending):
            return self.settled(await async_drive(walk, call=self._acall, draw=self._adraw))

    def stream(self, walk: Walk, step: Try) -> Generator[R, None, None]:
        """Stream the answer of a call that is accepted whatever it is."""
        target, asked = self._cascade._for_target(step.target, shown(self._sent, step.draft, step.reasons))
        with self._marked(step):
            chunks = tagged(asked.stream(target))
        return self._passed_on(chunks, walk, step)

    async def astream(self, walk: Walk, step: Try) -> AsyncGenerator[R, None]:
        """Stream the answer of a call that is accepted whatever it is."""
        target, asked = self._cascade._for_target(step.target, shown(self._sent, step.draft, step.reasons))
        with self._marked(step):
            chunks = atagged(await asked.astream(target))
        return self._apassed_on(chunks, walk, step)

    def settled(self, settled: Settled) -> R:
        """Return what the caller is given."""
        self._remember_all(settled)
        trail = self._trail(settled.target, settled.reasons, settled.attempts, settled.stopped)
        return self._stamped(cast("R", settled.output), trail)

    # -- calling ---------------------------------------------------------------------------------

    def _call(self, step: Try) -> Tried:
        target, asked = self._cascade._for_target(step.target, shown(self._sent, step.draft, step.reasons))
        with self._marked(step), self._read_by(target, step):
            response = send(asked, target)
        return self._tried(response, step.target)

    async def _acall(self, step: Try) -> Tried:
        target, asked = self._cascade._for_target(step.target, shown(self._sent, step.draft, step.reasons))
        with self._marked(step), self._read_by(target, step):
            response = await asend(asked, target)
        return self._tried(response, step.target)

    def _draw(self, step: Draw) -> Drawn:
        target, asked = self._cascade._for_target(step.target, self._sent)
        alone = uncached(target)
        with self._aside(step):
            responses = [send(asked, alone) for _ in range(step.samples)]
        return Drawn(answers=tuple(self._tried(one, step.target).answer for one in responses))

    async def _adraw(self, step: Draw) -> Drawn:
        target, asked = self._cascade._for_target(step.target, self._sent)
        alone = uncached(target)
        with self._aside(step):
            sending = [asend(asked, alone) for _ in range(step.samples)]
            # All are waited for, so that none is still being asked when the next target is.
            got = await asyncio.gather(*sending, return_exceptions=True)
        responses = [self._given(one) for one in got]
        return Drawn(answers=tuple(self._tried(one, step.target).answer for one in responses))

    @staticmethod
    def _given(result: R | BaseException) -> R:
        if isinstance(result, BaseException):
            raise result
        return result

    def _tried(self, response: R, name: str) -> Tried:
        target = self._cascade.targets[name]
        try:
            fault = fault_of(response, target, self._tools)
            return Tried(output=response, answer=answer_of(response, target, self._tools), fault=fault)
        except Exception as error:
            self._cascade.faults.record(f"reading an answer of {name!r}", error, "drafts like it are thrown away")
            return Tried(output=response, answer=Answer(text=""), fault=f"it cannot be read ({type(error).__name__})")

    def _passed_on(self, chunks: Generator[R, None, None], walk: Walk, step: Try) -> Generator[R, None, None]:
        trail = self._live_trail(step)
        with closing(chunks):
            for chunk in chunks:
                yield self._stamped(chunk, trail)
        self._streamed(walk)

    async def _apassed_on(self, chunks: AsyncGenerator[R, None], walk: Walk, step: Try) -> AsyncGenerator[R, None]:
        trail = self._live_trail(step)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield self._stamped(chunk, trail)
        self._streamed(walk)

    @contextmanager
    def _read_by(self, target: LLM, step: Try) -> Iterator[None]:
        """Tell a draft that a structured LLM cannot read from a call that failed."""
        try:
            yield
        except (ValueError, TypeError) as error:
            if not isinstance(target, StructuredLLM) or step.live:
                raise
            if self._spending is not None:
                self._spending.add(None)  # it was paid for, and its usage is lost with it
            raise Unreadable from error

    @contextmanager
    def _marked(self, step: Try) -> Iterator[None]:
        shown = shown_tokens(step.draft, step.reasons)
        mark = self._mark_of(step.target, step.attempt, step.rejected, reasons=step.reasons, shown_tokens=shown)
        dispatcher.event(RouteEvent(mark=mark))
        with marked(mark):
            yield

    @contextmanager
    def _aside(self, step: Draw) -> Iterator[None]:
        reasons = ("a sample, to compare the draft with",)
        with marked(self._mark_of(step.target, step.attempt, step.rejected, reasons=reasons, aside=True)):
            yield

    def _mark_of(
        self, target: str, attempt: int, rejected: int, *, reasons: tuple[str, ...], aside: bool = False, **more: Any
    ) -> dict[str, Any]:
        decision = replace(self._choice.decision, target=target, reasons=reasons)
        seconds = self._choice.seconds if attempt == 1 and not aside else 0.0
        choice = replace(self._choice, target=target, decision=decision, attempt=attempt, seconds=seconds)
        fields = {"part": "cascade", "request": self._id, "rejected": rejected, "aside": aside, **more}
        if self._choice.observed:  # which drafts would have passed is not known, and so not who was "chosen"
            fields |= {"chosen": None, "chosen_model": None, "chosen_provider": None}
        return self._cascade._mark(choice, self._sent.options, **fields, **({"target": ""} if aside else {}))

    # -- deciding --------------------------------------------------------------------------------

    @property
    def _chooser(self) -> TargetChooser:
        return self._plan.stream_chooser if self._streaming else self._plan.chooser

    def _reading(self) -> RouteRequest:
        self._request = replace(self._read(), targets=self._plan.targets)
        return self._request

    def _begun(self, choice: Choice) -> Walk:
        self._choice = choice
        unchecked = self._streaming and self._plan.stream_first
        return self._plan.walk(self._request, choice, unchecked=unchecked, spent=self._spending)

    def _streamed(self, walk: Walk) -> None:
        """Note that an answer went out as it came."""
        settled = walk.send(Tried(output=None, answer=Answer(text="")))
        if isinstance(settled, Settled):
            self._remember_all(settled)

    def _remember_all(self, settled: Settled) -> None:
        for attempt in settled.attempts[1:]:
            self._remember(attempt.target)
        if settled.target != settled.attempts[-1].target:
            self._remember(settled.target)

    def _remember(self, target: str) -> None:
        if self._choice.seen is not None:
            self._plan.chooser.conversations.note(self._choice.seen, target)

    def _stamped(self, response: R, trail: dict[str, Any]) -> R:
        # Where the strong target failed, the answer has to say whose it is.
        return stamped(response, trail, observed=self._choice.observed and len(trail["attempts"]) == 1)

    def _live_trail(self, step: Try) -> dict[str, Any]:
        attempts = (*step.attempts, Attempt(target=step.target, passed=None))
        return self._trail(step.target, step.reasons, attempts, None)

    def _trail(
        self, target: str, reasons: tuple[str, ...], attempts: tuple[Attempt, ...], stopped: str | None
    ) -> dict[str, Any]:
        trail = {"target": target, "score": self._choice.decision.score, "reasons": list(reasons)}
        return {**trail, "attempts": told(attempts), **({"stopped": stopped} if stopped else {})}
