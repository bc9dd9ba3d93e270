"""Does a call get its own answer, once paid for, and never somebody else's?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lc_costkit.cache import Cache, CacheRequest, Hit, Miss, Turn, question
from lc_costkit.cache.accept import FOREIGN_FLOOR, threshold_of
from lc_costkit.embedding import as_embedder, bundled_embedder
from lc_costkit.errors import ConfigurationError, EmbedderError, StoreError
from lc_costkit.usage import TokenUsage, UsageReading
from tests.cache.support import Clock, WordsEmbedder, ask

ASKED = "How do I reset my password?"
REWORDED = "How can I reset my password?"
READING = UsageReading(usage=TokenUsage(input_tokens=1000, output_tokens=100), model="gpt-4o-mini", provider="openai")


def small(path: str | Path = ":memory:", **knobs: Any) -> Cache:
    return Cache(path, **{"embedder": WordsEmbedder(), **knobs})


def put(cache: Cache, request: CacheRequest, answer: str = '"stored"', **options: Any) -> int:
    miss = cache.lookup(request)
    assert isinstance(miss, Miss)
    stored = cache.store(request, answer, miss=miss, **options)
    assert stored is not None
    return stored


# -- what is served --------------------------------------------------------------


def test_an_exact_repeat_is_served_with_what_it_cost_and_saves() -> None:
    with Cache() as cache:
        entry = put(cache, ask(ASKED), reading=READING)
        hit = cache.lookup(ask("how do I reset my password"))
        assert isinstance(hit, Hit)
        assert (hit.tier, hit.entry.id, hit.similarity, hit.answer) == ("exact", entry, 1.0, '"stored"')
        assert (hit.entry.answer_usd, hit.entry.answer_basis) == (Decimal("0.00021"), "exact")
        mark = hit.mark()
        assert (mark.verdict, mark.tier, mark.answer_tokens, mark.lookup_usd) == ("hit", "exact", 1100, Decimal(0))
        assert mark.lookup_seconds is not None
        assert mark.lookup_seconds > 0


def test_another_wording_is_served_by_the_bundled_embedder() -> None:
    with Cache() as cache:
        put(cache, ask(ASKED))
        hit = cache.lookup(ask(REWORDED))
        assert isinstance(hit, Hit)
        assert hit.tier == "semantic"
        assert 0.7 <= hit.similarity < 1.0


@pytest.mark.parametrize(
    "other",
    [
        ask(ASKED, system="You are a pirate."),
        ask(ASKED, settings='{"tools":["add"]}'),
        ask(ASKED, settings='{"model":"gpt-4o"}'),
        CacheRequest(turns=(Turn(role="human", text=ASKED),), settings="{}"),
        CacheRequest(
            turns=(
                Turn(role="system", text="You help."),
                Turn(role="human", text="Hello"),
                Turn(role="ai", text="Hello!"),
                Turn(role="human", text=ASKED),
            ),
            settings="{}",
        ),
    ],
    ids=["system prompt", "tools", "model", "no system prompt", "earlier turns"],
)
def test_another_scope_is_never_served(other: CacheRequest) -> None:
    with Cache() as cache:
        put(cache, ask(ASKED))
        assert isinstance(cache.lookup(other), Miss)
        put(cache, other, '"other"')
        assert cache.lookup(ask(ASKED)).answer == '"stored"'  # type: ignore[union-attr]


def test_namespaces_in_one_file_are_apart(tmp_path: Path) -> None:
    with small(tmp_path / "c.db", namespace="a") as one, small(tmp_path / "c.db", namespace="b") as other:
        put(one, ask(ASKED))
        assert isinstance(other.lookup(ask(ASKED)), Miss)
        put(other, ask(ASKED), '"other"')
        assert one.clear() == 1
        assert isinstance(one.lookup(ask(ASKED)), Miss)
        assert isinstance(other.lookup(ask(ASKED)), Hit)
        assert one.clear(everything=True) == 1
        assert isinstance(other.lookup(ask(ASKED)), Miss)


def test_in_500_scopes_with_the_same_question_each_finds_its_own(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db") as cache:
        for number in range(500):
            put(cache, ask(ASKED, system=f"You work for shop {number}."), f'"{number}"')
        for number in range(500):
            for text in (ASKED, REWORDED):
                hit = cache.lookup(ask(text, system=f"You work for shop {number}."))
                assert isinstance(hit, Hit)
                assert hit.answer == f'"{number}"'


def test_a_refused_nearest_entry_is_not_passed_over_for_the_next() -> None:
    with small(similarity_threshold=0.5) as cache:
        put(cache, ask("What is the fee of plan 200 in total"), '"200"')
        put(cache, ask("What is the fee of any plan in total abroad"), '"any"')
        miss = cache.lookup(ask("What is the fee of plan 300 in total"))
        assert isinstance(miss, Miss)
        assert miss.gate == "number"
        assert miss.candidate is not None
        assert miss.candidate.payload == '"200"'


def test_without_gates_the_threshold_decides_alone() -> None:
    with small(similarity_threshold=0.5, gates=()) as cache:
        put(cache, ask("What is the fee of plan 200 in total"), '"200"')
        assert isinstance(cache.lookup(ask("What is the fee of plan 300 in total")), Hit)


def test_a_gate_of_ones_own_and_one_that_raises() -> None:
    def never(cached: object, new: object) -> str | None:
        return "because"

    def broken(cached: object, new: object) -> str | None:
        raise RuntimeError("oh")

    for gate, reason in ((never, "because"), (broken, "raised RuntimeError")):
        with small(similarity_threshold=0.5, gates=(gate,)) as cache:
            put(cache, ask(ASKED))
            miss = cache.lookup(ask(REWORDED))
            assert isinstance(miss, Miss)
            assert reason in (miss.reason or "")
            assert miss.gate == gate.__name__


# -- templates with documents -----------------------------------------------------


def rag(asked: str, documents: str = "Passwords are reset in the settings.\n\nFees are low.") -> CacheRequest:
    return ask(f"Answer from these documents.\n{documents}\n\nQuestion: {asked}")


def test_a_rag_template_is_never_served_to_another_question() -> None:
    with Cache(similarity_threshold=0.0, gates=()) as cache:
        put(cache, rag(ASKED))
        assert isinstance(cache.lookup(rag("What are the fees?")), Miss)
        assert isinstance(cache.lookup(rag(REWORDED)), Miss)
        assert isinstance(cache.lookup(rag(ASKED)), Hit)


def test_a_declared_question_gets_hits_within_its_version() -> None:
    with Cache() as cache:
        with question(ASKED, scope="kb-1"):
            put(cache, rag(ASKED))
        with question(REWORDED, scope="kb-1"):
            assert isinstance(cache.lookup(rag(REWORDED, "Documents in another order.")), Hit)
        with question("What are the fees?", scope="kb-1"):
            assert isinstance(cache.lookup(rag("What are the fees?")), Miss)
        with question(REWORDED, scope="kb-2"):
            assert isinstance(cache.lookup(rag(REWORDED)), Miss)
        with question(REWORDED):
            assert isinstance(cache.lookup(rag(REWORDED)), Miss)


def test_a_callable_finds_the_question() -> None:
    def after_label(request: CacheRequest) -> str | None:
        return request.turns[-1].text.rpartition("Question: ")[2]

    with Cache(question=after_label) as cache:
        put(cache, rag(ASKED))
        assert isinstance(cache.lookup(rag(REWORDED)), Hit)
        assert isinstance(cache.lookup(rag(REWORDED, "Other documents.")), Miss)


# -- what is not cached -------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        CacheRequest(turns=(Turn(role="human", text="q"), Turn(role="tool", text="42")), settings="{}"),
        CacheRequest(turns=(Turn(role="human", text="What is this?", has_media=True),), settings="{}"),
        CacheRequest(turns=(Turn(role="human", text="Write a poem"),), settings="{}", temperature=1.5),
        CacheRequest(turns=(Turn(role="human", text="q"),), settings="{}", uncacheable="no description"),
        ask("What is the weather right now?"),
    ],
    ids=["tool result", "image", "temperature", "undescribed", "live data"],
)
def test_what_must_not_be_cached_is_skipped_with_a_reason(request_: CacheRequest) -> None:
    with Cache() as cache:
        miss = cache.lookup(request_)
        assert isinstance(miss, Miss)
        assert miss.verdict == "skipped"
        assert miss.reason
        assert cache.store(request_, '"x"', miss=miss) is None
        assert cache.store(request_, '"x"') is None
        stats = cache.stats()
        assert stats.refused == {miss.reason: 1}
        assert stats.not_stored == {miss.reason: 2}
        assert stats.entries == 0


def test_an_answer_can_be_kept_to_the_letter_only() -> None:
    with Cache() as cache:
        cache.store(ask(ASKED), '"x"', exact_only=True)
        assert isinstance(cache.lookup(ask(ASKED)), Hit)
        assert isinstance(cache.lookup(ask(REWORDED)), Miss)


# -- lifetime -----------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [timedelta(minutes=1), 60, 60.0])
@pytest.mark.parametrize("text", [ASKED, REWORDED])
def test_an_answer_is_served_until_its_time_is_over(ttl: Any, text: str) -> None:
    with Cache(ttl=ttl) as cache:
        clock = cache._server.clock = Clock()
        put(cache, ask(ASKED))
        clock.now += 59
        assert isinstance(cache.lookup(ask(text)), Hit)
        clock.now += 1
        miss = cache.lookup(ask(text))
        assert isinstance(miss, Miss)
        cache.store(ask(text), '"new"', miss=miss)
        hit = cache.lookup(ask(text))
        assert isinstance(hit, Hit)
        assert hit.answer == '"new"'


def test_refreshing_an_answer_many_times_keeps_one_row(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db", ttl=10) as cache:
        clock = cache._server.clock = Clock()
        ids = set()
        for _ in range(60):
            ids.add(put(cache, ask(ASKED)))
            assert isinstance(cache.lookup(ask(REWORDED)), Hit)
            clock.now += 11
        assert len(ids) == 60, "processes that have dropped the old one read the new one"
        assert cache.stats().entries == 1
        (loaded,) = cache._matcher._scopes._scopes.values()
        assert len(loaded.index) <= 2
        assert cache.check() == ()


def test_the_least_recently_used_entries_go_first(tmp_path: Path) -> None:
    with small(tmp_path / "c.db", max_entries=3) as cache:
        clock = cache._server.clock = Clock()
        for word in ("alpha", "beta", "gamma"):
            clock.now += 1
            put(cache, ask(f"What is {word}"))
        clock.now += 1
        assert isinstance(cache.lookup(ask("What is alpha")), Hit)
        clock.now += 1
        put(cache, ask("What is delta"))
        kept = {
            word
            for word in ("alpha", "beta", "gamma", "delta")
            if isinstance(cache.lookup(ask(f"What is {word}")), Hit)
        }
        assert kept == {"alpha", "gamma", "delta"}
        stats = cache.stats()
        assert (stats.entries, stats.evicted) == (3, 1)


def test_a_full_cache_never_holds_more_than_it_may(tmp_path: Path) -> None:
    with small(tmp_path / "c.db", max_entries=200) as cache:
        for number in range(450):
            cache.store(ask(f"What is item{number}"), '"x"')
            assert number % 50 or cache._store.count("default") <= 200
        assert 198 <= cache.stats().entries <= 200


# -- care ---------------------------------------------------------------------------


def test_delete_by_id_and_by_question(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db") as cache:
        entry = put(cache, ask(ASKED))
        put(cache, ask(ASKED, system="other"))
        put(cache, ask("Where is the bank?"))
        assert isinstance(cache.lookup(ask(REWORDED)), Hit)
        assert cache.delete(entry) == 1
        assert cache.delete(entry) == 0
        assert isinstance(cache.lookup(ask(ASKED)), Miss)
        assert isinstance(cache.lookup(ask(REWORDED)), Miss)
        assert cache.delete(question="how do I reset my  password") == 1
        assert isinstance(cache.lookup(ask("Where is the bank?")), Hit)
        assert cache.check() == ()
        with pytest.raises(ConfigurationError, match="exactly one"):
            cache.delete()
        with pytest.raises(ConfigurationError, match="exactly one"):
            cache.delete(1, question="x")


def test_explain_says_what_decides_and_changes_nothing() -> None:
    with Cache() as cache:
        put(cache, ask("How do I close account 12?"))
        refused = cache.explain(ask("How do I close account 13?"))
        assert not refused.served
        assert refused.candidate == "How do I close account 12?"
        assert any(opinion.gate == "number" and opinion.reason for opinion in refused.gates)
        assert any(opinion.gate == "language" and opinion.reason is None for opinion in refused.gates)
        assert "number" in refused.decision
        assert "account 12" in repr(refused)
        far = cache.explain(ask("Where do penguins live?"))
        assert far.candidate_id == 1
        assert far.similarity is not None
        assert far.similarity < far.threshold
        assert "<b>" not in cache.explain(ask("<b>bold</b>"))._repr_html_()
        assert cache.explain(ask("How do I close account 12?")).tier == "exact"
        assert cache.explain(ask("What is the time now?")).decision.startswith("not cached")
        assert "to the letter" in cache.explain(rag(ASKED)).decision
        assert cache.stats().lookups == 1


def test_statistics_survive_a_restart_and_are_net(tmp_path: Path) -> None:
    class Paid(WordsEmbedder):
        priced_model = "text-embedding-3-small"

    with small(tmp_path / "c.db", embedder=Paid()) as cache:
        put(cache, ask(ASKED), reading=READING)
        put(cache, ask("Where is the bank?"))
        cache.lookup(ask(ASKED))
        cache.lookup(ask("Where is the bank?"))
    with small(tmp_path / "c.db", embedder=Paid()) as cache:
        cache.lookup(ask(ASKED))
        stats = cache.stats()
    assert (stats.lookups, stats.hits, stats.exact_hits, stats.misses, stats.stored) == (5, 3, 3, 2, 2)
    assert stats.hit_rate == 0.6
    assert stats.saved_tokens == 2200
    assert stats.served_unpriced == 1
    assert stats.served_usd == Decimal("0.00042")
    assert stats.lookup_usd > 0
    assert stats.saved_usd == stats.served_usd - stats.lookup_usd
    assert "1 hits unpriced" in repr(stats)
    assert "<table>" in stats._repr_html_()


def test_a_lookup_with_a_paid_embedder_says_what_it_cost() -> None:
    class Paid(WordsEmbedder):
        priced_model = "text-embedding-3-small"

    class Unknown(WordsEmbedder):
        priced_model = "no-such-embedding"

    with small(embedder=Paid()) as cache:
        mark = cache.lookup(ask(ASKED)).mark()
        assert mark.lookup_usd is not None
        assert mark.lookup_usd > 0
        assert mark.lookup_basis == "estimated"
    with small(embedder=Unknown()) as cache:
        mark = cache.lookup(ask(ASKED)).mark()
        assert (mark.lookup_usd, mark.lookup_basis) == (None, "unpriced")
        assert cache.stats().lookups_unpriced == 1


# -- embedders ----------------------------------------------------------------------


def test_vectors_of_another_embedder_are_made_again_and_never_mixed(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with small(path, similarity_threshold=0.5) as cache:
        put(cache, ask(ASKED))
    other = WordsEmbedder("words-v2", dimensions=32)
    with small(path, embedder=other, similarity_threshold=0.5) as cache:
        assert isinstance(cache.lookup(ask(REWORDED)), Hit)
        assert ASKED in other.asked
    again = WordsEmbedder("words-v2", dimensions=32)
    with small(path, embedder=again, similarity_threshold=0.5) as cache:
        assert isinstance(cache.lookup(ask(REWORDED)), Hit)
        assert ASKED not in again.asked
        assert cache.check() == ()
    first = WordsEmbedder()
    with small(path, embedder=first, similarity_threshold=0.5) as cache:
        assert isinstance(cache.lookup(ask(REWORDED)), Hit)
        assert ASKED not in first.asked


def wrong_shape(texts: Sequence[str]) -> list[float]:
    return [0.5, 0.5]


def not_finite(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.full((len(texts), 4), np.nan, dtype=np.float32)


@pytest.mark.parametrize("embedder", [wrong_shape, not_finite])
def test_an_embedder_that_breaks_its_contract_is_refused(embedder: Any) -> None:
    with pytest.raises(EmbedderError):
        Cache(embedder=embedder)


def test_an_embedder_that_fails_later_costs_hits_not_answers(caplog: pytest.LogCaptureFixture) -> None:
    class Fails(WordsEmbedder):
        broken = False

        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            if self.broken:
                raise ConnectionError("no route")
            return super().embed(texts)

    embedder = Fails()
    with small(embedder=embedder, similarity_threshold=0.7) as cache:
        embedder.broken = True
        miss = cache.lookup(ask(ASKED))
        assert isinstance(miss, Miss)
        assert miss.reason == "fault: ConnectionError"
        assert cache.store(ask(ASKED), '"x"', miss=miss) is not None
        assert isinstance(cache.lookup(ask(ASKED)), Hit)
        embedder.broken = False
        assert isinstance(cache.lookup(ask(REWORDED)), Hit), "embedded when its scope was read"
        assert sum(cache.stats().faults.values()) == 2
    assert sum("ConnectionError" in record.message for record in caplog.records) == 1


async def test_lookups_do_not_block_the_loop() -> None:
    class Remote:
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return WordsEmbedder().embed(texts).tolist()

        async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
            started.set()
            await released.wait()
            return self.embed_documents(texts)

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    started, released = asyncio.Event(), asyncio.Event()
    with Cache(embedder=as_embedder(Remote()), similarity_threshold=0.5) as cache:
        lookup = asyncio.create_task(cache.alookup(ask(ASKED)))
        await asyncio.wait_for(started.wait(), 5)
        released.set()
        miss = await lookup
        assert isinstance(miss, Miss)
        assert await cache.astore(ask(ASKED), '"x"', miss=miss) is not None
        assert isinstance(await cache.alookup(ask(ASKED)), Hit)
        assert isinstance(await cache.alookup(ask(REWORDED)), Hit)
    with Cache() as cache:
        assert isinstance(await cache.alookup(ask(ASKED)), Miss)


# -- modes --------------------------------------------------------------------------


def test_observe_mode_records_and_serves_nothing() -> None:
    with Cache(mode="observe") as cache:
        put(cache, ask(ASKED), reading=READING)
        for text, tier in ((ASKED, "exact"), (REWORDED, "semantic")):
            miss = cache.lookup(ask(text))
            assert isinstance(miss, Miss)
            assert (miss.verdict, miss.tier) == ("observed_hit", tier)
            mark = miss.mark()
            assert (mark.verdict, mark.answer_usd) == ("observed_hit", Decimal("0.00021"))
            assert cache.store(ask(text), '"again"', miss=miss) is None
        stats = cache.stats()
        assert (stats.observed_hits, stats.hits, stats.misses) == (2, 0, 3)
        assert stats.observed_usd == Decimal("0.00042")
        assert stats.saved_usd == 0
        assert not cache.explain(ask(ASKED)).served


def test_switched_off_nothing_is_looked_up_or_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    with Cache() as cache:
        put(cache, ask(ASKED))
        monkeypatch.setenv("LC_COSTKIT_DISABLE", "1")
        miss = cache.lookup(ask(ASKED))
        assert isinstance(miss, Miss)
        assert miss.verdict == "none"
        assert cache.store(ask("other"), '"x"') is None
        monkeypatch.delenv("LC_COSTKIT_DISABLE")
        assert cache.stats().lookups == 1
        assert isinstance(cache.lookup(ask(ASKED)), Hit)


# -- odd input ----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "   ", "\x00", "a\x00b", "\ud800 lone", "word " * 100_000, "???", "🦜" * 10])
def test_odd_questions_never_raise_and_come_back_to_the_letter(text: str, tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db") as cache:
        request = ask(text)
        miss = cache.lookup(request)
        assert isinstance(miss, Miss)
        assert cache.store(request, '"x"', miss=miss) is not None
        assert isinstance(cache.lookup(request), Hit)
        assert cache.check() == ()
        assert not cache.stats().faults


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"similarity_threshold": 1.1}, "0 to 1, not 1.1"),
        ({"similarity_threshold": -0.1}, "0 to 1"),
        ({"similarity_threshold": float("nan")}, "0 to 1"),
        ({"similarity_threshold": "0.5"}, "0 to 1"),
        ({"similarity_threshold": True}, "0 to 1"),
        ({"ttl": -1}, "above 0, not -1"),
        ({"ttl": 0}, "above 0"),
        ({"ttl": timedelta(days=-1)}, "above 0"),
        ({"ttl": "1d"}, "timedelta"),
        ({"max_entries": 0}, "at least 1, not 0"),
        ({"max_entries": 2.5}, "whole number"),
        ({"namespace": ""}, "not blank"),
        ({"namespace": "x" * 300}, "1 to 255"),
        ({"namespace": 3}, "namespace must be text"),
        ({"mode": "off"}, "'on' or 'observe', not 'off'"),
        ({"gates": [3]}, "callables"),
        ({"gates": 3}, "sequence of callables"),
        ({"admission": [len]}, "AdmissionRule"),
        ({"admission": 3}, "sequence of rules"),
        ({"question": "q"}, "callable"),
        ({"context": "some"}, "'history', 'last'"),
        ({"max_temperature": -1}, "max_temperature"),
        ({"embedder": 3}, "cannot embed"),
    ],
)
def test_each_wrong_knob_has_a_clear_error(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Cache(**knobs)


def test_a_store_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a directory"):
        Cache(tmp_path)
    (tmp_path / "text.db").write_text("this is not a database, however long it may be. " * 30)
    with pytest.raises(StoreError, match="not a database"):
        Cache(tmp_path / "text.db")
    with pytest.raises(ConfigurationError, match="unknown kind of database"):
        Cache("nosuch://localhost/x")


# -- threads ------------------------------------------------------------------------


def test_threads_may_look_up_store_and_delete_at_once(tmp_path: Path) -> None:
    with small(tmp_path / "c.db", similarity_threshold=0.5, max_entries=150) as cache:
        wrong: list[object] = []

        def work(worker: int) -> None:
            for number in range(60):
                request = ask(f"What is item{number}", system=f"scope {worker % 3}")
                found = cache.lookup(request)
                if isinstance(found, Miss):
                    cache.store(request, f'"{worker % 3} item{number}"', miss=found)
                elif found.answer != f'"{worker % 3} item{number}"':
                    wrong.append(found)
                if number % 20 == 7:
                    cache.delete(question=f"What is item{number}")

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        stats = cache.stats()
        assert stats.lookups == 360
        assert not stats.faults
        assert stats.entries <= 150
        assert cache.check() == ()


def test_an_embedder_that_does_not_say_how_high_its_cosines_run_gets_a_cautious_threshold() -> None:
    assert threshold_of(WordsEmbedder(), None)(ASKED) == FOREIGN_FLOOR
    assert threshold_of(WordsEmbedder(), 0.6)(ASKED) == 0.6


def test_the_bundled_embedder_asks_for_less_outside_the_latin_script() -> None:
    threshold = threshold_of(bundled_embedder(), None)
    assert threshold("How do I reset my password?") > threshold("비밀번호를 어떻게 재설정하나요?")


# -- what must never be served --------------------------------------------------------


def test_an_answer_refreshed_to_the_letter_only_is_no_longer_served_to_other_wordings(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db") as cache, Cache(tmp_path / "c.db") as elsewhere:
        put(cache, ask(ASKED))
        assert isinstance(cache.lookup(ask(REWORDED)), Hit)
        cache.store(ask(ASKED), '"a tool call"', exact_only=True)
        for one in (cache, elsewhere):
            assert isinstance(one.lookup(ask(REWORDED)), Miss)
            assert isinstance(one.lookup(ask(ASKED)), Hit)


def test_a_shorter_lifetime_holds_for_answers_that_were_stored_for_ever(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db") as cache:
        clock = cache._server.clock = Clock()
        put(cache, ask(ASKED))
    with Cache(tmp_path / "c.db", ttl=60) as cache:
        cache._server.clock = clock
        assert isinstance(cache.lookup(ask(REWORDED)), Hit)
        clock.now += 60
        assert isinstance(cache.lookup(ask(ASKED)), Miss)
        assert isinstance(cache.lookup(ask(REWORDED)), Miss)


def test_an_answer_stored_again_after_its_time_is_found_by_a_process_that_dropped_it(tmp_path: Path) -> None:
    clock = Clock()
    with Cache(tmp_path / "c.db", ttl=60) as cache, Cache(tmp_path / "c.db", ttl=60) as elsewhere:
        cache._server.clock = elsewhere._server.clock = clock
        put(cache, ask(ASKED))
        assert isinstance(elsewhere.lookup(ask(REWORDED)), Hit)
        clock.now += 60
        assert isinstance(elsewhere.lookup(ask(REWORDED)), Miss)
        put(cache, ask(ASKED), '"new"')
        hit = elsewhere.lookup(ask(REWORDED))
        assert isinstance(hit, Hit)
        assert hit.answer == '"new"'


@pytest.mark.parametrize(("length", "reads"), [(300, 200), (3_000, 20_000), (30_000, 20_000)])
def test_long_questions_that_differ_where_no_embedder_reads_are_never_matched(length: int, reads: int) -> None:
    half = "word " * (length // 10)
    embedder = as_embedder(bundled_embedder(), max_characters=reads)
    with Cache(embedder=embedder, gates=(), similarity_threshold=0.0) as cache:
        for text in (f"{half}red {half}".strip(), f"{half}blue {half}".strip()):
            with question(text):
                put(cache, ask(f"Documents\n\n{text}"))  # finds that it is a miss
                assert isinstance(cache.lookup(ask(f"Documents\n\n{text}")), Hit)


def test_explain_shows_no_key_and_no_password() -> None:
    settings = (
        '{"headers":{"Authorization":"Bearer abc.def","x-api-key":"k-1"},"base":"https://me:pw@host/v1",'
        '"call":"[(\'extra_body\', {\'api_key\': \'k-2\'}), (\'token\', \'k-3\')]","q":"{\\"secret\\": \\"k-4\\"}",'
        '"plain":"sk-proj-123456","max_tokens":5}'
    )
    request = ask(ASKED, settings=settings)
    with Cache() as cache:
        shown = cache.explain(request)
    for hidden in ("abc.def", "k-1", "k-2", "k-3", "k-4", "pw@", "123456"):
        assert hidden not in shown.settings
        assert hidden not in repr(shown) + shown._repr_html_() + repr(request)
    assert '"max_tokens":5' in shown.settings


def test_explain_points_to_the_same_question_in_another_scope() -> None:
    with small() as cache:
        entry = cache.store(ask(ASKED), '"x"')
        moved = ask(ASKED, system="You insult.")
        explanation = cache.explain(moved)
        assert explanation.elsewhere == (entry,)
        assert "answers this very question in another scope" in repr(explanation)
        assert cache.explain(ask(ASKED)).elsewhere == ()
