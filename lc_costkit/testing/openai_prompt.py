"""How does OpenAI read a chat request, and how many tokens is it?

Overheads in tokens: 3 for each message, 1 for a name and 3 that prime the answer (OpenAI
cookbook, "How to count tokens with tiktoken"); 7 for each tool and 12 for the list (same
place, gpt-4o) beside each tool's JSON; 85 for an image, gpt-4o's price of one at low detail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lc_costkit.testing.prompt_cache import MAX_BREAKPOINTS, Block, Count
from lc_costkit.testing.records import FakeMessage, FakeRequest, FakeTool
from lc_costkit.testing.wire import Prepared, WireError, compact, required

MESSAGE_TOKENS = 3
NAME_TOKENS = 1
PRIMING_TOKENS = 3
TOOL_TOKENS = 7
TOOL_LIST_TOKENS = 12
IMAGE_TOKENS = 85

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_ONLY_MAX_COMPLETION_TOKENS = ("o1", "o3", "o4", "gpt-5", "gpt-6")


def prepare_chat(body: Mapping[str, Any], *, number: int, path: str, count: Count) -> Prepared:
    """Understand a chat request, or one that was turned into its terms.

    Raises:
        WireError: the request is one that OpenAI answers with 400.
    """
    model = required(body, "model", str, lambda _: "you must provide a model parameter")
    raw = required(body, "messages", list, lambda name: f"Missing required parameter: '{name}'.")
    _check_tool_turns(raw)
    tools = _tools(body)
    schema, json_mode = _response_format(body)
    messages, blocks = _read_messages(raw, count)
    prefix = [
        Block(kind="tool", text=text, tokens=TOOL_TOKENS + count(text))
        for text in map(compact, body.get("tools") or ())
    ]
    if prefix:
        prefix[0] = replace(prefix[0], tokens=prefix[0].tokens + TOOL_LIST_TOKENS)
    if schema is not None:
        text = compact(schema)
        prefix.append(Block(kind="response format", text=text, tokens=count(text)))
    users = [message.text for message in messages if message.role == "user"]
    request = FakeRequest(
        number=number,
        provider="openai",
        path=path,
        model=model,
        body=body,
        messages=messages,
        question=users[-1] if users else "",
        system="\n".join(message.text for message in messages if message.role == "system"),
        tools=tools,
        tool_choice=_tool_choice(body, tools),
        parallel_tool_calls=body.get("parallel_tool_calls") is not False,
        response_schema=schema,
        json_mode=json_mode,
        max_tokens=_max_tokens(body, model),
        stop=_stop(body),
        stream=body.get("stream") is True,
    )
    return Prepared(
        request=request,
        blocks=_with_breakpoints([*prefix, *blocks], body),
        trailing_tokens=PRIMING_TOKENS,
        retention=_retention(body),
        choices=_choices(body),
        tier=body.get("service_tier"),
    )


def _read_messages(raw: Sequence[Any], count: Count) -> tuple[tuple[FakeMessage, ...], list[Block]]:
    messages: list[FakeMessage] = []
    blocks: list[Block] = []
    for at, message in enumerate(raw):
        if not isinstance(message, Mapping):
            raise WireError(f"Invalid type for 'messages[{at}]': expected an object.", parameter=f"messages[{at}]")
        role = _ROLES.get(str(message.get("role")))
        if role is None:
            allowed = ", ".join(repr(one) for one in _ROLES)
            raise WireError(
                f"Invalid value: '{message.get('role')}'. Supported values are: {allowed}.",
                parameter=f"messages[{at}].role",
                code="invalid_value",
            )
        parts = list(_parts(message, at))
        frame = MESSAGE_TOKENS + (NAME_TOKENS + count(str(message["name"])) if message.get("name") else 0)
        texts = []
        for kind, text, marked in parts:
            tokens = IMAGE_TOKENS if kind == "image" else count(text)
            lifetime = "explicit" if marked else None
            blocks.append(Block(kind=f"{role} {kind}", text=text, tokens=frame + tokens, lifetime=lifetime))
            frame = 0
            if kind == "text":
                texts.append(text)
        messages.append(FakeMessage(role=role, text="\n".join(texts)))
    return tuple(messages), blocks


def _parts(message: Mapping[str, Any], at: int) -> list[tuple[str, str, bool]]:
    """Kind, text and whether a cache breakpoint follows, for each part of a message."""
    content = message.get("content")
    calls = message.get("tool_calls") or ()
    if content is None and not calls and message.get("role") != "assistant":
        raise WireError(
            f"Invalid value for 'content': expected a string, got null. (messages[{at}])",
            parameter=f"messages[{at}].content",
        )
    parts: list[tuple[str, str, bool]] = []
    if isinstance(content, str):
        parts.append(("text", content, False))
    for part in content if isinstance(content, list) else ():
        kind = str(part.get("type")) if isinstance(part, Mapping) else "text"
        marked = isinstance(part, Mapping) and part.get("prompt_cache_breakpoint") is not None
        if kind in ("text", "refusal", "input_text", "output_text"):
            text = str(part.get("text") or part.get("refusal") or "") if isinstance(part, Mapping) else str(part)
            parts.append(("text", text, marked))
        elif kind in ("image_url", "input_image"):
            parts.append(("image", compact(part), marked))
        else:
            parts.append((kind, compact(part), marked))
    parts.extend(("call", compact(call.get("function") or call), False) for call in calls)
    return parts or [("text", "", False)]


def _check_tool_turns(raw: Sequence[Any]) -> None:
    open_calls: list[str] = []
    for at, message in enumerate(raw):
        role = message.get("role") if isinstance(message, Mapping) else None
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise WireError(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    "'tool_calls'.",
                    parameter=f"messages[{at}].role",
                )
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            break
        if role == "assistant":
            open_calls = [str(call.get("id")) for call in message.get("tool_calls") or ()]
    if open_calls:
        raise WireError(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(open_calls)}",
            parameter="messages",
        )


def _tools(body: Mapping[str, Any]) -> tuple[FakeTool, ...]:
    tools = []
    for at, tool in enumerate(body.get("tools") or ()):
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping):
            continue
        if not function.get("name"):
            raise WireError(
                f"Missing required parameter: 'tools[{at}].function.name'.", parameter=f"tools[{at}].function.name"
            )
        tools.append(
            FakeTool(
                name=function["name"],
                description=function.get("description") or "",
                parameters=function.get("parameters") or {},
            )
        )
    return tuple(tools)


def _tool_choice(body: Mapping[str, Any], tools: tuple[FakeTool, ...]) -> str:
    choice = body.get("tool_choice")
    if choice is None:
        return "auto"
    if not body.get("tools"):
        raise WireError("'tool_choice' is only allowed when 'tools' are specified.", parameter="tool_choice")
    if isinstance(choice, str):
        if choice not in ("auto", "none", "required"):
            raise WireError(f"Invalid value: '{choice}'.", parameter="tool_choice", code="invalid_value")
        return choice
    name = (choice.get("function") or {}).get("name") if isinstance(choice, Mapping) else None
    if name is None:
        return "required" if isinstance(choice, Mapping) and choice.get("mode") == "required" else "auto"
    if name not in [tool.name for tool in tools]:
        raise WireError(f"Tool choice '{name}' not found in 'tools' parameter.", parameter="tool_choice")
    return str(name)


def _response_format(body: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, bool]:
    wanted = body.get("response_format")
    if not isinstance(wanted, Mapping) or wanted.get("type") == "text":
        return None, False
    if wanted.get("type") == "json_object":
        return None, True
    schema = (wanted.get("json_schema") or {}).get("schema")
    if wanted.get("type") != "json_schema" or not isinstance(schema, Mapping):
        raise WireError("Missing required parameter: 'response_format.json_schema'.", parameter="response_format")
    return schema, False


def _max_tokens(body: Mapping[str, Any], model: str) -> int | None:
    if body.get("max_tokens") is not None and model.startswith(_ONLY_MAX_COMPLETION_TOKENS):
        raise WireError(
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            parameter="max_tokens",
            code="unsupported_parameter",
        )
    for name in ("max_completion_tokens", "max_tokens"):
        limit = body.get(name)
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise WireError(
                f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {limit} instead.",
                parameter=name,
                code="integer_below_min_value",
            )
        return limit
    return None


def _stop(body: Mapping[str, Any]) -> tuple[str, ...]:
    stop = body.get("stop")
    if stop is None:
        return ()
    return (stop,) if isinstance(stop, str) else tuple(str(one) for one in stop)


def _choices(body: Mapping[str, Any]) -> int:
    choices = body.get("n")
    if choices is None:
        return 1
    if isinstance(choices, bool) or not isinstance(choices, int) or not 1 <= choices <= 128:
        raise WireError(f"Invalid 'n': expected an integer from 1 to 128, but got {choices}.", parameter="n")
    return choices


def _retention(body: Mapping[str, Any]) -> str | None:
    retention = body.get("prompt_cache_retention")
    options = body.get("prompt_cache_options") or {}
    if retention is not None and options.get("ttl") is not None:
        raise WireError(
            "Only one of 'prompt_cache_retention' and 'prompt_cache_options.ttl' can be set.",
            parameter="prompt_cache_retention",
        )
    return retention


def _with_breakpoints(blocks: Sequence[Block], body: Mapping[str, Any]) -> tuple[Block, ...]:
    """Mark where a prefix ends that models from GPT-5.6 on remember; earlier ones ignore it."""
    options = body.get("prompt_cache_options") or {}
    lifetime = options.get("ttl") or "30m"
    implicit = options.get("mode") != "explicit"
    marked = [at for at, block in enumerate(blocks) if block.lifetime is not None]
    kept = set(marked[-(MAX_BREAKPOINTS - 1 if implicit else MAX_BREAKPOINTS) :])
    if implicit:
        kept.add(len(blocks) - 1)
    return tuple(replace(block, lifetime=lifetime if at in kept else None) for at, block in enumerate(blocks))
