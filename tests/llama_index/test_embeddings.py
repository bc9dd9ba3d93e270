"""Is what LlamaIndex's embeddings cost in the ledger, to the last digit, and nothing twice?"""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_index_instrumentation.dispatcher import instrument_tags

from lc_costkit.cache.aside import calling_aside
from lc_costkit.embedding import as_embedder
from lc_costkit.errors import ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index import instrument, metered_embedding
from lc_costkit.testing import FakeProvider, Fault
from tests.support.llama_embedding import OpenAIEmbedding
from tests.support.llama_openai import OpenAIFunctionLLM

TEXTS = ["How do I freeze my card?", "카드 한도를 어떻게 올리나요?", "x"]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as opened:
        yield opened


@pytest.fixture
def model(provider: FakeProvider) -> OpenAIEmbedding:
    return OpenAIEmbedding(base_url=provider.openai_base_url, embed_batch_size=2)


async def every_way(model: BaseEmbedding) -> None:
    model.get_query_embedding(TEXTS[0])
    model.get_text_embedding(TEXTS[1])
    model.get_text_embedding_batch(TEXTS)
    await model.aget_query_embedding(TEXTS[0])
    await model.aget_text_embedding(TEXTS[1])
    await model.aget_text_embedding_batch(TEXTS)


@pytest.mark.parametrize("instrumented", [False, True])
async def test_the_ledger_equals_the_bill(
    provider: FakeProvider, ledger: Ledger, model: OpenAIEmbedding, instrumented: bool
) -> None:
    metered = metered_embedding(model, ledger, feature="search", metadata={"region": "eu"})
    if instrumented:
        with instrument(ledger):
            await every_way(metered)
    else:
        await every_way(metered)
    ledger.flush()
    records = list(ledger.records())
    assert ledger.report().total.usd == provider.billed_usd > 0
    assert len(records) == len(provider.log) == 8
    for record in records:
        assert (record.framework, record.operation, record.provider) == ("llama_index", "embedding", "openai")
        assert (record.model_asked, record.cost.basis) == ("text-embedding-3-small", "exact")
        assert (record.feature, record.metadata) == ("search", {"region": "eu"})
    assert ledger.faults.counts == {}


async def test_many_calls_at_once_take_nothing_from_each_other(
    provider: FakeProvider, ledger: Ledger, model: OpenAIEmbedding
) -> None:
    metered = metered_embedding(model, ledger)
    texts = ["word " * number for number in range(1, 30)]
    await asyncio.gather(*(metered.aget_text_embedding(text) for text in texts))
    ledger.flush()
    assert sorted(record.usage.input_tokens for record in ledger.records()) == sorted(
        (call.usage or {})["prompt_tokens"] for call in provider.log
    )
    assert ledger.report().total.usd == provider.billed_usd


def test_another_ledger_hears_of_it_by_events(provider: FakeProvider, ledger: Ledger, model: OpenAIEmbedding) -> None:
    with Ledger() as other, instrument(other):
        metered_embedding(model, ledger).get_query_embedding("x")
        assert [record.cost.basis for record in ledger.records()] == ["exact"]
        assert [record.cost.basis for record in other.records()] == ["estimated"]


async def test_a_client_of_its_own_for_each_call_is_watched(provider: FakeProvider, ledger: Ledger) -> None:
    model = OpenAIEmbedding(base_url=provider.openai_base_url, reuse_client=False)
    await every_way(metered_embedding(model, ledger))
    assert {record.cost.basis for record in ledger.records()} == {"exact"}
    assert ledger.report().total.usd == provider.billed_usd > 0
    recorded = len(ledger)
    model.get_query_embedding("x")
    assert len(ledger) == recorded, "what was wrapped is not changed"


def test_threads_take_nothing_from_each_other(provider: FakeProvider, ledger: Ledger, model: OpenAIEmbedding) -> None:
    metered = metered_embedding(model, ledger)
    texts = ["word " * number for number in range(1, 30)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(metered.get_text_embedding, texts))
    assert sorted(record.usage.input_tokens for record in ledger.records()) == sorted(
        (call.usage or {})["prompt_tokens"] for call in provider.log
    )
    assert ledger.report().total.usd == provider.billed_usd


def test_texts_that_are_cached_are_not_counted(provider: FakeProvider, ledger: Ledger) -> None:
    model = OpenAIEmbedding(base_url=provider.openai_base_url, embeddings_cache=SimpleKVStore())
    metered = metered_embedding(model, ledger)
    for _ in range(2):
        metered.get_text_embedding_batch(TEXTS)
        metered.get_query_embedding(TEXTS[0])
    assert len(ledger) == len(provider.log) == 1
    assert ledger.report().total.usd == provider.billed_usd


def test_errors_are_recorded_and_raised(provider: FakeProvider, ledger: Ledger, model: OpenAIEmbedding) -> None:
    metered = metered_embedding(model, ledger)
    provider.fail_next(Fault.rate_limit())
    with pytest.raises(Exception, match="429"):
        metered.get_text_embedding("x")
    assert [(record.error, record.cost.usd) for record in ledger.records()] == [("RateLimitError", Decimal(0))]


def test_a_query_engine_says_whom_its_embeddings_are_for(
    provider: FakeProvider, ledger: Ledger, model: OpenAIEmbedding
) -> None:
    metered = metered_embedding(model, ledger, feature="index", team="blue")
    llm = OpenAIFunctionLLM(base_url=provider.openai_base_url)
    with instrument(ledger):
        index = VectorStoreIndex.from_documents([Document(text=text) for text in TEXTS], embed_model=metered)
        engine = index.as_query_engine(llm=llm)
        with instrument_tags({"feature": "support", "user": "u9", "ticket": 7, "tags": ["beta"]}):
            engine.query("How do I freeze my card?")
    records = list(ledger.records())
    assert ledger.report().total.usd == provider.billed_usd
    assert len(records) == len(provider.log)
    indexed = [record for record in records if record.feature == "index"]
    asked, answered = records[-2:]
    assert all((record.user, record.team) == (None, "blue") for record in indexed)
    assert (asked.operation, asked.feature, asked.user, asked.team) == ("embedding", "support", "u9", "blue")
    assert (asked.tags, asked.metadata) == (("beta",), {"ticket": 7})
    assert asked.trace_id == answered.trace_id != indexed[0].trace_id


def test_a_cache_reports_what_its_lookups_cost_and_nobody_else(ledger: Ledger, model: OpenAIEmbedding) -> None:
    metered = metered_embedding(model, ledger)
    assert as_embedder(metered).identity == as_embedder(model).identity
    assert as_embedder(metered).priced_model == "text-embedding-3-small"
    probes = len(ledger)
    with calling_aside("lookup"):
        metered.get_query_embedding("x")
    assert len(ledger) == probes


def test_what_runs_here_is_free(ledger: Ledger) -> None:
    metered = metered_embedding(MockEmbedding(embed_dim=2), ledger)
    metered.get_text_embedding_batch(TEXTS)
    assert [record.cost.usd for record in ledger.records()] == [Decimal(0)]
    assert metered.to_payload()["class_name"] == "MockEmbedding"


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_copies_write_to_the_same_ledger(tmp_path: Path, way: str) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        metered: Any = metered_embedding(MockEmbedding(embed_dim=2), ledger, feature="search")
        made = copy.deepcopy(metered) if way == "deepcopy" else pickle.loads(pickle.dumps(metered))  # noqa: S301
        made.get_query_embedding("x")
        assert [record.feature for record in ledger.records()] == ["search"]
        if made._meter.ledger is not ledger:
            made._meter.ledger.close()


def test_without_its_ledger_a_copy_embeds_all_the_same(ledger: Ledger) -> None:
    made = pickle.loads(pickle.dumps(metered_embedding(MockEmbedding(embed_dim=2), ledger)))  # noqa: S301
    assert made.get_query_embedding("x") == [0.5, 0.5]
    assert len(ledger) == 0


def test_bad_arguments_are_refused(ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="must be a LlamaIndex embedding model"):
        metered_embedding("text-embedding-3-small", ledger)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="metered already"):
        metered_embedding(metered_embedding(MockEmbedding(embed_dim=2), ledger), ledger)
