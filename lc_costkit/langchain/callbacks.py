"""How does a LangChain application meter its model calls?"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult

from lc_costkit.cache.aside import current_aside
from lc_costkit.langchain.call_events import (
    answer_text,
    cache_mark,
    chat_prompt,
    completion_prompt,
    is_counted_with_another,
    open_call,
    usage_reader,
)
from lc_costkit.ledger import Ledger
from lc_costkit.marks import PRUNE_EVENT, PruneMark
from lc_costkit.metering import Meter, OpenCall, Outcome
from lc_costkit.pricing import PriceBook
from lc_costkit.prompt import Prompt
from lc_costkit.record import CallRecord
from lc_costkit.switch import disabled
from lc_costkit.underway import OPEN_LIMIT, CallsUnderWay, Running


class CostCallbackHandler(BaseCallbackHandler):
    """Writes what every model call costs to a ledger; only meters, and never raises into the application.

    Works with ``invoke``, ``stream``, ``batch``, ``generate`` and their async forms, chat
    and completion models, agents and LangGraph. Metadata ``feature``, ``user`` and ``team``
    say whom a call is for; other plain metadata and tags are kept too. In async use
    LangChain runs it on a thread, so the event loop does not wait for the disk.

    What LangChain's streams of Anthropic lose (where and how fast a message ran, how long a cache write lives)
    is taken from the request, and what the request leaves open makes the cost an estimate with bounds. It is
    silent on a workspace that runs its calls in the US by default: say it with
    ``ChatAnthropic(metadata={"inference_geo": "us"})``.

    An exact repeat of a completion model's prompt that LangChain's own cache answers fires
    no event, and so is not recorded. Embedding models fire none either: ``metered_embeddings`` meters
    them. What a cache paid for a lookup (a judge, an embedder) is recorded with the answer: of a call
    that then fails, only the cache's ``stats()`` hold it.

    Args:
        ledger: where calls are kept.
        prices: how they are priced; the public price list by default.
        on_record: called with each ``CallRecord`` after it was written.
        open_limit: calls and runs that are remembered at once, for those that never end.

    Raises:
        ConfigurationError: an argument is of the wrong kind.

    >>> from langchain_core.language_models import FakeListChatModel
    >>> ledger = Ledger()
    >>> model = FakeListChatModel(responses=["Blue light scatters most."])
    >>> config = {"callbacks": [CostCallbackHandler(ledger)], "metadata": {"feature": "science"}}
    >>> _ = model.invoke("Why is the sky blue?", config=config)
    >>> [(call.feature, call.cost.basis) for call in ledger.records()]
    [('science', 'unpriced')]
    """

    raise_error = False
    run_inline = False

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

    @property
    def ledger(self) -> Ledger:
        """Where calls are kept; its ``faults`` count what went wrong here."""
        return self._meter.ledger

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.ledger!r})"

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **event: Any
    ) -> None:
        """Note that a chat model was called."""
        if self._takes_on(run_id):
            noted = {**event, "serialized": serialized}
            self._start(
                lambda: open_call("chat", chat_prompt(messages[0], event), run_id, noted, messages=messages[0]), event
            )

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **event: Any) -> None:
        """Note that a completion model was called."""
        if self._takes_on(run_id):
            self._start(lambda: open_call("completion", completion_prompt(prompts[0]), run_id, event), event)

    def _takes_on(self, run_id: UUID) -> bool:
        aside = current_aside()
        return not disabled() and (aside is None or aside.takes_on(str(run_id), self.ledger))

    def _start(self, call: Callable[[], OpenCall], event: dict[str, Any]) -> None:
        try:
            several = event.get("batch_size", 1) > 1
            self._calls.start(call(), together=event.get("invocation_params") if several else None)
        except Exception as error:
            self._meter.fault(error)

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **event: Any) -> None:
        """Note a piece of a stream."""
        running = self._calls.running(str(run_id))
        if running is not None:
            running.token(token if isinstance(token, str) else "")

    def on_stream_event(self, event: Any, *, run_id: UUID, **_: Any) -> None:
        """Note a piece of an event stream."""
        self.on_llm_new_token("", run_id=run_id)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **event: Any) -> None:
        """Price the call and write it down."""
        if disabled():
            return
        try:
            running = self._calls.end(str(run_id))
            if running is None and current_aside() is not None:
                return  # the cache makes this call, and another meter has it
            if running is None:
                running = Running(open_call("chat", Prompt(turns=()), run_id, event))  # its start was given up long ago
            outcome = Outcome(
                read=usage_reader(response, running),
                billed=not is_counted_with_another(response, running),
                answer=lambda: answer_text(response),
                cache=cache_mark(response),
                first_token=running.first_token,
                streamed=running.first_token is not None,
            )
            self._meter.finish(running.call, outcome)
        except Exception as error:
            self._meter.fault(error)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **event: Any) -> None:
        """Write down what the call cost before it failed."""
        if disabled():
            return
        try:
            response = event.get("response")

            def outcome(running: Running) -> Outcome:
                read = usage_reader(response, running, error=error)
                return running.failed(error, came=answer_text(response), read=read)

            self._calls.fail(str(run_id), outcome)
        except Exception as fault:
            self._meter.fault(fault)

    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **event: Any) -> None:
        """Note what a pruner took out before the next call of the same trace."""
        mark = PruneMark.from_dict(data) if name == PRUNE_EVENT and not disabled() else None
        if mark is not None:
            self._calls.prune(str(run_id), mark)

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **event: Any) -> None:
        """Note which trace a run belongs to."""
        parent = event.get("parent_run_id")
        self._calls.enter(str(run_id), str(parent) if parent is not None else None)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **event: Any) -> None:
        """Forget a run."""
        self._calls.leave(str(run_id))

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **event: Any) -> None:
        """Forget a run; of a model call that was cancelled with it, LangChain does not tell the end."""
        if isinstance(error, CancelledError) and not disabled():
            self._calls.cancel(str(run_id), error)
        self._calls.leave(str(run_id))

    def trace_of(self, run: str) -> str:
        """Return the outermost run that a run is part of."""
        return self._calls.root(run)

    def settle(self) -> None:
        """Write down calls that began and were never heard of again, as estimates.

        A model call whose task was cancelled outside of any chain is one. It happens by itself
        after an hour, and when the process ends.
        """
        self._calls.settle()

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **event: Any) -> None:
        """Note which trace a tool belongs to; LangChain hands it ``inputs`` by name."""
        self.on_chain_start(serialized, None, run_id=run_id, parent_run_id=event.get("parent_run_id"))

    on_retriever_start: Any = on_chain_start
    on_tool_end: Any = on_chain_end
    on_tool_error: Any = on_chain_end
    on_retriever_end: Any = on_chain_end
    on_retriever_error: Any = on_chain_end
