"""Is there anything in an answer that shows, without another model, that it is wrong?

Each check is a small callable on a request and an answer. Those without options are functions, the others are built:
``[complete, no_refusal, SchemaValid(schema)]``. A check that has nothing to look at passes: no schema is broken by an
answer without JSON only if JSON was not asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.amounts import follows, unused
from lc_costkit.routing.answer import PASSED, Answer, Check, Verdict, failed
from lc_costkit.routing.arithmetic import equations
from lc_costkit.routing.cites_context import SHORTEST_QUOTE, CitesContext
from lc_costkit.routing.code_blocks import blocks, fault, read_json
from lc_costkit.routing.final import asks_for_a_count, final_count, final_number, final_text, numbers
from lc_costkit.routing.given_schema import Schema, breaks, checked_schema, checked_tools
from lc_costkit.routing.own_words import doubted, refused
from lc_costkit.routing.policy import RouteRequest
from lc_costkit.routing.unknowns import unsolved

__all__ = [
    "BLOCKED",
    "CUT_SHORT",
    "ENDED",
    "GENERAL_CHECKS",
    "SHORTEST_QUOTE",
    "CitesContext",
    "FinalNumber",
    "Length",
    "Matches",
    "SchemaValid",
    "SelfConsistent",
    "ToolsValid",
    "arithmetic_recomputes",
    "bare",
    "check_all",
    "code_compiles",
    "complete",
    "conclusion_is_shown",
    "json_parses",
    "no_hedging",
    "no_refusal",
    "unknowns_solve",
    "uses_what_is_given",
    "whole_counts",
]

CUT_SHORT = frozenset({"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded", "incomplete"})
BLOCKED = frozenset({"content_filter", "refusal", "safety", "blocked"})
"""Finish reasons of OpenAI, Anthropic and Google for an answer that is not whole."""
ENDED = frozenset({"stop", "end_turn", "stop_sequence", "tool_calls", "tool_use", "function_call", "completed"})
"""Those for one that the model ended itself: how its last sentence looks says nothing then."""

_OPEN_END = re.compile(r"(?:[(\[{,:<]|[^\S\n][-+*/=]|\b(?:and|or|the|a|an|of|to|is|are|with|so|because|for))[^\S\n]*\Z")
_OPEN_CALCULATION = re.compile(r"<<[\d.+\-*/()=$, ]*\Z")


def complete(request: RouteRequest, answer: Answer, /) -> Verdict:
    """Fail an answer that is empty, was cut off or was blocked."""
    reason = (answer.finish_reason or "").lower()
    if reason in CUT_SHORT or reason in BLOCKED:
        return failed(f"it stopped for {reason!r}")
    text = answer.text.strip()
    if not text:
        return PASSED if answer.tool_calls else failed("it is empty")
    if any(not block.closed for block in blocks(text)):
        return failed("a code block is open at its end")
    if _OPEN_CALCULATION.search(text[-100:]):
        return failed("a calculation is open at its end")
    if reason not in ENDED and _OPEN_END.search(text[-40:]):
        return failed("it ends in the middle of a sentence")
    return PASSED


def no_refusal(request: RouteRequest, answer: Answer, /) -> Verdict:
    """Fail an answer that declines or says that it cannot know, in English or Korean."""
    found = refused(request.question, answer.text)
    return PASSED if found is None else failed(f"it declines ({found.strip()})")


def no_hedging(request: RouteRequest, answer: Answer, /) -> Verdict:
    """Fail an answer that doubts or corrects itself, in English or Korean."""
    found = doubted(request.question, answer.text)
    return PASSED if found is None else failed(f"it doubts itself ({found.strip()})")


def arithmetic_recomputes(request: RouteRequest, answer: Answer, /) -> Verdict:
    """Fail an answer with a calculation that does not come out."""
    for equation in equations(answer.text):
        if not equation.holds:
            return failed(f"{equation.left} is {equation.left_value:g}, not {equation.right}")
    return PASSED


def unknowns_solve(request: RouteRequest, answer: Answer, /) -> Verdict:
    """Fail an answer whose unknowns, as it finds them, do not solve its own equations."""
    sides = unsolved(answer.text)
    return PASSED if sides is None else failed(f"what it finds does not solve {sides[0]} = {sides[1]}")


def whole_counts(request: RouteRequest, answer: Answer, /) -> Verdict:
    """Fail an answer to "how many" whose final number is negative or no whole number, unless it asks for a part."""
    if not asks_for_a_count(request.question):
        return PASSED
    number = final_count(answer.text)
    if number is not None and (number < 0 or abs(number - round(number)) > 1e-6):
        return failed(f"a count cannot be {number:g}")
    return PASSED


def uses_what_is_given(request: RouteRequest, answer: Answer, /) -> Verdict:
    """Fail an answer that calculates without a number of the question.

    One of 1 and 2 may be used in words ("half"). Years, dates, hours and numbers of orders or accounts are
    no amounts.
    """
    calculated = equations(answer.text)
    if not calculated:
        return PASSED
    left = unused(request.question, answer.text, calculated)
    wrong = len(left) > 1 or any(one > 2 for one in left)
    return failed(f"it does not use {len(left)} of the question's numbers") if wrong else PASSED


def conclusion_is_shown(request: RouteRequest, answer: Answer, /) -> Verdict:
    """Fail an answer that calculates, and says on a line of its own what it comes to: a number nowhere else in it.

    One step from a result and a number of the question may be done in the head.
    """
    calculated = equations(answer.text)
    last = answer.text.strip().rpartition("\n")[2]
    if not calculated or len(numbers(last)) != 1 or equations(last):
        return PASSED
    said = numbers(answer.text)
    shown = {value for one in calculated for value in (one.left_value, one.right_value)}
    if said.count(said[-1]) > 1 or said[-1] in shown or follows(said[-1], request.question, calculated):
        return PASSED
    return failed(f"it comes to {said[-1]:g}, which it does not show")


def code_compiles(request: RouteRequest, answer: Answer, /) -> Verdict:
    """Fail an answer with a Python or JSON block that cannot be parsed. Nothing is executed."""
    for block in blocks(answer.text):
        wrong = fault(block)
        if wrong:
            return failed(f"a {block.language} block does not parse: {wrong}")
    return PASSED


def json_parses(request: RouteRequest, answer: Answer, /) -> Verdict:
    """Fail an answer that is not JSON, alone or in one code block."""
    if answer.tool_calls and not answer.text.strip():
        return PASSED
    wrong = read_json(bare(answer.text))[1]
    return PASSED if wrong is None else failed(f"it is no JSON: {wrong}")


@dataclass(frozen=True, slots=True)
class SchemaValid:
    """Fails an answer that is not JSON of a schema.

    Attributes:
        schema: JSON schema, of which what ``schema.violations`` does not know is not checked; or a pydantic model
            (version 2), which validates the answer itself.

    Raises:
        ConfigurationError: the schema is none.
    """

    schema: Schema

    def __post_init__(self) -> None:
        checked_schema(self.schema)

    def __call__(self, request: RouteRequest, answer: Answer, /) -> Verdict:
        """Look at one answer."""
        value, wrong = read_json(bare(answer.text))
        if wrong is not None:
            return failed(f"it is no JSON: {wrong}")
        faults = breaks(value, self.schema)
        return failed(f"it breaks the schema: {'; '.join(faults)}") if faults else PASSED


@dataclass(frozen=True, slots=True)
class ToolsValid:
    """Fails an answer that asks for a tool there is not, or with arguments that break its schema.

    Attributes:
        schemas: of each tool's arguments, by name, as for ``SchemaValid``; or a list of tools in OpenAI's or
            Anthropic's format, as a model is bound to.
        required: an answer that asks for no tool fails as well.

    Raises:
        ConfigurationError: the tools are in no such form.
    """

    schemas: Mapping[str, Schema] | Sequence[Mapping[str, Any]]
    required: bool = False
    _known: Mapping[str, Schema] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_known", checked_tools(self.schemas))

    def __call__(self, request: RouteRequest, answer: Answer, /) -> Verdict:
        """Look at one answer."""
        if self.required and not answer.tool_calls:
            return failed("it asks for no tool")
        for call in answer.tool_calls:
            if call.name not in self._known:
                return failed("it asks for a tool that there is not")
            value, wrong = read_json(call.arguments) if isinstance(call.arguments, str) else (call.arguments, None)
            if wrong is not None:
                return failed(f"the arguments of {call.name} are no JSON: {wrong}")
            faults = breaks(value, self._known[call.name])
            if faults:
                return failed(f"the arguments of {call.name} break its schema: {'; '.join(faults)}")
        return PASSED


@dataclass(frozen=True, slots=True)
class Length:
    """Fails an answer that is shorter or longer than what a good one can be.

    Attributes:
        least: characters at least.
        most: characters at most; ``None`` for no limit.

    Raises:
        ConfigurationError: ``least`` is negative or above ``most``.
    """

    least: int = 1
    most: int | None = None

    def __post_init__(self) -> None:
        if self.least < 0 or (self.most is not None and self.most < self.least):
            raise ConfigurationError(f"lengths go from least to most; got {self.least!r} to {self.most!r}")

    def __call__(self, request: RouteRequest, answer: Answer, /) -> Verdict:
        """Look at one answer."""
        size = len(answer.text.strip())
        if answer.tool_calls and not size:
            return PASSED
        if size < self.least:
            return failed(f"it has {size} characters, fewer than {self.least}")
        if self.most is not None and size > self.most:
            return failed(f"it has {size} characters, more than {self.most}")
        return PASSED


@dataclass(frozen=True, slots=True)
class FinalNumber:
    """Fails an answer whose last number cannot be a right one.

    Attributes:
        least: it can be; ``None`` for no limit.
        most: it can be; ``None`` for no limit.
        whole: it has no decimals.
        required: an answer without a number fails as well.

    Raises:
        ConfigurationError: ``least`` is above ``most``, or one of them no number.
    """

    least: float | None = None
    most: float | None = None
    whole: bool = False
    required: bool = True

    def __post_init__(self) -> None:
        for limit in (self.least, self.most):
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float) or limit != limit):
                raise ConfigurationError(f"least and most must be numbers, or None for no limit, not {limit!r}")
        if self.least is not None and self.most is not None and self.most < self.least:
            raise ConfigurationError(f"numbers go from least to most; got {self.least!r} to {self.most!r}")

    def __call__(self, request: RouteRequest, answer: Answer, /) -> Verdict:
        """Look at one answer."""
        number = final_number(answer.text)
        if number is None:
            return failed("it comes to no number") if self.required else PASSED
        if self.whole and abs(number - round(number)) > 1e-6:
            return failed(f"it comes to {number:g}, which is no whole number")
        if (self.least is not None and number < self.least) or (self.most is not None and number > self.most):
            return failed(f"it comes to {number:g}, which is out of range")
        return PASSED


class Matches:
    """Fails an answer without the form that was asked for.

    Args:
        pattern: a regular expression that a good answer holds.
        what: what is missing without it, for the reason.

    Raises:
        ConfigurationError: the pattern is none.
    """

    def __init__(self, pattern: str, *, what: str = "the form that was asked for") -> None:
        try:
            self.pattern = re.compile(pattern)
        except re.error as error:
            raise ConfigurationError(f"{pattern!r} is no regular expression: {error}") from error
        self.what = what

    def __call__(self, request: RouteRequest, answer: Answer, /) -> Verdict:
        """Look at one answer."""
        return PASSED if self.pattern.search(answer.text) else failed(f"it lacks {self.what}")


@dataclass(frozen=True, slots=True)
class SelfConsistent:
    """Fails an answer that most samples of the same target do not come to.

    Compares the final number, or the last line where there is none. An answer without samples passes. A cascade draws
    the samples once all checks before this one have passed; give the target a temperature, or they say the same.

    Attributes:
        least: part of the answer and its samples that must agree with the answer, above 0 to 1.
        final: what two answers are compared by.
        samples: how many further answers a cascade asks for; 0 compares those that the answer comes with.

    Raises:
        ConfigurationError: ``least`` is out of range, or ``samples`` no count.
    """

    least: float = 0.6
    final: Callable[[str], str] = final_text
    samples: int = 2

    def __post_init__(self) -> None:
        if not 0.0 < self.least <= 1.0:
            raise ConfigurationError(f"least must be above 0 and at most 1, not {self.least!r}")
        if isinstance(self.samples, bool) or not isinstance(self.samples, int) or self.samples < 0:
            raise ConfigurationError(f"samples must be a count, not {self.samples!r}")

    def __call__(self, request: RouteRequest, answer: Answer, /) -> Verdict:
        """Look at one answer."""
        if not answer.samples:
            return PASSED
        counts = Counter(self.final(text) for text in (answer.text, *answer.samples))
        own = counts[self.final(answer.text)] / counts.total()
        if own < self.least:
            return failed(f"{own:.0%} of {counts.total()} samples come to it", score=own)
        return Verdict(passed=True, score=own)


GENERAL_CHECKS: tuple[Check, ...] = (
    complete,
    no_refusal,
    arithmetic_recomputes,
    unknowns_solve,
    code_compiles,
    whole_counts,
    uses_what_is_given,
    conclusion_is_shown,
    no_hedging,
)
"""Checks that need to be told nothing about the task."""


def check_all(checks: Sequence[Check], request: RouteRequest, answer: Answer) -> tuple[Verdict, ...]:
    """Ask every check, in order."""
    return tuple(check(request, answer) for check in checks)


def bare(text: str) -> str:
    """Return what stands in an answer's code block, if it has just one, else all of it."""
    found = blocks(text)
    return found[0].source if len(found) == 1 else text
