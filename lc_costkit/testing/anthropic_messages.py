"""What does Anthropic's messages endpoint send back?"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from lc_costkit.testing.anthropic_prompt import prepare_messages
from lc_costkit.testing.prompt_cache import Count
from lc_costkit.testing.rates import Metered
from lc_costkit.testing.records import Provider
from lc_costkit.testing.server_tools import tool_blocks
from lc_costkit.testing.wire import Frame, Generation, Prepared, Reply, compact, pieces

_FINISH = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_WORDS_PER_EVENT = 3
_COUNTED_AGAIN = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
"""What the last event of a stream says again; lifetimes, tier, place and speed are in the first alone."""
_AT_THE_END = ("output_tokens_details", "server_tool_use", "iterations")
"""What only the last event knows."""


class AnthropicMessages:
    """``POST /v1/messages``."""

    provider: Provider = "anthropic"
    tool_tokens = 24
    """Output tokens beside a call's name and input; an assumption."""
    tool_id_prefix = "toolu_01"

    def prepare(self, body: Mapping[str, Any], *, number: int, path: str, count: Count) -> Prepared:
        """Understand a request; see ``Wire``."""
        return prepare_messages(body, number=number, path=path, count=count)

    def usage(self, reply: Reply) -> dict[str, Any]:
        """The usage with cache writes split by their lifetime, and what else the message says of its bill."""
        terms = reply.terms
        usage = {
            **_counts(terms.top_level(reply.metered)),
            "service_tier": terms.tier,
            "inference_geo": terms.geo or "not_available",
        }
        if terms.speed is not None:
            usage["speed"] = terms.speed
        if reply.metered.reasoning:
            usage["output_tokens_details"] = {"thinking_tokens": reply.metered.reasoning}
        if terms.web_searches or terms.failed_web_searches or terms.web_fetches:
            tools = {"web_search_requests": terms.web_searches, "web_fetch_requests": terms.web_fetches}
            usage["server_tool_use"] = tools
        if terms.iterations or terms.answered_by:
            usage["iterations"] = _iterations(reply)
        return usage

    def render(self, reply: Reply) -> dict[str, Any]:
        """One ``message`` object."""
        generation = reply.generations[0]
        return {
            **_head(reply),
            "content": [*tool_blocks(reply.terms), *_content(generation)],
            "stop_reason": _FINISH[generation.finish],
            "stop_sequence": generation.stopped_by if generation.finish == "stop_sequence" else None,
            "usage": self.usage(reply),
        }

    def frames(self, reply: Reply) -> Iterator[Frame]:
        """``message_start``, content blocks, ``message_delta`` with the final usage, ``message_stop``."""
        generation = reply.generations[0]
        usage = self.usage(reply)
        start = {**_head(reply), "content": [], "stop_reason": None, "stop_sequence": None}
        opening = {name: value for name, value in usage.items() if name not in _AT_THE_END}
        opening["output_tokens"] = min(1, usage["output_tokens"])
        yield _frame("message_start", message={**start, "usage": opening})
        yield _frame("ping")
        index = 0
        for block in tool_blocks(reply.terms):
            yield from _block_frames(index, block)
            index += 1
        if generation.text or not generation.tools:
            yield _frame("content_block_start", index=index, content_block={"type": "text", "text": ""})
            for piece in pieces(generation.text, _WORDS_PER_EVENT):
                delta = {"type": "text_delta", "text": piece}
                yield _frame("content_block_delta", index=index, delta=delta, output=piece)
            yield _frame("content_block_stop", index=index)
            index += 1
        for tool in generation.tools:
            block = {"type": "tool_use", "id": tool.id, "name": tool.name, "input": {}}
            yield _frame("content_block_start", index=index, content_block=block, output=tool.name)
            yield _frame("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": ""})
            for piece in pieces(tool.arguments, _WORDS_PER_EVENT):
                delta = {"type": "input_json_delta", "partial_json": piece}
                yield _frame("content_block_delta", index=index, delta=delta, output=piece)
            yield _frame("content_block_stop", index=index)
            index += 1
        final = {name: usage[name] for name in (*_COUNTED_AGAIN, *_AT_THE_END) if name in usage}
        stopped = generation.stopped_by if generation.finish == "stop_sequence" else None
        ending = {"stop_reason": _FINISH[generation.finish], "stop_sequence": stopped}
        yield _frame("message_delta", delta=ending, usage=final, carries_usage=True)
        yield _frame("message_stop")


def _counts(metered: Metered) -> dict[str, Any]:
    return {
        "input_tokens": metered.uncached,
        "cache_creation_input_tokens": metered.written,
        "cache_read_input_tokens": metered.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": metered.cache_write,
            "ephemeral_1h_input_tokens": metered.cache_write_1h,
        },
        "output_tokens": metered.output,
    }


def _iterations(reply: Reply) -> list[dict[str, Any]]:
    """What came before the answer, and the answer, which a fallback ends under another name."""
    terms = reply.terms
    listed: list[dict[str, Any]] = []
    for one in terms.iterations:
        counts = Metered(
            uncached=one.input_tokens,
            cache_read=one.cache_read_tokens,
            cache_write=one.cache_write_tokens,
            cache_write_1h=one.cache_write_1h_tokens,
            output=one.output_tokens,
        )
        named = {} if one.model is None else {"model": one.model}
        listed.append({"type": one.kind, **named, **_counts(counts)})
    if terms.answered_by:
        declined = {**_counts(reply.metered), "output_tokens": 0}
        listed.append({"type": "message", "model": reply.prepared.request.model, **declined})
        return [*listed, {"type": "fallback_message", "model": terms.answered_by, **_counts(reply.metered)}]
    return [*listed, {"type": "message", **_counts(reply.metered)}]


def _block_frames(index: int, block: dict[str, Any]) -> Iterator[Frame]:
    """A block of a server tool: its result is in the opening, its input and a summary come in a piece."""
    kind = block["type"]
    if kind == "compaction":
        yield _frame("content_block_start", index=index, content_block={**block, "content": None})
        delta = {"type": "compaction_delta", "content": block["content"]}
        yield _frame("content_block_delta", index=index, delta=delta)
    elif kind == "server_tool_use":
        yield _frame("content_block_start", index=index, content_block={**block, "input": {}})
        delta = {"type": "input_json_delta", "partial_json": compact(block["input"])}
        yield _frame("content_block_delta", index=index, delta=delta)
    else:
        yield _frame("content_block_start", index=index, content_block=block)
    yield _frame("content_block_stop", index=index)


def _head(reply: Reply) -> dict[str, Any]:
    return {
        "id": f"msg_01{secrets.token_hex(11)}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
    }


def _content(generation: Generation) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if generation.text or not generation.tools:
        content.append({"type": "text", "text": generation.text})
    for tool in generation.tools:
        content.append({"type": "tool_use", "id": tool.id, "name": tool.name, "input": _parsed(tool.arguments)})
    return content


def _parsed(arguments: str) -> Any:
    """The input of a tool; what was broken off by the token limit arrives as an empty object."""
    try:
        return json.loads(arguments)
    except ValueError:
        return {}


def _frame(kind: str, *, output: str = "", carries_usage: bool = False, **fields: Any) -> Frame:
    body = compact({"type": kind, **fields})
    return Frame(data=f"event: {kind}\ndata: {body}\n\n".encode(), output=output, carries_usage=carries_usage)
