"""Why was a request served from the cache, or why not?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lc_costkit.cache.gates import GateOpinion
from lc_costkit.cache.key import CacheKey, CacheRequest
from lc_costkit.cache.knobs import Knobs
from lc_costkit.cache.matcher import Match
from lc_costkit.cache.results import Tier
from lc_costkit.cache.stats import html_table
from lc_costkit.cache.store import Entry

_NAMED_SECRET = re.compile(
    r"""(["'][\w.-]*(?:api[_-]?key|authorization|secret|password|credential|cookie|token)\\?["']\s*[:,]\s*)"""
    r"""(\\?["'])(?:(?!\2).)*\2""",
    re.IGNORECASE,
)
_TYPICAL_SECRET = re.compile(
    r"\b(?:sk|pk|rk|gsk|ghp|hf|xai)[-_][\w-]{6,}|\bA(?:KIA|Iza)[\w-]{12,}|\b(?:Bearer|Basic)\s+[\w.~+/=-]+"
    r"|(?<=://)[^/\s@\"']+@"
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Explanation:
    """How a request would be decided now.

    Attributes:
        served: a stored answer would be served.
        tier: by which tier.
        decision: in one sentence.
        question: the part of the request that may be matched by meaning.
        model: the model asked for.
        settings: what else the answer depends on (model parameters, tools, format), without keys and passwords.
        namespace: whose entries were looked at.
        key: the key, with scope and script.
        candidate_id: the nearest stored entry.
        candidate: its question.
        similarity: cosine between the two questions.
        threshold: cosine from which an entry is a candidate.
        gates: every gate's opinion of the candidate, not only the first refusal.
        elsewhere: entries that answer this very question in another scope, where nothing is served.
    """

    served: bool
    tier: Tier | None
    decision: str
    question: str
    model: str | None
    settings: str
    namespace: str
    key: CacheKey
    candidate_id: int | None
    candidate: str | None
    similarity: float | None
    threshold: float
    gates: tuple[GateOpinion, ...]
    elsewhere: tuple[int, ...] = ()

    def rows(self) -> list[tuple[str, str]]:
        """Return (label, value) pairs for a table."""
        rows = [
            ("decision", self.decision),
            ("question", self.question),
            ("model", self.model or "unknown"),
            ("scope", f"{self.key.scope[:16]} (namespace {self.namespace!r}, script {self.key.script})"),
            ("settings", self.settings),
        ]
        if self.candidate is not None:
            rows.append((f"candidate {self.candidate_id}", self.candidate))
        if self.similarity is not None:
            rows.append(("similarity", f"{self.similarity:.3f} (threshold {self.threshold:.3f})"))
        if self.elsewhere:
            ids = ", ".join(map(str, self.elsewhere[:5])) + (" ..." if len(self.elsewhere) > 5 else "")
            rows.append(
                (
                    "elsewhere",
                    f"entry {ids} answers this very question in another scope: its system prompt, earlier turns, "
                    "text around the question, tools, model or settings differ",
                )
            )
        rows += [(f"gate {opinion.gate}", opinion.reason or "passes") for opinion in self.gates]
        return [(label, _short(value)) for label, value in rows]

    def __repr__(self) -> str:
        width = max(len(label) for label, _ in self.rows())
        return "\n".join(["Explanation", *(f"  {label:<{width}}  {value}" for label, value in self.rows())])

    def _repr_html_(self) -> str:
        return html_table("Cache decision", self.rows())


def explain(
    request: CacheRequest,
    key: CacheKey,
    match: Match,
    knobs: Knobs,
    *,
    candidate: Entry | None,
    gates: tuple[GateOpinion, ...],
    threshold: float,
    elsewhere: Sequence[int] = (),
) -> Explanation:
    """Put together what is known about a decision."""
    return Explanation(
        served=match.tier is not None and knobs.mode == "on",
        tier=match.tier,
        decision=_decision(key, match, knobs),
        question=key.question,
        model=request.model,
        settings=without_secrets(request.settings),
        namespace=knobs.namespace,
        key=key,
        candidate_id=None if candidate is None else candidate.id,
        candidate=None if candidate is None else candidate.question,
        similarity=match.similarity,
        threshold=threshold,
        gates=gates,
        elsewhere=tuple(elsewhere),
    )


def without_secrets(settings: str) -> str:
    """Blank out what looks like a key or a password: headers and extra parameters may hold one.

    >>> without_secrets('{"headers":{"Authorization":"Bearer abc"},"max_tokens":5}')
    '{"headers":{"Authorization":"***"},"max_tokens":5}'
    """
    return _TYPICAL_SECRET.sub("***", _NAMED_SECRET.sub(r"\1\2***\2", settings))


def _decision(key: CacheKey, match: Match, knobs: Knobs) -> str:
    if key.refused is not None:
        return f"not cached: {key.refused}"
    if match.tier is not None:
        verb = "would be served, but observe mode serves nothing" if knobs.mode == "observe" else "served"
        return f"{verb}: {'the same question' if match.tier == 'exact' else 'another wording of a stored question'}"
    if key.exact_only:
        return f"miss: matched to the letter only, because {key.exact_only_reason}"
    if match.acceptance is None:
        return "miss: nothing comparable is stored in this scope"
    gate = f"gate {match.acceptance.gate}: " if match.acceptance.gate else ""
    return f"miss: {gate}{match.acceptance.reason}"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 300 else f"{flat[:290]} ... ({len(flat):,} characters)"
