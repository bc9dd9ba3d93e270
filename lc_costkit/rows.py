"""How does a record become a row of the ledger, and a row a record?

Money is stored as decimal text, so that a sum over the ledger is exact to the last
digit whatever the price of a token.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from lc_costkit.pricing import AppliedPrice, Cost
from lc_costkit.record import CallRecord, Correction, Saving
from lc_costkit.usage import TokenUsage

LEDGER_SCHEMA = 2
"""Raised with every change of the tables below."""

UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError)
"""What is raised where a row does not hold what the kit writes."""

LEDGER_TABLES = MetaData()

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

CALLS = Table(
    "costkit_calls",
    LEDGER_TABLES,
    Column("seq", _NUMBER, primary_key=True, autoincrement=True),
    Column("call_id", Text, nullable=False, unique=True),
    Column("trace_id", Text),
    Column("parent_id", Text),
    Column("started_at", String(32), nullable=False),
    Column("latency_seconds", Float(53), nullable=False),
    Column("first_token_seconds", Float(53)),
    Column("framework", String(16), nullable=False),
    Column("operation", String(16), nullable=False),
    Column("provider", Text),
    Column("model_asked", Text),
    Column("model_answered", Text),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("usage", Text),
    Column("cost_usd", Text),
    Column("cost_low_usd", Text),
    Column("cost_high_usd", Text),
    Column("cost_basis", String(16), nullable=False),
    Column("cost_reasons", Text),
    Column("price", Text),
    Column("billing", Text),
    Column("side_cost_usd", Text),
    Column("side_cost_basis", String(16), nullable=False),
    Column("cache", String(16), nullable=False),
    Column("cache_tier", String(16)),
    Column("cache_entry_id", BigInteger),
    Column("similarity", Float(53)),
    Column("cache_reason", Text),
    Column("saved", Text),
    Column("route", Text),
    Column("route_score", Float(53)),
    Column("route_reasons", Text),
    Column("feature", Text),
    Column("user_id", Text),
    Column("team", Text),
    Column("tags", Text),
    Column("metadata", Text),
    Column("question_hash", String(64)),
    Column("prefix_hashes", Text),
    Column("tokens_by_part", Text),
    Column("error", Text),
    Column("interrupted", Boolean, nullable=False),
    Column("streamed", Boolean, nullable=False),
    Column("question", Text),
    Column("answer", Text),
    Index("costkit_calls_started_at", "started_at"),
    Index("costkit_calls_trace_id", "trace_id"),
)

SCORES = Table(
    "costkit_scores",
    LEDGER_TABLES,
    Column("seq", _NUMBER, primary_key=True, autoincrement=True),
    Column("call_id", Text, ForeignKey("costkit_calls.call_id"), nullable=False, index=True),
    Column("value", Float(53), nullable=False),
    Column("note", Text),
    Column("scored_at", String(32), nullable=False),
)

CORRECTIONS = Table(
    "costkit_corrections",
    LEDGER_TABLES,
    Column("seq", _NUMBER, primary_key=True, autoincrement=True),
    Column("call_id", Text, ForeignKey("costkit_calls.call_id"), nullable=False, index=True),
    Column("corrected_at", String(32), nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
)
"""What calls were priced at before: ``before`` and ``after`` hold the columns that changed, as JSON."""

FIXED_COSTS = Table(
    "costkit_fixed_costs",
    LEDGER_TABLES,
    Column("seq", _NUMBER, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("usd_per_month", Text, nullable=False),
    Column("since", String(10), nullable=False),
    Column("until", String(10)),
    UniqueConstraint("name", "since", name="uq_costkit_fixed_costs"),
)

# Fields stored as they are, by column.
_AS_IS = {
    column: column
    for column in [
        "call_id",
        "trace_id",
        "parent_id",
        "latency_seconds",
        "first_token_seconds",
        "framework",
        "operation",
        "provider",
        "model_asked",
        "model_answered",
        "side_cost_basis",
        "cache",
        "cache_tier",
        "cache_entry_id",
        "similarity",
        "cache_reason",
        "route",
        "route_score",
        "feature",
        "team",
        "question_hash",
        "error",
        "interrupted",
        "streamed",
        "question",
        "answer",
    ]
} | {"user_id": "user"}

# Fields stored as JSON, and what they are read back as.
_AS_JSON: dict[str, Callable[[Any], Any]] = {
    "billing": lambda value: value or {},
    "route_reasons": lambda value: tuple(value or ()),
    "tags": lambda value: tuple(value or ()),
    "metadata": lambda value: value or {},
    "tokens_by_part": lambda value: value or {},
}


_GET_AS_IS = attrgetter(*_AS_IS.values())
_GET_AS_JSON = attrgetter(*_AS_JSON)

COLUMNS = (
    *_AS_IS,
    *_AS_JSON,
    "started_at",
    "input_tokens",
    "output_tokens",
    "usage",
    "cost_usd",
    "cost_low_usd",
    "cost_high_usd",
    "cost_basis",
    "cost_reasons",
    "price",
    "side_cost_usd",
    "saved",
    "prefix_hashes",
)
"""All columns but ``seq``, which the database gives."""

# json.dumps would build an encoder for every value.
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


_PRICE_FIELDS = tuple(one.name for one in fields(AppliedPrice) if one.name != "at")
_PRICE_OF = attrgetter(*_PRICE_FIELDS)
_SOME_MOMENT = datetime(1, 1, 1, tzinfo=UTC)


def instant_text(moment: datetime) -> str:
    """Write an aware time so that text sorts as time does (UTC, microseconds)."""
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat(timespec="microseconds")


def to_values(record: CallRecord) -> tuple[Any, ...]:
    """Return the column values of ``record``, in the order of ``COLUMNS``."""
    cost, usage = record.cost, record.usage
    return (
        *_GET_AS_IS(record),
        *[_ENCODE(value) if value else None for value in _GET_AS_JSON(record)],
        instant_text(record.started_at),
        usage.total_input,
        usage.total_output,
        _json_or_none(usage.to_dict()),
        *cost_values(cost).values(),
        str(record.side_cost_usd) if record.side_cost_usd else None,
        savings_text(record.saved),
        " ".join(record.prefix_hashes) or None,
    )


def cost_values(cost: Cost) -> dict[str, Any]:
    """Return the columns that hold a cost."""
    return {
        "cost_usd": _text_or_none(cost.usd),
        "cost_low_usd": _text_or_none(cost.low),
        "cost_high_usd": _text_or_none(cost.high),
        "cost_basis": cost.basis,
        "cost_reasons": _json_or_none(cost.reasons),
        "price": None if cost.price is None else f"[{','.join(map(_price_text, (cost.price, *cost.also)))}]",
    }


def cost_from(row: Mapping[str, Any]) -> Cost:
    """Read a cost back.

    Raises:
        ValueError: a column does not hold what ``cost_values`` gives.
    """
    prices = [AppliedPrice.from_dict(price) for price in _json_value(row["price"]) or ()]
    return Cost(
        usd=_decimal_or_none(row["cost_usd"]),
        basis=row["cost_basis"],
        price=prices[0] if prices else None,
        reasons=tuple(_json_value(row["cost_reasons"]) or ()),
        also=tuple(prices[1:]),
        low=_decimal_or_none(row["cost_low_usd"]),
        high=_decimal_or_none(row["cost_high_usd"]),
    )


def from_row(row: Mapping[str, Any]) -> CallRecord:
    """Read a record back.

    Raises:
        ValueError: a column does not hold what ``to_values`` gives.
    """
    values: dict[str, Any] = {name: row[column] for column, name in _AS_IS.items()}
    for name, read in _AS_JSON.items():
        values[name] = read(_json_value(row[name]))
    values["started_at"] = datetime.fromisoformat(row["started_at"])
    values["usage"] = TokenUsage.from_dict(_json_value(row["usage"]) or {})
    values["cost"] = cost_from(row)
    values["side_cost_usd"] = _decimal_or_none(row["side_cost_usd"]) or Decimal(0)
    values["saved"] = savings_from_text(row["saved"])
    values["prefix_hashes"] = tuple((row["prefix_hashes"] or "").split())
    return CallRecord(**values)


def correction_value(cost: Cost, saved: tuple[Saving, ...]) -> str:
    """Write one side of a correction."""
    return _ENCODE({**cost_values(cost), "saved": savings_text(saved)})


def correction_from(row: Mapping[str, Any]) -> Correction:
    """Read a correction back.

    Raises:
        ValueError: a column does not hold what ``correction_value`` writes.
    """
    before, after = _json_value(row["before"]), _json_value(row["after"])
    return Correction(
        call_id=row["call_id"],
        corrected_at=datetime.fromisoformat(row["corrected_at"]),
        before=cost_from(before),
        after=cost_from(after),
        saved_before=savings_from_text(before["saved"]),
        saved_after=savings_from_text(after["saved"]),
    )


def storable(value: Any) -> Any:
    """Replace what some databases refuse in a text (lone surrogates, NUL) by ``?``."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "?")


def savings_from_text(text: str | None) -> tuple[Saving, ...]:
    """Read the ``saved`` column."""
    return tuple(
        Saving(
            part=data["part"],
            usd=_decimal_or_none(data.get("usd")),
            basis=data["basis"],
            tokens=data.get("tokens", 0),
            hypothetical=data.get("hypothetical", False),
            model=data.get("model"),
            provider=data.get("provider"),
            cached_tokens=data.get("cached_tokens", 0),
            lost=data.get("lost", False),
            takes_back=data.get("takes_back"),
        )
        for data in _json_value(text) or ()
    )


def savings_text(saved: tuple[Saving, ...]) -> str | None:
    """Write the ``saved`` column."""
    return _ENCODE([_saving_data(saving) for saving in saved]) if saved else None


def _saving_data(saving: Saving) -> dict[str, Any]:
    data: dict[str, Any] = {"part": saving.part, "usd": _text_or_none(saving.usd), "basis": saving.basis}
    if saving.tokens:
        data["tokens"] = saving.tokens
    if saving.hypothetical:
        data["hypothetical"] = True
    if saving.model:
        data["model"] = saving.model
    if saving.provider:
        data["provider"] = saving.provider
    if saving.cached_tokens:
        data["cached_tokens"] = saving.cached_tokens
    if saving.lost:
        data["lost"] = True
    if saving.takes_back:
        data["takes_back"] = saving.takes_back
    return data


def _price_text(price: AppliedPrice) -> str:
    before, after = _around_moment(_PRICE_OF(price))
    return f"{before}{price.at.isoformat()}{after}"


@lru_cache(maxsize=256)
def _around_moment(values: tuple[Any, ...]) -> tuple[str, str]:
    """Write all of a price but its moment: the other parts are the same for most calls of a model."""
    price = AppliedPrice(**dict(zip(_PRICE_FIELDS, values, strict=True)), at=_SOME_MOMENT)
    before, _, after = _ENCODE({"at": None, **price.to_dict()}).partition(_SOME_MOMENT.isoformat())
    return before, after


def _json_or_none(value: Any) -> str | None:
    if not value:
        return None
    return _ENCODE(value)


def _json_value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _text_or_none(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def amount_from(text: str) -> Decimal:
    """Read an amount of money.

    Raises:
        ValueError: it is none.
    """
    try:
        amount = Decimal(text)
    except ArithmeticError as error:
        raise ValueError(f"not an amount of money: {text!r}") from error
    if not amount.is_finite():
        raise ValueError(f"not an amount of money: {text!r}")
    return amount


def _decimal_or_none(text: str | None) -> Decimal | None:
    return None if text is None else amount_from(text)
