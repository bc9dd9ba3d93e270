"""Is a pruning retriever a drop-in for the one it wraps?"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests

from lc_costkit import ContextPruner, PruningRetriever
from lc_costkit.errors import ConfigurationError
from lc_costkit.marks import PRUNE_EVENT

TEXTS = [
    "Guernica was painted by Pablo Picasso. It rained that day.",
    "Bread is brown. It is baked in an oven.",
    "Water boils at 100 degrees. Ice is cold.",
    "Cats sleep. Dogs bark.",
    "Paris is in France. Berlin is in Germany.",
]
QUESTION = "Who painted Guernica?"


def words(text: str) -> int:
    return len(text.split())


class Listed(BaseRetriever):
    """Returns the first ``k`` of its texts; takes no ``k`` in ``invoke``."""

    k: int = 4
    is_async_called: bool = False

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document(text) for text in TEXTS[: self.k]]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        await asyncio.sleep(0)
        self.is_async_called = True
        return [Document(text) for text in TEXTS[: self.k]]


def vector_retriever() -> BaseRetriever:
    store = InMemoryVectorStore.from_texts(TEXTS, DeterministicFakeEmbedding(size=16))
    return store.as_retriever()


class TestStandardOnAVectorStore(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> type[PruningRetriever]:
        return PruningRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"retriever": vector_retriever(), "pruner": ContextPruner(max_tokens=2_000)}

    @property
    def retriever_query_example(self) -> str:
        return QUESTION


class TestStandardOnAPlainRetriever(TestStandardOnAVectorStore):
    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"retriever": Listed(), "pruner": ContextPruner(keep=0.9)}


@pytest.fixture
def pruner() -> ContextPruner:
    return ContextPruner(max_tokens=7, counter=words)


def test_documents_are_pruned(pruner: ContextPruner) -> None:
    [kept] = PruningRetriever(Listed(), pruner=pruner).invoke(QUESTION)
    assert kept.page_content == "Guernica was painted by Pablo Picasso."


async def test_async_is_async_all_the_way(pruner: ContextPruner) -> None:
    inner = Listed()
    retriever = PruningRetriever(inner, pruner=pruner)
    [kept] = await retriever.ainvoke(QUESTION)
    assert kept.page_content == "Guernica was painted by Pablo Picasso."
    assert inner.is_async_called
    batches = await retriever.abatch([QUESTION, "What is brown?"])
    assert batches[0] == [kept]
    assert "Bread is brown." in [document.page_content for document in batches[1]]


def test_k_reaches_a_vector_store_and_can_go_above_its_default() -> None:
    retriever = PruningRetriever(vector_retriever(), pruner=ContextPruner(keep=1), k=2)
    assert len(retriever.invoke(QUESTION)) == 2
    assert len(retriever.invoke(QUESTION, k=5)) == 5


def test_a_runnable_is_a_retriever(pruner: ContextPruner) -> None:
    found = RunnableLambda(lambda question: [Document(text) for text in TEXTS])
    assert len(PruningRetriever(found, pruner=pruner).invoke(QUESTION)) == 1
    assert len(PruningRetriever(found, pruner=ContextPruner(keep=1)).invoke(QUESTION, k=3)) == 3


def test_it_stands_in_a_chain(pruner: ContextPruner) -> None:
    retriever = PruningRetriever(Listed(), pruner=pruner, tags=["rag"], metadata={"feature": "support"})
    prompt = ChatPromptTemplate.from_template("{context}\n\n{question}")
    chain = {
        "context": retriever | (lambda documents: "\n".join(d.page_content for d in documents)),
        "question": RunnablePassthrough(),
    } | prompt
    assert chain.invoke(QUESTION).to_string() == (
        "Human: Guernica was painted by Pablo Picasso.\n\nWho painted Guernica?"
    )


def test_the_event_and_the_inner_run_hang_on_ours(pruner: ContextPruner) -> None:
    class Tree(BaseCallbackHandler):
        def __init__(self) -> None:
            self.parents: dict[Any, Any] = {}
            self.events: list[tuple[str, Any]] = []

        def on_retriever_start(self, *args: Any, run_id: Any, parent_run_id: Any = None, **kwargs: Any) -> None:
            self.parents[run_id] = parent_run_id

        def on_custom_event(self, name: str, data: Any, *, run_id: Any, **kwargs: Any) -> None:
            self.events.append((name, run_id))

    tree = Tree()
    PruningRetriever(Listed(), pruner=pruner).invoke(QUESTION, {"callbacks": [tree]})
    outer, inner = tree.parents
    assert tree.parents == {outer: None, inner: outer}
    assert tree.events == [(PRUNE_EVENT, outer)]


@pytest.mark.parametrize("variable", ["0", "1"])
def test_disabled_or_observing_it_is_the_wrapped_retriever(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_COSTKIT_DISABLE", variable)
    observing = ContextPruner(max_tokens=1, mode="observe" if variable == "0" else "on")
    assert PruningRetriever(Listed(), pruner=observing).invoke(QUESTION) == Listed().invoke(QUESTION)


def test_an_error_of_the_wrapped_retriever_is_the_users(pruner: ContextPruner) -> None:
    def fails(question: str) -> list[Document]:
        raise ConnectionError("index is down")

    with pytest.raises(ConnectionError, match="index is down"):
        PruningRetriever(RunnableLambda(fails), pruner=pruner).invoke(QUESTION)


def test_nothing_found_is_nothing(pruner: ContextPruner) -> None:
    assert PruningRetriever(RunnableLambda(lambda question: []), pruner=pruner).invoke(QUESTION) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"retriever": lambda question: []}, "wrap a function in RunnableLambda"),
        ({"retriever": None}, "retriever is None"),
        ({"retriever": Listed}, "retriever is <class"),
        ({"pruner": None}, "pruner is None"),
        ({"k": 0}, "k must be a whole number of at least 1 or None, not 0"),
        ({"k": 1.5}, "not 1.5"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str, pruner: ContextPruner) -> None:
    given = {"retriever": Listed(), "pruner": pruner, **arguments}
    with pytest.raises(ConfigurationError, match=message):
        PruningRetriever(**given)


def test_an_unknown_option_is_refused_not_ignored() -> None:
    found = RunnableLambda(lambda question: [Document("Water boils at 100 degrees.")])
    with pytest.raises(ConfigurationError, match="PruningRetriever has no option 'mode'"):
        PruningRetriever(found, pruner=ContextPruner(keep=0.5), mode="observe")
    with pytest.raises(ConfigurationError, match="ContextPruner has no option 'max_token'; did you mean 'max_tokens'"):
        ContextPruner(max_token=5)  # type: ignore[call-arg]
