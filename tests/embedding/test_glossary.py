"""Does a Korean word find its meaning under its endings, and only there?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.embedding.glossary import Glossary, korean_glossary, korean_words

GLOSSARY = Glossary(["보내|송금\tsend", "취소\tcancel", "취소수수료\tcancellation fee", "차\tcar", "no tab"])


@pytest.mark.parametrize(
    ("word", "stems"),
    [
        ("송금하려면", ["송금"]),
        ("보낼까요", ["보내"]),
        ("보냈는데", ["보내"]),
        ("취소수수료가", ["취소수수료"]),
        ("송금취소", ["송금", "취소"]),
        ("차를", ["차"]),
        ("차례대로야", []),  # a longer word that only begins like a short one
        ("주차장", []),
        ("없는말", []),
        ("", []),
    ],
)
def test_stems_are_found_under_endings_and_in_compounds(word: str, stems: list[str]) -> None:
    assert [stem for stem, _ in GLOSSARY.read(word)] == stems


@given(st.text(alphabet=st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=30))
def test_every_word_is_read_and_nothing_is_found_that_does_not_stand_in_order(word: str) -> None:
    for stem, gloss in korean_glossary().read(word):
        assert gloss.isascii()
        assert stem[:-1] in word


def test_the_shipped_glossary_is_well_formed() -> None:
    glossary = korean_glossary()
    assert glossary.read("비밀번호") and glossary.read("비번")
    assert glossary.read("비밀번호")[0][1] == glossary.read("비번")[0][1]
    assert glossary.read("환불")[0][1] != glossary.read("교환")[0][1]


def test_words_of_other_scripts_and_lone_surrogates_are_left_out() -> None:
    assert korean_words("Galaxy 배송\ud800 언제 와요? 123") == ["배송", "언제", "와요"]
