"""Does a paid answer arrive, and is the fault said once, when the kit's own files fail under it?"""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage

from lc_costkit import Ledger, Rules, SemanticCache
from lc_costkit.cache import Cache
from lc_costkit.llama_index.events import instrument
from lc_costkit.llama_index.llm import cached_llm
from lc_costkit.metering import Meter
from lc_costkit.pruning import Pruner
from lc_costkit.testing import FakeProvider
from tests.support.llama_openai import OpenAIFunctionLLM
from tests.whole.support import EASY, EASY_TOO, HARD, QUESTIONS, STRONG, ask, kit_rag, metered, plain_rag

WAIT_SECONDS = 0.05


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked file is given up on soon, so that the tests do not wait."""
    monkeypatch.setattr("lc_costkit.cache.access.BUSY_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr("lc_costkit.ledger.BUSY_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr("lc_costkit.ledger.PATIENT_SECONDS", WAIT_SECONDS)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def delete_all(folder: Path) -> None:
    """Delete every file in a folder."""
    for file in folder.iterdir():
        file.unlink()


async def answers_of(chain: Any, config: Any) -> list[str]:
    """Sync, async and in batches; every question twice."""
    found = [chain.invoke(ask(EASY), config), await chain.ainvoke(ask(HARD), config)]
    found += chain.batch([ask(text) for text in QUESTIONS], config)
    found += await chain.abatch([ask(text) for text in QUESTIONS], config)
    found.append("".join(chain.stream(ask(EASY_TOO), config)))
    found.append("".join([piece async for piece in chain.astream(ask(EASY_TOO), config)]))
    return found


REQUESTS = 2 + 2 * len(QUESTIONS) + 2


async def expected_answers(provider: FakeProvider) -> list[str]:
    """What the chain says when nothing fails, and no cache helps."""
    with SemanticCache() as cache:
        return await answers_of(kit_rag(provider, cache), {})


def warned(caplog: pytest.LogCaptureFixture) -> Counter[str]:
    """Warnings by the first words, up to the kind of error; each kind must be said once."""
    return Counter(
        record.getMessage().partition(":")[0] for record in caplog.records if record.levelno >= logging.WARNING
    )


def assert_said_once(caplog: pytest.LogCaptureFixture, *faults: Any) -> None:
    """One warning for each kind of fault that was counted, and none besides."""
    counted = [kind for each in faults for kind in each]
    said = warned(caplog)
    assert set(said.values()) == {1}
    assert len(said) == len(counted)
    for kind in counted:
        where, _, error = kind.partition(": ")
        assert f"lc_costkit {where} failed ({error}" in said


async def test_the_cache_is_locked(provider: FakeProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = await expected_answers(provider)
    with SemanticCache(tmp_path / "c.db") as cache, Ledger(tmp_path / "l.db") as ledger:
        chain, config = kit_rag(provider, cache), metered(ledger)
        chain.invoke(ask(EASY))
        provider.reset()
        with locked(tmp_path / "c.db"):
            assert await answers_of(chain, config) == expected
            faults = dict(cache.stats().faults)
            assert faults["store: OperationalError"] + faults["store: StoreResting"] >= 4
        assert_said_once(caplog, faults)
        assert len(ledger) == REQUESTS
        assert ledger.faults.counts == {}
        assert ledger.report().total.usd == provider.billed_usd
        hits = ledger.report().total.hits
        assert hits >= 2, "what was stored before is still served"
        assert provider.calls == REQUESTS - hits
        cache.engine._store.rested()
        chain.invoke(ask(HARD), config)
        chain.invoke(ask(HARD), config)
        assert [record.cache for record in ledger.records()][-2:] == ["miss", "hit"], "it works again after"
        assert cache.check() == ()


async def test_the_ledger_is_locked(provider: FakeProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = await expected_answers(provider)
    provider.reset()
    with SemanticCache(tmp_path / "c.db") as cache, Ledger(tmp_path / "l.db") as ledger:
        chain, config = kit_rag(provider, cache), metered(ledger)
        with locked(tmp_path / "l.db"):
            assert await answers_of(chain, config) == expected
        assert cache.stats().faults == {}
        assert len(ledger) == REQUESTS, "what was kept is written when the file is free"
        assert_said_once(caplog, ledger.faults.counts)
        assert ledger.report().total.usd == provider.billed_usd
        chain.invoke(ask(EASY), config)
        assert [record.cache for record in ledger.records()][REQUESTS:] == ["hit"]
        assert ledger.check() == []


async def test_one_file_for_both_is_locked(
    provider: FakeProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = await expected_answers(provider)
    with SemanticCache(tmp_path / "costkit.db") as cache, Ledger(tmp_path / "costkit.db") as ledger:
        with locked(tmp_path / "costkit.db"):
            assert await answers_of(kit_rag(provider, cache), metered(ledger)) == expected
        assert_said_once(caplog, cache.stats().faults, ledger.faults.counts)
        assert len(ledger) == REQUESTS
        assert ledger.check() == []


async def test_the_store_is_deleted_while_it_is_open(
    provider: FakeProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = await expected_answers(provider)
    with SemanticCache(tmp_path / "costkit.db") as cache, Ledger(tmp_path / "costkit.db") as ledger:
        chain, config = kit_rag(provider, cache), metered(ledger)
        chain.invoke(ask(EASY), config)
        delete_all(tmp_path)
        assert await answers_of(chain, config) == expected
        # Connections that were open go on with the file that has no name any more; those that are
        # opened now find an empty one, and say so.
        ledger.flush()
        kinds = [*cache.stats().faults, *ledger.faults.counts]
        assert len(warned(caplog)) == len(kinds)
        assert set(warned(caplog).values()) <= {1}
    with SemanticCache(tmp_path / "costkit.db") as cache, Ledger(tmp_path / "costkit.db") as ledger:
        chain, config = kit_rag(provider, cache), metered(ledger)
        before = len(ledger)
        chain.invoke(ask(HARD + " Please."), config)
        chain.invoke(ask(HARD + " Please."), config)
        assert [record.cache for record in ledger.records()][before:] == ["miss", "hit"], "a new process starts anew"


FULL_DISK = """
import asyncio, json, logging, resource, sys
from pathlib import Path
from lc_costkit import Ledger, SemanticCache
from lc_costkit.testing import FakeProvider
from tests.whole.support import ask, kit_rag, metered
from tests.whole.test_faults import REQUESTS, answers_of, expected_answers

class Said(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())

said = []
logging.getLogger("lc_costkit").addHandler(Said(logging.WARNING))
path = Path(sys.argv[1])

async def main():
    with FakeProvider() as provider, SemanticCache(path / "c.db") as cache, Ledger(path / "l.db") as ledger:
        expected = await expected_answers(provider)
        provider.reset()
        chain, config = kit_rag(provider, cache), metered(ledger)
        room = max(file.stat().st_size for file in path.iterdir()) + 30_000
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        same = await answers_of(chain, config) == expected
        stats = cache.stats()
        recorded = len(ledger)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        chain.invoke(ask("Is there room again?"), config)
        return {
            "same": same, "calls": provider.calls, "recorded": recorded, "said": said, "after": len(ledger) - recorded,
            "cache": dict(stats.faults), "ledger": ledger.faults.counts,
            "check": [*cache.check(), *ledger.check()],
        }

print(json.dumps(asyncio.run(main())))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_the_disk_is_full(tmp_path: Path) -> None:
    """The operating system refuses to let any file grow: the error SQLite sees on a full disk."""
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)
    assert seen["same"], "every answer arrived"
    assert seen["recorded"] > 0, "there was room for some"
    assert sum(seen["ledger"].values()) > 0
    assert sum(seen["cache"].values()) > 0
    assert len(seen["said"]) == len(seen["cache"]) + len(seen["ledger"]), seen["said"]
    assert seen["recorded"] + seen["after"] == REQUESTS + 1, "every call is recorded when there is room"
    assert seen["check"] == []


async def test_llama_index_under_locked_files(
    provider: FakeProvider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = OpenAIFunctionLLM(model=STRONG, base_url=provider.openai_base_url)
    messages = [ChatMessage(role="user", content=EASY)]
    expected = plain.chat(messages).message.content
    with Cache(tmp_path / "costkit.db") as cache, Ledger(tmp_path / "costkit.db") as ledger:
        llm = cached_llm(plain, cache)
        with locked(tmp_path / "costkit.db"), instrument(ledger):
            answers = [llm.chat(messages), await llm.achat(messages)]
            *_, streamed = llm.stream_chat(messages)
            *_, again = [piece async for piece in await llm.astream_chat(messages)]
            answers += [streamed, again]
            ledger.flush()
        assert [answer.message.content for answer in answers] == [expected] * 4
        assert ledger.faults.total >= 1
        assert len(ledger) == 4
        faults = cache.stats().faults
        assert faults["store: OperationalError"] + faults["store: StoreResting"] == 4
        assert_said_once(caplog, cache.stats().faults, ledger.faults.counts)


async def test_everything_of_ours_fails_at_once(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever raises inside a part, the application gets the answer of the plain chain."""
    expected = [plain_rag(provider).invoke(ask(text)) for text in (EASY, HARD)]
    with SemanticCache() as cache, Ledger() as ledger:
        chain, config = kit_rag(provider, cache), metered(ledger)

        def broken(*_: Any, **__: Any) -> Any:
            raise RuntimeError("a bug of ours")

        monkeypatch.setattr("lc_costkit.cache.serving.make_key", broken)
        monkeypatch.setattr(Rules, "__call__", broken)
        monkeypatch.setattr(Pruner, "_decide", broken)
        monkeypatch.setattr(Meter, "price", broken)
        assert [chain.invoke(ask(text), config) for text in (EASY, HARD)] == expected
        assert [await chain.ainvoke(ask(text), config) for text in (EASY, HARD)] == expected
        assert chain.batch([ask(EASY), ask(HARD)], config) == expected
        assert list(ledger.records()) == []
        assert ledger.faults.counts == {"metering: RuntimeError": 6}
        assert cache.stats().faults["lookup: RuntimeError"] == 6
        assert set(warned(caplog).values()) == {1}
