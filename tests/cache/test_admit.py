"""What is never cached, what only to the letter, and what stays cacheable."""

from __future__ import annotations

import gzip
import json

import pytest

from benchmarks._data import data_dir, missing
from lc_costkit.cache.admit import DEFAULT_ADMISSION, AdmissionRule, admit
from lc_costkit.errors import ConfigurationError


@pytest.mark.parametrize(
    "text",
    [
        "What's the weather in Oslo?",
        "What is the price of Bitcoin right now?",
        "What's today's mortgage rate?",
        "What is the current exchange rate?",
        "Who is the current president of France?",
        "What's the latest news?",
        "what time is it",
        "What's my balance?",
        "Show my last transactions",
        "How much do I owe?",
        "Where is my order?",
        "Has my package shipped?",
        "오늘 날씨 어때?",
        "지금 환율이 얼마야?",
        "내 잔액 알려줘",
        "제 주문 어디쯤 왔나요",
        "Am I enrolled in the course?",
        "Which tier am I in?",
        "Has my claim been approved?",
        "Have you processed my refund?",
        "Do I have any unread messages?",
        "Have I been billed twice?",
        "Was I charged for the room?",
        "What grade did I get?",
        "읽지 않은 메시지 있나요?",
        "What did I buy last month?",
        "What email do you have on file for me?",
        "Show me all my bookings",
        "What's my username?",
        "Is flight DL123 delayed?",
        "Are the red boots sold out?",
        "Are there any rooms available?",
        "How many bikes are left?",
        "How many callers are in the queue?",
        "Who is winning the match?",
        "What's trending?",
        "밀린 요금이 있나요?",
        "제 요금제가 뭐예요?",
        "제 서류 받으셨나요?",
        "재고 있나요?",
        "Are my lab samples back?",
        "Has my visa application from March been approved yet?",
        "Have they reviewed my essay?",
        "Are you finished with my bicycle?",
        "Did I get into the choir?",
        "Did I pass?",
        "Where's my prescription?",
        "How long until our pizza arrives?",
        "How many licences are we using?",
        "Hello, sorry to bother you, has my passport been posted yet? Thanks!",
        "제 렌즈 도착했나요?",
        "나 면접 붙었어?",
        "제 이사 견적 나왔는지 확인해 주세요",
        "저 이번 학기 결석 몇 번 남았나요?",
        "남은 좌석이 몇 개예요?",
        "누가 이겼어?",
        "Am I eligible for a grant?",
        "When does my passport expire?",
        "When is our next instalment due?",
        "Which of my devices is locked?",
        "Does our lease end in October?",
        "Is my domain expiring tomorrow?",
        "Which package do we have?",
        "What was our last charge?",
        "Pull up the most recent statements",
        "List our overdue invoices",
        "How much is my water bill?",
        "Which phone is linked to my profile?",
        "Let me know when my licence key expires",
        "Please tell me whether I am covered",
        "When are we next billed?",
        "What's our customer number?",
        "Are we on the old tariff?",
        "내 마일리지 쿠폰은 언제 소멸되나요?",
        "저희 계약은 며칠에 만료돼요?",
        "제 보험이 12월에 끝나나요?",
        "내 카드 중 어떤 게 차단됐나요?",
        "제 마지막 납부는 언제였나요?",
        "최근 명세서 보여 주세요",
        "우리 플랜이 뭐예요?",
        "저희는 어떤 요금제를 쓰고 있나요?",
        "제가 장학금 대상인가요?",
    ],
)
def test_live_data_and_own_state_are_refused(text: str) -> None:
    assert admit(text, DEFAULT_ADMISSION).verdict == "refuse"


@pytest.mark.parametrize(
    "text",
    [
        "Cancel my order",
        "Please cancel my subscription.",
        "Can you freeze my card?",
        "I want to close my account",
        "Transfer $500 from savings to checking.",
        "Increase my credit limit to 5000",
        "Book a flight to Paris for Monday",
        "주문 취소해 주세요",
        "제 카드 정지시켜줘",
        "엄마에게 5만원 송금해줘",
        "Am I eligible for a grant if I moved last year?",
        "When does my deposit start once I sign?",
    ],
)
def test_acts_and_what_may_depend_on_the_asker_are_exact_only(text: str) -> None:
    assert admit(text, DEFAULT_ADMISSION).verdict == "exact_only"


@pytest.mark.parametrize(
    "text",
    [
        "How do I cancel my order?",
        "How can I extend my membership?",
        "When can I end my contract?",
        "What happens when my passport expires?",
        "Does my membership renew automatically?",
        "What rights do I have?",
        "Where do I find the latest statements?",
        "When does a trial end?",
        "Which ending do I use?",
        "제 이용권은 어떻게 연장하나요?",
        "구독은 언제 갱신되나요?",
        "과제 제출 기한이 언제까지예요?",
        "제가 어떤 요금제를 골라야 하나요?",
        "제 여권이 만료되면 어떻게 되나요?",
        "How do I check my balance?",
        "How can I see my current balance?",
        "When will my card arrive?",
        "Can I change my PIN?",
        "What is a current account?",
        "Translate this: cancel my order",
        "Translate 'what is the weather today' to French",
        "Write a function that cancels an order",
        "What is the capital of France?",
        "Why was my card declined?",
        "What are the fees for transfers?",
        "Open source licences explained",
        "주문 취소는 어떻게 하나요?",
        "잔액 조회 방법 알려줘",
        "환불 규정이 어떻게 되나요?",
        "Can I have two accounts?",
        "How much notice do I have to give?",
        "Where is my routing number printed on a check?",
        "Have they changed the rules of chess?",
        "Are my pets allowed in the cabin?",
        "Could you remind me of the formula for the area of a circle?",
        "제가 실수로 두 번 눌렀는데 어떻게 하죠?",
        "제 이름으로 예약해도 되나요?",
        "비밀번호를 잊었어요",
        "Why was my payment declined?",
        "Do I have any options if my card is lost?",
        "What happens if an item is out of stock?",
        "How do I list my open tickets?",
        "Is my money safe with you?",
        "Who won the 1998 World Cup?",
        "How many people live in Japan?",
        "How many seats does a bus have?",
        "Are refunds delayed on weekends?",
        "재고가 없으면 어떻게 되나요?",
        "연체 이자는 얼마인가요?",
    ],
)
def test_general_questions_stay_cacheable(text: str) -> None:
    assert admit(text, DEFAULT_ADMISSION).verdict == "cacheable"


def test_own_rules_and_the_stricter_verdict() -> None:
    mine = AdmissionRule(name="mine", verdict="refuse", reason="because", matches=lambda text: "order" in text)
    made = admit("Cancel my order", (*DEFAULT_ADMISSION, mine))
    assert (made.verdict, made.rule, made.reason) == ("refuse", "mine", "because")
    assert admit("What is the weather today?", ()).verdict == "cacheable"


def test_unless_spares() -> None:
    rule = AdmissionRule.from_pattern("a", pattern="tax", unless="syntax", verdict="refuse", reason="r")
    assert admit("tax?", (rule,)).verdict == "refuse"
    assert admit("syntax?", (rule,)).verdict == "cacheable"


def test_a_rule_that_raises_refuses() -> None:
    rule = AdmissionRule(name="broken", verdict="exact_only", reason="r", matches=lambda _: bool(1 / 0))
    made = admit("anything", (rule,))
    assert made.verdict == "refuse" and "ZeroDivisionError" in str(made.reason)


@pytest.mark.parametrize("text", ["?" * 4_000, "? " * 3_000, "\x00" * 4_000, "\ud800" * 4_000, "my " * 100_000, ""])
def test_odd_texts_are_judged_at_once(text: str) -> None:
    assert admit(text, DEFAULT_ADMISSION).verdict == "cacheable"
    assert admit(f"What's my balance{text}", DEFAULT_ADMISSION).verdict in ("refuse", "cacheable")


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "maybe"},
        {"name": ""},
        {"reason": ""},
        {"matches": "text"},
    ],
)
def test_bad_rules(fields: dict[str, object]) -> None:
    good: dict[str, object] = {"name": "n", "verdict": "refuse", "reason": "r", "matches": lambda _: True}
    with pytest.raises(ConfigurationError, match="admission rule"):
        AdmissionRule(**{**good, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("pattern", ["(", 5])
def test_bad_patterns(pattern: object) -> None:
    with pytest.raises(ConfigurationError, match="not a pattern"):
        AdmissionRule.from_pattern("n", pattern=pattern, verdict="refuse", reason="r")  # type: ignore[arg-type]


@pytest.mark.data
def test_few_support_questions_are_refused() -> None:
    folder = data_dir()
    if folder is None:
        pytest.skip(missing("cache/banking77_test"))
    lines = gzip.decompress((folder / "cache" / "banking77_test.jsonl.gz").read_bytes()).decode().splitlines()
    verdicts = [admit(json.loads(line)["text"], DEFAULT_ADMISSION).verdict for line in lines]
    assert verdicts.count("refuse") / len(verdicts) < 0.05
    assert verdicts.count("exact_only") / len(verdicts) < 0.05


@pytest.mark.parametrize(
    "asked",
    [
        "Which shops are open right now?",
        "Is the pool heated at the moment?",
        "Is the road closed at present?",
        "Which lines run as of now?",
        "Who leads the league as of this week?",
        "Give me the up-to-date table",
        "Show the real-time position",
        "Show the realtime position",
        "Who just now scored?",
        "What is playing nowadays?",
        "What are todays specials?",
        "What are today’s specials?",
        "What goes on tonight?",
        "Where can one eat this evening?",
        "What has happened so far this year?",
        "What time is it?",
        "What day is it?",
        "What is the date?",
        "The CURRENT price of silver",
        "The newest version",
        "The most recent release",
        "An up-to-the-minute score",
        "Who is the mayor now?",
        "Is the bridge currently closed?",
        "Is it snowing?",
        "Show me the headlines",
        "What is the Tesla stock price?",
        "Tell me the price of gold",
        "What is the exchange rate of the yen?",
        "What is the temperature in Oslo?",
    ],
)
def test_what_is_of_the_moment_is_found_by_each_of_its_words(asked: str) -> None:
    assert admit(asked, DEFAULT_ADMISSION).verdict == "refuse"
    assert admit(asked.replace("’", "'"), DEFAULT_ADMISSION).rule in ("live", "live topic", "live state")
