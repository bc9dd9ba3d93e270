"""How does a price book get a newer price list, without a call ever waiting for it?"""

from __future__ import annotations

import logging
import os
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from lc_costkit.errors import ConfigurationError

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo

_logger = logging.getLogger(__name__)

_SHORTEST = timedelta(minutes=1)
_END_SECONDS = 1.0
"""How long ``close`` waits for the thread; one that is fetching ends by itself when the fetch does."""


class Refresher:
    """Fetches the price list of genai-prices every so often, on a thread of its own.

    It fetches as ``genai_prices.UpdatePrices`` does, and keeps the result to itself: that class
    changes the prices of the whole process, this one those of one price book. The thread begins
    with the first price that is asked for, again in a process that was forked. A list that
    cannot be fetched, cannot be read, is empty, holds a price that is no price, or has many models
    for nothing is dropped; the first time in a row that is logged.

    Args:
        every: how often.
        url: where from; the address in genai-prices by default.
        shortest: the least that ``every`` may be.

    Raises:
        ConfigurationError: ``every`` is no ``timedelta``, or shorter than ``shortest``.
    """

    def __init__(self, *, every: timedelta, url: str | None = None, shortest: timedelta = _SHORTEST) -> None:
        if not isinstance(every, timedelta):
            raise ConfigurationError(f"refresh_every must be a timedelta, not {every!r}; write timedelta(hours=1)")
        if every < shortest:
            raise ConfigurationError(f"refresh_every={every} is too often for a list of prices; at least {shortest}")
        if url is not None and not (isinstance(url, str) and url.startswith(("http://", "https://"))):
            raise ConfigurationError(f"refresh_url must begin with http:// or https://, not {url!r}")
        self._seconds = min(every.total_seconds(), threading.TIMEOUT_MAX)
        self._url = url
        self._snapshot: DataSnapshot | None = None
        self._failing = False
        self._closed = False
        self._begin()

    def latest(self) -> DataSnapshot | None:
        """Return the newest sound list, or ``None`` before there is one. Never waits."""
        if self._process != os.getpid():
            # Threads do not survive a fork, and a lock may have been held.
            self._begin()
        if self._thread is None and not self._closed:
            self._start()
        return self._snapshot

    def stop(self) -> None:
        """Let the thread end, without waiting for it."""
        self._closed = True
        self._wake.set()

    def close(self) -> None:
        """End the thread; the list stays in use."""
        self.stop()
        thread = self._thread
        if thread is not None and self._process == os.getpid() and thread is not threading.current_thread():
            thread.join(_END_SECONDS)

    def fetch_once(self) -> bool:
        """Fetch now, on this thread, and say whether there is a new list."""
        try:
            snapshot = self._fetched()
        except Exception as error:
            if not self._failing:
                kept = "the list in the package" if self._snapshot is None else f"that of {self._snapshot.timestamp}"
                _logger.warning(
                    "lc_costkit could not refresh the price list (%s: %s); %s stays in use, and it is tried again",
                    type(error).__name__,
                    error,
                    kept,
                )
            self._failing = True
            return False
        self._failing = False
        self._snapshot = snapshot
        return True

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        if self._closed:
            self._wake.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, args=(self._wake,), daemon=True, name="costkit:prices"
                )
                self._thread.start()

    def _run(self, wake: threading.Event) -> None:
        while not wake.is_set():
            self.fetch_once()
            wake.wait(self._seconds)

    def _fetched(self) -> DataSnapshot:
        from genai_prices import UpdatePrices

        source = UpdatePrices() if self._url is None else UpdatePrices(url=self._url)
        snapshot = source.fetch()
        if snapshot is None:
            raise ValueError("nothing was fetched")
        _check(snapshot)
        return snapshot


_MOST_FREE = 10
"""A list is not believed that has more than one in so many of the package's priced models for nothing."""


def _check(snapshot: DataSnapshot) -> None:
    """Refuse a list that would price everything as unknown or as free, or something below 0.

    Raises:
        ValueError: it is such a list.
    """
    if not any(provider.models for provider in snapshot.providers):
        raise ValueError("the list holds no models")
    for provider in snapshot.providers:
        for model in provider.models:
            listed = model.prices if isinstance(model.prices, list) else [model]
            for priced in [*listed, *(model.price_variants or ())]:
                for key, rate in vars(priced.prices).items():
                    tiers = [] if rate is None else [rate] if not hasattr(rate, "tiers") else None
                    amounts = tiers if tiers is not None else [rate.base, *(tier.price for tier in rate.tiers)]
                    if any(not amount.is_finite() or amount < 0 for amount in amounts):
                        raise ValueError(f"{provider.id} {model.id} has {key}={rate}")
    from genai_prices.data import providers

    before = {(owner.id, model.id): model for owner in providers for model in owner.models if _costs(model)}
    now = [_costs(model) for owner in snapshot.providers for model in owner.models if (owner.id, model.id) in before]
    if now.count(False) * _MOST_FREE > len(now):
        raise ValueError(f"{now.count(False)} of {len(now)} models that cost something would be free")


def _costs(model: ModelInfo) -> bool:
    listed = model.prices[-1].prices if isinstance(model.prices, list) else model.prices
    return any(getattr(rate, "base", rate) for rate in vars(listed).values() if rate is not None)
