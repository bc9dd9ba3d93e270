"""Which pairs of questions has a cache had to decide about, and which were labelled?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from lc_costkit.cache.draws import chunks, known, label_known_before, mark, walk
from lc_costkit.cache.pair_rows import MAX_NAME, label_values, logged, pair_values, problems_of
from lc_costkit.cache.schema import PAIRS
from lc_costkit.cache.seen_pairs import (
    LABEL_SOURCES,
    LIVE,
    LabelSource,
    LoggedPair,
    PendingPairs,
    SeenPair,
    pair_hash,
    text_hash,
)
from lc_costkit.cache.store import EntryStore
from lc_costkit.errors import ConfigurationError
from lc_costkit.faults import Faults

NEAR_HITS = 20_000
"""Unlabelled decisions kept of a namespace. A bound of 2 % takes up to 1,350 labelled hits
(Clopper-Pearson, true rate 1 %), which are drawn from these. A SQLite file of 20,000 pairs of
questions of 67 characters has 12 MB."""

# The oldest unlabelled ones go once in so many written, so that a flush seldom pays for it.
_TRIM_EVERY = 500

_ADVICE = "Nothing was lost but what the cache could have learned from; call check() on the cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """What has decided about pairs in a log.

    Attributes:
        identity: embedder, gates, policy and score, as a short digest.
        seen: how many of its decisions are kept.
        labelled: how many of those have a label.
        last_seen_at: when it last decided, seconds since the epoch.
    """

    identity: str
    seen: int
    labelled: int
    last_seen_at: float


class PairLog:
    """Keeps what semantic decisions of one namespace saw, and labels for it.

    A decision is kept as often as the traffic brings it: a label is for one of these draws, and
    only so can labels say how often traffic is answered wrongly. What was decided waits in memory
    for the next commit of the statistics; where that fails, it is dropped.

    Args:
        store: where the table is.
        namespace: whose decisions.
        decider: identity of what decides here.
        keep: how many unlabelled decisions to keep, newest first, and how many verdicts of live checks;
            0 records no decision that has no verdict.
        faults: where a failure to write goes.
    """

    def __init__(
        self, store: EntryStore, *, namespace: str, decider: str, keep: int = NEAR_HITS, faults: Faults | None = None
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._decider = decider[:MAX_NAME]
        self._keep = keep
        self._faults = faults
        self._pending = PendingPairs()
        self._until_trim = 0

    @property
    def decider(self) -> str:
        """Identity of what decides here."""
        return self._decider

    # -- what lookups see ------------------------------------------------------

    def note(self, pair: SeenPair) -> None:
        """Keep a decision in memory until the next commit."""
        if self._keep:
            self._pending.add(pair)

    def ride_along(self, connection: Connection) -> None:
        """Write what is pending inside somebody else's transaction, which this never makes fail."""
        pairs = self._pending.take()
        if not pairs:
            return
        try:
            with connection.begin_nested():
                connection.execute(insert(PAIRS), [self._values(pair) for pair in pairs])
                self._until_trim -= len(pairs)
                if self._until_trim < 0:
                    self._until_trim = _TRIM_EVERY
                    self._trim(connection)
        except Exception as error:
            if isinstance(error, SQLAlchemyError) and hasattr(error, "hide_parameters"):
                error.hide_parameters = True  # the parameters are somebody's questions
            if self._faults is not None:
                self._faults.record("logging pairs", error, _ADVICE, may_quote=True)

    # -- writing ---------------------------------------------------------------

    def add_many(
        self, pairs: Iterable[SeenPair], *, same: bool | None = None, source: LabelSource | None = None
    ) -> list[int]:
        """Write decisions, with one label for all of them or none; return their ids.

        Raises:
            ConfigurationError: a label without a source, or a source without a label.
        """
        label = label_values(same, source)
        rows = [{**self._values(pair), **label} for pair in pairs]
        if not rows:
            return []
        statement = insert(PAIRS).returning(PAIRS.c.id, sort_by_parameter_order=True)
        with self._store.writing_patiently() as connection:
            return [int(number) for number in connection.execute(statement, rows).scalars()]

    def label(self, pair_id: int, same: bool | None, *, source: LabelSource = "label") -> None:
        """Label one decision; ``None`` takes its label back.

        Raises:
            ConfigurationError: there is no such decision in this namespace, or no such source.
        """
        if not isinstance(pair_id, int) or isinstance(pair_id, bool):
            raise ConfigurationError(f"a logged pair is named by its id, a whole number, not by {pair_id!r:.100}")
        if not self.try_label(pair_id, same, source=source):
            raise ConfigurationError(
                f"namespace {self._namespace!r} holds no logged pair {pair_id!r}; near_hits() shows what it holds"
            )

    def try_label(self, pair_id: int, same: bool | None, *, source: LabelSource = "label") -> bool:
        """Do what ``label`` does; ``False`` where the decision is gone: deleted, or too old to be kept."""
        values = label_values(same, None if same is None else source)
        statement = update(PAIRS).where(self._mine(), PAIRS.c.id == pair_id).values(**values)
        with self._store.writing_patiently() as connection:
            found = connection.execute(statement).rowcount
            if found and same is not None:
                label_known_before(connection, self._mine(), pair_id)
        return bool(found)

    def unlabel(self, pair: LoggedPair) -> None:
        """Take back what a person said of a pair, from every draw that got this label."""
        statement = update(PAIRS).where(self._mine(), PAIRS.c.pair_hash == pair.key, PAIRS.c.source == "label")
        with self._store.writing_patiently() as connection:
            connection.execute(statement.values(**label_values(None, None)))

    def settle(self, pair: SeenPair, same: bool, *, source: LabelSource) -> int | None:
        """Label a decision that ``note`` was told of, whether it is written yet or not; return its id.

        One that was dropped or never noted is written now, but for one that was deleted meanwhile.
        """
        if self._pending.is_forgotten(pair):
            return None
        if not self._pending.remove(pair):
            wanted = (
                select(func.min(PAIRS.c.id))
                .where(self._mine(), PAIRS.c.pair_hash == pair_hash(pair.cached, pair.new))
                .where(PAIRS.c.seen_at == pair.seen_at, PAIRS.c.source.is_(None))
            )
            with self._store.writing_patiently() as connection:
                found = connection.execute(wanted).scalar_one()
                if found is not None:
                    label = label_values(same, source)
                    connection.execute(update(PAIRS).where(PAIRS.c.id == found).values(**label))
                    return int(found)
        return self.add_many([pair], same=same, source=source)[0]

    def reject(self, pair: SeenPair) -> None:
        """Remember that the cached answer is wrong for the new question, and let every process know.

        The decision itself stays as it is: were it taken out of those that labels are drawn from,
        the rest would look better than the traffic was. It gets the label when it is drawn.
        """
        with self._store.writing_patiently() as connection:
            connection.execute(insert(PAIRS).values(**self._values(pair), **label_values(False, "rejected")))
            self._store.changed(connection, self._namespace)

    def allow(self, cached: str, new: str) -> int:
        """Take back every rejection of a pair, in either direction; return how many there were."""
        hashes = (pair_hash(cached, new), pair_hash(new, cached))
        statement = delete(PAIRS).where(self._mine(), PAIRS.c.source == "rejected", PAIRS.c.pair_hash.in_(hashes))
        with self._store.writing_patiently() as connection:
            gone = connection.execute(statement).rowcount
            if gone:
                self._store.changed(connection, self._namespace)
        return gone

    def forget(self, question: str) -> int:
        """Delete every pair that holds a question, labels and rejections included; return how many.

        Other processes may still write what they have seen in the last second.
        """
        self._pending.forget(question)
        wanted = text_hash(question)
        return self._delete(self._mine(), or_(PAIRS.c.cached_hash == wanted, PAIRS.c.new_hash == wanted))

    def clear(self, *, everything: bool = False, keep_labels: bool = False) -> int:
        """Delete the pairs of this namespace, or with ``everything`` of all; return how many."""
        self._pending.forget()
        wanted = [] if everything else [self._mine()]
        return self._delete(*wanted, *([PAIRS.c.source.is_(None)] if keep_labels else []))

    # -- reading ---------------------------------------------------------------

    def newest(self, limit: int, *, labelled: bool | None = None) -> list[LoggedPair]:
        """Return the decisions that were seen last, the newest first.

        Args:
            limit: how many at most.
            labelled: only those with a label, or only those without; ``None`` is both.
        """
        statement = select(PAIRS).where(self._mine(), _is_seen())
        if labelled is not None:
            statement = statement.where(PAIRS.c.source.is_not(None) if labelled else PAIRS.c.source.is_(None))
        return self._read(statement.order_by(PAIRS.c.id.desc()).limit(limit))

    def sample(
        self, count: int, *, min_score: float = 0.0, seed: int | None = None, decider: str | None = None
    ) -> list[LoggedPair]:
        """Draw decisions to be labelled, each of those without a label with the same chance.

        Only decisions of one decider that every gate let pass are drawn: what a gate refused is
        served at no score. A drawn one whose two questions a person has labelled before is not asked
        about again; see ``draws.py``.

        Args:
            count: how many to return at most.
            min_score: lowest score to draw from, 0 to 1.
            seed: makes the draw repeatable.
            decider: whose decisions; ``None`` is the one that decides here.
        """
        with self._store.reading_patiently() as connection:
            drawn = walk(
                connection,
                self._mine(),
                count,
                decider=self._decider if decider is None else decider,
                min_score=min_score,
                seed=seed,
            )
        if drawn.asked or drawn.known:
            with self._store.writing_patiently() as connection:
                mark(connection, self._mine(), drawn, min_score=min_score)
        found = {
            pair.id: pair
            for chunk in chunks(drawn.asked)
            for pair in self._read(select(PAIRS).where(self._mine(), PAIRS.c.id.in_(chunk)))
        }
        return [found[pair_id] for pair_id in drawn.asked if pair_id in found]

    def known(self) -> dict[str, bool]:
        """Return what people have said of pairs, by ``LoggedPair.key``; the last word counts."""
        with self._store.reading_patiently() as connection:
            return known(connection, self._mine())

    def labelled(
        self, *, sources: Sequence[LabelSource] = LABEL_SOURCES, decider: str | None = None
    ) -> list[LoggedPair]:
        """Return what has a label, in the order in which it was seen.

        Args:
            sources: whose word to take.
            decider: only decisions of this one; ``None`` is all of them.
        """
        statement = select(PAIRS).where(self._mine(), PAIRS.c.source.in_(tuple(sources)))
        if decider is not None:
            statement = statement.where(PAIRS.c.decider == decider)
        return self._read(statement.order_by(PAIRS.c.id))

    def decisions(self) -> list[LoggedPair]:
        """Return every decision of this decider that is kept, in the order in which it was seen."""
        statement = select(PAIRS).where(self._mine(), _is_seen(), PAIRS.c.decider == self._decider)
        return self._read(statement.order_by(PAIRS.c.id))

    def last_served(
        self, entry_ids: Sequence[int], *, new: str | None = None, similarity: float | None = None
    ) -> LoggedPair | None:
        """Return the decision by which one of these entries was last served.

        Args:
            entry_ids: whose answers.
            new: only to this question.
            similarity: only with this one, which a mark carries rounded to six digits.
        """
        newest: LoggedPair | None = None
        for chunk in chunks(entry_ids):
            statement = select(PAIRS).where(self._mine(), PAIRS.c.entry_id.in_(chunk), _is_seen(), PAIRS.c.served)
            if new is not None:
                statement = statement.where(PAIRS.c.new_hash == text_hash(new))
            if similarity is not None:
                statement = statement.where(PAIRS.c.similarity.between(similarity - 1e-6, similarity + 1e-6))
            for pair in self._read(statement.order_by(PAIRS.c.id.desc()).limit(1)):
                newest = pair if newest is None or pair.id > newest.id else newest
        return newest

    def rejected_hashes(self) -> frozenset[str]:
        """Return the hashes of the pairs that must never be served again."""
        statement = select(PAIRS.c.pair_hash).where(self._mine(), PAIRS.c.source == "rejected")
        with self._store.reading_patiently() as connection:
            return frozenset(connection.execute(statement).scalars())

    def deciders(self) -> list[Decider]:
        """Return what has decided in this namespace, the one that decided last first."""
        last = func.max(PAIRS.c.seen_at)
        statement = (
            select(PAIRS.c.decider, func.count(), func.count(PAIRS.c.source), last)
            .where(self._mine(), _is_seen())
            .group_by(PAIRS.c.decider)
            .order_by(last.desc())
        )
        with self._store.reading_patiently() as connection:
            return [
                Decider(identity=identity, seen=seen, labelled=labelled, last_seen_at=at)
                for identity, seen, labelled, at in connection.execute(statement)
            ]

    def counts(self) -> dict[LabelSource | None, int]:
        """Return how many pairs there are by the source of their labels; ``None`` has none."""
        statement = select(PAIRS.c.source, func.count()).where(self._mine()).group_by(PAIRS.c.source)
        with self._store.reading_patiently() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def audit(self) -> list[str]:
        """Read every pair of every namespace and say what is wrong with it."""
        found: list[str] = []
        with self._store.reading_patiently() as connection:
            for row in connection.execute(select(PAIRS)):
                found += problems_of(row)
        return found

    # -- steps -----------------------------------------------------------------

    def _mine(self) -> ColumnElement[bool]:
        return PAIRS.c.namespace == self._namespace

    def _values(self, pair: SeenPair) -> dict[str, object]:
        return pair_values(pair, namespace=self._namespace, decider=self._decider)

    def _trim(self, connection: Connection) -> None:
        """Delete the oldest of what comes by itself; what people said stays."""
        for kind in (PAIRS.c.source.is_(None), PAIRS.c.source.in_(LIVE)):
            last = select(PAIRS.c.id).where(self._mine(), kind).order_by(PAIRS.c.id.desc()).offset(self._keep).limit(1)
            connection.execute(delete(PAIRS).where(self._mine(), kind, PAIRS.c.id <= last.scalar_subquery()))

    def _delete(self, *wanted: ColumnElement[bool]) -> int:
        with self._store.writing_patiently() as connection:
            spaces = set(
                connection.execute(
                    select(PAIRS.c.namespace).where(*wanted, PAIRS.c.source == "rejected").distinct()
                ).scalars()
            )
            gone = connection.execute(delete(PAIRS).where(*wanted)).rowcount
            for space in sorted(spaces):
                self._store.changed(connection, space)
        return gone

    def _read(self, statement: Any) -> list[LoggedPair]:
        with self._store.reading_patiently() as connection:
            return [logged(row) for row in connection.execute(statement)]


def _is_seen() -> ColumnElement[bool]:
    """What a lookup saw, and not what somebody told the log."""
    return or_(PAIRS.c.source.is_(None), PAIRS.c.source.not_in(("given", "rejected")))
