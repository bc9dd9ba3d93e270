"""Do LangChain documents come back cut, in order and otherwise as they were?"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda

from lc_costkit import ContextPruner
from lc_costkit.errors import ConfigurationError
from lc_costkit.marks import PRUNE_EVENT, PruneMark
from lc_costkit.pruning import Pruner, Sentence

QUESTION = "Who painted Guernica?"
DOCUMENTS = [
    Document("Bread is brown. It is baked.", metadata={"source": "a", "n": 1}, id="one"),
    Document(
        "It rained. Guernica was painted by Pablo Picasso. It hangs in Madrid.", metadata={"title": "Art"}, id="two"
    ),
]


def words(text: str) -> int:
    return len(text.split())


class Events(BaseCallbackHandler):
    def __init__(self) -> None:
        self.seen: list[tuple[str, Any, UUID]] = []

    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.seen.append((name, data, run_id))


class Stateful(Document):
    """Like the documents that LangChain's embedding filters leave behind."""

    state: dict[str, list[float]] = {"embedded_doc": [0.1]}  # noqa: RUF012  pydantic copies it


def test_documents_are_cut_and_keep_who_they_are() -> None:
    before = [document.model_copy(deep=True) for document in DOCUMENTS]
    [kept] = ContextPruner(max_tokens=7, counter=words).compress_documents(DOCUMENTS, QUESTION)
    assert kept == Document(
        "Guernica was painted by Pablo Picasso.",
        metadata={"title": "Art", "lc_costkit": {"spans": [[11, 49]]}},
        id="two",
    )
    assert before == DOCUMENTS
    [[start, end]] = kept.metadata["lc_costkit"]["spans"]
    assert DOCUMENTS[1].page_content[start:end] == kept.page_content
    json.dumps(kept.metadata)


def test_documents_are_plain_whatever_came_in() -> None:
    documents = [Stateful(page_content="Picasso painted Guernica. It rained.", metadata={})]
    [kept] = ContextPruner(keep=0.6, counter=words).compress_documents(documents, QUESTION)
    assert type(kept) is Document
    assert "state" not in kept.model_dump()


def test_order_stays_and_a_document_that_fits_is_marked_too() -> None:
    kept = ContextPruner(max_tokens=1_000).compress_documents(DOCUMENTS, QUESTION)
    assert [d.page_content for d in kept] == [d.page_content for d in DOCUMENTS]
    assert [d.metadata["lc_costkit"]["spans"] for d in kept] == [[[0, len(d.page_content)]] for d in DOCUMENTS]


@pytest.mark.parametrize("title_keys", ["name", ("name",), lambda document: document.metadata["name"]])
def test_titles_come_from_the_metadata(title_keys: Any) -> None:
    documents = [
        Document("It was opened in 1990.", metadata={"name": "Tower of London"}),
        Document("It was opened in 1889.", metadata={"name": "Eiffel Tower"}),
    ]
    pruner = ContextPruner(max_tokens=6, counter=words, title_keys=title_keys)
    [kept] = pruner.compress_documents(documents, "When was the Eiffel Tower opened?")
    assert "1889" in kept.page_content


def test_a_title_that_fails_is_a_fault_not_an_error() -> None:
    pruner = ContextPruner(keep=0.5, title_keys=lambda document: document.metadata["missing"])
    assert pruner.compress_documents(DOCUMENTS, QUESTION)
    assert pruner.pruner.faults.counts == {"title: KeyError": 2}


async def test_async_gives_the_same_and_leaves_the_loop_free() -> None:
    loop_thread = threading.get_ident()
    threads: set[int] = set()

    def slow(question: str, sentences: Sequence[Sentence]) -> list[float]:
        threads.add(threading.get_ident())
        time.sleep(0.2)
        return [float("Picasso" in s.text) for s in sentences]

    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    ticking = asyncio.create_task(tick())
    kept = await ContextPruner(max_tokens=7, counter=words, scorer=slow).acompress_documents(DOCUMENTS, QUESTION)
    ticking.cancel()
    assert [d.page_content for d in kept] == ["Guernica was painted by Pablo Picasso."]
    assert threads.isdisjoint({loop_thread})
    assert ticks > 2


def test_the_meter_is_told_inside_a_run() -> None:
    events = Events()
    pruner = ContextPruner(max_tokens=7, counter=words)
    chain = RunnableLambda(lambda question: pruner.compress_documents(DOCUMENTS, question))
    chain.invoke(QUESTION, {"callbacks": [events]})
    [(name, data, run_id)] = events.seen
    mark = PruneMark.from_dict(data)
    assert name == PRUNE_EVENT
    assert isinstance(run_id, UUID)
    assert mark is not None
    assert (mark.kept_tokens, mark.removed_tokens, mark.observed, mark.estimated) == (6, 12, False, False)
    json.dumps(data)


async def test_the_meter_is_told_inside_an_async_run() -> None:
    class AsyncEvents(AsyncCallbackHandler):
        seen: list[str] = []  # noqa: RUF012

        async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            self.seen.append(name)

    events, plain = AsyncEvents(), Events()
    pruner = ContextPruner(max_tokens=7, counter=words)

    async def prune(question: str) -> Sequence[Document]:
        return await pruner.acompress_documents(DOCUMENTS, question)

    await RunnableLambda(prune).ainvoke(QUESTION, {"callbacks": [events, plain]})
    assert events.seen == [PRUNE_EVENT]
    assert [name for name, _, _ in plain.seen] == [PRUNE_EVENT]


async def test_outside_a_run_there_is_nobody_to_tell() -> None:
    events = Events()
    pruner = ContextPruner(max_tokens=7, counter=words)
    assert pruner.compress_documents(DOCUMENTS, QUESTION, callbacks=[events])
    assert await pruner.acompress_documents(DOCUMENTS, QUESTION)
    assert events.seen == []
    assert pruner.pruner.faults.total == 0


def test_a_handler_that_raises_does_not_lose_the_documents() -> None:
    class Raises(Events):
        raise_error = True

        def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            raise RuntimeError("handler")

    pruner = ContextPruner(max_tokens=7, counter=words)
    chain = RunnableLambda(lambda question: pruner.compress_documents(DOCUMENTS, question))
    assert len(chain.invoke(QUESTION, {"callbacks": [Raises()]})) == 1
    assert pruner.pruner.faults.counts == {"pruning event: RuntimeError": 1}


def test_observe_returns_the_documents_given_and_says_what_it_would_have_done() -> None:
    events = Events()
    pruner = ContextPruner(max_tokens=7, counter=words, mode="observe")
    chain = RunnableLambda(lambda question: pruner.compress_documents(DOCUMENTS, question))
    assert chain.invoke(QUESTION, {"callbacks": [events]}) is DOCUMENTS
    [(_, data, _)] = events.seen
    assert data["observed"] is True
    assert data["removed_tokens"] == 12


def test_disabled_and_faulty_pruners_return_the_documents_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(question: str, sentences: Sequence[Sentence]) -> list[float]:
        raise OSError("gone")

    assert ContextPruner(keep=0.1, scorer=broken).compress_documents(DOCUMENTS, QUESTION) is DOCUMENTS
    monkeypatch.setenv("LC_COSTKIT_DISABLE", "1")
    assert ContextPruner(keep=0.1).compress_documents(DOCUMENTS, QUESTION) is DOCUMENTS


def test_nothing_in_nothing_out() -> None:
    assert list(ContextPruner(keep=0.1).compress_documents([], QUESTION)) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "neither was given"),
        ({"max_tokens": 0}, "max_tokens must be"),
        ({"keep": 2}, "keep must be"),
        ({"max_tokens": 5, "keep": 0.5}, "both were given"),
        ({"pruner": Pruner(keep=0.5), "keep": 0.5}, "either pruner or its options"),
        ({"pruner": "lexical"}, "pruner must be"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ContextPruner(**options)
