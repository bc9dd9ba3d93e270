"""Is what LangChain's embeddings cost in the ledger, to the last digit, and nothing twice?"""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import OpenAIEmbeddings

from lc_costkit import ModelPrice, PriceBook, SemanticCache, metered_embeddings
from lc_costkit.cache.aside import calling_aside
from lc_costkit.embedding import as_embedder
from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain.callbacks import CostCallbackHandler
from lc_costkit.ledger import Ledger
from lc_costkit.testing import FakeProvider, Fault
from tests.conftest import chat_openai, openai_embeddings

TEXTS = ["How do I freeze my card?", "카드 한도를 어떻게 올리나요?", "x"]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as opened:
        yield opened


class PaidEmbeddings(Embeddings):
    """A service that says nothing of what it used."""

    model = "text-embedding-3-small"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if "fail" in texts:
            raise TimeoutError
        return [[1.0, 0.0]] * len(texts)

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def as_messages(found: list[Document]) -> list[HumanMessage]:
    return [HumanMessage(str([document.page_content for document in found]))]


async def every_way(embeddings: Embeddings) -> None:
    embeddings.embed_query(TEXTS[0])
    embeddings.embed_documents(TEXTS)
    await embeddings.aembed_query(TEXTS[1])
    await embeddings.aembed_documents(TEXTS)


async def test_the_ledger_equals_the_bill(provider: FakeProvider, ledger: Ledger) -> None:
    plain = openai_embeddings(provider, dimensions=8, chunk_size=2)
    metered = metered_embeddings(plain, ledger, feature="search", user="u1", team="blue", metadata={"region": "eu"})
    assert isinstance(metered, OpenAIEmbeddings)
    await every_way(metered)
    records = list(ledger.records())
    assert ledger.report().total.usd == provider.billed_usd > 0
    # Three texts in batches of two are two requests.
    assert len(records) == len(provider.log) == 6
    for record in records:
        assert (record.framework, record.operation, record.provider) == ("langchain", "embedding", "openai")
        assert (record.model_asked, record.cost.basis) == ("text-embedding-3-small", "exact")
        assert (record.feature, record.user, record.team, record.metadata) == ("search", "u1", "blue", {"region": "eu"})
        assert record.tokens_by_part == {"context": record.usage.input_tokens}
    await every_way(plain)
    assert len(ledger) == 6, "what was wrapped is not changed"
    assert ledger.faults.counts == {}


def test_tokens_that_the_client_made_itself_are_billed_alike(provider: FakeProvider, ledger: Ledger) -> None:
    embeddings = openai_embeddings(provider, dimensions=8).model_copy(update={"check_embedding_ctx_length": True})
    metered_embeddings(embeddings, ledger).embed_documents([*TEXTS, "a long text " * 9000])
    assert {type(one) for one in (provider.log[0].body or {})["input"]} == {list}
    assert ledger.report().total.usd == provider.billed_usd > 0


def test_errors_are_recorded_and_raised_and_retries_inside_are_one_call(provider: FakeProvider, ledger: Ledger) -> None:
    embeddings = metered_embeddings(openai_embeddings(provider, dimensions=8, max_retries=3), ledger)
    provider.fail_next(Fault.server_error(), times=2)
    assert len(embeddings.embed_query("one")) == 8
    provider.fail_next(Fault.refused())
    with pytest.raises(Exception, match="400"):
        embeddings.embed_query("two")
    first, second = ledger.records()
    assert (first.error, first.cost.basis, first.cost.usd) == (None, "exact", provider.billed_usd)
    assert (second.error, second.cost.usd) == ("BadRequestError", Decimal(0))


def test_a_ledger_that_is_gone_loses_no_vector(provider: FakeProvider, ledger: Ledger) -> None:
    embeddings = metered_embeddings(openai_embeddings(provider, dimensions=8), ledger)
    ledger.close()
    assert len(embeddings.embed_query("x")) == 8
    assert list(ledger.faults.counts) == ["metering: StoreError"]


async def test_other_embeddings_are_counted_and_estimated(ledger: Ledger) -> None:
    embeddings = metered_embeddings(PaidEmbeddings(), ledger)
    assert isinstance(embeddings, Embeddings)
    assert embeddings.model == "text-embedding-3-small"
    await every_way(embeddings)
    with pytest.raises(TimeoutError):
        embeddings.embed_documents(["fail"])
    records = list(ledger.records())
    assert [record.cost.basis for record in records] == ["estimated"] * 5
    assert [record.error for record in records] == [None] * 4 + ["TimeoutError"]
    assert ledger.report().total.usd > 0
    assert records[1].usage.input_tokens == records[3].usage.input_tokens > records[0].usage.input_tokens


def test_what_runs_here_is_free_unless_it_was_given_a_price(ledger: Ledger) -> None:
    metered_embeddings(DeterministicFakeEmbedding(size=3), ledger).embed_query("x")
    assert [record.cost.usd for record in ledger.records()] == [Decimal(0)]

    class HuggingFaceEmbeddings(PaidEmbeddings):
        model = "bge-m3"

    metered_embeddings(HuggingFaceEmbeddings(), ledger).embed_query("x")
    prices = PriceBook(overrides={"bge-m3": ModelPrice(input_per_million="1000000")})
    metered_embeddings(HuggingFaceEmbeddings(), ledger, prices=prices).embed_query("x")
    assert [record.cost.usd for record in ledger.records()] == [Decimal(0), Decimal(0), Decimal(1)]


def test_a_service_that_names_no_model_is_unpriced(ledger: Ledger) -> None:
    class Nameless(PaidEmbeddings):
        model = ""

    metered_embeddings(Nameless(), ledger).embed_query("x")
    assert [record.cost.basis for record in ledger.records()] == ["unpriced"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_chain_says_whom_its_embeddings_are_for(provider: FakeProvider, ledger: Ledger, asynchronous: bool) -> None:
    embeddings = metered_embeddings(openai_embeddings(provider, dimensions=8), ledger, feature="index", team="blue")
    store = InMemoryVectorStore(embeddings)
    store.add_texts(TEXTS)
    model = chat_openai(provider)
    chain = store.as_retriever() | RunnableLambda(as_messages) | model
    config: Any = {
        "callbacks": [CostCallbackHandler(ledger)],
        "metadata": {"feature": "support", "user": "u9", "ticket": 7},
        "tags": ["beta"],
    }
    if asynchronous:
        asyncio.run(chain.ainvoke("How do I freeze my card?", config=config))
    else:
        chain.invoke("How do I freeze my card?", config=config)
    ledger.flush()
    # From an event loop they are written on another thread, maybe after what came later.
    indexed, asked, answered = sorted(ledger.records(), key=lambda record: record.started_at)
    assert (indexed.feature, indexed.user, indexed.team) == ("index", None, "blue")
    assert (asked.operation, asked.feature, asked.user, asked.team) == ("embedding", "support", "u9", "blue")
    assert (asked.tags, asked.metadata) == (("beta",), {"ticket": 7})
    assert asked.trace_id == answered.trace_id != indexed.trace_id
    assert asked.parent_id == answered.parent_id
    assert ledger.report().total.usd == provider.billed_usd


def test_a_cache_reports_what_its_lookups_cost_and_nobody_else(provider: FakeProvider, ledger: Ledger) -> None:
    plain = openai_embeddings(provider, dimensions=8)
    embeddings = metered_embeddings(plain, ledger)
    assert as_embedder(embeddings).identity == as_embedder(plain).identity
    assert as_embedder(metered_embeddings(PaidEmbeddings(), ledger)).identity == as_embedder(PaidEmbeddings()).identity
    with SemanticCache(embedder=embeddings, similarity_threshold=0.9) as cache:
        model = chat_openai(provider, cache=cache)
        model.invoke("How do I freeze my card?", config={"callbacks": [CostCallbackHandler(ledger)]})
        # To learn the scale of the vectors, which is no lookup's, texts are embedded once.
        before = [record.operation for record in ledger.records()]
        model.invoke("How much is a new card?", config={"callbacks": [CostCallbackHandler(ledger)]})
        after = [record.operation for record in ledger.records()]
        assert after[len(before) :] == ["chat"]
        assert min(record.side_cost_usd for record in ledger.records(operation="chat")) > 0
    written = len(ledger)
    with calling_aside("lookup"):
        embeddings.embed_query("x")
    assert len(ledger) == written


def test_threads_take_nothing_from_each_other_and_a_vector_store_is_one_bill(
    provider: FakeProvider, ledger: Ledger
) -> None:
    metered = metered_embeddings(openai_embeddings(provider, dimensions=8), ledger)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(metered.embed_query, ["word " * number for number in range(1, 30)]))
    assert sorted(record.usage.input_tokens for record in ledger.records()) == sorted(
        (call.usage or {})["prompt_tokens"] for call in provider.log
    )
    InMemoryVectorStore.from_texts(TEXTS, embedding=metered).similarity_search("x")
    assert ledger.report().total.usd == provider.billed_usd
    assert len(ledger) == len(provider.log) == 31


def test_the_switch_turns_it_off(provider: FakeProvider, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_COSTKIT_DISABLE", "1")
    assert len(metered_embeddings(openai_embeddings(provider, dimensions=8), ledger).embed_query("x")) == 8
    assert len(ledger) == 0


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))],  # noqa: S301
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_write_to_the_same_ledger(tmp_path: Path, copied: Callable[[Any], Any]) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        made = copied(metered_embeddings(PaidEmbeddings(), ledger, feature="search"))
        made.embed_query("x")
        made._meter.ledger.flush()
        assert [record.feature for record in ledger.records()] == ["search"]
        if made._meter.ledger is not ledger:
            made._meter.ledger.close()


def test_a_ledger_in_memory_says_why_it_cannot_be_sent_elsewhere(ledger: Ledger) -> None:
    with pytest.raises(TypeError, match="in memory cannot be pickled"):
        pickle.dumps(metered_embeddings(PaidEmbeddings(), ledger))


@pytest.mark.parametrize(
    ("embeddings", "options", "word"),
    [
        (FakeListChatModel(responses=["x"]), {}, "must be a LangChain Embeddings"),
        (PaidEmbeddings, {}, "must be a LangChain Embeddings"),
        (PaidEmbeddings(), {"prices": 3}, "prices must be a PriceBook"),
        (PaidEmbeddings(), {"metadata": ["a"]}, "metadata must be a mapping"),
    ],
)
def test_bad_arguments_are_refused(embeddings: Any, options: dict[str, Any], word: str, ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match=word):
        metered_embeddings(embeddings, ledger, **options)


def test_nothing_is_metered_twice(provider: FakeProvider, ledger: Ledger) -> None:
    for embeddings in (PaidEmbeddings(), openai_embeddings(provider)):
        with pytest.raises(ConfigurationError, match="metered already"):
            metered_embeddings(metered_embeddings(embeddings, ledger), ledger)
    with pytest.raises(ConfigurationError, match="ledger must be a Ledger"):
        metered_embeddings(PaidEmbeddings(), "l.db")  # type: ignore[arg-type]


async def test_a_cancelled_call_is_recorded_as_an_estimate(ledger: Ledger) -> None:
    class Slow(PaidEmbeddings):
        async def aembed_query(self, text: str) -> list[float]:
            await asyncio.sleep(30)
            return []

    task = asyncio.create_task(metered_embeddings(Slow(), ledger).aembed_query("How do I freeze my card?"))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ledger.flush()
    (record,) = ledger.records()
    assert (record.error, record.cost.basis, record.interrupted) == ("CancelledError", "estimated", True)
