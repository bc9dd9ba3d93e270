"""Which requests go wrong on purpose, and how?"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lc_costkit.errors import ConfigurationError
from lc_costkit.testing.records import FakeRequest

FaultKind = Literal["status", "timeout", "cut_stream", "malformed_json"]
Match = Callable[[FakeRequest], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with a request; made by the class methods.

    >>> Fault.rate_limit(retry_after=0.01)
    Fault('rate_limit')
    """

    name: str
    kind: FaultKind
    status: int = 0
    message: str = ""
    retry_after: float | None = None
    seconds: float = 0.0
    after_chunks: int = 0

    def __repr__(self) -> str:
        return f"Fault({self.name!r})"

    @classmethod
    def rate_limit(cls, *, retry_after: float | None = None) -> Fault:
        """429, with ``retry-after`` in seconds if given; nothing is billed."""
        if retry_after is not None:
            _not_negative("retry_after", retry_after)
        message = "Rate limit reached for requests. Please try again later."
        return cls(name="rate_limit", kind="status", status=429, message=message, retry_after=retry_after)

    @classmethod
    def server_error(cls, *, status: int = 500) -> Fault:
        """500 or another 5xx; nothing is billed.

        Raises:
            ConfigurationError: ``status`` is not from 500 to 599.
        """
        if not 500 <= status <= 599:
            raise ConfigurationError(f"a server error has a status from 500 to 599, not {status!r}; see Fault.refused")
        message = "The server had an error while processing your request. Sorry about that!"
        return cls(name="server_error", kind="status", status=status, message=message)

    @classmethod
    def overloaded(cls) -> Fault:
        """503 from OpenAI, 529 ``overloaded_error`` from Anthropic; nothing is billed."""
        return cls(name="overloaded", kind="status", status=529, message="Overloaded")

    @classmethod
    def refused(cls, *, status: int = 400, message: str = "The request was refused.") -> Fault:
        """A 4xx that clients do not retry, such as 400, 401, 403 or 404; nothing is billed.

        Raises:
            ConfigurationError: ``status`` is not from 400 to 499.
        """
        if not 400 <= status <= 499:
            raise ConfigurationError(f"a refusal has a status from 400 to 499, not {status!r}; see Fault.server_error")
        return cls(name="refused", kind="status", status=status, message=message)

    @classmethod
    def timeout(cls, seconds: float) -> Fault:
        """No answer for ``seconds``, then the connection is closed; nothing is billed."""
        _not_negative("seconds", seconds)
        return cls(name="timeout", kind="timeout", seconds=seconds)

    @classmethod
    def cut_stream(cls, *, after_chunks: int = 3) -> Fault:
        """The connection is closed after ``after_chunks`` events of the stream.

        Billed for the input and for what was generated until then. An answer that is not
        streamed is cut in the middle of its body and billed in full.

        Raises:
            ConfigurationError: ``after_chunks`` is negative.
        """
        if isinstance(after_chunks, bool) or not isinstance(after_chunks, int) or after_chunks < 0:
            raise ConfigurationError(f"after_chunks must be a whole number >= 0, got {after_chunks!r}")
        return cls(name="cut_stream", kind="cut_stream", after_chunks=after_chunks)

    @classmethod
    def malformed_json(cls) -> Fault:
        """200 with a body, or a first stream event, that is not JSON; billed, as the answer was generated."""
        return cls(name="malformed_json", kind="malformed_json")


class FaultQueue:
    """The faults still to come, in the order they were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    def add(self, fault: Fault, *, times: int, match: Match | None) -> None:
        """Let the next ``times`` requests that ``match`` suffer ``fault``.

        Raises:
            ConfigurationError: not a ``Fault``, ``times`` below 1, or ``match`` cannot be called.
        """
        if not isinstance(fault, Fault):
            raise ConfigurationError(f"fault must be a Fault such as Fault.rate_limit(), got {fault!r}")
        if isinstance(times, bool) or not isinstance(times, int) or times < 1:
            raise ConfigurationError(f"times must be a whole number >= 1, got {times!r}")
        if match is not None and not callable(match):
            raise ConfigurationError(f"match must be a function of a FakeRequest, got {match!r}")
        with self._lock:
            self._waiting.append(_Waiting(fault, times, match))

    def take(self, request: FakeRequest) -> Fault | None:
        """The fault this request suffers, which is then used up once."""
        with self._lock:
            for waiting in self._waiting:
                if waiting.match is None or waiting.match(request):
                    waiting.times -= 1
                    if waiting.times == 0:
                        self._waiting.remove(waiting)
                    return waiting.fault
        return None

    @property
    def pending(self) -> int:
        """How many faults have not happened yet."""
        with self._lock:
            return sum(waiting.times for waiting in self._waiting)

    def clear(self) -> None:
        """Forget the faults still to come."""
        with self._lock:
            self._waiting.clear()


@dataclass(slots=True, eq=False)
class _Waiting:
    fault: Fault
    times: int
    match: Match | None


def _not_negative(name: str, seconds: float) -> None:
    if isinstance(seconds, bool) or not math.isfinite(seconds) or seconds < 0:
        raise ConfigurationError(f"{name} must be a number of seconds >= 0, got {seconds!r}")
