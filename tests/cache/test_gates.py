"""Which pairs the gates refuse, by which gate, and which rewordings they let through."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._data import data_dir, missing
from lc_costkit.cache.admit import DEFAULT_ADMISSION, admit
from lc_costkit.cache.align import spelled_alike
from lc_costkit.cache.frame_gates import make_swap_gate
from lc_costkit.cache.gates import (
    BALANCED_GATES,
    DEFAULT_GATES,
    Gate,
    Prepared,
    gate_name,
    gate_opinions,
    make_kind_gate,
    make_opposite_gate,
    prepare,
    run_gates,
)
from lc_costkit.cache.quantities import read_stated
from lc_costkit.errors import ConfigurationError


def verdict_of(cached: str, new: str) -> str | None:
    return run_gates(DEFAULT_GATES, prepare(cached), prepare(new)).gate


REFUSED = [
    ("number", "Can I return it within 14 days?", "Can I return it within 30 days?"),
    ("number", "What's the status of order #D-7781?", "What's the status of order #D-7718?"),
    ("number", "What changed in version 2.1.3?", "What changed in version 2.1.4?"),
    ("number", "Is 5 GB enough?", "Is 5 MB enough?"),
    ("number", "Is the shop open at 9am?", "Is the shop open at 9pm?"),
    ("number", "What happened on March 5, 2024?", "What happened on April 5, 2024?"),
    ("number", "3일 이내 취소하면 수수료가 있나요?", "7일 이내 취소하면 수수료가 있나요?"),
    ("negation", "Are fees waived for members?", "Are fees NOT waived for members?"),
    ("negation", "Which types are eligible for a loan?", "Which types are ineligible for a loan?"),
    ("negation", "Is the interest taxable?", "Is the interest tax-free?"),
    ("negation", "Are deposits refundable?", "Are deposits non-refundable?"),
    ("negation", "카드로 결제할 수 있나요?", "카드로 결제할 수 없나요?"),
    ("opposite", "How do I enable alerts?", "How do I disable alerts?"),
    ("opposite", "How do I turn on alerts?", "How do I turn alerts off?"),
    ("opposite", "Can I buy shares here?", "Can I sell shares here?"),
    ("opposite", "알림을 켜는 방법", "알림을 끄는 방법"),
    ("opposite", "What is the maximum dose?", "What is the minimum dose?"),
    ("kind", "What is in the gold plan?", "What is in the silver plan?"),
    ("kind", "Are you open on Monday?", "Are you open on Sunday?"),
    ("kind", "How do I sort a list in Python?", "How do I sort a list in Java?"),
    ("kind", "월요일에 영업하나요?", "일요일에 영업하나요?"),
    ("name", "What's the email of John Smith?", "What's the email of Jane Smith?"),
    ("name", "Do you deliver to Springfield?", "Do you deliver?"),
    ("capitals", "Can you ship to US?", "Can you ship to us?"),
    ("person", "Can I use the lounge?", "Can my husband use the lounge?"),
    ("person", "Can I open an account?", "Can my company open an account?"),
    ("restriction", "What is the transfer limit?", "What is the transfer limit for business accounts?"),
    ("ask", "Why is my card blocked?", "When is my card blocked?"),
    ("ask", "Can I cancel a transfer?", "How do I cancel a transfer?"),
    ("ask", "배송은 언제 시작되나요?", "배송은 어디서 시작되나요?"),
    ("direction", "How do I move money from savings to spending?", "How do I move money from spending to savings?"),
    ("direction", "Convert dollars to euros", "Convert euros to dollars"),
    ("direction", "Can a manager report a colleague?", "Can a colleague report a manager?"),
    ("direction", "서울에서 부산까지 얼마나 걸리나요?", "부산에서 서울까지 얼마나 걸리나요?"),
    ("form", "Who is the director?", "Who was the director?"),
    ("form", "Can I sign online?", "Must I sign online?"),
    ("payload", 'What does "close" mean?', 'What does "clothes" mean?'),
    ("payload", "Translate to French: I agree.", "Translate to French: I agree!"),
    ("symbol", "What does a + b do?", "What does a * b do?"),
    ("script", "How do refunds work?", "환불은 어떻게 되나요?"),
    ("language", "How do I pay the bill in the app?", "Wie kann ich die Rechnung mit der App bezahlen?"),
    ("aspect", "What is diabetes?", "What are the symptoms of diabetes?"),
    ("swap", "How do I clean the filter?", "How do I clean the nozzle?"),
    ("swap", "What is the grace period on my credit line?", "What is the grace period on my store tab?"),
    ("insert", "How do I reset the router?", "How do I reset the router after an outage?"),
    ("length", "word " * 200, "word " * 199 + "word"),
    ("outcome", "What happens if my lease expires?", "When does my lease expire?"),
    ("outcome", "What if the courier loses my parcel?", "Why did the courier lose my parcel?"),
    ("outcome", "보증이 끝나면 어떻게 되나요?", "보증은 언제 끝나나요?"),
    ("letter", "Is route B longer than route C?", "Is route C longer than route B?"),
    ("letter", "What are the symptoms of influenza A?", "What are the symptoms of influenza B?"),
    ("letter", "Is option a better than option b?", "Is option b better than option a?"),
    ("role", "Can a nurse overrule the surgeon?", "Can the surgeon overrule a nurse?"),
    ("role", "Do cats chase the dog?", "Does a dog chase cats?"),
    ("role", "Can my roommate read my messages?", "Can I read my roommate's messages?"),
    ("role", "How do I know if somebody muted me?", "How do I know if I muted somebody?"),
    ("role", "Was the pupil taught by the tutor?", "Was the tutor taught by the pupil?"),
    ("role", "환자가 의사를 신고할 수 있나요?", "의사가 환자를 신고할 수 있나요?"),
    ("role", "제가 동생에게 쿠폰을 보낼 수 있나요?", "동생이 저에게 쿠폰을 보낼 수 있나요?"),
    ("role", "Does the coach have to notify parents?", "Do parents have to notify the coach?"),
    ("letter", "Is lens X or lens Y newer, and is X lighter?", "Is lens Y or lens X newer, and is Y lighter?"),
    ("outcome", "Tell me what happens when the coupon expires", "Tell me when the coupon expires"),
    ("clause", "Can I travel if I am insured?", "Am I insured if I travel?"),
    ("clause", "Is the road closed because of the flood?", "Is there a flood because the road is closed?"),
    ("clause", "Should I stretch before I run?", "Should I run before I stretch?"),
    ("clause", "Does removing a device reset the password?", "Does resetting the password remove a device?"),
    ("clause", "카드를 분실하면 계좌가 정지되나요?", "계좌를 정지하면 카드가 분실되나요?"),
    ("clause", "입금한 후에 발송하나요?", "발송한 후에 입금하나요?"),
    ("style", "Describe the warranty concisely", "Describe the warranty in great detail"),
    ("style", "List the safety rules as bullet points", "List the safety rules in a table"),
    ("style", "Explain inflation to a child", "Explain inflation in technical terms"),
    ("style", "약관을 간단히 설명해 주세요", "약관을 자세히 설명해 주세요"),
    ("which", "Which lawyer should I hire?", "When should I hire a lawyer?"),
    ("which", "어느 병원에 가야 하나요?", "왜 병원에 가야 하나요?"),
    ("degree", "How deep is the pool?", "Is the pool deep?"),
    ("degree", "몇 시까지 영업하나요?", "늦게까지 영업하나요?"),
    ("korean_swap", "폴란드로 발송되나요?", "헝가리로 발송되나요?"),
    ("korean_swap", "하나카드로 결제되나요?", "우리카드로 결제되나요?"),
    ("korean_swap", "판교에서 픽업되나요?", "잠실에서 픽업되나요?"),
]  # fmt: skip


@pytest.mark.parametrize(("gate", "cached", "new"), REFUSED)
def test_refused_by_its_gate(gate: str, cached: str, new: str) -> None:
    refusals = {
        opinion.gate for opinion in gate_opinions(DEFAULT_GATES, prepare(cached), prepare(new)) if opinion.reason
    }
    assert gate in refusals
    assert verdict_of(new, cached) is not None, "either may be the stored one"


@pytest.mark.parametrize(
    ("cached", "new"),
    [
        ("How do I reset my password?", "How can I reset my password?"),
        ("Can I return it within 24 hours?", "Can I return it within one day?"),
        ("Does it take 2 days?", "Does it take two days?"),
        ("Is $5,000 the limit?", "Is 5000 dollars the limit?"),
        ("What balance keeps my account fee-free?", "Which balance keeps my account without a fee?"),
        ("Why is the feature not enabled?", "Why is the feature disabled?"),
        ("Can I pay by card?", "Can't I pay by card?"),
        ("Do members get fees waived?", "Are fees waived for members?"),
        ("How do I enable dark mode?", "How do I turn on dark mode?"),
        ("What's the status of wire transfer #WT-44219?", "Tell me the status of wire transfer WT-44219."),
        ("Is breakfast included in the room rate?", "Does the room rate include breakfast?"),
        ("How do you export contacts?", "How do I export contacts?"),
        ("How do I enable two-factor login?", "How do I enable 2FA login?"),
        ("비밀번호를 변경하려면 어떻게 하나요?", "비밀번호 변경 방법 알려주세요"),
        ("배송비는 얼마인가요?", "배송비가 얼마예요?"),
        ("회원 탈퇴 방법이 뭔가요?", "회원 탈퇴는 어떻게 하나요?"),
        ("두 시간 걸리나요?", "2시간 걸리나요?"),
        ("What happens if I skip a dose?", "What will happen if I skip a dose?"),
        ("What if I lose my badge?", "What happens if I lose my badge?"),
        ("What happens if I miss a payment?", "What are the consequences of missing a payment?"),
        ("What is the difference between plan A and plan B?", "What is the difference between plan B and plan A?"),
        ("Can I pay with a card and cash?", "Can I pay with cash and a card?"),
        ("Is a passport needed?", "Is the passport needed?"),
        ("Can a nurse overrule the surgeon?", "Can nurses overrule surgeons?"),
        ("Is the fee paid by the buyer?", "Does the buyer pay the fee?"),
        ("If I resign, do I lose my bonus?", "Do I lose my bonus if I resign?"),
        ("For my business account, how do I get a card?", "How do I get a card for my business account?"),
        ("Which train goes to Leeds?", "What train goes to Leeds?"),
        ("Explain refunds briefly", "Explain refunds in short"),
        ("세입자가 집주인을 고소할 수 있나요?", "세입자가 집주인을 고소하는 게 가능한가요?"),
        ("판교에서 픽업되나요?", "판교에서 픽업할 수 있나요?"),
        ("앱을 삭제하면 구독이 해지되나요?", "앱을 지우면 구독이 해지되나요?"),
    ],
)
def test_rewordings_pass(cached: str, new: str) -> None:
    assert run_gates(DEFAULT_GATES, prepare(cached), prepare(new)).reason is None


@given(st.text(max_size=200))
def test_a_question_equals_itself_and_nothing_raises(text: str) -> None:
    for opinion in gate_opinions(DEFAULT_GATES, prepare(text), prepare(text)):
        assert opinion.reason is None, opinion


@given(st.text(max_size=120), st.text(max_size=120))
def test_no_pair_raises(one: str, other: str) -> None:
    for opinion in gate_opinions(DEFAULT_GATES, prepare(one), prepare(other)):
        assert "raised" not in (opinion.reason or "")


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_other_numbers_never_pass(one: int, other: int) -> None:
    passes = verdict_of(f"Is {one} enough for it?", f"Is {other} enough for it?") is None
    assert passes == (one == other)


def test_users_add_plain_functions() -> None:
    def no_tuesdays(cached: Prepared, new: Prepared) -> str | None:
        return "tuesday" if "tuesday" in new.lowered else None

    made = run_gates((no_tuesdays,), prepare("Open?"), prepare("Open on Tuesday?"))
    assert (made.accepted, made.gate, made.reason) == (False, "no_tuesdays", "tuesday")
    assert run_gates((), prepare("a"), prepare("b")).accepted


def test_users_add_rows_of_their_trade() -> None:
    own = (make_opposite_gate([("mint", "burn")]), make_kind_gate([("falcon", "heron")], name="aircraft"))
    gates = (*DEFAULT_GATES, *own)
    assert "own_opposite" in {gate_name(gate) for gate in gates}
    pair = prepare("Is minting a token taxed?"), prepare("Is burning a token taxed?")
    assert run_gates(own, *pair).reason == "mint and burn are opposed"
    assert run_gates(own, prepare("Does the Falcon fly?"), prepare("Does the Heron fly?")).gate == "aircraft"
    both = prepare("Can I mint or burn a token?"), prepare("Can I burn or mint a token?")
    assert run_gates(own, *both).accepted
    assert run_gates(own, prepare("Is minting free?"), prepare("Does it cost to mint?")).accepted


@pytest.mark.parametrize(
    ("make", "rows"),
    [
        (make_opposite_gate, []),
        (make_opposite_gate, [("a", "b", "c")]),
        (make_opposite_gate, ["buy sell"]),
        (make_opposite_gate, [("buy", "")]),
        (make_opposite_gate, [("buy now", "sell")]),
        (make_opposite_gate, [("buys", "buying")]),
        (make_kind_gate, [("only",)]),
        (make_kind_gate, [7]),
    ],
)
def test_rows_that_say_nothing(make: Callable[[object], Gate], rows: object) -> None:
    with pytest.raises(ConfigurationError, match="own_"):
        make(rows)


def test_a_gate_that_raises_or_answers_oddly_refuses() -> None:
    def broken(cached: Prepared, new: Prepared) -> str | None:
        raise KeyError("x")

    def odd(cached: Prepared, new: Prepared) -> str | None:
        return True  # type: ignore[return-value]

    assert "KeyError" in str(run_gates((broken,), prepare("a"), prepare("a")).reason)
    assert "bool" in str(run_gates((odd,), prepare("a"), prepare("a")).reason)


def test_names_are_unique() -> None:
    names = [gate_name(gate) for gate in DEFAULT_GATES]
    assert len(set(names)) == len(names)
    assert set(BALANCED_GATES) < set(DEFAULT_GATES)


def test_a_swap_gate_with_word_vectors_lets_two_names_of_one_thing_pass() -> None:
    pair = prepare("How do I clean the duvet?"), prepare("How do I clean the comforter?")
    assert run_gates((make_swap_gate(),), *pair).gate == "swap"
    assert run_gates((make_swap_gate(lambda one, other: 0.9),), *pair).accepted


def test_stated_quantities() -> None:
    assert read_stated("no digits at all").quantities == ()
    values = [
        (quantity.value, quantity.dimension) for quantity in read_stated("3만원, 90 minutes, -5 and 50%").quantities
    ]
    assert values == [(30_000.0, "krw"), (5_400.0, "time"), (-5.0, None), (50.0, "share")]


@pytest.mark.data
def test_banking_traps() -> None:
    folder = data_dir()
    if folder is None:
        pytest.skip(missing("cache/banking_traps_94"))
    rows = [json.loads(line) for line in (folder / "cache" / "banking_traps_94.jsonl").read_text("utf-8").splitlines()]

    def served(row: dict[str, str]) -> bool:
        admitted = all(admit(row[side], DEFAULT_ADMISSION).verdict == "cacheable" for side in ("cached_query", "query"))
        return admitted and verdict_of(row["cached_query"], row["query"]) is None

    assert not [row["query"] for row in rows if not row["should_hit"] and served(row)]
    assert sum(served(row) for row in rows if row["should_hit"]) >= 20


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1234567890", "1234567891"),
        ("999999999", "1000000000"),
        ("98765432101", "98765432102"),
        ("$1,999,999,999", "$2,000,000,000"),
    ],
)
def test_numbers_as_long_as_those_of_accounts_differ_by_one(one: str, other: str) -> None:
    assert verdict_of(f"What is the fee on {one}?", f"What is the fee on {other}?") == "number"


@pytest.mark.parametrize(
    ("cached", "new"),
    [
        ("내시경 전날 몇 시부터 금식하나요?", "내시경 전날 몇 시부터 굶나요?"),
        ("에러가 나면 어디에 알리나요?", "오류가 나면 어디에 알리나요?"),
        ("실내 자전거 바퀴 교체 비용", "실내 자전거 타이어 교체 비용"),
    ],
)
def test_korean_words_of_one_gloss_mean_the_same(cached: str, new: str) -> None:
    for one, other in ((cached, new), (new, cached)):
        assert run_gates(DEFAULT_GATES, prepare(one), prepare(other)).reason is None


@pytest.mark.parametrize(
    ("cached", "new"),
    [
        ("내시경 전날 몇 시부터 금식하나요?", "내시경 전날 몇 시부터 쉬나요?"),
        ("실내 자전거 바퀴 교체 비용", "실내 자전거 안장 교체 비용"),
    ],
)
def test_korean_words_of_other_glosses_do_not(cached: str, new: str) -> None:
    for one, other in ((cached, new), (new, cached)):
        assert run_gates(DEFAULT_GATES, prepare(one), prepare(other)).reason is not None


@pytest.mark.parametrize(
    ("cached", "new"),
    [
        ("Is release 4.2 supported?", "Is release 4.20 supported?"),
        ("Does Ruby 3.1 work here?", "Does Ruby 3.10 work here?"),
        ("Is the surcharge 2.50?", "Is the surcharge 2.5%?"),
        ("Is the surcharge 7?", "Is the surcharge 7 percent?"),
    ],
)
def test_a_version_is_compared_as_written_and_a_share_is_no_plain_number(cached: str, new: str) -> None:
    assert {verdict_of(cached, new), verdict_of(new, cached)} == {"number"}


@pytest.mark.parametrize(
    ("cached", "new"),
    [
        ("Is release 4.2 supported?", "Is release 4.2 supported, please?"),
        ("Does it cost 2.50 EUR?", "Does it cost 2.5 EUR?"),
        ("Does it cost CHF 2.50?", "Does it cost CHF 2.5?"),
        ("Does it cost $2.50?", "Does it cost $2.5?"),
        ("Is 3.50 hours enough?", "Is 3.5 hours enough?"),
        ("Is a share of 0.05 enough?", "Is a share of 5% enough?"),
        ("Is 12 enough for \ud800 me?", "Is 12 enough for me?"),
        ("Is 12 enough\udc00?", "Is 12 enough\udc00?"),
    ],
)
def test_an_amount_is_compared_as_an_amount(cached: str, new: str) -> None:
    assert "number" not in {verdict_of(cached, new), verdict_of(new, cached)}


@pytest.mark.parametrize(
    ("gate", "cached", "new"),
    [
        ("number", "How many messages per second can I send?", "How many messages per day can I send?"),
        ("number", "Can I borrow a bike for a month?", "Can I borrow a bike for a week?"),
        ("number", "Can I exchange it within 14 days?", "Can I exchange it after 14 days?"),
        ("opposite", "Are the backups encrypted at rest?", "Are the backups encrypted in transit?"),
        ("opposite", "Should I avoid salt?", "Should I use salt?"),
        ("kind", "May I take the tablets with water?", "May I take the tablets with alcohol?"),
        ("kind", "Which java course is best?", "Which javascript course is best?"),
    ],
)
def test_the_balanced_gates_see_other_rates_bounds_states_and_look_alikes(gate: str, cached: str, new: str) -> None:
    assert run_gates(BALANCED_GATES, prepare(cached), prepare(new)).gate == gate
    assert run_gates(BALANCED_GATES, prepare(new), prepare(cached)).gate == gate


@pytest.mark.parametrize(
    ("cached", "new"),
    [
        ("How many messages per second can I send?", "How many messages can I send each second?"),
        ("Is it possible to borrow a bike for a day?", "Is it possible to borrow a bike for 24 hours?"),
        ("Can I exchange it within 14 days?", "Can I exchange it inside the first 14 days?"),
        ("How do I change my username?", "How do I change my user name?"),
        ("How long does the activation take?", "How long does activating take?"),
    ],
)
def test_the_balanced_gates_keep_other_ways_to_say_the_same(cached: str, new: str) -> None:
    assert run_gates(BALANCED_GATES, prepare(cached), prepare(new)).accepted


@pytest.mark.parametrize(
    ("one", "other"),
    [("java", "javascript"), ("class", "classic"), ("port", "portal"), ("mail", "mailbox"), ("contract", "contractor"),
     ("car", "card"), ("plan", "planet")],
)  # fmt: skip
def test_a_longer_word_without_an_ending_is_no_form(one: str, other: str) -> None:
    assert spelled_alike(one, other) == spelled_alike(other, one) == 0.0


@pytest.mark.parametrize(
    ("one", "other"),
    [("renew", "renewal"), ("activat", "activation"), ("cancel", "cancellation"), ("pay", "payment"),
     ("quick", "quickly"), ("employe", "employer"), ("refund", "refundable"), ("travel", "traveller")],
)  # fmt: skip
def test_a_longer_word_with_an_ending_is_a_form(one: str, other: str) -> None:
    assert spelled_alike(one, other) == spelled_alike(other, one) == 1.0
