"""How is taken back what live checks have done, where it was their judge that was wrong?"""

from __future__ import annotations

from sqlalchemy import select, update

from lc_costkit.cache.pair_rows import label_values
from lc_costkit.cache.points import PointStore
from lc_costkit.cache.schema import ENTRIES, PAIRS, VECTORS
from lc_costkit.cache.seen_pairs import LIVE
from lc_costkit.cache.store import EntryStore


def withdraw(store: EntryStore, points: PointStore, *, namespace: str, decider: str) -> int:
    """Forget live verdicts and a point that was raised because of them; return how many verdicts went.

    The decisions stay, without a label. An entry that was demoted is matched by meaning again; one that
    was never to be has no vector, and stays as it is.

    Args:
        store: where entries and pairs are.
        points: where the operating point is.
        namespace: whose.
        decider: whose decisions.

    Raises:
        StoreError: the store cannot be used now.
    """
    verdicts = (PAIRS.c.namespace == namespace, PAIRS.c.decider == decider, PAIRS.c.source.in_(LIVE))
    demoted = select(PAIRS.c.entry_id).where(*verdicts, PAIRS.c.source == "verified", PAIRS.c.same.is_(False))
    with store.writing_patiently() as connection:
        connection.execute(
            update(ENTRIES)
            .where(ENTRIES.c.namespace == namespace, ENTRIES.c.id.in_(demoted))
            .where(ENTRIES.c.id.in_(select(VECTORS.c.entry_id)))
            .values(semantic=True)
        )
        gone = connection.execute(update(PAIRS).where(*verdicts).values(**label_values(None, None))).rowcount
    learned = points.load()
    if learned is not None and learned.point is not None and learned.point.source == "tightened":
        points.remove()
    return gone
