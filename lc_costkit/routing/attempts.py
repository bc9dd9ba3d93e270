"""What are the steps of answering one request with several targets, and what is told of them?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lc_costkit.routing.answer import Answer, Check
from lc_costkit.routing.policy import RouteRequest


class Unreadable(Exception):
    """A target answered, and its own client cannot read the answer: a draft that is thrown away, whatever ``on_error``.

    Raise it from the client's error, which is what the caller sees where no other target is left.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one target did.

    Attributes:
        target: who was called.
        passed: every check passed; ``None`` where not all were asked, since the answer was to be given anyway.
        reasons: why it was not good enough.
        seconds: how long it took, with its checks.
        error: type name of what it raised, if it did.
        usd: what the call cost, with samples; ``None`` if that is not known.
    """

    target: str
    passed: bool | None
    reasons: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str | None = None
    usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """Call a target; the answer is a ``Tried``, or the error that it raised.

    Attributes:
        target: whom to call.
        attempt: which try at the request this is, from 1.
        rejected: how many answers to the request were thrown away before.
        live: its answer is accepted whatever it is, so that it may be streamed as it comes.
        draft: the answer that was thrown away last, if drafts are passed on.
        reasons: why this target is called, the latest first.
        attempts: those before this one.
    """

    target: str
    attempt: int
    rejected: int = 0
    live: bool = False
    draft: Answer | None = None
    reasons: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a target gave.

    Attributes:
        output: as the framework gave it.
        answer: the same in plain data.
        usd: what the call cost; ``None`` if that is not known.
        fault: why nobody can be given the output (it does not parse, say); empty if they can.
    """

    output: Any
    answer: Answer
    usd: Decimal | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Ask a target the same again; the answer is a ``Drawn``, or an error.

    Attributes:
        target: whom to ask.
        samples: how many times.
        attempt: the try that the samples are compared with.
        rejected: how many answers to the request were thrown away before that.
    """

    target: str
    samples: int
    attempt: int
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Further answers of a target.

    Attributes:
        answers: as many as there are.
        usd: what they cost together; ``None`` if that is not known.
    """

    answers: tuple[Answer, ...]
    usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examine:
    """Ask a check about an answer; the answer is its verdict, or an error.

    Attributes:
        check: whom to ask.
        request: what was asked.
        answer: what a target said, with samples if the check compares some.
    """

    check: Check
    request: RouteRequest
    answer: Answer


Step = Try | Draw | Examine


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How a request was answered.

    Attributes:
        output: the accepted answer as the framework gave it.
        answer: the same in plain data.
        target: who gave it.
        attempts: all that were made, in order.
        stopped: why no further target was asked although the answer was not good enough; ``None`` if it was, or if
            there was no further target.
        reasons: why this target answered: what was wrong with the others, the latest first, and where it began.
        score: of the policy that said where, if it has one.
        observed: the strong target answered alone, since the cascade only observes.
    """

    output: Any
    answer: Answer
    target: str
    attempts: tuple[Attempt, ...]
    stopped: str | None = None
    reasons: tuple[str, ...] = ()
    score: float | None = None
    observed: bool = False
