"""How is a model called within a stream that nobody is to see?"""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers import _streaming

NO_STREAM = "nostream"
"""The tag by which LangGraph leaves a model's messages out of a stream."""

_KINDS: tuple[Any, ...] = tuple(
    kind
    for name in ("_StreamingCallbackHandler", "_V2StreamingCallbackHandler")
    if (kind := getattr(_streaming, name, None)) is not None
)
"""What ``astream_events``, ``astream_log`` and LangGraph listen with; with one of them, even ``invoke`` streams."""


def unstreamed(config: RunnableConfig) -> RunnableConfig:
    """Return a config under which a call shows in no stream: without the handlers of streams, and tagged for LangGraph.

    Meters and tracers stay.
    """
    tags = list(dict.fromkeys([*(config.get("tags") or ()), NO_STREAM]))
    return {**config, "tags": tags, "callbacks": _without_streams(config.get("callbacks"))}


def stream_handlers(callbacks: Any) -> list[BaseCallbackHandler]:
    """Return the handlers of streams among callbacks."""
    if isinstance(callbacks, BaseCallbackManager):
        callbacks = {id(one): one for one in (*callbacks.handlers, *callbacks.inheritable_handlers)}.values()
    return [one for one in callbacks or () if isinstance(one, _KINDS)]


def _without_streams(callbacks: Any) -> Any:
    if isinstance(callbacks, BaseCallbackManager):
        quiet = callbacks.copy()
        for handler in stream_handlers(quiet):
            quiet.remove_handler(handler)
        return quiet
    return [one for one in callbacks if not isinstance(one, _KINDS)] if callbacks else callbacks
