"""What does a budget see of a LlamaIndex call?"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, LLMMetadata
from llama_index.core.bridge.pydantic import BaseModel
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.llms import LLM
from llama_index_instrumentation.dispatcher import active_instrument_tags

from lc_costkit.budget.claim import CHOICES, LIMITS, THINKING, Claim, asks_to_think
from lc_costkit.llama_index.budget_media import all_blocks, media_tokens
from lc_costkit.llama_index.call_events import chat_prompt, completion_prompt, open_call, provider_of
from lc_costkit.llama_index.delegating import ChatRequest, DelegatingLLM, Request
from lc_costkit.marks import MARK
from lc_costkit.metering import OpenCall
from lc_costkit.prompt import Prompt
from lc_costkit.readers import find_cache_ttl

_FIELDS = ("additional_kwargs", "model_kwargs", "generate_kwargs", "generation_config", "extra_body")
"""Where integrations keep what they put into each request."""

_SEARCH = "web_search"

_UNNAMED = LLMMetadata().model_name
"""What LlamaIndex calls a model whose integration does not name it."""


def read_request(llm: LLM, request: Request[Any]) -> tuple[Claim, OpenCall]:
    """Return what is known of a call before it is made.

    Who it is for comes from ``instrument_tags``; limits from its arguments, or from the fields of the LLM.
    """
    while isinstance(llm, DelegatingLLM) and llm.answers_as is not llm:
        llm = llm.answers_as
    options = _options(llm, request.options)
    messages = request.messages if isinstance(request, ChatRequest) else ()
    model = _text(options.get("model")) or model_of(llm)
    prompt = _prompt(llm, request, options)
    tags = dict(active_instrument_tags.get())
    call = open_call(
        "chat" if isinstance(request, ChatRequest) else "completion",
        prompt,
        BaseEvent(tags=tags),
        call_id=uuid.uuid4().hex,
        parent_id=None,
        model_dict={"class_name": llm.class_name(), "model": model},
    )
    # What the handler keeps of the start event, to read what a stream leaves out.
    call.hints = {**call.hints, "messages": messages, "parameters": (request.options, llm)}
    claim = Claim(
        model=model,
        provider=provider_of(llm.class_name()),
        prompt=prompt,
        max_output_tokens=_most(llm, options, LIMITS),
        # The metadata's num_output is no limit: it is a default of 256, or -1, with most LLMs.
        choices=_most(llm, options, CHOICES) or 1,
        thinks=asks_to_think({name: _said(llm, options, name) for name in THINKING}),
        other_input_tokens=media_tokens(messages, model, _context_window(llm)),
        cache_ttl=_cache_ttl(messages, options),
        service_tier=_text(_said(llm, options, "service_tier")),
        speed=_text(_said(llm, options, "speed")),
        inference_geo=_text(_said(llm, options, "inference_geo")),
        paid_tools=_paid_tools(llm, options),
        metadata={name: value for name, value in tags.items() if name not in (MARK, "tags")},
    )
    return claim, call


def model_of(llm: LLM) -> str | None:
    """Return the model's name, if the LLM says one."""
    try:
        name = llm.metadata.model_name
    except Exception:  # some integrations know no model that is newer than they are
        name = ""
    if name and name != _UNNAMED:
        return name
    return next((found for field in ("model", "model_name") if (found := _text(_field(llm, field)))), None)


def _context_window(llm: LLM) -> int | None:
    try:
        return llm.metadata.context_window
    except Exception:
        return None


def _options(llm: LLM, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a request carries: what the LLM puts into each, and what the caller gave."""
    fields = (value for name in _FIELDS if isinstance(value := _field(llm, name), Mapping))
    options: dict[str, Any] = {}
    for each in (*fields, given):
        options.update(each)
    extra = options.pop("extra_body", None)
    return {**options, **extra} if isinstance(extra, Mapping) else options


def _said(llm: LLM, options: Mapping[str, Any], name: str) -> object:
    return options[name] if name in options else _field(llm, name)


def _field(llm: LLM, name: str) -> object:
    """Return a field or property, quickly where there is none: pydantic takes its time to say so."""
    if name in vars(llm):
        return vars(llm)[name]
    return getattr(llm, name, None) if _declares(type(llm), name) else None


@lru_cache(maxsize=1024)
def _declares(kind: type, name: str) -> bool:
    return any(name in vars(each) for each in kind.__mro__)


def _most(llm: LLM, options: Mapping[str, Any], names: Sequence[str]) -> int | None:
    """Return the number an argument gives, or else a field; an argument of ``None`` lifts the field's limit."""
    said = [options[name] for name in names if name in options]
    if not said:
        said = [_field(llm, name) for name in names]
    numbers = [value for value in said if isinstance(value, int) and not isinstance(value, bool) and value > 0]
    return max(numbers) if numbers else None


def _prompt(llm: LLM, request: Request[Any], options: Mapping[str, Any]) -> Prompt:
    if isinstance(request, ChatRequest):
        read = chat_prompt(request.messages)
        roles = [role for role, _ in read.turns]
        turns = tuple(zip(roles, map(whole_text, request.messages), strict=True))
        return Prompt(turns=turns, tools=_structures(options), declared_question=read.declared_question)
    prompt: str = getattr(request, "prompt", "")
    template = None if getattr(request, "formatted", False) else llm.completion_to_prompt
    read = completion_prompt(prompt if template is None else max(prompt, template(prompt), key=len))
    return Prompt(
        turns=read.turns, tools=_structures(options), declared_question=read.declared_question, framed=read.framed
    )


def _structures(options: Mapping[str, Any]) -> str:
    """Return tools, schemas and whatever else of a request may be sent to the model, as text."""
    sent = {
        name: value for name, value in options.items() if isinstance(value, (Mapping, list, tuple, BaseModel, type))
    }
    return json.dumps(sent, ensure_ascii=False, sort_keys=True, default=_plain) if sent else ""


def whole_text(message: ChatMessage) -> str:
    """Return the text of a message with the tool calls it makes and what it says besides."""
    pieces = list(_texts(message))
    calls = message.additional_kwargs.get("tool_calls") or ()
    pieces += [call_text(call) for call in calls]
    if "tool_call_id" in message.additional_kwargs:
        pieces.append(str(message.additional_kwargs["tool_call_id"]))
    return "\n".join(piece for piece in pieces if piece)


def _texts(message: ChatMessage) -> Iterator[str]:
    for block in all_blocks(message.blocks):
        if block.block_type == "text":
            yield block.text
        elif block.block_type == "thinking":
            yield block.content or ""
        elif block.block_type == "tool_call":
            yield call_text({"name": block.tool_name, "arguments": block.tool_kwargs})
        yield from (str(value) for name in ("title", "source") if (value := vars(block).get(name)))


def call_text(call: object) -> str:
    """Return a tool call of a message, in whatever form an integration keeps it, as text."""
    data = call if isinstance(call, Mapping) else call.model_dump() if isinstance(call, BaseModel) else {"input": call}
    inner = data.get("function")
    function = inner if isinstance(inner, Mapping) else data
    return f"{function.get('name')}({_json(function.get('arguments', function.get('input')))})"


def _json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, type):
        schema = getattr(value, "model_json_schema", None)
        return schema() if schema is not None else value.__qualname__
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else repr(value)


def _cache_ttl(messages: Sequence[ChatMessage], options: Mapping[str, Any]) -> str | None:
    """Return the longest lifetime that the request asks for."""
    asked = [find_cache_ttl(message.additional_kwargs) for message in messages] + [find_cache_ttl(options)]
    asked += [
        block.cache_control.ttl
        for block in all_blocks(block for message in messages for block in message.blocks)
        if block.block_type == "cache"
    ]
    return next((ttl for ttl in ("1h", "5m") if ttl in asked), None)


def _paid_tools(llm: LLM, options: Mapping[str, Any]) -> dict[str, int]:
    tools = [
        *(options.get("tools") or ()),
        *(found if isinstance(found := _field(llm, "built_in_tools"), list) else ()),
    ]
    searches = [tool for tool in tools if isinstance(tool, Mapping) and str(tool.get("type")).startswith(_SEARCH)]
    uses = [tool["max_uses"] for tool in searches if isinstance(tool.get("max_uses"), int)]
    return {_SEARCH: sum(uses)} if uses else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
