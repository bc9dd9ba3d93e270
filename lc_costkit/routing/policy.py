"""What is a routing policy asked, and what does it answer?"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol

from lc_costkit.errors import ConfigurationError

Role = Literal["human", "assistant", "tool", "other"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, reduced to who spoke and the text."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRequest:
    """One call that needs a target, in plain data.

    Attributes:
        question: what the user asks now: the text to judge.
        turns: the conversation without its system messages, oldest first, the question's turn included.
        system: the system prompt; it says what the application is, not how hard the question is.
        tools: names of the tools the model is offered.
        metadata: the caller's metadata for this call.
        targets: names of the targets there are, cheapest first.
        notes: what had to be left out of this request (an image, say); repeated among the reasons.
    """

    question: str
    turns: tuple[Turn, ...] = ()
    system: str = ""
    tools: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def earlier_questions(self) -> tuple[str, ...]:
        """What the user said in earlier turns, latest first."""
        said = [turn.text for turn in self.turns if turn.role == "human"]
        return tuple(reversed(said[:-1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDecision:
    """Which target is enough for a request, and why.

    Attributes:
        target: name of the target to call.
        score: how much the request asks for, 0 (anything will do) to 1; ``None`` if the policy has no score.
        reasons: why, in words, most important first. They travel in callback metadata and may be
            stored, so they hold none of the user's text beyond the policy's own vocabulary.
        expected_cost: what the policy expects the call to cost, USD; ``None`` if it does not say.
        expected_quality: by target, how good the policy expects its answer to be, 0 to 1; empty if it does not say.

    Raises:
        ConfigurationError: the score is outside 0..1.
    """

    target: str
    score: float | None = None
    reasons: tuple[str, ...] = ()
    expected_cost: Decimal | None = None
    expected_quality: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise ConfigurationError(f"a route score lies between 0 and 1, not {self.score!r}")


class Policy(Protocol):
    """Decides which target is enough; a plain function is one.

    It may answer with the target's name alone. Optional attributes, looked at when a router is built:
    ``targets`` (names the policy can answer with: each must exist) and ``check(targets)`` (raises
    ``ConfigurationError`` if the policy cannot choose among these names). A policy that waits for
    something gives an ``acall`` coroutine method as well, which asynchronous calls await instead.
    """

    def __call__(self, request: RouteRequest, /) -> RouteDecision | str | Awaitable[RouteDecision | str]:
        """Choose one of ``request.targets``."""
        ...
