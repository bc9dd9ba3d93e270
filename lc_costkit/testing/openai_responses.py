"""What does OpenAI's responses endpoint take and send back?"""

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from lc_costkit.testing.openai_prompt import prepare_chat
from lc_costkit.testing.prompt_cache import Count
from lc_costkit.testing.records import Provider
from lc_costkit.testing.server_tools import tool_items
from lc_costkit.testing.wire import Frame, Generation, Prepared, Reply, WireError, compact, pieces

_KEPT = 1000
"""Responses that ``previous_response_id`` can still name."""

_SAME_IN_CHAT = (
    "model",
    "stream",
    "service_tier",
    "prompt_cache_retention",
    "prompt_cache_options",
    "parallel_tool_calls",
)


class OpenAIResponses:
    """``POST /v1/responses``: the chat endpoint's rules in other words."""

    provider: Provider = "openai"
    tool_tokens = 8
    """Output tokens beside a call's name and arguments; as in the chat endpoint."""
    tool_id_prefix = "call_"

    def __init__(self) -> None:
        self._kept: OrderedDict[str, list[Any]] = OrderedDict()

    def prepare(self, body: Mapping[str, Any], *, number: int, path: str, count: Count) -> Prepared:
        """Understand a request; see ``Wire``."""
        prepared = prepare_chat(self._as_chat(body), number=number, path=path, count=count)
        return replace(prepared, request=replace(prepared.request, body=body))

    def usage(self, reply: Reply) -> dict[str, Any]:
        """The usage as ``input_tokens`` and ``output_tokens`` with their details."""
        metered = reply.metered
        details: dict[str, Any] = {"cached_tokens": metered.cache_read, "cache_write_tokens": metered.written}
        if metered.cache_write_12h:
            split = {"ttl_12h_tokens": metered.cache_write_12h, "ttl_30m_tokens": metered.cache_write}
            details["cache_write_tokens_details"] = split
        return {
            "input_tokens": metered.input,
            "input_tokens_details": details,
            "output_tokens": metered.output,
            "output_tokens_details": {"reasoning_tokens": metered.reasoning},
            "total_tokens": metered.input + metered.output,
        }

    def render(self, reply: Reply) -> dict[str, Any]:
        """One ``response`` object."""
        generation = reply.generations[0]
        output = [*tool_items(reply.terms), *_output(generation)]
        response = self._head(reply)
        self._keep(reply, str(response["id"]), output)
        return {**response, **_ending(generation), "output": output, "usage": self.usage(reply)}

    def frames(self, reply: Reply) -> Iterator[Frame]:
        """The events from ``response.created`` to ``response.completed``, which has the usage."""
        whole = self.render(reply)
        started = {**whole, "status": "in_progress", "incomplete_details": None, "output": [], "usage": None}
        events = _Events()
        yield events.make("response.created", response=started)
        yield events.make("response.in_progress", response=started)
        for index, item in enumerate(whole["output"]):
            yield from _item_frames(events, index, item)
        closing = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
        yield events.make(closing, response=whole, carries_usage=True)

    def _head(self, reply: Reply) -> dict[str, Any]:
        body = reply.prepared.request.body
        return {
            "id": f"resp_{secrets.token_hex(24)}",
            "object": "response",
            "created_at": reply.created,
            "error": None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "metadata": body.get("metadata") or {},
            "model": reply.model,
            "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
            "previous_response_id": body.get("previous_response_id"),
            "reasoning": {"effort": (body.get("reasoning") or {}).get("effort"), "summary": None},
            "service_tier": reply.tier,
            "store": body.get("store") is not False,
            "temperature": body.get("temperature", 1.0),
            "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "top_p": body.get("top_p", 1.0),
            "truncation": "disabled",
        }

    def _keep(self, reply: Reply, response_id: str, output: list[dict[str, Any]]) -> None:
        body = reply.prepared.request.body
        if body.get("store") is False:
            return
        self._kept[response_id] = [*self._earlier(body), *_items(body.get("input")), *output]
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def _earlier(self, body: Mapping[str, Any]) -> list[Any]:
        previous = body.get("previous_response_id")
        if previous is None:
            return []
        if previous not in self._kept:
            raise WireError(
                f"Previous response with id '{previous}' not found.",
                parameter="previous_response_id",
                code="previous_response_not_found",
            )
        return self._kept[previous]

    def _as_chat(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if not body.get("input") and not body.get("previous_response_id"):
            raise WireError("Missing required parameter: 'input'.", parameter="input")
        messages: list[dict[str, Any]] = []
        if body.get("instructions"):
            messages.append({"role": "system", "content": body["instructions"]})
        for item in [*self._earlier(body), *_items(body.get("input"))]:
            _add_message(messages, item)
        chat: dict[str, Any] = {name: body[name] for name in _SAME_IN_CHAT if body.get(name) is not None}
        chat["messages"] = messages
        if body.get("max_output_tokens") is not None:
            chat["max_completion_tokens"] = body["max_output_tokens"]
        wanted = (body.get("text") or {}).get("format")
        if isinstance(wanted, Mapping):
            schema = wanted.get("type") == "json_schema"
            chat["response_format"] = {"type": "json_schema", "json_schema": wanted} if schema else wanted
        if body.get("tools"):
            chat["tools"] = [_chat_tool(tool) for tool in body["tools"]]
            chat["tool_choice"] = _chat_choice(body.get("tool_choice"))
        return chat


def _items(given: Any) -> list[Any]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return list(given or ())


def _add_message(messages: list[dict[str, Any]], item: Any) -> None:
    if not isinstance(item, Mapping):
        raise WireError("Invalid type for 'input': expected a string or a list of items.", parameter="input")
    kind = item.get("type") or "message"
    if kind == "message":
        messages.append({"role": item.get("role"), "content": item.get("content")})
    elif kind == "function_call":
        call = {"id": item.get("call_id"), "function": {"name": item.get("name"), "arguments": item.get("arguments")}}
        last = messages[-1] if messages else {}
        if last.get("role") == "assistant":
            last["tool_calls"] = [*last.get("tool_calls", ()), call]
        else:
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
    elif kind == "function_call_output":
        output = item.get("output")
        text = output if isinstance(output, str) else compact(output)
        messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": text})
    elif kind != "reasoning":
        messages.append({"role": "assistant", "content": compact(item)})


def _chat_tool(tool: Any) -> Any:
    if not isinstance(tool, Mapping) or tool.get("type") != "function":
        return tool
    return {"type": "function", "function": {key: value for key, value in tool.items() if key != "type"}}


def _chat_choice(choice: Any) -> Any:
    if isinstance(choice, Mapping) and choice.get("type") == "function":
        return {"type": "function", "function": {"name": choice.get("name")}}
    return choice


def _ending(generation: Generation) -> dict[str, Any]:
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    reason = reasons.get(generation.finish)
    status = "completed" if reason is None else "incomplete"
    return {"status": status, "incomplete_details": None if reason is None else {"reason": reason}}


def _output(generation: Generation) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = []
    if generation.reasoning:
        output.append({"type": "reasoning", "id": f"rs_{secrets.token_hex(24)}", "summary": []})
    if generation.text or not generation.tools:
        output.append(
            {
                "type": "message",
                "id": f"msg_{secrets.token_hex(24)}",
                "status": _ending(generation)["status"],
                "role": "assistant",
                "content": [{"type": "output_text", "text": generation.text, "annotations": [], "logprobs": []}],
            }
        )
    for tool in generation.tools:
        output.append(
            {
                "type": "function_call",
                "id": f"fc_{secrets.token_hex(24)}",
                "call_id": tool.id,
                "name": tool.name,
                "arguments": tool.arguments,
                "status": "completed" if _is_json(tool.arguments) else "incomplete",
            }
        )
    return output


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


class _Events:
    """Numbers the events of one stream."""

    def __init__(self) -> None:
        self._next = 0

    def make(self, kind: str, *, output: str = "", carries_usage: bool = False, **fields: Any) -> Frame:
        body = compact({"type": kind, "sequence_number": self._next, **fields})
        self._next += 1
        return Frame(data=f"event: {kind}\ndata: {body}\n\n".encode(), output=output, carries_usage=carries_usage)


def _item_frames(events: _Events, index: int, item: dict[str, Any]) -> Iterator[Frame]:
    at: dict[str, Any] = {"output_index": index}
    if item["type"] == "message":
        part, text = item["content"][0], str(item["content"][0]["text"])
        place = {**at, "item_id": item["id"], "content_index": 0}
        opening = {**item, "status": "in_progress", "content": []}
        yield events.make("response.output_item.added", **at, item=opening)
        yield events.make("response.content_part.added", **place, part={**part, "text": ""})
        for piece in pieces(text, 1):
            yield events.make("response.output_text.delta", **place, delta=piece, logprobs=[], output=piece)
        yield events.make("response.output_text.done", **place, text=text, logprobs=[])
        yield events.make("response.content_part.done", **place, part=part)
    elif item["type"] == "function_call":
        opening = {**item, "status": "in_progress", "arguments": ""}
        yield events.make("response.output_item.added", **at, item=opening, output=item["name"])
        for piece in pieces(item["arguments"], 1):
            yield events.make(
                "response.function_call_arguments.delta", **at, item_id=item["id"], delta=piece, output=piece
            )
        done = {"item_id": item["id"], "name": item["name"], "arguments": item["arguments"]}
        yield events.make("response.function_call_arguments.done", **at, **done)
    else:
        yield events.make("response.output_item.added", **at, item=item)
    yield events.make("response.output_item.done", **at, item=item)
