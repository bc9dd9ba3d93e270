"""Are words comparable across forms, accents and scripts, and is what is asked for recognised?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.pruning.words import asks_for, can_answer, content_terms, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("city", "Cities"),
        ("stopped", "stopping"),
        ("invention", "inventor"),
        ("Beyoncé", "beyonce"),
        ("STRASSE", "straße"),
        ("الكتاب", "والكتاب"),
        ("كِتَاب", "كتاب"),
        ("ﬁne", "fine"),
        ("１２", "12"),
    ],
)
def test_forms_of_a_word_compare_equal(one: str, other: str) -> None:
    assert terms(one) == terms(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("北京大学", ["北京", "京大", "大学"]),
        ("ไทย", ["ไท", "ทย"]),
        ("한국 은", ["한국", "은"]),
        ("हिन्दी", ["हिन्दी"]),
        ("iPhone12在2024年", ["iphone", "在", "2024", "年"]),
        ("snake_case", ["snak", "cas"]),
        ("", []),
    ],
)
def test_scripts(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_one_languages_function_word_is_anothers_content() -> None:
    assert "war" in content_terms("When did the civil war start?")
    assert "war" not in content_terms("Wer war der erste Kanzler der Republik?")
    assert "son" in content_terms("Who is the son of Odin?")


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When did it open?", "time"),
        ("In which year was it built?", "time"),
        ("Wann wurde es gebaut?", "time"),
        ("他什么时候出生？", "time"),
        ("언제 열렸나요?", "time"),
        ("How many goals were scored?", "number"),
        ("Wie groß ist er?", "number"),
        ("¿Cuántas ciudades hay?", "number"),
        ("Who wrote it?", "name"),
        ("Wo liegt Köln?", "name"),
        ("Explain the difference.", None),
        ("", None),
    ],
)
def test_what_is_asked_for(question: str, kind: str | None) -> None:
    assert asks_for(question) == kind


def test_what_can_answer() -> None:
    assert can_answer("time", "It was in 1999.", "") == 1.0
    assert can_answer("time", "It was in July.", "") == 1.0
    assert can_answer("time", "It took 3 days.", "") == 0.3
    assert can_answer("time", "It was long ago.", "") == 0.0
    assert can_answer("number", "There are 12.", "") == 1.0
    assert can_answer("name", "It was by Pablo Picasso.", "who painted it") == 1.0
    assert can_answer("name", "It was by Pablo.", "who is pablo") == 0.0
    assert can_answer("name", "Somebody. Then another.", "who") == 0.0


@given(st.text(max_size=200))
def test_any_text_has_terms_and_a_memo_changes_nothing(text: str) -> None:
    memo: dict[str, str] = {}
    assert terms(text, memo) == terms(text, memo) == terms(text)
    assert set(content_terms(text)) <= set(terms(text))
