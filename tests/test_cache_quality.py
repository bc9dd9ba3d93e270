"""Does the benchmark of the cache count right, and decide about pairs as the cache does?"""

from __future__ import annotations

import gzip
import importlib
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._cache_counts import (
    NEVER,
    Decision,
    at_threshold,
    best_within,
    count,
    most_served,
    sweep,
)
from benchmarks._cache_sets import (
    Asked,
    Pair,
    banking,
    clinc,
    dense_store,
    slot_swaps,
    stream,
    written_pairs,
)
from benchmarks._minilm import _gelu, _words
from lc_costkit.cache.engine import Cache
from lc_costkit.cache.policy import POLICIES, Policy
from lc_costkit.cache.results import Hit
from lc_costkit.embedding import bundled_embedder

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "cache_quality.py"


def decision(score: float, *, right: bool, refused_by: str | None = None) -> Decision:
    return Decision(score=score, refused_by=refused_by, right=right, must_miss=not right)


# Best score first: right, wrong and right together, right, wrong, right that a gate refused.
DECISIONS = (
    decision(0.7, right=True),
    decision(0.9, right=True),
    decision(0.8, right=True),
    decision(0.8, right=False),
    decision(0.2, right=False, refused_by="score"),
    decision(NEVER, right=True, refused_by="number"),
)


def test_what_is_served_is_counted_over_what_may_be_and_what_must_not() -> None:
    counts = count(DECISIONS)
    assert (counts.right, counts.wrong, counts.served) == (3, 1, 4)
    assert (counts.may_hit, counts.must_miss) == (4, 2)


def test_the_sweep_serves_equal_scores_together_and_never_what_a_gate_refused() -> None:
    assert sweep(DECISIONS) == [(0.9, 1, 0), (0.8, 2, 1), (0.7, 3, 1), (0.2, 3, 2)]
    assert best_within(DECISIONS, 0) == (0.9, 1, 0)
    assert best_within(DECISIONS, 1.9) == (0.7, 3, 1)
    assert best_within(DECISIONS[4:], 0) is None
    assert most_served(DECISIONS, 0.25) == (0.7, 3, 1)
    assert at_threshold(DECISIONS, 0.8) == (2, 1)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, NEVER]), st.booleans())))
def test_the_sweep_agrees_with_each_of_its_thresholds(drawn: list[tuple[float, bool]]) -> None:
    decisions = [decision(score, right=right) for score, right in drawn]
    for threshold, right, wrong in sweep(decisions):
        assert at_threshold(decisions, threshold) == (right, wrong)


PAIRS = (
    Pair(cached="How do I reset my password?", new="How can I reset my password?", same=True),
    Pair(cached="How do I reset my password?", new="How do I reset my PIN?", same=False),
    Pair(
        cached="What is the fee for a transfer of 100 euros?", new="What fee has a transfer of 200 euros?", same=False
    ),
    Pair(cached="What's my balance right now?", new="What is my balance right now?", same=False),
    Pair(cached="How do I convert euros to dollars?", new="How do I convert dollars to euros?", same=False),
    Pair(cached="Where can I find the IBAN of my account?", new="Where do I find my account's IBAN?", same=True),
    Pair(cached="비밀번호를 어떻게 재설정하나요?", new="비밀번호 재설정은 어떻게 하나요?", same=True),
    Pair(cached="How do I bake bread?", new="비밀번호 재설정은 어떻게 하나요?", same=False),
    Pair(cached="Hello! Could you tell me how to close my account?", new="how to close my account", same=True),
    Pair(cached="How tall is the tower?", new="Which colours does the flag have?", same=False),
)


@pytest.fixture
def matchers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return importlib.import_module("_cache_matchers")


@pytest.mark.parametrize("policy", POLICIES.values(), ids=lambda policy: policy.name)
def test_a_pair_is_decided_as_in_a_cache_that_holds_nothing_else(matchers: ModuleType, policy: Policy) -> None:
    decided = matchers.by_policy("ours", bundled_embedder(), policy).decide(PAIRS)
    with Cache(policy=policy) as cache:
        for number, (pair, each) in enumerate(zip(PAIRS, decided, strict=True)):
            cache.store(matchers.request_of(pair.cached, settings=str(number)), '"stored"')
            found = cache.lookup(matchers.request_of(pair.new, settings=str(number)))
            assert isinstance(found, Hit) == (each.refused_by is None), pair
            if each.score != NEVER:
                assert found.seen is not None
                assert found.seen.score == pytest.approx(each.score, abs=1e-5)
    assert {each.refused_by is None for each in decided} == {True, False}


def test_exact_repeats_are_left_out(matchers: ModuleType) -> None:
    repeat = Pair(cached="What is  a tracker fund?", new="what is a tracker fund", same=True)
    assert matchers.semantic_pairs([*PAIRS, repeat]) == (list(PAIRS), 1)


def rows(path: Path, given: Sequence[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in given)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def test_a_slot_gets_the_value_of_another_sentence(tmp_path: Path) -> None:
    said = [("send 5 euros", "5 euros", [5, 12]), ("I paid 9 euros", "9 euros", [7, 14])]
    swapped = [{"text": text, "slots": {"amount": {"text": value, "span": span}}} for text, value, span in said]
    rows(tmp_path / "nlupp.jsonl.gz", [*swapped * 10, {"text": "no slot"}])
    pairs = slot_swaps(tmp_path / "nlupp.jsonl.gz", 100)
    assert {(pair.cached, pair.new) for pair in pairs} == {
        ("send 5 euros", "send 9 euros"),
        ("I paid 9 euros", "I paid 5 euros"),
    }
    assert not any(pair.same for pair in pairs)


def test_each_text_is_taken_once_and_a_question_out_of_scope_is_like_no_other(tmp_path: Path) -> None:
    rows(tmp_path / "banking77_train.jsonl.gz", [{"text": "Where is my card?", "intent": "card"}])
    rows(tmp_path / "banking77_test.jsonl.gz", [{"text": "where is my card", "intent": "card"}])
    rows(tmp_path / "clinc150.jsonl.gz", [{"text": text, "intent": "oos"} for text in ("who won", "who lost")])
    assert banking(tmp_path) == [Asked(text="Where is my card?", intent="card")]
    assert len({each.intent for each in clinc(tmp_path)}) == 2


def test_a_store_is_asked_what_it_does_not_hold_and_a_stream_repeats() -> None:
    asked = [Asked(text=str(number), intent="number") for number in range(30)]
    stored, new = dense_store(asked, stored=20, new=5)
    assert (len(stored), len(new)) == (20, 5)
    assert not set(stored) & set(new)
    drawn = stream(asked, questions=10, requests=200)
    assert len(drawn) == 200
    assert len(set(drawn)) <= 10
    assert drawn != stream(asked, questions=10, requests=200, number=1)


def test_a_text_that_is_served_wrongly_again_and_again_is_one_wrong_text(matchers: ModuleType) -> None:
    stores = importlib.import_module("_cache_stores")
    asked = [("How do I bake bread?", "bake"), ("How do I bake a bread?", "buy"), ("Who won the match?", "match")]
    found = stores.run_streams(lambda: stores.CosineStore(bundled_embedder(), 0.8), [asked * 3, asked[1:]])
    # The first stream stores the first and the last text, and serves the second three times with the wrong label.
    assert (found.requests, found.exact, found.semantic, found.wrong) == (11, 4, 3, 3)
    assert (found.texts, found.wrong_texts, found.not_matched) == (1, 1, 0)


def test_hand_written_pairs_are_read_from_folders_packed_or_not(tmp_path: Path) -> None:
    row = {"domain": "bank", "lang": "en", "cached": "a", "query": "b", "same": False, "kind": "number"}
    rows(tmp_path / "one.jsonl", [row])
    rows(tmp_path / "two.jsonl.gz", [row, row])
    (tmp_path / "NOTICE").write_text("not pairs")
    found = written_pairs([tmp_path])
    assert {name: len(pairs) for name, pairs in found.items()} == {"one": 1, "two": 2, "all": 3}
    assert found["one"] == [Pair(cached="a", new="b", same=False, language="en", kind="number")]
    with pytest.raises(SystemExit, match="no file of pairs"):
        written_pairs([tmp_path / "three.jsonl"])


def test_the_teacher_reads_words_as_its_own_tokenizer_does() -> None:
    assert _words("Naïve, ΙΧΣ 漢字\u200b a_b €5") == ["naive", ",", "ιχσ", "漢", "字", "a", "_", "b", "€5"]
    given = np.linspace(-6, 6, 101, dtype=np.float32)
    exact = [0.5 * x * (1 + math.erf(x / math.sqrt(2))) for x in given.tolist()]
    np.testing.assert_allclose(_gelu(given), exact, atol=2e-6)


def small_data(folder: Path) -> None:
    """Write a few rows of every set."""
    rows(
        folder / "banking_traps_94.jsonl",
        [
            {"cached_query": pair.cached, "query": pair.new, "should_hit": pair.same, "category": "TRAP"}
            for pair in PAIRS
        ],
    )
    labelled = [{"a": pair.cached, "b": pair.new, "same": pair.same} for pair in PAIRS]
    rows(folder / "qqp_pairs.jsonl.gz", labelled)
    rows(folder / "ko_pairs.jsonl.gz", labelled)
    rows(folder / "gptcache_mock.jsonl.gz", [{"origin": pair.cached, "similar": pair.new} for pair in PAIRS])
    amounts = [f"{number} euros" for number in range(10, 15)]
    rows(
        folder / "nlupp_banking.jsonl.gz",
        [{"text": f"send {each}", "slots": {"amount": {"text": each, "span": [5, 13]}}} for each in amounts],
    )
    intents = [{"text": f"{pair.new} {number}", "intent": "one"} for number, pair in enumerate(PAIRS)]
    for name in ("banking77_train", "banking77_test", "clinc150"):
        rows(folder / f"{name}.jsonl.gz", intents)
    turns = ("Main Query", "Main Query Response", "Follow-Up Query")
    talks = [("What is an atom?", "Small.", "How small?"), ("What is a river?", "Water.", "Where does it end?")]
    (folder / "multi_turn_128.json").write_text(json.dumps([dict(zip(turns, talk, strict=True)) for talk in talks]))


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *options], capture_output=True, text=True, encoding="utf-8", check=False
    )


def test_every_set_is_measured(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    small_data(tmp_path / "cache")
    written = {"lang": "en", "kind": "reword", "cached": PAIRS[0].cached, "query": PAIRS[0].new, "same": True}
    rows(tmp_path / "mine.jsonl", [written, {**written, "query": PAIRS[1].new, "same": False, "kind": "product"}])
    found = run(
        *("--data", str(tmp_path), "--pairs", str(tmp_path / "mine.jsonl"), "--keep", str(tmp_path)),
        *("--plot", str(tmp_path / "curves.png"), "--show-errors"),
    )
    assert found.returncode == 0, found.stderr
    for name in ("traps", "questions", "slots", "korean", "pairs:mine", "mock", "dense:clinc", "stream:banking77"):
        assert f"\n{name}" in found.stdout
    assert "4 may be served, 6 must not" in found.stdout
    assert "2/2 1.000" in found.stdout.partition("multi-turn: 2 conversations")[2]
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_without_data_or_with_an_unknown_set_it_says_so(tmp_path: Path) -> None:
    assert run("--data", str(tmp_path)).stdout.startswith("skipped: no measurement data")
    (tmp_path / "cache").mkdir()
    wrong = run("--data", str(tmp_path), "--sets", "trap")
    assert wrong.returncode != 0
    assert "no such sets: trap" in wrong.stderr
