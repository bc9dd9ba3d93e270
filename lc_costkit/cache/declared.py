"""Which part of a prompt does the caller declare to be the question?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, get_args

from lc_costkit.errors import ConfigurationError

Covers = Literal["message", "prompt"]
"""What a declared scope stands for beside the question: the rest of its message, or the system prompt, too."""


@dataclass(frozen=True, slots=True)
class DeclaredQuestion:
    """What a caller said about the last human text.

    Attributes:
        text: the part of it that is the question.
        scope: what stands for the text around the question (say, a version of the index); ``None``: itself.
        covers: how far ``scope`` reaches: the last human ``message``, or the ``prompt``, system text included.

    Raises:
        ConfigurationError: for a question that is not text or blank, a blank scope, or ``covers`` that
            is neither, or is ``prompt`` without a scope.
    """

    text: str
    scope: str | None = None
    covers: Covers = "message"

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise ConfigurationError(f"question() needs the question as text that is not blank, got {self.text!r}")
        if self.scope is not None and (not isinstance(self.scope, str) or not self.scope.strip()):
            raise ConfigurationError(
                f"question(scope=...) must name a version of the context, such as 'kb-2026-11', got {self.scope!r}"
            )
        if self.covers not in get_args(Covers):
            raise ConfigurationError(f"question(covers=...) must be 'message' or 'prompt', got {self.covers!r}")
        if self.covers == "prompt" and self.scope is None:
            raise ConfigurationError("question(covers='prompt') needs scope= to stand for the system prompt")


class Block:
    """One ``question(...)`` block: what it declares, and which text its scope stands for.

    The steps of one chain carry the same question beside different text. Only for the text that
    the first of them carries may the scope stand. Threads and tasks that copy the context share
    the block, and the first of them to look in the cache decides.

    Args:
        declared: what the block declares.
    """

    __slots__ = ("_first", "_lock", "declared")

    def __init__(self, declared: DeclaredQuestion) -> None:
        self.declared = declared
        self._first: str | None = None
        self._lock = threading.Lock()

    @property
    def unused(self) -> bool:
        """Whether no text was remembered yet."""
        with self._lock:
            return self._first is None

    def stands_for(self, text: str, *, remember: bool) -> bool:
        """Say whether the scope may stand for a text; the answer for one text stays the same once remembered.

        Args:
            text: the text around the question, or its digest.
            remember: take it as the first text if there is none yet.
        """
        with self._lock:
            if self._first is None and remember:
                self._first = text
            return self._first is None or self._first == text


_BLOCK: ContextVar[Block | None] = ContextVar("lc_costkit_question", default=None)


@contextmanager
def question(text: str, *, scope: str | None = None, covers: Covers = "message") -> Iterator[DeclaredQuestion]:
    """Declare which part of the prompt is the question, for every call made inside the block.

    Put it around a chain whose prompt carries documents beside the question. The text around the
    question then belongs to the scope and must be equal; with ``scope``, that name stands for it
    instead, save for what tells one template from another: the first line, the label before the
    question, and what follows it if that is short. A template should therefore open with a line of
    its own and not with a document. A call in the block whose last human message does not contain
    the question is matched to the letter only.

    Where the documents stand in the system prompt, ``covers="prompt"`` lets ``scope`` stand for that,
    too, save for its first line. Then name the version of the instructions in it as well.

    A chain of several steps (map-reduce, a query engine that refines) asks the same question beside
    other text in each step. The scope stands for the text of the first call in the block that the
    cache is asked about, and for calls with that same text. A later call with another text is keyed
    by its own text, as if no scope had been declared, so no step is served the answer of another in
    the block. Where nothing but the template is around the question, all of it is in the key anyway,
    and such a call does not count as the first. Of calls at the same time, the first to reach the
    cache is the first. A call whose very text was answered as a later step gets that answer.

    Across blocks, the first call is equal under the scope whatever documents it carries. Where each
    step sees a part of the documents, and another wording of the question may find other ones or in
    another order, leave ``scope`` out, or put the block around the one call it is true for.

    It holds in the current context: in async code, in tasks started inside the block, and in
    threads that copy the context (as LangChain's do). The call must start inside the block.

    Raises:
        ConfigurationError: for a blank question or scope.

    >>> with question("How long do refunds take?", scope="kb-2026-11") as declared:
    ...     current_question() == declared
    True
    >>> current_question() is None
    True
    """
    outer = _BLOCK.get()
    declared = DeclaredQuestion(text, scope, covers)
    _BLOCK.set(Block(declared))
    try:
        yield declared
    finally:
        # Not reset(token): a generator may be closed in another context than it was started in.
        _BLOCK.set(outer)


def current_question() -> DeclaredQuestion | None:
    """Return what the innermost ``question(...)`` block around this call declares, if any."""
    block = _BLOCK.get()
    return None if block is None else block.declared


def current_block() -> Block | None:
    """Return the innermost ``question(...)`` block around this call, if any."""
    return _BLOCK.get()
