"""A refreshed price list: it arrives, it fails, it ends, and it stays with the book that asked for it."""

from __future__ import annotations

import gc
import json
import logging
import multiprocessing
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.pricing import PriceBook
from lc_costkit.refresh import Refresher
from lc_costkit.usage import TokenUsage

USAGE = TokenUsage(input_tokens=1_000_000)
MINUTE = timedelta(minutes=1)


def price_file(rate: object = 7, *, model: str = "gpt-4o", output: object = 9) -> list[dict[str, Any]]:
    """Return a list of one model, as genai-prices publishes it."""
    prices = {"input_mtok": rate, "output_mtok": output}
    listed = {"id": model, "match": {"equals": model}, "prices": prices}
    return [
        {
            "id": "openai",
            "name": "OpenAI",
            "api_pattern": "https://api.openai.com",
            "model_match": {"starts_with": "gpt-"},
            "models": [listed],
        }
    ]


@dataclass
class Site:
    """A web site with a price file.

    Attributes:
        url: of the file.
        body: what it serves.
        status: with which status.
        served: how often it was asked.
    """

    url: str = ""
    body: bytes = field(default_factory=lambda: json.dumps(price_file()).encode())
    status: int = 200
    served: int = 0


@pytest.fixture
def site() -> Iterator[Site]:
    page = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page.served += 1
            self.send_response(page.status)
            self.end_headers()
            self.wfile.write(page.body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        page.url = f"http://127.0.0.1:{server.server_address[1]}/data.json"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield page
        server.shutdown()
        thread.join()


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "costkit:prices"]


def test_nothing_is_fetched_unless_it_is_asked_for(site: Site) -> None:
    assert PriceBook().cost("gpt-4o", USAGE).usd == Decimal("2.5")
    assert threads() == []
    assert site.served == 0


def test_a_newer_list_arrives_and_its_prices_say_so(site: Site) -> None:
    with PriceBook(refresh_every=MINUTE, refresh_url=site.url) as book:
        until(lambda: book.cost("gpt-4o", USAGE).usd == 7)
        price = book.cost("gpt-4o", USAGE).price
        assert price is not None
        name, _, when = price.source.partition(", refreshed ")
        assert name.startswith("genai-prices ")
        assert abs(datetime.now(UTC) - datetime.fromisoformat(when)) < timedelta(minutes=5)
        assert book.explain("gpt-4o").source == price.source
        # What the new list does not have is unknown, not at the old price.
        assert book.cost("claude-opus-5", USAGE).usd is None
        # Other books keep the list of the package.
        assert PriceBook().cost("gpt-4o", USAGE).usd == Decimal("2.5")


def test_the_first_price_does_not_wait_for_the_network() -> None:
    # A port that nobody listens on, and an address that never answers, are the same to it.
    with PriceBook(refresh_every=MINUTE, refresh_url="http://127.0.0.1:9/data.json") as book:
        assert book.cost("gpt-4o", USAGE).usd == Decimal("2.5")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"[]"),
        (404, b"not found"),
        (200, b"<html>"),
        (200, b"{}"),
        (200, b"[]"),
        (200, b'[{"id": "openai"}]'),
        (200, json.dumps(price_file(-1)).encode()),
        (200, json.dumps(price_file(0, output=0)).encode()),
        (200, json.dumps(price_file({"base": 0, "tiers": [{"start": 10, "price": 0}]}, output=0)).encode()),
        (200, json.dumps(price_file({"base": 1, "tiers": [{"start": 10, "price": -2}]})).encode()),
    ],
)
def test_a_list_that_is_not_sound_changes_nothing(site: Site, status: int, body: bytes) -> None:
    refresher = Refresher(every=MINUTE, url=site.url)
    assert refresher.fetch_once()
    good = refresher._snapshot
    site.status, site.body = status, body
    assert not refresher.fetch_once()
    assert refresher._snapshot is good
    assert good is not None


def test_a_failure_is_logged_once_and_again_after_a_success(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    refresher = Refresher(every=MINUTE, url=site.url)
    with caplog.at_level(logging.WARNING, "lc_costkit.refresh"):
        site.status = 500
        assert [refresher.fetch_once() for _ in range(3)] == [False] * 3
        assert len(caplog.records) == 1
        assert "stays in use" in caplog.text
        site.status = 200
        assert refresher.fetch_once()
        site.status = 500
        refresher.fetch_once()
        assert len(caplog.records) == 2


def test_it_is_fetched_again_and_again(site: Site) -> None:
    refresher = Refresher(every=timedelta(milliseconds=20), url=site.url, shortest=timedelta(0))
    until(lambda: refresher.latest() is not None)
    first = refresher.latest()
    site.body = json.dumps(price_file(8)).encode()
    until(lambda: refresher.latest() is not first)
    refresher.close()
    until(lambda: not threads())
    served = site.served
    assert refresher.latest() is not None
    time.sleep(0.1)
    assert site.served == served


def test_closing_ends_the_thread_and_keeps_the_list(site: Site) -> None:
    book = PriceBook(refresh_every=MINUTE, refresh_url=site.url)
    until(lambda: book.cost("gpt-4o", USAGE).usd == 7)
    book.close()
    book.close()
    until(lambda: not threads())
    assert book.cost("gpt-4o", USAGE).usd == 7
    assert threads() == []


def test_a_book_that_is_forgotten_ends_its_thread(site: Site) -> None:
    book = PriceBook(refresh_every=MINUTE, refresh_url=site.url)
    book.cost("gpt-4o", USAGE)
    until(threads)
    del book
    gc.collect()
    until(lambda: not threads())


def test_a_book_may_be_forgotten_while_a_server_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        book = PriceBook(refresh_every=timedelta.max, refresh_url=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        book.cost("gpt-4o", USAGE)
        until(threads)
        (fetching,) = threads()
        del book
        gc.collect()
        # Nobody waited: the thread is still asking.
        assert fetching.is_alive()
    until(lambda: not threads())


def test_a_refresh_that_never_comes_is_waited_for(site: Site) -> None:
    with PriceBook(refresh_every=timedelta.max, refresh_url=site.url) as book:
        until(lambda: book.cost("gpt-4o", USAGE).usd == 7)
        time.sleep(0.05)
        assert [thread.is_alive() for thread in threads()] == [True]


def test_many_threads_start_one(site: Site) -> None:
    with PriceBook(refresh_every=MINUTE, refresh_url=site.url) as book:
        workers = [threading.Thread(target=lambda: book.cost("gpt-4o", USAGE)) for _ in range(16)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert len(threads()) <= 1
        until(lambda: site.served == 1)


def test_a_pickled_book_refreshes_in_its_own_right(site: Site) -> None:
    with PriceBook(refresh_every=MINUTE, refresh_url=site.url) as book:
        until(lambda: book.cost("gpt-4o", USAGE).usd == 7)
        site.body = json.dumps(price_file(8)).encode()
        with pickle.loads(pickle.dumps(book)) as copy:  # noqa: S301
            until(lambda: copy.cost("gpt-4o", USAGE).usd == 8)
        assert book.cost("gpt-4o", USAGE).usd == 7


def _in_a_fork(book: PriceBook, answer: Any) -> None:
    deadline = time.monotonic() + 20
    while book.cost("gpt-4o", USAGE).usd != 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    answer.put(str(book.cost("gpt-4o", USAGE).usd))
    book.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_refreshes_again(site: Site) -> None:
    context = multiprocessing.get_context("fork")
    with PriceBook(refresh_every=MINUTE, refresh_url=site.url) as book:
        until(lambda: book.cost("gpt-4o", USAGE).usd == 7)
        site.body = json.dumps(price_file(8)).encode()
        answer = context.Queue()
        child = context.Process(target=_in_a_fork, args=(book, answer))
        child.start()
        assert answer.get(timeout=30) == "8"
        child.join(30)
        assert child.exitcode == 0
        assert book.cost("gpt-4o", USAGE).usd == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"refresh_every": 3600}, "refresh_every must be a timedelta"),
        ({"refresh_every": timedelta(seconds=1)}, "too often"),
        ({"refresh_every": MINUTE, "refresh_url": "ftp://x"}, "must begin with http"),
        ({"refresh_url": "http://x"}, "does nothing without refresh_every"),
    ],
)
def test_bad_input_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        PriceBook(**arguments)
