"""How do bytes come from and go to one client, and is it still there?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

from lc_costkit.testing.wire import compact


class Connection:
    """One HTTP exchange on the level of ASGI.

    Starlette's responses cannot be left unfinished or tell when the client went away, and
    both are what a provider's failures look like.

    Args:
        keep_alive: whether the client may use the connection again.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, keep_alive: bool) -> None:
        self._receive = receive
        self._send = send
        self._keep_alive = keep_alive
        self._gone = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}

    @property
    def gone(self) -> bool:
        """Whether the client closed the connection."""
        return self._gone.is_set()

    async def body(self) -> bytes:
        """The whole request body; from then on the client's going away is noticed."""
        parts = []
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone.set()
                break
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                self._watcher = asyncio.create_task(self._watch())
                break
        return b"".join(parts)

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self._gone.set()

    async def pause(self, seconds: float) -> None:
        """Let ``seconds`` pass, or less if the client goes away; lets others run in any case."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        except TimeoutError:
            return

    async def send_json(self, status: int, payload: object, headers: Mapping[str, str]) -> None:
        """A complete JSON answer."""
        content = compact(payload).encode("utf-8", "replace")
        await self.start(status, {**headers, "content-type": "application/json", "content-length": str(len(content))})
        await self.send(content, last=True)

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """The status line and the headers."""
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        if not self._keep_alive:
            pairs.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """A part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})

    async def close(self) -> None:
        """Stop watching the client."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)


def parsed_object(content: bytes) -> dict[str, Any] | None:
    """The JSON object in ``content``, or None if it is something else."""
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
