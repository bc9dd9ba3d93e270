"""``costkit prices``: what it prints, and how it ends."""

from __future__ import annotations

import json

from tests.support.command import run_command


def test_it_shows_the_price_and_where_it_is_from() -> None:
    done = run_command("prices", "gpt-5", "--at", "2026-11-20")
    assert done.returncode == 0, done.stderr
    assert "openai/gpt-5" in done.stdout
    assert "genai-prices " in done.stdout
    assert "1.25" in done.stdout
    assert "2026-10-12" in done.stdout


def test_terms_of_a_call() -> None:
    done = run_command("prices", "claude-opus-5", "--geo", "us", "--speed", "fast", "--json", "--at", "2026-11-20")
    shown = json.loads(done.stdout)
    assert shown["lines"][0]["usd_per_million"]["input_tokens"] == "11.0"
    batch = json.loads(run_command("prices", "gpt-5", "--batch", "--json", "--at", "2026-11-20").stdout)
    assert batch["lines"][0]["usd_per_million"]["input_tokens"] == "0.625"
    doubted = run_command("prices", "gpt-4o", "--tier", "flex", "--at", "2026-11-20")
    assert "doubt:" in doubted.stdout


def test_an_unknown_model_ends_with_1_and_says_what_to_do() -> None:
    done = run_command("prices", "gpt-4o-mni", "--provider", "openai")
    assert done.returncode == 1
    assert "no price is known" in done.stdout
    assert "openai/gpt-4o-mini" in done.stdout
    assert json.loads(run_command("prices", "gpt-4o-mni", "--json").stdout)["found"] is False


def test_a_day_that_is_none_is_refused() -> None:
    done = run_command("prices", "gpt-5", "--at", "yesterday")
    assert done.returncode == 2
    assert "--at must be a day like 2026-11-20, not 'yesterday'" in done.stderr
