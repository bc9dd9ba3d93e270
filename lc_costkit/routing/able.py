"""Can a target do what a request asks for?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lc_costkit.routing.policy import RouteRequest
from lc_costkit.routing.target_model import MEDIA, TargetModel

KNOWN_VOCABULARY, HIDDEN_VOCABULARY = 1.2, 1.5
"""How much longer than the quick count a prompt may be: the count was up to 14 % too low (``prompt_tokens``), and
Claude took 16 to 30 % more tokens than GPT-4o (published comparisons of Claude 3.5)."""

LEAST_OF_QUARTER = 0.7
"""Tokens of a text are at least that part of a quarter of its bytes: texts of a kind together were up to 22 % off
(``benchmarks/tokens.py``)."""

_OWN_COUNT = ("gpt-", "chatgpt", "o1", "o3", "o4")


@dataclass(frozen=True, slots=True)
class Ability:
    """What a target cannot do of what a request asks for.

    Attributes:
        missing: what it cannot, in words; empty if it can do all that is known.
        unknown: what its profile does not tell, and is taken for granted.
    """

    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def ability_of(
    model: TargetModel, request: RouteRequest, *, input_tokens: int, output_tokens: int, margin: bool = True
) -> Ability:
    """Compare what a model's profile says with what a request asks for.

    An answer in a schema can be had by a tool call as well.

    Args:
        model: the model.
        request: what is asked.
        input_tokens: of its prompt, by the quick count.
        output_tokens: how long an answer is expected.
        margin: leave room in the window for what the quick count may have missed.
    """
    missing: list[str] = []
    unknown: list[str] = []

    def judge(can: bool | None, what: str) -> None:
        if can is None:
            unknown.append(what)
        elif not can:
            missing.append(what)

    longest = max(output_tokens, request.max_output_tokens or 0)
    window = model.max_input_tokens
    factor = (KNOWN_VOCABULARY if _is_counted(model) else HIDDEN_VOCABULARY) if margin else 1.0
    most = math.ceil(input_tokens * factor) + output_tokens
    judge(None if window is None else most <= window, f"a window for {most:,} tokens")
    if model.max_output_tokens is not None:
        judge(longest <= model.max_output_tokens, f"answers of {longest:,} tokens")
    if request.tools:
        judge(model.tool_calling, "tools")
    if request.structured:
        known = (model.structured_output, model.tool_calling)
        judge(True if True in known else None if None in known else False, "structured output")
    for kind in request.media:
        judge(None if model.media is None or kind not in MEDIA else kind in model.media, f"{kind} input")
    return Ability(tuple(missing), tuple(unknown))


def missing_at(name: str, request: RouteRequest, *, input_tokens: int, output_tokens: int) -> str:
    """Return what a target cannot do of what is asked, in words; empty if nothing is known to be missing.

    Args:
        name: of the target.
        request: what is asked.
        input_tokens: of its prompt, by the quick count.
        output_tokens: how long an answer is expected.
    """
    model = request.models.get(name, TargetModel())
    return ", ".join(ability_of(model, request, input_tokens=input_tokens, output_tokens=output_tokens).missing)


def surely_missing_at(name: str, request: RouteRequest, *, tokens: int) -> str:
    """Return what a target cannot do of what is asked, where there is no doubt; empty if it may do all of it.

    Args:
        name: of the target.
        request: what is asked.
        tokens: of its prompt, a quarter of its bytes.
    """
    model = request.models.get(name)
    if model is None:
        return ""
    least = int(tokens * LEAST_OF_QUARTER)
    return ", ".join(ability_of(model, request, input_tokens=least, output_tokens=0, margin=False).missing)


def _is_counted(model: TargetModel) -> bool:
    """Tell whether the quick count is fitted to the model's own vocabulary."""
    return (model.model or "").lower().rpartition("/")[2].startswith(_OWN_COUNT)
