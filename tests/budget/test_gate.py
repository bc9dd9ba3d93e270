"""Does the gate let through what fits, refuse what does not, and count what came of it?"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lc_costkit.backoff import Backoff
from lc_costkit.budget.book import book_of
from lc_costkit.budget.budget import Budget
from lc_costkit.budget.claim import Claim
from lc_costkit.budget.gate import CHEAPEST, Gate
from lc_costkit.budget.rate_limit import RateLimit, pause_seconds
from lc_costkit.errors import BudgetExceeded, BudgetUnavailable, ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.metering import OpenCall, Outcome, failed
from lc_costkit.pricing import ModelPrice, PriceBook
from lc_costkit.usage import TokenUsage, UsageReading
from tests.budget.support import PROMPT, answered, call, claim

# 10 input and 100 output tokens of gpt-4o-mini
ANSWER_USD = Decimal("0.0000615")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as opened:
        yield opened


def test_a_call_holds_the_most_it_can_cost_and_then_what_it_did(ledger: Ledger) -> None:
    budget = Budget(usd=1, per="day")
    gate = Gate(budget, ledger)
    admission = gate.admit(claim(), call())
    held = budget.status().held
    assert admission.ceiling is not None and held >= admission.ceiling.usd >= Decimal("0.0006")
    assert (budget.status().spent, admission.instead) == (0, None)
    admission.settle(answered())
    assert (budget.status().spent, budget.status().held) == (ANSWER_USD, 0)
    admission.settle(answered())
    assert budget.status().spent == ANSWER_USD, "a second time does nothing"
    assert budget.status().left == 1 - ANSWER_USD


def test_what_does_not_fit_is_refused_with_the_numbers(ledger: Ledger) -> None:
    gate = Gate(Budget(usd="0.0007", per="day", scope={"user": "*"}, name="daily"), ledger)
    gate.admit(claim(user="u1"), call()).settle(answered(output_tokens=1000))
    with pytest.raises(BudgetExceeded) as refused:
        gate.admit(claim(user="u1"), call())
    error = refused.value
    assert (error.budget, error.scope, error.unit) == ("daily", {"user": "u1"}, "usd")
    assert (error.limit, error.spent, error.held) == (Decimal("0.0007"), Decimal("0.0006015"), 0)
    assert error.asked is not None and error.asked > Decimal("0.0006")
    assert error.resets_at is not None and f"{error.resets_at:%Y-%m-%dT00:00Z}" in str(error)
    assert "budget 'daily' for user 'u1': 0.0006015 spent + 0 held + up to 0.0006" in str(error)
    gate.admit(claim(user="u2"), call()).release()


def test_a_call_that_sets_no_limit_is_told_to(ledger: Ledger) -> None:
    gate = Gate(Budget(usd="0.001"), ledger)
    with pytest.raises(BudgetExceeded, match="max_tokens"):
        gate.admit(claim(max_output=None), call())


def test_all_budgets_or_none(ledger: Ledger) -> None:
    wide, narrow = Budget(usd=1, per="day"), Budget(calls=1, per="total")
    gate = Gate([wide, narrow], ledger)
    gate.admit(claim(), call()).settle(answered())
    with pytest.raises(BudgetExceeded, match="calls in total"):
        gate.admit(claim(), call())
    assert wide.status().held == 0
    assert narrow.status().spent == 1


def test_tokens_are_counted_as_the_provider_counts_them(ledger: Ledger) -> None:
    budget = Budget(tokens=5000, per="hour")
    gate = Gate(budget, ledger)
    gate.admit(claim(), call()).settle(answered(40, 2))
    assert (budget.status().spent, budget.status().left) == (42, 4958)


def test_a_call_the_budget_is_not_for_passes(ledger: Ledger) -> None:
    gate = Gate(Budget(usd=0, scope={"team": "ads"}), ledger)
    admission = gate.admit(claim(team="search"), call())
    assert (admission.instead, admission.ceiling) == (None, None)
    admission.settle(answered())
    with pytest.raises(BudgetExceeded):
        gate.admit(claim(team="ads"), call())


def test_a_scope_may_name_the_model(ledger: Ledger) -> None:
    budget = Budget(calls=1, scope={"model": "gpt-4o"})
    gate = Gate(budget, ledger)
    gate.admit(claim("gpt-4o"), call("gpt-4o")).settle(answered(model="gpt-4o"))
    with pytest.raises(BudgetExceeded):
        gate.admit(claim("gpt-4o"), call("gpt-4o"))
    gate.admit(claim("gpt-4o-mini"), call()).settle(answered())


def test_a_call_that_the_provider_refused_counts_nothing(ledger: Ledger) -> None:
    budget, tokens = Budget(usd=1), Budget(tokens=10_000)
    Gate([budget, tokens], ledger).admit(claim(), call()).settle(failed(ValueError("bad request")))
    assert (budget.status().spent, tokens.status().spent, budget.status().held) == (0, 0, 0)


@pytest.mark.parametrize("error", [TimeoutError(), asyncio.CancelledError()])
def test_a_call_of_which_nothing_came_counts_in_full(error: BaseException, ledger: Ledger) -> None:
    budget, tokens = Budget(usd=1), Budget(tokens=10_000)
    admission = Gate([budget, tokens], ledger).admit(claim(), call())
    held = (budget.status().held, tokens.status().held)
    admission.settle(failed(error))
    assert (budget.status().spent, tokens.status().spent) == held
    assert budget.status().held == 0


def test_a_stream_that_was_broken_off_counts_what_came_and_what_may_have_been_on_the_way(ledger: Ledger) -> None:
    budget = Budget(usd=1)
    gate = Gate(budget, ledger)
    admission = gate.admit(claim(max_output=5000), call())
    admission.settle(failed(GeneratorExit(), came="some of the answer"))
    # 4 tokens came, 256 more of output, and an input of a few tokens
    assert Decimal("0.0001566") < budget.status().spent < Decimal("0.000170")
    short = gate.admit(claim(max_output=20), call())
    before, held = budget.status().spent, budget.status().held
    short.settle(failed(GeneratorExit(), came="some of the answer"))
    assert budget.status().spent - before <= held


def broken_off(gate: Gate, claimed: Claim, *, came: str = "some of the answer", **how: Any) -> bool:
    """Break a stream off; tell whether it counted in full."""
    opened = OpenCall(prompt=PROMPT, model_asked=claimed.model, provider=claimed.provider)
    before = gate.budgets[0].status()
    admission = gate.admit(claimed, opened)
    held = gate.budgets[0].status().held
    admission.settle(failed(GeneratorExit(), came=came, streamed=True, **how))
    after = gate.budgets[0].status()
    assert after.held == before.held and after.spent - before.spent <= held
    return after.spent - before.spent == held


def of(model: str, provider: str | None = "openai", **more: Any) -> Claim:
    return Claim(model=model, provider=provider, prompt=PROMPT, **{"max_output_tokens": 3000, **more})


@pytest.mark.parametrize(
    "model", ["gpt-5", "o3", "openai/gpt-5-mini", "gpt-6-sol", "gpt-4o-audio-preview", "llama-3", "deepseek-reasoner"]
)
def test_a_model_that_may_bill_what_a_stream_does_not_show_counts_in_full(model: str, ledger: Ledger) -> None:
    assert broken_off(Gate(Budget(tokens=10_000), ledger), of(model))


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "gpt-5-chat-latest", "ft:gpt-4o-mini-2024-07-18:acme::x"])
def test_a_model_that_shows_all_it_says_does_not(model: str, ledger: Ledger) -> None:
    assert not broken_off(Gate(Budget(tokens=10_000), ledger), of(model))


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("claude-sonnet-4-5@20250929", "google"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws"),
        ("gpt-4o", None),
        ("mistral-large-latest", "mistral"),
    ],
)
def test_a_provider_that_may_write_on_when_nobody_reads_counts_in_full(
    model: str, provider: str | None, ledger: Ledger
) -> None:
    assert broken_off(Gate(Budget(tokens=10_000), ledger), of(model, provider))


def test_a_model_that_is_asked_to_think_counts_in_full(ledger: Ledger) -> None:
    gate = Gate(Budget(tokens=100_000), ledger)
    assert not broken_off(gate, of("claude-sonnet-4-5", "anthropic"))
    assert broken_off(gate, of("claude-sonnet-4-5", "anthropic", thinks=True))


def test_what_a_provider_may_have_written_while_nobody_read_counts(ledger: Ledger) -> None:
    gate = Gate(budget := Budget(tokens=100_000), ledger)
    spent = []
    for seconds in (0.0, 4.0, 60.0):
        before = budget.status().spent
        assert broken_off(gate, of("gpt-4o"), unread_seconds=seconds) == (seconds == 60)
        spent.append(budget.status().spent - before)
    assert spent[1] - spent[0] == 4 * 256


def test_each_of_several_answers_may_have_been_on_the_way(ledger: Ledger) -> None:
    gate = Gate(budget := Budget(tokens=100_000), ledger)
    assert not broken_off(gate, of("gpt-4o"))
    once = budget.status().spent
    assert not broken_off(gate, of("gpt-4o", choices=3))
    assert budget.status().spent - 2 * once == 2 * 256


@pytest.mark.parametrize(("model", "in_full"), [("gpt-5", True), ("our-llama", False), ("gpt-4o", False)])
def test_a_provider_that_does_not_say_what_a_call_used(model: str, in_full: bool, ledger: Ledger) -> None:
    gate = Gate(budget := Budget(tokens=10_000), ledger)
    admission = gate.admit(of(model), OpenCall(prompt=PROMPT, model_asked=model, provider="openai"))
    held = budget.status().held
    admission.settle(Outcome(answer=lambda: "It scatters blue light."))
    assert (budget.status().spent == held) is in_full
    assert 10 < budget.status().spent <= held


def test_what_came_is_bounded_where_the_vocabulary_is_not_known(ledger: Ledger) -> None:
    gate = Gate(budget := Budget(tokens=100_000), ledger)
    assert not broken_off(gate, of("claude-haiku-4-5", "anthropic"), came="\u4f60" * 500)
    assert budget.status().spent >= 1500 + 256, "no token is less than a byte"


def test_a_model_without_a_price_is_refused_before_a_hard_budget_in_usd(ledger: Ledger) -> None:
    with pytest.raises(BudgetExceeded, match="no price is known") as refused:
        Gate(Budget(usd=1), ledger).admit(claim("our-llama"), call("our-llama"))
    assert refused.value.asked is None
    for budget in (Budget(usd=1, allow_unpriced=True), Budget(usd=1, mode="observe"), Budget(tokens=10_000)):
        Gate(budget, ledger).admit(claim("our-llama"), call("our-llama")).settle(answered(model="our-llama"))
    priced = PriceBook(overrides={"our-llama": ModelPrice(input_per_million=1, output_per_million=1)})
    budget = Budget(usd=1, name="priced")
    Gate(budget, ledger, prices=priced).admit(claim("our-llama"), call("our-llama")).settle(answered(model="our-llama"))
    assert budget.status().spent == Decimal("0.00011")


def test_a_free_model_passes_a_spent_budget(ledger: Ledger) -> None:
    free = PriceBook(overrides={"our-llama": ModelPrice(input_per_million=0, output_per_million=0)})
    gate = Gate(Budget(usd=0), ledger, prices=free)
    with pytest.raises(BudgetExceeded):
        gate.admit(claim(), call())
    gate.admit(claim("our-llama"), call("our-llama")).settle(answered(model="our-llama"))


def test_an_answer_of_another_price_is_counted_at_it(ledger: Ledger) -> None:
    budget = Budget(usd=1)
    Gate(budget, ledger).admit(claim(), call()).settle(answered(model="gpt-4o"))
    assert budget.status().spent == Decimal("0.001025")


@pytest.mark.parametrize(("written", "counted"), [(2_000, "0.00405"), (10_000, "0.01255")])
def test_an_estimate_counts_at_the_most_it_can_have_cost_and_at_no_more_than_was_reserved_unless_it_is_above_itself(
    written: int, counted: str, ledger: Ledger
) -> None:
    # The lifetime of the cache write is not reported: 1.25 or 2 USD a million. About 0.005 USD are reserved.
    usage = TokenUsage(cache_write_tokens=written, output_tokens=10)
    reading = UsageReading(usage=usage, model="claude-haiku-4-5", provider="anthropic")
    asked = Claim(model=reading.model, provider="anthropic", prompt=PROMPT, max_output_tokens=1000, cache_ttl="1h")
    opened = OpenCall(prompt=PROMPT, model_asked=reading.model, provider="anthropic")
    budget = Budget(usd=1)
    Gate(budget, ledger).admit(asked, opened).settle(Outcome(read=lambda: reading))
    assert budget.status().spent == Decimal(counted)


def test_observing_counts_and_never_stops(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    budget = Budget(usd="0.0001", mode="observe")
    gate = Gate(budget, ledger)
    with caplog.at_level(logging.WARNING, "lc_costkit"):
        for _ in range(3):
            gate.admit(claim(), call()).settle(answered())
    assert budget.status().spent == 3 * ANSWER_USD
    assert len([one for one in caplog.records if "lc_costkit" in one.getMessage()]) == 1


def test_the_soft_limit_is_told_once(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    told: list[Any] = []
    gate = Gate(Budget(usd="0.001", soft=0.1, on_soft=told.append), ledger)
    with caplog.at_level(logging.WARNING, "lc_costkit"):
        for _ in range(4):
            gate.admit(claim(max_output=100), call()).settle(answered())
    assert len(told) == 1 and told[0].spent == 2 * ANSWER_USD
    assert len(caplog.records) == 1


def test_a_callback_that_fails_fails_no_call(ledger: Ledger) -> None:
    def broken(status: object) -> None:
        raise RuntimeError("mail is down")

    gate = Gate(Budget(usd="0.001", soft=0.01, on_soft=broken), ledger)
    gate.admit(claim(max_output=100), call()).settle(answered())
    assert gate.faults.counts == {"on_soft: RuntimeError": 1}


def test_from_the_soft_limit_on_the_cheapest_model_is_asked(ledger: Ledger) -> None:
    budget = Budget(usd="0.0105", soft=0.09, on_soft="cheapest")
    gate = Gate(budget, ledger, can_degrade=True)
    gate.admit(claim("gpt-4o"), call("gpt-4o")).settle(answered(model="gpt-4o"))
    assert gate.admit(claim("gpt-4o", max_output=100), call("gpt-4o")).instead is CHEAPEST
    assert budget.status().held == 0
    cheap = gate.admit(claim(), call(), cheapest=True)
    assert cheap.instead is None
    cheap.settle(answered())
    assert budget.status().spent == Decimal("0.001025") + ANSWER_USD


def test_what_would_pass_a_soft_limit_goes_to_the_cheapest_too(ledger: Ledger) -> None:
    gate = Gate(Budget(usd="0.005", soft=0.9, on_soft="cheapest"), ledger, can_degrade=True)
    assert gate.admit(claim("gpt-4o"), call("gpt-4o")).instead is CHEAPEST
    gate.admit(claim(), call(), cheapest=True).settle(answered())


def test_what_does_not_fit_goes_to_the_cheapest_and_that_is_refused_if_it_does_not_fit(ledger: Ledger) -> None:
    gate = Gate(Budget(usd="0.001", on_exceeded="cheapest"), ledger, can_degrade=True)
    assert gate.admit(claim("gpt-4o"), call("gpt-4o")).instead is CHEAPEST
    gate.admit(claim(), call(), cheapest=True).settle(answered(output_tokens=1000))
    with pytest.raises(BudgetExceeded):
        gate.admit(claim(), call(), cheapest=True)
    with pytest.raises(ConfigurationError, match="give cheapest="):
        Gate(Budget(usd=1, on_exceeded="cheapest", name="other"), ledger)


def test_a_function_decides_what_is_answered_instead(ledger: Ledger) -> None:
    seen: list[BudgetExceeded] = []

    def decide(error: BudgetExceeded) -> str | None:
        seen.append(error)
        return "come back tomorrow" if len(seen) == 1 else None

    gate = Gate(Budget(usd=0, on_exceeded=decide), ledger)
    assert gate.admit(claim(), call()).instead == "come back tomorrow"
    with pytest.raises(BudgetExceeded):
        gate.admit(claim(), call())

    def own(error: BudgetExceeded) -> None:
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        Gate(Budget(usd=0, on_exceeded=own, name="other"), ledger).admit(claim(), call())


def test_a_rate_limit_waits_until_there_is_room(ledger: Ledger) -> None:
    gate = Gate(RateLimit(requests=1, per="minute", max_wait=5), ledger)
    first = gate.admit(claim(), call())
    threading.Timer(0.3, first.release).start()
    began = time.monotonic()
    gate.admit(claim(), call()).settle(answered())
    assert time.monotonic() - began >= 0.25


async def test_a_rate_limit_waits_off_the_loop(ledger: Ledger) -> None:
    gate = Gate(RateLimit(requests=1, per="minute", max_wait=5), ledger)
    first = await gate.aadmit(claim(), call())
    waiting = asyncio.ensure_future(gate.aadmit(claim(), call()))
    ticks = 0
    for _ in range(10):
        await asyncio.sleep(0.02)
        ticks += 1
    assert not waiting.done()
    first.release()
    await (await waiting).asettle(answered())
    assert ticks == 10


def test_a_rate_limit_gives_up_in_time(ledger: Ledger) -> None:
    gate = Gate(RateLimit(tokens=1200, max_wait=0.2), ledger)
    gate.admit(claim(), call()).settle(answered(output_tokens=900))
    with pytest.raises(BudgetExceeded, match="tokens per minute"):
        gate.admit(claim(), call())
    with pytest.raises(BudgetExceeded, match="exceeds 1200 tokens"):
        gate.admit(claim(max_output=5000), call())


def test_a_call_does_not_wait_for_what_another_budget_refuses_in_the_end(ledger: Ledger) -> None:
    hard, rate = Budget(calls=1, name="hard"), RateLimit(requests=1, max_wait=3600)
    Gate([rate, hard], ledger).admit(claim(), call()).settle(answered())
    for budgets in ([rate, hard], [hard, rate]):
        gate = Gate(budgets, ledger)
        with pytest.raises(BudgetExceeded, match="budget 'hard'"):
            gate.admit(claim(), call())


def test_what_raises_goes_before_what_sends_to_the_cheapest(ledger: Ledger) -> None:
    month, user = Budget(usd=0, name="month", on_exceeded="cheapest"), Budget(usd=0, name="user")
    with pytest.raises(BudgetExceeded, match="budget 'user'"):
        Gate([month, user], ledger, can_degrade=True).admit(claim(), call())


def test_a_call_may_wait_for_hours() -> None:
    assert 0.5 < pause_seconds(1_000_000) < 2
    assert pause_seconds(1) <= 0.04


async def test_async_does_what_sync_does(ledger: Ledger) -> None:
    budget = Budget(usd="0.0007")
    gate = Gate(budget, ledger)
    admission = await gate.aadmit(claim(), call())
    with pytest.raises(BudgetExceeded):
        await gate.aadmit(claim(), call())
    await admission.asettle(answered())
    assert (budget.status().spent, budget.status().held) == (ANSWER_USD, 0)


async def test_a_task_that_is_cancelled_while_it_reserves_leaves_nothing_held(ledger: Ledger) -> None:
    budget = Budget(usd=1)
    gate = Gate(budget, ledger)
    for delay in (0, 0.0005, 0.001, 0.002, 0.005):
        task = asyncio.ensure_future(gate.aadmit(claim(), call()))
        await asyncio.sleep(delay)
        if not task.cancel():
            task.result().release()
            continue
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.sleep(0.3)
    assert budget.status().held == 0


async def test_a_task_that_is_cancelled_while_it_settles_settles(ledger: Ledger) -> None:
    budget = Budget(usd=1)
    admission = await Gate(budget, ledger).aadmit(claim(), call())
    task = asyncio.ensure_future(admission.asettle(answered()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.3)
    assert (budget.status().spent, budget.status().held) == (ANSWER_USD, 0)


def test_a_lease_that_ran_out_counts_in_full_and_is_corrected_when_the_call_ends(ledger: Ledger) -> None:
    budget = Budget(usd=1, lease=0.2)
    gate = Gate(budget, ledger)
    lost, late = gate.admit(claim(), call()), gate.admit(claim(), call())
    held = budget.status().held
    time.sleep(0.3)
    status = budget.status()
    assert (status.held, status.spent) == (0, held)
    late.settle(answered())
    assert budget.status().spent == held / 2 + ANSWER_USD
    del lost


def locked(path: Path) -> closing[sqlite3.Connection]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    return closing(other)


@pytest.fixture
def hasty(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a locked store for a moment only."""
    monkeypatch.setattr(book_of(ledger).accounts._transactions, "_patience", 0.2)


def break_store(ledger: Ledger) -> None:
    with sqlite3.connect(str(ledger.engine.url.database)) as raw:
        for table in ("costkit_budget_accounts",):
            raw.execute(f"ALTER TABLE {table} RENAME TO away")
    raw.close()


def mend_store(ledger: Ledger) -> None:
    with sqlite3.connect(str(ledger.engine.url.database)) as raw:
        raw.execute("ALTER TABLE away RENAME TO costkit_budget_accounts")
    raw.close()


def test_a_store_that_is_gone_stops_a_hard_budget_and_not_an_open_one(ledger: Ledger) -> None:
    closed, open_ = Gate(Budget(usd=1, name="a"), ledger), Gate(budget := Budget(usd=1, name="b", fail="open"), ledger)
    before = closed.admit(claim(), call())
    break_store(ledger)
    with pytest.raises(BudgetUnavailable, match="fail='open'"):
        closed.admit(claim(), call())
    admission = open_.admit(claim(), call())
    admission.settle(answered())
    before.settle(answered())
    assert book_of(ledger).kept == 2, "nothing that was spent is forgotten"
    mend_store(ledger)
    closed.admit(claim(), call()).release()
    assert budget.status().spent == ANSWER_USD
    assert closed.budgets[0].status().spent == ANSWER_USD
    assert (book_of(ledger).kept, closed.budgets[0].status().held) == (0, 0)


async def test_tasks_do_not_wait_for_a_locked_store_one_after_the_other(ledger: Ledger, hasty: None) -> None:
    gate = Gate(budget := Budget(usd=1), ledger)
    with locked(Path(str(ledger.engine.url.database))):
        tasks = [gate.aadmit(claim(), call()) for _ in range(200)]
        refused = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in refused} == {BudgetUnavailable}
    waited = [one for one in refused if "while this call waited" in str(one)]
    assert len(waited) > 100
    gate.admit(claim(), call()).release()
    assert budget.status().held == 0


def test_a_settlement_that_cannot_be_made_does_not_stand_before_the_others(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(budget := Budget(usd=1), ledger)
    book, admission = book_of(ledger), gate.admit(claim(), call())
    part = admission._plan.parts[0]
    book.settle("twice", [part, part], [1, 1])
    assert book.faults.counts == {"settling: ConfigurationError": 1}
    break_store(ledger)
    admission.settle(answered())
    monkeypatch.setattr(book, "_backoff", Backoff())
    book.settle("twice", [part, part], [1, 1])
    mend_store(ledger)
    monkeypatch.setattr(book, "_backoff", Backoff())
    assert (budget.status().spent, book.kept) == (ANSWER_USD, 0)


def test_what_a_gate_is_made_of(ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="ledger must be a Ledger"):
        Gate(Budget(usd=1), "l.db")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="prices must be a PriceBook"):
        Gate(Budget(usd=1), ledger, prices={})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="empty"):
        Gate([], ledger)


def test_a_clock_that_goes_back_is_told_and_gives_nothing_away(ledger: Ledger) -> None:
    shift = 0
    budget = Budget(calls=1, per="hour")
    gate = Gate(budget, ledger, clock=lambda: time.time() + shift)
    gate.admit(claim(), call()).settle(answered())
    shift = 7200
    gate.admit(claim(), call()).settle(answered())
    shift = 0
    with pytest.raises(BudgetExceeded):
        gate.admit(claim(), call())
    assert gate.faults.counts == {"the clock: BudgetUnavailable": 1}


def test_a_new_window_is_a_new_allowance(ledger: Ledger) -> None:
    shift = 0
    gate = Gate(Budget(calls=1, per="day"), ledger, clock=lambda: time.time() + shift)
    gate.admit(claim(), call()).settle(answered())
    with pytest.raises(BudgetExceeded) as refused:
        gate.admit(claim(), call())
    assert refused.value.resets_at is not None
    shift = int(refused.value.resets_at.timestamp() - time.time()) + 1
    gate.admit(claim(), call()).settle(answered())


def test_a_rate_limit_lets_no_burst_through_where_two_windows_meet(ledger: Ledger) -> None:
    now = 60_000_059.0
    gate = Gate(RateLimit(requests=10, max_wait=0.01), ledger, clock=lambda: now)
    for _ in range(10):
        gate.admit(claim(), call()).settle(answered())
    now += 2  # a second into the next minute: most of the last one still counts
    with pytest.raises(BudgetExceeded):
        gate.admit(claim(), call())
    now += 30
    for _ in range(5):
        gate.admit(claim(), call()).settle(answered())
    with pytest.raises(BudgetExceeded):
        gate.admit(claim(), call())


def test_a_budget_may_wait_for_what_others_hold_and_only_for_that(ledger: Ledger) -> None:
    gate = Gate(Budget(usd="0.0007", on_exceeded="wait", max_wait=5), ledger)
    first = gate.admit(claim(), call())
    threading.Timer(0.2, lambda: first.settle(answered(output_tokens=1))).start()
    second = gate.admit(claim(), call())
    second.settle(answered(output_tokens=1000))
    began = time.monotonic()
    with pytest.raises(BudgetExceeded):
        gate.admit(claim(), call())
    assert time.monotonic() - began < 2, "nothing comes back: there is nothing to wait for"


def test_what_was_counted_wrongly_can_be_taken_off(ledger: Ledger) -> None:
    each, whole = Budget(usd="0.0007", scope={"user": "*"}), Budget(calls=5)
    gate = Gate([each, whole], ledger)
    gate.admit(claim(user="u1"), call()).settle(answered(output_tokens=1000))
    with pytest.raises(BudgetExceeded):
        gate.admit(claim(user="u1"), call())
    assert each.credit("0.0002", scope={"user": "u1"}).spent == Decimal("0.0004015")
    assert each.credit(scope={"user": "u1"}).spent == 0
    assert whole.credit(7).spent == 0
    gate.admit(claim(user="u1"), call()).settle(answered())
    for arguments, said in (
        ({}, "say whose"),
        ({"scope": {"user": "u2"}}, "nothing spent"),
        ({"scope": {"usr": "u1"}}, "did you mean 'user'"),
        ({"amount": -1, "scope": {"user": "u1"}}, "at least 0"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            each.credit(**arguments)  # type: ignore[arg-type]


def test_a_refusal_says_how_much_of_it_is_output(ledger: Ledger) -> None:
    with pytest.raises(BudgetExceeded, match=r"\(1000 tokens of output\) exceeds"):
        Gate(Budget(usd="0.0001"), ledger).admit(claim(), call())
