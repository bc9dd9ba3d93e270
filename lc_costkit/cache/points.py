"""Which operating point and which veto has a namespace learned?"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from lc_costkit.cache.point import OperatingPoint
from lc_costkit.cache.schema import POINTS
from lc_costkit.cache.store import EntryStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a namespace has learned for one decider.

    Attributes:
        point: from which score on to serve; ``None`` where nothing was calibrated.
        veto: a learned veto as JSON-safe values; ``None`` where there is none.
        saved_at: when it was last changed, seconds since the epoch.
    """

    point: OperatingPoint | None
    veto: Mapping[str, Any] | None
    saved_at: float


class PointStore:
    """Keeps operating points and vetoes of one namespace; every process learns of a change.

    What was learned holds for one decider: the scores of another embedder, other gates or another
    policy say something else.

    Args:
        store: where the table is.
        namespace: whose.
        decider: identity of what decides here.
    """

    def __init__(self, store: EntryStore, *, namespace: str, decider: str) -> None:
        self._store = store
        self._namespace = namespace
        self._decider = decider
        self._mine = (POINTS.c.namespace == namespace, POINTS.c.decider == decider)

    def load(self) -> Learned | None:
        """Return what was learned, or ``None``.

        Raises:
            ValueError: what is stored cannot be read.
        """
        with self._store.reading_patiently() as connection:
            return self._load(connection)

    def save(
        self,
        *,
        point: OperatingPoint | None = None,
        veto: Mapping[str, Any] | None = None,
        without_veto: bool = False,
    ) -> None:
        """Keep a point, a veto, or both; what is not given stays as it was, but for a veto that is dropped."""
        given: dict[str, str | None] = {"veto": None} if without_veto else {}
        if point is not None:
            given["point"] = json.dumps(point.to_dict())
        if veto is not None:
            given["veto"] = json.dumps(veto)
        with self._store.writing_patiently() as connection:
            self._write(connection, given)

    def tighten(self, point: OperatingPoint) -> OperatingPoint:
        """Keep a point unless one that is as strict or stricter was kept meanwhile; return the one that holds.

        Of two that are as strict, the one that is not certified holds.
        """
        with self._store.writing_patiently() as connection:
            learned = self._load(connection)
            kept = None if learned is None else learned.point
            if kept is not None and (kept.min_score, point.certified) >= (point.min_score, kept.certified):
                return kept
            self._write(connection, {"point": json.dumps(point.to_dict())})
        return point

    def remove(self) -> None:
        """Forget what was learned: the policy decides alone again."""
        with self._store.writing_patiently() as connection:
            connection.execute(delete(POINTS).where(*self._mine))
            self._store.changed(connection, self._namespace)

    def audit(self) -> list[str]:
        """Read every point of every namespace and say what is wrong with it."""
        found: list[str] = []
        with self._store.reading_patiently() as connection:
            for row in connection.execute(select(POINTS)):
                try:
                    _learned(row)
                except ValueError as error:
                    found.append(f"operating point of {row.namespace!r}, decider {row.decider}: {error}")
        return found

    def _load(self, connection: Connection) -> Learned | None:
        row = connection.execute(select(POINTS).where(*self._mine)).one_or_none()
        return None if row is None else _learned(row)

    def _write(self, connection: Connection, given: Mapping[str, str | None]) -> None:
        values = {**given, "saved_at": time.time()}
        dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(POINTS).values(namespace=self._namespace, decider=self._decider, **values)
        statement = statement.on_conflict_do_update(index_elements=["namespace", "decider"], set_=values)
        connection.execute(statement)
        self._store.changed(connection, self._namespace)


def _learned(row: Row[Any]) -> Learned:
    try:
        point = None if row.point is None else OperatingPoint.from_dict(json.loads(row.point))
        veto = None if row.veto is None else json.loads(row.veto)
    except (TypeError, ValueError) as error:
        raise ValueError(f"it cannot be read ({error})") from error
    if veto is not None and not isinstance(veto, dict):
        raise ValueError(f"its veto is no mapping but a {type(veto).__name__}")
    return Learned(point=point, veto=veto, saved_at=row.saved_at)
