"""What does GPTCache serve?

The library itself with its FAISS and SQLite parts, its rule and its distance evaluator
(``SearchDistanceEvaluation``, score 4 minus the squared distance, threshold times 4), on the embedder under
test. Its ONNX evaluator fetches a model from the internet and is left out. At a threshold t this serves a
cosine of 2t - 1 and more, so that it ranks as the cosine does.
"""

from __future__ import annotations

import atexit
import itertools
import shutil
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from _cache_counts import NEVER, Decision
from _cache_matchers import Matcher, cosines
from _cache_sets import Conversation, Pair
from _cache_stores import Found, MultiTurn, follow_ups

from lc_costkit.cache.key import CacheRequest
from lc_costkit.cache.text import normalise
from lc_costkit.embedding import Embedder

INSTALL = "pip install gptcache==0.1.44 cachetools"
THRESHOLDS = (0.8, 0.95)
"""Its default, and the strictest of its own table."""


def gptcache_is_there() -> bool:
    """Tell whether it can be imported."""
    return find_spec("gptcache") is not None and find_spec("cachetools") is not None


def by_gptcache(name: str, embedder: Embedder, threshold: float, *, ranks_as: str) -> Matcher:
    """Decide about pairs by its evaluator, as its adapter asks it."""

    def decide(pairs: Sequence[Pair]) -> list[Decision]:
        from gptcache.similarity_evaluation.distance import SearchDistanceEvaluation

        evaluator = SearchDistanceEvaluation()
        low, high = evaluator.range()
        decisions = []
        for pair, cosine in zip(pairs, cosines(embedder, pairs, cores=False), strict=True):
            score = evaluator.evaluation({}, {"search_result": (2 - 2 * float(cosine), None)})
            served = score >= (high - low) * threshold
            decisions.append(
                Decision(
                    score=score,
                    refused_by=None if served else "similarity",
                    right=pair.same,
                    must_miss=not pair.same,
                )
            )
        return decisions

    return Matcher(name=name, decide=decide, ranks_as=ranks_as)


class Folders:
    """Gives each cache a folder of its own; they go when the process ends."""

    def __init__(self) -> None:
        self._parent = Path(tempfile.mkdtemp(prefix="gptcache-"))
        self._numbers = itertools.count()
        # Registered before the library's own exit handlers, which write their files: last in, first out.
        atexit.register(shutil.rmtree, self._parent, ignore_errors=True)

    def new(self) -> Path:
        """Return an empty folder."""
        folder = self._parent / str(next(self._numbers))
        folder.mkdir()
        return folder


class GPTCacheStore:
    """The rival as a store of labels; see ``_cache_stores.Store``."""

    def __init__(self, embedder: Embedder, threshold: float, folders: Folders) -> None:
        from gptcache.processor.pre import get_prompt

        self._cache = _open(embedder, threshold, folders.new(), get_prompt)

    def put(self, text: str, label: str) -> None:
        """See ``Store.put``."""
        from gptcache.adapter.api import put

        put(text, label, cache_obj=self._cache)

    def ask(self, text: str) -> Found:
        """See ``Store.ask``."""
        from gptcache.adapter.api import get

        hits: list[tuple[str, float]] = []
        label = get(text, cache_obj=self._cache, hit_callback=hits.extend)
        if label is None or not hits:
            return Found(label=None, tier=None, score=NEVER, refused_by="similarity")
        question, score = hits[0]
        return Found(label=label, tier="exact" if normalise(question) == normalise(text) else "semantic", score=score)

    def close(self) -> None:
        """See ``Store.close``."""
        self._cache.data_manager.close()


def gptcache_multi_turn(
    embedder: Embedder, threshold: float, rows: Sequence[Conversation], folders: Folders
) -> MultiTurn:
    """Run the conversations through it with its default key, the content of the last message."""
    from gptcache.adapter.adapter import adapt
    from gptcache.processor.pre import last_content

    cache = _open(embedder, threshold, folders.new(), last_content)

    def call(request: CacheRequest, answer: str | None, *, skip: bool) -> str | None:
        def save(made: str, update: Any, *_: object, **__: object) -> None:
            update(made)

        found: str | None = adapt(
            lambda *_, **__: answer,
            lambda stored: stored,
            save,
            messages=[{"role": turn.role, "content": turn.text} for turn in request.turns],
            cache_obj=cache,
            cache_skip=skip,
        )
        return found

    def put(request: CacheRequest, stored_under: str) -> None:
        call(request, stored_under, skip=True)

    return follow_ups(lambda request: call(request, None, skip=False), put, rows)


def _open(embedder: Embedder, threshold: float, folder: Path, key: Any) -> Any:
    from gptcache import Cache, Config
    from gptcache.manager import CacheBase, VectorBase, get_data_manager
    from gptcache.similarity_evaluation.distance import SearchDistanceEvaluation

    cache = Cache()
    cache.init(
        pre_embedding_func=key,
        embedding_func=lambda text, **_: embedder.embed([text])[0],
        data_manager=get_data_manager(
            CacheBase("sqlite", sql_url=f"sqlite:///{folder}/gptcache.db"),
            VectorBase("faiss", dimension=embedder.dimensions, index_path=str(folder / "faiss.index")),
            max_size=1_000_000,
        ),
        similarity_evaluation=SearchDistanceEvaluation(),
        config=Config(log_time_func=None, similarity_threshold=threshold),
    )
    return cache
