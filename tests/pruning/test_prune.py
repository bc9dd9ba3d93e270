"""Is what is sent verbatim, in order, within the budget and never nothing, whatever goes wrong?"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.pruning import Passage, Pruner, PruneResult, Sentence, Span, prune
from lc_costkit.tokens import TokenCounter

WORDS = st.sampled_from(
    ["cat", "dog", "Paris", "1999", "water.", "boils!", "e.g.", "好。", "ไทย", "\n", "x" * 40, "😀"]
)
TEXTS = st.lists(WORDS, max_size=60).map(" ".join)
PASSAGES = st.lists(st.builds(Passage, TEXTS, st.sampled_from([None, "Cats", "Water"])), max_size=6)

RAIN = "It rained all day in the city. Guernica was painted by Pablo Picasso. It hangs in Madrid now."


def words(text: str) -> int:
    return len(text.split())


def emitted(result: PruneResult) -> list[str]:
    return [passage.text for passage in result.passages]


def assert_faithful(result: PruneResult, joiner: str = " … ") -> None:
    assert [p.index for p in result.passages] == sorted({p.index for p in result.passages})
    for passage in result.passages:
        original = result.originals[passage.index].text
        assert passage.text == joiner.join(span.of(original) for span in passage.spans)
        assert list(passage.spans) == sorted(passage.spans)
        assert all(a.end <= b.start for a, b in zip(passage.spans, passage.spans[1:], strict=False))


@settings(max_examples=200, deadline=None)
@given(PASSAGES, TEXTS, st.integers(1, 60), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([words, len]))
def test_a_token_budget_is_never_exceeded_and_never_leaves_nothing(
    passages: list[Passage], question: str, budget: int, min_relevance: float, counter: Callable[[str], int]
) -> None:
    result = prune(passages, question, max_tokens=budget, min_relevance=min_relevance, counter=counter)
    assert result.applied
    assert_faithful(result)
    assert sum(counter(text) for text in emitted(result)) == result.kept_tokens
    assert result.kept_tokens is not None
    assert result.kept_tokens <= budget
    if any(passage.text.strip() for passage in passages):
        assert any(text.strip() for text in emitted(result))


@settings(max_examples=60, deadline=None)
@given(PASSAGES, TEXTS, st.integers(4, 60))
def test_a_budget_holds_with_a_real_vocabulary(passages: list[Passage], question: str, budget: int) -> None:
    counter = TokenCounter("gpt-4o")
    result = prune(passages, question, max_tokens=budget, counter=counter)
    assert_faithful(result)
    assert result.kept_tokens is not None
    assert sum(counter.count(text) for text in emitted(result)) == result.kept_tokens <= budget
    assert result.estimated is not counter.exact


@settings(max_examples=150, deadline=None)
@given(PASSAGES, TEXTS, st.floats(0.01, 1.0), st.integers(1, 5))
def test_a_share_gives_way_only_to_the_floor(passages: list[Passage], question: str, keep: float, floor: int) -> None:
    result = prune(passages, question, keep=keep, min_sentences=floor, counter=words)
    assert_faithful(result)
    assert result.kept_tokens is not None
    assert result.budget_tokens is not None
    assert result.kept_tokens <= result.budget_tokens <= (result.original_tokens or 0)
    if result.outcome == "pruned":
        assert sum(s.kept for s in result.sentences) >= min(floor, len(result.sentences))
    if result.budget_tokens > keep * (result.original_tokens or 0) and result.outcome == "pruned":
        assert sum(s.kept for s in result.sentences) <= floor


def test_the_answer_is_kept_with_its_place() -> None:
    result = prune([RAIN, "Bread is brown."], "Who painted Guernica?", max_tokens=7, counter=words)
    assert emitted(result) == ["Guernica was painted by Pablo Picasso."]
    [passage] = result.passages
    assert (passage.index, passage.spans) == (0, (Span(31, 69),))
    assert (result.original_tokens, result.kept_tokens, result.removed_tokens) == (21, 6, 15)


def test_neighbours_make_one_piece_and_gaps_are_marked() -> None:
    text = "Alpha beta one.  Alpha beta two. Nothing here. Alpha beta three."
    result = prune([text], "alpha beta", max_tokens=10, counter=words)
    assert emitted(result) == ["Alpha beta one.  Alpha beta two. … Alpha beta three."]
    assert emitted(prune([text], "alpha beta", max_tokens=9, counter=words, joiner="\n")) == [
        "Alpha beta one.  Alpha beta two.\nAlpha beta three."
    ]


def test_what_fits_is_left_alone() -> None:
    result = prune([f"  {RAIN}\n", ""], "anything", max_tokens=100, counter=words)
    assert (result.outcome, emitted(result), result.removed_tokens) == ("unchanged", [f"  {RAIN}\n", ""], 0)
    assert prune([RAIN], "anything", keep=1).outcome == "unchanged"
    assert prune([], "anything", keep=0.1).passages == ()
    assert prune(["", " \n"], "anything", keep=0.1).outcome == "unchanged"


def test_a_best_sentence_over_the_budget_is_cut_to_its_start() -> None:
    result = prune([RAIN], "Who painted Guernica?", max_tokens=3, counter=words)
    assert emitted(result) == ["Guernica was painted"]
    assert result.kept_tokens == 3


def test_one_character_is_kept_when_even_that_is_over_the_budget() -> None:
    result = prune(["😀😀 😀"], "?", max_tokens=1, counter=lambda text: 3 * len(text))
    assert emitted(result) == ["😀"]


def test_a_repeated_sentence_is_sent_once() -> None:
    chunk = "Guernica was painted by Pablo Picasso."
    result = prune(
        [chunk, f"{chunk} It hangs.", "Picasso painted a lot of things."],
        "Who painted Guernica?",
        max_tokens=12,
        counter=words,
    )
    assert " ".join(emitted(result)).count("Guernica") == 1
    assert "a lot" in emitted(result)[-1]


def test_the_same_words_under_another_title_are_another_sentence() -> None:
    said = "It was opened in 1990. Nobody came to see it on that day."
    result = prune(
        [Passage(said, "Tower"), Passage(said, "Bridge")], "When was it opened?", max_tokens=10, counter=words
    )
    assert emitted(result) == ["It was opened in 1990.", "It was opened in 1990."]


def test_relevance_is_relative_to_the_best_of_the_question() -> None:
    loose = prune([RAIN], "Who painted Guernica?", max_tokens=100, min_relevance=0.9, counter=words)
    assert emitted(loose) == ["Guernica was painted by Pablo Picasso."]
    floor = prune([RAIN], "Who painted Guernica?", max_tokens=100, min_relevance=0.9, min_sentences=2, counter=words)
    assert sum(s.kept for s in floor.sentences) == 2
    assert {s.relevance for s in loose.sentences} >= {0.0, 1.0}


def test_a_question_in_another_language_keeps_the_first_sentences() -> None:
    result = prune(["One cat sat. Two dogs ran. Three birds flew."], "무엇?", max_tokens=6, counter=words)
    assert emitted(result) == ["One cat sat. Two dogs ran."]


def broken(question: str, sentences: Sequence[Sentence]) -> list[float]:
    raise RuntimeError("no model")


def too_few(question: str, sentences: Sequence[Sentence]) -> list[float]:
    return [1.0]


def not_a_number(question: str, sentences: Sequence[Sentence]) -> list[float]:
    return [float("nan")] * len(sentences)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"scorer": broken}, "pruning: RuntimeError"),
        ({"scorer": too_few}, "pruning: ValueError"),
        ({"scorer": not_a_number}, "pruning: ValueError"),
        ({"counter": lambda text: 1 // 0}, "pruning: ZeroDivisionError"),
    ],
)
def test_a_fault_sends_the_originals_and_is_counted(
    options: dict[str, object], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    pruner = Pruner(keep=0.3, **options)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        results = [pruner.prune([RAIN, "Other."], "Who painted Guernica?") for _ in range(3)]
    assert all(emitted(result) == [RAIN, "Other."] and result.outcome == "fault" for result in results)
    assert all(result.mark() is None and not result.applied for result in results)
    assert pruner.faults.counts == {kind: 3}
    assert len(caplog.records) == 1
    assert "Guernica" not in caplog.text


def test_a_scorer_over_the_time_limit_sends_the_originals() -> None:
    release = threading.Event()

    def hangs(question: str, sentences: Sequence[Sentence]) -> list[float]:
        release.wait(30)
        return [1.0] * len(sentences)

    pruner = Pruner(keep=0.3, scorer=hangs, time_limit_seconds=0.05)
    result = pruner.prune([RAIN], "Who painted Guernica?")
    release.set()
    assert (result.outcome, emitted(result)) == ("timed_out", [RAIN])
    assert sum(pruner.faults.counts.values()) == 1


def test_within_the_time_limit_nothing_changes() -> None:
    plain = prune([RAIN], "Who painted Guernica?", keep=0.4)
    limited = prune([RAIN], "Who painted Guernica?", keep=0.4, time_limit_seconds=60)
    assert emitted(plain) == emitted(limited)
    failing = Pruner(keep=0.3, scorer=broken, time_limit_seconds=60)
    assert failing.prune([RAIN], "Who?").outcome == "fault"


def test_observe_decides_and_sends_the_originals() -> None:
    result = prune([RAIN], "Who painted Guernica?", max_tokens=7, counter=words, mode="observe")
    assert (result.outcome, emitted(result), result.applied) == ("observed", [RAIN], False)
    mark = result.mark()
    assert mark is not None
    assert (mark.observed, mark.kept_tokens, mark.removed_tokens) == (True, 6, 12)
    assert json.loads(json.dumps(mark.to_dict()))["observed"] is True


def test_disabled_sends_the_originals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_COSTKIT_DISABLE", "1")
    result = prune([RAIN], "Who painted Guernica?", max_tokens=1, scorer=broken)
    assert (result.outcome, emitted(result), result.mark()) == ("disabled", [RAIN], None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give either max_tokens or keep; neither was given"),
        ({"max_tokens": 5, "keep": 0.5}, "give either max_tokens or keep; both were given"),
        ({"max_tokens": 0}, "max_tokens must be a whole number of at least 1, not 0"),
        ({"max_tokens": -3}, "not -3"),
        ({"max_tokens": 2.5}, "not 2.5"),
        ({"max_tokens": True}, "not True"),
        ({"keep": 0}, "keep must be a share above 0 and at most 1, not 0"),
        ({"keep": 1.2}, "not 1.2"),
        ({"keep": float("nan")}, "not nan"),
        ({"keep": "half"}, "not 'half'"),
        ({"keep": 0.5, "min_sentences": 0}, "min_sentences must be"),
        ({"keep": 0.5, "min_relevance": 1.1}, "min_relevance must be between 0 and 1"),
        ({"keep": 0.5, "time_limit_seconds": 0}, "time_limit_seconds must be above 0"),
        ({"keep": 0.5, "joiner": None}, "joiner must be a string"),
        ({"keep": 0.5, "mode": "off"}, "mode must be 'on' or 'observe'"),
        ({"keep": 0.5, "scorer": "bm25"}, "scorer is 'bm25'"),
        ({"keep": 0.5, "counter": "gpt-4o"}, "counter is 'gpt-4o'"),
        ({"keep": 0.5, "counter": TokenCounter}, "give a TokenCounter or a callable"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Pruner(**options)  # type: ignore[arg-type]


def test_a_passage_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="not int"):
        prune([3], "q", keep=0.5)  # type: ignore[list-item]


def test_a_result_shows_itself() -> None:
    result = prune([Passage(RAIN, "<Art>")], "Who painted Guernica?", max_tokens=7, counter=words)
    assert repr(result) == "PruneResult(pruned: kept 1 of 3 sentences, 6 of 18 tokens, budget 7)"
    lines = result.explain().splitlines()
    assert [line[0] for line in lines[1:]] == ["-", "+", "-"]
    assert "Guernica was painted" in lines[2]
    html = result._repr_html_()
    assert html.count("<tr>") == 4
    assert "&lt;Art&gt;" in html
    assert repr(prune([RAIN], "q", keep=0.5, scorer=broken)) == "PruneResult(fault: 1 passages as given)"
    assert repr(Pruner(keep=0.5)) == "Pruner(keep=0.5, scorer=LexicalScorer, mode='on')"


def test_what_pieces_cost_together_is_mended_in_few_counts() -> None:
    """Each line costs a token more inside the list than alone, so half of what seemed to fit has to go again."""
    counted = 0

    def count(text: str) -> int:
        nonlocal counted
        counted += len(text)
        return len(text.split()) + text.count("\n")

    text = "".join(f"- item {number}\n\n" for number in range(3000))
    result = Pruner(max_tokens=6000, counter=count).prune([text], "Which item is 7?")
    assert result.kept_tokens is not None
    assert 5500 < result.kept_tokens <= 6000
    assert counted < 60 * len(text)


def test_one_pruner_serves_many_threads() -> None:
    pruner = Pruner(max_tokens=7, counter=words)
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(emitted(pruner.prune([RAIN], "Who painted Guernica?"))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["Guernica was painted by Pablo Picasso."]] * 8
