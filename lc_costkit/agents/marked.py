"""How does a model tell the meter why it was called, where only the model can be handed on?"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from langchain.agents.middleware.types import ModelRequest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from pydantic import ConfigDict

from lc_costkit.langchain.model_call import view
from lc_costkit.marks import ROUTE_KEY, RouteMark

_SLOT = "_lc_costkit_told"
"""Where a marked model keeps what is its own: its state is the model's."""


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


@dataclass(frozen=True, slots=True)
class _Told:
    metadata: dict[str, Any]
    heard: tuple[Heard, ...]


class _Marked:
    """What the classes of marked models have before the model's own."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Leave out what a model's author does with each new class: this one is no other model."""

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """As above."""

    def __copy__(self) -> Any:
        made = super().__copy__()  # type: ignore[misc]
        object.__setattr__(made, _SLOT, _told(self))
        return made


def marked(model: BaseChatModel, mark: RouteMark, heard: Heard) -> BaseChatModel:
    """Return the same model, as one whose calls carry a mark in their metadata and are heard of.

    All the model's state is shared, so that what it keeps from call to call (a client that is made when it is first
    needed, the place in a list of answers) is kept. A binding would not do: an agent asks whether its model is a
    ``BaseChatModel`` to know how to ask for structure.
    """
    kind, before = type(model), _told(model)
    seen: BaseChatModel = view(model, kind if issubclass(kind, _Marked) else _marked_class(kind))
    others = () if before is None else before.heard
    object.__setattr__(seen, _SLOT, _Told({ROUTE_KEY: mark.to_dict()}, (*others, heard)))
    return seen


@lru_cache(maxsize=256)
def _marked_class(plain: type) -> type:
    names: dict[str, Any] = {
        "__module__": plain.__module__,
        "__qualname__": plain.__qualname__,
        "__doc__": plain.__doc__,
        "__slots__": (_SLOT,),
        "model_config": ConfigDict(defer_build=True),
    }
    made: Any = type(plain)(plain.__name__, (_Marked, plain), names)
    # After the class is made: pydantic would take them for fields that are overridden.
    made.metadata, made.callbacks = property(_metadata), property(_callbacks)
    return cast(type, made)


def _told(model: Any) -> _Told | None:
    told: _Told | None = getattr(model, _SLOT, None)
    return told


def _metadata(model: Any) -> dict[str, Any] | None:
    own: dict[str, Any] | None = model.__dict__.get("metadata")
    told = _told(model)
    return own if told is None else {**(own or {}), **told.metadata}


def _callbacks(model: Any) -> Any:
    own = model.__dict__.get("callbacks")
    told = _told(model)
    return own if told is None else [*(getattr(own, "handlers", own) or ()), *told.heard]


class Failures:
    """Remembers which model a step was asked with when its routed call failed, until the step is over.

    Middleware further out that then asks with another model wants that one: routing it again would call what has
    just failed.
    """

    def __init__(self) -> None:
        self._asked: dict[int, tuple[weakref.ref[Any], str | None, Any]] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def note(self, request: ModelRequest[Any]) -> None:
        """Remember that a request failed."""
        last = _last(request)
        if last is not None:
            key = id(last)
            forgotten = weakref.ref(last, lambda _: self._asked.pop(key, None))
            self._asked[key] = (forgotten, _step(request), request.model)

    def replaced(self, request: ModelRequest[Any]) -> bool:
        """Tell whether the request is one that failed, asked again with another model."""
        last = _last(request)
        found = self._asked.get(id(last))
        if found is None or found[0]() is not last:
            return False
        # A message may be asked again in another run, or of another agent.
        return found[1] == _step(request) and found[2] is not request.model


def _last(request: ModelRequest[Any]) -> Any:
    """Return the last message of the agent's state: the same object for all that is tried in one step."""
    messages = request.state.get("messages")
    return messages[-1] if messages else None


def _step(request: ModelRequest[Any]) -> str | None:
    """Return what names the step of the graph; ``None`` where it is not told."""
    about = getattr(request.runtime, "execution_info", None)
    return getattr(about, "task_id", None)
