"""Which decisions are put to a person, so that labels say what the traffic is like?

A draw walks through the decisions in a random order. Where the two questions of one were labelled before, nobody
has to read them again: it gets that label as soon as the next decision of the walk that somebody is asked about is
labelled. Were it labelled at once, whoever draws much and labels little would count the known ones over and over.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, bindparam, or_, select, update

from lc_costkit.cache.accept import VETO
from lc_costkit.cache.schema import PAIRS
from lc_costkit.cache.seen_pairs import BY_PEOPLE, REFUSED_BY_SCORE

_CHUNK = 500
"""SQLite has a limit on the number of variables in one statement."""


@dataclass(frozen=True, slots=True)
class Walk:
    """The first decisions in a random order.

    Attributes:
        asked: ids of those that somebody is to be asked about, in order.
        known: (id, id of the one of ``asked`` that comes next) of those whose questions were labelled before;
            for those behind the last one, that one.
    """

    asked: tuple[int, ...]
    known: tuple[tuple[int, int | None], ...]


def walk(
    connection: Connection,
    mine: ColumnElement[bool],
    count: int,
    *,
    decider: str,
    min_score: float,
    seed: int | None,
) -> Walk:
    """Draw decisions of a decider that have no label, each with the same chance, until ``count`` are to be asked about.

    What a gate refused is served at no score, and is not drawn. What a learned veto refused is: another
    calibration may find another veto, or none.

    Args:
        connection: to read with.
        mine: which namespace.
        count: how many to ask about at most.
        decider: whose decisions.
        min_score: lowest score to draw from, 0 to 1.
        seed: makes the draw repeatable.
    """
    statement = (
        select(PAIRS.c.id, PAIRS.c.pair_hash)
        .where(mine, PAIRS.c.source.is_(None), PAIRS.c.decider == decider, PAIRS.c.score >= min_score)
        .where(or_(PAIRS.c.refused_by.is_(None), PAIRS.c.refused_by.in_((REFUSED_BY_SCORE, VETO))))
        .order_by(PAIRS.c.id)
    )
    rows = list(connection.execute(statement).all())
    random.Random(seed).shuffle(rows)  # noqa: S311 -- a draw, no secret
    labelled = known(connection, mine)
    asked: list[int] = []
    waiting: list[int] = []
    behind: list[tuple[int, int | None]] = []
    for row in rows:
        if len(asked) == count:
            break
        if row.pair_hash in labelled:
            waiting.append(row.id)
        else:
            behind += [(pair_id, row.id) for pair_id in waiting]
            waiting = []
            asked.append(row.id)
    behind += [(pair_id, asked[-1] if asked else None) for pair_id in waiting]
    return Walk(asked=tuple(asked), known=tuple(behind))


def mark(connection: Connection, mine: ColumnElement[bool], drawn: Walk, *, min_score: float) -> None:
    """Note what was drawn; where nobody is to be asked, everything is known and gets its label now."""
    for chunk in chunks(drawn.asked):
        # What an earlier draw left behind one of these is no part of this draw.
        connection.execute(update(PAIRS).where(mine, PAIRS.c.drawn_before.in_(chunk)).values(drawn_before=None))
        values = {"drawn_from": min_score, "drawn_before": None}
        connection.execute(update(PAIRS).where(PAIRS.c.id.in_(chunk)).values(**values))
    if drawn.known:
        statement = (
            update(PAIRS)
            .where(PAIRS.c.id == bindparam("pair"))
            .values(drawn_from=min_score, drawn_before=bindparam("next"))
        )
        connection.execute(statement, [{"pair": pair_id, "next": asked} for pair_id, asked in drawn.known])
    for chunk in chunks([pair_id for pair_id, asked in drawn.known if asked is None]):
        _label_known(connection, mine, PAIRS.c.id.in_(chunk))


def label_known_before(connection: Connection, mine: ColumnElement[bool], pair_id: int) -> None:
    """Give their labels to the known decisions that were drawn before one that somebody has labelled now."""
    _label_known(connection, mine, PAIRS.c.drawn_before == pair_id)


def known(connection: Connection, mine: ColumnElement[bool]) -> dict[str, bool]:
    """Return what people have said of pairs, by ``LoggedPair.key``; the last word counts."""
    statement = (
        select(PAIRS.c.pair_hash, PAIRS.c.same)
        .where(mine, PAIRS.c.source.in_(BY_PEOPLE))
        .order_by(PAIRS.c.labelled_at, PAIRS.c.id)
    )
    return {row.pair_hash: row.same for row in connection.execute(statement)}


def chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut a list of ids into pieces that fit into one statement."""
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


def _label_known(connection: Connection, mine: ColumnElement[bool], wanted: ColumnElement[bool]) -> None:
    rows = connection.execute(select(PAIRS.c.id, PAIRS.c.pair_hash).where(mine, wanted, PAIRS.c.source.is_(None))).all()
    if not rows:
        return
    labelled = known(connection, mine)
    values = [{"pair": row.id, "said": labelled[row.pair_hash]} for row in rows if row.pair_hash in labelled]
    if values:
        statement = (
            update(PAIRS)
            .where(PAIRS.c.id == bindparam("pair"))
            .values(same=bindparam("said"), source="label", labelled_at=time.time())
        )
        connection.execute(statement, values)
