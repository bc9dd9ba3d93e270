"""Does the demo end with figures that add up, spend only what was allowed, and say what is wrong with its arguments?"""

from __future__ import annotations

import io
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lc_costkit.cli import app
from lc_costkit.demo import main as demo_main
from lc_costkit.demo.compare import Comparison
from lc_costkit.demo.data import Question
from lc_costkit.demo.main import DemoOptions, run_demo
from lc_costkit.demo.screen import false_hits
from lc_costkit.errors import ConfigurationError
from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.testing import FakeProvider, Fault
from lc_costkit.usage import UsageReading
from tests.support.command import run_command


def screen() -> Console:
    return Console(file=io.StringIO(), width=140, force_terminal=False)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_figures_add_up(tmp_path: Path) -> None:
    console = screen()
    outcome = run_demo(DemoOptions(requests=60, html=tmp_path / "report.html"), console)
    assert outcome is not None
    assert outcome.requests == 60
    assert outcome.hits + outcome.provider_calls == 60
    assert outcome.hits > 0
    assert outcome.unlabelled_hits == 0
    assert outcome.estimated == outcome.unpriced == 0
    assert outcome.kit_usd < outcome.plain_usd
    assert outcome.difference == outcome.plain_usd - outcome.kit_usd
    assert set(outcome.saved) == {"cache", "prune", "route"}
    shown = text_of(console)
    assert "the two ledgers say the same, to the last digit" in shown
    assert "Simulated: the popularity" in shown
    assert "false-hit rate by intent label" in shown


def test_the_split_leaves_only_the_length_of_answers(tmp_path: Path) -> None:
    outcome = run_demo(DemoOptions(requests=60), screen())
    assert outcome is not None
    rest = outcome.difference - sum(outcome.saved.values(), Decimal(0))
    assert abs(rest) < outcome.plain_usd / 20


def test_the_page_has_one_chart_and_loads_nothing(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    run_demo(DemoOptions(requests=20, html=path), screen())
    page = path.read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert not re.findall(r"""(?:src|href)=["']https?://""", page)
    assert "false-hit rate by intent label" in page


def test_hits_are_judged_by_label_and_semantic_ones_apart() -> None:
    outcome = run_demo(DemoOptions(requests=60), screen())
    assert outcome is not None
    some = replace(outcome, exact_hits=6, semantic_hits=4, false_hits=2, false_semantic_hits=2, unlabelled_hits=2)
    assert [(heading, text.partition(" (")[0]) for heading, text in false_hits(some)] == [
        ("false-hit rate by intent label", "25.0 %"),
        ("the same of semantic hits alone", "50.0 %"),
        ("hits without a label, not judged", "2"),
    ]


def test_it_does_not_run_while_the_kit_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_COSTKIT_DISABLE", "1")
    with pytest.raises(ConfigurationError, match="unset it"):
        run_demo(DemoOptions(requests=1), screen())


def test_another_seed_asks_other_questions() -> None:
    first, other = (run_demo(DemoOptions(requests=20, seed=seed), screen()) for seed in (0, 1))
    assert first is not None
    assert other is not None
    assert first.plain_usd != other.plain_usd


def test_ctrl_c_shows_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Comparison.ask

    def interrupted(self: Comparison, question: Question) -> None:
        if len(self) == 5:
            raise KeyboardInterrupt
        ask(self, question)

    monkeypatch.setattr(Comparison, "ask", interrupted)
    console = screen()
    outcome = run_demo(DemoOptions(requests=50), console)
    assert outcome is not None
    assert outcome.requests == 5
    assert "Interrupted after 5 requests" in text_of(console)


class TestLive:
    """The real client, its environment variable and another base URL: the fake provider plays the real one."""

    @pytest.fixture(autouse=True)
    def key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")

    def test_it_stops_before_a_call_that_could_pass_the_limit(self) -> None:
        console = screen()
        with FakeProvider() as provider:
            options = DemoOptions(
                requests=50, live=True, max_usd=0.03, base_url=provider.openai_base_url, confirmed=True
            )
            outcome = run_demo(options, console)
            assert outcome is not None
            assert 0 < outcome.requests < 50
            assert provider.billed_usd == outcome.plain_usd + outcome.kit_usd - outcome.side_usd
            assert provider.billed_usd <= Decimal("0.03")
        assert "which would pass 0.03" in text_of(console)
        assert "Real: the provider" in text_of(console)

    def test_a_limit_below_one_call_spends_nothing(self) -> None:
        console = screen()
        with FakeProvider() as provider:
            options = DemoOptions(
                requests=5, live=True, max_usd=0.0001, base_url=provider.openai_base_url, confirmed=True
            )
            assert run_demo(options, console) is None
            assert provider.calls == 0
        assert "Stopped after 0 requests" in text_of(console)

    def test_a_call_whose_cost_is_not_known_counts_as_the_most_it_can_cost(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unpriced(self: PriceBook, reading: UsageReading, **_options: object) -> Cost:
            return Cost(usd=None, basis="unpriced")

        console = screen()
        with FakeProvider() as provider:
            options = DemoOptions(
                requests=50, live=True, max_usd=0.03, base_url=provider.openai_base_url, confirmed=True
            )
            ceiling = demo_main.call_ceiling

            def unpriced_from_then_on(*arguments: Any) -> Decimal:
                amount = ceiling(*arguments)
                monkeypatch.setattr(PriceBook, "price", unpriced)
                return amount

            monkeypatch.setattr(demo_main, "call_ceiling", unpriced_from_then_on)
            outcome = run_demo(options, console)
            assert outcome is not None
            assert outcome.unpriced > 0
            assert provider.billed_usd <= Decimal("0.03")

    def test_the_client_does_not_ask_again_behind_the_limits_back(self) -> None:
        console = screen()
        with FakeProvider() as provider:
            provider.fail_next(Fault.rate_limit())
            options = DemoOptions(requests=5, live=True, max_usd=0.5, base_url=provider.openai_base_url, confirmed=True)
            assert run_demo(options, console) is None
            assert len(provider.log) == 1
        said = " ".join(text_of(console).split())
        assert "Stopped after 0 requests by the provider (" in said
        assert "RateLimitError: Error code: 429" in said
        assert "Spent in all: 0.0000 USD" in said

    def test_nobody_there_to_answer_means_no(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO())
        with FakeProvider() as provider:
            assert run_demo(DemoOptions(live=True, base_url=provider.openai_base_url), screen()) is None
            assert provider.calls == 0

    def test_it_asks_before_spending(self, monkeypatch: pytest.MonkeyPatch) -> None:
        console = screen()
        monkeypatch.setattr(demo_main.Confirm, "ask", lambda *_args, **_options: False)
        with FakeProvider() as provider:
            options = DemoOptions(requests=5, live=True, base_url=provider.openai_base_url)
            assert run_demo(options, console) is None
            assert provider.calls == 0
        assert "One question can cost at most" in text_of(console)

    def test_no_key_is_a_clear_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OPENAI_API_KEY")
        with pytest.raises(ConfigurationError, match="--live needs an API key in the environment variable OPENAI_API_"):
            DemoOptions(live=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"requests": 0}, "--requests must be at least 1, not 0"),
        ({"max_usd": 0.0}, "--max-usd must be above 0, not 0.0"),
        ({"max_usd": float("nan")}, "--max-usd must be above 0, not nan"),
        ({"base_url": "http://127.0.0.1:1"}, "add --live"),
        ({"html": Path("/no/such/folder/report.html")}, "there is no folder /no/such/folder"),
        ({"html": Path("/")}, "/ is a folder; name a file in it, such as /demo.html"),
    ],
)
def test_bad_arguments(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        DemoOptions(**options)  # type: ignore[arg-type]


def test_the_command_reports_an_error_in_one_line() -> None:
    done = run_command("demo", "--requests", "0")
    assert done.returncode == 2
    assert done.stderr.strip() == "costkit: --requests must be at least 1, not 0"
    assert app.info.name == "costkit"
