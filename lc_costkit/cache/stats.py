"""How much has the cache served, refused and saved?"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from lc_costkit.cache.counts import PICO
from lc_costkit.cache.point import OperatingPoint
from lc_costkit.intervals import clopper_pearson


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What live verdicts say: of pairs that are served now, and of those that were served before a point was raised."""

    pairs: int = 0
    wrong: int = 0
    below: int = 0
    below_wrong: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """What one namespace of a cache has done, over all processes and restarts.

    Attributes:
        namespace: whose statistics these are.
        lookups: questions asked, whatever came of them.
        exact_hits: served to the letter.
        semantic_hits: served although worded differently.
        observed_hits: what observe mode found but did not serve.
        misses: sent on to the provider.
        refused: why lookups were not served, by reason or gate.
        stored: answers written.
        not_stored: why answers were not written, by reason.
        entries: answers held now.
        evicted: answers dropped to keep to ``max_entries``.
        expired: answers dropped because their time was over.
        saved_tokens: tokens of the answers that were served.
        served_usd: what the served answers had cost where that is known, USD.
        served_estimated_usd: how much of ``served_usd`` is estimated, USD.
        served_unpriced: served answers whose cost is unknown; they are not in ``served_usd``.
        observed_usd: what observe mode would have saved, before lookup costs, USD.
        lookup_usd: what all lookups cost, and asking an embedder at first what its cosines mean, USD.
        lookups_unpriced: lookups whose cost is unknown; they are not in ``lookup_usd``.
        faults: failures of this cache in this process, by place and kind.
        point: from which score on candidates are served here and now.
        verified: pairs of questions among the checked semantic hits that the present point serves and there is a
            verdict about; one that was asked again counts once.
        verified_wrong: how many of those were wrong.
        verified_below: such pairs that were served once, and are not since the point was raised.
        verified_below_wrong: how many of those were wrong.
        judge_calls: how often a judge was asked about a candidate in the grey zone.
        judge_yes: how often it let one pass.
        judge_no: how often it did not.
        judge_failed: how often it failed or gave no verdict, which is a miss.
        judge_usd: what those judgements cost where that is known, USD; part of ``lookup_usd``.
        judge_unpriced: judgements whose cost is unknown.
        checks: would-be hits drawn to be verified.
        checks_right: how many were found right.
        checks_wrong: how many were found wrong.
        checks_failed: how many got no verdict, because the model or the judge failed.
        checks_dropped: how many were given up for want of room or time.
        demoted: entries that answered another question wrongly, and answer only their own since.
        verification_usd: what asking again and judging cost where that is known, USD.
        verification_unpriced: such calls whose cost is unknown.
    """

    namespace: str
    lookups: int
    exact_hits: int
    semantic_hits: int
    observed_hits: int
    misses: int
    refused: Mapping[str, int]
    stored: int
    not_stored: Mapping[str, int]
    entries: int
    evicted: int
    expired: int
    saved_tokens: int
    served_usd: Decimal
    served_estimated_usd: Decimal
    served_unpriced: int
    observed_usd: Decimal
    lookup_usd: Decimal
    lookups_unpriced: int
    faults: Mapping[str, int]
    point: OperatingPoint | None = None
    verified: int = 0
    verified_wrong: int = 0
    verified_below: int = 0
    verified_below_wrong: int = 0
    judge_calls: int = 0
    judge_yes: int = 0
    judge_no: int = 0
    judge_failed: int = 0
    judge_usd: Decimal = Decimal(0)
    judge_unpriced: int = 0
    checks: int = 0
    checks_right: int = 0
    checks_wrong: int = 0
    checks_failed: int = 0
    checks_dropped: int = 0
    demoted: int = 0
    verification_usd: Decimal = Decimal(0)
    verification_unpriced: int = 0

    @property
    def hits(self) -> int:
        """Answers served from the cache."""
        return self.exact_hits + self.semantic_hits

    @property
    def hit_rate(self) -> float:
        """Share of the lookups that were served, 0 to 1; 0 before the first lookup."""
        return self.hits / self.lookups if self.lookups else 0.0

    @property
    def saved_usd(self) -> Decimal:
        """What serving saved, net of what lookups and checks cost, USD; below 0 if those cost more."""
        return self.served_usd - self.lookup_usd - self.verification_usd

    @property
    def verified_interval(self) -> tuple[float, float]:
        """Exact 95 % interval (Clopper-Pearson) of the share of semantic hits that is wrong, 0 to 1.

        As if verdicts had been looked at once: a point that was moved by them looks better than it is.
        """
        return clopper_pearson(self.verified_wrong, self.verified)

    def rows(self) -> list[tuple[str, str]]:
        """Return (label, value) pairs for a table."""
        unpriced = f", {self.served_unpriced} hits unpriced" if self.served_unpriced else ""
        estimated = f", {_usd(self.served_estimated_usd)} estimated" if self.served_estimated_usd else ""
        unknown = _unpriced(self.lookups_unpriced)
        return [
            ("lookups", f"{self.lookups:,}"),
            ("hits", f"{self.hits:,} ({self.exact_hits:,} exact, {self.semantic_hits:,} semantic)"),
            ("hit rate", f"{self.hit_rate:.1%}"),
            ("observed hits", f"{self.observed_hits:,} (worth {_usd(self.observed_usd)}, not served)"),
            ("misses", f"{self.misses:,}"),
            ("refused", _counted(self.refused)),
            ("stored", f"{self.stored:,}"),
            ("not stored", _counted(self.not_stored)),
            ("entries", f"{self.entries:,} ({self.evicted:,} evicted, {self.expired:,} expired)"),
            ("saved tokens", f"{self.saved_tokens:,}"),
            ("saved, net", f"{_usd(self.saved_usd)}{estimated}{unpriced}"),
            ("lookups cost", f"{_usd(self.lookup_usd)}{unknown}"),
            *self._decisions(),
            ("faults", _counted(self.faults)),
        ]

    def _decisions(self) -> list[tuple[str, str]]:
        """Return what is known of how well candidates are decided; what is not used has no row."""
        rows = [] if self.point is None else [("operating point", str(self.point))]
        if self.verified or self.verified_below:
            rows.append(("verified", f"{_wrong_of(self.verified, self.verified_wrong)}{self._since()}"))
        if self.verified_below:
            below = _wrong_of(self.verified_below, self.verified_below_wrong)
            rows.append(("served no longer", f"{below}: their score is below the present point"))
        if self.judge_calls:
            said = f"{self.judge_yes:,} yes, {self.judge_no:,} no, {self.judge_failed:,} failed"
            cost = f"{_usd(self.judge_usd)}{_unpriced(self.judge_unpriced)}"
            rows.append(("judge", f"{self.judge_calls:,} asked: {said}; cost {cost}, part of lookups"))
        if self.checks:
            said = f"{self.checks_right:,} right, {self.checks_wrong:,} wrong, {self.checks_failed:,} failed"
            rows.append(("checks", f"{self.checks:,} drawn: {said}, {self.checks_dropped:,} dropped"))
            rows.append(("checks cost", f"{_usd(self.verification_usd)}{_unpriced(self.verification_unpriced)}"))
        if self.demoted:
            rows.append(("demoted", f"{self.demoted:,} entries answer their own question only"))
        return rows

    def _since(self) -> str:
        """Say since when a point holds that verdicts have raised."""
        if self.point is None or self.point.source != "tightened":
            return ""
        since = datetime.fromtimestamp(self.point.made_at, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"; of what is served from score {self.point.min_score:.3f} on, where live checks put it on {since}"

    def __repr__(self) -> str:
        width = max(len(label) for label, _ in self.rows())
        lines = [f"  {label:<{width}}  {value}" for label, value in self.rows()]
        return "\n".join([f"CacheStats of {self.namespace!r}", *lines])

    def _repr_html_(self) -> str:
        return html_table(f"Cache {self.namespace!r}", self.rows())


def html_table(title: str, rows: list[tuple[str, str]]) -> str:
    """Render a titled two-column table; every cell is escaped.

    >>> html_table("t", [("<b>", "1")])
    '<table><caption>t</caption><tr><th>&lt;b&gt;</th><td>1</td></tr></table>'
    """
    body = "".join(f"<tr><th>{html.escape(label)}</th><td>{html.escape(value)}</td></tr>" for label, value in rows)
    return f"<table><caption>{html.escape(title)}</caption>{body}</table>"


def make_stats(
    namespace: str,
    counts: Mapping[str, int],
    *,
    entries: int,
    faults: Mapping[str, int],
    point: OperatingPoint | None = None,
    verified: Verified = Verified(),
) -> CacheStats:
    """Turn counters into statistics."""

    def by_reason(kind: str) -> dict[str, int]:
        start = f"{kind}:"
        found = {name[len(start) :]: value for name, value in counts.items() if name.startswith(start)}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def usd(name: str) -> Decimal:
        return Decimal(counts.get(name, 0)) / PICO

    return CacheStats(
        namespace=namespace,
        lookups=counts.get("lookups", 0),
        exact_hits=counts.get("hits_exact", 0),
        semantic_hits=counts.get("hits_semantic", 0),
        observed_hits=counts.get("observed", 0),
        misses=counts.get("misses", 0),
        refused=by_reason("refused"),
        stored=counts.get("stored", 0),
        not_stored=by_reason("not_stored"),
        entries=entries,
        evicted=counts.get("evicted", 0),
        expired=counts.get("expired", 0),
        saved_tokens=counts.get("saved_tokens", 0),
        served_usd=usd("served_pico"),
        served_estimated_usd=usd("served_estimated_pico"),
        served_unpriced=counts.get("served_unpriced", 0),
        observed_usd=usd("observed_pico"),
        lookup_usd=usd("lookup_pico"),
        lookups_unpriced=counts.get("lookups_unpriced", 0),
        faults=dict(faults),
        point=point,
        verified=verified.pairs,
        verified_wrong=verified.wrong,
        verified_below=verified.below,
        verified_below_wrong=verified.below_wrong,
        judge_usd=usd("judge_pico"),
        verification_usd=usd("verification_pico"),
        **{name: counts.get(name, 0) for name in _DECISION_COUNTS},
    )


_DECISION_COUNTS = (
    *("judge_calls", "judge_yes", "judge_no", "judge_failed", "judge_unpriced"),
    *("checks", "checks_right", "checks_wrong", "checks_failed", "checks_dropped"),
    *("demoted", "verification_unpriced"),
)


def _wrong_of(count: int, wrong: int) -> str:
    if not count:
        return "no semantic hits yet"
    low, high = clopper_pearson(wrong, count)
    share = f"{wrong / count:.1%}, 95 % interval {low:.1%} to {high:.1%}"
    return f"{count:,} semantic hits, {wrong:,} wrong ({share})"


def _usd(amount: Decimal) -> str:
    return f"{amount:.6f} USD"


def _unpriced(count: int) -> str:
    return f", {count:,} unpriced" if count else ""


def _counted(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{value:,} {name}" for name, value in counts.items()) or "none"
