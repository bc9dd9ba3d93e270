"""What of these passages is worth sending with this question, at this budget?"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import replace
from time import perf_counter
from typing import Protocol, TypedDict, TypeGuard, Unpack, runtime_checkable

from lc_costkit.errors import ConfigurationError
from lc_costkit.faults import Faults
from lc_costkit.pruning.result import Outcome, Passage, PrunedPassage, PruneResult, ScoredSentence
from lc_costkit.pruning.score import Sentence, as_scorer, checked_scores
from lc_costkit.pruning.select import Selection, fitting_prefix, joined, relative
from lc_costkit.pruning.split import Span, split_sentences
from lc_costkit.switch import Mode, checked_mode, disabled
from lc_costkit.tokens import TokenCounter

_logger = logging.getLogger(__name__)

DEFAULT_JOINER = " … "


@runtime_checkable
class Counter(Protocol):
    """Counts the tokens of a text, such as ``TokenCounter``."""

    def count(self, text: str, /) -> int:
        """Return the tokens of ``text``."""
        ...


class PruneOptions(TypedDict, total=False):
    """The keyword options of ``Pruner``, for those who pass them on."""

    max_tokens: int | None
    keep: float | None
    min_sentences: int
    min_relevance: float
    scorer: object
    counter: Counter | Callable[[str], int] | None
    joiner: str
    time_limit_seconds: float | None
    mode: Mode


class Pruner:
    """Keeps the sentences that matter for a question, verbatim and in order, within a token budget.

    Give either ``max_tokens`` or ``keep``. Neither is an absolute threshold on a score: what
    is relevant differs between questions by more than any threshold allows.

    Args:
        max_tokens: the most tokens to send, over all passages together; never exceeded. If
            not even the best sentence fits, the start of it is sent.
        keep: share of the tokens to send, above 0 and at most 1. It gives way to
            ``min_sentences`` where the passages are so short that the share is less than that.
        min_sentences: how many of the best sentences stay whatever their relevance, at least 1;
            ``max_tokens`` goes before it.
        min_relevance: sentences below it go even if there is room for them, from 0 (the
            question's worst sentence, the default) to 1 (its best).
        scorer: see ``as_scorer``; lexical by default.
        counter: counts tokens; a ``TokenCounter`` for your model, or a callable. By default
            an estimate for no model in particular.
        joiner: stands where sentences of a passage were left out.
        time_limit_seconds: after this time the originals are returned. The scorer then runs
            to its end in a thread of its own; its result is thrown away.
        mode: ``observe`` decides and reports, and returns the originals.

    Raises:
        ConfigurationError: an argument is out of range, or both or neither of ``max_tokens``
            and ``keep`` are given.

    >>> pruner = Pruner(max_tokens=6, counter=lambda text: len(text.split()))
    >>> text = "It rained all day. Guernica was painted by Picasso. It hangs in Madrid."
    >>> pruner.prune([text], "Who painted Guernica?").passages[0].text
    'Guernica was painted by Picasso.'
    """

    def __init__(
        self,
        *,
        max_tokens: int | None = None,
        keep: float | None = None,
        min_sentences: int = 1,
        min_relevance: float = 0.0,
        scorer: object = None,
        counter: Counter | Callable[[str], int] | None = None,
        joiner: str = DEFAULT_JOINER,
        time_limit_seconds: float | None = None,
        mode: Mode = "on",
    ) -> None:
        _check_budget(max_tokens, keep)
        if not _is_whole(min_sentences) or min_sentences < 1:
            raise ConfigurationError(f"min_sentences must be a whole number of at least 1, not {min_sentences!r}")
        if not _is_number(min_relevance) or not 0 <= min_relevance <= 1:
            raise ConfigurationError(f"min_relevance must be between 0 and 1, not {min_relevance!r}")
        if time_limit_seconds is not None and not (_is_number(time_limit_seconds) and time_limit_seconds > 0):
            raise ConfigurationError(f"time_limit_seconds must be above 0 or None, not {time_limit_seconds!r}")
        if not isinstance(joiner, str):
            raise ConfigurationError(f"joiner must be a string, not {joiner!r}")
        self.max_tokens = max_tokens
        self.keep = keep
        self.min_sentences = min_sentences
        self.min_relevance = min_relevance
        self.scorer = as_scorer(scorer)
        self.joiner = joiner
        self.time_limit_seconds = time_limit_seconds
        self.mode = checked_mode(mode)
        self.faults = Faults(_logger)
        self._count, self._estimated = _counting(TokenCounter() if counter is None else counter)

    def __repr__(self) -> str:
        budget = f"max_tokens={self.max_tokens}" if self.keep is None else f"keep={self.keep}"
        return f"Pruner({budget}, scorer={type(self.scorer).__name__}, mode={self.mode!r})"

    def prune(self, passages: Sequence[Passage | str], question: str) -> PruneResult:
        """Return what to send of ``passages`` with ``question``.

        A fault of the scorer, the counter or ours, and a time limit that passes, leave the
        passages as they are; ``faults.counts`` tells how often.

        Raises:
            TypeError: a passage is neither a string nor a ``Passage``.
        """
        started = perf_counter()
        given = tuple(passage if isinstance(passage, Passage) else Passage(passage) for passage in passages)
        for passage in given:
            if not isinstance(passage.text, str):
                raise TypeError(f"a passage must be a string or a Passage, not {type(passage.text).__name__}")
        if disabled():
            return _as_given(given, question, "disabled", started)
        limit = self.time_limit_seconds
        deadline = started + limit if limit is not None else math.inf
        try:
            if limit is None:
                result = self._decide(given, question, deadline)
            else:
                result = _within(limit, lambda: self._decide(given, question, deadline))
        except _OutOfTimeError as error:
            self.faults.record("pruning", error, "raise time_limit_seconds or use a faster scorer")
            return _as_given(given, question, "timed_out", started)
        except Exception as error:
            self.faults.record("pruning", error, "check the scorer and the token counter; the context went out whole")
            return _as_given(given, question, "fault", started)
        if self.mode == "observe":
            result = replace(result, outcome="observed", passages=_whole(given))
        return replace(result, seconds=perf_counter() - started)

    def _decide(self, given: tuple[Passage, ...], question: str, deadline: float) -> PruneResult:
        total = sum(self._count(passage.text) for passage in given)
        unchanged = PruneResult(
            question=question,
            originals=given,
            passages=_whole(given),
            outcome="unchanged",
            budget_tokens=total if self.max_tokens is None else self.max_tokens,
            original_tokens=total,
            kept_tokens=total,
            estimated=self._estimated,
        )
        fits = self.keep == 1 if self.max_tokens is None else total <= self.max_tokens
        if fits and not self.min_relevance:
            return unchanged
        sentences: list[tuple[int, Span]] = []
        for index, passage in enumerate(given):
            sentences.extend((index, span) for span in split_sentences(passage.text))
            _check_time(deadline)
        if not sentences:
            return unchanged
        scored = [
            Sentence(text=span.of(given[index].text), title=given[index].title, passage=index)
            for index, span in sentences
        ]
        relevance = relative(checked_scores(self.scorer(question, scored), len(scored)).tolist())
        _check_time(deadline)
        return self._choose(unchanged, sentences, relevance)

    def _choose(
        self, unchanged: PruneResult, sentences: Sequence[tuple[int, Span]], relevance: Sequence[float]
    ) -> PruneResult:
        texts = [passage.text for passage in unchanged.originals]
        costs = [self._count(span.of(texts[index])) for index, span in sentences]
        order = sorted(range(len(sentences)), key=lambda position: (-relevance[position], position))
        floor = order[: self.min_sentences]
        selection = Selection(unchanged.originals, sentences, costs, self._count, self.joiner)
        selection.take(floor if self.keep is not None else floor[:1])
        total = unchanged.original_tokens or 0
        if self.keep is not None:
            budget = max(math.floor(self.keep * total), selection.tokens)
        else:
            budget = unchanged.budget_tokens or 0
        spans, tokens, kept = selection.spans(), selection.tokens, {order[0]}
        if tokens > budget:
            index, best = sentences[order[0]]
            prefix = fitting_prefix(texts[index], best, budget, self._count)
            spans, tokens = {index: (prefix,)}, self._count(prefix.of(texts[index]))
        else:
            candidates = [p for p in order if relevance[p] >= self.min_relevance or p in floor]
            selection.fill(candidates, budget)
            spans, tokens, kept = selection.spans(), selection.tokens, selection.kept
        if tokens >= total:
            return unchanged
        return replace(
            unchanged,
            outcome="pruned",
            passages=tuple(
                PrunedPassage(index=index, text=joined(texts[index], pieces, self.joiner), spans=pieces)
                for index, pieces in spans.items()
            ),
            sentences=tuple(
                ScoredSentence(passage=index, span=span, relevance=relevance[p], tokens=costs[p], kept=p in kept)
                for p, (index, span) in enumerate(sentences)
            ),
            budget_tokens=budget,
            kept_tokens=tokens,
        )


def prune(passages: Sequence[Passage | str], question: str, **options: Unpack[PruneOptions]) -> PruneResult:
    """Return what to send of ``passages`` with ``question``; the options are those of ``Pruner``.

    Raises:
        ConfigurationError: as ``Pruner``.

    >>> prune(["Water boils at 100 degrees. Bread is brown."], "When does water boil?", keep=0.6).passages[0].spans
    (Span(start=0, end=27),)
    """
    return Pruner(**options).prune(passages, question)


class _OutOfTimeError(Exception):
    """Pruning took longer than it may."""


def _check_time(deadline: float) -> None:
    if perf_counter() > deadline:
        raise _OutOfTimeError("the time limit passed")


def _within(seconds: float, work: Callable[[], PruneResult]) -> PruneResult:
    """Return what ``work`` returns, or stop waiting for it; a scorer that hangs cannot be stopped otherwise."""
    future: Future[PruneResult] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=copy_context().run, args=(run,), name="lc_costkit-prune", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():
            raise
        raise _OutOfTimeError(f"the time limit of {seconds} s passed") from None


def _as_given(given: tuple[Passage, ...], question: str, outcome: Outcome, started: float) -> PruneResult:
    return PruneResult(
        question=question,
        originals=given,
        passages=_whole(given),
        outcome=outcome,
        seconds=perf_counter() - started,
    )


def _whole(given: tuple[Passage, ...]) -> tuple[PrunedPassage, ...]:
    return tuple(
        PrunedPassage(index=index, text=passage.text, spans=(Span(0, len(passage.text)),))
        for index, passage in enumerate(given)
    )


def _counting(counter: Counter | Callable[[str], int]) -> tuple[Callable[[str], int], bool]:
    """Return how to count, and whether it is an estimate."""
    if isinstance(counter, Counter) and not isinstance(counter, str | type):
        return counter.count, not getattr(counter, "exact", True)
    if not callable(counter) or isinstance(counter, type):
        raise ConfigurationError(f"counter is {counter!r}; give a TokenCounter or a callable (text) -> tokens")
    return counter, False


def _check_budget(max_tokens: object, keep: object) -> None:
    if (max_tokens is None) == (keep is None):
        given = "neither was" if keep is None else "both were"
        raise ConfigurationError(f"give either max_tokens or keep; {given} given")
    if max_tokens is not None and (not _is_whole(max_tokens) or max_tokens < 1):
        raise ConfigurationError(f"max_tokens must be a whole number of at least 1, not {max_tokens!r}")
    if keep is not None and (not _is_number(keep) or not 0 < keep <= 1):
        raise ConfigurationError(f"keep must be a share above 0 and at most 1, not {keep!r}")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
