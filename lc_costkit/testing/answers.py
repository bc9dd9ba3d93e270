"""What does the fake model say?"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping

from lc_costkit.errors import ConfigurationError
from lc_costkit.testing.records import FakeAnswer, FakeRequest, FakeTool, FakeToolCall
from lc_costkit.testing.schemas import conforming

AnswerFunction = Callable[[FakeRequest], "str | FakeAnswer"]

_WORDINESS: Mapping[str, float] = {
    "gpt-4o-mini": 1.05,
    "gpt-4.1": 0.95,
    "gpt-5": 0.9,
    "claude-haiku": 1.1,
    "claude-sonnet": 1.15,
    "claude-opus": 1.2,
}
"""How much longer than gpt-4o each family answers; an assumption, within what users see."""

_OPENINGS = (
    "Here is what applies to {topic}.",
    "Thanks for asking about {topic}.",
    "In short, {topic} can be sorted out in a few steps.",
    "Let me explain how {topic} works.",
    "You asked about {topic}.",
    "This comes up often with {topic}.",
)

_MIDDLES = (
    "The first thing to check is whether {topic} still shows as pending in your account.",
    "It normally takes between one and two working days, depending on the bank on the other side.",
    "You can follow every step of {topic} in the app, under the menu for your account.",
    "If the details do not match what you expect, the request is held until you confirm it.",
    "There is no charge for this as long as it stays within the limits of your plan.",
    "In most cases the cause is a setting that changed recently, so it is worth looking there first.",
    "Keep the reference number at hand, because it is what our colleagues will ask for.",
    "When {topic} does not go through, nothing is taken from your balance.",
    "The same rule holds abroad, except where local regulations say otherwise.",
    "Afterwards you receive a message that says whether {topic} has been completed.",
)

_CLOSINGS = (
    "If that does not solve it, tell me what you see and I will look further.",
    "Let me know if you would like the exact steps.",
    "I hope that answers your question.",
    "You can come back to this at any time.",
)

_SMALL_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a about am an and any are as at be been but by can could did do does following for from get give had has have
        hello help hi how i if in into is it its just know let like make may me my need no not of on once one or our
        please say set show so some tell than thanks that the their them then there these they this to too up us use
        using want was way we were what when where which who why will with would you your context question answer
        """,
    )
)
"""Words that say nothing about what a question is about."""


_MARKED_QUESTION = re.compile(
    r"^\W*(?:user )?(?:question|query|질문|frage)\W*[:\uff1a][ \t]*(\S.*)$", re.IGNORECASE | re.MULTILINE
)


def default_answer(request: FakeRequest) -> FakeAnswer:
    """A deterministic, plausible answer: 20 to 180 tokens that take up words of the question.

    A schema that was asked for is satisfied. A tool that must be called is called, and with
    ``auto`` the tool whose name the question mentions, with arguments that satisfy its schema;
    once the conversation ends with a tool's result the answer is text, so that agents come to
    an end (only a tool that is named in ``tool_choice`` is called even then).
    """
    tool = _tool_to_call(request)
    if tool is not None:
        arguments = conforming(tool.parameters or {"type": "object"}, hint=request.question)
        return FakeAnswer(tool_calls=(FakeToolCall(name=tool.name, arguments=arguments),))
    if request.response_schema is not None:
        value = conforming(request.response_schema, hint=request.question)
        return FakeAnswer(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    text = _prose(request)
    return FakeAnswer(json.dumps({"answer": text}, ensure_ascii=False) if request.json_mode else text)


def checked_answer(answer: object) -> AnswerFunction:
    """``answer`` itself, or ``default_answer`` for None.

    Raises:
        ConfigurationError: it cannot be called.
    """
    if answer is None:
        return default_answer
    if not callable(answer):
        raise ConfigurationError(
            f"answer must be a function of a FakeRequest that returns text or a FakeAnswer, got {answer!r}; "
            "for a fixed text write answer=lambda request: 'text'"
        )
    return answer


def as_answer(value: object) -> FakeAnswer:
    """What an answer function returned, as a ``FakeAnswer``.

    Raises:
        ConfigurationError: it returned something else.
    """
    if isinstance(value, FakeAnswer):
        return value
    if isinstance(value, str):
        return FakeAnswer(value)
    raise ConfigurationError(f"the answer function must return text or a FakeAnswer, not {type(value).__name__}")


def _tool_to_call(request: FakeRequest) -> FakeTool | None:
    if not request.tools or request.tool_choice == "none":
        return None
    named = next((tool for tool in request.tools if tool.name == request.tool_choice), None)
    if named is not None:
        return named
    if request.after_tool_result:
        return None
    mentioned = _mentioned_tool(request)
    if request.tool_choice == "required":
        return mentioned or request.tools[0]
    return mentioned


def _mentioned_tool(request: FakeRequest) -> FakeTool | None:
    asked = {_stem(word) for word in _words(question_in(request.question))}
    scores = [(len(asked & {_stem(word) for word in _words(tool.name)}), tool) for tool in request.tools]
    best = max(scores, key=lambda scored: scored[0])
    return best[1] if best[0] else None


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _words(text: str) -> list[str]:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text).lower()
    return [word for word in re.findall(r"[^\W\d_]{2,}", apart) if word not in _SMALL_WORDS]


def _prose(request: FakeRequest) -> str:
    asked = question_in(request.question)
    # not of the context: the same question with less context must cost as much output
    seed = hashlib.sha256(f"{asked}\0{request.choice}".encode()).digest()
    wordiness = max(
        ((len(name), factor) for name, factor in _WORDINESS.items() if request.model.startswith(name)),
        default=(0, 1.0),
    )[1]
    # the square of a uniform number: most answers are short, a few are long, as real ones are
    middles = round((seed[0] / 255) ** 2 * (len(_MIDDLES) - 3) * wordiness)
    topic = " ".join(_words(asked)[:6]) or "your request"
    order = sorted(range(len(_MIDDLES)), key=lambda at: seed[at + 4])
    sentences = [_OPENINGS[seed[1] % len(_OPENINGS)], *(_MIDDLES[at] for at in order[: middles + 1])]
    if seed[2] % 2:
        sentences.append(_CLOSINGS[seed[3] % len(_CLOSINGS)])
    return " ".join(sentence.format(topic=topic) for sentence in sentences)


def question_in(text: str) -> str:
    """The question inside a longer prompt.

    It is what follows the last ``Question:``, else the last line that ends with a question mark,
    else the last line.

    >>> question_in("Context: Cards take a week.\\nQuestion: where is my card\\nAnswer:")
    'where is my card'
    """
    marked = _MARKED_QUESTION.findall(text)
    if marked:
        return str(marked[-1]).strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if line.endswith(("?", "\uff1f"))), lines[-1] if lines else "")
