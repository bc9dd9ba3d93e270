"""What was counted for the answers to a request, before another target was asked in their place?"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

REQUESTS_LIMIT = 10_000
"""Requests remembered at once, as many as calls under way; the oldest are forgotten past it."""

CALLS_LIMIT = 64
"""Calls remembered for one request: a target may be a chain that makes several. Of one that makes more, the answers
that are thrown away are taken for unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A call that was made to answer a request.

    Attributes:
        call_id: the call.
        attempt: which try at the request it was part of.
        rejected: how many answers had been thrown away before it.
        prompt: a digest of what was sent.
        amounts: what the ledger says the request would have cost without the kit, as far as this call goes (USD),
            by the part it was booked under: cost and saving together. Empty where the call failed.
    """

    call_id: str
    attempt: int
    rejected: int
    prompt: int = 0
    amounts: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class _Known:
    counted: Counted
    taken_by: str | None = None


class Drafts:
    """Remembers calls by the request they were made for. Safe to use from many threads.

    Noting or taking back twice for one call does the same as once: two meters may hear of it.

    >>> drafts = Drafts()
    >>> drafts.note("r", Counted(call_id="a", attempt=1, rejected=0, amounts={"cascade": Decimal(2)}))
    >>> known, attempts = drafts.take_back("r", call_id="b", attempt=2, rejected=1)
    >>> [one.call_id for one in known], attempts
    (['a'], 1)
    """

    def __init__(self) -> None:
        self._start_over()

    def _start_over(self) -> None:
        self._process_id = os.getpid()
        self._lock = threading.Lock()
        self._requests: OrderedDict[str, dict[str, _Known]] = OrderedDict()

    def _alone(self) -> threading.Lock:
        """Return the lock; in a forked child a new one, since a thread that stayed behind may hold the old."""
        if self._process_id != os.getpid():
            self._start_over()
        return self._lock

    def __len__(self) -> int:
        return len(self._requests)

    def note(self, request: str, counted: Counted) -> None:
        """Remember what was counted for a call."""
        with self._alone():
            calls = self._requests.setdefault(request, {})
            self._requests.move_to_end(request)
            if len(calls) < CALLS_LIMIT:
                calls.setdefault(counted.call_id, _Known(counted))
            while len(self._requests) > REQUESTS_LIMIT:
                self._requests.popitem(last=False)

    def take_back(
        self, request: str, *, call_id: str, attempt: int, rejected: int, prompt: int | None = None
    ) -> tuple[tuple[Counted, ...], int]:
        """Return the answers that this call replaces and no other has taken back, and how many attempts are known.

        That there is a later attempt says that the answers of the earlier ones were thrown away, whatever was wrong
        with them. So does a call of the same attempt that sends the same ``prompt`` again: somebody retries it.
        """
        with self._alone():
            known = list(self._requests.get(request, {}).values())
            if not known:
                return (), 0
            earlier = [one for one in known if one.counted.attempt < attempt or one.counted.rejected < rejected]
            again = [one for one in known if one.counted.prompt == prompt and one.counted.call_id != call_id]
            replaced = [
                one
                for one in {id(one): one for one in (*earlier, *again)}.values()
                if one.counted.amounts and one.taken_by in (None, call_id)
            ]
            for one in replaced:
                one.taken_by = call_id
            attempts = {(one.counted.attempt, one.counted.rejected) for one in earlier}
        forgotten = len(known) >= CALLS_LIMIT
        return tuple(one.counted for one in replaced), 0 if forgotten else len(attempts)
