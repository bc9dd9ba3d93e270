"""Reports: exact sums, nothing unknown shown as 0, and nothing a user wrote run as markup."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError, StoreError
from lc_costkit.fixed import FixedCost
from lc_costkit.ledger import Ledger
from lc_costkit.pricing import Cost, ModelPrice, PriceBook
from lc_costkit.record import ASIDE_KEY, CallRecord, Saving
from lc_costkit.tables import markdown_table, text_table
from lc_costkit.tally import GROUPS
from lc_costkit.usage import TokenUsage

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
UNPRICED = Cost(usd=None, basis="unpriced")


def exact(usd: str) -> Cost:
    return Cost(usd=Decimal(usd), basis="exact")


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as opened:
        yield opened


def fill(ledger: Ledger) -> None:
    usage = TokenUsage(input_tokens=100, cache_read_tokens=40, output_tokens=10)
    common = {"started_at": NOON, "usage": usage, "latency_seconds": 0.5}
    for call in (
        CallRecord(cost=exact("0.10"), model_asked="gpt-4o", feature="chat", tags=("a", "b"), **common),
        CallRecord(
            cost=Cost(usd=Decimal("0.02"), basis="estimated"),
            model_asked="gpt-4o",
            model_answered="gpt-4o-mini",
            feature="chat",
            tags=("a",),
            interrupted=True,
            error="GeneratorExit",
            metadata={"region": "eu"},
            saved=(Saving(part="route", usd=Decimal("0.05"), basis="estimated"),),
            **(common | {"started_at": NOON + timedelta(days=1)}),
        ),
        CallRecord(
            cost=exact("0"),
            model_asked="gpt-4o",
            cache="hit",
            side_cost_usd=Decimal("0.001"),
            saved=(Saving(part="cache", usd=Decimal("0.099"), basis="exact"),),
            started_at=NOON,
        ),
        CallRecord(
            cost=UNPRICED,
            model_asked="house-model",
            cache="miss",
            saved=(
                Saving(part="route", usd=None, basis="unpriced"),
                Saving(part="route", usd=Decimal("9"), basis="estimated", hypothetical=True),
            ),
            **common,
        ),
    ):
        ledger.record(call)  # type: ignore[arg-type]


def test_the_total(ledger: Ledger) -> None:
    fill(ledger)
    total = ledger.report().total
    assert (total.requests, total.calls, total.hits, total.cache_requests, total.hit_rate) == (4, 3, 1, 2, 0.5)
    assert (total.input_tokens, total.output_tokens, total.cached_tokens) == (420, 30, 120)
    assert (total.usd, total.provider_usd, total.side_usd) == (Decimal("0.121"), Decimal("0.12"), Decimal("0.001"))
    assert (total.estimated_calls, total.estimated_usd) == (1, Decimal("0.02"))
    assert (total.unpriced_calls, total.unpriced_savings) == (1, 1)
    assert total.saved_by_part == {"route": Decimal("0.05"), "cache": Decimal("0.099")}
    assert total.saved_usd == Decimal("0.149")
    assert total.hypothetical_by_part == {"route": Decimal(9)}
    assert (total.errors, total.interrupted) == (1, 1)
    assert total.mean_latency_seconds == pytest.approx(0.375)


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("model", ["gpt-4o", "gpt-4o-mini", "house-model"]),
        ("model_asked", ["gpt-4o", "house-model"]),
        ("feature", ["chat", "(none)"]),
        ("tag", ["a", "b", "(none)"]),
        ("day", ["2026-11-20", "2026-11-21"]),
        ("hour", ["2026-11-20T12:00Z", "2026-11-21T12:00Z"]),
        ("month", ["2026-11"]),
        ("cache", ["none", "hit", "miss"]),
        ("metadata:region", ["(none)", "eu"]),
    ],
)
def test_groups(ledger: Ledger, by: str, groups: list[str]) -> None:
    fill(ledger)
    report = ledger.report(by=by)
    assert [row.group for row in report.rows] == groups
    assert report.total == ledger.report().total
    if by != "tag":
        assert sum(row.usd for row in report.rows) == report.total.usd


@pytest.mark.parametrize("by", [*GROUPS, "tag", "metadata:x", None])
def test_every_group_and_form_works(ledger: Ledger, by: str | None) -> None:
    fill(ledger)
    report = ledger.report(by)
    for text in (repr(report), report.to_markdown(), report._repr_html_()):
        assert "unpriced (1 call)" in text
    assert report.to_dict()["total"]["usd"] == "0.121"


@pytest.mark.parametrize("by", ["colour", "", "metadata:", 3])
def test_an_unknown_group_lists_the_legal_ones(ledger: Ledger, by: object) -> None:
    with pytest.raises(ConfigurationError, match=r"by must be None, tag, metadata:KEY, model, .*day"):
        ledger.report(by)  # type: ignore[arg-type]


def test_the_text(ledger: Ledger) -> None:
    fill(ledger)
    assert repr(ledger.report("model")).splitlines() == [
        "model        requests  calls  tokens in  cached  tokens out                           USD"
        "                     saved USD  hit rate",
        "-----------  --------  -----  ---------  ------  ----------  ----------------------------"
        "  ----------------------------  --------",
        "gpt-4o              2      1        140      40          10                      0.101000"
        "                      0.099000    100.0%",
        "gpt-4o-mini         1      1        140      40          10                      0.020000"
        "                      0.050000         -",
        "house-model         1      1        140      40          10             unpriced (1 call)"
        "             unpriced (1 call)      0.0%",
        "-----------  --------  -----  ---------  ------  ----------  ----------------------------"
        "  ----------------------------  --------",
        "total               4      3        420     120          30  0.121000 + unpriced (1 call)"
        "  0.149000 + unpriced (1 call)     50.0%",
        "saved, net of the kit's own cost: cache 0.099000, route 0.050000",
        "of what was saved, estimated: 0.050000",
        "spent by the kit itself, included in USD: 0.001000",
        "of USD, estimated: 0.020000, 1 call",
        "unpriced: 1 call, in no sum; give their models a price in a PriceBook",
        "saved on unpriced models, in no sum: 1 call",
        "observe mode would have saved (in no sum): route 9.000000",
        "errors: 1, interrupted: 1",
    ]


def test_what_is_not_known_of_lookups_is_said(ledger: Ledger) -> None:
    ledger.record(CallRecord(cost=exact("1"), cache="miss", side_cost_basis="unpriced"))
    ledger.record(CallRecord(cost=exact("1"), cache="miss", side_cost_usd=Decimal("0.1"), side_cost_basis="estimated"))
    assert repr(ledger.report()).splitlines()[-3:] == [
        "spent by the kit itself, included in USD: 0.100000",
        "of USD, estimated: 0.100000, 0 calls",
        "lookups whose own cost is unknown, in no sum: 1",
    ]


def test_a_tag_given_twice_counts_once(ledger: Ledger) -> None:
    ledger.record(CallRecord(cost=exact("1"), tags=("a", "a", "b")))
    assert [(row.group, row.requests, row.usd) for row in ledger.report("tag").rows] == [("a", 1, 1), ("b", 1, 1)]


def test_names_cannot_steer_a_terminal(ledger: Ledger) -> None:
    ledger.record(CallRecord(cost=exact("1"), user="\x1b[2Jgone"))
    assert "\x1b" not in repr(ledger.report("user"))


def test_an_empty_ledger_says_so(ledger: Ledger) -> None:
    report = ledger.report("model")
    assert repr(report) == report.to_markdown() == "no calls recorded"
    assert report._repr_html_() == "<p>no calls recorded</p>"
    assert (report.rows, report.total.requests, report.total.usd, report.total.hit_rate) == ((), 0, 0, None)
    assert len(report.to_frame()) == 0
    assert report.total.mean_latency_seconds is None


# -- one row for each model -----------------------------------------------------------


def test_all_names_of_a_model_are_one_row(ledger: Ledger) -> None:
    usage = TokenUsage(input_tokens=100, output_tokens=10)
    book, aliased = PriceBook(), PriceBook(aliases={"my-deployment": "gpt-4o"})
    own = PriceBook(overrides={"gpt-4o": ModelPrice(input_per_million=1, output_per_million=1)})
    for name, prices in (
        ("gpt-4o", book),
        ("gpt-4o-2024-08-06", book),
        ("my-deployment", aliased),
        ("gpt-4o-2024-08-06", own),
        ("gpt-4o", own),
        ("gpt-4o-2024-05-13", book),
        ("house-model", book),
        ("gpt-5", book),
        ("gpt-5-codex", book),
    ):
        ledger.record(
            CallRecord(
                model_asked="asked",
                model_answered=name,
                provider="openai" if name.startswith("gpt") else None,
                usage=usage,
                cost=prices.cost(name, usage, at=NOON),
            )
        )
    # What a cache answered was not priced.
    ledger.record(CallRecord(model_answered="gpt-4o-2024-08-06", cache="hit", cost=exact("0")))
    ledger.record(CallRecord(cost=exact("0")))
    assert {row.group: row.requests for row in ledger.report("model").rows} == {
        "gpt-4o": 5,
        "gpt-4o-2024-05-13": 1,
        "my-deployment": 1,
        "house-model": 1,
        "gpt-5": 1,
        "gpt-5-codex": 1,
        "(none)": 1,
    }
    assert {row.group: row.requests for row in ledger.report("model_answered").rows} == {
        "gpt-4o": 2,
        "gpt-4o-2024-08-06": 3,
        "gpt-4o-2024-05-13": 1,
        "my-deployment": 1,
        "house-model": 1,
        "gpt-5": 1,
        "gpt-5-codex": 1,
        "(none)": 1,
    }


# -- what is paid by the month --------------------------------------------------------

DATABASE = FixedCost(name="vector database", usd_per_month="30", since=date(2026, 11, 1))
SERVER = FixedCost(name="cache server", usd_per_month="60", since=date(2026, 11, 16))
NOVEMBER: Any = {"since": date(2026, 11, 1), "until": date(2026, 12, 1)}


def test_fixed_lines_stand_beside_the_sums_of_calls(ledger: Ledger) -> None:
    fill(ledger)
    before = ledger.report("model", **NOVEMBER)
    ledger.set_fixed_cost(DATABASE)
    ledger.set_fixed_cost(SERVER)
    report = ledger.report("model", **NOVEMBER)
    assert (report.rows, report.total) == (before.rows, before.total)
    assert {line.name: line.usd for line in report.fixed} == {
        "cache server": Decimal(30),
        "vector database": Decimal(30),
    }
    assert (report.fixed_usd, report.usd_with_fixed) == (Decimal(60), Decimal("60.121"))
    assert (before.fixed, before.fixed_usd, before.usd_with_fixed) == ((), Decimal(0), before.total.usd)
    lines = repr(report).splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("total "))
    assert lines[place + 1].split() == ["cache", "server", "30.000000"]
    assert lines[place + 3].split() == ["total", "with", "fixed", "60.121000"]
    assert "fixed, paid by the month whatever is used: 2026-11-01 00:00 to 2026-12-01 00:00 UTC" in repr(report)
    for text in (report.to_markdown(), report._repr_html_()):
        assert "60.121000" in text
        assert "vector database" in text
    assert report._repr_html_().count("font-weight:bold") == 4
    assert sum(line.startswith("| **") for line in report.to_markdown().splitlines()) == 4
    data = report.to_dict()
    assert (Decimal(data["fixed_usd"]), Decimal(data["usd_with_fixed"])) == (Decimal(60), Decimal("60.121"))
    assert data["fixed"][1]["name"] == "vector database"
    assert data["period"] == ["2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00"]
    frame = report.to_frame()
    assert frame["usd"].sum() == before.total.usd
    assert frame["fixed_usd"].sum() == 60
    assert frame.loc["vector database", "requests"] == 0
    assert list(frame.index)[-2:] == ["cache server", "vector database"]


def test_without_bounds_the_period_is_from_the_first_call_to_the_last(ledger: Ledger) -> None:
    ledger.set_fixed_cost(DATABASE)
    for hours in (48, 0, 24):  # the clock was set back
        ledger.record(CallRecord(cost=exact("1"), started_at=NOON + timedelta(hours=hours)))
    report = ledger.report("day")
    assert report.period == (NOON, NOON + timedelta(hours=48))
    assert report.fixed_usd == 2
    assert [row.group for row in report.rows] == ["2026-11-20", "2026-11-21", "2026-11-22"]
    assert ledger.report(since=NOON + timedelta(hours=24)).fixed_usd == 1
    assert ledger.report(until=NOON + timedelta(hours=36)).fixed_usd == Decimal("1.5")
    parts = [ledger.report(since=date(2026, 11, day), until=date(2026, 11, day + 1)) for day in range(20, 24)]
    whole = ledger.report(since=date(2026, 11, 20), until=date(2026, 11, 24))
    assert sum(part.fixed_usd for part in parts) == whole.fixed_usd == 4


def test_a_report_of_some_calls_has_no_fixed_lines(ledger: Ledger) -> None:
    ledger.set_fixed_cost(DATABASE)
    fill(ledger)
    assert ledger.report(feature="chat", **NOVEMBER).fixed == ()
    assert ledger.report(tag="a", **NOVEMBER).fixed == ()


def test_a_fixed_line_is_shown_where_there_were_no_calls(ledger: Ledger) -> None:
    ledger.set_fixed_cost(DATABASE)
    assert (ledger.report().fixed, ledger.report().period) == ((), None)
    report = ledger.report(**NOVEMBER)
    assert (report.total.requests, report.fixed_usd) == (0, Decimal(30))
    assert "vector database" in repr(report)
    assert ledger.report(since=date(2026, 10, 1), until=date(2026, 11, 1)).fixed == ()
    assert ledger.report(since=date(2026, 12, 1), until=date(2026, 11, 1)).fixed == ()


def test_fixed_costs_are_kept_changed_and_removed(ledger: Ledger) -> None:
    ledger.set_fixed_cost(DATABASE)
    ledger.set_fixed_cost(SERVER)
    with pytest.raises(ConfigurationError, match=r"paid twice; set it again with until=2026-12-01"):
        ledger.set_fixed_cost(FixedCost(name="vector database", usd_per_month=40, since=date(2026, 12, 1)))
    ended = FixedCost(name="vector database", usd_per_month=30, since=date(2026, 11, 1), until=date(2026, 12, 1))
    dearer = FixedCost(name="vector database", usd_per_month=40, since=date(2026, 12, 1))
    ledger.set_fixed_cost(ended)
    ledger.set_fixed_cost(dearer)
    assert ledger.fixed_costs() == (SERVER, ended, dearer)
    report = ledger.report(since=date(2026, 11, 1), until=date(2027, 1, 1))
    assert [(line.name, line.usd) for line in report.fixed] == [
        ("cache server", Decimal(90)),
        ("vector database", Decimal(70)),
    ]
    assert (ledger.remove_fixed_cost("vector database"), ledger.remove_fixed_cost("nothing")) == (2, 0)
    assert ledger.fixed_costs() == (SERVER,)
    with pytest.raises(ConfigurationError, match="must be a FixedCost"):
        ledger.set_fixed_cost("30")  # type: ignore[arg-type]


def test_a_row_that_cannot_be_summed_up_is_named(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        ledger.record(CallRecord(call_id="broken", cost=exact("1")))
        with closing(sqlite3.connect(tmp_path / "l.db")) as raw:
            raw.execute("UPDATE costkit_calls SET cost_usd = 'a lot'")
            raw.commit()
        with pytest.raises(StoreError, match=r"call 'broken' \(row 1\) cannot be summed up: .*see what check\(\)"):
            ledger.report()
        with pytest.raises(StoreError, match=r"call 'broken' \(row 1\) cannot be read"):
            list(ledger.records())
        assert len(ledger.check()) == 1


@given(st.text(alphabet="<>&\"'|`*_\\\n x$가", min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_names_are_never_markup(name: str) -> None:
    with Ledger() as ledger:
        ledger.record(CallRecord(cost=exact("1"), user=name))
        report = ledger.report("user")
        html = report._repr_html_()
        assert html.count("<tr>") == 2
        assert html.count("<td") == 2 * html.count("<th ")
        assert len(report.to_markdown().split("\n\n")[0].splitlines()) == 4
        assert "\n" not in report.to_markdown().splitlines()[2]


def test_html_is_escaped(ledger: Ledger) -> None:
    ledger.record(CallRecord(cost=exact("1"), user="<script>alert(1)</script>"))
    html = ledger.report("user")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_sums_do_not_depend_on_the_callers_decimal_context(ledger: Ledger) -> None:
    for usd in ("1000000", "0.000000000000001"):
        ledger.record(CallRecord(cost=exact(usd), model_asked="m"))
    with localcontext() as context:
        context.prec = 5
        total = ledger.report("model").total
        assert str(total.usd) == "1000000.000000000000001"


def test_the_frame(ledger: Ledger) -> None:
    fill(ledger)
    frame = ledger.report("model").to_frame()
    assert list(frame.index) == ["gpt-4o", "gpt-4o-mini", "house-model"]
    assert frame.index.name == "model"
    assert frame.loc["gpt-4o", "usd"] == Decimal("0.101")
    assert frame["usd"].sum() == Decimal("0.121")
    assert list(ledger.report().to_frame().index) == ["total"]


@pytest.mark.filterwarnings("ignore:More than 20 figures")
def test_the_plot(ledger: Ledger) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ledger.record(CallRecord(cost=exact("-0"), user="$x^2"))
    fill(ledger)
    axes = ledger.report("user").plot()
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [r"\$x^2", "(none)"]
    assert axes.get_xlabel() == "USD (1 call without a price not shown)"
    axes.figure.canvas.draw()
    _, given = pyplot.subplots()
    assert ledger.report().plot(ax=given) is given
    with Ledger() as empty:
        empty.report().plot().figure.canvas.draw()
    pyplot.close("all")


@pytest.mark.parametrize(("module", "call"), [("pandas", "to_frame()"), ("matplotlib", "plot()")])
def test_a_missing_library_names_the_extra(module: str, call: str) -> None:
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from lc_costkit.errors import MissingDependency\n"
        "from lc_costkit.ledger import Ledger\n"
        "try:\n"
        f"    Ledger().report().{call}\n"
        "except MissingDependency as error:\n"
        "    assert \"pip install 'lc_costkit[report]'\" in str(error), error\n"
        "    raise SystemExit(0)\n"
        "raise SystemExit('no MissingDependency')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_tables_count_wide_characters_twice() -> None:
    lines = text_table(["name", "n"], [["모델", "1"], ["abcd", "22"]]).splitlines()
    assert lines[2] == "모델   1"
    assert lines[-1] == "abcd  22"


def test_markdown_tables_keep_their_columns() -> None:
    table = markdown_table(["a", "b"], [["x|y\nz", "1"], ["total", ""]])
    assert table.splitlines()[2] == r"| x\|y z | 1 |"
    assert table.splitlines()[3] == "| **total** |  |"


def saving_call(part: str, usd: str | None, *, hypothetical: bool = False) -> CallRecord:
    amount = None if usd is None else Decimal(usd)
    basis: Any = "unpriced" if usd is None else "estimated"
    return CallRecord(cost=exact("1"), saved=(Saving(part=part, usd=amount, basis=basis, hypothetical=hypothetical),))


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("route", "routing did not pay: over 3 calls it cost 0.250000 USD more than the strong target alone"),
        ("cascade", "the cascade did not pay: over 3 calls it cost 0.250000 USD more than the strong target alone"),
        (
            "cache",
            "the cache did not pay: over 3 calls its lookups and checks cost 0.250000 USD more than its hits saved",
        ),
        ("mine", "mine did not pay: over 3 calls it cost 0.250000 USD more than it saved"),
    ],
)
def test_a_part_that_lost_money_is_said_to(ledger: Ledger, part: str, said: str) -> None:
    for usd in ("-0.5", "0.75", "-0.5"):
        ledger.record(saving_call(part, usd))
    ledger.record(saving_call(part, "-9", hypothetical=True))
    ledger.record(saving_call("prune", "5"))
    report = ledger.report("feature")
    for shown in (repr(report), report._repr_html_(), report.to_markdown()):
        assert said in shown
        assert shown.count("did not pay") == 1
    assert report.total.calls_by_part == {part: 3, "prune": 1}
    assert report.to_dict()["total"]["calls_by_part"] == {part: 3, "prune": 1}
    ledger.record(saving_call(part, None))
    assert said.replace("3 calls", "3 calls (and 1 call unpriced)") in repr(ledger.report())


@pytest.mark.parametrize("last", ["0.25", "0.5"])
def test_a_part_that_paid_is_not(ledger: Ledger, last: str) -> None:
    for usd in ("-0.5", "0.25", last):
        ledger.record(saving_call("route", usd))
    ledger.record(saving_call("route", "-9", hypothetical=True))
    assert "did not pay" not in repr(ledger.report())
    assert "saved, net of the kit's own cost" in repr(ledger.report())


def test_calls_for_a_decision_have_a_row_of_their_own(ledger: Ledger) -> None:
    ledger.record(CallRecord(cost=exact("1"), route="cheap"))
    for part in ("route", "cascade"):
        ledger.record(CallRecord(cost=exact("0.25"), metadata={ASIDE_KEY: part}))
    ledger.record(CallRecord(cost=exact("0.1"), metadata={"region": "eu"}))
    rows = {row.group: (row.requests, row.usd) for row in ledger.report("route").rows}
    assert rows == {
        "cheap": (1, Decimal("1")),
        "(decisions)": (2, Decimal("0.5")),
        "(none)": (1, Decimal("0.1")),
    }


def test_rows_of_a_cascade_are_said_to_belong_together(ledger: Ledger) -> None:
    together = "only their sum says what was saved"
    each = "each draft, sample and judge's call is one of its own"
    ledger.record(saving_call("route", "1"))
    assert each not in repr(ledger.report("route"))
    assert together not in repr(ledger.report("route"))
    ledger.record(saving_call("cascade", "9", hypothetical=True))
    assert together not in repr(ledger.report("route"))
    ledger.record(saving_call("cascade", "1"))
    report = ledger.report("route")
    for shown in (repr(report), report.to_markdown(), repr(ledger.report("model"))):
        assert together in shown
        assert each in shown
    for whole in (ledger.report(), ledger.report("feature")):
        assert together not in repr(whole)
        assert each in repr(whole)
