"""Do the gates tell traps from rewordings in fields of life that no list was written for?"""

from __future__ import annotations

import pytest

from lc_costkit.cache.gates import DEFAULT_GATES, gate_opinions, prepare, run_gates

TRAPS = [
    ("quantifier", "Are all of your soaps unscented?", "Are some of your soaps unscented?"),
    ("quantifier", "Do all trains have toilets?", "Which trains have toilets?"),
    ("quantifier", "모든 지점에서 환전되나요?", "일부 지점에서 환전되나요?"),
    ("self", "As a carer, can I park at the door?", "As a cyclist, can I park at the door?"),
    ("self", "I'm a nurse. How do I rate a patient?", "How do I rate my nurse?"),
    ("self", "제가 매도인인데 세금을 내나요?", "제가 매수인인데 세금을 내나요?"),
    ("facet", "What does the ferry to the island cost?", "When does the ferry to the island leave?"),
    ("facet", "What's the cutoff time for gift wrapping?", "How much does gift wrapping cost?"),
    ("facet", "캠핑장 예약 방법 알려주세요", "캠핑장 이용료가 얼마예요?"),
    ("act", "How do I sharpen a chisel?", "How do I clean a chisel?"),
    ("act", "How do I publish a photo album?", "How do I print a photo album?"),
    ("act", "화분 물 주기 알림 설정하는 법", "화분 물 주기 알림 끄는 법"),
    ("act", "구독 신청하는 방법", "구독 신청 취소하는 방법"),
    ("place", "영상을 음성으로 바꾸는 방법", "음성을 영상으로 바꾸는 방법"),
    ("place", "csv 파일을 json으로 바꾸려면?", "json 파일을 csv로 바꾸려면?"),
    ("tense", "When did the ferry leave?", "When does the ferry leave?"),
    ("tense", "What should I pack for the trek?", "What should I have packed for the trek?"),
    ("extreme", "Which is the cheapest cabin on the boat?", "Which is the largest cabin on the boat?"),
    ("extreme", "Is the oak floor quieter than tiles?", "Is the oak floor warmer than tiles?"),
    ("extreme", "가장 조용한 열차 칸이 어디예요?", "가장 시원한 열차 칸이 어디예요?"),
    ("condition", "Can I fish in the lake?", "Can I fish in the lake when it is frozen?"),
    ("opposite", "How do I thicken a gravy?", "How do I thin a gravy?"),
    ("opposite", "Where was Mozart born?", "Where did Mozart die?"),
    ("opposite", "미터기 전원 켜는 법", "미터기 전원 끄는 법"),
    ("kind", "What's the boiling time for lobster?", "What's the boiling time for crab?"),
    ("kind", "Is there a refund for a violin lesson?", "Is there a refund for a cello lesson?"),
    ("kind", "토마토 모종 심는 시기", "오이 모종 심는 시기"),
    ("name", "Is the ferry to Skye running in winter?", "Is the ferry to Mull running in winter?"),
    ("number", "에러 E21은 무슨 뜻인가요?", "에러 E27은 무슨 뜻인가요?"),
    ("number", "Bake it at 180 C", "Bake it at 180 F"),
    ("number", "방이 20평인가요?", "방이 20제곱미터인가요?"),
    ("number", "오전 7시에 여나요?", "오후 7시에 여나요?"),
    ("symbol", "What is 8 / 2 * 4?", "What is 8 / (2 * 4)?"),

    ("korean_swap", "재택근무는 어떻게 신청하나요?", "재택근무 장비를 어떻게 신청하나요?"),
    ("facet", "How old must I be to hire a canoe?", "What does it cost to hire a canoe?"),
    ("which", "Which currencies can I exchange at the desk?", "Can I exchange currencies at the desk?"),
    ("opposite", "Is there a guarantee on used lenses?", "Is there a guarantee on new lenses?"),
    ("ask", "How do I rotate the logs?", "Where are the logs kept?"),
    ("form", "Did the museum close early?", "Does the museum close early?"),
    ("direction", "How do I turn a list into a set?", "How do I turn a set into a list?"),
    ("person", "Can I sign for my wife?", "Can I sign?"),
]  # fmt: skip


@pytest.mark.parametrize(("gate", "cached", "new"), TRAPS)
def test_traps_are_refused_by_their_gate(gate: str, cached: str, new: str) -> None:
    for one, other in ((cached, new), (new, cached)):
        refusals = {each.gate for each in gate_opinions(DEFAULT_GATES, prepare(one), prepare(other)) if each.reason}
        assert gate in refusals


@pytest.mark.parametrize(
    ("cached", "new"),
    [
        ("Is the sauna open 24/7?", "Is the sauna open around the clock?"),
        ("Is the pass valid for one full day?", "Is the pass valid for 24 hours?"),
        ("Does the course last half a year?", "Does the course last 6 months?"),
        ("Is the tour 90 minutes long?", "Is the tour one and a half hours long?"),
        ("Is the oven at 356°F hot enough?", "Is the oven at 180 °C hot enough?"),
        ("Can I bring 100 ml of perfume?", "Can I bring 0.1 litres of perfume?"),
        ("Is the walk 5 km long?", "Is the walk 3.1 miles long?"),
        ("Do I water the fern twice a week?", "Do I water the fern two times per week?"),
        ("Does the IRS accept copies?", "Does the Internal Revenue Service accept copies?"),
        ("Is WFH allowed on Fridays?", "Is working from home allowed on Fridays?"),
        ("Does the A/C run at night?", "Does the air conditioning run at night?"),
        ("Which horse did you buy?", "Which horse was bought by you?"),
        ("How do I cancel my dance class?", "What's the procedure for cancelling my dance class?"),
        ("Do all cabins have windows?", "Does every cabin have a window?"),
        ("What is the biggest cabin?", "Which cabin is the largest?"),
        ("As a carer, can I park at the door?", "I am a carer, can I park at the door?"),
        ("When did the ferry leave?", "At what time did the ferry leave?"),
        ("Can I bring food into the arena?", "Is it allowed to take food into the arena?"),
        ("Do students get a discount?", "I am a student, do I get a discount?"),
        ("How do I sort a list in Ruby?", "Ruby: how to sort a list"),
        ("How do I check my water usage?", "Where can I check my water usage?"),
        ("사물함 신청은 어떻게 하나요?", "사물함 신청은 어디서 하나요?"),
        ("녹 얼룩 지우는 방법", "녹 얼룩 없애는 법"),
        ("카메라 영상은 7일간 저장되나요?", "카메라 영상은 일주일간 보관되나요?"),
        ("오후 2시 전에 끝나나요?", "14시 이전에 끝나나요?"),
        ("한 학기에 19학점까지 되나요?", "한 학기에 열아홉 학점까지 되나요?"),
        ("회원탈퇴 방법 알려주세요", "회원 탈퇴는 어떻게 하나요?"),
        ("타이어 교체 비용이 얼마예요?", "타이어 바꾸는 비용이 얼마인가요?"),
        ("리뷰 수정은 어디서 하나요?", "작성한 리뷰 어디서 고치나요?"),
        ("사물함 비밀번호 변경하는 법", "사물함 비번 바꾸려면 어떻게 해요?"),
    ],
)
def test_the_same_in_other_words_passes(cached: str, new: str) -> None:
    for one, other in ((cached, new), (new, cached)):
        assert run_gates(DEFAULT_GATES, prepare(one), prepare(other)).reason is None
