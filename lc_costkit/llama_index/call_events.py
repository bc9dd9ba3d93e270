"""What do LlamaIndex's events say about a model call?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.instrumentation.events import BaseEvent

from lc_costkit.asked import with_lifetime, with_what_was_lost
from lc_costkit.cache.declared import current_question
from lc_costkit.llama_index.hits import CACHE_KEY, PART_OF_LOOKUP, CacheHitEvent
from lc_costkit.marks import MARK, ROUTE_KEY, CacheMark, RouteMark
from lc_costkit.metering import OpenCall, Outcome, owner, plain_metadata
from lc_costkit.payloads import as_mapping
from lc_costkit.prompt import Prompt
from lc_costkit.readers import read_openai, read_usage, what_was_asked
from lc_costkit.record import Operation
from lc_costkit.usage import TokenUsage, UsageReading

_OWN_KEYS = frozenset({"feature", "user", "team", "tags", MARK})

_PROVIDERS = {
    "azure": "azure",
    "bedrock": "aws",
    "sagemaker": "aws",
    "vertex": "google",
    "gemini": "google",
    "google": "google",
    "anthropic": "anthropic",
    "mistral": "mistral",
    "ollama": "ollama",
    "huggingface": "huggingface",
    "openailike": None,
    "openai_like": None,
    "openai": "openai",
}
"""Provider by what the class name of an LLM or embedding contains; the first that fits. ``None``: any."""


def chat_prompt(messages: Sequence[ChatMessage]) -> Prompt:
    """Return the text of what a chat model was sent."""
    declared = current_question()
    return Prompt(
        turns=tuple((str(getattr(m.role, "value", m.role)), m.content or "") for m in messages),
        declared_question=declared.text if declared is not None else None,
    )


def completion_prompt(text: str) -> Prompt:
    """Return what a completion model was sent."""
    declared = current_question()
    return Prompt(
        turns=(("user", text),), declared_question=declared.text if declared is not None else None, framed=False
    )


def embedding_prompt(chunks: Sequence[str]) -> Prompt:
    """Return what an embedding model was sent."""
    return Prompt(turns=tuple(("tool", chunk) for chunk in chunks), framed=False)


def open_call(
    operation: Operation,
    prompt: Prompt,
    event: BaseEvent,
    *,
    call_id: str,
    parent_id: str | None,
    model_dict: Mapping[str, Any],
) -> OpenCall:
    """Read the start event of a model call; who it is for comes from ``instrument_tags``."""
    tags: Mapping[str, Any] = event.tags
    ours = tags.get(MARK) if isinstance(tags.get(MARK), Mapping) else {}
    return OpenCall(
        prompt=prompt,
        call_id=call_id,
        parent_id=parent_id,
        framework="llama_index",
        operation=operation,
        provider=provider_of(str(model_dict.get("class_name") or "")),
        model_asked=next((str(model_dict[key]) for key in ("model_name", "model") if model_dict.get(key)), None),
        feature=owner(tags, "feature"),
        user=owner(tags, "user"),
        team=owner(tags, "team"),
        tags=users_tags(tags),
        metadata=plain_metadata(tags, leave_out=is_ours),
        route=RouteMark.from_dict((ours or {}).get(ROUTE_KEY)),
        hints={
            CACHE_KEY: CacheMark.from_dict((ours or {}).get(CACHE_KEY)),
            "messages": getattr(event, "messages", ()),
            "parameters": (getattr(event, "additional_kwargs", None), model_dict),
        },
    )


def users_tags(tags: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what somebody put under ``tags`` with ``instrument_tags``: one label or several."""
    labels = tags.get("tags") or ()
    return (labels,) if isinstance(labels, str) else tuple(str(label) for label in labels)


def is_ours(name: str) -> bool:
    """Tell whether a tag has a field of its own in the record."""
    return name in _OWN_KEYS


def is_part_of_a_lookup(event: BaseEvent) -> bool:
    """Tell whether a judge is called, whose cost a lookup reports."""
    ours = event.tags.get(MARK)
    return isinstance(ours, Mapping) and ours.get(PART_OF_LOOKUP) is True


def hit_outcome(event: CacheHitEvent) -> Outcome:
    """Return what became of a call that the cache answered."""
    return Outcome(
        cache=CacheMark.from_dict(event.mark),
        streamed=event.streamed,
        answer=lambda: event.answer,
        read=lambda: UsageReading(usage=TokenUsage(), model=event.model),
    )


def usage_reader(response: Any, call: OpenCall, pieces: object = None) -> Callable[[], UsageReading | None]:
    """Return what reads the usage a response reports: in the provider's payload, or where LlamaIndex copies it.

    Of a stream, only some chunks carry it: Anthropic's first and last each tell a part, others
    tell all in one that need not be the last. ``pieces`` are what ``with_piece`` kept of them.
    """

    def read() -> UsageReading | None:
        kept = pieces if isinstance(pieces, tuple) else (pieces,)
        told = [raw for source in (*kept, response) if (raw := getattr(source, "raw", None)) is not None]
        reading = read_usage(told, call.provider, model=call.model_asked)
        if reading is None:
            reading = _copied(response, call)
        if reading is None or reading.provider != "anthropic" or reading.service_tier is not None:
            return reading
        # The end of a stream without its beginning.
        parameters = call.hints.get("parameters") or ()
        asked = what_was_asked((call.hints.get("messages"), parameters), parameters)
        return with_what_was_lost(with_lifetime(reading, asked), asked, None)

    return read


def _copied(response: Any, call: OpenCall) -> UsageReading | None:
    for source in (response, getattr(response, "message", None)):
        copied = as_mapping(getattr(source, "additional_kwargs", None)) or {}
        inside = as_mapping(copied.get("usage"))
        if inside is not None:
            return read_usage(inside, call.provider, model=call.model_asked)
        reading = read_openai(copied, model=call.model_asked, provider=call.provider)
        if reading is not None:
            return reading
    return None


def with_piece(kept: object, piece: Any) -> object:
    """Return the first and the last chunk of a stream that told of usage, now that ``piece`` came."""
    if not reports_usage(piece):
        return kept
    return (kept[0], piece) if isinstance(kept, tuple) and kept else (piece,)


def reports_usage(response: Any) -> bool:
    """Tell whether a chunk of a stream carries usage, without reading it."""
    raw = getattr(response, "raw", None)
    inner = (_field(raw, wrapper) for wrapper in ("message", "response", "x_groq"))
    return _has_usage(raw) or any(_has_usage(inside) for inside in inner if inside is not None)


def _has_usage(raw: object) -> bool:
    return any(_field(raw, key) is not None for key in ("usage", "usage_metadata", "usageMetadata"))


def _field(raw: object, key: str) -> object:
    return raw.get(key) if isinstance(raw, Mapping) else getattr(raw, key, None)


def answer_text(response: Any) -> str:
    """Return the text of an answer, as far as it came."""
    message = getattr(response, "message", None)
    if message is None:
        return str(getattr(response, "text", "") or "")
    calls = message.additional_kwargs.get("tool_calls") or ()
    return "\n".join([message.content or "", *(str(call) for call in calls)]).strip()


def provider_of(class_name: str) -> str | None:
    """Return the provider that the class of an LLM or embedding calls, as far as its name says."""
    name = class_name.lower()
    return next((provider for part, provider in _PROVIDERS.items() if part in name), None)
