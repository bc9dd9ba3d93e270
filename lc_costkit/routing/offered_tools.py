"""Does an answer call only tools that were offered, with arguments that they take?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lc_costkit.routing.answer import PASSED, Answer, Check, Verdict, failed
from lc_costkit.routing.checks import GENERAL_CHECKS
from lc_costkit.routing.given_schema import tool_schema
from lc_costkit.routing.policy import RouteRequest
from lc_costkit.routing.schema import violations


def tools_as_offered(request: RouteRequest, answer: Answer, /) -> Verdict:
    """Fail an answer that calls a tool there is not, or with arguments that are no JSON or break the tool's schema.

    The schemas are those that the request offers; ``ToolsValid`` takes schemas of your own. Where no tools are offered,
    as under a structured output, any call passes whose arguments are JSON.
    """
    if not answer.tool_calls:
        return PASSED
    offered = dict(_offered(request.tool_text))
    for call in answer.tool_calls:
        if offered and call.name not in offered:
            return failed("it asks for a tool that there is not")
        value = _arguments(call.arguments)
        if value is None:
            return failed(f"the arguments of {call.name or 'a tool'} are no JSON")
        schema = offered.get(call.name)
        faults = violations(value, schema) if schema is not None else []
        if faults:
            return failed(f"the arguments of {call.name} break its schema: {'; '.join(faults)}")
    return PASSED


DEFAULT_CHECKS: tuple[Check, ...] = (tools_as_offered, *GENERAL_CHECKS)
"""What a cascade asks if it is told nothing."""


def _offered(text: str) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """Return each tool's name and the schema of its arguments; ``None`` for a tool that the provider runs itself."""
    decoder, place = json.JSONDecoder(), 0
    while place < len(text):
        try:
            # Tools that were bound and tools of the call itself are told one after the other.
            tools, place = decoder.raw_decode(text, place)
        except ValueError:
            return
        for tool in tools if isinstance(tools, list) else ():
            if not isinstance(tool, Mapping):
                continue
            yield tool_schema(tool)


def _arguments(given: Mapping[str, Any] | str) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given or "{}")
    except (ValueError, RecursionError):
        return None
