"""How do the models of ``cascade_tasks.py`` err?

Nobody's measured rates: kinds that are known of small models, each with a share that is an option of the script. What
an application cannot use counts as wrong, whatever it says. ``silent`` errors break no rule: a value that stands in the
text, and is not the one that was meant, or one that is left out where it may be. No check can see them. ``reworded``
answers are right, with a value in other words than the text's, which the check of copied values takes for wrong.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from _cascade_requests import Request, Task, Values

from lc_costkit.testing import FakeAnswer, FakeToolCall

Rates = Mapping[str, float]

REWORDED = "reworded"

WEAK: Mapping[str, Rates] = {
    "JSON extraction": {
        "truncated": 0.04, "prose": 0.03, "missing field": 0.03, "wrong type": 0.04, "invented value": 0.05,
        "refusal": 0.02, "silent": 0.08, REWORDED: 0.02,
    },
    "tool calls": {
        "unknown tool": 0.03, "no call": 0.04, "missing field": 0.04, "wrong type": 0.04, "invented value": 0.05,
        "refusal": 0.02, "silent": 0.08, REWORDED: 0.02,
    },
}  # fmt: skip
"""Share of the weak model's answers with each kind of error; assumptions, no measurement."""

STRONG_PART, STRONG_SILENT = 0.1, 0.02
"""The strong model's rates: this part of the weak one's, and this share of silent errors; assumptions, too."""

FENCED = 0.2
"""Share of right and wrong JSON that comes in a code block, which applications read; an assumption."""

_REFUSALS = (
    "I'm sorry, but I can't help with requests about personal finances.",
    "I cannot assist with that request.",
    "As an AI language model, I don't have access to your account.",
)
_INVENTED = ("John Smith", "2023-01-15", "Amazon", "next month", "9999", "London")


def strong_rates(weak: Rates) -> dict[str, float]:
    """Return the strong model's rates."""
    own = {"silent": STRONG_SILENT, REWORDED: weak.get(REWORDED, 0.0)}
    return {kind: own.get(kind, rate * STRONG_PART) for kind, rate in weak.items()}


class Model:
    """Answers as a model that errs at these rates; the same to the same question and seed.

    Raises:
        ValueError: the rates are no shares, or come to more than 1.
    """

    def __init__(self, task: Task, rates: Rates, *, seed: int, place: int) -> None:
        if any(not 0 <= rate <= 1 for rate in rates.values()) or sum(rates.values()) > 1:
            raise ValueError(f"rates must be shares that come to at most 1, not {dict(rates)!r}")
        self.task, self.rates = task, rates
        self.seed = (seed, place)
        self.requests = {request.text: request for request in task.requests}

    def kind(self, question: str) -> str:
        """Return which error the answer to a question has; empty if it is right."""
        drawn = self._chance(question).random()
        for kind, rate in self.rates.items():
            if drawn < rate:
                return kind
            drawn -= rate
        return ""

    def answer(self, question: str) -> FakeAnswer:
        """Return the answer."""
        chance = self._chance(question)
        chance.random()  # what decided the kind
        request, kind = self.requests[question], self.kind(question)
        if kind == "refusal":
            return FakeAnswer(str(chance.choice(_REFUSALS)))
        values = dict(request.right)
        schema = self.task.schemas[request.tool]
        if kind == "missing field":
            del values[str(chance.choice(schema["required"]))]
        elif kind == "wrong type":
            _break_type(values, schema, chance)
        elif kind == "invented value":
            _invent(values, request, chance)
        elif kind == "silent":
            _mistake(values, request, chance)
        elif kind == REWORDED:
            _reword(values)
        return self._called(request, kind, values) if request.tool else _written(kind, values, chance)

    def _called(self, request: Request, kind: str, values: Values) -> FakeAnswer:
        if kind == "no call":
            return FakeAnswer(f"Sure, I have done that for you: {', '.join(map(str, values.values()))}.")
        name = f"{request.tool}_v2" if kind == "unknown tool" else request.tool
        return FakeAnswer(tool_calls=(FakeToolCall(name=name, arguments=values),))

    def _chance(self, question: str) -> np.random.Generator:
        return np.random.default_rng([*self.seed, zlib.crc32(question.encode())])


def _written(kind: str, values: Values, chance: np.random.Generator) -> FakeAnswer:
    text = json.dumps(values, ensure_ascii=False)
    if kind == "prose":
        return FakeAnswer(f"Here is what I found in the message:\n\n{text}\n\nLet me know if you need anything else!")
    if kind == "truncated":  # half of the servers say so
        cut = text[: int(len(text) * chance.uniform(0.3, 0.95))]
        return FakeAnswer(cut, finish_reason="length" if chance.random() < 0.5 else "stop")
    return FakeAnswer(f"```json\n{text}\n```" if chance.random() < FENCED else text)


def _break_type(values: Values, schema: Mapping[str, Any], chance: np.random.Generator) -> None:
    """Give one value another type, as models do: a number with its unit, a list of one, a word that is not allowed."""
    given = [name for name, value in values.items() if value is not None]
    name = str(chance.choice(given))
    value = values[name]
    if isinstance(value, str) and "enum" not in schema["properties"][name]:
        values[name] = [value]
    else:
        values[name] = f"{value} (approx.)"


def _invent(values: Values, request: Request, chance: np.random.Generator) -> None:
    """Give one value that nobody said, of the right type."""
    name = str(chance.choice([one for one in values if one not in ("currency", "reason")]))
    if isinstance(values[name], int | float) or name == "amount":
        values[name] = int(chance.integers(1, 9)) if name == "people" else float(chance.integers(10_000, 99_999))
        if name == "people" and values[name] == request.right[name]:
            values[name] = 9
    elif name == "last_digits":
        values[name] = f"{(int(request.right[name]) + int(chance.integers(1, 9_999))) % 10_000:04d}"
    else:
        values[name] = str(chance.choice(_INVENTED))


def _reword(values: Values) -> None:
    """Turn the words of one value around: "Lind, Rosa" for "Rosa Lind"."""
    for name, value in values.items():
        if isinstance(value, str) and " " in value:
            values[name] = ", ".join(reversed(value.split(" ", 1)))
            return


def _mistake(values: Values, request: Request, chance: np.random.Generator) -> None:
    """Give one value that fits every rule and is wrong: another piece of the text, or nothing where that may be."""
    given = [name for name, value in values.items() if value is not None]
    texts = [name for name in given if isinstance(values[name], str) and name not in ("currency", "reason")]
    if not request.tool and (not texts or chance.random() < 0.5):
        values[str(chance.choice(given))] = None
        return
    name = str(chance.choice(texts))
    wanted = str.isdigit if name == "last_digits" else bool
    others = [piece for piece in request.pieces if wanted(piece) and piece.casefold() != values[name].casefold()]
    values[name] = str(chance.choice(others)) if others else values[name][:-1]
