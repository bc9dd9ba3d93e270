"""What have the model calls of one request cost so far?"""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult

from lc_costkit.cost import exact_sum
from lc_costkit.langchain.call_events import cache_mark, chat_prompt, completion_prompt, open_call, usage_reader
from lc_costkit.pricing import PriceBook
from lc_costkit.prompt import Prompt
from lc_costkit.underway import Running
from lc_costkit.usage import UsageReading


class Spending(BaseCallbackHandler):
    """Adds up what the calls below a run cost: drafts, samples, judges.

    Args:
        prices: how they are priced.
    """

    raise_error = False
    run_inline = True

    def __init__(self, prices: PriceBook) -> None:
        super().__init__()
        self._prices = prices
        self._lock = threading.Lock()
        self._calls: dict[UUID, Running] = {}
        self._spent: list[Decimal | None] = []

    def __call__(self) -> Decimal | None:
        """Return the sum (USD); ``None`` if the cost of a call is not known."""
        with self._lock:
            known = [usd for usd in self._spent if usd is not None]
            return exact_sum(known) if len(known) == len(self._spent) else None

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **event: Any) -> None:
        """Note that a chat model was called."""
        noted = {**event, "serialized": serialized}
        self._start(run_id, chat_prompt(messages[0], event), noted, messages=messages[0])

    def on_llm_start(self, serialized: Any, prompts: list[str], *, run_id: UUID, **event: Any) -> None:
        """Note that a completion model was called."""
        self._start(run_id, completion_prompt(prompts[0]), event)

    def _start(self, run_id: UUID, prompt: Prompt, event: dict[str, Any], **options: Any) -> None:
        call = open_call("chat", prompt, run_id, event, **options)
        with self._lock:
            self._calls[run_id] = Running(call)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **event: Any) -> None:
        """Add what a call cost."""
        with self._lock:
            running = self._calls.pop(run_id, None)
        usd = None if running is None else self._usd(response, running)
        with self._lock:
            self._spent.append(usd)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **event: Any) -> None:
        """Add what an answer cost that its client could not read; what else a failed call may cost is not known."""
        with self._lock:
            running = self._calls.pop(run_id, None)
        reading = None if running is None else usage_reader(event.get("response"), running, error=error)()
        if running is not None and reading is not None:
            with self._lock:
                self._spent.append(self._price(reading, running))

    def _usd(self, response: LLMResult, running: Running) -> Decimal | None:
        mark = cache_mark(response)
        if mark is not None and mark.verdict == "hit":
            return mark.lookup_usd or Decimal(0)
        reading = usage_reader(response, running)()
        return None if reading is None else self._price(reading, running)

    def _price(self, reading: UsageReading, running: Running) -> Decimal | None:
        model, provider = reading.model or running.call.model_asked, reading.provider or running.call.provider
        return self._prices.price(replace(reading, model=model, provider=provider)).usd
