"""What does LangChain tell a cache about a call?

It hands over two strings: the messages as ``dumps`` wrote them (or the plain prompt of a
completion model), and the model's settings. Both are read as data; nothing in them is
brought to life.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lc_costkit.cache.key import CacheRequest, Turn
from lc_costkit.langchain.settings import read_settings

_ROLES = {
    "SystemMessage": "system",
    "HumanMessage": "human",
    "AIMessage": "ai",
    "ToolMessage": "tool",
    "FunctionMessage": "function",
}

_MEDIA = frozenset(
    {"image", "image_url", "input_image", "audio", "input_audio", "video", "video_url", "file", "input_file"}
    | {"document", "media"}
)

# Parts of a content block that only matter to the provider's own cache, and of an answer's those that
# are made up for each call. In what the user sends, an id names something.
_VOLATILE = frozenset({"cache_control"})
_VOLATILE_IN_ANSWERS = _VOLATILE | {"id", "index", "signature", "encrypted_content", "annotations"}
_CALLS = frozenset({"tool_use", "tool_call", "function_call"})


def read_request(prompt: str, llm_string: str) -> CacheRequest:
    """Turn LangChain's two strings into a request."""
    settings = read_settings(llm_string)
    turns = _read_messages(prompt)
    return CacheRequest(
        turns=(Turn(role="human", text=prompt),) if turns is None else turns,
        settings=settings.canonical,
        model=settings.model,
        temperature=settings.temperature,
        plain_text=turns is None,
        uncacheable=settings.uncacheable,
    )


def _read_messages(prompt: str) -> tuple[Turn, ...] | None:
    if not prompt.startswith("["):
        return None
    try:
        messages = json.loads(prompt)
    except (ValueError, RecursionError):
        return None
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        return None
    calls: dict[str, int] = {}
    return tuple(_turn(message, calls) for message in messages)


def _is_message(data: object) -> bool:
    return isinstance(data, dict) and data.get("lc") == 1 and isinstance(data.get("id"), list) and bool(data["id"])


def _turn(message: Mapping[str, Any], calls: dict[str, int]) -> Turn:
    """Reduce a message; ``calls`` numbers the tool calls met so far, in place of their random ids."""
    kind = str(message["id"][-1]).removesuffix("Chunk")
    fields = message.get("kwargs")
    if (kind not in _ROLES and kind != "ChatMessage") or not isinstance(fields, dict):
        return Turn(role=kind, text="", other=_canonical(message))
    role = _ROLES.get(kind) or str(fields.get("role"))
    tool_calls = []
    for call in fields.get("tool_calls") or ():
        calls.setdefault(str(call.get("id")), len(calls))
        tool_calls.append(f"{call.get('name')}({_canonical(call.get('args'))})")
    texts, others, has_media = _content(fields.get("content"), calls, answer=kind == "AIMessage")
    if len(texts) > 1:
        others.append({"text_parts": [len(text) for text in texts]})
    if kind == "ToolMessage":
        others.append({"answers": calls.get(str(fields.get("tool_call_id"))), "status": fields.get("status")})
    others += _extras(kind, fields)
    return Turn(
        role=role,
        text="\n".join(texts),
        tool_calls=tuple(tool_calls),
        name=fields.get("name"),
        other=_canonical(others) if others else "",
        has_media=has_media,
    )


def _content(content: object, calls: Mapping[str, int], *, answer: bool) -> tuple[list[str], list[object], bool]:
    """Return the texts, whatever is neither text nor one of the tool ``calls``, and whether media is among it."""
    if isinstance(content, str):
        return [content], [], False
    volatile = _VOLATILE_IN_ANSWERS if answer else _VOLATILE
    texts: list[str] = []
    others: list[object] = []
    has_media = False
    for block in content if isinstance(content, Sequence) else [content]:
        if isinstance(block, str):
            texts.append(block)
        elif not isinstance(block, Mapping):
            others.append(block)
        elif isinstance(block.get("text"), str) and block.get("type") in ("text", "input_text", "output_text"):
            texts.append(block["text"])
        elif block.get("type") not in _CALLS or str(block.get("call_id") or block.get("id")) not in calls:
            has_media = has_media or block.get("type") in _MEDIA
            kept = {name: value for name, value in block.items() if name not in volatile}
            others.append({"after_texts": len(texts), **kept})
    return texts, others, has_media


def _extras(kind: str, fields: Mapping[str, Any]) -> list[object]:
    extras = fields.get("additional_kwargs") or {}
    if kind == "AIMessage":
        # The rest of what a provider sent along (ids, refusals, usage) does not go back to it.
        extras = {name: extras[name] for name in ("function_call",) if extras.get(name)}
        if fields.get("invalid_tool_calls"):
            extras["invalid"] = [(call.get("name"), call.get("args")) for call in fields["invalid_tool_calls"]]
    return [{"extras": extras}] if extras else []


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
