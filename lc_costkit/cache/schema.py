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

SCHEMA_VERSION = 3
"""1: entries, vectors, counters. 2: pairs and operating points were added; the tables of 1 are as they were.
3: pairs keep how crowded it was around them; those from before count as in an empty room."""

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
PAIRS = Table(
    "cache_pairs",
    TABLES,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("namespace", String(255), nullable=False),
    Column("decider", String(255), nullable=False),
    # No foreign key: what was seen, and above all its label, outlives the entry.
    Column("entry_id", BigInteger),
    Column("cached", Text, nullable=False),
    Column("new", Text, nullable=False),
    Column("cached_hash", String(64), nullable=False),
    Column("new_hash", String(64), nullable=False),
    Column("pair_hash", String(64), nullable=False),
    Column("similarity", Float),
    Column("score", Float),
    Column("crowd", Float),
    Column("refused_by", String(255)),
    Column("served", Boolean, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("same", Boolean),
    Column("source", String(16)),
    Column("labelled_at", Float),
    # Lowest score of the draw by which it was put to a person; empty for what was only picked.
    Column("drawn_from", Float),
    # Of a drawn one whose questions were labelled before: the decision after which it gets its label.
    Column("drawn_before", BigInteger),
    Index("ix_cache_pairs_source", "namespace", "source", "id"),
    Index("ix_cache_pairs_hash", "namespace", "pair_hash"),
    sqlite_autoincrement=True,
)
POINTS = Table(
    "cache_points",
    TABLES,
    Column("namespace", String(255), primary_key=True),
    Column("decider", String(255), primary_key=True),
    Column("point", Text),
    Column("veto", Text),
    Column("saved_at", Float, nullable=False),
)
