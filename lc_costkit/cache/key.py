"""Of a whole request, what is the question and what is the scope it may be answered in?

A cached answer may serve another call only when everything but the question is equal.
So a request is cut in two: the *question*, which may be matched by meaning, and the
*scope*, a digest of all the rest.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from lc_costkit.cache.admit import DEFAULT_ADMISSION, AdmissionRule, admit
from lc_costkit.cache.declared import Block, DeclaredQuestion
from lc_costkit.cache.text import normalise
from lc_costkit.errors import ConfigurationError
from lc_costkit.scripts import script_of

MAX_TEMPERATURE = 1.0
"""Sampling temperature above which an answer is meant to vary, so that replaying one is wrong."""
MAX_QUESTION_WORDS = 60
"""Undeclared human text of more words carries more than a question; it is matched to the letter only."""
MAX_QUESTION_CHARS = 2_000
"""The same limit for scripts without spaces, in characters; also bounds what the gates have to read."""

HUMAN = frozenset({"human", "user"})
INSTRUCTIONS = frozenset({"system", "developer"})
TOOL_RESULTS = frozenset({"tool", "function"})

_log = logging.getLogger(__name__)

_LABEL = re.compile(r"([^\n.!?:>]{1,60}:)[ \t]*\Z")
_SHORT = 200
"""Characters around a declared question that are a template's words and no document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message of a request, reduced to what can change the answer.

    Attributes:
        role: ``system``, ``developer``, ``human``, ``ai``, ``tool`` or what the framework calls it.
        text: the text parts, joined.
        tool_calls: calls the model asked for, each as ``name(arguments as canonical JSON)``, without ids.
        name: the tool's or speaker's name.
        other: canonical JSON of parts that are neither text nor tool calls; empty if there are none.
        has_media: an image, audio, video or file is among the parts.
    """

    role: str
    text: str
    tool_calls: tuple[str, ...] = ()
    name: str | None = None
    other: str = ""
    has_media: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRequest:
    """A model call as the cache sees it, whichever framework made it.

    Attributes:
        turns: the messages in order; a completion prompt is one human turn.
        settings: canonical model, sampling parameters, tools and response format, volatile parts left out.
            May hold headers with a key in them, so it is hashed, and never stored or shown as it is.
        model: the model asked for, if known.
        temperature: the sampling temperature that was set; ``None`` where the client left it to the provider.
        plain_text: a completion prompt, which is the question as it stands.
        uncacheable: why an adapter could not describe the call well enough to compare it; ``None`` if it could.
    """

    turns: tuple[Turn, ...]
    settings: str = field(repr=False)
    model: str | None = None
    temperature: float | None = None
    plain_text: bool = False
    uncacheable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheKey:
    """Where a request belongs in the cache, and how it may be matched there.

    Attributes:
        scope: hex digest of all that must be equal.
        question: the text that may be matched by meaning.
        normalised: the question for the exact tier.
        exact: hex digest of scope and ``normalised``.
        exact_only: match to the letter only.
        refused: why the request is neither served from nor stored in the cache; ``None`` if it may be.
        exact_only_reason: why it is matched to the letter only.
        script: script of the question as an ISO 15924 name; part of the scope.
        declared_scope: in words, whether a declared scope stands for the text around the question; ``None``
            where none was declared.
    """

    scope: str
    question: str
    normalised: str
    exact: str
    exact_only: bool
    refused: str | None
    exact_only_reason: str | None
    script: str
    declared_scope: str | None = None


QuestionFinder = Callable[[CacheRequest], "str | DeclaredQuestion | None"]
"""Finds the question in a request; ``None`` leaves it to the general rule.

It is asked for each call by itself and nothing is remembered from one to the next. Where the steps of a
chain carry the same question, it must give each step a scope of its own, or none. One that raises or
returns anything else is a fault, and the call is matched to the letter only.
"""
Context = Literal["history", "last"] | Callable[[CacheRequest], str]
"""What earlier turns mean to the scope: all of them, none but instructions, or what a callable makes of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The question of a request, and the text around it that belongs to the scope."""

    text: str
    around: tuple[str, ...] = ()
    exact_only_reason: str | None = None
    covers_instructions: bool = False
    declared_scope: str | None = None


def make_key(
    request: CacheRequest,
    *,
    namespace: str,
    question: QuestionFinder | None = None,
    declared: DeclaredQuestion | Block | None = None,
    remember: bool = True,
    on_fault: Callable[[Exception], None] | None = None,
    max_temperature: float = MAX_TEMPERATURE,
    admission: Iterable[AdmissionRule] = DEFAULT_ADMISSION,
    context: Context = "history",
) -> CacheKey:
    """Cut a request into question and scope, and say how it may be matched.

    Args:
        request: the call.
        namespace: keeps tenants or uses of one cache apart.
        question: finds the question where none is declared.
        declared: what the caller declared; pass ``current_block()``. A block's scope stands for the text of the
            first call in it only, a ``DeclaredQuestion``'s for any.
        remember: let the block remember this request's text if it is the first; a refused request never is.
        on_fault: is told of a ``question`` that raises or returns no question.
        max_temperature: a request with a higher temperature is refused; one that states none is not.
        admission: rules about what may be cached, see ``admit.py``.
        context: which earlier turns belong to the scope; a callable that raises counts as ``history``.

    No text makes it raise: lone surrogates, NUL and any length are hashed as they are.
    """
    index = _question_turn(request)
    refused = _refusal(request, max_temperature)
    part = _find_question(request, index, question, declared, remember=remember and refused is None, on_fault=on_fault)
    script = script_of(part.text)
    normalised = part.text if request.plain_text else normalise(part.text)
    scope = _digest(
        "scope-1", namespace, request.settings, script, str(request.plain_text), *part.around,
        *_surroundings(request, index, context, covered=part.covers_instructions),
    )  # fmt: skip
    exact_only_reason = part.exact_only_reason
    if refused is None:
        verdict = admit(_read_for_admission(part.text), admission)
        if verdict.verdict == "refuse":
            refused = verdict.reason
        elif verdict.verdict == "exact_only":
            exact_only_reason = exact_only_reason or verdict.reason
    return CacheKey(
        scope=scope,
        question=part.text,
        normalised=normalised,
        exact=_digest("exact-1", scope, normalised),
        exact_only=exact_only_reason is not None,
        refused=refused,
        exact_only_reason=exact_only_reason,
        script=script,
        declared_scope=part.declared_scope,
    )


def check_temperature_limit(max_temperature: float) -> float:
    """Return the limit if it can be one.

    Raises:
        ConfigurationError: for anything but a number of at least 0.
    """
    valid = isinstance(max_temperature, int | float) and not isinstance(max_temperature, bool)
    if not valid or not max_temperature >= 0:
        raise ConfigurationError(f"max_temperature must be a number of at least 0, got {max_temperature!r}")
    return float(max_temperature)


def _question_turn(request: CacheRequest) -> int | None:
    for index in range(len(request.turns) - 1, -1, -1):
        if request.turns[index].role in HUMAN:
            return index
    return None


def _find_question(
    request: CacheRequest,
    index: int | None,
    finder: QuestionFinder | None,
    declared: DeclaredQuestion | Block | None,
    *,
    remember: bool,
    on_fault: Callable[[Exception], None] | None,
) -> _Part:
    if index is None:
        text = request.turns[-1].text if request.turns else ""
        return _Part(text=text, exact_only_reason="there is no human message to take a question from")
    text = request.turns[index].text
    if declared is None and finder is not None:
        try:
            found = finder(request)
        except Exception as error:
            if on_fault is not None:
                on_fault(error)
            return _Part(text=text, exact_only_reason=f"question= raised {type(error).__name__}")
        if isinstance(found, str) and found.strip():
            found = DeclaredQuestion(found)
        if found is not None and not isinstance(found, DeclaredQuestion):
            reason = f"question= returned {type(found).__name__}, not a question"
            if on_fault is not None:
                on_fault(TypeError(reason))
            return _Part(text=text, exact_only_reason=reason)
        declared = found
    if declared is not None:
        return _declared_part(request, text, declared, remember=remember)
    return _Part(text=text, exact_only_reason=_too_much_for_a_question(text))


def _too_much_for_a_question(text: str) -> str | None:
    if not text.strip():
        return "the last human message has no text"
    if len(text) > MAX_QUESTION_CHARS:
        return f"the human text has over {MAX_QUESTION_CHARS} characters; declare which part is the question"
    if len(text.strip().splitlines()) > 1:
        return "the human text has several lines; declare which part is the question"
    if len(text.split()) > MAX_QUESTION_WORDS:
        return f"the human text has over {MAX_QUESTION_WORDS} words; declare which part is the question"
    return None


def _declared_part(request: CacheRequest, text: str, declared: DeclaredQuestion | Block, *, remember: bool) -> _Part:
    block: Block | None = None
    if isinstance(declared, Block):
        block, declared = declared, declared.declared
    span = _occurrence(text, declared.text)
    if span is None:
        # It may be another call of the same chain: neither the question nor its scope says anything about it.
        return _Part(text=text, exact_only_reason="the declared question does not occur in the last human message")
    before, after = text[: span[0]], text[span[1] :]
    asked = declared.text.strip()
    reason = None
    if len(asked) > MAX_QUESTION_CHARS:
        reason = f"the declared question has over {MAX_QUESTION_CHARS} characters"
    itself = _Part(text=asked, around=("around", before, after), exact_only_reason=reason)
    if declared.scope is None:
        return itself
    labels = _template_labels(before, after)
    covered = [turn.text for turn in request.turns if turn.role in INSTRUCTIONS] if declared.covers == "prompt" else []
    drops = not _is_whole(before, after, labels) or any(each.strip() != _first_line(each) for each in covered)
    if block is not None and drops and not block.stands_for(_digest(before, after, *covered), remember=remember):
        told = f"scope {declared.scope!r} does not stand for the text around the question: "
        return replace(itself, declared_scope=told + "this block was first used with another text")
    return _Part(
        text=asked,
        around=("version", declared.scope, *labels),
        exact_only_reason=reason,
        covers_instructions=declared.covers == "prompt",
        declared_scope=f"scope {declared.scope!r} stands for the text around the question",
    )


def _is_whole(before: str, after: str, labels: tuple[str, str, str]) -> bool:
    """Say whether the labels hold all the text around the question, so that a scope stands for nothing."""
    head, near, tail = labels
    words = before.split()
    return after.strip() == tail and words in (head.split(), head.split() + near.split())


def _template_labels(before: str, after: str) -> tuple[str, str, str]:
    """Return the labels a template sets around documents and question.

    Two prompts of one chain ("Rewrite the question:", "Question:") carry the same question and
    version and must not answer each other. Documents differ between calls that may share an
    answer, so as little as possible of them is read: the first line of all, the words before the
    question if they end in a colon, and what follows the question: a short text whole ("Answer in
    German."), of a longer one the last words if they end in a colon.
    """
    head = _first_line(before)
    near = _label(before[-80:])
    tail = after.strip()
    return head, near, tail if len(tail) <= _SHORT else _label(tail[-80:])


def _first_line(text: str) -> str:
    return text.lstrip()[:_SHORT].partition("\n")[0].rstrip()


def _label(text: str) -> str:
    found = _LABEL.search(text)
    return found[1].strip() if found else ""


def _occurrence(text: str, asked: str) -> tuple[int, int] | None:
    """Find where the question stands; of several places, the last one that stands alone.

    Documents may repeat the question. A template sets its own copy apart (a line, a label, the
    end), and most put it last. Which copy is chosen never makes two different prompts equal.
    """
    asked = asked.strip()
    pattern = re.escape(asked) if len(asked) > MAX_QUESTION_CHARS else r"\s+".join(map(re.escape, asked.split()))
    best: tuple[int, int] | None = None
    best_alone = False
    for match in re.finditer(pattern, text):
        start, end = match.span()
        before, after = text[start - 1 : start], text[end : end + 1]
        if _joined(before, asked[0]) or _joined(asked[-1], after):
            continue
        alone = (not before or before in "\n>\"“'" or text[max(0, start - 2) : start] in (": ", ":\n")) and (
            not after or after in "\r\n<\"”'"
        )
        if alone or not best_alone:
            best, best_alone = (start, end), alone
    return best


def _joined(left: str, right: str) -> bool:
    """Say whether two neighbours belong to one word; scripts that attach particles are let through."""
    return bool(left and right) and left.isascii() and right.isascii() and left.isalnum() and right.isalnum()


def _surroundings(request: CacheRequest, index: int | None, context: Context, *, covered: bool) -> Iterator[str]:
    if callable(context):
        try:
            yield json.dumps(("context", str(context(request))))
        except Exception:
            # Nobody knows what may be left out, so nothing is.
            _log.warning("the cache's context= callable failed; all earlier turns count", exc_info=True)
            context = "history"
    last = len(request.turns) - 1 if index is None else index
    for position, turn in enumerate(request.turns):
        earlier = position < last and turn.role not in INSTRUCTIONS
        if earlier and context != "history":
            continue
        text = "" if position == last else turn.text
        if covered and turn.role in INSTRUCTIONS:
            text = _first_line(text)
        fields = (turn.role, text, turn.tool_calls, turn.name, turn.other, turn.has_media, position == last)
        # ensure_ascii keeps lone surrogates encodable and the digest the same everywhere.
        yield json.dumps(fields, ensure_ascii=True, separators=(",", ":"))


def _refusal(request: CacheRequest, max_temperature: float) -> str | None:
    if request.uncacheable is not None:
        return request.uncacheable
    if not request.turns:
        return "the request has no messages"
    if request.turns[-1].role in TOOL_RESULTS:
        return "the last message is a tool result, which is true for this run only"
    if any(turn.has_media for turn in request.turns):
        return "the request carries an image, audio or a file"
    temperature = request.temperature
    if temperature is not None and not (math.isfinite(temperature) and temperature <= max_temperature):
        return f"temperature {temperature} is over {max_temperature}: the answer is meant to vary"
    return None


def _read_for_admission(text: str) -> str:
    """Return the part of a text in which it says what it wants: all of it, or of a long one both ends."""
    if len(text) <= MAX_QUESTION_CHARS and len(text.split()) <= MAX_QUESTION_WORDS:
        return text
    head, tail = text.lstrip()[:300], text.rstrip()[-300:]
    return head.partition("\n")[0] + "\n" + tail.rpartition("\n")[2]


def _digest(*fields: str) -> str:
    """Hash fields so that no two lists of fields share a digest by moving text from one to the next."""
    digest = hashlib.sha256()
    for text in fields:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()
