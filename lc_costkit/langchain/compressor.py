"""How does a pruner work on LangChain documents?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Unpack

from langchain_core.callbacks import Callbacks, adispatch_custom_event, dispatch_custom_event
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, get_callback_manager_for_config
from pydantic import ConfigDict

from lc_costkit.errors import ConfigurationError, refuse_unknown
from lc_costkit.marks import MARK, PRUNE_EVENT
from lc_costkit.pruning import Passage, PruneOptions, Pruner, PruneResult

TITLE_KEYS = ("title", "Header 1", "Header 2", "Header 3")
"""Metadata keys that common loaders and LangChain's Markdown splitter put a title under."""


class ContextPruner(BaseDocumentCompressor):
    """Keeps the sentences of documents that matter for a question, within a token budget.

    Documents come back as new plain ``Document`` objects in the order given, with their id and
    metadata; one with nothing left is left out, and at least one is returned. The budget counts
    ``page_content`` only. ``metadata["lc_costkit"]["spans"]`` lists the pieces that were kept, as
    ``[start, end]`` in characters of the ``page_content`` that came in; where something between
    two pieces is missing, ``page_content`` has `` … ``. In observe mode, under
    ``LC_COSTKIT_DISABLE=1`` and on a fault, the documents given are returned, untouched.

    Args:
        title_keys: metadata keys whose values, joined, are the title of a document; or a callable
            that returns it. Titles help scoring; they are neither pruned nor counted.
        pruner: a ready ``lc_costkit.pruning.Pruner``, instead of the options.
        options: those of ``lc_costkit.pruning.Pruner``: ``max_tokens`` or ``keep`` is needed.

    Raises:
        ConfigurationError: as ``Pruner``, or ``pruner`` and options are both given.

    >>> pruner = ContextPruner(max_tokens=8)
    >>> text = "It rained all day. Guernica was painted by Picasso. It hangs in Madrid."
    >>> [kept] = pruner.compress_documents([Document(text, id="a")], "Who painted Guernica?")
    >>> kept.page_content, kept.metadata
    ('Guernica was painted by Picasso.', {'lc_costkit': {'spans': [[19, 51]]}})
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    pruner: Pruner
    title_keys: Sequence[str] | Callable[[Document], str | None]

    def __init__(
        self,
        *,
        pruner: Pruner | None = None,
        title_keys: Sequence[str] | Callable[[Document], str | None] = TITLE_KEYS,
        **options: Unpack[PruneOptions],
    ) -> None:
        refuse_unknown("ContextPruner", options, {*PruneOptions.__annotations__, "pruner", "title_keys"})
        if pruner is None:
            pruner = Pruner(**options)
        elif options:
            raise ConfigurationError(f"give either pruner or its options, not both ({', '.join(options)})")
        elif not isinstance(pruner, Pruner):
            raise ConfigurationError(f"pruner must be a lc_costkit.pruning.Pruner, not {pruner!r}")
        if isinstance(title_keys, str):
            title_keys = (title_keys,)
        fields: dict[str, Any] = {"pruner": pruner, "title_keys": title_keys}
        super().__init__(**fields)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """Return what of ``documents`` is worth sending with ``query``."""
        result = self._prune(documents, query)
        try:
            if (event := _event(result, callbacks)) is not None:
                data, config = event
                dispatch_custom_event(PRUNE_EVENT, data, config=config)
        except Exception as error:
            self._event_failed(error)
        return _documents(documents, result)

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """As ``compress_documents``, off the event loop."""
        result = await asyncio.to_thread(self._prune, documents, query)
        try:
            if (event := _event(result, callbacks)) is not None:
                data, config = event
                await adispatch_custom_event(PRUNE_EVENT, data, config=config)
        except Exception as error:
            self._event_failed(error)
        return _documents(documents, result)

    def _prune(self, documents: Sequence[Document], query: str) -> PruneResult:
        return self.pruner.prune([Passage(d.page_content, self._title(d)) for d in documents], query)

    def _title(self, document: Document) -> str | None:
        if callable(self.title_keys):
            try:
                return self.title_keys(document)
            except Exception as error:
                self.pruner.faults.record("title", error, "title_keys must return a string or None for every document")
                return None
        parts = [str(document.metadata[key]) for key in self.title_keys if document.metadata.get(key)]
        return " - ".join(parts) or None

    def _event_failed(self, error: Exception) -> None:
        self.pruner.faults.record("pruning event", error, "the context was pruned, but the ledger may not say so")


def _event(result: PruneResult, callbacks: Callbacks | None) -> tuple[dict[str, Any], RunnableConfig] | None:
    """Return data and config of the event for the meter; ``None`` where there is no run it could belong to."""
    mark = result.mark()
    config = ensure_config({"callbacks": callbacks} if callbacks is not None else None)
    if mark is None or get_callback_manager_for_config(config).parent_run_id is None:
        return None
    return mark.to_dict(), config


def _documents(documents: Sequence[Document], result: PruneResult) -> Sequence[Document]:
    if not result.applied:
        return documents
    return [
        Document(
            page_content=passage.text,
            metadata=_with_spans(documents[passage.index].metadata, [[s.start, s.end] for s in passage.spans]),
            id=documents[passage.index].id,
        )
        for passage in result.passages
    ]


def _with_spans(metadata: dict[str, Any], spans: list[list[int]]) -> dict[str, Any]:
    ours = metadata.get(MARK)
    return {**metadata, MARK: {**(ours if isinstance(ours, dict) else {}), "spans": spans}}
