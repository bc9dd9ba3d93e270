"""How does Anthropic read a messages request, and how many tokens is it?

Overheads in tokens: 3 for each message and 4 that prime the answer (an assumption); 346 for
the system prompt that comes with tools, or 313 when a tool must be called (platform.claude.com,
tool use pricing, Claude 4 models); 85 for an image, whatever its size (an assumption). Claude's
tokenizer is not public: text is counted by the nearest public vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lc_costkit.testing.prompt_cache import MAX_BREAKPOINTS, Block, Count
from lc_costkit.testing.records import FakeMessage, FakeRequest, FakeTool
from lc_costkit.testing.wire import Prepared, WireError, compact, required

MESSAGE_TOKENS = 3
PRIMING_TOKENS = 4
TOOLS_TOKENS = {"auto": 346, "none": 346, "any": 313, "tool": 313}
IMAGE_TOKENS = 85


def prepare_messages(
    body: Mapping[str, Any], *, number: int, path: str, count: Count, needs_max_tokens: bool = True
) -> Prepared:
    """Understand a messages request.

    Raises:
        WireError: the request is one that Anthropic answers with 400.
    """
    model = required(body, "model", str, lambda name: f"{name}: Field required")
    raw = required(body, "messages", list, lambda name: f"{name}: Field required")
    limit = _max_tokens(body) if needs_max_tokens else None
    _check_tool_turns(raw)
    tools, tool_blocks = _tools(body, count)
    system, system_blocks = _system(body, count)
    choice, parallel = _tool_choice(body, tools)
    messages, message_blocks = _read_messages(raw, count)
    kind = "auto" if body.get("tool_choice") is None else str(body["tool_choice"].get("type"))
    if body.get("tools"):
        mode = compact([kind, choice, body.get("thinking")])
        system_blocks.append(Block(kind="tool choice", text=mode, tokens=TOOLS_TOKENS.get(kind, 346)))
    schema = _schema(body)
    if schema is not None:
        text = compact(schema)
        system_blocks.append(Block(kind="output format", text=text, tokens=count(text)))
    users = [message.text for message in messages if message.role == "user"]
    request = FakeRequest(
        number=number,
        provider="anthropic",
        path=path,
        model=model,
        body=body,
        messages=messages,
        question=users[-1] if users else "",
        system=system,
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        response_schema=schema,
        max_tokens=limit,
        stop=tuple(str(one) for one in body.get("stop_sequences") or ()),
        stream=body.get("stream") is True,
    )
    return Prepared(
        request=request,
        blocks=_with_breakpoints([*tool_blocks, *system_blocks, *message_blocks], body),
        trailing_tokens=PRIMING_TOKENS,
        tier=body.get("service_tier"),
    )


def _max_tokens(body: Mapping[str, Any]) -> int:
    limit = body.get("max_tokens")
    if limit is None:
        raise WireError("max_tokens: Field required")
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise WireError("max_tokens: Input should be a valid integer")
    if limit < 0:
        raise WireError("max_tokens: Input should be greater than or equal to 0")
    return limit


def _block(kind: str, item: Mapping[str, Any], text: str, tokens: int) -> Block:
    control = item.get("cache_control")
    return Block(kind=kind, text=text, tokens=tokens, lifetime=None if control is None else _lifetime(control))


def _lifetime(control: Any) -> str:
    if not isinstance(control, Mapping) or control.get("type") != "ephemeral":
        raise WireError("cache_control.type: Input should be 'ephemeral'")
    lifetime = control.get("ttl") or "5m"
    if lifetime not in ("5m", "1h"):
        raise WireError("cache_control.ephemeral.ttl: Input should be '5m' or '1h'")
    return str(lifetime)


def _bare(item: Mapping[str, Any]) -> str:
    """The item without its breakpoint, which is not part of what must match."""
    return compact({key: value for key, value in item.items() if key != "cache_control"})


def _tools(body: Mapping[str, Any], count: Count) -> tuple[tuple[FakeTool, ...], list[Block]]:
    tools, blocks = [], []
    for at, tool in enumerate(body.get("tools") or ()):
        if not isinstance(tool, Mapping) or not tool.get("name"):
            raise WireError(f"tools.{at}.custom.name: Field required")
        text = _bare(tool)
        blocks.append(_block("tool", tool, text, count(text)))
        if tool.get("type") in (None, "custom"):
            tools.append(
                FakeTool(
                    name=tool["name"],
                    description=tool.get("description") or "",
                    parameters=tool.get("input_schema") or {},
                )
            )
    return tuple(tools), blocks


def _tool_choice(body: Mapping[str, Any], tools: Sequence[FakeTool]) -> tuple[str, bool]:
    choice = body.get("tool_choice")
    if choice is None:
        return "auto", True
    if not isinstance(choice, Mapping) or choice.get("type") not in TOOLS_TOKENS:
        raise WireError("tool_choice: Input should be an object with type 'auto', 'any', 'tool' or 'none'")
    if not body.get("tools"):
        raise WireError("tool_choice: `tool_choice` may only be specified while providing `tools`.")
    parallel = choice.get("disable_parallel_tool_use") is not True
    if choice["type"] == "tool":
        if choice.get("name") not in [tool.name for tool in tools]:
            raise WireError(f"Tool '{choice.get('name')}' not found in provided tools")
        return str(choice["name"]), parallel
    return {"auto": "auto", "any": "required", "none": "none"}[choice["type"]], parallel


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format")
    schema = wanted.get("schema") if isinstance(wanted, Mapping) else None
    return schema if isinstance(schema, Mapping) else None


def _system(body: Mapping[str, Any], count: Count) -> tuple[str, list[Block]]:
    system = body.get("system")
    if not system:
        return "", []
    items = [{"type": "text", "text": system}] if isinstance(system, str) else system
    blocks, texts = [], []
    for at, item in enumerate(items):
        if not isinstance(item, Mapping) or item.get("type") != "text":
            raise WireError(f"system.{at}.type: Input should be 'text'")
        text = str(item.get("text") or "")
        texts.append(text)
        blocks.append(_block("system", item, text, count(text)))
    return "\n".join(texts), blocks


def _read_messages(raw: Sequence[Any], count: Count) -> tuple[tuple[FakeMessage, ...], list[Block]]:
    messages: list[FakeMessage] = []
    blocks: list[Block] = []
    for at, message in enumerate(raw):
        role = message.get("role") if isinstance(message, Mapping) else None
        if role not in ("user", "assistant", "system"):
            raise WireError(f"messages.{at}.role: Input should be 'user' or 'assistant'")
        content = message.get("content")
        items = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(items, list) or (not items and at + 1 < len(raw)):
            raise WireError(f"messages.{at}: all messages must have non-empty content")
        frame, texts, has_result = MESSAGE_TOKENS, [], False
        for position, item in enumerate(items):
            kind, text, tokens = _content(item, f"messages.{at}.content.{position}", count)
            blocks.append(_block(f"{role} {kind}", item, text, frame + tokens))
            frame = 0
            has_result = has_result or kind == "tool_result"
            if kind == "text":
                texts.append(text)
            elif kind == "tool_result":
                messages.append(FakeMessage(role="tool", text=text))
        if texts or not has_result:
            messages.append(FakeMessage(role=str(role), text="\n".join(texts)))
    return tuple(messages), blocks


def _content(item: Any, where: str, count: Count) -> tuple[str, str, int]:
    if not isinstance(item, Mapping) or not item.get("type"):
        raise WireError(f"{where}.type: Field required")
    kind = str(item["type"])
    if kind == "text":
        text = str(item.get("text") or "")
        if not text:
            raise WireError("messages: text content blocks must be non-empty")
        return kind, text, count(text)
    if kind == "image":
        return kind, _bare(item), IMAGE_TOKENS
    if kind == "tool_use":
        text = compact([item.get("name"), item.get("input")])
        return kind, text, count(text)
    if kind == "tool_result":
        content = item.get("content")
        parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
        text = "\n".join(str(part.get("text", "")) if part.get("type") == "text" else compact(part) for part in parts)
        return kind, text, count(text)
    text = str(item.get("thinking") or "") or _bare(item)
    return kind, text, count(text)


def _check_tool_turns(raw: Sequence[Any]) -> None:
    """A result must answer a call of the turn before, and every call needs a result in the turn after."""
    called: list[str] = []
    for at, message in enumerate(raw):
        content = message.get("content") if isinstance(message, Mapping) else None
        items = [item for item in content if isinstance(item, Mapping)] if isinstance(content, list) else []
        results = [str(item.get("tool_use_id")) for item in items if item.get("type") == "tool_result"]
        for position, result in enumerate(results):
            if result not in called:
                raise WireError(
                    f"messages.{at}.content.{position}: unexpected `tool_use_id` found in `tool_result` blocks: "
                    f"{result}. Each `tool_result` block must have a corresponding `tool_use` block in the previous "
                    "message."
                )
        missing = [call for call in called if call not in results]
        if missing:
            raise WireError(
                f"messages.{at - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the "
                "next message."
            )
        called = [str(item.get("id")) for item in items if item.get("type") == "tool_use"]


def _with_breakpoints(blocks: Sequence[Block], body: Mapping[str, Any]) -> tuple[Block, ...]:
    """Check the breakpoints; a ``cache_control`` of the whole request stands after its last block."""
    found = list(blocks)
    whole = body.get("cache_control")
    if whole is not None and found and found[-1].lifetime is None:
        last = found[-1]
        found[-1] = Block(kind=last.kind, text=last.text, tokens=last.tokens, lifetime=_lifetime(whole))
    lifetimes = [block.lifetime for block in found if block.lifetime is not None]
    if len(lifetimes) > MAX_BREAKPOINTS:
        raise WireError(
            f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {len(lifetimes)}."
        )
    if "5m" in lifetimes and "1h" in lifetimes[lifetimes.index("5m") :]:
        raise WireError(
            "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
            "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
        )
    return tuple(found)
