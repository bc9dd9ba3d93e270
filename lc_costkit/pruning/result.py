"""What did pruning keep, what did it drop, and why?"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Literal

from lc_costkit.marks import PruneMark
from lc_costkit.pruning.split import Span

Outcome = Literal["pruned", "unchanged", "observed", "disabled", "fault", "timed_out"]
"""``unchanged``: all of it fitted. ``observed``: decided, not acted on. The last three: nothing was decided."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that may be pruned.

    Attributes:
        text: the part that is pruned and counted.
        title: helps to score its sentences; it is neither pruned nor counted.
    """

    text: str
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSentence:
    """One sentence with its verdict.

    Attributes:
        passage: position of its passage in the input.
        span: where it stands in the passage.
        relevance: 0 for the worst sentence of the question, 1 for the best.
        tokens: its own tokens.
        kept: whether it stays (in observe mode: would stay).
    """

    passage: int
    span: Span
    relevance: float
    tokens: int
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedPassage:
    """What is left of one passage.

    Attributes:
        index: position of the passage in the input.
        text: what to send: the spans, verbatim, with the joiner between them.
        spans: the pieces of the original text that stay, in characters, in order.
    """

    index: int
    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PruneResult:
    """What a pruner did with the passages of one question.

    Attributes:
        question: the question.
        originals: the passages as given.
        passages: what to send on, in the order given; a passage with nothing left is not here.
        sentences: every sentence with its verdict; empty when nothing had to be scored.
        outcome: what happened; see ``Outcome``.
        budget_tokens: the most that ``passages`` may hold; ``None`` when nothing was decided.
        original_tokens: tokens of the originals; ``None`` when nothing was decided.
        kept_tokens: tokens that stay (in observe mode: would stay).
        estimated: the counts come from an approximate counter.
        seconds: how long it took.
    """

    question: str
    originals: tuple[Passage, ...]
    passages: tuple[PrunedPassage, ...]
    outcome: Outcome
    sentences: tuple[ScoredSentence, ...] = ()
    budget_tokens: int | None = None
    original_tokens: int | None = None
    kept_tokens: int | None = None
    estimated: bool = False
    seconds: float = 0.0

    @property
    def applied(self) -> bool:
        """Whether ``passages`` are to replace the originals; false in observe mode, on a fault and when disabled."""
        return self.outcome in ("pruned", "unchanged")

    @property
    def removed_tokens(self) -> int | None:
        """Tokens taken out (in observe mode: that would have been)."""
        if self.original_tokens is None or self.kept_tokens is None:
            return None
        return self.original_tokens - self.kept_tokens

    def mark(self) -> PruneMark | None:
        """Return what the meter needs to know; ``None`` when nothing was decided."""
        if self.removed_tokens is None or self.kept_tokens is None:
            return None
        return PruneMark(
            removed_tokens=self.removed_tokens,
            kept_tokens=self.kept_tokens,
            estimated=self.estimated,
            observed=self.outcome == "observed",
            seconds=self.seconds,
        )

    def explain(self) -> str:
        """Return every sentence on a line: ``+`` kept or ``-`` dropped, relevance, tokens, place, text."""
        lines = [repr(self)]
        lines.extend(
            f"{'+' if s.kept else '-'} {s.relevance:.2f} {s.tokens:4d} tokens  "
            f"[{s.passage}] {' '.join(s.span.of(self.originals[s.passage].text).split())}"
            for s in self.sentences
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        if self.original_tokens is None:
            return f"PruneResult({self.outcome}: {len(self.originals)} passages as given)"
        about = "about " if self.estimated else ""
        kept = sum(s.kept for s in self.sentences)
        of_sentences = f"{kept} of {len(self.sentences)} sentences, " if self.sentences else ""
        of_tokens = f"{about}{self.kept_tokens} of {self.original_tokens} tokens"
        return f"PruneResult({self.outcome}: kept {of_sentences}{of_tokens}, budget {self.budget_tokens})"

    def _repr_html_(self) -> str:
        rows = []
        for s in self.sentences:
            text = escape(s.span.of(self.originals[s.passage].text))
            title = escape(self.originals[s.passage].title or str(s.passage))
            body = text if s.kept else f"<del style='opacity:.5'>{text}</del>"
            rows.append(
                f"<tr><td>{title}</td><td>{'kept' if s.kept else 'dropped'}</td><td>{s.relevance:.2f}</td>"
                f"<td>{s.tokens}</td><td style='text-align:left'>{body}</td></tr>"
            )
        head = "<tr><th>passage</th><th></th><th>relevance</th><th>tokens</th><th>sentence</th></tr>"
        table = f"<table>{head}{''.join(rows)}</table>" if rows else ""
        return f"<p>{escape(repr(self))}</p>{table}"
