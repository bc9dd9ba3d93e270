"""What does a cascade read of a LlamaIndex answer, and show of it to the next target?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.bridge.pydantic import BaseModel, ValidationError
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM

from lc_costkit.llama_index.budget_claim import read_request
from lc_costkit.llama_index.call_events import usage_reader
from lc_costkit.llama_index.delegating import CompletionRequest, R, Request
from lc_costkit.llama_index.hits import CACHE_KEY
from lc_costkit.llama_index.route_request import is_schema
from lc_costkit.llama_index.stand_ins import PREPARED, WithTools, without_tools
from lc_costkit.marks import MARK, CacheMark
from lc_costkit.payloads import as_mapping
from lc_costkit.pricing import PriceBook
from lc_costkit.routing.answer import Answer, ToolCall
from lc_costkit.routing.trail import draft_note

Response = ChatResponse | CompletionResponse

_FINISHED = ("finish_reason", "stop_reason", "done_reason", "finishReason", "stopReason")
"""Where providers' answers say why they end: OpenAI's chat, Anthropic, Ollama, Google, Bedrock."""


def answer_of(response: Response, target: LLM, tools: WithTools | None) -> Answer:
    """Return what a target gave, in plain data.

    Args:
        response: as the target gave it.
        target: who gave it.
        tools: what was asked with tools, if it was.
    """
    body = _body(response.raw)
    choice = _first(body.get("choices")) or _first(body.get("candidates"))
    refusal = (as_mapping(choice.get("message")) or {}).get("refusal")
    text = (response.text if isinstance(response, CompletionResponse) else response.message.content) or ""
    return Answer(
        text=text or (refusal if isinstance(refusal, str) else ""),
        tool_calls=() if isinstance(response, CompletionResponse) else _tool_calls(response, target, tools),
        finish_reason="refusal" if refusal else _finish_reason(body, choice, response.additional_kwargs),
    )


def fault_of(response: Response, target: LLM, tools: WithTools | None) -> str:
    """Say why nobody can be given a draft: it calls no tool where one must be called, or breaks the schema.

    Args:
        response: the draft.
        target: who gave it.
        tools: what was asked with tools, if it was.
    """
    if tools is None or not isinstance(response, ChatResponse) or not isinstance(target, FunctionCallingLLM):
        return ""
    schemas = {tool.metadata.get_name(): tool.metadata.fn_schema for tool in tools.tools if is_schema(tool)}
    if not schemas and not tools.settings.get("tool_required"):
        return ""
    try:
        calls = target.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        for call in calls:
            schema = schemas.get(call.tool_name)
            if schema is not None:
                schema.model_validate(call.tool_kwargs)
    except (ValidationError, ValueError) as error:
        return f"it does not parse ({type(error).__name__})"
    if not calls:
        return "it does not answer in the schema" if schemas else "it calls no tool, and one is required"
    return ""


def cost_of(response: Response, target: LLM, request: Request[Any], prices: PriceBook) -> Decimal | None:
    """Return what a call cost (USD), by the usage it reports; ``None`` if that is not known."""
    marks = response.additional_kwargs.get(MARK) or {}
    hit = CacheMark.from_dict(marks.get(CACHE_KEY))
    if hit is not None and hit.verdict == "hit":
        return hit.lookup_usd or Decimal(0)
    call = read_request(target, request)[1]
    reading = usage_reader(response, call)()
    if reading is None:
        return None
    model, provider = reading.model or call.model_asked, reading.provider or call.provider
    return prices.price(replace(reading, model=model, provider=provider)).usd


def shown(request: Request[R], draft: Answer | None, reasons: Sequence[str]) -> Request[R]:
    """Return a request with the answer that was thrown away, and why, after its last message."""
    if draft is None:
        return request
    note = draft_note(draft, reasons)
    asked: Any = request
    if isinstance(asked, CompletionRequest):
        changed: Any = replace(asked, prompt=f"{asked.prompt}\n\n{note}")
    else:
        tools = without_tools(request)[1]
        options = asked.options if tools is None else {**asked.options, PREPARED: tools.followed_by(note)}
        changed = replace(asked, messages=[*asked.messages, ChatMessage(note)], options=options)
    return cast("Request[R]", changed)


def in_one_piece(response: R) -> R:
    """Return an answer as a stream gives it whose one and only piece it is."""
    text = response.text if isinstance(response, CompletionResponse) else response.message.content
    return response.model_copy(update={"delta": text or ""})


def _tool_calls(response: ChatResponse, target: LLM, tools: WithTools | None) -> tuple[ToolCall, ...]:
    """Read tool calls as they were written; only what is written nowhere known is asked of the target."""
    found = [
        (block.tool_name, block.tool_kwargs) for block in response.message.blocks if block.block_type == "tool_call"
    ]
    for call in () if found else response.message.additional_kwargs.get("tool_calls") or ():
        data = as_mapping(call) or {}
        function = as_mapping(data.get("function")) or data
        found.append((str(function.get("name") or ""), function.get("arguments", function.get("input"))))
    if not found and tools is not None and isinstance(target, FunctionCallingLLM):
        selected = target.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        found = [(one.tool_name, one.tool_kwargs) for one in selected]
    return tuple(ToolCall(name=name, arguments=_arguments(given)) for name, given in found)


def _arguments(given: object) -> Mapping[str, Any] | str:
    if isinstance(given, str):
        try:
            parsed = json.loads(given)
        except ValueError:
            return given
        return parsed if isinstance(parsed, dict) else given
    return given if isinstance(given, Mapping) else {}


def _finish_reason(body: Mapping[str, Any], choice: Mapping[str, Any], extras: Mapping[str, Any]) -> str | None:
    incomplete = as_mapping(body.get("incomplete_details")) or {}
    if incomplete.get("reason"):
        return str(incomplete["reason"])
    told = (source.get(name) for source in (choice, body, extras) for name in _FINISHED)
    said = next((one for one in told if one), None)
    return None if said is None else str(getattr(said, "name", said))


def _first(several: object) -> Mapping[str, Any]:
    return (as_mapping(several[0]) or {}) if isinstance(several, (list, tuple)) and several else {}


def _body(raw: object) -> Mapping[str, Any]:
    if isinstance(raw, BaseModel):
        return raw.model_dump()
    return as_mapping(raw) or {}
