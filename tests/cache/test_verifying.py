"""Are candidates put to the judge, hits checked, and verdicts acted on, as the settings say?"""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lc_costkit.cache import Cache
from lc_costkit.cache.aside import calling_aside, current_aside
from lc_costkit.cache.judging import AlikeAnswers, GreyZone, JudgeCase, Judgement, same_text
from lc_costkit.cache.point import OperatingPoint
from lc_costkit.cache.results import Hit, Miss
from lc_costkit.cache.verify import FreshAnswer, Sampled
from lc_costkit.errors import ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.usage import TokenUsage, UsageReading
from tests.cache.support import WordsEmbedder, ask

ASKED = "How do I reset my password?"
REWORDED = "How can I reset my password?"
OTHER = "How do I reset my PIN?"
READING = UsageReading(usage=TokenUsage(input_tokens=100, output_tokens=50), model="gpt-4o-mini", provider="openai")
WIDE: dict[str, Any] = {"gates": (), "similarity_threshold": 0.4}


def right(case: JudgeCase) -> bool:
    return True


def wrong(case: JudgeCase) -> bool:
    return False


class AsyncAsker:
    async def __call__(self, request: object) -> str:
        return ""


class Judge:
    """A judge that keeps its cases and says what it was told to say."""

    def __init__(self, said: Any = True) -> None:
        self.said = said
        self.cases: list[JudgeCase] = []

    def __call__(self, case: JudgeCase) -> Any:
        self.cases.append(case)
        return self.said


def filled(**options: Any) -> Cache:
    cache = Cache(**options)
    cache.store(ask(ASKED), '"settings"', reading=READING)
    return cache


@pytest.fixture
def make() -> Iterator[Callable[..., Cache]]:
    made: list[Cache] = []

    def one(**options: Any) -> Cache:
        made.append(filled(**options))
        return made[-1]

    yield one
    for cache in made:
        cache.close()


MakeCache = Callable[..., Cache]


# -- the grey zone -----------------------------------------------------------------


def score_of(make: MakeCache, new: str = REWORDED) -> float:
    found = make(gates=()).lookup(ask(new))
    assert found.seen is not None
    assert found.seen.score is not None
    return found.seen.score


def test_the_zone_asks_between_its_bounds_only(make: MakeCache) -> None:
    score = score_of(make)
    above, within, below = Judge(), Judge(), Judge()
    assert isinstance(make(judge=GreyZone(low=0.0, high=score - 0.01, judge=above)).lookup(ask(REWORDED)), Hit)
    assert isinstance(make(judge=GreyZone(low=score - 0.01, high=1.0, judge=within)).lookup(ask(REWORDED)), Hit)
    assert isinstance(make(judge=GreyZone(low=score + 0.01, high=1.0, judge=below)).lookup(ask(REWORDED)), Miss)
    assert (len(above.cases), len(within.cases), len(below.cases)) == (0, 1, 0)
    assert within.cases == [JudgeCase(cached=ASKED, new=REWORDED, answer='"settings"', fresh=None)]


def test_the_zone_opens_below_the_policys_score_and_not_below_a_raised_one() -> None:
    zone = GreyZone(low=0.3, high=0.7, judge=right)
    shipped = OperatingPoint(min_score=0.5)
    assert (zone.lowest(shipped), zone.sure(shipped)) == (0.3, 0.7)
    high = OperatingPoint(min_score=0.9)
    assert zone.sure(high) == 0.7, "the zone takes the place of the policy's score"
    calibrated = OperatingPoint(min_score=0.8, source="calibrated")
    assert (zone.lowest(calibrated), zone.sure(calibrated)) == (0.3, 0.8)
    tightened = OperatingPoint(min_score=0.6, source="tightened")
    assert (zone.lowest(tightened), zone.sure(tightened)) == (0.6, 0.7)
    assert zone.sure(OperatingPoint(min_score=1.1, source="tightened")) == 1.1


@pytest.mark.parametrize("said", [False, None, "yes", 1, Judgement(same=None, reason="silence"), ValueError("no")])
def test_no_and_anything_but_yes_is_a_miss(make: MakeCache, said: Any) -> None:
    def judge(case: JudgeCase) -> Any:
        if isinstance(said, Exception):
            raise said
        return said

    cache = make(judge=GreyZone(low=0.0, high=1.0, judge=judge))
    miss = cache.lookup(ask(REWORDED))
    assert isinstance(miss, Miss)
    assert miss.verdict == "miss"
    assert miss.vector is not None, "storing does not embed again"
    stats = cache.stats()
    assert (stats.judge_calls, stats.judge_no, stats.judge_failed) == (1, int(said is False), int(said is not False))
    assert "judge" in next(iter(stats.refused))
    assert [pair.refused_by for pair in cache.near_hits()] == ["score"]
    cache.store(ask(REWORDED), '"fresh"', miss=miss)
    assert cache.lookup(ask(REWORDED)).entry.payload == '"fresh"'  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "junk", [{"usd": 0.001}, {"usd": Decimal("NaN")}, {"usd": Decimal(-1)}, {"same": "no"}, {"basis": "guessed"}]
)
def test_a_judgement_of_junk_is_a_miss_and_no_failed_call(make: MakeCache, junk: dict[str, Any]) -> None:
    cache = make(judge=GreyZone(low=0.0, high=1.0, judge=lambda case: Judgement(**{"same": True, **junk})))
    assert isinstance(cache.lookup(ask(REWORDED)), Miss)
    assert cache.stats().judge_failed == 1
    assert cache.stats().faults == {"the judge: ConfigurationError": 1}


def test_what_numpy_compares_is_a_verdict(make: MakeCache) -> None:
    scores = np.array([0.9, 0.1], dtype=np.float32)
    cache = make(judge=GreyZone(low=0.0, high=1.0, judge=lambda case: scores[0] > 0.5))
    assert isinstance(cache.lookup(ask(REWORDED)), Hit)
    cache = make(judge=GreyZone(low=0.0, high=1.0, judge=lambda case: Judgement(same=scores[1] > 0.5)))
    assert isinstance(cache.lookup(ask(REWORDED)), Miss)
    assert (cache.stats().judge_no, cache.stats().judge_failed) == (1, 0)


def test_a_judge_that_quotes_is_not_quoted_in_counts_and_marks(make: MakeCache) -> None:
    said = Judgement(same=None, reason="I cannot say whether Jane Roe's IBAN is meant")
    cache = make(judge=GreyZone(low=0.0, high=1.0, judge=lambda case: said))
    miss = cache.lookup(ask(REWORDED))
    assert "Jane" not in str(miss.mark())
    assert "Jane" not in repr(cache.stats())


@pytest.mark.parametrize("junk", [{"text": None}, {"reading": 3}, {"payload": b"x"}])
def test_a_fresh_answer_of_junk_is_a_failed_check(make: MakeCache, junk: dict[str, Any]) -> None:
    cache = make(verify=Sampled(rate=1.0, judge=right, ask=lambda request: FreshAnswer(**{"text": "x", **junk})))
    assert isinstance(cache.lookup(ask(REWORDED)), Hit)
    assert cache.flush(30)
    assert (cache.stats().checks, cache.stats().checks_failed) == (1, 1)


def test_what_a_judge_costs_is_the_lookups_and_unpriced_stays_unpriced(make: MakeCache) -> None:
    priced = Judge(Judgement(same=True, usd=Decimal("0.25"), basis="estimated"))
    cache = make(judge=GreyZone(low=0.0, high=1.0, judge=priced))
    hit = cache.lookup(ask(REWORDED))
    assert (hit.mark().lookup_usd, hit.mark().lookup_basis) == (Decimal("0.25"), "estimated")
    stats = cache.stats()
    assert (stats.judge_usd, stats.lookup_usd) == (Decimal("0.25"), Decimal("0.25"))
    assert stats.saved_usd == stats.served_usd - Decimal("0.25")
    dark = Judge(Judgement(same=False, usd=None, basis="unpriced"))
    cache = make(judge=GreyZone(low=0.0, high=1.0, judge=dark))
    miss = cache.lookup(ask(REWORDED))
    assert (miss.mark().lookup_usd, miss.mark().lookup_basis) == (None, "unpriced")
    assert (cache.stats().judge_unpriced, cache.stats().lookups_unpriced) == (1, 1)


def test_gates_rejections_and_exact_repeats_never_reach_the_judge(make: MakeCache) -> None:
    judge = Judge()
    cache = make(judge=GreyZone(low=0.0, high=1.0, judge=judge))
    assert isinstance(cache.lookup(ask("How do I reset 2 passwords?")), Miss)
    assert isinstance(cache.lookup(ask(ASKED)), Hit)
    assert judge.cases == []
    entry = cache.lookup(ask(REWORDED))
    assert isinstance(entry, Hit)
    cache.reject(entry)
    cache.store(ask(ASKED), '"settings"')
    assert isinstance(cache.lookup(ask(REWORDED)), Miss)
    assert len(judge.cases) == 1


def test_no_lock_is_held_while_the_judge_thinks(make: MakeCache) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(case: JudgeCase) -> bool:
        begun.set()
        return go.wait(30)

    cache = make(judge=GreyZone(low=0.0, high=0.99, judge=slow))
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(cache.lookup, ask(REWORDED))
        assert begun.wait(30)
        meanwhile = pool.submit(
            lambda: (cache.lookup(ask("Where is the bank?")), cache.store(ask("Where is it?"), "1"))
        )
        found, stored = meanwhile.result(30)
        assert isinstance(found, Miss)
        assert stored is not None
        go.set()
        assert isinstance(waiting.result(30), Hit)


async def test_quick_lookups_do_not_wait_behind_slow_judges(make: MakeCache) -> None:
    go, begun, loop = threading.Event(), asyncio.Semaphore(0), asyncio.get_running_loop()
    threads: list[bool] = []

    def slow(case: JudgeCase) -> bool:
        threads.append(threading.current_thread().daemon)
        loop.call_soon_threadsafe(begun.release)
        return go.wait(30)

    cache = make(judge=GreyZone(low=0.0, high=1.0, judge=slow))
    with ThreadPoolExecutor(1) as pool:
        loop.set_default_executor(pool)
        waiting = [asyncio.create_task(cache.alookup(ask(REWORDED))) for _ in range(3)]
        for _ in waiting:
            await begun.acquire()
        assert isinstance(await cache.alookup(ask(ASKED)), Hit)
        waiting[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        go.set()
        for task in waiting[1:]:
            assert isinstance(await task, Hit)
    assert threads == [True, True, True], "a judge that hangs does not keep the process alive"


async def test_what_leaves_a_judge_in_async_use_reaches_the_caller(make: MakeCache) -> None:
    def leave(case: JudgeCase) -> bool:
        raise SystemExit(3)

    cache = make(judge=GreyZone(low=0.0, high=1.0, judge=leave))
    with pytest.raises(SystemExit):
        await cache.alookup(ask(REWORDED))
    assert isinstance(await cache.alookup(ask(ASKED)), Hit)


def test_ctrl_c_in_a_judge_reaches_the_caller(make: MakeCache) -> None:
    def judge(case: JudgeCase) -> bool:
        raise KeyboardInterrupt

    cache = make(judge=GreyZone(low=0.0, high=1.0, judge=judge))
    with pytest.raises(KeyboardInterrupt):
        cache.lookup(ask(REWORDED))
    assert isinstance(cache.lookup(ask(ASKED)), Hit)


def test_a_judge_that_uses_the_same_cache_is_not_answered_by_it(make: MakeCache) -> None:
    found: list[Any] = []

    def judge(case: JudgeCase) -> bool:
        found.append(cache.lookup(ask(ASKED)))
        found.append(cache.store(ask("Where?"), "1"))
        return True

    cache = make(judge=GreyZone(low=0.0, high=1.0, judge=judge))
    assert isinstance(cache.lookup(ask(REWORDED)), Hit)
    assert found[0].verdict == "none"
    assert found[1] is None
    assert cache.stats().lookups == 1


def test_contradictory_and_wrong_knobs_are_refused(tmp_path: Path) -> None:
    zone = GreyZone(low=0.3, high=0.7, judge=right)
    with pytest.raises(ConfigurationError, match="below similarity_threshold"):
        Cache(judge=zone, similarity_threshold=0.5)
    with pytest.raises(ConfigurationError, match="judge must be a GreyZone"):
        Cache(judge=right)  # type: ignore[arg-type]
    for bad in (
        {"rate": 0},
        {"rate": 1.1},
        {"rate": True},
        {"rate": float("nan")},
        {"judge": 3},
        {"judge": AlikeAnswers},
        {"ask": AsyncAsker()},
        {"ask": 3},
        {"ledger": "file.db"},
        {"seed": 0.5},
    ):
        with pytest.raises(ConfigurationError):
            Sampled(**{"rate": 0.5, "judge": right, **bad})

    async def later(request: object) -> str:
        return ""

    with pytest.raises(ConfigurationError, match="coroutine"):
        Sampled(rate=0.5, judge=right, ask=later)


# -- checks ------------------------------------------------------------------------


def test_a_check_that_asks_serves_at_once_and_settles_the_logged_decision(make: MakeCache) -> None:
    judge, asides = Judge(), list[Any]()

    def answer(request: Any) -> FreshAnswer:
        asides.append(current_aside())
        return FreshAnswer(text="fresh", reading=READING)

    cache = make(verify=Sampled(rate=1.0, judge=judge, ask=answer))
    assert isinstance(cache.lookup(ask(REWORDED)), Hit)
    assert isinstance(cache.lookup(ask(ASKED)), Hit)
    assert cache.flush(30)
    assert judge.cases == [JudgeCase(cached=ASKED, new=REWORDED, answer='"settings"', fresh="fresh")]
    assert asides[0].purpose == "verification"
    [pair] = cache.near_hits()
    assert (pair.same, pair.source, pair.served) == (True, "verified", True)
    stats = cache.stats()
    assert (stats.checks, stats.checks_right, stats.verified, stats.verified_wrong) == (1, 1, 1, 0)
    assert stats.verification_usd > 0
    assert stats.saved_usd == stats.served_usd - stats.verification_usd
    assert f"{stats.verified_interval[1]:.1%}" in repr(stats)
    assert "<th>checks</th>" in stats._repr_html_()


def test_statistics_without_checks_say_nothing_of_them(make: MakeCache) -> None:
    text = repr(make().stats())
    assert "not certified" in text
    for name in ("verified", "checks", "judge", "demoted"):
        assert f"  {name} " not in text


def test_what_an_adapter_gives_is_asked_and_a_needed_answer_is_stored(make: MakeCache) -> None:
    cache = make(verify=Sampled(rate=1.0, judge=wrong), **WIDE)
    fresh = FreshAnswer(text="machine", payload='"machine"', reading=READING)
    assert isinstance(cache.lookup(ask(OTHER), ask=lambda: fresh), Hit)
    assert cache.flush(30)
    hit = cache.lookup(ask(OTHER))
    assert isinstance(hit, Hit)
    assert (hit.tier, hit.entry.payload) == ("exact", '"machine"')
    assert hit.entry.answer_usd is not None
    assert cache.stats().demoted == 1
    demoted = cache.lookup(ask(ASKED))
    assert isinstance(demoted, Hit)
    assert not demoted.entry.semantic
    assert cache.check() == ()


def test_one_demoted_by_another_process_serves_nobody(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    with Cache(path, verify=Sampled(rate=1.0, judge=wrong), **WIDE) as one, Cache(path, **WIDE) as other:
        one.store(ask(ASKED), '"settings"')
        assert isinstance(other.lookup(ask(OTHER)), Hit)
        one.lookup(ask(OTHER), ask=lambda: FreshAnswer(text="machine"))
        assert one.flush(30)
        assert isinstance(other.lookup(ask(OTHER)), Miss)
        assert isinstance(other.lookup(ask(ASKED)), Hit)


def test_a_judge_that_is_always_wrong_is_heard_of_and_can_be_taken_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "cache.db"
    others = ("How do I pay by card?", "Where do I see the invoice?", "When does the shop open?")
    verify = Sampled(rate=1.0, judge=wrong, ask=lambda request: "fresh")
    with (
        Cache(path, verify=verify, gates=(), similarity_threshold=0.3) as cache,
        Cache(path, gates=(), similarity_threshold=0.3) as other,
    ):
        for question in others:
            cache.store(ask(question), f'"{question}"')
        cache.store(ask("Who pays?"), '"kept to the letter"', exact_only=True)
        for question in others:
            assert isinstance(cache.lookup(ask(question.replace(" do ", " can "))), Hit | Miss)
            assert cache.flush(30)
        stats = cache.stats()
        assert stats.point is not None
        assert stats.point.source == "tightened"
        assert stats.demoted == stats.checks_wrong >= 2
        assert (stats.verified, stats.verified_below, stats.verified_below_wrong) == (0, 2, 2)
        rows = dict(stats.rows())
        assert "95 % interval" in rows["served no longer"]
        assert f"from score {stats.point.min_score:.3f} on" in rows["verified"]
        [warned] = [one for one in caplog.messages if "forget_verdicts()" in one]
        assert not any(question in warned for question in others)
        assert isinstance(other.lookup(ask("How can I pay by card?")), Miss)
        assert cache.forget_verdicts() == stats.checks_wrong
        assert cache.stats().point == OperatingPoint(min_score=0.3, source="threshold")
        assert cache.stats().verified == 0
        assert isinstance(cache.lookup(ask("How can I pay by card?")), Hit)
        letter = cache.lookup(ask("Who pays?"))
        assert isinstance(letter, Hit)
        assert not letter.entry.semantic, "it never had a vector"
        assert cache.flush(30)
        assert cache.check() == ()
        assert cache.forget_verdicts() == 1
        other.lookup(ask("How can I pay by card?"))
        assert other.stats().point == OperatingPoint(min_score=0.3, source="threshold")
    with Cache(path, gates=(), similarity_threshold=0.3) as again:
        assert isinstance(again.lookup(ask("How can I pay by card?")), Hit)


def test_an_answer_without_text_is_a_failed_check(make: MakeCache) -> None:
    cache = make(verify=Sampled(rate=1.0, judge=right))
    miss = cache.lookup(ask(REWORDED))
    assert isinstance(miss, Miss)
    cache.store(ask(REWORDED), "  ", miss=miss)
    assert cache.flush(30)
    assert (cache.stats().checks, cache.stats().checks_failed) == (1, 1)


def test_a_certificate_is_withdrawn_for_every_process(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    point = OperatingPoint(
        min_score=0.41, source="calibrated", certified=True, confidence=0.95, max_error_rate=0.05, served=59, wrong=0,
        upper_error_rate=0.05,
    )  # fmt: skip
    with Cache(path, verify=Sampled(rate=1.0, judge=wrong), **WIDE) as one, Cache(path, **WIDE) as other:
        one._points.save(point=point)
        one.store(ask(ASKED), '"settings"')
        assert isinstance(other.lookup(ask(OTHER)), Hit)
        assert other.stats().point == point
        one.lookup(ask(OTHER), ask=lambda: FreshAnswer(text="machine"))
        assert one.flush(30)
        withdrawn = one.stats().point
        assert withdrawn is not None
        assert (withdrawn.min_score, withdrawn.certified) == (0.41, False)
        one.store(ask(REWORDED), '"settings"')
        other.lookup(ask(OTHER))
        assert other.stats().point == withdrawn
    with Cache(path, **WIDE) as again:
        assert again.stats().point == withdrawn


def test_costs_of_plain_callables_are_recorded_once_and_free_ones_not_at_all(make: MakeCache) -> None:
    with Ledger() as ledger:
        verify = Sampled(
            rate=1.0,
            judge=Judge(Judgement(same=True, usd=Decimal("0.5"), basis="estimated")),
            ask=lambda request: FreshAnswer(text="fresh", reading=READING),
            ledger=ledger,
        )
        cache = make(verify=verify)
        cache.lookup(ask(REWORDED))
        assert cache.flush(30)
        asked, judged = ledger.records()
        assert {asked.feature, judged.feature} == {"cache verification"}
        assert (asked.metadata["check"], judged.metadata["check"]) == ("asked again", "judged")
        assert (asked.usage, judged.cost.usd, judged.cost.basis) == (READING.usage, Decimal("0.5"), "estimated")
        assert (asked.cost.usd or 0) + Decimal("0.5") == cache.stats().verification_usd
        report = ledger.report("feature").total
        assert report.usd == cache.stats().verification_usd
        free = make(verify=Sampled(rate=1.0, judge=right, ask=lambda request: FreshAnswer(text="x"), ledger=ledger))
        free.lookup(ask(REWORDED))
        assert free.flush(30)
        assert [one.cost.usd for one in ledger.records()][2:] == [None], "an answer at an unknown price, no judgement"


def test_a_ledger_that_is_closed_loses_no_verdict(make: MakeCache) -> None:
    ledger = Ledger()
    ledger.close()
    answer = FreshAnswer(text="fresh", reading=READING)
    cache = make(verify=Sampled(rate=1.0, judge=right, ask=lambda request: answer, ledger=ledger))
    cache.lookup(ask(REWORDED))
    assert cache.flush(30)
    assert (cache.stats().checks_right, cache.stats().checks_failed) == (1, 0)
    assert cache.stats().verification_usd > 0
    assert any("StoreError" in fault for fault in cache.stats().faults)


def test_observed_refusals_are_checked_and_stored_as_ever(make: MakeCache) -> None:
    cache = make(mode="observe", verify=Sampled(rate=1.0, judge=same_text))
    question = "How do I not reset my password?"
    miss = cache.lookup(ask(question))
    assert isinstance(miss, Miss)
    assert (miss.verdict, miss.check is not None) == ("miss", True)
    assert cache.store(ask(question), '"do nothing"', miss=miss) is not None
    assert cache.flush(30)
    [pair] = cache.near_hits()
    assert (pair.same, pair.source, pair.served) == (False, "observed", False)
    assert pair.refused_by is not None
    assert (cache.stats().verified, cache.stats().demoted) == (0, 0), "a refusal is no hit"


def test_a_payload_that_cannot_be_read_as_text_is_no_check(make: MakeCache) -> None:
    def unreadable(payload: str) -> str:
        raise ValueError(payload)

    cache = make(verify=Sampled(rate=1.0, judge=right))
    assert isinstance(cache.lookup(ask(REWORDED), as_text=unreadable), Hit)
    cache = make(verify=Sampled(rate=1.0, judge=right))
    miss = cache.lookup(
        ask(REWORDED), as_text=lambda payload: payload if "settings" in payload else unreadable(payload)
    )
    assert isinstance(miss, Miss)
    cache.store(ask(REWORDED), '"fresh"', miss=miss)
    assert cache.flush(30)
    assert (cache.stats().checks_failed, cache.stats().entries) == (1, 2)


def test_a_full_queue_drops_checks_and_keeps_answers(make: MakeCache) -> None:
    go = threading.Event()

    def slow(case: JudgeCase) -> bool:
        return go.wait(60)

    cache = make(verify=Sampled(rate=1.0, judge=slow))
    cache._verifier.background._most_waiting = 1  # type: ignore[union-attr]
    for word in ("can", "could", "may", "shall"):
        question = f"How {word} I reset my password?"
        miss = cache.lookup(ask(question))
        assert isinstance(miss, Miss)
        assert miss.check is not None
        cache.store(ask(question), '"fresh"', miss=miss)
    dropped = cache.stats().checks_dropped
    assert dropped in (2, 3), "one is under way, or about to be, and one waits"
    assert cache.stats().entries == 1 + dropped
    go.set()
    assert cache.flush(30)


def test_a_closed_cache_takes_no_checks(make: MakeCache) -> None:
    cache = make(verify=Sampled(rate=1.0, judge=right))
    miss = cache.lookup(ask(REWORDED))
    assert isinstance(miss, Miss)
    cache.close()
    assert cache.store(ask(REWORDED), '"fresh"', miss=miss) is None
    assert cache.lookup(ask(REWORDED)).verdict == "none"  # type: ignore[union-attr]
    cache.close()


def test_a_forgotten_cache_is_collected() -> None:
    cache = filled(verify=Sampled(rate=1.0, judge=right, ask=lambda request: "x"), embedder=WordsEmbedder())
    cache.lookup(ask(REWORDED))
    cache.flush(30)
    gone = weakref.ref(cache)
    del cache
    gc.collect()
    assert gone() is None


def test_calls_made_aside_leave_no_trace_behind() -> None:
    with calling_aside("lookup"), calling_aside("verification"):
        aside = current_aside()
        assert aside is not None
        assert aside.purpose == "verification"
    assert current_aside() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_worker_checks_by_itself(tmp_path: Path) -> None:
    go = threading.Event()
    cache = filled(
        path_or_url=tmp_path / "cache.db",
        verify=Sampled(rate=1.0, judge=lambda case: go.wait(60), ask=lambda request: "fresh"),
    )
    cache.lookup(ask(REWORDED))
    child = os.fork()
    if child == 0:
        go.set()
        cache.lookup(ask("How could I reset my password?"))
        os._exit(0 if cache.flush(20) and cache.stats().checks_right == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    go.set()
    assert cache.flush(30)
    assert cache.stats().checks_right == 2
    cache.close()


def test_a_program_that_just_ends_does_not_hang_and_keeps_fresh_answers(tmp_path: Path) -> None:
    code = f"""
        import time
        from lc_costkit.cache import Cache
        from lc_costkit.cache.verify import Sampled
        from tests.cache.support import ask
        cache = Cache({str(tmp_path / "cache.db")!r}, verify=Sampled(rate=1.0, judge=lambda case: time.sleep(600)))
        cache.store(ask({ASKED!r}), '"settings"')
        for question in ({REWORDED!r}, "How could I reset my password?"):
            miss = cache.lookup(ask(question))
            cache.store(ask(question), '"fresh"', miss=miss)
        print("over")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert (done.stdout, done.stderr) == ("over\n", "")
    with Cache(tmp_path / "cache.db") as again:
        assert isinstance(again.lookup(ask("How could I reset my password?")), Hit)
        assert again.stats().checks_dropped in (1, 2), "the thread may not have begun with the first"


def test_a_wrong_entry_is_demoted_even_where_its_verdict_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    with Cache(path, verify=Sampled(rate=1.0, judge=wrong), **WIDE) as cache:
        cache.store(ask(ASKED), '"settings"')
        cache.lookup(ask(OTHER))
        with sqlite3.connect(path) as connection:
            connection.execute("DROP TABLE cache_pairs")
        cache.lookup(ask(OTHER), ask=lambda: FreshAnswer(text="machine"))
        assert cache.flush(30)
        assert isinstance(cache.lookup(ask(OTHER)), Miss)
        assert cache.stats().demoted == 1
        assert any(fault.startswith("acting on a verdict") for fault in cache.stats().faults)
