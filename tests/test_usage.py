"""TokenUsage: disjoint counts, their arithmetic, and what is refused."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.usage import TokenUsage, UsageReading

COUNTS = [f.name for f in fields(TokenUsage) if f.name != "tool_requests"]


@st.composite
def usages(draw: st.DrawFn) -> TokenUsage:
    counts = {name: draw(st.integers(0, 10**9)) for name in COUNTS}
    counts["reasoning_tokens"] = draw(st.integers(0, counts["output_tokens"]))
    tools = draw(st.dictionaries(st.sampled_from(["web_search", "web_fetch", "code"]), st.integers(0, 99)))
    return TokenUsage(**counts, tool_requests=tuple(tools.items()))


@given(usages(), usages(), usages())
def test_addition_is_commutative_and_associative(a: TokenUsage, b: TokenUsage, c: TokenUsage) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + TokenUsage() == a


@given(usages(), usages())
def test_totals_are_disjoint_and_add_up(a: TokenUsage, b: TokenUsage) -> None:
    assert a.total == a.total_input + a.total_output
    assert a.total == sum(getattr(a, name) for name in COUNTS) - a.reasoning_tokens
    assert (a + b).total == a.total + b.total


@given(usages())
def test_survives_json(usage: TokenUsage) -> None:
    assert TokenUsage.from_dict(json.loads(json.dumps(usage.to_dict()))) == usage


def test_tool_requests_of_one_name_are_merged() -> None:
    first = TokenUsage(tool_requests=(("web_search", 1), ("code", 2), ("web_search", 2)))
    assert first.tool_requests == (("code", 2), ("web_search", 3))
    assert (first + first).tool_requests == (("code", 4), ("web_search", 6))


def test_equal_requests_in_another_order_are_equal() -> None:
    assert TokenUsage(tool_requests=(("a", 1), ("b", 2), ("c", 0))) == TokenUsage(tool_requests=(("b", 2), ("a", 1)))


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize(
    ("value", "message"),
    [(-1, "must be at least 0, not -1"), (True, "must be an int"), (1.0, "must be an int"), ("3", "must be an int")],
)
def test_what_is_not_a_count_is_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} {message}"):
        TokenUsage(**{name: value})  # type: ignore[arg-type]


def test_more_reasoning_than_output_is_refused_with_the_numbers() -> None:
    with pytest.raises(ConfigurationError, match=r"reasoning_tokens=7 cannot exceed output_tokens=5"):
        TokenUsage(output_tokens=5, reasoning_tokens=7)


@pytest.mark.parametrize(
    "requests", [(("web_search", -1),), (("web_search", True),), ((3, 1),), ("web",), (("a", 1, 2),)]
)
def test_bad_tool_requests_are_refused(requests: object) -> None:
    with pytest.raises(ConfigurationError, match="tool_requests"):
        TokenUsage(tool_requests=requests)  # type: ignore[arg-type]


def test_adding_anything_else_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        TokenUsage() + 1  # type: ignore[operator]


def test_from_dict_ignores_names_it_does_not_know_and_refuses_bad_counts() -> None:
    assert TokenUsage.from_dict({"input_tokens": 3, "later_field": 9}) == TokenUsage(input_tokens=3)
    with pytest.raises(ConfigurationError, match="input_tokens"):
        TokenUsage.from_dict({"input_tokens": "3"})


def test_both_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        TokenUsage().input_tokens = 1  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        UsageReading(usage=TokenUsage()).model = "x"  # type: ignore[misc]
