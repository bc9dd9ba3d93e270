"""Which databases are accounts tried on?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from lc_costkit.budget.schema import BUDGET_TABLES
from lc_costkit.store import open_engine
from tests.support.postgres import start_postgres


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have one worker do all that needs a server: starting one takes longer than most of these tests."""
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        values = getattr(getattr(item, "callspec", None), "params", {}).values()
        if "postgresql" in values or "server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("postgresql"))


@pytest.fixture(scope="session")
def server_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server for the whole run."""
    server = start_postgres(tmp_path_factory.mktemp("pg"))
    try:
        # What a test wrote need not survive a power cut.
        yield f"{server.get_uri()}&options=-csynchronous_commit%3Doff"
    finally:
        server.cleanup()


@pytest.fixture
def server(server_address: str) -> Iterator[str]:
    """The same server without any tables of the kit."""
    yield server_address
    engine = open_engine(server_address)
    with engine.begin() as connection:
        BUDGET_TABLES.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE IF EXISTS costkit_schema")
    engine.dispose()


@pytest.fixture(params=["file", "memory", "file, old SQLite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Every kind of database, one after the other."""
    if request.param == "file, old SQLite":
        # Without RETURNING; what else is old about it is not used.
        monkeypatch.setattr("lc_costkit.budget.transactions._RETURNING_SINCE", (99,))
    address: Callable[[], str] = {
        "memory": lambda: ":memory:",
        "postgresql": lambda: request.getfixturevalue("server"),
    }.get(request.param, lambda: str(tmp_path / "b.db"))
    opened = open_engine(address(), busy_seconds=0.25)
    yield opened
    opened.dispose()
