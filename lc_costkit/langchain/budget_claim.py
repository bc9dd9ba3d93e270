"""What does a budget see of a LangChain call?"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import BaseMessage

from lc_costkit.budget.claim import CHOICES, LIMITS, Claim, asks_to_think
from lc_costkit.langchain.budget_media import media_tokens, other_text
from lc_costkit.langchain.call_events import chat_prompt, open_call
from lc_costkit.langchain.model_call import ModelCall
from lc_costkit.metering import OpenCall
from lc_costkit.prompt import Prompt
from lc_costkit.readers import find_cache_ttl, what_was_asked

_FIELDS = ("extra_body", "model_kwargs", "generation_config")
"""Where integrations keep what they put into each request."""

_STRUCTURES = ("functions", "response_format", "output_config", "output_format", "text", "mcp_servers")
"""What of a request, beside its tools, describes an answer to the model; providers count it as input."""

_SEARCH = "web_search"
_SEARCHES = 10
"""Of a tool without ``max_uses``: Anthropic's server ends its own rounds of tools after so many (its guide to
``pause_turn``); OpenAI does not say."""


def read_call(call: ModelCall) -> tuple[Claim, OpenCall]:
    """Return what is known of a call before it is made.

    Whom it is for comes from the metadata of the call; limits from its arguments, or from the model's fields.
    """
    model = call.model
    if call.is_chat:
        parameters = model._get_invocation_params(stop=call.stop, **call.options)
    else:
        parameters = {**model._identifying_params, **call.options}
    # The model's own last: the metadata may be that of a call that was meant for another one.
    metadata = {**call.metadata, **model._get_ls_params(stop=call.stop, **call.options)}
    event = {"metadata": metadata, "invocation_params": parameters, "serialized": {"kwargs": vars(model)}}
    messages = call.asked if call.is_chat else ()
    prompt = chat_prompt(call.asked, event) if call.is_chat else _prompts(call.asked)
    opened = open_call("chat" if call.is_chat else "completion", prompt, uuid.uuid4(), event, messages=messages)
    given = [*_levels(call.options), *_levels(vars(model))]
    asked = what_was_asked(None, (call.options, vars(model), metadata))
    return Claim(
        model=opened.model_asked,
        provider=opened.provider,
        prompt=_with_the_rest(prompt, messages, given),
        max_output_tokens=_most(given, LIMITS),
        output_limit=_of_profile(model, "max_output_tokens"),
        choices=(_most(given, CHOICES) or 1) * (1 if call.is_chat else max(1, len(call.asked))),
        thinks=any(map(asks_to_think, given)),
        other_input_tokens=media_tokens(messages, opened.model_asked, _of_profile(model, "max_input_tokens")),
        cache_ttl=_longest_ttl(messages, parameters),
        service_tier=asked.service_tier,
        speed=asked.speed,
        inference_geo=asked.inference_geo,
        paid_tools=_paid_tools(given),
        metadata=metadata,
    ), opened


def read_anyhow(call: ModelCall) -> tuple[Claim, OpenCall]:
    """Return what can be said of a call that cannot be read: its bytes, and whom it is for."""
    prompt = Prompt(turns=(("user", repr(call.asked)),))
    name = getattr(call.model, "model_name", None) or getattr(call.model, "model", None)
    model = name if isinstance(name, str) else None
    return Claim(model=model, prompt=prompt, metadata=call.metadata), OpenCall(prompt=prompt, model_asked=model)


def _prompts(prompts: Sequence[str]) -> Prompt:
    return Prompt(turns=tuple(("human", text) for text in prompts), framed=False)


def _with_the_rest(prompt: Prompt, messages: Sequence[BaseMessage], given: Sequence[Mapping[str, Any]]) -> Prompt:
    """Add what is sent beside the text of messages and the tools."""
    more = {place: text for place, message in enumerate(messages) if (text := _beside(message))}
    turns = tuple(
        (role, f"{text}\n{more[place]}" if place in more else text) for place, (role, text) in enumerate(prompt.turns)
    )
    structures = _structures(given)
    return replace(prompt, turns=turns, tools="\n".join(filter(None, (prompt.tools, structures))))


def _beside(message: BaseMessage) -> str:
    return "" if isinstance(message.content, str) else other_text(message)


def _levels(values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what decides first, then what stands a level above it."""
    for name in _FIELDS:
        if isinstance(inside := values.get(name), Mapping):
            yield inside
    yield values


def _most(given: Sequence[Mapping[str, Any]], names: Sequence[str]) -> int | None:
    """Return the number where one is said first; of several words for it, the largest number."""
    for values in given:
        said = [values.get(name) for name in names]
        numbers = [value for value in said if isinstance(value, int) and not isinstance(value, bool) and value > 0]
        if numbers:
            return max(numbers)
    return None


def _of_profile(model: Any, name: str) -> int | None:
    value = (getattr(model, "profile", None) or {}).get(name)
    return value if isinstance(value, int) and value > 0 else None


def _structures(given: Sequence[Mapping[str, Any]]) -> str:
    sent = {name: value for values in reversed(given) for name in _STRUCTURES if (value := values.get(name))}
    return json.dumps(sent, ensure_ascii=False, default=_plain) if sent else ""


def _plain(value: object) -> object:
    schema = getattr(value, "model_json_schema", None)
    return schema() if schema is not None and isinstance(value, type) else str(value)


def _longest_ttl(messages: Sequence[Any], parameters: Mapping[str, Any]) -> str | None:
    """Return the longest lifetime that any part of a request asks for."""
    blocks = [block for message in messages if not isinstance(message.content, str) for block in message.content]
    beside = [message.additional_kwargs for message in messages if message.additional_kwargs]
    tools = parameters.get("tools") or ()
    rest = {name: value for name, value in parameters.items() if name != "tools"}
    asked = {find_cache_ttl(part) for part in (*blocks, *beside, *tools, rest)}
    return next((ttl for ttl in ("1h", "5m") if ttl in asked), None)


def _paid_tools(given: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how often the provider may search for a call."""
    tools = next((tools for values in given if isinstance(tools := values.get("tools"), (list, tuple))), ())
    kinds = [tool for tool in tools if isinstance(tool, Mapping) and str(tool.get("type")).startswith(_SEARCH)]
    uses = [most if isinstance(most := tool.get("max_uses"), int) else _SEARCHES for tool in kinds]
    if any(values.get("web_search_options") is not None for values in given):
        uses.append(_SEARCHES)
    return {_SEARCH: sum(uses)} if uses else {}
