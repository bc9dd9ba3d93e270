"""What does a cascade read of a LangChain answer, and write on it?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from pydantic import BaseModel

from lc_costkit.langchain.route_request import as_messages
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.routing.answer import Answer, ToolCall
from lc_costkit.routing.trail import draft_note

_FINISHED = ("finish_reason", "stop_reason", "done_reason")
"""Where providers' answers say why they end: OpenAI's chat and Google, Anthropic, Ollama."""


def answer_of(output: Any) -> Answer:
    """Return what a target gave, in plain data; of what is no message, its JSON or text."""
    if not isinstance(output, BaseMessage):
        return Answer(text=_plain(output))
    refusal = output.additional_kwargs.get("refusal")
    if not isinstance(output, AIMessage):
        return Answer(text=str(output.text))
    calls = [ToolCall(name=call["name"], arguments=call["args"]) for call in output.tool_calls]
    calls += [ToolCall(name=call["name"] or "", arguments=call["args"] or "") for call in output.invalid_tool_calls]
    return Answer(
        text=str(output.text) or (refusal if isinstance(refusal, str) else ""),
        tool_calls=tuple(calls),
        finish_reason="refusal" if refusal else _finish_reason(output.response_metadata),
    )


def with_trail(output: Any, trail: Mapping[str, Any]) -> Any:
    """Return a message that tells in ``response_metadata["lc_costkit"]["route"]`` how it came about.

    Anything that is not a message is returned as it is. The message is copied: the original may also sit in a cache
    or a tracer. What a router inside of the cascade told stays in it.
    """
    if not isinstance(output, BaseMessage):
        return output
    ours = {**output.response_metadata.get(MARK, {}), ROUTE_KEY: dict(trail)}
    return output.model_copy(update={"response_metadata": {**output.response_metadata, MARK: ours}})


def as_chunk(output: Any) -> Any:
    """Return an answer as a stream gives it: a message as its one and only chunk."""
    if not isinstance(output, AIMessage) or isinstance(output, AIMessageChunk):
        return output
    fields = output.model_dump(exclude={"type"})
    return AIMessageChunk(**fields, chunk_position="last")


def shown(input: LanguageModelInput, draft: Answer, reasons: Sequence[str]) -> list[BaseMessage]:
    """Return a request with the answer that was thrown away, and why, after its last message."""
    return [*as_messages(input), HumanMessage(draft_note(draft, reasons))]


def _finish_reason(details: Mapping[str, Any]) -> str | None:
    incomplete = details.get("incomplete_details")
    if isinstance(incomplete, Mapping) and incomplete.get("reason"):
        return str(incomplete["reason"])
    said = next((details[name] for name in _FINISHED if details.get(name)), None)
    return None if said is None else str(said)


def _plain(output: Any) -> str:
    if isinstance(output, str):
        return output
    if isinstance(output, BaseModel):
        return output.model_dump_json()
    try:
        return json.dumps(output, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        return str(output)
