"""In which tables is a cache kept?"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
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
)

SCHEMA_VERSION = 1

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
    # An id is never given out twice: other processes follow the table by "id above the last one seen".
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
