"""Does a ledger of the first version go on, with nothing lost?"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, select

from lc_costkit.errors import StoreError
from lc_costkit.fixed import FixedCost
from lc_costkit.ledger import Ledger
from lc_costkit.pricing import ModelPrice, PriceBook
from lc_costkit.rows import LEDGER_SCHEMA
from lc_costkit.store import open_engine
from tests import ledger_version_1 as version_1
from tests.support.postgres import start_postgres
from tests.test_ledger import a_call

LINE = FixedCost(name="vector database", usd_per_month="30", since=date(2026, 11, 1))
HOUSE = PriceBook(overrides={"house-model": ModelPrice(input_per_million=1, output_per_million=2)})


def make_old(path_or_url: str | Path) -> None:
    engine = open_engine(path_or_url)
    version_1.make(engine)
    engine.dispose()


def stored(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        found = connection.execute(select(version_1.CALLS).order_by(version_1.CALLS.c.seq)).mappings()
        return [{name: value for name, value in row.items() if value is not None and name != "seq"} for row in found]


def go_on_with(path_or_url: str | Path) -> None:
    """Open an old ledger, and see that all of it is there and all that is new works."""
    with Ledger(path_or_url) as ledger:
        assert stored(ledger.engine) == version_1.ROWS
        assert [score.value for score in ledger.scores("priced")] == [0.5]
        assert ledger.check() == []
        assert (list(ledger.corrections()), ledger.fixed_costs()) == ([], ())
        assert [(row.group, row.requests) for row in ledger.report("model").rows] == [("gpt-4o", 1), ("house-model", 2)]
        ledger.set_fixed_cost(LINE)
        result = ledger.reprice(HOUSE)
        assert (result.calls, result.changed, result.after_usd - result.before_usd) == (3, 2, Decimal("0.00241"))
        before, after = next(ledger.corrections("unpriced")).before, next(ledger.corrections("unpriced")).after
        assert (before.usd, before.reasons) == (None, ("no price is known for model 'house-model'",))
        assert (after.usd, after.basis) == (Decimal("0.0024"), "exact")
        ledger.record(a_call(call_id="new"))
    with Ledger(path_or_url) as ledger:
        assert [record.call_id for record in ledger.records()] == ["priced", "unpriced", "guessed", "new"]
        assert [record.cost.basis for record in ledger.records()] == ["exact", "exact", "estimated", "exact"]
        assert ledger.fixed_costs() == (LINE,)
        assert ledger.check() == []


def test_a_file_of_the_first_version_goes_on(tmp_path: Path) -> None:
    make_old(tmp_path / "l.db")
    go_on_with(tmp_path / "l.db")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = start_postgres(tmp_path_factory.mktemp("pg"))
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def test_a_server_of_the_first_version_goes_on(address: str) -> None:
    make_old(address)
    go_on_with(address)


def test_the_tables_of_a_migrated_file_are_those_of_a_new_one(tmp_path: Path) -> None:
    make_old(tmp_path / "old.db")
    shapes = []
    for name in ("old.db", "new.db"):
        Ledger(tmp_path / name).close()
        engine = open_engine(tmp_path / name)
        found = inspect(engine)
        shapes.append(
            {
                table: (
                    sorted(str({**column, "type": str(column["type"])}) for column in found.get_columns(table)),
                    sorted(str(index) for index in found.get_indexes(table)),
                    sorted(str(unique) for unique in found.get_unique_constraints(table)),
                    sorted(str(key) for key in found.get_foreign_keys(table)),
                )
                for table in found.get_table_names()
            }
        )
        engine.dispose()
    assert shapes[0] == shapes[1]


def test_an_old_ledger_is_read_as_it_is_where_nothing_may_be_written(tmp_path: Path) -> None:
    make_old(tmp_path / "l.db")
    before = (tmp_path / "l.db").read_bytes()
    with Ledger(tmp_path / "l.db", read_only=True) as ledger:
        assert ledger.report().total.usd == Decimal("0.0035")
        assert (list(ledger.corrections()), ledger.fixed_costs()) == ([], ())
        assert ledger.reprice(HOUSE, dry_run=True).changed == 2
        with pytest.raises(StoreError, match="read_only=True"):
            ledger.reprice(HOUSE)
    assert (tmp_path / "l.db").read_bytes() == before


def _open(path: str) -> None:
    with Ledger(path) as ledger:
        ledger.record(a_call())


def test_processes_that_open_an_old_file_at_once_agree(tmp_path: Path) -> None:
    make_old(tmp_path / "l.db")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_open, args=(str(tmp_path / "l.db"),)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 3
    with Ledger(tmp_path / "l.db") as ledger:
        assert len(ledger) == 6
        assert ledger.check() == []


def test_a_process_of_the_first_version_that_is_still_running_goes_on(tmp_path: Path) -> None:
    make_old(tmp_path / "l.db")
    running = open_engine(tmp_path / "l.db")
    with Ledger(tmp_path / "l.db") as ledger:
        with running.begin() as connection:
            row = {**version_1.ROWS[0], "call_id": "late"}
            connection.execute(version_1.CALLS.insert().values(**row))
        assert [record.call_id for record in ledger.records()][-1] == "late"
    running.dispose()


def test_the_version_is_noted(tmp_path: Path) -> None:
    make_old(tmp_path / "l.db")
    with Ledger(tmp_path / "l.db") as ledger, ledger.engine.connect() as connection:
        noted = connection.exec_driver_sql("SELECT component, version FROM costkit_schema").all()
    assert [tuple(row) for row in noted] == [("ledger", LEDGER_SCHEMA)]
