"""Which questions say the same in English and in Korean, for tests that scripts are treated alike?"""

from __future__ import annotations

SIMPLE = (
    ("What are your opening hours?", "영업시간이 어떻게 되나요?"),
    ("How do I reset my password?", "비밀번호를 어떻게 재설정하나요?"),
    ("I would like to order a new card.", "새 카드를 주문하고 싶습니다."),
    ("Where can I see my account balance?", "계좌 잔액은 어디서 볼 수 있나요?"),
    ("How long does a transfer to another bank take?", "다른 은행으로 이체하는 데 얼마나 걸리나요?"),
    ("My card has still not arrived.", "카드가 아직 도착하지 않았어요."),
    ("Which currencies do you support?", "어떤 통화를 지원하나요?"),
    ("Can I use my card in Japan next week?", "다음 주에 일본에서 카드를 사용할 수 있나요?"),
    ("The machine kept my card yesterday.", "어제 기계가 제 카드를 삼켰어요."),
    ("I was charged a fee for withdrawing cash.", "현금을 인출했는데 수수료가 부과되었습니다."),
)
HARD = (
    (
        "Prove that there are infinitely many prime numbers and explain every step of the argument.",
        "소수가 무한히 많다는 것을 증명하고 논증의 모든 단계를 설명해 주세요.",
    ),
    (
        "Compare a monthly subscription with usage-based pricing, analyse the trade-offs and recommend one.",
        "월 구독과 사용량 기반 요금제를 비교하고, 장단점을 분석해서 하나를 추천해 주세요.",
    ),
    (
        "Design a database schema for a billing system that keeps an audit log and can be moved without downtime.",
        "감사 로그를 남기고 중단 없이 이전할 수 있는 과금 시스템의 데이터베이스 스키마를 설계해 주세요.",
    ),
    (
        "Refactor this function so that it is faster, and explain why the result is the same.",
        "이 함수를 더 빠르게 리팩터링하고, 결과가 같은 이유를 설명해 주세요.",
    ),
)
