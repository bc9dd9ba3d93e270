"""What do LangChain's callback events say about a model call?"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage
from langchain_core.outputs import Generation, LLMResult

from lc_costkit.cache.declared import current_question
from lc_costkit.marks import MARK, ROUTE_KEY, CacheMark, RouteMark
from lc_costkit.metering import OpenCall, owner, plain_metadata
from lc_costkit.prompt import Prompt
from lc_costkit.readers import read_langchain, read_usage, what_was_asked
from lc_costkit.record import Operation
from lc_costkit.underway import Running
from lc_costkit.usage import UsageReading

_OWN_KEYS = frozenset({"feature", "user", "team", MARK})
_INNER_TAGS = ("seq:step:", "map:key:", "condition:", "branch:", "graph:step:", "langsmith:")
"""Tags that LangChain itself gives to the steps of a chain."""
_HOW_TO_STREAM = "nostream"
"""A tag for LangGraph, which says nothing of whom a call is for."""
_FRAMEWORK_PREFIXES = ("ls_", "lc_", "langgraph_", "checkpoint_", "langsmith_", "__")


def chat_prompt(messages: list[BaseMessage], event: Mapping[str, Any]) -> Prompt:
    """Return the text of what a chat model was sent."""
    params = event.get("invocation_params") or {}
    tools = params.get("tools") or params.get("functions")
    return Prompt(
        turns=tuple((_role(message), _text(message)) for message in messages),
        tools=json.dumps(tools, ensure_ascii=False, sort_keys=True, default=str) if tools else "",
        declared_question=_declared(),
    )


def completion_prompt(text: str) -> Prompt:
    """Return what a completion model was sent."""
    return Prompt(turns=(("human", text),), declared_question=_declared(), framed=False)


def open_call(
    operation: Operation,
    prompt: Prompt,
    run_id: UUID,
    event: Mapping[str, Any],
    *,
    messages: Sequence[BaseMessage] = (),
) -> OpenCall:
    """Read the start event of a model call."""
    metadata: Mapping[str, Any] = event.get("metadata") or {}
    params: Mapping[str, Any] = event.get("invocation_params") or {}
    parent = event.get("parent_run_id")
    return OpenCall(
        prompt=prompt,
        call_id=str(run_id),
        parent_id=str(parent) if parent is not None else None,
        framework="langchain",
        operation=operation,
        provider=metadata.get("ls_provider"),
        model_asked=params.get("model") or params.get("model_name") or metadata.get("ls_model_name"),
        feature=owner(metadata, "feature"),
        user=owner(metadata, "user"),
        team=owner(metadata, "team"),
        tags=tuple(tag for tag in event.get("tags") or () if is_users_tag(tag)),
        metadata=plain_metadata(metadata, leave_out=is_ours_or_the_frameworks),
        route=RouteMark.from_dict(metadata.get(ROUTE_KEY)),
        hints={
            "start": metadata,
            "request": [params, *(message.content for message in messages if not isinstance(message.content, str))],
            # The model as it was made has settings that its parameters leave out, such as Anthropic's inference_geo.
            "parameters": [params, (event.get("serialized") or {}).get("kwargs")],
        },
    )


def usage_reader(
    response: LLMResult | None, running: Running, *, error: BaseException | None = None
) -> Callable[[], UsageReading | None]:
    """Return what reads the usage that an end event reports, now or later.

    A stream that was cut may carry counts of its beginning only: they are used when the
    provider had said why it stopped.
    """
    generation = _first(response)
    message = getattr(generation, "message", None)
    # Taken now: the application owns the message from here on.
    usage = dict(getattr(message, "usage_metadata", None) or {})
    details = dict(getattr(message, "response_metadata", None) or {})
    blocks = _blocks(message)
    # LangChain copies what is said of the whole answer into its message only where that is the one choice.
    totals = (response.llm_output if response is not None else None) or {}
    if totals:
        # LangChain marks what it serves from a cache on the very object that it stored, which the call that made it
        # may just be handing on. Only that one has something to say of the whole answer.
        usage.pop("total_cost", None)
    whole = {**(getattr(generation, "generation_info", None) or {}), **totals, **details}
    if error is not None and not (details.get("finish_reason") or details.get("stop_reason")):
        return lambda: read_usage(_came_with(error), running.call.provider)

    def read() -> UsageReading | None:
        hints = running.call.hints
        start, into = hints.get("start"), usage.get("input_token_details") or {}
        # Only what was written needs the lifetimes, for which the whole request is walked through.
        wrote = any(value for name, value in into.items() if name.endswith("cache_creation"))
        asked = what_was_asked(hints.get("request") if wrote else None, hints.get("parameters") or ())
        return read_langchain(usage or None, whole, start_metadata=start, content=blocks, asked=asked)

    return read


def _came_with(error: BaseException) -> Any:
    """Return the whole answer that a client had in hand when it raised; ``None`` if there was none.

    openai's parse keeps it beside the error; langchain-openai keeps the HTTP response, as of an answer that does not
    fit the schema that was asked for.
    """
    completion, response = getattr(error, "completion", None), getattr(error, "response", None)
    if completion is not None or getattr(response, "status_code", None) != HTTPStatus.OK:
        return completion
    try:
        return response.json() if response is not None else None
    except ValueError:
        return None


def answer_text(response: Any) -> str:
    """Return the text of the first answer, with the tool calls it makes."""
    generation = _first(response)
    if generation is None:
        return ""
    message = getattr(generation, "message", None)
    return _text(message) if isinstance(message, BaseMessage) else generation.text


def cache_mark(response: LLMResult) -> CacheMark | None:
    """Return what the semantic cache wrote on the first answer."""
    generation = _first(response)
    info = generation.generation_info if generation is not None else None
    return CacheMark.from_dict(info.get(MARK)) if info else None


def is_counted_with_another(response: LLMResult, running: Running) -> bool:
    """Tell whether the usage of this prompt is in the report of another one.

    LangChain puts the usage of several completion prompts on the first, and ``{}`` on the others.
    """
    group, totals = running.group, response.llm_output or {}
    if group is None or "token_usage" not in totals:
        return False
    if totals["token_usage"]:
        group.reported = True
        return False
    return group.reported or threading.current_thread().name.startswith("asyncio_")


def _first(response: Any) -> Generation | None:
    generations = getattr(response, "generations", None)
    return generations[0][0] if generations and generations[0] else None


def _blocks(message: Any) -> list[Any]:
    """Return what an answer holds besides text; langchain-openai may keep tool outputs beside the content."""
    content = getattr(message, "content", None)
    outputs = (getattr(message, "additional_kwargs", None) or {}).get("tool_outputs")
    return [*(content if isinstance(content, list) else ()), *(outputs if isinstance(outputs, list) else ())]


def _role(message: BaseMessage) -> str:
    return str(message.role if isinstance(message, ChatMessage) else message.type)


def _text(message: BaseMessage) -> str:
    content = message.content
    text = content if isinstance(content, str) else str(message.text)
    if isinstance(message, AIMessage) and message.tool_calls:
        calls = [f"{call['name']}({json.dumps(call['args'], ensure_ascii=False)})" for call in message.tool_calls]
        text = "\n".join([text, *calls] if text else calls)
    return text


def _declared() -> str | None:
    declared = current_question()
    return declared.text if declared is not None else None


def is_users_tag(tag: str) -> bool:
    """Tell whether a tag is not one that LangChain gave to a step of a chain."""
    return tag != _HOW_TO_STREAM and not tag.startswith(_INNER_TAGS)


def is_ours_or_the_frameworks(name: str) -> bool:
    """Tell whether metadata is no plain value of the user's."""
    return name in _OWN_KEYS or name.startswith(_FRAMEWORK_PREFIXES)
