"""What did a target answer, and what does a check say about it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.policy import RouteRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool that a target asked for.

    Attributes:
        name: of the tool.
        arguments: as parsed; text that is no JSON object stays text.
    """

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One target's answer in plain data.

    Attributes:
        text: what it says; empty if it only asks for tools.
        tool_calls: the tools it asks for.
        finish_reason: why it stopped, in the provider's words (``stop``, ``length``, ``max_tokens``); ``None`` if
            that is unknown.
        target: who answered.
        samples: texts of further answers to the same request, for checks that compare.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    target: str = ""
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check found.

    Attributes:
        passed: nothing shows that the answer is wrong.
        reason: what does, in words; empty if it passed. Reasons may be stored, so they hold none of the answer's text
            beyond numbers and names.
        score: how likely the answer is good, 0 to 1; ``None`` if the check has no score.

    Raises:
        ConfigurationError: the score is outside 0..1.
    """

    passed: bool
    reason: str = ""
    score: float | None = None

    def __post_init__(self) -> None:
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise ConfigurationError(f"a verdict's score lies between 0 and 1, not {self.score!r}")


PASSED = Verdict(passed=True)
"""Nothing was found."""


def failed(reason: str, *, score: float | None = None) -> Verdict:
    """Return a verdict that an answer is not good enough."""
    return Verdict(passed=False, reason=reason, score=score)


class Check(Protocol):
    """Says whether anything shows that an answer is wrong; a plain function is one."""

    def __call__(self, request: RouteRequest, answer: Answer, /) -> Verdict:
        """Look at one answer."""
        ...
