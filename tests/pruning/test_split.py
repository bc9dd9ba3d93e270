"""Are sentences found in any script, and is every visible character in exactly one of them?"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_costkit.errors import ConfigurationError
from lc_costkit.pruning import Span, split_sentences

LATIN = ["Dr. ", "word ", "End. ", "3.14 ", "wer? ", "https://a.io/b.c ", "x" * 90, "e\u0301"]
SCRIPTS = ["好。", "さようなら！", "안녕하세요 ", "ประเทศไทย ", "مرحبا؟ ", "हिन्दी। ", "\u3000", "👩\u200d👩\u200d👧"]
LAYOUT = ["\n", "\n\n", "- item\n", "| a | b |\n", "```\n", "# Head\n"]
PIECES = st.sampled_from(LATIN + SCRIPTS + LAYOUT)


def pieces(text: str, **options: int) -> list[str]:
    return [span.of(text) for span in split_sentences(text, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Mr. Fox met Prof. J. R. R. Smith of Acme Inc. there. Done.", None),
        ("It costs 3.50 USD. That is 1.5 times more.", ["It costs 3.50 USD.", "That is 1.5 times more."]),
        ("See https://a.io/x.y?z=1. Then e.g. stop.", ["See https://a.io/x.y?z=1.", "Then e.g. stop."]),
        ("Am 3. Mai 1990 z. B. kam er. Dann ging er.", ["Am 3. Mai 1990 z. B. kam er.", "Dann ging er."]),
        ('"What?" he said. "Go!" She went.', ['"What?" he said.', '"Go!"', "She went."]),
        ("Cited.[1] Next one.", ["Cited.[1]", "Next one."]),
        ("他赢了。“是吗？”她问！好", ["他赢了。", "“是吗？”", "她问！", "好"]),
        ("彼は行った。帰った。", ["彼は行った。", "帰った。"]),
        ("저는 갑니다 그는 왔어요 끝", ["저는 갑니다", "그는 왔어요", "끝"]),
        ("هل هذا صحيح؟ نعم. انتهى", ["هل هذا صحيح؟", "نعم.", "انتهى"]),
        ("यह एक वाक्य है। यह दूसरा है।", ["यह एक वाक्य है।", "यह दूसरा है।"]),
        ("# Title\nText one.\n- first\n- second\n\nEnd", ["# Title", "Text one.", "- first", "- second", "End"]),
        ("| a | b |\n|---|---|\n| 1. X | 2 |\nAfter.", ["| a | b |\n|---|---|\n| 1. X | 2 |", "After."]),
        ("Look:\n```py\nx = 1. Y\n\nz = 2\n```\nDone.", ["Look:", "```py\nx = 1. Y\n\nz = 2\n```", "Done."]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_ordinary_texts(text: str, expected: list[str] | None) -> None:
    assert pieces(text) == (
        ["Mr. Fox met Prof. J. R. R. Smith of Acme Inc. there.", "Done."] if expected is None else expected
    )


def test_a_wrapped_line_does_not_end_a_sentence() -> None:
    text = "This line was wrapped by an editor at seventy characters, as they are,\nand goes on. Next."
    assert len(pieces(text)) == 2


def test_thai_is_cut_at_spaces_and_bounded() -> None:
    text = " ".join(["กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย"] * 20)
    found = pieces(text)
    assert len(found) > 5
    assert all(len(piece) <= 100 and not piece.startswith(" ") for piece in found)
    assert set(" ".join(found).split()) == set(text.split())


@pytest.mark.parametrize("script", ["x", "字", "ก", "가", "😀"])
def test_a_text_without_any_mark_is_bounded(script: str) -> None:
    found = pieces(script * 5000)
    assert max(map(len, found)) <= 480
    assert "".join(found) == script * 5000


def test_a_long_table_is_cut_between_rows() -> None:
    rows = [f"| row {i} | value {i} |" for i in range(100)]
    found = pieces("\n".join(rows))
    assert len(found) > 1
    assert [row for piece in found for row in piece.splitlines()] == rows


def test_combining_marks_stay_with_their_letter() -> None:
    found = pieces("e\u0301" * 1000, max_characters=33)
    assert all(piece.startswith("e") for piece in found)


def test_a_limit_too_small_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 20, not 5"):
        split_sentences("text", max_characters=5)


def test_a_large_text_is_split_without_recursion() -> None:
    assert len(split_sentences("A sentence of some words. " * 20_000)) == 20_000
    assert len(split_sentences("word " * 100_000)) > 1_000


@pytest.mark.parametrize("run", ["." * 300_000, ". " * 150_000, "?!" * 150_000, "x" + ".[1]" * 75_000, ".)" * 150_000])
def test_a_long_run_of_marks_is_bounded(run: str) -> None:
    """Quadratic work on these would take minutes."""
    found = pieces(run)
    assert max(map(len, found)) <= 480
    assert "".join("".join(found).split()) == "".join(run.split())


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=400), st.lists(PIECES, max_size=40).map("".join)), st.integers(20, 200))
def test_spans_are_a_partition_of_what_is_visible(text: str, limit: int) -> None:
    spans = split_sentences(text, max_characters=limit)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert all(span.end - span.start <= limit for span in spans)
    assert all(span.of(text) == span.of(text).strip() for span in spans)
    covered = [i for span in spans for i in range(span.start, span.end)]
    missed = set(range(len(text))) - set(covered)
    assert all(text[i].isspace() for i in missed)
    assert split_sentences(text, max_characters=limit) == spans


def test_a_span_is_a_piece_of_its_text() -> None:
    assert Span(2, 4).of("abcdef") == "cd"
