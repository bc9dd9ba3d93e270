"""Is the nearest live entry of a scope found, however it is kept?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_costkit.cache.index import FaissRows, ScopeIndex, ScopeIndexes
from lc_costkit.cache.score import CROWD_SIZE
from lc_costkit.embedding.scale import Scale
from tests.cache.support import vectors

DIMENSIONS = 16


@pytest.mark.parametrize("large", [4, 1_000])
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 19)), max_size=60), query=st.integers(0, 19))
@settings(max_examples=60, deadline=None)
def test_the_nearest_is_the_one_a_full_comparison_finds(large: int, steps: list[tuple[bool, int]], query: int) -> None:
    pool = list(vectors(20, DIMENSIONS))
    index = ScopeIndex(DIMENSIONS, large=large)
    alive: set[int] = set()
    for add, number in steps:
        if add:
            index.add(number + 1, pool[number])
            alive.add(number)
        else:
            index.remove(number + 1)
            alive.discard(number)
    found = index.nearest(pool[query])
    best = max(alive, key=lambda number: float(pool[number] @ pool[query]), default=None)
    assert len(index) == len(alive)
    if best is None or float(pool[best] @ pool[query]) <= 0:
        assert found is None or found.similarity <= 0
    else:
        assert found is not None
        assert found.entry_id == best + 1
        products = sorted((float(pool[number] @ pool[query]) for number in alive), reverse=True)
        assert found.similarity == pytest.approx(products[0], abs=1e-5)
        around = sum(max(product, 0.0) for product in products[1 : 1 + CROWD_SIZE]) / CROWD_SIZE
        assert found.crowd == pytest.approx(around, abs=1e-5)


def test_a_large_scope_moves_to_faiss_and_answers_the_same() -> None:
    pool = list(vectors(300, DIMENSIONS))
    small, large = ScopeIndex(DIMENSIONS, large=10_000), ScopeIndex(DIMENSIONS, large=100)
    for number, vector in enumerate(pool, start=1):
        small.add(number, vector)
        large.add(number, vector)
    assert isinstance(large._rows, FaissRows)
    for query in vectors(50, DIMENSIONS, seed=1):
        one, other = small.nearest(query), large.nearest(query)
        assert one is not None
        assert other is not None
        assert one.entry_id == other.entry_id
        assert one.similarity == pytest.approx(other.similarity, abs=1e-5)
        assert one.crowd == pytest.approx(other.crowd, abs=1e-5)


@pytest.mark.parametrize("large", [2, 1_000])
def test_slots_of_removed_entries_are_used_again(large: int) -> None:
    pool = list(vectors(50, DIMENSIONS))
    index = ScopeIndex(DIMENSIONS, large=large)
    index.add(1, pool[0])
    index.add(2, pool[1])
    index.add(3, pool[2])
    for number in range(4, 50):
        index.remove(number - 1)
        index.add(number, pool[number])
    assert index._rows.all().shape[0] <= 4
    found = index.nearest(pool[49])
    assert found is not None
    assert found.entry_id == 49


@pytest.mark.parametrize("large", [1, 1_000])
def test_entries_that_are_as_near_and_alike_are_twins(large: int) -> None:
    one, other, apart = vectors(3, DIMENSIONS)
    index = ScopeIndex(DIMENSIONS, large=large)
    index.add(1, one)
    found = index.nearest(one)
    assert found is not None
    assert not found.twins
    index.add(2, (apart - (apart @ one) * one) / np.linalg.norm(apart - (apart @ one) * one))
    found = index.nearest(one)
    assert found is not None
    assert not found.twins
    beside = one + 0.1 * other
    index.add(3, beside / np.linalg.norm(beside))
    found = index.nearest(one)
    assert found is not None
    assert found.entry_id == 1
    assert found.twins


def test_a_damaged_row_is_left_out() -> None:
    index = ScopeIndex(DIMENSIONS)
    index.add(1, np.zeros(3, dtype=np.float32))
    index.add(2, np.full(DIMENSIONS, np.nan, dtype=np.float32))
    assert len(index) == 0
    assert index.nearest(next(vectors(1, DIMENSIONS))) is None


def test_the_least_recently_used_scopes_leave_memory() -> None:
    scopes = ScopeIndexes(DIMENSIONS, max_scopes=2)
    first = scopes.get("n", "a")
    scopes.get("n", "b")
    assert scopes.get("n", "a") is first
    scopes.get("n", "c")
    assert scopes.in_memory("n", "b") is None
    assert scopes.in_memory("n", "a") is first


def test_rows_over_the_limit_push_other_scopes_out() -> None:
    scopes = ScopeIndexes(DIMENSIONS, max_bytes=5 * 4 * DIMENSIONS)
    crowded = scopes.get("n", "a")
    for number, vector in enumerate(vectors(6, DIMENSIONS), start=1):
        crowded.index.add(number, vector)
    scopes.get("n", "b")
    assert scopes.in_memory("n", "a") is None
    assert scopes.in_memory("n", "b") is not None


def test_on_another_scale_neighbours_count_for_what_they_mean() -> None:
    scale = Scale(background=0.7, top=0.9, common_background=0.0, common_top=0.6)
    index = ScopeIndex(2)
    for number, cosine in enumerate((0.9, 0.8, 0.8, 0.6), start=1):
        index.add(number, np.array([cosine, (1 - cosine**2) ** 0.5], np.float32))
    asked = np.array([1.0, 0.0], np.float32)
    found, plain = index.nearest(asked, scale), index.nearest(asked)
    assert found is not None
    assert plain is not None
    assert found.similarity == plain.similarity == pytest.approx(0.9)
    assert found.crowd == pytest.approx((0.3 + 0.3 + 0.0) / CROWD_SIZE, abs=1e-6)
    assert plain.crowd == pytest.approx((0.8 + 0.8 + 0.6) / CROWD_SIZE, abs=1e-6)


def test_an_emptied_slot_is_nobodys_neighbour() -> None:
    scale = Scale(background=-0.5, top=0.5, common_background=0.0, common_top=0.6)
    index = ScopeIndex(2)
    for number in (1, 2, 3):
        index.add(number, np.array([1.0, 0.0], np.float32))
    index.remove(2)
    index.remove(3)
    found = index.nearest(np.array([1.0, 0.0], np.float32), scale)
    assert found is not None
    assert found.crowd == 0.0
