"""Which target answered a conversation last, and what may its provider still have in its cache?"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lc_costkit.routing.policy import Conversation, RouteRequest
from lc_costkit.routing.prompt_caching import PromptCaching, caching_of
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.routing.text_size import quick_tokens

REMEMBERED = 50_000
"""Beginnings of prompts that are kept, one for each turn, the longest unused are forgotten first."""

_UNNAMED = TargetModel()


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """A call; equal to itself alone."""

    target: str
    at: float
    waited_usd: Decimal


@dataclass(slots=True)
class _Beginning:
    """A beginning of prompts.

    Attributes:
        calls: the last call to each target that began so.
        whole: the last call that was just that.
    """

    calls: tuple[_Call, ...] = ()
    whole: _Call | None = None


@dataclass(slots=True, eq=False)
class Seen:
    """A request, digested once, with what was known of it when it came.

    Attributes:
        digests: of its beginnings: system prompt and tools, then up to and with each turn.
        tokens: about how many they are.
        conversation: where its conversation stood; ``None`` for the first request of one.
        warm: part of its text that the strong target would still have in its provider's prompt cache, if that caches
            it and it had got all calls so far, 0 to 1.
        warm_at: by target, part of its text that the target's provider may have in its prompt cache, 0 to 1.
    """

    digests: tuple[int, ...]
    tokens: tuple[int, ...]
    conversation: Conversation | None = None
    warm: float = 0.0
    warm_at: Mapping[str, float] = field(default_factory=dict)
    _call: _Call | None = None
    _before: list[tuple[_Call, ...]] = field(default_factory=list)


class Conversations:
    """Remembers, for the beginnings of the last requests, a digest, to which targets they went, and when; no text.

    A request goes on a conversation if an earlier request was one of its beginnings, a turn at least; so a history that
    was edited goes on from the last request before the edit, one that was cut at the front from nothing, and with a
    system prompt that changes (the time in it, say) nothing is warm. Requests that begin alike share what the provider
    has in its cache, whoever sent them: a system prompt, or examples, too. Providers do the same.

    Where an answer in the turns still tells its target, that is taken for the target. Two conversations that began with
    the same words, and whose answers do not tell, are one until their words differ.

    What a digest stands for is Python's own hash of the texts, 64 bits and secret to the process. So the memory is one
    of this process: another one, or a copy that was pickled, begins with none, and knows the target of a conversation
    only where its answers tell. A forked process goes on with a copy. Copies of a router (``bind_tools`` and the like)
    share one memory; tools and a schema are part of the beginning, as they are for the provider.

    Not seen: what is no text. Requests that differ in nothing else pass for the same. A call that raised, and was not
    sent elsewhere, counts as sent. Safe to use from many threads.

    Args:
        remembered: how many beginnings, about 300 bytes each.
        clock: seconds, as of ``time.monotonic``.
    """

    def __init__(self, *, remembered: int = REMEMBERED, clock: Callable[[], float] = time.monotonic) -> None:
        self.remembered = remembered
        self.clock = clock
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._beginnings: OrderedDict[int, _Beginning] = OrderedDict()

    def __len__(self) -> int:
        return len(self._beginnings)

    def look(self, request: RouteRequest) -> Seen:
        """Digest a request and return what is known of it."""
        seen = _digested(request)
        reading = _Reading(request, seen, now=self.clock())
        with self._own_lock():
            for place in range(len(seen.digests) - 1, -1, -1):
                found = self._beginnings.get(seen.digests[place])
                if found is not None:
                    reading.add(place, found)
        seen.warm, seen.warm_at = reading.warm, reading.warm_at
        if len(request.turns) > 1:
            seen.conversation = reading.conversation()
        return seen

    def read(self, request: RouteRequest) -> Conversation | None:
        """Return where the request's conversation stood; ``None`` for its first request."""
        return self.look(request).conversation

    def note(self, request: RouteRequest | Seen, target: str, *, waited_usd: Decimal = Decimal(0)) -> None:
        """Remember where a request is sent, and what the decision says was not saved so far (USD)."""
        seen = request if isinstance(request, Seen) else _digested(request)
        with self._own_lock():
            self._note(seen, target, waited_usd)

    def instead(self, seen: Seen, target: str) -> None:
        """Remember that a request is sent to another target, since it failed where it was noted.

        The target that failed is taken to have in its cache what it had before.
        """
        with self._own_lock():
            failed = seen._call
            if failed is not None:
                for digest, before in zip(seen.digests, seen._before, strict=True):
                    found = self._beginnings.get(digest)
                    if found is not None and failed in found.calls:
                        others = [call for call in found.calls if call.target != failed.target]
                        found.calls = (*others, *(call for call in before if call.target == failed.target))
            self._note(seen, target, Decimal(0))

    def _note(self, seen: Seen, target: str, waited_usd: Decimal) -> None:
        call = _Call(target, self.clock(), waited_usd)
        alone = (call,)
        seen._call, seen._before = call, []
        found = _Beginning()
        for digest in seen.digests:
            found = self._beginnings.setdefault(digest, _Beginning())
            self._beginnings.move_to_end(digest)
            seen._before.append(found.calls)
            others = [one for one in found.calls if one.target != target]
            found.calls = (*others, call) if others else alone
        found.whole = call
        while len(self._beginnings) > self.remembered:
            self._beginnings.popitem(last=False)

    def _own_lock(self) -> threading.Lock:
        """Return a lock of this process: another thread may have held the parent's while it forked."""
        if self._process != os.getpid():
            self._process, self._lock = os.getpid(), threading.Lock()
        return self._lock

    def __getstate__(self) -> dict[str, Any]:
        return {"remembered": self.remembered, "clock": self.clock}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _digested(request: RouteRequest) -> Seen:
    digest = hash((request.tool_text, request.system, request.structured))
    tokens = quick_tokens(request.tool_text) + quick_tokens(request.system)
    digests, counts = [digest], [tokens]
    for turn in request.turns:
        digest = hash((digest, turn.role, turn.text, turn.calls))
        tokens += quick_tokens(turn.text) + quick_tokens(turn.calls)
        digests.append(digest)
        counts.append(tokens)
    return Seen(tuple(digests), tuple(counts))


class _Reading:
    """What the beginnings of a request tell of it, added from the longest to the shortest."""

    def __init__(self, request: RouteRequest, seen: Seen, *, now: float) -> None:
        self.warm = 0.0
        self._request = request
        self._seen = seen
        self._now = now
        self._whole = max(1, seen.tokens[-1])
        self._single = self._caching(request.targets[-1] if request.targets else "")
        self._last: _Call | None = None
        self._longest: dict[str, tuple[int, _Call]] = {}
        self.warm_at: dict[str, float] = {}
        self._added: tuple[_Call, ...] = ()

    def add(self, place: int, beginning: _Beginning) -> None:
        if self._last is None and place > 0:
            self._last = beginning.whole
        if beginning.calls is self._added:
            return  # of the same call as a longer beginning
        self._added = beginning.calls
        marked, asked = self._request.cache_marked, self._request.cache_seconds
        for call in beginning.calls:
            age = self._now - call.at
            self._longest.setdefault(call.target, (place, call))
            if not self.warm and self._single.kept(age, asked_seconds=asked):
                self.warm = self._tokens(place, self._single) / self._whole
            if not self.warm_at.get(call.target):
                own = self._caching(call.target)
                tokens = self._tokens(place, own)
                there = own.kept(age, asked_seconds=asked) and own.caches(tokens, marked=marked)
                self.warm_at[call.target] = tokens / self._whole if there else 0.0

    def conversation(self) -> Conversation | None:
        target = self._target()
        if target is None:
            return None
        place, call = self._longest.get(target, (None, None))
        return Conversation(
            target=target,
            seconds=math.inf if call is None else self._now - call.at,
            share=0.0 if place is None else self._seen.tokens[place] / self._whole,
            warm=self.warm,
            warm_at=self.warm_at,
            waited_usd=self._last.waited_usd if self._last is not None and self._last.target == target else Decimal(0),
        )

    def _target(self) -> str | None:
        """Return the target that answered last, as its answer tells, or by the last call, or as older answers tell."""
        known = self._request.targets
        told = [turn.target for turn in self._request.turns if turn.role == "assistant"]
        told = [name if name is None or not known or name in known else None for name in told]
        if told and told[-1] is not None:
            return told[-1]
        if self._last is not None:
            return self._last.target
        return next((name for name in reversed(told) if name is not None), None)

    def _tokens(self, place: int, caching: PromptCaching) -> int:
        """Return how many tokens of a beginning are cached: where that takes a mark, those before the last one."""
        marks = self._request.cache_turns
        return self._seen.tokens[place if marks is None or not caching.marked else min(place, marks)]

    def _caching(self, target: str) -> PromptCaching:
        return caching_of(self._request.models.get(target, _UNNAMED).model)
