"""Who reserves and settles while the store cannot always be used?

A settlement that the store does not take is kept, in order, and made with the next call, at
the end of the process, or by whoever asks how a budget stands. A process that is killed
before leaves its reservation to the lease, which counts it in full.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from sqlalchemy import Engine

from lc_costkit.backoff import Backoff
from lc_costkit.budget.accounts import Accounts
from lc_costkit.budget.parts import Balance, Part, Refused, Reserved, Settled
from lc_costkit.errors import StoreError
from lc_costkit.faults import Faults
from lc_costkit.ledger import Ledger
from lc_costkit.store import PATIENT_SECONDS

_logger = logging.getLogger(__name__)

KEPT_LIMIT = 100_000
"""Settlements that wait for the store at most: as many as a ledger keeps records."""

_ADVICE = "what it took is kept and counted when the store can be used again; check free space and ledger.check()"

_LOST = "its lease counts it in full; report it with the traceback, which is logged at DEBUG"


@dataclass(frozen=True, slots=True)
class _Settlement:
    reservation: str
    parts: Sequence[Part]
    amounts: Sequence[int]


class Book:
    """The accounts of one ledger, as the gates of this process use them. Several threads may share it.

    Attributes:
        accounts: the store.
        faults: what went wrong with it.
    """

    def __init__(self, engine: Engine, *, patience_seconds: float = PATIENT_SECONDS) -> None:
        self._engine = engine
        self.accounts = Accounts(engine, patience_seconds=patience_seconds)
        self.faults = Faults(_logger)
        self._backoff = Backoff()
        self._failed_at = -math.inf
        self._start_over()

    def _start_over(self) -> None:
        self._process_id = os.getpid()
        self._lock = threading.Lock()
        self._kept: deque[_Settlement] = deque(maxlen=KEPT_LIMIT)
        weakref.finalize(self, _last_try, self.accounts, self._kept, self._process_id)

    @property
    def resting(self) -> bool:
        """Whether the store failed a moment ago, so that calls need not wait for it in vain."""
        return self._backoff.seconds_left > 0

    def failed_since(self, moment: float) -> bool:
        """Whether the store failed after ``moment`` (monotonic seconds), and was not used since."""
        return self._failed_at > moment

    @property
    def kept(self) -> int:
        """How many settlements wait for the store."""
        return len(self._kept)

    def reserve(self, reservation: str, parts: Sequence[Part], *, leases: Sequence[float]) -> Reserved | Refused:
        """Reserve all parts, or none.

        Raises:
            StoreError: the store cannot be used; nothing is reserved.
        """
        try:
            if self._kept:
                self.flush()
            answer = self.accounts.reserve(reservation, parts, now=time.time(), lease_seconds=leases)
        except StoreError:
            self._backoff.failed()
            self._failed_at = time.monotonic()
            raise
        self._backoff.succeeded()
        self._failed_at = -math.inf
        return answer

    def settle(self, reservation: str, parts: Sequence[Part], amounts: Sequence[int]) -> Settled | None:
        """Settle a call, now or when the store can be used again; ``None`` for later. Never raises."""
        settlement = _Settlement(reservation, parts, amounts)
        if not self._backoff.may_try():
            self._keep(settlement)
            return None
        try:
            if self._kept:
                self.flush()
            settled = self.accounts.settle(reservation, parts, amounts, now=time.time())
        except StoreError as error:
            self._backoff.failed()
            self.faults.record("settling", error, _ADVICE)
            self._keep(settlement)
            return None
        except Exception as error:
            self.faults.record("settling", error, _LOST)
            return None
        self._backoff.succeeded()
        return settled

    def release(self, reservation: str) -> None:
        """Give back what was reserved for a call that was not made; where that fails, the lease does. Never raises."""
        try:
            self.accounts.release(reservation)
        except Exception as error:
            self.faults.record("releasing", error, "its lease will end it")

    def flush(self) -> None:
        """Make the settlements that wait.

        Raises:
            StoreError: the store cannot be used yet; what waits goes on waiting.
        """
        with self._guard():
            while self._kept:
                one = self._kept[0]
                try:
                    self.accounts.settle(one.reservation, one.parts, one.amounts, now=time.time())
                except StoreError:
                    raise
                except Exception as error:
                    # Tried again it would stand before all others for ever.
                    self.faults.record("settling", error, _LOST)
                self._kept.popleft()

    def balances(self, budget: str) -> list[Balance]:
        """Return how the accounts of a budget stand, with what waited and what was never settled.

        Raises:
            StoreError: the store cannot be read.
        """
        self.flush()
        return self.accounts.balances(budget, now=time.time())

    def _keep(self, settlement: _Settlement) -> None:
        with self._guard():
            self._kept.append(settlement)

    def _guard(self) -> threading.Lock:
        # In a forked child the lock may be held by a thread that stayed behind, and what waits is the parent's.
        if self._process_id != os.getpid():
            self._start_over()
        return self._lock


def _last_try(accounts: Accounts, kept: deque[_Settlement], process_id: int) -> None:
    if process_id != os.getpid():
        return
    try:
        while kept:
            one = kept.popleft()
            accounts.settle(one.reservation, one.parts, one.amounts, now=time.time())
    except StoreError as error:
        _logger.warning("lc_costkit could not settle %d calls at the end (%s)", len(kept) + 1, error)


# State of the process, as connections are: gates on one ledger must know of each other's kept settlements.
# By the identity of the engine, which a book keeps alive as long as it lives itself.
_BOOKS: WeakValueDictionary[int, Book] = WeakValueDictionary()
_GUARD = threading.Lock()


def book_of(ledger: Ledger, *, patience_seconds: float = PATIENT_SECONDS) -> Book:
    """Return the book of a ledger; its tables are made when it is first asked for.

    Args:
        ledger: beside whose calls the accounts are kept.
        patience_seconds: how long a call waits for other writers of the store; who asks first decides.

    Raises:
        StoreError: the store cannot be opened, or a newer version wrote it.
    """
    engine = ledger.engine
    with _GUARD:
        book = _BOOKS.get(id(engine))
        if book is None:
            book = _BOOKS[id(engine)] = Book(engine, patience_seconds=patience_seconds)
        return book


def _after_fork() -> None:
    global _GUARD
    _GUARD = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
