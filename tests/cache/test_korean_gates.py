"""Do the Korean gates refuse what particles, endings and counters say, and nothing else?"""

from __future__ import annotations

import pytest

from lc_costkit.cache.gates import DEFAULT_GATES, gate_opinions, prepare, run_gates

TRAPS = [
    ("owner", "제 쿠폰으로 언니 택배를 보낼 수 있나요?", "언니 쿠폰으로 제 택배를 보낼 수 있나요?"),
    ("receiver", "잘못 보낸 문자를 취소할 수 있나요?", "모르는 번호가 저한테 잘못 보낸 문자를 취소할 수 있나요?"),
    ("moment", "썰매장 문은 몇 시부터 여나요?", "썰매장 문 여는 데 얼마나 걸려요?"),
    ("moment", "수선은 언제까지 맡기나요?", "수선은 며칠 만에 되나요?"),
    ("moment", "할인은 언제부터 하나요?", "할인은 언제까지 하나요?"),
    ("moment", "수업이 시작되기 전에 출석을 부르나요?", "수업이 시작된 뒤에 출석을 부르나요?"),
    ("count", "이용권 한 장으로 여러 번 들어가나요?", "이용권 여러 장으로 한 번 들어가나요?"),
    ("direction", "빌리는 게 사는 것보다 싼가요?", "사는 게 빌리는 것보다 싼가요?"),
    ("opposite", "연금을 앞당겨 받으면 얼마나 깎이나요?", "연금을 미뤄 받으면 얼마나 늘어나나요?"),
    ("person", "할머니 대신 약을 탈 수 있나요?", "약을 탈 수 있나요?"),
    ("quantifier", "체험 수업은 전부 무료인가요?", "무료인 체험 수업이 하나라도 있나요?"),
    ("korean_swap", "지각하면 벌점이 있나요?", "폭설로 지각하면 벌점이 있나요?"),
    ("korean_thing", "논문 초록 제출 분량이 얼마예요?", "논문 심사 제출 위원이 누구예요?"),
]
SAME = [
    ("MRI가 뭐예요?", "자기공명영상(MRI)이 뭐예요?"),
    ("육수를 2리터 반 끓이나요?", "육수를 2.5리터 끓이나요?"),
    ("전세대출 조건이 뭐예요?", "어떤 조건이면 전세대출이 되나요?"),
    ("동물 등록 비용은 얼마인가요?", "동물 등록하는 데 얼마 드나요?"),
    ("입장료가 무료인 날이 있나요?", "입장료가 0원인 날이 있나요?"),
    ("한 학기에 몇 학점까지 들어요?", "1학기에 몇 학점까지 들어요?"),
    ("할인율이 열 프로인가요?", "할인율이 10%인가요?"),
    ("현미밥 짓는 법", "제가 초보라 잘 몰라서 그런데 현미밥 짓는 법 알려주세요"),
    ("통신비는 언제부터 부과되나요?", "통신비는 언제부터 붙나요?"),
    ("빌리는 게 사는 것보다 싼가요?", "사는 것보다 빌리는 게 싼가요?"),
    ("제 쿠폰으로 언니 택배를 보낼 수 있나요?", "내 쿠폰으로 언니 택배 보낼 수 있어요?"),
    ("썰매장 문은 몇 시부터 여나요?", "썰매장은 몇 시에 문 여나요?"),
    ("수선은 며칠 만에 되나요?", "수선은 며칠 걸리나요?"),
    ("수업이 시작되기 전에 출석을 부르나요?", "수업이 시작하기 전에 출석을 부르나요?"),
    ("이용권 한 장으로 여러 번 들어가나요?", "이용권 한 장이면 여러 번 들어갈 수 있나요?"),
]


@pytest.mark.parametrize(("gate", "cached", "new"), TRAPS)
def test_korean_traps_are_refused_by_their_gate(gate: str, cached: str, new: str) -> None:
    for one, other in ((cached, new), (new, cached)):
        refusals = {each.gate for each in gate_opinions(DEFAULT_GATES, prepare(one), prepare(other)) if each.reason}
        assert gate in refusals


@pytest.mark.parametrize(("cached", "new"), SAME)
def test_the_same_in_other_korean_words_passes(cached: str, new: str) -> None:
    for one, other in ((cached, new), (new, cached)):
        assert run_gates(DEFAULT_GATES, prepare(one), prepare(other)).reason is None
