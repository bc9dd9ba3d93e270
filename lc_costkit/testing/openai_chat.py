"""What does OpenAI's chat completions endpoint send back?"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from lc_costkit.testing.openai_prompt import prepare_chat
from lc_costkit.testing.prompt_cache import Count
from lc_costkit.testing.records import Provider
from lc_costkit.testing.wire import Frame, Generation, Prepared, Reply, WireError, compact, pieces

_FINISH = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}
_FINGERPRINT = "fp_lc_costkit"


class OpenAIChat:
    """``POST /v1/chat/completions``."""

    provider: Provider = "openai"
    tool_tokens = 8
    """Output tokens beside a call's name and arguments; an assumption."""
    tool_id_prefix = "call_"

    def prepare(self, body: Mapping[str, Any], *, number: int, path: str, count: Count) -> Prepared:
        """Understand a request; see ``Wire``."""
        if body.get("stream_options") is not None and body.get("stream") is not True:
            raise WireError(
                "The 'stream_options' parameter is only allowed when 'stream' is enabled.", parameter="stream_options"
            )
        return prepare_chat(body, number=number, path=path, count=count)

    def usage(self, reply: Reply) -> dict[str, Any]:
        """The usage as ``prompt_tokens`` and ``completion_tokens`` with their details."""
        metered = reply.metered
        prompt_details: dict[str, int] = {"cached_tokens": metered.cache_read, "audio_tokens": metered.input_audio}
        if reply.model.startswith(_REPORTS_WRITES):
            prompt_details["cache_write_tokens"] = metered.written
        return {
            "prompt_tokens": metered.input,
            "completion_tokens": metered.all_output,
            "total_tokens": metered.input + metered.all_output,
            "prompt_tokens_details": prompt_details,
            "completion_tokens_details": {
                "reasoning_tokens": metered.reasoning,
                "audio_tokens": metered.output_audio,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def render(self, reply: Reply) -> dict[str, Any]:
        """One ``chat.completion`` object.

        Raises:
            WireError: the answer holds paid tools, which this endpoint does not report.
        """
        _refuse_tools(reply)
        return {
            **_head(reply, "chat.completion"),
            "choices": [_choice(at, generation) for at, generation in enumerate(reply.generations)],
            "usage": self.usage(reply),
        }

    def frames(self, reply: Reply) -> Iterator[Frame]:
        """``chat.completion.chunk`` events, the usage if it was asked for, and ``[DONE]``."""
        _refuse_tools(reply)
        options = reply.prepared.request.body.get("stream_options") or {}
        with_usage = options.get("include_usage") is True
        head = _head(reply, "chat.completion.chunk")

        def chunk(index: int, delta: dict[str, Any], finish: str | None = None, output: str = "") -> Frame:
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
            body = {**head, "choices": [choice], **({"usage": None} if with_usage else {})}
            return Frame(data=_event(compact(body)), output=output)

        for index, generation in enumerate(reply.generations):
            yield chunk(index, {"role": "assistant", "content": None if generation.tools else "", "refusal": None})
            for piece in pieces(generation.text, 1):
                yield chunk(index, {"content": piece}, output=piece)
            for at, tool in enumerate(generation.tools):
                opening = {"name": tool.name, "arguments": ""}
                call = {"index": at, "id": tool.id, "type": "function", "function": opening}
                yield chunk(index, {"tool_calls": [call]}, output=tool.name)
                for piece in pieces(tool.arguments, 1):
                    yield chunk(index, {"tool_calls": [{"index": at, "function": {"arguments": piece}}]}, output=piece)
            yield chunk(index, {}, finish=_FINISH[generation.finish])
        if with_usage:
            yield Frame(data=_event(compact({**head, "choices": [], "usage": self.usage(reply)})), carries_usage=True)
        yield Frame(data=_event("[DONE]"))


def _refuse_tools(reply: Reply) -> None:
    if reply.terms.web_searches or reply.terms.file_searches:
        raise WireError("the answer function failed: chat completions have no paid tools; ask for /v1/responses")


_REPORTS_WRITES = ("gpt-5.6", "gpt-6")


def _event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()


def _head(reply: Reply, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{secrets.token_hex(15)}",
        "object": kind,
        "created": reply.created,
        "model": reply.model,
        "service_tier": reply.tier,
        "system_fingerprint": _FINGERPRINT,
    }


def _choice(index: int, generation: Generation) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if generation.tools and not generation.text else generation.text,
        "refusal": None,
        "annotations": [],
    }
    if generation.tools:
        message["tool_calls"] = [
            {"id": tool.id, "type": "function", "function": {"name": tool.name, "arguments": tool.arguments}}
            for tool in generation.tools
        ]
    return {"index": index, "message": message, "logprobs": None, "finish_reason": _FINISH[generation.finish]}
