"""How is an application served on loopback from within a test?"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from lc_costkit.errors import ConfigurationError

HOST = "127.0.0.1"
_START_SECONDS = 10.0


class _QuietProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which says nothing: connections that end early are wanted here."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # of its own, because uvicorn's belongs to the whole process
        self.logger = logging.Logger("lc_costkit.testing.server", level=logging.CRITICAL + 1)  # noqa: LOG001
        self.access_log = False


class LoopbackServer:
    """Serves an application on 127.0.0.1 from a thread of its own.

    uvicorn's own server polls every 100 ms and sets up logging for the whole process; a
    test wants neither, so only its HTTP protocol is used.

    Args:
        app: the application.
        port: 0 takes a free one.
    """

    def __init__(self, app: ASGIApp, *, port: int = 0) -> None:
        self._app = app
        self._wanted_port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: OSError | None = None
        self.port = 0

    @property
    def running(self) -> bool:
        """Whether it accepts connections."""
        return self._thread is not None

    def start(self) -> None:
        """Accept connections from now on.

        Raises:
            ConfigurationError: it runs already, or the port is taken.
        """
        if self.running:
            raise ConfigurationError(f"this provider already serves on port {self.port}; stop it first")
        self._ready.clear()
        self._error = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="FakeProvider", daemon=True)
        self._thread.start()
        self._ready.wait(_START_SECONDS)
        error = self._failure()
        if error is not None:
            self.stop()
            raise ConfigurationError(
                f"cannot listen on {HOST}:{self._wanted_port} ({error}); choose another port, or 0 for a free one"
            ) from error

    def _failure(self) -> OSError | None:
        return self._error

    def stop(self) -> None:
        """Close all connections and end the thread; stopping twice is fine."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._stop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself: the port was taken
            self._loop.call_soon_threadsafe(self._stop.set)
        thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        config = uvicorn.Config(
            self._app,
            http=_QuietProtocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            interface="asgi3",
            log_config=None,
            log_level=None,
            proxy_headers=False,
        )
        config.load()
        state = ServerState()
        state.default_headers = [(b"server", b"lc_costkit-testing")]

        def protocol() -> _QuietProtocol:
            return _QuietProtocol(config=config, server_state=state, app_state={}, _loop=self._loop)

        try:
            server = await self._loop.create_server(protocol, HOST, self._wanted_port, backlog=1024)
        except OSError as error:
            self._error = error
            self._ready.set()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        # connections before tasks: uvicorn answers 500 for a task that ends while its client is there
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await server.wait_closed()
