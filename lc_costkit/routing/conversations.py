"""Which target answered a conversation last, and what may its provider still have in its cache?"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from lc_costkit.routing.policy import Conversation, RouteRequest

REMEMBERED = 10_000
"""Requests kept, the oldest are forgotten first."""

WARM_SECONDS = 300.0
"""How long a provider keeps a prefix: five minutes without use (Anthropic's default lifetime, and the least that OpenAI
states: "5 to 10 minutes of inactivity")."""


@dataclass(frozen=True, slots=True)
class _Sent:
    target: str
    at: float
    characters: int


class Conversations:
    """Remembers, for the last requests, a digest of what was sent, where, and when; no text.

    A request goes on a conversation if its turns begin with all turns of an earlier request. Where an answer in its
    turns still tells its target, that is taken for the target. Safe to use from many threads.

    Args:
        remembered: how many requests.
        warm_seconds: how long a provider keeps a prefix.
    """

    def __init__(self, *, remembered: int = REMEMBERED, warm_seconds: float = WARM_SECONDS) -> None:
        self.remembered = remembered
        self.warm_seconds = warm_seconds
        self._lock = threading.Lock()
        self._sent: OrderedDict[bytes, _Sent] = OrderedDict()

    def read(self, request: RouteRequest) -> Conversation | None:
        """Return where the request's conversation stood; ``None`` for its first request."""
        if len(request.turns) < 2:
            return None
        digests = _digests(request)
        now = time.monotonic()
        with self._lock:
            sent = next((found for key in digests[-2::-1] if (found := self._sent.get(key)) is not None), None)
        told = next((turn.target for turn in reversed(request.turns) if turn.target is not None), None)
        if sent is None:
            return None if told is None else Conversation(target=told, seconds=0.0, share=0.0, warm=0.0)
        share = min(1.0, sent.characters / max(1, _characters(request)))
        seconds = now - sent.at
        warm = share if seconds <= self.warm_seconds else 0.0
        return Conversation(target=told or sent.target, seconds=seconds, share=share, warm=warm)

    def note(self, request: RouteRequest, target: str) -> None:
        """Remember where a request was sent."""
        key = _digests(request)[-1]
        with self._lock:
            self._sent[key] = _Sent(target, time.monotonic(), _characters(request))
            self._sent.move_to_end(key)
            while len(self._sent) > self.remembered:
                self._sent.popitem(last=False)

    def __getstate__(self) -> dict[str, Any]:
        return {"remembered": self.remembered, "warm_seconds": self.warm_seconds}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _digests(request: RouteRequest) -> list[bytes]:
    """Return a digest of the beginning of the request up to and with each turn."""
    running = hashlib.blake2b(digest_size=16)
    running.update(f"{request.system}\0{request.tool_text}".encode("utf-8", "surrogatepass"))
    digests = [running.digest()]
    for turn in request.turns:
        running.update(f"\0{turn.role}\0{turn.text}".encode("utf-8", "surrogatepass"))
        digests.append(running.digest())
    return digests


def _characters(request: RouteRequest) -> int:
    return len(request.system) + len(request.tool_text) + sum(len(turn.text) for turn in request.turns)
