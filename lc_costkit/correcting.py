"""How is what calls cost corrected, so that nothing is lost and nobody waits?

What a call was priced at before goes to a table of its own, in the transaction that writes
what it costs now. A batch is one short transaction: a correction that is broken off is
taken up where it was by running it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any

from sqlalchemy import Engine, bindparam, insert, select, update

from lc_costkit.cost import EXACTLY, Cost
from lc_costkit.model_groups import ModelNames
from lc_costkit.pricing import PriceBook
from lc_costkit.record import CallRecord
from lc_costkit.repriced import RepricedModel, Repricing
from lc_costkit.repricing import Repriced, reprice, same_amount
from lc_costkit.rows import (
    CALLS,
    CORRECTIONS,
    UNREADABLE,
    correction_value,
    cost_values,
    from_row,
    instant_text,
    savings_from_text,
    savings_text,
    storable,
)
from lc_costkit.selection import has_tag
from lc_costkit.store import PATIENT_SECONDS, writing

_BATCH = 200
"""Corrections in one transaction: some 20 ms in which other writers wait, of the 250 that a call waits at most."""

_CORRECTED = ("cost_usd", "cost_low_usd", "cost_high_usd", "cost_basis", "cost_reasons", "price", "saved")

Progress = Callable[[int, int], None]
"""Told after each page how many calls were looked at, of how many."""

_UPDATE = (
    update(CALLS)
    .where(CALLS.c.seq == bindparam("this"))
    .values({name: bindparam(f"new_{name}") for name in _CORRECTED})
)


REJECTIONS = select(CALLS.c.seq, CALLS.c.saved).where(CALLS.c.saved.like('%"takes_back"%'))
"""What says of calls that their answers were thrown away."""


def rejected_calls(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the calls whose answers were thrown away, and the part that did, from what ``REJECTIONS`` finds.

    Of all calls, whichever are corrected: what was counted for these was taken back at the prices of then.
    """
    rejected: dict[str, str] = {}
    for row in rows:
        try:
            rejected |= {one.takes_back: one.part for one in savings_from_text(row["saved"]) if one.takes_back}
        except UNREADABLE:
            continue
    return rejected


@dataclass(frozen=True, slots=True)
class _Change:
    row: Mapping[str, Any]
    record: CallRecord
    now: Repriced


class Corrector:
    """Prices recorded calls again and writes what changed.

    Args:
        engine: the ledger's.
        turn: held while writing (see ``turns.py``).
        prices: the prices that hold.
        dry_run: write nothing.
        tag: look at calls with this tag only.
        rejected: the part that threw an answer away, by the call that gave it (see ``rejected_calls``).
    """

    def __init__(
        self,
        engine: Engine,
        *,
        turn: AbstractContextManager[object],
        prices: PriceBook,
        dry_run: bool,
        tag: str | None = None,
        rejected: Mapping[str, str] | None = None,
    ) -> None:
        self._engine = engine
        self._turn = turn
        self._prices = prices
        self._dry_run = dry_run
        self._tag = tag
        self._rejected = rejected or {}
        self._sums = _Sums()

    def run(self, rows: Iterable[Mapping[str, Any]], *, total: int, progress: Progress | None) -> Repricing:
        """Look at rows of the ledger, in the order they were written.

        Args:
            rows: all columns of each call.
            total: how many there are, for ``progress``.
            progress: told how far it is.
        """
        batch: list[_Change] = []
        seen = 0
        for row in rows:
            seen += 1
            change = self._change(row)
            if change is not None:
                batch.append(change)
            if len(batch) >= _BATCH:
                self._write(batch)
                batch = []
            if progress is not None and seen % _BATCH == 0:
                progress(seen, total)
        self._write(batch)
        if progress is not None:
            progress(seen, total)
        return self._sums.result(dry_run=self._dry_run)

    def _change(self, row: Mapping[str, Any]) -> _Change | None:
        try:
            if not has_tag(row, self._tag):
                return None
            record = from_row(row)
            now = reprice(record, self._prices, rejected_by=self._rejected.get(record.call_id))
        except UNREADABLE:
            self._sums.unreadable += 1
            return None
        changed = not same_amount(now.cost, record.cost) or now.saved != record.saved
        change = _Change(row, record, now)
        if changed and not self._dry_run:
            return change
        self._sums.add(change, changed=changed)
        return None

    def _write(self, batch: Sequence[_Change]) -> None:
        while batch:
            written, meanwhile = self._written(batch)
            for change in written:
                self._sums.add(change, changed=True)
            # Corrected by somebody else since they were read.
            again = map(self._change, meanwhile)
            batch = [change for change in again if change is not None]

    def _written(self, batch: Sequence[_Change]) -> tuple[list[_Change], list[Mapping[str, Any]]]:
        numbers = [change.row["seq"] for change in batch]
        # On a server another correction may be under way; SQLite lets only one write.
        query = select(CALLS).where(CALLS.c.seq.in_(numbers)).order_by(CALLS.c.seq).with_for_update()
        with self._turn, writing(self._engine, wait_seconds=PATIENT_SECONDS) as connection:
            found = {row["seq"]: dict(row) for row in connection.execute(query).mappings()}
            valid = [change for change in batch if _same(found.get(change.row["seq"]), change.row)]
            if valid:
                connection.execute(_UPDATE, [_update_of(change) for change in valid])
                connection.execute(insert(CORRECTIONS), [_correction_of(change) for change in valid])
        done = {change.row["seq"] for change in valid}
        return valid, [row for seq, row in found.items() if seq not in done]


def _same(found: Mapping[str, Any] | None, read: Mapping[str, Any]) -> bool:
    return found is not None and all(found[name] == read[name] for name in _CORRECTED)


def _update_of(change: _Change) -> dict[str, Any]:
    values = {**cost_values(change.now.cost), "saved": savings_text(change.now.saved)}
    return {"this": change.row["seq"], **{f"new_{name}": storable(value) for name, value in values.items()}}


def _correction_of(change: _Change) -> dict[str, Any]:
    return {
        "call_id": change.record.call_id,
        "corrected_at": instant_text(datetime.now(UTC)),
        "before": storable(correction_value(change.record.cost, change.record.saved)),
        "after": storable(correction_value(change.now.cost, change.now.saved)),
    }


class _Sums:
    """What was found, growing call by call."""

    def __init__(self) -> None:
        self._names = ModelNames()
        self._by_model: dict[str, dict[str, Any]] = {}
        self._left: dict[str, int] = {}
        self._savings_left = 0
        self.unreadable = 0

    def add(self, change: _Change, *, changed: bool) -> None:
        before, after = change.record.cost, change.now.cost
        model = self._names.of(change.row)
        sums = self._by_model.setdefault(model, dict.fromkeys(_COUNTS, 0) | dict.fromkeys(_AMOUNTS, Decimal(0)))
        sums["calls"] += 1
        sums["changed"] += changed
        _add(sums, before, "before_usd", "unpriced_before")
        _add(sums, after, "after_usd", "unpriced_after")
        if change.now.left is not None:
            self._left[change.now.left] = self._left.get(change.now.left, 0) + 1
        self._savings_left += change.now.savings_left

    def result(self, *, dry_run: bool) -> Repricing:
        rows = [RepricedModel(model=model, **sums) for model, sums in self._by_model.items()]
        rows.sort(key=lambda row: (-abs(row.difference_usd), -row.changed, row.model))
        with localcontext(EXACTLY):
            total: dict[str, Any] = {name: sum((getattr(row, name) for row in rows), Decimal(0)) for name in _AMOUNTS}
        total |= {name: sum(getattr(row, name) for row in rows) for name in _COUNTS}
        return Repricing(
            dry_run=dry_run,
            by_model=tuple(rows),
            total=RepricedModel(model="total", **total),
            own_prices_kept=self._left.get("own price", 0),
            unknown_kept=self._left.get("no price", 0),
            given_kept=self._left.get("given", 0),
            savings_left=self._savings_left,
            unreadable=self.unreadable,
        )


_COUNTS = ("calls", "changed", "unpriced_before", "unpriced_after")
_AMOUNTS = ("before_usd", "after_usd")


def _add(sums: dict[str, Any], cost: Cost, amount: str, unpriced: str) -> None:
    if cost.usd is None:
        sums[unpriced] += 1
    else:
        with localcontext(EXACTLY):
            sums[amount] += cost.usd
