"""What is reserved, settled, released, swept and forgotten, on every database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, create_engine, func, select

from lc_costkit.budget.accounts import Accounts
from lc_costkit.budget.budget import Budget
from lc_costkit.budget.parts import Account, Balance, Part, Refused, Reserved, Settled
from lc_costkit.budget.schema import ACCOUNTS, OVER_KEPT_SECONDS, RESERVATIONS, SWEPT_KEPT_SECONDS
from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.store import open_engine

LEASE = 600.0
ALL = Account(budget="all", scope="{}")
USER = Account(budget="user", scope='{"user":"ü"}', starts_at=0, ends_at=86400)


@pytest.fixture
def accounts(engine: Engine) -> Iterator[Accounts]:
    with_accounts = Accounts(engine)
    yield with_accounts
    with_accounts.close()


def part(amount: int, limit: int | None = 100, account: Account = ALL, **more: object) -> Part:
    return Part(account=account, amount=amount, limit=limit, **more)  # type: ignore[arg-type]


def reserve(accounts: Accounts, name: str, *parts: Part, now: float = 0.0, lease: float = LEASE) -> Reserved | Refused:
    return accounts.reserve(name, parts, now=now, lease_seconds=[lease] * len(parts))


def standing(accounts: Accounts, budget: str = "all", now: float = 0.0) -> tuple[int, int, int]:
    """What is spent, held and unsettled of a budget's only present account."""
    found = accounts.balances(budget, now=now)
    if not found:
        return 0, 0, 0
    (balance,) = found
    return balance.spent, balance.held, balance.unsettled


def rows(engine: Engine, table: object = RESERVATIONS) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


# -- one call ------------------------------------------------------------------


def test_a_call_is_held_and_then_settled(accounts: Accounts) -> None:
    assert reserve(accounts, "a", part(70)) == Reserved(balances=(Balance(account=ALL, spent=0, held=70),))
    assert standing(accounts) == (0, 70, 0)
    settled = accounts.settle("a", [part(70)], [20], now=1)
    assert settled == Settled(balances=(Balance(account=ALL, spent=20, held=0),), crossed=(False,))
    assert standing(accounts) == (20, 0, 0)


def test_what_is_held_counts_and_the_limit_itself_fits(accounts: Accounts) -> None:
    assert isinstance(reserve(accounts, "a", part(60)), Reserved)
    refused = reserve(accounts, "b", part(41))
    assert refused == Refused(part=part(41), balance=Balance(account=ALL, spent=0, held=60))
    assert isinstance(reserve(accounts, "c", part(40)), Reserved)
    assert standing(accounts) == (0, 100, 0)


@pytest.mark.parametrize("user_first", [False, True])
def test_a_refusal_holds_nothing_of_any_account(accounts: Accounts, user_first: bool) -> None:
    parts = [part(10), part(10, 5, USER)]
    refused = reserve(accounts, "a", *(reversed(parts) if user_first else parts))
    assert isinstance(refused, Refused)
    assert refused.part.account == USER
    assert (standing(accounts), standing(accounts, "user")) == ((0, 0, 0), (0, 0, 0))
    # The name is free again.
    assert isinstance(reserve(accounts, "a", part(10), part(5, 5, USER)), Reserved)


def test_balances_come_in_the_order_of_the_parts(accounts: Accounts) -> None:
    other = Account(budget="b", scope="{}")
    given = [part(1, account=USER), part(2), part(3, account=other)]
    reserved = reserve(accounts, "a", *given)
    assert isinstance(reserved, Reserved)
    assert [(b.account, b.held) for b in reserved.balances] == [(USER, 1), (ALL, 2), (other, 3)]
    settled = accounts.settle("a", given, [10, 20, 30], now=0)
    assert [(b.account, b.spent) for b in settled.balances] == [(USER, 10), (ALL, 20), (other, 30)]


def test_nothing_always_fits_and_no_limit_refuses_nothing(accounts: Accounts) -> None:
    accounts.settle("a", [part(0)], [500], now=0)
    assert isinstance(reserve(accounts, "b", part(1)), Refused)
    assert isinstance(reserve(accounts, "c", part(0)), Reserved)
    assert isinstance(reserve(accounts, "d", part(0, 0)), Reserved)
    assert isinstance(reserve(accounts, "e", part(7, None)), Reserved)
    assert standing(accounts) == (500, 7, 0)


def test_another_limit_goes_on_where_the_last_was(accounts: Accounts) -> None:
    accounts.settle("a", [part(0)], [50], now=0)
    assert isinstance(reserve(accounts, "b", part(1, 50)), Refused)
    assert isinstance(reserve(accounts, "b", part(1, 51)), Reserved)


def test_amounts_beyond_all_sense_are_refused_and_do_not_break_the_store(accounts: Accounts) -> None:
    assert isinstance(reserve(accounts, "a", part(10**40, 10**17)), Refused)
    assert isinstance(reserve(accounts, "b", part(10**40, 10**40)), Reserved)
    assert isinstance(reserve(accounts, "c", part(1, 100)), Refused)
    accounts.settle("b", [part(10**40)], [-5], now=0)
    assert standing(accounts) == (0, 0, 0)


def test_bad_arguments_are_refused(accounts: Accounts) -> None:
    with pytest.raises(ConfigurationError, match="at least 0, not -1"):
        reserve(accounts, "a", part(-1))
    with pytest.raises(ConfigurationError, match="one account"):
        reserve(accounts, "a", part(1), part(2))
    with pytest.raises(ConfigurationError, match="one lease for each part, got 0 for 1"):
        accounts.reserve("a", [part(1)], now=0, lease_seconds=[])
    with pytest.raises(ConfigurationError, match="one amount for each part, got 2 for 1"):
        accounts.settle("a", [part(1)], [1, 2], now=0)
    reserve(accounts, "a", part(1))
    with pytest.raises(ConfigurationError, match="name is in use"):
        reserve(accounts, "a", part(1))
    assert standing(accounts) == (0, 1, 0)


def test_any_text_may_be_a_scope(accounts: Accounts) -> None:
    texts = ['{"user":"\x00"}', '{"user":"\ud800"}', '{"user":"한국"}', "'; DROP TABLE x; --%s?"]
    for text in texts:
        account = Account(budget="any", scope=text)
        assert isinstance(reserve(accounts, text[:60], part(60, account=account)), Reserved)
        assert isinstance(reserve(accounts, "again", part(60, account=account)), Refused)
    assert len(accounts.balances("any", now=0)) == 4


# -- settling ------------------------------------------------------------------


def test_settling_twice_changes_nothing(accounts: Accounts) -> None:
    reserve(accounts, "a", part(70))
    accounts.settle("a", [part(70)], [20], now=0)
    again = accounts.settle("a", [part(70, soft=10)], [90], now=0)
    assert again == Settled(balances=(Balance(account=ALL, spent=20, held=0),), crossed=(False,))


def test_what_was_never_reserved_is_added_once(accounts: Accounts) -> None:
    for _ in range(2):
        accounts.settle("a", [part(0), part(0, account=USER)], [20, 30], now=0)
    assert (standing(accounts), standing(accounts, "user")) == ((20, 0, 0), (30, 0, 0))


def test_what_was_reserved_of_other_accounts_is_given_back(accounts: Accounts) -> None:
    reserve(accounts, "a", part(70), part(50, account=USER))
    accounts.settle("a", [part(70)], [20], now=0)
    assert (standing(accounts), standing(accounts, "user")) == ((20, 0, 0), (0, 0, 0))
    reserve(accounts, "b", part(70))
    accounts.settle("b", [part(0, account=USER)], [5], now=0)
    assert (standing(accounts), standing(accounts, "user")) == ((20, 0, 0), (5, 0, 0))


def test_the_soft_limit_is_told_once_whoever_reaches_it(engine: Engine) -> None:
    one, other = Accounts(engine), Accounts(engine)
    crossed: list[bool] = []
    for number, accounts in enumerate([one, other, one, other]):
        reserve(accounts, str(number), part(30, 1000))
        crossed += accounts.settle(str(number), [part(30, 1000, soft=60)], [30], now=0).crossed
    assert crossed == [False, True, False, False]


def test_what_a_sweep_spent_is_told_by_the_next_call(accounts: Accounts) -> None:
    reserve(accounts, "a", part(90))
    accounts.sweep(now=LEASE)
    assert accounts.settle("b", [part(0, soft=80)], [0], now=LEASE).crossed == (True,)


def test_release_gives_back_and_leaves_what_was_settled(accounts: Accounts) -> None:
    reserve(accounts, "a", part(70))
    accounts.release("a")
    accounts.release("a")
    accounts.release("never")
    assert standing(accounts) == (0, 0, 0)
    reserve(accounts, "b", part(70))
    accounts.settle("b", [part(70)], [20], now=0)
    accounts.release("b")
    assert standing(accounts) == (20, 0, 0)


# -- leases --------------------------------------------------------------------


def test_what_nobody_settled_is_spent_when_its_lease_is_over(accounts: Accounts) -> None:
    accounts.reserve("a", [part(70), part(7, account=USER)], now=0, lease_seconds=[10, 20.5])
    assert accounts.sweep(now=9.9) == 0
    assert accounts.sweep(now=10) == 1
    assert (standing(accounts, now=10), standing(accounts, "user", now=10)) == ((70, 0, 70), (0, 7, 0))
    assert accounts.sweep(now=20.5) == 1
    assert accounts.sweep(now=30) == 0
    assert standing(accounts, "user", now=30) == (7, 0, 7)


@pytest.mark.parametrize("cost", [0, 20, 90])
def test_a_late_settlement_corrects_what_the_sweep_spent(accounts: Accounts, cost: int) -> None:
    reserve(accounts, "a", part(70), part(10, account=USER), lease=5)
    accounts.settle("b", [part(0)], [3], now=0)
    accounts.sweep(now=5)
    settled = accounts.settle("a", [part(70), part(10, account=USER)], [cost, 1], now=6)
    assert [balance.unsettled for balance in settled.balances] == [0, 0]
    assert (standing(accounts), standing(accounts, "user")) == ((3 + cost, 0, 0), (1, 0, 0))
    accounts.settle("a", [part(70)], [1000], now=7)
    assert standing(accounts) == (3 + cost, 0, 0)


def test_a_late_release_takes_back_what_the_sweep_spent(accounts: Accounts) -> None:
    reserve(accounts, "a", part(70), lease=5)
    accounts.sweep(now=5)
    accounts.release("a")
    assert standing(accounts) == (0, 0, 0)


def test_a_refusal_says_what_is_spent_by_calls_that_never_came_back(accounts: Accounts) -> None:
    reserve(accounts, "a", part(70), lease=5)
    refused = reserve(accounts, "b", part(31), now=5)
    assert isinstance(refused, Refused)
    assert refused.balance == Balance(account=ALL, spent=70, held=0, unsettled=70)
    assert isinstance(reserve(accounts, "c", part(30), now=5), Reserved)


def test_a_status_sweeps_first(accounts: Accounts) -> None:
    reserve(accounts, "a", part(70), lease=5)
    assert standing(accounts, now=5) == (70, 0, 70)


def test_calls_sweep_by_themselves(accounts: Accounts, engine: Engine) -> None:
    reserve(accounts, "a", part(5), lease=5)
    for number in range(70):
        reserve(accounts, f"n{number}", part(0, account=USER), now=10)
    with engine.connect() as connection:
        held = connection.execute(select(ACCOUNTS.c.held).where(ACCOUNTS.c.budget == "all")).scalar_one()
    assert held == 0


def test_more_leases_than_one_sweep_takes_at_once(accounts: Accounts) -> None:
    for number in range(600):
        reserve(accounts, str(number), part(1, None), lease=1 + number / 1e6)
    assert accounts.sweep(now=5) == 600
    assert standing(accounts, now=5) == (600, 0, 600)


# -- windows -------------------------------------------------------------------


def minute(number: int) -> Account:
    return Account(budget="m", scope="{}", starts_at=60 * number, ends_at=60 * number + 60)


def test_each_window_has_an_allowance_of_its_own(accounts: Accounts) -> None:
    assert isinstance(reserve(accounts, "a", part(100, account=minute(1)), now=61), Reserved)
    assert isinstance(reserve(accounts, "b", part(1, account=minute(1)), now=119), Refused)
    assert isinstance(reserve(accounts, "c", part(100, account=minute(2)), now=120), Reserved)
    assert [balance.account for balance in accounts.balances("m", now=119.9)] == [minute(1)]
    assert [balance.account for balance in accounts.balances("m", now=120)] == [minute(2)]
    assert accounts.balances("m", now=180) == []


def test_a_sliding_limit_counts_a_share_of_the_window_before(accounts: Accounts) -> None:
    accounts.settle("a", [part(0, account=minute(1))], [50], now=61)
    reserve(accounts, "b", part(11, account=minute(1)), now=61)
    sliding = {"account": minute(2), "earlier": minute(1), "earlier_share": 0.5}
    # Half of 61 is 30.5, which counts as 31.
    refused = reserve(accounts, "c", part(70, **sliding), now=150)  # type: ignore[arg-type]
    assert isinstance(refused, Refused)
    assert refused.balance.earlier == 31
    reserved = reserve(accounts, "c", part(69, **sliding), now=150)  # type: ignore[arg-type]
    assert isinstance(reserved, Reserved)
    assert reserved.balances[0].earlier == 31
    alone = part(100, account=minute(4), earlier=minute(3), earlier_share=1.0)
    assert isinstance(reserve(accounts, "d", alone, now=240), Reserved)


def test_a_clock_that_is_set_back_finds_what_was_spent(accounts: Accounts) -> None:
    reserve(accounts, "a", part(80, account=minute(5)), now=300)
    reserve(accounts, "b", part(80, account=minute(9)), now=540, lease=30)
    assert accounts.latest_start("m") == 540
    assert accounts.latest_start("nobody") is None
    # Back by four minutes: the window that was begun goes on, and what is held in the later one stays held.
    assert isinstance(reserve(accounts, "c", part(21, account=minute(5)), now=301), Refused)
    assert isinstance(reserve(accounts, "c", part(20, account=minute(5)), now=301), Reserved)
    accounts.settle("b", [part(80, account=minute(9))], [33], now=301)
    accounts.settle("c", [part(20, account=minute(5))], [20], now=302)
    assert standing(accounts, "m", now=541) == (33, 0, 0)
    assert isinstance(reserve(accounts, "d", part(68, account=minute(9)), now=541), Refused)


def test_a_window_that_was_forgotten_is_not_given_again(accounts: Accounts) -> None:
    old, new = minute(5), minute(1000)
    accounts.settle("a", [part(0, account=old)], [100], now=300)
    accounts.settle("b", [part(0, account=new)], [1], now=60_000)
    accounts.sweep(now=60_000)
    assert accounts.balances("m", now=300) == []
    refused = reserve(accounts, "c", part(1, account=old), now=300)
    assert isinstance(refused, Refused)
    assert (refused.balance.spent, refused.balance.held) == (100, 0)
    # Whoever was in it before anything was pruned, or comes after, is let in.
    assert isinstance(reserve(accounts, "d", part(1, account=minute(6)), now=360), Reserved)
    assert isinstance(reserve(accounts, "e", part(1, account=new), now=60_001), Reserved)
    # What is spent in the forgotten one all the same is not lost.
    accounts.settle("f", [part(0, account=old)], [7], now=301)
    assert standing(accounts, "m", now=301) == (7, 0, 0)
    assert isinstance(reserve(accounts, "g", part(1, account=old), now=301), Refused)


# -- what is kept --------------------------------------------------------------


def test_rows_are_dropped_when_nobody_needs_them(accounts: Accounts, engine: Engine) -> None:
    hour, day = 3600, 86400
    lengths = {"minute": 60, "hour": hour, "day": day, "month": 31 * day}
    for name, length in lengths.items():
        account = Account(budget=name, scope="{}", starts_at=0, ends_at=length)
        accounts.settle(name, [part(0, account=account)], [1], now=0)
    accounts.settle("total", [part(0)], [1], now=0)
    reserve(accounts, "swept", part(1), now=0, lease=1)
    accounts.sweep(now=1)
    assert (rows(engine), rows(engine, ACCOUNTS)) == (6, 5)
    left = []
    for now in [60 + hour - 1, 60 + hour, 8 * day + hour, 402 * day, 5000 * day]:
        accounts.sweep(now=now)
        left.append(rows(engine, ACCOUNTS))
    assert left == [5, 4, 3, 2, 2]
    assert rows(engine) == 0


def test_reservations_are_kept_as_long_as_they_are_needed(accounts: Accounts, engine: Engine) -> None:
    reserve(accounts, "late", part(1), lease=1)
    reserve(accounts, "done", part(1), lease=1)
    accounts.settle("done", [part(1)], [1], now=1)
    accounts.sweep(now=1)
    counts = []
    for now in [OVER_KEPT_SECONDS, OVER_KEPT_SECONDS + 1, SWEPT_KEPT_SECONDS, SWEPT_KEPT_SECONDS + 1]:
        accounts.sweep(now=now)
        counts.append(rows(engine))
    assert counts == [2, 1, 1, 0]


def test_an_account_of_which_something_is_held_is_kept(accounts: Accounts, engine: Engine) -> None:
    reserve(accounts, "long", part(5, account=minute(0)), now=1, lease=10**6)
    accounts.sweep(now=10**5)
    accounts.settle("long", [part(5, account=minute(0))], [4], now=10**5)
    assert standing(accounts, "m", now=1) == (4, 0, 0)


def test_a_call_of_an_account_that_was_dropped_is_counted_still(accounts: Accounts, engine: Engine) -> None:
    reserve(accounts, "free", part(0, account=minute(0)), now=1, lease=10**6)
    accounts.sweep(now=10**5)
    assert rows(engine, ACCOUNTS) == 0
    settled = accounts.settle("free", [part(0, account=minute(0))], [4], now=10**5)
    assert settled.balances[0].spent == 4
    assert accounts.settle("free", [part(0, account=minute(0))], [4], now=10**5).balances[0].spent == 4


def test_many_calls_leave_few_rows(accounts: Accounts, engine: Engine) -> None:
    for number in range(500):
        # An hour passes with every hundred calls; what is over is kept for ten minutes.
        now = number * 36.0
        account = minute(int(now // 60))
        reserve(accounts, str(number), part(1, account=account), now=now)
        accounts.settle(str(number), [part(1, account=account)], [1], now=now)
    assert rows(engine) < 64 + 20
    assert rows(engine, ACCOUNTS) < 64 + 62


# -- listing -------------------------------------------------------------------


def test_budgets_are_listed_as_they_were_registered_last(accounts: Accounts) -> None:
    same = {"unit": "usd", "per": "day", "time_zone": "UTC", "soft": 0.8, "mode": "on"}
    accounts.register("k1", name="zoo", limit_units=5, scope={"user": "*", "feature": "ü"}, **same)  # type: ignore[arg-type]
    accounts.register("k2", name="a", limit_units=10**30, scope={}, **{**same, "soft": None})  # type: ignore[arg-type]
    accounts.register("k1", name="zoo", limit_units=6, scope={"user": "*", "feature": "ü"}, **same)  # type: ignore[arg-type]
    first, second = accounts.registered()
    assert (first.budget, first.name, first.soft, first.scope) == ("k2", "a", None, {})
    assert (second.budget, second.limit_units, second.soft) == ("k1", 6, 0.8)
    assert second.scope == {"user": "*", "feature": "ü"}
    assert (second.unit, second.per, second.time_zone, second.mode) == ("usd", "day", "UTC", "on")


def test_closed_accounts_take_nothing(accounts: Accounts) -> None:
    accounts.close()
    for use in (
        lambda: reserve(accounts, "a", part(1)),
        lambda: accounts.settle("a", [], [], now=0),
        lambda: accounts.release("a"),
        lambda: accounts.sweep(now=0),
        lambda: accounts.balances("all", now=0),
        accounts.registered,
        lambda: accounts.latest_start("all"),
    ):
        with pytest.raises(StoreError, match="closed"):
            use()


def test_only_known_databases_are_taken() -> None:
    other = create_engine("sqlite://")
    other.dialect.name = "mysql"
    with pytest.raises(ConfigurationError, match="SQLite or PostgreSQL, not mysql"):
        Accounts(other)
    with pytest.raises(ConfigurationError, match="patience_seconds must be above 0, not 0"):
        Accounts(open_engine(":memory:"), patience_seconds=0)


# -- any sequence --------------------------------------------------------------

KEYS = [
    Account(budget="one", scope="{}"),
    Account(budget="one", scope='{"user":"x"}'),
    Account(budget="two", scope="{}", starts_at=0, ends_at=3600),
]
LIMITS = [100, 40, 70]
LASTING = 50.0


class AnySequence(RuleBasedStateMachine):
    """Calls that come, go, come late or never, beside a dictionary that counts them by hand."""

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.number = 0
        self.held: dict[str, dict[int, tuple[int, float]]] = {}
        self.swept: dict[str, dict[int, int]] = {}
        self.over: list[str] = []
        self.spent = [0, 0, 0]

    @initialize()
    def start(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(RESERVATIONS.delete())
            connection.execute(ACCOUNTS.delete())
        self.accounts = Accounts(self.engine)

    def parts(self, which: Sequence[int], amounts: Sequence[int]) -> list[Part]:
        return [Part(account=KEYS[i], amount=amount, limit=LIMITS[i]) for i, amount in zip(which, amounts, strict=True)]

    def holding(self, i: int) -> int:
        return sum(of.get(i, (0, 0.0))[0] for of in self.held.values())

    def expire(self) -> None:
        for name in list(self.held):
            for i, (amount, ends) in list(self.held[name].items()):
                if ends <= self.now:
                    del self.held[name][i]
                    self.swept.setdefault(name, {})[i] = amount
                    self.spent[i] += amount
            if not self.held[name] and name in self.swept:
                del self.held[name]

    @rule(
        which=st.permutations(range(3)).flatmap(lambda order: st.integers(1, 3).map(lambda n: order[:n])),
        amounts=st.lists(st.integers(0, 45), min_size=3, max_size=3),
        lease=st.sampled_from([1.0, LASTING]),
    )
    def reserve(self, which: list[int], amounts: list[int], lease: float) -> None:
        self.number += 1
        name = f"r{self.number}"
        parts = self.parts(which, amounts[: len(which)])
        answer = self.accounts.reserve(name, parts, now=self.now, lease_seconds=[lease] * len(parts))
        pairs = list(zip(which, amounts, strict=False))
        fits = all(not a or self.spent[i] + self.holding(i) + a <= LIMITS[i] for i, a in pairs)
        assert isinstance(answer, Reserved if fits else Refused)
        if fits:
            self.held[name] = {i: (a, self.now + lease) for i, a in pairs}

    @rule(data=st.data(), share=st.floats(0, 1))
    def settle(self, data: st.DataObject, share: float) -> None:
        name = data.draw(st.sampled_from(sorted(self.held.keys() | self.swept.keys() | set(self.over) | {"never"})))
        if name == "never":
            self.number += 1
            name = f"n{self.number}"
            which, most = [0], [0]
        elif name in self.over:
            which, most = [0, 1], [9, 9]
        else:
            mine = {i: a for i, (a, _) in self.held.get(name, {}).items()} | self.swept.get(name, {})
            which, most = list(mine), list(mine.values())
        amounts = [int(amount * share) for amount in most]
        self.accounts.settle(name, self.parts(which, most), amounts, now=self.now)
        if name in self.over:
            return
        for i, amount in self.swept.pop(name, {}).items():
            self.spent[i] -= amount
        for i, amount in zip(which, amounts, strict=True):
            self.spent[i] += amount
        self.held.pop(name, None)
        self.over.append(name)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.held.keys() | self.swept.keys() | {"never"})))
        self.accounts.release(name)
        self.held.pop(name, None)
        for i, amount in self.swept.pop(name, {}).items():
            self.spent[i] -= amount

    @rule(seconds=st.sampled_from([0.5, 1.0, LASTING]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.expire()
        self.accounts.sweep(now=self.now)

    @rule()
    def another_process(self) -> None:
        self.accounts = Accounts(self.engine)

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "accounts"):
            return
        found = {b.account: b for name in ("one", "two") for b in self.accounts.balances(name, now=self.now)}
        for i, account in enumerate(KEYS):
            balance = found.get(account, Balance(account=account, spent=0, held=0))
            unsettled = sum(of.get(i, 0) for of in self.swept.values())
            assert (balance.spent, balance.held, balance.unsettled) == (self.spent[i], self.holding(i), unsettled)
            assert balance.spent + balance.held <= LIMITS[i]

    def teardown(self) -> None:
        if not hasattr(self, "accounts"):
            return
        self.accounts.sweep(now=self.now + 2 * LASTING)
        assert all(b.held == 0 for name in ("one", "two") for b in self.accounts.balances(name, now=self.now))


@pytest.mark.parametrize("examples", [25, pytest.param(1000, marks=pytest.mark.soak)])
def test_any_sequence_of_calls_counts_as_by_hand(engine: Engine, examples: int) -> None:
    Accounts(engine)
    kind = type("OnThisEngine", (AnySequence,), {"engine": engine})
    run_state_machine_as_test(
        kind,
        settings=settings(
            # A step takes ten times as long on a server.
            max_examples=examples if engine.dialect.name == "sqlite" else examples // 2,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_values_as_long_as_a_scope_may_have_them(engine: Engine) -> None:
    names = dict.fromkeys(("user", "team", "feature", "thread"), "*")
    values = Budget(usd=1, scope=names).scope_values(dict.fromkeys(names, "😀" * 1000))
    account = Account(budget="b", scope=json.dumps(values, ensure_ascii=False, sort_keys=True))
    asked = [Part(account=account, amount=1, limit=10)]
    assert isinstance(Accounts(engine).reserve("a", asked, now=0, lease_seconds=[600]), Reserved)
