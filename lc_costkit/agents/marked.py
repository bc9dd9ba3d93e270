"""How does a model tell the meter why it was called, where only the model can be handed on?"""

from __future__ import annotations

import weakref
from typing import Any

from langchain.agents.middleware.types import ModelRequest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel

from lc_costkit.marks import ROUTE_KEY, RouteMark


class Heard(BaseCallbackHandler):
    """Counts the answers of one model: what stands further in may have asked another one in its place."""

    run_inline = True

    def __init__(self) -> None:
        self.answers = 0

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        """Spare LangChain making the messages a text, which it does for handlers without this."""

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        """Count an answer."""
        self.answers += 1


def marked(model: BaseChatModel, mark: RouteMark, heard: Heard) -> BaseChatModel:
    """Return a copy of a model, of its own type, whose calls carry a mark in their metadata and are heard of.

    A binding would not do: an agent asks whether its model is a ``BaseChatModel`` to know how to ask for structure.
    """
    given: Any = model.callbacks
    handlers = list(getattr(given, "handlers", given) or ())
    metadata = {**(model.metadata or {}), ROUTE_KEY: mark.to_dict()}
    return model.model_copy(update={"metadata": metadata, "callbacks": [*handlers, heard]})


class Failures:
    """Remembers which model a step was asked with when its routed call failed, until the step is over.

    Middleware further out that then asks with another model wants that one: routing it again would call what has
    just failed.
    """

    def __init__(self) -> None:
        self._asked: dict[int, tuple[weakref.ref[Any], Any]] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def note(self, request: ModelRequest[Any]) -> None:
        """Remember that a request failed."""
        last = _last(request)
        if last is not None:
            key = id(last)
            self._asked[key] = (weakref.ref(last, lambda _: self._asked.pop(key, None)), request.model)

    def replaced(self, request: ModelRequest[Any]) -> bool:
        """Tell whether the request is one that failed, asked again with another model."""
        last = _last(request)
        found = self._asked.get(id(last))
        return found is not None and found[0]() is last and found[1] is not request.model


def _last(request: ModelRequest[Any]) -> Any:
    """Return the last message of the agent's state: the same object for all that is tried in one step."""
    messages = request.state.get("messages")
    return messages[-1] if messages else None
