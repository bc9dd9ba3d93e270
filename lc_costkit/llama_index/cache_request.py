"""What does the cache see of a LlamaIndex call?"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import BaseModel
from llama_index.core.llms import LLM

from lc_costkit.cache.key import CacheRequest, Turn
from lc_costkit.llama_index.delegating import ChatRequest, CompletionRequest, DelegatingLLM, Request

# Fields and arguments that never change an answer: transport, bookkeeping, credentials.
_VOLATILE = re.compile(
    r"max_retries|timeout|api_key|secret|(?:^|access_|auth_|api_|session_|security_)token$|password|http_client"
    r"|callback_manager|rate_limiter|reuse_client|verbose|stream|lc_costkit|num_workers"
)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{4,}")
_READ = frozenset({"text", "tool_call", "cache", "thinking", "citation", "citable"})
_TOOL_ROLES = frozenset({"tool", "function"})


def describe(llm: LLM, request: Request[Any]) -> CacheRequest:
    """Describe what an LLM is asked."""
    if isinstance(request, ChatRequest):
        return chat_request(llm, request.messages, request.options)
    if isinstance(request, CompletionRequest):
        return completion_request(llm, request.prompt, request.options, formatted=request.formatted)
    raise TypeError(f"neither a chat nor a completion: {request!r:.200}")


def chat_request(llm: LLM, messages: Sequence[ChatMessage], options: Mapping[str, Any]) -> CacheRequest:
    """Describe a chat."""
    calls: dict[str, int] = {}
    return _request(llm, tuple(_turn(message, calls) for message in messages), options, plain_text=False)


def completion_request(llm: LLM, prompt: str, options: Mapping[str, Any], *, formatted: bool = False) -> CacheRequest:
    """Describe a completion; the prompt is the question as it stands, which goes out so if it is ``formatted``."""
    return _request(llm, (Turn(role="human", text=prompt),), {"formatted": formatted, **options}, plain_text=True)


def _request(llm: LLM, turns: tuple[Turn, ...], options: Mapping[str, Any], *, plain_text: bool) -> CacheRequest:
    llm = _answering(llm)
    settings = canonical({"llm": _describe(llm), "options": _kept(options)})
    temperature = options.get("temperature", getattr(llm, "temperature", None))
    return CacheRequest(
        turns=turns,
        settings=settings,
        model=options.get("model") or llm.metadata.model_name or None,
        temperature=temperature if isinstance(temperature, int | float) else None,
        plain_text=plain_text,
        uncacheable="the settings hold an object that can only be told by its address in memory"
        if _ADDRESS.search(settings)
        else None,
    )


def _answering(llm: LLM) -> LLM:
    """Return the LLM whose answers these are: a gate before it changes none."""
    return llm.answers_as if isinstance(llm, DelegatingLLM) else llm


def _describe(llm: LLM) -> dict[str, Any]:
    llm = _answering(llm)
    fields = {name: getattr(llm, name) for name in type(llm).model_fields}
    kind = f"{type(llm).__module__}.{type(llm).__qualname__}"
    decided = {"decided_by": llm.decided_by} if isinstance(llm, DelegatingLLM) and llm.decided_by else {}
    return {"class": kind, "model": llm.metadata.model_name, **decided, **_kept(fields)}


def _kept(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if not _VOLATILE.search(name)}


def _turn(message: ChatMessage, calls: dict[str, int]) -> Turn:
    """Reduce a message; ``calls`` numbers the tool calls met so far, in place of their random ids."""
    texts: list[str] = []
    others: list[object] = []
    found: list[tuple[str | None, str]] = []
    has_media = False
    for block in message.blocks:
        if block.block_type == "text":
            texts.append(block.text)
        elif block.block_type == "tool_call":
            found.append((block.tool_call_id, f"{block.tool_name}({_arguments(block.tool_kwargs)})"))
        elif block.block_type != "cache":
            has_media = has_media or block.block_type not in _READ
            others.append(block)
    for call in message.additional_kwargs.get("tool_calls") or ():
        data = call if isinstance(call, Mapping) else call.model_dump() if isinstance(call, BaseModel) else {"": call}
        function = data.get("function") or data
        one = (
            data.get("id"),
            f"{function.get('name')}({_arguments(function.get('arguments', function.get('input')))})",
        )
        if one not in found:
            found.append(one)
    for call_id, _ in found:
        calls.setdefault(str(call_id), len(calls))
    if len(texts) > 1:
        others.append({"text_parts": [len(text) for text in texts]})
    extras = {name: value for name, value in message.additional_kwargs.items() if name not in ("tool_calls", "id")}
    if message.role.value in _TOOL_ROLES or "tool_call_id" in extras:
        extras["tool_call_id"] = calls.get(str(extras.get("tool_call_id")))
    return Turn(
        role=message.role.value,
        text="\n".join(texts),
        tool_calls=tuple(call for _, call in found),
        other=canonical([others, extras]) if others or extras else "",
        has_media=has_media,
    )


def _arguments(value: object) -> str:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    return canonical(value)


def canonical(value: object) -> str:
    """Write settings as text, the same ones always alike."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, LLM):
        return _describe(value)
    if isinstance(value, type):
        schema = getattr(value, "model_json_schema", None)
        return [value.__module__, value.__qualname__, schema() if schema is not None else None]
    if isinstance(value, BaseModel):
        return [type(value).__qualname__, value.model_dump(mode="json")]
    if isinstance(value, FunctionType):
        # Two lambdas share a name; what they do and what they hold on to tells them apart.
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        return [value.__module__, value.__qualname__, _code(value.__code__), held, value.__defaults__]
    if isinstance(value, CodeType):
        return _code(value)
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return repr(value)


def _code(code: CodeType) -> list[object]:
    digest = hashlib.sha256(code.co_code + repr(code.co_names).encode()).hexdigest()
    return [digest[:16], *code.co_consts]
