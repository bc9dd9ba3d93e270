"""Names that an entry claims: which of them it names."""

from __future__ import annotations

import pytest
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
)

from lc_costkit.name_match import is_named


@pytest.mark.parametrize(
    ("after", "same"),
    [
        ("", True),
        ("-2024-07-18", True),
        ("-20240718", True),
        ("@20240718", True),
        ("-0613", True),
        ("-001", True),
        ("-09-2025", True),
        ("-05-06", True),
        ("-latest", True),
        ("-preview-05-20", True),
        ("-exp", True),
        ("-v1:0", True),
        ("-v2:0:200k", True),
        ("-mini", False),
        ("-turbo", False),
        ("-5", False),
        (".5", False),
        ("5", False),
        ("x", False),
        ("-previewed", False),
        ("-latest-mini", False),
    ],
)
def test_what_may_follow_a_name(after: str, same: bool) -> None:
    assert is_named(ClauseStartsWith(starts_with="model-4"), "model-4", f"model-4{after}") is same


@pytest.mark.parametrize(
    ("before", "same"),
    [
        ("", True),
        ("us.anthropic.", True),
        ("anthropic.", True),
        ("global.", True),
        ("my-", False),
        ("corp/", False),
        ("a", False),
    ],
)
def test_what_may_stand_before_it(before: str, same: bool) -> None:
    assert is_named(ClauseContains(contains="claude-9"), "claude-9", f"{before}claude-9") is same


def test_rules_within_rules() -> None:
    no_speech = ClauseRegex(regex=r"^(?!.*-tts)")
    rule = ClauseAnd(and_=[ClauseStartsWith(starts_with="gem-2"), no_speech])
    assert is_named(rule, "gem-2", "gem-2-preview")
    assert not is_named(rule, "gem-2", "gem-2-live")
    either = ClauseOr(or_=[ClauseEquals(equals="other-name"), ClauseEndsWith(ends_with="gem-3")])
    assert is_named(either, "gem-3", "other-name")
    assert not is_named(either, "gem-3", "not-gem-3")
    dated = ClauseRegex(regex=r"^gem-4-\\d{8}$".replace("\\\\", "\\"))
    assert is_named(dated, "gem-four", "gem-4-20260101")


def test_whose_fine_tune_it_is_plays_no_part_and_its_base_is_not_it() -> None:
    rule = ClauseStartsWith(starts_with="ft:gpt-4o-2024-")
    assert is_named(rule, "ft:gpt-4o", "ft:gpt-4o-2024-08-06:my-mini-org:turbo:x5")
    assert not is_named(ClauseStartsWith(starts_with="ft:gpt-4-0"), "gpt-4", "ft:gpt-4-0613:org::id")
