"""What does Anthropic's messages endpoint send back?"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from lc_costkit.testing.anthropic_prompt import prepare_messages
from lc_costkit.testing.prompt_cache import Count
from lc_costkit.testing.records import Provider
from lc_costkit.testing.wire import Frame, Generation, Prepared, Reply, compact, pieces

_FINISH = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_WORDS_PER_EVENT = 3


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
        """The usage with cache writes split by their lifetime."""
        metered = reply.metered
        return {
            "input_tokens": metered.uncached,
            "cache_creation_input_tokens": metered.cache_write + metered.cache_write_1h,
            "cache_read_input_tokens": metered.cache_read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": metered.cache_write,
                "ephemeral_1h_input_tokens": metered.cache_write_1h,
            },
            "output_tokens": metered.output,
            "service_tier": "standard",
            "inference_geo": "not_available",
        }

    def render(self, reply: Reply) -> dict[str, Any]:
        """One ``message`` object."""
        generation = reply.generations[0]
        return {
            **_head(reply),
            "content": _content(generation),
            "stop_reason": _FINISH[generation.finish],
            "stop_sequence": generation.stopped_by if generation.finish == "stop_sequence" else None,
            "usage": self.usage(reply),
        }

    def frames(self, reply: Reply) -> Iterator[Frame]:
        """``message_start``, content blocks, ``message_delta`` with the final usage, ``message_stop``."""
        generation = reply.generations[0]
        usage = self.usage(reply)
        start = {**_head(reply), "content": [], "stop_reason": None, "stop_sequence": None}
        opening = {**usage, "output_tokens": min(1, usage["output_tokens"])}
        yield _frame("message_start", message={**start, "usage": opening})
        yield _frame("ping")
        index = 0
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
        final = {
            name: usage[name]
            for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
        }
        stopped = generation.stopped_by if generation.finish == "stop_sequence" else None
        ending = {"stop_reason": _FINISH[generation.finish], "stop_sequence": stopped}
        yield _frame("message_delta", delta=ending, usage=final, carries_usage=True)
        yield _frame("message_stop")


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
