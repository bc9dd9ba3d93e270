"""How is an answer of LangChain kept, and when must it not be?"""

from __future__ import annotations

import copy
import functools
import json
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.load import dumps
from langchain_core.load import load as load_data
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.outputs import ChatGeneration, Generation
from pydantic import BaseModel

from lc_costkit.cache.payloads import NotKept, read_payload, unfinished
from lc_costkit.marks import MARK

_ALLOWED: list[Any] = [Generation, ChatGeneration, AIMessage]
_OF_THE_CALL = frozenset({MARK, "headers"})
"""What is true of one call only; a provider's headers also set cookies."""


def why_not_stored(generations: Sequence[Generation]) -> str | None:
    """Say why an answer must not be kept; ``None`` if it may be."""
    if not generations:
        return "the answer is empty"
    for generation in generations:
        message = getattr(generation, "message", None)
        if message is not None and type(message) not in (AIMessage, AIMessageChunk):
            return f"the answer is a {type(message).__name__}"
        if not generation.text.strip() and not _content(message) and not has_tool_calls([generation]):
            return "the answer is empty"
        reason = unfinished(generation.generation_info, getattr(message, "response_metadata", None))
        if reason is not None:
            return f"the answer ended with {reason!r}"
        if message is not None and (message.additional_kwargs.get("refusal") or message.invalid_tool_calls):
            return "the answer is a refusal or holds a broken tool call"
    return None


def has_tool_calls(generations: Sequence[Generation]) -> bool:
    """Tell whether an answer asks for an action."""
    messages = (getattr(generation, "message", None) for generation in generations)
    return any(
        message.tool_calls or message.additional_kwargs.get("function_call")
        for message in messages
        if isinstance(message, AIMessage)
    )


def dump(generations: Sequence[Generation]) -> str | NotKept:
    """Write an answer as JSON, without our mark; or say why it must not be kept."""
    reason = why_not_stored(generations)
    if reason is not None:
        return NotKept(reason)
    text = dumps([_clean(generation) for generation in generations])
    if _holds_unserialisable(json.loads(text)):
        return NotKept("the answer holds objects that JSON cannot")
    return text


def load(payload: str) -> list[Generation]:
    """Read an answer back as new objects, message ids empty and tool calls with new ids."""
    found = loader()(read_payload(payload), allowed_objects=_ALLOWED, secrets_from_env=False)
    if not isinstance(found, list) or not all(isinstance(item, Generation) for item in found):
        raise ValueError("the payload holds no list of generations")
    return found


def as_text(payload: str) -> str:
    """Return the text of the first answer in a payload, with the tools it calls, for a judge."""
    generation = load(payload)[0]
    return message_text(generation.message) if isinstance(generation, ChatGeneration) else generation.text


def message_text(message: BaseMessage) -> str:
    """Return the text of a message, with the tools it calls."""
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    said = [f"{call['name']}({json.dumps(call['args'], ensure_ascii=False, sort_keys=True)})" for call in calls]
    return "\n".join([*([str(message.text)] if message.text else []), *said])


@functools.cache
def loader() -> Callable[..., Any]:
    """Return LangChain's function that makes objects of plain data."""
    # LangChain warns once that this function is beta. Filters are global to all threads, so the
    # warning is spent here once and not silenced around every call.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load_data([], allowed_objects=_ALLOWED)
    return load_data


def _clean(generation: Generation) -> Generation:
    info = {name: value for name, value in (generation.generation_info or {}).items() if name not in _OF_THE_CALL}
    if not isinstance(generation, ChatGeneration):
        return Generation(text=generation.text, generation_info=copy.deepcopy(info) or None)
    message = generation.message
    if isinstance(message, AIMessageChunk):
        message = message_chunk_to_message(message)
    message = message.model_copy(update={"id": None}, deep=True)
    message.response_metadata.pop("headers", None)
    parsed = message.additional_kwargs.get("parsed")
    if isinstance(parsed, BaseModel):
        # LangChain's parser makes the object again from its fields.
        message.additional_kwargs["parsed"] = parsed.model_dump(mode="json")
    usage = getattr(message, "usage_metadata", None)
    if usage:
        usage.pop("total_cost", None)
    return ChatGeneration(message=message, generation_info=copy.deepcopy(info) or None)


def _content(message: Any) -> bool:
    content = getattr(message, "content", "")
    return bool(content.strip() if isinstance(content, str) else content)


def _holds_unserialisable(data: object) -> bool:
    if isinstance(data, dict):
        return (data.get("type") == "not_implemented" and "lc" in data) or any(
            map(_holds_unserialisable, data.values())
        )
    return isinstance(data, list) and any(map(_holds_unserialisable, data))
