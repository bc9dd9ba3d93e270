"""The same ledger on a PostgreSQL server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from lc_costkit.errors import StoreError
from lc_costkit.ledger import Ledger
from lc_costkit.pricing import ModelPrice, PriceBook
from lc_costkit.store import open_engine
from lc_costkit.usage import TokenUsage
from tests.support.postgres import start_postgres
from tests.test_ledger import a_call, full_call

DROP_ALL = "DROP TABLE costkit_scores, costkit_corrections, costkit_fixed_costs, costkit_calls, costkit_schema"

pytest.importorskip("pgserver", reason="pgserver has no wheel for this Python")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("pg")
    server = start_postgres(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture
def ledger(address: str) -> Iterator[Ledger]:
    with Ledger(address, record_text=True) as opened:
        yield opened
    engine = open_engine(address)
    with engine.begin() as connection:
        connection.exec_driver_sql(DROP_ALL)
    engine.dispose()


def test_every_field_survives(ledger: Ledger) -> None:
    call, least = full_call(question="plain"), a_call()
    ledger.record(call)
    ledger.record(least)
    assert list(ledger.records()) == [call, least]
    ledger.score(call.call_id, 0.5, note="fine")
    assert [score.value for score in ledger.scores(call.call_id)] == [0.5]
    assert list(ledger.records(tag="a", user="u42")) == [call]
    assert ledger.check() == []
    with pytest.raises(StoreError, match="already holds"):
        ledger.record(least)


def test_characters_that_postgresql_refuses_do_not_lose_the_call(ledger: Ledger) -> None:
    ledger.record(a_call(feature="nul \x00 and \ud800"))
    assert [call.feature for call in ledger.records()] == ["nul ? and ?"]


def test_threads_and_a_buffered_ledger_sum_exactly(ledger: Ledger, address: str) -> None:
    with Ledger(address, buffered=True) as buffered:
        threads = [
            threading.Thread(target=lambda where=where: [where.record(a_call("0.000000001")) for _ in range(50)])  # type: ignore[misc]
            for where in (ledger, ledger, buffered, buffered)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ledger.report("day").total.usd == Decimal("0.000000200")


def test_two_that_open_a_new_server_at_once_agree(address: str, ledger: Ledger) -> None:
    ledger.close()
    engine = open_engine(address)
    with engine.begin() as connection:
        connection.exec_driver_sql(DROP_ALL)
    engine.dispose()
    errors: list[BaseException] = []

    def open_one() -> None:
        try:
            Ledger(address).close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_two_that_correct_the_same_calls_correct_each_once(ledger: Ledger, address: str) -> None:
    usage = TokenUsage(input_tokens=1000)
    for _ in range(300):
        ledger.record(a_call(None, model_asked="house", usage=usage))
    prices = PriceBook(overrides={"house": ModelPrice(input_per_million=1)})
    changed: list[int] = []
    with Ledger(address) as other:
        threads = [
            threading.Thread(target=lambda where=where: changed.append(where.reprice(prices).changed))  # type: ignore[misc]
            for where in (ledger, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(changed) == len(list(ledger.corrections())) == 300
    assert ledger.report().total.usd == Decimal("0.3")
    assert ledger.check() == []
