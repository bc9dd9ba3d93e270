"""What is a stored answer, and how is it written down and read back?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row

from lc_costkit.usage import Basis, TokenUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored answer.

    Attributes:
        id: its number in the store.
        namespace: whose it is.
        scope: digest of everything that must be equal for it to be served.
        question: the question it answers.
        payload: the answer, as the adapter wrote it.
        model: the model that gave it.
        usage: what the provider reported for it (tokens).
        answer_usd: what it cost (USD); ``None`` where unpriced.
        answer_basis: the basis of ``answer_usd``.
        created_at: when it was stored (seconds since 1970).
        expires_at: when it stops being served; ``None`` is never.
        hits: how often it was served, as far as written down.
        semantic: it may be served to other wordings, too.
    """

    id: int
    namespace: str
    scope: str
    question: str
    payload: str
    model: str | None
    usage: TokenUsage | None
    answer_usd: Decimal | None
    answer_basis: Basis
    created_at: float
    expires_at: float | None
    hits: int
    semantic: bool

    def over(self, now: float, ttl_seconds: float | None) -> bool:
        """Tell whether its time is over: the one it was stored with, or a shorter one that is asked for now."""
        if self.expires_at is not None and self.expires_at <= now:
            return True
        return ttl_seconds is not None and self.created_at + ttl_seconds <= now

    @property
    def tokens(self) -> int | None:
        """Input and output tokens of the answer."""
        return self.usage.total if self.usage is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An answer to be stored; see ``Entry``."""

    namespace: str
    scope: str
    exact: str
    question: str
    question_hash: str
    payload: str
    model: str | None
    usage: TokenUsage | None
    answer_usd: Decimal | None
    answer_basis: Basis
    created_at: float
    expires_at: float | None
    semantic: bool
    vector: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class VectorRow:
    """A row that may be matched by meaning: ``vector`` is ``None`` where this embedder has not seen the question."""

    id: int
    vector: NDArray[np.float32] | None


def entry_values(entry: NewEntry) -> dict[str, object]:
    """Return the columns of an answer."""
    return {
        "namespace": entry.namespace,
        "scope": entry.scope,
        "exact": entry.exact,
        "question": storable(entry.question),
        "question_hash": entry.question_hash,
        "semantic": entry.semantic,
        "payload": storable(entry.payload),
        "model": entry.model,
        "usage": None if entry.usage is None else json.dumps(entry.usage.to_dict()),
        "answer_usd": None if entry.answer_usd is None else str(entry.answer_usd),
        "answer_basis": entry.answer_basis,
        "created_at": entry.created_at,
        "expires_at": entry.expires_at,
        "used_at": entry.created_at,
        "hits": 0,
    }


def entry_of(row: Row[Any]) -> Entry:
    """Read a row."""
    return Entry(
        id=row.id,
        namespace=row.namespace,
        scope=row.scope,
        question=row.question,
        payload=row.payload,
        model=row.model,
        usage=None if row.usage is None else TokenUsage.from_dict(json.loads(row.usage)),
        answer_usd=None if row.answer_usd is None else Decimal(row.answer_usd),
        answer_basis=row.answer_basis,
        created_at=row.created_at,
        expires_at=row.expires_at,
        hits=row.hits,
        semantic=row.semantic,
    )


def entry_problems(row: Row[Any]) -> list[str]:
    """Say what is wrong with an answer."""
    try:
        json.loads(row.payload)
        entry_of(row)
    except (ValueError, TypeError, ArithmeticError, KeyError) as error:
        return [f"entry {row.id}: {type(error).__name__}: {error}"]
    return []


def vector_problems(row: Row[Any], sizes: dict[str, int]) -> list[str]:
    """Say what is wrong with a vector; ``sizes`` holds how many bytes those of an embedder have, once seen."""
    size = len(row.vector)
    expected = sizes.setdefault(row.embedder, size)
    if size != expected or size % 4:
        return [f"vector of entry {row.entry_id}: {size} bytes, others of {row.embedder} have {expected}"]
    if not np.isfinite(np.frombuffer(row.vector, dtype=np.float32)).all():
        return [f"vector of entry {row.entry_id} is not finite"]
    return []


def storable(text: str) -> str:
    """Return the text as any of the databases keeps it."""
    # A lone surrogate cannot be written as UTF-8, and PostgreSQL takes no NUL.
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
