"""Which policy does the traffic that was observed speak for?

Every decision about a candidate was logged with its two questions. Here each policy decides about
them again, with its own gates and its own score. Where a decision has a label, from a check in observe
mode, from a live one or from a person, it says whether the policy would have been wrong.

A policy is taken to face the candidates that were there: had it really been on, it would have stored
other questions, since what is served is not stored. Labels are counted apart for decisions that were
served, that had too low a score and that a gate refused, as those may have been labelled unequally
often; each part counts by its share of what the policy would have served.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from lc_costkit.cache.accept import TWIN, Acceptor
from lc_costkit.cache.counts import PICO
from lc_costkit.cache.policy import BALANCED, STRICT
from lc_costkit.cache.policy_report import PolicyOutcome, PolicyReport
from lc_costkit.cache.seen_pairs import REFUSED_BY_SCORE, LoggedPair
from lc_costkit.embedding import Embedder
from lc_costkit.intervals import clopper_pearson

MOST_DECISIONS = 5_000
"""Decisions looked at, the newest: two policies decide about them in some seconds."""

PRESENT = "as it is now"
TIGHTER = "strict, tighter"
"""Strict from the median score of what it serves on: the better half of its hits. Chosen without labels, so that
its interval is as honest as the others."""

_MOST_LABELS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a report rests on.

    Attributes:
        namespace: whose.
        logged: decisions, newest first.
        counts: the counters of the namespace.
        answer_usd: what the answers of the entries cost, USD, where that is known.
        refuses: tells whether a pair was rejected by somebody.
    """

    namespace: str
    logged: Sequence[LoggedPair]
    counts: Mapping[str, int]
    answer_usd: Mapping[int, Decimal]
    refuses: Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class _Served:
    """A logged decision that a policy would serve, and its score by that policy."""

    pair: LoggedPair
    score: float


def recommend(
    traffic: Traffic,
    *,
    embedder: Embedder,
    present: Acceptor,
    max_error_rate: float,
    confidence: float,
) -> PolicyReport:
    """Let every policy decide about the logged traffic, and say which one to take.

    Args:
        traffic: what was seen.
        embedder: of the cache.
        present: what decides in the cache now.
        max_error_rate: share of semantic hits that may be wrong, 0 to 1.
        confidence: with which all intervals hold together, 0 to 1.
    """
    options = {each.name: Acceptor(embedder, policy=each) for each in (BALANCED, STRICT)}
    deciders = {present.identity, *(each.identity for each in options.values())}
    judged = present.sure > present.lowest
    if judged or all(each.identity != present.identity or each.point != present.point for each in options.values()):
        options = {PRESENT: present, **options}
    decisions = [pair for pair in traffic.logged if pair.decider in deciders and pair.similarity is not None]
    served = {name: _served(each, decisions, traffic.refuses) for name, each in options.items()}
    points = {name: each.lowest for name, each in options.items()}
    strict = served[STRICT.name]
    if len(strict) > 1:
        points[TIGHTER] = statistics.median(one.score for one in strict)
        served[TIGHTER] = [one for one in strict if one.score >= points[TIGHTER]]
    each_confidence = 1 - (1 - confidence) / len(served)
    outcomes = tuple(
        _outcome(
            name,
            points[name],
            found,
            traffic,
            len(decisions),
            each_confidence,
            lookup_pico=_lookup_pico(traffic.counts, judged=judged and name == PRESENT),
        )
        for name, found in served.items()
    )
    lookups = traffic.counts.get("lookups", 0)
    exact = traffic.counts.get("hits_exact", 0) + traffic.counts.get("observed_exact", 0)
    chosen, needed, advice = _advice(outcomes, max_error_rate, each_confidence, decisions=len(decisions))
    return PolicyReport(
        namespace=traffic.namespace,
        lookups=lookups,
        exact_rate=exact / lookups if lookups else 0.0,
        decisions=len(decisions),
        left_out=len(traffic.logged) - len(decisions),
        max_error_rate=max_error_rate,
        confidence=confidence,
        outcomes=outcomes,
        recommended=chosen,
        labels_needed=needed,
        advice=advice,
    )


def _served(acceptor: Acceptor, decisions: Sequence[LoggedPair], refuses: Callable[[str, str], bool]) -> list[_Served]:
    known: dict[tuple[str, str, float, str | None], float | None] = {}  # the same questions come again and again
    found = []
    for pair in decisions:
        key = (pair.cached, pair.new, round(pair.crowd, 6), pair.refused_by)
        if key not in known:
            known[key] = None if refuses(pair.cached, pair.new) else _score(acceptor, pair)
        score = known[key]
        if score is not None:
            found.append(_Served(pair, score))
    return found


def _score(acceptor: Acceptor, pair: LoggedPair) -> float | None:
    """Return the score of a decision that is served; ``None`` for one that is not."""
    similarity = pair.similarity or 0.0
    if not acceptor.near_enough(similarity, pair.new):
        return None
    decided = acceptor.judge(pair.cached, pair.new, similarity, crowd=pair.crowd, twins=pair.refused_by == TWIN)
    score = decided.score or 0.0
    # What the judge said then is what it would say; asking it again would cost.
    refused = score < acceptor.sure and pair.refused_by is not None
    return score if decided.accepted and not refused else None


def _outcome(
    name: str,
    min_score: float,
    served: Sequence[_Served],
    traffic: Traffic,
    logged: int,
    confidence: float,
    *,
    lookup_pico: int,
) -> PolicyOutcome:
    counts = traffic.counts
    lookups = counts.get("lookups", 0)
    # The log holds the newest decisions only: a sample of all there were.
    scale = max(counts.get("decided", 0), logged) / logged if logged else 0.0
    labelled = [one.pair for one in served if _says(one.pair, min_score)]
    rate, interval = _error(served, min_score, confidence)
    prices = [traffic.answer_usd.get(one.pair.entry_id or 0) for one in served]
    known = [usd for usd in prices if usd is not None]
    saved: Decimal | None = None
    if known or not served:
        semantic = sum(known, Decimal(0)) * Decimal(scale) * len(prices) / max(1, len(known))
        saved = Decimal(counts.get("exact_pico", 0)) / PICO + semantic - Decimal(lookup_pico) / PICO
    return PolicyOutcome(
        name=name,
        min_score=min_score,
        served=len(served),
        hit_rate=min(1.0, scale * len(served) / lookups) if lookups else 0.0,
        labels=len(labelled),
        wrong=sum(not pair.same for pair in labelled),
        error_rate=rate,
        error_interval=interval,
        saved_usd=saved,
    )


def _lookup_pico(counts: Mapping[str, int], *, judged: bool) -> int:
    """Return what looking would have cost: a policy without a grey zone asks no judge."""
    looking = counts.get("lookup_pico", 0)
    return looking if judged else max(0, looking - counts.get("judge_pico", 0))


def _says(pair: LoggedPair, min_score: float) -> bool:
    """Tell whether a decision has a label that stands for its like: drawn at random, from all that is served."""
    if pair.same is None:
        return False
    if pair.source in ("observed", "verified"):
        return True
    return pair.drawn_from is not None and pair.drawn_from <= min_score


def _error(served: Sequence[_Served], min_score: float, confidence: float) -> tuple[float | None, tuple[float, float]]:
    """Estimate the share of wrong ones, part by part; what has no label may be all right or all wrong."""
    if not served:
        return None, (0.0, 1.0)
    parts: dict[str, list[LoggedPair]] = {}
    for one in served:
        parts.setdefault(_part(one.pair), []).append(one.pair)
    each = 1 - (1 - confidence) / len(parts)
    low = high = wrong = known = 0.0
    for pairs in parts.values():
        share = len(pairs) / len(served)
        labels = [pair.same for pair in pairs if _says(pair, min_score)]
        if not labels:
            high += share
            continue
        bad = labels.count(False)
        lower, upper = clopper_pearson(bad, len(labels), confidence=each)
        low, high = low + share * lower, high + share * upper
        wrong, known = wrong + share * bad / len(labels), known + share
    return (wrong / known if known else None), (low, min(1.0, high))


def _part(pair: LoggedPair) -> str:
    if pair.refused_by in (None, REFUSED_BY_SCORE):
        return pair.refused_by or "served"
    return "gate"


def _advice(
    outcomes: Sequence[PolicyOutcome], limit: float, confidence: float, *, decisions: int
) -> tuple[str | None, int | None, str]:
    """Return the name to take, how many labels are missing, and what to do."""
    if not decisions:
        return None, None, "no decisions are logged yet: let traffic come in observe mode, with verify=Sampled(...)"
    serving = [one for one in outcomes if one.served]
    if not serving:
        return None, None, "no policy would have served any of the candidates: exact repeats are all there is to save"
    good = [one for one in serving if one.error_interval[1] <= limit]
    if good:
        best = max(good, key=lambda one: one.hit_rate)
        return (
            best.name,
            None,
            f"take {_how(best)}: at most {best.error_interval[1]:.2%} of its semantic hits are wrong",
        )
    ahead = [(needed, one) for one in serving if (needed := _needed(one, limit, confidence)) is not None]
    if ahead:
        needed, best = min(ahead, key=lambda each: each[0])
        so_far = "none are labelled yet" if not best.labels else f"{best.wrong:,} of {best.labels:,} labelled are wrong"
        return (
            None,
            needed,
            f"not enough labels: about {needed:,} more of what {_how(best)} would serve ({so_far}), if the share of "
            "wrong ones stays; observe with verify=Sampled(...) at a higher rate, or label near hits",
        )
    least = min(serving, key=lambda one: one.error_rate if one.error_rate is not None else 1.0)
    rate = 1.0 if least.error_rate is None else least.error_rate
    return (
        None,
        None,
        f"{least.name} is wrong least often, and still {rate:.1%} of the time, above the {limit:.2%} accepted: "
        "calibrate() on labels, accept a higher max_error_rate, or serve exact repeats only",
    )


def _how(outcome: PolicyOutcome) -> str:
    if outcome.name == TIGHTER:
        return f"policy 'strict' from score {outcome.min_score:.3f} on"
    return "the cache as it is" if outcome.name == PRESENT else f"policy {outcome.name!r}"


def _needed(outcome: PolicyOutcome, limit: float, confidence: float) -> int | None:
    """Return how many more labels bring the interval below the limit, if the share of wrong ones stays."""
    rate = outcome.error_rate or 0.0
    if rate >= limit:
        return None
    low, high = outcome.labels, max(1, outcome.labels)
    while clopper_pearson(round(rate * high), high, confidence=confidence)[1] > limit:
        low, high = high, 2 * high
        if high > _MOST_LABELS:
            return None
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        if clopper_pearson(round(rate * middle), middle, confidence=confidence)[1] > limit:
            low = middle
        else:
            high = middle
    return max(1, high - outcome.labels)
