"""How does a LlamaIndex application meter its embeddings by what the provider reports?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import Field, PrivateAttr, SerializeAsAny
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index_instrumentation.dispatcher import active_instrument_tags
from llama_index_instrumentation.span import active_span_id

from lc_costkit.embedding_meter import Around, EmbeddingMeter
from lc_costkit.errors import ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index.call_events import is_ours, provider_of, users_tags
from lc_costkit.llama_index.handler import METERED_BY, CostEventHandler
from lc_costkit.llama_index.watched import watch
from lc_costkit.pricing import PriceBook
from lc_costkit.record import CallRecord, Plain


def metered_embedding(
    embed_model: BaseEmbedding,
    ledger: Ledger,
    *,
    prices: PriceBook | None = None,
    feature: str | None = None,
    user: str | None = None,
    team: str | None = None,
    metadata: Mapping[str, Plain] | None = None,
    on_record: Callable[[CallRecord], None] | None = None,
) -> MeteredEmbedding:
    """Return an embedding model that writes what it costs to a ledger, and does what ``embed_model`` does.

    Each batch is a record. Where ``embed_model`` keeps an OpenAI client (``OpenAIEmbedding`` does), the
    client is watched and the usage is what the provider reports. Elsewhere tokens are counted and the cost
    is ``estimated``; models that run in the application cost nothing unless ``prices`` has a price for them.
    Texts that an ``embeddings_cache`` answers are not counted. Tags set with ``instrument_tags`` (``feature``,
    ``user``, ``team``, others) go into the record. ``instrument(ledger)`` leaves these calls to it.

    Args:
        embed_model: what embeds; it is not changed.
        ledger: where calls are kept.
        prices: how they are priced; the public price list by default.
        feature: who the money is for, where ``instrument_tags`` do not say it.
        user: likewise.
        team: likewise.
        metadata: more plain values for the records.
        on_record: called with each ``CallRecord`` after it was written.

    Raises:
        ConfigurationError: ``embed_model`` is not a LlamaIndex embedding model, or an argument is of the wrong kind.

    >>> from llama_index.core.embeddings import MockEmbedding
    >>> ledger = Ledger()
    >>> model = metered_embedding(MockEmbedding(embed_dim=3), ledger, feature="search")
    >>> model.get_query_embedding("Why is the sky blue?")
    [0.5, 0.5, 0.5]
    >>> [(call.operation, call.feature, call.cost.usd) for call in ledger.records()]
    [('embedding', 'search', Decimal('0'))]
    """
    if not isinstance(embed_model, BaseEmbedding):
        raise ConfigurationError(f"embed_model must be a LlamaIndex embedding model, not {embed_model!r:.200}")
    if isinstance(embed_model, MeteredEmbedding):
        raise ConfigurationError("embed_model is metered already; meter the embedding model it was made of")
    made = MeteredEmbedding(
        metered_embeddings=embed_model,
        model_name=embed_model.model_name,
        embed_batch_size=embed_model.embed_batch_size,
        callback_manager=embed_model.callback_manager,
        num_workers=embed_model.num_workers,
        embeddings_cache=embed_model.embeddings_cache,
        rate_limiter=embed_model.rate_limiter,
    )
    made._meter = EmbeddingMeter(
        ledger,
        embed_model,
        framework="llama_index",
        around=_around,
        provider=provider_of(embed_model.class_name()),
        prices=prices,
        feature=feature,
        user=user,
        team=team,
        metadata=metadata,
        on_record=on_record,
    )
    return made


class MeteredEmbedding(BaseEmbedding):
    """An embedding model that is metered batch by batch; made by ``metered_embedding``.

    Events, batches, the cache of embeddings and the rate limiter are those of the wrapped model, once.
    """

    metered_embeddings: SerializeAsAny[BaseEmbedding] = Field(description="The embedding model that is asked.")

    _meter: EmbeddingMeter = PrivateAttr()

    @classmethod
    def class_name(cls) -> str:
        """Name of the component class."""
        return "MeteredEmbedding"

    def to_payload(self) -> dict[str, Any]:
        """Describe the wrapped model in events, and say which ledger has the call already."""
        meter = (self.__pydantic_private__ or {}).get("_meter")
        by = {} if meter is None else {METERED_BY: id(meter.ledger)}
        return {**self.metered_embeddings.to_payload(), **by}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # drops what is private
        meter = (state.get("__pydantic_private__") or {}).get("_meter")
        if meter is not None:
            self._meter = meter

    @contextmanager
    def _asked(self, inputs: object) -> Iterator[BaseEmbedding]:
        meter = (self.__pydantic_private__ or {}).get("_meter")
        if meter is None:  # a copy in another process, of one whose ledger is in memory
            yield self.metered_embeddings
            return
        with meter.call(inputs) as seen, watch(self.metered_embeddings, seen) as model:
            yield model

    def _get_query_embedding(self, query: str) -> list[float]:
        with self._asked(query) as model:
            return model._get_query_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        with self._asked(query) as model:
            return await model._aget_query_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        with self._asked(text) as model:
            return model._get_text_embedding(text)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        with self._asked(text) as model:
            return await model._aget_text_embedding(text)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        with self._asked(texts) as model:
            return model._get_text_embeddings(texts)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        with self._asked(texts) as model:
            return await model._aget_text_embeddings(texts)


def _around(ledger: Ledger) -> Around:
    """Read the tags and the span that are in force."""
    tags: Mapping[str, Any] = active_instrument_tags.get() or {}
    span = active_span_id.get()
    handlers = get_dispatcher().event_handlers
    meters = [one for one in handlers if isinstance(one, CostEventHandler) and one.ledger is ledger]
    return Around(
        trace_id=meters[0].trace_of(span) if meters and span is not None else span,
        parent_id=span,
        metadata=tags,
        tags=users_tags(tags),
        leave_out=is_ours,
    )
