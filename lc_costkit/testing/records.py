"""What goes into the fake provider, and what does it keep of it?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, get_args

from lc_costkit.errors import ConfigurationError

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
    """One tool call in an answer; the id is made up when it is not given.

    Raises:
        ConfigurationError: no name, or arguments that JSON does not have.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ConfigurationError(f"a tool call needs the name of its tool as text, not {self.name!r}")
        if not isinstance(self.arguments, Mapping):
            raise ConfigurationError(f"arguments must be a mapping of names to values, not {self.arguments!r}")
        try:
            json.dumps(dict(self.arguments))
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"arguments of {self.name!r} must fit into JSON: {error}") from error


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeIteration:
    """One call of a model on the way to Anthropic's answer, as ``usage.iterations`` lists it.

    ``compaction`` and ``advisor_message`` are left out of the top-level usage, ``message`` (an
    earlier turn of a loop of server tools) is in it; one without output was declined and is free.

    Raises:
        ConfigurationError: an unknown kind, an advisor without a model, or a count below 0.
    """

    kind: Literal["message", "compaction", "advisor_message"] = "message"
    model: str | None = None
    """None: the answering model."""
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("message", "compaction", "advisor_message"):
            raise ConfigurationError(f"kind must be 'message', 'compaction' or 'advisor_message', not {self.kind!r}")
        if self.kind == "advisor_message" and not self.model:
            raise ConfigurationError("an advisor_message needs a model: Anthropic names the advisor's")
        _check_name("model", self.model)
        for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"):
            _check_count(name, getattr(self, name))
        _check_count("output_tokens", self.output_tokens)


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    """What the model is made to say, and what the provider says and bills of it besides.

    ``finish_reason`` is worked out (``stop``, ``length``, ``tool_calls``) when it is not given.
    ``reasoning_tokens`` are billed as output beside the text, as hidden reasoning is.

    Raises:
        ConfigurationError: a count below 0, or something that is not of the kind its field says.
    """

    text: str = ""
    tool_calls: tuple[FakeToolCall, ...] = ()
    finish_reason: FinishReason | None = None
    reasoning_tokens: int = 0
    _: KW_ONLY
    service_tier: str | None = None
    """The tier that the answer names, whatever was asked for; a tier without a rate is billed as the standard one."""
    speed: Literal["standard", "fast"] | None = None
    """Anthropic's; what was asked for when it is not given."""
    inference_geo: str | None = None
    """Anthropic's; what was asked for when it is not given. ``us`` costs more."""
    input_audio_tokens: int = 0
    """OpenAI's, in chat: of a prompt's audio, beside its text."""
    output_audio_tokens: int = 0
    web_searches: int = 0
    """Billed by the call; Anthropic's, and OpenAI's in responses."""
    failed_web_searches: int = 0
    """Shown in the answer, and free."""
    web_fetches: int = 0
    """Anthropic's; free but for the tokens."""
    file_searches: int = 0
    """OpenAI's, in responses."""
    iterations: tuple[FakeIteration, ...] = ()
    """Anthropic's: what came before the answer."""
    answered_by: str | None = None
    """Anthropic's: the fallback model that answered after the one asked had declined."""

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ConfigurationError(f"text must be text, not {self.text!r}")
        if self.finish_reason is not None and self.finish_reason not in get_args(FinishReason):
            raise ConfigurationError(
                f"finish_reason must be one of {', '.join(get_args(FinishReason))}, not {self.finish_reason!r}"
            )
        for name in _ANSWER_COUNTS:
            _check_count(name, getattr(self, name))
        if self.speed not in (None, "standard", "fast"):
            raise ConfigurationError(f"speed must be 'standard' or 'fast', not {self.speed!r}")
        for name in ("service_tier", "inference_geo", "answered_by"):
            _check_name(name, getattr(self, name))
        object.__setattr__(self, "tool_calls", _all_of(FakeToolCall, "tool_calls", self.tool_calls))
        object.__setattr__(self, "iterations", _all_of(FakeIteration, "iterations", self.iterations))


_ANSWER_COUNTS = (
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_searches",
    "failed_web_searches",
    "web_fetches",
    "file_searches",
)


def _check_count(name: str, value: object) -> None:
    if type(value) is not int or value < 0:
        raise ConfigurationError(f"{name} must be a whole number of at least 0, not {value!r}")


def _check_name(name: str, value: object) -> None:
    if value is not None and (not isinstance(value, str) or not value):
        raise ConfigurationError(f"{name} must be text or None, not {value!r}")


def _all_of(kind: type, name: str, values: object) -> tuple[object, ...]:
    if not isinstance(values, (tuple, list)) or not all(isinstance(one, kind) for one in values):
        raise ConfigurationError(f"{name} must be a tuple of {kind.__name__}, not {values!r}")
    return tuple(values)


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
