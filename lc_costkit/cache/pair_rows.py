"""How is a pair of questions written down, and read back?"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row

from lc_costkit.cache.entry_rows import storable
from lc_costkit.cache.seen_pairs import (
    LABEL_SOURCES,
    LabelSource,
    LoggedPair,
    SeenPair,
    joined_hash,
    pair_hash,
    text_hash,
)
from lc_costkit.errors import ConfigurationError

MAX_NAME = 255
"""Characters kept of the name of a gate or a decider."""


def pair_values(pair: SeenPair, *, namespace: str, decider: str) -> dict[str, object]:
    """Return the columns of a pair without those of its label."""
    cached, new = storable(pair.cached), storable(pair.new)
    cached_hash, new_hash = text_hash(cached), text_hash(new)
    return {
        "namespace": namespace,
        "decider": decider,
        "entry_id": pair.entry_id,
        "cached": cached,
        "new": new,
        "cached_hash": cached_hash,
        "new_hash": new_hash,
        "pair_hash": joined_hash(cached_hash, new_hash),
        "similarity": _finite(pair.similarity),
        "score": _finite(pair.score),
        "crowd": _finite(pair.crowd),
        "refused_by": None if pair.refused_by is None else storable(pair.refused_by)[:MAX_NAME],
        "served": pair.served,
        "seen_at": pair.seen_at,
    }


def label_values(same: bool | None, source: LabelSource | None) -> dict[str, object]:
    """Return the columns of a label given now, or those of none.

    Raises:
        ConfigurationError: a label without a source, a source without a label, or one that does not exist.
    """
    if same is None and source is None:
        return {"same": None, "source": None, "labelled_at": None}
    if same not in (True, False) or source not in LABEL_SOURCES:
        raise ConfigurationError(
            f"a label is True or False and its source one of {', '.join(LABEL_SOURCES)}, not {same!r} and {source!r}"
        )
    return {"same": bool(same), "source": source, "labelled_at": time.time()}


def logged(row: Row[Any]) -> LoggedPair:
    """Read a row."""
    return LoggedPair(
        id=row.id,
        decider=row.decider,
        cached=row.cached,
        new=row.new,
        similarity=row.similarity,
        score=row.score,
        crowd=row.crowd or 0.0,
        refused_by=row.refused_by,
        served=row.served,
        entry_id=row.entry_id,
        seen_at=row.seen_at,
        same=row.same,
        source=row.source,
        labelled_at=row.labelled_at,
        drawn_from=row.drawn_from,
    )


def problems_of(row: Row[Any]) -> Iterator[str]:
    """Say what is wrong with a row."""
    if pair_hash(row.cached, row.new) != row.pair_hash:
        yield f"pair {row.id}: its digest is not that of its two questions"
    # Rounding takes the cosine of equal vectors a little past 1.
    if row.similarity is not None and not -1.001 <= row.similarity <= 1.001:
        yield f"pair {row.id}: similarity {row.similarity} is no cosine"
    if row.score is not None and not 0 <= row.score <= 1.001:
        yield f"pair {row.id}: score {row.score} is not from 0 to 1"
    label = (row.same, row.source, row.labelled_at)
    if label != (None, None, None) and (None in label or row.source not in LABEL_SOURCES):
        yield f"pair {row.id}: its label is not whole: {row.same!r} of source {row.source!r} at {row.labelled_at!r}"


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
