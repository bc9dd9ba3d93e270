"""How well did each target answer which prompt, as the user knows it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from lc_costkit.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPrompt:
    """One prompt and how well each target answered it.

    Attributes:
        prompt: the question.
        outcomes: by target, 0 (useless) to 1 (right); the targets cheapest first. A target that was not
            asked is left out.

    Raises:
        ConfigurationError: no outcomes, or one outside 0..1.
    """

    prompt: str
    outcomes: Mapping[str, float]

    def __post_init__(self) -> None:
        if not self.outcomes:
            raise ConfigurationError("a labelled prompt needs the outcome of at least one target")
        for target, outcome in self.outcomes.items():
            if not _is_number(outcome) or not 0.0 <= outcome <= 1.0:
                raise ConfigurationError(f"an outcome lies between 0 and 1; {target!r} has {outcome!r}")


def labelled_prompts(
    prompts: Sequence[str], outcomes: Mapping[str, Sequence[float | None]]
) -> tuple[LabelledPrompt, ...]:
    """Put prompts and a column of outcomes for each target together; prompts without any outcome are left out.

    Raises:
        ConfigurationError: a column is not as long as ``prompts``, or an outcome is outside 0..1.

    >>> labelled_prompts(["Hi", "Prove it"], {"small": [1, 0], "large": [1, None]})[1].outcomes
    {'small': 0}
    """
    table = outcome_table(prompts, outcomes)
    rows = zip(prompts, zip(*outcomes.values(), strict=True), strict=True)
    return tuple(
        LabelledPrompt(
            prompt=prompt, outcomes={name: one for name, one in zip(table.targets, row, strict=True) if one is not None}
        )
        for prompt, row in rows
        if any(one is not None for one in row)
    )


@dataclass(frozen=True, slots=True)
class OutcomeTable:
    """Outcomes with a row for each prompt and a column for each target, cheapest first; NaN where there is none."""

    targets: tuple[str, ...]
    found: NDArray[np.float64]

    @property
    def complete(self) -> bool:
        """Every prompt has an outcome of every target."""
        return not np.isnan(self.found).any()


def outcome_table(prompts: Sequence[str], outcomes: Mapping[str, Sequence[float | None]]) -> OutcomeTable:
    """Check columns of outcomes against their prompts.

    Raises:
        ConfigurationError: there are no targets, a column is not as long as ``prompts``, a prompt is not text,
            or an outcome is outside 0..1.
    """
    if not outcomes:
        raise ConfigurationError("outcomes must hold a column for each target, cheapest first; there is none")
    if isinstance(prompts, str):
        raise ConfigurationError("prompts must be a list of texts, one for each outcome, not one text")
    for place, prompt in enumerate(prompts):
        if not isinstance(prompt, str):
            raise ConfigurationError(f"prompts must be text; number {place} is {type(prompt).__name__}")
    columns = []
    for name, column in outcomes.items():
        if len(column) != len(prompts):
            raise ConfigurationError(f"there are {len(prompts)} prompts, but {len(column)} outcomes of {name!r}")
        for place, one in enumerate(column):
            if one is not None and not _is_number(one):
                raise ConfigurationError(
                    f"outcomes are numbers between 0 and 1; {name!r} has {one!r:.80} for prompt {place}"
                )
        columns.append([np.nan if one is None else float(one) for one in column])
    found = np.array(columns, dtype=np.float64).T
    if np.isinf(found).any() or (found < 0).any() or (found > 1).any():
        row, place = np.argwhere((found < 0) | (found > 1))[0]
        name = list(outcomes)[place]
        outcome = float(found[row, place])
        raise ConfigurationError(f"outcomes lie between 0 and 1; {name!r} has {outcome!r} for prompt {row}")
    return OutcomeTable(tuple(outcomes), found)


def _is_number(value: object) -> bool:
    return isinstance(value, (Real, Decimal, np.bool_))


def columns_of(labelled: Sequence[LabelledPrompt]) -> tuple[list[str], dict[str, list[float | None]]]:
    """Take labelled prompts apart: the prompts, and a column of outcomes for each target.

    Raises:
        ConfigurationError: something in there is no ``LabelledPrompt``.
    """
    for one in labelled:
        if not isinstance(one, LabelledPrompt):
            raise ConfigurationError(f"labelled prompts are LabelledPrompt objects, not {type(one).__name__}")
    fullest = max(labelled, key=lambda one: len(one.outcomes), default=None)
    names = dict.fromkeys(() if fullest is None else fullest.outcomes)
    for one in labelled:
        names.update(dict.fromkeys(one.outcomes))
    return [one.prompt for one in labelled], {name: [one.outcomes.get(name) for one in labelled] for name in names}
