"""What do the wire formats have in common?"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lc_costkit.testing.prompt_cache import Block, Count
from lc_costkit.testing.rates import Metered
from lc_costkit.testing.records import FakeAnswer, FakeRequest, FinishReason, Provider

if TYPE_CHECKING:
    from lc_costkit.testing.charges import Terms

_PIECE = re.compile(r"\s*[^\s]{1,12}|\s+$")


class WireError(Exception):
    """A request the provider refuses, to be answered in its own error format."""

    def __init__(
        self, message: str, *, status: int = 400, parameter: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.parameter = parameter
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request that was understood."""

    request: FakeRequest
    blocks: tuple[Block, ...]
    """The prompt in the order the provider reads it; its tokens are the sum."""
    trailing_tokens: int = 0
    """Input tokens after the last block, which are never cached."""
    retention: str | None = None
    choices: int = 1
    tier: str | None = None
    """The service tier asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """A tool call as it is sent."""

    id: str
    name: str
    arguments: str
    """JSON text; broken off when the answer ran into its token limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One choice, after stop sequences and the token limit."""

    text: str
    tools: tuple[ToolUse, ...]
    finish: FinishReason
    stopped_by: str | None
    tokens: int
    """Billed output, with reasoning and what frames tool calls."""
    reasoning: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """All that is needed to write an answer down in a wire format."""

    prepared: Prepared
    generations: tuple[Generation, ...]
    metered: Metered
    model: str
    """The name the provider answers with."""
    terms: Terms
    created: int
    """Seconds since 1970."""

    @property
    def tier(self) -> str:
        """The service tier that the answer names."""
        return self.terms.tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One server-sent event."""

    data: bytes
    output: str = ""
    """The generated text in it, by which a cut stream is billed."""
    carries_usage: bool = False


class Wire(Protocol):
    """One way to talk to a provider."""

    provider: Provider
    tool_tokens: int
    """Output tokens that frame each tool call."""
    tool_id_prefix: str

    def prepare(self, body: Mapping[str, Any], *, number: int, path: str, count: Count) -> Prepared:
        """Understand a request.

        Raises:
            WireError: the provider would refuse it.
        """

    def usage(self, reply: Reply) -> dict[str, Any]:
        """The usage in the provider's own words."""

    def render(self, reply: Reply) -> dict[str, Any]:
        """The answer in one piece."""

    def frames(self, reply: Reply) -> Iterator[Frame]:
        """The answer as a stream."""


def generate(answer: FakeAnswer, prepared: Prepared, wire: Wire, count: Count) -> Generation:
    """Apply stop sequences and the token limit to an answer, and count it.

    The text is cut at the last character with which it stays within the limit; hidden
    reasoning counts against the limit first.
    """
    request = prepared.request
    text, stopped_by = _stopped(answer.text, request.stop)
    limit = request.max_tokens
    room = None if limit is None else max(0, limit - answer.reasoning_tokens)
    reasoning = answer.reasoning_tokens if limit is None else min(answer.reasoning_tokens, limit)
    kept = _within(text, room, count)
    cut = kept != text
    used = count(kept)
    tools: list[ToolUse] = []
    for call in answer.tool_calls:
        arguments = json.dumps(dict(call.arguments), ensure_ascii=False, separators=(",", ":"))
        frame = wire.tool_tokens + count(call.name)
        left = None if room is None else room - used - frame
        if cut or (left is not None and left < 0):
            cut = True
            break
        fitting = _within(arguments, left, count)
        cut = fitting != arguments
        used += frame + count(fitting)
        tool_id = call.id or wire.tool_id_prefix + secrets.token_urlsafe(18).replace("-", "0").replace("_", "1")
        tools.append(ToolUse(id=tool_id, name=call.name, arguments=fitting))
    finish: FinishReason = "tool_calls" if tools else "stop"
    if stopped_by is not None and not tools:
        finish = "stop_sequence"
    if answer.finish_reason is not None:
        finish = answer.finish_reason
    return Generation(
        text=kept,
        tools=tuple(tools),
        finish="length" if cut else finish,
        stopped_by=None if cut else stopped_by,
        tokens=used + reasoning,
        reasoning=reasoning,
    )


def _stopped(text: str, stop: tuple[str, ...]) -> tuple[str, str | None]:
    found = [(text.find(one), one) for one in stop if one and one in text]
    if not found:
        return text, None
    at, which = min(found)
    return text[:at], which


def _within(text: str, room: int | None, count: Count) -> str:
    if room is None or count(text) <= room:
        return text
    low, high = 0, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(text[:middle]) <= room else (low, middle - 1)
    return text[:low]


def pieces(text: str, words: int) -> Iterator[str]:
    """``text`` in stretches of about ``words`` words; joined they are the text again."""
    found = _PIECE.findall(text)
    for at in range(0, len(found), words):
        yield "".join(found[at : at + words])


def compact(value: object) -> str:
    """JSON as it goes over the wire and into the token count."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def required(body: Mapping[str, Any], name: str, kind: type, problem: Callable[[str], str]) -> Any:
    """``body[name]``, if it is there and of the right kind and not empty.

    Raises:
        WireError: it is not; ``problem`` words it.
    """
    value = body.get(name)
    if not isinstance(value, kind) or isinstance(value, bool) or (isinstance(value, str | list) and not value):
        raise WireError(problem(name), parameter=name)
    return value
