"""How does a pruner work on LlamaIndex nodes?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle

from lc_costkit.errors import ConfigurationError, refuse_unknown
from lc_costkit.marks import MARK
from lc_costkit.pruning import Passage, PruneOptions, Pruner, PruneResult, Span

TITLE_KEYS = ("title", "document_title", "header_path")
"""Metadata keys that LlamaIndex's title extractor and Markdown parser, and common readers, put a title under."""


class PruneEvent(BaseEvent):
    """Says that a context was pruned.

    Attributes:
        mark: a ``PruneMark`` as a mapping.
    """

    mark: dict[str, Any]

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the event."""
        return "PruneEvent"


class PruningPostprocessor(BaseNodePostprocessor):
    """Keeps the sentences of nodes that matter for a query, within a token budget.

    Nodes come back as copies in the order given, with id, score, relationships and metadata; one
    with nothing left is left out (an image stays), and at least one is returned. The budget counts
    the text only, not the metadata that LlamaIndex writes before it. ``metadata["lc_costkit"]["spans"]``
    lists the pieces that were kept, as ``[start, end]`` in characters of the text that came in, and
    is shown to neither the model nor the embedder. Without a query, in observe mode, under
    ``LC_COSTKIT_DISABLE=1`` and on a fault, the nodes given are returned, untouched.

    Args:
        title_keys: metadata keys whose values, joined, are the title of a node. Titles help scoring;
            they are neither pruned nor counted.
        pruner: a ready ``lc_costkit.pruning.Pruner``, instead of the options.
        options: those of ``lc_costkit.pruning.Pruner``: ``max_tokens`` or ``keep`` is needed.

    Raises:
        ConfigurationError: as ``Pruner``, or ``pruner`` and options are both given.

    >>> from llama_index.core.schema import TextNode
    >>> node = TextNode(text="It rained all day. Guernica was painted by Picasso. It hangs in Madrid.")
    >>> pruning = PruningPostprocessor(max_tokens=8)
    >>> [kept] = pruning.postprocess_nodes([NodeWithScore(node=node)], query_str="Who painted Guernica?")
    >>> kept.text
    'Guernica was painted by Picasso.'
    """

    title_keys: Sequence[str] = TITLE_KEYS
    _pruner: Pruner = PrivateAttr()

    def __init__(
        self,
        *,
        pruner: Pruner | None = None,
        title_keys: Sequence[str] = TITLE_KEYS,
        **options: Unpack[PruneOptions],
    ) -> None:
        refuse_unknown("PruningPostprocessor", options, {*PruneOptions.__annotations__, "pruner", "title_keys"})
        if pruner is None:
            pruner = Pruner(**options)
        elif options:
            raise ConfigurationError(f"give either pruner or its options, not both ({', '.join(options)})")
        elif not isinstance(pruner, Pruner):
            raise ConfigurationError(f"pruner must be a lc_costkit.pruning.Pruner, not {pruner!r}")
        fields: dict[str, Any] = {"title_keys": (title_keys,) if isinstance(title_keys, str) else title_keys}
        super().__init__(**fields)
        self._pruner = pruner

    @property
    def pruner(self) -> Pruner:
        """The framework-free pruner; ``pruner.faults.counts`` tells what went wrong."""
        return self._pruner

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex serialises it."""
        return "PruningPostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            return nodes
        passages = [Passage(_content(scored.node), self._title(scored.node)) for scored in nodes]
        result = self._pruner.prune(passages, query_bundle.query_str)
        mark = result.mark()
        if mark is not None:
            try:
                get_dispatcher(__name__).event(PruneEvent(mark=mark.to_dict()))
            except Exception as error:
                self._pruner.faults.record(
                    "pruning event", error, "the context was pruned, but the ledger may not say so"
                )
        if not result.applied:
            return nodes
        try:
            return _pruned(nodes, result)
        except Exception as error:
            self._pruner.faults.record("pruned nodes", error, "a node refused its new text; the nodes went out whole")
            return nodes

    def _title(self, node: BaseNode) -> str | None:
        parts = [str(node.metadata[key]) for key in self.title_keys if node.metadata.get(key)]
        return " - ".join(parts) or None


def _content(node: BaseNode) -> str:
    return node.get_content(metadata_mode=MetadataMode.NONE)


def _pruned(nodes: Sequence[NodeWithScore], result: PruneResult) -> list[NodeWithScore]:
    kept = {passage.index: passage for passage in result.passages}
    pruned = []
    for index, scored in enumerate(nodes):
        if index in kept:
            node = _cut(scored.node, kept[index].text, kept[index].spans)
            pruned.append(NodeWithScore(node=node, score=scored.score))
        elif not _content(scored.node).strip():
            # An image: it has no words to judge it by.
            pruned.append(scored)
    return pruned


def _cut(node: BaseNode, text: str, spans: Sequence[Span]) -> BaseNode:
    copy = node.model_copy()
    ours = node.metadata.get(MARK)
    mark = {**(ours if isinstance(ours, dict) else {}), "spans": [[span.start, span.end] for span in spans]}
    copy.metadata = {**node.metadata, MARK: mark}
    copy.excluded_llm_metadata_keys = [*node.excluded_llm_metadata_keys, MARK]
    copy.excluded_embed_metadata_keys = [*node.excluded_embed_metadata_keys, MARK]
    if text != _content(node):
        copy.set_content(text)
    return copy
