"""Which answers must not be kept, and what changes when a kept one is served again?"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# How providers say that an answer is not one: cut off, or withheld.
_UNFINISHED = frozenset(
    {
        "length", "max_tokens", "max_output_tokens", "model_context_window_exceeded", "content_filter",
        "content_filtered", "refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii", "pause_turn",
        "error", "incomplete",
    }
)  # fmt: skip
_REASON_NAMES = ("finish_reason", "stop_reason", "done_reason", "completion_reason")
_HOLDS_CALLS = re.compile(r'"tool_call_id"|"tool_calls":\s*\[\s*\{')
_CALL_ID_NAMES = frozenset({"id", "call_id", "tool_call_id"})


@dataclass(frozen=True, slots=True)
class NotKept:
    """An answer must not be kept, for this reason."""

    reason: str


def unfinished(*reports: object) -> str | None:
    """Return the reason an answer was cut off or withheld, if one of the reports names such a reason.

    >>> unfinished({"finish_reason": "length"}), unfinished(None, {"stop_reason": "end_turn"})
    ('length', None)
    """
    for report in reports:
        for name in _REASON_NAMES:
            value = report.get(name) if isinstance(report, Mapping) else None
            if isinstance(value, str) and value.lower() in _UNFINISHED:
                return value.lower()
    return None


def read_payload(payload: str) -> Any:
    """Read the JSON of an answer, and give the tool calls in it new ids, everywhere.

    An id names one call of one conversation; served twice, it would name two.

    >>> read_payload('{"tool_calls": [{"id": "call_1", "name": "add"}]}')["tool_calls"][0]["id"] == "call_1"
    False
    """
    data = json.loads(payload)
    if _HOLDS_CALLS.search(payload) is None:
        return data
    fresh = {call: f"call_{uuid.uuid4().hex[:24]}" for call in _call_ids(data)}
    return _renamed(data, fresh, "") if fresh else data


def _call_ids(data: object) -> set[str]:
    if isinstance(data, list):
        return set().union(*map(_call_ids, data)) if data else set()
    if not isinstance(data, dict):
        return set()
    calls = data.get("tool_calls")
    found = {call.get("id") for call in calls if isinstance(call, dict)} if isinstance(calls, list) else set()
    found.add(data.get("tool_call_id"))
    return {one for one in found if isinstance(one, str) and one}.union(*map(_call_ids, data.values()))


def _renamed(data: object, fresh: Mapping[str, str], name: str) -> Any:
    if isinstance(data, dict):
        return {key: _renamed(value, fresh, key) for key, value in data.items()}
    if isinstance(data, list):
        return [_renamed(value, fresh, "") for value in data]
    if isinstance(data, str) and name in _CALL_ID_NAMES:
        return fresh.get(data, data)
    return data
