"""In which tables did the first version keep a cache? Never to be changed: files of it are out there."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
)

from lc_costkit.cache.key import CacheKey
from lc_costkit.cache.text import question_hash
from lc_costkit.versions import prepare_schema
from tests.cache.support import WordsEmbedder

TABLES = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")

ENTRIES = Table(
    "cache_entries",
    TABLES,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("namespace", String(255), nullable=False),
    Column("scope", String(128), nullable=False),
    Column("exact", String(128), nullable=False),
    Column("question", Text, nullable=False),
    Column("question_hash", String(128), nullable=False),
    Column("semantic", Boolean, nullable=False),
    Column("payload", Text, nullable=False),
    Column("model", Text),
    Column("usage", Text),
    Column("answer_usd", Text),
    Column("answer_basis", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("used_at", Float, nullable=False),
    Column("hits", Integer, nullable=False),
    UniqueConstraint("namespace", "exact", name="uq_cache_entries_exact"),
    Index("ix_cache_entries_scope", "namespace", "scope", "id"),
    Index("ix_cache_entries_used", "namespace", "used_at"),
    Index("ix_cache_entries_question", "namespace", "question_hash"),
    Index("ix_cache_entries_expiry", "expires_at"),
    sqlite_autoincrement=True,
)
VECTORS = Table(
    "cache_vectors",
    TABLES,
    Column("entry_id", _Id, ForeignKey("cache_entries.id", ondelete="CASCADE"), primary_key=True),
    Column("embedder", String(255), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)
COUNTERS = Table(
    "cache_counters",
    TABLES,
    Column("namespace", String(255), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("value", BigInteger, nullable=False),
)


def make(engine: Engine, keys: list[CacheKey], embedder: WordsEmbedder) -> list[dict[str, Any]]:
    """Fill a store as the first version did; return the rows of its entries."""
    prepare_schema(engine, "cache", 1, TABLES)
    rows = [
        {
            "id": number,
            "namespace": "default",
            "scope": key.scope,
            "exact": key.exact,
            "question": key.question,
            "question_hash": question_hash(key.question),
            "semantic": True,
            "payload": f'"answer {number}"',
            "model": "gpt-4o-mini",
            "usage": '{"input_tokens": 1000, "output_tokens": 100}',
            "answer_usd": "0.00021",
            "answer_basis": "exact",
            "created_at": 1_000_000.5,
            "expires_at": None,
            "used_at": 1_000_001.5,
            "hits": number,
        }
        for number, key in enumerate(keys, start=1)
    ]
    vectors = [
        {"entry_id": row["id"], "embedder": embedder.identity, "vector": np.asarray(vector, np.float32).tobytes()}
        for row, vector in zip(rows, embedder.embed([key.question for key in keys]), strict=True)
    ]
    counters = [{"namespace": "default", "name": name, "value": 7} for name in ("lookups", "hits_exact", "misses")]
    with engine.begin() as connection:
        for row in rows:  # numbered by the database, as it was
            given = {name: value for name, value in row.items() if name != "id"}
            assert connection.execute(insert(ENTRIES).values(**given)).inserted_primary_key == (row["id"],)
        connection.execute(insert(VECTORS), vectors)
        connection.execute(insert(COUNTERS), counters)
    return rows
