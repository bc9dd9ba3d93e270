"""How does a test start a provider, steer it and read its bill?"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lc_costkit.errors import ConfigurationError, MissingDependency
from lc_costkit.testing.answers import checked_answer
from lc_costkit.testing.call_log import total_usd
from lc_costkit.testing.clock import FakeClock
from lc_costkit.testing.endpoints import State
from lc_costkit.testing.faults import Fault
from lc_costkit.testing.prompt_cache import CACHE_RULES, CacheRule, PromptCache
from lc_costkit.testing.rates import ModelRate, checked_rates
from lc_costkit.testing.records import BilledCall, FakeAnswer, FakeRequest

try:
    from lc_costkit.testing.app import build_app
    from lc_costkit.testing.server import HOST, LoopbackServer
except ImportError as error:
    raise MissingDependency("FakeProvider", "testing") from error

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


class FakeProvider:
    """A local stand-in for OpenAI and Anthropic that answers, fails and bills as they do.

    It serves on 127.0.0.1 while it is used as a context manager (``with`` or ``async with``)
    and is an ASGI application besides. Any key is accepted. Answers are made up. Wire formats,
    prompt-cache rules and prices follow what the providers publish (``prompt_cache`` and ``rates``
    say what was checked); text is counted with OpenAI's vocabulary, which is an estimate for Claude.

    A ``FakeAnswer`` may also say how the answer was made (service tier, place, speed, searches, audio,
    compaction, advisors, fallbacks): it is then reported and billed so.

    Args:
        answer: ``function(FakeRequest) -> str | FakeAnswer``, called for one request at a time
            on the server's thread; ``default_answer`` if it is not given.
        rates: USD per million tokens for models of your own, on top of ``PUBLISHED_RATES``.
        cache_rules: prompt-cache rules by the start of a model's name, on top of the providers'.
        latency_seconds: how long each answer takes to begin.
        chunk_seconds: the pause before each event of a stream. Without one a whole stream is
            sent at once, and a client that stops reading early does so too late to be noticed.
        keep_alive: let clients use a connection for several requests. Off by default, so that
            no client is left with an open socket, or one of another event loop, after a test.
        api_key: the only key accepted, where a wrong one is to be refused with 401.
        clock: the time the provider goes by; ``provider.clock.advance(seconds)`` moves it.
        port: the port to serve on; 0 takes a free one.

    Raises:
        ConfigurationError: an argument of the wrong kind, a negative time, a port out of range.
        MissingDependency: the extra ``testing`` is not installed.

    >>> from urllib.request import Request, urlopen
    >>> body = b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}'
    >>> with FakeProvider(answer=lambda request: f"You said {request.question}.") as provider:
    ...     sent = Request(provider.openai_base_url + "/chat/completions", body, {"Authorization": "Bearer test"})
    ...     b"You said Hello." in urlopen(sent).read()
    True
    >>> provider.calls, provider.billed_usd > 0
    (1, True)
    """

    def __init__(
        self,
        *,
        answer: Callable[[FakeRequest], str | FakeAnswer] | None = None,
        rates: Mapping[str, ModelRate] | None = None,
        cache_rules: Mapping[str, CacheRule] | None = None,
        latency_seconds: float = 0.0,
        chunk_seconds: float = 0.0,
        keep_alive: bool = False,
        api_key: str | None = None,
        clock: FakeClock | None = None,
        port: int = 0,
    ) -> None:
        if cache_rules is not None and not isinstance(cache_rules, Mapping):
            raise ConfigurationError(f"cache_rules must map model names to CacheRule, got {cache_rules!r}")
        if clock is not None and not isinstance(clock, FakeClock):
            raise ConfigurationError(f"clock must be a FakeClock, got {clock!r}")
        if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
            raise ConfigurationError(f"port must be a whole number from 0 to 65535, got {port!r}")
        self._state = State(
            answer=checked_answer(answer),
            rates=checked_rates(rates),
            clock=clock if clock is not None else FakeClock(),
            cache=PromptCache({**CACHE_RULES, **(cache_rules or {})}),
            latency_seconds=_seconds("latency_seconds", latency_seconds),
            chunk_seconds=_seconds("chunk_seconds", chunk_seconds),
            keep_alive=keep_alive,
            api_key=api_key,
        )
        self._app = build_app(self._state)
        self._server = LoopbackServer(self._app, port=port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request as an ASGI application."""
        await self._app(scope, receive, send)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def start(self) -> None:
        """Begin to serve, as ``with`` does.

        Raises:
            ConfigurationError: it serves already, or the port is taken.
        """
        self._server.start()

    def stop(self) -> None:
        """End serving: open connections are closed, what was logged stays readable."""
        self._server.stop()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``.

        Raises:
            ConfigurationError: it does not serve yet.
        """
        if not self._server.port:
            raise ConfigurationError("this provider has no address before it serves: use `with FakeProvider() as ...`")
        return f"http://{HOST}:{self._server.port}"

    @property
    def openai_base_url(self) -> str:
        """What OpenAI clients want as ``base_url``."""
        return f"{self.url}/v1"

    @property
    def anthropic_base_url(self) -> str:
        """What Anthropic clients want as ``base_url``."""
        return self.url

    @property
    def clock(self) -> FakeClock:
        """The time the provider goes by; ``clock.advance(seconds)`` makes cached prompts expire."""
        return self._state.clock

    def fail_next(self, fault: Fault, *, times: int = 1, match: Callable[[FakeRequest], bool] | None = None) -> None:
        """Let the next ``times`` requests suffer ``fault``; with ``match``, the next that match.

        Raises:
            ConfigurationError: not a ``Fault``, ``times`` below 1, or ``match`` cannot be called.
        """
        self._state.faults.add(fault, times=times, match=match)

    @property
    def pending_faults(self) -> int:
        """How many faults have not happened yet."""
        return self._state.faults.pending

    @property
    def log(self) -> list[BilledCall]:
        """Every request so far, failed ones included, in the order they ended.

        An answer is logged before its last byte leaves, so whoever has read it finds it here. A
        client that left early is noticed a little later: call ``wait_idle`` first.
        """
        return self._state.log.calls

    @property
    def calls(self) -> int:
        """How many requests have ended, failed ones included."""
        return len(self.log)

    @property
    def billed_usd(self) -> Decimal:
        """What all requests cost; those of models without a rate are left out (``unpriced_calls``)."""
        return total_usd(self.log)

    @property
    def billed_usd_reported(self) -> Decimal:
        """What the requests cost whose usage was sent to the client: what a meter can know exactly."""
        return total_usd([call for call in self.log if call.usage_reached])

    @property
    def unpriced_calls(self) -> int:
        """How many answered requests had a model without a rate."""
        return sum(call.usd is None for call in self.log)

    def wait_idle(self, *, timeout_seconds: float = 5.0) -> bool:
        """Wait until no request is under way; False when that took longer than ``timeout_seconds``."""
        return self._state.log.wait_idle(timeout_seconds)

    def reset(self) -> None:
        """Forget the log, cached prompts and faults still to come; the clock keeps its time."""
        self._state.log.clear()
        self._state.cache.clear()
        self._state.faults.clear()


def _seconds(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ConfigurationError(f"{name} must be a number of seconds >= 0, got {value!r}")
    return float(value)
