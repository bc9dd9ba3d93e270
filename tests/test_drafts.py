"""Is what was counted for an answer found again once, and by the call that replaces it?"""

from __future__ import annotations

import threading
from decimal import Decimal

from lc_costkit.drafts import CALLS_LIMIT, REQUESTS_LIMIT, Counted, Drafts


def counted(call_id: str, *, attempt: int = 1, rejected: int = 0, usd: int | None = 1) -> Counted:
    amounts = {} if usd is None else {"cascade": Decimal(usd)}
    return Counted(call_id=call_id, attempt=attempt, rejected=rejected, amounts=amounts)


def ids(drafts: Drafts, call_id: str, *, attempt: int, rejected: int = 0) -> tuple[list[str], int]:
    found, attempts = drafts.take_back("r", call_id=call_id, attempt=attempt, rejected=rejected)
    return [one.call_id for one in found], attempts


def test_an_answer_is_taken_back_once_and_by_a_later_attempt_only() -> None:
    drafts = Drafts()
    drafts.note("r", counted("a"))
    drafts.note("other", counted("x"))
    assert ids(drafts, "retry", attempt=1) == ([], 0)
    assert ids(drafts, "b", attempt=2, rejected=1) == (["a"], 1)
    drafts.note("r", counted("b", attempt=2, rejected=1))
    assert ids(drafts, "c", attempt=3, rejected=2) == (["b"], 2)


def test_the_number_of_answers_thrown_away_orders_calls_that_do_not_count_attempts() -> None:
    drafts = Drafts()
    drafts.note("r", counted("a"))
    assert ids(drafts, "b", attempt=1, rejected=1) == (["a"], 1)


def test_a_call_that_two_meters_hear_of_counts_once() -> None:
    drafts = Drafts()
    for _ in range(2):
        drafts.note("r", counted("a"))
    for _ in range(2):
        assert ids(drafts, "b", attempt=2) == (["a"], 1)
    assert ids(drafts, "other", attempt=2) == ([], 1)


def test_a_failed_call_is_an_attempt_and_nothing_to_take_back() -> None:
    drafts = Drafts()
    drafts.note("r", counted("a", usd=None))
    assert ids(drafts, "b", attempt=2, rejected=1) == ([], 1)


def test_several_calls_of_one_target_are_one_attempt() -> None:
    drafts = Drafts()
    for name in ("a", "b"):
        drafts.note("r", counted(name))
    assert ids(drafts, "c", attempt=2, rejected=1) == (["a", "b"], 1)


def test_the_same_prompt_sent_again_is_a_retry() -> None:
    drafts = Drafts()
    first = Counted(call_id="a", attempt=1, rejected=0, prompt=7, amounts={"route": Decimal(1)})
    drafts.note("r", first)
    assert drafts.take_back("r", call_id="b", attempt=1, rejected=0, prompt=8) == ((), 0)
    assert drafts.take_back("r", call_id="a", attempt=1, rejected=0, prompt=7) == ((), 0), "not by itself"
    assert drafts.take_back("r", call_id="b", attempt=1, rejected=0, prompt=7) == ((first,), 0)
    assert drafts.take_back("r", call_id="c", attempt=1, rejected=0, prompt=7) == ((), 0)


def test_memory_is_bounded_and_the_oldest_go_first() -> None:
    drafts = Drafts()
    for number in range(REQUESTS_LIMIT + 5):
        drafts.note(f"r{number}", counted("a"))
    assert len(drafts) == REQUESTS_LIMIT
    assert drafts.take_back("r0", call_id="b", attempt=2, rejected=1) == ((), 0)
    for number in range(CALLS_LIMIT + 5):
        drafts.note("r", counted(f"c{number}"))
    taken, attempts = ids(drafts, "b", attempt=2, rejected=1)
    assert (len(taken), attempts) == (CALLS_LIMIT, 0), "what was forgotten is not said to be known"


def test_many_threads_take_each_answer_back_once() -> None:
    drafts = Drafts()
    for number in range(50):
        drafts.note("r", counted(f"a{number}"))
    taken: list[str] = []
    start = threading.Barrier(8)

    def work(name: str) -> None:
        start.wait()
        taken.extend(ids(drafts, name, attempt=2)[0])

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(f"a{number}" for number in range(50))
