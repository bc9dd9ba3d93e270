"""How does one HTTP exchange run, from the request to the bill?"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from starlette.types import Receive, Scope, Send

from lc_costkit.testing.connection import Connection, parsed_object
from lc_costkit.testing.endpoints import Endpoint, Outcome, State, model_of
from lc_costkit.testing.faults import Fault
from lc_costkit.testing.provider_errors import error_payload, headers_for
from lc_costkit.testing.rates import Metered, bill, find_rate
from lc_costkit.testing.records import BilledCall, FakeRequest
from lc_costkit.testing.wire import WireError, compact

_KEY_HEADERS = ("authorization", "x-api-key", "api-key")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """How much of an answer was sent."""

    status: int
    metered: Metered | None = None
    streamed: bool = False
    cut: bool = False
    usage_reached: bool = False
    chunks: int = 0


class Exchanges:
    """The ASGI application behind one path."""

    def __init__(self, state: State, endpoint: Endpoint) -> None:
        self._state = state
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        connection = Connection(scope, receive, send, keep_alive=self._state.keep_alive)
        number = self._state.log.begin()
        try:
            body = parsed_object(await connection.body())
            await _Exchange(self._state, self._endpoint, connection, number, body).run()
        finally:
            await connection.close()
            self._state.log.end()


class _Exchange:
    def __init__(
        self, state: State, endpoint: Endpoint, connection: Connection, number: int, body: Mapping[str, Any] | None
    ) -> None:
        self._state = state
        self._endpoint = endpoint
        self._connection = connection
        self._number = number
        self._body = body
        self._request_id = f"req_{secrets.token_hex(16)}"
        self._at: datetime = state.clock.now()
        self._headers = headers_for(endpoint.provider, self._request_id)
        self._fault: Fault | None = None

    async def run(self) -> None:
        connection, state = self._connection, self._state
        try:
            self._check()
            prepared = self._endpoint.prepare(state, self._body or {}, number=self._number, path=connection.path)
            if await self._failed(prepared.request):
                return
            await connection.pause(state.latency_seconds)
            outcome = self._endpoint.answer(state, prepared)
        except WireError as error:
            await self._refuse(error)
            return
        if outcome.frames is not None:
            await self._stream(outcome)
        else:
            await self._send_whole(outcome)

    def _check(self) -> None:
        if self._connection.method != "POST":
            raise WireError("Method not allowed: send a POST request.", status=405)
        given = next((self._connection.headers[name] for name in _KEY_HEADERS if name in self._connection.headers), "")
        key = given.removeprefix("Bearer ").strip()
        if not key or (self._state.api_key is not None and key != self._state.api_key):
            raise WireError("Incorrect API key provided.", status=401, code="invalid_api_key")
        if self._body is None:
            raise WireError("We could not parse the JSON body of your request.")

    async def _failed(self, request: FakeRequest) -> bool:
        """Let the request suffer the fault that waits for it, if that ends it."""
        self._fault = fault = self._state.faults.take(request)
        if fault is None or fault.kind not in ("status", "timeout"):
            return False
        if fault.kind == "timeout":
            await self._connection.pause(fault.seconds)
            if self._connection.gone:
                self._log(_Sent(status=0, cut=True), None)
                return True
            fault = replace(fault, status=504, message="The request timed out.")
        if fault.retry_after is not None:
            self._headers["retry-after"] = format(fault.retry_after, "g")
            self._headers["retry-after-ms"] = format(fault.retry_after * 1000, "g")
        status = 503 if fault.status == 529 and self._endpoint.provider == "openai" else fault.status
        await self._refuse(WireError(fault.message, status=status))
        return True

    async def _refuse(self, error: WireError) -> None:
        payload = error_payload(self._endpoint.provider, error, self._request_id)
        self._log(_Sent(status=error.status), None)
        await self._connection.send_json(error.status, payload, self._headers)

    async def _send_whole(self, outcome: Outcome) -> None:
        fault = self._fault
        content = compact(outcome.payload).encode("utf-8", "replace")
        headers = {**self._headers, "content-type": "application/json", "content-length": str(len(content))}
        cut = fault is not None and fault.kind == "cut_stream"
        malformed = fault is not None and fault.kind == "malformed_json"
        gone = self._connection.gone
        self._log(
            _Sent(status=200, metered=outcome.metered, cut=cut or gone, usage_reached=not (cut or malformed or gone)),
            outcome,
        )
        if malformed:
            content = content[: len(content) // 2]
            headers["content-length"] = str(len(content))
        await self._connection.start(200, headers)
        await self._connection.send(content[: len(content) // 2] if cut else content, last=not cut)

    async def _stream(self, outcome: Outcome) -> None:
        connection, fault = self._connection, self._fault
        frames = list(outcome.frames or ())
        malformed = fault is not None and fault.kind == "malformed_json"
        until = len(frames)
        if fault is not None and fault.kind == "cut_stream":
            until = min(fault.after_chunks, len(frames) - 1)
        await connection.start(200, {**self._headers, "content-type": "text/event-stream; charset=utf-8"})
        sent = 0
        for sent, frame in enumerate(frames[:until]):
            await connection.pause(self._state.chunk_seconds if sent else 0)
            if connection.gone:
                break
            last = sent == len(frames) - 1
            if last:
                reached = any(one.carries_usage for one in frames) and not malformed
                self._log(
                    _Sent(
                        status=200,
                        metered=outcome.metered,
                        streamed=True,
                        usage_reached=reached,
                        chunks=len(frames),
                    ),
                    outcome,
                )
            data = frame.data[: frame.data.rindex(b"}") - 1] + b"\n\n" if malformed and sent == 0 else frame.data
            await connection.send(data, last=last)
            if last:
                return
        else:
            sent = until
        await self._log_cut(outcome, frames[:sent])

    async def _log_cut(self, outcome: Outcome, sent: list[Any]) -> None:
        text = "".join(frame.output for frame in sent)
        generated = self._state.count_for(model_of(self._body or {}))(text)
        reasoning = outcome.metered.reasoning if text else 0
        metered = replace(
            outcome.metered, output=min(outcome.metered.output, generated + reasoning), reasoning=reasoning
        )
        reached = any(frame.carries_usage for frame in sent)
        self._log(
            _Sent(
                status=200,
                metered=outcome.metered if reached else metered,
                streamed=True,
                cut=True,
                usage_reached=reached,
                chunks=len(sent),
            ),
            outcome,
        )

    def _log(self, sent: _Sent, outcome: Outcome | None) -> None:
        body = self._body
        model = body.get("model") if body is not None else None
        usd: Decimal | None = Decimal(0)
        usage = None
        if outcome is not None and sent.metered is not None and not outcome.free:
            rate = find_rate(self._state.rates, model_of(body or {}))
            if outcome.usd_of is not None:
                usd = outcome.usd_of(sent.metered)
            else:
                usd = None if rate is None else bill(rate, sent.metered, tier=outcome.tier)
            usage = outcome.usage_of(sent.metered)
        self._state.log.add(
            BilledCall(
                number=self._number,
                path=f"{self._connection.method} {self._connection.path}",
                provider=self._endpoint.provider,
                model=model if isinstance(model, str) else None,
                model_answered=None if outcome is None else outcome.model,
                body=body,
                status=sent.status,
                usage=usage,
                usd=usd,
                streamed=sent.streamed,
                cut=sent.cut,
                usage_reached=sent.usage_reached,
                chunks_sent=sent.chunks,
                fault=None if self._fault is None else self._fault.name,
                service_tier=None if outcome is None else outcome.tier,
                request_id=self._request_id,
                at=self._at,
            )
        )
