"""What does each LlamaIndex event mean for the ledger?"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionInProgressEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.llms.structured_llm import StructuredLLM

from lc_costkit.cache.aside import current_aside, in_lookup
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index.call_events import (
    answer_text,
    chat_prompt,
    completion_prompt,
    embedding_prompt,
    hit_outcome,
    is_part_of_a_lookup,
    open_call,
    usage_reader,
    with_piece,
)
from lc_costkit.llama_index.hits import CACHE_KEY, CacheHitEvent
from lc_costkit.llama_index.postprocessor import PruneEvent
from lc_costkit.llama_index.refusals import BudgetExceededEvent
from lc_costkit.marks import VERIFICATION_FEATURE, PruneMark
from lc_costkit.metering import Meter, OpenCall, Outcome
from lc_costkit.pricing import PriceBook
from lc_costkit.prompt import Prompt
from lc_costkit.record import CallRecord, Operation
from lc_costkit.switch import disabled
from lc_costkit.underway import OPEN_LIMIT, CallsUnderWay

_NO_SPAN = "no-span-"
"""How the id of a call begins that was made outside of any span."""

METERED_BY = "lc_costkit_metered_by"
"""Key of the payload of an embedding model that writes its calls itself: the ``id`` of the ledger it writes to."""


class CostEventHandler(BaseEventHandler):
    """Writes what every model call costs to a ledger; only meters, and never raises into the application.

    ``instrument(ledger)`` installs it, together with what tells it how calls are nested and
    how they fail: prefer that to ``add_event_handler``. Tags set with ``instrument_tags``
    (``feature``, ``user``, ``team``, ``tags``, other plain values) go into the record.
    Embeddings report no usage: their tokens are counted and the cost is ``estimated``, unless the
    model is wrapped with ``metered_embedding``. On an event loop the ledger is written by its own
    thread.

    Args:
        ledger: where calls are kept.
        prices: how they are priced; the public price list by default.
        on_record: called with each ``CallRecord`` after it was written.
        open_limit: calls and spans that are remembered at once, for those that never end.

    Raises:
        ConfigurationError: an argument is of the wrong kind.
    """

    _meter: Meter = PrivateAttr()
    _calls: CallsUnderWay = PrivateAttr()
    _parents: OrderedDict[str, str | None] = PrivateAttr()
    _embeddings: OrderedDict[str, EmbeddingStartEvent] = PrivateAttr()
    _limit: int = PrivateAttr()

    def __init__(
        self,
        ledger: Ledger,
        *,
        prices: PriceBook | None = None,
        on_record: Callable[[CallRecord], None] | None = None,
        open_limit: int = OPEN_LIMIT,
    ) -> None:
        super().__init__()
        self._meter = Meter(ledger, prices=prices, on_record=on_record)
        self._calls = CallsUnderWay(self._meter, limit=open_limit)
        self._parents = OrderedDict()
        self._embeddings = OrderedDict()
        self._limit = open_limit

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the handler."""
        return "CostEventHandler"

    @property
    def ledger(self) -> Ledger:
        """Where calls are kept; its ``faults`` count what went wrong here."""
        return self._meter.ledger

    def trace_of(self, span: str) -> str:
        """Return the outermost span that a span is part of."""
        return self._calls.root(span)

    def settle(self) -> None:
        """Write down calls that began and were never heard of again, as estimates."""
        self._calls.settle()

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        """Take one event."""
        if disabled():
            return
        try:
            self._handle(event)
        except Exception as error:
            self._meter.fault(error)

    def _handle(self, event: BaseEvent) -> None:
        span = event.span_id or f"{_NO_SPAN}{threading.get_ident()}"
        if isinstance(event, (LLMChatInProgressEvent, LLMCompletionInProgressEvent)):
            running = self._calls.running(span)
            if running is not None:
                running.token("")
                running.last_piece = event.response
                running.usage_piece = with_piece(running.usage_piece, event.response)
        elif isinstance(event, (LLMChatStartEvent, LLMCompletionStartEvent)) and _is_no_call(event):
            return  # its end finds no call
        elif isinstance(event, (EmbeddingStartEvent, EmbeddingEndEvent)) and in_lookup():
            return  # likewise of the question's embedding
        elif isinstance(event, LLMChatStartEvent):
            self._start("chat", chat_prompt(event.messages), event, span)
        elif isinstance(event, LLMCompletionStartEvent):
            self._start("completion", completion_prompt(event.prompt), event, span)
        elif isinstance(event, EmbeddingStartEvent):
            self._embeddings[span] = event
            while len(self._embeddings) > self._limit:
                self._embeddings.popitem(last=False)
        elif isinstance(event, (LLMChatEndEvent, LLMCompletionEndEvent)):
            self._end(span, event.response)
        elif isinstance(event, EmbeddingEndEvent):
            self._embedded(event, span)
        elif isinstance(event, ExceptionEvent):
            self.failed(span, event.exception)
        elif isinstance(event, CacheHitEvent):
            self._hit(event, span)
        elif isinstance(event, BudgetExceededEvent) and not is_part_of_a_lookup(event):
            self._refused(event, span)
        elif isinstance(event, PruneEvent):
            mark = PruneMark.from_dict(event.mark)
            if mark is not None:
                self._calls.prune(span, mark)

    def _start(self, operation: Operation, prompt: Prompt, event: Any, span: str) -> None:
        parent = self._parents.get(span)
        # A chat made of a completion, or handed over to another model, is one call: the inner one.
        ancestor = parent
        while ancestor is not None:
            self._calls.drop(ancestor)
            ancestor = self._parents.get(ancestor)
        self._calls.start(
            open_call(operation, prompt, event, call_id=span, parent_id=parent, model_dict=event.model_dict)
        )

    def _end(self, span: str, response: Any) -> None:
        running = self._calls.end(span)
        if running is None:
            return
        outcome = Outcome(
            read=usage_reader(response, running.call, running.usage_piece),
            answer=lambda: answer_text(response),
            cache=running.call.hints[CACHE_KEY],
            first_token=running.first_token,
            streamed=running.first_token is not None,
        )
        self._finish(running.call, outcome)

    def _embedded(self, event: EmbeddingEndEvent, span: str) -> None:
        # One span may embed several batches, at the same time.
        start = self._embeddings.get(span)
        if start is not None and start.model_dict.get(METERED_BY) == id(self.ledger):
            return  # it has written down more than the event says
        call = open_call(
            "embedding",
            embedding_prompt(event.chunks),
            start or event,
            call_id=str(uuid.uuid4()),
            parent_id=span,
            model_dict=start.model_dict if start is not None else {},
        )
        aside = current_aside()
        if aside is not None and aside.purpose == "verification":
            call = replace(call, feature=VERIFICATION_FEATURE, user=None)
        seconds = (event.timestamp - start.timestamp).total_seconds() if start is not None else 0.0
        self._finish(replace(call, trace_id=self._calls.root(span)), Outcome(), seconds=seconds)

    def _hit(self, event: CacheHitEvent, span: str) -> None:
        self._calls.use_up(span)
        call = open_call(
            "completion" if event.operation == "completion" else "chat",
            completion_prompt(event.question),
            event,
            call_id=str(uuid.uuid4()),
            parent_id=span,
            model_dict={"model_name": event.model},
        )
        outcome = hit_outcome(event)
        seconds = (outcome.cache.lookup_seconds or 0.0) if outcome.cache is not None else 0.0
        self._finish(replace(call, trace_id=self._calls.root(span)), outcome, seconds=seconds)

    def _refused(self, event: BudgetExceededEvent, span: str) -> None:
        self._calls.use_up(span)
        call = open_call(
            "completion" if event.operation == "completion" else "chat",
            completion_prompt(event.question),
            event,
            call_id=str(uuid.uuid4()),
            parent_id=span,
            model_dict={"model_name": event.model, "class_name": event.class_name_of_llm},
        )
        outcome = Outcome(error=event.error, billed=False, streamed=event.streamed)
        self._finish(replace(call, trace_id=self._calls.root(span)), outcome)

    def _finish(self, call: OpenCall, outcome: Outcome, *, seconds: float | None = None) -> None:
        if seconds is not None:
            started = outcome.ended - max(0.0, seconds)
            call = replace(call, started=started, started_at=call.started_at - timedelta(seconds=max(0.0, seconds)))
        if call.call_id.startswith(_NO_SPAN):
            call = replace(call, call_id=str(uuid.uuid4()))
        self._meter.finish(call, outcome, later=_on_an_event_loop())

    def failed(self, span: str, error: BaseException | None) -> None:
        """Finish the call of a span that raised, if it is one."""
        if error is not None and self._calls.running(span) is not None and not disabled():
            self._calls.fail(
                span,
                lambda running: running.failed(error, came=answer_text(running.last_piece)),
                later=_on_an_event_loop(),
            )

    def entered(self, span: str, parent: str | None) -> None:
        """Note how spans are nested."""
        self._calls.enter(span, parent)
        self._parents[span] = parent
        while len(self._parents) > self._limit:
            self._parents.popitem(last=False)

    def left(self, span: str) -> None:
        """Forget a span; a stream it started may go on."""
        self._parents.pop(span, None)
        self._embeddings.pop(span, None)
        self._calls.leave(span)


def _is_no_call(event: LLMChatStartEvent | LLMCompletionStartEvent) -> bool:
    """Tell whether a start event is of no call of its own.

    A lookup reports what its judge costs. A structured LLM has another one asked, which of a stream happens after the
    span of the structured one has ended, when its first piece is asked for.
    """
    return is_part_of_a_lookup(event) or event.model_dict.get("class_name") == StructuredLLM.class_name()


def _on_an_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
