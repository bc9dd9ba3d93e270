"""How does a LlamaIndex application meter its model calls?"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.instrumentation import Dispatcher, get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.span import BaseSpan
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler

from lc_costkit.errors import ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index.handler import CostEventHandler
from lc_costkit.pricing import PriceBook
from lc_costkit.record import CallRecord

__all__ = ["CostEventHandler", "CostSpanHandler", "Instrumentation", "instrument"]


class CostSpanHandler(BaseSpanHandler[BaseSpan]):
    """Tells a ``CostEventHandler`` how calls are nested and how they fail."""

    _events: CostEventHandler = PrivateAttr()

    def __init__(self, events: CostEventHandler) -> None:
        super().__init__()
        self._events = events

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the handler."""
        return "CostSpanHandler"

    def span_enter(self, id_: str, *args: Any, parent_id: str | None = None, **kwargs: Any) -> None:
        """Note a span."""
        self._events.entered(id_, parent_id)

    def span_exit(self, id_: str, *args: Any, **kwargs: Any) -> None:
        """Forget a span."""
        self._events.left(id_)

    def span_drop(self, id_: str, *args: Any, err: BaseException | None = None, **kwargs: Any) -> None:
        """Note that a span raised."""
        self._events.failed(id_, err)
        self._events.left(id_)

    def new_span(self, *args: Any, **kwargs: Any) -> None:
        """Keep nothing."""

    def prepare_to_exit_span(self, *args: Any, **kwargs: Any) -> None:
        """Keep nothing."""

    def prepare_to_drop_span(self, *args: Any, **kwargs: Any) -> None:
        """Keep nothing."""


class Instrumentation:
    """What ``instrument`` installed; ``remove()``, or the end of a ``with`` block, takes it out again."""

    def __init__(self, dispatcher: Dispatcher, events: CostEventHandler) -> None:
        self._dispatcher = dispatcher
        self._spans = CostSpanHandler(events)
        self.handler = events
        dispatcher.add_event_handler(events)
        dispatcher.add_span_handler(self._spans)

    def remove(self) -> None:
        """Stop metering; a second time does nothing."""
        dispatcher = self._dispatcher
        dispatcher.event_handlers[:] = [one for one in dispatcher.event_handlers if one is not self.handler]
        dispatcher.span_handlers[:] = [one for one in dispatcher.span_handlers if one is not self._spans]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()


def instrument(
    ledger: Ledger,
    *,
    dispatcher: Dispatcher | None = None,
    prices: PriceBook | None = None,
    on_record: Callable[[CallRecord], None] | None = None,
) -> Instrumentation:
    """Meter every LlamaIndex model call from now on.

    Args:
        ledger: where calls are kept.
        dispatcher: whose calls; those of the whole process by default.
        prices: how they are priced; the public price list by default.
        on_record: called with each ``CallRecord`` after it was written.

    Returns:
        A handle: ``remove()`` it, or use it in a ``with`` block.

    Raises:
        ConfigurationError: an argument is of the wrong kind, or the dispatcher already writes
            to this ledger (each call would be written twice).

    >>> from llama_index.core.llms import MockLLM
    >>> ledger = Ledger()
    >>> with instrument(ledger):
    ...     _ = MockLLM().complete("Why is the sky blue?")
    >>> [(call.framework, call.operation, call.cost.basis) for call in ledger.records()]
    [('llama_index', 'completion', 'unpriced')]
    """
    if dispatcher is not None and not isinstance(dispatcher, Dispatcher):
        raise ConfigurationError(f"dispatcher must be a LlamaIndex Dispatcher, not {dispatcher!r}")
    events = CostEventHandler(ledger, prices=prices, on_record=on_record)
    where = dispatcher if dispatcher is not None else get_dispatcher()
    for present in where.event_handlers:
        if isinstance(present, CostEventHandler) and present.ledger is ledger:
            raise ConfigurationError(f"{ledger!r} is instrumented already; remove() the earlier instrumentation first")
    return Instrumentation(where, events)
