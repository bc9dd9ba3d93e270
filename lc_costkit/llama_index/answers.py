"""How is an answer of LlamaIndex kept, and how is it served again?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse

from lc_costkit.cache.payloads import NotKept, read_payload, unfinished
from lc_costkit.cache.results import Hit
from lc_costkit.cache.verify import FreshAnswer
from lc_costkit.llama_index.call_events import answer_text
from lc_costkit.llama_index.hits import CACHE_KEY
from lc_costkit.marks import BUDGET_KEY, MARK
from lc_costkit.readers import read_usage
from lc_costkit.usage import UsageReading

Response = ChatResponse | CompletionResponse


class Gathered:
    """What the chunks of an answer said besides its text; a whole answer is one chunk."""

    def __init__(self) -> None:
        self.reading: UsageReading | None = None
        self.unfinished: str | None = None

    def add(self, response: Response, model: str | None) -> None:
        """Read a chunk."""
        body = _body(response.raw)
        choices = body.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        self.unfinished = self.unfinished or unfinished(body, first, body.get("delta"), response.additional_kwargs)
        self.reading = read_usage(response.raw, model=model) or self.reading


def dump(response: Response, gathered: Gathered) -> str | NotKept:
    """Write an answer as JSON, without our mark; or say why it must not be kept."""
    if gathered.unfinished is not None:
        return NotKept(f"the answer ended with {gathered.unfinished!r}")
    extras = {name: value for name, value in response.additional_kwargs.items() if name != MARK}
    marks = response.additional_kwargs.get(MARK)
    if isinstance(marks, Mapping):
        if BUDGET_KEY in marks:
            return NotKept("another answered in place of the model, as a budget said")
        extras[MARK] = {name: value for name, value in marks.items() if name != CACHE_KEY}
    data: dict[str, Any] = {"extras": {name: value for name, value in extras.items() if _is_json(value)}}
    if isinstance(response, CompletionResponse):
        if not response.text.strip():
            return NotKept("the answer is empty")
        data["text"] = response.text
    else:
        message = response.message
        if not message.blocks and not message.additional_kwargs:
            return NotKept("the answer is empty")
        if not has_tool_calls(response) and not (message.content or "").strip():
            return NotKept("the answer is empty")
        if not _is_json(message.additional_kwargs):
            return NotKept("the answer holds objects that JSON cannot")
        data["message"] = message.model_dump(mode="json")
    return json.dumps(data)


def load_chat(payload: str) -> ChatResponse:
    """Read an answer to a chat back as a new object, tool calls with new ids."""
    data = read_payload(payload)
    return ChatResponse(message=ChatMessage.model_validate(data["message"]), additional_kwargs=data["extras"])


def load_completion(payload: str) -> CompletionResponse:
    """Read a completion back as a new object."""
    data = json.loads(payload)
    return CompletionResponse(text=data["text"], additional_kwargs=data["extras"])


def has_tool_calls(response: Response) -> bool:
    """Tell whether an answer asks for an action."""
    if isinstance(response, CompletionResponse):
        return False
    message = response.message
    return any(block.block_type == "tool_call" for block in message.blocks) or any(
        message.additional_kwargs.get(name) for name in ("tool_calls", "function_call")
    )


def text_of(response: Response) -> str:
    """Return the text of an answer."""
    return response.text if isinstance(response, CompletionResponse) else response.message.content or ""


def chat_as_text(payload: str) -> str:
    """Return the text of a stored answer to a chat, with the tools it calls, for a judge."""
    return answer_text(load_chat(payload))


def completion_as_text(payload: str) -> str:
    """Return the text of a stored completion, for a judge."""
    return load_completion(payload).text


def fresh(response: Response, model: str | None, *, metered: bool) -> FreshAnswer:
    """Read an answer of the model that was asked again; one that was cut off or withheld has no text."""
    gathered = Gathered()
    gathered.add(response, model)
    payload = dump(response, gathered)
    whole = not isinstance(payload, NotKept)
    return FreshAnswer(
        text=answer_text(response) if whole else "",
        reading=gathered.reading,
        payload=payload if isinstance(payload, str) and not has_tool_calls(response) else None,
        metered=metered,
    )


def mark_hit(response: Response, hit: Hit) -> None:
    """Say in the response where it came from."""
    marks = {**response.additional_kwargs.get(MARK, {}), CACHE_KEY: hit.mark().to_dict()}
    response.additional_kwargs[MARK] = marks


def _body(raw: object) -> Mapping[str, Any]:
    if isinstance(raw, Mapping):
        return raw
    describe = getattr(raw, "model_dump", None)
    body = describe() if describe is not None else None
    return body if isinstance(body, Mapping) else {}


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
