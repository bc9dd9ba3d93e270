"""Of which parts is a cache made, and how do they know of one another?"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from lc_costkit.cache.accept import Acceptor
from lc_costkit.cache.calibrating import Calibrator
from lc_costkit.cache.cost import Costs
from lc_costkit.cache.counts import Tally
from lc_costkit.cache.feedback import Feedback
from lc_costkit.cache.knobs import Knobs
from lc_costkit.cache.learning import Learning
from lc_costkit.cache.matcher import Matcher
from lc_costkit.cache.pair_log import PairLog
from lc_costkit.cache.points import PointStore
from lc_costkit.cache.serving import Server
from lc_costkit.cache.store import EntryStore
from lc_costkit.cache.verifying import Verifier
from lc_costkit.cache.writing import Writer
from lc_costkit.cache.zone import ZoneKeeper
from lc_costkit.embedding import ReadyEmbedder
from lc_costkit.embedding.scale import PROBES, scales_of
from lc_costkit.embedding.wrap import WrappedEmbedder
from lc_costkit.faults import Faults
from lc_costkit.pricing import PriceBook

_logger = logging.getLogger("lc_costkit.cache.engine")

_LOWERED = (
    "lc_costkit cache %r serves without a judge from score %.3f on, the upper end of its GreyZone, and not from %.3f "
    "as its policy would: give a GreyZone with a higher high= unless that is meant"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a cache works with; each part says itself what it does."""

    knobs: Knobs
    embedder: ReadyEmbedder
    faults: Faults
    store: EntryStore
    acceptor: Acceptor
    pairs: PairLog
    points: PointStore
    learning: Learning
    matcher: Matcher
    tally: Tally
    writer: Writer
    verifier: Verifier | None
    server: Server
    feedback: Feedback
    calibrator: Calibrator


def assemble(path_or_url: str | Path, knobs: Knobs, *, embedder: ReadyEmbedder, prices: PriceBook) -> Parts:
    """Open the store and make the parts.

    Raises:
        EmbedderError: the embedder fails its contract.
        StoreError: the store cannot be opened.
    """
    # Sees that the embedder works, and learns what its cosines mean, in one call.
    asked = isinstance(embedder, WrappedEmbedder) and embedder.known_scales is None
    scales_of(embedder)
    costs = Costs(prices, embedder)
    faults = Faults(_logger)
    store = EntryStore(path_or_url)
    acceptor = Acceptor(
        embedder,
        policy=knobs.policy,
        gates=knobs.gates,
        similarity_threshold=knobs.similarity_threshold,
        zone=knobs.judge,
        faults=faults,
    )
    decider = {"namespace": knobs.namespace, "decider": acceptor.identity}
    pairs = PairLog(store, keep=knobs.near_hits, faults=faults, **decider)
    store.passenger = pairs.ride_along
    points = PointStore(store, **decider)
    learning = Learning(pairs, points, acceptor, max_error_rate=knobs.max_error_rate, faults=faults)
    learning.load()
    if acceptor.sure < acceptor.point.min_score:
        _logger.warning(_LOWERED, knobs.namespace, acceptor.sure, acceptor.point.min_score)
    matcher = Matcher(
        store,
        embedder,
        acceptor,
        costs,
        learning,
        namespace=knobs.namespace,
        ttl_seconds=knobs.ttl_seconds,
    )
    tally = Tally(knobs.namespace)
    probing = costs.embedding(PROBES)
    if asked and probing.usd:
        tally.cost(probing)
    writer = Writer(store, matcher, embedder, costs, tally, faults, knobs)
    zone, sampled = knobs.judge, knobs.verify
    verifier = (
        None
        if sampled is None
        else Verifier(
            sampled,
            observing=knobs.mode == "observe",
            namespace=knobs.namespace,
            max_error_rate=knobs.max_error_rate,
            store=store,
            matcher=matcher,
            acceptor=acceptor,
            log=pairs,
            points=points,
            tally=tally,
            faults=faults,
            prices=prices,
        )
    )
    server = Server(
        store=store,
        embedder=embedder,
        matcher=matcher,
        costs=costs,
        tally=tally,
        faults=faults,
        knobs=knobs,
        pairs=pairs,
        writer=writer,
        zone=None if zone is None else ZoneKeeper(zone, acceptor, tally, faults, prices),
        verifier=verifier,
    )
    feedback = Feedback(store, pairs, matcher, namespace=knobs.namespace, flush=server.flush)
    calibrator = Calibrator(
        embedder=embedder,
        acceptor=acceptor,
        admission=knobs.admission,
        log=pairs,
        points=points,
        learning=learning,
        max_error_rate=knobs.max_error_rate,
    )
    return Parts(
        knobs=knobs,
        embedder=embedder,
        faults=faults,
        store=store,
        acceptor=acceptor,
        pairs=pairs,
        points=points,
        learning=learning,
        matcher=matcher,
        tally=tally,
        writer=writer,
        verifier=verifier,
        server=server,
        feedback=feedback,
        calibrator=calibrator,
    )
