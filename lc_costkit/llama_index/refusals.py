"""How does a handler learn that a budget refused a call?"""

from __future__ import annotations

from llama_index.core.instrumentation.events import BaseEvent


class BudgetExceededEvent(BaseEvent):
    """A budget did not allow a call; the LLM was not called, and no model event follows.

    Emitted in the span of the budgeted LLM's method, before the error is raised, or before what
    ``on_exceeded`` answered is handed out.

    Attributes:
        error: type name of what the gate raised.
        message: what it says.
        model: the model asked for.
        class_name_of_llm: of the LLM that was not called.
        operation: ``chat`` or ``completion``.
        streamed: the answer was asked for as a stream.
        question: the last human text.
    """

    error: str
    message: str = ""
    model: str | None = None
    class_name_of_llm: str = ""
    operation: str = "chat"
    streamed: bool = False
    question: str = ""

    @classmethod
    def class_name(cls) -> str:
        """Name of the event class."""
        return "BudgetExceededEvent"
