"""What is a routing policy asked, and what does it answer?"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.target_model import TargetModel

Role = Literal["human", "assistant", "tool", "other"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, reduced to who spoke and the text.

    Attributes:
        role: who spoke.
        text: what was said.
        target: the target that said it, where its answer still tells.
        calls: the tools it called, with their arguments, as text.
    """

    role: Role
    text: str
    target: str | None = None
    calls: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Where the conversation of a request stood after its last answer.

    Attributes:
        target: the target that answered last.
        seconds: how long ago it was sent a beginning of this request; infinite where that is not known.
        share: part of this request's text that was sent to it then already, 0 to 1.
        warm: part of this request's text that the strong target would still have in its provider's prompt cache, if
            that caches it and it had got all calls so far, 0 to 1.
        warm_at: by target, part of this request's text that its provider may still have in its prompt cache, 0 to 1.
        waited_usd: as the last decision said it.
    """

    target: str
    seconds: float
    share: float
    warm: float
    warm_at: Mapping[str, float] = field(default_factory=dict, hash=False)
    waited_usd: Decimal = Decimal(0)


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
        tool_text: the tools as they are sent, as JSON text.
        structured: the answer is asked for in a schema.
        media: kinds of input besides text: ``image``, ``audio``, ``video``, ``pdf``, or another name.
        max_output_tokens: the most the answer may be, where the call says so.
        cache_marked: the request asks the provider to cache parts of it (Anthropic's ``cache_control``).
        cache_seconds: how long it asks the provider to keep them; ``None`` where it does not say.
        cache_turns: how many turns the last of these marks stands after; ``None`` for all of them, or where that is not
            known.
        models: which model each target is, as far as it tells.
        conversation: where its conversation stood; ``None`` for the first request of one, or an unknown one.
        explained: the decision is to be shown only, no target is called: a policy that counts leaves it out.
    """

    question: str
    turns: tuple[Turn, ...] = ()
    system: str = ""
    tools: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tool_text: str = ""
    structured: bool = False
    media: tuple[str, ...] = ()
    max_output_tokens: int | None = None
    cache_marked: bool = False
    cache_seconds: float | None = None
    cache_turns: int | None = None
    models: Mapping[str, TargetModel] = field(default_factory=dict)
    conversation: Conversation | None = None
    explained: bool = False

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
            stored, so they hold none of the user's text beyond the policy's own vocabulary. A single text is one.
        expected_cost: what the policy expects the call to cost, USD; ``None`` if it does not say.
        expected_quality: by target, how good the policy expects its answer to be, 0 to 1; empty if it does not say.
        unfit: targets that the policy does not want called for this request, whatever that saves: too slow, say.
        waited_usd: what was not saved so far because the conversation was kept where it is, USD.
        fault: what failed on the way to the decision, which stands all the same; empty if nothing did. A router counts
            it among its faults and logs it once, so it holds none of the user's text.
        thresholds: scores from which a dearer target is called, ascending, the first that from which the cheapest is
            not enough; empty if the policy has none.

    Raises:
        ConfigurationError: the score is outside 0..1.
    """

    target: str
    score: float | None = None
    reasons: tuple[str, ...] = ()
    expected_cost: Decimal | None = None
    expected_quality: Mapping[str, float] = field(default_factory=dict, hash=False)
    unfit: tuple[str, ...] = ()
    waited_usd: Decimal = Decimal(0)
    fault: str = ""
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        given: Iterable[object] = self.reasons
        object.__setattr__(self, "reasons", (given,) if isinstance(given, str) else tuple(map(str, given)))
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise ConfigurationError(f"a route score lies between 0 and 1, not {self.score!r}")


class Policy(Protocol):
    """Decides which target is enough; a plain function is one.

    It may answer with the target's name alone. Optional attributes, looked at when a router is built:
    ``targets`` (names the policy can answer with: each must exist), ``check(targets)`` and
    ``check_models(models)`` (raise ``ConfigurationError`` if the policy cannot choose among these names, or
    these models by name). A policy that waits for something gives an ``acall`` coroutine method as well, which
    asynchronous calls await instead.
    """

    def __call__(self, request: RouteRequest, /) -> RouteDecision | str | Awaitable[RouteDecision | str]:
        """Choose one of ``request.targets``."""
        ...
