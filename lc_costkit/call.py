"""What is known of a call while it is under way, and how did it end?"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lc_costkit.failure import may_be_billed
from lc_costkit.marks import CacheMark, PruneMark, RouteMark
from lc_costkit.prompt import Prompt
from lc_costkit.record import Framework, Operation, Plain
from lc_costkit.usage import UsageReading

_CLOSED = GeneratorExit.__name__


@dataclass(slots=True, kw_only=True)
class OpenCall:
    """A call that is under way. Not frozen: its trace is found out when it is entered.

    Attributes:
        prompt: what was sent.
        call_id: unique in the ledger.
        trace_id: the outermost run it is part of.
        parent_id: the run that made it.
        started_at: wall clock, UTC.
        started: monotonic clock, seconds.
        framework: where it is metered.
        operation: chat, completion or embedding.
        provider: a genai-prices provider id, or anybody's spelling of one.
        model_asked: as the application named it.
        feature: who the money is for.
        user: who the money is for.
        team: who the money is for.
        tags: of the call.
        metadata: other plain values.
        route: the router's decision.
        prunes: what pruners took out before it.
        hints: what the adapter wants to see again when the call ends; not recorded.
    """

    prompt: Prompt
    call_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    trace_id: str | None = None
    parent_id: str | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)
    framework: Framework = "direct"
    operation: Operation = "chat"
    provider: str | None = None
    model_asked: str | None = None
    feature: str | None = None
    user: str | None = None
    team: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Plain] = field(default_factory=dict)
    route: RouteMark | None = None
    prunes: tuple[PruneMark, ...] = ()
    hints: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended.

    Attributes:
        read: reads what the provider reported; called once, perhaps on another thread.
        answer: gives the answer, or what had come of it, as text; called only where it is needed.
        cache: what the cache did.
        ended: monotonic clock, seconds.
        first_token: monotonic clock, seconds, of the first streamed token.
        streamed: the answer came in pieces.
        unread_seconds: how long nobody asked for the next piece, in which the provider may have written on.
        error: type name of what was raised.
        billed: false where the provider does not charge for the call at all.
    """

    read: Callable[[], UsageReading | None] = lambda: None
    answer: Callable[[], str] = lambda: ""
    cache: CacheMark | None = None
    ended: float = field(default_factory=time.monotonic)
    first_token: float | None = None
    streamed: bool = False
    unread_seconds: float = 0.0
    error: str | None = None
    billed: bool = True

    @property
    def failure(self) -> bool:
        """Nobody got anything for the call: it raised, and not because its reader closed a stream of it."""
        return self.error is not None and self.error != _CLOSED


def failed(error: BaseException, *, came: str = "", **values: Any) -> Outcome:
    """Return the outcome of a call that raised.

    Args:
        error: what it raised; only its type name is kept.
        came: the part of the answer that had come; if any, the provider charges for it.
        values: other fields of ``Outcome``.
    """
    billed = bool(came) or may_be_billed(error)
    return Outcome(error=type(error).__name__, answer=lambda: came, billed=billed, **values)
