"""Is what a profile says compared with all that a request asks for?"""

from __future__ import annotations

from typing import Any

import pytest

from lc_costkit.routing import RouteRequest, TargetModel
from lc_costkit.routing.able import Ability, ability_of

ALL = {
    "max_input_tokens": 10_000,
    "max_output_tokens": 1_000,
    "tool_calling": True,
    "structured_output": True,
    "media": frozenset({"image"}),
}


def ability(fields: dict[str, Any], *, model: str = "gpt-4o", tokens: int = 100, **request: Any) -> Ability:
    return ability_of(
        TargetModel(model, **fields), RouteRequest(question="", **request), input_tokens=tokens, output_tokens=500
    )


def test_a_model_that_can_do_it_all_misses_nothing() -> None:
    wants: dict[str, Any] = {"tools": ("search",), "structured": True, "media": ("image",), "max_output_tokens": 1_000}
    assert ability(ALL, **wants) == Ability()


def test_a_model_that_tells_nothing_is_trusted() -> None:
    wants: dict[str, Any] = {"tools": ("search",), "structured": True, "media": ("image", "pdf")}
    unknown = ("a window for 620 tokens", "tools", "structured output", "image input", "pdf input")
    assert ability({}, **wants) == Ability(unknown=unknown)
    assert ability({}) == Ability(unknown=unknown[:1])


@pytest.mark.parametrize(
    ("structured", "tools", "missing"),
    [
        (True, False, False),
        (False, True, False),
        (False, False, True),
        (None, True, False),
    ],
)
def test_a_schema_takes_structured_output_or_tools(structured: bool | None, tools: bool, missing: bool) -> None:
    found = ability({**ALL, "structured_output": structured, "tool_calling": tools}, structured=True)
    assert ("structured output" in found.missing) is missing
    assert not found.unknown


def test_a_window_has_room_for_the_error_of_the_quick_count() -> None:
    """More of it where the model's vocabulary is not known."""
    for model, most in (("gpt-4o", 7_916), ("openai/o3", 7_916), ("claude-opus-4-5", 6_333), ("llama", 6_333)):
        assert not ability(ALL, model=model, tokens=most).missing
        assert ability(ALL, model=model, tokens=most + 1).missing == ("a window for 10,001 tokens",)


def test_media_that_profiles_do_not_tell_of_are_not_known() -> None:
    assert ability(ALL, media=("smell", "audio")) == Ability(missing=("audio input",), unknown=("smell input",))


def test_an_answer_longer_than_the_model_gives_is_missing() -> None:
    assert ability({**ALL, "max_output_tokens": 400}).missing == ("answers of 500 tokens",)
    assert ability(ALL, max_output_tokens=1_001).missing == ("answers of 1,001 tokens",)
