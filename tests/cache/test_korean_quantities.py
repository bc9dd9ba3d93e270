"""Are Korean numbers, however they are written, the same numbers?"""

from __future__ import annotations

import pytest

from lc_costkit.cache.quantities import read_stated
from lc_costkit.cache.quantity_match import unmatched_quantities

EQUAL = [
    ("아이디는 여섯 자 이상", "아이디는 6자 이상"),
    ("회원의 4분의 1이 찬성하면", "회원의 25%가 찬성하면"),
    ("벽 두께가 200mm", "벽 두께가 200밀리"),
    ("물 300밀리", "물 0.3리터"),
    ("돌 지난 아이", "12개월 지난 아이"),
    ("상영 시간이 1시간 40분", "상영 시간이 100분"),
    ("근속 2년 6개월", "근속 30개월"),
    ("값이 50% 내려가면", "값이 절반으로 내려가면"),
    ("일주일 안에", "7일 안에"),
    ("a run of 1 hour and 20 minutes", "a run of 80 minutes"),
]
DIFFERENT = [
    ("아이디는 여섯 자 이상", "아이디는 8자 이상"),
    ("회원의 4분의 1이 찬성하면", "회원의 40%가 찬성하면"),
    ("벽 두께가 200mm", "벽 두께가 250밀리"),
    ("두 돌 지난 아이", "12개월 지난 아이"),
    ("상영 시간이 1시간 40분", "상영 시간이 140분"),
    ("값이 30% 내려가면", "값이 절반으로 내려가면"),
    ("일주일 안에", "10일 안에"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_numbers_written_differently_are_equal(one: str, other: str) -> None:
    left, right = unmatched_quantities(read_stated(one).quantities, read_stated(other).quantities)
    assert not left
    assert not right


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_numbers_are_not(one: str, other: str) -> None:
    left, right = unmatched_quantities(read_stated(one).quantities, read_stated(other).quantities)
    assert left or right
