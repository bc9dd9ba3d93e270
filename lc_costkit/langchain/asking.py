"""How is a LangChain model asked again what the cache was asked?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
)
from langchain_core.runnables import Runnable

from lc_costkit.cache.verify import FreshAnswer
from lc_costkit.langchain.aside import ask_aside
from lc_costkit.langchain.payload import loader

_MESSAGES: list[Any] = [
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
]


def asker(model: object, prompt: str) -> Callable[[], FreshAnswer] | None:
    """Return what asks a model the prompt that LangChain gave to the cache; ``None`` if this is no model."""
    if not isinstance(model, Runnable):
        return None

    def ask() -> FreshAnswer:
        said = ask_aside(model, _messages(prompt))
        return FreshAnswer(text=said.text, reading=said.reading, metered=said.metered)

    return ask


def _messages(prompt: str) -> Any:
    """Return the messages that LangChain wrote down, or a plain prompt as it is."""
    try:
        data = json.loads(prompt)
    except (ValueError, RecursionError):
        return prompt
    if not isinstance(data, list) or not data or not all(isinstance(one, dict) and one.get("lc") == 1 for one in data):
        return prompt
    return loader()(data, allowed_objects=_MESSAGES, secrets_from_env=False)
