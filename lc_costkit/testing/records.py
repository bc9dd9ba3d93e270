"""What goes into the fake provider, and what does it keep of it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

Provider = Literal["openai", "anthropic"]
FinishReason = Literal["stop", "stop_sequence", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeMessage:
    """One turn of the conversation, reduced to its text."""

    role: str
    """``system``, ``user``, ``assistant`` or ``tool``, whatever the provider calls it."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeTool:
    """One tool the client offered."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The JSON schema of its arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeToolCall:
    """One tool call in an answer; the id is made up when it is not given."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeRequest:
    """What an answer function sees of one request, the same for every wire format.

    ``body`` is the request as it was sent. ``question`` is the text of the last user turn.
    """

    number: int
    """1 for the first request of this provider, then counting."""
    provider: Provider
    path: str
    model: str
    body: Mapping[str, Any]
    messages: tuple[FakeMessage, ...] = ()
    question: str = ""
    system: str = ""
    tools: tuple[FakeTool, ...] = ()
    tool_choice: str = "auto"
    """``auto``, ``none``, ``required``, or the name of the tool that must be called."""
    parallel_tool_calls: bool = True
    response_schema: Mapping[str, Any] | None = None
    """The JSON schema the answer's text must satisfy, if one was asked for."""
    json_mode: bool = False
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False
    choice: int = 0
    """Which of the ``n`` choices of this request is asked for."""

    @property
    def after_tool_result(self) -> bool:
        """Whether the conversation ends with the result of a tool."""
        return bool(self.messages) and self.messages[-1].role == "tool"


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    """What the model is made to say.

    ``finish_reason`` is worked out (``stop``, ``length``, ``tool_calls``) when it is not given.
    ``reasoning_tokens`` are billed as output beside the text, as hidden reasoning is.
    """

    text: str = ""
    tool_calls: tuple[FakeToolCall, ...] = ()
    finish_reason: FinishReason | None = None
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledCall:
    """One request the fake provider received, and what it bills for it (USD)."""

    number: int
    path: str
    """Method and path, such as ``POST /v1/messages``."""
    provider: Provider
    model: str | None
    """As the client asked for it."""
    model_answered: str | None
    body: Mapping[str, Any] | None
    """The request as it was sent; None if it was not a JSON object."""
    status: int
    """HTTP status; 0 when the connection was closed before any answer."""
    usage: Mapping[str, Any] | None
    """In the provider's own words; of a cut answer, what was generated up to the cut."""
    usd: Decimal | None
    """What is billed: 0 for a call that failed, None when the model has no rate."""
    streamed: bool
    cut: bool
    """The connection ended before the answer did, on whichever side."""
    usage_reached: bool
    """Whether the client was sent the usage in full."""
    chunks_sent: int
    fault: str | None
    """The injected fault, if any."""
    service_tier: str | None
    request_id: str
    at: datetime
    """When it arrived, on the provider's clock."""
