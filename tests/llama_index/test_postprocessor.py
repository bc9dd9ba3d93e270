"""Do LlamaIndex nodes come back cut, in order and otherwise as they were?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding, SummaryIndex, VectorStoreIndex
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import MockLLM
from llama_index.core.schema import (
    ImageNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)

from lc_costkit.errors import ConfigurationError
from lc_costkit.llama_index.postprocessor import PruneEvent, PruningPostprocessor
from lc_costkit.marks import PruneMark
from lc_costkit.pruning import Pruner, Sentence

QUESTION = "Who painted Guernica?"
ANSWER = "Guernica was painted by Pablo Picasso."
ART = f"It rained. {ANSWER} It hangs in Madrid."


def words(text: str) -> int:
    return len(text.split())


def nodes() -> list[NodeWithScore]:
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id="doc")}
    return [
        NodeWithScore(node=TextNode(id_="one", text="Bread is brown. It is baked."), score=0.9),
        NodeWithScore(
            node=TextNode(id_="two", text=ART, metadata={"title": "Art"}, relationships=source, embedding=[1.0]),
            score=0.5,
        ),
    ]


class Events(BaseEventHandler):
    seen: list[Any] = []  # noqa: RUF012  pydantic copies it

    def handle(self, event: Any, **kwargs: Any) -> None:
        if isinstance(event, PruneEvent):
            self.seen.append(event)


@pytest.fixture
def events() -> Iterator[Events]:
    handler, root = Events(seen=[]), get_dispatcher()
    root.add_event_handler(handler)
    yield handler
    root.event_handlers.remove(handler)


def test_nodes_are_cut_and_keep_who_they_are() -> None:
    given = nodes()
    before = [scored.model_copy(deep=True) for scored in given]
    [kept] = PruningPostprocessor(max_tokens=7, counter=words).postprocess_nodes(given, query_str=QUESTION)
    assert (kept.node.node_id, kept.score, kept.text) == ("two", 0.5, ANSWER)
    assert kept.node.relationships == before[1].node.relationships
    assert kept.metadata == {"title": "Art", "lc_costkit": {"spans": [[11, 49]]}}
    assert given == before
    json.dumps(kept.metadata)


def test_the_spans_are_not_shown_to_the_model_nor_the_embedder() -> None:
    [kept] = PruningPostprocessor(max_tokens=7, counter=words).postprocess_nodes(nodes(), query_str=QUESTION)
    assert kept.get_content(MetadataMode.LLM) == f"title: Art\n\n{ANSWER}"
    assert kept.get_content(MetadataMode.EMBED) == f"title: Art\n\n{ANSWER}"


def test_without_a_query_nothing_changes() -> None:
    given = nodes()
    assert PruningPostprocessor(max_tokens=1).postprocess_nodes(given) is given
    assert PruningPostprocessor(max_tokens=1).postprocess_nodes([], query_str=QUESTION) == []


def test_images_and_other_kinds_of_node_survive() -> None:
    given = [
        NodeWithScore(node=ImageNode(id_="image", image="aGk="), score=0.4),
        NodeWithScore(node=Node(id_="node", text_resource=MediaResource(text=ART)), score=0.3),
    ]
    image, node = PruningPostprocessor(max_tokens=7, counter=words).postprocess_nodes(given, query_str=QUESTION)
    assert image is given[0]
    assert node.node.get_content() == ANSWER
    assert given[1].node.get_content() == ART


def test_the_meter_is_told(events: Events) -> None:
    PruningPostprocessor(max_tokens=7, counter=words).postprocess_nodes(nodes(), query_str=QUESTION)
    [event] = events.seen
    mark = PruneMark.from_dict(event.mark)
    assert mark is not None
    assert (mark.kept_tokens, mark.removed_tokens, mark.observed) == (6, 12, False)
    assert event.class_name() == "PruneEvent"
    json.dumps(event.mark)


async def test_async_gives_the_same(events: Events) -> None:
    pruning = PruningPostprocessor(max_tokens=7, counter=words)
    [kept] = await pruning.apostprocess_nodes(nodes(), query_bundle=QueryBundle(QUESTION))
    assert kept.text == ANSWER
    assert len(events.seen) == 1


@pytest.mark.parametrize("index_class", [SummaryIndex, VectorStoreIndex])
def test_it_works_in_a_query_engine(index_class: Any, events: Events) -> None:
    documents = [Document(text=ART, metadata={"title": "Art"}), Document(text="Bread is brown. It is baked.")]
    options = {"embed_model": MockEmbedding(4)} if index_class is VectorStoreIndex else {}
    index = index_class.from_documents(documents, **options)
    pruning = PruningPostprocessor(max_tokens=7, counter=words)
    response = index.as_query_engine(llm=MockLLM(), node_postprocessors=[pruning]).query(QUESTION)
    assert [scored.text for scored in response.source_nodes] == [ANSWER]
    # MockLLM answers with the prompt it was given.
    assert ANSWER in str(response)
    assert "Madrid" not in str(response)
    assert "spans" not in str(response)
    assert events.seen[0].span_id is not None


async def test_it_works_in_an_async_query_engine() -> None:
    index = SummaryIndex.from_documents([Document(text=ART)])
    pruning = PruningPostprocessor(max_tokens=7, counter=words)
    response = await index.as_query_engine(llm=MockLLM(), node_postprocessors=[pruning]).aquery(QUESTION)
    assert [scored.text for scored in response.source_nodes] == [ANSWER]


def test_observing_disabled_and_faulty_it_returns_the_nodes_given(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(question: str, sentences: Sequence[Sentence]) -> list[float]:
        raise OSError("gone")

    given = nodes()
    observing = PruningPostprocessor(max_tokens=7, counter=words, mode="observe")
    assert observing.postprocess_nodes(given, query_str=QUESTION) is given
    assert events.seen[0].mark["observed"] is True
    faulty = PruningPostprocessor(keep=0.1, scorer=broken)
    assert faulty.postprocess_nodes(given, query_str=QUESTION) is given
    assert faulty.pruner.faults.counts == {"pruning: OSError": 1}
    monkeypatch.setattr(TextNode, "set_content", lambda self, value: broken("", []))
    refused = PruningPostprocessor(max_tokens=7, counter=words)
    assert refused.postprocess_nodes(given, query_str=QUESTION) is given
    assert refused.pruner.faults.counts == {"pruned nodes: OSError": 1}
    monkeypatch.setenv("LC_COSTKIT_DISABLE", "1")
    assert PruningPostprocessor(max_tokens=1).postprocess_nodes(given, query_str=QUESTION) is given
    assert len(events.seen) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "neither was given"),
        ({"max_tokens": -1}, "max_tokens must be"),
        ({"pruner": Pruner(keep=0.5), "keep": 0.5}, "either pruner or its options"),
        ({"pruner": "lexical"}, "pruner must be"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        PruningPostprocessor(**options)
