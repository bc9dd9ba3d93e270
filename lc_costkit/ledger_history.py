"""How is what a ledger holds read, audited, corrected and added to beside its calls?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar, get_args

from sqlalchemy import Connection, Delete, Engine, Select, Table, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from lc_costkit.correcting import REJECTIONS, Corrector, Progress, rejected_calls
from lc_costkit.errors import ConfigurationError, StoreError, shown
from lc_costkit.fixed import FixedCost
from lc_costkit.fixed_lines import put_line
from lc_costkit.pricing import PriceBook
from lc_costkit.record import CallRecord, Correction, Score
from lc_costkit.repriced import Repricing
from lc_costkit.repricing import reading_of
from lc_costkit.rows import (
    CALLS,
    CORRECTIONS,
    FIXED_COSTS,
    SCORES,
    UNREADABLE,
    correction_from,
    from_row,
    instant_text,
)
from lc_costkit.selection import call_id_of, narrowed
from lc_costkit.store import PATIENT_SECONDS, cannot_use, describe, patiently, problems, writing
from lc_costkit.turns import Turn
from lc_costkit.usage import Basis

_PAGE = 1000

_T = TypeVar("_T")


class LedgerHistory:
    """What a ``Ledger`` can do with calls that were recorded; a part of it."""

    read_only: bool
    _engine: Engine
    _turn: Turn
    _schema: int
    _closed: bool

    def flush(self) -> bool:
        """Wait until every call handed over so far is in the store."""
        raise NotImplementedError

    def reprice(
        self,
        prices: PriceBook | None = None,
        *,
        since: datetime | date | None = None,
        until: datetime | date | None = None,
        dry_run: bool = False,
        progress: Progress | None = None,
        **equal: str,
    ) -> Repricing:
        """Price recorded calls again, each at the prices of the moment it was made.

        For a price list that was wrong, a price of your own that came late, or calls that had no
        price. What a call cost before is kept (see ``corrections``). What was counted as an
        estimate stays one. Other calls can be made and recorded meanwhile, and a correction
        that was broken off is taken up by running it again.

        A call keeps its cost where ``prices`` has no price for it, where it has only the public
        one but the call was priced at one of your own, and where its amount was recorded without
        a price. Savings are worked out again where the record says what they rest on: what the
        router and the pruner saved, observed hits, and checks of the cache. What a hit saved stays
        as it is: it is what the stored answer cost when it was made. Where ``prices`` does not have the
        model that the router or the pruner compares with, or schema 1 did not name it, what was pruned
        keeps its amount, and what the other target would have cost stays what it was. So it does for an answer
        that a cascade threw away: it was taken back with the call that replaced it, and what is lost is the
        corrected cost.

        Args:
            prices: the prices that hold; the public price list by default.
            since: the earliest start (aware, or a UTC date).
            until: the first moment not included.
            dry_run: say what would change, and write nothing.
            progress: called with how many calls were looked at and how many there are.
            **equal: ``feature="support"`` and the like, as in ``records``; also ``tag``.

        Raises:
            ConfigurationError: an unknown filter, a time without a zone, or no ``PriceBook``.
            StoreError: the store cannot be read or written to; what was written stays written.
        """
        if prices is not None and not isinstance(prices, PriceBook):
            raise ConfigurationError(f"prices must be a PriceBook, not {prices!r}")
        self._open(to_write=not dry_run)
        self.flush()
        size = next(self._rows(narrowed(_SIZE, since, until, equal)))
        query = narrowed(select(CALLS).where(CALLS.c.seq <= (size["newest"] or 0)), since, until, equal)
        work = Corrector(
            self._engine,
            turn=self._turn,
            prices=prices or PriceBook(),
            dry_run=dry_run,
            tag=equal.get("tag"),
            rejected=rejected_calls(self._rows(REJECTIONS)),
        )
        try:
            return work.run(self._rows(query), total=size["calls"], progress=progress)
        except SQLAlchemyError as error:
            raise StoreError(cannot_use(self._engine.url, error)) from error

    def corrections(self, call_id: str | None = None) -> Iterator[Correction]:
        """Yield what calls were priced at before ``reprice`` changed it, in the order of the changes.

        Args:
            call_id: only those of one call.

        Raises:
            StoreError: the store cannot be read.
        """
        if self._schema < 2:
            return
        query = select(CORRECTIONS)
        if call_id is not None:
            query = query.where(CORRECTIONS.c.call_id == call_id)
        yield from (self._read_as("correction", correction_from, row) for row in self._rows(query))

    def set_fixed_cost(self, cost: FixedCost) -> None:
        """Keep a line that is paid by the month; reports show its share of their period.

        One of the same name and first day is replaced. For another price from some day on, set the
        line again with ``until``, and a second one ``since`` that day.

        Raises:
            ConfigurationError: not a ``FixedCost``, or a line of this name is paid on the same days.
            StoreError: the store cannot be written to.
        """
        if not isinstance(cost, FixedCost):
            raise ConfigurationError(f"a fixed cost must be a FixedCost, not {cost!r}")
        self._change(lambda connection: put_line(connection, cost))

    def remove_fixed_cost(self, name: str) -> int:
        """Forget all lines of this name, as if they had never been paid; return how many there were.

        To end a line, set it again with ``until``.

        Raises:
            StoreError: the store cannot be written to.
        """
        return self._change(lambda connection: connection.execute(_remove(name)).rowcount)

    def fixed_costs(self) -> tuple[FixedCost, ...]:
        """Return the lines that are paid by the month, in the order of their names and first days.

        Raises:
            StoreError: the store cannot be read.
        """
        if self._schema < 2:
            return ()
        lines = [self._read_as("fixed cost", FixedCost.from_dict, row) for row in self._rows(select(FIXED_COSTS))]
        return tuple(sorted(lines, key=lambda line: (line.name, line.since)))

    def score(self, call_id: str, value: float, *, note: str | None = None) -> None:
        """Attach feedback to a call; several scores of one call are all kept.

        Args:
            call_id: of the record; or an answer's ``id`` as LangChain gives it (``lc_run--...``). OpenAI's Responses
                API puts an id of its own there, and an answer from a cache has none: their records are found by
                ``records(trace_id=str(run_id))`` with a ``run_id`` that you gave in the config, or by a ``tag``.
                So are LlamaIndex's, whose answers have no id: ``instrument_tags({"tags": ["answer-7"]})``.
            value: on a scale of your own; policies read 0 (useless) to 1 (right).
            note: in words.

        Raises:
            ConfigurationError: ``value`` is not a finite number, or no such call is recorded.
            StoreError: the store cannot be written to.
        """
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ConfigurationError(f"a score must be a finite number, not {value!r}")
        if not isinstance(call_id, str):
            raise ConfigurationError(
                f"a call is named by its id, not by {shown(call_id)}; write ledger.score(answer.id, {value!r}), "
                "or find the record by its trace_id or a tag where an answer has no id, as one from a cache"
            )
        given, call_id = call_id, call_id_of(call_id)

        def add(connection: Connection) -> None:
            known = connection.execute(select(CALLS.c.seq).where(CALLS.c.call_id == call_id)).first()
            if known is None:
                raise ConfigurationError(f"no call {given!r} in {describe(self._engine)}; call ids are on the records")
            row = {"call_id": call_id, "value": value, "note": note, "scored_at": instant_text(datetime.now(UTC))}
            connection.execute(insert(SCORES), row)

        self._change(add)

    def _change(self, write: Callable[[Connection], _T]) -> _T:
        self._open(to_write=True)
        self.flush()
        try:
            with self._turn, writing(self._engine, wait_seconds=PATIENT_SECONDS) as connection:
                return write(connection)
        except SQLAlchemyError as error:
            raise StoreError(f"{describe(self._engine)} cannot be written to: {cause_of(error)}") from error

    def scores(self, call_id: str | None = None) -> list[Score]:
        """Return the feedback on one call, named as ``score`` takes it, or on all, in the order it came."""
        query = select(SCORES)
        if call_id is not None:
            query = query.where(SCORES.c.call_id == call_id_of(call_id))
        return [
            Score(
                call_id=row["call_id"],
                value=row["value"],
                note=row["note"],
                scored_at=datetime.fromisoformat(row["scored_at"]),
            )
            for row in self._rows(query)
        ]

    def check(self) -> list[str]:
        """Return what is wrong with the store, in words; an empty list is a clean one."""
        found = problems(self._engine)
        if found:
            return found
        try:
            for row in self._rows(select(CALLS)):
                found.extend(_row_problems(row))
            for what, table in (("score", SCORES), ("correction", CORRECTIONS)):
                if table is SCORES or self._schema >= 2:
                    found.extend(
                        f"a {what} (row {row['seq']}) is for call {row['call_id']!r}, which is not there"
                        for row in self._rows(_orphans(table))
                    )
            if self._schema >= 2:
                for row in self._rows(select(CORRECTIONS)):
                    found.extend(_problem("correction", correction_from, row))
                for row in self._rows(select(FIXED_COSTS)):
                    found.extend(_problem("fixed cost", FixedCost.from_dict, row))
        except StoreError as error:
            found.append(str(error))
        return found

    def _open(self, *, to_write: bool = False) -> None:
        if self._closed:
            raise StoreError(f"the ledger {describe(self._engine)} is closed")
        if to_write and self.read_only:
            raise StoreError(
                f"the ledger {describe(self._engine)} was opened with read_only=True, which writes nothing"
            )

    @staticmethod
    def _read(row: Mapping[str, Any]) -> CallRecord:
        try:
            return from_row(row)
        except UNREADABLE as error:
            raise StoreError(
                f"call {row['call_id']!r} (row {row['seq']}) cannot be read: {error}; see what check() says of it"
            ) from error

    @staticmethod
    def _read_as(what: str, read: Callable[[Mapping[str, Any]], _T], row: Mapping[str, Any]) -> _T:
        try:
            return read(row)
        except UNREADABLE as error:
            raise StoreError(f"{_named(what, row)} cannot be read: {error}; see what check() says of it") from error

    def _rows(self, query: Select[Any]) -> Iterator[Mapping[str, Any]]:
        # In pages, so that no connection is held while the caller does something with a row.
        self._open()
        self.flush()
        paged = "seq" in query.selected_columns
        last = 0
        while True:
            page = query
            if paged:
                seq = query.selected_columns["seq"]
                page = query.where(seq > last).order_by(seq).limit(_PAGE)
            try:
                with self._engine.connect() as connection, patiently(connection):
                    rows = [dict(row) for row in connection.execute(page).mappings()]
            except SQLAlchemyError as error:
                raise StoreError(cannot_use(self._engine.url, error, verb="read")) from error
            yield from rows
            if not paged or len(rows) < _PAGE:
                return
            last = rows[-1]["seq"]


_SIZE: Any = select(func.count().label("calls"), func.max(CALLS.c.seq).label("newest"))


def _remove(name: str) -> Delete:
    return delete(FIXED_COSTS).where(FIXED_COSTS.c.name == name)


def _row_problems(row: Mapping[str, Any]) -> list[str]:
    call = f"call {row['call_id']!r} (row {row['seq']})"
    try:
        record = from_row(row)
        reading_of(record)  # what it is priced again by
    except UNREADABLE as error:
        return [f"{call} cannot be read: {error}"]
    found = []
    if record.cost.basis not in get_args(Basis):
        found.append(f"{call} has an unknown basis {record.cost.basis!r}")
    if (record.cost.usd is None) != (record.cost.basis == "unpriced"):
        found.append(f"{call} has basis {record.cost.basis!r} and cost {record.cost.usd}")
    if (record.usage.total_input, record.usage.total_output) != (row["input_tokens"], row["output_tokens"]):
        found.append(f"{call} has token totals that are not the sum of its usage")
    return found


def _problem(what: str, read: Callable[[Mapping[str, Any]], object], row: Mapping[str, Any]) -> list[str]:
    try:
        read(row)
    except UNREADABLE as error:
        return [f"{_named(what, row)} cannot be read: {error}"]
    return []


def _named(what: str, row: Mapping[str, Any]) -> str:
    whose = f" of call {row['call_id']!r}" if "call_id" in row else f" {row['name']!r}"
    return f"a {what}{whose} (row {row['seq']})"


def _orphans(table: Table) -> Select[Any]:
    joined = select(table).join(CALLS, CALLS.c.call_id == table.c.call_id, isouter=True)
    return joined.where(CALLS.c.call_id.is_(None))


def cause_of(error: Exception) -> str:
    """Return the first line of what the database said."""
    original = getattr(error, "orig", None) or error
    return str(original).strip().partition("\n")[0] or type(original).__name__
