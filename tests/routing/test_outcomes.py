"""Are labels checked, and do columns and rows of them say the same?"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.outcomes import LabelledPrompt, columns_of, labelled_prompts, outcome_table


def test_columns_become_rows_and_rows_columns() -> None:
    rows = labelled_prompts(["a", "b", "c"], {"small": [1, None, None], "large": [0.5, 1, None]})
    assert rows == (
        LabelledPrompt(prompt="a", outcomes={"small": 1, "large": 0.5}),
        LabelledPrompt(prompt="b", outcomes={"large": 1}),
    )
    assert columns_of(rows) == (["a", "b"], {"small": [1, None], "large": [0.5, 1]})


def test_the_order_of_targets_is_that_of_the_fullest_row() -> None:
    rows = [LabelledPrompt(prompt="a", outcomes={"large": 1}), *labelled_prompts(["b"], {"small": [0], "large": [1]})]
    assert list(columns_of(rows)[1]) == ["small", "large"]


def test_a_table_knows_whether_it_is_complete() -> None:
    assert outcome_table(["a"], {"s": [1], "l": [0]}).complete
    assert not outcome_table(["a"], {"s": [1], "l": [None]}).complete


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [({}, "at least one target"), ({"s": 1.01}, r"'s' has 1\.01"), ({"s": float("nan")}, "'s' has nan")],
)
def test_bad_rows_are_refused(outcomes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        LabelledPrompt(prompt="a", outcomes=outcomes)


def test_outcomes_that_are_text_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="an outcome lies between 0 and 1; 's' has '1'"):
        LabelledPrompt(prompt="a", outcomes={"s": "1"})  # type: ignore[dict-item]
    with pytest.raises(ConfigurationError, match="outcomes are numbers between 0 and 1; 's' has '0' for prompt 1"):
        outcome_table(["a", "b"], {"s": [1, "0"]})  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match=r"'s' has 5\.0 for prompt 0"):
        outcome_table(["a"], {"s": [5]})


def test_one_text_is_no_list_of_prompts() -> None:
    with pytest.raises(ConfigurationError, match="prompts must be a list of texts"):
        outcome_table("ab", {"s": [1, 0]})


def test_outcomes_of_other_kinds_of_numbers_are_taken() -> None:
    given = [True, np.float32(0.5), np.bool_(True), Decimal("0.5"), None]
    table = outcome_table(["a"] * 5, {"s": given})  # type: ignore[dict-item]
    assert table.found[:4, 0].tolist() == [1.0, 0.5, 1.0, 0.5]


def test_what_is_no_row_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not str"):
        columns_of(["a prompt"])  # type: ignore[list-item]
