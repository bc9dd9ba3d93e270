"""Which stored question of this scope is nearest to the new one?

Rows are partitioned by scope, so that a lookup finds the nearest entry of its own
scope however many other scopes hold the same question. A scope is read from SQL when
it is first asked for; the least recently used ones are dropped from memory.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lc_costkit.cache.score import CROWD_SIZE, TWIN_GAP, TWINS
from lc_costkit.embedding.scale import Scale

Vector = NDArray[np.float32]
Slots = NDArray[np.intp]

# Up to here a numpy product over the scope's rows is at least as fast as FAISS (20 us for
# 1,000 rows of 384 dimensions on both) and keeps the library unloaded.
LARGE_SCOPE_ROWS = 1_024

_faiss_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """What stands around a new question.

    Attributes:
        entry_id: the nearest entry.
        similarity: its cosine, at most 1.
        crowd: mean cosine of the ``CROWD_SIZE`` next nearest, 0 for each that is missing, in cosines of the
            bundled embedder; see ``score``.
        twins: the next nearest is as near, and like the nearest itself; see ``score.TWINS``.
    """

    entry_id: int
    similarity: float
    crowd: float
    twins: bool


class Rows(Protocol):
    """Vectors in numbered slots; a zeroed slot scores 0 and can be written again."""

    def write(self, slot: int, vector: Vector) -> None:
        """Put ``vector`` into ``slot``, which is at most one past the last."""

    def erase(self, slot: int) -> None:
        """Zero ``slot``."""

    def nearest(self, vector: Vector, count: int) -> tuple[Slots, Vector]:
        """Return the slots with the highest inner products, at most ``count``, the highest first, and the products."""

    def all(self) -> Vector:
        """Return a view of every slot, (slots, dimensions)."""


class ArrayRows:
    """A numpy matrix that grows by doubling.

    Args:
        dimensions: length of a vector.
    """

    def __init__(self, dimensions: int) -> None:
        self._matrix: Vector = np.zeros((8, dimensions), dtype=np.float32)
        self._used = 0

    def write(self, slot: int, vector: Vector) -> None:
        """See ``Rows.write``."""
        if slot == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.zeros_like(self._matrix)])
        self._matrix[slot] = vector
        self._used = max(self._used, slot + 1)

    def erase(self, slot: int) -> None:
        """See ``Rows.erase``."""
        self._matrix[slot] = 0.0

    def nearest(self, vector: Vector, count: int) -> tuple[Slots, Vector]:
        """See ``Rows.nearest``."""
        products = self._matrix[: self._used] @ vector
        slots = np.argpartition(products, -count)[-count:] if count < len(products) else np.arange(len(products))
        # The lowest slot first among equals, as its entry is the oldest.
        slots = slots[np.lexsort((slots, -products[slots]))]
        return slots, products[slots]

    def all(self) -> Vector:
        """See ``Rows.all``."""
        return self._matrix[: self._used]


class FaissRows:
    """An exact FAISS inner-product index whose rows are zeroed and overwritten in place.

    Args:
        rows: the vectors to start with, (slots, dimensions).
    """

    def __init__(self, rows: Vector) -> None:
        self._faiss = _load_faiss()
        self._index = self._faiss.IndexFlatIP(rows.shape[1])
        self._index.add(np.ascontiguousarray(rows, dtype=np.float32))

    def write(self, slot: int, vector: Vector) -> None:
        """See ``Rows.write``."""
        if slot == self._index.ntotal:
            self._index.add(vector.reshape(1, -1).astype(np.float32))
        else:
            self.all()[slot] = vector

    def erase(self, slot: int) -> None:
        """See ``Rows.erase``."""
        self.all()[slot] = 0.0

    def nearest(self, vector: Vector, count: int) -> tuple[Slots, Vector]:
        """See ``Rows.nearest``."""
        most = min(count, self._index.ntotal)
        products, slots = self._index.search(vector.reshape(1, -1).astype(np.float32), most)
        return slots[0], products[0]

    def all(self) -> Vector:
        """See ``Rows.all``."""
        size = self._index.ntotal * self._index.d
        view: Vector = self._faiss.rev_swig_ptr(self._index.get_xb(), size)
        return view.reshape(self._index.ntotal, self._index.d)


class ScopeIndex:
    """The entries of one scope in memory. Not locked: the holder locks.

    Args:
        dimensions: length of a vector.
        large: number of rows above which FAISS takes over from numpy.
    """

    def __init__(self, dimensions: int, *, large: int = LARGE_SCOPE_ROWS) -> None:
        self._dimensions = dimensions
        self._large = large
        self._rows: Rows = ArrayRows(dimensions)
        self._slot_of: dict[int, int] = {}
        self._id_at: list[int | None] = []
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._slot_of)

    def add(self, entry_id: int, vector: Vector) -> None:
        """Add an entry; one that is there stays as it is, as an entry's question never changes."""
        if entry_id in self._slot_of:
            return
        if vector.shape != (self._dimensions,) or not np.isfinite(vector).all():
            return  # a damaged row: the exact tier still serves it, check() names it
        if self._free:
            slot = self._free.pop()
        else:
            slot = len(self._id_at)
            self._id_at.append(None)
        if slot == self._large and isinstance(self._rows, ArrayRows):
            self._rows = FaissRows(self._rows.all())
        self._rows.write(slot, vector)
        self._slot_of[entry_id] = slot
        self._id_at[slot] = entry_id

    def remove(self, entry_id: int) -> None:
        """Forget an entry, if it is there."""
        slot = self._slot_of.pop(entry_id, None)
        if slot is not None:
            self._rows.erase(slot)
            self._id_at[slot] = None
            self._free.append(slot)

    def nearest(self, vector: Vector, scale: Scale | None = None) -> Nearest | None:
        """Return the nearest entry and how crowded it is around; SQL knows whether it is still good.

        Args:
            vector: of the new question.
            scale: what the cosines mean; ``None`` takes them as they are.
        """
        if not self._slot_of:
            return None
        slots, products = self._rows.nearest(vector, 1 + CROWD_SIZE)
        entry_id = self._id_at[int(slots[0])]
        # An empty slot scores 0: everything else is below.
        if entry_id is None:
            return None
        similarity = float(products[0])
        common = products if scale is None else scale.all_to_common(products)
        # A slot that was emptied is nobody's neighbour, also where 0 is no low cosine.
        there = [self._id_at[int(slot)] is not None for slot in slots[1:]] if self._free else slice(None)
        crowd = float(np.maximum(common[1:][there], 0.0).sum()) / CROWD_SIZE
        return Nearest(
            entry_id=entry_id,
            similarity=min(similarity, 1.0),
            crowd=min(crowd, 1.0),
            twins=len(slots) > 1
            and bool(common[1] >= common[0] - TWIN_GAP)
            and self._cosine(slots[0], slots[1], scale) >= TWINS,
        )

    def _cosine(self, slot: int, other: int, scale: Scale | None) -> float:
        rows = self._rows.all()
        cosine = float(rows[slot] @ rows[other])
        return cosine if scale is None else scale.to_common(cosine)


class LoadedScope:
    """A scope in memory, its lock, and how far into the table it has read."""

    def __init__(self, dimensions: int) -> None:
        self.lock = threading.RLock()
        self.index = ScopeIndex(dimensions)
        self.last_id = 0


class ScopeIndexes:
    """The scopes that are in memory, least recently used first.

    Args:
        dimensions: length of a vector.
        max_scopes: how many scopes to keep.
        max_bytes: how much their vectors may take; the scope in use always stays.
    """

    def __init__(self, dimensions: int, *, max_scopes: int = 512, max_bytes: int = 2**29) -> None:
        self._dimensions = dimensions
        self._max_scopes = max_scopes
        self._max_rows = max_bytes // (4 * dimensions)
        self._lock = threading.Lock()
        self._scopes: OrderedDict[tuple[str, str], LoadedScope] = OrderedDict()

    def __len__(self) -> int:
        return len(self._scopes)

    def get(self, namespace: str, scope: str) -> LoadedScope:
        """Return a scope, empty if it is not in memory, and count it as used."""
        with self._lock:
            loaded = self._scopes.get((namespace, scope))
            if loaded is None:
                loaded = self._scopes[namespace, scope] = LoadedScope(self._dimensions)
                self._make_room()
            self._scopes.move_to_end((namespace, scope))
            return loaded

    def in_memory(self, namespace: str, scope: str) -> LoadedScope | None:
        """Return a scope only if it is in memory."""
        with self._lock:
            return self._scopes.get((namespace, scope))

    def forget(self, ids: Iterable[int]) -> None:
        """Remove entries from whichever scope holds them."""
        gone = list(ids)
        if not gone:
            return
        with self._lock:
            scopes = list(self._scopes.values())
        for loaded in scopes:
            with loaded.lock:
                for entry_id in gone:
                    loaded.index.remove(entry_id)

    def reset(self) -> None:
        """Drop every scope; they are read again when asked for."""
        with self._lock:
            self._scopes.clear()

    def _make_room(self) -> None:
        rows = sum(len(loaded.index) for loaded in self._scopes.values())
        while len(self._scopes) > 1 and (len(self._scopes) > self._max_scopes or rows > self._max_rows):
            _, dropped = self._scopes.popitem(last=False)
            rows -= len(dropped.index)


def _load_faiss() -> ModuleType:
    import faiss

    # FAISS does not parallelise a single query; more threads only fight over the cores
    # (2 to 14 times slower when they are busy). The setting is process-wide.
    with _faiss_lock:
        if faiss.omp_get_max_threads() != 1:
            faiss.omp_set_num_threads(1)
    module: ModuleType = faiss
    return module
