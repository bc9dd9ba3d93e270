"""Why was a request served from the cache, or why not?"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lc_costkit.cache.accept import VETO, Acceptor
from lc_costkit.cache.courtesy import core_of
from lc_costkit.cache.gates import GateOpinion, prepare
from lc_costkit.cache.key import CacheKey, CacheRequest
from lc_costkit.cache.knobs import Knobs
from lc_costkit.cache.learning import REJECTED, REJECTED_REASON, Learning
from lc_costkit.cache.matcher import Match, Matcher
from lc_costkit.cache.point import OperatingPoint
from lc_costkit.cache.results import Tier
from lc_costkit.cache.score import PairReading
from lc_costkit.cache.serving import Server
from lc_costkit.cache.store import Entry, EntryStore
from lc_costkit.cache.text import question_hash
from lc_costkit.embedding import ReadyEmbedder
from lc_costkit.switch import disabled

_NAMED_SECRET = re.compile(
    r"""(["'][\w.-]*(?:api[_-]?key|authorization|secret|password|credential|cookie|token)\\?["']\s*[:,]\s*)"""
    r"""(\\?["'])(?:(?!\2).)*\2""",
    re.IGNORECASE,
)
_TYPICAL_SECRET = re.compile(
    r"\b(?:sk|pk|rk|gsk|ghp|hf|xai)[-_][\w-]{6,}|\bA(?:KIA|Iza)[\w-]{12,}|\b(?:Bearer|Basic)\s+[\w.~+/=-]+"
    r"|(?<=://)[^/\s@\"']+@"
)

Says = Literal["passes", "refuses", "asks"]
"""``asks``: it leaves the decision to the judge."""

_MARKS: dict[Says | None, str] = {"passes": "✓", "refuses": "✗", "asks": "?", None: ""}
_COLOURS: dict[Says | None, str] = {"passes": "#2e7d32", "refuses": "#b5482a", "asks": "#b07d00", None: "inherit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one step says of the candidate.

    Attributes:
        step: ``similarity``, ``gate number`` and so on, ``score``, ``judge`` or ``rejected``.
        says: whether it lets the candidate pass.
        why: in words; empty for a gate that lets it pass.
    """

    step: str
    says: Says
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """The scores between which the judge decides, as they hold now; ``low`` is in, ``high`` is not."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Explanation:
    """How a request would be decided now.

    Attributes:
        served: a stored answer would be served; ``False`` where the judge would have to be asked first.
        asks_judge: the judge of the grey zone would decide.
        tier: by which tier.
        decision: in one sentence.
        question: the part of the request that may be matched by meaning.
        model: the model asked for.
        settings: what else the answer depends on (model parameters, tools, format), without keys and passwords.
        namespace: whose entries were looked at.
        policy: the policy's name.
        key: the key, with scope and script.
        candidate_id: the nearest stored entry.
        candidate: its question.
        similarity: cosine between the two questions.
        threshold: cosine from which an entry is a candidate.
        reading: the features of the pair and its score; ``None`` without a candidate, or in the exact tier.
        point: from which score on candidates are served, and what is known of that.
        max_error_rate: the share of semantic hits that may be wrong, as asked for, 0 to 1.
        zone: the grey zone; ``None`` without a judge.
        gates: every gate's opinion of the candidate, not only the first refusal; the learned veto is one of them.
        rejected: the answer was rejected for this question before.
        elsewhere: entries that answer this very question in another scope, where nothing is served.
    """

    served: bool
    asks_judge: bool
    tier: Tier | None
    decision: str
    question: str
    model: str | None
    settings: str
    namespace: str
    policy: str
    key: CacheKey
    candidate_id: int | None
    candidate: str | None
    similarity: float | None
    threshold: float
    reading: PairReading | None
    point: OperatingPoint
    max_error_rate: float
    zone: Zone | None
    gates: tuple[GateOpinion, ...]
    rejected: bool
    elsewhere: tuple[int, ...] = ()

    @property
    def score(self) -> float | None:
        """How much speaks for "same answer", 0 to 1."""
        return None if self.reading is None else self.reading.score

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What every step says of the candidate, in order; empty without a candidate, or in the exact tier."""
        reading = self.reading
        if reading is None or self.similarity is None:
            return ()
        near = self.similarity >= self.threshold
        found = [
            Verdict(
                step="similarity",
                says="passes" if near else "refuses",
                why=f"{self.similarity:.3f}, and from {self.threshold:.3f} on an entry is a candidate",
            )
        ]
        found += [
            Verdict(step=f"gate {one.gate}", says="refuses" if one.reason else "passes", why=one.reason or "")
            for one in self.gates
        ]
        found.append(self._score_verdict(reading.score))
        if self.rejected:
            found.append(Verdict(step="rejected", says="refuses", why=REJECTED_REASON))
        return tuple(found)

    def rows(self) -> list[tuple[str, str]]:
        """Return (label, value) pairs for a table."""
        return [(label, f"{says}: {value}" if says else value) for says, label, value in self._cells()]

    def __repr__(self) -> str:
        cells = self._cells()
        width = max(len(label) for _, label, _ in cells)
        lines = [f"  {label:<{width}}  {_MARKS[says] or ' '} {value}" for says, label, value in cells]
        return _showable("\n".join(["Explanation", *lines]))

    def _repr_html_(self) -> str:
        body = "".join(_html_row(says, label, value) for says, label, value in self._cells())
        return _showable(f"<table><caption>Cache decision</caption>{body}</table>")

    def _cells(self) -> list[tuple[Says | None, str, str]]:
        """Return verdict, label and value of every row; what is the same for many gates is one row."""
        asked: Says = "asks" if self.asks_judge else "passes" if self.served else "refuses"
        cells: list[tuple[Says | None, str, str]] = [
            (asked, "decision", _short(self.decision)),
            (None, "question", _short(self.question)),
            (None, "model", self.model or "unknown"),
            (None, "scope", f"{self.key.scope[:16]} (namespace {self.namespace!r}, script {self.key.script})"),
            (None, "key", f"{self.key.exact[:16]} (of the scope and the question to the letter)"),
            (None, "settings", _short(settings_that_are_set(self.settings))),
        ]
        if self.key.declared_scope is not None:
            cells.insert(4, (None, "declared", self.key.declared_scope))
        if self.candidate is not None:
            cells.append((None, f"candidate {self.candidate_id}", _short(self.candidate)))
        if self.elsewhere:
            ids = ", ".join(map(str, self.elsewhere[:5])) + (" ..." if len(self.elsewhere) > 5 else "")
            cells.append(
                (
                    None,
                    "elsewhere",
                    f"entry {ids} answers this very question in another scope: its system prompt, earlier turns, "
                    "text around the question, tools, model or settings differ",
                )
            )
        if self.reading is not None:
            cells.append((None, "features", _features(self.reading)))
        passing = [one.step.removeprefix("gate ") for one in self.verdicts if one.says == "passes" and not one.why]
        for one in self.verdicts:
            if one.step == "score" and passing:
                cells.append(("passes", f"{len(passing)} of {len(self.gates)} gates", ", ".join(passing)))
            if one.why:
                cells.append((one.says, one.step, _short(one.why)))
        limit = f"policy {self.policy}; asked for: at most {self.max_error_rate:.1%} of semantic hits wrong"
        return [*cells, (None, "operating point", f"{self.point} ({limit})")]

    def _score_verdict(self, score: float) -> Verdict:
        zone = self.zone
        least = self.point.min_score if zone is None else zone.low
        if score < least:
            return Verdict(step="score", says="refuses", why=f"{score:.3f} is below {least:.3f}")
        if zone is not None and score < zone.high:
            return Verdict(
                step="score",
                says="asks",
                why=f"{score:.3f} is in the grey zone from {zone.low:.3f} to {zone.high:.3f}: the judge decides",
            )
        sure = least if zone is None else zone.high
        return Verdict(step="score", says="passes", why=f"{score:.3f} reaches {sure:.3f}")


def explain(
    request: CacheRequest,
    *,
    server: Server,
    matcher: Matcher,
    acceptor: Acceptor,
    learning: Learning,
    store: EntryStore,
    embedder: ReadyEmbedder,
    knobs: Knobs,
) -> Explanation:
    """Decide about a request as a lookup does, and put together what speaks for and against.

    Args:
        request: what would be asked.
        server: makes the key.
        matcher: finds the candidate.
        acceptor: decides about it.
        learning: what was rejected before.
        store: where entries are.
        embedder: makes the question's vector.
        knobs: the settings.
    """
    found = server.in_its_own_words(request)
    key, match = (server.key(request, look_only=True), Match()) if found is None else found
    if found is None and key.refused is None:
        match = matcher.exact(key, now=server.clock())
        if match.tier is None and not key.exact_only:
            vector = embedder.embed([core_of(key.question)])[0]
            if vector.any():
                match, _ = matcher.nearest(key, vector, now=server.clock())
    candidate = matcher.candidate(match)
    reading: PairReading | None = None
    gates: tuple[GateOpinion, ...] = ()
    rejected = False
    if candidate is not None and match.similarity is not None and match.tier != "exact":
        reading = acceptor.read(prepare(candidate.question), prepare(key.question), match.similarity, crowd=match.crowd)
        gates = (*acceptor.opinions(candidate.question, key.question), *_veto(acceptor, candidate, key, reading))
        gates += _of_the_store(match, gates)
        rejected = learning.refuses(candidate.question, key.question)
    point, judge = acceptor.point, knobs.judge
    zone = None if judge is None else Zone(low=judge.lowest(point), high=judge.sure(point))
    in_zone = zone is not None and reading is not None and zone.low <= reading.score < zone.high
    asks_judge = match.tier == "semantic" and in_zone and not disabled()
    return Explanation(
        served=match.tier is not None and knobs.mode == "on" and not asks_judge and not disabled(),
        asks_judge=asks_judge,
        tier=match.tier,
        decision=_decision(key, match, knobs, asks_judge=asks_judge),
        question=key.question,
        model=request.model,
        settings=without_secrets(request.settings),
        namespace=knobs.namespace,
        policy=knobs.policy.name,
        key=key,
        candidate_id=None if candidate is None else candidate.id,
        candidate=None if candidate is None else candidate.question,
        similarity=match.similarity,
        threshold=acceptor.threshold(key.question),
        reading=reading,
        point=point,
        max_error_rate=knobs.max_error_rate,
        zone=zone,
        gates=gates,
        rejected=rejected,
        elsewhere=() if match.tier else tuple(store.find(knobs.namespace, question_hash(key.question))),
    )


def without_secrets(settings: str) -> str:
    """Blank out what looks like a key or a password: headers and extra parameters may hold one.

    >>> without_secrets('{"headers":{"Authorization":"Bearer abc"},"max_tokens":5}')
    '{"headers":{"Authorization":"***"},"max_tokens":5}'
    """
    return _TYPICAL_SECRET.sub("***", _NAMED_SECRET.sub(r"\1\2***\2", settings))


def settings_that_are_set(settings: str) -> str:
    """Return the settings for a person: the name of what is called and the parameters that are set.

    What is no JSON is returned as it is.

    >>> settings_that_are_set('{"call":{"stop":null},"model":{"id":["a","Chat"],"kwargs":{"top_p":0.5},"lc":1}}')
    'model: Chat, top_p: 0.5'
    """
    head, _, rest = settings.partition("\n")
    try:
        read = json.loads(head)
    except ValueError:
        return settings
    if not isinstance(read, dict):
        return settings
    return " ".join(filter(None, (", ".join(_set(read)) or "none", rest)))


def _set(values: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for name, value in values.items():
        if value is None or value in ({}, [], ""):
            continue
        if isinstance(value, dict) and isinstance(value.get("id"), list) and value["id"]:  # how LangChain names a class
            inner = value.get("kwargs")
            found += [f"{name}: {value['id'][-1]}", *(_set(inner) if isinstance(inner, dict) else ())]
        elif name in ("call", "kwargs", "options", "llm") and isinstance(value, dict):
            found += _set(value)
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            found.append(f"{name}: {text}")
    return found


def _showable(text: str) -> str:
    """Replace half of a surrogate pair, which nothing can print."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _decision(key: CacheKey, match: Match, knobs: Knobs, *, asks_judge: bool) -> str:
    if disabled():
        return "miss: LC_COSTKIT_DISABLE is set"
    if key.refused is not None:
        return f"not cached: {key.refused}"
    if asks_judge:
        return "the judge decides" + (", but observe mode serves nothing" if knobs.mode == "observe" else "")
    if match.tier is not None:
        verb = "would be served, but observe mode serves nothing" if knobs.mode == "observe" else "served"
        return f"{verb}: {'the same question' if match.tier == 'exact' else 'another wording of a stored question'}"
    if key.exact_only:
        return f"miss: matched to the letter only, because {key.exact_only_reason}"
    if match.acceptance is None:
        return "miss: nothing comparable is stored in this scope"
    gate = f"gate {match.acceptance.gate}: " if match.acceptance.gate else ""
    return f"miss: {gate}{match.acceptance.reason}"


def _veto(acceptor: Acceptor, candidate: Entry, key: CacheKey, reading: PairReading) -> Iterable[GateOpinion]:
    """Return the opinion of the learned veto, where there is one; a lookup asks it after everything else."""
    if acceptor.veto is None:
        return ()
    try:
        reason = acceptor.veto(candidate.question, key.question, reading)
    except Exception as error:
        reason = f"it raised {type(error).__name__}: {error}"
    return (GateOpinion(gate=VETO, reason=reason),)


def _of_the_store(match: Match, gates: tuple[GateOpinion, ...]) -> tuple[GateOpinion, ...]:
    """Return a refusal that no gate can know of, since it comes from what else is stored."""
    decided = match.acceptance
    if decided is None or decided.gate is None or decided.gate in (REJECTED, *(one.gate for one in gates)):
        return ()
    return (GateOpinion(gate=decided.gate, reason=decided.reason),)


def _features(reading: PairReading) -> str:
    values = ("similarity", reading.similarity), ("coverage", reading.coverage), ("length", reading.length)
    return ", ".join(f"{name} {value:.3f}" for name, value in (*values, ("crowd", reading.crowd)))


def _html_row(says: Says | None, label: str, value: str) -> str:
    colour = f"color:{_COLOURS[says]};white-space:nowrap"
    said = f'<td style="{colour}">{_MARKS[says]} {says}</td>' if says else "<td></td>"
    return f'<tr><th style="text-align:left">{html.escape(label)}</th>{said}<td>{html.escape(value)}</td></tr>'


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 300 else f"{flat[:290]} ... ({len(flat):,} characters)"
