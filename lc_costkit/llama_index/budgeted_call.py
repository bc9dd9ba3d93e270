"""What happens before and after one call of a LlamaIndex LLM that is held to budgets?"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Generic

from llama_index.core.llms import LLM
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import active_instrument_tags, instrument_tags

from lc_costkit.budget.claim import Claim
from lc_costkit.budget.gate import Admission, Gate
from lc_costkit.errors import BudgetExceeded
from lc_costkit.llama_index.budget_claim import model_of, read_request, whole_text
from lc_costkit.llama_index.call_events import answer_text, usage_reader, with_piece
from lc_costkit.llama_index.delegating import R, Request
from lc_costkit.llama_index.refusals import BudgetExceededEvent
from lc_costkit.llama_index.stand_ins import WithTools, as_answer, marked, name_of, request_for, without_tools
from lc_costkit.marks import BUDGET_KEY, MARK, ROUTE_KEY
from lc_costkit.metering import OpenCall, Outcome, failed
from lc_costkit.prompt import Prompt
from lc_costkit.streams import aclosing, closing
from lc_costkit.threads import in_another_thread, off_loop

dispatcher = get_dispatcher(__name__)


class BudgetedCall(Generic[R]):
    """One call: ask the gate, and settle with it what the call took, however it ends.

    Args:
        gate: what holds the budgets.
        llm: the LLM to call.
        request: what it is asked.
        other: finds the LLM for what ``Admission.instead`` says; ``None`` where that is an answer.
        cheapest: ``llm`` stands in for another one already.
        streamed: the caller wants a stream.
    """

    def __init__(
        self,
        gate: Gate,
        llm: LLM,
        request: Request[R],
        *,
        other: Callable[[object], LLM | None],
        cheapest: bool,
        streamed: bool = False,
    ) -> None:
        self._gate = gate
        self._other = other
        self._cheapest = cheapest
        self._streamed = streamed
        self.llm = llm
        self.request: Request[R]
        self._tools: WithTools | None
        self.request, self._tools = without_tools(request)
        self._by: str | None = None
        self._claim, self._call = self._read()
        self._admission: Admission | None = None
        self._last: R | None = None
        self._usage: object = None
        self._first: float | None = None
        self._handed: float | None = None
        self._unread = 0.0

    def admit(self) -> R | None:
        """Ask the gate; what a budget's ``on_exceeded`` answered is the answer.

        Raises:
            BudgetExceeded: a budget does not allow the call, and nothing stands in.
        """
        with self._telling():
            return self._take(self._gate.admit(self._claim, self._call, cheapest=self._cheapest))

    async def aadmit(self) -> R | None:
        """Do what ``admit`` does without blocking the event loop."""
        with self._telling():
            return self._take(await self._gate.aadmit(self._claim, self._call, cheapest=self._cheapest))

    @contextmanager
    def calling(self) -> Iterator[LLM]:
        """Yield the LLM to call; settle the call if it fails."""
        with self._tagged():
            try:
                yield self.llm
            except BaseException as error:
                self._fail(error)
                raise

    @asynccontextmanager
    async def acalling(self) -> AsyncIterator[LLM]:
        """Do what ``calling`` does without blocking the event loop."""
        with self._tagged():
            try:
                yield self.llm
            except BaseException as error:
                await self._afail(error)
                raise

    def keep(self, response: R) -> R:
        """Settle a call that was answered at once."""
        self._saw(response)
        self._settle(self._ended())
        return marked(response, self._by)

    async def akeep(self, response: R) -> R:
        """Do what ``keep`` does without blocking the event loop."""
        self._saw(response)
        await self._asettle(self._ended())
        return marked(response, self._by)

    def watch(self, chunks: Iterator[R]) -> Generator[R, None, None]:
        """Pass chunks on as they come; settle when the stream ends, is closed, cut or forgotten."""
        stream = self._watch(chunks)
        next(stream)
        return stream

    async def awatch(self, chunks: AsyncIterator[R]) -> AsyncGenerator[R, None]:
        """Pass chunks on as they come; settle when the stream ends, is closed, cut or forgotten."""
        stream = self._awatch(chunks)
        await anext(stream)
        return stream

    def _watch(self, chunks: Iterator[R]) -> Generator[R, None, None]:
        try:
            with closing(chunks):
                self._handed = time.monotonic()
                yield None  # type: ignore[misc]  # taken by watch: a generator that never began does nothing when closed
                self._asked()
                for chunk in chunks:
                    self._saw(chunk)
                    yield marked(chunk, self._by)
                    self._asked()
        except BaseException as error:
            self._fail(error)
            raise
        self._settle(self._ended())

    async def _awatch(self, chunks: AsyncIterator[R]) -> AsyncGenerator[R, None]:
        try:
            async with aclosing(chunks):
                self._handed = time.monotonic()
                yield None  # type: ignore[misc]  # as above
                self._asked()
                async for chunk in chunks:
                    self._saw(chunk)
                    yield marked(chunk, self._by)
                    self._asked()
        except BaseException as error:
            await self._afail(error)
            raise
        await self._asettle(self._ended())

    def _read(self) -> tuple[Claim, OpenCall]:
        try:
            return read_request(self.llm, self.request)
        except Exception as error:
            self._gate.faults.record("reading the call", error, "its bytes are taken for tokens; report it")
            prompt = Prompt(turns=(("user", repr(self.request)),))
            tags: dict[str, Any] = {k: v for k, v in active_instrument_tags.get().items() if k != MARK}
            model = model_of(self.llm)
            return Claim(model=model, prompt=prompt, metadata=tags), OpenCall(prompt=prompt, model_asked=model)

    def _take(self, admission: Admission) -> R | None:
        self._admission = admission
        if admission.instead is None:
            return None
        llm = self._other(admission.instead)
        if llm is None:
            answer: R = as_answer(admission.instead, self.request)
            self._tell("BudgetExceeded", "answered by on_exceeded")
            return answer
        self.request = request_for(llm, self.request, self._tools)
        # A routed call may have gone to the cheapest target anyhow.
        self._by = None if getattr(llm, "llm", None) is self.llm else name_of(llm)
        self.llm = llm
        return None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._tell(type(error).__name__, str(error))
            raise

    def _tell(self, error: str, message: str) -> None:
        dispatcher.event(
            BudgetExceededEvent(
                error=error,
                message=message,
                model=self._claim.model,
                class_name_of_llm=self.llm.class_name(),
                operation=self._call.operation,
                streamed=self._streamed,
                question=self._claim.prompt.question,
            )
        )

    @contextmanager
    def _tagged(self) -> Iterator[None]:
        if self._by is None:
            yield
            return
        active = active_instrument_tags.get()
        # What a router chose is not what is called now, and saved nothing.
        marks = {name: value for name, value in active.get(MARK, {}).items() if name != ROUTE_KEY}
        with instrument_tags({**active, MARK: {**marks, BUDGET_KEY: {"answered_by": self._by}}}):
            yield

    def _saw(self, chunk: R) -> None:
        self._last = chunk
        if self._streamed:
            self._first = self._first or time.monotonic()
            self._usage = with_piece(self._usage, chunk)
        self._handed = time.monotonic()

    def _asked(self) -> None:
        """Note that the next piece is asked for, or that nobody will ask for one."""
        if self._handed is not None:
            self._unread += time.monotonic() - self._handed
            self._handed = None

    def _ended(self) -> Outcome:
        return Outcome(
            read=usage_reader(self._last, self._call, self._usage),
            answer=lambda: answer_text(self._last),
            first_token=self._first,
            streamed=self._streamed,
        )

    def _failed(self, error: BaseException) -> Outcome:
        self._asked()
        return failed(
            error,
            came=self._came(),
            first_token=self._first,
            streamed=self._streamed,
            unread_seconds=self._unread,
        )

    def _came(self) -> str:
        message = getattr(self._last, "message", None)
        return answer_text(self._last) if message is None else whole_text(message)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, BudgetExceeded) and self._admission is not None:
            self._admission.release()  # of another gate inside: the provider was not called
        if isinstance(error, GeneratorExit):
            in_another_thread(self._settle, self._failed(error))
        else:
            self._settle(self._failed(error))

    async def _afail(self, error: BaseException) -> None:
        if isinstance(error, BudgetExceeded) and self._admission is not None:
            await off_loop(self._admission.release)
        await self._asettle(self._failed(error))

    def _settle(self, outcome: Outcome) -> None:
        if self._admission is not None:
            self._admission.settle(outcome)

    async def _asettle(self, outcome: Outcome) -> None:
        if self._admission is not None:
            await self._admission.asettle(outcome)
