"""In which tables did the first version keep a ledger? Never to be changed: files of it are out there."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
)

from lc_costkit.versions import prepare_schema

TABLES = MetaData()
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

CALLS = Table(
    "costkit_calls",
    TABLES,
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
    TABLES,
    Column("seq", _NUMBER, primary_key=True, autoincrement=True),
    Column("call_id", Text, ForeignKey("costkit_calls.call_id"), nullable=False, index=True),
    Column("value", Float(53), nullable=False),
    Column("note", Text),
    Column("scored_at", String(32), nullable=False),
)

_PLAIN: dict[str, Any] = {
    "started_at": "2026-11-20T12:00:00.000000+00:00",
    "latency_seconds": 1.5,
    "framework": "langchain",
    "operation": "chat",
    "provider": "openai",
    "side_cost_basis": "exact",
    "cache": "none",
    "interrupted": False,
    "streamed": False,
}
_PRICE = {
    "model": "gpt-4o",
    "provider": "openai",
    "source": "genai-prices 0.2.3",
    "at": "2026-11-20T12:00:00+00:00",
    "rates": {"input_tokens": "2.5", "output_tokens": "10"},
    "requests": {},
    "per_call": "0",
    "notes": [],
}

ROWS: list[dict[str, Any]] = [
    {
        **_PLAIN,
        "call_id": "priced",
        "model_asked": "gpt-4o",
        "model_answered": "gpt-4o-2024-08-06",
        "input_tokens": 1000,
        "output_tokens": 100,
        "usage": json.dumps({"input_tokens": 1000, "output_tokens": 100}),
        "cost_usd": "0.0035",
        "cost_basis": "exact",
        "price": json.dumps([_PRICE]),
        "feature": "support",
        "tags": json.dumps(["a"]),
        "metadata": json.dumps({"region": "eu"}),
        "saved": json.dumps([{"part": "route", "usd": "0.01", "basis": "estimated"}]),
        "question": "Why?",
        "answer": "So.",
    },
    {
        **_PLAIN,
        "call_id": "unpriced",
        "model_asked": "house-model",
        "model_answered": "house-model",
        "input_tokens": 2000,
        "output_tokens": 200,
        "usage": json.dumps({"input_tokens": 2000, "output_tokens": 200}),
        "cost_basis": "unpriced",
        "cost_reasons": json.dumps(["no price is known for model 'house-model'"]),
    },
    {
        **_PLAIN,
        "call_id": "guessed",
        "model_asked": "house-model",
        "input_tokens": 10,
        "output_tokens": 0,
        "usage": json.dumps({"input_tokens": 10}),
        "cost_basis": "unpriced",
        "interrupted": True,
        "error": "CancelledError",
    },
]


def make(engine: Engine) -> None:
    """Fill a store as the first version did."""
    prepare_schema(engine, "ledger", 1, TABLES)
    with engine.begin() as connection:
        for row in ROWS:
            connection.execute(insert(CALLS).values(**row))
        score = {"call_id": "priced", "value": 0.5, "note": "fine", "scored_at": "2026-11-20T13:00:00.000000+00:00"}
        connection.execute(insert(SCORES).values(**score))
